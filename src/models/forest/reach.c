/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What scores can be reached from a row when some features may move. Each tree is bounded by the
 * least and the greatest leaf that any allowed row reaches; a path that asks a feature to be on
 * both sides of a threshold is not followed. Sound for the sum, since each tree's bound is.
 */
#include "forest_private.h"

#include "models/reasons.h"

#include <limits.h>

/* The range that the splits above leave to one feature. */
struct range {
    const struct range *above;
    int32_t feature;
    int32_t low, high; /* both included */
};

struct reach {
    const struct rv_forest_node *tree;
    const int32_t *row;
    const enum rv_reach_right *rights;
    int32_t least, most;
};

static struct range range_of(const struct reach *reach, const struct range *above, int32_t feature)
{
    enum rv_reach_right right = reach->rights[feature];
    int32_t now = reach->row[feature];

    for (const struct range *range = above; range; range = range->above) {
        if (range->feature == feature)
            return (struct range){ above, feature, range->low, range->high };
    }
    return (struct range){
        above,
        feature,
        right == RV_REACH_FREE || right == RV_REACH_LOWER ? INT32_MIN : now,
        right == RV_REACH_FREE || right == RV_REACH_RAISE ? INT32_MAX : now,
    };
}

static void follow(struct reach *reach, uint32_t index, const struct range *above)
{
    const struct rv_forest_node *node = &reach->tree[index];
    struct range here;

    if (node->feature == RV_FOREST_LEAF) {
        reach->least = node->value < reach->least ? node->value : reach->least;
        reach->most = node->value > reach->most ? node->value : reach->most;
        return;
    }
    here = range_of(reach, above, node->feature);
    if (here.low < node->value) { /* so value > INT32_MIN */
        struct range left = here;

        left.high = here.high < node->value ? here.high : node->value - 1;
        follow(reach, node->left, &left);
    }
    if (here.high >= node->value) {
        struct range right = here;

        right.low = here.low > node->value ? here.low : node->value;
        follow(reach, node->right, &right);
    }
}

void rv_forest_reach(const struct rv_forest *forest, const int32_t *row,
                     const enum rv_reach_right *rights, int64_t *ret_min_q16, int64_t *ret_max_q16)
{
    int64_t least = forest->base_q16, most = forest->base_q16;

    for (size_t i = 0; i < forest->tree_count; i++) {
        struct reach reach = { forest_tree(forest, i), row, rights, INT32_MAX, INT32_MIN };

        follow(&reach, 0, NULL);
        least += reach.least;
        most += reach.most;
    }
    *ret_min_q16 = least;
    *ret_max_q16 = most;
}
