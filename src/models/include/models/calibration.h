/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file models/calibration.h  From a raw score to a risk with a meaning.
 *
 * Per class (Mondrian) a histogram of the raw scores of normal behaviour over fixed edges. The
 * conformal p-value of a score is (1 + number of normal scores in its bin or above) / (n + 1):
 * never smaller than the calibration set supports, and too large rather than too small within a
 * bin. A class with fewer than `class_min` scores inherits the histogram of all classes together.
 * Shipped prior scores count until this host has its own.
 *
 * What is alerted on is held apart, not learnt, until a person judges it. So that this does not
 * ratchet the threshold down, held scores count as normal, but never more of them than half of what
 * the promise expects to be false: an attacker who makes alarms cannot bury his next one.
 *
 * Counts fade by half (rounded up) whenever a class reaches 2^17, so that the shipped prior and old
 * habits give way. Integer arithmetic only, but for rv_pac_rank(); single-threaded; bounded memory:
 * 8 bytes x edges x classes.
 */
#pragma once

#include "base/bytes.h"

#define RV_CALIBRATION_EDGES_MAX 1024
#define RV_CALIBRATION_CLASS_MAX 256

struct rv_calibration;

struct rv_calibration_options {
    const int64_t *edges_q16; /* strictly ascending; copied */
    size_t edge_count;        /* 1..RV_CALIBRATION_EDGES_MAX */
    uint32_t class_count;     /* 1..RV_CALIBRATION_CLASS_MAX; a score's class is below it */
    uint32_t class_min;       /* scores that a class needs of its own; 0: 1,000 */
    uint32_t alpha_ppm;       /* the promise: false alarms per million verdicts; 0: 1,000 */
};

/** @return 0; -EINVAL for bad edges or counts; -ENOMEM. */
RV_MUST_CHECK int rv_calibration_new(struct rv_calibration **ret_calibration,
                                     const struct rv_calibration_options *options);
/** Another one with the same edges and options, that knows no score yet. @return 0; -ENOMEM. */
RV_MUST_CHECK int rv_calibration_new_like(struct rv_calibration **ret_calibration,
                                          const struct rv_calibration *like);
void rv_calibration_free(struct rv_calibration **calibration);

/**
 * Edges that keep the tail of `scores` exact: every distinct score among the highest half of the
 * edges' number, quantiles below. Sorts `scores_q16` in place.
 * @return number of edges written, at most `edge_max`; 0 when `count` is 0.
 */
size_t rv_calibration_edges(int64_t *scores_q16, size_t count, int64_t *ret_edges_q16,
                            size_t edge_max);

/** Normal scores of a class; `weight` of them alike (sampling, priors). */
void rv_calibration_add(struct rv_calibration *calibration, uint32_t class, int64_t raw_q16,
                        uint32_t weight);

/** Shipped scores: they count for all classes together, for none by itself. */
void rv_calibration_prior(struct rv_calibration *calibration, int64_t raw_q16, uint32_t weight);

/** A score that was alerted on and that nobody has judged yet. */
void rv_calibration_hold(struct rv_calibration *calibration, uint32_t class, int64_t raw_q16);

/** A person judged a held score: normal ones are learnt now, others forgotten. */
enum rv_judgement { RV_JUDGED_BAD = 0, RV_JUDGED_NORMAL };
void rv_calibration_adjudicate(struct rv_calibration *calibration, uint32_t class, int64_t raw_q16,
                               enum rv_judgement judgement);

/** A score that was added once is taken back, if one like it is still there. */
void rv_calibration_forget(struct rv_calibration *calibration, uint32_t class, int64_t raw_q16);

/** An exact p-value, as a fraction. */
struct rv_p_value {
    uint64_t above; /* 1 + normal scores in the bin or above */
    uint64_t of;    /* n + 1 */
    bool inherited; /* the class is small: from all classes together */
};
struct rv_p_value rv_calibration_p(const struct rv_calibration *calibration, uint32_t class,
                                   int64_t raw_q16);

/**
 * The smoothed p-value in 1/2^32, from 1 to 2^32: ties are broken by `random`, so that it is uniform
 * on exchangeable scores. For martingales; a verdict's risk never depends on chance.
 */
uint64_t rv_calibration_p_q32(const struct rv_calibration *calibration, uint32_t class,
                              int64_t raw_q16, uint64_t random);

/** -100 log10(p), rounded down, 0..1000. */
uint32_t rv_risk_of_p(struct rv_p_value p);

/** rv_risk_of_p(rv_calibration_p(...)). */
uint32_t rv_calibration_risk(const struct rv_calibration *calibration, uint32_t class,
                             int64_t raw_q16);

/** Normal scores known of a class (RV_CALIBRATION_ALL: of all together). */
#define RV_CALIBRATION_ALL UINT32_MAX
uint64_t rv_calibration_count(const struct rv_calibration *calibration, uint32_t class);

/** How many of the scores that it knows the promise lets be false alarms. */
uint64_t rv_calibration_false_alarms_expected(const struct rv_calibration *calibration);

/**
 * Probably-approximately-correct threshold: the largest k such that alarming at or above the k-th
 * highest of n normal scores has a false-positive rate <= alpha with confidence 1 - delta.
 * @return 0 when n is too small to promise that.
 */
uint64_t rv_pac_rank(uint64_t n, double alpha, double delta);

/** The raw score from which on to alarm with that promise; INT64_MAX when it cannot be made. */
int64_t rv_calibration_threshold_q16(const struct rv_calibration *calibration, uint32_t class,
                                     double alpha, double delta);

/** How many classes it tells apart. */
uint32_t rv_calibration_classes(const struct rv_calibration *calibration);

/** Append the tables, versioned and checksummed. */
void rv_calibration_save(const struct rv_calibration *calibration, struct rv_buf *buf);
/** @return 0; -EBADMSG or -EPROTONOSUPPORT with a static sentence in `reterr` (may be NULL). */
RV_MUST_CHECK int rv_calibration_load(struct rv_calibration **ret_calibration, struct rv_span bytes,
                                      const char **reterr);

/** The built-in model's edges and shipped prior, one class per program kind. */
RV_MUST_CHECK int rv_calibration_new_baseline(struct rv_calibration **ret_calibration);
