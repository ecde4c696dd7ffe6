/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cmd/model/figures.h  What an evaluation says: shares with their 95 % interval (Wilson), the
 * area under the curve, and what is left of detection after each way of padding. All in ppm, in a
 * JSON object with "metrics" and "evasion" as a manifest has them.
 */
#pragma once

#include "base/json.h"
#include "models/task.h"

/** Risks at which every evaluation reports: nominal false-positive rates of 5 %, 1 % and 0.1 %. */
#define FIGURES_RISKS                                                                              \
    {                                                                                              \
        130, 200, 300                                                                              \
    }

struct figures_scores {
    struct rv_score *items;
    size_t count, room;
};

void figures_done(struct figures_scores *scores);
RV_MUST_CHECK int figures_add(struct figures_scores *scores, struct rv_score score);
/** Scores at or above a risk. */
size_t figures_above(const struct figures_scores *scores, uint32_t risk);

/** An empty report. NULL without memory. */
json_t *figures_new(void);
/** A share of the whole, with its interval. @return 0 or -ENOMEM. */
RV_MUST_CHECK int figures_share(json_t *report, const char *name, size_t part, size_t whole);
/** A mean of `count` values from 0 to 1: it varies no more than a share does. @return 0 or -ENOMEM.
 */
RV_MUST_CHECK int figures_mean(json_t *report, const char *name, double mean, size_t count);
/** Area under the ROC curve of raw scores, ties half. */
RV_MUST_CHECK int figures_auc(json_t *report, const struct figures_scores *normal,
                              const struct figures_scores *attack);
/** Real false-positive rate and detection at each of FIGURES_RISKS, and the area. */
RV_MUST_CHECK int figures_detection(json_t *report, const struct figures_scores *normal,
                                    const struct figures_scores *attack);
/** What was done to the attacks, and how many are still found at a nominal rate of 1 %. */
RV_MUST_CHECK int figures_evasion(json_t *report, const char *change,
                                  const struct figures_scores *attack);
/** A count that is no share, such as copies dropped. */
RV_MUST_CHECK int figures_count(json_t *report, const char *name, size_t count);
