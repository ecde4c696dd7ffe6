/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compiled form against a plain walk over the tree: random policies, entities and requests, the
 * same decision, reasons and errors. RV_DIFFERENTIAL says how many requests (default 40,000).
 */
#include "test.h"

#include "policy/policy.h"
#include "policy/read.h"

#include <stdlib.h>

/* ---- The reference: slow and obvious ---- */

struct world {
    struct rv_arena arena;
    const struct rv_entities *entities;
    const struct rv_policy_request *request;
};

static bool walk(struct world *world, const struct rv_expr *expr, struct rv_value *ret);

static bool walk_kind(struct world *world, const struct rv_expr *expr, unsigned kind,
                      struct rv_value *ret)
{
    return walk(world, expr, ret) && ret->kind == kind;
}

/** One step at a time through the parents, whatever the store may have closed. */
static bool is_in(struct world *world, const struct rv_uid *a, const struct rv_uid *b, int depth)
{
    const struct rv_entity *entity = rv_entities_find(world->entities, a);

    if (rv_uid_eq(a, b))
        return true;
    for (uint32_t i = 0; depth < 10 && entity && i < entity->parent_count; i++) {
        if (is_in(world, entity->parents[i].uid, b, depth + 1))
            return true;
    }
    return false;
}

static bool walk_in(struct world *world, const struct rv_uid *a, const struct rv_value *b,
                    bool *ret)
{
    *ret = false;
    if (b->kind == RV_VALUE_ENTITY) {
        *ret = is_in(world, a, b->uid, 0);
        return true;
    }
    if (b->kind != RV_VALUE_SET)
        return false;
    for (uint32_t i = 0; i < b->count; i++) {
        if (b->items[i].kind != RV_VALUE_ENTITY)
            return false;
        *ret = *ret || is_in(world, a, b->items[i].uid, 0);
    }
    return true;
}

static bool walk_logic(struct world *world, const struct rv_expr *expr, struct rv_value *ret)
{
    bool stops_at = expr->kind == RV_EXPR_OR;

    if (!walk_kind(world, expr->children[0], RV_VALUE_BOOL, ret))
        return false;
    return ret->truth == stops_at || walk_kind(world, expr->children[1], RV_VALUE_BOOL, ret);
}

static bool walk_order(struct world *world, const struct rv_expr *expr, struct rv_value *ret)
{
    struct rv_value a, b;
    bool truth;

    if (!walk(world, expr->children[0], &a) || !walk(world, expr->children[1], &b) ||
        a.kind != b.kind ||
        (a.kind != RV_VALUE_LONG && a.kind != RV_VALUE_DATETIME && a.kind != RV_VALUE_DURATION))
        return false;
    truth = expr->kind == RV_EXPR_LT   ? a.number < b.number
            : expr->kind == RV_EXPR_LE ? a.number <= b.number
            : expr->kind == RV_EXPR_GT ? a.number > b.number
                                       : a.number >= b.number;
    *ret = rv_value_bool(truth);
    return true;
}

static bool walk_arithmetic(struct world *world, const struct rv_expr *expr, struct rv_value *ret)
{
    struct rv_value a, b;
    __int128 wide;

    if (!walk_kind(world, expr->children[0], RV_VALUE_LONG, &a) ||
        !walk_kind(world, expr->children[1], RV_VALUE_LONG, &b))
        return false;
    wide = expr->kind == RV_EXPR_ADD   ? (__int128)a.number + b.number
           : expr->kind == RV_EXPR_SUB ? (__int128)a.number - b.number
                                       : (__int128)a.number * b.number;
    *ret = rv_value_long((int64_t)wide);
    return wide == (int64_t)wide;
}

static bool set_holds(const struct rv_value *set, const struct rv_value *item)
{
    for (uint32_t i = 0; i < set->count; i++) {
        if (rv_value_compare(&set->items[i], item) == 0)
            return true;
    }
    return false;
}

static bool walk_sets(struct world *world, const struct rv_expr *expr, struct rv_value *ret)
{
    struct rv_value a, b;
    uint32_t held = 0;

    if (!walk_kind(world, expr->children[0], RV_VALUE_SET, &a))
        return false;
    if (expr->kind == RV_EXPR_IS_EMPTY) {
        *ret = rv_value_bool(a.count == 0);
        return true;
    }
    if (!walk(world, expr->children[1], &b))
        return false;
    if (expr->kind == RV_EXPR_CONTAINS) {
        *ret = rv_value_bool(set_holds(&a, &b));
        return true;
    }
    if (b.kind != RV_VALUE_SET)
        return false;
    for (uint32_t i = 0; i < b.count; i++)
        held += set_holds(&a, &b.items[i]);
    *ret = rv_value_bool(expr->kind == RV_EXPR_CONTAINS_ALL ? held == b.count : held > 0);
    return true;
}

static const struct rv_value *field_of(struct world *world, const struct rv_value *object,
                                       struct rv_text name, bool tags, bool *ret_exists)
{
    const struct rv_entity *entity;

    *ret_exists = true;
    if (object->kind == RV_VALUE_RECORD)
        return rv_fields_get(rv_record_fields(object), name);
    entity = rv_entities_find(world->entities, object->uid);
    *ret_exists = entity != NULL;
    return entity ? rv_fields_get(tags ? entity->tags : entity->attrs, name) : NULL;
}

static bool walk_field(struct world *world, const struct rv_expr *expr, struct rv_value *ret)
{
    bool tags = expr->kind == RV_EXPR_GET_TAG || expr->kind == RV_EXPR_HAS_TAG, exists;
    const struct rv_value *found;
    struct rv_value object, name = { 0 };

    if (!walk(world, expr->children[0], &object))
        return false;
    if (object.kind != RV_VALUE_ENTITY && (tags || object.kind != RV_VALUE_RECORD))
        return false;
    if (tags && !walk_kind(world, expr->children[1], RV_VALUE_STRING, &name))
        return false;
    found =
        field_of(world, &object, tags ? rv_text(name.text, name.count) : expr->name, tags, &exists);
    if (expr->kind == RV_EXPR_HAS_ATTR || expr->kind == RV_EXPR_HAS_TAG) {
        *ret = rv_value_bool(found != NULL);
        return true;
    }
    if (found)
        *ret = *found;
    return found != NULL;
}

/** Byte by byte with backtracking; the pattern's parts as one string, stars marked by -1. */
static bool like(const int *pattern, const char *text, size_t len)
{
    if (*pattern == -2)
        return len == 0;
    if (*pattern == -1)
        return like(pattern + 1, text, len) || (len > 0 && like(pattern, text + 1, len - 1));
    return len > 0 && (unsigned char)*text == *pattern && like(pattern + 1, text + 1, len - 1);
}

static bool walk_like(struct world *world, const struct rv_expr *expr, struct rv_value *ret)
{
    int pattern[64], count = 0;

    if (!walk_kind(world, expr->children[0], RV_VALUE_STRING, ret))
        return false;
    for (uint32_t i = 0; i < expr->pattern.count; i++) {
        for (uint32_t k = 0; k < expr->pattern.parts[i].text.len; k++)
            pattern[count++] = (unsigned char)expr->pattern.parts[i].text.data[k];
        if (expr->pattern.parts[i].star)
            pattern[count++] = -1;
    }
    pattern[count] = -2;
    *ret = rv_value_bool(like(pattern, ret->text, ret->count));
    return true;
}

static bool walk_is(struct world *world, const struct rv_expr *expr, struct rv_value *ret)
{
    struct rv_value a, b;
    bool inside = true;

    if (!walk_kind(world, expr->children[0], RV_VALUE_ENTITY, &a))
        return false;
    *ret = rv_value_bool(rv_text_eq(a.uid->type, expr->name));
    if (expr->child_count < 2 || !ret->truth)
        return true;
    if (!walk(world, expr->children[1], &b) || !walk_in(world, a.uid, &b, &inside))
        return false;
    *ret = rv_value_bool(inside);
    return true;
}

static bool walk_list(struct world *world, const struct rv_expr *expr, struct rv_value *ret)
{
    struct rv_value *items = rv_arena_array(&world->arena, expr->child_count, sizeof(*items));
    struct rv_field *fields = rv_arena_array(&world->arena, expr->child_count, sizeof(*fields));

    for (uint32_t i = 0; i < expr->child_count; i++) {
        if (!walk(world, expr->children[i], &items[i]))
            return false;
        if (expr->kind == RV_EXPR_RECORD)
            fields[i] = (struct rv_field){ expr->keys[i], items[i] };
    }
    if (expr->kind == RV_EXPR_SET) {
        *ret = rv_value_set(items, expr->child_count);
        return true;
    }
    (void)rv_fields_sort(fields, expr->child_count);
    *ret = rv_value_record((struct rv_fields){ fields, expr->child_count });
    return true;
}

static bool walk_call(struct world *world, const struct rv_expr *expr, struct rv_value *ret)
{
    struct rv_value a, b;

    if (expr->call == RV_CALL_DECIMAL) {
        int64_t units;

        if (!walk_kind(world, expr->children[0], RV_VALUE_STRING, &a) ||
            rv_decimal_parse(rv_text(a.text, a.count), &units) < 0)
            return false;
        *ret = rv_value_number(RV_VALUE_DECIMAL, units);
        return true;
    }
    assert_int_equal(expr->call, RV_CALL_LESS_THAN);
    if (!walk_kind(world, expr->children[0], RV_VALUE_DECIMAL, &a) ||
        !walk_kind(world, expr->children[1], RV_VALUE_DECIMAL, &b))
        return false;
    *ret = rv_value_bool(a.number < b.number);
    return true;
}

static bool walk_pair(struct world *world, const struct rv_expr *expr, struct rv_value *ret)
{
    struct rv_value a, b;
    bool truth;

    if (!walk(world, expr->children[0], &a) || !walk(world, expr->children[1], &b))
        return false;
    if (expr->kind == RV_EXPR_IN) {
        if (a.kind != RV_VALUE_ENTITY || !walk_in(world, a.uid, &b, &truth))
            return false;
    } else {
        truth = (rv_value_compare(&a, &b) == 0) == (expr->kind == RV_EXPR_EQ);
    }
    *ret = rv_value_bool(truth);
    return true;
}

static bool walk(struct world *world, const struct rv_expr *expr, struct rv_value *ret)
{
    const struct rv_uid *const variables[] = { world->request->principal, world->request->action,
                                               world->request->resource };

    switch (expr->kind) {
    case RV_EXPR_LITERAL:
        *ret = expr->value;
        return true;
    case RV_EXPR_VAR:
        *ret = expr->var == RV_VAR_CONTEXT ? rv_value_record(world->request->context)
                                           : rv_value_entity(variables[expr->var]);
        return true;
    case RV_EXPR_NOT:
        if (!walk_kind(world, expr->children[0], RV_VALUE_BOOL, ret))
            return false;
        ret->truth = !ret->truth;
        return true;
    case RV_EXPR_NEG:
        if (!walk_kind(world, expr->children[0], RV_VALUE_LONG, ret) || ret->number == INT64_MIN)
            return false;
        ret->number = -ret->number;
        return true;
    case RV_EXPR_AND:
    case RV_EXPR_OR:
        return walk_logic(world, expr, ret);
    case RV_EXPR_IF:
        return walk_kind(world, expr->children[0], RV_VALUE_BOOL, ret) &&
               walk(world, expr->children[ret->truth ? 1 : 2], ret);
    case RV_EXPR_EQ:
    case RV_EXPR_NE:
    case RV_EXPR_IN:
        return walk_pair(world, expr, ret);
    case RV_EXPR_ADD:
    case RV_EXPR_SUB:
    case RV_EXPR_MUL:
        return walk_arithmetic(world, expr, ret);
    case RV_EXPR_CONTAINS:
    case RV_EXPR_CONTAINS_ALL:
    case RV_EXPR_CONTAINS_ANY:
    case RV_EXPR_IS_EMPTY:
        return walk_sets(world, expr, ret);
    case RV_EXPR_GET_TAG:
    case RV_EXPR_HAS_TAG:
    case RV_EXPR_GET_ATTR:
    case RV_EXPR_HAS_ATTR:
        return walk_field(world, expr, ret);
    case RV_EXPR_LIKE:
        return walk_like(world, expr, ret);
    case RV_EXPR_IS:
        return walk_is(world, expr, ret);
    case RV_EXPR_SET:
    case RV_EXPR_RECORD:
        return walk_list(world, expr, ret);
    case RV_EXPR_CALL:
        return walk_call(world, expr, ret);
    default:
        return walk_order(world, expr, ret);
    }
}

static bool scope_takes(struct world *world, const struct rv_scope *scope, const struct rv_uid *uid)
{
    bool taken = scope->kind == RV_SCOPE_ANY;

    if (scope->kind == RV_SCOPE_EQ)
        return rv_uid_eq(uid, scope->uid);
    if (scope->kind == RV_SCOPE_IN)
        return is_in(world, uid, scope->uid, 0);
    if (scope->kind == RV_SCOPE_IS || scope->kind == RV_SCOPE_IS_IN)
        taken = rv_text_eq(uid->type, scope->type) &&
                (scope->kind == RV_SCOPE_IS || is_in(world, uid, scope->uid, 0));
    for (uint32_t i = 0; i < scope->uid_count; i++)
        taken = taken || is_in(world, uid, scope->uids[i], 0);
    return taken;
}

enum verdict { NO, YES, ERROR };

static enum verdict judge(struct world *world, const struct rv_policy *policy)
{
    struct rv_value value;

    if (!scope_takes(world, &policy->principal, world->request->principal) ||
        !scope_takes(world, &policy->action, world->request->action) ||
        !scope_takes(world, &policy->resource, world->request->resource))
        return NO;
    for (uint32_t i = 0; i < policy->condition_count; i++) {
        if (!walk_kind(world, policy->conditions[i].body, RV_VALUE_BOOL, &value))
            return ERROR;
        if (value.truth == policy->conditions[i].unless)
            return NO;
    }
    return YES;
}

/* ---- Random texts ---- */

static uint64_t random_state = 0x5eed;

static unsigned pick(unsigned count)
{
    random_state += 0x9e3779b97f4a7c15ULL;
    return (unsigned)(rv_mix64(random_state) % count);
}

#define ONE_OF(...)                                                                                \
    ((const char *const[]){ __VA_ARGS__ }[pick(RV_COUNT(((const char *const[]){ __VA_ARGS__ })))])

static const char *entity(void)
{
    return ONE_OF("User::\"a\"", "User::\"b\"", "User::\"nobody\"", "Group::\"g\"", "Group::\"h\"",
                  "Group::\"top\"", "Doc::\"d\"", "Doc::\"e\"");
}

/** A template of text: $ is any expression, ? one that is likely a truth, # a number, @ an entity.
 */
static void grow(struct rv_buf *buf, const char *shape, int depth);

static const char *truth_shape(int depth)
{
    if (depth > 4)
        return ONE_OF("true", "false", "principal == @", "context.flag", "principal in @",
                      "resource is Doc");
    return ONE_OF("? && ?", "? || ?", "!(?)", "# < #", "# <= #", "# > #", "# >= #", "$ == $",
                  "$ != $", "@ in @", "principal in [@, @]", "@ in $", "principal is User",
                  "principal is User in @", "resource is Doc in [@]", "context has rec.n",
                  "principal has age", "$ has level", "@.hasTag($)", "@.hasTag(\"t\")",
                  "[$, $].contains($)", "[$, #, #].containsAll([#])",
                  "principal.names.containsAny([$])", "[].isEmpty()", "$.isEmpty()",
                  "context.name like \"a*c\"", "$ like \"*\"", "context.name like \"*b*\"",
                  "decimal(\"1.5\").lessThan(decimal($))",
                  "decimal(\"1.5\").lessThan(decimal(\"2.5\"))", "(if ? then ? else ?)", "$");
}

static const char *shape_of(char wanted, int depth)
{
    if (wanted == '?')
        return truth_shape(depth);
    if (wanted == '@')
        return ONE_OF("principal", "resource", "principal.boss", "action", entity());
    if (wanted == '#')
        return depth > 4 ? ONE_OF("1", "2", "context.n", "principal.age")
                         : ONE_OF("1", "7", "(# + #)", "(# - #)", "(# * #)", "-(#)", "context.n",
                                  "principal.age", "resource.level", "9223372036854775807",
                                  "(if ? then # else #)", "context.rec.n");
    return depth > 4 ? ONE_OF("\"abc\"", "1", "true", "principal", "context.rec")
                     : ONE_OF("(?)", "#", "@", "\"abc\"", "\"t\"", "context.name", "[$, $]",
                              "{\"n\": $, \"m\": #}", "{\"n\": $}.n", "context.rec", "context",
                              "principal.names", "@.getTag(\"t\")", "decimal(\"1.50\")",
                              "(if ? then $ else $)", "resource.none", "[principal, @]");
}

static void grow(struct rv_buf *buf, const char *shape, int depth)
{
    for (; *shape; shape++) {
        if (!strchr("?@#$", *shape)) {
            rv_buf_add_char(buf, *shape);
        } else {
            rv_buf_add_char(buf, '(');
            grow(buf, shape_of(*shape, depth), depth + 1);
            rv_buf_add_char(buf, ')');
        }
    }
}

static void grow_policy(struct rv_buf *buf)
{
    rv_buf_addf(buf, "%s (", ONE_OF("permit", "forbid"));
    rv_buf_add_str(buf, ONE_OF("principal", "principal == User::\"a\"", "principal in Group::\"g\"",
                               "principal is User", "principal is User in Group::\"top\""));
    rv_buf_add_str(buf,
                   ONE_OF(", action", ", action == Action::\"read\"", ", action in Action::\"all\"",
                          ", action in [Action::\"read\", Action::\"write\"]", ", action in []"));
    rv_buf_add_str(buf,
                   ONE_OF(", resource)", ", resource == Doc::\"d\")", ", resource in Group::\"h\")",
                          ", resource is Doc)", ", resource is Doc in Group::\"top\")"));
    for (unsigned i = pick(3); i > 0; i--) {
        rv_buf_add_str(buf, ONE_OF(" when { ", " unless { "));
        grow(buf, "?", 0);
        rv_buf_add_str(buf, " }");
    }
    rv_buf_add_str(buf, ";\n");
}

static const char entities_text[] =
    "[{\"uid\": \"User::\\\"a\\\"\", \"parents\": [\"Group::\\\"g\\\"\"],"
    "  \"attrs\": {\"age\": 7, \"names\": [\"abc\", 1], \"boss\": {\"__entity\": {\"type\": \"User\","
    "  \"id\": \"b\"}}}, \"tags\": {\"t\": \"abc\"}},"
    " {\"uid\": \"User::\\\"b\\\"\", \"parents\": [], \"attrs\": {\"names\": [], \"age\": -1}},"
    " {\"uid\": \"Group::\\\"g\\\"\", \"parents\": [\"Group::\\\"top\\\"\"], \"attrs\": {}},"
    " {\"uid\": \"Doc::\\\"d\\\"\", \"parents\": [\"Group::\\\"h\\\"\", \"Group::\\\"g\\\"\"],"
    "  \"attrs\": {\"level\": 2}, \"tags\": {\"t\": 1, \"abc\": true}},"
    " {\"uid\": \"Action::\\\"read\\\"\", \"parents\": [\"Action::\\\"all\\\"\"], \"attrs\": {}}]";

static struct rv_entities *make_entities(void)
{
    RV_AUTO(rv_entities_builder_free) struct rv_entities_builder *builder = NULL;
    struct rv_entities *entities = NULL;
    const struct rv_uid *loop = NULL;
    json_t *json = json_loads(entities_text, 0, NULL);

    assert_non_null(json);
    rv_assert_ok(rv_entities_builder_new(&builder));
    rv_assert_ok(rv_entities_read_json(builder, json, NULL, NULL));
    rv_assert_ok(rv_entities_builder_finish(builder, &entities, &loop));
    json_decref(json);
    return entities;
}

static struct rv_uid random_uid(const char *const *types, const char *const *ids, unsigned count)
{
    unsigned which = pick(count);

    return rv_uid(rv_text_str(types[which]), rv_text_str(ids[which]));
}

static void compare(const struct rv_policy_set *set, const struct rv_program *program,
                    struct world *world, const struct rv_policy_decision *got, const char *text)
{
    uint32_t reasons = 0, errors = 0, forbids = 0, permits = 0;
    enum verdict verdicts[8];

    for (uint32_t i = 0; i < set->count; i++) {
        verdicts[i] = judge(world, set->items[i]);
        forbids += verdicts[i] == YES && set->items[i]->effect == RV_EFFECT_DENY;
        permits += verdicts[i] == YES && set->items[i]->effect == RV_EFFECT_ALLOW;
    }
    if ((got->effect == RV_EFFECT_ALLOW) != (forbids == 0 && permits > 0))
        fail_msg("decision differs:\n%s", text);
    for (uint32_t i = 0; i < set->count; i++) {
        enum rv_effect deciding = forbids ? RV_EFFECT_DENY : RV_EFFECT_ALLOW;

        assert_true(rv_text_eq(rv_program_policy(program, i)->id, set->items[i]->id));
        if (verdicts[i] == ERROR &&
            (errors >= got->error_count || got->errors[errors++].policy != i))
            fail_msg("policy %u: an error is missing:\n%s", i, text);
        if (verdicts[i] == YES && set->items[i]->effect == deciding &&
            (reasons >= got->reason_count || got->reasons[reasons++] != i))
            fail_msg("policy %u: a reason is missing:\n%s", i, text);
    }
    if (reasons != got->reason_count || errors != got->error_count)
        fail_msg("too many reasons or errors:\n%s", text);
}

static void ask(const struct rv_policy_set *set, const struct rv_program *program,
                struct rv_evaluator *evaluator, const struct rv_entities *entities,
                const char *text)
{
    static const char *const types[] = { "User", "User", "User", "Group" };
    static const char *const ids[] = { "a", "b", "nobody", "g" };
    static const char *const doc_types[] = { "Doc", "Doc", "Group" };
    static const char *const doc_ids[] = { "d", "e", "h" };
    static const char *const action_types[] = { "Action", "Action" };
    static const char *const action_ids[] = { "read", "write" };
    struct rv_uid principal = random_uid(types, ids, 4),
                  resource = random_uid(doc_types, doc_ids, 3);
    struct rv_uid action = random_uid(action_types, action_ids, 2);
    struct rv_field inner[] = { { rv_text_str("n"), rv_value_long((int64_t)pick(9)) } };
    struct rv_field fields[] = {
        { rv_text_str("flag"), rv_value_bool(pick(2)) },
        { rv_text_str("n"), rv_value_long((int64_t)pick(5) - 2) },
        { rv_text_str("name"), rv_value_string("abcbc", 2 + pick(4)) },
        { rv_text_str("rec"), rv_value_record((struct rv_fields){ inner, pick(2) }) },
    };
    struct rv_policy_request request = { &principal, &action,
                                         &resource,  { fields, (uint32_t)(pick(4) ? 4 : 2) },
                                         NULL,       0 };
    struct world world = { .entities = entities, .request = &request };
    struct rv_policy_decision decision;

    rv_evaluate(evaluator, entities, &request, &decision);
    compare(set, program, &world, &decision, text);
    rv_arena_done(&world.arena);
}

static void compiled_and_walked_agree(void **state)
{
    const char *wanted = getenv("RV_DIFFERENTIAL");
    unsigned long requests = wanted ? strtoul(wanted, NULL, 10) : 40000, done = 0;
    RV_AUTO(rv_entities_free) struct rv_entities *entities = make_entities();

    (void)state;
    while (done < requests) {
        RV_AUTO(rv_policy_set_done) struct rv_policy_set set = { 0 };
        RV_AUTO(rv_program_free) struct rv_program *program = NULL;
        RV_AUTO(rv_evaluator_free) struct rv_evaluator *evaluator = NULL;
        RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };

        for (unsigned i = 1 + pick(6); i > 0; i--)
            grow_policy(&text);
        if (rv_policy_read(&set, "random", rv_buf_span(&text), NULL) < 0)
            fail_msg("cannot be read:\n%s", text.data);
        rv_assert_ok(rv_program_compile(&set, &program, NULL));
        rv_assert_ok(rv_evaluator_new(&evaluator, program));
        for (int i = 0; i < 20; i++, done++)
            ask(&set, program, evaluator, entities, text.data);
    }
    printf("# %lu requests\n", done);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(compiled_and_walked_agree) };

    return cmocka_run_group_tests_name("unit.policy.differential", tests, NULL, NULL);
}
