/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file sequence/lm.h  An interpolated n-gram language model with Witten-Bell smoothing, streaming.
 * n-grams are known by a 64-bit hash of their symbols; a model of a million n-grams is expected to
 * hold 3e-8 collisions, which would only make an unseen n-gram look seen.
 */
#pragma once

#include "base/bytes.h"

#define RV_LM_ORDER       6U   /* longest n-gram */
#define RV_LM_SYMBOLS     512U /* an unseen symbol has the probability 1 / RV_LM_SYMBOLS */
#define RV_LM_ENTRIES_MAX ((size_t)1 << 24)

struct rv_lm_entry {
    uint64_t key;      /* 0: empty slot */
    uint32_t count;    /* times seen */
    uint32_t total;    /* times seen with a symbol after it */
    uint32_t distinct; /* different symbols seen after it */
};

struct rv_lm {
    struct rv_lm_entry *slots;
    size_t mask; /* number of slots - 1 */
    size_t used;
    struct rv_lm_entry root; /* the empty context */
};

/** Where a stream is: hashes of its last 0..RV_LM_ORDER-1 symbols. */
struct rv_lm_cursor {
    uint64_t context[RV_LM_ORDER];
    const struct rv_lm_entry *entry[RV_LM_ORDER]; /* NULL: that context was never seen */
    unsigned depth;                               /* contexts that are valid */
};

/** What the model says of one symbol. */
struct rv_lm_step {
    double nll[RV_LM_ORDER]; /* -ln p by n-grams of at most 1, 2, ... symbols */
    unsigned matched;        /* longest n-gram ending here that was seen, 0..RV_LM_ORDER */
};

RV_MUST_CHECK int rv_lm_init(struct rv_lm *lm);
void rv_lm_done(struct rv_lm *lm);
/** Count all n-grams of a trace. @return 0; -ENOMEM; -EFBIG past RV_LM_ENTRIES_MAX. */
RV_MUST_CHECK int rv_lm_add(struct rv_lm *lm, const uint16_t *calls, size_t count);

void rv_lm_begin(const struct rv_lm *lm, struct rv_lm_cursor *cursor);
/** Judge the next symbol and move on. */
void rv_lm_next(const struct rv_lm *lm, struct rv_lm_cursor *cursor, uint16_t symbol,
                struct rv_lm_step *ret_step);

/**
 * Contexts of the caller's own making, from the widest to the narrowest, the first of them
 * RV_LM_ROOT: each is smoothed by the one before it. Others are hashes of rv_lm_context(), begun
 * with any number that no other kind of context begins with.
 */
#define RV_LM_ROOT 0x7265657665726f6fULL /* the empty context */
uint64_t rv_lm_context(uint64_t context, uint16_t symbol);
/** Count one symbol in each context. @return 0; -ENOMEM; -EFBIG past RV_LM_ENTRIES_MAX. */
RV_MUST_CHECK int rv_lm_count(struct rv_lm *lm, const uint64_t *contexts, unsigned count,
                              uint16_t symbol);
/** -ln p of a symbol, and how many of the contexts it was seen in. */
double rv_lm_surprise(const struct rv_lm *lm, const uint64_t *contexts, unsigned count,
                      uint16_t symbol, unsigned *ret_seen);

/** Append the model, sorted by key: the same counts give the same bytes. */
RV_MUST_CHECK int rv_lm_save(const struct rv_lm *lm, struct rv_buf *into);
/** @return 0; -EBADMSG; -ENOMEM. */
RV_MUST_CHECK int rv_lm_load(struct rv_lm *lm, struct rv_reader *reader);
