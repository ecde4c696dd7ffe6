/* SPDX-License-Identifier: Apache-2.0 */
/** @file words/words_private.h  A clause a feature, and the pieces that clauses are made of. */
#pragma once

#include "models/words.h"

struct words {
    struct rv_buf *buf;
    const struct rv_process *process;
    const int32_t *value, *usual; /* usual may be NULL */
};

typedef void rv_words_clause(const struct words *words);

/** By feature; NULL where the other table says it. Features with the same clause say the same. */
extern rv_words_clause *const rv_words_origin[RV_FEATURE_COUNT];  /* what it is, where from */
extern rv_words_clause *const rv_words_conduct[RV_FEATURE_COUNT]; /* what it did */

void rv_words_count(const struct words *words, int32_t count, const char *one, const char *many);
/** Rarity in 1/16 bit as "about 1 in N". */
void rv_words_odds(const struct words *words, int32_t rarity_q4);
/** The program of a process, or what to say instead. */
void rv_words_name(const struct words *words, const struct rv_executable *program,
                   const char *instead);
