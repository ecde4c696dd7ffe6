/* SPDX-License-Identifier: Apache-2.0 */
/* A package with forests behind models/model.h. */
#include "models/forest_model.h"

#include "features/table.h"

#include <pthread.h>

struct forest_model {
    struct rv_model model; /* first: ops cast back */
    struct rv_forest *heads[RV_KERNEL_HEADS];
    struct rv_shap *shaps[RV_KERNEL_HEADS]; /* workspaces, under the lock */
    pthread_mutex_t lock;
};

static const char *const section_names[RV_KERNEL_HEADS] = {
    [RV_KERNEL_WINDOW] = "forest",
    [RV_KERNEL_MONOTONE] = "forest.monotone",
};

static int refuse(const char **reterr, int code, const char *why)
{
    if (reterr)
        *reterr = why;
    return code;
}

static const struct forest_model *of(const struct rv_model *model)
{
    return (const struct forest_model *)(const void *)model;
}

/* ---- Scoring ---- */

/* The head that speaks: the higher score, the window head if equal. */
static enum rv_kernel_head speaker(const struct forest_model *model, const int32_t *row,
                                   int64_t *ret_score)
{
    enum rv_kernel_head head = RV_KERNEL_WINDOW;
    int64_t monotone;

    *ret_score = rv_forest_score(model->heads[RV_KERNEL_WINDOW], row);
    if (!model->heads[RV_KERNEL_MONOTONE])
        return head;
    monotone = rv_forest_score(model->heads[RV_KERNEL_MONOTONE], row);
    if (monotone > *ret_score) {
        *ret_score = monotone;
        head = RV_KERNEL_MONOTONE;
    }
    return head;
}

static int64_t score_q16(const struct rv_model *model, const struct rv_vector *vector)
{
    int64_t score;

    (void)speaker(of(model), vector->value, &score);
    return score;
}

static void explain(const struct rv_model *model, const struct rv_vector *vector,
                    struct rv_verdict *verdict)
{
    const struct forest_model *forest_model = of(model);
    enum rv_kernel_head head = speaker(forest_model, vector->value, &verdict->raw_q16);
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&forest_model->lock;

    (void)pthread_mutex_lock(lock);
    rv_shap_explain(forest_model->shaps[head], vector->value, verdict->attribution_q16,
                    &verdict->base_q16);
    (void)pthread_mutex_unlock(lock);
}

static void model_free(struct rv_model *model)
{
    struct forest_model *forest_model = (struct forest_model *)(void *)model;

    for (size_t i = 0; i < RV_KERNEL_HEADS; i++) {
        rv_shap_free(&forest_model->shaps[i]);
        rv_forest_free(&forest_model->heads[i]);
    }
    (void)pthread_mutex_destroy(&forest_model->lock);
    free(forest_model);
}

static const struct rv_model_ops ops = {
    .kind = "forest",
    .score_q16 = score_q16,
    .explain = explain,
    .free = model_free,
};

/* ---- Opening ---- */

int rv_package_forest(const struct rv_package *package, const char *section,
                      struct rv_forest **ret_forest, const char **reterr)
{
    struct rv_span bytes = rv_package_section(package, section);

    if (!bytes.data)
        return refuse(reterr, -ENOENT, "the package holds no forest");
    return rv_forest_decode(bytes, ret_forest, reterr);
}

static int check_head(const struct rv_forest *forest, const char **reterr)
{
    if (rv_forest_spec_of(forest).width != RV_FEATURE_COUNT)
        return refuse(reterr, -EINVAL, "the forest reads rows of another width than a vector's");
    return 0;
}

static int open_heads(struct forest_model *model, const struct rv_package *package,
                      const char **reterr)
{
    for (size_t i = 0; i < RV_KERNEL_HEADS; i++) {
        int r = rv_package_forest(package, section_names[i], &model->heads[i], reterr);

        if (r == -ENOENT && i != RV_KERNEL_WINDOW)
            continue;
        if (r == 0)
            r = check_head(model->heads[i], reterr);
        if (r == 0)
            r = rv_shap_new(model->heads[i], &model->shaps[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

/* The digest of the table that the manifest names must be ours. */
static int check_table(const struct rv_package *package, struct rv_sha256 *ret_table,
                       const char **reterr)
{
    const char *named =
        json_string_value(json_object_get(rv_package_manifest(package), "feature_table"));
    char hex[RV_SHA256_HEX_LEN + 1];

    *ret_table = rv_feature_table_digest();
    rv_sha256_hex(ret_table, hex);
    if (!named || !rv_streq(named, hex))
        return refuse(reterr, -EINVAL, "the model was made for another feature table");
    return 0;
}

int rv_forest_model_open(const struct rv_package *package, struct rv_model **ret_model,
                         const char **reterr)
{
    struct forest_model *made;
    struct rv_model *model;
    int r;

    made = calloc(1, sizeof(*made));
    if (!made)
        return -ENOMEM;
    (void)pthread_mutex_init(&made->lock, NULL);
    model = &made->model;
    model->ops = &ops;
    model->digest = rv_package_digest(package);
    r = check_table(package, &model->feature_table, reterr);
    if (r == 0)
        r = open_heads(made, package, reterr);
    if (r < 0) {
        model_free(model);
        return r;
    }
    *ret_model = model;
    return 0;
}

struct rv_kernel_model rv_forest_model_heads(const struct rv_model *model)
{
    struct rv_kernel_model heads = { .digest = rv_kernel_digest(&model->digest) };

    for (size_t i = 0; i < RV_KERNEL_HEADS; i++)
        heads.heads[i] = of(model)->heads[i];
    return heads;
}

uint64_t rv_kernel_digest(const struct rv_sha256 *digest)
{
    uint64_t first = 0;

    for (size_t i = 0; i < sizeof(first); i++)
        first = first << 8 | digest->bytes[i];
    return first ? first : 1;
}

void rv_reach_rights_of_host(enum rv_reach_right rights[RV_FEATURE_COUNT])
{
    static const enum rv_reach_right of_mutability[] = {
        [RV_MUTABLE_RAISE] = RV_REACH_RAISE,
        [RV_MUTABLE_DILUTE] = RV_REACH_FREE,
        [RV_MUTABLE_FIXED] = RV_REACH_FIXED,
    };

    for (size_t i = 0; i < RV_FEATURE_COUNT; i++)
        rights[i] = of_mutability[rv_feature_info(i)->mutability];
}
