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
#include "models/language.h"

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

/** Events as the language model takes them. All-zero is a valid empty set. */
struct utterances {
    struct rv_utterance *items;
    size_t count, room;
};
void utterances_done(struct utterances *utterances); /* cleanup attribute */

/** Both of the same streams: the k-th utterance that is due is the k-th vector. */
struct gathered {
    struct vectors *vectors;
    struct utterances *utterances;
};

/** A recorded stream. */
struct behaviour_stream {
    const char *path;
    bool attack;
    uint32_t number; /* in the order given, normal ones first */
    char host[25];
    uint64_t created_unix_ns, events, rows, first_ns, last_ns;
    int64_t unix_offset_ns;
};

struct behaviour_streams {
    struct behaviour_stream *items;
    size_t count;
};
void behaviour_streams_done(struct behaviour_streams *streams); /* cleanup attribute */

/** One event of a process, and the vector when it is worth a verdict. */
struct behaviour_seen {
    struct rv_features *features;
    const struct rv_process *process;
    const struct rv_vector *vector; /* NULL: no verdict is due */
    const struct rv_event *event;
    const struct behaviour_stream *stream;
    unsigned host; /* counts up when another host begins, with a state that knows nothing */
};
/** @return 0 or -errno to stop. */
typedef int (*behaviour_take)(void *context, const struct behaviour_seen *seen);

/**
 * Read streams as a judge would have: those of one host, by the name in their heads, in order of
 * time through one state. Where the boot clock goes back, the host starts anew.
 * @param ret_streams in the order given; may be NULL. @return 0, or -errno, said.
 */
RV_MUST_CHECK int behaviour_walk(const struct task_files *files, behaviour_take take, void *context,
                                 struct behaviour_streams *ret_streams);

/** The vectors and events of streams, each a source, noted in the manifest. @return 0, or -errno,
 * said. */
RV_MUST_CHECK int behaviour_gather(const struct task_files *files, const struct gathered *into,
                                   json_t *manifest);

/** What people judged, in files of `reeve decisions labels`, noted in the manifest. */
RV_MUST_CHECK int behaviour_labels(const struct rv_option_list *files, struct rv_labels *labels,
                                   json_t *manifest);
