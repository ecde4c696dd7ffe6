/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file models/words.h  Reasons in words: what stood out, loudest first, beside what is usual.
 * "changed 214 files in 3 directories within 1 s (this program usually changes 4); gave 60 files
 * the same unknown extension". Names of programs are the attacker's: they are escaped and cut
 * short.
 */
#pragma once

#include "features/features.h"
#include "models/model.h"

struct rv_words_input {
    const struct rv_process *process; /* may be NULL: then no names */
    const struct rv_vector *vector;
    const struct rv_vector *usual;  /* from rv_features_usual(); may be NULL */
    const int64_t *attribution_q16; /* RV_FEATURE_COUNT of them */
};

/**
 * Append up to `clause_max` clauses with "; " between, without a full stop. Features that say the
 * same thing share a clause. Appends "nothing stands out" when no attribution is positive.
 */
void rv_words_reasons(struct rv_buf *buf, const struct rv_words_input *input, size_t clause_max);

/** Append what one feature's value means, as one clause. */
void rv_words_feature(struct rv_buf *buf, const struct rv_words_input *input, size_t feature);

/** Append untrusted text: printable ASCII as it is, other bytes as \xNN, at most `len_max` bytes.
 */
void rv_words_untrusted(struct rv_buf *buf, struct rv_span text, size_t len_max);
