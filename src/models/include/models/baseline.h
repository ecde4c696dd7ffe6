/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file models/baseline.h  The built-in model: points for what is rare, new, out of measure or
 * dangerous together. Useful in the first minute because its points are a shipped prior; better
 * after an hour because the features it reads are measured against what this host usually does.
 *
 * raw = sum over rows of points(feature) + sum over pairs of points where both conditions hold. A
 * pair's points are split in halves between its two features (its Shapley values; an odd bit goes
 * to the first), so that the attributions sum to the raw score exactly. The base is 0: nothing
 * unusual.
 *
 * Immutable and stateless: score from any thread. Use it through models/model.h.
 */
#pragma once

#include "models/model.h"
#include "models/reasons.h"

/** The built-in model. @return 0 or -ENOMEM. */
RV_MUST_CHECK int rv_baseline_new(struct rv_model **ret_model);

/** The raw score that counts as an alarm where no calibration is at hand; Q16.16. */
int64_t rv_baseline_alarm_q16(void);

/**
 * Bounds on every score reachable from `vector` when each feature moves as `rights` allows, within
 * its range. Sound, as rv_forest_reach(): no reachable vector scores outside.
 */
void rv_baseline_reach(const struct rv_vector *vector,
                       const enum rv_reach_right rights[RV_FEATURE_COUNT], int64_t *ret_min_q16,
                       int64_t *ret_max_q16);
