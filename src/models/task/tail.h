/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file task/tail.h  From raw scores of unlike heads to one scale, and from that scale to a risk.
 * A tail knows the scores that a head gave to normal items it was not trained on. It says how rare
 * a score is among them, -ln p, and goes on rising beyond the highest of them, so that heads can be
 * combined and still order what all of them find extreme.
 */
#pragma once

#include "base/bytes.h"
#include "models/calibration.h"

#define RV_TAIL_SCORES_MAX ((size_t)4096)

struct rv_tail {
    double *scores; /* ascending */
    size_t count;
    double unit; /* score beyond the highest that counts as one nat */
};

/** At most RV_TAIL_SCORES_MAX of the scores are kept, evenly by rank. @return 0; -EINVAL; -ENOMEM. */
RV_MUST_CHECK int rv_tail_make(struct rv_tail *tail, const double *scores, size_t count);
void rv_tail_done(struct rv_tail *tail);
/** -ln of the conformal p-value of `score`, extrapolated above the highest known one. */
double rv_tail_surprise(const struct rv_tail *tail, double score);
void rv_tail_save(const struct rv_tail *tail, struct rv_buf *into);
RV_MUST_CHECK int rv_tail_load(struct rv_tail *tail, struct rv_reader *reader);

/** Scores are calibrated as Q16.16. Out of range and NaN saturate. */
int64_t rv_score_q16(double score);

/** A calibration of one class from normal scores. @return 0; -EINVAL for none; -ENOMEM. */
RV_MUST_CHECK int rv_calibrate_scores(struct rv_calibration **ret_calibration,
                                      const double *scores, size_t count);

/** Length-prefixed parts of a section. */
void rv_part_add(struct rv_buf *into, const struct rv_buf *part);
struct rv_span rv_part_read(struct rv_reader *reader);

/** Doubles as their IEEE 754 bits. */
void rv_buf_add_double(struct rv_buf *into, double value);
double rv_read_double(struct rv_reader *reader);
