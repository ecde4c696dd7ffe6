/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cmd/model/behaviour_data.h  Vectors of what programs do: from recorded streams, as the
 * judge makes them, and from people's judgements.
 */
#pragma once

#include "task.h"

#include "event/segment.h"
#include "features/features.h"
#include "models/labels.h"

/** Vectors with what is known of each. All-zero is a valid empty set. */
struct vectors {
    int32_t *values; /* count * RV_FEATURE_COUNT */
    uint32_t *class;
    uint32_t *source; /* whose weight is capped: a stream, or whoever judged */
    bool *attack;
    bool *judged; /* by a person, not recorded as what it is */
    size_t count, room;
    uint32_t sources;
};

void vectors_done(struct vectors *vectors);
RV_MUST_CHECK int vectors_add(struct vectors *vectors, const struct rv_vector *vector,
                              uint32_t class, uint32_t source, bool attack);

static inline const int32_t *vectors_row(const struct vectors *vectors, size_t row)
{
    return vectors->values + row * RV_FEATURE_COUNT;
}

/** Called for each vector that is worth a verdict. @return 0 or -errno to stop. */
typedef int (*behaviour_take)(void *context, const struct rv_process *process,
                              const struct rv_vector *vector);

/** How much a stream holds. */
struct behaviour_stream {
    uint64_t events, first_ns, last_ns;
    int64_t unix_offset_ns;
};

/** @param ret may be NULL. @return 0, or -errno, said. */
RV_MUST_CHECK int behaviour_read(const char *path, behaviour_take take, void *context,
                                 struct behaviour_stream *ret);

/** The vectors of streams, each a source, noted in the manifest. @return 0, or -errno, said. */
RV_MUST_CHECK int behaviour_gather(const struct rv_option_list *files, bool attack,
                                   struct vectors *vectors, json_t *manifest);

/** What people judged, in files of `reeve decisions labels`, noted in the manifest. */
RV_MUST_CHECK int behaviour_labels(const struct rv_option_list *files, struct rv_labels *labels,
                                   json_t *manifest);
