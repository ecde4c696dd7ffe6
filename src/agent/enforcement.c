/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcement_private.h"

#include "base/fd.h"
#include "base/log.h"
#include "enforce/self.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define STAGES_MAX        ((size_t)256 * 1024)
#define RECENT_NS         (10 * RV_NS_PER_S)
#define RECEIPTS_A_SECOND 200U /* of refusals; what is beyond is counted and said as a number */
#define RULES_PAUSE_NS    (100 * RV_NS_PER_MS) /* between sets that only workloads ask for */
#define SNAPSHOT_MAX      ((size_t)512 * 1024)

/* ---- Words ---- */

const char *rv_enforcement_policy_name(const struct rv_enforcement *enforcement, uint32_t policy)
{
    if (policy == RV_POLICY_SELF)
        return "self-protection";
    if (policy == RV_POLICY_JUDGE)
        return "asked";
    return enforcement->rules && policy < enforcement->rules->policy_count
               ? enforcement->rules->policies[policy].name
               : "?";
}

/** Bytes that people wrote, as a JSON string; what is not UTF-8 becomes question marks. */
static json_t *text_json(const char *data, size_t len)
{
    json_t *string = json_stringn(data, len);
    RV_AUTO(rv_freep) char *copy = string ? NULL : malloc(len + 1);

    if (string || !copy)
        return string;
    for (size_t i = 0; i < len; i++)
        copy[i] = (unsigned char)data[i] < 0x80 ? data[i] : '?';
    return json_stringn(copy, len);
}

static json_t *policy_json(const struct rv_enforcement *enforcement, uint32_t policy)
{
    const char *name = rv_enforcement_policy_name(enforcement, policy);

    return text_json(name, strlen(name));
}

static json_t *comm_json(const char comm[16])
{
    return text_json(comm, strnlen(comm, 16));
}

static json_t *process_json(uint32_t tgid, uint64_t start_boot_ns)
{
    return json_sprintf("%" PRIu32 ".%" PRIu64, tgid, start_boot_ns);
}

static json_t *digest_json(uint64_t digest)
{
    const uint8_t *bytes = (const uint8_t *)&digest;
    char hex[17];

    for (size_t i = 0; i < sizeof(digest); i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    return json_string(hex);
}

/** Watchers see the same as the log. Changes `members`, which is in the log already. */
static void show(struct rv_enforcement *enforcement, const char *type, json_t *members)
{
    if (members && json_object_set_new(members, "enforced", json_string(type)) == 0)
        enforcement->options.show(enforcement->options.context, members);
}

static int append(struct rv_enforcement *enforcement, const char *type, json_t *members,
                  rv_audit_done_fn *durable, void *context)
{
    struct rv_audit *audit = enforcement->options.audit;

    if (!audit)
        return -ENOSPC;
    return members ? rv_audit_append_json(audit, type, members, durable, context, NULL) : -ENOMEM;
}

void rv_enforcement_log(struct rv_enforcement *enforcement, const char *type, json_t *members)
{
    int r = append(enforcement, type, members, NULL, NULL);

    if (r < 0)
        rv_debug("an entry %s did not get into the log: %s", type, strerror(-r));
    show(enforcement, type, members);
    json_decref(members);
}

static void tell(struct rv_enforcement *enforcement, enum rv_channel_type type, const void *data,
                 size_t len)
{
    if (enforcement->options.tell(enforcement->options.context, type, rv_span(data, len)) < 0)
        rv_debug("the guard could not be told");
}

struct rv_process_key rv_enforcement_key(const struct rv_enforcement *enforcement,
                                         struct rv_process_key process)
{
    const struct rv_features *features = rv_pipeline_features(enforcement->options.pipeline);
    const struct rv_process *live = rv_features_live(features, process.tgid);
    const uint64_t tick_ns = RV_NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);

    return live && live->key.start_boot_ns / tick_ns == process.start_boot_ns / tick_ns ? live->key
                                                                                        : process;
}

/* ---- Stages on disk ---- */

static int load_stages(struct rv_enforcement *enforcement)
{
    RV_AUTO(rv_freep) char *text = NULL;
    RV_AUTO(rv_json_freep) json_t *list = NULL;
    size_t len;
    int r = rv_read_file(enforcement->options.state_fd, RV_STAGES_NAME, STAGES_MAX, &text, &len);

    if (r == -ENOENT)
        return 0;
    if (r == 0)
        r = rv_json_parse(rv_span(text, len), &list, NULL);
    if (r == 0)
        r = rv_stages_from_json(&enforcement->stages, list);
    return r == -EINVAL || r == -E2BIG ? -EBADMSG : r;
}

/* ---- Rules ---- */

/** Does `scope`, as "file", "net.connect" or "host", hold the action or group `id`? */
static bool scope_holds(const char *scope, struct rv_text id)
{
    size_t len = strlen(scope);

    if (rv_streq(scope, "host"))
        return true;
    return id.len >= len && memcmp(id.data, scope, len) == 0 &&
           (id.len == len || id.data[len] == '.');
}

/** Every action that the policy is about lies in a scope that is listed. */
static bool all_listed(const struct rv_config_list *scopes, const struct rv_policy *policy)
{
    const struct rv_scope *action = policy ? &policy->action : NULL;
    uint32_t count = !action || action->kind == RV_SCOPE_ANY ? 0
                     : action->kind == RV_SCOPE_IN_SET       ? action->uid_count
                                                             : 1;
    static const struct rv_text everything = { "host", 4, 0 };

    for (uint32_t i = 0; i < (count ? count : 1); i++) {
        struct rv_text id = count == 0                        ? everything
                            : action->kind == RV_SCOPE_IN_SET ? action->uids[i]->id
                                                              : action->uid->id;
        bool listed = false;

        for (size_t k = 0; k < scopes->count && !listed; k++)
            listed = scope_holds(scopes->items[k], id);
        if (!listed)
            return false;
    }
    return true;
}

/** A scope that is listed stays closed when nobody healthy stands behind its rules. */
static enum rv_rule_lapse lapse_of(void *context, const struct rv_policy *policy)
{
    const struct rv_enforcement *enforcement = context;
    const struct rv_agent_config *config = enforcement->options.config;

    return all_listed(enforcement->log_good ? &config->fail_judge : &config->fail_log, policy)
               ? RV_LAPSE_CLOSED
               : RV_LAPSE_OPEN;
}

/** The cgroups of a workload, as far as one of its processes was met. */
static size_t cgroups_of(void *context, struct rv_text workload, uint64_t *ids, size_t max)
{
    const struct rv_enforcement *enforcement = context;
    char name[RV_STAGE_NAME_MAX];

    (void)snprintf(name, sizeof(name), "%.*s", RV_TEXT_ARGS(workload));
    return rv_features_cgroups(rv_pipeline_features(enforcement->options.pipeline), name, ids, max);
}

static uint64_t workloads_met(const struct rv_enforcement *enforcement)
{
    return rv_features_counters(rv_pipeline_features(enforcement->options.pipeline)).workloads_met;
}

/** A program leaves templates out, so its numbers are not those of the set. */
static int map_policies(struct rv_enforcement *enforcement, const struct rv_rules *rules)
{
    const struct rv_program *program = enforcement->options.bundle->program;
    size_t count = rv_program_count(program);
    uint32_t at = 0;

    enforcement->policy_of = calloc(count + 1, sizeof(*enforcement->policy_of));
    if (!enforcement->policy_of)
        return -ENOMEM;
    for (uint32_t i = 0; i < count; i++) {
        struct rv_text id = rv_program_policy(program, i)->id;

        while (at < rules->policy_count &&
               (!rules->policies[at].policy || !rv_text_eq(rules->policies[at].policy->id, id)))
            at++;
        enforcement->policy_of[i] = at;
    }
    return 0;
}

static int compile(struct rv_enforcement *enforcement, struct rv_rules **ret_rules)
{
    const struct rv_bundle *bundle = enforcement->options.bundle;
    struct rv_rules_options options = {
        .offered = enforcement->offered =
            enforcement->guard.offered
                ? enforcement->guard.offered
                : 1U << RV_BY_LSM | 1U << RV_BY_CGROUP | 1U << RV_BY_FANOTIFY,
        .stages = &enforcement->stages,
        .reserved = enforcement->options.config->self_protect ? RV_SELF_RULES : 0,
        .cgroups = cgroups_of,
        .lapse = lapse_of,
        .context = enforcement,
    };
    int r = rv_rules_compile(ret_rules, &bundle->set, bundle->entities, &options);

    if (r == 0 && !enforcement->policy_of)
        r = map_policies(enforcement, *ret_rules);
    if (r == 0 && !enforcement->counts) {
        enforcement->counts = calloc((*ret_rules)->policy_count, sizeof(*enforcement->counts));
        r = enforcement->counts ? 0 : -ENOMEM;
    }
    return r;
}

/** Policies that found no room: said each time the set changes, since it is no small thing. */
static void tell_left_out(struct rv_enforcement *enforcement, const struct rv_rules *rules)
{
    for (uint32_t i = 0; i < rules->policy_count; i++) {
        const struct rv_rules_policy *policy = &rules->policies[i];

        if (!policy->left_out)
            continue;
        rv_error("the table of rules is full: %s %s", policy->name,
                 rules->left_out_closed > 0 ? "has no room, and a scope that must stay closed "
                                              "is among those left out: the old rules stand"
                                            : "is only answered after the fact");
        rv_enforcement_log(enforcement, "enforcement.error",
                           json_pack("{ss ss ss}", "step", "room", "error", strerror(ENOSPC),
                                     "policy", policy->name));
    }
}

static void hand_over(struct rv_enforcement *enforcement)
{
    const struct rv_agent_config *config = enforcement->options.config;
    const struct rv_rules *rules = enforcement->rules;
    struct rv_channel_rules head = {
        .settings = { .budget = (uint32_t)config->deny_budget,
                      .latency_budget_ns = config->latency_budget_us * 1000 },
        .count = rules->count,
    };

    memcpy(&head.settings.digest, enforcement->options.bundle->digest.bytes,
           sizeof(head.settings.digest));
    enforcement->digest = head.settings.digest;
    enforcement->risk_asked = false;
    for (uint32_t i = 0; i < rules->count; i++)
        enforcement->risk_asked |= rules->rules[i].risk_min > 0 || rules->rules[i].risk_max < 1000;
    tell(enforcement, RV_CHANNEL_RULES, &head, sizeof(head));
    for (uint32_t i = 0; i < rules->count; i++)
        tell(enforcement, RV_CHANNEL_RULE, &rules->rules[i], sizeof(rules->rules[i]));
}

static bool names_workloads(const struct rv_rules *rules)
{
    for (uint32_t i = 0; i < rules->policy_count; i++) {
        if (rules->policies[i].waits)
            return true;
    }
    for (uint32_t i = 0; i < rules->count; i++) {
        for (uint32_t k = 0; k < rules->rules[i].term_count; k++) {
            if (rules->rules[i].terms[k].subject == RV_TERM_WORKLOAD)
                return true;
        }
    }
    return false;
}

void rv_enforcement_send_rules(struct rv_enforcement *enforcement)
{
    struct rv_rules *rules = NULL;
    int r = compile(enforcement, &rules);

    enforcement->workloads_met = workloads_met(enforcement);
    enforcement->rules_boot_ns =
        enforcement->options.clock.boot_ns(enforcement->options.clock.context);
    if (r < 0) {
        rv_rules_free(&rules);
        rv_error("the policy could not be made into rules: %s; the old rules stand", strerror(-r));
        return;
    }
    tell_left_out(enforcement, rules);
    if (rules->left_out_closed > 0 && enforcement->rules) {
        rv_rules_free(&rules);
        return;
    }
    rv_rules_free(&enforcement->rules);
    enforcement->rules = rules;
    enforcement->names_workloads = names_workloads(rules);
    rv_enforcement_learn_stability(enforcement);
    hand_over(enforcement);
}

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
        tell(pending->enforcement, RV_CHANNEL_GRANT, &pending->grant, sizeof(pending->grant));
        pending->request = 0;
    } else if (pending->act.action == RV_ACT_NONE) {
        tell(pending->enforcement, RV_CHANNEL_UNDO, &pending->undo, sizeof(pending->undo));
    } else {
        tell(pending->enforcement, RV_CHANNEL_ACT, &pending->act, sizeof(pending->act));
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
        r = append(enforcement, type, members, on_durable, place);
        if (r < 0)
            place->request = 0;
    }
    if (r < 0)
        rv_error("an action is not taken, since it could not be recorded: %s", strerror(-r));
    show(enforcement, type, members);
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

static void copy_text(char *to, size_t room, const char *data, size_t len)
{
    size_t n = rv_min_u64(len, room - 1);

    memcpy(to, data, n);
    to[n] = '\0';
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

    copy_text(hold.policy, sizeof(hold.policy), name, strlen(name));
    copy_text(hold.program, sizeof(hold.program), outcome->program.data, outcome->program.len);
    copy_text(hold.resource, sizeof(hold.resource), outcome->resource->id.data,
              outcome->resource->id.len);
    copy_text(hold.action, sizeof(hold.action), outcome->action, strlen(outcome->action));
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
    tell(enforcement, RV_CHANNEL_RISK, &packet, sizeof(packet));
}

/** A workload that rules name may have a cgroup that they do not know: at once, but not always. */
static void follow_workloads(struct rv_enforcement *enforcement)
{
    uint64_t now;

    if (!enforcement->names_workloads || workloads_met(enforcement) == enforcement->workloads_met)
        return;
    now = enforcement->options.clock.boot_ns(enforcement->options.clock.context);
    if (now - enforcement->rules_boot_ns >= RULES_PAUSE_NS)
        rv_enforcement_send_rules(enforcement);
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

    follow_workloads(enforcement);
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
    if (rv_enforcement_ask(enforcement, &pending, "action",
                           json_pack("{ss so so so sI ss}", "action", rv_response_name(response),
                                     "policy", policy_json(enforcement, policy), "process",
                                     process_json(process.tgid, process.start_boot_ns), "program",
                                     text_json(outcome->program.data, outcome->program.len), "uid",
                                     (json_int_t)outcome->event->uid, "for", outcome->action)) == 0)
        enforcement->counts[policy].acted++;
}

/* ---- What the guard says ---- */

static void log_refusal(struct rv_enforcement *enforcement, const struct rv_refusal_record *record)
{
    json_t *members;

    if (++enforcement->logged_this_second > RECEIPTS_A_SECOND) {
        enforcement->unlogged += 1 + record->repeats;
        return;
    }
    members = json_pack("{ss ss ss so so so sI sI sI so so sI sI}", "verdict",
                        rv_refusal_name((enum rv_refusal)record->verdict), "mechanism",
                        rv_mechanism_name((enum rv_mechanism)record->mechanism), "action",
                        rv_do_name(record->action) ? rv_do_name(record->action) : "?", "policy",
                        policy_json(enforcement, record->policy), "process",
                        process_json(record->tgid, record->start_boot_ns), "comm",
                        comm_json(record->comm), "uid", (json_int_t)record->uid, "cgroup_id",
                        (json_int_t)record->cgroup_id, "risk", (json_int_t)record->risk, "name",
                        text_json(record->name, strnlen(record->name, 64)), "set",
                        digest_json(record->digest), "inode", (json_int_t)record->inode, "repeats",
                        (json_int_t)record->repeats);
    if (members && record->port)
        (void)json_object_set_new(members, "port", json_integer((json_int_t)record->port));
    rv_enforcement_log(enforcement, "refusal", members);
}

static void count_refusal(struct rv_enforcement *enforcement,
                          const struct rv_refusal_record *record)
{
    struct rv_policy_counts *counts = &enforcement->counts[record->policy];
    uint64_t n = 1 + (uint64_t)record->repeats;

    if (record->verdict == RV_REFUSAL_DENIED)
        counts->denied += n;
    else if (record->verdict == RV_REFUSAL_WOULD_DENY)
        counts->would_deny += n;
    else if (record->verdict == RV_REFUSAL_GRANTED)
        counts->granted += n;
    else
        counts->passed += n;
}

static struct rv_grant what_of(const struct rv_refusal_record *record)
{
    struct rv_grant what = {
        .file_inode = record->inode,
        .file_dev = record->dev,
        .program_inode = record->program_inode,
        .program_dev = record->program_dev,
        .uid = record->uid,
        .action = record->action,
        .port = record->port,
    };

    memcpy(what.addr, record->addr, sizeof(what.addr));
    return what;
}

void rv_enforcement_hold(struct rv_enforcement *enforcement, const struct rv_refusal_record *record,
                         const char *resource)
{
    uint64_t now = enforcement->options.clock.boot_ns(enforcement->options.clock.context);
    const char *name = rv_enforcement_policy_name(enforcement, record->policy);
    const char *action = rv_do_name(record->action);
    const struct rv_process *process =
        rv_features_process(rv_pipeline_features(enforcement->options.pipeline),
                            (struct rv_process_key){ record->start_boot_ns, record->tgid });
    struct rv_hold hold = {
        .kind = RV_HOLD_REFUSED,
        .what = what_of(record),
        .digest = record->digest,
        .tgid = record->tgid,
        .start_boot_ns = record->start_boot_ns,
        .cgroup_id = record->cgroup_id,
        .since_boot_ns = now,
        .expires_boot_ns = now + enforcement->options.config->hold_s * RV_NS_PER_S,
    };
    struct rv_hold *opened = NULL;
    bool is_new = false;

    copy_text(hold.policy, sizeof(hold.policy), name, strlen(name));
    copy_text(hold.action, sizeof(hold.action), action ? action : "?",
              strlen(action ? action : "?"));
    copy_text(hold.resource, sizeof(hold.resource), resource, strlen(resource));
    copy_text(hold.comm, sizeof(hold.comm), record->comm, strnlen(record->comm, 16));
    if (process)
        copy_text(hold.program, sizeof(hold.program), process->program->path,
                  process->program->path_len);
    if (rv_hold_open(&enforcement->holds, &hold, &opened, &is_new) < 0)
        rv_warning("too many actions are held; 'reeve hold list' shows them");
    else if (is_new)
        rv_enforcement_log(enforcement, "hold", rv_hold_to_json(opened, now));
}

/** A held rule refused it: from now on a person may let it pass, once. */
static void hold_refused(struct rv_enforcement *enforcement, const struct rv_refusal_record *record)
{
    char name[sizeof(record->name) + 1];

    copy_text(name, sizeof(name), record->name, strnlen(record->name, sizeof(record->name)));
    rv_enforcement_hold(enforcement, record, name);
}

static int on_refusal(struct rv_enforcement *enforcement, struct rv_span payload)
{
    uint64_t now = enforcement->options.clock.boot_ns(enforcement->options.clock.context);
    struct rv_refusal_record record;
    struct rv_grant what;
    struct rv_hold *used;

    memcpy(&record, payload.data, sizeof(record));
    record.start_boot_ns =
        rv_enforcement_key(enforcement,
                           (struct rv_process_key){ record.start_boot_ns, record.tgid })
            .start_boot_ns;
    if (record.policy == RV_POLICY_SELF || record.policy == RV_POLICY_JUDGE) {
        log_refusal(enforcement, &record);
        return 0;
    }
    if (!enforcement->rules || record.policy >= enforcement->rules->policy_count)
        return 0; /* of a set that is gone */
    count_refusal(enforcement, &record);
    log_refusal(enforcement, &record);
    if (record.verdict == RV_REFUSAL_DENIED &&
        enforcement->rules->policies[record.policy].response == RV_RESPOND_HOLD)
        hold_refused(enforcement, &record);
    what = what_of(&record);
    used = record.verdict == RV_REFUSAL_GRANTED ? rv_hold_use(&enforcement->holds, &what) : NULL;
    if (used)
        rv_enforcement_log(enforcement, "hold.used", rv_hold_to_json(used, now));
    return 0;
}

static void tell_error(struct rv_enforcement *enforcement)
{
    const struct rv_channel_enforcing *guard = &enforcement->guard;
    uint32_t policy = enforcement->rules && guard->error_rule < enforcement->rules->count
                          ? enforcement->rules->rules[guard->error_rule].policy
                          : UINT32_MAX;

    rv_enforcement_log(enforcement, "enforcement.error",
                       json_pack("{ss ss ss so}", "step", "rules", "mechanism",
                                 rv_mechanism_name((enum rv_mechanism)guard->error_mechanism),
                                 "error", strerror(-guard->error), "policy",
                                 policy_json(enforcement, policy)));
}

static int on_enforcing(struct rv_enforcement *enforcement, struct rv_span payload)
{
    struct rv_channel_enforcing before = enforcement->guard, *now = &enforcement->guard;

    memcpy(now, payload.data, sizeof(*now));
    if (now->error != 0 && (now->error != before.error || now->error_rule != before.error_rule))
        tell_error(enforcement);
    if (now->stopped != before.stopped || now->boot_guarded != before.boot_guarded ||
        now->disarmed != before.disarmed || now->mechanisms != before.mechanisms ||
        now->rules != before.rules || now->lost != before.lost)
        rv_enforcement_log(
            enforcement, "enforcement",
            json_pack("{sb sb sI sI sI sI so}", "stopped", (int)now->stopped, "boot_guarded",
                      (int)now->boot_guarded, "mechanisms", (json_int_t)now->mechanisms, "disarmed",
                      (json_int_t)now->disarmed, "lost", (json_int_t)now->lost, "rules",
                      (json_int_t)now->rules, "set", digest_json(now->digest)));
    if (enforcement->rules && now->offered != enforcement->offered)
        rv_enforcement_send_rules(enforcement); /* what did not work is another's to do */
    return 0;
}

static const char *outcome_name(uint32_t outcome)
{
    static const char *const names[] = { [RV_ACT_REFUSED] = "refused: the target is protected",
                                         [RV_ACT_OVER_BUDGET] = "over budget: alert and hold",
                                         [RV_ACT_GONE] = "gone",
                                         [RV_ACT_DRY] = "dry run",
                                         [RV_ACT_DONE] = "done" };

    return outcome < RV_COUNT(names) ? names[outcome] : "?";
}

/** From what happened to the answer to it; 0 when a person asked. */
static uint64_t latency_us(const struct rv_enforcement *enforcement,
                           const struct rv_pending_act *pending)
{
    uint64_t now = enforcement->options.clock.boot_ns(enforcement->options.clock.context);

    return pending->event_boot_ns && now > pending->event_boot_ns
               ? (now - pending->event_boot_ns) / 1000
               : 0;
}

static int on_acted(struct rv_enforcement *enforcement, struct rv_span payload)
{
    struct rv_pending_act *pending = NULL;
    struct rv_channel_acted acted;
    struct rv_hold *hold;

    memcpy(&acted, payload.data, sizeof(acted));
    for (size_t i = 0; acted.request && i < RV_ACTS_MAX; i++) {
        if (enforcement->acts[i].request == acted.request)
            pending = &enforcement->acts[i];
    }
    if (!pending)
        return 0;
    hold = rv_hold_find(&enforcement->holds, pending->hold);
    if (hold && acted.error == 0)
        hold->standing = acted.number;
    rv_enforcement_log(
        enforcement, pending->act.action == RV_ACT_NONE ? "undo.result" : "action.result",
        json_pack("{so sI so ss sI ss}", "process",
                  process_json(pending->act.process.tgid, pending->act.process.start_boot_ns),
                  "latency_us", (json_int_t)latency_us(enforcement, pending), "how",
                  text_json(acted.how, strnlen(acted.how, sizeof(acted.how))), "outcome",
                  acted.error ? "failed" : outcome_name(acted.outcome), "number",
                  (json_int_t)acted.number, "error", acted.error ? strerror(-acted.error) : ""));
    pending->request = 0;
    return 0;
}

static int on_snapshot(struct rv_enforcement *enforcement, struct rv_span payload)
{
    struct rv_channel_snapshot head;
    json_t *snapshot = NULL;

    if (payload.len < sizeof(head))
        return -EBADMSG;
    memcpy(&head, payload.data, sizeof(head));
    if (head.request != enforcement->snapshot_request) {
        rv_buf_clear(&enforcement->snapshot);
        enforcement->snapshot.len_max = SNAPSHOT_MAX;
        enforcement->snapshot_request = head.request;
    }
    rv_buf_add(&enforcement->snapshot, payload.data + sizeof(head), payload.len - sizeof(head));
    if (!head.last)
        return 0;
    if (!enforcement->snapshot.failed &&
        rv_json_parse(rv_buf_span(&enforcement->snapshot), &snapshot, NULL) == 0)
        rv_enforcement_log(enforcement, "snapshot", json_pack("{so}", "process", snapshot));
    rv_buf_clear(&enforcement->snapshot);
    enforcement->snapshot_request = 0;
    return 0;
}

int rv_enforcement_packet(struct rv_enforcement *enforcement, enum rv_channel_type type,
                          struct rv_span payload)
{
    static const struct {
        int (*handle)(struct rv_enforcement *enforcement, struct rv_span payload);
        size_t len; /* 0: it looks itself */
    } packets[RV_CHANNEL_TYPE_COUNT_] = {
        [RV_CHANNEL_ENFORCING] = { on_enforcing, sizeof(struct rv_channel_enforcing) },
        [RV_CHANNEL_REFUSAL] = { on_refusal, sizeof(struct rv_refusal_record) },
        [RV_CHANNEL_ACTED] = { on_acted, sizeof(struct rv_channel_acted) },
        [RV_CHANNEL_SNAPSHOT] = { on_snapshot, 0 },
    };

    if (!packets[type].handle || (packets[type].len && payload.len != packets[type].len))
        return -EBADMSG;
    return packets[type].handle(enforcement, payload);
}

/* ---- Time ---- */

static void expire_holds(struct rv_enforcement *enforcement)
{
    uint64_t now = enforcement->options.clock.boot_ns(enforcement->options.clock.context);
    struct rv_hold *hold;

    while ((hold = rv_hold_expire(&enforcement->holds, now)) ||
           (hold = rv_hold_outdate(&enforcement->holds, enforcement->digest)))
        rv_enforcement_log(enforcement, "hold.expired", rv_hold_to_json(hold, now));
}

void rv_enforcement_tick(struct rv_enforcement *enforcement, bool log_good)
{
    bool changed = log_good != enforcement->log_good;

    enforcement->log_good = log_good;
    /* A log that takes nothing is as a judge that says nothing, but for the scopes that say so. */
    if (log_good)
        tell(enforcement, RV_CHANNEL_HEALTH, NULL, 0);
    if (changed)
        rv_enforcement_send_rules(enforcement);
    follow_workloads(enforcement);
    expire_holds(enforcement);
    if (enforcement->unlogged > 0)
        rv_enforcement_log(enforcement, "refusal.more",
                           json_pack("{sI}", "count", (json_int_t)enforcement->unlogged));
    enforcement->unlogged = 0;
    enforcement->logged_this_second = 0;
}

void rv_enforcement_start(struct rv_enforcement *enforcement)
{
    rv_enforcement_send_rules(enforcement);
    if (enforcement->log_good)
        tell(enforcement, RV_CHANNEL_HEALTH, NULL, 0);
}

/* ---- Status, life ---- */

const char *rv_enforcement_mode(const struct rv_enforcement *enforcement)
{
    return rv_stage_name(rv_stage_of(&enforcement->stages, NULL, NULL));
}

/** As packages' digests begin. */
static json_t *model_json(uint64_t digest)
{
    return digest ? json_sprintf("%016llx", (unsigned long long)digest) : json_null();
}

/** NULL: no model is in the kernel. */
static json_t *scores_json(const struct rv_channel_scores *scores)
{
    if (!scores->model)
        return NULL;
    return json_pack("{so so sI sI sI sI sI}", "model", model_json(scores->model), "shadow",
                     model_json(scores->shadow), "scored", (json_int_t)scores->scored, "missed",
                     (json_int_t)scores->missed, "shadowed", (json_int_t)scores->shadowed,
                     "live_only", (json_int_t)scores->only_live, "shadow_only",
                     (json_int_t)scores->only_shadow);
}

json_t *rv_enforcement_status(const struct rv_enforcement *enforcement)
{
    const struct rv_channel_enforcing *guard = &enforcement->guard;
    struct rv_policy_counts sum = { 0 };
    json_t *by = json_array();
    uint32_t waiting = 0;

    for (uint32_t i = 0; enforcement->rules && i < enforcement->rules->policy_count; i++) {
        sum.denied += enforcement->counts[i].denied;
        sum.would_deny += enforcement->counts[i].would_deny;
        sum.passed += enforcement->counts[i].passed;
        sum.granted += enforcement->counts[i].granted;
        sum.acted += enforcement->counts[i].acted;
    }
    for (unsigned m = RV_BY_LSM; m < RV_MECHANISMS_; m++) {
        if (guard->mechanisms & 1U << m)
            json_array_append_new(by, json_string(rv_mechanism_name((enum rv_mechanism)m)));
    }
    for (size_t i = 0; i < RV_HOLDS_MAX; i++)
        waiting +=
            enforcement->holds.items[i].id && enforcement->holds.items[i].state == RV_HOLD_PENDING;
    return json_pack("{ss so sI sI sI sI sI sI sI sI sb sb sI so*}", "mode",
                     rv_enforcement_mode(enforcement), "mechanisms", by, "rules",
                     (json_int_t)guard->rules, "denied", (json_int_t)sum.denied, "would_deny",
                     (json_int_t)sum.would_deny, "passed", (json_int_t)sum.passed, "granted",
                     (json_int_t)sum.granted, "acted", (json_int_t)sum.acted, "held",
                     (json_int_t)waiting, "standing", (json_int_t)guard->standing, "stopped",
                     (int)guard->stopped, "boot_guarded", (int)guard->boot_guarded, "lost",
                     (json_int_t)guard->lost, "kernel", scores_json(&guard->scores));
}

int rv_enforcement_new(struct rv_enforcement **ret_enforcement,
                       const struct rv_enforcement_options *options)
{
    struct rv_enforcement *enforcement = calloc(1, sizeof(*enforcement));
    int r;

    if (!enforcement)
        return -ENOMEM;
    enforcement->options = *options;
    enforcement->log_good = options->audit != NULL;
    enforcement->stages.ceiling = RV_STAGE_ENFORCE;
    enforcement->stages.fallback = (enum rv_stage)options->config->mode;
    enforcement->risks = calloc(RV_RISKS_MAX, sizeof(*enforcement->risks));
    r = enforcement->risks ? load_stages(enforcement) : -ENOMEM;
    if (r < 0) {
        rv_enforcement_free(&enforcement);
        return r;
    }
    *ret_enforcement = enforcement;
    return 0;
}

void rv_enforcement_free(struct rv_enforcement **enforcement)
{
    if (!*enforcement)
        return;
    rv_rules_free(&(*enforcement)->rules);
    rv_buf_done(&(*enforcement)->snapshot);
    free((*enforcement)->risks);
    free((*enforcement)->counts);
    free((*enforcement)->policy_of);
    free(*enforcement);
    *enforcement = NULL;
}
