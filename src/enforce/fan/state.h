/* SPDX-License-Identifier: Apache-2.0 */
/** @file fan/state.h  The provider's inside: who holds what, and under which lock. */
#pragma once

#include "cache.h"
#include "enforce/fan.h"
#include "marks.h"
#include "rules.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/fanotify.h>

#define GROUPS         6 /* one in force, others on their way in or out */
#define EVENTS_AT_ONCE 64
#define RECORDS_MAX    1024
#define PROTECTED_MAX  64
#define GRANTS_MAX     64
#define WORKLOADS_MAX  256
#define LATENCY_STEPS  24 /* powers of two, ns */

enum group_state {
    GROUP_NONE = 0,
    GROUP_MARKING,  /* not all marks stand: the set in force decides */
    GROUP_ACTIVE,   /* in force */
    GROUP_RETIRING, /* no marks; what had been asked is answered */
};

/**
 * A fanotify group. Its number stays the same for good; ending a group puts /dev/null in its place
 * in one step, so that no thread can meet another file under the number that it has in hand.
 */
struct group {
    int fd;
    enum group_state state;
    uint32_t generation; /* counts the groups that had this place */
    uint64_t retired_ns;
    uint32_t pending;
};

/** A question that waits for the judge, or (held) for a person. */
struct pending {
    uint64_t id; /* 0: free */
    uint64_t deadline_ns;
    struct rv_refusal_record record; /* as it would be written */
    struct fan_key key;
    struct fan_id program, file;
    int event_fd;
    uint8_t group;
    bool held, closed, cacheable;
};

#define KINDS_MAX  4096
#define KIND_SLOTS 8192 /* a power of two */

struct known_program {
    struct fan_id id;
    uint32_t kind;
};

struct process_id {
    uint32_t tgid;
    uint64_t start_boot_ns;
};

struct workload {
    uint64_t id, window_ns;
    uint32_t used;
};

struct rv_fan {
    struct rv_fan_options options;
    struct fan_source source;
    int wake_fd, records_fd, changes_fd, null_fd;
    uint64_t seed;
    atomic_bool stop, running, disarmed;
    _Atomic uint64_t busy_since_ns;

    pthread_mutex_t change; /* one swap, follow or observe at a time; taken before `lock` */

    pthread_mutex_t lock; /* all below; never held across a call that may wait */
    struct fan_rules *rules;
    struct fan_marks *marks;
    struct group groups[GROUPS];
    struct fan_cache *cache;
    uint64_t epoch, lease_ns;
    bool observe;
    struct pending pending[RV_FAN_PENDING_MAX];
    uint32_t pending_limit; /* by the number of descriptors that may be open */
    uint64_t questions, next_deadline_ns;
    struct rv_refusal_record records[RECORDS_MAX];
    size_t record_first, record_count;
    struct fan_id protected_programs[PROTECTED_MAX];
    struct process_id protected_processes[PROTECTED_MAX];
    size_t protected_program_count, protected_process_count;
    struct known_program kinds[KIND_SLOTS]; /* hash */
    size_t kind_count;
    struct rv_grant grants[GRANTS_MAX]; /* expired: free */
    struct workload workloads[WORKLOADS_MAX];
    struct rv_fan_counts counts;
    struct rv_rule_counts rule_counts[RV_RULES_MAX];
    uint64_t latency[LATENCY_STEPS], latency_calls;

    /* Of the thread in rv_fan_run() alone. */
    struct fan_facts facts;
    char path[FAN_PATH_ROOM], program_path[FAN_PATH_ROOM];
    struct rv_fan_question question;
    struct fanotify_event_metadata events[EVENTS_AT_ONCE];
};

uint64_t rv_fan_now_ns(void);

/** What the kernel asks. */
struct asked {
    unsigned group;
    uint32_t generation; /* of the group it was read from */
    uint32_t tid;
    int event_fd;
    uint64_t now_ns;
    bool exec, users; /* users: the effective user is part of the question */
};

/** Answer it, now or later. Takes its descriptor. */
void rv_fan_decide(struct rv_fan *fan, const struct asked *asked);
/** Let the opener go on, or not; closes the event's descriptor. Any thread. */
void rv_fan_respond(struct rv_fan *fan, unsigned group, int event_fd, bool allow);

/* ---- Under the lock ---- */
void rv_fan_say(struct rv_fan *fan, const struct rv_refusal_record *record);
void rv_fan_count_rules(struct rv_fan *fan, uint64_t rules, enum rv_refusal verdict);
uint32_t rv_fan_kind_of(const struct rv_fan *fan, struct fan_id program);
bool rv_fan_use_grant(struct rv_fan *fan, const struct pending *question);
/** @return its place; NULL: too many. The caller fills the rest. */
struct pending *rv_fan_pend(struct rv_fan *fan, unsigned group, uint64_t deadline_ns);
/** The scope's default: nobody answered. */
void rv_fan_default(struct rv_fan *fan, struct pending *question);
/** Answer one, and give its place back. */
void rv_fan_finish(struct rv_fan *fan, struct pending *question, bool allow);
/** Ask no more about this file until it is modified. */
void rv_fan_settle(struct rv_fan *fan, unsigned group, int event_fd, const struct fan_key *key);
void rv_fan_expire(struct rv_fan *fan, uint64_t now_ns);
