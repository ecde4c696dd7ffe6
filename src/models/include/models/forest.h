/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file models/forest.h  Forests over integer rows: exact scores, exact reasons, reach.
 * A row is `width` int32_t values. A score is Q16.16: base plus one leaf of every tree, so it does
 * not depend on the order of summing and is the same in the kernel and in user space.
 * A forest is immutable once made; any number of threads may use it.
 *
 * Whatever bytes a forest was made from, evaluation ends, stays in bounds and does not overflow:
 * children come after their parent (no loops), every index is checked once when it is made, and
 * |base| + trees * |leaf| stays below 2^48 (models/forest.c proves it, proofs/forest enumerates
 * it).
 */
#pragma once

#include "base/bytes.h"

#define RV_FOREST_WIDTH_MAX ((uint32_t)4096)
#define RV_FOREST_TREES_MAX ((uint32_t)4096)
#define RV_FOREST_NODES_MAX ((uint32_t)1 << 20) /* of all trees together */
#define RV_FOREST_DEPTH_MAX ((uint32_t)32)      /* splits on the longest path */
#define RV_FOREST_LEAF      ((int32_t)-1)
#define RV_FOREST_BASE_MAX  ((int64_t)1 << 47) /* of |base_q16| */

struct rv_forest;

/** One node. A tree's nodes are in a row; node 0 is its root; children come after their parent. */
struct rv_forest_node {
    int32_t feature; /* RV_FOREST_LEAF, or 0..width-1 */
    int32_t value;   /* a split: go left if row[feature] < value; a leaf: what it adds, Q16.16 */
    uint32_t left, right; /* indices within the tree; 0 in a leaf */
    float cover; /* training weight that reached the node; finite, >= 0; only reasons use it */
};

/** What a forest is made of; borrowed for the call. */
struct rv_forest_spec {
    uint32_t width;
    int64_t base_q16;
    const uint32_t *tree_sizes; /* nodes of each tree, in order */
    size_t tree_count;
    const struct rv_forest_node *nodes; /* of all trees, one after another */
    size_t node_count;
};

/**
 * Check a spec and make the forest.
 * @param reterr why it was refused, for a person; may be NULL. Static string.
 * @return 0; -EINVAL for a spec that breaks a rule above; -ENOMEM.
 */
RV_MUST_CHECK int rv_forest_make(const struct rv_forest_spec *spec, struct rv_forest **ret_forest,
                                 const char **reterr);
void rv_forest_free(struct rv_forest **forest);

/** The spec of a forest; valid as long as the forest. */
struct rv_forest_spec rv_forest_spec_of(const struct rv_forest *forest);
/** Splits on the longest path. */
uint32_t rv_forest_depth(const struct rv_forest *forest);

/** Bytes of a package section; decode checks everything that rv_forest_make checks. */
void rv_forest_encode(const struct rv_forest *forest, struct rv_buf *buf);
RV_MUST_CHECK int rv_forest_decode(struct rv_span bytes, struct rv_forest **ret_forest,
                                   const char **reterr);

/** Score of one row of `width` values. */
int64_t rv_forest_score(const struct rv_forest *forest, const int32_t *row);

/** Scores of `count` rows that lie one after another; same values as one by one, faster. */
void rv_forest_score_rows(const struct rv_forest *forest, const int32_t *rows, size_t count,
                          int64_t *ret_scores);

/** The slow, plain evaluator that the fast ones are tested against. */
int64_t rv_forest_score_plain(const struct rv_forest *forest, const int32_t *row);

/** Logistic function of a Q16.16 margin, in 1/65536. For display; nothing decides on it. */
uint32_t rv_forest_probability_q16(int64_t margin_q16);
