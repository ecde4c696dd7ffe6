/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Training a text model. Lines of one skeleton are near copies, so folds are dealt by skeleton: the
 * scores that calibrate are those of lines whose like the model had not seen.
 * What counts in a line is its highest stretch, so that is what a normal line must be learnt by: in
 * rounds, the highest stretch of every normal line joins the examples.
 */
#include "model_private.h"

#include "base/hash.h"

#include <math.h>

#define FOLDS     5U
#define ALL_FOLDS FOLDS
#define LINES_MIN 20U
#define ROUNDS    4U
#define PASSES    30U    /* of each round, at most */
#define STEPS     30U    /* to solve for one alpha, at most */
#define SMALL     1e-6   /* a step that is not worth taking */
#define CLOSE     0.02   /* no alpha moved more: solved */
#define COST      300.0  /* of an example on the wrong side, against the penalty */
#define NEAR      (-4.0) /* a normal stretch that scores less needs no learning */

/** One stretch to learn from; its features lie in a common pool. */
struct example {
    size_t first, count;
    unsigned fold;
    bool attack;
    double squares, alpha; /* alpha: of the dual problem, 0 to COST */
};

struct training {
    const struct rv_task_options *options;
    const struct rv_lines *normal, *attack;
    unsigned *normal_fold;
    struct rv_text_feature *pool;
    size_t pool_count, pool_room;
    struct example *examples;
    size_t count, room;
    uint64_t random;
    struct rv_text_parts parts; /* work */
    struct rv_text_features features;
};

static void training_done(struct training *training)
{
    free(training->normal_fold);
    free(training->pool);
    free(training->examples);
    rv_text_parts_done(&training->parts);
    rv_text_features_done(&training->features);
}

static uint64_t draw(struct training *training)
{
    training->random += 0x9e3779b97f4a7c15ULL;
    return rv_mix64(training->random);
}

static int fold_of(const char *text, unsigned *ret_fold)
{
    RV_AUTO(rv_buf_done) struct rv_buf skeleton = { 0 };

    rv_text_skeleton(&skeleton, rv_span_str(text));
    if (skeleton.failed)
        return -ENOMEM;
    *ret_fold = (unsigned)(rv_hash64(rv_buf_span(&skeleton)) % FOLDS);
    return 0;
}

static int make_room(void *items, size_t *room, size_t wanted, size_t size)
{
    void *old, *grown;
    size_t larger = *room ? *room : 1024;

    if (wanted <= *room)
        return 0;
    while (larger < wanted)
        larger *= 2;
    memcpy(&old, items, sizeof(old));
    grown = reallocarray(old, larger, size);
    if (!grown)
        return -ENOMEM;
    memcpy(items, &grown, sizeof(grown));
    *room = larger;
    return 0;
}

static int by_bucket(const void *a, const void *b)
{
    const struct rv_text_feature *left = a, *right = b;

    return left->bucket < right->bucket ? -1 : left->bucket > right->bucket;
}

/** Each bucket once. @return the sum of squares. */
static double merge(struct rv_text_features *features)
{
    double squares = 0;
    size_t kept = 0;

    qsort(features->items, features->count, sizeof(*features->items), by_bucket);
    for (size_t i = 0; i < features->count; i++) {
        if (kept > 0 && features->items[kept - 1].bucket == features->items[i].bucket)
            features->items[kept - 1].value += features->items[i].value;
        else
            features->items[kept++] = features->items[i];
    }
    for (size_t i = 0; i < kept; i++)
        squares += (double)features->items[i].value * (double)features->items[i].value;
    features->count = kept;
    return squares;
}

static int add_example(struct training *training, struct rv_span text, const struct example *like)
{
    struct rv_text_features *features = &training->features;
    struct example *example;
    int r = rv_text_features(features, &training->parts, text);

    if (r == 0)
        r = make_room(&training->pool, &training->pool_room, training->pool_count + features->count,
                      sizeof(*training->pool));
    if (r == 0)
        r = make_room(&training->examples, &training->room, training->count + 1,
                      sizeof(*training->examples));
    if (r < 0 || features->count == 0)
        return r;
    example = &training->examples[training->count++];
    *example = *like;
    example->squares = merge(features) + 1; /* and the bias */
    example->first = training->pool_count;
    example->count = features->count;
    memcpy(training->pool + training->pool_count, features->items,
           features->count * sizeof(*features->items));
    training->pool_count += features->count;
    return 0;
}

static int add_lines(struct training *training, const struct rv_lines *lines, bool attack)
{
    int r = 0;

    for (size_t i = 0; i < lines->count && r == 0; i++) {
        struct example like = { .attack = attack };

        r = fold_of(lines->items[i].text, &like.fold);
        if (r == 0 && !attack)
            training->normal_fold[i] = like.fold;
        if (r == 0)
            r = add_example(training, rv_span_str(lines->items[i].text), &like);
    }
    return r;
}

/*
 * ---- Logistic regression with an L2 penalty, by coordinate descent in the dual (Yu, Huang and Lin
 * 2011): w is the sum of alpha y x, 0 < alpha < COST, and each step solves for one alpha. Examples
 * that join later start at 0, so a round begins where the last one ended. ----
 */

/** The alpha at which margin + squares (alpha - old) + logit(alpha / COST) is 0. */
static double solve_alpha(double margin, double squares, double old)
{
    double low = -margin - squares * (COST - old),
           high = -margin + squares * old; /* of the logit */
    double logit = old > 0 ? log(old / (COST - old)) : high;

    for (unsigned i = 0; i < STEPS; i++) {
        double share = 1 / (1 + exp(-logit));
        double far = margin + squares * (COST * share - old) + logit;

        if (fabs(far) < 1e-6)
            break;
        if (far > 0)
            high = logit;
        else
            low = logit;
        logit -= far / (1 + squares * COST * share * (1 - share));
        if (!(logit > low && logit < high))
            logit = (low + high) / 2;
    }
    return COST / (1 + exp(-logit));
}

/** @return how far the example's alpha moved. */
static double learn_example(const struct training *training, struct example *example,
                            struct rv_text_model *model)
{
    const struct rv_text_feature *items = training->pool + example->first;
    double sign = example->attack ? 1 : -1, margin = model->bias, old = example->alpha, step;

    for (size_t i = 0; i < example->count; i++)
        margin += (double)model->weights[items[i].bucket] * (double)items[i].value;
    example->alpha = solve_alpha(sign * margin, example->squares, old);
    step = sign * (example->alpha - old);
    if (fabs(step) < SMALL) {
        example->alpha = old;
        return 0;
    }
    for (size_t i = 0; i < example->count; i++)
        model->weights[items[i].bucket] += (float)(step * (double)items[i].value);
    model->bias += step;
    return fabs(step);
}

static void shuffle(struct training *training, size_t *order, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t other = draw(training) % i, kept = order[i - 1];

        order[i - 1] = order[other];
        order[other] = kept;
    }
}

static int learn_round(struct training *training, unsigned left_out, struct rv_text_model *model)
{
    RV_AUTO(rv_freep) size_t *order = malloc((training->count + 1) * sizeof(*order));
    size_t count = 0;

    if (!order)
        return -ENOMEM;
    for (size_t i = 0; i < training->count; i++) {
        if (training->examples[i].fold != left_out)
            order[count++] = i;
    }
    for (unsigned pass = 0; pass < PASSES; pass++) {
        double farthest = 0;

        shuffle(training, order, count);
        for (size_t i = 0; i < count; i++) {
            double far = learn_example(training, &training->examples[order[i]], model);

            farthest = far > farthest ? far : farthest;
        }
        if (farthest < CLOSE)
            break;
    }
    return 0;
}

/** The highest stretch of each normal line, if it is high; `known` is where the last one ended. */
static int add_stretches(struct training *training, unsigned left_out,
                         const struct rv_text_model *model, struct rv_text_stretch *known)
{
    int r = 0;

    for (size_t i = 0; i < training->normal->count && r == 0; i++) {
        struct rv_span line = rv_span_str(training->normal->items[i].text);
        struct example like = { .fold = training->normal_fold[i] };
        struct rv_text_stretch best;
        double score;

        if (like.fold == left_out)
            continue;
        r = rv_text_cut(&training->parts, line);
        if (r < 0)
            return r;
        score = rv_text_highest(&training->parts, model->weights, model->bias, &best);
        if (score < NEAR || best.len == line.len ||
            (best.at == known[i].at && best.len == known[i].len))
            continue;
        known[i] = best;
        r = add_example(training, rv_span(line.data + best.at, best.len), &like);
    }
    return r;
}

static int learn_weights(struct training *training, unsigned left_out, struct rv_text_model *model)
{
    RV_AUTO(rv_freep) struct rv_text_stretch *known = NULL;
    size_t lines = training->count, pool = training->pool_count;
    int r = 0;

    known = calloc(training->normal->count + 1, sizeof(*known));
    free(model->weights);
    model->bias = 0;
    model->weights = calloc(RV_TEXT_BUCKETS, sizeof(*model->weights));
    if (!known || !model->weights)
        return -ENOMEM;
    for (size_t i = 0; i < training->count; i++)
        training->examples[i].alpha = 0;
    for (unsigned round = 0; round < ROUNDS && r == 0; round++) {
        if (round > 0)
            r = add_stretches(training, left_out, model, known);
        if (r == 0)
            r = learn_round(training, left_out, model);
    }
    training->count = lines; /* the stretches belong to this part alone */
    training->pool_count = pool;
    return r;
}

/* ---- One-class: the language of normal lines ---- */

static int learn_language(struct training *training, unsigned left_out, struct rv_text_model *model)
{
    uint16_t bytes[512];
    int r;

    rv_lm_done(&model->lm);
    r = rv_lm_init(&model->lm);
    for (size_t i = 0; i < training->normal->count && r == 0; i++) {
        const char *text = training->normal->items[i].text;
        size_t len = strlen(text);

        if (training->normal_fold[i] == left_out)
            continue;
        len = len < RV_COUNT(bytes) ? len : RV_COUNT(bytes);
        for (size_t k = 0; k < len; k++)
            bytes[k] = (uint8_t)text[k];
        r = rv_lm_add(&model->lm, bytes, len);
    }
    return r;
}

static int learn_part(struct training *training, unsigned left_out, struct rv_text_model *model)
{
    return training->attack && training->attack->count > 0
               ? learn_weights(training, left_out, model)
               : learn_language(training, left_out, model);
}

/* ---- All of it ---- */

static int cross_score(struct training *training, unsigned fold, struct rv_text_model *model,
                       double *scores)
{
    int r = learn_part(training, fold, model);

    for (size_t i = 0; i < training->normal->count && r == 0; i++) {
        struct rv_span line = rv_span_str(training->normal->items[i].text);
        struct rv_text_stretch best;

        if (training->normal_fold[i] == fold)
            r = rv_text_raw(model, &training->parts, line, &scores[i], &best);
    }
    return r;
}

static int learn(struct training *training, struct rv_text_model *model)
{
    RV_AUTO(rv_freep) double *scores = NULL;
    const struct rv_progress *progress = &training->options->progress;
    int r;

    training->normal_fold = calloc(training->normal->count, sizeof(*training->normal_fold));
    scores = malloc(training->normal->count * sizeof(*scores));
    if (!training->normal_fold || !scores)
        return -ENOMEM;
    r = add_lines(training, training->normal, false);
    if (r == 0 && training->attack)
        r = add_lines(training, training->attack, true);
    for (unsigned fold = 0; fold < FOLDS && r == 0; fold++) {
        rv_progress_report(progress, "command lines", fold, FOLDS + 1);
        r = cross_score(training, fold, model, scores);
    }
    rv_progress_report(progress, "command lines", FOLDS, FOLDS + 1);
    if (r == 0)
        r = learn_part(training, ALL_FOLDS, model);
    rv_progress_report(progress, "command lines", 1, 1);
    return r < 0 ? r : rv_calibrate_scores(&model->calibration, scores, training->normal->count);
}

int rv_text_train(struct rv_text_model **ret_model, const struct rv_lines *normal,
                  const struct rv_lines *attack, const struct rv_task_options *options)
{
    RV_AUTO(rv_text_model_free) struct rv_text_model *model = calloc(1, sizeof(*model));
    struct training training = {
        .options = options,
        .normal = normal,
        .attack = attack,
        .random = options->seed,
    };
    int r;

    if (normal->count < LINES_MIN)
        return -EINVAL;
    if (!model)
        return -ENOMEM;
    r = learn(&training, model);
    training_done(&training);
    if (r < 0)
        return r;
    *ret_model = RV_TAKE(model);
    return 0;
}
