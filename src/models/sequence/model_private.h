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

#define RV_WHOLE_WIDTH (RV_SEGMENT_WIDTH + (unsigned)RV_NEAR_WIDTH)

/** Who judges a trace ... */
enum rv_sequence_head {
    RV_HEAD_ROOT,    /* surprise beyond what is usual for its length and number of calls */
    RV_HEAD_UPPER,   /* the same of the upper quartile of its calls' surprise */
    RV_HEAD_FEW,     /* few different calls, as in a loop */
    RV_HEAD_VARIETY, /* many different pairs of calls for its length */
    RV_HEAD_WORST,   /* surprise of the most surprising stretch */
    RV_HEAD_ORDER,   /* calls in an order that no program produces: interleaving */
    RV_HEAD_ONE_CLASS_,
    /* ... and when attacks were known: */
    RV_HEAD_STRETCH = RV_HEAD_ONE_CLASS_, /* the whole trace by the stretch head */
    RV_HEAD_NEAR,                         /* the whole trace by its nearest known ones */
    RV_HEAD_WHOLE,                        /* trees over the whole and its nearest known ones */
    RV_HEAD_PADDED, /* trees over traces, trained with benign calls appended */
    RV_HEAD_COUNT_,
};

/** How the judges' findings are combined: some are added up, some can alarm alone. */
struct rv_panel {
    unsigned heads;
    double weight[RV_HEAD_COUNT_]; /* in the sum, of margins in deviations above their mean */
    double cost[RV_HEAD_COUNT_];   /* nats that one alone must find more, to raise fewer alarms;
                                      0: cannot alarm alone */
};

/** What judges that know no attacks look at. */
struct rv_oddness {
    int32_t root, upper, order, worst;
    int32_t length, distinct; /* as in the row of a stretch */
    double variety;
    double surprise; /* nats a call */
};

#define RV_USUAL_TERMS 5U /* length, distinct calls, and their squares and product */

/** How surprising normal traces are, by how long they are and how many different calls they make.
 */
struct rv_usual {
    int32_t least[2], most[2]; /* length, distinct calls: what was seen; beyond, the edge holds */
    double mean[RV_USUAL_TERMS], deviation[RV_USUAL_TERMS];
    double level[2], slope[2][RV_USUAL_TERMS]; /* of root, upper */
    double surprise;                           /* nats a call */
};

struct rv_sequence_model {
    struct rv_lm lm;
    struct rv_vocabulary vocabulary;
    struct rv_usual usual;
    /* Supervised: NULL and empty otherwise. */
    struct rv_forest *stretch, *whole, *padded;
    struct rv_neighbours neighbours;
    double mean[RV_HEAD_COUNT_], deviation[RV_HEAD_COUNT_]; /* of margins of unseen normal traces */
    struct rv_tail tails[RV_HEAD_COUNT_];                   /* of those that can alarm alone */
    struct rv_tail together;                                /* of the sum */
    struct rv_calibration *calibration;
};

static inline bool rv_sequence_supervised(const struct rv_sequence_model *model)
{
    return model->stretch != NULL;
}

const struct rv_panel *rv_sequence_panel(const struct rv_sequence_model *model);

/** What the judges see of a trace. */
struct rv_trace_view {
    struct rv_oddness odd;
    int32_t whole[RV_WHOLE_WIDTH]; /* the row of the whole, then what neighbours say */
    int32_t row[RV_TRACE_WIDTH];   /* what stretch head and neighbours say */
};

/** @param stretch  NULL: only oddness is filled in; `neighbours` is not used then. */
RV_MUST_CHECK int rv_sequence_view(const struct rv_forest *stretch,
                                   const struct rv_neighbours *neighbours,
                                   const struct rv_heard *profile, struct rv_trace_view *view);
/** From `usual`, of the first RV_USUAL_TERMS: the terms of a trace. */
void rv_usual_terms(const struct rv_usual *usual, const struct rv_oddness *odd,
                    double ret_terms[RV_USUAL_TERMS]);
/** Margins of the judges that the model has; of the others 0. */
void rv_sequence_margins(const struct rv_sequence_model *model, const struct rv_trace_view *view,
                         double ret_margins[RV_HEAD_COUNT_]);

/** The sum of the panel. */
double rv_sequence_together(const struct rv_sequence_model *model,
                            const double margins[RV_HEAD_COUNT_]);
/** All judges: how rare the most alarmed of them finds the trace, in nats. */
double rv_sequence_combine(const struct rv_sequence_model *model,
                           const double margins[RV_HEAD_COUNT_]);
