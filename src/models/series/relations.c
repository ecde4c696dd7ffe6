/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Residuals against the other sensors, as one score a row. The worst row of the window does not
 * count, so that one glitch weighs little. A score that rose stays up through lulls, until rows in
 * a row are quiet by themselves; the window then begins anew, so that an alarm does not ring on in
 * what follows. A sensor that repeats its own past is an alarm whatever the others read.
 */
#include "model_private.h"

#include <math.h>

#define CLIP       4.0  /* deviations: beyond that a regression says nothing */
#define FLOOR      0.05 /* of a score, before its logarithm */
#define QUIET_ROWS 2U   /* in a row, and the window begins anew */
#define REPEATED                                                                                   \
    20.0 /* what a sensor that repeats itself adds: more than residuals can take away */

static size_t products(size_t sensors)
{
    return sensors <= RV_SERIES_PRODUCTS ? sensors * (sensors + 1) / 2 : 0;
}

size_t rv_series_terms(size_t sensors)
{
    return 2 * sensors + products(sensors);
}

static double clipped(double value)
{
    return value > CLIP ? CLIP : value < -CLIP ? -CLIP : value;
}

void rv_series_fill_terms(const double *row, const double *before, size_t sensors, double *terms)
{
    size_t at = sensors;

    for (size_t i = 0; i < sensors; i++)
        terms[i] = clipped(row[i]);
    for (size_t i = 0; i < sensors && products(sensors) > 0; i++) {
        for (size_t k = i; k < sensors; k++)
            terms[at++] = terms[i] * terms[k];
    }
    for (size_t i = 0; i < sensors; i++)
        terms[at++] = clipped(before[i]);
}

bool rv_series_term_of(size_t term, size_t sensor, size_t sensors)
{
    size_t first = 0, in_row;

    if (term < sensors)
        return term == sensor;
    in_row = term - sensors;
    if (in_row >= products(sensors))
        return false;
    while (in_row >= sensors - first)
        in_row -= sensors - first++;
    return first == sensor || first + in_row == sensor;
}

static int32_t milli(double value)
{
    double scaled = value * 1000;

    return scaled > 1e6 ? 1000000 : scaled < -1e6 ? -1000000 : (int32_t)lround(scaled);
}

void rv_series_forest_row(const double *row, const double *before, size_t sensors, size_t target,
                          int32_t *ret_row)
{
    for (size_t i = 0; i < sensors; i++) {
        ret_row[i] = i == target ? 0 : milli(row[i]);
        ret_row[sensors + i] = milli(before[i]);
    }
}

void rv_series_residuals(const struct rv_series_model *model, const double *rows, size_t at,
                         double *work, double *ret_regression, double *ret_forest)
{
    size_t n = model->count;
    const double *row = rows + at * n, *before = at > 0 ? row - n : row;
    int32_t cells[2 * RV_SERIES_SENSORS];

    rv_series_fill_terms(row, before, n, work);
    for (size_t t = 0; t < model->terms; t++)
        work[t] = (work[t] - model->term_mean[t]) / model->term_deviation[t];
    rv_series_forest_row(row, before, n, n, cells);
    for (size_t j = 0; j < n; j++) {
        const double *coefficients = model->coefficients + j * model->terms;
        int32_t own = cells[j];
        double expected = 0;

        for (size_t t = 0; t < model->terms; t++)
            expected += coefficients[t] * work[t];
        ret_regression[j] = row[j] - expected;
        cells[j] = 0;
        ret_forest[j] = row[j] - (double)rv_forest_score(model->sensors[j].forest, cells) / 65536;
        cells[j] = own;
    }
}

void rv_series_parts(const struct rv_sensor *sensor, double regression, double forest,
                     double *ret_regression, double *ret_forest)
{
    double unit = regression / sensor->usual_regression;
    double excess = fabs(forest) / sensor->rare_forest - 1;

    *ret_regression = log1p(unit * unit);
    *ret_forest = excess < 0 ? 0 : excess > RV_SERIES_EXCESS ? RV_SERIES_EXCESS : excess;
}

void rv_series_row_score(const struct rv_series_model *model, const double *regression,
                         const double *forest, double *ret_regression, double *ret_forest)
{
    *ret_regression = *ret_forest = 0;
    for (size_t j = 0; j < model->count; j++) {
        double by_regression, by_forest;

        rv_series_parts(&model->sensors[j], regression[j], forest[j], &by_regression, &by_forest);
        *ret_regression += by_regression;
        *ret_forest += by_forest;
    }
}

double rv_series_join(double by_regression, double by_forest)
{
    return log(by_regression + FLOOR) + log(by_forest + FLOOR);
}

/** Mean of rows [first, last] but for the highest; rows that are missing from the window are 0. */
static double window_mean(const double *values, size_t first, size_t last)
{
    double sum = 0, highest = 0;

    for (size_t i = first; i <= last; i++) {
        sum += values[i];
        highest = values[i] > highest ? values[i] : highest;
    }
    return sum > highest ? (sum - highest) / (RV_SERIES_WINDOW - 1) : 0;
}

void rv_series_follow(const struct rv_series_model *model, const double *by_regression,
                      const double *by_forest, size_t count, double *ret_raw)
{
    double held = -INFINITY;
    size_t first = 0, quiet = 0;

    for (size_t i = 0; i < count; i++) {
        double score;

        quiet = rv_series_join(by_regression[i], by_forest[i]) > model->quiet ? 0 : quiet + 1;
        if (i + 1 - first > RV_SERIES_WINDOW)
            first = i + 1 - RV_SERIES_WINDOW;
        if (quiet >= QUIET_ROWS) {
            first = i + 1 - QUIET_ROWS;
            held = -INFINITY;
        }
        score =
            rv_series_join(window_mean(by_regression, first, i), window_mean(by_forest, first, i));
        held = score > held ? score : held;
        ret_raw[i] = held;
    }
}

static int add_repeats(const struct rv_series_model *model, const struct rv_series_rows *rows,
                       double *raw)
{
    RV_AUTO(rv_freep) uint32_t *lag = malloc((rows->count + 1) * sizeof(*lag));

    if (!lag)
        return -ENOMEM;
    for (size_t j = 0; j < model->count; j++) {
        const struct rv_readings readings = { rows->rows + j, model->count, rows->count };
        int r = rv_repeats_find(&readings, model->sensors[j].repeats, lag);

        if (r < 0)
            return r;
        for (size_t i = 0; i < rows->count; i++)
            raw[i] += lag[i] > 0 ? REPEATED : 0;
    }
    return 0;
}

int rv_series_relations_raw(const struct rv_series_model *model, const struct rv_series_rows *rows,
                            double *ret_raw)
{
    RV_AUTO(rv_freep) double *by_regression = malloc((2 * rows->count + 1) * sizeof(double));
    RV_AUTO(rv_freep) double *work = malloc((model->terms + 1) * sizeof(*work));
    double *by_forest = by_regression + rows->count;

    if (!by_regression || !work)
        return -ENOMEM;
    for (size_t i = 0; i < rows->count; i++) {
        double regression[RV_SERIES_SENSORS], forest[RV_SERIES_SENSORS];

        rv_series_residuals(model, rows->rows, i, work, regression, forest);
        rv_series_row_score(model, regression, forest, &by_regression[i], &by_forest[i]);
        by_forest[i] += RV_SERIES_EXCESS * rows->moved[i];
    }
    rv_series_follow(model, by_regression, by_forest, rows->count, ret_raw);
    return add_repeats(model, rows, ret_raw);
}
