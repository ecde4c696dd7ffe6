/* SPDX-License-Identifier: Apache-2.0 */
/* What people ask of enforcement over the control socket: holds, stages, undo. Each change is an
 * entry of the log with who asked for it, as the kernel says. */
#include "enforcement_private.h"

#include "base/fd.h"
#include "base/log.h"

#include <inttypes.h>

static json_t *refused(const char *sentence)
{
    return json_pack("{ss}", "error", sentence);
}

static uint64_t now_ns(const struct rv_enforcement *enforcement)
{
    return enforcement->options.clock.boot_ns(enforcement->options.clock.context);
}

static const char *text_of(const json_t *request, const char *key, const char *fallback)
{
    const char *text = json_string_value(json_object_get(request, key));

    return text ? text : fallback;
}

/* ---- Holds ---- */

/** {"request": "hold.list", "id": N}: one, or all, the latest first. */
json_t *rv_enforcement_hold_list(void *context, const json_t *request, uint32_t by_uid)
{
    struct rv_enforcement *enforcement = context;
    uint64_t only = (uint64_t)json_integer_value(json_object_get(request, "id"));
    json_t *list = json_array();

    (void)by_uid;
    for (uint64_t id = enforcement->holds.last_id; id > 0; id--) {
        const struct rv_hold *hold = rv_hold_find(&enforcement->holds, id);

        if (hold && (only == 0 || only == id))
            json_array_append_new(list, rv_hold_to_json(hold, now_ns(enforcement)));
    }
    if (only && json_array_size(list) == 0) {
        json_decref(list);
        return refused("there is no such hold; 'reeve hold list' shows them");
    }
    return json_pack("{so}", "holds", list);
}

static const char *words_for(int error)
{
    switch (-error) {
    case ENOENT:
        return "there is no such hold; 'reeve hold list' shows them";
    case EALREADY:
        return "it is decided already";
    case EPERM:
        return "nobody may approve what his own user does; ask somebody else";
    default:
        return "it could not be done; the agent's messages say why";
    }
}

/** The process is frozen: let it go on, or end it. */
static int decide_frozen(struct rv_enforcement *enforcement, const struct rv_hold *hold,
                         bool approve, uint32_t by_uid, json_t *members)
{
    struct rv_pending_act pending = { .policy = UINT32_MAX, .by_uid = by_uid };

    if (approve)
        pending.undo.number = hold->standing;
    else
        pending.act = (struct rv_channel_act){
            .process = { hold->start_boot_ns, hold->tgid },
            .action = RV_ACT_KILL_TREE,
            .snapshot = 1,
        };
    return rv_enforcement_ask(enforcement, &pending, "hold.decision", members);
}

/** {"request": "hold.decide", "id": N, "approve": BOOL, "note": TEXT} */
json_t *rv_enforcement_hold_decide(void *context, const json_t *request, uint32_t by_uid)
{
    struct rv_enforcement *enforcement = context;
    uint64_t id = (uint64_t)json_integer_value(json_object_get(request, "id"));
    bool approve = json_is_true(json_object_get(request, "approve"));
    const char *note = text_of(request, "note", "");
    struct rv_hold *hold = rv_hold_find(&enforcement->holds, id);
    int r;

    if (hold && hold->kind == RV_HOLD_FROZEN && hold->state == RV_HOLD_PENDING && !hold->standing)
        return refused("its process is not frozen yet, or could not be; look again in a moment");
    r = approve ? rv_hold_approve(&enforcement->holds, id, by_uid, now_ns(enforcement),
                                  enforcement->options.config->approve_s * 1000, &hold)
                : rv_hold_deny(&enforcement->holds, id, by_uid, &hold);
    if (r < 0)
        return refused(words_for(r));
    if (strlen(note) < sizeof(hold->note))
        memcpy(hold->note, note, strlen(note) + 1);
    if (hold->kind == RV_HOLD_FROZEN) {
        r = decide_frozen(enforcement, hold, approve, by_uid,
                          rv_hold_to_json(hold, now_ns(enforcement)));
        if (approve && r == 0)
            hold->state = RV_HOLD_USED;
    } else {
        r = rv_enforcement_decide_grant(enforcement, hold);
    }
    return r < 0 ? refused(words_for(r)) : rv_hold_to_json(hold, now_ns(enforcement));
}

/* ---- Stages ---- */

static json_t *policy_row(const struct rv_enforcement *enforcement, uint32_t index)
{
    const struct rv_rules_policy *policy = &enforcement->rules->policies[index];
    const struct rv_policy_counts *counts = &enforcement->counts[index];

    return json_pack("{ss ss ss ss sI sI sI sI sI sb}", "policy", policy->name, "stage",
                     rv_stage_name(policy->stage), "respond", rv_response_name(policy->response),
                     "place", rv_place_name(policy->place), "denied", (json_int_t)counts->denied,
                     "would_deny", (json_int_t)counts->would_deny, "passed",
                     (json_int_t)counts->passed, "granted", (json_int_t)counts->granted, "acted",
                     (json_int_t)counts->acted, "left_out", (int)policy->left_out);
}

/** {"request": "mode.list"} */
json_t *rv_enforcement_mode_list(void *context, const json_t *request, uint32_t by_uid)
{
    struct rv_enforcement *enforcement = context;
    json_t *policies = json_array();

    (void)request;
    (void)by_uid;
    for (uint32_t i = 0; enforcement->rules && i < enforcement->rules->policy_count; i++) {
        if (enforcement->rules->policies[i].governs)
            json_array_append_new(policies, policy_row(enforcement, i));
    }
    return json_pack("{ss so so}", "default", rv_stage_name(enforcement->stages.fallback),
                     "settings", rv_stages_to_json(&enforcement->stages), "policies", policies);
}

static int save_stages(struct rv_enforcement *enforcement)
{
    RV_AUTO(rv_json_freep) json_t *list = rv_stages_to_json(&enforcement->stages);
    RV_AUTO(rv_freep) char *text = list ? json_dumps(list, JSON_INDENT(1)) : NULL;

    return text ? rv_write_file_atomic(enforcement->options.state_fd, RV_STAGES_NAME, text,
                                       strlen(text), 0600)
                : -ENOMEM;
}

static bool is_known_policy(const struct rv_enforcement *enforcement, const char *name)
{
    if (rv_streq(name, "*"))
        return true;
    for (uint32_t i = 0; enforcement->rules && i < enforcement->rules->policy_count; i++) {
        if (enforcement->rules->policies[i].governs &&
            rv_streq(enforcement->rules->policies[i].name, name))
            return true;
    }
    return false;
}

/**
 * A promotion to enforce comes with what a simulation found. Without one, or with more false stops
 * than the budget, it is refused unless it is forced; and either way the log says which it was.
 */
static const char *judge_promotion(const struct rv_enforcement *enforcement, const json_t *request)
{
    const json_t *simulated = json_object_get(request, "simulated");
    const json_t *stops = json_object_get(simulated, "false_stops");
    uint64_t max = enforcement->options.config->false_stops_max;

    if (json_is_true(json_object_get(request, "force")))
        return NULL;
    if (!json_is_integer(stops))
        return "a promotion to enforce needs a simulation; 'reeve mode set' makes one from the "
               "recording, '--force' does without";
    if ((uint64_t)json_integer_value(stops) > max)
        return "the simulation stopped more that nobody called malicious than "
               "promote.false_stops_max allows; 'reeve policy simulate' shows whom";
    return NULL;
}

/**
 * {"request": "mode.set", "policy": P, "workload": W, "stage": S, "simulated": {...},
 *  "force": BOOL}; stage "default" forgets what was said.
 */
json_t *rv_enforcement_mode_set(void *context, const json_t *request, uint32_t by_uid)
{
    struct rv_enforcement *enforcement = context;
    const char *policy = text_of(request, "policy", "*");
    const char *workload = text_of(request, "workload", "*");
    const char *stage = text_of(request, "stage", "");
    RV_AUTO(rv_freep) struct rv_stages *before = malloc(sizeof(*before));
    struct rv_stage_setting setting = { .by_uid = by_uid };
    const char *why = NULL;
    int r;

    if (!before)
        return NULL;
    *before = enforcement->stages;
    if (!is_known_policy(enforcement, policy))
        return refused("no policy of the bundle has this name; 'reeve mode list' shows them");
    if (strlen(policy) >= RV_STAGE_NAME_MAX || strlen(workload) >= RV_STAGE_NAME_MAX)
        return refused("the name is too long");
    memcpy(setting.policy, policy, strlen(policy) + 1);
    memcpy(setting.workload, workload, strlen(workload) + 1);
    setting.unix_us = enforcement->options.clock.unix_ns(enforcement->options.clock.context) / 1000;
    if (rv_streq(stage, "default")) {
        r = rv_stage_unset(&enforcement->stages, policy, workload);
        if (r == -ENOENT)
            return refused("nothing was said of this; 'reeve mode list' shows what was");
    } else {
        if (rv_stage_parse(stage, &setting.stage) < 0)
            return refused("a stage is observe, shadow, enforce or default");
        why = setting.stage == RV_STAGE_ENFORCE ? judge_promotion(enforcement, request) : NULL;
        if (why)
            return refused(why);
        r = rv_stage_set(&enforcement->stages, &setting);
    }
    if (r == 0)
        r = save_stages(enforcement);
    if (r < 0) {
        enforcement->stages = *before;
        return refused(strerror(-r));
    }
    rv_enforcement_log(enforcement, "mode",
                       json_pack("{ss ss ss sI sO* sb}", "policy", policy, "workload", workload,
                                 "stage", stage, "by_uid", (json_int_t)by_uid, "simulated",
                                 json_object_get(request, "simulated"), "forced",
                                 (int)json_is_true(json_object_get(request, "force"))));
    rv_enforcement_send_rules(enforcement);
    return rv_enforcement_mode_list(enforcement, NULL, by_uid);
}

/* ---- Undo ---- */

/** {"request": "undo", "number": N}; 0: all that stands. */
json_t *rv_enforcement_undo(void *context, const json_t *request, uint32_t by_uid)
{
    struct rv_enforcement *enforcement = context;
    json_int_t number = json_integer_value(json_object_get(request, "number"));
    struct rv_pending_act pending = { .policy = UINT32_MAX, .by_uid = by_uid };
    int r;

    if (number < 0 || number > UINT32_MAX)
        return refused("an action's number is a positive number; 'reeve decisions' shows them");
    pending.undo.number = (uint32_t)number;
    r = rv_enforcement_ask(enforcement, &pending, "undo",
                           json_pack("{sI sI}", "number", number, "by_uid", (json_int_t)by_uid));
    return r < 0 ? refused(words_for(r)) : json_pack("{sb sI}", "asked", 1, "number", number);
}
