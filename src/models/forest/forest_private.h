/* SPDX-License-Identifier: Apache-2.0 */
/** @file forest_private.h  What a forest holds; only the files of this folder look inside. */
#pragma once

#include "models/forest.h"

/** A tree deeper than this is walked node by node: padding it would cost too much memory. */
#define PACKED_DEPTH_MAX 8

/**
 * For functions over vectors: compiled for several machines, the widest one is taken when the
 * program starts. Results are the same on all: integers, or doubles added in one order without
 * fused multiplication.
 */
#if defined(__x86_64__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define FOREST_WIDEST __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOREST_WIDEST
#endif

/** A split of a packed tree. Compared unsigned, so both sides carry a flipped sign bit. */
struct packed_split {
    uint32_t value;
    uint32_t feature;
};

/**
 * Trees padded to perfect ones, all of one depth in a row: for each, 2^depth splits in heap order
 * (slot 0 unused) and then 2^depth leaves. A step is `at = 2*at + (row < value)`: no branch to
 * mispredict. So the left child is the odd one.
 */
struct packed_group {
    uint32_t tree_count;
    struct packed_split *splits; /* tree_count << depth */
    int32_t *leaves;             /* tree_count << depth; index 2^depth-1 is the leftmost */
};

struct rv_forest {
    uint32_t width, depth;
    int64_t base_q16;
    size_t tree_count, node_count;
    uint32_t *tree_sizes;
    uint32_t *tree_starts; /* index of each root in `nodes` */
    uint8_t *tree_depths;
    double *tree_means; /* each tree's mean by cover, in 1/65536 */
    struct rv_forest_node *nodes;
    struct packed_group groups[PACKED_DEPTH_MAX + 1];
    uint32_t *deep_trees; /* indices of trees that are too deep to pack */
    size_t deep_count;
};

static inline const struct rv_forest_node *forest_tree(const struct rv_forest *forest, size_t tree)
{
    return &forest->nodes[forest->tree_starts[tree]];
}

/** The leaf that `row` reaches in one tree. */
static inline const struct rv_forest_node *forest_leaf(const struct rv_forest_node *tree,
                                                       const int32_t *row)
{
    const struct rv_forest_node *node = tree;

    while (node->feature >= 0)
        node = &tree[row[node->feature] < node->value ? node->left : node->right];
    return node;
}

/** The share of training weight at `parent` that went to `child`; one half each if none is known.
 */
static inline double forest_share(const struct rv_forest_node *tree,
                                  const struct rv_forest_node *parent, uint32_t child)
{
    double both = (double)tree[parent->left].cover + (double)tree[parent->right].cover;

    return both > 0 ? (double)tree[child].cover / both : 0.5;
}

/** Build the packed groups of a checked forest. @return 0 or -ENOMEM. */
RV_MUST_CHECK int forest_pack(struct rv_forest *forest);
void forest_unpack(struct rv_forest *forest);
