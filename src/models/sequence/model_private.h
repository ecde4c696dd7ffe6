/* SPDX-License-Identifier: Apache-2.0 */
/** @file sequence/model_private.h  What a sequence model is made of; shared by training and use. */
#pragma once

#include "models/forest.h"
#include "models/sequence.h"
#include "neighbours.h"
#include "segment.h"
#include "task/tail.h"

/**
 * Columns of the row that the trace heads see: what the stretch head said at each scale, what the
 * language model says of the whole and, at its worst, of the shortest stretches, and which known
 * traces are near.
 */
#define RV_TRACE_PER_SCALE 4U /* first stretch, highest, mean of three highest, upper quarter */
/* Where columns begin: of the whole by the language model, of its worst, of neighbours. */
#define RV_TRACE_WHOLE (1 + RV_SEGMENT_SCALES * RV_TRACE_PER_SCALE + 3)
#define RV_TRACE_WORST (RV_TRACE_WHOLE + (unsigned)RV_SEGMENT_FIXED_)
#define RV_TRACE_NEAR  (RV_TRACE_WORST + (unsigned)RV_SEGMENT_FIXED_)
#define RV_TRACE_WIDTH (RV_TRACE_NEAR + (unsigned)RV_NEAR_WIDTH)

/** Who judges a trace, when attacks were known ... */
enum rv_sequence_head {
    RV_HEAD_STRETCH, /* the whole trace by the stretch head */
    RV_HEAD_NEAR,    /* the whole trace by its nearest known ones */
    RV_HEAD_PADDED,  /* trees over traces, trained with benign calls appended */
    RV_HEAD_ORDER,   /* calls in an order that no program produces: interleaving */
    RV_HEAD_COUNT_,
};

/** ... and when none were. */
enum rv_odd_head {
    RV_ODD_USUAL,   /* surprise, as it is and beyond the trace's own entropy */
    RV_ODD_VARIETY, /* many different pairs of calls for its length */
    RV_ODD_WORST,   /* surprise of the most surprising stretch */
    RV_ODD_ORDER,
    RV_ODD_COUNT_,
};

#define RV_HEADS_MAX 4U

/** How the judges' findings are combined: the first are added up, the others can alarm alone. */
struct rv_panel {
    unsigned heads, together;
    double cost[RV_HEADS_MAX]; /* nats that one alone must find more, to raise fewer alarms */
};

/** What one-class judges look at. */
struct rv_oddness {
    int32_t root, divergence, order, worst;
    double variety;
    double surprise; /* nats a call */
};

struct rv_sequence_model {
    struct rv_lm lm;
    struct rv_vocabulary vocabulary;
    /* Mean and deviation, among unseen normal traces, of the parts of RV_ODD_USUAL. */
    double root_mean, root_deviation, divergence_mean, divergence_deviation;
    /* Supervised: NULL and empty otherwise. */
    struct rv_forest *stretch, *padded;
    struct rv_neighbours neighbours;
    struct rv_tail tails[RV_HEADS_MAX];
    struct rv_tail together; /* of the sum of what the first judges find */
    struct rv_calibration *calibration;
    double usual_surprise; /* nats a call, in normal traces */
};

static inline bool rv_sequence_supervised(const struct rv_sequence_model *model)
{
    return model->stretch != NULL;
}

const struct rv_panel *rv_sequence_panel(const struct rv_sequence_model *model);

/** What stretch head and neighbours say of a profile, as the row of the trace heads. */
RV_MUST_CHECK int rv_sequence_trace_row(const struct rv_forest *stretch,
                                        const struct rv_neighbours *neighbours,
                                        const struct rv_heard *profile,
                                        int32_t row[RV_TRACE_WIDTH]);
void rv_sequence_margins(const struct rv_sequence_model *model, const int32_t row[RV_TRACE_WIDTH],
                         double ret_margins[RV_HEADS_MAX]);

RV_MUST_CHECK int rv_sequence_oddness(const struct rv_heard *profile, struct rv_oddness *ret_odd);
void rv_sequence_odd_margins(const struct rv_sequence_model *model, const struct rv_oddness *odd,
                             double ret_margins[RV_HEADS_MAX]);

/** Nats of the first judges together: unlike ones that agree count twice. */
double rv_sequence_together(const struct rv_sequence_model *model,
                            const double margins[RV_HEADS_MAX]);
/** All judges: how rare the most alarmed of them finds the trace, in nats. */
double rv_sequence_combine(const struct rv_sequence_model *model,
                           const double margins[RV_HEADS_MAX]);
