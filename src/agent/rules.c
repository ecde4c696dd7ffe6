/* SPDX-License-Identifier: Apache-2.0 */
/* From policies to rules and places. Nothing here knows what an attribute means: vocabulary.h. */
#include "agent/rules.h"

#include "draft.h"

#include <stdio.h>
#include <sys/socket.h>

#define LSM        (1U << RV_BY_LSM)
#define CGROUP     (1U << RV_BY_CGROUP)
#define FANOTIFY   (1U << RV_BY_FANOTIFY)
#define DRAFTS_MAX 1024U /* of one policy: more than a table holds, however they merge */

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

/* ---- One policy ---- */

struct compiler {
    const struct rv_policy_set *set;
    const struct rv_entities *entities;
    const struct rv_rules_options *options;
    struct rv_rules *rules;
    struct rv_arena arena;          /* of terms */
    struct rv_drafts *drafts;       /* by place in rules->policies */
    struct rv_rules_policy *policy; /* at hand */
    struct rv_drafts one;           /* its drafts for the verb at hand */
    bool any_place;                 /* a place has been set for the policy at hand */
};

RV_PRINTF(5, 6)
static void add_reason(struct rv_rules_policy *policy, enum rv_place place,
                       const struct rv_policy *at, struct rv_loc loc, const char *format, ...)
{
    struct rv_rules_reason reason = { .place = place, .policy = at, .loc = loc };
    va_list args;

    va_start(args, format);
    (void)vsnprintf(reason.text, sizeof(reason.text), format, args);
    va_end(args);
    for (uint32_t i = 0; i < policy->reason_count; i++) {
        if (rv_streq(policy->reasons[i].text, reason.text))
            return;
    }
    if (policy->reason_count < RV_RULES_REASONS_MAX)
        policy->reasons[policy->reason_count++] = reason;
}

static void lower(struct compiler *compiler, enum rv_place place, uint32_t mechanisms)
{
    struct rv_rules_policy *policy = compiler->policy;

    if (!compiler->any_place || place < policy->place) {
        policy->place = place;
        policy->mechanisms = mechanisms;
    } else if (place == policy->place) {
        policy->mechanisms |= mechanisms;
    }
    compiler->any_place = true;
}

/** The cgroup provider sees internet sockets: a rule that also speaks of others it carries in part.
 */
static bool is_internet(const struct rv_draft *draft)
{
    const struct rv_terms *families = &draft->affirmed[RV_TERM_FAMILY];

    for (uint32_t i = 0; i < families->count; i++) {
        if (families->items[i].number != AF_INET && families->items[i].number != AF_INET6)
            return false;
    }
    return families->count + draft->affirmed[RV_TERM_ADDRESS].count +
               draft->affirmed[RV_TERM_PORT].count >
           0;
}

/** fanotify is asked where it has marks: on files that rules name, else in declared scopes. */
static void note_scopes(struct compiler *compiler, const struct rv_host_verb *verb)
{
    struct rv_loc nowhere = { 0 };

    compiler->policy->scoped = true;
    add_reason(compiler->policy, RV_PLACE_INLINE, NULL, nowhere,
               "%s: asked about inside the scopes that the configuration declares", verb->name);
}

/** A part that no rule holds: the judge sees it, before the fact where it can be asked. */
static void leave(struct compiler *compiler, const struct rv_host_verb *verb, enum rv_place known,
                  const struct rv_atom *atom, const char *why)
{
    bool asked = verb->by & compiler->options->offered & FANOTIFY;
    enum rv_place place = asked ? known : RV_PLACE_AFTER;
    struct rv_loc nowhere = { 0 };
    char path[96];

    if (!atom)
        add_reason(compiler->policy, place, NULL, nowhere, "%s: %s", verb->name, why);
    else if (atom->op == RV_LITERAL_OPAQUE || !rv_atom_path(atom, path, sizeof(path)))
        add_reason(compiler->policy, place, atom->policy, atom->loc, "%s", why);
    else
        add_reason(compiler->policy, place, atom->policy, atom->loc, "%s: %s", path, why);
    if (known == RV_PLACE_INLINE && !asked && (verb->by & FANOTIFY))
        add_reason(compiler->policy, place, NULL, nowhere, "%s: this host lacks fanotify",
                   verb->name);
    else if (known == RV_PLACE_INLINE && !asked)
        add_reason(compiler->policy, place, NULL, nowhere,
                   "%s: the judge cannot be asked before it", verb->name);
    if (place == RV_PLACE_INLINE)
        note_scopes(compiler, verb);
    lower(compiler, place, place == RV_PLACE_INLINE ? FANOTIFY : 0);
    compiler->policy->partial = true;
}

/** What became a rule: who carries it here? */
static void settle(struct compiler *compiler, const struct rv_host_verb *verb,
                   const struct rv_draft *draft)
{
    uint32_t able = verb->by & (is_internet(draft) ? UINT32_MAX : ~CGROUP);
    uint32_t here = able & compiler->options->offered;
    struct rv_loc nowhere = { 0 };

    if (here & (LSM | CGROUP)) {
        lower(compiler, RV_PLACE_KERNEL, here & (LSM | CGROUP));
        return;
    }
    add_reason(compiler->policy, here ? RV_PLACE_INLINE : RV_PLACE_AFTER, NULL, nowhere,
               able ? "%s: this host lacks %s" : "%s: no hook can refuse it", verb->name,
               able & CGROUP ? "BPF LSM and cgroup-BPF" : "BPF LSM");
    if (here && draft->affirmed[RV_TERM_FILE].count == 0)
        note_scopes(compiler, verb);
    lower(compiler, here ? RV_PLACE_INLINE : RV_PLACE_AFTER, here);
}

/** All literals of a conjunct as one draft. @return whether it became one. */
static bool draft_of(struct compiler *compiler, const struct rv_host_question *question,
                     const struct rv_normal *normal, const struct rv_conjunct *conjunct,
                     struct rv_draft *ret_draft)
{
    struct rv_draft draft = { .actions = question->verb->actions, .risk_max = 1000 };
    enum rv_draft_outcome outcome = RV_DRAFT_GOES_ON;
    const struct rv_atom *unknown = NULL, *clash = NULL;
    struct rv_meaning meaning, why = { 0 };
    bool user_namespace = false, waits = false;

    for (uint32_t i = 0; i < conjunct->count && outcome != RV_DRAFT_NEVER; i++) {
        const struct rv_atom *atom = rv_literal_atom(normal, conjunct->literals[i]);

        rv_host_meaning(question, compiler->options, atom, rv_literal_mode(conjunct->literals[i]),
                        &meaning);
        waits |= meaning.waits;
        user_namespace |= meaning.user_namespace;
        if (meaning.kind == RV_MEANS_UNKNOWN) {
            if (!unknown || meaning.place < why.place) {
                unknown = atom;
                why = meaning;
            }
            continue;
        }
        outcome = rv_draft_meet(&draft, &meaning, &compiler->arena);
        if (outcome == RV_DRAFT_CANNOT) {
            clash = atom;
            outcome = RV_DRAFT_GOES_ON;
        }
    }
    if (outcome != RV_DRAFT_NEVER)
        outcome = rv_draft_finish(&draft, &compiler->arena);
    compiler->policy->waits |= waits;
    if (outcome == RV_DRAFT_NEVER)
        return false;
    if (unknown || clash) {
        leave(compiler, question->verb, unknown ? why.place : RV_PLACE_INLINE,
              unknown ? unknown : clash, unknown ? why.why : "a rule cannot ask for two at once");
        return false;
    }
    if (question->verb->actions == RV_DO_USERNS && !user_namespace)
        leave(compiler, question->verb, RV_PLACE_AFTER, NULL,
              "of namespaces, only a user's can be refused");
    *ret_draft = draft;
    return true;
}

static int compile_verb(struct compiler *compiler, const struct rv_host_question *question,
                        const struct rv_normal *normal, struct rv_drafts *drafts)
{
    int r = 0;

    compiler->one.count = 0;
    for (uint32_t i = 0; i < normal->conjunct_count && r == 0; i++) {
        struct rv_draft draft;

        if (!draft_of(compiler, question, normal, &normal->conjuncts[i], &draft))
            continue;
        settle(compiler, question->verb, &draft);
        if (draft.actions && (question->verb->by & compiler->options->offered))
            r = rv_drafts_add(&compiler->one, &draft);
    }
    rv_drafts_merge(&compiler->one, &compiler->arena);
    if (r == 0 && drafts->count + compiler->one.count > DRAFTS_MAX) {
        leave(compiler, question->verb, RV_PLACE_INLINE, NULL, "more alternatives than rules");
        return 0;
    }
    for (uint32_t i = 0; i < compiler->one.count && r == 0; i++)
        r = rv_drafts_add(drafts, &compiler->one.items[i]);
    return r < 0 || compiler->arena.failed ? -ENOMEM : 0;
}

static int compile_forbid(struct compiler *compiler, struct rv_drafts *drafts)
{
    int r = 0;

    for (size_t i = 0; i < rv_host_verb_count() && r == 0; i++) {
        RV_AUTO(rv_normal_done) struct rv_normal normal = { 0 };
        struct rv_host_question question = { rv_host_verb(i), compiler->entities };
        struct rv_normal_limit limit = { 0 };

        r = rv_normal_add(&normal, compiler->policy->policy, rv_host_fold, &question, &limit);
        if (r == -E2BIG) {
            leave(compiler, question.verb, RV_PLACE_INLINE, NULL, limit.why);
            compiler->policy->governs = true;
            r = 0;
            continue;
        }
        compiler->policy->governs |= r == 0 && normal.conjunct_count > 0;
        if (r == 0)
            r = compile_verb(compiler, &question, &normal, drafts);
    }
    return r;
}

/** What no permit allows, for one verb. */
static int compile_rest(struct compiler *compiler, const struct rv_host_question *question,
                        struct rv_drafts *drafts)
{
    RV_AUTO(rv_normal_done) struct rv_normal normal = { 0 };
    struct rv_normal_limit limit = { 0 };
    int r = 0;

    for (size_t i = 0; i < compiler->set->count && r == 0; i++) {
        const struct rv_policy *policy = compiler->set->items[i];

        if (policy->effect == RV_EFFECT_ALLOW && !rv_policy_is_template(policy))
            r = rv_normal_add(&normal, policy, rv_host_fold, (void *)(uintptr_t)question, &limit);
    }
    if (r == 0)
        r = rv_normal_complement(&normal, &limit);
    compiler->policy->governs |= r == -E2BIG || normal.conjunct_count > 0;
    if (r == -E2BIG) {
        leave(compiler, question->verb, RV_PLACE_INLINE, NULL, limit.why);
        return 0;
    }
    return r == 0 ? compile_verb(compiler, question, &normal, drafts) : r;
}

static int compile_no_permit(struct compiler *compiler, struct rv_drafts *drafts)
{
    int r = 0;

    for (size_t i = 0; i < rv_host_verb_count() && r == 0; i++) {
        struct rv_host_question question = { rv_host_verb(i), compiler->entities };

        r = compile_rest(compiler, &question, drafts);
    }
    return r;
}

static void describe(struct compiler *compiler, const struct rv_policy *policy)
{
    const struct rv_rules_options *options = compiler->options;
    struct rv_rules_policy *result = compiler->policy;
    const struct rv_text *id = policy ? rv_policy_annotation(policy, "id") : NULL;
    struct rv_text name = id ? *id : policy ? policy->id : rv_text_str(RV_RULES_NO_PERMIT);

    (void)snprintf(result->name, sizeof(result->name), "%.*s", RV_TEXT_ARGS(name));
    result->policy = policy;
    result->response = policy ? rv_response_of(policy) : RV_RESPOND_DENY;
    result->stage =
        options->stages ? rv_stage_of(options->stages, result->name, NULL) : RV_STAGE_ENFORCE;
    result->lapse = options->lapse ? options->lapse(options->context, policy) : RV_LAPSE_OPEN;
}

static int compile_policy(struct compiler *compiler, const struct rv_policy *policy,
                          struct rv_drafts *drafts)
{
    struct rv_rules_policy *result = compiler->policy;
    int r;

    describe(compiler, policy);
    if (policy && (policy->effect == RV_EFFECT_ALLOW || rv_policy_is_template(policy)))
        return 0;
    compiler->any_place = false;
    r = policy ? compile_forbid(compiler, drafts) : compile_no_permit(compiler, drafts);
    if (r < 0)
        return r;
    if (!compiler->any_place) /* every alternative contradicts itself, or waits */
        result->place = RV_PLACE_KERNEL;
    rv_drafts_merge(drafts, &compiler->arena);
    r = rv_drafts_cut(drafts);
    if (r == -E2BIG) {
        struct rv_loc nowhere = { 0 };

        drafts->count = 0;
        result->place = RV_PLACE_INLINE;
        result->mechanisms = FANOTIFY & compiler->options->offered;
        result->partial = true;
        add_reason(result, RV_PLACE_INLINE, NULL, nowhere, "more conditions than a rule holds");
        return 0;
    }
    return r;
}

/* ---- Stages, and room ---- */

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
    add_reason(policy, RV_PLACE_AFTER, NULL, nowhere,
               "%u rules more than the %d of a full table: %s", count, RV_RULES_MAX,
               closed ? "it lapses closed, so the set before it stays in place"
                      : "it lapses open, so nothing is refused");
}

static int place_in_table(struct compiler *compiler, enum rv_stage stage)
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
        r = compile_policy(compiler, policy, &compiler->drafts[i]);
    }
    if (r == 0)
        r = place_in_table(compiler, RV_STAGE_ENFORCE);
    if (r == 0)
        r = place_in_table(compiler, RV_STAGE_SHADOW);
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
        policy->mechanisms = place == RV_PLACE_INLINE ? FANOTIFY : 0;
        policy->partial = true;
        add_reason(
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
