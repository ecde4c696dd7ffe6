/* SPDX-License-Identifier: Apache-2.0 */
/* From policies to rules and places: the whole of a set. */
#include "agent/rules.h"

#include "compiler.h"

const char *rv_place_name(enum rv_place place)
{
    static const char *const names[] = {
        [RV_PLACE_AFTER] = "after", [RV_PLACE_INLINE] = "inline", [RV_PLACE_KERNEL] = "kernel"
    };

    return names[place];
}

static const char *const responses[RV_RESPONSES_] = {
    [RV_RESPOND_DENY] = "deny",     [RV_RESPOND_ALERT] = "alert",
    [RV_RESPOND_HOLD] = "hold",     [RV_RESPOND_THROTTLE] = "throttle",
    [RV_RESPOND_FREEZE] = "freeze", [RV_RESPOND_ISOLATE] = "isolate",
    [RV_RESPOND_KILL] = "kill",
};

const char *rv_response_name(enum rv_response response)
{
    return response < RV_RESPONSES_ ? responses[response] : "unknown";
}

enum rv_response rv_response_of(const struct rv_policy *policy)
{
    const struct rv_text *word = rv_policy_annotation(policy, "respond");

    for (unsigned i = 0; word && i < RV_RESPONSES_; i++) {
        if (rv_text_is(*word, responses[i]))
            return (enum rv_response)i;
    }
    return RV_RESPOND_DENY;
}

/* ---- The set ---- */

static void compiler_done(struct compiler *compiler)
{
    for (uint32_t i = 0; compiler->drafts && i < compiler->rules->policy_count; i++)
        rv_drafts_done(&compiler->drafts[i]);
    free(compiler->drafts);
    rv_drafts_done(&compiler->one);
    rv_arena_done(&compiler->arena);
}

static int compile_all(struct compiler *compiler)
{
    struct rv_rules *rules = compiler->rules;
    int r = 0;

    for (uint32_t i = 0; i < rules->policy_count && r == 0; i++) {
        const struct rv_policy *policy = i < compiler->set->count ? compiler->set->items[i] : NULL;

        compiler->policy = &rules->policies[i];
        r = rv_compiler_policy(compiler, policy, &compiler->drafts[i]);
    }
    if (r == 0)
        r = rv_compiler_table(compiler, RV_STAGE_ENFORCE);
    if (r == 0)
        r = rv_compiler_table(compiler, RV_STAGE_SHADOW);
    return r == 0 && compiler->arena.failed ? -ENOMEM : r;
}

int rv_rules_compile(struct rv_rules **ret_rules, const struct rv_policy_set *set,
                     const struct rv_entities *entities, const struct rv_rules_options *options)
{
    RV_AUTO(rv_rules_free) struct rv_rules *rules = calloc(1, sizeof(*rules));
    struct compiler compiler = { .set = set, .entities = entities, .options = options };
    int r;

    if (!rules)
        return -ENOMEM;
    rules->policy_count = (uint32_t)set->count + 1;
    rules->rules = calloc(RV_RULES_MAX, sizeof(*rules->rules));
    rules->policies = calloc(rules->policy_count, sizeof(*rules->policies));
    compiler.drafts = calloc(rules->policy_count, sizeof(*compiler.drafts));
    compiler.rules = rules;
    r = rules->rules && rules->policies && compiler.drafts ? compile_all(&compiler) : -ENOMEM;
    compiler_done(&compiler);
    if (r < 0)
        return r;
    *ret_rules = RV_TAKE(rules);
    return 0;
}

void rv_rules_carried(struct rv_rules *rules, const uint64_t carried[RV_MECHANISMS_])
{
    for (uint32_t i = 0; i < rules->count; i++) {
        struct rv_rules_policy *policy = &rules->policies[rules->rules[i].policy];
        bool kernel = (carried[RV_BY_LSM] | carried[RV_BY_CGROUP]) >> i & 1;
        bool judge = carried[RV_BY_FANOTIFY] >> i & 1;
        enum rv_place place = kernel ? RV_PLACE_KERNEL : judge ? RV_PLACE_INLINE : RV_PLACE_AFTER;
        struct rv_loc nowhere = { 0 };

        if (place >= policy->place)
            continue;
        policy->place = place;
        policy->mechanisms = place == RV_PLACE_INLINE ? 1U << RV_BY_FANOTIFY : 0;
        policy->partial = true;
        rv_compiler_reason(
            policy, place, NULL, nowhere,
            "rule %u is not carried in full: the kernel lacks a hook, or a folder is not there", i);
    }
}

void rv_rules_free(struct rv_rules **rules)
{
    if (!*rules)
        return;
    free((*rules)->rules);
    free((*rules)->policies);
    free(*rules);
    *rules = NULL;
}

/* ---- Stability ---- */

/** What one policy leaves of `so_far`. */
static enum rv_stability steady(const struct rv_host_question *question,
                                const struct rv_policy *policy, enum rv_stability so_far)
{
    RV_AUTO(rv_normal_done) struct rv_normal normal = { 0 };
    struct rv_normal_limit limit;

    if (rv_normal_add(&normal, policy, rv_host_fold, (void *)(uintptr_t)question, &limit) < 0)
        return RV_STABLE_NOT;
    for (uint32_t i = 0; i < normal.conjunct_count; i++) {
        for (uint32_t k = 0; k < normal.conjuncts[i].count; k++) {
            const struct rv_atom *atom = rv_literal_atom(&normal, normal.conjuncts[i].literals[k]);

            if (!rv_host_is_stable(question, atom))
                return RV_STABLE_NOT;
            if (atom->var == RV_VAR_PRINCIPAL)
                so_far = RV_STABLE_BY_PROGRAM;
        }
    }
    return so_far;
}

enum rv_stability rv_rules_stability(const struct rv_policy_set *set,
                                     const struct rv_entities *entities, const char *action)
{
    struct rv_host_question question = { .entities = entities };
    enum rv_stability stability = RV_STABLE_BY_FILE;

    for (size_t i = 0; i < rv_host_verb_count(); i++) {
        if (rv_streq(rv_host_verb(i)->name, action))
            question.verb = rv_host_verb(i);
    }
    if (!question.verb)
        return RV_STABLE_NOT;
    for (size_t i = 0; i < set->count && stability != RV_STABLE_NOT; i++) {
        if (!rv_policy_is_template(set->items[i]))
            stability = steady(&question, set->items[i], stability);
    }
    return stability;
}
