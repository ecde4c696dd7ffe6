/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file enforce/fan.h  Opens and program starts refused, or asked about, by fanotify.
 *
 * The kernel stops the opener and asks. The answer comes from, in this order: emergency stop, the
 * protected set, a cache of verdicts, the rules, the judge, and, when the judge is late or cannot
 * be reached, the default that the scope declares. Where a verdict does not depend on who asks, an
 * ignore mark settles the file and the kernel asks no more until it is modified.
 *
 * What is asked about is what is marked: the files and folders that rules name, and the scopes that
 * the caller declares. A mount or a file system is marked only where a scope says so in words.
 *
 * What a permission event tells: the thread, the file, start of a program or open. It does not tell
 * whether an open reads or writes. Where a rule needs to know, the thread's own system call is
 * looked at (it is stopped inside it); where that does not say (openat2, io_uring, 32-bit), the
 * open counts as both. Names are not asked about at all: nothing here sees rename, unlink, link, or
 * attributes. Starting a program that is in a scope for opens asks twice, as the kernel also opens
 * it.
 *
 * Threads: rv_fan_run() is for one thread, everything else may be called from any other; one lock
 * inside, never held while waiting. The opens of this process are let through, so that it cannot
 * wait for itself. If the process dies, however, the kernel lets pass all that is pending and the
 * marks are gone; for that, no other process may hold its descriptors (a child calls
 * rv_fan_disown()). While the process is stopped, openers wait: a watchdog outside must kill it
 * (rv_fan_busy_ns() serves one inside, whose rv_fan_observe(true) works even if the thread in
 * rv_fan_run() hangs).
 */
#pragma once

#include "enforce/rule.h"

#define RV_FAN_PENDING_MAX 1024
#define RV_FAN_PATH_MAX    1024 /* of a question; longer is cut */
#define RV_FAN_SCOPES_MAX  256

struct rv_fan;

enum rv_fan_scope_kind {
    RV_FAN_FILE = 1,
    RV_FAN_FOLDER, /* the files directly in it */
    RV_FAN_TREE,   /* and in every folder below, not across mounts */
    RV_FAN_MOUNT,
    RV_FAN_FILESYSTEM,
};

struct rv_fan_scope {
    const char *path; /* borrowed for the call */
    enum rv_fan_scope_kind kind;
    uint32_t actions;         /* RV_DO_EXEC; RV_DO_READ or RV_DO_WRITE: opens */
    enum rv_rule_lapse lapse; /* when the judge does not answer, or cannot be asked */
    bool ask;                 /* what no rule decides is for the judge; else it is allowed */
};

/** All that decides, put in place in one step. Borrowed for the call. */
struct rv_fan_set {
    const struct rv_rule *rules;
    size_t rule_count;
    const struct rv_fan_scope *scopes;
    size_t scope_count;
    struct rv_rule_settings settings;
    uint64_t deadline_ns; /* for the judge; 0: 10 ms */
    uint64_t hold_ns;     /* how long a held rule waits for a grant; 0: it refuses at once */
};

/** What became of a set. Masks by place of the rule in it. */
struct rv_fan_taken {
    uint64_t carried;    /* asked about wherever the rule applies (for exec, read and write) */
    uint64_t scoped;     /* it names no file: carried inside the declared scopes only */
    uint64_t asks;       /* depends on lineage or risk: the judge is asked, nothing is cached */
    uint64_t unresolved; /* names a file that is not there */
    size_t marks;
    size_t missing_scopes; /* not there: asked about from when rv_fan_follow() finds them */
    bool incomplete;    /* a tree has more than 16384 folders, or deeper than 64: not all marked */
    size_t failed_rule; /* on failure: SIZE_MAX when it was not a rule */
};

/** One question to the judge. Fixed size, no pointers: it can be a packet. */
struct rv_fan_question {
    uint64_t id; /* for rv_fan_answer() */
    uint64_t time_boot_ns, deadline_boot_ns;
    uint64_t rules;  /* those that may forbid it, by place; 0: the scope asks */
    uint64_t digest; /* of the set */
    uint64_t start_boot_ns, cgroup_id;
    uint64_t inode, size;
    int64_t mtime_ns, ctime_ns;
    uint64_t program_inode;
    uint32_t dev, program_dev; /* major << 20 | minor */
    uint32_t tgid, tid, uid, euid, gid;
    uint32_t action; /* RV_DO_EXEC, RV_DO_READ, RV_DO_WRITE, or both of the latter when not told */
    uint8_t held;    /* 1: a person is waited for: rv_fan_grant() lets it pass */
    uint8_t path_cut, program_cut, pad;
    char comm[16];
    char path[RV_FAN_PATH_MAX], program[RV_FAN_PATH_MAX]; /* may be empty: not known */
};

/**
 * Taking in an event of an overlay file system opens the file below it (since Linux 6.5 as anybody
 * would), which may be marked too: who takes in would wait for himself. So there is one for each
 * depth of stacking, each with a thread of its own: taking in at one depth waits for smaller ones
 * only. The kernel stacks no deeper. What cannot be told is not marked, as if its opens might hang.
 */
enum rv_fan_layer {
    RV_FAN_PLAIN = 0,
    RV_FAN_STACKED, /* overlays */
    RV_FAN_NESTED,  /* overlays upon overlays */
    RV_FAN_LAYERS_
};

struct rv_fan_options {
    enum rv_fan_layer layer; /* what is marked; others' are left to another rv_fan */
    /**
     * Ask the judge. Must not block; called in the thread of rv_fan_run(). May be NULL.
     * @return 0; -errno: cannot be asked now, so the default applies at once.
     */
    int (*ask)(void *context, const struct rv_fan_question *question);
    void *context;
    bool unlimited_queue; /* else the kernel lets pass what is beyond its limit, and says so */
};

enum rv_fan_verdict { RV_FAN_DENY = 0, RV_FAN_ALLOW };
enum {
    RV_FAN_CACHE = 1U << 0,  /* depends on nothing but file, program, users, set */
    RV_FAN_SETTLE = 1U << 1, /* allowed whoever asks and however, until the file is modified */
};

struct rv_fan_counts {
    uint64_t events, own;             /* asked by the kernel; of those by this process */
    uint64_t hits, misses, evicted;   /* of the verdict cache */
    uint64_t by_rules, asked, judged; /* decided by rules; sent to and answered by the judge */
    uint64_t late, full, unsent;      /* deadline missed; too many pending; ask() failed */
    uint64_t lapsed;                  /* to be asked, but nobody healthy stood behind it */
    uint64_t opened, closed;          /* defaults applied to the four above: allowed, refused */
    uint64_t settled, settle_failed;  /* ignore marks placed */
    uint64_t stopped;                 /* let pass by stop, disarming, or as the set changed */
    uint64_t overflows;               /* of the kernel's queue: an unknown number passed */
    uint64_t gone;                    /* the opener was killed before its answer */
    uint64_t unplaced;                /* no folder could be told: counted as inside */
    uint64_t records_lost;
    uint32_t pending, pending_max;
};

/**
 * @return 0; -EPERM without CAP_SYS_ADMIN; -ENOSYS without fanotify; -EMFILE when fewer than 256
 *         descriptors may be opened; another -errno. A pending question needs one: half of what may
 *         be open is for those of all layers, and where there is none left, the kernel refuses by itself.
 */
RV_MUST_CHECK int rv_fan_open(struct rv_fan **ret_fan, const struct rv_fan_options *options);
/** Takes away every mark; the kernel lets pass what is pending. rv_fan_run() must have returned. */
void rv_fan_close(struct rv_fan **fan);
/** In a child of fork(): let go of the descriptors without touching what the parent enforces. */
void rv_fan_disown(struct rv_fan *fan);

/** Answer until rv_fan_stop(). @return 0; -errno of poll. */
RV_MUST_CHECK int rv_fan_run(struct rv_fan *fan);
void rv_fan_stop(struct rv_fan *fan);

/**
 * Put a whole set in place of the one before. The old one decides until all marks of the new one
 * stand; then cache and ignore marks are void. Questions that are pending keep their deadline.
 * @param ret_taken written also on failure (failed_rule); may be NULL.
 * @return 0; -EINVAL: an impossible rule or scope; -EOPNOTSUPP: a scope on a file system whose
 * opens may hang (FUSE, network, eCryptfs); another -errno. On failure the old set stands. While stopped by
 *         rv_fan_observe() the set is kept and nothing is marked.
 */
RV_MUST_CHECK int rv_fan_swap(struct rv_fan *fan, const struct rv_fan_set *set,
                              struct rv_fan_taken *ret_taken);

/** Readable when names changed below a scope: then call rv_fan_follow(). */
int rv_fan_changes_fd(const struct rv_fan *fan);
/**
 * Mark folders that are new in a tree, and files that have taken a name which a rule gives.
 * @return 0; 1: such a name stands for another file now; -errno.
 */
RV_MUST_CHECK int rv_fan_follow(struct rv_fan *fan);

/** Somebody healthy stands behind the set for `ms` from now. The lease begins run out. */
void rv_fan_renew(struct rv_fan *fan, uint64_t ms);
/**
 * Emergency stop: at once no mark is left and all that is pending has passed; nothing is asked,
 * cached or recorded. False: the set is marked anew. @return 0 or -errno (never of `true`).
 */
RV_MUST_CHECK int rv_fan_observe(struct rv_fan *fan, bool observe);

/** The program at `path` is of this kind (0..255). @return 0; -ENOSPC: 4096 are known; -errno. */
RV_MUST_CHECK int rv_fan_know_program(struct rv_fan *fan, const char *path, uint32_t kind);

/** Never refuse this program (by identity), or this process. @return 0; -ENOSPC; -errno. */
RV_MUST_CHECK int rv_fan_protect(struct rv_fan *fan, const char *program);
RV_MUST_CHECK int rv_fan_protect_process(struct rv_fan *fan, uint32_t tgid, uint64_t start_boot_ns);

/** Let exactly this pass once; also answers a question that is held. @return 0; -ENOSPC. */
RV_MUST_CHECK int rv_fan_grant(struct rv_fan *fan, const struct rv_grant *grant);

/** The judge's answer (to a held question: only a refusal). @return 0; -ENOENT: no such question
 * (it was late, or answered). */
RV_MUST_CHECK int rv_fan_answer(struct rv_fan *fan, uint64_t id, enum rv_fan_verdict verdict,
                                unsigned flags);

/** Readable when records wait. */
int rv_fan_records_fd(const struct rv_fan *fan);
/** Hand over the records that wait. @return how many; -errno of `put`. */
int rv_fan_drain(struct rv_fan *fan,
                 int (*put)(void *context, const struct rv_refusal_record *record), void *context);

void rv_fan_counts(struct rv_fan *fan, struct rv_fan_counts *ret_counts);
/** Of the rule at `index`, since its set was put in place. @return 0; -ENOENT. */
RV_MUST_CHECK int rv_fan_rule_counts(struct rv_fan *fan, size_t index,
                                     struct rv_rule_counts *ret_counts);

/** For how long the thread of rv_fan_run() has been at one event; 0: it waits for one. */
uint64_t rv_fan_busy_ns(const struct rv_fan *fan);
/** Too slow by settings.latency_budget_ns, so that everything passes; until rearmed. */
bool rv_fan_disarmed(const struct rv_fan *fan);
void rv_fan_rearm(struct rv_fan *fan);
