/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file models/drift.h  Has what we see moved away from what the model was made for?
 *
 * Streaming histograms of every feature and of the score, on a scale of two bins to the octave: a
 * reference (from training, shipped with the model) and the present. Compared by the population
 * stability index, the Kolmogorov-Smirnov distance and the Jensen-Shannon divergence, each
 * corrected for what samples of that size differ by chance. About 26 KB a histogram set;
 * single-threaded.
 *
 * Conventions, not facts: amber from PSI 0.10, red from 0.25 on the score, or on a quarter of the
 * features. A light gets better only after three evaluations in a row say so.
 */
#pragma once

#include "features/vector.h"
#include "models/model.h"
#include "models/promise.h"

#define RV_DRIFT_BINS 64

/** Histograms of the features, then of the score. All-zero is a valid empty one. */
struct rv_profile {
    uint32_t count[RV_FEATURE_COUNT + 1][RV_DRIFT_BINS];
    uint64_t rows;
};
#define RV_DRIFT_SCORE RV_FEATURE_COUNT /* index of the score */

void rv_profile_add(struct rv_profile *profile, const struct rv_vector *vector, int64_t raw_q16);
/** `into` gains what `from` holds: profiles of many hosts merge into one. Counts saturate. */
void rv_profile_merge(struct rv_profile *into, const struct rv_profile *from);
/** The bin of a feature's value; of a score. */
uint32_t rv_drift_bin(int32_t value);
uint32_t rv_drift_score_bin(int64_t raw_q16);

/** Versioned and checksummed bytes; empty bins take none. */
void rv_profile_save(const struct rv_profile *profile, struct rv_buf *buf);
/** @return 0; -EBADMSG or -EPROTONOSUPPORT with a static sentence in `reterr` (may be NULL). */
RV_MUST_CHECK int rv_profile_load(struct rv_profile *ret_profile, struct rv_span bytes,
                                  const char **reterr);

/** How far two histograms are apart; each 0 for equal, corrected for sampling, never negative. */
struct rv_distance {
    double psi, ks, js; /* js in bits, 0..1 */
};
struct rv_distance rv_distance(const uint32_t *reference, const uint32_t *now);

struct rv_drift_report {
    struct rv_distance distance[RV_FEATURE_COUNT + 1];
    uint32_t amber_features, red_features; /* by their PSI */
    enum rv_light light_now;               /* of this evaluation alone */
    enum rv_light light;                   /* with hysteresis: the one to act on */
    bool enough;                           /* false: too few rows; the light did not move */
};

/** State between evaluations. All-zero but for `light`, which starts as RV_LIGHT_GREEN. */
struct rv_drift {
    enum rv_light light;
    uint32_t better; /* evaluations in a row that were better than the light */
};

#define RV_DRIFT_ROWS_MIN 500U

void rv_drift_evaluate(struct rv_drift *drift, const struct rv_profile *reference,
                       const struct rv_profile *now, struct rv_drift_report *ret_report);

/** Append the report: one sentence, then the features that moved most, at most `feature_max`. */
void rv_drift_words(const struct rv_drift_report *report, size_t feature_max, struct rv_buf *buf);
