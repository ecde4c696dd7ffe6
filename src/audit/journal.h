/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file journal.h  Two preallocated segments that hold what is durable but not yet published.
 *
 * A segment: two copies of a 64-byte head in its first two 4 KiB blocks, then records, each at a
 * 4 KiB boundary, so that a write torn by a power loss never touches an acknowledged record. The
 * files are written full of zeros once; afterwards a commit changes data only, never metadata.
 * A record is: magic, CRC32C of what follows and of the body, the segment's salt, first index,
 * count, body length; the body is in entry-bundle form (uint16 length, bytes), so that it can be
 * pasted into a bundle. Numbers are little-endian. One thread.
 */
#pragma once

#include "base/bytes.h"

#define RV_JOURNAL_BLOCK       ((size_t)4096)
#define RV_JOURNAL_RECORD_HEAD ((size_t)32)
#define RV_JOURNAL_BYTES_MIN   ((uint32_t)192 * 1024)

struct rv_journal;

/** @return 0 or -errno, which ends the replay. */
typedef int rv_journal_replay_fn(void *context, uint64_t first, uint32_t count,
                                 struct rv_span body);

struct rv_journal_opening {
    uint32_t create_bytes; /* not 0: a new log; make both segments, this large */
    uint64_t published;    /* replay from this index on, in order and without a gap */
    rv_journal_replay_fn *replay;
    void *context;
};

/**
 * @param ret_torn bytes of an unfinished last record.
 * @return 0; -EBADMSG if an acknowledged record is damaged or missing; another -errno.
 */
RV_MUST_CHECK int rv_journal_open(struct rv_journal **ret_journal, int state_fd,
                                  const struct rv_journal_opening *opening, uint64_t *ret_torn);
void rv_journal_free(struct rv_journal **journal);
/** Forget everything: a fresh segment whose first index is `next`. All before is published. */
RV_MUST_CHECK int rv_journal_reset(struct rv_journal *journal, uint64_t next);

/** Bytes that a record with such a body takes on disk. */
static inline size_t rv_journal_record_len(size_t body_len)
{
    return (RV_JOURNAL_RECORD_HEAD + body_len + RV_JOURNAL_BLOCK - 1) / RV_JOURNAL_BLOCK *
           RV_JOURNAL_BLOCK;
}

/**
 * Write one record and make it durable.
 * @param record     rv_journal_record_len(body_len) bytes: room for the head, the body, zeros.
 * @param published  entries covered by a durable checkpoint: segments below it are reused.
 * @return 0; -EAGAIN if both segments are full of what is not published; another -errno, after
 *         which the journal must not be written again.
 */
RV_MUST_CHECK int rv_journal_write(struct rv_journal *journal, uint8_t *record, size_t body_len,
                                   uint64_t first, uint32_t count, uint64_t published);
/** How full the segment in use is, in percent: time to publish before the next one is needed. */
unsigned rv_journal_fill(const struct rv_journal *journal);
