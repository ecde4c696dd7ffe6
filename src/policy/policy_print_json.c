/* SPDX-License-Identifier: Apache-2.0 */
/* Policies in JSON form (EST). Every function answers a new reference, or NULL without memory;
 * jansson passes NULL on, so that one look at the end is enough. */
#include "policy/read.h"

static json_t *text_json(struct rv_text text)
{
    return json_stringn_nocheck(text.data, text.len);
}

static bool put(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new_nocheck(object, key, value) == 0;
}

static json_t *finish(json_t *value, bool good)
{
    if (good)
        return value;
    json_decref(value);
    return NULL;
}

/** {key: value}, taking the reference. */
static json_t *single(const char *key, json_t *value)
{
    json_t *object = json_object();

    return finish(object, put(object, key, value));
}

static json_t *uid_json(const struct rv_uid *uid)
{
    json_t *object = json_object();
    bool good = put(object, "type", text_json(uid->type));

    good &= put(object, "id", text_json(uid->id));
    return finish(object, good);
}

/* ---- Expressions ---- */
static json_t *expr_json(const struct rv_expr *expr);

static json_t *literal_json(const struct rv_value *value)
{
    switch (value->kind) {
    case RV_VALUE_BOOL:
        return single("Value", json_boolean(value->truth));
    case RV_VALUE_LONG:
        return single("Value", json_integer(value->number));
    case RV_VALUE_ENTITY:
        return single("Value", single("__entity", uid_json(value->uid)));
    default:
        return single("Value", json_stringn_nocheck(value->text, value->count));
    }
}

static json_t *list_json(const struct rv_expr *expr)
{
    json_t *array = json_array();
    bool good = true;

    for (uint32_t i = 0; i < expr->child_count; i++)
        good &= json_array_append_new(array, expr_json(expr->children[i])) == 0;
    return finish(array, good);
}

static json_t *record_json(const struct rv_expr *expr)
{
    json_t *object = json_object();
    bool good = true;

    for (uint32_t i = 0; i < expr->child_count; i++)
        good &= json_object_setn_new_nocheck(object, expr->keys[i].data, expr->keys[i].len,
                                             expr_json(expr->children[i])) == 0;
    return single("Record", finish(object, good));
}

static json_t *pattern_json(const struct rv_pattern *pattern)
{
    json_t *array = json_array();
    bool good = true;

    for (uint32_t i = 0; i < pattern->count; i++) {
        if (pattern->parts[i].text.len > 0)
            good &= json_array_append_new(
                        array, single("Literal", text_json(pattern->parts[i].text))) == 0;
        if (pattern->parts[i].star)
            good &= json_array_append_new(array, json_string("Wildcard")) == 0;
    }
    return finish(array, good);
}

static json_t *var_json(const struct rv_expr *expr)
{
    static const char *const names[] = {
        [RV_VAR_PRINCIPAL] = "principal",
        [RV_VAR_ACTION] = "action",
        [RV_VAR_RESOURCE] = "resource",
        [RV_VAR_CONTEXT] = "context",
    };

    return single("Var", json_string(names[expr->var]));
}

/** A hole is a kind that is written in a way of its own. */
static const struct operator_name {
    const char *name;
    const char *members[3];
} operators[RV_EXPR_KIND_COUNT_] = {
    [RV_EXPR_NOT] = { "!", { "arg" } },
    [RV_EXPR_NEG] = { "neg", { "arg" } },
    [RV_EXPR_IS_EMPTY] = { "isEmpty", { "arg" } },
    [RV_EXPR_AND] = { "&&", { "left", "right" } },
    [RV_EXPR_OR] = { "||", { "left", "right" } },
    [RV_EXPR_IF] = { "if-then-else", { "if", "then", "else" } },
    [RV_EXPR_EQ] = { "==", { "left", "right" } },
    [RV_EXPR_NE] = { "!=", { "left", "right" } },
    [RV_EXPR_LT] = { "<", { "left", "right" } },
    [RV_EXPR_LE] = { "<=", { "left", "right" } },
    [RV_EXPR_GT] = { ">", { "left", "right" } },
    [RV_EXPR_GE] = { ">=", { "left", "right" } },
    [RV_EXPR_ADD] = { "+", { "left", "right" } },
    [RV_EXPR_SUB] = { "-", { "left", "right" } },
    [RV_EXPR_MUL] = { "*", { "left", "right" } },
    [RV_EXPR_IN] = { "in", { "left", "right" } },
    [RV_EXPR_CONTAINS] = { "contains", { "left", "right" } },
    [RV_EXPR_CONTAINS_ALL] = { "containsAll", { "left", "right" } },
    [RV_EXPR_CONTAINS_ANY] = { "containsAny", { "left", "right" } },
    [RV_EXPR_GET_TAG] = { "getTag", { "left", "right" } },
    [RV_EXPR_HAS_TAG] = { "hasTag", { "left", "right" } },
    [RV_EXPR_GET_ATTR] = { ".", { "left" } },
    [RV_EXPR_HAS_ATTR] = { "has", { "left" } },
    [RV_EXPR_LIKE] = { "like", { "left" } },
    [RV_EXPR_IS] = { "is", { "left", "in" } },
};

static json_t *operator_json(const struct rv_expr *expr)
{
    const struct operator_name *rule = &operators[expr->kind];
    json_t *members = json_object();
    bool good = members != NULL;

    for (uint32_t i = 0; i < expr->child_count; i++)
        good &= put(members, rule->members[i], expr_json(expr->children[i]));
    if (expr->kind == RV_EXPR_GET_ATTR || expr->kind == RV_EXPR_HAS_ATTR)
        good &= put(members, "attr", text_json(expr->name));
    else if (expr->kind == RV_EXPR_IS)
        good &= put(members, "entity_type", text_json(expr->name));
    else if (expr->kind == RV_EXPR_LIKE)
        good &= put(members, "pattern", pattern_json(&expr->pattern));
    return single(rule->name, finish(members, good));
}

static json_t *expr_json(const struct rv_expr *expr)
{
    switch (expr->kind) {
    case RV_EXPR_LITERAL:
        return literal_json(&expr->value);
    case RV_EXPR_VAR:
        return var_json(expr);
    case RV_EXPR_SLOT:
        return single("Slot",
                      json_string(expr->slot == RV_SLOT_PRINCIPAL ? "?principal" : "?resource"));
    case RV_EXPR_SET:
        return single("Set", list_json(expr));
    case RV_EXPR_RECORD:
        return record_json(expr);
    case RV_EXPR_CALL:
        return single(rv_call_info((enum rv_call)expr->call)->name, list_json(expr));
    default:
        return operator_json(expr);
    }
}

/* ---- Policies ---- */
static bool put_operand(json_t *object, const struct rv_scope *scope)
{
    if (scope->uid)
        return put(object, "entity", uid_json(scope->uid));
    return put(object, "slot",
               json_string(scope->slot == RV_SLOT_PRINCIPAL ? "?principal" : "?resource"));
}

static bool put_uids(json_t *object, const struct rv_scope *scope)
{
    json_t *array = json_array();
    bool good = true;

    for (uint32_t i = 0; i < scope->uid_count; i++)
        good &= json_array_append_new(array, uid_json(scope->uids[i])) == 0;
    return put(object, "entities", finish(array, good));
}

static json_t *scope_json(const struct rv_scope *scope)
{
    static const char *const names[] = {
        [RV_SCOPE_ANY] = "All", [RV_SCOPE_EQ] = "==",    [RV_SCOPE_IN] = "in",
        [RV_SCOPE_IS] = "is",   [RV_SCOPE_IS_IN] = "is", [RV_SCOPE_IN_SET] = "in",
    };
    json_t *object = single("op", json_string(names[scope->kind])), *in;
    bool good = object != NULL;

    if (scope->kind == RV_SCOPE_EQ || scope->kind == RV_SCOPE_IN)
        good &= put_operand(object, scope);
    if (scope->kind == RV_SCOPE_IN_SET)
        good &= put_uids(object, scope);
    if (scope->kind == RV_SCOPE_IS || scope->kind == RV_SCOPE_IS_IN)
        good &= put(object, "entity_type", text_json(scope->type));
    if (scope->kind == RV_SCOPE_IS_IN) {
        in = json_object();
        good &= put(object, "in", finish(in, put_operand(in, scope)));
    }
    return finish(object, good);
}

static json_t *conditions_json(const struct rv_policy *policy)
{
    json_t *array = json_array();
    bool good = true;

    for (uint32_t i = 0; i < policy->condition_count; i++) {
        const struct rv_condition *condition = &policy->conditions[i];
        json_t *item = single("kind", json_string(condition->unless ? "unless" : "when"));
        bool whole = put(item, "body", expr_json(condition->body));

        good &= json_array_append_new(array, finish(item, whole)) == 0;
    }
    return finish(array, good);
}

static json_t *annotations_json(const struct rv_policy *policy)
{
    json_t *object = json_object();
    bool good = true;

    for (uint32_t i = 0; i < policy->annotation_count; i++)
        good &= json_object_setn_new_nocheck(object, policy->annotations[i].name.data,
                                             policy->annotations[i].name.len,
                                             text_json(policy->annotations[i].value)) == 0;
    return finish(object, good);
}

json_t *rv_policy_to_json(const struct rv_policy *policy)
{
    json_t *object =
        single("effect", json_string(policy->effect == RV_EFFECT_ALLOW ? "permit" : "forbid"));
    bool good = put(object, "principal", scope_json(&policy->principal));

    good &= put(object, "action", scope_json(&policy->action));
    good &= put(object, "resource", scope_json(&policy->resource));
    good &= put(object, "conditions", conditions_json(policy));
    if (policy->annotation_count > 0)
        good &= put(object, "annotations", annotations_json(policy));
    return finish(object, good);
}

static json_t *link_json(const struct rv_policy *link)
{
    json_t *object = json_object(), *values = json_object();
    bool good = put(object, "templateId", text_json(link->template_id));

    good &= put(object, "newId", text_json(link->id));
    if (link->link_of->principal.slot != RV_SLOT_NONE)
        good &= put(values, "?principal", uid_json(link->principal.uid));
    if (link->link_of->resource.slot != RV_SLOT_NONE)
        good &= put(values, "?resource", uid_json(link->resource.uid));
    good &= put(object, "values", values);
    return finish(object, good);
}

json_t *rv_policy_set_to_json(const struct rv_policy_set *set)
{
    json_t *policies = json_object(), *templates = json_object(), *links = json_array();
    json_t *object = json_object();
    bool good = true;

    for (size_t i = 0; i < set->count; i++) {
        const struct rv_policy *policy = set->items[i];
        json_t *to = rv_policy_is_template(policy) ? templates : policies;

        if (policy->link_of)
            good &= json_array_append_new(links, link_json(policy)) == 0;
        else
            good &= json_object_setn_new_nocheck(to, policy->id.data, policy->id.len,
                                                 rv_policy_to_json(policy)) == 0;
    }
    good &= put(object, "staticPolicies", policies);
    good &= put(object, "templates", templates);
    good &= put(object, "templateLinks", links);
    return finish(object, good);
}
