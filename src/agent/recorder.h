/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file agent/recorder.h  All events on disk, in segments that `reeve replay` reads. A segment that
 * is closed is told to the caller with its digest, which belongs into the log; the oldest go.
 * Not thread-safe. Needs of system calls what the log needs.
 */
#pragma once

#include "base/clock.h"
#include "base/hash.h"
#include "event/event.h"

struct rv_recorder;

/** What is known of a segment once it is closed. */
struct rv_recorder_segment {
    const char *name;
    uint64_t events, bytes;
    struct rv_sha256 digest;
};

struct rv_recorder_options {
    int dir_fd;         /* borrowed; the segments' own folder */
    uint64_t bytes_max; /* of one segment */
    uint64_t kept;      /* closed segments that stay */
    struct rv_clock clock;
    void (*closed)(void *context, const struct rv_recorder_segment *segment);
    void *context;
};

RV_MUST_CHECK int rv_recorder_new(struct rv_recorder **ret_recorder,
                                  const struct rv_recorder_options *options);
/** Closes the last segment, telling of it. */
void rv_recorder_free(struct rv_recorder **recorder);
/** @return 0; a write error, after which nothing more is recorded. */
RV_MUST_CHECK int rv_recorder_put(struct rv_recorder *recorder, const struct rv_event *event);
/** Write out what is buffered: a judge that dies loses what came after. @return as put. */
RV_MUST_CHECK int rv_recorder_flush(struct rv_recorder *recorder);
