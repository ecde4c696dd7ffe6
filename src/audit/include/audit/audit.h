/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file audit/audit.h  The record: an append-only Merkle log in a directory, and its one writer.
 *
 * The directory is a C2SP tlog-tiles log that any static web server could serve (`checkpoint`,
 * `tile/...`), and `.state/` with what is private to the writer: a preallocated journal, a lock,
 * the side store of personal data, temporary files. docs/PROTOCOL.md has the layout.
 *
 * An entry is *durable* once it is in the journal and the disk said so (group commit: everything
 * waiting, at most `batch_entries_max`, in one write and one fdatasync). It is *published* once
 * tiles and a signed checkpoint cover it. Callers act on durable; outsiders see published. After
 * a crash at any point, open() finds every durable entry and nothing that was never appended.
 *
 * Two ways to run it, one set of calls:
 * - RV_AUDIT_THREAD, for the judge: append() queues and returns at once, two inner threads write
 *   the journal and build the tiles. rv_audit_fd() becomes readable when something happened;
 *   rv_audit_dispatch() then runs the callbacks in the caller's thread. A disk that stalls for a
 *   second (an fdatasync may) stalls no event loop, and tile writing never delays a commit.
 * - RV_AUDIT_INLINE, for commands and tests: no thread; append() queues, flush() commits and
 *   publish() publishes in the caller. The sequence of system calls is the same and repeatable.
 * append*(), flush() and status() may be called from any thread; the rest from one thread.
 *
 * A write, sync or rename that fails *seals* the log: everything not yet durable is answered with
 * the error, and so is every later append (-EROFS), until the log is freed and opened again. What
 * was queued but answered with an error may or may not be found by the next open: it is unknown,
 * as after a crash. Sealing is told by fd/dispatch/status, so that actions stop and people know.
 *
 * System calls after open() (for a seccomp filter; open() itself may run before the filter is on,
 * and the threads it starts share the filter only with SECCOMP_FILTER_FLAG_TSYNC): openat close
 * read pread64 write pwrite64 fsync fdatasync sync_file_range ftruncate rename{at,at2} mkdirat
 * unlinkat getdents64 fstat newfstatat fcntl lseek futex poll clock_gettime getrandom mmap munmap
 * mprotect madvise brk rt_sigprocmask set_robust_list rseq (threads that just start) exit.
 * In open() also: fallocate, faccessat, faccessat2, eventfd2, rt_sigaction, clone3 (clone).
 * All paths are relative to the directory descriptor, which another process
 * may have opened; nothing outside it is named. With Landlock: read, write, make_reg, make_dir,
 * remove_file, remove_dir, refer below that directory.
 */
#pragma once

#include "audit/note.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"

#define RV_AUDIT_ENTRY_MAX   ((size_t)65535) /* bytes; C2SP entry bundles hold a uint16 length */
#define RV_AUDIT_SIGNERS_MAX ((size_t)4)
#define RV_AUDIT_KINDS_MAX   ((size_t)64) /* counted apart in a summary; more count as "other" */
#define RV_AUDIT_KIND_MAX    ((size_t)63) /* bytes of an entry's type that are counted by */

struct rv_audit; /* opaque: made by rv_audit_open(), ended by rv_audit_free() */

enum rv_audit_mode { RV_AUDIT_INLINE = 0, RV_AUDIT_THREAD };

struct rv_audit_options {
    enum rv_audit_mode mode;
    /** Keys that sign checkpoints, the first one's name being the origin. Two while a key is
     *  rotated. Borrowed until rv_audit_free(). */
    struct rv_signer *const *signers;
    size_t signer_count;
    struct rv_clock clock;

    uint32_t journal_bytes;     /* each of two segments; 0: 8 MiB; at least 192 KiB */
    uint32_t batch_entries_max; /* 0: 256 */
    uint32_t queue_bytes_max;   /* entries not yet published; 0: 64 MiB; then -EAGAIN */

    /* Only rv_audit_tick() looks at these; 0: the default. */
    uint32_t checkpoint_ms; /* at most this long from durable to published; 1,000 */
    uint32_t heartbeat_ms;  /* an idle log still says that it lives; 60,000 */
    uint32_t period_ms;     /* a summary of the population each; 3,600,000 */

    /**
     * What each checkpoint commits beside the entries: the caller adds members to `entry`, an
     * object that becomes an "audit.checkpoint" entry just before the checkpoint is signed (C2SP
     * forbids extension lines, and an entry is auditable where a line is not). The agent adds
     * "sensors": per-cpu sequence numbers and drop counters. NULL: nothing is added.
     * @return 0 or -errno, which rv_audit_tick() hands on.
     */
    int (*commit)(void *context, json_t *entry);
    void *context;
};

/**
 * Open a log, creating it in an empty directory, recovering it after a crash.
 * @param dir_fd the log's directory; duplicated.
 * @return 0; -EBUSY if another writer has it; -EBADMSG if what is on disk is not what the key
 *         signed, or an acknowledged entry is missing: nothing was changed, run `reeve audit
 *         verify`; -EINVAL for bad options; another -errno.
 */
RV_MUST_CHECK int rv_audit_open(struct rv_audit **ret_audit, int dir_fd,
                                const struct rv_audit_options *options);
/** Commits what is queued (not published), stops the threads, ends. Callbacks do not run. */
void rv_audit_free(struct rv_audit **audit);

/** What open() found, for the "start" receipt. */
struct rv_audit_opening {
    uint64_t size;      /* entries in the log */
    uint64_t recovered; /* of them, durable but not yet published when the last writer ended */
    uint64_t torn;      /* bytes of an unfinished, never acknowledged write that were dropped */
};
struct rv_audit_opening rv_audit_opening(const struct rv_audit *audit);

/* ---- Appending ---- */

/** `result` 0: entry `index` is durable; else the -errno that sealed the log. */
typedef void rv_audit_done_fn(void *context, int result, uint64_t index);

/**
 * Queue one entry; copied, returns at once.
 * @param entry     0..RV_AUDIT_ENTRY_MAX bytes.
 * @param type      what a summary counts it as: the "type" the entry states; NULL: look.
 * @param done      called by rv_audit_dispatch() or rv_audit_flush(); may be NULL.
 * @param ret_index the index it has once durable; may be NULL. Indexes have no gaps.
 * @return 0; -EMSGSIZE; -EAGAIN when `queue_bytes_max` is reached (dispatch, then try again);
 *         -EROFS when sealed; -ENOMEM.
 */
RV_MUST_CHECK int rv_audit_append(struct rv_audit *audit, struct rv_span entry, const char *type,
                                  rv_audit_done_fn *done, void *done_context, uint64_t *ret_index);
/** The same, returning when the entry is durable. Blocks for one or two fdatasync. */
RV_MUST_CHECK int rv_audit_append_wait(struct rv_audit *audit, struct rv_span entry,
                                       const char *type, uint64_t *ret_index);
/**
 * Append an entry that follows the rules of docs/PROTOCOL.md: `members` (an object, borrowed,
 * unchanged) with "type", "time" (microseconds since 1970) and "seq" (the index) added, canonical.
 * @return as rv_audit_append(); -EINVAL if a member has one of those names; -EDOM for a real number
 *         or an integer beyond 2^53 - 1.
 */
RV_MUST_CHECK int rv_audit_append_json(struct rv_audit *audit, const char *type,
                                       const json_t *members, rv_audit_done_fn *done,
                                       void *done_context, uint64_t *ret_index);
RV_MUST_CHECK int rv_audit_append_json_wait(struct rv_audit *audit, const char *type,
                                            const json_t *members, uint64_t *ret_index);
/** Return when all that was appended before is durable; runs callbacks. @return 0 or -errno. */
RV_MUST_CHECK int rv_audit_flush(struct rv_audit *audit);

/* ---- The event loop's side ---- */

/** Readable when callbacks wait, a checkpoint was published or the log was sealed. Never closes
 *  before rv_audit_free(); -1 in RV_AUDIT_INLINE. */
int rv_audit_fd(const struct rv_audit *audit);
/** Run the callbacks of what became durable or failed. Never blocks. @return callbacks run. */
unsigned rv_audit_dispatch(struct rv_audit *audit);
/**
 * Call about once a second: appends the heartbeat, the period's summary and the "audit.checkpoint"
 * entry when due, notes a jump of the wall clock ("audit.clock"), and starts publishing. Intervals
 * are counted on the boot clock, so that a wall clock that jumps neither stops nor floods the log.
 * Never blocks in RV_AUDIT_THREAD. @return 0; -EROFS when sealed; another -errno.
 */
RV_MUST_CHECK int rv_audit_tick(struct rv_audit *audit);

/** Publish all that was appended before and return when done (blocks). @return 0 or -errno. */
RV_MUST_CHECK int rv_audit_publish(struct rv_audit *audit);
/** The same after an "audit.checkpoint" entry: for a clean stop. */
RV_MUST_CHECK int rv_audit_publish_committed(struct rv_audit *audit);

enum rv_audit_state { RV_AUDIT_SEALED = 0, RV_AUDIT_WRITABLE };

struct rv_audit_status {
    enum rv_audit_state state;
    int error;                   /* why it is sealed: a negative errno; else 0 */
    const char *failed;          /* which step failed, such as "journal write"; else NULL */
    uint64_t size;               /* next index: all that was appended */
    uint64_t durable, published; /* entries */
    uint64_t batches;            /* commits so far: one fdatasync each */
    uint64_t published_unix_us;  /* wall clock of the last checkpoint of this process; 0: none */
    struct rv_sha256 root;       /* of `published` entries */
    uint64_t unpublished_bytes;
};
void rv_audit_status(struct rv_audit *audit, struct rv_audit_status *ret_status);

/**
 * Add witnesses' signature lines to the published checkpoint, if it still has this root.
 * The lines are taken as they are: the caller has checked them (audit/witness.h).
 * @return 0; -ESTALE if a newer checkpoint has been published; -EROFS when sealed; -errno.
 */
RV_MUST_CHECK int rv_audit_add_cosignatures(struct rv_audit *audit, uint64_t size,
                                            struct rv_span signature_lines);
