/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file agent/enforcement.h  The judge's part of enforcement: what is to be refused, what is to be
 * done about what happened, what waits for a person.
 *
 * From the policy and its stages it makes rules and hands them to the guard; it says each second
 * that all is well; it writes what was refused into the log; and it asks the guard to act, but only
 * once the decision to do so is durable in the log. Requests of people come over the control
 * socket. No rights are needed; not thread-safe.
 */
#pragma once

#include "agent/pipeline.h"
#include "audit/audit.h"
#include "base/clock.h"
#include "channel.h"
#include "config.h"
#include "control.h"
#include "enforce/fan.h"
#include "policy/bundle.h"

struct rv_enforcement;

struct rv_enforcement_options {
    const struct rv_agent_config *config;
    const struct rv_bundle *bundle;
    struct rv_pipeline *pipeline;
    struct rv_audit *audit; /* NULL: there is no log, so nothing is done */
    struct rv_clock clock;
    int state_fd; /* stages are kept there; borrowed */
    /** Say something to the guard. @return 0 or -errno. */
    int (*tell)(void *context, enum rv_channel_type type, struct rv_span payload);
    /** Show watchers what was refused, held or done: {"enforced": TYPE, ...}. */
    void (*show)(void *context, const json_t *line);
    void *context;
};

/** Reads the stages that were set before. @return 0; -EBADMSG: the file is damaged; -errno. */
RV_MUST_CHECK int rv_enforcement_new(struct rv_enforcement **ret_enforcement,
                                     const struct rv_enforcement_options *options);
void rv_enforcement_free(struct rv_enforcement **enforcement);

/** The guard listens: hand over the first set of rules. */
void rv_enforcement_start(struct rv_enforcement *enforcement);
/** Once a second. `log_good`: receipts can be written. */
void rv_enforcement_tick(struct rv_enforcement *enforcement, bool log_good);

/** What an event came to: respond to it as its policies say. */
void rv_enforcement_outcome(struct rv_enforcement *enforcement, const struct rv_outcome *outcome);

/**
 * Somebody waits: may he? Never fails; without memory the answer is no.
 * @return false: a person is asked, and there is no answer but his.
 */
bool rv_enforcement_question(struct rv_enforcement *enforcement,
                             const struct rv_fan_question *question,
                             struct rv_channel_answer *ret_answer);

/** A packet of the guard's. @return 0; -EBADMSG. */
RV_MUST_CHECK int rv_enforcement_packet(struct rv_enforcement *enforcement,
                                        enum rv_channel_type type, struct rv_span payload);

/** The stage by which events are judged: for context.mode and the first words of the log. */
const char *rv_enforcement_mode(const struct rv_enforcement *enforcement);
/** A new object for `reeve status`, or NULL without memory. */
json_t *rv_enforcement_status(const struct rv_enforcement *enforcement);

/* ---- Requests of people (struct rv_control_request); `context` is the enforcement ---- */
json_t *rv_enforcement_hold_list(void *context, const json_t *request, uint32_t by_uid);
json_t *rv_enforcement_hold_decide(void *context, const json_t *request, uint32_t by_uid);
json_t *rv_enforcement_mode_list(void *context, const json_t *request, uint32_t by_uid);
json_t *rv_enforcement_mode_set(void *context, const json_t *request, uint32_t by_uid);
json_t *rv_enforcement_undo(void *context, const json_t *request, uint32_t by_uid);
