/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file models/repeats.h  Whether a sensor plays its own past again, as one does that an attacker
 * feeds with a recording. A stretch of readings is told by its changes, each with its value and the
 * rows since the change before; when it comes again exactly, in as many changes as normal readings
 * never did, it is a recording. Readings are finite. A recording that is altered, or taken from
 * before the first row, is not found. Pure; no allocation outlives a call.
 */
#pragma once

#include "base/base.h"

#define RV_REPEATS_LEAST 6U  /* changes: fewer are none, however rare they were in training */
#define RV_REPEATS_MOST  11U /* a sensor that needs more repeats itself by nature */
#define RV_REPEATS_NEVER UINT32_MAX

/** Readings of one sensor in time order; borrowed. */
struct rv_readings {
    const double *first;
    size_t stride, count; /* doubles from one to the next; readings */
};

/** What normal readings show of repetitions; starts as all zero. */
struct rv_repetition {
    size_t longest;  /* changes that came again, RV_REPEATS_MOST at most */
    size_t distinct; /* values */
};

/** Add what a run of normal readings shows. @return 0; -ENOMEM. */
RV_MUST_CHECK int rv_repeats_learn(const struct rv_readings *normal, struct rv_repetition *seen);
/** How many changes must come again to be news: LEAST..MOST, or NEVER. */
uint32_t rv_repeats_after(const struct rv_repetition *seen);
/**
 * For every row how many rows before it the readings stood that it repeats; 0: it does not.
 * @param changes that must be alike: LEAST..MOST, or NEVER.
 * @return 0; -ENOMEM.
 */
RV_MUST_CHECK int rv_repeats_find(const struct rv_readings *readings, uint32_t changes,
                                  uint32_t *ret_lag);
