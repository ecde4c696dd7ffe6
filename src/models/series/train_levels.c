/* SPDX-License-Identifier: Apache-2.0 */
/* Training the levels of a short series. */
#include "train_private.h"

#include <math.h>

#define LEVEL_BLOCKS  4U
#define NOISE_MARGIN  10.0 /* variances of a block mean that noise alone may cause */
#define WANDER_WEIGHT 30.0
#define PRIOR_SCORE   3.0 /* what the units alone would call high */

/** Rows [first, end) of the normal rows, gathered in time order. */
struct normal_rows {
    double *rows; /* standardised by the model of all rows */
    size_t count, sensors;
};

/** Level and unit of each sensor from a part of the rows. */
static void learn_levels(struct rv_series_model *model, const struct normal_rows *normal,
                         size_t first, size_t end)
{
    size_t block = (end - first) / LEVEL_BLOCKS;

    for (size_t j = 0; j < model->count; j++) {
        double means[LEVEL_BLOCKS], mean = 0, within = 0, between = 0, wander;

        for (size_t b = 0; b < LEVEL_BLOCKS; b++) {
            double sum = 0, squares = 0;

            for (size_t i = first + b * block; i < first + (b + 1) * block; i++) {
                double value = normal->rows[i * normal->sensors + j];

                sum += value;
                squares += value * value;
            }
            means[b] = sum / (double)block;
            mean += means[b] / LEVEL_BLOCKS;
            within += (squares / (double)block - means[b] * means[b]) / LEVEL_BLOCKS;
        }
        for (size_t b = 0; b < LEVEL_BLOCKS; b++)
            between += (means[b] - mean) * (means[b] - mean) / (LEVEL_BLOCKS - 1);
        /* a level that moves by more than its noise explains will move further */
        wander = between - NOISE_MARGIN * within / (double)block;
        model->sensors[j].mean = mean;
        model->sensors[j].deviation = 1;
        model->sensors[j].scale =
            sqrt((within > 0 ? within : 0) + WANDER_WEIGHT * (wander > 0 ? wander : 0)) + 1e-6;
    }
}

/** Scores of rows [first, end) by the levels of the model. */
static int score_levels(const struct rv_series_model *model, const struct normal_rows *normal,
                        size_t first, size_t end, double *ret_scores)
{
    RV_AUTO(rv_freep) double *rows = malloc(((end - first) * model->count + 1) * sizeof(*rows));

    if (!rows)
        return -ENOMEM;
    for (size_t i = first; i < end; i++) {
        for (size_t j = 0; j < model->count; j++)
            rows[(i - first) * model->count + j] =
                normal->rows[i * normal->sensors + j] - model->sensors[j].mean;
    }
    return rv_series_levels_raw(model, rows, end - first, ret_scores);
}

/** Each part judged by the levels of what lies before or after it. */
static int cross_levels(struct rv_series_model *model, const struct normal_rows *normal,
                        double *scores, size_t *ret_count)
{
    size_t n = normal->count;
    const struct {
        size_t learn, learnt, judge, judged;
    } parts[] = {
        { 0, n / 2, n / 2, n },
        { n / 2, n, 0, n / 2 },
        { 0, n * 3 / 4, n * 3 / 4, n },
        { n / 4, n, 0, n / 4 },
    };

    *ret_count = 0;
    for (size_t p = 0; p < RV_COUNT(parts); p++) {
        int r;

        learn_levels(model, normal, parts[p].learn, parts[p].learnt);
        r = score_levels(model, normal, parts[p].judge, parts[p].judged, scores + *ret_count);
        if (r < 0)
            return r;
        *ret_count += parts[p].judged - parts[p].judge;
    }
    return 0;
}

/**
 * So few rows show one sample of how sensors wander, and the highest scores of it vary tenfold from
 * series to series: what calibrates is the mean, in logarithm, of what was found and of the prior.
 */
static void pull_to_prior(double *scores, size_t count)
{
    for (size_t i = 0; i < count; i++)
        scores[i] = sqrt(scores[i] * PRIOR_SCORE);
}

static size_t gather(const struct rv_series_training *training, double *rows)
{
    size_t count = 0, width = training->model->count;

    for (size_t s = 0; s < training->count; s++) {
        const struct rv_span_of_series *span = &training->spans[s];

        for (size_t i = 0; i < span->series->rows; i++) {
            if (rv_training_is_normal(span, i))
                memcpy(rows + count++ * width, span->rows + i * width, width * sizeof(*rows));
        }
    }
    return count;
}

int rv_series_learn_levels(struct rv_series_training *training)
{
    struct rv_series_model *model = training->model;
    size_t all = rv_training_rows(training), kept;
    RV_AUTO(rv_freep) double *rows = malloc((all * model->count + 1) * sizeof(*rows));
    RV_AUTO(rv_freep) double *scores = malloc((4 * all + 1) * sizeof(*scores));
    RV_AUTO(rv_freep) double *old = malloc((2 * model->count + 1) * sizeof(*old));
    struct normal_rows normal = { .rows = rows, .sensors = model->count };
    int r;

    if (!rows || !scores || !old)
        return -ENOMEM;
    for (size_t j = 0; j < model->count; j++) {
        old[2 * j] = model->sensors[j].mean;
        old[2 * j + 1] = model->sensors[j].deviation;
    }
    model->kind = RV_SERIES_LEVELS;
    normal.count = gather(training, rows);
    r = cross_levels(model, &normal, scores, &kept);
    if (r < 0)
        return r;
    learn_levels(model, &normal, 0, normal.count);
    for (size_t j = 0; j < model->count; j++) { /* back to the sensors' own units */
        struct rv_sensor *sensor = &model->sensors[j];

        sensor->mean = old[2 * j] + sensor->mean * old[2 * j + 1];
        sensor->scale *= old[2 * j + 1];
        sensor->deviation = old[2 * j + 1];
    }
    pull_to_prior(scores, kept);
    return rv_calibrate_scores(&model->calibration, scores, kept);
}
