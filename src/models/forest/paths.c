/* SPDX-License-Identifier: Apache-2.0 */
/* Decision paths of the trees that speak loudest. */
#include "forest_private.h"

#include "models/reasons.h"

#include <math.h>

static struct rv_path walk(const struct rv_forest *forest, uint32_t tree, const int32_t *row)
{
    const struct rv_forest_node *nodes = forest_tree(forest, tree);
    const struct rv_forest_node *node = nodes;
    struct rv_path path = { .tree = tree };

    while (node->feature != RV_FOREST_LEAF) {
        int32_t value = row[node->feature];

        path.steps[path.depth++] =
            (struct rv_path_step){ (uint32_t)node->feature, node->value, value };
        node = &nodes[value < node->value ? node->left : node->right];
    }
    path.leaf_q16 = node->value;
    path.weight_q16 = llround((double)node->value - forest->tree_means[tree]);
    return path;
}

size_t rv_forest_paths(const struct rv_forest *forest, const int32_t *row,
                       struct rv_path *ret_paths, size_t paths_max)
{
    size_t count = 0;

    for (uint32_t i = 0; i < forest->tree_count; i++) {
        struct rv_path path = walk(forest, i, row);
        size_t at = count;

        while (at > 0 && llabs(ret_paths[at - 1].weight_q16) < llabs(path.weight_q16))
            at--;
        if (at >= paths_max)
            continue;
        if (count < paths_max)
            count++;
        memmove(&ret_paths[at + 1], &ret_paths[at], (count - 1 - at) * sizeof(*ret_paths));
        ret_paths[at] = path;
    }
    return count;
}
