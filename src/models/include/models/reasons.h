/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file models/reasons.h  Why a forest said what it said: exact attributions, paths, reach.
 *
 * Attributions are path-dependent TreeSHAP (the same quantity as XGBoost's pred_contribs), computed
 * in doubles and then made integers whose sum is exact:
 *     base_q16 + sum(attribution_q16) == rv_forest_score(row), always.
 * Rounding: base is rounded to the nearest 1/65536. Each attribution is rounded down, and what then
 * is missing is handed out one unit each in order of the largest remainder (ties: lower feature),
 * among the features that the forest splits on. So no attribution is off by more than one unit, and
 * the same row always gives the same integers. A forest without splits has base == score.
 */
#pragma once

#include "models/forest.h"

struct rv_shap; /* per-thread workspace of one forest, which it borrows */

RV_MUST_CHECK int rv_shap_new(const struct rv_forest *forest, struct rv_shap **ret_shap);
void rv_shap_free(struct rv_shap **shap);

/** @param ret_attribution_q16 `width` values. @param ret_base_q16 the mean of the forest. */
void rv_shap_explain(struct rv_shap *shap, const int32_t *row, int64_t *ret_attribution_q16,
                     int64_t *ret_base_q16);

/** One decision on the way from root to leaf. */
struct rv_path_step {
    uint32_t feature;
    int32_t threshold, value; /* went left exactly if value < threshold */
};

struct rv_path {
    uint32_t tree;
    int32_t leaf_q16;
    int64_t weight_q16; /* leaf minus the tree's mean: what this tree says of this row */
    uint32_t depth;
    struct rv_path_step steps[RV_FOREST_DEPTH_MAX];
};

/**
 * The decision paths of the trees that speak loudest (largest |weight|, ties: lower tree).
 * @param paths_max room in `ret_paths`. @return number written: min(paths_max, trees).
 */
size_t rv_forest_paths(const struct rv_forest *forest, const int32_t *row,
                       struct rv_path *ret_paths, size_t paths_max);

/** What an attacker can do to a feature of his own process. The safe assumption is FREE. */
enum rv_reach_right { RV_REACH_FREE = 0, RV_REACH_RAISE, RV_REACH_LOWER, RV_REACH_FIXED };

/**
 * Bounds on every score reachable from `row` when each feature moves as `rights[feature]` allows.
 * Sound: no reachable row scores outside. Not always tight: trees are bounded one by one.
 * @param rights `width` values.
 */
void rv_forest_reach(const struct rv_forest *forest, const int32_t *row,
                     const enum rv_reach_right *rights, int64_t *ret_min_q16, int64_t *ret_max_q16);
