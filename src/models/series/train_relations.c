/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Training relations between sensors. An alarm is counted by the stretch of rows it lasts, not by
 * its rows: the scores that calibrate are the highest of a window. Rows close to attacks do not
 * calibrate: labels are late by a row or more, and a plant takes time to settle.
 */
#include "train_private.h"

#include "models/trainer.h"
#include "ridge.h"

#include <math.h>

#define FOLDS         6U
#define ALL_FOLDS     FOLDS
#define PENALTY       5.0
#define ONSET_ROWS    6U  /* before an attack */
#define RECOVERY_ROWS 48U /* after one */
#define USUAL_FLOOR   1e-4
#define RARE_FLOOR    0.1 /* deviations: a forest is not believed more finely than that */

static unsigned fold_of(const struct rv_span_of_series *span, size_t row)
{
    return span->calibrates ? (unsigned)(row * FOLDS / span->series->rows) : ALL_FOLDS + 1;
}

/* ---- The regression ---- */

/** Normal, and so is the row before, which the relations look at too. */
static bool teaches(const struct rv_span_of_series *span, size_t row)
{
    return rv_training_is_normal(span, row) && (row == 0 || rv_training_is_normal(span, row - 1));
}

/** Rows to learn from, each with the row before it: those of `fold` alone, or all others. */
static int visit_normal(const struct rv_series_training *training, unsigned fold, bool alone,
                        int (*visit)(void *context, const double *row, const double *before,
                                     double weight),
                        void *context)
{
    size_t n = training->model->count;

    for (size_t s = 0; s < training->count; s++) {
        const struct rv_span_of_series *span = &training->spans[s];

        for (size_t i = 0; i < span->series->rows; i++) {
            const double *row = span->rows + i * n;
            int r;

            if (!teaches(span, i) || (fold_of(span, i) == fold) != alone)
                continue;
            r = visit(context, row, i > 0 ? row - n : row, span->weight);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

struct term_sums {
    const struct rv_series_model *model;
    struct rv_ridge *ridge;
    double *work;
};

static int sum_terms(void *context, const double *row, const double *before, double weight)
{
    struct term_sums *sums = context;

    rv_series_fill_terms(row, before, sums->model->count, sums->work);
    rv_ridge_add(sums->ridge, sums->work, row, weight);
    return 0;
}

/** Sums over the rows of one fold, or over all rows. */
static int sum_rows(const struct rv_series_training *training, unsigned fold,
                    struct rv_ridge *ridge)
{
    const struct rv_series_model *model = training->model;
    RV_AUTO(rv_freep) double *work = malloc((model->terms + 1) * sizeof(*work));
    struct term_sums sums = { model, ridge, work };
    int r = work ? rv_ridge_init(ridge, model->terms, model->count) : -ENOMEM;

    return r < 0 ? r : visit_normal(training, fold, fold != ALL_FOLDS, sum_terms, &sums);
}

static int solve_targets(struct rv_series_model *model, const struct rv_ridge *ridge)
{
    RV_AUTO(rv_freep) size_t *left_out = malloc(model->terms * sizeof(*left_out));
    int r = left_out ? 0 : -ENOMEM;

    for (size_t j = 0; j < model->count && r == 0; j++) {
        size_t count = 0;

        for (size_t t = 0; t < model->terms; t++) {
            if (rv_series_term_of(t, j, model->count))
                left_out[count++] = t;
        }
        r = rv_ridge_solve(ridge, j, left_out, count, model->coefficients + j * model->terms);
    }
    return r;
}

/** `all`: the sums of all rows, taken once. */
static int learn_regression(struct rv_series_training *training, const struct rv_ridge *all,
                            unsigned left_out)
{
    struct rv_series_model *model = training->model;
    RV_AUTO(rv_ridge_done) struct rv_ridge ridge = { 0 };
    RV_AUTO(rv_ridge_done) struct rv_ridge part = { 0 };
    int r = rv_ridge_init(&ridge, model->terms, model->count);

    if (r == 0)
        r = left_out < ALL_FOLDS ? sum_rows(training, left_out, &part)
                                 : rv_ridge_init(&part, model->terms, model->count);
    if (r < 0)
        return r;
    rv_ridge_without(&ridge, all, &part);
    r = rv_ridge_standardise(&ridge, model->term_mean, model->term_deviation);
    if (r == 0)
        r = rv_ridge_invert(&ridge, PENALTY);
    return r < 0 ? r : solve_targets(model, &ridge);
}

/* ---- The forests ---- */

struct forest_rows {
    const struct rv_series_model *model;
    size_t target, count;
    int32_t *values;
    float *targets, *weights;
};

static int add_forest_row(void *context, const double *row, const double *before, double weight)
{
    struct forest_rows *rows = context;
    size_t sensors = rows->model->count;

    rv_series_forest_row(row, before, sensors, rows->target,
                         rows->values + rows->count * 2 * sensors);
    rows->targets[rows->count] = (float)row[rows->target];
    rows->weights[rows->count++] = (float)weight;
    return 0;
}

static int learn_forests(struct rv_series_training *training, unsigned left_out)
{
    struct rv_series_model *model = training->model;
    size_t all = rv_training_rows(training);
    RV_AUTO(rv_freep) int32_t *values = malloc((2 * all * model->count + 1) * sizeof(*values));
    RV_AUTO(rv_freep) float *targets = malloc((all + 1) * 2 * sizeof(*targets));
    struct rv_train_options options = rv_train_defaults();
    int r = values && targets ? 0 : -ENOMEM;

    options.loss = RV_TRAIN_SQUARED;
    options.trees = 60;
    options.depth = 5;
    options.bins = 64;
    options.eta = 0.2;
    options.seed = training->options->seed;
    for (size_t j = 0; j < model->count && r == 0; j++) {
        struct forest_rows rows = { model, j, 0, values, targets, targets + all };

        r = visit_normal(training, left_out, false, add_forest_row, &rows);
        if (r == 0) {
            const struct rv_rows view = { .width = (uint32_t)(2 * model->count),
                                          .count = rows.count,
                                          .values = values,
                                          .targets = targets,
                                          .weights = targets + all };

            rv_forest_free(&model->sensors[j].forest);
            r = rv_train_forest(&view, &options, &model->sensors[j].forest, NULL);
        }
    }
    return r;
}

/* ---- Scales and calibration ---- */

static int cross_residuals(struct rv_series_training *training, unsigned fold)
{
    struct rv_series_model *model = training->model;
    RV_AUTO(rv_freep) double *work = malloc((model->terms + 1) * sizeof(*work));

    if (!work)
        return -ENOMEM;
    for (size_t s = 0; s < training->count; s++) {
        struct rv_span_of_series *span = &training->spans[s];

        for (size_t i = 0; i < span->series->rows; i++) {
            size_t at = i * model->count;

            if (fold_of(span, i) == fold)
                rv_series_residuals(model, span->rows, i, work, span->regression + at,
                                    span->forest + at);
        }
    }
    return 0;
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return left < right ? -1 : left > right;
}

/** The value that `permille` of 1,000 stay below. Sorts. */
static double quantile(double *values, size_t count, unsigned permille)
{
    size_t at = count * permille / 1000;

    if (count == 0)
        return 0;
    qsort(values, count, sizeof(*values), by_value);
    return values[at < count ? at : count - 1];
}

/** Normal, and not so close to an attack that it may be part of it. */
static bool is_settled(const struct rv_span_of_series *span, size_t row)
{
    const enum rv_label *label = span->series->label;

    if (!rv_training_is_normal(span, row))
        return false;
    for (size_t back = 1; back <= RECOVERY_ROWS && back <= row; back++) {
        if (label[row - back] == RV_LABEL_ATTACK)
            return false;
    }
    for (size_t on = 1; on <= ONSET_ROWS && row + on < span->series->rows; on++) {
        if (label[row + on] == RV_LABEL_ATTACK)
            return false;
    }
    return true;
}

static bool calibrates(const struct rv_span_of_series *span, size_t row)
{
    return span->calibrates && is_settled(span, row);
}

/** Sizes of one sensor's residuals in rows that calibrate. @return how many. */
static size_t residual_sizes(const struct rv_series_training *training, size_t sensor, bool forest,
                             double *ret_sizes)
{
    size_t count = 0;

    for (size_t s = 0; s < training->count; s++) {
        const struct rv_span_of_series *span = &training->spans[s];
        const double *residuals = forest ? span->forest : span->regression;

        for (size_t i = 0; residuals && i < span->series->rows; i++) {
            if (calibrates(span, i))
                ret_sizes[count++] = fabs(residuals[i * training->model->count + sensor]);
        }
    }
    return count;
}

static int learn_scales(struct rv_series_training *training)
{
    RV_AUTO(rv_freep) double *sizes = malloc((rv_training_rows(training) + 1) * sizeof(*sizes));

    if (!sizes)
        return -ENOMEM;
    for (size_t j = 0; j < training->model->count; j++) {
        struct rv_sensor *sensor = &training->model->sensors[j];
        size_t count = residual_sizes(training, j, false, sizes);

        sensor->usual_regression = quantile(sizes, count, 700) + USUAL_FLOOR;
        count = residual_sizes(training, j, true, sizes);
        sensor->rare_forest = quantile(sizes, count, 998) + RARE_FLOOR;
    }
    return 0;
}

struct found {
    double *by_regression, *by_forest; /* of all rows of all spans, one after another */
    double *score, *kept;              /* kept: of rows that calibrate */
    size_t kept_count;
};

/** What each row scores by itself, by models that did not see it; kept of rows that calibrate. */
static void score_rows(const struct rv_series_training *training, struct found *found)
{
    size_t at = 0, n = training->model->count;

    for (size_t s = 0; s < training->count; s++) {
        const struct rv_span_of_series *span = &training->spans[s];

        for (size_t i = 0; i < span->series->rows; i++, at++) {
            if (!span->calibrates)
                continue;
            rv_series_row_score(training->model, span->regression + i * n, span->forest + i * n,
                                &found->by_regression[at], &found->by_forest[at]);
            if (calibrates(span, i))
                found->kept[found->kept_count++] =
                    rv_series_join(found->by_regression[at], found->by_forest[at]);
        }
    }
}

/** For every row that calibrates the highest score of the window that ends there. */
static void keep_highest(const struct rv_series_training *training, struct found *found)
{
    size_t at = 0;

    found->kept_count = 0;
    for (size_t s = 0; s < training->count; s++) {
        const struct rv_span_of_series *span = &training->spans[s];

        for (size_t i = 0; i < span->series->rows; i++, at++) {
            double highest = found->score[at];

            if (!calibrates(span, i))
                continue;
            for (size_t back = 1; back < RV_SERIES_WINDOW && back <= i; back++) {
                if (calibrates(span, i - back) && found->score[at - back] > highest)
                    highest = found->score[at - back];
            }
            found->kept[found->kept_count++] = highest;
        }
    }
}

static int calibrate_relations(struct rv_series_training *training)
{
    struct rv_series_model *model = training->model;
    size_t all = rv_training_rows(training), at = 0;
    RV_AUTO(rv_freep) double *values = calloc(4 * all + 1, sizeof(*values));
    struct found found = { values, values + all, values + 2 * all, values + 3 * all, 0 };

    if (!values)
        return -ENOMEM;
    score_rows(training, &found);
    model->quiet = quantile(found.kept, found.kept_count, 700);
    for (size_t s = 0; s < training->count; s++) {
        size_t rows = training->spans[s].series->rows;

        rv_series_follow(model, found.by_regression + at, found.by_forest + at, rows,
                         found.score + at);
        at += rows;
    }
    keep_highest(training, &found);
    return rv_calibrate_scores(&model->calibration, found.kept, found.kept_count);
}

/* ---- Repeats ---- */

/**
 * Settled rows of one span, as if nothing had been between them: a recording whose first or last
 * rows are labelled normal must not teach that sensors repeat themselves.
 */
static size_t gather(const struct rv_series_training *training,
                     const struct rv_span_of_series *span, size_t sensor, double *ret_readings)
{
    size_t count = 0;

    for (size_t i = 0; i < span->series->rows; i++) {
        if (is_settled(span, i))
            ret_readings[count++] = span->rows[i * training->model->count + sensor];
    }
    return count;
}

static int learn_repeats(struct rv_series_training *training)
{
    struct rv_series_model *model = training->model;
    RV_AUTO(rv_freep) double *normal = malloc((rv_training_rows(training) + 1) * sizeof(*normal));

    if (!normal)
        return -ENOMEM;
    for (size_t j = 0; j < model->count; j++) {
        struct rv_repetition seen = { 0 };

        for (size_t s = 0; s < training->count; s++) {
            const struct rv_readings readings = {
                normal, 1, gather(training, &training->spans[s], j, normal)
            };
            int r = rv_repeats_learn(&readings, &seen);

            if (r < 0)
                return r;
        }
        model->sensors[j].repeats = rv_repeats_after(&seen);
    }
    return 0;
}

int rv_series_learn_relations(struct rv_series_training *training)
{
    struct rv_series_model *model = training->model;
    RV_AUTO(rv_ridge_done) struct rv_ridge all = { 0 };
    int r;

    model->kind = RV_SERIES_RELATIONS;
    model->terms = rv_series_terms(model->count);
    model->term_mean = calloc(model->terms, sizeof(*model->term_mean));
    model->term_deviation = calloc(model->terms, sizeof(*model->term_deviation));
    model->coefficients = calloc(model->count * model->terms, sizeof(*model->coefficients));
    if (!model->term_mean || !model->term_deviation || !model->coefficients)
        return -ENOMEM;
    r = sum_rows(training, ALL_FOLDS, &all);
    for (unsigned fold = 0; fold <= ALL_FOLDS && r == 0; fold++) {
        rv_progress_report(&training->options->progress, "relations of sensors", fold,
                           ALL_FOLDS + 1);
        r = learn_regression(training, &all, fold);
        if (r == 0)
            r = learn_forests(training, fold);
        if (r == 0 && fold < ALL_FOLDS)
            r = cross_residuals(training, fold);
    }
    rv_progress_report(&training->options->progress, "relations of sensors", 1, 1);
    if (r == 0)
        r = learn_scales(training);
    if (r == 0)
        r = learn_repeats(training);
    return r < 0 ? r : calibrate_relations(training);
}
