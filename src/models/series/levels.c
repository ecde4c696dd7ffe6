/* SPDX-License-Identifier: Apache-2.0 */
/* How far the sensors are from their levels: for series too short to learn relations from. */
#include "model_private.h"

#define LEVEL_WINDOW 20U /* rows */
#define LEVEL_CAP    60.0
#define LEVEL_NEXT   0.3
#define LEVEL_HOLD   0.95 /* of the score stays from row to row */

/** Mean of the last `window` readings of one sensor, in units; before the first they count as 0. */
static void level_means(const struct rv_series_model *model, const double *rows, size_t count,
                        size_t sensor, double *ret_means)
{
    const struct rv_sensor *self = &model->sensors[sensor];
    double unit = self->deviation / self->scale, sum = 0;

    for (size_t i = 0; i < count; i++) {
        sum += rows[i * model->count + sensor];
        if (i >= LEVEL_WINDOW)
            sum -= rows[(i - LEVEL_WINDOW) * model->count + sensor];
        ret_means[i * model->count + sensor] = unit * sum / LEVEL_WINDOW;
    }
}

double rv_series_level_part(const struct rv_sensor *sensor, double standardised)
{
    double unit = standardised * sensor->deviation / sensor->scale;

    return unit * unit < LEVEL_CAP ? unit * unit : LEVEL_CAP;
}

static int descending(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return left > right ? -1 : left < right;
}

/** The farthest sensor counts whole, the next ones less and less. Destroys `means`. */
static double level_score(double *means, size_t count)
{
    double sum = 0, weight = 1;

    for (size_t j = 0; j < count; j++)
        means[j] = means[j] * means[j] < LEVEL_CAP ? means[j] * means[j] : LEVEL_CAP;
    qsort(means, count, sizeof(*means), descending);
    for (size_t j = 0; j < count; j++) {
        sum += weight * means[j];
        weight *= j < 3 ? LEVEL_NEXT : 1;
    }
    return sum;
}

int rv_series_levels_raw(const struct rv_series_model *model, const double *rows, size_t count,
                         double *ret_raw)
{
    RV_AUTO(rv_freep) double *means = malloc((count * model->count + 1) * sizeof(*means));
    double held = 0;

    if (!means)
        return -ENOMEM;
    for (size_t j = 0; j < model->count; j++)
        level_means(model, rows, count, j, means);
    for (size_t i = 0; i < count; i++) {
        double score = level_score(means + i * model->count, model->count);

        held = score > held * LEVEL_HOLD ? score : held * LEVEL_HOLD;
        ret_raw[i] = held;
    }
    return 0;
}
