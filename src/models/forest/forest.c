/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making forests. Everything that evaluation relies on is checked here, once:
 *   - a child's index is larger than its parent's and inside the tree: walks end and stay inside;
 *   - every node but the root has exactly one parent: covers and reasons are well defined;
 *   - features are below `width`: rows are read in bounds;
 *   - |base| <= 2^47 and trees * 2^31 <= 2^43: sums stay below 2^48.
 */
#include "forest_private.h"

#include <math.h>

static int refuse(const char **reterr, const char *why)
{
    if (reterr)
        *reterr = why;
    return -EINVAL;
}

static const char *check_node(const struct rv_forest_node *node, uint32_t index, uint32_t size,
                              uint32_t width)
{
    if (!isfinite(node->cover) || node->cover < 0)
        return "a node's cover is negative or not a number";
    if (node->feature == RV_FOREST_LEAF)
        return node->left == 0 && node->right == 0 ? NULL : "a leaf has children";
    if (node->feature < 0 || (uint32_t)node->feature >= width)
        return "a split names a feature outside the row";
    if (node->left <= index || node->right <= index || node->left >= size || node->right >= size)
        return "a child does not come after its parent inside its tree";
    return node->left != node->right ? NULL : "both children are the same node";
}

/* Depth of every node goes into `depths` (size values, room for 1 byte each). */
static const char *check_tree(const struct rv_forest_node *tree, uint32_t size, uint32_t width,
                              uint8_t *depths, uint8_t *ret_depth)
{
    uint8_t depth_max = 0;

    memset(depths, UINT8_MAX, size); /* nobody's child yet */
    depths[0] = 0;
    for (uint32_t i = 0; i < size; i++) {
        const char *wrong = check_node(&tree[i], i, size, width);
        uint8_t below = (uint8_t)(depths[i] + 1);

        if (wrong)
            return wrong;
        if (depths[i] == UINT8_MAX)
            return "a node belongs to no parent";
        if (tree[i].feature == RV_FOREST_LEAF)
            continue;
        if (below > RV_FOREST_DEPTH_MAX)
            return "a tree is too deep";
        if (depths[tree[i].left] != UINT8_MAX || depths[tree[i].right] != UINT8_MAX)
            return "a node has two parents";
        depths[tree[i].left] = depths[tree[i].right] = below;
        if (below > depth_max)
            depth_max = below;
    }
    *ret_depth = depth_max;
    return NULL;
}

static const char *check_spec(const struct rv_forest_spec *spec)
{
    uint64_t nodes = 0;

    if (spec->width == 0 || spec->width > RV_FOREST_WIDTH_MAX)
        return "the row is empty or too wide";
    if (spec->tree_count > RV_FOREST_TREES_MAX)
        return "there are too many trees";
    if (spec->node_count > RV_FOREST_NODES_MAX)
        return "there are too many nodes";
    if (spec->base_q16 > RV_FOREST_BASE_MAX || spec->base_q16 < -RV_FOREST_BASE_MAX)
        return "the base score is out of range";
    for (size_t i = 0; i < spec->tree_count; i++) {
        if (spec->tree_sizes[i] == 0)
            return "a tree has no node";
        nodes += spec->tree_sizes[i];
    }
    return nodes == spec->node_count ? NULL : "tree sizes and number of nodes disagree";
}

static const char *check_trees(struct rv_forest *forest, uint8_t *depths)
{
    uint32_t start = 0;

    for (size_t i = 0; i < forest->tree_count; i++) {
        const char *wrong = check_tree(&forest->nodes[start], forest->tree_sizes[i], forest->width,
                                       depths, &forest->tree_depths[i]);

        if (wrong)
            return wrong;
        forest->tree_starts[i] = start;
        start += forest->tree_sizes[i];
        if (forest->tree_depths[i] > forest->depth)
            forest->depth = forest->tree_depths[i];
    }
    return NULL;
}

/* calloc of at least one element, so that NULL always means no memory. */
static void *make_array(size_t count, size_t size)
{
    return calloc(count ? count : 1, size);
}

static int allocate(struct rv_forest *forest, const struct rv_forest_spec *spec)
{
    forest->tree_sizes = make_array(spec->tree_count, sizeof(*forest->tree_sizes));
    forest->tree_starts = make_array(spec->tree_count, sizeof(*forest->tree_starts));
    forest->tree_depths = make_array(spec->tree_count, sizeof(*forest->tree_depths));
    forest->tree_means = make_array(spec->tree_count, sizeof(*forest->tree_means));
    forest->nodes = make_array(spec->node_count, sizeof(*forest->nodes));
    if (!forest->tree_sizes || !forest->tree_starts || !forest->tree_depths ||
        !forest->tree_means || !forest->nodes)
        return -ENOMEM;
    if (spec->tree_count)
        memcpy(forest->tree_sizes, spec->tree_sizes, spec->tree_count * sizeof(uint32_t));
    if (spec->node_count)
        memcpy(forest->nodes, spec->nodes, spec->node_count * sizeof(*spec->nodes));
    return 0;
}

/* Children come after their parent, so going backwards has both means ready. */
static int fill_means(struct rv_forest *forest)
{
    RV_AUTO(rv_freep) double *means = make_array(forest->node_count, sizeof(*means));

    if (!means)
        return -ENOMEM;
    for (size_t i = 0; i < forest->tree_count; i++) {
        const struct rv_forest_node *tree = forest_tree(forest, i);

        for (uint32_t j = forest->tree_sizes[i]; j-- > 0;) {
            const struct rv_forest_node *node = &tree[j];

            means[j] = (double)node->value;
            if (node->feature != RV_FOREST_LEAF)
                means[j] = means[node->left] * forest_share(tree, node, node->left) +
                           means[node->right] * forest_share(tree, node, node->right);
        }
        forest->tree_means[i] = means[0];
    }
    return 0;
}

int rv_forest_make(const struct rv_forest_spec *spec, struct rv_forest **ret_forest,
                   const char **reterr)
{
    RV_AUTO(rv_forest_free) struct rv_forest *forest = NULL;
    RV_AUTO(rv_freep) uint8_t *depths = NULL;
    const char *wrong;
    int r;

    assert(spec);
    assert(ret_forest);
    wrong = check_spec(spec);
    if (wrong)
        return refuse(reterr, wrong);
    forest = calloc(1, sizeof(*forest));
    depths = make_array(spec->node_count, 1);
    if (!forest || !depths)
        return -ENOMEM;
    forest->width = spec->width;
    forest->base_q16 = spec->base_q16;
    forest->tree_count = spec->tree_count;
    forest->node_count = spec->node_count;
    r = allocate(forest, spec);
    if (r < 0)
        return r;

    wrong = check_trees(forest, depths);
    if (wrong)
        return refuse(reterr, wrong);
    r = fill_means(forest);
    if (r < 0)
        return r;
    r = forest_pack(forest);
    if (r < 0)
        return r;
    *ret_forest = RV_TAKE(forest);
    return 0;
}

void rv_forest_free(struct rv_forest **forest)
{
    if (!*forest)
        return;
    forest_unpack(*forest);
    free((*forest)->tree_sizes);
    free((*forest)->tree_starts);
    free((*forest)->tree_depths);
    free((*forest)->tree_means);
    free((*forest)->nodes);
    free(*forest);
    *forest = NULL;
}

struct rv_forest_spec rv_forest_spec_of(const struct rv_forest *forest)
{
    return (struct rv_forest_spec){
        .width = forest->width,
        .base_q16 = forest->base_q16,
        .tree_sizes = forest->tree_sizes,
        .tree_count = forest->tree_count,
        .nodes = forest->nodes,
        .node_count = forest->node_count,
    };
}

uint32_t rv_forest_depth(const struct rv_forest *forest)
{
    return forest->depth;
}

uint32_t rv_forest_probability_q16(int64_t margin_q16)
{
    return (uint32_t)lround(65536.0 / (1.0 + exp(-(double)margin_q16 / 65536.0)));
}
