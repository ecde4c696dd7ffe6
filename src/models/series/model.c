/* SPDX-License-Identifier: Apache-2.0 */
#include "model_private.h"

#include <math.h>
#include <stdio.h>

#define FORMAT             1U
#define CLIP               4.0 /* deviations: beyond that a quadratic says nothing */
#define LEVEL_WINDOW       20U /* rows */
#define LEVEL_CAP          60.0
#define LEVEL_NEXT         0.3
#define LEVEL_HOLD         0.95 /* of the score stays from row to row */
#define REGRESSION_WINDOW  6U
#define FOREST_WINDOW      12U
#define RELATION_HOLD      0.3 /* the log score may fall by this from row to row */
#define FOREST_WEIGHT      2.0
#define EXCESS_CAP         10.0

void rv_series_model_free(struct rv_series_model **model)
{
    if (!*model)
        return;
    for (size_t i = 0; (*model)->sensors && i < (*model)->count; i++) {
        free((*model)->sensors[i].name);
        rv_forest_free(&(*model)->sensors[i].forest);
    }
    free((*model)->sensors);
    free((*model)->term_mean);
    free((*model)->term_deviation);
    free((*model)->coefficients);
    rv_calibration_free(&(*model)->calibration);
    free(*model);
    *model = NULL;
}

/* ---- Readings ---- */

static size_t column_named(const struct rv_series *series, const char *name)
{
    for (size_t i = 0; i < series->columns; i++) {
        if (rv_streq(series->column[i], name))
            return i;
    }
    return SIZE_MAX;
}

int rv_series_standardise(const struct rv_series_model *model, const struct rv_series *series,
                          double **ret_rows, struct rv_dataset_error *reterr)
{
    size_t n = model->count;
    RV_AUTO(rv_freep) double *rows = calloc(series->rows * n + 1, sizeof(*rows));

    if (!rows)
        return -ENOMEM;
    for (size_t j = 0; j < n; j++) {
        const struct rv_sensor *sensor = &model->sensors[j];
        size_t column = column_named(series, sensor->name);
        double last = 0;

        if (column == SIZE_MAX) {
            if (reterr) {
                *reterr = (struct rv_dataset_error){ 0 };
                (void)snprintf(reterr->message, sizeof(reterr->message),
                               "no column '%.60s', which the model was trained on", sensor->name);
            }
            return -EINVAL;
        }
        for (size_t i = 0; i < series->rows; i++) {
            double value = series->value[i * series->columns + column];

            if (!isnan(value))
                last = (value - sensor->mean) / sensor->deviation;
            rows[i * n + j] = last;
        }
    }
    *ret_rows = RV_TAKE(rows);
    return 0;
}

/* ---- Relations ---- */

size_t rv_series_terms(size_t sensors)
{
    return sensors + sensors * (sensors + 1) / 2;
}

static double clipped(double value)
{
    return value > CLIP ? CLIP : value < -CLIP ? -CLIP : value;
}

void rv_series_fill_terms(const double *row, size_t sensors, double *terms)
{
    size_t at = sensors;

    for (size_t i = 0; i < sensors; i++)
        terms[i] = clipped(row[i]);
    for (size_t i = 0; i < sensors; i++) {
        for (size_t k = i; k < sensors; k++)
            terms[at++] = terms[i] * terms[k];
    }
}

bool rv_series_term_of(size_t term, size_t sensor, size_t sensors)
{
    size_t first = 0, in_row;

    if (term < sensors)
        return term == sensor;
    in_row = term - sensors;
    while (in_row >= sensors - first)
        in_row -= sensors - first++;
    return first == sensor || first + in_row == sensor;
}

void rv_series_forest_row(const double *row, size_t sensors, size_t target, int32_t *ret_row)
{
    for (size_t i = 0; i < sensors; i++) {
        double milli = row[i] * 1000;

        ret_row[i] = i == target ? 0
                     : milli > 1e6 ? 1000000
                     : milli < -1e6 ? -1000000
                                    : (int32_t)lround(milli);
    }
}

/** `work`: rv_series_terms() doubles. */
void rv_series_residuals(const struct rv_series_model *model, const double *row, double *work,
                         double *ret_regression, double *ret_forest)
{
    size_t n = model->count;
    int32_t cells[RV_SERIES_SENSORS];

    rv_series_fill_terms(row, n, work);
    for (size_t t = 0; t < model->terms; t++)
        work[t] = (work[t] - model->term_mean[t]) / model->term_deviation[t];
    for (size_t j = 0; j < n; j++) {
        const double *coefficients = model->coefficients + j * model->terms;
        double expected = 0;

        ret_regression[j] = ret_forest[j] = 0;
        if (!model->sensors[j].target)
            continue;
        for (size_t t = 0; t < model->terms; t++)
            expected += coefficients[t] * work[t];
        ret_regression[j] = row[j] - expected;
        rv_series_forest_row(row, n, j, cells);
        ret_forest[j] =
            row[j] - (double)rv_forest_score(model->sensors[j].forest, cells) / 65536;
    }
}

/** Both scores of one row's residuals: sums over sensors of what goes beyond the usual. */
static void relation_scores(const struct rv_series_model *model, const double *regression,
                            const double *forest, double *ret_regression, double *ret_forest)
{
    double by_regression = 0, by_forest = 0;

    for (size_t j = 0; j < model->count; j++) {
        const struct rv_sensor *sensor = &model->sensors[j];
        double unit, excess;

        if (!sensor->target)
            continue;
        unit = regression[j] / sensor->usual_regression;
        excess = fabs(forest[j]) / sensor->rare_forest - 1;
        by_regression += log1p(unit * unit);
        by_forest += excess < 0 ? 0 : excess > EXCESS_CAP ? EXCESS_CAP : excess;
    }
    *ret_regression = by_regression;
    *ret_forest = by_forest;
}

/** Mean of the last `window` values, in place. */
static int smooth(double *values, size_t count, size_t window)
{
    RV_AUTO(rv_freep) double *plain = malloc((count + 1) * sizeof(*plain));
    double sum = 0;

    if (!plain)
        return -ENOMEM;
    memcpy(plain, values, count * sizeof(*plain));
    for (size_t i = 0; i < count; i++) {
        size_t used = i + 1 < window ? i + 1 : window;

        sum += plain[i] - (i >= window ? plain[i - window] : 0);
        values[i] = sum / (double)used;
    }
    return 0;
}

static double log_ratio(double score, double middle)
{
    return log((score + 1e-3) / (middle + 1e-3));
}

int rv_series_smooth_relations(const struct rv_series_model *model, const double *regression,
                               const double *forest, size_t count, double *ret_regression,
                               double *ret_forest)
{
    int r;

    for (size_t i = 0; i < count; i++)
        relation_scores(model, regression + i * model->count, forest + i * model->count,
                        &ret_regression[i], &ret_forest[i]);
    r = smooth(ret_regression, count, REGRESSION_WINDOW);
    return r < 0 ? r : smooth(ret_forest, count, FOREST_WINDOW);
}

void rv_series_hold_relations(const struct rv_series_model *model, const double *by_regression,
                              const double *by_forest, size_t count, double *ret_raw)
{
    double held = -INFINITY;

    for (size_t i = 0; i < count; i++) {
        double score = log_ratio(by_regression[i], model->middle_regression) +
                       FOREST_WEIGHT * log_ratio(by_forest[i], model->middle_forest);

        held = score > held - RELATION_HOLD ? score : held - RELATION_HOLD;
        ret_raw[i] = held;
    }
}

static int relations_raw(const struct rv_series_model *model, const double *rows, size_t count,
                         double *ret_raw)
{
    size_t cells = count * model->count;
    RV_AUTO(rv_freep) double *residuals = malloc((2 * cells + 1) * sizeof(*residuals));
    RV_AUTO(rv_freep) double *forest = malloc((count + 1) * sizeof(*forest));
    RV_AUTO(rv_freep) double *work = malloc((model->terms + 1) * sizeof(*work));
    int r;

    if (!residuals || !forest || !work)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        rv_series_residuals(model, rows + i * model->count, work, residuals + i * model->count,
                            residuals + cells + i * model->count);
    r = rv_series_smooth_relations(model, residuals, residuals + cells, count, ret_raw, forest);
    if (r == 0)
        rv_series_hold_relations(model, ret_raw, forest, count, ret_raw);
    return r;
}

/* ---- Levels ---- */

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

static int levels_raw(const struct rv_series_model *model, const double *rows, size_t count,
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

int rv_series_raw(const struct rv_series_model *model, const double *rows, size_t count,
                  double *ret_raw)
{
    return model->kind == RV_SERIES_RELATIONS ? relations_raw(model, rows, count, ret_raw)
                                              : levels_raw(model, rows, count, ret_raw);
}

int rv_series_score(const struct rv_series_model *model, const struct rv_series *series,
                    struct rv_score *scores, struct rv_dataset_error *reterr)
{
    RV_AUTO(rv_freep) double *rows = NULL;
    RV_AUTO(rv_freep) double *raw = malloc((series->rows + 1) * sizeof(*raw));
    int r;

    if (!raw)
        return -ENOMEM;
    r = rv_series_standardise(model, series, &rows, reterr);
    if (r == 0)
        r = rv_series_raw(model, rows, series->rows, raw);
    for (size_t i = 0; i < series->rows && r == 0; i++) {
        scores[i].raw = raw[i];
        scores[i].risk = rv_calibration_risk(model->calibration, 0, rv_score_q16(raw[i]));
    }
    return r;
}

/* ---- Reasons ---- */

/** A sensor's part of a row's score, and what was expected of it. */
static double part_of(const struct rv_series_model *model, const double *row, size_t sensor,
                      double *work, double *ret_expected)
{
    double regression[RV_SERIES_SENSORS], forest[RV_SERIES_SENSORS], unit, excess;
    const struct rv_sensor *self = &model->sensors[sensor];

    if (model->kind == RV_SERIES_LEVELS) {
        unit = row[sensor] * self->deviation / self->scale;
        *ret_expected = self->mean;
        return unit * unit < LEVEL_CAP ? unit * unit : LEVEL_CAP;
    }
    if (!self->target) {
        *ret_expected = self->mean + row[sensor] * self->deviation;
        return 0;
    }
    rv_series_residuals(model, row, work, regression, forest);
    unit = regression[sensor] / self->usual_regression;
    excess = fabs(forest[sensor]) / self->rare_forest - 1;
    *ret_expected = self->mean + (row[sensor] - regression[sensor]) * self->deviation;
    return log1p(unit * unit) + (excess > 0 ? excess < EXCESS_CAP ? excess : EXCESS_CAP : 0);
}

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

size_t rv_series_explain(const struct rv_series_model *model, const struct rv_series *series,
                         size_t row, struct rv_series_reason *reasons, size_t room)
{
    RV_AUTO(rv_freep) double *rows = NULL;
    RV_AUTO(rv_freep) double *work = malloc((model->terms + 1) * sizeof(*work));
    double sum = 0;
    size_t used = 0;

    if (!work || row >= series->rows || rv_series_standardise(model, series, &rows, NULL) < 0)
        return 0;
    for (size_t j = 0; j < model->count; j++) {
        const double *at = rows + row * model->count;
        struct rv_series_reason reason = { .column = column_named(series, model->sensors[j].name) };

        reason.share = part_of(model, at, j, work, &reason.expected);
        reason.seen = model->sensors[j].mean + at[j] * model->sensors[j].deviation;
        sum += reason.share;
        used = insert_reason(reasons, used, room, &reason);
    }
    for (size_t i = 0; i < used && sum > 0; i++)
        reasons[i].share /= sum;
    return used;
}

/* ---- Bytes ---- */

static void save_sensor(const struct rv_series_model *model, const struct rv_sensor *sensor,
                        struct rv_buf *into)
{
    RV_AUTO(rv_buf_done) struct rv_buf part = { 0 };

    rv_buf_add_str(&part, sensor->name);
    rv_part_add(into, &part);
    rv_buf_add_double(into, sensor->mean);
    rv_buf_add_double(into, sensor->deviation);
    rv_buf_add_double(into, sensor->scale);
    rv_buf_add_char(into, sensor->target ? 1 : 0);
    if (model->kind != RV_SERIES_RELATIONS || !sensor->target)
        return;
    rv_buf_add_double(into, sensor->usual_regression);
    rv_buf_add_double(into, sensor->rare_forest);
    rv_buf_clear(&part);
    rv_forest_encode(sensor->forest, &part);
    rv_part_add(into, &part);
}

static void save_doubles(const double *values, size_t count, struct rv_buf *into)
{
    for (size_t i = 0; i < count; i++)
        rv_buf_add_double(into, values[i]);
}

int rv_series_save(const struct rv_series_model *model, struct rv_buf *into)
{
    RV_AUTO(rv_buf_done) struct rv_buf part = { 0 };

    rv_buf_add_le32(into, FORMAT);
    rv_buf_add_char(into, (char)model->kind);
    rv_buf_add_le32(into, (uint32_t)model->count);
    for (size_t j = 0; j < model->count; j++)
        save_sensor(model, &model->sensors[j], into);
    rv_calibration_save(model->calibration, &part);
    rv_part_add(into, &part);
    if (model->kind == RV_SERIES_RELATIONS) {
        rv_buf_add_double(into, model->middle_regression);
        rv_buf_add_double(into, model->middle_forest);
        save_doubles(model->term_mean, model->terms, into);
        save_doubles(model->term_deviation, model->terms, into);
        save_doubles(model->coefficients, model->count * model->terms, into);
    }
    return into->failed ? -ENOMEM : 0;
}

static bool positive(double value)
{
    return isfinite(value) && value > 0;
}

static int load_sensor(const struct rv_series_model *model, struct rv_sensor *sensor,
                       struct rv_reader *reader)
{
    struct rv_span name = rv_part_read(reader);
    uint8_t target;
    int r;

    sensor->mean = rv_read_double(reader);
    sensor->deviation = rv_read_double(reader);
    sensor->scale = rv_read_double(reader);
    target = rv_read_u8(reader);
    if (reader->failed || memchr(name.len ? name.data : (const uint8_t *)"", 0, name.len) ||
        !isfinite(sensor->mean) || !positive(sensor->deviation) || !positive(sensor->scale) ||
        target > 1)
        return -EBADMSG;
    sensor->target = target;
    sensor->name = strndup(name.len ? (const char *)name.data : "", name.len);
    if (!sensor->name)
        return -ENOMEM;
    if (model->kind != RV_SERIES_RELATIONS || !target)
        return 0;
    sensor->usual_regression = rv_read_double(reader);
    sensor->rare_forest = rv_read_double(reader);
    r = rv_forest_decode(rv_part_read(reader), &sensor->forest, NULL);
    if (r < 0)
        return r == -ENOMEM ? r : -EBADMSG;
    return positive(sensor->usual_regression) && positive(sensor->rare_forest) &&
                   rv_forest_spec_of(sensor->forest).width == model->count
               ? 0
               : -EBADMSG;
}

static int load_doubles(double **ret_values, size_t count, bool all_positive,
                        struct rv_reader *reader)
{
    if (count > reader->rest.len / sizeof(double))
        return -EBADMSG;
    *ret_values = malloc((count + 1) * sizeof(**ret_values));
    if (!*ret_values)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        (*ret_values)[i] = rv_read_double(reader);
        if (!isfinite((*ret_values)[i]) || (all_positive && (*ret_values)[i] <= 0))
            return -EBADMSG;
    }
    return 0;
}

static int load_relations(struct rv_series_model *model, struct rv_reader *reader)
{
    int r;

    model->terms = rv_series_terms(model->count);
    model->middle_regression = rv_read_double(reader);
    model->middle_forest = rv_read_double(reader);
    if (reader->failed || !(model->middle_regression >= 0) || !(model->middle_forest >= 0))
        return -EBADMSG;
    r = load_doubles(&model->term_mean, model->terms, false, reader);
    if (r == 0)
        r = load_doubles(&model->term_deviation, model->terms, true, reader);
    if (r == 0)
        r = load_doubles(&model->coefficients, model->count * model->terms, false, reader);
    return r;
}

int rv_series_load(struct rv_series_model **ret_model, struct rv_span bytes)
{
    RV_AUTO(rv_series_model_free) struct rv_series_model *model = calloc(1, sizeof(*model));
    struct rv_reader reader = rv_reader(bytes);
    uint32_t format = rv_read_le32(&reader), count;
    uint8_t kind = rv_read_u8(&reader);
    int r = 0;

    if (!model)
        return -ENOMEM;
    count = rv_read_le32(&reader);
    if (reader.failed || format != FORMAT || kind > RV_SERIES_RELATIONS || count == 0 ||
        count > RV_SERIES_SENSORS)
        return -EBADMSG;
    model->kind = (enum rv_series_kind)kind;
    model->count = count;
    model->sensors = calloc(count, sizeof(*model->sensors));
    if (!model->sensors)
        return -ENOMEM;
    for (size_t j = 0; j < count && r == 0; j++)
        r = load_sensor(model, &model->sensors[j], &reader);
    if (r == 0)
        r = rv_calibration_load(&model->calibration, rv_part_read(&reader), NULL);
    if (r == 0 && model->kind == RV_SERIES_RELATIONS)
        r = load_relations(model, &reader);
    if (r < 0)
        return r == -ENOMEM ? r : -EBADMSG;
    if (reader.failed || reader.rest.len != 0)
        return -EBADMSG;
    *ret_model = RV_TAKE(model);
    return 0;
}
