/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of the type checker, one function a kind of expression.
 *
 * Booleans that are always true or false have types of their own: the side of `&&`, `||` and `if`
 * that is never evaluated is not checked. */
#include "check_rules.h"

/* ---- Leaves ---- */
static struct check_answer check_entity_literal(struct checker *checker, const struct rv_uid *uid)
{
    const struct rv_schema *schema = checker->types.schema;
    struct rv_type *type;

    /* What is not declared has been reported for the policy as a whole. */
    if (rv_type_is_action(uid->type) ? !rv_schema_action(schema, uid)
                                     : !rv_schema_entity(schema, uid->type))
        return check_bad(NULL);
    type = rv_arena_alloc(checker->types.arena, sizeof(*type));
    if (!type)
        return check_bad(NULL);
    *type = (struct rv_type){ .kind = RV_VALUE_ENTITY, .entity_type = uid->type };
    return check_good(type);
}

static struct check_answer check_literal_expr(struct checker *checker, struct check_caps prior,
                                              const struct rv_expr *expr)
{
    (void)prior;
    switch (expr->value.kind) {
    case RV_VALUE_BOOL:
        return check_good(check_singleton(expr->value.truth));
    case RV_VALUE_ENTITY:
        return check_entity_literal(checker, expr->value.uid);
    default:
        return check_good(rv_type_basic((enum rv_value_kind)expr->value.kind));
    }
}

static struct check_answer check_var(struct checker *checker, struct check_caps prior,
                                     const struct rv_expr *expr)
{
    (void)prior;
    switch ((enum rv_var)expr->var) {
    case RV_VAR_PRINCIPAL:
        return check_good(&checker->principal);
    case RV_VAR_ACTION:
        return check_good(&checker->action);
    case RV_VAR_RESOURCE:
        return check_good(&checker->resource);
    case RV_VAR_CONTEXT:
        break;
    }
    return check_good(checker->env.action->context);
}

static struct check_answer check_slot(struct checker *checker, struct check_caps prior,
                                      const struct rv_expr *expr)
{
    (void)prior;
    return check_good(expr->slot == RV_SLOT_PRINCIPAL ? &checker->principal_slot
                                                      : &checker->resource_slot);
}

const struct rv_value *check_literal(const struct rv_expr *expr, struct rv_value *room)
{
    struct rv_value other_room;
    const struct rv_value *left, *right;

    if (expr->kind == RV_EXPR_LITERAL)
        return &expr->value;
    if (expr->kind != RV_EXPR_AND && expr->kind != RV_EXPR_OR)
        return NULL;
    left = check_literal(expr->children[0], room);
    right = left ? check_literal(expr->children[1], &other_room) : NULL;
    if (!right || left->kind != RV_VALUE_BOOL || right->kind != RV_VALUE_BOOL)
        return NULL;
    *room = rv_value_bool(expr->kind == RV_EXPR_AND ? left->truth && right->truth
                                                    : left->truth || right->truth);
    return room;
}

/* ---- Logic ---- */
static struct check_answer check_not(struct checker *checker, struct check_caps prior,
                                     const struct rv_expr *expr)
{
    struct check_answer inner = check_expect(checker, prior, expr->children[0], WANT_BOOL);

    if (!inner.type)
        return check_bad(check_bool());
    if (inner.type->kind == CHECK_TRUE || inner.type->kind == CHECK_FALSE)
        return check_resting_on(inner,
                                check_good(check_singleton(inner.type->kind == CHECK_FALSE)));
    return check_resting_on(inner, check_good(check_bool()));
}

struct check_answer check_join(struct checker *checker, struct check_answer left,
                               struct check_answer right)
{
    struct rv_arena *arena = checker->types.arena;

    if (!left.type || !right.type)
        return check_bad(check_bool());
    if (right.type->kind == CHECK_FALSE)
        return check_good(&check_false);
    if (right.type->kind == CHECK_TRUE)
        return check_good_with(left.type, check_caps_union(arena, left.caps, right.caps));
    if (left.type->kind == CHECK_TRUE)
        return check_good_with(right.type, right.caps);
    return check_good_with(check_bool(), check_caps_union(arena, left.caps, right.caps));
}

struct check_answer check_start(void)
{
    return check_good(&check_true);
}

struct check_answer check_conjunct(struct checker *checker, struct check_answer so_far,
                                   const struct rv_expr *expr)
{
    struct check_answer right;

    if (check_is_kind(so_far.type, CHECK_FALSE))
        return so_far;
    right = check_expect(checker, so_far.caps, expr, WANT_BOOL);
    return check_resting_on(so_far, check_resting_on(right, check_join(checker, so_far, right)));
}

static struct check_answer check_and(struct checker *checker, struct check_caps prior,
                                     const struct rv_expr *expr)
{
    struct check_answer left = check_expect(checker, prior, expr->children[0], WANT_BOOL), right;

    if (check_is_kind(left.type, CHECK_FALSE))
        return check_resting_on(left, check_good(&check_false));
    right = check_expect(checker, check_caps_union(checker->types.arena, prior, left.caps),
                         expr->children[1], WANT_BOOL);
    return check_resting_on(left, check_resting_on(right, check_join(checker, left, right)));
}

static struct check_answer disjunction(struct checker *checker, struct check_answer left,
                                       struct check_answer right)
{
    if (!left.type || !right.type)
        return check_bad(check_bool());
    if (right.type->kind == CHECK_TRUE)
        return right;
    if (right.type->kind == CHECK_FALSE)
        return left;
    if (left.type->kind == CHECK_FALSE)
        return right;
    return check_good_with(check_bool(),
                           check_caps_intersect(checker->types.arena, right.caps, left.caps));
}

static struct check_answer check_or(struct checker *checker, struct check_caps prior,
                                    const struct rv_expr *expr)
{
    struct check_answer left = check_expect(checker, prior, expr->children[0], WANT_BOOL), right;

    if (check_is_kind(left.type, CHECK_TRUE))
        return left;
    right = check_expect(checker, prior, expr->children[1], WANT_BOOL);
    return check_resting_on(left, check_resting_on(right, disjunction(checker, left, right)));
}

static struct check_answer check_if(struct checker *checker, struct check_caps prior,
                                    const struct rv_expr *expr)
{
    struct rv_arena *arena = checker->types.arena;
    struct check_answer test = check_expect(checker, prior, expr->children[0], WANT_BOOL);
    struct check_answer yes = { 0 }, no;
    const struct rv_type *bound;

    if (!check_is_kind(test.type, CHECK_FALSE)) {
        yes = check_any(checker, check_caps_union(arena, prior, test.caps), expr->children[1]);
        yes.caps = check_caps_union(arena, yes.caps, test.caps);
        if (check_is_kind(test.type, CHECK_TRUE))
            return check_resting_on(test, yes);
    }
    no = check_any(checker, prior, expr->children[2]);
    if (check_is_kind(test.type, CHECK_FALSE))
        return check_resting_on(test, no);
    bound =
        yes.type && no.type ? check_together(checker, expr, TOGETHER_IF, yes.type, no.type) : NULL;
    if (!bound || !test.good || !yes.good || !no.good)
        return check_bad(bound);
    return check_good_with(bound, check_caps_intersect(arena, no.caps, yes.caps));
}

/* ---- Comparing ---- */
const struct rv_uid *check_known_uid(const struct checker *checker, const struct rv_expr *expr)
{
    if (expr->kind == RV_EXPR_VAR && expr->var == RV_VAR_ACTION)
        return &checker->env.action->uid;
    if (expr->kind == RV_EXPR_LITERAL && expr->value.kind == RV_VALUE_ENTITY)
        return expr->value.uid;
    return NULL;
}

static const struct rv_value *known_value(const struct checker *checker, const struct rv_expr *expr,
                                          struct rv_value *room)
{
    const struct rv_uid *uid = check_known_uid(checker, expr);

    if (uid) {
        *room = rv_value_entity(uid);
        return room;
    }
    return check_literal(expr, room);
}

static const struct rv_type *type_of_equality(const struct checker *checker,
                                              const struct rv_expr *expr, const struct rv_type *a,
                                              const struct rv_type *b)
{
    struct rv_value rooms[2];
    const struct rv_value *left, *right;

    if (a && b && check_disjoint(a, b))
        return &check_false;
    left = known_value(checker, expr->children[0], &rooms[0]);
    right = known_value(checker, expr->children[1], &rooms[1]);
    return left && right ? check_singleton(rv_value_eq(left, right)) : check_bool();
}

static struct check_answer check_eq(struct checker *checker, struct check_caps prior,
                                    const struct rv_expr *expr)
{
    struct check_answer left = check_any(checker, prior, expr->children[0]);
    struct check_answer right = check_any(checker, prior, expr->children[1]);
    const struct rv_type *type = type_of_equality(checker, expr, left.type, right.type);
    bool fine = left.good && right.good;

    if (checker->types.mode == RV_VALIDATE_STRICT && type->kind == RV_VALUE_BOOL && left.type &&
        right.type && !check_together(checker, expr, TOGETHER_EQ, left.type, right.type))
        fine = false;
    if (expr->kind == RV_EXPR_NE && type->kind != RV_VALUE_BOOL)
        type = check_singleton(type->kind == CHECK_FALSE);
    return fine ? check_good(type) : check_bad(type);
}

static bool is_ordered(const struct rv_type *type)
{
    return type->kind == RV_VALUE_LONG || type->kind == RV_VALUE_DATETIME ||
           type->kind == RV_VALUE_DURATION;
}

static void report_unordered(struct checker *checker, const struct rv_expr *expr,
                             const struct rv_type *partner, const struct rv_type *type)
{
    const char *wanted = !partner || !is_ordered(partner)     ? "Long, datetime or duration"
                         : partner->kind == RV_VALUE_DATETIME ? "datetime"
                         : partner->kind == RV_VALUE_DURATION ? "duration"
                                                              : "Long";

    check_report_unexpected(checker, expr, wanted, type,
                            type->kind == RV_VALUE_DECIMAL
                                ? "compare decimals with .lessThan(), .greaterThan() and their like"
                                : NULL);
}

static struct check_answer check_order(struct checker *checker, struct check_caps prior,
                                       const struct rv_expr *expr)
{
    struct check_answer left = check_any(checker, prior, expr->children[0]);
    struct check_answer right = check_any(checker, prior, expr->children[1]);
    const struct rv_type *a = left.type, *b = right.type;
    bool never = check_is_kind(a, CHECK_NEVER) || check_is_kind(b, CHECK_NEVER);

    if (!a || !b || (check_is_kind(a, CHECK_NEVER) && check_is_kind(b, CHECK_NEVER)))
        return check_bad(check_bool());
    if ((is_ordered(a) && (a->kind == b->kind || b->kind == CHECK_NEVER)) ||
        (is_ordered(b) && a->kind == CHECK_NEVER))
        return left.good && right.good ? check_good(check_bool()) : check_bad(check_bool());
    if (never) {
        report_unordered(checker, expr->children[a->kind == CHECK_NEVER], NULL,
                         a->kind == CHECK_NEVER ? b : a);
    } else if (is_ordered(a) && !(b->kind == RV_VALUE_LONG)) {
        report_unordered(checker, expr->children[1], a, b);
    } else if (is_ordered(b)) {
        report_unordered(checker, expr->children[0], b, a);
    } else {
        report_unordered(checker, expr->children[0], NULL, a);
        report_unordered(checker, expr->children[1], NULL, b);
    }
    return check_bad(check_bool());
}

static struct check_answer check_arithmetic(struct checker *checker, struct check_caps prior,
                                            const struct rv_expr *expr)
{
    bool fine = true;

    for (uint32_t i = 0; i < expr->child_count; i++)
        fine &= check_expect(checker, prior, expr->children[i], WANT_LONG).good;
    return fine ? check_good(rv_type_basic(RV_VALUE_LONG))
                : check_bad(rv_type_basic(RV_VALUE_LONG));
}

/* ---- Sets ---- */
static struct check_answer check_contains(struct checker *checker, struct check_caps prior,
                                          const struct rv_expr *expr)
{
    struct check_answer set = check_expect(checker, prior, expr->children[0], WANT_SET);
    struct check_answer item = check_any(checker, prior, expr->children[1]);
    const struct rv_type *element =
        check_is_kind(set.type, RV_VALUE_SET) ? set.type->element : NULL;
    bool fine = set.good && item.good;

    if (checker->types.mode == RV_VALIDATE_STRICT && element && item.type &&
        !check_together(checker, expr, TOGETHER_CONTAINS, element, item.type))
        fine = false;
    return fine ? check_good(check_bool()) : check_bad(check_bool());
}

static struct check_answer check_contains_sets(struct checker *checker, struct check_caps prior,
                                               const struct rv_expr *expr)
{
    struct check_answer left = check_expect(checker, prior, expr->children[0], WANT_SET);
    struct check_answer right = check_expect(checker, prior, expr->children[1], WANT_SET);
    bool fine = left.good && right.good;

    if (checker->types.mode == RV_VALIDATE_STRICT && left.type && right.type &&
        !check_together(checker, expr, TOGETHER_SETS, left.type, right.type))
        fine = false;
    return fine ? check_good(check_bool()) : check_bad(check_bool());
}

static struct check_answer check_is_empty(struct checker *checker, struct check_caps prior,
                                          const struct rv_expr *expr)
{
    return check_expect(checker, prior, expr->children[0], WANT_SET).good ? check_good(check_bool())
                                                                          : check_bad(check_bool());
}

/** The upper bound of all element types, or NULL; told only when each of them has a type. */
static const struct rv_type *element_type(struct checker *checker, const struct rv_expr *expr,
                                          const struct rv_type *const *types)
{
    const struct rv_type *bound = &check_never;

    for (uint32_t i = 0; i < expr->child_count; i++) {
        if (!types[i])
            return NULL;
    }
    for (uint32_t i = 0; bound && i < expr->child_count; i++)
        bound = check_together(checker, expr, TOGETHER_SET, bound, types[i]);
    return bound;
}

static struct check_answer check_set(struct checker *checker, struct check_caps prior,
                                     const struct rv_expr *expr)
{
    struct rv_arena *arena = checker->types.arena;
    const struct rv_type **types =
        rv_arena_array(arena, expr->child_count, sizeof(const struct rv_type *));
    struct rv_type *type = rv_arena_alloc(arena, sizeof(*type));
    const struct rv_type *element;
    bool fine = true;

    if (!types || !type)
        return check_bad(NULL);
    for (uint32_t i = 0; i < expr->child_count; i++) {
        struct check_answer item = check_any(checker, prior, expr->children[i]);

        fine &= item.good;
        types[i] = item.type;
    }
    if (expr->child_count == 0 && checker->types.mode == RV_VALIDATE_STRICT) {
        check_report(checker, "empty-set", expr->loc,
                     "use `.isEmpty()`, or test another way whether a set has elements",
                     "the empty set `[]` has no type of its own and cannot stand in a policy");
        return check_bad(NULL);
    }
    element = element_type(checker, expr, types);
    if (!element)
        return check_bad(NULL);
    *type = (struct rv_type){ .kind = RV_VALUE_SET, .element = element };
    return fine ? check_good(type) : check_bad(type);
}

/* ---- Records and attributes ---- */
static int compare_fields(const void *a, const void *b)
{
    return rv_text_compare(((const struct rv_type_field *)a)->name,
                           ((const struct rv_type_field *)b)->name);
}

static struct check_answer check_record(struct checker *checker, struct check_caps prior,
                                        const struct rv_expr *expr)
{
    struct rv_arena *arena = checker->types.arena;
    struct rv_type_field *fields = rv_arena_array(arena, expr->child_count, sizeof(*fields));
    struct rv_type *type = rv_arena_alloc(arena, sizeof(*type));
    bool fine = true, typed = fields && type;

    for (uint32_t i = 0; i < expr->child_count; i++) {
        struct check_answer value = check_any(checker, prior, expr->children[i]);

        fine &= value.good;
        typed &= value.type != NULL;
        if (fields)
            fields[i] = (struct rv_type_field){ expr->keys[i], value.type, true };
    }
    if (!typed)
        return check_bad(NULL);
    if (expr->child_count > 1)
        qsort(fields, expr->child_count, sizeof(*fields), compare_fields);
    *type = (struct rv_type){ .kind = RV_VALUE_RECORD,
                              .fields = fields,
                              .field_count = expr->child_count };
    return fine ? check_good(type) : check_bad(type);
}

static struct check_answer check_like(struct checker *checker, struct check_caps prior,
                                      const struct rv_expr *expr)
{
    return check_expect(checker, prior, expr->children[0], WANT_STRING).good
               ? check_good(check_bool())
               : check_bad(check_bool());
}

/* ---- All of them ---- */
static struct check_answer (*const checks[RV_EXPR_KIND_COUNT_])(struct checker *checker,
                                                                struct check_caps prior,
                                                                const struct rv_expr *expr) = {
    [RV_EXPR_LITERAL] = check_literal_expr,
    [RV_EXPR_VAR] = check_var,
    [RV_EXPR_SLOT] = check_slot,
    [RV_EXPR_NOT] = check_not,
    [RV_EXPR_NEG] = check_arithmetic,
    [RV_EXPR_AND] = check_and,
    [RV_EXPR_OR] = check_or,
    [RV_EXPR_IF] = check_if,
    [RV_EXPR_EQ] = check_eq,
    [RV_EXPR_NE] = check_eq,
    [RV_EXPR_LT] = check_order,
    [RV_EXPR_LE] = check_order,
    [RV_EXPR_GT] = check_order,
    [RV_EXPR_GE] = check_order,
    [RV_EXPR_ADD] = check_arithmetic,
    [RV_EXPR_SUB] = check_arithmetic,
    [RV_EXPR_MUL] = check_arithmetic,
    [RV_EXPR_IN] = check_in,
    [RV_EXPR_CONTAINS] = check_contains,
    [RV_EXPR_CONTAINS_ALL] = check_contains_sets,
    [RV_EXPR_CONTAINS_ANY] = check_contains_sets,
    [RV_EXPR_IS_EMPTY] = check_is_empty,
    [RV_EXPR_GET_TAG] = check_get_tag,
    [RV_EXPR_HAS_TAG] = check_has_tag,
    [RV_EXPR_GET_ATTR] = check_get_attr,
    [RV_EXPR_HAS_ATTR] = check_has_attr,
    [RV_EXPR_LIKE] = check_like,
    [RV_EXPR_IS] = check_is,
    [RV_EXPR_SET] = check_set,
    [RV_EXPR_RECORD] = check_record,
    [RV_EXPR_CALL] = check_call,
};

struct check_answer check_any(struct checker *checker, struct check_caps prior,
                              const struct rv_expr *expr)
{
    struct check_answer answer = checks[expr->kind](checker, prior, expr);

    if (!answer.good)
        answer.caps = (struct check_caps){ 0 };
    return answer;
}
