/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file models/alarms.h  How alarms over rows in time answer to attacks: by rows, by events, by
 * time. Nothing is point-adjusted: a row counts as found only when the alarm stands in that very
 * row. events     a run of attack rows is found when any of its rows is alarmed; a run of alarms
 * that touches no attack is a false alarm time       S of the BATADAL competition (Taormina et al.,
 * J. Water Resour. Plann. Manage. 144(8), 2018) is made of `delay` and of the shares of rows eTaPR
 * Hwang, Yun, Kim, Min: "Do you know existing accuracy metrics overrate time-series anomaly
 * detections?", ACM SAC 2022, with theta_p 0.5, theta_r 0.1 and delta 0. An attack counts when
 * correct alarms cover a tenth of it, an alarm is correct when half of it lies in attacks that
 * count; what fails either is struck out until nothing changes. Half of an attack's (an alarm's)
 * value is that it counts, half the share covered (correct); attacks weigh alike, alarms by the
 * root of their length. Pure; no allocation outlives a call.
 */
#pragma once

#include "base/base.h"

/** Sums over series, so that several are judged as one. Starts as all zero. */
struct rv_alarm_tally {
    size_t normal, false_alarms, attack, found; /* rows */
    size_t events, events_found;                /* runs of attack rows */
    size_t false_episodes;                      /* runs of alarms that touch no attack */
    double delay;                               /* over events: time to detection / length */
    double covered;                             /* over events: share of rows alarmed */
    double recall;                              /* over events: of eTaR, 0..1 each */
    double precision, weight;                   /* over runs of alarms: of eTaP, weighted */
};

/**
 * Add one series, `rows` of each in time order. `tally` is untouched on failure.
 * @return 0; -ENOMEM.
 */
RV_MUST_CHECK int rv_alarms_judge(const bool *attack, const bool *alarm, size_t rows,
                                  struct rv_alarm_tally *tally);

/* Figures of a tally that holds at least one event. */

/** 1 - mean of delay / length: 1 when each attack is alarmed from its first row on. */
double rv_alarms_earliness(const struct rv_alarm_tally *tally);
/** earliness / 2 + (TPR + TNR) / 4. */
double rv_alarms_score(const struct rv_alarm_tally *tally);
/** eTaR and eTaP, 0 when there is no alarm. */
double rv_alarms_recall(const struct rv_alarm_tally *tally);
double rv_alarms_precision(const struct rv_alarm_tally *tally);
/** Their harmonic mean, 0 when both are. */
double rv_alarms_f1(const struct rv_alarm_tally *tally);
