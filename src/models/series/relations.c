/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Residuals against the other sensors, as one score a row. The worst row of the window does not
 * count, so that one glitch weighs little. An alarm that began lasts through lulls, and ends soon
 * after the sensors agree again, so that it does not ring on in what follows.
 */
#include "model_private.h"

#include <math.h>

#define CLIP       4.0  /* deviations: beyond that a regression says nothing */
#define FLOOR      0.05 /* of a score, before its logarithm */
#define QUIET_ROWS 2U   /* in a row, and an alarm is over */

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

/** Both scores of one row's residuals: sums over sensors of what goes beyond the usual. */
static void row_scores(const struct rv_series_model *model, const double *regression,
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

/** Mean of the last rows but for the highest of them, in place; before the first all is 0. */
static int smooth(double *values, size_t count)
{
    RV_AUTO(rv_freep) double *plain = malloc((count + 1) * sizeof(*plain));

    if (!plain)
        return -ENOMEM;
    memcpy(plain, values, count * sizeof(*plain));
    for (size_t i = 0; i < count; i++) {
        double sum = 0, highest = 0;

        for (size_t back = 0; back < RV_SERIES_WINDOW && back <= i; back++) {
            sum += plain[i - back];
            highest = plain[i - back] > highest ? plain[i - back] : highest;
        }
        values[i] = (sum - highest) / (RV_SERIES_WINDOW - 1);
    }
    return 0;
}

int rv_series_smooth_relations(const struct rv_series_model *model, const double *regression,
                               const double *forest, const uint32_t *moved, size_t count,
                               double *ret_regression, double *ret_forest)
{
    int r;

    for (size_t i = 0; i < count; i++) {
        row_scores(model, regression + i * model->count, forest + i * model->count,
                   &ret_regression[i], &ret_forest[i]);
        ret_forest[i] += moved ? RV_SERIES_EXCESS * moved[i] : 0;
    }
    r = smooth(ret_regression, count);
    return r < 0 ? r : smooth(ret_forest, count);
}

static double log_ratio(double score, double middle)
{
    return log((score > 0 ? score + FLOOR : FLOOR) / (middle + FLOOR));
}

void rv_series_join_relations(const struct rv_series_model *model, const double *by_regression,
                              const double *by_forest, size_t count, double *ret_raw)
{
    for (size_t i = 0; i < count; i++)
        ret_raw[i] = log_ratio(by_regression[i], model->middle_regression) +
                     log_ratio(by_forest[i], model->middle_forest);
}

void rv_series_hold_relations(const struct rv_series_model *model, double *raw, size_t count)
{
    double held = -INFINITY;
    unsigned quiet = 0;

    for (size_t i = 0; i < count; i++) {
        quiet = raw[i] > model->quiet ? 0 : quiet + 1;
        if (quiet >= QUIET_ROWS || raw[i] > held)
            held = raw[i];
        raw[i] = held;
    }
}

int rv_series_relations_raw(const struct rv_series_model *model, const struct rv_series_rows *rows,
                            double *ret_raw)
{
    size_t cells = rows->count * model->count;
    RV_AUTO(rv_freep) double *residuals = malloc((2 * cells + 1) * sizeof(*residuals));
    RV_AUTO(rv_freep) double *forest = malloc((rows->count + 1) * sizeof(*forest));
    RV_AUTO(rv_freep) double *work = malloc((model->terms + 1) * sizeof(*work));
    int r;

    if (!residuals || !forest || !work)
        return -ENOMEM;
    for (size_t i = 0; i < rows->count; i++)
        rv_series_residuals(model, rows->rows, i, work, residuals + i * model->count,
                            residuals + cells + i * model->count);
    r = rv_series_smooth_relations(model, residuals, residuals + cells, rows->moved, rows->count,
                                   ret_raw, forest);
    if (r < 0)
        return r;
    rv_series_join_relations(model, ret_raw, forest, rows->count, ret_raw);
    rv_series_hold_relations(model, ret_raw, rows->count);
    return 0;
}
