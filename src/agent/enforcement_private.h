/* SPDX-License-Identifier: Apache-2.0 */
/** @file agent/enforcement_private.h  The inside of enforcement, for the files that share it. */
#pragma once

#include "enforcement.h"

#include "agent/hold.h"
#include "agent/rules.h"
#include "agent/stage.h"
#include "enforce/act.h"

#define RV_STAGES_NAME   "stages" /* file in the state folder */
#define RV_ACTS_MAX      64       /* asked for and not yet answered */
#define RV_ASKED_ACTIONS 3        /* process.exec, file.read, file.write */
#define RV_RECENT_MAX    256
#define RV_RISKS_MAX     8192 /* processes whose risk the guard was told; a power of two */

/** What became of a policy's refusals since the agent started. */
struct rv_policy_counts {
    uint64_t denied, would_deny, passed, granted, acted;
};

/** An action between its decision and its result. */
struct rv_pending_act {
    struct rv_enforcement *enforcement;
    uint64_t request; /* 0: a free place */
    struct rv_channel_act act;
    uint64_t hold;               /* the hold that waits for its number; 0: none */
    uint32_t policy;             /* index in rules->policies; UINT32_MAX: a person asked */
    uint32_t by_uid;             /* who, when a person asked */
    uint64_t event_boot_ns;      /* of what is responded to; 0: a person asked */
    struct rv_channel_undo undo; /* when `act.action` is RV_ACT_NONE */
    struct rv_grant grant;       /* when `grant.action` is not 0: nothing but this */
};

struct rv_enforcement {
    struct rv_enforcement_options options;
    struct rv_stages stages;
    struct rv_holds holds;
    struct rv_rules *rules;            /* as compiled last; NULL: not yet */
    uint32_t *policy_of;               /* by index in the program: index in `rules->policies` */
    uint32_t offered;                  /* the mechanisms that the rules were made for */
    uint64_t digest;                   /* of the set that was handed over last */
    struct rv_channel_enforcing guard; /* what the guard said last */
    struct rv_policy_counts *counts;   /* one a policy of the set, and what no permit allows */

    struct rv_pending_act acts[RV_ACTS_MAX];
    uint64_t last_request;
    struct {
        uint64_t key, until_boot_ns;
    } recent[RV_RECENT_MAX]; /* what was responded to lately */
    struct {
        uint64_t key; /* of the process; 0: free */
        uint32_t risk;
    } * risks;       /* RV_RISKS_MAX: what the guard was told last */
    bool risk_asked; /* a rule asks for the risk */
    struct rv_buf snapshot;
    uint64_t snapshot_request;

    uint64_t logged_this_second, unlogged;
    uint64_t workloads_met;                        /* when the rules were made */
    uint64_t rules_boot_ns;                        /* when that was */
    enum rv_stability stability[RV_ASKED_ACTIONS]; /* of decisions about what openers ask */
    bool names_workloads;                          /* they depend on which cgroups a workload has */
    bool log_good;
};

/* ---- enforcement.c: words for the log, and the log ---- */
/** Bytes that people wrote, as a JSON string; what is not UTF-8 becomes question marks. */
json_t *rv_enforcement_text(const char *data, size_t len);
json_t *rv_enforcement_policy_json(const struct rv_enforcement *enforcement, uint32_t policy);
json_t *rv_enforcement_process_json(uint32_t tgid, uint64_t start_boot_ns);
json_t *rv_enforcement_digest_json(uint64_t digest);
/** Which models the kernel's slots hold, and why. */
json_t *rv_enforcement_slots_json(const struct rv_channel_scores *scores);
json_t *rv_enforcement_comm_json(const char comm[16]);
/** As much as fits, with a zero behind it. */
void rv_enforcement_copy(char *to, size_t room, const char *data, size_t len);
/** Say something to the guard; that it could not be said is only for debugging. */
void rv_enforcement_tell(struct rv_enforcement *enforcement, enum rv_channel_type type,
                         const void *data, size_t len);
/** Append an entry; `durable` (may be NULL) runs when it is. @return as rv_audit_append_json(). */
RV_MUST_CHECK int rv_enforcement_append(struct rv_enforcement *enforcement, const char *type,
                                        json_t *members, rv_audit_done_fn *durable, void *context);
/** Watchers see the same as the log. Changes `members`, which is in the log already. */
void rv_enforcement_show(struct rv_enforcement *enforcement, const char *type, json_t *members);
/** The name that people know a policy by: its @id, else its id; "?" for none. */
const char *rv_enforcement_policy_name(const struct rv_enforcement *enforcement, uint32_t policy);
/**
 * The key by which the process table knows a process. Who looks in /proc (fanotify does) has its
 * start cut to a clock tick; what is not in the table keeps its key.
 */
struct rv_process_key rv_enforcement_key(const struct rv_enforcement *enforcement,
                                         struct rv_process_key process);
/** Put an entry into the log; `members` is taken over. A failure is the log's own to tell. */
void rv_enforcement_log(struct rv_enforcement *enforcement, const char *type, json_t *members);

/* ---- enforcement_rules.c ---- */
/** A workload that rules name may have a cgroup that they do not know: at once, but not always. */
void rv_enforcement_follow_workloads(struct rv_enforcement *enforcement);
/** Make the rules anew and hand them to the guard. */
void rv_enforcement_send_rules(struct rv_enforcement *enforcement);

/* ---- enforcement_heard.c ---- */
/** Open a hold of what was refused, or waits, or count one more try of it. */
void rv_enforcement_hold(struct rv_enforcement *enforcement, const struct rv_refusal_record *record,
                         const char *resource);

/* ---- enforcement_asked.c ---- */
/** How long answers to openers are good for, under the policy and stages as they are. */
void rv_enforcement_learn_stability(struct rv_enforcement *enforcement);

/* ---- enforcement_respond.c ---- */
/** Ask the guard to act or undo once `members` are durable in the log; taken over. */
RV_MUST_CHECK int rv_enforcement_ask(struct rv_enforcement *enforcement,
                                     const struct rv_pending_act *pending, const char *type,
                                     json_t *members);
/** An approved hold becomes a grant, once the approval is durable; a denied one only an entry. */
RV_MUST_CHECK int rv_enforcement_decide_grant(struct rv_enforcement *enforcement,
                                              const struct rv_hold *hold);
