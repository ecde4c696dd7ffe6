/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file agent/enforcer.h  The guard's part of enforcement: providers, actions, leases, the stop.
 *
 * Nothing is opened before the first set of rules that is not empty: in observe mode no hook of
 * ours is asked by anybody. Then mechanisms are opened beside the loop (opening.h), and the rules
 * wait for that; a stop that comes meanwhile is there first. Rules hold while the judge says every
 * second that all is well; then each lapses as it says itself. What the judge asks is checked and
 * looked up; processes of the protected set are out of its reach. Not thread-safe.
 */
#pragma once

#include "base/clock.h"
#include "channel.h"
#include "config.h"
#include "enforce/act.h"
#include "kernel_model.h"

struct rv_enforcer;

#define RV_LEASE_MS 5000 /* how long rules hold without a word from the judge */

struct rv_enforcer_options {
    const struct rv_agent_config *config;
    struct rv_kernel_models *kernel; /* borrowed; follows the judge's */
    struct rv_clock clock;
    bool boot_guarded; /* nothing is to be enforced, whatever is asked */
    /** Say something to the judge, if there is one. @return 0 or -errno: it does not know. */
    int (*tell)(void *context, enum rv_channel_type type, struct rv_span payload);
    void *context;
};

RV_MUST_CHECK int rv_enforcer_new(struct rv_enforcer **ret_enforcer,
                                  const struct rv_enforcer_options *options);
/** Removes every hook; what is frozen or isolated is undone first if `undo`. */
enum rv_enforcer_end { RV_ENFORCER_LEAVE, RV_ENFORCER_UNDO };
void rv_enforcer_free(struct rv_enforcer **enforcer, enum rv_enforcer_end end);

/* ---- Requests of the judge. @return 0; -EBADMSG: it broke the rules ---- */
RV_MUST_CHECK int rv_enforcer_health(struct rv_enforcer *enforcer);
RV_MUST_CHECK int rv_enforcer_rules(struct rv_enforcer *enforcer,
                                    const struct rv_channel_rules *rules);
RV_MUST_CHECK int rv_enforcer_rule(struct rv_enforcer *enforcer, const struct rv_rule *rule);
RV_MUST_CHECK int rv_enforcer_act(struct rv_enforcer *enforcer, const struct rv_channel_act *act);
RV_MUST_CHECK int rv_enforcer_undo(struct rv_enforcer *enforcer,
                                   const struct rv_channel_undo *undo);
RV_MUST_CHECK int rv_enforcer_grant(struct rv_enforcer *enforcer, const struct rv_grant *grant);
RV_MUST_CHECK int rv_enforcer_risk(struct rv_enforcer *enforcer,
                                   const struct rv_channel_risk *risk);
RV_MUST_CHECK int rv_enforcer_model(struct rv_enforcer *enforcer,
                                    const struct rv_channel_model *model);

/**
 * A process lives under another root: a container. Paths of rules mean the files there too, as they
 * do to the judge, as long as the process lives.
 */
void rv_enforcer_root(struct rv_enforcer *enforcer, pid_t pid);

/** A process of Reeve's own began. Kept for providers that are opened later. */
void rv_enforcer_protect(struct rv_enforcer *enforcer, pid_t pid);
/** The judge is another one now: what is being received is dropped, what stands goes on.
 * @param ask_fd where openers' questions go; taken over. */
void rv_enforcer_new_judge(struct rv_enforcer *enforcer, int ask_fd);

/** Emergency stop: nothing is refused and everything that stands is undone, until `false`. */
void rv_enforcer_stop(struct rv_enforcer *enforcer, bool stop);
bool rv_enforcer_stopped(const struct rv_enforcer *enforcer);
/** Whether anything is, or may soon be, refused or acted on: then a boot is worth a mark. */
bool rv_enforcer_armed(const struct rv_enforcer *enforcer);

/** Descriptors to poll; those that are not needed are -1. */
#define RV_ENFORCER_FDS (RV_MECHANISMS_ + 1)
void rv_enforcer_fds(const struct rv_enforcer *enforcer, int fds[RV_ENFORCER_FDS]);
/** Hand on what providers recorded, and take over mechanisms that are open now. */
void rv_enforcer_drain(struct rv_enforcer *enforcer);
