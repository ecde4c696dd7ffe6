/* SPDX-License-Identifier: Apache-2.0 */
/* Deciding: candidates from the index, scopes, conditions. Allocates nothing, takes no lock. */
#include "entities.h"
#include "extension.h"
#include "program.h"

#define ANCESTORS_MAX 4096U              /* of one entity */
#define STEPS_MAX     (4U * 1000 * 1000) /* operations of one policy */

/** A variable of the request, looked up once. */
struct subject {
    const struct rv_uid *uid;
    const struct rv_entity *entity; /* NULL: not known */
    const struct rv_uid **ancestors;
    uint32_t ancestor_count;
    bool overflow; /* more ancestors than are kept */
};

struct rv_evaluator {
    const struct rv_program *program;
    const struct rv_entities *entities;
    const struct rv_policy_request *request;
    struct subject subjects[3];    /* by enum rv_var */
    const struct rv_uid **scratch; /* ancestors of some other entity */

    uint32_t *stamps; /* by policy: round in which it was looked at */
    uint32_t round;
    uint32_t *permits, *forbids;
    uint32_t permit_count, forbid_count;
    struct rv_eval_error *errors;
    uint32_t error_count;

    char *workspace;
    size_t workspace_used, workspace_room;
    uint32_t steps;
    struct rv_eval_error error; /* of the policy at hand */
};

int rv_evaluator_new(struct rv_evaluator **ret_evaluator, const struct rv_program *program)
{
    RV_AUTO(rv_evaluator_free) struct rv_evaluator *evaluator = calloc(1, sizeof(*evaluator));
    size_t count = (size_t)program->count + 1;

    if (!evaluator)
        return -ENOMEM;
    evaluator->program = program;
    evaluator->stamps = calloc(count, sizeof(*evaluator->stamps));
    evaluator->permits = calloc(count, sizeof(*evaluator->permits));
    evaluator->forbids = calloc(count, sizeof(*evaluator->forbids));
    evaluator->errors = calloc(count, sizeof(*evaluator->errors));
    evaluator->workspace_room = program->workspace + 64;
    evaluator->workspace = malloc(evaluator->workspace_room);
    evaluator->scratch = calloc(ANCESTORS_MAX, sizeof(*evaluator->scratch));
    for (size_t i = 0; i < RV_COUNT(evaluator->subjects); i++) {
        evaluator->subjects[i].ancestors =
            calloc(ANCESTORS_MAX, sizeof(*evaluator->subjects[i].ancestors));
        if (!evaluator->subjects[i].ancestors)
            return -ENOMEM;
    }
    if (!evaluator->stamps || !evaluator->permits || !evaluator->forbids || !evaluator->errors ||
        !evaluator->workspace || !evaluator->scratch)
        return -ENOMEM;
    *ret_evaluator = RV_TAKE(evaluator);
    return 0;
}

void rv_evaluator_free(struct rv_evaluator **evaluator)
{
    if (!*evaluator)
        return;
    for (size_t i = 0; i < RV_COUNT((*evaluator)->subjects); i++)
        free((*evaluator)->subjects[i].ancestors);
    free((*evaluator)->scratch);
    free((*evaluator)->workspace);
    free((*evaluator)->errors);
    free((*evaluator)->forbids);
    free((*evaluator)->permits);
    free((*evaluator)->stamps);
    free(*evaluator);
    *evaluator = NULL;
}

/* ---- Entities ---- */

static const struct rv_entity *find_entity(const struct rv_evaluator *evaluator,
                                           const struct rv_uid *uid)
{
    const struct rv_policy_request *request = evaluator->request;

    for (uint32_t i = 0; i < request->overlay_count; i++) {
        if (rv_uid_eq(&request->overlay[i]->uid, uid))
            return request->overlay[i];
    }
    return rv_entities_find(evaluator->entities, uid);
}

static bool listed(const struct rv_uid *const *uids, uint32_t count, const struct rv_uid *uid)
{
    for (uint32_t i = 0; i < count; i++) {
        if (rv_uid_eq(uids[i], uid))
            return true;
    }
    return false;
}

/**
 * Everything above an entity, breadth first, each once.
 * @return the number written; ANCESTORS_MAX + 1 when there are more.
 */
static uint32_t gather_ancestors(const struct rv_evaluator *evaluator,
                                 const struct rv_entity *entity, const struct rv_uid **ancestors)
{
    uint32_t count = 0, next = 0;
    const struct rv_entity *at = entity;

    while (at || next < count) {
        if (!at) {
            at = find_entity(evaluator, ancestors[next++]);
            continue;
        }
        for (uint32_t i = 0; i < at->parent_count; i++) {
            const struct rv_uid *uid = at->parents[i].uid;

            if (at != entity && listed(ancestors, count, uid))
                continue;
            if (count == ANCESTORS_MAX)
                return ANCESTORS_MAX + 1;
            ancestors[count++] = uid;
        }
        if (at == entity && entity->closed)
            break;
        at = NULL;
    }
    return count;
}

static void look_up(struct rv_evaluator *evaluator, enum rv_var var, const struct rv_uid *uid)
{
    struct subject *subject = &evaluator->subjects[var];

    subject->uid = uid;
    subject->entity = find_entity(evaluator, uid);
    subject->ancestor_count = 0;
    subject->overflow = false;
    if (!subject->entity || subject->entity->parent_count == 0)
        return;
    subject->ancestor_count = gather_ancestors(evaluator, subject->entity, subject->ancestors);
    if (subject->ancestor_count > ANCESTORS_MAX) {
        subject->overflow = true;
        subject->ancestor_count = ANCESTORS_MAX;
    }
}

static bool subject_in(const struct subject *subject, const struct rv_uid *uid)
{
    return rv_uid_eq(subject->uid, uid) || listed(subject->ancestors, subject->ancestor_count, uid);
}

/* ---- Errors ---- */

static bool fail(struct rv_evaluator *evaluator, const struct rv_code *code, enum rv_eval_code why,
                 struct rv_text what)
{
    evaluator->error.code = why;
    evaluator->error.loc = code->loc;
    evaluator->error.what = what;
    return false;
}

static bool fail_type(struct rv_evaluator *evaluator, const struct rv_code *code,
                      const struct rv_value *got, enum rv_value_kind expected)
{
    evaluator->error.got = got->kind;
    evaluator->error.expected = (uint8_t)expected;
    return fail(evaluator, code, RV_EVAL_TYPE, rv_text_str(""));
}

static void *take(struct rv_evaluator *evaluator, size_t size)
{
    void *memory;

    size = (size + 15) & ~(size_t)15;
    if (size > evaluator->workspace_room - evaluator->workspace_used)
        return NULL;
    memory = evaluator->workspace + evaluator->workspace_used;
    evaluator->workspace_used += size;
    return memory;
}

/* ---- Operations ---- */

static bool run(struct rv_evaluator *evaluator, const struct rv_code *code,
                struct rv_value *ret_value);

static bool run_kind(struct rv_evaluator *evaluator, const struct rv_code *code,
                     enum rv_value_kind kind, struct rv_value *ret_value)
{
    if (!run(evaluator, code, ret_value))
        return false;
    return ret_value->kind == kind || fail_type(evaluator, code, ret_value, kind);
}

static bool run_var(const struct rv_evaluator *evaluator, const struct rv_code *code,
                    struct rv_value *ret_value)
{
    *ret_value = code->var == RV_VAR_CONTEXT ? rv_value_record(evaluator->request->context)
                                             : rv_value_entity(evaluator->subjects[code->var].uid);
    return true;
}

static bool run_logic(struct rv_evaluator *evaluator, const struct rv_code *code,
                      struct rv_value *ret_value)
{
    if (!run_kind(evaluator, code->args[0], RV_VALUE_BOOL, ret_value))
        return false;
    if (ret_value->truth == (code->op == RV_EXPR_OR))
        return true;
    return run_kind(evaluator, code->args[1], RV_VALUE_BOOL, ret_value);
}

static bool run_equal(struct rv_evaluator *evaluator, const struct rv_code *code,
                      struct rv_value *ret_value)
{
    struct rv_value a, b;

    if (!run(evaluator, code->args[0], &a) || !run(evaluator, code->args[1], &b))
        return false;
    *ret_value = rv_value_bool(rv_value_eq(&a, &b) == (code->op == RV_EXPR_EQ));
    return true;
}

static bool is_ordered(enum rv_value_kind kind)
{
    return kind == RV_VALUE_LONG || kind == RV_VALUE_DATETIME || kind == RV_VALUE_DURATION;
}

static bool run_order(struct rv_evaluator *evaluator, const struct rv_code *code,
                      struct rv_value *ret_value)
{
    struct rv_value a, b;
    bool truth = false;

    if (!run(evaluator, code->args[0], &a) || !run(evaluator, code->args[1], &b))
        return false;
    if (!is_ordered(a.kind))
        return fail_type(evaluator, code->args[0], &a, RV_VALUE_LONG);
    if (b.kind != a.kind)
        return fail_type(evaluator, code->args[1], &b, a.kind);
    if (code->op == RV_EXPR_LT)
        truth = a.number < b.number;
    else if (code->op == RV_EXPR_LE)
        truth = a.number <= b.number;
    else if (code->op == RV_EXPR_GT)
        truth = a.number > b.number;
    else
        truth = a.number >= b.number;
    *ret_value = rv_value_bool(truth);
    return true;
}

static bool run_arithmetic(struct rv_evaluator *evaluator, const struct rv_code *code,
                           struct rv_value *ret_value)
{
    struct rv_value a, b;
    int64_t number = 0;
    bool overflow;

    if (!run_kind(evaluator, code->args[0], RV_VALUE_LONG, &a) ||
        !run_kind(evaluator, code->args[1], RV_VALUE_LONG, &b))
        return false;
    if (code->op == RV_EXPR_ADD)
        overflow = __builtin_add_overflow(a.number, b.number, &number);
    else if (code->op == RV_EXPR_SUB)
        overflow = __builtin_sub_overflow(a.number, b.number, &number);
    else
        overflow = __builtin_mul_overflow(a.number, b.number, &number);
    *ret_value = rv_value_long(number);
    return !overflow || fail(evaluator, code, RV_EVAL_OVERFLOW, rv_text_str(""));
}

static bool run_sign(struct rv_evaluator *evaluator, const struct rv_code *code,
                     struct rv_value *ret_value)
{
    int64_t number = 0;

    if (code->op == RV_EXPR_NOT) {
        if (!run_kind(evaluator, code->args[0], RV_VALUE_BOOL, ret_value))
            return false;
        ret_value->truth = !ret_value->truth;
        return true;
    }
    if (!run_kind(evaluator, code->args[0], RV_VALUE_LONG, ret_value))
        return false;
    if (__builtin_sub_overflow(0, ret_value->number, &number))
        return fail(evaluator, code, RV_EVAL_OVERFLOW, rv_text_str(""));
    ret_value->number = number;
    return true;
}

static bool run_if(struct rv_evaluator *evaluator, const struct rv_code *code,
                   struct rv_value *ret_value)
{
    struct rv_value condition;

    if (!run_kind(evaluator, code->args[0], RV_VALUE_BOOL, &condition))
        return false;
    return run(evaluator, code->args[condition.truth ? 1 : 2], ret_value);
}

/** Is one entity another, or below it? -1: it has more ancestors than can be looked at. */
static int entity_in(struct rv_evaluator *evaluator, const struct rv_uid *below,
                     const struct rv_uid *above)
{
    const struct rv_entity *entity;
    uint32_t count;

    if (rv_uid_eq(below, above))
        return 1;
    for (size_t i = 0; i < RV_COUNT(evaluator->subjects); i++) {
        const struct subject *subject = &evaluator->subjects[i];

        if (rv_uid_eq(subject->uid, below))
            return subject->overflow ? -1
                                     : listed(subject->ancestors, subject->ancestor_count, above);
    }
    entity = find_entity(evaluator, below);
    if (!entity)
        return 0;
    count = gather_ancestors(evaluator, entity, evaluator->scratch);
    return count > ANCESTORS_MAX ? -1 : listed(evaluator->scratch, count, above);
}

static bool in_value(struct rv_evaluator *evaluator, const struct rv_code *code,
                     const struct rv_uid *below, const struct rv_value *above,
                     struct rv_value *ret_value)
{
    const struct rv_value *items = above->kind == RV_VALUE_SET ? above->items : above;
    uint32_t count = above->kind == RV_VALUE_SET ? above->count : 1;
    int found = 0;

    /* First all kinds: a set with something else in it is an error whatever else it holds. */
    for (uint32_t i = 0; i < count; i++) {
        if (items[i].kind != RV_VALUE_ENTITY)
            return fail_type(evaluator, code, &items[i], RV_VALUE_ENTITY);
    }
    for (uint32_t i = 0; i < count && found == 0; i++)
        found = entity_in(evaluator, below, items[i].uid);
    if (found < 0)
        return fail(evaluator, code, RV_EVAL_LIMIT, rv_text_str(""));
    *ret_value = rv_value_bool(found > 0);
    return true;
}

static bool run_in(struct rv_evaluator *evaluator, const struct rv_code *code,
                   struct rv_value *ret_value)
{
    struct rv_value a, b;

    if (!run_kind(evaluator, code->args[0], RV_VALUE_ENTITY, &a) ||
        !run(evaluator, code->args[1], &b))
        return false;
    return in_value(evaluator, code->args[1], a.uid, &b, ret_value);
}

static bool run_is(struct rv_evaluator *evaluator, const struct rv_code *code,
                   struct rv_value *ret_value)
{
    struct rv_value a, b;

    if (!run_kind(evaluator, code->args[0], RV_VALUE_ENTITY, &a))
        return false;
    *ret_value = rv_value_bool(rv_text_eq(a.uid->type, code->name));
    if (code->count == 1 || !ret_value->truth)
        return true;
    return run(evaluator, code->args[1], &b) &&
           in_value(evaluator, code->args[1], a.uid, &b, ret_value);
}

static bool contains_all(const struct rv_value *set, const struct rv_value *items)
{
    for (uint32_t i = 0; i < items->count; i++) {
        if (!rv_set_contains(set, &items->items[i]))
            return false;
    }
    return true;
}

static bool contains_any(const struct rv_value *set, const struct rv_value *items)
{
    for (uint32_t i = 0; i < items->count; i++) {
        if (rv_set_contains(set, &items->items[i]))
            return true;
    }
    return false;
}

static bool run_set_test(struct rv_evaluator *evaluator, const struct rv_code *code,
                         struct rv_value *ret_value)
{
    struct rv_value set, other;

    if (!run_kind(evaluator, code->args[0], RV_VALUE_SET, &set))
        return false;
    if (code->op == RV_EXPR_IS_EMPTY) {
        *ret_value = rv_value_bool(set.count == 0);
        return true;
    }
    if (!run(evaluator, code->args[1], &other))
        return false;
    if (code->op == RV_EXPR_CONTAINS) {
        *ret_value = rv_value_bool(rv_set_contains(&set, &other));
        return true;
    }
    if (other.kind != RV_VALUE_SET)
        return fail_type(evaluator, code->args[1], &other, RV_VALUE_SET);
    *ret_value = rv_value_bool(code->op == RV_EXPR_CONTAINS_ALL ? contains_all(&set, &other)
                                                                : contains_any(&set, &other));
    return true;
}

/** The entity behind a value: that of a variable is known already. */
static const struct rv_entity *entity_of(const struct rv_evaluator *evaluator,
                                         const struct rv_uid *uid)
{
    for (size_t i = 0; i < RV_COUNT(evaluator->subjects); i++) {
        if (evaluator->subjects[i].uid == uid)
            return evaluator->subjects[i].entity;
    }
    return find_entity(evaluator, uid);
}

static bool run_attr(struct rv_evaluator *evaluator, const struct rv_code *code,
                     struct rv_value *ret_value)
{
    const struct rv_value *found = NULL;
    const struct rv_entity *entity;
    struct rv_value object;

    if (!run(evaluator, code->args[0], &object))
        return false;
    if (object.kind == RV_VALUE_RECORD) {
        found = rv_fields_get(rv_record_fields(&object), code->name);
    } else if (object.kind == RV_VALUE_ENTITY) {
        entity = entity_of(evaluator, object.uid);
        if (!entity && code->op == RV_EXPR_GET_ATTR)
            return fail(evaluator, code, RV_EVAL_NO_ENTITY, code->name);
        found = entity ? rv_fields_get(entity->attrs, code->name) : NULL;
    } else {
        return fail_type(evaluator, code->args[0], &object, RV_VALUE_RECORD);
    }
    if (code->op == RV_EXPR_HAS_ATTR) {
        *ret_value = rv_value_bool(found != NULL);
        return true;
    }
    if (!found)
        return fail(evaluator, code, RV_EVAL_NO_ATTR, code->name);
    *ret_value = *found;
    return true;
}

static bool run_tag(struct rv_evaluator *evaluator, const struct rv_code *code,
                    struct rv_value *ret_value)
{
    const struct rv_value *found;
    const struct rv_entity *entity;
    struct rv_value object, name;
    struct rv_text key;

    if (!run_kind(evaluator, code->args[0], RV_VALUE_ENTITY, &object) ||
        !run_kind(evaluator, code->args[1], RV_VALUE_STRING, &name))
        return false;
    key = rv_text(name.text, name.count);
    entity = entity_of(evaluator, object.uid);
    found = entity ? rv_fields_get(entity->tags, key) : NULL;
    if (code->op == RV_EXPR_HAS_TAG) {
        *ret_value = rv_value_bool(found != NULL);
        return true;
    }
    if (!found)
        return fail(evaluator, code, entity ? RV_EVAL_NO_TAG : RV_EVAL_NO_ENTITY, key);
    *ret_value = *found;
    return true;
}

/** Literal parts in order: the first is anchored, each later one found as early as possible. */
static bool matches(const struct rv_pattern *pattern, const char *text, size_t len)
{
    size_t at = 0;

    for (uint32_t i = 0; i < pattern->count; i++) {
        struct rv_text part = pattern->parts[i].text;
        const char *found;

        if (i == 0) {
            if (part.len > len || memcmp(text, part.data, part.len) != 0)
                return false;
            at = part.len;
            if (!pattern->parts[0].star)
                return at == len;
            continue;
        }
        if (!pattern->parts[i].star) /* the last one: anchored at the end */
            return part.len <= len - at &&
                   (part.len == 0 || memcmp(text + len - part.len, part.data, part.len) == 0);
        if (part.len == 0)
            continue;
        found = memmem(text + at, len - at, part.data, part.len);
        if (!found)
            return false;
        at = (size_t)(found - text) + part.len;
    }
    return true;
}

static bool run_like(struct rv_evaluator *evaluator, const struct rv_code *code,
                     struct rv_value *ret_value)
{
    struct rv_value text;

    if (!run_kind(evaluator, code->args[0], RV_VALUE_STRING, &text))
        return false;
    *ret_value = rv_value_bool(matches(&code->pattern, text.text, text.count));
    return true;
}

static bool run_set(struct rv_evaluator *evaluator, const struct rv_code *code,
                    struct rv_value *ret_value)
{
    struct rv_value *items = take(evaluator, code->count * sizeof(*items));

    if (!items)
        return fail(evaluator, code, RV_EVAL_LIMIT, rv_text_str(""));
    for (uint32_t i = 0; i < code->count; i++) {
        if (!run(evaluator, code->args[i], &items[i]))
            return false;
    }
    *ret_value = rv_value_set(items, code->count);
    return true;
}

static bool run_record(struct rv_evaluator *evaluator, const struct rv_code *code,
                       struct rv_value *ret_value)
{
    struct rv_field *fields = take(evaluator, code->count * sizeof(*fields));

    if (!fields)
        return fail(evaluator, code, RV_EVAL_LIMIT, rv_text_str(""));
    for (uint32_t i = 0; i < code->count; i++) {
        fields[i].key = code->keys[i];
        if (!run(evaluator, code->args[i], &fields[i].value))
            return false;
    }
    *ret_value = rv_value_record((struct rv_fields){ fields, code->count });
    return true;
}

static bool run_call(struct rv_evaluator *evaluator, const struct rv_code *code,
                     struct rv_value *ret_value)
{
    const struct rv_call_info *info = rv_call_info((enum rv_call)code->call);
    struct rv_ip *ip = take(evaluator, sizeof(*ip));
    struct rv_value args[2] = { { 0 } };
    enum rv_eval_code why;

    if (!ip)
        return fail(evaluator, code, RV_EVAL_LIMIT, rv_text_str(""));
    if (code->count != info->arg_count)
        return fail(evaluator, code, RV_EVAL_EXTENSION, rv_text_str(info->name));
    for (uint32_t i = 0; i < code->count; i++) {
        if (!run_kind(evaluator, code->args[i], (enum rv_value_kind)info->args[i], &args[i]))
            return false;
    }
    why = rv_call_apply((enum rv_call)code->call, args, ip, ret_value);
    return why == RV_EVAL_OK || fail(evaluator, code, why, rv_text_str(info->name));
}

static bool run_nothing(struct rv_evaluator *evaluator, const struct rv_code *code,
                        struct rv_value *ret_value)
{
    (void)ret_value;
    return fail(evaluator, code, RV_EVAL_LIMIT, rv_text_str("an open slot"));
}

static bool (*const operations[RV_EXPR_KIND_COUNT_])(struct rv_evaluator *evaluator,
                                                     const struct rv_code *code,
                                                     struct rv_value *ret_value) = {
    [RV_EXPR_SLOT] = run_nothing,
    [RV_EXPR_NOT] = run_sign,
    [RV_EXPR_NEG] = run_sign,
    [RV_EXPR_AND] = run_logic,
    [RV_EXPR_OR] = run_logic,
    [RV_EXPR_IF] = run_if,
    [RV_EXPR_EQ] = run_equal,
    [RV_EXPR_NE] = run_equal,
    [RV_EXPR_LT] = run_order,
    [RV_EXPR_LE] = run_order,
    [RV_EXPR_GT] = run_order,
    [RV_EXPR_GE] = run_order,
    [RV_EXPR_ADD] = run_arithmetic,
    [RV_EXPR_SUB] = run_arithmetic,
    [RV_EXPR_MUL] = run_arithmetic,
    [RV_EXPR_IN] = run_in,
    [RV_EXPR_CONTAINS] = run_set_test,
    [RV_EXPR_CONTAINS_ALL] = run_set_test,
    [RV_EXPR_CONTAINS_ANY] = run_set_test,
    [RV_EXPR_IS_EMPTY] = run_set_test,
    [RV_EXPR_GET_TAG] = run_tag,
    [RV_EXPR_HAS_TAG] = run_tag,
    [RV_EXPR_GET_ATTR] = run_attr,
    [RV_EXPR_HAS_ATTR] = run_attr,
    [RV_EXPR_LIKE] = run_like,
    [RV_EXPR_IS] = run_is,
    [RV_EXPR_SET] = run_set,
    [RV_EXPR_RECORD] = run_record,
    [RV_EXPR_CALL] = run_call,
};

static bool run(struct rv_evaluator *evaluator, const struct rv_code *code,
                struct rv_value *ret_value)
{
    if (code->op == RV_EXPR_LITERAL) {
        *ret_value = code->value;
        return true;
    }
    if (code->op == RV_EXPR_VAR)
        return run_var(evaluator, code, ret_value);
    if (++evaluator->steps > STEPS_MAX)
        return fail(evaluator, code, RV_EVAL_LIMIT, rv_text_str(""));
    return operations[code->op](evaluator, code, ret_value);
}

/* ---- Policies ---- */

static bool scope_holds(const struct rv_compiled_scope *scope, const struct subject *subject)
{
    switch ((enum rv_scope_kind)scope->kind) {
    case RV_SCOPE_ANY:
        return true;
    case RV_SCOPE_EQ:
        return rv_uid_eq(subject->uid, scope->uid);
    case RV_SCOPE_IN:
        return subject_in(subject, scope->uid);
    case RV_SCOPE_IS:
        return rv_text_eq(subject->uid->type, scope->type);
    case RV_SCOPE_IS_IN:
        return rv_text_eq(subject->uid->type, scope->type) && subject_in(subject, scope->uid);
    case RV_SCOPE_IN_SET:
        for (uint32_t i = 0; i < scope->uid_count; i++) {
            if (subject_in(subject, scope->uids[i]))
                return true;
        }
        return false;
    }
    return false;
}

/** What does not hold might hold beyond the ancestors that are kept. */
static bool scope_is_open(const struct rv_compiled_scope *scope, const struct subject *subject)
{
    if (!subject->overflow)
        return false;
    return scope->kind == RV_SCOPE_IN || scope->kind == RV_SCOPE_IN_SET ||
           (scope->kind == RV_SCOPE_IS_IN && rv_text_eq(subject->uid->type, scope->type));
}

enum outcome { NOT_SATISFIED, SATISFIED, FAILED };

static enum outcome try_policy(struct rv_evaluator *evaluator,
                               const struct rv_compiled_policy *policy)
{
    bool open = false;

    for (size_t i = 0; i < RV_COUNT(policy->scopes); i++) {
        if (scope_holds(&policy->scopes[i], &evaluator->subjects[i]))
            continue;
        if (!scope_is_open(&policy->scopes[i], &evaluator->subjects[i]))
            return NOT_SATISFIED;
        open = true;
    }
    if (open) {
        evaluator->error.code = RV_EVAL_LIMIT;
        return FAILED;
    }
    evaluator->workspace_used = 0;
    evaluator->steps = 0;
    for (uint32_t i = 0; i < policy->condition_count; i++) {
        const struct rv_compiled_condition *condition = &policy->conditions[i];
        struct rv_value value;

        if (!run_kind(evaluator, condition->code, RV_VALUE_BOOL, &value))
            return FAILED;
        if (value.truth == condition->unless)
            return NOT_SATISFIED;
    }
    return SATISFIED;
}

static void consider(struct rv_evaluator *evaluator, const uint32_t *numbers, uint32_t count)
{
    const struct rv_program *program = evaluator->program;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = numbers[i];
        enum outcome outcome;

        if (evaluator->stamps[number] == evaluator->round)
            continue;
        evaluator->stamps[number] = evaluator->round;
        outcome = try_policy(evaluator, &program->policies[number]);
        if (outcome == FAILED) {
            evaluator->error.policy = number;
            evaluator->errors[evaluator->error_count++] = evaluator->error;
            evaluator->error = (struct rv_eval_error){ 0 };
        } else if (outcome == SATISFIED) {
            if (program->policies[number].says.effect == RV_EFFECT_ALLOW)
                evaluator->permits[evaluator->permit_count++] = number;
            else
                evaluator->forbids[evaluator->forbid_count++] = number;
        }
    }
}

static void consider_listed(struct rv_evaluator *evaluator, enum rv_index_kind kind,
                            const struct rv_uid *uid)
{
    const struct rv_index_entry *entry = rv_index_find(evaluator->program, kind, uid);

    if (entry && entry->count > 0)
        consider(evaluator, evaluator->program->listed + entry->first, entry->count);
}

static void consider_subject(struct rv_evaluator *evaluator, enum rv_var var,
                             enum rv_index_kind kind)
{
    const struct subject *subject = &evaluator->subjects[var];

    if (evaluator->program->kind_counts[kind] == 0)
        return;
    consider_listed(evaluator, kind, subject->uid);
    for (uint32_t i = 0; i < subject->ancestor_count; i++)
        consider_listed(evaluator, kind, subject->ancestors[i]);
}

static void consider_type(struct rv_evaluator *evaluator, enum rv_var var, enum rv_index_kind kind)
{
    struct rv_uid uid;

    if (evaluator->program->kind_counts[kind] == 0)
        return;
    uid = rv_uid(evaluator->subjects[var].uid->type, rv_text("", 0));
    consider_listed(evaluator, kind, &uid);
}

/** Without the index, for ancestors that are not all known: what it would pass over must be said. */
static void consider_all(struct rv_evaluator *evaluator)
{
    for (uint32_t number = 0; number < evaluator->program->count; number++)
        consider(evaluator, &number, 1);
}

static bool any_overflow(const struct rv_evaluator *evaluator)
{
    bool overflow = false;

    for (size_t i = 0; i < RV_COUNT(evaluator->subjects); i++)
        overflow = overflow || evaluator->subjects[i].overflow;
    return overflow;
}

static void sort_numbers(uint32_t *numbers, uint32_t count)
{
    for (uint32_t gap = count / 2; gap > 0; gap /= 2) {
        for (uint32_t i = gap; i < count; i++) {
            uint32_t number = numbers[i], at = i;

            for (; at >= gap && numbers[at - gap] > number; at -= gap)
                numbers[at] = numbers[at - gap];
            numbers[at] = number;
        }
    }
}

static void sort_errors(struct rv_eval_error *errors, uint32_t count)
{
    for (uint32_t gap = count / 2; gap > 0; gap /= 2) {
        for (uint32_t i = gap; i < count; i++) {
            struct rv_eval_error error = errors[i];
            uint32_t at = i;

            for (; at >= gap && errors[at - gap].policy > error.policy; at -= gap)
                errors[at] = errors[at - gap];
            errors[at] = error;
        }
    }
}

void rv_evaluate(struct rv_evaluator *evaluator, const struct rv_entities *entities,
                 const struct rv_policy_request *request, struct rv_policy_decision *ret_decision)
{
    const struct rv_program *program = evaluator->program;

    evaluator->entities = entities;
    evaluator->request = request;
    evaluator->permit_count = 0;
    evaluator->forbid_count = 0;
    evaluator->error_count = 0;
    if (++evaluator->round == 0) { /* the stamps of four thousand million requests ago */
        memset(evaluator->stamps, 0, program->count * sizeof(*evaluator->stamps));
        evaluator->round = 1;
    }
    look_up(evaluator, RV_VAR_PRINCIPAL, request->principal);
    look_up(evaluator, RV_VAR_ACTION, request->action);
    look_up(evaluator, RV_VAR_RESOURCE, request->resource);

    consider(evaluator, program->listed, program->unindexed_count);
    consider_subject(evaluator, RV_VAR_PRINCIPAL, RV_INDEX_PRINCIPAL);
    consider_subject(evaluator, RV_VAR_ACTION, RV_INDEX_ACTION);
    consider_subject(evaluator, RV_VAR_RESOURCE, RV_INDEX_RESOURCE);
    consider_type(evaluator, RV_VAR_PRINCIPAL, RV_INDEX_PRINCIPAL_TYPE);
    consider_type(evaluator, RV_VAR_RESOURCE, RV_INDEX_RESOURCE_TYPE);
    if (any_overflow(evaluator))
        consider_all(evaluator);

    sort_numbers(evaluator->permits, evaluator->permit_count);
    sort_numbers(evaluator->forbids, evaluator->forbid_count);
    sort_errors(evaluator->errors, evaluator->error_count);
    *ret_decision = (struct rv_policy_decision){
        .effect = evaluator->forbid_count == 0 && evaluator->permit_count > 0 ? RV_EFFECT_ALLOW
                                                                              : RV_EFFECT_DENY,
        .reasons = evaluator->forbid_count > 0 ? evaluator->forbids : evaluator->permits,
        .reason_count =
            evaluator->forbid_count > 0 ? evaluator->forbid_count : evaluator->permit_count,
        .errors = evaluator->errors,
        .error_count = evaluator->error_count,
    };
}

void rv_eval_error_print(struct rv_buf *buf, const struct rv_eval_error *error)
{
    static const char *const sentences[] = {
        [RV_EVAL_OK] = "no error",
        [RV_EVAL_TYPE] = "a value of the wrong kind",
        [RV_EVAL_NO_ATTR] = "there is no attribute",
        [RV_EVAL_NO_TAG] = "there is no tag",
        [RV_EVAL_NO_ENTITY] = "the entity does not exist, so it has no",
        [RV_EVAL_OVERFLOW] = "a number does not fit into 64 bits",
        [RV_EVAL_EXTENSION] = "the argument was refused by",
        [RV_EVAL_LIMIT] = "the policy is beyond a bound of the evaluator",
    };

    rv_buf_add_str(buf, sentences[error->code]);
    if (error->code == RV_EVAL_TYPE)
        rv_buf_addf(buf, ": expected %s, got %s",
                    rv_value_kind_name((enum rv_value_kind)error->expected),
                    rv_value_kind_name((enum rv_value_kind)error->got));
    if (error->what.len > 0)
        rv_buf_addf(buf, " '%.*s'", RV_TEXT_ARGS(error->what));
}
