/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file enforce/act.h  Actions after the fact: freeze, throttle, kill, isolate, each with its undo.
 *
 * Every action goes through rv_act(): protected processes are refused whatever was decided, the
 * hour's budget of disruptive actions is kept, a dry run does everything but act, and what was done
 * gets a number by which it can be undone. Processes are named by process key, checked again
 * through a pidfd before the action, so a reused pid is never hit.
 *
 * Each action uses the best means that the host has, with cgroup v2, v1, both or none that may be
 * written to, and rv_act_how() says which, and what stood in the way of a better one. What stands
 * is kept in a file, so that it can be undone after the agent died and came back; isolation alone
 * ends with the process. Not thread-safe.
 */
#pragma once

#include "base/clock.h"
#include "event/event.h"

struct rv_actor;

enum rv_action {
    RV_ACT_NONE = 0,
    RV_ACT_FREEZE,    /* the cgroup where one is named, else one process */
    RV_ACT_KILL,      /* one process */
    RV_ACT_KILL_TREE, /* and its descendants, held still first so that none gets away; without a
                         process, all in a cgroup */
    RV_ACT_ISOLATE,   /* a cgroup's network, loopback and what is connected included, in one step;
                         unix sockets are left */
    RV_ACT_THROTTLE,  /* likewise to a tenth of one processor, or to what nobody else wants */
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
    const char
        *state_path; /* where what stands is kept; its folder is root's alone. NULL: nowhere */
};

struct rv_act_request {
    enum rv_action action;
    struct rv_process_key process; /* tgid 0: none */
    const char *cgroup;            /* absolute path of a cgroup folder, v2 or v1; may be NULL */
};

/**
 * Process 1, this process and its ancestors are protected from the start, and so are sshd,
 * container runtimes, systemd and its like, as the user that they belong to.
 *
 * What a former agent left standing in `state_path` can be undone as before. A file that cannot be
 * read is set aside as "....bad", and rv_act_how() says so.
 * @return 0; -ENOMEM; an -errno of setting it aside.
 */
RV_MUST_CHECK int rv_actor_new(struct rv_actor **ret_actor, const struct rv_act_options *options);
/** Undoes nothing by itself; isolation ends with the actor, frozen processes stay frozen. */
void rv_actor_free(struct rv_actor **actor);

/** Add a program, by path, whose processes are refused whoever runs it. @return 0; -ENOSPC; -errno.
 */
RV_MUST_CHECK int rv_actor_protect(struct rv_actor *actor, const char *program);
/** Add a process: the judge, of which the sixteen latest count. @return 0; -ESRCH. */
RV_MUST_CHECK int rv_actor_protect_process(struct rv_actor *actor, struct rv_process_key process);

/**
 * @param ret_number of the action, for rv_act_undo(); written with RV_ACT_DONE, else 0.
 * @return 0 with an outcome; -EINVAL; -ENOSPC: 256 actions stand; -EOPNOTSUPP: no cgroup v2 folder
 *         to isolate; another -errno: it failed, or could not be written down for undo and was not
 *         begun.
 */
RV_MUST_CHECK int rv_act(struct rv_actor *actor, const struct rv_act_request *request,
                         enum rv_act_outcome *ret_outcome, uint32_t *ret_number);

/** How the last rv_act() was carried out, or why not: a clause without its full stop. Borrowed. */
const char *rv_act_how(const struct rv_actor *actor);

/** @return 0; -ENOENT: no such action stands (a kill never does); another -errno. */
RV_MUST_CHECK int rv_act_undo(struct rv_actor *actor, uint32_t number);
/** Undo what can be undone, latest first. @return how many, or the first -errno after trying all.
 */
int rv_act_undo_all(struct rv_actor *actor);

/** How many actions stand that could be undone. */
uint32_t rv_actor_standing(const struct rv_actor *actor);

/** How many isolations had ended with a former agent, when this one began. */
uint32_t rv_actor_ended(const struct rv_actor *actor);

/**
 * Append a forensic snapshot as one JSON object: program, ancestry, open files, maps with a file,
 * sockets with their addresses and states, names in the environment (never values). Each list ends
 * at 1024 with "..._cut": true.
 * @return 0; -ESRCH: gone; -ENOMEM.
 */
RV_MUST_CHECK int rv_act_snapshot(struct rv_process_key process, struct rv_buf *buf);

/** The key of a live process. @return 0; -ESRCH. */
RV_MUST_CHECK int rv_process_key_of(pid_t pid, struct rv_process_key *ret_key);
/** The parent of a live process. @return 0; -ESRCH. */
RV_MUST_CHECK int rv_process_parent_of(pid_t pid, pid_t *ret_parent);
/**
 * A pidfd of exactly this process: the start time is compared after the pidfd was opened, so the
 * pid cannot become another's in between. /proc counts in ticks: the key is cut to them.
 * @return the descriptor; -ESRCH; another -errno.
 */
RV_MUST_CHECK int rv_process_open(struct rv_process_key key);
