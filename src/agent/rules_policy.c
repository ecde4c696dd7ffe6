/* SPDX-License-Identifier: Apache-2.0 */
/* One policy as drafts, and its place. Nothing here knows what an attribute means: vocabulary.h. */
#include "compiler.h"

#include <stdio.h>
#include <sys/socket.h>

#define LSM        (1U << RV_BY_LSM)
#define CGROUP     (1U << RV_BY_CGROUP)
#define FANOTIFY   (1U << RV_BY_FANOTIFY)
#define DRAFTS_MAX 1024U /* of one policy: more than a table holds, however they merge */

void rv_compiler_reason(struct rv_rules_policy *policy, enum rv_place place,
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

/** The mechanisms that can refuse a verb on this host. */
static uint32_t offered_for(const struct compiler *compiler, const struct rv_host_verb *verb)
{
    uint32_t offered = verb->by & compiler->options->offered;

    for (unsigned i = 0; i < RV_MECHANISMS_; i++) {
        if (verb->actions & compiler->options->lacks[i])
            offered &= ~(1U << i);
    }
    return offered;
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
    rv_compiler_reason(compiler->policy, RV_PLACE_INLINE, NULL, nowhere,
                       "%s: asked about inside the scopes that the configuration declares",
                       verb->name);
}

/** A part that no rule holds: the judge sees it, before the fact where it can be asked. */
static void leave(struct compiler *compiler, const struct rv_host_verb *verb, enum rv_place known,
                  const struct rv_atom *atom, const char *why)
{
    bool asked = offered_for(compiler, verb) & FANOTIFY;
    enum rv_place place = asked ? known : RV_PLACE_AFTER;
    struct rv_loc nowhere = { 0 };
    char path[96];

    if (!atom)
        rv_compiler_reason(compiler->policy, place, NULL, nowhere, "%s: %s", verb->name, why);
    else if (atom->op == RV_LITERAL_OPAQUE || !rv_atom_path(atom, path, sizeof(path)))
        rv_compiler_reason(compiler->policy, place, atom->policy, atom->loc, "%s", why);
    else
        rv_compiler_reason(compiler->policy, place, atom->policy, atom->loc, "%s: %s", path, why);
    if (known == RV_PLACE_INLINE && !asked && (verb->by & FANOTIFY))
        rv_compiler_reason(compiler->policy, place, NULL, nowhere, "%s: this host lacks fanotify",
                           verb->name);
    else if (known == RV_PLACE_INLINE && !asked)
        rv_compiler_reason(compiler->policy, place, NULL, nowhere,
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
    uint32_t here = able & offered_for(compiler, verb);
    struct rv_loc nowhere = { 0 };

    if (here & (LSM | CGROUP)) {
        lower(compiler, RV_PLACE_KERNEL, here & (LSM | CGROUP));
        return;
    }
    rv_compiler_reason(compiler->policy, here ? RV_PLACE_INLINE : RV_PLACE_AFTER, NULL, nowhere,
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
        if (draft.actions && offered_for(compiler, question->verb))
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

int rv_compiler_policy(struct compiler *compiler, const struct rv_policy *policy,
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
        rv_compiler_reason(result, RV_PLACE_INLINE, NULL, nowhere,
                           "more conditions than a rule holds");
        return 0;
    }
    return r;
}
