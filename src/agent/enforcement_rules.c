/* SPDX-License-Identifier: Apache-2.0 */
/* From the policy and its stages to the set of rules that the guard has. */
#include "enforcement_private.h"

#include "base/log.h"
#include "enforce/self.h"

#include <inttypes.h>
#include <stdio.h>

#define RULES_PAUSE_NS (100 * RV_NS_PER_MS) /* between sets that only workloads ask for */

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
    rv_enforcement_tell(enforcement, RV_CHANNEL_RULES, &head, sizeof(head));
    for (uint32_t i = 0; i < rules->count; i++)
        rv_enforcement_tell(enforcement, RV_CHANNEL_RULE, &rules->rules[i],
                            sizeof(rules->rules[i]));
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

/** A workload that rules name may have a cgroup that they do not know: at once, but not always. */
void rv_enforcement_follow_workloads(struct rv_enforcement *enforcement)
{
    uint64_t now;

    if (!enforcement->names_workloads || workloads_met(enforcement) == enforcement->workloads_met)
        return;
    now = enforcement->options.clock.boot_ns(enforcement->options.clock.context);
    if (now - enforcement->rules_boot_ns >= RULES_PAUSE_NS)
        rv_enforcement_send_rules(enforcement);
}
