/* SPDX-License-Identifier: Apache-2.0 */
/* Stages, and room in the table. */
#include "compiler.h"

#include <stdio.h>

/** What distinguishes a draft by workload: everywhere but in some, or in these alone. */
static int add_staged(struct compiler *compiler, const struct rv_draft *draft, bool affirmed,
                      const struct rv_meaning *workloads, struct rv_drafts *out)
{
    struct rv_meaning meaning = { .kind = RV_MEANS_TERMS, .risk_max = 1000 };
    struct rv_draft staged = *draft;
    enum rv_draft_outcome outcome;

    for (uint32_t i = 0; i < workloads->affirmed_count; i++) {
        if (affirmed)
            meaning.affirmed[meaning.affirmed_count++] = workloads->affirmed[i];
        else
            meaning.negated[meaning.negated_count++] = workloads->affirmed[i];
    }
    outcome = rv_draft_meet(&staged, &meaning, &compiler->arena);
    if (outcome == RV_DRAFT_GOES_ON)
        outcome = rv_draft_finish(&staged, &compiler->arena);
    return outcome == RV_DRAFT_GOES_ON ? rv_drafts_add(out, &staged) : 0;
}

/** The cgroups of workloads whose stage for a policy is `stage`, and not the policy's own. */
static void find_workloads(struct compiler *compiler, enum rv_stage stage, bool own,
                           struct rv_meaning *ret)
{
    const struct rv_rules_options *options = compiler->options;
    const struct rv_rules_policy *policy = compiler->policy;

    *ret = (struct rv_meaning){ .kind = RV_MEANS_TERMS };
    for (size_t i = 0; options->stages && options->cgroups && i < options->stages->count; i++) {
        const char *workload = options->stages->settings[i].workload;
        enum rv_stage there = rv_stage_of(options->stages, policy->name, workload);
        size_t room = RV_MEANING_TERMS_MAX - 1 - ret->affirmed_count;
        uint64_t ids[RV_MEANING_TERMS_MAX];
        size_t count;

        if (rv_streq(workload, "*") || (own ? there == policy->stage : there != stage))
            continue;
        count = options->cgroups(options->context, rv_text_str(workload), ids, room);
        for (size_t k = 0; k < count && k < room; k++)
            ret->affirmed[ret->affirmed_count++] =
                (struct rv_host_term){ RV_TERM_WORKLOAD, ids[k], { 0 } };
    }
}

/** The drafts of the policy at hand that are in `stage`. */
static int in_stage(struct compiler *compiler, const struct rv_drafts *drafts, enum rv_stage stage,
                    struct rv_drafts *out)
{
    enum rv_stage own = compiler->policy->stage;
    struct rv_meaning workloads;
    int r = 0;

    find_workloads(compiler, stage, stage == own, &workloads);
    if (stage != own && workloads.affirmed_count == 0)
        return 0;
    for (uint32_t i = 0; i < drafts->count && r == 0; i++) {
        if (workloads.affirmed_count == 0)
            r = rv_drafts_add(out, &drafts->items[i]);
        else
            r = add_staged(compiler, &drafts->items[i], stage != own, &workloads, out);
    }
    rv_drafts_merge(out, &compiler->arena);
    return r == 0 ? rv_drafts_cut(out) : r;
}

/** Rules that turn on risk can be wrong in many places at once: they have a budget, unless the
 * policy says otherwise. */
static bool is_budgeted(const struct rv_policy *policy, const struct rv_draft *draft)
{
    const struct rv_text *word = policy ? rv_policy_annotation(policy, "budget") : NULL;

    return word ? !rv_text_is(*word, "none") : draft->risk_min > 0;
}

static void emit(struct compiler *compiler, const struct rv_drafts *drafts, enum rv_stage stage)
{
    struct rv_rules *rules = compiler->rules;
    struct rv_rules_policy *policy = compiler->policy;

    for (uint32_t i = 0; i < drafts->count; i++) {
        struct rv_rule *rule = &rules->rules[rules->count++];

        rv_draft_write(&drafts->items[i], rule);
        rule->policy = (uint32_t)(policy - rules->policies);
        rule->mode = stage == RV_STAGE_ENFORCE ? RV_RULE_ENFORCE : RV_RULE_SHADOW;
        rule->lapse = (uint8_t)policy->lapse;
        rule->held = policy->response == RV_RESPOND_HOLD;
        rule->budgeted = is_budgeted(policy->policy, &drafts->items[i]);
        policy->actions |= rule->actions;
    }
    policy->rule_count += drafts->count;
}

static void leave_out(struct compiler *compiler, enum rv_stage stage, uint32_t count)
{
    struct rv_rules_policy *policy = compiler->policy;
    bool closed = policy->lapse == RV_LAPSE_CLOSED && stage == RV_STAGE_ENFORCE;
    struct rv_loc nowhere = { 0 };

    policy->left_out = true;
    policy->place = RV_PLACE_AFTER;
    policy->mechanisms = 0;
    compiler->rules->left_out++;
    compiler->rules->left_out_closed += closed;
    rv_compiler_reason(policy, RV_PLACE_AFTER, NULL, nowhere,
                       "%u rules more than the %d of a full table: %s", count, RV_RULES_MAX,
                       closed ? "it lapses closed, so the set before it stays in place"
                              : "it lapses open, so nothing is refused");
}

int rv_compiler_table(struct compiler *compiler, enum rv_stage stage)
{
    struct rv_rules *rules = compiler->rules;

    for (uint32_t i = 0; i < rules->policy_count; i++) {
        RV_AUTO(rv_drafts_done) struct rv_drafts staged = { 0 };
        int r;

        compiler->policy = &rules->policies[i];
        if (compiler->policy->response == RV_RESPOND_ALERT || compiler->policy->left_out)
            continue;
        r = in_stage(compiler, &compiler->drafts[i], stage, &staged);
        if (r == -E2BIG)
            staged.count = RV_RULES_MAX + 1;
        else if (r < 0)
            return r;
        if (rules->count + staged.count + compiler->options->reserved > RV_RULES_MAX)
            leave_out(compiler, stage, staged.count);
        else
            emit(compiler, &staged, stage);
    }
    return 0;
}
