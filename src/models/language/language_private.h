/* SPDX-License-Identifier: Apache-2.0 */
/** @file language/language_private.h  What the model is made of. */
#pragma once

#include "models/language.h"
#include "sequence/lm.h"

#define RV_LANGUAGE_ORDER    3U /* symbols of an n-gram at most, the one judged included */
#define RV_LANGUAGE_CONTEXTS (RV_LANGUAGE_ORDER + 1U) /* the empty one, the kind's, then symbols'  \
                                                       */

struct rv_language {
    struct rv_lm normal, attack; /* attack.used 0: one-class */
    int32_t usual_q16;           /* mean surprise of normal work, nats */
    uint32_t share_ppm;
    struct rv_calibration *calibration;
};

/** Where a session is. */
struct rv_text_place {
    uint16_t last[RV_LANGUAGE_ORDER - 1]; /* the latest first */
    uint8_t depth;                        /* of them that are valid */
};

/** Contexts of the next symbol, from the widest to the narrowest. @return how many. */
unsigned rv_language_contexts(const struct rv_text_place *place, uint8_t kind,
                              uint64_t contexts[RV_LANGUAGE_CONTEXTS]);
void rv_language_move(struct rv_text_place *place, uint16_t symbol);

/** What the next symbol is worth. */
void rv_language_judge(const struct rv_language *language, const struct rv_text_place *place,
                       uint8_t kind, uint16_t symbol, struct rv_said *ret_said);
