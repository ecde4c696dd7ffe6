/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Training a series model. Time is cut into blocks, and every residual that sets a scale or
 * calibrates comes from a model that did not see the block. Labelled data of the plant's later life
 * (rows marked normal beside attacks) is worth more than old data: it is learnt from with a larger
 * weight, and it alone calibrates, because plants change.
 */
#include "model_private.h"

#include "models/trainer.h"
#include "ridge.h"

#include <math.h>

#define FOLDS          6U
#define ALL_FOLDS      FOLDS
#define LATER_WEIGHT   3.0
#define LATER_ROWS_MIN ((size_t)500) /* normal rows beside attacks, to calibrate on them alone */
#define PENALTY        5.0
#define VALUES_MIN     8U  /* a sensor with fewer different readings is a switch: no target */
#define RECOVERY_ROWS  48U /* after an attack the plant, and the window, take time to settle */
#define LEVEL_BLOCKS   4U
#define NOISE_MARGIN   10.0 /* variances of a block mean that noise alone may cause */
#define WANDER_WEIGHT  20.0

/** One series with what was found of each row. */
struct span {
    const struct rv_series *series;
    double *rows; /* standardised */
    double *regression, *forest; /* residuals by models that did not see the row */
    double weight;
    bool calibrates;
};

struct training {
    const struct rv_task_options *options;
    struct rv_series_model *model;
    struct span *spans;
    size_t count;
};

static void training_done(struct training *training)
{
    for (size_t s = 0; s < training->count; s++) {
        free(training->spans[s].rows);
        free(training->spans[s].regression);
        free(training->spans[s].forest);
    }
    free(training->spans);
}

static bool is_normal(const struct span *span, size_t row)
{
    return span->series->label[row] == RV_LABEL_NORMAL;
}

static unsigned fold_of(const struct span *span, size_t row)
{
    return span->calibrates ? (unsigned)(row * FOLDS / span->series->rows) : ALL_FOLDS + 1;
}

/* ---- Which sensors ---- */

static double reading(const struct rv_series *series, size_t row, size_t column)
{
    return series->value[row * series->columns + column];
}

static size_t column_named(const struct rv_series *series, const char *name)
{
    for (size_t i = 0; i < series->columns; i++) {
        if (rv_streq(series->column[i], name))
            return i;
    }
    return SIZE_MAX;
}

/** Weighted mean and deviation of a sensor over normal rows. @return different values, to 9. */
static unsigned measure(const struct training *training, const char *name,
                        struct rv_sensor *sensor)
{
    double sum = 0, squares = 0, weights = 0, seen[VALUES_MIN], variance;
    unsigned different = 0;

    for (size_t s = 0; s < training->count; s++) {
        const struct span *span = &training->spans[s];
        size_t column = column_named(span->series, name);

        for (size_t i = 0; i < span->series->rows && column != SIZE_MAX; i++) {
            double value = reading(span->series, i, column);
            bool known = false;

            if (isnan(value) || !is_normal(span, i))
                continue;
            sum += span->weight * value;
            squares += span->weight * value * value;
            weights += span->weight;
            for (unsigned k = 0; k < different; k++)
                known |= seen[k] == value;
            if (!known && different < VALUES_MIN)
                seen[different++] = value;
        }
    }
    if (weights <= 0)
        return 0;
    sensor->mean = sum / weights;
    variance = squares / weights - sensor->mean * sensor->mean;
    sensor->deviation = variance > 0 ? sqrt(variance) : 0;
    return different;
}

static int choose_sensors(struct training *training)
{
    struct rv_series_model *model = training->model;
    const struct rv_series *first = training->spans[0].series;

    model->sensors = calloc(first->columns, sizeof(*model->sensors));
    if (!model->sensors)
        return -ENOMEM;
    for (size_t i = 0; i < first->columns && model->count < RV_SERIES_SENSORS; i++) {
        struct rv_sensor sensor = { .scale = 1 };
        unsigned different = measure(training, first->column[i], &sensor);

        if (!(sensor.deviation > 1e-9 * (fabs(sensor.mean) + 1)))
            continue;
        sensor.target = different >= VALUES_MIN;
        sensor.name = strdup(first->column[i]);
        if (!sensor.name)
            return -ENOMEM;
        model->sensors[model->count++] = sensor;
    }
    return model->count ? 0 : -EINVAL;
}

static int standardise(struct training *training, struct rv_dataset_error *reterr)
{
    for (size_t s = 0; s < training->count; s++) {
        struct span *span = &training->spans[s];
        size_t cells = span->series->rows * training->model->count;
        int r = rv_series_standardise(training->model, span->series, &span->rows, reterr);

        if (r < 0)
            return r;
        if (!span->calibrates)
            continue;
        span->regression = calloc(cells + 1, sizeof(*span->regression));
        span->forest = calloc(cells + 1, sizeof(*span->forest));
        if (!span->regression || !span->forest)
            return -ENOMEM;
    }
    return 0;
}

/* ---- Relations: the regression ---- */

static int visit_normal(const struct training *training, unsigned left_out,
                        int (*visit)(void *context, const double *row, double weight),
                        void *context)
{
    for (size_t s = 0; s < training->count; s++) {
        const struct span *span = &training->spans[s];

        for (size_t i = 0; i < span->series->rows; i++) {
            int r;

            if (!is_normal(span, i) || fold_of(span, i) == left_out)
                continue;
            r = visit(context, span->rows + i * training->model->count, span->weight);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

struct term_sums {
    struct rv_series_model *model;
    struct rv_ridge *ridge;
    double *work;
    double weights;
};

static int sum_terms(void *context, const double *row, double weight)
{
    struct term_sums *sums = context;

    rv_series_fill_terms(row, sums->model->count, sums->work);
    for (size_t t = 0; t < sums->model->terms; t++) {
        sums->model->term_mean[t] += weight * sums->work[t];
        sums->model->term_deviation[t] += weight * sums->work[t] * sums->work[t];
    }
    sums->weights += weight;
    return 0;
}

static int sum_products(void *context, const double *row, double weight)
{
    struct term_sums *sums = context;

    rv_series_fill_terms(row, sums->model->count, sums->work);
    for (size_t t = 0; t < sums->model->terms; t++)
        sums->work[t] = (sums->work[t] - sums->model->term_mean[t]) /
                        sums->model->term_deviation[t];
    rv_ridge_add(sums->ridge, sums->work, row, weight);
    return 0;
}

static int solve_targets(struct rv_series_model *model, const struct rv_ridge *ridge)
{
    RV_AUTO(rv_freep) size_t *left_out = malloc(model->terms * sizeof(*left_out));
    int r = left_out ? 0 : -ENOMEM;

    for (size_t j = 0; j < model->count && r == 0; j++) {
        size_t count = 0;

        if (!model->sensors[j].target)
            continue;
        for (size_t t = 0; t < model->terms; t++) {
            if (rv_series_term_of(t, j, model->count))
                left_out[count++] = t;
        }
        r = rv_ridge_solve(ridge, j, left_out, count, model->coefficients + j * model->terms);
    }
    return r;
}

static int learn_regression(struct training *training, unsigned left_out)
{
    struct rv_series_model *model = training->model;
    RV_AUTO(rv_ridge_done) struct rv_ridge ridge = { 0 };
    RV_AUTO(rv_freep) double *work = malloc((model->terms + 1) * sizeof(*work));
    struct term_sums sums = { .model = model, .ridge = &ridge, .work = work };
    int r = work ? rv_ridge_init(&ridge, model->terms, model->count) : -ENOMEM;

    if (r < 0)
        return r;
    memset(model->term_mean, 0, model->terms * sizeof(*model->term_mean));
    memset(model->term_deviation, 0, model->terms * sizeof(*model->term_deviation));
    r = visit_normal(training, left_out, sum_terms, &sums);
    if (r < 0 || sums.weights <= 0)
        return r < 0 ? r : -EINVAL;
    for (size_t t = 0; t < model->terms; t++) {
        double mean = model->term_mean[t] / sums.weights;
        double variance = model->term_deviation[t] / sums.weights - mean * mean;

        model->term_mean[t] = mean;
        model->term_deviation[t] = variance > 1e-12 ? sqrt(variance) : 1;
    }
    r = visit_normal(training, left_out, sum_products, &sums);
    if (r == 0)
        r = rv_ridge_invert(&ridge, PENALTY);
    return r < 0 ? r : solve_targets(model, &ridge);
}

/* ---- Relations: the forests ---- */

struct forest_rows {
    const struct rv_series_model *model;
    size_t target, count;
    int32_t *values;
    float *targets, *weights;
};

static int add_forest_row(void *context, const double *row, double weight)
{
    struct forest_rows *rows = context;
    size_t width = rows->model->count;

    rv_series_forest_row(row, width, rows->target, rows->values + rows->count * width);
    rows->targets[rows->count] = (float)row[rows->target];
    rows->weights[rows->count++] = (float)weight;
    return 0;
}

static size_t rows_of(const struct training *training)
{
    size_t rows = 0;

    for (size_t s = 0; s < training->count; s++)
        rows += training->spans[s].series->rows;
    return rows;
}

static int learn_forests(struct training *training, unsigned left_out)
{
    struct rv_series_model *model = training->model;
    size_t all = rows_of(training);
    RV_AUTO(rv_freep) int32_t *values = malloc((all * model->count + 1) * sizeof(*values));
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

        if (!model->sensors[j].target)
            continue;
        r = visit_normal(training, left_out, add_forest_row, &rows);
        if (r == 0) {
            const struct rv_rows view = { .width = (uint32_t)model->count,
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

/* ---- Relations: scales and calibration ---- */

static int cross_residuals(struct training *training, unsigned fold)
{
    struct rv_series_model *model = training->model;
    RV_AUTO(rv_freep) double *work = malloc((model->terms + 1) * sizeof(*work));

    if (!work)
        return -ENOMEM;
    for (size_t s = 0; s < training->count; s++) {
        struct span *span = &training->spans[s];

        for (size_t i = 0; i < span->series->rows; i++) {
            size_t at = i * model->count;

            if (fold_of(span, i) == fold)
                rv_series_residuals(model, span->rows + at, work, span->regression + at,
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

/** The value that `percent` of 100 stay below; never 0. Sorts. */
static double quantile(double *values, size_t count, unsigned percent)
{
    double found;

    if (count == 0)
        return 1;
    qsort(values, count, sizeof(*values), by_value);
    found = values[count * percent / 100 < count ? count * percent / 100 : count - 1];
    return found > 1e-6 ? found : 1e-6;
}

static int learn_scales(struct training *training)
{
    struct rv_series_model *model = training->model;
    RV_AUTO(rv_freep) double *values = malloc((rows_of(training) + 1) * sizeof(*values));

    if (!values)
        return -ENOMEM;
    for (size_t j = 0; j < model->count; j++) {
        for (int forest = 0; forest < 2; forest++) {
            size_t count = 0;

            for (size_t s = 0; s < training->count; s++) {
                const struct span *span = &training->spans[s];
                const double *residuals = forest ? span->forest : span->regression;

                for (size_t i = 0; residuals && i < span->series->rows; i++) {
                    if (is_normal(span, i))
                        values[count++] = fabs(residuals[i * model->count + j]);
                }
            }
            if (forest)
                model->sensors[j].rare_forest = quantile(values, count, 95) + 1e-4;
            else
                model->sensors[j].usual_regression = quantile(values, count, 70) + 1e-4;
        }
    }
    return 0;
}

/** Normal, and not so soon after an attack that the window still holds it. */
static bool calibrates(const struct span *span, size_t row)
{
    if (!span->calibrates || !is_normal(span, row))
        return false;
    for (size_t back = 1; back <= RECOVERY_ROWS && back <= row; back++) {
        if (span->series->label[row - back] == RV_LABEL_ATTACK)
            return false;
    }
    return true;
}

struct found {
    double *by_regression, *by_forest; /* of all rows of all spans, one after another */
    double *kept;                      /* of those that calibrate */
    size_t kept_count;
};

static void keep(const struct training *training, const double *values, struct found *found)
{
    size_t at = 0;

    found->kept_count = 0;
    for (size_t s = 0; s < training->count; s++) {
        const struct span *span = &training->spans[s];

        for (size_t i = 0; i < span->series->rows; i++, at++) {
            if (calibrates(span, i))
                found->kept[found->kept_count++] = values[at];
        }
    }
}

static int smooth_spans(struct training *training, struct found *found)
{
    size_t at = 0;
    int r = 0;

    for (size_t s = 0; s < training->count && r == 0; s++) {
        const struct span *span = &training->spans[s];

        if (span->calibrates)
            r = rv_series_smooth_relations(training->model, span->regression, span->forest,
                                           span->series->rows, found->by_regression + at,
                                           found->by_forest + at);
        at += span->series->rows;
    }
    return r;
}

static int calibrate_relations(struct training *training)
{
    struct rv_series_model *model = training->model;
    size_t all = rows_of(training), at = 0;
    RV_AUTO(rv_freep) double *values = calloc(3 * all + 1, sizeof(*values));
    struct found found = { values, values + all, values + 2 * all, 0 };
    int r = values ? smooth_spans(training, &found) : -ENOMEM;

    if (r < 0)
        return r;
    keep(training, found.by_regression, &found);
    model->middle_regression = quantile(found.kept, found.kept_count, 50);
    keep(training, found.by_forest, &found);
    model->middle_forest = quantile(found.kept, found.kept_count, 50);
    for (size_t s = 0; s < training->count; s++) {
        size_t rows = training->spans[s].series->rows;

        rv_series_hold_relations(model, found.by_regression + at, found.by_forest + at, rows,
                                 found.by_regression + at);
        at += rows;
    }
    keep(training, found.by_regression, &found);
    return rv_calibrate_scores(&model->calibration, found.kept, found.kept_count);
}

static int learn_relations(struct training *training)
{
    struct rv_series_model *model = training->model;
    int r = 0;

    model->kind = RV_SERIES_RELATIONS;
    model->terms = rv_series_terms(model->count);
    model->term_mean = calloc(model->terms, sizeof(*model->term_mean));
    model->term_deviation = calloc(model->terms, sizeof(*model->term_deviation));
    model->coefficients = calloc(model->count * model->terms, sizeof(*model->coefficients));
    if (!model->term_mean || !model->term_deviation || !model->coefficients)
        return -ENOMEM;
    for (unsigned fold = 0; fold <= ALL_FOLDS && r == 0; fold++) {
        rv_progress_report(&training->options->progress, "relations of sensors", fold,
                           ALL_FOLDS + 1);
        r = learn_regression(training, fold);
        if (r == 0)
            r = learn_forests(training, fold);
        if (r == 0 && fold < ALL_FOLDS)
            r = cross_residuals(training, fold);
    }
    rv_progress_report(&training->options->progress, "relations of sensors", 1, 1);
    if (r == 0)
        r = learn_scales(training);
    return r < 0 ? r : calibrate_relations(training);
}

/* ---- Levels ---- */

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
    return rv_series_raw(model, rows, end - first, ret_scores);
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

static size_t gather(const struct training *training, double *rows)
{
    size_t count = 0, width = training->model->count;

    for (size_t s = 0; s < training->count; s++) {
        const struct span *span = &training->spans[s];

        for (size_t i = 0; i < span->series->rows; i++) {
            if (is_normal(span, i))
                memcpy(rows + count++ * width, span->rows + i * width, width * sizeof(*rows));
        }
    }
    return count;
}

static int learn_level_model(struct training *training)
{
    struct rv_series_model *model = training->model;
    size_t all = rows_of(training), kept;
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
    return rv_calibrate_scores(&model->calibration, scores, kept);
}

/* ---- All of it ---- */

static size_t normal_rows(const struct rv_series_set *set)
{
    size_t rows = 0;

    for (size_t s = 0; set && s < set->count; s++) {
        for (size_t i = 0; i < set->items[s].rows; i++)
            rows += set->items[s].label[i] == RV_LABEL_NORMAL;
    }
    return rows;
}

static int take_spans(struct training *training, const struct rv_series_set *normal,
                      const struct rv_series_set *attack)
{
    size_t attacks = attack ? attack->count : 0;
    bool later = normal_rows(attack) >= LATER_ROWS_MIN;

    training->spans = calloc(normal->count + attacks + 1, sizeof(*training->spans));
    if (!training->spans)
        return -ENOMEM;
    for (size_t s = 0; s < normal->count; s++) {
        if (normal->items[s].rows > 0)
            training->spans[training->count++] = (struct span){
                .series = &normal->items[s], .weight = 1, .calibrates = !later
            };
    }
    for (size_t s = 0; s < attacks; s++) {
        if (attack->items[s].rows > 0)
            training->spans[training->count++] = (struct span){
                .series = &attack->items[s], .weight = LATER_WEIGHT, .calibrates = later
            };
    }
    return training->count ? 0 : -EINVAL;
}

static int learn(struct training *training, const struct rv_series_set *normal,
                 const struct rv_series_set *attack, struct rv_dataset_error *reterr)
{
    size_t rows = normal_rows(normal) + normal_rows(attack);
    int r;

    if (rows < RV_SERIES_ROWS_MIN)
        return -EINVAL;
    r = take_spans(training, normal, attack);
    if (r == 0)
        r = choose_sensors(training);
    if (r == 0)
        r = standardise(training, reterr);
    if (r < 0)
        return r;
    return rows >= RV_SERIES_ROWS_LONG && training->model->count > 1
               ? learn_relations(training)
               : learn_level_model(training);
}

int rv_series_train(struct rv_series_model **ret_model, const struct rv_series_set *normal,
                    const struct rv_series_set *attack, const struct rv_task_options *options,
                    struct rv_dataset_error *reterr)
{
    RV_AUTO(rv_series_model_free) struct rv_series_model *model = calloc(1, sizeof(*model));
    struct training training = { .options = options, .model = model };
    int r;

    if (!model)
        return -ENOMEM;
    r = learn(&training, normal, attack, reterr);
    training_done(&training);
    if (r < 0)
        return r;
    *ret_model = RV_TAKE(model);
    return 0;
}
