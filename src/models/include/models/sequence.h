/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file models/sequence.h  Models of system-call and event sequences.
 * Parts: an interpolated n-gram language model (Witten-Bell) of normal traces, the set of n-grams
 * seen (STIDE), and, when attacks were given, boosted trees over both and over calls, taken per
 * window so that padding cannot wash an attack out. Immutable once made; scoring is thread-safe.
 */
#pragma once

#include "models/dataset.h"
#include "models/task.h"

struct rv_sequence_model;

/** A stretch that the model finds strange: `count` calls from `at`, most surprising first. */
struct rv_sequence_reason {
    size_t at, count;
    double surprise; /* nats above what is usual for a normal trace, summed over the n-gram */
    bool unseen;     /* the n-gram never occurred in normal traces */
};

/**
 * @param normal  traces of normal work, no two alike (rv_sequences_dedup); at least 20.
 * @param attack  may be NULL or empty: then the model is one-class.
 * @return 0; -EINVAL with too few traces; -ENOMEM.
 */
RV_MUST_CHECK int rv_sequence_train(struct rv_sequence_model **ret_model,
                                    const struct rv_sequences *normal,
                                    const struct rv_sequences *attack,
                                    const struct rv_task_options *options);
RV_MUST_CHECK int rv_sequence_score(const struct rv_sequence_model *model, const uint16_t *calls,
                                    size_t count, struct rv_score *ret_score);
/** At most `room` reasons into `reasons`. @return how many. */
size_t rv_sequence_explain(const struct rv_sequence_model *model, const uint16_t *calls,
                           size_t count, struct rv_sequence_reason *reasons, size_t room);
RV_MUST_CHECK int rv_sequence_save(const struct rv_sequence_model *model, struct rv_buf *into);
/** @return 0; -EBADMSG for bytes that are not such a model; -ENOMEM. */
RV_MUST_CHECK int rv_sequence_load(struct rv_sequence_model **ret_model, struct rv_span bytes);
void rv_sequence_model_free(struct rv_sequence_model **model);
