/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file text/parts.h  A command line as hashed n-grams of tokens and of bytes, and its stretches.
 * A stretch is any run of RV_TEXT_STRETCH_MIN to RV_TEXT_STRETCH_MAX tokens (a shorter line: all of
 * it); its n-grams are those that lie inside, so a stretch scores the same whatever stands around
 * it. The score of a line is that of its highest stretch: text put before or after a command can
 * only raise it.
 */
#pragma once

#include "base/bytes.h"

#define RV_TEXT_BUCKETS     ((uint32_t)1 << 18)
#define RV_TEXT_BYTES_MAX   ((size_t)1 << 21) /* what exec() takes, unless its limits are raised */
#define RV_TEXT_STRETCH_MIN ((size_t)4)
#define RV_TEXT_STRETCH_MAX ((size_t)64)
#define RV_TEXT_TOKEN_GRAMS 3U /* of one to three tokens, starting at each token */
#define RV_TEXT_BYTE_GRAMS  4U /* of two to five bytes, starting at each byte */
#define RV_TEXT_GRAMS       (RV_TEXT_TOKEN_GRAMS + RV_TEXT_BYTE_GRAMS)

struct rv_text_stretch {
    size_t at, len;
};

/** The n-grams of a line. All-zero is empty; reused; what is past RV_TEXT_BYTES_MAX is not read. */
struct rv_text_parts {
    struct rv_span text; /* borrowed */
    struct rv_text_stretch *tokens;
    size_t token_count;
    uint32_t *grams[RV_TEXT_GRAMS]; /* buckets */
    size_t gram_count[RV_TEXT_GRAMS];
    size_t room;                 /* bytes that the arrays have room for */
    double *sums[RV_TEXT_GRAMS]; /* work of rv_text_highest() */
};

RV_MUST_CHECK int rv_text_cut(struct rv_text_parts *parts, struct rv_span text);
void rv_text_parts_done(struct rv_text_parts *parts);

/** Highest score of the stretches. @return the score; the bias for a line without tokens. */
double rv_text_highest(struct rv_text_parts *parts, const float *weights, double bias,
                       struct rv_text_stretch *ret_best);

/** One n-gram of a text: each of the two families weighs 1 / sqrt of its number. */
struct rv_text_feature {
    uint32_t bucket;
    uint32_t at; /* byte of the text where it starts */
    float value;
};

struct rv_text_features {
    struct rv_text_feature *items;
    size_t count, room;
};

/** The n-grams of a text as one stretch: the sum of their weights and the bias is its score. */
RV_MUST_CHECK int rv_text_features(struct rv_text_features *features, struct rv_text_parts *parts,
                                   struct rv_span text);
void rv_text_features_done(struct rv_text_features *features);

/** Length of the token at the start of `text`, at least 1 while there is text. */
size_t rv_text_token(struct rv_span text);
