/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file features/features.h  The state of the host as events tell it: one process table for
 * everybody (features, Cedar entities, the terminal view), and per process a vector of 96 integers.
 *
 * Single-threaded. Memory is taken in rv_features_new() and bounded by its options; no call after
 * it allocates except rv_features_save(). The only clock is the time in the events, the only
 * randomness a hash: the same stream gives the same bits on every build type and machine.
 *
 * Pointers to processes, programs and workloads are valid until the next rv_features_update(),
 * rv_features_load() or rv_features_free(). Everything behind them is read-only for the caller.
 */
#pragma once

#include "event/event.h"
#include "features/program.h"
#include "features/vector.h"

struct rv_features;

struct rv_features_options {
    uint32_t process_max;   /* live and remembered; 0: 16,384 */
    uint32_t thread_max;    /* threads other than the first of a process; 0: 8,192 */
    uint32_t program_max;   /* different program paths; 0: 4,096 */
    uint32_t workload_max;  /* different cgroup paths; 0: 1,024 */
    uint32_t edge_max;      /* things programs do on this host that are remembered; 0: 131,072 */
    int64_t unix_offset_ns; /* wall clock - boot clock: hour of week, ages across reboots */
    size_t memory_max;      /* refuse to need more; 0: 48 MiB */
};

/** A program path, kept once. `path` ends in NUL; the path "" stands for "not known". */
struct rv_executable {
    const char *path;
    uint32_t path_len; /* bytes kept; at most RV_EVENT_PATH_MAX */
    uint64_t hash;     /* of the whole path: names the program across reboots */
    enum rv_program_kind kind;
    enum rv_path_class path_class;
};

/** Where a process runs: one cgroup path. */
struct rv_workload {
    const char *path;   /* cgroup v2 path, "" when not known; ends in NUL */
    const char *name;   /* 12 hex digits of a container id, else the unit or last component */
    uint64_t cgroup_id; /* 0 when not known */
    bool container;     /* the path names a container of docker, podman, kubernetes, lxc, ... */
};

enum rv_process_state {
    RV_PROCESS_ASSUMED = 0, /* only named by somebody else: its program is not known */
    RV_PROCESS_LIVE,
    RV_PROCESS_EXITED, /* kept while descendants live, and a while after */
};

/** One process, read-only. Pointers are never NULL but `parent` and `script`. */
struct rv_process {
    struct rv_process_key key;
    const struct rv_process *parent;     /* NULL at the top, or when not known */
    const struct rv_executable *program; /* what runs */
    const struct rv_executable
        *script; /* what the caller named, when that is a script; else NULL */
    const struct rv_workload *workload;
    uint64_t fork_boot_ns, exec_boot_ns; /* exec_boot_ns 0: runs its parent's program since fork */
    uint64_t inode;                      /* of the program */
    uint32_t dev;
    uint32_t uid, gid, euid, egid; /* real and effective */
    uint32_t file_uid, file_mode;  /* of the program */
    uint32_t exec_flags;           /* RV_EXEC_F_* */
    uint32_t tty, session, pid_ns;
    uint32_t children; /* live ones */
    uint32_t risk_max; /* highest risk noted for it or inherited from its ancestors */
    enum rv_process_state state;
    bool serves_network; /* it accepted or listens */
    bool remote_session; /* descends from a remote login */
    bool tainted;        /* it or an ancestor was alerted on: nothing it does is learnt */
    char comm[16];       /* NUL-padded, may fill all 16 */
};

/** What one event changed. */
enum rv_score_due {
    RV_SCORE_LATER = 0,
    RV_SCORE_DUE, /* worth a verdict: a rare kind of event, or counts have grown by a half */
};

struct rv_features_change {
    const struct rv_process *process; /* whose vector changed; NULL for loss and tamper */
    const struct rv_process *child;   /* process.fork: the new one; else NULL */
    enum rv_score_due due;
};

/** Zero `options` are the defaults. @return 0; -E2BIG above memory_max; -ENOMEM. */
RV_MUST_CHECK int rv_features_new(struct rv_features **ret_features,
                                  const struct rv_features_options *options);
void rv_features_free(struct rv_features **features);

/** Bytes held, all of them. */
size_t rv_features_memory(const struct rv_features *features);

/**
 * Take in one event that rv_event_check() accepted. Never fails: full tables forget what is oldest
 * and least used, and count it (rv_features_counters()).
 */
void rv_features_update(struct rv_features *features, const struct rv_event *event,
                        struct rv_features_change *ret_change);

/** Wall clock - boot clock of the events to come: a recording brings its own. */
void rv_features_set_clock(struct rv_features *features, int64_t unix_offset_ns);

/** The vector of a process at the time of the last event. About 0.5 us. */
void rv_features_vector(const struct rv_features *features, const struct rv_process *process,
                        struct rv_vector *ret_vector);

/** What its program usually does, in the units of the vector; -1 where nothing is known yet. */
void rv_features_usual(const struct rv_features *features, const struct rv_process *process,
                       struct rv_vector *ret_usual);

/** Class of normal behaviour that a verdict is compared with: the program's kind. */
static inline uint32_t rv_process_class(const struct rv_process *process)
{
    return (uint32_t)process->program->kind;
}

/* ---- The process table ---- */

/** The process with this key, exited ones included while remembered; or NULL. */
const struct rv_process *rv_features_process(const struct rv_features *features,
                                             struct rv_process_key key);

/** The live process with this id now, or NULL. */
const struct rv_process *rv_features_live(const struct rv_features *features, uint32_t tgid);

/** Live processes in order of slots: start with NULL, ends with NULL. */
const struct rv_process *rv_features_next(const struct rv_features *features,
                                          const struct rv_process *previous);

/** The process is not there any more, though its exit was never seen (loss): as its exit. */
void rv_features_gone(struct rv_features *features, const struct rv_process *process);

/** The cgroup v2 ids of the workloads of this name, at most `max`. @return how many. */
size_t rv_features_cgroups(const struct rv_features *features, const char *name, uint64_t *ids,
                           size_t max);

/** The nearest of the process and its ancestors whose program has this path, or NULL. */
const struct rv_process *rv_process_within_program(const struct rv_process *process,
                                                   struct rv_span path);

/* ---- What verdicts say back ---- */

/** Remember a risk, so that descendants inherit it (feature anc_risk). */
void rv_features_note_risk(struct rv_features *features, const struct rv_process *process,
                           uint32_t risk);

/**
 * An alert was raised on the process: from now on nothing that it or a descendant does becomes part
 * of what is normal here, and what waited to become so is dropped. It does not go through init and
 * service managers to all that they start.
 */
void rv_features_taint(struct rv_features *features, const struct rv_process *process);

/** A person judged the alert to be wrong: the process, not its ancestors, is learnt from again. */
void rv_features_untaint(struct rv_features *features, const struct rv_process *process);

/* ---- What this host has learnt ---- */

/** Append what was learnt (programs, edges, usual values), versioned and checksummed. */
void rv_features_save(const struct rv_features *features, struct rv_buf *buf);

/**
 * Take what was saved. Call before the first event.
 * @param reterr a sentence; static; may be NULL.
 * @return 0; -EBADMSG for damage and -EPROTONOSUPPORT for another version, nothing taken.
 */
RV_MUST_CHECK int rv_features_load(struct rv_features *features, struct rv_span bytes,
                                   const char **reterr);

struct rv_features_counters {
    uint64_t events;
    uint64_t assumed; /* processes first met in the middle of their life */
    uint64_t processes_forgotten, programs_forgotten, workloads_forgotten, edges_forgotten;
    uint64_t workloads_met; /* how often a workload was new, or had another cgroup than before */
    uint64_t learnt, withheld; /* edges that became normal; edges dropped because of a taint */
    uint32_t processes, live, programs, workloads, edges; /* now */
};
struct rv_features_counters rv_features_counters(const struct rv_features *features);
