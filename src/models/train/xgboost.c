/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Training through libxgboost, loaded when asked for: programs that only score need not carry it.
 * The prototypes are those of its stable C API (xgboost/c_api.h, 1.3 and later). One thread, so
 * that sums keep one order and the same seed gives the same forest.
 */
#include "train_private.h"

#include "base/bytes.h"
#include "models/import.h"

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>

#define LIBRARY "libxgboost.so.0"

struct api {
    void *library;
    int (*matrix_new)(const float *data, uint64_t rows, uint64_t columns, float missing,
                      void **ret_matrix);
    int (*matrix_set)(void *matrix, const char *field, const float *values, uint64_t count);
    int (*matrix_free)(void *matrix);
    int (*booster_new)(void *const *matrices, uint64_t count, void **ret_booster);
    int (*booster_set)(void *booster, const char *name, const char *value);
    int (*booster_update)(void *booster, int round, void *matrix);
    int (*booster_save)(void *booster, const char *config, uint64_t *ret_len,
                        const char **ret_json);
    int (*booster_free)(void *booster);
};

struct session {
    struct api api;
    void *matrix, *booster;
};

static void session_done(struct session *session)
{
    if (session->booster)
        (void)session->api.booster_free(session->booster);
    if (session->matrix)
        (void)session->api.matrix_free(session->matrix);
    /* The library stays loaded: its OpenMP runtime does not survive being unloaded. */
}

static int load(struct api *api)
{
    struct {
        void *slot;
        const char *name;
    } const symbols[] = {
        { &api->matrix_new, "XGDMatrixCreateFromMat" },
        { &api->matrix_set, "XGDMatrixSetFloatInfo" },
        { &api->matrix_free, "XGDMatrixFree" },
        { &api->booster_new, "XGBoosterCreate" },
        { &api->booster_set, "XGBoosterSetParam" },
        { &api->booster_update, "XGBoosterUpdateOneIter" },
        { &api->booster_save, "XGBoosterSaveModelToBuffer" },
        { &api->booster_free, "XGBoosterFree" },
    };

    api->library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!api->library)
        return -EOPNOTSUPP;
    for (size_t i = 0; i < RV_COUNT(symbols); i++) {
        void *symbol = dlsym(api->library, symbols[i].name);

        if (!symbol)
            return -EOPNOTSUPP;
        memcpy(symbols[i].slot, &symbol, sizeof(symbol));
    }
    return 0;
}

bool train_xgboost_exists(void)
{
    struct api api;

    return load(&api) == 0;
}

static int set_number(struct session *session, const char *name, double value)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "%.17g", value);
    return session->api.booster_set(session->booster, name, text) == 0 ? 0 : -EINVAL;
}

static int set_monotone(struct session *session, const int8_t *monotone, uint32_t width)
{
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };

    if (!monotone)
        return 0;
    rv_buf_add_char(&buf, '(');
    for (uint32_t f = 0; f < width; f++)
        rv_buf_addf(&buf, "%s%d", f ? "," : "", monotone[f]);
    rv_buf_add_char(&buf, ')');
    if (buf.failed)
        return -ENOMEM;
    return session->api.booster_set(session->booster, "monotone_constraints", buf.data) == 0
               ? 0
               : -EINVAL;
}

static int set_options(struct session *session, const struct rv_train_options *options,
                       uint32_t width)
{
    const struct {
        const char *name;
        double value;
    } numbers[] = {
        { "nthread", 1 },
        { "verbosity", 0 },
        { "max_depth", options->depth },
        { "max_bin", options->bins },
        { "eta", options->eta },
        { "lambda", options->lambda },
        { "gamma", options->gamma },
        { "min_child_weight", options->child_weight_min },
        { "subsample", options->subsample },
        { "colsample_bytree", options->colsample },
        { "seed", (double)(options->seed & 0x7fffffff) },
    };

    for (size_t i = 0; i < RV_COUNT(numbers); i++) {
        if (set_number(session, numbers[i].name, numbers[i].value) < 0)
            return -EINVAL;
    }
    if (session->api.booster_set(session->booster, "tree_method", "hist") != 0 ||
        session->api.booster_set(session->booster, "objective",
                                 options->loss == RV_TRAIN_LOGISTIC ? "binary:logistic"
                                                                    : "reg:squarederror") != 0)
        return -EINVAL;
    return set_monotone(session, options->monotone, width);
}

static int make_matrix(struct session *session, const struct rv_rows *rows)
{
    size_t cells = rows->count * rows->width;
    RV_AUTO(rv_freep) float *values = calloc(cells, sizeof(*values));

    if (!values)
        return -ENOMEM;
    for (size_t i = 0; i < cells; i++)
        values[i] = (float)rows->values[i];
    if (session->api.matrix_new(values, rows->count, rows->width, NAN, &session->matrix) != 0 ||
        session->api.matrix_set(session->matrix, "label", rows->targets, rows->count) != 0)
        return -EINVAL;
    if (rows->weights &&
        session->api.matrix_set(session->matrix, "weight", rows->weights, rows->count) != 0)
        return -EINVAL;
    return session->api.booster_new(&session->matrix, 1, &session->booster) == 0 ? 0 : -EINVAL;
}

static int update(struct session *session, const struct rv_train_options *options)
{
    for (uint32_t tree = 0; tree < options->trees; tree++) {
        if (session->api.booster_update(session->booster, (int)tree, session->matrix) != 0)
            return -EINVAL;
        if (options->progress && options->progress(options->user, tree + 1, options->trees))
            break;
    }
    return 0;
}

static int take_forest(struct session *session, uint32_t width, struct rv_forest **ret_forest,
                       const char **reterr)
{
    RV_AUTO(rv_source_forest_free) struct rv_source_forest *source = NULL;
    struct rv_import_error error;
    const char *json;
    uint64_t len;
    int r;

    if (session->api.booster_save(session->booster, "{\"format\": \"json\"}", &len, &json) != 0)
        return train_refuse(reterr, -EINVAL, "libxgboost did not hand over its model");
    r = rv_import_xgboost(rv_span(json, len), &source, &error);
    if (r == 0 && source->width != width)
        r = -EINVAL;
    if (r == 0)
        r = rv_source_convert(source, ret_forest, &error);
    if (r == -EINVAL)
        return train_refuse(reterr, r, "libxgboost's model has no integer form");
    return r;
}

int train_xgboost(const struct rv_rows *rows, const struct rv_train_options *options,
                  struct rv_forest **ret_forest, const char **reterr)
{
    RV_AUTO(session_done) struct session session = { 0 };
    int r = load(&session.api);

    if (r < 0)
        return train_refuse(reterr, r, LIBRARY " is not installed (Debian: libxgboost0)");
    r = make_matrix(&session, rows);
    if (r == 0)
        r = set_options(&session, options, rows->width);
    if (r == 0)
        r = update(&session, options);
    if (r == -EINVAL)
        return train_refuse(reterr, r, "libxgboost refused the data or the options");
    if (r < 0)
        return r;
    return take_forest(&session, rows->width, ret_forest, reterr);
}
