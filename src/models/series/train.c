/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Training a series model. Time is cut into blocks, and every residual that sets a scale or
 * calibrates comes from a model that did not see the block. Labelled data of the plant's later life
 * (rows marked normal beside attacks) is worth more than old data: it is learnt from with a larger
 * weight, and it alone calibrates, because plants change.
 */
#include "train_private.h"

#include <math.h>

#define LATER_WEIGHT   3.0
#define LATER_ROWS_MIN ((size_t)500) /* normal rows beside attacks, to calibrate on them alone */

static void training_done(struct rv_series_training *training)
{
    for (size_t s = 0; s < training->count; s++) {
        free(training->spans[s].rows);
        free(training->spans[s].regression);
        free(training->spans[s].forest);
    }
    free(training->spans);
}

bool rv_training_is_normal(const struct rv_span_of_series *span, size_t row)
{
    return span->series->label[row] == RV_LABEL_NORMAL;
}

size_t rv_training_rows(const struct rv_series_training *training)
{
    size_t rows = 0;

    for (size_t s = 0; s < training->count; s++)
        rows += training->spans[s].series->rows;
    return rows;
}

/* ---- Which sensors ---- */

/** Weighted mean and deviation of a sensor over normal rows. @return whether it ever moved. */
static bool measure(const struct rv_series_training *training, const char *name,
                    struct rv_sensor *sensor)
{
    double sum = 0, squares = 0, weights = 0, least = INFINITY, most = -INFINITY, variance;

    for (size_t s = 0; s < training->count; s++) {
        const struct rv_span_of_series *span = &training->spans[s];
        size_t column = rv_series_column(span->series, name);

        for (size_t i = 0; i < span->series->rows && column != SIZE_MAX; i++) {
            double value = span->series->value[i * span->series->columns + column];

            if (isnan(value) || !rv_training_is_normal(span, i))
                continue;
            sum += span->weight * value;
            squares += span->weight * value * value;
            weights += span->weight;
            least = value < least ? value : least;
            most = value > most ? value : most;
        }
    }
    if (!(weights > 0) || !(most > least)) {
        sensor->mean = least; /* infinite: never read */
        return false;
    }
    sensor->mean = sum / weights;
    variance = squares / weights - sensor->mean * sensor->mean;
    sensor->deviation = variance > 0 ? sqrt(variance) : 0;
    return sensor->deviation > 1e-9 * (fabs(sensor->mean) + 1);
}

static int choose_sensors(struct rv_series_training *training)
{
    struct rv_series_model *model = training->model;
    const struct rv_series *first = training->spans[0].series;

    model->sensors = calloc(first->columns + 1, sizeof(*model->sensors));
    model->constants = calloc(first->columns + 1, sizeof(*model->constants));
    if (!model->sensors || !model->constants)
        return -ENOMEM;
    for (size_t i = 0; i < first->columns; i++) {
        struct rv_sensor sensor = { .scale = 1 };
        bool moves = measure(training, first->column[i], &sensor);

        if (!isfinite(sensor.mean) || (moves && model->count == RV_SERIES_SENSORS))
            continue;
        sensor.name = strdup(first->column[i]);
        if (!sensor.name)
            return -ENOMEM;
        if (moves)
            model->sensors[model->count++] = sensor;
        else
            model->constants[model->constant_count++] =
                (struct rv_constant){ sensor.name, sensor.mean };
    }
    return model->count ? 0 : -EINVAL;
}

static int standardise(struct rv_series_training *training, struct rv_dataset_error *reterr)
{
    for (size_t s = 0; s < training->count; s++) {
        struct rv_span_of_series *span = &training->spans[s];
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

static bool has_attacks(const struct rv_series *series)
{
    for (size_t i = 0; i < series->rows; i++) {
        if (series->label[i] == RV_LABEL_ATTACK)
            return true;
    }
    return false;
}

/** Rows marked normal in series that also hold attacks. */
static size_t later_rows(const struct rv_series_training *training)
{
    size_t rows = 0;

    for (size_t s = 0; s < training->count; s++) {
        const struct rv_span_of_series *span = &training->spans[s];

        for (size_t i = 0; span->later && i < span->series->rows; i++)
            rows += rv_training_is_normal(span, i);
    }
    return rows;
}

static int take_spans(struct rv_series_training *training, const struct rv_series_set *normal,
                      const struct rv_series_set *attack)
{
    const struct rv_series_set *sets[] = { normal, attack };
    size_t all = normal->count + (attack ? attack->count : 0);
    bool only_later;

    training->spans = calloc(all + 1, sizeof(*training->spans));
    if (!training->spans)
        return -ENOMEM;
    for (size_t k = 0; k < RV_COUNT(sets); k++) {
        for (size_t s = 0; sets[k] && s < sets[k]->count; s++) {
            const struct rv_series *series = &sets[k]->items[s];
            bool later = k == 1 || has_attacks(series);

            if (series->rows > 0)
                training->spans[training->count++] = (struct rv_span_of_series){
                    .series = series, .weight = later ? LATER_WEIGHT : 1, .later = later
                };
        }
    }
    only_later = later_rows(training) >= LATER_ROWS_MIN;
    for (size_t s = 0; s < training->count; s++)
        training->spans[s].calibrates = training->spans[s].later == only_later;
    return training->count ? 0 : -EINVAL;
}

static int learn(struct rv_series_training *training, const struct rv_series_set *normal,
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
               ? rv_series_learn_relations(training)
               : rv_series_learn_levels(training);
}

int rv_series_train(struct rv_series_model **ret_model, const struct rv_series_set *normal,
                    const struct rv_series_set *attack, const struct rv_task_options *options,
                    struct rv_dataset_error *reterr)
{
    RV_AUTO(rv_series_model_free) struct rv_series_model *model = calloc(1, sizeof(*model));
    struct rv_series_training training = { .options = options, .model = model };
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
