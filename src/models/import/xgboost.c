/* SPDX-License-Identifier: Apache-2.0 */
/*
 * XGBoost's JSON model. Numbers that describe the model are strings there ("num_feature": "64");
 * trees are parallel arrays. A node is a leaf when its left child is -1; its value is then in
 * split_conditions. Fields of later versions that do not change scores are ignored.
 */
#include "import_private.h"

#include "base/json.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

struct arrays {
    const json_t *left, *right, *feature, *value, *cover, *kind;
    size_t count;
};

static const json_t *find(const json_t *object, const char *const *path)
{
    for (; *path && object; path++)
        object = json_object_get(object, *path);
    return object;
}

/* A number that may be written as a string, or as a string holding a list of one ("[5E-1]"). */
static bool read_number(const json_t *value, double *ret_number)
{
    const char *text = json_string_value(value);
    char *end;

    if (json_is_number(value)) {
        *ret_number = json_number_value(value);
        return isfinite(*ret_number);
    }
    if (!text)
        return false;
    if (*text == '[')
        text++;
    errno = 0;
    *ret_number = strtod(text, &end);
    if (*end == ']')
        end++;
    return end != text && *end == '\0' && isfinite(*ret_number);
}

static bool read_index(const json_t *array, size_t at, int64_t *ret_index)
{
    const json_t *value = json_array_get(array, at);

    *ret_index = json_integer_value(value);
    return json_is_integer(value) && *ret_index >= -1 && *ret_index <= INT32_MAX;
}

static int read_node(const struct arrays *arrays, size_t at, struct rv_source_node *node,
                     struct rv_import_error *reterr)
{
    int64_t left, right, feature, kind = 0;
    double value, cover;

    if (!read_index(arrays->left, at, &left) || !read_index(arrays->right, at, &right) ||
        !read_index(arrays->feature, at, &feature) ||
        !read_number(json_array_get(arrays->value, at), &value) ||
        !read_number(json_array_get(arrays->cover, at), &cover) ||
        (arrays->kind && !read_index(arrays->kind, at, &kind)))
        return import_refuse(reterr, -EINVAL, "node %zu of a tree is malformed", at);
    if (kind != 0)
        return import_refuse(reterr, -EOPNOTSUPP,
                             "the model splits on categories; only numeric splits can be imported");
    node->value = (double)(float)value; /* as XGBoost reads it */
    node->cover = cover > 0 ? (float)cover : 0.0F;
    if (left == -1)
        return 0; /* a leaf, as calloc'd */
    if (right < 0 || feature < 0)
        return import_refuse(reterr, -EINVAL, "node %zu of a tree is malformed", at);
    node->mode = RV_SPLIT_LT;
    node->feature = (uint32_t)feature;
    node->left = (uint32_t)left;
    node->right = (uint32_t)right;
    return 0;
}

static int read_tree(const json_t *object, struct rv_source_tree *tree,
                     struct rv_import_error *reterr)
{
    struct arrays arrays = {
        .left = json_object_get(object, "left_children"),
        .right = json_object_get(object, "right_children"),
        .feature = json_object_get(object, "split_indices"),
        .value = json_object_get(object, "split_conditions"),
        .cover = json_object_get(object, "sum_hessian"),
        .kind = json_object_get(object, "split_type"),
    };

    arrays.count = json_array_size(arrays.left);
    if (arrays.count == 0 || arrays.count > RV_FOREST_NODES_MAX ||
        json_array_size(arrays.right) != arrays.count ||
        json_array_size(arrays.feature) != arrays.count ||
        json_array_size(arrays.value) != arrays.count ||
        json_array_size(arrays.cover) != arrays.count ||
        (arrays.kind && json_array_size(arrays.kind) != arrays.count))
        return import_refuse(reterr, -EINVAL, "a tree's arrays are missing or of unequal length");
    tree->nodes = calloc(arrays.count, sizeof(*tree->nodes));
    if (!tree->nodes)
        return -ENOMEM;
    tree->count = (uint32_t)arrays.count;
    for (size_t i = 0; i < arrays.count; i++) {
        int r = read_node(&arrays, i, &tree->nodes[i], reterr);

        if (r < 0)
            return r;
    }
    return 0;
}

static int read_trees(const json_t *array, struct rv_source_forest *source,
                      struct rv_import_error *reterr)
{
    size_t count = json_array_size(array);

    if (!json_is_array(array) || count > RV_FOREST_TREES_MAX)
        return import_refuse(reterr, -EINVAL, "the model holds no list of at most %u trees",
                             RV_FOREST_TREES_MAX);
    source->trees = calloc(count + 1, sizeof(*source->trees));
    if (!source->trees)
        return -ENOMEM;
    source->tree_count = count;
    for (size_t i = 0; i < count; i++) {
        int r = read_tree(json_array_get(array, i), &source->trees[i], reterr);

        if (r < 0)
            return r;
    }
    return 0;
}

/* base_score is in the output's scale: a probability for logistic objectives. */
static int read_base(const json_t *root, struct rv_source_forest *source,
                     struct rv_import_error *reterr)
{
    static const char *const path[] = { "learner", "objective", "name", NULL };
    static const char *const base_path[] = { "learner", "learner_model_param", "base_score", NULL };
    const char *objective = json_string_value(find(root, path));
    double base;

    if (!read_number(find(root, base_path), &base))
        return import_refuse(reterr, -EINVAL, "the model has no base_score");
    if (!objective)
        return import_refuse(reterr, -EINVAL, "the model names no objective");
    if (rv_streq(objective, "binary:logistic") || rv_streq(objective, "reg:logistic") ||
        rv_streq(objective, "binary:logitraw")) {
        if (rv_streq(objective, "binary:logitraw") == false && (base <= 0 || base >= 1))
            return import_refuse(reterr, -EINVAL, "base_score %g is not a probability", base);
        source->base = rv_streq(objective, "binary:logitraw")
                           ? base
                           : (double)(float)-log(1.0 / (double)(float)base - 1.0);
        return 0;
    }
    if (rv_streq(objective, "reg:squarederror") || rv_streq(objective, "reg:linear")) {
        source->base = base;
        return 0;
    }
    return import_refuse(reterr, -EOPNOTSUPP,
                         "objective %s is not supported; train with binary:logistic or "
                         "reg:squarederror",
                         objective);
}

static int read_width(const json_t *root, struct rv_source_forest *source,
                      struct rv_import_error *reterr)
{
    static const char *const path[] = { "learner", "learner_model_param", "num_feature", NULL };
    static const char *const class_path[] = { "learner", "learner_model_param", "num_class", NULL };
    static const char *const kind_path[] = { "learner", "gradient_booster", "name", NULL };
    const char *kind = json_string_value(find(root, kind_path));
    double width, classes = 0;

    if (!kind || !rv_streq(kind, "gbtree"))
        return import_refuse(reterr, -EOPNOTSUPP, "only gbtree boosters can be imported, not %s",
                             kind ? kind : "an unnamed one");
    if (!read_number(find(root, path), &width) || width < 1 || width > RV_FOREST_WIDTH_MAX)
        return import_refuse(reterr, -EINVAL, "num_feature is missing or not in 1..%u",
                             RV_FOREST_WIDTH_MAX);
    if (read_number(find(root, class_path), &classes) && classes > 1)
        return import_refuse(reterr, -EOPNOTSUPP, "only models with one output can be imported");
    source->width = (uint32_t)width;
    return 0;
}

int rv_import_xgboost(struct rv_span text, struct rv_source_forest **ret_source,
                      struct rv_import_error *reterr)
{
    static const char *const path[] = { "learner", "gradient_booster", "model", "trees", NULL };
    RV_AUTO(rv_json_freep) json_t *root = NULL;
    RV_AUTO(rv_source_forest_free) struct rv_source_forest *source = NULL;
    struct rv_json_error error;
    int r;

    if (text.len > RV_IMPORT_BYTES_MAX)
        return import_refuse(reterr, -EINVAL, "the file is too large");
    r = rv_json_parse(text, &root, &error);
    if (r == -EINVAL)
        return import_refuse(reterr, r, "not JSON: line %u: %s", error.line, error.message);
    if (r < 0)
        return r;
    source = calloc(1, sizeof(*source));
    if (!source)
        return -ENOMEM;
    source->scale = 1.0;
    r = read_width(root, source, reterr);
    if (r == 0)
        r = read_base(root, source, reterr);
    if (r == 0)
        r = read_trees(find(root, path), source, reterr);
    if (r < 0)
        return r;
    *ret_source = RV_TAKE(source);
    return 0;
}
