/* SPDX-License-Identifier: Apache-2.0 */
/* Reads policies in JSON form (EST): the same trees as from human syntax. */
#include "base/json.h"
#include "policy/read.h"
#include "schema_doc.h"
#include "set.h"

#include <stdarg.h>
#include <stdio.h>

struct reader {
    struct rv_arena *arena;
    struct rv_diags *diags;
    unsigned depth;
    bool no_memory;
};

static bool fail(struct reader *reader, const char *format, ...) RV_PRINTF(2, 3);

static bool fail(struct reader *reader, const char *format, ...)
{
    char message[300];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    rv_diag_add(reader->diags, RV_DIAG_ERROR, "policy-json", (struct rv_diag_at){ 0 }, NULL, "%s",
                message);
    return false;
}

static bool fail_memory(struct reader *reader)
{
    reader->no_memory = true;
    return false;
}

static bool copy_text(struct reader *reader, const char *data, size_t len, struct rv_text *ret)
{
    *ret = rv_arena_text(reader->arena, data, len);
    return ret->data || fail_memory(reader);
}

static bool read_string(struct reader *reader, const json_t *value, const char *what,
                        struct rv_text *ret)
{
    if (!json_is_string(value))
        return fail(reader, "%s must be a string", what);
    return copy_text(reader, json_string_value(value), json_string_length(value), ret);
}

static bool read_type(struct reader *reader, const json_t *value, struct rv_text *ret)
{
    if (!read_string(reader, value, "`entity_type`", ret))
        return false;
    return (rv_is_path(*ret) && !rv_is_internal_path(*ret)) ||
           fail(reader, "`%.*s` is not an entity type", RV_TEXT_ARGS(*ret));
}

static bool read_uid(struct reader *reader, const json_t *value, const struct rv_uid **ret)
{
    struct rv_uid *uid = rv_arena_alloc(reader->arena, sizeof(*uid));
    int r = uid ? rv_uid_read_json(reader->arena, value, uid, reader->diags) : -ENOMEM;

    *ret = uid;
    return r == 0 || (r == -ENOMEM && fail_memory(reader));
}

/* ---- Nodes ---- */
static bool make(struct reader *reader, enum rv_expr_kind kind, uint32_t count,
                 struct rv_expr **ret_expr, const struct rv_expr ***ret_children)
{
    struct rv_expr *expr = rv_arena_alloc(reader->arena, sizeof(*expr));
    const struct rv_expr **children =
        rv_arena_array(reader->arena, count, sizeof(const struct rv_expr *));

    if (!expr || !children)
        return fail_memory(reader);
    expr->kind = (uint8_t)kind;
    expr->children = children;
    expr->child_count = count;
    expr->depth = 1;
    *ret_expr = expr;
    *ret_children = children;
    return true;
}

/** The depth follows from the children, once they are there. */
static bool close_node(struct reader *reader, struct rv_expr *expr)
{
    for (uint32_t i = 0; i < expr->child_count; i++) {
        if (expr->children[i]->depth >= expr->depth)
            expr->depth = (uint16_t)(expr->children[i]->depth + 1);
    }
    return expr->depth <= RV_EXPR_DEPTH_MAX ||
           fail(reader, "the expression is nested deeper than %d", RV_EXPR_DEPTH_MAX);
}

static bool read_expr(struct reader *reader, const json_t *value, const struct rv_expr **ret);

/** Members of an operator's object, in the order of its children. */
static bool read_children(struct reader *reader, enum rv_expr_kind kind, const char *name,
                          const json_t *value, const char *const *members, uint32_t count,
                          struct rv_expr **ret)
{
    const struct rv_expr **children;

    if (!json_is_object(value))
        return fail(reader, "`%s` must be an object", name);
    if (!make(reader, kind, count, ret, &children))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        const json_t *member = json_object_get(value, members[i]);

        if (!member)
            return fail(reader, "`%s` lacks `%s`", name, members[i]);
        if (!read_expr(reader, member, &children[i]))
            return false;
    }
    return close_node(reader, *ret);
}

/* ---- Values ---- */
static bool read_value(struct reader *reader, const json_t *value, const struct rv_expr **ret);

static bool make_literal(struct reader *reader, struct rv_value value, const struct rv_expr **ret)
{
    const struct rv_expr **children;
    struct rv_expr *expr = NULL;

    if (!make(reader, RV_EXPR_LITERAL, 0, &expr, &children))
        return false;
    expr->value = value;
    *ret = expr;
    return true;
}

static bool read_items(struct reader *reader, const json_t *array, enum rv_expr_kind kind,
                       bool (*read_one)(struct reader *reader, const json_t *value,
                                        const struct rv_expr **ret),
                       struct rv_expr **ret)
{
    const struct rv_expr **children;

    if (!make(reader, kind, (uint32_t)json_array_size(array), ret, &children))
        return false;
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (!read_one(reader, json_array_get(array, i), &children[i]))
            return false;
    }
    return close_node(reader, *ret);
}

static bool read_fields(struct reader *reader, const json_t *object,
                        bool (*read_one)(struct reader *reader, const json_t *value,
                                         const struct rv_expr **ret),
                        struct rv_expr **ret)
{
    json_t *source = (json_t *)(uintptr_t)object; /* jansson iterates only what is not const */
    uint32_t count = (uint32_t)json_object_size(object), i = 0;
    struct rv_text *keys = rv_arena_array(reader->arena, count, sizeof(*keys));
    const struct rv_expr **children;

    if (!keys)
        return fail_memory(reader);
    if (!make(reader, RV_EXPR_RECORD, count, ret, &children))
        return false;
    for (void *it = json_object_iter(source); it; it = json_object_iter_next(source, it), i++) {
        if (!copy_text(reader, json_object_iter_key(it), json_object_iter_key_len(it), &keys[i]) ||
            !read_one(reader, json_object_iter_value(it), &children[i]))
            return false;
    }
    (*ret)->keys = keys;
    return close_node(reader, *ret);
}

static bool find_call(struct reader *reader, const char *name, enum rv_call *ret)
{
    *ret = rv_call_by_name(rv_text_str(name));
    return *ret < RV_CALL_COUNT_ || fail(reader, "there is no operator or function `%.60s`", name);
}

/** {"__extn": {"fn": "ip", "arg": "10.0.0.1"}} */
static bool read_extension(struct reader *reader, const json_t *value, struct rv_expr **ret)
{
    const char *name = json_string_value(json_object_get(value, "fn"));
    const json_t *arg = json_object_get(value, "arg");
    const struct rv_expr **children;
    enum rv_call call;

    if (!name || !arg)
        return fail(reader, "`__extn` must hold `fn` and `arg`");
    if (!find_call(reader, name, &call) || !make(reader, RV_EXPR_CALL, 1, ret, &children) ||
        !read_value(reader, arg, &children[0]))
        return false;
    (*ret)->call = (uint8_t)call;
    return close_node(reader, *ret);
}

static bool read_object_value(struct reader *reader, const json_t *value,
                              const struct rv_expr **ret)
{
    const json_t *entity = json_object_get(value, "__entity");
    const json_t *extension = json_object_get(value, "__extn");
    const struct rv_uid *uid;
    struct rv_expr *expr = NULL;
    bool good;

    if (entity && json_object_size(value) == 1)
        return read_uid(reader, entity, &uid) && make_literal(reader, rv_value_entity(uid), ret);
    if (extension && json_object_size(value) == 1)
        good = read_extension(reader, extension, &expr);
    else
        good = read_fields(reader, value, read_value, &expr);
    if (good)
        *ret = expr;
    return good;
}

static bool read_value_inside(struct reader *reader, const json_t *value,
                              const struct rv_expr **ret)
{
    struct rv_expr *set = NULL;
    struct rv_text text;

    switch (json_typeof(value)) {
    case JSON_TRUE:
    case JSON_FALSE:
        return make_literal(reader, rv_value_bool(json_is_true(value)), ret);
    case JSON_INTEGER:
        return make_literal(reader, rv_value_long(json_integer_value(value)), ret);
    case JSON_STRING:
        return read_string(reader, value, "a value", &text) &&
               make_literal(reader, rv_value_string(text.data, text.len), ret);
    case JSON_ARRAY:
        if (!read_items(reader, value, RV_EXPR_SET, read_value, &set))
            return false;
        *ret = set;
        return true;
    case JSON_OBJECT:
        return read_object_value(reader, value, ret);
    case JSON_REAL:
        return fail(reader, "numbers must be whole: there are no fractions");
    case JSON_NULL:
        break;
    }
    return fail(reader, "`null` is no value");
}

static bool enter(struct reader *reader)
{
    return ++reader->depth <= RV_EXPR_DEPTH_MAX ||
           fail(reader, "the expression is nested deeper than %d", RV_EXPR_DEPTH_MAX);
}

static bool read_value(struct reader *reader, const json_t *value, const struct rv_expr **ret)
{
    bool good = enter(reader) && read_value_inside(reader, value, ret);

    reader->depth--;
    return good;
}

/* ---- Operators ---- */
struct operator_rule {
    const char *name;
    enum rv_expr_kind kind;
    const char *members[3];
    uint32_t count;
};

static const struct operator_rule operators[] = {
    { "!", RV_EXPR_NOT, { "arg" }, 1 },
    { "neg", RV_EXPR_NEG, { "arg" }, 1 },
    { "isEmpty", RV_EXPR_IS_EMPTY, { "arg" }, 1 },
    { "==", RV_EXPR_EQ, { "left", "right" }, 2 },
    { "!=", RV_EXPR_NE, { "left", "right" }, 2 },
    { "<", RV_EXPR_LT, { "left", "right" }, 2 },
    { "<=", RV_EXPR_LE, { "left", "right" }, 2 },
    { ">", RV_EXPR_GT, { "left", "right" }, 2 },
    { ">=", RV_EXPR_GE, { "left", "right" }, 2 },
    { "&&", RV_EXPR_AND, { "left", "right" }, 2 },
    { "||", RV_EXPR_OR, { "left", "right" }, 2 },
    { "+", RV_EXPR_ADD, { "left", "right" }, 2 },
    { "-", RV_EXPR_SUB, { "left", "right" }, 2 },
    { "*", RV_EXPR_MUL, { "left", "right" }, 2 },
    { "in", RV_EXPR_IN, { "left", "right" }, 2 },
    { "contains", RV_EXPR_CONTAINS, { "left", "right" }, 2 },
    { "containsAll", RV_EXPR_CONTAINS_ALL, { "left", "right" }, 2 },
    { "containsAny", RV_EXPR_CONTAINS_ANY, { "left", "right" }, 2 },
    { "getTag", RV_EXPR_GET_TAG, { "left", "right" }, 2 },
    { "hasTag", RV_EXPR_HAS_TAG, { "left", "right" }, 2 },
    { "if-then-else", RV_EXPR_IF, { "if", "then", "else" }, 3 },
    { ".", RV_EXPR_GET_ATTR, { "left" }, 1 },
    { "has", RV_EXPR_HAS_ATTR, { "left" }, 1 },
    { "like", RV_EXPR_LIKE, { "left" }, 1 },
    { "is", RV_EXPR_IS, { "left" }, 1 },
};

static bool read_pattern(struct reader *reader, const json_t *value, struct rv_expr *expr)
{
    size_t count = json_array_size(value);
    struct rv_pattern_part *parts = rv_arena_array(reader->arena, count + 1, sizeof(*parts));

    if (!json_is_array(value))
        return fail(reader, "`pattern` must be an array");
    if (!parts)
        return fail_memory(reader);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(value, i);
        const json_t *literal = json_object_get(item, "Literal");
        struct rv_pattern_part *part = &parts[i];

        part->text = rv_text("", 0);
        part->star = json_is_string(item) && rv_streq(json_string_value(item), "Wildcard");
        if (!part->star && !read_string(reader, literal, "a part of a pattern", &part->text))
            return false;
    }
    if (count == 0)
        parts[count++].text = rv_text("", 0);
    expr->pattern = (struct rv_pattern){ parts, (uint32_t)count };
    return true;
}

/** `a is T in b`: the second child comes after the fact. */
static bool add_in(struct reader *reader, const json_t *value, struct rv_expr *expr)
{
    const json_t *above = json_object_get(value, "in");
    const struct rv_expr **children =
        rv_arena_array(reader->arena, 2, sizeof(const struct rv_expr *));

    if (!above)
        return true;
    if (!children)
        return fail_memory(reader);
    children[0] = expr->children[0];
    if (!read_expr(reader, above, &children[1]))
        return false;
    expr->children = children;
    expr->child_count = 2;
    return close_node(reader, expr);
}

static bool read_operator_rest(struct reader *reader, const json_t *value, struct rv_expr *expr)
{
    switch (expr->kind) {
    case RV_EXPR_GET_ATTR:
    case RV_EXPR_HAS_ATTR:
        return read_string(reader, json_object_get(value, "attr"), "`attr`", &expr->name);
    case RV_EXPR_LIKE:
        return read_pattern(reader, json_object_get(value, "pattern"), expr);
    case RV_EXPR_IS:
        return read_type(reader, json_object_get(value, "entity_type"), &expr->name) &&
               add_in(reader, value, expr);
    default:
        return true;
    }
}

static bool read_var(struct reader *reader, const json_t *value, struct rv_expr **ret)
{
    static const char *const names[] = {
        [RV_VAR_PRINCIPAL] = "principal",
        [RV_VAR_ACTION] = "action",
        [RV_VAR_RESOURCE] = "resource",
        [RV_VAR_CONTEXT] = "context",
    };
    const struct rv_expr **children;
    const char *name = json_string_value(value);

    for (size_t i = 0; name && i < RV_COUNT(names); i++) {
        if (!rv_streq(name, names[i]))
            continue;
        if (!make(reader, RV_EXPR_VAR, 0, ret, &children))
            return false;
        (*ret)->var = (uint8_t)i;
        return true;
    }
    return fail(reader, "there is no variable `%.60s`", name ? name : "");
}

static bool read_call(struct reader *reader, const char *name, const json_t *value,
                      struct rv_expr **ret)
{
    enum rv_call call;

    if (!find_call(reader, name, &call))
        return false;
    if (!json_is_array(value))
        return fail(reader, "`%s` must be an array of arguments", name);
    if (!read_items(reader, value, RV_EXPR_CALL, read_expr, ret))
        return false;
    (*ret)->call = (uint8_t)call;
    return true;
}

static bool read_operator(struct reader *reader, const char *name, const json_t *value,
                          struct rv_expr **ret)
{
    if (rv_streq(name, "Var"))
        return read_var(reader, value, ret);
    if (rv_streq(name, "Set"))
        return json_is_array(value) ? read_items(reader, value, RV_EXPR_SET, read_expr, ret)
                                    : fail(reader, "`Set` must be an array");
    if (rv_streq(name, "Record"))
        return json_is_object(value) ? read_fields(reader, value, read_expr, ret)
                                     : fail(reader, "`Record` must be an object");
    for (size_t i = 0; i < RV_COUNT(operators); i++) {
        if (rv_streq(name, operators[i].name))
            return read_children(reader, operators[i].kind, name, value, operators[i].members,
                                 operators[i].count, ret) &&
                   read_operator_rest(reader, value, *ret);
    }
    return read_call(reader, name, value, ret);
}

static bool read_expr_inside(struct reader *reader, const json_t *value, const struct rv_expr **ret)
{
    json_t *object = (json_t *)(uintptr_t)value;
    void *it = json_object_iter(object);
    struct rv_expr *expr = NULL;

    if (!json_is_object(value) || json_object_size(value) != 1)
        return fail(reader, "an expression must be an object with one member, its operator");
    if (rv_streq(json_object_iter_key(it), "Value"))
        return read_value(reader, json_object_iter_value(it), ret);
    if (!read_operator(reader, json_object_iter_key(it), json_object_iter_value(it), &expr))
        return false;
    *ret = expr;
    return true;
}

static bool read_expr(struct reader *reader, const json_t *value, const struct rv_expr **ret)
{
    bool good = enter(reader) && read_expr_inside(reader, value, ret);

    reader->depth--;
    return good;
}

/* ---- Scopes ---- */
/** The `entity` or `slot` of a scope, or of its `in`. */
static bool read_operand(struct reader *reader, const json_t *value, const char *var,
                         struct rv_scope *scope)
{
    const json_t *entity = json_object_get(value, "entity");
    const char *slot = json_string_value(json_object_get(value, "slot"));

    if (entity)
        return read_uid(reader, entity, &scope->uid);
    if (slot && rv_streq(slot, "?principal") && rv_streq(var, "principal"))
        scope->slot = RV_SLOT_PRINCIPAL;
    else if (slot && rv_streq(slot, "?resource") && rv_streq(var, "resource"))
        scope->slot = RV_SLOT_RESOURCE;
    else
        return fail(reader, "`%s` needs `entity` or the `slot` \"?%s\"", var, var);
    return true;
}

static bool read_entities(struct reader *reader, const json_t *value, struct rv_scope *scope)
{
    const struct rv_uid **uids =
        rv_arena_array(reader->arena, json_array_size(value), sizeof(const struct rv_uid *));

    if (!json_is_array(value))
        return fail(reader, "`entities` must be an array");
    if (!uids)
        return fail_memory(reader);
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (!read_uid(reader, json_array_get(value, i), &uids[i]))
            return false;
    }
    scope->kind = RV_SCOPE_IN_SET;
    scope->uids = uids;
    scope->uid_count = (uint32_t)json_array_size(value);
    return true;
}

static bool read_is_scope(struct reader *reader, const json_t *value, const char *var,
                          struct rv_scope *scope)
{
    const json_t *in = json_object_get(value, "in");

    scope->kind = in ? RV_SCOPE_IS_IN : RV_SCOPE_IS;
    return read_type(reader, json_object_get(value, "entity_type"), &scope->type) &&
           (!in || read_operand(reader, in, var, scope));
}

static bool check_actions(struct reader *reader, const struct rv_scope *scope)
{
    bool good = !scope->uid || rv_type_is_action(scope->uid->type);

    for (uint32_t i = 0; i < scope->uid_count; i++)
        good &= rv_type_is_action(scope->uids[i]->type);
    return good || fail(reader, "`action` names an entity that is no action");
}

static bool read_scope(struct reader *reader, const json_t *policy, const char *var,
                       struct rv_scope *scope)
{
    const json_t *value = json_object_get(policy, var);
    const char *op = json_string_value(json_object_get(value, "op"));
    bool action = rv_streq(var, "action"), good;

    if (!op)
        return fail(reader, "`%s` lacks `op`", var);
    if (rv_streq(op, "All"))
        return true;
    if (rv_streq(op, "is") && !action)
        return read_is_scope(reader, value, var, scope);
    if (rv_streq(op, "in") && action && json_object_get(value, "entities"))
        return read_entities(reader, json_object_get(value, "entities"), scope) &&
               check_actions(reader, scope);
    if (!rv_streq(op, "==") && !rv_streq(op, "in"))
        return fail(reader, "`%s` has no `op` \"%.40s\"", var, op);
    scope->kind = rv_streq(op, "==") ? RV_SCOPE_EQ : RV_SCOPE_IN;
    good = read_operand(reader, value, var, scope);
    return good && (!action || check_actions(reader, scope));
}

/* ---- Policies ---- */
static bool read_conditions(struct reader *reader, const json_t *value, struct rv_policy *policy)
{
    size_t count = json_array_size(value);
    struct rv_condition *items = rv_arena_array(reader->arena, count, sizeof(*items));

    if (!json_is_array(value))
        return fail(reader, "`conditions` must be an array");
    if (!items)
        return fail_memory(reader);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(value, i);
        const char *kind = json_string_value(json_object_get(item, "kind"));
        const json_t *body = json_object_get(item, "body");

        if (!kind || (!rv_streq(kind, "when") && !rv_streq(kind, "unless")) || !body)
            return fail(reader, "a condition needs `kind`, \"when\" or \"unless\", and `body`");
        items[i].unless = rv_streq(kind, "unless");
        if (!read_expr(reader, body, &items[i].body))
            return false;
    }
    policy->conditions = items;
    policy->condition_count = (uint32_t)count;
    return true;
}

static bool read_annotations(struct reader *reader, const json_t *value, struct rv_policy *policy)
{
    json_t *object = (json_t *)(uintptr_t)value;
    struct rv_annotation *items =
        rv_arena_array(reader->arena, json_object_size(value), sizeof(*items));

    if (value && !json_is_object(value))
        return fail(reader, "`annotations` must be an object");
    if (!items)
        return fail_memory(reader);
    policy->annotations = items;
    for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it)) {
        struct rv_annotation *item = &items[policy->annotation_count++];
        const json_t *text = json_object_iter_value(it);

        if (!copy_text(reader, json_object_iter_key(it), json_object_iter_key_len(it), &item->name))
            return false;
        if (!rv_is_identifier(item->name))
            return fail(reader, "`%.*s` cannot name an annotation", RV_TEXT_ARGS(item->name));
        item->value = rv_text("", 0);
        if (!json_is_null(text) && !read_string(reader, text, "an annotation", &item->value))
            return false;
    }
    return true;
}

static bool read_policy(struct reader *reader, const json_t *value, struct rv_policy *policy)
{
    const char *effect = json_string_value(json_object_get(value, "effect"));

    if (!effect || (!rv_streq(effect, "permit") && !rv_streq(effect, "forbid")))
        return fail(reader, "a policy needs `effect`, \"permit\" or \"forbid\"");
    policy->effect = rv_streq(effect, "permit") ? RV_EFFECT_ALLOW : RV_EFFECT_DENY;
    return read_scope(reader, value, "principal", &policy->principal) &&
           read_scope(reader, value, "action", &policy->action) &&
           read_scope(reader, value, "resource", &policy->resource) &&
           read_conditions(reader, json_object_get(value, "conditions"), policy) &&
           read_annotations(reader, json_object_get(value, "annotations"), policy);
}

int rv_policy_read_json(struct rv_policy_set *set, const char *id, const json_t *value,
                        struct rv_diags *diags)
{
    struct reader reader = { .arena = &set->arena, .diags = diags };
    struct rv_policy policy = { 0 };

    if (id && rv_policy_set_find(set, rv_text_str(id))) {
        (void)fail(&reader, "policy `%.100s` is there twice", id);
        return -EINVAL;
    }
    if (!read_policy(&reader, value, &policy))
        return reader.no_memory ? -ENOMEM : -EINVAL;
    policy.id = id ? rv_arena_text(&set->arena, id, strlen(id)) : rv_policy_set_next_id(set);
    return policy.id.data ? rv_policy_set_add(set, &policy) : -ENOMEM;
}

/* ---- Policy sets ---- */
static int read_policies(struct rv_policy_set *set, const json_t *value, bool templates,
                         struct rv_diags *diags)
{
    json_t *object = (json_t *)(uintptr_t)value;
    struct reader reader = { .arena = &set->arena, .diags = diags };
    int r = 0;

    for (void *it = json_object_iter(object); r == 0 && it;
         it = json_object_iter_next(object, it)) {
        r = rv_policy_read_json(set, json_object_iter_key(it), json_object_iter_value(it), diags);
        if (r == 0 && rv_policy_is_template(set->items[set->count - 1]) != templates) {
            (void)fail(&reader,
                       templates ? "`%.100s` has no slot: it is no template"
                                 : "`%.100s` has a slot: it belongs to `templates`",
                       json_object_iter_key(it));
            r = -EINVAL;
        }
    }
    return r;
}

static int read_link(struct rv_policy_set *set, const json_t *value, struct rv_diags *diags)
{
    struct reader reader = { .arena = &set->arena, .diags = diags };
    const char *template = json_string_value(json_object_get(value, "templateId"));
    const char *id = json_string_value(json_object_get(value, "newId"));
    const json_t *values = json_object_get(value, "values");
    const json_t *slots[] = { json_object_get(values, "?principal"),
                              json_object_get(values, "?resource") };
    const struct rv_uid *uids[2] = { NULL, NULL };
    int r;

    if (!template || !id) {
        (void)fail(&reader, "a link needs `templateId`, `newId` and `values`");
        return -EINVAL;
    }
    for (size_t i = 0; i < RV_COUNT(slots); i++) {
        if (slots[i] && !read_uid(&reader, slots[i], &uids[i]))
            return reader.no_memory ? -ENOMEM : -EINVAL;
    }
    r = rv_policy_set_link(set, rv_text_str(template), rv_text_str(id), uids[0], uids[1]);
    if (r == -ENOMEM || r == 0)
        return r;
    (void)fail(&reader, "link `%.100s` of `%.100s`: %s", id, template,
               r == -ENOENT   ? "there is no such template"
               : r == -EEXIST ? "the id is taken"
                              : "its values do not fit the slots");
    return -EINVAL;
}

int rv_policy_set_read_json(struct rv_policy_set *set, const json_t *value, struct rv_diags *diags)
{
    const json_t *links = json_object_get(value, "templateLinks");
    struct reader reader = { .arena = &set->arena, .diags = diags };
    size_t count = set->count, next_id = set->next_id;
    int r;

    if (json_object_get(value, "effect"))
        return rv_policy_read_json(set, NULL, value, diags); /* a single policy */
    if (!json_is_object(value)) {
        (void)fail(&reader, "a policy set must be an object with `staticPolicies`, `templates` "
                            "and `templateLinks`");
        return -EINVAL;
    }
    r = read_policies(set, json_object_get(value, "staticPolicies"), /* templates= */ false, diags);
    if (r == 0)
        r = read_policies(set, json_object_get(value, "templates"), /* templates= */ true, diags);
    for (size_t i = 0; r == 0 && i < json_array_size(links); i++)
        r = read_link(set, json_array_get(links, i), diags);
    if (r < 0) {
        set->count = count;
        set->next_id = next_id;
    }
    return r;
}
