/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in model: rows of steps, and pairs. docs/adr/0005-baseline.md says where points come
 * from. */
#include "models/baseline.h"

#include "features/program.h"
#include "features/table.h"

#define QUARTER_Q16 ((int64_t)16384)
#define STEPS_MAX   4

/* A feature at or above `from` earns `quarters` of a point in all; the highest step that is reached
 * counts. Steps ascend; quarters 0 ends them. */
struct row {
    enum rv_feature feature;
    struct {
        int32_t from;
        int32_t quarters;
    } steps[STEPS_MAX];
};

#define BITS(n) ((n)*16) /* features in 1/16 bit */

static const struct row rows[] = {
    /* The program */
    { RV_FEATURE_EXE_PATH_CLASS,
      { { RV_PATH_HOME, 2 }, { RV_PATH_SCRATCH, 12 }, { RV_PATH_MEMORY, 24 } } },
    { RV_FEATURE_EXE_WRITABLE, { { 1, 8 } } },
    { RV_FEATURE_EXE_FILELESS, { { 1, 24 } } },
    { RV_FEATURE_EXE_PRELOAD, { { 1, 6 } } },
    { RV_FEATURE_EXE_HIDDEN, { { 1, 6 } } },
    { RV_FEATURE_ARGV_LEN, { { 512, 1 }, { 2048, 3 } } },
    { RV_FEATURE_ARGV_ENTROPY, { { 84, 2 } } },
    { RV_FEATURE_ARGV_META, { { 3, 2 }, { 8, 4 } } },
    { RV_FEATURE_ARGV_B64_RUN, { { 40, 4 }, { 100, 10 } } },
    { RV_FEATURE_ARGV_NET, { { 1, 2 } } },
    { RV_FEATURE_ARGV_RARITY, { { BITS(4), 2 }, { BITS(8), 4 } } },
    /* Where it comes from */
    { RV_FEATURE_PARENT_RARITY,
      { { BITS(4), 4 }, { BITS(6), 8 }, { BITS(8), 14 }, { BITS(10), 20 } } },
    { RV_FEATURE_GRANDPARENT_RARITY, { { BITS(6), 2 }, { BITS(9), 10 } } },
    { RV_FEATURE_ANC_RISK, { { 300, 8 }, { 400, 12 } } },
    { RV_FEATURE_ANC_SCRATCH, { { 1, 6 } } },
    /* What it may and did */
    { RV_FEATURE_CAPS_GAINED, { { 1, 4 } } },
    { RV_FEATURE_NAMESPACES, { { 1, 2 }, { 3, 6 } } },
    { RV_FEATURE_WATCHED_READS, { { 1, 4 }, { 3, 8 } } },
    { RV_FEATURE_MEMORY_EXECS, { { 1, 4 }, { 4, 8 } } },
    { RV_FEATURE_PTRACES, { { 1, 12 } } },
    { RV_FEATURE_SIGNALS, { { 1, 1 }, { 16, 4 } } },
    { RV_FEATURE_MOUNTS, { { 1, 2 } } },
    { RV_FEATURE_KERNEL_LOADS, { { 1, 8 } } },
    { RV_FEATURE_CONNECTS_FAST, { { 32, 6 } } },
    { RV_FEATURE_ADDRESSES, { { 32, 8 }, { 128, 14 } } },
    { RV_FEATURE_PORTS, { { 16, 8 }, { 64, 12 } } },
    { RV_FEATURE_NGRAM_MISSES, { { 64, 2 } } },
    { RV_FEATURE_NGRAM_WINDOW_MAX, { { 8, 4 }, { 24, 8 } } },
    /* What is new for its program here */
    { RV_FEATURE_NEW_NET, { { 1, 4 }, { 4, 6 } } },
    { RV_FEATURE_NEW_PORT, { { 1, 6 } } },
    { RV_FEATURE_NEW_DIR, { { 1, 1 }, { 4, 3 } } },
    { RV_FEATURE_NEW_CHILD, { { 1, 4 }, { 3, 8 } } },
    { RV_FEATURE_NEW_ACTION, { { 1, 6 }, { 2, 10 } } },
    { RV_FEATURE_EDGE_RARITY, { { BITS(6), 2 }, { BITS(9), 5 }, { BITS(12), 8 } } },
    /* What it does to files */
    { RV_FEATURE_FOREIGN_WRITES, { { 32, 2 }, { 128, 4 } } },
    { RV_FEATURE_REPLACED, { { 8, 4 }, { 32, 8 } } },
    { RV_FEATURE_EXT_CHANGES, { { 8, 4 }, { 32, 10 } } },
    { RV_FEATURE_STRANGE_EXT, { { 3, 4 }, { 8, 12 }, { 32, 20 } } },
    { RV_FEATURE_PERSIST_WRITES, { { 1, 12 }, { 2, 14 } } },
    { RV_FEATURE_LOG_WIPES, { { 1, 8 }, { 3, 12 } } },
    { RV_FEATURE_RANDOM_WRITES, { { 4, 8 }, { 16, 16 } } },
    /* What is more than usual */
    { RV_FEATURE_EXCESS_FILES, { { BITS(1), 2 }, { BITS(2), 4 }, { BITS(4), 8 } } },
    { RV_FEATURE_EXCESS_WRITES, { { BITS(1), 2 }, { BITS(2), 4 }, { BITS(4), 8 } } },
    { RV_FEATURE_EXCESS_REMOVALS, { { BITS(1), 3 }, { BITS(2), 6 }, { BITS(4), 12 } } },
    { RV_FEATURE_EXCESS_SPAWNS, { { BITS(2), 2 }, { BITS(4), 6 } } },
    { RV_FEATURE_EXCESS_CONNECTS, { { BITS(2), 4 }, { BITS(4), 8 } } },
};

/* Two features, each within a range, both ends included. */
struct pair {
    enum rv_feature a, b;
    int32_t a_min, a_max, b_min, b_max;
    int32_t quarters; /* may be negative: what explains the other feature away */
};

#define ANY INT32_MAX
#define KIND_WITH(kind, feature, from, quarters)                                                   \
    {                                                                                              \
        RV_FEATURE_EXE_KIND, RV_FEATURE_##feature, RV_KIND_##kind, RV_KIND_##kind, from, ANY,      \
            quarters                                                                               \
    }

static const struct pair pairs[] = {
    /* Below a network server */
    KIND_WITH(SHELL, ANC_SERVER, 1, 8),
    KIND_WITH(RECON, ANC_SERVER, 1, 24),
    KIND_WITH(TRANSFER, ANC_SERVER, 1, 20),
    KIND_WITH(LANGUAGE, ANC_SERVER, 1, 2),
    KIND_WITH(FILES, ANC_SERVER, 1, 4),
    KIND_WITH(BUILD, ANC_SERVER, 1, 8),
    KIND_WITH(ADMIN, ANC_SERVER, 1, 12),
    KIND_WITH(DEBUG, ANC_SERVER, 1, 16),
    { RV_FEATURE_EXE_PATH_CLASS, RV_FEATURE_ANC_SERVER, RV_PATH_SCRATCH, ANY, 1, ANY, 12 },
    { RV_FEATURE_WATCHED_READS, RV_FEATURE_ANC_SERVER, 1, ANY, 1, ANY, 12 },
    { RV_FEATURE_PARENT_RARITY, RV_FEATURE_ANC_SERVER, BITS(6), ANY, 1, ANY, 12 },
    { RV_FEATURE_GRANDPARENT_RARITY, RV_FEATURE_ANC_SERVER, BITS(6), ANY, 1, ANY, 16 },
    /* Who talks to the network */
    KIND_WITH(SHELL, CONNECTS, 1, 40),
    KIND_WITH(SHELL, BINDS, 1, 40),
    { RV_FEATURE_EXE_PATH_CLASS, RV_FEATURE_CONNECTS, RV_PATH_SCRATCH, ANY, 1, ANY, 16 },
    { RV_FEATURE_EXE_PATH_CLASS, RV_FEATURE_BINDS, RV_PATH_SCRATCH, ANY, 1, ANY, 8 },
    { RV_FEATURE_EXE_FILELESS, RV_FEATURE_CONNECTS, 1, 1, 1, ANY, 16 },
    { RV_FEATURE_EXE_HIDDEN, RV_FEATURE_CONNECTS, 1, 1, 1, ANY, 6 },
    { RV_FEATURE_BEACON, RV_FEATURE_CONNECTS, 0, 2, 8, ANY, 6 },
    { RV_FEATURE_ARGV_B64_RUN, RV_FEATURE_ARGV_META, 40, ANY, 2, ANY, 8 },
    { RV_FEATURE_ARGV_NET, RV_FEATURE_ARGV_META, 1, ANY, 3, ANY, 6 },
    /* A program that nobody knows yet, from where programs do not come from */
    { RV_FEATURE_EXE_RUNS, RV_FEATURE_EXE_PATH_CLASS, 0, 15, RV_PATH_HOME, RV_PATH_ELSEWHERE, 4 },
    { RV_FEATURE_EXE_RUNS, RV_FEATURE_EXE_PATH_CLASS, 0, 15, RV_PATH_SCRATCH, ANY, 8 },
    { RV_FEATURE_EXE_FILE_AGE, RV_FEATURE_EXE_PATH_CLASS, 0, 7, RV_PATH_SCRATCH, ANY, 6 },
    /* Files rewritten and renamed, many of them */
    { RV_FEATURE_FOREIGN_WRITES, RV_FEATURE_EXT_CHANGES, 16, ANY, 16, ANY, 16 },
    { RV_FEATURE_REPLACED, RV_FEATURE_STRANGE_EXT, 8, ANY, 8, ANY, 12 },
    { RV_FEATURE_EXT_CHANGES, RV_FEATURE_STRANGE_EXT, 8, ANY, 8, ANY, 12 },
    { RV_FEATURE_RANDOM_WRITES, RV_FEATURE_FOREIGN_WRITES, 4, ANY, 16, ANY, 12 },
    KIND_WITH(ARCHIVE, REPLACED, 8, -4),
    KIND_WITH(ARCHIVE, EXT_CHANGES, 8, -4),
    /* What explains itself */
    KIND_WITH(DEBUG, PTRACES, 1, -10),
    KIND_WITH(LOGIN, WATCHED_READS, 1, -4),
    KIND_WITH(LOGIN, CAPS_GAINED, 1, -4),
    KIND_WITH(LOGIN, SIGNALS, 1, -1),
    KIND_WITH(SERVICE, SIGNALS, 1, -1),
    KIND_WITH(SERVICE, MOUNTS, 1, -2),
    KIND_WITH(SERVICE, NAMESPACES, 1, -2),
    KIND_WITH(ADMIN, MOUNTS, 1, -2),
    KIND_WITH(LANGUAGE, MEMORY_EXECS, 1, -3),
    KIND_WITH(DESKTOP, MEMORY_EXECS, 1, -4),
    KIND_WITH(MONITOR, LOG_WIPES, 1, -8),
    KIND_WITH(SERVICE, LOG_WIPES, 1, -4),
    KIND_WITH(PACKAGE, PERSIST_WRITES, 1, -12),
    KIND_WITH(ADMIN, PERSIST_WRITES, 1, -6),
    KIND_WITH(SERVICE, PERSIST_WRITES, 1, -8),
    KIND_WITH(PACKAGE, LOG_WIPES, 1, -6),
    { RV_FEATURE_ANC_PACKAGE, RV_FEATURE_PERSIST_WRITES, 1, 1, 1, ANY, -10 },
    { RV_FEATURE_ANC_PACKAGE, RV_FEATURE_EXE_PATH_CLASS, 1, 1, RV_PATH_SCRATCH, ANY, -8 },
    { RV_FEATURE_PARENT_KIND, RV_FEATURE_EXE_PATH_CLASS, RV_KIND_BUILD, RV_KIND_BUILD,
      RV_PATH_SCRATCH, RV_PATH_SCRATCH, -8 },
};

static int64_t row_points(const struct row *row, int32_t value)
{
    int32_t quarters = 0;

    for (size_t i = 0; i < STEPS_MAX && row->steps[i].quarters != 0; i++) {
        if (value < row->steps[i].from)
            break;
        quarters = row->steps[i].quarters;
    }
    return quarters * QUARTER_Q16;
}

static bool pair_holds(const struct pair *pair, const int32_t *value)
{
    int32_t a = value[pair->a], b = value[pair->b];

    return a >= pair->a_min && a <= pair->a_max && b >= pair->b_min && b <= pair->b_max;
}

static int64_t score(const struct rv_model *model, const struct rv_vector *vector)
{
    int64_t raw = 0;

    (void)model;
    for (size_t i = 0; i < RV_COUNT(rows); i++)
        raw += row_points(&rows[i], vector->value[rows[i].feature]);
    for (size_t i = 0; i < RV_COUNT(pairs); i++) {
        if (pair_holds(&pairs[i], vector->value))
            raw += pairs[i].quarters * QUARTER_Q16;
    }
    return raw;
}

static void explain(const struct rv_model *model, const struct rv_vector *vector,
                    struct rv_verdict *verdict)
{
    int64_t *share = verdict->attribution_q16;

    memset(share, 0, sizeof(verdict->attribution_q16));
    for (size_t i = 0; i < RV_COUNT(rows); i++)
        share[rows[i].feature] += row_points(&rows[i], vector->value[rows[i].feature]);
    for (size_t i = 0; i < RV_COUNT(pairs); i++) {
        int64_t points = pair_holds(&pairs[i], vector->value) ? pairs[i].quarters * QUARTER_Q16 : 0;

        /* Quarters are even in Q16.16, so halves are exact. */
        share[pairs[i].a] += points / 2;
        share[pairs[i].b] += points / 2;
    }
    verdict->base_q16 = 0;
    verdict->raw_q16 = score(model, vector);
}

static void baseline_free(struct rv_model *model)
{
    free(model);
}

static const struct rv_model_ops ops = {
    .kind = "baseline",
    .score_q16 = score,
    .explain = explain,
    .free = baseline_free,
};

static struct rv_sha256 digest_of_tables(void)
{
    RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };

    rv_buf_add_str(&text, "reeve baseline 1\n");
    for (size_t i = 0; i < RV_COUNT(rows); i++) {
        rv_buf_addf(&text, "row %d", (int)rows[i].feature);
        for (size_t j = 0; j < STEPS_MAX; j++)
            rv_buf_addf(&text, " %d:%d", rows[i].steps[j].from, rows[i].steps[j].quarters);
        rv_buf_add_char(&text, '\n');
    }
    for (size_t i = 0; i < RV_COUNT(pairs); i++) {
        rv_buf_addf(&text, "pair %d %d..%d %d %d..%d %d\n", (int)pairs[i].a, pairs[i].a_min,
                    pairs[i].a_max, (int)pairs[i].b, pairs[i].b_min, pairs[i].b_max,
                    pairs[i].quarters);
    }
    if (text.failed)
        abort(); /* a few KiB at start: nothing can go on without them */
    return rv_sha256(rv_buf_span(&text));
}

int rv_baseline_new(struct rv_model **ret_model)
{
    struct rv_model *model = calloc(1, sizeof(*model));

    if (!model)
        return -ENOMEM;
    model->ops = &ops;
    model->digest = digest_of_tables();
    model->feature_table = rv_feature_table_digest();
    *ret_model = model;
    return 0;
}

int64_t rv_baseline_alarm_q16(void)
{
    return 12 * 4 * QUARTER_Q16;
}

/* ---- Reach ---- */

struct box {
    int32_t low, high;
};

static struct box box_of(enum rv_feature feature, int32_t value, enum rv_reach_right right)
{
    int32_t max = rv_feature_info(feature)->max;

    switch (right) {
    case RV_REACH_RAISE:
        return (struct box){ value, max };
    case RV_REACH_LOWER:
        return (struct box){ 0, value };
    case RV_REACH_FIXED:
        return (struct box){ value, value };
    case RV_REACH_FREE:
        break;
    }
    return (struct box){ 0, max };
}

static void row_reach(const struct row *row, struct box box, int64_t *min, int64_t *max)
{
    int64_t low = row_points(row, box.low), high = row_points(row, box.low);

    for (size_t i = 0; i < STEPS_MAX && row->steps[i].quarters != 0; i++) {
        int64_t points = row->steps[i].quarters * QUARTER_Q16;

        if (row->steps[i].from <= box.low || row->steps[i].from > box.high)
            continue;
        low = points < low ? points : low;
        high = points > high ? points : high;
    }
    *min += low;
    *max += high;
}

static void pair_reach(const struct pair *pair, struct box a, struct box b, int64_t *min,
                       int64_t *max)
{
    int64_t points = pair->quarters * QUARTER_Q16;
    bool always = a.low >= pair->a_min && a.high <= pair->a_max && b.low >= pair->b_min &&
                  b.high <= pair->b_max;
    bool ever = a.low <= pair->a_max && a.high >= pair->a_min && b.low <= pair->b_max &&
                b.high >= pair->b_min;

    if (points < 0 ? ever : always)
        *min += points;
    if (points < 0 ? always : ever)
        *max += points;
}

void rv_baseline_reach(const struct rv_vector *vector,
                       const enum rv_reach_right rights[RV_FEATURE_COUNT], int64_t *ret_min_q16,
                       int64_t *ret_max_q16)
{
    const int32_t *value = vector->value;
    int64_t min = 0, max = 0;

    for (size_t i = 0; i < RV_COUNT(rows); i++) {
        enum rv_feature feature = rows[i].feature;

        row_reach(&rows[i], box_of(feature, value[feature], rights[feature]), &min, &max);
    }
    for (size_t i = 0; i < RV_COUNT(pairs); i++) {
        enum rv_feature a = pairs[i].a, b = pairs[i].b;

        pair_reach(&pairs[i], box_of(a, value[a], rights[a]), box_of(b, value[b], rights[b]), &min,
                   &max);
    }
    *ret_min_q16 = min;
    *ret_max_q16 = max;
}
