/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file writer.h  The writer's inside, shared by open.c (making one), writer.c (queue, commit,
 * publish, threads) and tick.c (what is appended by the clock).
 *
 * An entry's way: append() puts it into the last batch of `queue`; commit takes the first batch,
 * writes it to the journal and moves it to `ready`; integrate feeds ready batches to the builder;
 * publish signs. In RV_AUDIT_THREAD the journal thread commits, the publishing thread does the
 * rest, and each of journal, builder and store belongs to one of them; `lock` guards the others.
 */
#pragma once

#include "audit/audit.h"
#include "audit/checkpoint.h"
#include "builder.h"
#include "journal.h"

#include <pthread.h>

#define RV_BATCH_BYTES_MAX ((size_t)1 << 20)

struct rv_done {
    rv_audit_done_fn *function;
    void *context;
    int result;
    uint64_t index;
};

struct rv_done_list {
    struct rv_done *items;
    size_t count, room;
};

/** Entries that become durable together. */
struct rv_batch {
    struct rv_batch *next;
    uint64_t first;
    uint32_t count;
    uint8_t *record; /* room for the journal's head, then the body in bundle form */
    size_t body_len, record_room;
    struct rv_done_list done;
    bool closed;   /* takes no more: a checkpoint is to end here */
    bool finished; /* `result` is known */
    int result;
    unsigned waiters; /* threads in append_wait(); the last one to leave frees it */
    bool consumed;    /* nobody but waiters needs it */
    pthread_cond_t finished_cond;
};

struct rv_batch_list {
    struct rv_batch *first, *last;
};

struct rv_kind_counts {
    size_t kind_count;
    struct {
        char type[RV_AUDIT_KIND_MAX + 1];
        uint64_t count;
    } kinds[RV_AUDIT_KINDS_MAX];
    uint64_t other;
};

/** What rv_audit_tick() remembers; only its thread looks at it but for what is said. */
struct rv_schedule {
    bool started;
    uint64_t commit_boot_ns, period_boot_ns; /* when the last one was made */
    uint64_t wall_offset_ns;                 /* unix - boot when last looked at */
    uint64_t period_from;                    /* first index of this period */
    uint64_t period_unix_us;
    uint64_t commit_size;                /* the size that the last "audit.checkpoint" ended */
    struct rv_kind_counts commit_counts; /* of period_from..commit_size */
    struct rv_tree_head commit_head;     /* guarded by lock: set when that was published */
};

struct rv_audit {
    struct rv_audit_options options;
    struct rv_signer *signers[RV_AUDIT_SIGNERS_MAX];
    char origin[RV_ORIGIN_MAX + 1];
    int dir_fd, state_fd, lock_fd, event_fd;
    struct rv_audit_opening opening;

    struct rv_journal *journal; /* the journal thread's */
    struct rv_store store;      /* the publishing thread's, with the builder */
    struct rv_builder *builder;
    pthread_t threads[2];
    unsigned thread_count;

    pthread_mutex_t publish_lock; /* around replacing the checkpoint; taken before `lock` */
    struct rv_buf checkpoint;     /* guarded by publish_lock: the note as it is on disk */

    pthread_mutex_t lock; /* guards all below */
    bool locks_made;
    pthread_cond_t work, integrate, progress;
    struct rv_batch_list queue, ready;
    struct rv_done_list finished;
    uint64_t size, durable, published, batches, ready_entries;
    struct rv_sha256 root; /* of `published` */
    uint64_t published_unix_us;
    size_t unpublished_bytes;
    uint64_t publish_target; /* above `published`: publish exactly this size once durable */
    bool publish_forced;     /* the journal is full: publish what is durable */
    bool commit_due;         /* the journal is half full: time for a checkpoint */
    bool stopping;
    int error;
    const char *failed;
    struct rv_kind_counts counts; /* since the period began */

    struct rv_schedule schedule;
};

/** Sign and put a checkpoint for what the builder holds. @return 0 or -errno; `*failed` says at
 *  what. Called by open(), later by whoever publishes. */
RV_MUST_CHECK int rv_audit_put_checkpoint(struct rv_audit *audit, const char **ret_failed);
RV_MUST_CHECK int rv_audit_start_threads(struct rv_audit *audit);
void rv_audit_stop_threads(struct rv_audit *audit);
void rv_audit_drop_batches(struct rv_audit *audit);
/** Format and queue an entry; lock held. @return as rv_audit_append_json(). */
RV_MUST_CHECK int rv_audit_enqueue_json(struct rv_audit *audit, const char *type,
                                        const json_t *members, const struct rv_done *done);
/** Close the last batch and aim the next checkpoint at what has been appended. lock held. */
void rv_audit_aim(struct rv_audit *audit);
/** Inline mode: publish up to the aim now. @return 0 or -errno. */
RV_MUST_CHECK int rv_audit_publish_now(struct rv_audit *audit);

void rv_kind_count(struct rv_kind_counts *counts, const char *type, uint64_t add);
