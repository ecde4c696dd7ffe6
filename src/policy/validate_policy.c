/* SPDX-License-Identifier: Apache-2.0 */
/* Validation of a policy: the names that it uses, the actions that its scope allows, and the types
 * of its conditions in every environment of the schema. */
#include "check.h"

#include <stdio.h>

/* ---- Names: entity types, ids of enumerated types, actions ---- */
static struct rv_text entity_at(const void *schema, size_t i)
{
    return rv_schema_entity_at(schema, i)->name;
}

static struct rv_text action_at(const void *schema, size_t i)
{
    return rv_schema_action_at(schema, i)->uid.id;
}

static struct rv_text id_at(const void *entity, size_t i)
{
    return ((const struct rv_schema_entity *)entity)->ids[i];
}

static void check_type_name(struct checker *checker, struct rv_text type, struct rv_loc loc)
{
    const struct rv_schema *schema = checker->types.schema;
    char near[100], help[140];
    bool found;

    if (rv_type_is_action(type) || rv_schema_entity(schema, type))
        return;
    found = rv_diag_nearest(type, rv_schema_entity_count(schema), entity_at, schema, near,
                            sizeof(near));
    (void)snprintf(help, sizeof(help), "did you mean `%s`?", found ? near : "");
    check_report(checker, "unknown-type", loc, found ? help : NULL,
                 "the schema has no entity type `%.*s`", RV_TEXT_ARGS(type));
}

static void check_action_name(struct checker *checker, const struct rv_uid *uid, struct rv_loc loc)
{
    const struct rv_schema *schema = checker->types.schema;
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
    char near[100], help[160];
    const struct rv_schema_action *action = NULL;

    if (rv_schema_action(schema, uid))
        return;
    if (rv_diag_nearest(uid->id, rv_schema_action_count(schema), action_at, schema, near,
                        sizeof(near))) {
        for (size_t i = 0; !action && i < rv_schema_action_count(schema); i++) {
            if (rv_text_is(action_at(schema, i), near))
                action = rv_schema_action_at(schema, i);
        }
    }
    if (action)
        rv_uid_print(&buf, &action->uid);
    (void)snprintf(help, sizeof(help), "did you mean `%s`?", buf.data ? buf.data : "");
    rv_buf_clear(&buf);
    rv_uid_print(&buf, uid);
    check_report(checker, "unknown-action", loc, action ? help : NULL,
                 "the schema has no action `%s`", buf.data ? buf.data : "?");
}

static void check_enumerated(struct checker *checker, const struct rv_uid *uid, struct rv_loc loc)
{
    const struct rv_schema_entity *entity = rv_schema_entity(checker->types.schema, uid->type);
    char near[100], help[140];
    bool found;

    if (!entity || !entity->ids)
        return;
    for (uint32_t i = 0; i < entity->id_count; i++) {
        if (rv_text_eq(entity->ids[i], uid->id))
            return;
    }
    found = rv_diag_nearest(uid->id, entity->id_count, id_at, entity, near, sizeof(near));
    (void)snprintf(help, sizeof(help), "did you mean \"%s\"?", found ? near : "");
    check_report(checker, "unknown-id", loc,
                 found ? help : "the schema lists the ids that there are",
                 "enumerated entity type `%.*s` has no id \"%.*s\"", RV_TEXT_ARGS(uid->type),
                 RV_TEXT_ARGS(uid->id));
}

static void check_uid(struct checker *checker, const struct rv_uid *uid, struct rv_loc loc)
{
    check_type_name(checker, uid->type, loc);
    if (rv_type_is_action(uid->type))
        check_action_name(checker, uid, loc);
    else
        check_enumerated(checker, uid, loc);
}

static void check_scope_names(struct checker *checker, const struct rv_scope *scope)
{
    if (scope->kind == RV_SCOPE_IS || scope->kind == RV_SCOPE_IS_IN)
        check_type_name(checker, scope->type, scope->loc);
    if (scope->uid)
        check_uid(checker, scope->uid, scope->loc);
    for (uint32_t i = 0; i < scope->uid_count; i++)
        check_uid(checker, scope->uids[i], scope->loc);
}

static void check_expr_names(struct checker *checker, const struct rv_expr *expr)
{
    if (expr->kind == RV_EXPR_LITERAL && expr->value.kind == RV_VALUE_ENTITY)
        check_uid(checker, expr->value.uid, expr->loc);
    else if (expr->kind == RV_EXPR_IS)
        check_type_name(checker, expr->name, expr->name_loc);
    for (uint32_t i = 0; i < expr->child_count; i++)
        check_expr_names(checker, expr->children[i]);
}

static void check_names(struct checker *checker)
{
    const struct rv_policy *policy = checker->policy;

    check_scope_names(checker, &policy->principal);
    check_scope_names(checker, &policy->action);
    check_scope_names(checker, &policy->resource);
    for (uint32_t i = 0; i < policy->condition_count; i++)
        check_expr_names(checker, policy->conditions[i].body);
}

/* ---- Is there an action that the scope allows? ---- */
static bool entity_type_in(const struct rv_schema *schema, const struct rv_schema_entity *entity,
                           struct rv_text above)
{
    const struct rv_schema_entity *ancestor = rv_schema_entity(schema, above);

    return rv_text_eq(entity->name, above) ||
           (ancestor && rv_schema_entity_in(schema, entity, ancestor));
}

static bool scope_allows(const struct rv_schema *schema, const struct rv_scope *scope,
                         const struct rv_schema_entity *entity)
{
    switch ((enum rv_scope_kind)scope->kind) {
    case RV_SCOPE_EQ:
        return !scope->uid || rv_text_eq(entity->name, scope->uid->type);
    case RV_SCOPE_IN:
        return !scope->uid || entity_type_in(schema, entity, scope->uid->type);
    case RV_SCOPE_IS:
        return rv_text_eq(entity->name, scope->type);
    case RV_SCOPE_IS_IN:
        return rv_text_eq(entity->name, scope->type) &&
               (!scope->uid || entity_type_in(schema, entity, scope->uid->type));
    case RV_SCOPE_ANY:
    case RV_SCOPE_IN_SET:
        break;
    }
    return true;
}

static bool scope_allows_any(const struct rv_schema *schema, const struct rv_scope *scope,
                             const struct rv_schema_entity *const *entities, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (scope_allows(schema, scope, entities[i]))
            return true;
    }
    return false;
}

static bool action_under(const struct rv_schema *schema, const struct rv_schema_action *action,
                         const struct rv_uid *uid)
{
    const struct rv_schema_action *above = rv_schema_action(schema, uid);

    return above == action || (above && rv_schema_action_in(schema, action, above));
}

/** Does every action that the scope names exist? Else nothing is under a list of them. */
static bool scope_actions_exist(const struct rv_schema *schema, const struct rv_scope *scope)
{
    for (uint32_t i = 0; i < scope->uid_count; i++) {
        if (!rv_schema_action(schema, scope->uids[i]))
            return false;
    }
    return !scope->uid || rv_schema_action(schema, scope->uid);
}

static bool scope_allows_action(const struct rv_schema *schema, const struct rv_scope *scope,
                                const struct rv_schema_action *action)
{
    switch ((enum rv_scope_kind)scope->kind) {
    case RV_SCOPE_EQ:
        return rv_uid_eq(scope->uid, &action->uid);
    case RV_SCOPE_IN:
        return action_under(schema, action, scope->uid);
    case RV_SCOPE_IN_SET:
        for (uint32_t i = 0; i < scope->uid_count; i++) {
            if (action_under(schema, action, scope->uids[i]))
                return true;
        }
        return false;
    case RV_SCOPE_ANY:
    case RV_SCOPE_IS:
    case RV_SCOPE_IS_IN:
        break;
    }
    return true;
}

static void print_types(struct rv_buf *buf, const struct rv_schema_entity *const *entities,
                        uint32_t count)
{
    for (uint32_t i = 0; i < count && i < 5; i++)
        rv_buf_addf(buf, "%s`%.*s`", i > 0 ? ", " : "", RV_TEXT_ARGS(entities[i]->name));
    if (count > 5)
        rv_buf_add_str(buf, ", ...");
}

/** `principal == Group::"x"` where only members of groups act: `in` was meant. */
static bool in_would_help(const struct rv_schema *schema, const struct rv_scope *scope,
                          const struct rv_schema_entity *const *entities, uint32_t count)
{
    struct rv_scope in = *scope;

    in.kind = RV_SCOPE_IN;
    return scope->kind == RV_SCOPE_EQ && scope->uid &&
           !scope_allows_any(schema, scope, entities, count) &&
           scope_allows_any(schema, &in, entities, count);
}

static void explain_action(const struct checker *checker, const struct rv_schema_action *action,
                           struct rv_buf *help)
{
    const struct rv_schema *schema = checker->types.schema;
    const struct rv_policy *policy = checker->policy;

    if (in_would_help(schema, &policy->principal, action->principals, action->principal_count)) {
        rv_buf_add_str(help, "did you mean `principal in`?");
    } else if (in_would_help(schema, &policy->resource, action->resources,
                             action->resource_count)) {
        rv_buf_add_str(help, "did you mean `resource in`?");
    } else if (action->principal_count == 0 || action->resource_count == 0) {
        rv_uid_print(help, &action->uid);
        rv_buf_add_str(help, " applies to nothing itself: for its members write `action in`");
    } else {
        rv_uid_print(help, &action->uid);
        rv_buf_add_str(help, " applies to principals ");
        print_types(help, action->principals, action->principal_count);
        rv_buf_add_str(help, " and resources ");
        print_types(help, action->resources, action->resource_count);
    }
}

/** What the scope leaves: the first action that it allows, whether any goes with each variable. */
struct reach {
    const struct rv_schema_action *action; /* NULL when the scope names none */
    bool principal, resource;
};

static struct reach reach_of(const struct checker *checker)
{
    const struct rv_schema *schema = checker->types.schema;
    const struct rv_policy *policy = checker->policy;
    struct reach reach = { 0 };

    for (size_t i = 0; i < rv_schema_action_count(schema); i++) {
        const struct rv_schema_action *action = rv_schema_action_at(schema, i);

        if (!scope_allows_action(schema, &policy->action, action))
            continue;
        if (!reach.action && policy->action.kind != RV_SCOPE_ANY)
            reach.action = action;
        reach.principal |= scope_allows_any(schema, &policy->principal, action->principals,
                                            action->principal_count);
        reach.resource |=
            scope_allows_any(schema, &policy->resource, action->resources, action->resource_count);
    }
    return reach;
}

/** Points at the variable that no action goes with, else at the action. */
static void report_no_action(struct checker *checker)
{
    const struct rv_policy *policy = checker->policy;
    RV_AUTO(rv_buf_done) struct rv_buf help = { 0 };
    struct reach reach = reach_of(checker);
    struct rv_loc loc = policy->action.loc;
    const char *what = "this principal and resource together";

    if (reach.action)
        explain_action(checker, reach.action, &help);
    if (!reach.principal && policy->principal.kind != RV_SCOPE_ANY) {
        loc = policy->principal.loc;
        what = "this principal";
    } else if (!reach.resource && policy->resource.kind != RV_SCOPE_ANY) {
        loc = policy->resource.loc;
        what = "this resource";
    }
    check_report(checker, "no-action", loc.end > loc.start ? loc : policy->loc, help.data,
                 "no action of the schema applies to %s: the policy never has an effect", what);
}

/** @return true when some action goes with the scope. */
static bool check_application(struct checker *checker)
{
    const struct rv_schema *schema = checker->types.schema;
    const struct rv_policy *policy = checker->policy;

    for (size_t i = 0;
         scope_actions_exist(schema, &policy->action) && i < rv_schema_action_count(schema); i++) {
        const struct rv_schema_action *action = rv_schema_action_at(schema, i);

        if (scope_allows_action(schema, &policy->action, action) &&
            scope_allows_any(schema, &policy->principal, action->principals,
                             action->principal_count) &&
            scope_allows_any(schema, &policy->resource, action->resources, action->resource_count))
            return true;
    }
    report_no_action(checker);
    return false;
}

/* ---- The scope as expressions ---- */
static const struct rv_expr scope_vars[] = {
    [RV_VAR_PRINCIPAL] = { .kind = RV_EXPR_VAR, .var = RV_VAR_PRINCIPAL, .depth = 1 },
    [RV_VAR_ACTION] = { .kind = RV_EXPR_VAR, .var = RV_VAR_ACTION, .depth = 1 },
    [RV_VAR_RESOURCE] = { .kind = RV_EXPR_VAR, .var = RV_VAR_RESOURCE, .depth = 1 },
};

/** What is checked in each environment: the scope, then the conditions. */
struct conjuncts {
    const struct rv_expr **items;
    uint32_t count;
    struct rv_arena arena;
};

static struct rv_expr *new_expr(struct rv_arena *arena, enum rv_expr_kind kind, struct rv_loc loc,
                                uint32_t children)
{
    struct rv_expr *expr = rv_arena_alloc(arena, sizeof(*expr));
    const struct rv_expr **room = rv_arena_array(arena, children, sizeof(const struct rv_expr *));

    if (!expr || !room)
        return NULL;
    expr->kind = (uint8_t)kind;
    expr->loc = loc;
    expr->children = room;
    expr->child_count = children;
    return expr;
}

static const struct rv_expr *uid_expr(struct rv_arena *arena, const struct rv_uid *uid,
                                      struct rv_loc loc)
{
    struct rv_expr *expr = new_expr(arena, RV_EXPR_LITERAL, loc, 0);

    if (expr)
        expr->value = rv_value_entity(uid);
    return expr;
}

/** The entity, slot or set on the right of `==` or `in`. */
static const struct rv_expr *operand_expr(struct rv_arena *arena, const struct rv_scope *scope)
{
    struct rv_expr *expr;
    const struct rv_expr **elements;

    if (scope->kind != RV_SCOPE_IN_SET && scope->uid)
        return uid_expr(arena, scope->uid, scope->loc);
    if (scope->kind != RV_SCOPE_IN_SET) {
        expr = new_expr(arena, RV_EXPR_SLOT, scope->loc, 0);
        if (expr)
            expr->slot = scope->slot;
        return expr;
    }
    elements = rv_arena_array(arena, scope->uid_count, sizeof(const struct rv_expr *));
    expr = new_expr(arena, RV_EXPR_SET, scope->loc, scope->uid_count);
    for (uint32_t i = 0; expr && elements && i < scope->uid_count; i++) {
        elements[i] = uid_expr(arena, scope->uids[i], scope->loc);
        if (!elements[i])
            return NULL;
    }
    if (expr)
        expr->children = elements;
    return elements ? expr : NULL;
}

static const struct rv_expr *scope_expr(struct rv_arena *arena, const struct rv_scope *scope,
                                        enum rv_var var)
{
    bool test = scope->kind == RV_SCOPE_IS || scope->kind == RV_SCOPE_IS_IN;
    enum rv_expr_kind kind = test                         ? RV_EXPR_IS
                             : scope->kind == RV_SCOPE_EQ ? RV_EXPR_EQ
                                                          : RV_EXPR_IN;
    const struct rv_expr **children = rv_arena_array(arena, 2, sizeof(const struct rv_expr *));
    struct rv_expr *expr = new_expr(arena, kind, scope->loc, scope->kind == RV_SCOPE_IS ? 1 : 2);

    if (!expr || !children)
        return NULL;
    children[0] = &scope_vars[var];
    if (expr->child_count == 2)
        children[1] = operand_expr(arena, scope);
    if (expr->child_count == 2 && !children[1])
        return NULL;
    expr->children = children;
    if (test) {
        expr->name = scope->type;
        expr->name_loc = scope->loc;
    }
    return expr;
}

static const struct rv_expr *condition_expr(struct rv_arena *arena,
                                            const struct rv_condition *condition)
{
    const struct rv_expr **children;
    struct rv_expr *expr;

    if (!condition->unless)
        return condition->body;
    expr = new_expr(arena, RV_EXPR_NOT, condition->loc, 1);
    children = rv_arena_array(arena, 1, sizeof(const struct rv_expr *));
    if (!expr || !children)
        return NULL;
    children[0] = condition->body;
    expr->children = children;
    return expr;
}

static bool conjuncts_init(struct conjuncts *conjuncts, const struct rv_policy *policy)
{
    const struct rv_scope *scopes[] = {
        [RV_VAR_PRINCIPAL] = &policy->principal,
        [RV_VAR_ACTION] = &policy->action,
        [RV_VAR_RESOURCE] = &policy->resource,
    };
    struct rv_arena *arena = &conjuncts->arena;

    conjuncts->items = rv_arena_array(arena, policy->condition_count + RV_COUNT(scopes),
                                      sizeof(const struct rv_expr *));
    if (!conjuncts->items)
        return false;
    for (size_t i = 0; i < RV_COUNT(scopes); i++) {
        if (scopes[i]->kind == RV_SCOPE_ANY)
            continue;
        conjuncts->items[conjuncts->count] = scope_expr(arena, scopes[i], (enum rv_var)i);
        if (!conjuncts->items[conjuncts->count++])
            return false;
    }
    for (uint32_t i = 0; i < policy->condition_count; i++) {
        conjuncts->items[conjuncts->count] = condition_expr(arena, &policy->conditions[i]);
        if (!conjuncts->items[conjuncts->count++])
            return false;
    }
    return true;
}

static void conjuncts_done(struct conjuncts *conjuncts)
{
    rv_arena_done(&conjuncts->arena);
}

/* ---- Environments ---- */
static struct rv_type entity_type_of(const struct rv_schema_entity *entity)
{
    return entity ? (struct rv_type){ .kind = RV_VALUE_ENTITY, .entity_type = entity->name }
                  : check_any_entity;
}

/** @param ret_false true when the policy cannot apply in this environment. */
static int check_env(struct checker *checker, const struct conjuncts *conjuncts,
                     struct check_env env, bool *ret_false)
{
    RV_AUTO(rv_arena_done) struct rv_arena arena = { 0 };
    struct check_answer answer = check_start();

    checker->types.arena = &arena;
    checker->env = env;
    checker->principal = entity_type_of(env.principal);
    checker->resource = entity_type_of(env.resource);
    checker->principal_slot = entity_type_of(env.principal_slot);
    checker->resource_slot = entity_type_of(env.resource_slot);
    checker->action =
        (struct rv_type){ .kind = RV_VALUE_ENTITY, .entity_type = env.action->uid.type };
    for (uint32_t i = 0; i < conjuncts->count; i++)
        answer = check_conjunct(checker, answer, conjuncts->items[i]);
    checker->types.arena = NULL;
    *ret_false = answer.type && answer.type->kind == CHECK_FALSE;
    return arena.failed || checker->caps.failed || checker->failed ? -ENOMEM : 0;
}

/** Entity types that may fill a slot, one after the other: start with `*at` 0. */
static bool next_slot_type(const struct rv_schema *schema, const struct rv_scope *scope,
                           const struct rv_schema_entity *var, size_t *at,
                           const struct rv_schema_entity **ret)
{
    if (scope->slot == RV_SLOT_NONE || scope->kind == RV_SCOPE_EQ) {
        *ret = scope->slot == RV_SLOT_NONE ? NULL : var;
        return (*at)++ == 0;
    }
    while (*at < rv_schema_entity_count(schema)) {
        const struct rv_schema_entity *entity = rv_schema_entity_at(schema, (*at)++);

        if (entity == var || rv_schema_entity_in(schema, var, entity)) {
            *ret = entity;
            return true;
        }
    }
    return false;
}

static int check_slots(struct checker *checker, const struct conjuncts *conjuncts,
                       struct check_env env, bool *all_false)
{
    const struct rv_schema *schema = checker->types.schema;
    size_t p = 0;

    while (next_slot_type(schema, &checker->policy->principal, env.principal, &p,
                          &env.principal_slot)) {
        size_t q = 0;

        while (next_slot_type(schema, &checker->policy->resource, env.resource, &q,
                              &env.resource_slot)) {
            bool is_false = false;
            int r = check_env(checker, conjuncts, env, &is_false);

            if (r < 0)
                return r;
            *all_false &= is_false;
        }
    }
    return 0;
}

static int check_action_envs(struct checker *checker, const struct conjuncts *conjuncts,
                             const struct rv_schema_action *action, bool *all_false)
{
    for (uint32_t p = 0; p < action->principal_count; p++) {
        for (uint32_t q = 0; q < action->resource_count; q++) {
            struct check_env env = {
                .action = action,
                .principal = action->principals[p],
                .resource = action->resources[q],
            };
            int r = check_slots(checker, conjuncts, env, all_false);

            if (r < 0)
                return r;
        }
    }
    return 0;
}

static int check_envs(struct checker *checker, bool applies)
{
    const struct rv_schema *schema = checker->types.schema;
    RV_AUTO(conjuncts_done) struct conjuncts conjuncts = { 0 };
    bool all_false = true;

    if (!conjuncts_init(&conjuncts, checker->policy))
        return -ENOMEM;
    for (size_t i = 0; i < rv_schema_action_count(schema); i++) {
        int r = check_action_envs(checker, &conjuncts, rv_schema_action_at(schema, i), &all_false);

        if (r < 0)
            return r;
    }
    if (all_false && applies)
        rv_diag_add(checker->diags, RV_DIAG_WARNING, "impossible-policy",
                    (struct rv_diag_at){ .policy = checker->policy, .loc = checker->policy->loc },
                    "look for a condition that contradicts the scope or another one",
                    "this policy can never apply: its condition is always false");
    return 0;
}

int rv_validate_policy(const struct rv_schema *schema, const struct rv_policy *policy,
                       enum rv_validation_mode mode, struct rv_diags *diags,
                       enum rv_validity *ret_validity)
{
    RV_AUTO(checker_done)
    struct checker checker = {
        .types = { .schema = schema, .mode = mode },
        .policy = policy,
        .diags = diags,
    };
    bool applies;
    int r = 0;

    if (policy->link_of) {
        /* Its conditions are those of the template, which is checked for every filling. */
        check_scope_names(&checker, &policy->principal);
        check_scope_names(&checker, &policy->resource);
        (void)check_application(&checker);
    } else {
        check_names(&checker);
        applies = check_application(&checker);
        r = check_envs(&checker, applies);
    }
    if (r < 0)
        return r;
    *ret_validity = checker.errors == 0 ? RV_VALID : RV_INVALID;
    return checker.failed ? -ENOMEM : 0;
}

int rv_validate_policies(const struct rv_schema *schema, const struct rv_policy_set *set,
                         enum rv_validation_mode mode, struct rv_diags *diags,
                         enum rv_validity *ret_validity)
{
    enum rv_validity all = RV_VALID;

    for (size_t i = 0; i < set->count; i++) {
        enum rv_validity one = RV_INVALID;
        int r = rv_validate_policy(schema, set->items[i], mode, diags, &one);

        if (r < 0)
            return r;
        if (one != RV_VALID)
            all = RV_INVALID;
    }
    *ret_validity = all;
    return 0;
}
