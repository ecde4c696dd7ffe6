/* SPDX-License-Identifier: Apache-2.0 */
/* What is done about what happened: decided, in the log durably, and only then asked for. */
#include "enforcement_private.h"

#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>

#define RECENT_NS (10 * RV_NS_PER_S)

/* ---- Decide, log, act ---- */

static struct rv_pending_act *free_act(struct rv_enforcement *enforcement)
{
    for (size_t i = 0; i < RV_ACTS_MAX; i++) {
        if (!enforcement->acts[i].request)
            return &enforcement->acts[i];
    }
    return NULL;
}

/** The decision is durable: only now is it carried out. */
static void on_durable(void *context, int result, uint64_t index)
{
    struct rv_pending_act *pending = context;

    (void)index;
    if (result < 0) {
        rv_error("an action is not taken, since the log could not record it: %s",
                 strerror(-result));
        pending->request = 0;
    } else if (pending->grant.action) {
        rv_enforcement_tell(pending->enforcement, RV_CHANNEL_GRANT, &pending->grant,
                            sizeof(pending->grant));
        pending->request = 0;
    } else if (pending->act.action == RV_ACT_NONE) {
        rv_enforcement_tell(pending->enforcement, RV_CHANNEL_UNDO, &pending->undo,
                            sizeof(pending->undo));
    } else {
        rv_enforcement_tell(pending->enforcement, RV_CHANNEL_ACT, &pending->act,
                            sizeof(pending->act));
    }
}

int rv_enforcement_ask(struct rv_enforcement *enforcement, const struct rv_pending_act *pending,
                       const char *type, json_t *members)
{
    struct rv_pending_act *place = free_act(enforcement);
    int r = members && place ? 0 : members ? -EBUSY : -ENOMEM;

    if (r == 0) {
        *place = *pending;
        place->enforcement = enforcement;
        place->request = ++enforcement->last_request;
        place->act.request = place->undo.request = place->request;
        r = rv_enforcement_append(enforcement, type, members, on_durable, place);
        if (r < 0)
            place->request = 0;
    }
    if (r < 0)
        rv_error("an action is not taken, since it could not be recorded: %s", strerror(-r));
    rv_enforcement_show(enforcement, type, members);
    json_decref(members);
    return r;
}

int rv_enforcement_decide_grant(struct rv_enforcement *enforcement, const struct rv_hold *hold)
{
    struct rv_pending_act pending = { .policy = UINT32_MAX, .grant = hold->what };
    uint64_t now = enforcement->options.clock.boot_ns(enforcement->options.clock.context);

    if (hold->state == RV_HOLD_APPROVED)
        return rv_enforcement_ask(enforcement, &pending, "hold.decision",
                                  rv_hold_to_json(hold, now));
    rv_enforcement_log(enforcement, "hold.decision", rv_hold_to_json(hold, now));
    return 0;
}

/* ---- What happened: respond ---- */

/** From weakest to strongest, and what the guard is asked for. */
static const struct {
    int strength;
    enum rv_action action; /* RV_ACT_NONE: nothing after the fact */
} responses[RV_RESPONSES_] = {
    [RV_RESPOND_ALERT] = { 0, RV_ACT_NONE },        [RV_RESPOND_DENY] = { 1, RV_ACT_NONE },
    [RV_RESPOND_THROTTLE] = { 2, RV_ACT_THROTTLE }, [RV_RESPOND_HOLD] = { 3, RV_ACT_FREEZE },
    [RV_RESPOND_FREEZE] = { 4, RV_ACT_FREEZE },     [RV_RESPOND_ISOLATE] = { 5, RV_ACT_ISOLATE },
    [RV_RESPOND_KILL] = { 6, RV_ACT_KILL_TREE },
};

/** By the choices of late.response. */
static const enum rv_response late_responses[] = { RV_RESPOND_DENY, RV_RESPOND_FREEZE,
                                                   RV_RESPOND_KILL };

/** The strongest response of the determining policies that are enforced here. */
static enum rv_response strongest(const struct rv_enforcement *enforcement,
                                  const struct rv_outcome *outcome, uint32_t *ret_policy)
{
    const char *workload = outcome->process ? outcome->process->workload->name : NULL;
    enum rv_response best = RV_RESPOND_ALERT;

    for (uint32_t i = 0; i < outcome->decision.reason_count; i++) {
        uint32_t policy = enforcement->policy_of[outcome->decision.reasons[i]];
        enum rv_response response;

        if (policy >= enforcement->rules->policy_count)
            continue;
        response = enforcement->rules->policies[policy].response;
        if (responses[response].strength > responses[best].strength &&
            rv_stage_of(&enforcement->stages, enforcement->rules->policies[policy].name,
                        workload) == RV_STAGE_ENFORCE) {
            best = response;
            *ret_policy = policy;
        }
    }
    return best;
}

/** Whether the same was not done to the same process just now. */
static bool first_in_a_while(struct rv_enforcement *enforcement, uint64_t key, uint64_t now)
{
    size_t at = key % RV_RECENT_MAX;

    if (enforcement->recent[at].key == key && now < enforcement->recent[at].until_boot_ns)
        return false;
    enforcement->recent[at].key = key;
    enforcement->recent[at].until_boot_ns = now + RECENT_NS;
    return true;
}

static uint64_t act_key(struct rv_process_key process, enum rv_response response)
{
    return rv_mix64(rv_mix64(process.start_boot_ns ^ process.tgid) + response) | 1;
}

/** The process is about to be frozen, and a person will say what becomes of it. */
static uint64_t hold_process(struct rv_enforcement *enforcement, const struct rv_outcome *outcome,
                             uint32_t policy, uint64_t now)
{
    const char *name = rv_enforcement_policy_name(enforcement, policy);
    struct rv_hold hold = {
        .kind = RV_HOLD_FROZEN,
        .digest = enforcement->digest,
        .tgid = outcome->event->tgid,
        .start_boot_ns = outcome->event->start_boot_ns,
        .cgroup_id = outcome->event->cgroup_id,
        .what = { .uid = outcome->event->uid },
        .since_boot_ns = now,
        .expires_boot_ns = now + enforcement->options.config->hold_s * RV_NS_PER_S,
    };
    struct rv_hold *opened = NULL;
    bool is_new = false;

    rv_enforcement_copy(hold.policy, sizeof(hold.policy), name, strlen(name));
    rv_enforcement_copy(hold.program, sizeof(hold.program), outcome->program.data,
                        outcome->program.len);
    rv_enforcement_copy(hold.resource, sizeof(hold.resource), outcome->resource->id.data,
                        outcome->resource->id.len);
    rv_enforcement_copy(hold.action, sizeof(hold.action), outcome->action, strlen(outcome->action));
    memcpy(hold.comm, outcome->event->comm, sizeof(hold.comm) - 1);
    if (rv_hold_open(&enforcement->holds, &hold, &opened, &is_new) < 0) {
        rv_warning("too many actions are held; one more is frozen without a number");
        return 0;
    }
    if (is_new)
        rv_enforcement_log(enforcement, "hold", rv_hold_to_json(opened, now));
    return opened->id;
}

/**
 * The guard is told a risk that crossed a hundred, the step that rules know. A slot that another
 * process takes over is told again, never forgotten.
 */
static void tell_risk(struct rv_enforcement *enforcement, const struct rv_outcome *outcome)
{
    struct rv_process_key process = rv_event_process(outcome->event);
    uint64_t key = rv_mix64(process.start_boot_ns ^ process.tgid) | 1;
    uint32_t risk = outcome->verdict.risk;
    struct rv_channel_risk packet = { .process = process, .risk = risk };
    uint64_t at = key & (RV_RISKS_MAX - 1);
    bool same = enforcement->risks[at].key == key;

    if (same ? enforcement->risks[at].risk / 100 == risk / 100 : risk < 100)
        return;
    enforcement->risks[at].key = key;
    enforcement->risks[at].risk = risk;
    rv_enforcement_tell(enforcement, RV_CHANNEL_RISK, &packet, sizeof(packet));
}

/** Seen before the fact, and some mechanism carries the policy's rules: it did not happen. */
static bool refused_before(const struct rv_enforcement *enforcement, const struct rv_event *event,
                           uint32_t policy)
{
    uint64_t carried = 0;

    if (!(event->flags & RV_EVENT_F_INLINE))
        return false; /* it was seen because it happened */
    if (enforcement->rules->policies[policy].partial)
        return false;
    for (unsigned m = 0; m < RV_MECHANISMS_; m++)
        carried |= enforcement->guard.carried[m];
    for (uint32_t i = 0; i < enforcement->rules->count; i++) {
        if (enforcement->rules->rules[i].policy == policy && (carried & UINT64_C(1) << i))
            return true;
    }
    return false;
}

void rv_enforcement_outcome(struct rv_enforcement *enforcement, const struct rv_outcome *outcome)
{
    struct rv_process_key process = rv_event_process(outcome->event);
    uint64_t now = enforcement->options.clock.boot_ns(enforcement->options.clock.context);
    struct rv_pending_act pending = { .policy = UINT32_MAX };
    enum rv_response response;
    uint32_t policy = 0;

    rv_enforcement_follow_workloads(enforcement);
    if (enforcement->risk_asked && outcome->vector)
        tell_risk(enforcement, outcome);
    if (!enforcement->rules || !outcome->action || outcome->decision.effect != RV_EFFECT_DENY)
        return;
    response = strongest(enforcement, outcome, &policy);
    if (response == RV_RESPOND_HOLD && refused_before(enforcement, outcome->event, policy))
        return; /* the refusal opens the hold */
    if (response == RV_RESPOND_DENY && !refused_before(enforcement, outcome->event, policy))
        response = late_responses[enforcement->options.config->late];
    if (responses[response].action == RV_ACT_NONE ||
        !first_in_a_while(enforcement, act_key(process, response), now))
        return;
    pending.policy = policy;
    pending.event_boot_ns = outcome->event->time_boot_ns;
    pending.act = (struct rv_channel_act){
        .process = process,
        .action = responses[response].action,
        .cgroup_id = response == RV_RESPOND_ISOLATE ? outcome->event->cgroup_id : 0,
        .snapshot = response == RV_RESPOND_KILL,
    };
    if (response == RV_RESPOND_HOLD)
        pending.hold = hold_process(enforcement, outcome, policy, now);
    if (rv_enforcement_ask(
            enforcement, &pending, "action",
            json_pack("{ss so so so sI ss}", "action", rv_response_name(response), "policy",
                      rv_enforcement_policy_json(enforcement, policy), "process",
                      rv_enforcement_process_json(process.tgid, process.start_boot_ns), "program",
                      rv_enforcement_text(outcome->program.data, outcome->program.len), "uid",
                      (json_int_t)outcome->event->uid, "for", outcome->action)) == 0)
        enforcement->counts[policy].acted++;
}
