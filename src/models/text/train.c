/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Training a text model. Lines of one skeleton are near copies, so folds are dealt by skeleton: the
 * scores that calibrate are those of lines whose like the model had not seen.
 */
#include "model_private.h"

#include "base/hash.h"

#include <math.h>

#define FOLDS             5U
#define ALL_FOLDS         FOLDS
#define LINES_MIN         20U
#define EPOCHS            8U
#define RATE              0.5
#define ATTACK_WEIGHT     3.0
#define STRETCHES_LEARNT  4U /* of a normal line, besides the whole */

/** One stretch to learn from; its features lie in a common pool. */
struct example {
    size_t first, count;
    unsigned fold;
    float target, weight;
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
};

static void training_done(struct training *training)
{
    free(training->normal_fold);
    free(training->pool);
    free(training->examples);
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

static int add_example(struct training *training, struct rv_text_features *features,
                       struct rv_span text, const struct example *like)
{
    int r = rv_text_features(features, text);

    if (r == 0)
        r = make_room(&training->pool, &training->pool_room,
                      training->pool_count + features->count, sizeof(*training->pool));
    if (r == 0)
        r = make_room(&training->examples, &training->room, training->count + 1,
                      sizeof(*training->examples));
    if (r < 0)
        return r;
    if (features->count > 0)
        memcpy(training->pool + training->pool_count, features->items,
               features->count * sizeof(*features->items));
    training->examples[training->count] = *like;
    training->examples[training->count].first = training->pool_count;
    training->examples[training->count].count = features->count;
    training->pool_count += features->count;
    training->count++;
    return 0;
}

/** The whole line, and of a normal one a few stretches too: those must not look like attacks. */
static int add_line(struct training *training, struct rv_text_features *features,
                    struct rv_text_stretch *stretches, const char *text, const struct example *like)
{
    struct rv_span line = rv_span_str(text);
    size_t count = rv_text_stretches(line, stretches);
    int r = count ? add_example(training, features, line, like) : 0;

    for (size_t k = 0; k < STRETCHES_LEARNT && count > 1 && like->target == 0 && r == 0; k++) {
        struct rv_text_stretch pick = stretches[1 + draw(training) % (count - 1)];
        struct example part = *like;

        part.weight = 0.25F;
        r = add_example(training, features, rv_span(line.data + pick.at, pick.len), &part);
    }
    return r;
}

static int add_lines(struct training *training, const struct rv_lines *lines, bool attack)
{
    RV_AUTO(rv_text_features_done) struct rv_text_features features = { 0 };
    RV_AUTO(rv_freep) struct rv_text_stretch *stretches = NULL;
    int r = 0;

    stretches = malloc(RV_TEXT_STRETCHES_MAX * sizeof(*stretches));
    if (!stretches)
        return -ENOMEM;
    for (size_t i = 0; i < lines->count && r == 0; i++) {
        struct example like = { .target = attack, .weight = attack ? (float)ATTACK_WEIGHT : 1 };

        r = fold_of(lines->items[i].text, &like.fold);
        if (r == 0 && !attack)
            training->normal_fold[i] = like.fold;
        if (r == 0)
            r = add_line(training, &features, stretches, lines->items[i].text, &like);
    }
    return r;
}

/* ---- Logistic regression by AdaGrad, in an order drawn from the seed ---- */

static void learn_example(const struct training *training, const struct example *example,
                          struct rv_text_model *model, float *squares)
{
    const struct rv_text_feature *items = training->pool + example->first;
    struct rv_text_features features = { .count = example->count };
    double margin, gradient;

    memcpy(&features.items, &items, sizeof(items)); /* only read */
    margin = rv_text_margin(model->weights, model->bias, &features);
    gradient = (1 / (1 + exp(-margin)) - (double)example->target) * (double)example->weight;
    if (fabs(gradient) < 1e-4)
        return;
    for (size_t i = 0; i < example->count; i++) {
        double step = gradient * (double)items[i].value;
        float *square = &squares[items[i].bucket];

        *square += (float)(step * step);
        model->weights[items[i].bucket] -= (float)(RATE * step / (1e-3 + sqrt((double)*square)));
    }
    squares[RV_TEXT_BUCKETS] += (float)(gradient * gradient);
    model->bias -=
        RATE * gradient / (1e-3 + sqrt((double)squares[RV_TEXT_BUCKETS]));
}

static void shuffle(struct training *training, size_t *order, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t other = draw(training) % i, kept = order[i - 1];

        order[i - 1] = order[other];
        order[other] = kept;
    }
}

static int learn_weights(struct training *training, unsigned left_out,
                         struct rv_text_model *model)
{
    RV_AUTO(rv_freep) size_t *order = malloc((training->count + 1) * sizeof(*order));
    RV_AUTO(rv_freep) float *squares = calloc((size_t)RV_TEXT_BUCKETS + 1, sizeof(*squares));
    size_t count = 0;

    free(model->weights);
    model->bias = 0;
    model->weights = calloc(RV_TEXT_BUCKETS, sizeof(*model->weights));
    if (!order || !squares || !model->weights)
        return -ENOMEM;
    for (size_t i = 0; i < training->count; i++) {
        if (training->examples[i].fold != left_out)
            order[count++] = i;
    }
    for (unsigned epoch = 0; epoch < EPOCHS; epoch++) {
        shuffle(training, order, count);
        for (size_t i = 0; i < count; i++)
            learn_example(training, &training->examples[order[i]], model, squares);
    }
    return 0;
}

/* ---- One-class: the language of normal lines ---- */

static int learn_language(struct training *training, unsigned left_out,
                          struct rv_text_model *model)
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

        if (training->normal_fold[i] == fold)
            r = rv_text_raw(model, line, &scores[i], NULL);
    }
    return r;
}

static int learn(struct training *training, struct rv_text_model *model)
{
    RV_AUTO(rv_freep) double *scores = NULL;
    const struct rv_progress *progress = &training->options->progress;
    int r;

    training->normal_fold =
        calloc(training->normal->count, sizeof(*training->normal_fold));
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
    return r < 0 ? r
                 : rv_calibrate_scores(&model->calibration, scores, training->normal->count);
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
