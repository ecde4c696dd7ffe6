/* SPDX-License-Identifier: Apache-2.0 */
#include "models/isolation.h"

#include "base/hash.h"

#include <math.h>

#define DEPTH_MAX 16U
#define TRIES     64U /* columns drawn before a node counts as all alike */

struct growing {
    const int32_t *values;
    uint32_t width;
    const struct rv_isolation_options *options;
    uint32_t depth_max;
    size_t sample; /* rows of a tree */
    uint64_t random;
    size_t *rows; /* of the tree in hand, grouped by node */
    struct rv_forest_node *nodes;
    size_t count, room;
    size_t tree_first; /* node of the tree in hand */
};

struct rv_isolation_options rv_isolation_defaults(void)
{
    return (struct rv_isolation_options){ .trees = 100, .sample = 256, .seed = 1 };
}

static uint64_t draw(struct growing *growing)
{
    growing->random += 0x9e3779b97f4a7c15ULL;
    return rv_mix64(growing->random);
}

/** Mean depth at which a search in a random tree of `n` rows ends without finding. */
static double usual_path(size_t n)
{
    double h = 0;

    if (n < 2)
        return 0;
    for (size_t i = 1; i < n; i++)
        h += 1 / (double)i;
    return 2 * h - 2 * (double)(n - 1) / (double)n;
}

static int new_node(struct growing *growing, uint32_t *ret_index)
{
    if (growing->count == growing->room) {
        size_t room = growing->room ? growing->room * 2 : 4096;
        struct rv_forest_node *nodes = reallocarray(growing->nodes, room, sizeof(*nodes));

        if (!nodes)
            return -ENOMEM;
        growing->nodes = nodes;
        growing->room = room;
    }
    growing->nodes[growing->count] = (struct rv_forest_node){ .feature = RV_FOREST_LEAF };
    *ret_index = (uint32_t)(growing->count++ - growing->tree_first);
    return 0;
}

static int32_t cell(const struct growing *growing, size_t row, uint32_t column)
{
    return growing->values[growing->rows[row] * growing->width + column];
}

/** A column that varies within rows [first, end) and a value that splits it. */
static bool choose_split(struct growing *growing, size_t first, size_t end, uint32_t *ret_column,
                         int32_t *ret_value)
{
    for (unsigned attempt = 0; attempt < TRIES; attempt++) {
        uint32_t column = (uint32_t)(draw(growing) % growing->width);
        int32_t low = cell(growing, first, column), high = low;

        for (size_t i = first + 1; i < end; i++) {
            int32_t value = cell(growing, i, column);

            low = value < low ? value : low;
            high = value > high ? value : high;
        }
        if (low == high)
            continue;
        *ret_column = column;
        *ret_value = (int32_t)((int64_t)low + 1 +
                               (int64_t)(draw(growing) % (uint64_t)((int64_t)high - low)));
        return true;
    }
    return false;
}

static size_t partition(struct growing *growing, size_t first, size_t end, uint32_t column,
                        int32_t value)
{
    size_t left = first;

    for (size_t i = first; i < end; i++) {
        if (cell(growing, i, column) < value) {
            size_t kept = growing->rows[left];

            growing->rows[left++] = growing->rows[i];
            growing->rows[i] = kept;
        }
    }
    return left;
}

/** Grow the subtree of rows [first, end) below node `index`. Recursion ends at DEPTH_MAX. */
static int grow(struct growing *growing, uint32_t index, size_t first, size_t end, uint32_t depth)
{
    struct rv_forest_node *node = &growing->nodes[growing->tree_first + index];
    uint32_t column, left, right;
    int32_t value;
    size_t middle;
    int r;

    node->cover = (float)(end - first);
    if (depth == growing->depth_max || end - first < 2 ||
        !choose_split(growing, first, end, &column, &value)) {
        double shorter = usual_path(growing->sample) - depth - usual_path(end - first);

        node->value = (int32_t)lround(shorter * 65536 / growing->options->trees);
        return 0;
    }
    middle = partition(growing, first, end, column, value);
    r = new_node(growing, &left);
    if (r == 0)
        r = new_node(growing, &right);
    if (r < 0)
        return r;
    node = &growing->nodes[growing->tree_first + index]; /* the array may have moved */
    node->feature = (int32_t)column;
    node->value = value;
    node->left = left;
    node->right = right;
    r = grow(growing, left, first, middle, depth + 1);
    return r < 0 ? r : grow(growing, right, middle, end, depth + 1);
}

/** The first `sample` of `rows` become a random choice of all. */
static void choose_rows(struct growing *growing, size_t count)
{
    for (size_t i = 0; i < growing->sample; i++) {
        size_t other = i + draw(growing) % (count - i), kept = growing->rows[i];

        growing->rows[i] = growing->rows[other];
        growing->rows[other] = kept;
    }
}

static int grow_forest(struct growing *growing, size_t count, uint32_t *tree_sizes)
{
    for (uint32_t t = 0; t < growing->options->trees; t++) {
        uint32_t root;
        int r;

        growing->tree_first = growing->count;
        choose_rows(growing, count);
        r = new_node(growing, &root);
        if (r == 0)
            r = grow(growing, root, 0, growing->sample, 0);
        if (r < 0)
            return r;
        tree_sizes[t] = (uint32_t)(growing->count - growing->tree_first);
    }
    return 0;
}

int rv_isolation_train(const int32_t *values, size_t count, uint32_t width,
                       const struct rv_isolation_options *options, struct rv_forest **ret_forest)
{
    RV_AUTO(rv_freep) uint32_t *tree_sizes = NULL;
    RV_AUTO(rv_freep) size_t *rows = NULL;
    struct growing growing = { .values = values, .width = width, .options = options };
    struct rv_forest_spec spec;
    int r;

    if (count < 2 || width == 0 || width > RV_FOREST_WIDTH_MAX || options->trees == 0 ||
        options->trees > RV_FOREST_TREES_MAX || options->sample < 2 || options->sample > 65536)
        return -EINVAL;
    tree_sizes = calloc(options->trees, sizeof(*tree_sizes));
    rows = malloc(count * sizeof(*rows));
    if (!tree_sizes || !rows)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        rows[i] = i;
    growing.rows = rows;
    growing.random = options->seed;
    growing.sample = options->sample < count ? options->sample : count;
    while (growing.depth_max < DEPTH_MAX && (size_t)1 << growing.depth_max < growing.sample)
        growing.depth_max++;
    r = grow_forest(&growing, count, tree_sizes);
    spec = (struct rv_forest_spec){ .width = width,
                                    .tree_sizes = tree_sizes,
                                    .tree_count = options->trees,
                                    .nodes = growing.nodes,
                                    .node_count = growing.count };
    if (r == 0 && growing.count == options->trees)
        r = -EINVAL; /* no tree found anything to split */
    if (r == 0)
        r = rv_forest_make(&spec, ret_forest, NULL);
    free(growing.nodes);
    return r;
}
