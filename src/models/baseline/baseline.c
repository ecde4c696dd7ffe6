/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in model: rows of steps, and conjunctions. docs/adr/0005-baseline.md says where points
 * come from. */
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
    { RV_FEATURE_EXE_HIDDEN, { { 1, 2 } } },
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

/* A feature within a range, both ends included. */
struct condition {
    enum rv_feature feature;
    int32_t min, max;
};

/* Two or three conditions that mean more together than each alone. */
#define CONDITIONS_MAX 3
struct conjunction {
    int32_t quarters; /* may be negative: what explains the other features away */
    struct condition conditions[CONDITIONS_MAX]; /* max 0 ends them */
};

#define ANY INT32_MAX
#define AT_LEAST(feature, from)                                                                    \
    {                                                                                              \
        RV_FEATURE_##feature, from, ANY                                                            \
    }
#define BETWEEN(feature, from, to)                                                                 \
    {                                                                                              \
        RV_FEATURE_##feature, from, to                                                             \
    }
#define KIND(kind)                                                                                 \
    {                                                                                              \
        RV_FEATURE_EXE_KIND, RV_KIND_##kind, RV_KIND_##kind                                        \
    }
#define PARENT(kind)                                                                               \
    {                                                                                              \
        RV_FEATURE_PARENT_KIND, RV_KIND_##kind, RV_KIND_##kind                                     \
    }

static const struct conjunction conjunctions[] = {
    /* Below a network server */
    { 8, { KIND(SHELL), AT_LEAST(ANC_SERVER, 1) } },
    { 24, { KIND(RECON), AT_LEAST(ANC_SERVER, 1) } },
    { 20, { KIND(TRANSFER), AT_LEAST(ANC_SERVER, 1) } },
    { 2, { KIND(LANGUAGE), AT_LEAST(ANC_SERVER, 1) } },
    { 4, { KIND(FILES), AT_LEAST(ANC_SERVER, 1) } },
    { 8, { KIND(BUILD), AT_LEAST(ANC_SERVER, 1) } },
    { 12, { KIND(ADMIN), AT_LEAST(ANC_SERVER, 1) } },
    { 16, { KIND(DEBUG), AT_LEAST(ANC_SERVER, 1) } },
    { 12, { AT_LEAST(EXE_PATH_CLASS, RV_PATH_SCRATCH), AT_LEAST(ANC_SERVER, 1) } },
    { 12, { AT_LEAST(WATCHED_READS, 1), AT_LEAST(ANC_SERVER, 1) } },
    { 12, { AT_LEAST(PARENT_RARITY, BITS(6)), AT_LEAST(ANC_SERVER, 1) } },
    { 16, { AT_LEAST(GRANDPARENT_RARITY, BITS(6)), AT_LEAST(ANC_SERVER, 1) } },
    /* Who talks to the network */
    { 40, { KIND(SHELL), AT_LEAST(CONNECTS, 1) } },
    { 40, { KIND(SHELL), AT_LEAST(BINDS, 1) } },
    { 8, { KIND(SHELL), AT_LEAST(PARENT_CONNECTS, 1) } },
    { 32, { KIND(SHELL), AT_LEAST(PARENT_CONNECTS, 1), BETWEEN(ARGV_LEN, 1, 12) } },
    { 16, { AT_LEAST(EXE_PATH_CLASS, RV_PATH_SCRATCH), AT_LEAST(CONNECTS, 1) } },
    { 8, { AT_LEAST(EXE_PATH_CLASS, RV_PATH_SCRATCH), AT_LEAST(BINDS, 1) } },
    { 16, { AT_LEAST(EXE_FILELESS, 1), AT_LEAST(CONNECTS, 1) } },
    { 8, { AT_LEAST(EXE_HIDDEN, 1), AT_LEAST(EXE_PATH_CLASS, RV_PATH_SCRATCH) } },
    { 6, { BETWEEN(BEACON, 0, 2), AT_LEAST(CONNECTS, 8) } },
    { 8, { AT_LEAST(ARGV_B64_RUN, 40), AT_LEAST(ARGV_META, 2) } },
    { 6, { AT_LEAST(ARGV_NET, 1), AT_LEAST(ARGV_META, 3) } },
    /* A program that nobody knows yet, from where programs do not come from */
    { 4, { BETWEEN(EXE_RUNS, 0, 15), BETWEEN(EXE_PATH_CLASS, RV_PATH_HOME, RV_PATH_ELSEWHERE) } },
    { 8, { BETWEEN(EXE_RUNS, 0, 15), AT_LEAST(EXE_PATH_CLASS, RV_PATH_SCRATCH) } },
    { 6, { BETWEEN(EXE_FILE_AGE, 0, 7), AT_LEAST(EXE_PATH_CLASS, RV_PATH_SCRATCH) } },
    /* Files rewritten and renamed, many of them */
    { 16, { AT_LEAST(FOREIGN_WRITES, 16), AT_LEAST(EXT_CHANGES, 16) } },
    { 12, { AT_LEAST(REPLACED, 8), AT_LEAST(STRANGE_EXT, 8) } },
    { 12, { AT_LEAST(EXT_CHANGES, 8), AT_LEAST(STRANGE_EXT, 8) } },
    { 12, { AT_LEAST(RANDOM_WRITES, 4), AT_LEAST(FOREIGN_WRITES, 16) } },
    { -4, { KIND(ARCHIVE), AT_LEAST(REPLACED, 8) } },
    { -4, { KIND(ARCHIVE), AT_LEAST(EXT_CHANGES, 8) } },
    /* What explains itself */
    { -10, { KIND(DEBUG), AT_LEAST(PTRACES, 1) } },
    { -4, { KIND(LOGIN), AT_LEAST(WATCHED_READS, 1) } },
    { -4, { KIND(LOGIN), AT_LEAST(CAPS_GAINED, 1) } },
    { -1, { KIND(LOGIN), AT_LEAST(SIGNALS, 1) } },
    { -1, { KIND(SERVICE), AT_LEAST(SIGNALS, 1) } },
    { -2, { KIND(SERVICE), AT_LEAST(MOUNTS, 1) } },
    { -2, { KIND(SERVICE), AT_LEAST(NAMESPACES, 1) } },
    { -2, { KIND(ADMIN), AT_LEAST(MOUNTS, 1) } },
    { -3, { KIND(LANGUAGE), AT_LEAST(MEMORY_EXECS, 1) } },
    { -4, { KIND(DESKTOP), AT_LEAST(MEMORY_EXECS, 1) } },
    { -8, { KIND(MONITOR), AT_LEAST(LOG_WIPES, 1) } },
    { -4, { KIND(SERVICE), AT_LEAST(LOG_WIPES, 1) } },
    { -12, { KIND(PACKAGE), AT_LEAST(PERSIST_WRITES, 1) } },
    { -6, { KIND(ADMIN), AT_LEAST(PERSIST_WRITES, 1) } },
    { -8, { KIND(SERVICE), AT_LEAST(PERSIST_WRITES, 1) } },
    { -6, { KIND(PACKAGE), AT_LEAST(LOG_WIPES, 1) } },
    { -4, { KIND(PACKAGE), AT_LEAST(EXT_CHANGES, 8) } },
    { -8, { PARENT(PACKAGE), KIND(SHELL), AT_LEAST(PARENT_CONNECTS, 1) } },
    { -8, { PARENT(BUILD), KIND(SHELL), AT_LEAST(PARENT_CONNECTS, 1) } },
    { -10, { AT_LEAST(ANC_PACKAGE, 1), AT_LEAST(PERSIST_WRITES, 1) } },
    { -8, { AT_LEAST(ANC_PACKAGE, 1), AT_LEAST(EXE_PATH_CLASS, RV_PATH_SCRATCH) } },
    { -8, { PARENT(BUILD), AT_LEAST(EXE_PATH_CLASS, RV_PATH_SCRATCH) } },
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

static size_t condition_count(const struct conjunction *conjunction)
{
    size_t count = 0;

    while (count < CONDITIONS_MAX && conjunction->conditions[count].max != 0)
        count++;
    return count;
}

static int64_t conjunction_points(const struct conjunction *conjunction, const int32_t *value)
{
    for (size_t i = 0; i < condition_count(conjunction); i++) {
        const struct condition *condition = &conjunction->conditions[i];

        if (value[condition->feature] < condition->min ||
            value[condition->feature] > condition->max)
            return 0;
    }
    return conjunction->quarters * QUARTER_Q16;
}

static int64_t score(const struct rv_model *model, const struct rv_vector *vector)
{
    int64_t raw = 0;

    (void)model;
    for (size_t i = 0; i < RV_COUNT(rows); i++)
        raw += row_points(&rows[i], vector->value[rows[i].feature]);
    for (size_t i = 0; i < RV_COUNT(conjunctions); i++)
        raw += conjunction_points(&conjunctions[i], vector->value);
    return raw;
}

/* Equal shares are the Shapley values; what does not divide goes to the first. */
static void share_out(const struct conjunction *conjunction, int64_t points, int64_t *share)
{
    int64_t count = (int64_t)condition_count(conjunction);

    for (int64_t i = 0; i < count; i++)
        share[conjunction->conditions[i].feature] += points / count;
    share[conjunction->conditions[0].feature] += points % count;
}

static void explain(const struct rv_model *model, const struct rv_vector *vector,
                    struct rv_verdict *verdict)
{
    int64_t *share = verdict->attribution_q16;

    memset(share, 0, sizeof(verdict->attribution_q16));
    for (size_t i = 0; i < RV_COUNT(rows); i++)
        share[rows[i].feature] += row_points(&rows[i], vector->value[rows[i].feature]);
    for (size_t i = 0; i < RV_COUNT(conjunctions); i++)
        share_out(&conjunctions[i], conjunction_points(&conjunctions[i], vector->value), share);
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
    for (size_t i = 0; i < RV_COUNT(conjunctions); i++) {
        rv_buf_addf(&text, "conjunction %d", conjunctions[i].quarters);
        for (size_t j = 0; j < condition_count(&conjunctions[i]); j++) {
            const struct condition *condition = &conjunctions[i].conditions[j];

            rv_buf_addf(&text, " %d:%d..%d", (int)condition->feature, condition->min,
                        condition->max);
        }
        rv_buf_add_char(&text, '\n');
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
    return 10 * 4 * QUARTER_Q16;
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

static void conjunction_reach(const struct conjunction *conjunction, const int32_t *value,
                              const enum rv_reach_right *rights, int64_t *min, int64_t *max)
{
    int64_t points = conjunction->quarters * QUARTER_Q16;
    bool always = true, ever = true;

    for (size_t i = 0; i < condition_count(conjunction); i++) {
        const struct condition *condition = &conjunction->conditions[i];
        enum rv_feature feature = condition->feature;
        struct box box = box_of(feature, value[feature], rights[feature]);

        always &= box.low >= condition->min && box.high <= condition->max;
        ever &= box.low <= condition->max && box.high >= condition->min;
    }
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
    for (size_t i = 0; i < RV_COUNT(conjunctions); i++)
        conjunction_reach(&conjunctions[i], value, rights, &min, &max);
    *ret_min_q16 = min;
    *ret_max_q16 = max;
}
