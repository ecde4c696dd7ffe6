/* SPDX-License-Identifier: Apache-2.0 */
#include "behaviour_fit.h"

#include "features/table.h"
#include "models/isolation.h"
#include "models/robust.h"
#include "models/trainer.h"

#include <stdio.h>

#define NO_FOLD        UINT32_MAX       /* judgements: learnt from, never scored for calibration */
#define SET_ASIDE      (UINT32_MAX - 1) /* neither learnt from nor scored */
#define EVIDENCE_MIN   8U               /* vectors of an attack stream that are kept at least */
#define EVIDENCE_PART  3U               /* and one in so many */
#define MONOTONE_TREES 32U
#define MONOTONE_DEPTH 4U
#define LABELS_ASKED   5U  /* contradicted judgements that are named */
#define SHIFT_ONE_IN   200 /* both heads are as high as their one in so many normal scores */

void behaviour_heads_done(struct behaviour_heads *heads)
{
    rv_forest_free(&heads->window);
    rv_forest_free(&heads->monotone);
}

void behaviour_scores_done(struct behaviour_scores *scores)
{
    free(scores->window);
    free(scores->monotone);
    *scores = (struct behaviour_scores){ 0 };
}

/* ---- Folds ---- */

/** Streams of one side take turns; of few streams, stretches of time do. */
static int deal(const struct vectors *vectors, bool attack, uint32_t *folds)
{
    RV_AUTO(rv_freep) uint32_t *ordinal = malloc((vectors->sources + 1U) * sizeof(*ordinal));
    uint32_t streams = 0;
    size_t rows = 0, row = 0;

    if (!ordinal)
        return -ENOMEM;
    memset(ordinal, 0xff, (vectors->sources + 1U) * sizeof(*ordinal));
    for (size_t i = 0; i < vectors->count; i++) {
        if (vectors->attack[i] != attack)
            continue;
        rows++;
        if (ordinal[vectors->source[i]] == UINT32_MAX)
            ordinal[vectors->source[i]] = streams++;
    }
    for (size_t i = 0; i < vectors->count; i++) {
        if (vectors->attack[i] == attack)
            folds[i] = streams >= BEHAVIOUR_FOLDS ? ordinal[vectors->source[i]] % BEHAVIOUR_FOLDS
                                                  : (uint32_t)(row++ * BEHAVIOUR_FOLDS / rows);
    }
    return 0;
}

int behaviour_folds(const struct vectors *vectors, uint32_t *ret_folds)
{
    int r = deal(vectors, false, ret_folds);

    if (r == 0)
        r = deal(vectors, true, ret_folds);
    for (size_t i = 0; i < vectors->count; i++) {
        if (vectors->judged[i])
            ret_folds[i] = NO_FOLD;
    }
    return r;
}

/* ---- One model ---- */

/**
 * What recordings cannot show as it is on a host: they are short, of one hour, and nothing in them
 * was alarmed. A model that looked there would learn how the recordings were made.
 */
static bool of_the_recording(size_t feature)
{
    return feature == RV_FEATURE_EXE_AGE || feature == RV_FEATURE_HOUR_OF_WEEK ||
           feature == RV_FEATURE_ANC_RISK;
}

static bool is_learnt(size_t feature, const struct behaviour_options *options)
{
    if (options->kernel.wanted && rv_feature_info((uint32_t)feature)->kept != RV_KEPT_KERNEL)
        return false;
    return !of_the_recording(feature);
}

/** Rows of a training, packed. */
struct packed {
    struct rv_rows rows;
    int32_t *values;
    float *targets, *weights;
    uint32_t *source;
    bool any_attack, any_normal;
};

static void packed_done(struct packed *packed)
{
    free(packed->values);
    free(packed->targets);
    free(packed->weights);
    free(packed->source);
}

/** No source weighs more than its cap, on its side. */
static int weigh_side(struct packed *packed, bool attack, uint32_t cap_ppm)
{
    size_t count = packed->rows.count, side = 0;
    RV_AUTO(rv_freep) uint32_t *sources = calloc(count + 1, sizeof(*sources));
    RV_AUTO(rv_freep) uint32_t *weights = malloc((count + 1) * sizeof(*weights));
    int r;

    if (!sources || !weights)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        if ((packed->targets[i] > 0) == attack)
            sources[side++] = packed->source[i];
    }
    r = rv_robust_source_weights(sources, side, cap_ppm, weights);
    side = 0;
    for (size_t i = 0; i < count && r == 0; i++) {
        if ((packed->targets[i] > 0) == attack)
            packed->weights[i] = (float)weights[side++] / 65536.0F;
    }
    return r;
}

static int pack(const struct vectors *vectors, const uint32_t *folds, uint32_t left_out,
                const struct behaviour_options *options, struct packed *packed)
{
    size_t room = vectors->count + 1, count = 0;
    int r;

    packed->values = malloc(room * RV_FEATURE_COUNT * sizeof(*packed->values));
    packed->targets = malloc(room * sizeof(*packed->targets));
    packed->weights = malloc(room * sizeof(*packed->weights));
    packed->source = malloc(room * sizeof(*packed->source));
    if (!packed->values || !packed->targets || !packed->weights || !packed->source)
        return -ENOMEM;
    for (size_t i = 0; i < vectors->count; i++) {
        if (folds[i] == left_out || folds[i] == SET_ASIDE)
            continue;
        memcpy(packed->values + count * RV_FEATURE_COUNT, vectors_row(vectors, i),
               RV_FEATURE_COUNT * sizeof(*packed->values));
        for (size_t f = 0; f < RV_FEATURE_COUNT; f++) {
            if (!is_learnt(f, options))
                packed->values[count * RV_FEATURE_COUNT + f] = 0;
        }
        packed->source[count] = vectors->source[i];
        packed->targets[count++] = vectors->attack[i] ? 1 : 0;
        packed->any_attack |= vectors->attack[i];
        packed->any_normal |= !vectors->attack[i];
    }
    packed->rows = (struct rv_rows){ RV_FEATURE_COUNT, count, packed->values, packed->targets,
                                     packed->weights };
    r = weigh_side(packed, false, options->source_cap_ppm);
    return r < 0 ? r : weigh_side(packed, true, options->source_cap_ppm);
}

/** Over what an attacker can only raise; the score rises with each. Overwrites the other values. */
static int train_monotone(struct packed *packed, const struct behaviour_options *how,
                          struct rv_forest **ret_forest)
{
    struct rv_train_options options = rv_train_defaults();
    int8_t monotone[RV_FEATURE_COUNT];

    for (size_t f = 0; f < RV_FEATURE_COUNT; f++) {
        bool raise = rv_feature_info(f)->mutability == RV_MUTABLE_RAISE;

        monotone[f] = raise;
        for (size_t i = 0; i < packed->rows.count && !raise; i++)
            packed->values[i * RV_FEATURE_COUNT + f] = 0;
    }
    options.monotone = monotone;
    options.trees = how->kernel.wanted ? (uint32_t)how->kernel.trees : MONOTONE_TREES;
    options.depth = how->kernel.wanted ? (uint32_t)how->kernel.depth : MONOTONE_DEPTH;
    options.seed = how->seed;
    return rv_train_forest(&packed->rows, &options, ret_forest, NULL);
}

int behaviour_train(const struct vectors *vectors, const uint32_t *folds, uint32_t left_out,
                    const struct behaviour_options *options, struct behaviour_heads *ret_heads)
{
    RV_AUTO(packed_done) struct packed packed = { 0 };
    RV_AUTO(behaviour_heads_done) struct behaviour_heads heads = { 0 };
    struct rv_train_options boosted = rv_train_defaults();
    struct rv_isolation_options isolation = rv_isolation_defaults();
    int r = pack(vectors, folds, left_out, options, &packed);

    if (r < 0)
        return r;
    isolation.seed = boosted.seed = options->seed;
    if (options->kernel.wanted) {
        boosted.trees = (uint32_t)options->kernel.trees;
        boosted.depth = (uint32_t)options->kernel.depth;
    }
    if (!packed.any_attack)
        r = rv_isolation_train(packed.values, packed.rows.count, RV_FEATURE_COUNT, &isolation,
                               &heads.window);
    else
        r = rv_train_forest(&packed.rows, &boosted, &heads.window, NULL);
    if (r == 0 && packed.any_attack)
        r = train_monotone(&packed, options, &heads.monotone);
    if (r < 0)
        return r;
    *ret_heads = heads;
    heads = (struct behaviour_heads){ 0 };
    return 0;
}

/* ---- Out-of-sample scores ---- */

static void score_fold(const struct vectors *vectors, const uint32_t *folds, uint32_t fold,
                       const struct behaviour_heads *heads, struct behaviour_scores *scores)
{
    for (size_t i = 0; i < vectors->count; i++) {
        if (folds[i] != fold)
            continue;
        scores->window[i] = rv_forest_score(heads->window, vectors_row(vectors, i));
        scores->monotone[i] =
            heads->monotone ? rv_forest_score(heads->monotone, vectors_row(vectors, i)) : INT64_MIN;
    }
}

int behaviour_cross(const struct vectors *vectors, const uint32_t *folds,
                    const struct behaviour_options *options, const struct rv_progress *progress,
                    struct behaviour_scores *ret_scores)
{
    RV_AUTO(behaviour_scores_done)
    struct behaviour_scores scores = {
        .window = calloc(vectors->count + 1, sizeof(int64_t)),
        .monotone = calloc(vectors->count + 1, sizeof(int64_t)),
    };

    if (!scores.window || !scores.monotone)
        return -ENOMEM;
    for (uint32_t fold = 0; fold < BEHAVIOUR_FOLDS; fold++) {
        RV_AUTO(behaviour_heads_done) struct behaviour_heads heads = { 0 };
        int r;

        rv_progress_report(progress, "behaviour", fold, BEHAVIOUR_FOLDS + 1);
        r = behaviour_train(vectors, folds, fold, options, &heads);
        if (r < 0)
            return r;
        score_fold(vectors, folds, fold, &heads, &scores);
    }
    *ret_scores = scores;
    scores = (struct behaviour_scores){ 0 };
    return 0;
}

static int by_score(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return (*x < *y) - (*x > *y);
}

/** The score that one in SHIFT_ONE_IN normal rows reaches. */
static int64_t high_score(const struct vectors *vectors, const uint32_t *folds,
                          const int64_t *scores, int64_t *room)
{
    size_t count = 0;

    for (size_t i = 0; i < vectors->count; i++) {
        if (!vectors->attack[i] && folds[i] < BEHAVIOUR_FOLDS)
            room[count++] = scores[i];
    }
    if (count == 0)
        return 0;
    qsort(room, count, sizeof(*room), by_score);
    return room[count / SHIFT_ONE_IN];
}

int behaviour_shift(const struct vectors *vectors, const uint32_t *folds,
                    const struct behaviour_scores *scores, int64_t *ret_shift)
{
    RV_AUTO(rv_freep) int64_t *room = malloc((vectors->count + 1) * sizeof(*room));

    if (!room)
        return -ENOMEM;
    *ret_shift = high_score(vectors, folds, scores->window, room) -
                 high_score(vectors, folds, scores->monotone, room);
    return 0;
}

/* ---- Evidence ---- */

struct evidence {
    int64_t score;
    uint32_t source;
    size_t row;
};

/** By stream, the strangest first. */
static int by_evidence(const void *a, const void *b)
{
    const struct evidence *x = a, *y = b;

    if (x->source != y->source)
        return x->source < y->source ? -1 : 1;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

int behaviour_evidence(const struct vectors *vectors, const struct behaviour_scores *scores,
                       uint32_t *folds)
{
    RV_AUTO(rv_freep) struct evidence *rows = malloc((vectors->count + 1) * sizeof(*rows));
    RV_AUTO(rv_freep) size_t *of_source = calloc(vectors->sources + 1U, sizeof(*of_source));
    size_t count = 0;

    if (!rows || !of_source)
        return -ENOMEM;
    for (size_t i = 0; i < vectors->count; i++) {
        if (!vectors->attack[i] || folds[i] >= BEHAVIOUR_FOLDS)
            continue;
        rows[count++] = (struct evidence){ scores->window[i], vectors->source[i], i };
        of_source[vectors->source[i]]++;
    }
    qsort(rows, count, sizeof(*rows), by_evidence);
    for (size_t i = 0, rank = 0; i < count; i++, rank++) {
        uint32_t source = rows[i].source;

        if (i == 0 || source != rows[i - 1].source)
            rank = 0;
        if (rank >= EVIDENCE_MIN && rank >= of_source[source] / EVIDENCE_PART)
            folds[rows[i].row] = SET_ASIDE;
    }
    return 0;
}

/* ---- Judgements ---- */

static int add_judgements(struct vectors *vectors, const struct rv_labels *labels)
{
    uint32_t first = vectors->sources;

    for (size_t i = 0; i < labels->count; i++) {
        const struct rv_labelled *label = &labels->items[i];
        int r = vectors_add(vectors, &label->vector, label->class, first + label->source,
                            label->judgement == RV_JUDGED_BAD);

        if (r < 0)
            return r;
        vectors->judged[vectors->count - 1] = true;
    }
    vectors->sources += (uint32_t)labels->source_count;
    return 0;
}

static struct rv_holdout hold_out(const struct vectors *vectors, const uint32_t *folds,
                                  const struct rv_forest *forest)
{
    struct rv_holdout holdout = { 0 };

    for (size_t i = 0; i < vectors->count; i++) {
        bool alarm;

        if (folds[i] != 0)
            continue;
        alarm = rv_forest_score(forest, vectors_row(vectors, i)) > 0;
        holdout.attacks += vectors->attack[i];
        holdout.detected += vectors->attack[i] && alarm;
        holdout.normals += !vectors->attack[i];
        holdout.false_alarms += !vectors->attack[i] && alarm;
    }
    return holdout;
}

/** Say which judgements a model that knows none of them contradicts, the worst first. */
static int tell_contradicted(const struct rv_labels *labels, const struct rv_forest *forest)
{
    RV_AUTO(rv_freep) int64_t *margins = malloc((labels->count + 1) * sizeof(*margins));
    RV_AUTO(rv_freep) uint8_t *sides = malloc(labels->count + 1);
    RV_AUTO(rv_freep) uint32_t *order = malloc((labels->count + 1) * sizeof(*order));
    size_t wrong = 0;
    int r;

    if (!margins || !sides || !order)
        return -ENOMEM;
    for (size_t i = 0; i < labels->count; i++) {
        margins[i] = rv_forest_score(forest, labels->items[i].vector.value);
        sides[i] = labels->items[i].judgement == RV_JUDGED_BAD;
    }
    r = rv_robust_disagreements(margins, sides, labels->count, order, &wrong);
    if (r < 0)
        return r;
    fprintf(stderr, "%zu judgements; a model without them contradicts %zu%s\n", labels->count,
            wrong, wrong ? ", look at these again:" : "");
    for (size_t i = 0; i < wrong && i < LABELS_ASKED; i++) {
        const struct rv_labelled *label = &labels->items[order[i]];

        fprintf(stderr, "  entry %llu, judged %s by %s\n", (unsigned long long)label->entry,
                label->judgement == RV_JUDGED_BAD ? "malicious" : "benign",
                labels->sources[label->source]);
    }
    return 0;
}

int behaviour_admit(struct vectors *vectors, const struct rv_labels *labels,
                    const struct behaviour_options *options, bool *ret_accepted)
{
    RV_AUTO(rv_freep)
    uint32_t *folds = malloc((vectors->count + labels->count + 1) * sizeof(*folds));
    RV_AUTO(behaviour_heads_done) struct behaviour_heads without = { 0 };
    RV_AUTO(behaviour_heads_done) struct behaviour_heads with = { 0 };
    struct rv_holdout before, after;
    int r;

    if (!folds)
        return -ENOMEM;
    r = behaviour_folds(vectors, folds);
    if (r == 0)
        r = behaviour_train(vectors, folds, 0, options, &without);
    if (r == 0)
        r = tell_contradicted(labels, without.window);
    if (r < 0)
        return r;
    before = hold_out(vectors, folds, without.window);
    r = add_judgements(vectors, labels);
    if (r == 0)
        r = behaviour_folds(vectors, folds);
    if (r == 0)
        r = behaviour_train(vectors, folds, 0, options, &with);
    if (r < 0)
        return r;
    after = hold_out(vectors, folds, with.window);
    *ret_accepted = rv_robust_judge_batch(&before, &after) == RV_BATCH_ACCEPTED;
    fprintf(stderr,
            "on streams held out: %llu of %llu attack vectors found without them, %llu with them; "
            "%llu and %llu of %llu normal ones alarmed\n",
            (unsigned long long)before.detected, (unsigned long long)before.attacks,
            (unsigned long long)after.detected, (unsigned long long)before.false_alarms,
            (unsigned long long)after.false_alarms, (unsigned long long)before.normals);
    return 0;
}
