/* SPDX-License-Identifier: Apache-2.0 */
/* From a source forest to an integer one: order, thresholds, leaves; and comparing the two. */
#include "import_private.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>

int import_refuse(struct rv_import_error *reterr, int code, const char *format, ...)
{
    va_list args;

    if (reterr) {
        va_start(args, format);
        (void)vsnprintf(reterr->message, sizeof(reterr->message), format, args);
        va_end(args);
    }
    return code;
}

void rv_source_forest_free(struct rv_source_forest **source)
{
    if (!*source)
        return;
    for (size_t i = 0; i < (*source)->tree_count; i++)
        free((*source)->trees[i].nodes);
    free((*source)->trees);
    free(*source);
    *source = NULL;
}

/* ---- One comparison ---- */

static double as_source(enum rv_source_precision precision, double value)
{
    return precision == RV_SOURCE_FLOAT32 ? (double)(float)value : value;
}

/*
 * The least integer n whose value, rounded as the source rounds, is at least `threshold`; from
 * INT32_MIN to 2^31. Rounding matters above 2^24, where floats skip integers.
 */
static int64_t least_not_below(enum rv_source_precision precision, double threshold)
{
    int64_t n;

    if (threshold > (double)INT32_MAX + 1)
        return (int64_t)INT32_MAX + 1;
    if (threshold < (double)INT32_MIN)
        return INT32_MIN;
    n = (int64_t)ceil(threshold);
    while (n > INT32_MIN && as_source(precision, (double)(n - 1)) >= threshold)
        n--;
    return n;
}

/* The least integer strictly above `threshold` in the source's eyes. */
static int64_t least_above(enum rv_source_precision precision, double threshold)
{
    double next = precision == RV_SOURCE_FLOAT32 ? (double)nextafterf((float)threshold, INFINITY)
                                                 : nextafter(threshold, HUGE_VAL);

    return least_not_below(precision, next);
}

static bool goes_left(const struct rv_source_forest *source, const struct rv_source_node *node,
                      const int32_t *row)
{
    double value = as_source(source->precision, (double)row[node->feature]);

    switch (node->mode) {
    case RV_SPLIT_LT:
        return value < node->value;
    case RV_SPLIT_LEQ:
        return value <= node->value;
    case RV_SPLIT_GT:
        return value > node->value;
    case RV_SPLIT_GTE:
        return value >= node->value;
    case RV_SPLIT_EQ:
        return value >= node->value && value <= node->value;
    case RV_SPLIT_NEQ:
        return value < node->value || value > node->value;
    case RV_SPLIT_LEAF:
        break;
    }
    return false;
}

/* ---- Building ---- */

struct builder {
    const struct rv_source_forest *source;
    const struct rv_source_tree *tree;
    struct rv_forest_node *nodes;
    size_t count, room;
    size_t tree_start;
    struct rv_import_error *reterr;
};

static int add_node(struct builder *builder, struct rv_forest_node node, uint32_t *ret_index)
{
    if (builder->count >= RV_FOREST_NODES_MAX)
        return import_refuse(builder->reterr, -EINVAL, "the forest has too many nodes");
    if (builder->count == builder->room) {
        size_t room = builder->room ? 2 * builder->room : 1024;
        struct rv_forest_node *grown = reallocarray(builder->nodes, room, sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        builder->nodes = grown;
        builder->room = room;
    }
    *ret_index = (uint32_t)(builder->count - builder->tree_start);
    builder->nodes[builder->count++] = node;
    return 0;
}

static int build(struct builder *builder, uint32_t from, uint32_t depth, uint32_t *ret_index);

static int build_leaf(struct builder *builder, const struct rv_source_node *from,
                      uint32_t *ret_index)
{
    double scaled = round(from->value * builder->source->scale * 65536.0);

    if (!(scaled >= INT32_MIN && scaled <= INT32_MAX))
        return import_refuse(builder->reterr, -EINVAL,
                             "a leaf adds %g; only values within +-32768 can be represented",
                             from->value * builder->source->scale);
    return add_node(builder,
                    (struct rv_forest_node){
                        .feature = RV_FOREST_LEAF, .value = (int32_t)scaled, .cover = from->cover },
                    ret_index);
}

/* row < bound ? below : other. Bounds past either end of int32 are kept exact by swapping. */
static int build_split(struct builder *builder, const struct rv_source_node *from, int64_t bound,
                       const uint32_t children[2], uint32_t depth, uint32_t *ret_index)
{
    struct rv_forest_node node = { .feature = (int32_t)from->feature, .cover = from->cover };
    bool always = bound > INT32_MAX; /* nothing is < INT32_MIN: never left, so swap the children */
    uint32_t index, left, right;
    int r;

    node.value = always ? INT32_MIN : (int32_t)bound;
    r = add_node(builder, node, &index);
    if (r < 0)
        return r;
    r = build(builder, children[always ? 1 : 0], depth + 1, &left);
    if (r < 0)
        return r;
    r = build(builder, children[always ? 0 : 1], depth + 1, &right);
    if (r < 0)
        return r;
    builder->nodes[builder->tree_start + index].left = left;
    builder->nodes[builder->tree_start + index].right = right;
    *ret_index = index;
    return 0;
}

/* x == t is two splits: x < t goes to `other`, then x < t+1 decides. The subtree is built twice. */
static int build_equal(struct builder *builder, const struct rv_source_node *from, uint32_t equal,
                       uint32_t other, uint32_t depth, uint32_t *ret_index)
{
    enum rv_source_precision precision = builder->source->precision;
    int64_t low = least_not_below(precision, from->value);
    int64_t high = least_above(precision, from->value);
    struct rv_forest_node node = { .feature = (int32_t)from->feature, .cover = from->cover };
    uint32_t index, left, right;
    int r;

    if (low >= high || low > INT32_MAX) /* no integer equals it */
        return build(builder, other, depth, ret_index);
    node.value = (int32_t)low;
    r = add_node(builder, node, &index);
    if (r < 0)
        return r;
    r = build(builder, other, depth + 1, &left);
    if (r < 0)
        return r;
    r = build_split(builder, from, high, (uint32_t[]){ equal, other }, depth + 1, &right);
    if (r < 0)
        return r;
    builder->nodes[builder->tree_start + index].left = left;
    builder->nodes[builder->tree_start + index].right = right;
    *ret_index = index;
    return 0;
}

static int check_source_node(struct builder *builder, const struct rv_source_node *from)
{
    if (!isfinite(from->value))
        return import_refuse(builder->reterr, -EINVAL, "a threshold or leaf is not finite");
    if (from->mode == RV_SPLIT_LEAF)
        return 0;
    if (from->feature >= builder->source->width)
        return import_refuse(builder->reterr, -EINVAL,
                             "a split names feature %u, the model says it has %u", from->feature,
                             builder->source->width);
    if (from->left >= builder->tree->count || from->right >= builder->tree->count)
        return import_refuse(builder->reterr, -EINVAL, "a child's index is outside its tree");
    return 0;
}

static int build(struct builder *builder, uint32_t from_index, uint32_t depth, uint32_t *ret_index)
{
    const struct rv_source_node *from = &builder->tree->nodes[from_index];
    enum rv_source_precision precision = builder->source->precision;
    const uint32_t as_is[2] = { from->left, from->right };
    const uint32_t turned[2] = { from->right, from->left };
    int r;

    if (depth > RV_FOREST_DEPTH_MAX) /* also what stops a loop */
        return import_refuse(builder->reterr, -EINVAL,
                             "a tree is deeper than %u splits or runs in a circle",
                             RV_FOREST_DEPTH_MAX);
    r = check_source_node(builder, from);
    if (r < 0)
        return r;
    switch (from->mode) {
    case RV_SPLIT_LT:
        return build_split(builder, from, least_not_below(precision, from->value), as_is, depth,
                           ret_index);
    case RV_SPLIT_LEQ:
        return build_split(builder, from, least_above(precision, from->value), as_is, depth,
                           ret_index);
    case RV_SPLIT_GTE:
        return build_split(builder, from, least_not_below(precision, from->value), turned, depth,
                           ret_index);
    case RV_SPLIT_GT:
        return build_split(builder, from, least_above(precision, from->value), turned, depth,
                           ret_index);
    case RV_SPLIT_EQ:
        return build_equal(builder, from, from->left, from->right, depth, ret_index);
    case RV_SPLIT_NEQ:
        return build_equal(builder, from, from->right, from->left, depth, ret_index);
    case RV_SPLIT_LEAF:
        break;
    }
    return build_leaf(builder, from, ret_index);
}

static int build_trees(struct builder *builder, uint32_t *sizes)
{
    for (size_t i = 0; i < builder->source->tree_count; i++) {
        uint32_t root;
        int r;

        builder->tree = &builder->source->trees[i];
        builder->tree_start = builder->count;
        if (builder->tree->root >= builder->tree->count)
            return import_refuse(builder->reterr, -EINVAL, "tree %zu has no root", i);
        r = build(builder, builder->tree->root, 0, &root);
        if (r < 0)
            return r;
        sizes[i] = (uint32_t)(builder->count - builder->tree_start);
    }
    return 0;
}

int rv_source_convert(const struct rv_source_forest *source, struct rv_forest **ret_forest,
                      struct rv_import_error *reterr)
{
    struct builder builder = { .source = source, .reterr = reterr };
    RV_AUTO(rv_freep) uint32_t *sizes = NULL;
    RV_AUTO(rv_freep) struct rv_forest_node *nodes = NULL;
    struct rv_forest_spec spec = { .width = source->width, .tree_count = source->tree_count };
    double base = round(source->base * 65536.0);
    const char *why = NULL;
    int r;

    if (!(fabs(base) <= (double)RV_FOREST_BASE_MAX))
        return import_refuse(reterr, -EINVAL, "the base score is out of range");
    if (source->tree_count > RV_FOREST_TREES_MAX)
        return import_refuse(reterr, -EINVAL, "the forest has more than %u trees",
                             RV_FOREST_TREES_MAX);
    sizes = calloc(source->tree_count + 1, sizeof(*sizes));
    if (!sizes)
        return -ENOMEM;
    r = build_trees(&builder, sizes);
    nodes = builder.nodes;
    if (r < 0)
        return r;
    spec.base_q16 = (int64_t)base;
    spec.tree_sizes = sizes;
    spec.nodes = nodes;
    spec.node_count = builder.count;
    r = rv_forest_make(&spec, ret_forest, &why);
    return r == -EINVAL ? import_refuse(reterr, r, "%s", why) : r;
}

/* ---- Comparing ---- */

double rv_source_margin(const struct rv_source_forest *source, const int32_t *row)
{
    double sum = 0;

    for (size_t i = 0; i < source->tree_count; i++) {
        const struct rv_source_node *nodes = source->trees[i].nodes;
        const struct rv_source_node *node = &nodes[source->trees[i].root];

        while (node->mode != RV_SPLIT_LEAF)
            node = &nodes[goes_left(source, node, row) ? node->left : node->right];
        sum = as_source(source->precision, sum + node->value);
    }
    return as_source(source->precision, sum * source->scale + source->base);
}

struct rv_equality rv_source_compare(const struct rv_source_forest *source,
                                     const struct rv_forest *forest, const int32_t *rows,
                                     size_t count)
{
    struct rv_equality equality = { .rows = count };

    for (size_t i = 0; i < count; i++) {
        const int32_t *row = rows + i * source->width;
        double theirs = rv_source_margin(source, row);
        double ours = (double)rv_forest_score(forest, row) / 65536.0;

        equality.decisions_changed += (theirs > 0) != (ours > 0);
        equality.margin_error_max = fmax(equality.margin_error_max, fabs(theirs - ours));
    }
    return equality;
}
