/* SPDX-License-Identifier: Apache-2.0 */
#include "model_private.h"

#include <math.h>
#include <stdio.h>

#define FORMAT        3U
#define CONSTANTS_MAX 4096U
#define MOVES         1e-3 /* of a constant, or of 1: what is less is noise of its encoding */

void rv_series_model_free(struct rv_series_model **model)
{
    if (!*model)
        return;
    for (size_t i = 0; (*model)->sensors && i < (*model)->count; i++) {
        free((*model)->sensors[i].name);
        rv_forest_free(&(*model)->sensors[i].forest);
    }
    for (size_t i = 0; (*model)->constants && i < (*model)->constant_count; i++)
        free((*model)->constants[i].name);
    free((*model)->sensors);
    free((*model)->constants);
    free((*model)->term_mean);
    free((*model)->term_deviation);
    free((*model)->coefficients);
    rv_calibration_free(&(*model)->calibration);
    free(*model);
    *model = NULL;
}

/* ---- Readings ---- */

size_t rv_series_column(const struct rv_series *series, const char *name)
{
    for (size_t i = 0; i < series->columns; i++) {
        if (rv_streq(series->column[i], name))
            return i;
    }
    return SIZE_MAX;
}

static int refuse_column(const char *name, struct rv_dataset_error *reterr)
{
    if (reterr) {
        *reterr = (struct rv_dataset_error){ 0 };
        (void)snprintf(reterr->message, sizeof(reterr->message),
                       "no column '%.60s', which the model was trained on", name);
    }
    return -EINVAL;
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
        size_t column = rv_series_column(series, sensor->name);
        double last = 0;

        if (column == SIZE_MAX)
            return refuse_column(sensor->name, reterr);
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

bool rv_constant_moved(const struct rv_constant *constant, double value)
{
    double size = fabs(constant->value);

    return fabs(value - constant->value) > MOVES * (size > 1 ? size : 1); /* NaN did not */
}

int rv_series_moved(const struct rv_series_model *model, const struct rv_series *series,
                    uint32_t **ret_moved, struct rv_dataset_error *reterr)
{
    RV_AUTO(rv_freep) uint32_t *moved = calloc(series->rows + 1, sizeof(*moved));

    if (!moved)
        return -ENOMEM;
    for (size_t c = 0; c < model->constant_count; c++) {
        size_t column = rv_series_column(series, model->constants[c].name);

        if (column == SIZE_MAX)
            return refuse_column(model->constants[c].name, reterr);
        for (size_t i = 0; i < series->rows; i++)
            moved[i] += rv_constant_moved(&model->constants[c],
                                          series->value[i * series->columns + column]);
    }
    *ret_moved = RV_TAKE(moved);
    return 0;
}

int rv_series_score(const struct rv_series_model *model, const struct rv_series *series,
                    struct rv_score *scores, struct rv_dataset_error *reterr)
{
    RV_AUTO(rv_freep) double *rows = NULL;
    RV_AUTO(rv_freep) uint32_t *moved = NULL;
    RV_AUTO(rv_freep) double *raw = malloc((series->rows + 1) * sizeof(*raw));
    int r;

    if (!raw)
        return -ENOMEM;
    r = rv_series_standardise(model, series, &rows, reterr);
    if (r == 0)
        r = rv_series_moved(model, series, &moved, reterr);
    if (r == 0 && model->kind == RV_SERIES_RELATIONS) {
        const struct rv_series_rows view = { rows, moved, series->rows };

        r = rv_series_relations_raw(model, &view, raw);
    } else if (r == 0) {
        r = rv_series_levels_raw(model, rows, series->rows, raw);
    }
    for (size_t i = 0; i < series->rows && r == 0; i++) {
        scores[i].raw = raw[i];
        scores[i].risk = rv_calibration_risk(model->calibration, 0, rv_score_q16(raw[i]));
    }
    return r;
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
    if (model->kind != RV_SERIES_RELATIONS)
        return;
    rv_buf_add_double(into, sensor->usual_regression);
    rv_buf_add_double(into, sensor->rare_forest);
    rv_buf_add_le32(into, sensor->repeats);
    rv_buf_clear(&part);
    rv_forest_encode(sensor->forest, &part);
    rv_part_add(into, &part);
}

static void save_doubles(const double *values, size_t count, struct rv_buf *into)
{
    for (size_t i = 0; i < count; i++)
        rv_buf_add_double(into, values[i]);
}

static void save_constants(const struct rv_series_model *model, struct rv_buf *into)
{
    RV_AUTO(rv_buf_done) struct rv_buf part = { 0 };

    rv_buf_add_le32(into, (uint32_t)model->constant_count);
    for (size_t c = 0; c < model->constant_count; c++) {
        rv_buf_clear(&part);
        rv_buf_add_str(&part, model->constants[c].name);
        rv_part_add(into, &part);
        rv_buf_add_double(into, model->constants[c].value);
    }
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
        rv_buf_add_double(into, model->quiet);
        save_constants(model, into);
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

static bool is_repeats(uint32_t changes)
{
    return changes == RV_REPEATS_NEVER ||
           (changes >= RV_REPEATS_LEAST && changes <= RV_REPEATS_MOST);
}

static int load_name(char **ret_name, struct rv_reader *reader)
{
    struct rv_span name = rv_part_read(reader);

    if (reader->failed || (name.len > 0 && memchr(name.data, 0, name.len)))
        return -EBADMSG;
    *ret_name = strndup(name.len ? (const char *)name.data : "", name.len);
    return *ret_name ? 0 : -ENOMEM;
}

static int load_sensor(const struct rv_series_model *model, struct rv_sensor *sensor,
                       struct rv_reader *reader)
{
    int r = load_name(&sensor->name, reader);

    if (r < 0)
        return r;
    sensor->mean = rv_read_double(reader);
    sensor->deviation = rv_read_double(reader);
    sensor->scale = rv_read_double(reader);
    if (reader->failed || !isfinite(sensor->mean) || !positive(sensor->deviation) ||
        !positive(sensor->scale))
        return -EBADMSG;
    if (model->kind != RV_SERIES_RELATIONS)
        return 0;
    sensor->usual_regression = rv_read_double(reader);
    sensor->rare_forest = rv_read_double(reader);
    sensor->repeats = rv_read_le32(reader);
    r = rv_forest_decode(rv_part_read(reader), &sensor->forest, NULL);
    if (r < 0)
        return r == -ENOMEM ? r : -EBADMSG;
    return positive(sensor->usual_regression) && positive(sensor->rare_forest) &&
                   is_repeats(sensor->repeats) &&
                   rv_forest_spec_of(sensor->forest).width == 2 * model->count
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

static int load_constants(struct rv_series_model *model, struct rv_reader *reader)
{
    size_t count = rv_read_le32(reader);
    int r = 0;

    if (reader->failed || count > CONSTANTS_MAX)
        return -EBADMSG;
    model->constants = calloc(count + 1, sizeof(*model->constants));
    if (!model->constants)
        return -ENOMEM;
    for (size_t c = 0; c < count && r == 0; c++) {
        r = load_name(&model->constants[c].name, reader);
        model->constant_count = c + 1;
        model->constants[c].value = rv_read_double(reader);
        if (r == 0 && (reader->failed || !isfinite(model->constants[c].value)))
            r = -EBADMSG;
    }
    return r;
}

static int load_relations(struct rv_series_model *model, struct rv_reader *reader)
{
    int r;

    model->terms = rv_series_terms(model->count);
    model->quiet = rv_read_double(reader);
    if (reader->failed || !isfinite(model->quiet))
        return -EBADMSG;
    r = load_constants(model, reader);
    if (r == 0)
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
