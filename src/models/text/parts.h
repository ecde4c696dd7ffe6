/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file text/parts.h  A command line as hashed features, whole and in stretches.
 * Stretches are runs of up to six commands on end and, in long lines, windows of bytes: whatever
 * is put before or after a command, the command by itself is still one of them.
 */
#pragma once

#include "base/bytes.h"

#define RV_TEXT_BUCKETS       ((uint32_t)1 << 18)
#define RV_TEXT_FEATURES_MAX  ((size_t)8192) /* of one stretch; what is longer is cut */
#define RV_TEXT_STRETCHES_MAX ((size_t)512)  /* of one line */

/** One feature of a stretch: `value` is such that each of the two families has length 1. */
struct rv_text_feature {
    uint32_t bucket;
    uint32_t at; /* byte of the stretch where it first occurs */
    float value;
};

/** Features of a stretch, each bucket once. All-zero is empty; reused. */
struct rv_text_features {
    struct rv_text_feature *items;
    size_t count, room;
};

struct rv_text_stretch {
    size_t at, len;
};

RV_MUST_CHECK int rv_text_features(struct rv_text_features *features, struct rv_span text);
void rv_text_features_done(struct rv_text_features *features);

/** The whole line first. @return how many, 1..RV_TEXT_STRETCHES_MAX; 0 for an empty line. */
size_t rv_text_stretches(struct rv_span line, struct rv_text_stretch *stretches);

/** Length of the token at the start of `text`, at least 1 while there is text. */
size_t rv_text_token(struct rv_span text);
