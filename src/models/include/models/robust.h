/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file models/robust.h  What an attacker can do to a verdict, and to what models learn from.
 *
 * Evasion: the least score that any change of features of given mutability classes can reach. When
 * it is still an alarm, "no change of features of class F can flip this alarm" is a theorem about
 * this vector and this model, not a test.
 * Poisoning: no source of labels weighs more than its cap; labels that a model trained without them
 * contradicts go to people first; a batch that makes held-out results worse is refused.
 * Pure functions; no state.
 */
#pragma once

#include "features/table.h"
#include "models/reasons.h"

/* ---- Evasion ---- */

#define RV_CLASS_FIXED  (1U << RV_MUTABLE_FIXED)
#define RV_CLASS_RAISE  (1U << RV_MUTABLE_RAISE)
#define RV_CLASS_DILUTE (1U << RV_MUTABLE_DILUTE)

/**
 * What may move when an attacker controls the classes in `classes` (RV_CLASS_*): RAISE features go
 * up only, DILUTE and FIXED ones anywhere within their range; features of other classes stay.
 */
void rv_robust_rights(unsigned classes, enum rv_reach_right ret_rights[RV_FEATURE_COUNT]);

/** Reach of some model: rv_forest_reach or rv_baseline_reach behind one face. */
typedef void rv_reach_fn(const void *model, const int32_t *row,
                         const enum rv_reach_right rights[RV_FEATURE_COUNT], int64_t *ret_min_q16,
                         int64_t *ret_max_q16);

/** Whether an alarm stands against every change of those classes. The zero value is the unsafe one.
 */
enum rv_robust { RV_ROBUST_MAY_FLIP = 0, RV_ROBUST_STANDS };
enum rv_robust rv_robust_alarm(rv_reach_fn *reach, const void *model, const int32_t *row,
                               unsigned classes, int64_t threshold_q16, int64_t *ret_least_q16);

/** rv_baseline_reach() as a rv_reach_fn; `model` is ignored. */
rv_reach_fn rv_robust_reach_baseline;
/** rv_forest_reach() as a rv_reach_fn; `model` is a struct rv_forest of RV_FEATURE_COUNT features.
 */
rv_reach_fn rv_robust_reach_forest;

/* ---- Poisoned labels ---- */

/**
 * Weights in 1/65536 such that no source holds more than `cap_ppm` of all weight, as far as there
 * are enough sources for that; rows of one source weigh the same.
 * @param sources a number for each row's source (host, policy, adjudicator): any values.
 * @return 0 or -ENOMEM.
 */
RV_MUST_CHECK int rv_robust_source_weights(const uint32_t *sources, size_t count, uint32_t cap_ppm,
                                           uint32_t *ret_weights);

/** Fold 0..folds-1 of each row; rows of one source share a fold, whatever their order. */
void rv_robust_folds(const uint32_t *sources, size_t count, uint32_t folds, uint64_t seed,
                     uint32_t *ret_folds);

/**
 * Rows by how much a model that has not seen them contradicts their label, most first; ties by row.
 * @param margins_q16 out-of-sample scores, above 0 for "attack"; `labels` 1 for attack, 0 normal.
 * @param ret_wrong how many rows are contradicted (margin and label on different sides).
 * @return 0 or -ENOMEM.
 */
RV_MUST_CHECK int rv_robust_disagreements(const int64_t *margins_q16, const uint8_t *labels,
                                          size_t count, uint32_t *ret_order, size_t *ret_wrong);

/** Held-out results of a model. */
struct rv_holdout {
    uint64_t attacks, detected;     /* of attacks */
    uint64_t normals, false_alarms; /* of normals */
};

/** Whether a batch of labels may be learnt from. The zero value is the unsafe one. */
enum rv_batch { RV_BATCH_REJECTED = 0, RV_BATCH_ACCEPTED };

/**
 * Reject on negative impact: trained with the batch, the model must not do worse on held-out rows
 * than without it, by more than chance allows (one-sided two-proportion test, 95 %). Without
 * held-out rows of both kinds nothing is accepted.
 */
enum rv_batch rv_robust_judge_batch(const struct rv_holdout *without,
                                    const struct rv_holdout *with);
