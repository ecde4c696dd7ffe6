/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file event/segment.h  Recorded streams: a file of events, each framed by length and CRC32C.
 *
 * Layout, little-endian: a 64-byte head
 *   "REEVESEG" | u32 format 1 | u32 schema version | u64 unix_offset_ns | u64 created_unix_ns |
 *   char host[24] | u32 0 | u32 crc32c of the first 60 bytes
 * then frames: u32 length of the event | u32 crc32c of the event | the event.
 * A torn tail (an unfinished last frame) is what a crash leaves: readers report it and stop there.
 */
#pragma once

#include "event/event.h"

struct rv_segment_head {
    uint64_t unix_offset_ns; /* wall clock - boot clock when recording began */
    uint64_t created_unix_ns;
    char host[24]; /* NUL-padded, may be empty */
};

struct rv_segment_writer;

/** Create or truncate a file. @return 0 or -errno. */
RV_MUST_CHECK int rv_segment_create(struct rv_segment_writer **ret_writer, int dir_fd,
                                    const char *path, const struct rv_segment_head *head);
/** Append, buffered. @return 0; a write error sticks. */
RV_MUST_CHECK int rv_segment_put(struct rv_segment_writer *writer, const struct rv_event *event);
/** Write out what is buffered. @return 0 or the first -errno. */
RV_MUST_CHECK int rv_segment_flush(struct rv_segment_writer *writer);
void rv_segment_writer_free(struct rv_segment_writer **writer); /* flushes, ignoring errors */

enum rv_segment_end { RV_SEGMENT_TORN = 0, RV_SEGMENT_COMPLETE };

struct rv_segment_reader;

/** Open; the head is checked. @return 0; -EBADMSG if not a segment; another -errno. */
RV_MUST_CHECK int rv_segment_open(struct rv_segment_reader **ret_reader, int dir_fd,
                                  const char *path, struct rv_segment_head *ret_head);
/**
 * The next event, valid until the next call.
 * @param ret_event NULL at the end; then `ret_end` says whether the file ended whole.
 * @return 0; -EBADMSG with rv_segment_error() for a corrupt frame; another -errno.
 */
RV_MUST_CHECK int rv_segment_next(struct rv_segment_reader *reader,
                                  const struct rv_event **ret_event, enum rv_segment_end *ret_end);
/** What was wrong and at which byte offset; owned by the reader. */
const char *rv_segment_error(const struct rv_segment_reader *reader);
void rv_segment_reader_free(struct rv_segment_reader **reader);
