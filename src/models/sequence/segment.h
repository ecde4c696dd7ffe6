/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file sequence/segment.h  A trace seen at several scales: its stretches of 64, 128, 256, ... calls
 * and the whole, each as one row of integers. What an attack does in a stretch stays visible in
 * that stretch, however much benign work comes before, between or after.
 */
#pragma once

#include "lm.h"

#define RV_SEGMENT_CALLS_MIN 64U /* shortest stretch */
#define RV_SEGMENT_SCALES    7U  /* 64 .. 4096 calls; the whole trace is one scale more */
#define RV_SEGMENT_SYMBOLS   96U /* calls with a column of their own */
#define RV_SEGMENT_BIGRAMS   256U

/** Columns of a row that do not depend on the vocabulary. */
enum rv_segment_column {
    RV_SEGMENT_NLL1,       /* mean surprise by single calls, milli-nats */
    RV_SEGMENT_NLL3,       /* by 3-grams */
    RV_SEGMENT_NLL6,       /* by all n-grams */
    RV_SEGMENT_ROOT6,      /* mean of the square root of the surprise, x 1000 */
    RV_SEGMENT_ORDER,      /* ROOT6 minus the same by single calls: above 0, order misleads */
    RV_SEGMENT_Q50,        /* quantiles of the surprise, milli-nats */
    RV_SEGMENT_Q75,
    RV_SEGMENT_Q90,
    RV_SEGMENT_Q97,
    RV_SEGMENT_TOP10,      /* largest mean over 10 calls on end */
    RV_SEGMENT_TOP30,
    RV_SEGMENT_DIVERGENCE, /* NLL6 minus the trace's own entropy, learnt as it goes */
    RV_SEGMENT_UNSEEN2,    /* share of calls that end no seen 2-gram, of 65536 */
    RV_SEGMENT_UNSEEN3,
    RV_SEGMENT_UNSEEN4,
    RV_SEGMENT_UNSEEN6,
    RV_SEGMENT_STRANGE,    /* calls with a surprise above 6 nats, number */
    RV_SEGMENT_DISTINCT,   /* different calls, number */
    RV_SEGMENT_LENGTH,     /* log2 of the number of calls, x 1000 */
    RV_SEGMENT_FIXED_,
};

#define RV_SEGMENT_WIDTH (RV_SEGMENT_FIXED_ + RV_SEGMENT_SYMBOLS + RV_SEGMENT_BIGRAMS)

/** Which calls and pairs of calls have a column. */
struct rv_vocabulary {
    uint16_t symbol[RV_SEGMENT_SYMBOLS]; /* ascending */
    uint32_t bigram[RV_SEGMENT_BIGRAMS]; /* first << 16 | second, ascending */
    unsigned symbols, bigrams;
};

struct rv_known_trace;
/** @return 0 or -ENOMEM. */
RV_MUST_CHECK int rv_vocabulary_choose(struct rv_vocabulary *vocabulary,
                                       const struct rv_known_trace *traces, size_t count);

/** A trace with what the language model says of each call. All-zero is empty; reused. */
struct rv_heard {
    size_t count, room;
    float *nll1, *nll3, *nll6, *own; /* `own`: surprise by the trace's calls so far */
    uint8_t *matched;
    uint16_t *calls;
    uint16_t *symbol_at, *bigram_at; /* column among symbols, bigrams; UINT16_MAX: none */
};

RV_MUST_CHECK int rv_heard_make(struct rv_heard *profile, const struct rv_lm *lm,
                                  const struct rv_vocabulary *vocabulary, const uint16_t *calls,
                                  size_t count);
void rv_heard_done(struct rv_heard *profile);

/** The row of a stretch; `count` at least 1, inside the trace. */
void rv_segment_row(const struct rv_heard *profile, size_t at, size_t count,
                    int32_t row[RV_SEGMENT_WIDTH]);

/** Stretches of a trace, whole trace first, then scale by scale; halves overlap. */
struct rv_segment_walk {
    size_t count; /* calls of the trace */
    size_t at, len;
    unsigned scale; /* 0: whole, else 1 + log2(len / 64) */
    bool begun;
};
bool rv_segment_walk(struct rv_segment_walk *walk);
