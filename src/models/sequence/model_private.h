/* SPDX-License-Identifier: Apache-2.0 */
/** @file sequence/model_private.h  What a sequence model is made of; shared by training and use. */
#pragma once

#include "models/forest.h"
#include "models/sequence.h"
#include "segment.h"
#include "task/tail.h"

/**
 * Columns of the row that the trace heads see: what the stretch head said at each scale, and what
 * the language model says of the whole and, at its worst, of the shortest stretches.
 */
#define RV_TRACE_PER_SCALE 4U /* first stretch, highest, mean of three highest, upper quarter */
#define RV_TRACE_WIDTH                                                                             \
    (1 + RV_SEGMENT_SCALES * RV_TRACE_PER_SCALE + 3 + 2 * (unsigned)RV_SEGMENT_FIXED_)

enum rv_sequence_head {
    RV_HEAD_STRETCH,    /* the whole trace by the stretch head */
    RV_HEAD_PADDED,     /* traces, trained with benign calls appended */
    RV_HEAD_INTERLEAVED,/* traces, trained with benign calls appended and interleaved */
    RV_HEAD_COUNT_,
};

struct rv_sequence_model {
    struct rv_lm lm;
    struct rv_vocabulary vocabulary;
    /* One-class: mean and deviation, among unseen normal traces, of the two parts. */
    double root_mean, root_deviation, divergence_mean, divergence_deviation;
    /* Supervised: NULL and empty otherwise. */
    struct rv_forest *stretch, *padded, *interleaved;
    struct rv_tail tails[RV_HEAD_COUNT_];
    struct rv_calibration *calibration;
    double usual_surprise; /* nats a call, in normal traces */
};

static inline bool rv_sequence_supervised(const struct rv_sequence_model *model)
{
    return model->stretch != NULL;
}

/** Scores of the stretch head over a profile, as the row of the trace heads. */
RV_MUST_CHECK int rv_sequence_trace_row(const struct rv_forest *stretch,
                                        const struct rv_heard *profile,
                                        int32_t row[RV_TRACE_WIDTH]);
/** One-class score of a whole-trace row. */
double rv_sequence_strangeness(const struct rv_sequence_model *model, const int32_t *whole);
/** Heads' margins combined: how rare the most alarmed head finds the trace, in nats. */
double rv_sequence_combine(const struct rv_sequence_model *model,
                           const double margins[RV_HEAD_COUNT_]);
void rv_sequence_margins(const struct rv_sequence_model *model, const int32_t row[RV_TRACE_WIDTH],
                         double ret_margins[RV_HEAD_COUNT_]);
