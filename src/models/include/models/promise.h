/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file models/promise.h  The promise and what watches over it.
 *
 * The promise: at most B alarms per host-day with 95 % confidence while the monitor is green. From
 * B and the verdicts a day follows a total alpha; detectors share it (their parts sum to it, so the
 * union bound holds). The monitor has two eyes:
 *  - a conformal martingale that bets against exchangeability (Simple Jumper, restarted whenever it
 *    falls below its start): it stays below c for at least c verdicts on average while the
 *    calibration set is exchangeable with what comes;
 *  - the number of alarms of the last day that people judged false, against the highest that the
 *    promise allows with 99 %. Alarms that nobody judged yet do not count: else an attacker would
 *    disarm the model by making more of them.
 * Red means: observe, do not enforce on this model's word. It leaves red only after a quiet day.
 *
 * Integer arithmetic but for the bound on alarms; the only clock is the time passed in.
 */
#pragma once

#include "base/bytes.h"

/** The zero value is the unsafe one. */
enum rv_light { RV_LIGHT_RED = 0, RV_LIGHT_AMBER, RV_LIGHT_GREEN };
const char *rv_light_name(enum rv_light light);

/* ---- The martingale ---- */

struct rv_martingale {
    uint64_t capital[3]; /* bets that p is small, is uniform, is large; times 2^exponent / 2^40 */
    int32_t exponent;
    int32_t log2_max_q8; /* highest log2 since it was made */
    uint64_t steps, restarts;
};

void rv_martingale_init(struct rv_martingale *martingale);

/**
 * Bet on one smoothed p-value (rv_calibration_p_q32()). Give it at most one verdict per process:
 * those of one process are not exchangeable among themselves.
 */
void rv_martingale_step(struct rv_martingale *martingale, uint64_t p_q32);

/** log2 of the capital against its start, in 1/256; never below 0 for long. */
int32_t rv_martingale_log2_q8(const struct rv_martingale *martingale);

/* ---- The promise ---- */

#define RV_DETECTORS_MAX 4

struct rv_promise_options {
    uint32_t alarms_per_day_milli;    /* B, in thousandths; 0: 1,000 */
    uint32_t verdicts_per_day;        /* expected; 0: 100,000 */
    uint32_t detectors;               /* 1..RV_DETECTORS_MAX; 0: 1 */
    uint32_t share[RV_DETECTORS_MAX]; /* weights of the split; all 0: even */
};

#define RV_PROMISE_HOURS 24

struct rv_promise {
    struct rv_promise_options options;
    struct rv_martingale martingale;
    enum rv_light light;
    uint64_t hour;                     /* of the latest verdict, since boot */
    uint64_t quiet_since_ns;           /* while red: when the last cause for it was seen */
    uint32_t alarms[RV_PROMISE_HOURS];       /* by hour, a ring */
    uint32_t false_alarms[RV_PROMISE_HOURS]; /* by hour of the judgement */
    uint32_t verdicts[RV_PROMISE_HOURS];
    uint32_t steps_down; /* times it turned red */
    bool begun;
};

void rv_promise_init(struct rv_promise *promise, const struct rv_promise_options *options);

/** Alpha of one detector, in parts per 10^9 of verdicts. */
uint32_t rv_promise_alpha_ppb(const struct rv_promise *promise, uint32_t detector);

/**
 * One verdict. `p_q32` 0: not given to the martingale (another verdict of the same process was).
 * @return the light after it.
 */
enum rv_light rv_promise_verdict(struct rv_promise *promise, uint64_t time_ns, uint64_t p_q32,
                                 bool alarmed);

/** A person judged an alarm to be false. @return the light after it. */
enum rv_light rv_promise_false_alarm(struct rv_promise *promise, uint64_t time_ns);

/** A person, or a new calibration, starts it afresh: green. */
void rv_promise_reset(struct rv_promise *promise);

/** May responses that disrupt be carried out? False from red on: step down to observe. */
bool rv_promise_kept(const struct rv_promise *promise);

/** Alarms of the last day, those of them judged false, and the most that the promise allows. */
uint32_t rv_promise_alarms(const struct rv_promise *promise);
uint32_t rv_promise_false_alarms(const struct rv_promise *promise);
uint32_t rv_promise_alarms_allowed(const struct rv_promise *promise);

/** Append the promise and how it stands, as sentences. */
void rv_promise_sentence(const struct rv_promise *promise, struct rv_buf *buf);

/** The least k with P(Poisson(mean) <= k) >= confidence; `mean_milli` in thousandths. */
uint32_t rv_poisson_bound(uint64_t mean_milli, double confidence);

/**
 * Share of alarms that are true, estimated in ppm: 1 - expected false / alarms, at least 0.
 * Assumes that normal behaviour is what the calibration set holds; useless under concept drift.
 */
uint32_t rv_precision_estimate_ppm(uint64_t verdicts, uint64_t alarms, uint32_t alpha_ppb);
