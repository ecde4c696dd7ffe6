/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Training a sequence model. Every score that calibrates or feeds a second stage comes from a model
 * that did not see the trace: traces are dealt into folds, and each fold is judged by what was
 * learnt from the others. Copies of the attacks with benign calls appended are made from normal
 * traces of the same fold, and such copies of normal traces beside them keep length and seams from
 * counting as an attack.
 */
#include "model_private.h"

#include "base/hash.h"
#include "models/trainer.h"
#include "series/ridge.h"

#include <math.h>

#define FOLDS               5U
#define BLOCKS_PER_FOLD     8U /* of traces that lie together: neighbours in time are alike */
#define NORMALS_MIN         20U
#define STRETCHES_PER_SCALE 6U /* of a trace, for training */
#define PADDED_WEIGHT       0.3F
#define USUAL_PENALTY       1.0
#define DEVIATION_MIN       0.01

enum kind { NORMAL, ATTACK, ATTACK_APPENDED, NORMAL_APPENDED };

/** One trace to learn from or to judge; padded ones own their calls. */
struct trace {
    const uint16_t *calls;
    uint16_t *own;
    size_t count;
    enum kind kind;
    unsigned fold;
    struct rv_trace_view view;
    double margins[RV_HEAD_COUNT_];
};

struct training {
    const struct rv_task_options *options;
    struct rv_sequence_model *model;
    struct trace *traces;
    size_t count, room;
    size_t normals; /* traces[0..normals-1] are the plain normal ones */
    uint64_t random;
};

/** Rows of stretches or traces, as the trainer wants them. */
struct rows {
    int32_t *values;
    float *targets, *weights;
    size_t count, room;
    uint32_t width;
};

static void rows_done(struct rows *rows)
{
    free(rows->values);
    free(rows->targets);
    free(rows->weights);
    *rows = (struct rows){ 0 };
}

static int rows_add(struct rows *rows, const int32_t *row, float target, float weight)
{
    if (rows->count == rows->room) {
        size_t room = rows->room ? rows->room * 2 : 4096;
        int32_t *values = reallocarray(rows->values, room * rows->width, sizeof(*values));
        float *targets, *weights;

        if (!values)
            return -ENOMEM;
        rows->values = values;
        targets = reallocarray(rows->targets, room, sizeof(*targets));
        if (!targets)
            return -ENOMEM;
        rows->targets = targets;
        weights = reallocarray(rows->weights, room, sizeof(*weights));
        if (!weights)
            return -ENOMEM;
        rows->weights = weights;
        rows->room = room;
    }
    memcpy(rows->values + rows->count * rows->width, row, rows->width * sizeof(*row));
    rows->targets[rows->count] = target;
    rows->weights[rows->count] = weight;
    rows->count++;
    return 0;
}

static void training_done(struct training *training)
{
    for (size_t i = 0; i < training->count; i++)
        free(training->traces[i].own);
    free(training->traces);
}

static uint64_t draw(struct training *training)
{
    training->random += 0x9e3779b97f4a7c15ULL;
    return rv_mix64(training->random);
}

static bool is_attack(enum kind kind)
{
    return kind == ATTACK || kind == ATTACK_APPENDED;
}

/* ---- Which traces ---- */

static struct trace *trace_new(struct training *training)
{
    struct trace *traces;
    size_t room = training->room ? training->room * 2 : 1024;

    if (training->count == training->room) {
        traces = reallocarray(training->traces, room, sizeof(*traces));
        if (!traces)
            return NULL;
        training->traces = traces;
        training->room = room;
    }
    training->traces[training->count] = (struct trace){ 0 };
    return &training->traces[training->count++];
}

static int take_plain(struct training *training, const struct rv_sequences *set, enum kind kind)
{
    for (size_t i = 0; i < set->count; i++) {
        struct trace *trace;

        if (set->items[i].count == 0)
            continue;
        trace = trace_new(training);
        if (!trace)
            return -ENOMEM;
        trace->calls = set->items[i].calls;
        trace->count = set->items[i].count;
        trace->kind = kind;
        trace->fold = (unsigned)(i * FOLDS * BLOCKS_PER_FOLD / set->count % FOLDS);
    }
    return 0;
}

/** Fill `into` with benign calls: whole normal traces of a fold, drawn at random, end to end. */
static void draw_benign(struct training *training, unsigned fold, uint16_t *into, size_t wanted)
{
    while (wanted > 0) {
        const struct trace *benign = &training->traces[draw(training) % training->normals];
        size_t part = benign->count < wanted ? benign->count : wanted;

        if (benign->fold != fold)
            continue;
        memcpy(into, benign->calls, part * sizeof(*into));
        into += part;
        wanted -= part;
    }
}

/** A copy of a trace followed by `times` as many benign calls. */
static int add_appended(struct training *training, size_t of, size_t times, enum kind kind)
{
    struct trace *trace = trace_new(training);
    const struct trace *plain;
    size_t count;

    if (!trace)
        return -ENOMEM;
    plain = &training->traces[of];
    count = plain->count * (1 + times);
    trace->own = malloc(count * sizeof(*trace->own));
    if (!trace->own)
        return -ENOMEM;
    trace->calls = trace->own;
    trace->count = count;
    trace->kind = kind;
    trace->fold = plain->fold;
    memcpy(trace->own, plain->calls, plain->count * sizeof(*trace->own));
    draw_benign(training, plain->fold, trace->own + plain->count, plain->count * times);
    return 0;
}

static int add_padded(struct training *training)
{
    size_t plain = training->count;
    int r = 0;

    for (size_t i = 0; i < plain && r == 0; i++) {
        enum kind kind = training->traces[i].kind;

        if (kind == ATTACK) {
            r = add_appended(training, i, 1, ATTACK_APPENDED);
            if (r == 0)
                r = add_appended(training, i, 4, ATTACK_APPENDED);
        } else if (draw(training) % 3 == 0) {
            r = add_appended(training, i, draw(training) % 2 ? 1 : 4, NORMAL_APPENDED);
        }
    }
    return r;
}

/* ---- Folds ---- */

#define ALL_FOLDS FOLDS /* leave none out */

/** The language model of the normal traces of all folds but one. */
static int learn_language(const struct training *training, unsigned left_out, struct rv_lm *lm)
{
    int r = rv_lm_init(lm);

    for (size_t i = 0; i < training->normals && r == 0; i++) {
        if (training->traces[i].fold != left_out)
            r = rv_lm_add(lm, training->traces[i].calls, training->traces[i].count);
    }
    return r;
}

/** The plain traces of all folds but one. @return malloc'd; NULL without memory. */
static struct rv_known_trace *plain_traces(const struct training *training, unsigned left_out,
                                           size_t *ret_count)
{
    struct rv_known_trace *known = calloc(training->count, sizeof(*known));
    size_t count = 0;

    for (size_t i = 0; known && i < training->count; i++) {
        const struct trace *trace = &training->traces[i];

        if (trace->kind <= ATTACK && trace->fold != left_out)
            known[count++] = (struct rv_known_trace){
                trace->calls,
                trace->count,
                trace->kind == ATTACK,
            };
    }
    *ret_count = count;
    return known;
}

static int learn_neighbours(const struct training *training, unsigned left_out,
                            struct rv_neighbours *neighbours)
{
    size_t count = 0;
    RV_AUTO(rv_freep) struct rv_known_trace *known = plain_traces(training, left_out, &count);

    return known ? rv_neighbours_make(neighbours, known, count) : -ENOMEM;
}

static int choose_vocabulary(struct training *training)
{
    size_t count = 0;
    RV_AUTO(rv_freep) struct rv_known_trace *known = plain_traces(training, ALL_FOLDS, &count);

    return known ? rv_vocabulary_choose(&training->model->vocabulary, known, count) : -ENOMEM;
}

/** Add stretches of a trace to the rows, at most STRETCHES_PER_SCALE of each scale. */
static int add_stretches(struct rows *rows, const struct rv_heard *profile, bool attack)
{
    struct rv_segment_walk walk = { .count = profile->count };
    size_t of_scale[RV_SEGMENT_SCALES + 1] = { 0 }, nth[RV_SEGMENT_SCALES + 1] = { 0 };
    int32_t row[RV_SEGMENT_WIDTH];

    while (rv_segment_walk(&walk))
        of_scale[walk.scale]++;
    walk = (struct rv_segment_walk){ .count = profile->count };
    while (rv_segment_walk(&walk)) {
        size_t all = of_scale[walk.scale], at = nth[walk.scale]++;
        size_t kept = all < STRETCHES_PER_SCALE ? all : STRETCHES_PER_SCALE;
        int r;

        /* evenly: the one that first reaches each of `kept` steps */
        if (at * kept / all == (at + 1) * kept / all)
            continue;
        rv_segment_row(profile, walk.at, walk.len, row);
        r = rows_add(rows, row, attack ? 1 : 0, 1.0F / (float)kept);
        if (r < 0)
            return r;
    }
    return 0;
}

static int profile_trace(const struct training *training, const struct rv_lm *lm,
                         struct rv_heard *profile, const struct trace *trace)
{
    return rv_heard_make(profile, lm, &training->model->vocabulary, trace->calls, trace->count);
}

/** Stretches of the plain traces of one fold, seen by what the others taught. */
static int fold_stretches(struct training *training, unsigned fold, struct rows *rows)
{
    RV_AUTO(rv_heard_done) struct rv_heard profile = { 0 };
    struct rv_lm lm = { 0 };
    int r = learn_language(training, fold, &lm);

    for (size_t i = 0; i < training->count && r == 0; i++) {
        struct trace *trace = &training->traces[i];

        if (trace->fold != fold || trace->kind > ATTACK)
            continue;
        r = profile_trace(training, &lm, &profile, trace);
        if (r == 0)
            r = add_stretches(rows, &profile, is_attack(trace->kind));
    }
    rv_lm_done(&lm);
    return r;
}

static struct rv_train_options stretch_options(uint64_t seed)
{
    struct rv_train_options options = rv_train_defaults();

    options.trees = 150;
    options.depth = 5;
    options.bins = 64;
    options.eta = 0.15;
    options.colsample = 0.3;
    options.seed = seed;
    return options;
}

static struct rv_train_options trace_options(uint64_t seed)
{
    struct rv_train_options options = rv_train_defaults();

    options.trees = 100;
    options.depth = 3;
    options.bins = 256;
    options.eta = 0.1;
    options.colsample = 0.5;
    options.seed = seed;
    return options;
}

static int train_rows(const struct rows *rows, const struct rv_train_options *options,
                      struct rv_forest **ret_forest)
{
    const struct rv_rows view = {
        .width = rows->width,
        .count = rows->count,
        .values = rows->values,
        .targets = rows->targets,
        .weights = rows->weights,
    };

    return rv_train_forest(&view, options, ret_forest, NULL);
}

/** The stretch head from the rows of all folds but one. */
static int train_stretches(const struct training *training, const struct rows folds[FOLDS],
                           unsigned left_out, struct rv_forest **ret_forest)
{
    struct rv_train_options options = stretch_options(training->options->seed);
    RV_AUTO(rows_done) struct rows all = { .width = RV_SEGMENT_WIDTH };

    for (unsigned fold = 0; fold < FOLDS; fold++) {
        for (size_t i = 0; fold != left_out && i < folds[fold].count; i++) {
            int r = rows_add(&all, folds[fold].values + i * all.width, folds[fold].targets[i],
                             folds[fold].weights[i]);

            if (r < 0)
                return r;
        }
    }
    return train_rows(&all, &options, ret_forest);
}

/** Every trace of a fold as the judges see it, by what was learnt from the other folds. */
static int fold_views(struct training *training, unsigned fold, const struct rv_forest *stretch)
{
    RV_AUTO(rv_heard_done) struct rv_heard profile = { 0 };
    RV_AUTO(rv_neighbours_done) struct rv_neighbours neighbours = { 0 };
    struct rv_lm lm = { 0 };
    int r = learn_language(training, fold, &lm);

    if (r == 0 && stretch)
        r = learn_neighbours(training, fold, &neighbours);
    for (size_t i = 0; i < training->count && r == 0; i++) {
        struct trace *trace = &training->traces[i];

        if (trace->fold != fold)
            continue;
        r = profile_trace(training, &lm, &profile, trace);
        if (r == 0)
            r = rv_sequence_view(stretch, &neighbours, &profile, &trace->view);
    }
    rv_lm_done(&lm);
    return r;
}

/** The trees over whole traces, from the plain traces of all folds but one. */
static int train_whole(const struct training *training, unsigned left_out,
                       struct rv_forest **ret_forest)
{
    struct rv_train_options options = stretch_options(training->options->seed);
    RV_AUTO(rows_done) struct rows rows = { .width = RV_WHOLE_WIDTH };

    for (size_t i = 0; i < training->count; i++) {
        const struct trace *trace = &training->traces[i];
        int r;

        if (trace->fold == left_out || trace->kind > ATTACK)
            continue;
        r = rows_add(&rows, trace->view.whole, is_attack(trace->kind) ? 1 : 0, 1);
        if (r < 0)
            return r;
    }
    return train_rows(&rows, &options, ret_forest);
}

/** The head that also saw appended copies, from all folds but one. */
static int train_padded(const struct training *training, unsigned left_out,
                        struct rv_forest **ret_forest)
{
    struct rv_train_options options = trace_options(training->options->seed);
    RV_AUTO(rows_done) struct rows rows = { .width = RV_TRACE_WIDTH };

    for (size_t i = 0; i < training->count; i++) {
        const struct trace *trace = &training->traces[i];
        int r;

        if (trace->fold == left_out)
            continue;
        r = rows_add(&rows, trace->view.row, is_attack(trace->kind) ? 1 : 0,
                     trace->kind > ATTACK ? PADDED_WEIGHT : 1);
        if (r < 0)
            return r;
    }
    return train_rows(&rows, &options, ret_forest);
}

/* ---- What is usual ---- */

/** What normal traces of each length and variety are like, by traces unseen when they were judged.
 */
static int learn_usual(struct training *training)
{
    RV_AUTO(rv_ridge_done) struct rv_ridge ridge = { 0 };
    struct rv_usual *usual = &training->model->usual;
    int r = rv_ridge_init(&ridge, RV_USUAL_TERMS, 3);

    for (size_t i = 0; i < training->normals; i++) {
        const struct rv_oddness *odd = &training->traces[i].view.odd;
        const int32_t measure[2] = { odd->length, odd->distinct };

        for (unsigned k = 0; k < 2; k++) {
            if (i == 0 || measure[k] < usual->least[k])
                usual->least[k] = measure[k];
            if (i == 0 || measure[k] > usual->most[k])
                usual->most[k] = measure[k];
        }
    }
    for (size_t i = 0; i < training->normals && r == 0; i++) {
        const struct rv_oddness *odd = &training->traces[i].view.odd;
        const double targets[3] = { odd->root, odd->upper, odd->surprise };
        double terms[RV_USUAL_TERMS];

        rv_usual_terms(usual, odd, terms);
        rv_ridge_add(&ridge, terms, targets, 1);
    }
    if (r == 0)
        r = rv_ridge_standardise(&ridge, usual->mean, usual->deviation);
    if (r == 0)
        r = rv_ridge_invert(&ridge, USUAL_PENALTY);
    for (unsigned k = 0; k < 2 && r == 0; k++) {
        usual->level[k] = ridge.sums[RV_USUAL_TERMS + k] / ridge.weight;
        r = rv_ridge_solve(&ridge, k, NULL, 0, usual->slope[k]);
    }
    if (r == 0)
        usual->surprise = ridge.sums[RV_USUAL_TERMS + 2] / ridge.weight;
    return r;
}

/* ---- Supervised ---- */

static void say(const struct training *training, const char *stage, size_t done, size_t all)
{
    rv_progress_report(&training->options->progress, stage, done, all);
}

static int learn_stretches(struct training *training, struct rows folds[FOLDS])
{
    int r = 0;

    for (unsigned fold = 0; fold < FOLDS && r == 0; fold++) {
        say(training, "language of normal traces", fold, FOLDS);
        r = fold_stretches(training, fold, &folds[fold]);
    }
    for (unsigned fold = 0; fold < FOLDS && r == 0; fold++) {
        struct rv_forest *forest = NULL;

        say(training, "stretches", fold, FOLDS + 1);
        r = train_stretches(training, folds, fold, &forest);
        if (r == 0)
            r = fold_views(training, fold, forest);
        rv_forest_free(&forest);
    }
    say(training, "stretches", FOLDS, FOLDS + 1);
    return r < 0 ? r : train_stretches(training, folds, ALL_FOLDS, &training->model->stretch);
}

/** Margins of the plain normal traces of a fold by judges that did not see them. */
static int cross_margins(struct training *training, unsigned fold)
{
    struct rv_sequence_model unseen = { .usual = training->model->usual };
    int r = train_whole(training, fold, &unseen.whole);

    if (r == 0)
        r = train_padded(training, fold, &unseen.padded);
    for (size_t i = 0; i < training->normals && r == 0; i++) {
        struct trace *trace = &training->traces[i];

        if (trace->fold == fold)
            rv_sequence_margins(&unseen, &trace->view, trace->margins);
    }
    rv_forest_free(&unseen.whole);
    rv_forest_free(&unseen.padded);
    return r;
}

static int learn_traces(struct training *training)
{
    struct rv_sequence_model *model = training->model;
    int r = learn_usual(training);

    for (unsigned fold = 0; fold < FOLDS && r == 0; fold++) {
        say(training, "whole traces", fold, FOLDS + 1);
        r = cross_margins(training, fold);
    }
    if (r == 0)
        r = train_whole(training, ALL_FOLDS, &model->whole);
    return r < 0 ? r : train_padded(training, ALL_FOLDS, &model->padded);
}

static int learn_supervised(struct training *training)
{
    struct rows folds[FOLDS] = { 0 };
    int r = add_padded(training);

    for (unsigned fold = 0; fold < FOLDS; fold++)
        folds[fold].width = RV_SEGMENT_WIDTH;
    if (r == 0)
        r = learn_stretches(training, folds);
    for (unsigned fold = 0; fold < FOLDS; fold++)
        rows_done(&folds[fold]);
    return r < 0 ? r : learn_traces(training);
}

static int learn_one_class(struct training *training)
{
    int r = 0;

    for (unsigned fold = 0; fold < FOLDS && r == 0; fold++) {
        say(training, "language of normal traces", fold, FOLDS);
        r = fold_views(training, fold, NULL);
    }
    if (r == 0)
        r = learn_usual(training);
    for (size_t i = 0; i < training->normals && r == 0; i++)
        rv_sequence_margins(training->model, &training->traces[i].view,
                            training->traces[i].margins);
    return r;
}

/* ---- Calibration ---- */

/** Mean and deviation of a head's margins. */
static void learn_spread(struct training *training, unsigned head)
{
    double sum = 0, squares = 0, n = (double)training->normals, mean, variance;

    for (size_t i = 0; i < training->normals; i++) {
        double margin = training->traces[i].margins[head];

        sum += margin;
        squares += margin * margin;
    }
    mean = sum / n;
    variance = squares / n - mean * mean;
    training->model->mean[head] = mean;
    training->model->deviation[head] =
        variance > DEVIATION_MIN * DEVIATION_MIN ? sqrt(variance) : DEVIATION_MIN;
}

/** Tails of the judges, then the calibration of their combination, all from unseen normals. */
static int calibrate(struct training *training)
{
    struct rv_sequence_model *model = training->model;
    const struct rv_panel *panel = rv_sequence_panel(model);
    RV_AUTO(rv_freep) double *scores = malloc(training->normals * sizeof(*scores));
    int r = 0;

    if (!scores)
        return -ENOMEM;
    for (unsigned head = 0; head < panel->heads && r == 0; head++) {
        learn_spread(training, head);
        for (size_t i = 0; i < training->normals; i++)
            scores[i] = training->traces[i].margins[head];
        if (panel->cost[head] > 0)
            r = rv_tail_make(&model->tails[head], scores, training->normals);
    }
    for (size_t i = 0; i < training->normals && r == 0; i++)
        scores[i] = rv_sequence_together(model, training->traces[i].margins);
    if (r == 0)
        r = rv_tail_make(&model->together, scores, training->normals);
    for (size_t i = 0; i < training->normals && r == 0; i++)
        scores[i] = rv_sequence_combine(model, training->traces[i].margins);
    return r < 0 ? r : rv_calibrate_scores(&model->calibration, scores, training->normals);
}

/* ---- All of it ---- */

static int learn(struct training *training, const struct rv_sequences *normal,
                 const struct rv_sequences *attack)
{
    int r = take_plain(training, normal, NORMAL);

    training->normals = training->count;
    if (training->normals < NORMALS_MIN)
        return -EINVAL;
    if (r == 0 && attack)
        r = take_plain(training, attack, ATTACK);
    if (r == 0)
        r = choose_vocabulary(training);
    if (r < 0)
        return r;
    r = training->count > training->normals ? learn_supervised(training)
                                            : learn_one_class(training);
    if (r < 0)
        return r;
    r = calibrate(training);
    if (r == 0 && rv_sequence_supervised(training->model))
        r = learn_neighbours(training, ALL_FOLDS, &training->model->neighbours);
    if (r < 0)
        return r;
    say(training, "language of normal traces", FOLDS, FOLDS);
    return learn_language(training, ALL_FOLDS, &training->model->lm);
}

int rv_sequence_train(struct rv_sequence_model **ret_model, const struct rv_sequences *normal,
                      const struct rv_sequences *attack, const struct rv_task_options *options)
{
    RV_AUTO(rv_sequence_model_free) struct rv_sequence_model *model = calloc(1, sizeof(*model));
    struct training training = {
        .options = options,
        .model = model,
        .random = options->seed,
    };
    int r;

    if (!model)
        return -ENOMEM;
    r = learn(&training, normal, attack);
    training_done(&training);
    if (r < 0)
        return r;
    *ret_model = RV_TAKE(model);
    return 0;
}
