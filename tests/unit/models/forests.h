/* SPDX-License-Identifier: Apache-2.0 */
/** @file forests.h  Random forests and rows for tests: same seed, same forest. */
#pragma once

#include "test.h"

#include "base/hash.h"
#include "models/forest.h"

struct test_random {
    uint64_t state;
};

static inline uint32_t test_random_below(struct test_random *random, uint32_t bound)
{
    random->state += 0x9e3779b97f4a7c15ULL;
    return (uint32_t)(rv_mix64(random->state) % bound);
}

struct test_shape {
    uint32_t trees, depth, width, range; /* thresholds are below `range` */
    uint32_t leaf_in;                    /* 1 in so many splits is a leaf instead; 0: none */
};

static inline uint32_t test_add_subtree(struct test_random *random, const struct test_shape *shape,
                                        struct rv_forest_node *tree, uint32_t *count,
                                        uint32_t depth)
{
    uint32_t index = (*count)++;
    struct rv_forest_node node = { .feature = RV_FOREST_LEAF };

    if (depth == 0 || (shape->leaf_in && test_random_below(random, shape->leaf_in) == 0)) {
        node.value = (int32_t)test_random_below(random, 65536) - 32768;
        node.cover = (float)(1 + test_random_below(random, 100));
    } else {
        node.feature = (int32_t)test_random_below(random, shape->width);
        node.value = (int32_t)test_random_below(random, shape->range);
        node.left = test_add_subtree(random, shape, tree, count, depth - 1);
        node.right = test_add_subtree(random, shape, tree, count, depth - 1);
        node.cover = tree[node.left].cover + tree[node.right].cover;
    }
    tree[index] = node;
    return index;
}

/** The caller frees it. */
static inline struct rv_forest *test_forest(uint64_t seed, struct test_shape shape)
{
    struct test_random random = { seed };
    size_t tree_max = (size_t)2 << shape.depth;
    struct rv_forest_node *nodes = calloc(shape.trees * tree_max, sizeof(*nodes));
    uint32_t *sizes = calloc(shape.trees, sizeof(*sizes));
    struct rv_forest_spec spec = { .width = shape.width,
                                   .base_q16 = 1234,
                                   .tree_sizes = sizes,
                                   .tree_count = shape.trees,
                                   .nodes = nodes };
    struct rv_forest *forest = NULL;
    const char *why = "";

    assert_non_null(nodes);
    assert_non_null(sizes);
    for (uint32_t i = 0; i < shape.trees; i++) {
        (void)test_add_subtree(&random, &shape, nodes + spec.node_count, &sizes[i], shape.depth);
        spec.node_count += sizes[i];
    }
    if (rv_forest_make(&spec, &forest, &why) < 0)
        fail_msg("%s", why);
    free(nodes);
    free(sizes);
    return forest;
}

static inline void test_row(struct test_random *random, struct test_shape shape, int32_t *row)
{
    for (uint32_t i = 0; i < shape.width; i++)
        row[i] = (int32_t)test_random_below(random, shape.range + 2) - 1;
}
