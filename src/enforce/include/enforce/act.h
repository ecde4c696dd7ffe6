/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file enforce/act.h  Actions after the fact: freeze, thaw, kill, isolate, each with its undo.
 *
 * Every action goes through rv_act(): protected processes are refused whatever was decided, the
 * hour's budget of disruptive actions is kept, a dry run does everything but act, and what was done
 * gets a number by which it can be undone. Processes are named by process key, checked again
 * through a pidfd before the action, so a reused pid is never hit. Not thread-safe.
 */
#pragma once

#include "base/clock.h"
#include "event/event.h"

struct rv_actor;

enum rv_action {
    RV_ACT_NONE = 0,
    RV_ACT_FREEZE,    /* SIGSTOP of one process, or the whole cgroup where one is named */
    RV_ACT_KILL,      /* one process */
    RV_ACT_KILL_TREE, /* and its descendants, stopped first so that none gets away */
    RV_ACT_ISOLATE,   /* a cgroup's network, loopback included, in one step */
    RV_ACT_COUNT_,
};

/** Why something was not done. Zero is not done for want of a reason. */
enum rv_act_outcome {
    RV_ACT_REFUSED = 0, /* the target is protected */
    RV_ACT_OVER_BUDGET, /* alert and hold instead */
    RV_ACT_GONE,        /* the process has ended, or its pid is another's now */
    RV_ACT_DRY,         /* would have been done */
    RV_ACT_DONE,
};

struct rv_act_options {
    uint32_t budget_per_hour; /* disruptive actions; 0: none at all */
    bool dry_run;
    struct rv_clock clock;
};

struct rv_act_request {
    enum rv_action action;
    struct rv_process_key process; /* all but RV_ACT_ISOLATE, and RV_ACT_FREEZE of a cgroup */
    const char *cgroup;            /* absolute path of a cgroup v2 folder; may be NULL */
};

/** pid 1, this process, its parent and its ancestors are protected from the start. */
RV_MUST_CHECK int rv_actor_new(struct rv_actor **ret_actor, const struct rv_act_options *options);
/** Undoes nothing by itself; isolation ends with the actor, frozen processes stay frozen. */
void rv_actor_free(struct rv_actor **actor);

/** Add a program, by path, whose processes are refused: sshd, a container runtime. */
RV_MUST_CHECK int rv_actor_protect(struct rv_actor *actor, const char *program);

/**
 * @param ret_number of the action, for rv_act_undo(); written with RV_ACT_DONE, else 0.
 * @return 0 with an outcome; -EINVAL; -ENOSPC: 256 actions stand; another -errno: it failed.
 */
RV_MUST_CHECK int rv_act(struct rv_actor *actor, const struct rv_act_request *request,
                         enum rv_act_outcome *ret_outcome, uint32_t *ret_number);

/** @return 0; -ENOENT: no such action stands (a kill never does); another -errno. */
RV_MUST_CHECK int rv_act_undo(struct rv_actor *actor, uint32_t number);
/** Undo what can be undone, latest first. @return how many, or the first -errno after trying all.
 */
int rv_act_undo_all(struct rv_actor *actor);

/** How many actions stand that could be undone. */
uint32_t rv_actor_standing(const struct rv_actor *actor);

/**
 * Append a forensic snapshot as one JSON object: program, ancestry, open files, maps with a file,
 * names in the environment (never values). Each list ends at 1024 with "cut": true.
 * @return 0; -ESRCH: gone; -ENOMEM.
 */
RV_MUST_CHECK int rv_act_snapshot(struct rv_process_key process, struct rv_buf *buf);

/** The key of a live process. @return 0; -ESRCH. */
RV_MUST_CHECK int rv_process_key_of(pid_t pid, struct rv_process_key *ret_key);
/** The parent of a live process. @return 0; -ESRCH. */
RV_MUST_CHECK int rv_process_parent_of(pid_t pid, pid_t *ret_parent);
