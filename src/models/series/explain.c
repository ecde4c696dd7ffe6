/* SPDX-License-Identifier: Apache-2.0 */
/* Which sensors made a score, and in which direction they are off. */
#include "model_private.h"

#include <math.h>

#define RECORDING (3 * RV_SERIES_WINDOW * RV_SERIES_EXCESS) /* as much as three others at most */

/** One sensor over the window: the row where it was most off speaks for its direction. */
struct part {
    double regression, forest; /* sums over the window */
    double worst, expected, seen;
    uint32_t lag;
};

static size_t insert_reason(struct rv_series_reason *reasons, size_t used, size_t room,
                            const struct rv_series_reason *reason)
{
    size_t at = used;

    while (at > 0 && reasons[at - 1].share < reason->share) {
        if (at < room)
            reasons[at] = reasons[at - 1];
        at--;
    }
    if (at < room)
        reasons[at] = *reason;
    return used < room ? used + 1 : room;
}

static void add_row(const struct rv_series_model *model, const double *rows, size_t at,
                    double *work, struct part *parts)
{
    double regression[RV_SERIES_SENSORS], forest[RV_SERIES_SENSORS];

    rv_series_residuals(model, rows, at, work, regression, forest);
    for (size_t j = 0; j < model->count; j++) {
        const struct rv_sensor *sensor = &model->sensors[j];
        double by_regression, by_forest, seen = rows[at * model->count + j];

        rv_series_parts(sensor, regression[j], forest[j], &by_regression, &by_forest);
        parts[j].regression += by_regression;
        parts[j].forest += by_forest;
        if (by_regression + by_forest < parts[j].worst)
            continue;
        parts[j].worst = by_regression + by_forest;
        parts[j].seen = sensor->mean + seen * sensor->deviation;
        parts[j].expected = sensor->mean + (seen - forest[j]) * sensor->deviation;
    }
}

static void add_constant(const struct rv_series_model *model, const struct rv_series *series,
                         size_t row, size_t index, struct part *part)
{
    const struct rv_constant *constant = &model->constants[index];
    size_t column = rv_series_column(series, constant->name);
    size_t first = row + 1 < RV_SERIES_WINDOW ? 0 : row + 1 - RV_SERIES_WINDOW;

    part->expected = part->seen = constant->value;
    for (size_t i = first; i <= row && column != SIZE_MAX; i++) {
        double value = series->value[i * series->columns + column];

        if (!rv_constant_moved(constant, value))
            continue;
        part->forest += RV_SERIES_EXCESS;
        part->seen = value;
    }
}

static int add_repeat(const struct rv_series_model *model, const struct rv_readings *readings,
                      size_t row, size_t sensor, struct part *part)
{
    RV_AUTO(rv_freep) uint32_t *lag = malloc((readings->count + 1) * sizeof(*lag));
    int r = lag ? rv_repeats_find(readings, model->sensors[sensor].repeats, lag) : -ENOMEM;

    if (r < 0)
        return r;
    part->lag = lag[row];
    part->forest += lag[row] > 0 ? RECORDING : 0;
    return 0;
}

static int fill_parts(const struct rv_series_model *model, const struct rv_series *series,
                      const double *rows, size_t row, double *work, struct part *parts)
{
    size_t first = row + 1 < RV_SERIES_WINDOW ? 0 : row + 1 - RV_SERIES_WINDOW;

    if (model->kind == RV_SERIES_RELATIONS) {
        for (size_t i = first; i <= row; i++)
            add_row(model, rows, i, work, parts);
        for (size_t c = 0; c < model->constant_count; c++)
            add_constant(model, series, row, c, &parts[model->count + c]);
        for (size_t j = 0; j < model->count; j++) {
            const struct rv_readings readings = { rows + j, model->count, series->rows };
            int r = add_repeat(model, &readings, row, j, &parts[j]);

            if (r < 0)
                return r;
        }
        return 0;
    }
    for (size_t j = 0; j < model->count; j++) {
        const struct rv_sensor *sensor = &model->sensors[j];
        double value = rows[row * model->count + j];

        parts[j].regression = rv_series_level_part(sensor, value);
        parts[j].expected = sensor->mean;
        parts[j].seen = sensor->mean + value * sensor->deviation;
    }
    return 0;
}

size_t rv_series_explain(const struct rv_series_model *model, const struct rv_series *series,
                         size_t row, struct rv_series_reason *reasons, size_t room)
{
    size_t all = model->count + model->constant_count, used = 0;
    RV_AUTO(rv_freep) double *rows = NULL;
    RV_AUTO(rv_freep) double *work = malloc((model->terms + 1) * sizeof(*work));
    RV_AUTO(rv_freep) struct part *parts = calloc(all, sizeof(*parts));
    double regression = 1e-9, forest = 1e-9, sum = 0;

    if (!work || !parts || row >= series->rows ||
        rv_series_standardise(model, series, &rows, NULL) < 0 ||
        fill_parts(model, series, rows, row, work, parts) < 0)
        return 0;
    for (size_t j = 0; j < all; j++) {
        regression += parts[j].regression;
        forest += parts[j].forest;
    }
    for (size_t j = 0; j < all; j++) {
        const char *name =
            j < model->count ? model->sensors[j].name : model->constants[j - model->count].name;
        struct rv_series_reason reason = {
            .column = rv_series_column(series, name),
            .share = parts[j].regression / regression + parts[j].forest / forest,
            .expected = parts[j].expected,
            .seen = parts[j].seen,
            .lag = parts[j].lag,
        };

        sum += reason.share;
        if (reason.column != SIZE_MAX)
            used = insert_reason(reasons, used, room, &reason);
    }
    for (size_t i = 0; i < used && sum > 0; i++)
        reasons[i].share /= sum;
    return used;
}
