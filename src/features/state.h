/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file state.h  The structs behind features/features.h, shared by the files of this room.
 * Everything is an array of fixed length made at the start; links are indices, 0 for none, so slot
 * 0 of each table is never used for data. Programs and workloads: slot 0 is the unknown one.
 */
#pragma once

#include "arena.h"
#include "edges.h"
#include "path.h"

#include "base/clock.h"
#include "features/core.h"
#include "features/features.h"

/* What a program usually does, each the logarithm of one process's most. */
enum rv_usual_kind {
    RV_USUAL_FILES,
    RV_USUAL_WRITES,
    RV_USUAL_REMOVALS,
    RV_USUAL_SPAWNS,
    RV_USUAL_CONNECTS,
    RV_USUAL_COUNT_
};

struct rv_usual {
    uint16_t mean_q8, high_q8; /* of log2(1 + most): mean, and about the 90th percentile */
};

struct rv_program_slot {
    struct rv_executable pub;
    uint32_t next;         /* in the bucket, or among the free */
    uint32_t refs;         /* processes */
    uint32_t touched;      /* turn of the clock hand that spares it */
    uint32_t first_seen_s; /* Unix time; 0: not yet */
    uint32_t runs;         /* fades by half each week; in RV_EDGE_STEP */
    uint32_t observed;     /* processes whose end the usual values know */
    struct rv_usual usual[RV_USUAL_COUNT_];
};

struct rv_workload_slot {
    struct rv_workload pub;
    uint64_t hash;
    uint32_t next, refs, touched;
    char name[64];
};

#define RV_PENDING_MAX 16U
#define RV_MADE_WORDS  16U
#define RV_RECENT_MAX  16U

/* What was set when the program started. */
struct rv_identity {
    uint32_t runs_q4;
    uint16_t argv_len, argv_rarity, parent_rarity, grandparent_rarity;
    uint8_t file_age, argv_entropy, argv_meta, argv_b64_run, argv_net;
    uint8_t parent_kind, parent_connects;
    uint8_t hidden;
};

/* What lies above a process, itself not included. */
struct rv_ancestry {
    uint8_t depth, interpreters;
    uint8_t scratch; /* generations for which an ancestor in a scratch folder still counts */
    bool package;
    uint16_t risk; /* highest when it was made */
};

/* Counts that the judge alone keeps; they saturate at 65535. */
struct rv_tally {
    uint16_t new_net, new_port, new_dir, new_child, new_action;
    uint16_t foreign_writes, replaced, ext_changes, strange_ext, persist_writes, log_wipes;
    uint16_t random_writes;
    uint16_t edge_rarity_q4;
};

struct rv_process_slot {
    struct rv_process pub;              /* first: a public pointer is a slot's */
    uint32_t next;                      /* in the bucket, or among the free */
    uint32_t program, script, workload; /* slots; script 0: none */
    uint32_t first_child, next_sibling, prev_sibling;
    uint32_t next_retired, prev_retired; /* exited, without kept children, oldest first */
    bool retired, spared;
    uint8_t namespaces;                      /* a bit for each kind */
    uint8_t starter_kind, grandstarter_kind; /* kinds of what started its program, and that */
    uint8_t recent_at;
    struct rv_identity identity;
    struct rv_ancestry ancestry;
    struct rv_tally tally;
    uint32_t strange_ext; /* hash of the extension that tally.strange_ext counts */
    uint64_t gained_caps;
    uint64_t scored_ns;                           /* of the last event that was worth a verdict */
    uint64_t last_dir;                            /* the directory that was looked up last */
    uint64_t subject;                             /* names the program, or the script, in edges */
    uint64_t parent_subject, grandparent_subject; /* when the program started */
    uint64_t rolled_ns;             /* when the usual values were last told about it */
    uint32_t most[RV_USUAL_COUNT_]; /* since then: files as a count, rates in Q20.12 */
    uint32_t pending_count;
    uint64_t pending_ns; /* when the first of them began to wait */
    struct rv_edge pending[RV_PENDING_MAX];
    uint64_t made[RV_MADE_WORDS];        /* Bloom filter: files made, new things counted */
    uint32_t recent_file[RV_RECENT_MAX]; /* hashes of what it made last */
    uint32_t recent_stem[RV_RECENT_MAX];
    struct rv_core core;
    struct rv_thread thread; /* of the first thread */
};

struct rv_thread_slot {
    struct rv_process_key process;
    uint32_t tid;
    uint32_t used; /* event number, for replacement */
    struct rv_thread thread;
};
#define RV_THREAD_WAYS 4U

/* A class of sequences: a kind of program, by events or, from RV_KIND_COUNT_ on, by system calls.
 */
#define RV_NORMAL_CLASSES (2U * RV_KIND_COUNT_)

/* How well the filter of normal triples knows a kind of program. */
struct rv_acquaintance {
    uint32_t seen;    /* triples */
    uint32_t strange; /* share of the last few hundred that were not known; Q12.20 */
    uint32_t armed;   /* once known well it stays so: misses must not disarm what counts them */
};

struct rv_features {
    struct rv_features_options options;
    struct rv_features_counters counters;
    uint64_t now_ns; /* of the latest event */
    uint32_t week;   /* of the last fading; Unix time in weeks */
    bool loaded;     /* week is known */

    struct rv_process_slot *processes; /* process_max + 1 */
    uint32_t *process_buckets;
    uint32_t process_mask, process_free, process_unused, process_hand;
    uint32_t retired_first, retired_last, retired_count;

    struct rv_thread_slot *threads; /* sets of RV_THREAD_WAYS */
    uint32_t thread_sets;

    struct rv_program_slot *programs; /* program_max + 1 */
    uint32_t *program_buckets;
    uint32_t program_mask, program_free, program_unused, program_hand;

    struct rv_workload_slot *workloads;
    uint32_t *workload_buckets;
    uint32_t workload_mask, workload_free, workload_unused, workload_hand;

    struct rv_names_arena arena;
    struct rv_edges edges;
    struct rv_exts exts;
    struct rv_bloom bloom;
    struct rv_acquaintance acquaintance[RV_NORMAL_CLASSES];
    size_t memory;
};

/* ---- Clock ---- */

/** Seconds of Unix time at the latest event. */
static inline uint32_t rv_features_unix_s(const struct rv_features *features)
{
    uint64_t unix_ns = features->now_ns + (uint64_t)features->options.unix_offset_ns;

    return (uint32_t)rv_min_u64(unix_ns / RV_NS_PER_S, UINT32_MAX);
}

/* ---- names.c: programs and workloads, each kept once ---- */

/** The slot of a path; makes one. 0, the unknown one, when the tables are full of living ones. */
uint32_t rv_program_intern(struct rv_features *features, struct rv_span path);
uint32_t rv_workload_intern(struct rv_features *features, struct rv_span path, uint64_t cgroup_id);
/** The slot of a workload known by its cgroup id alone, or 0. */
uint32_t rv_workload_by_id(const struct rv_features *features, uint64_t cgroup_id);
/** A slot for a program of which only the hash and the usual values are known (loading). */
struct rv_program_slot *rv_program_remember(struct rv_features *features, uint64_t hash);

/* ---- processes.c: slots, lookup, family ---- */

struct rv_process_slot *rv_process_find(const struct rv_features *features,
                                        struct rv_process_key key);
/** A new slot, ASSUMED, of unknown program; forgets another when full, never `pinned`. */
struct rv_process_slot *rv_process_add(struct rv_features *features, struct rv_process_key key,
                                       const struct rv_process_slot *pinned);
void rv_process_adopt(struct rv_features *features, struct rv_process_slot *child,
                      struct rv_process_slot *parent);
void rv_process_set_program(struct rv_features *features, struct rv_process_slot *slot,
                            uint32_t program, uint32_t script);
void rv_process_set_workload(struct rv_features *features, struct rv_process_slot *slot,
                             uint32_t workload);
/** From now on exited; kept while descendants are, and a while after. */
void rv_process_retire(struct rv_features *features, struct rv_process_slot *slot);

static inline uint32_t rv_process_index(const struct rv_features *features,
                                        const struct rv_process_slot *slot)
{
    return (uint32_t)(slot - features->processes);
}

static inline struct rv_process_slot *rv_process_slot_of(const struct rv_features *features,
                                                         const struct rv_process *process)
{
    return &features->processes[(const struct rv_process_slot *)(const void *)process -
                                features->processes];
}

/** Init and service managers: suspicion and taint do not go through them to all that they start. */
static inline bool rv_process_starts_everything(const struct rv_process *process)
{
    return process->program->kind == RV_KIND_SERVICE || process->key.tgid == 1;
}

struct rv_thread *rv_thread_of(struct rv_features *features, struct rv_process_slot *slot,
                               uint32_t tid);

/* ---- learn.c: what becomes normal, and when ---- */

/**
 * A process touches an object. What is known is counted at once; what is not waits half a minute in
 * the process, and is dropped if an alert comes first.
 * @return rarity in 1/16 bit; *ret_seen (may be NULL) is what was known before.
 */
uint32_t rv_learn_edge(struct rv_features *features, struct rv_process_slot *slot,
                       struct rv_edge edge, uint32_t prior_q4, struct rv_edge_seen *ret_seen);
/** A triple of a sequence that is not known: waits likewise, but not while its class is new here.
 */
void rv_learn_triple(struct rv_features *features, struct rv_process_slot *slot, uint32_t class,
                     uint64_t key);
/** What sequences of a class are compared with, and one more triple of it. */
struct rv_core_normal rv_learn_normal(const struct rv_features *features, uint32_t class);
/** Make what waits normal, unless the process is tainted. */
void rv_learn_pending(struct rv_features *features, struct rv_process_slot *slot);
/** The end of a process, or of a long stretch of it. */
void rv_learn_usual(struct rv_features *features, struct rv_process_slot *slot);
void rv_learn_drop(struct rv_features *features, struct rv_process_slot *slot);
/** Note the most that it did at once. */
void rv_learn_most(struct rv_process_slot *slot);
/** The usual values of a program of a kind that this host has not seen yet. */
void rv_usual_prior(struct rv_program_slot *program);
/** Prior rarity of a child's kind under a parent's, 1/16 bit. */
uint32_t rv_kind_prior_q4(enum rv_program_kind parent, enum rv_program_kind child);
/** Weekly fading of everything learnt. */
void rv_learn_fade(struct rv_features *features);
