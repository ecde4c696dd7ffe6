/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file models/drift_watch.h  Drift of one model on one host, as it goes.
 *
 * What a model was trained on is never quite what a host does, and calibration on the host takes
 * care of that. What must not move unseen is what the calibration rests on. So the reference is
 * this host's own first window under this model; each later window is held against it. Windows last
 * `window_ns` of *watched* time: gaps longer than an hour, such as a stop, do not count.
 *
 * The only clock is the time passed in. Single-threaded; about 55 KB.
 */
#pragma once

#include "models/drift.h"

/** A reference wants more rows than a window, which wants RV_DRIFT_ROWS_MIN. */
#define RV_DRIFT_REFERENCE_ROWS (4 * RV_DRIFT_ROWS_MIN)

struct rv_drift_watch {
    uint64_t window_ns;          /* 0: rv_drift_watch_init() takes a day */
    struct rv_profile reference; /* not complete until `settled` */
    struct rv_profile now;
    uint64_t watched_ns; /* of the profile that is being filled */
    uint64_t last_ns;    /* of the last row; 0: none since the start */
    uint64_t windows;    /* evaluated */
    struct rv_drift drift;
    struct rv_drift_report report; /* of the last window */
    bool settled;
};

void rv_drift_watch_init(struct rv_drift_watch *watch, uint64_t window_ns);

/** One verdict. @return the light to act on; green until there is a reference. */
enum rv_light rv_drift_watch_row(struct rv_drift_watch *watch, const struct rv_vector *vector,
                                 int64_t raw_q16, uint64_t time_ns);

/**
 * The report of the window that is being filled, without moving the light; `enough` is false when
 * there is no reference or too few rows.
 */
void rv_drift_watch_peek(const struct rv_drift_watch *watch, struct rv_drift_report *ret_report);

void rv_drift_watch_save(const struct rv_drift_watch *watch, struct rv_buf *buf);
/** Keeps `window_ns`. @return 0; -EBADMSG or -EPROTONOSUPPORT, then nothing was changed; -ENOMEM.
 */
RV_MUST_CHECK int rv_drift_watch_load(struct rv_drift_watch *watch, struct rv_reader *reader);
