/* SPDX-License-Identifier: Apache-2.0 */
/* Expected types, types that must go together, and the messages when they do not. */
#include "check_rules.h"

static const struct want_info {
    const char *name;
    uint8_t kind; /* RV_VALUE_NONE: looked at by fits() itself */
} want_infos[] = {
    [WANT_BOOL] = { "Bool", RV_VALUE_NONE },
    [WANT_LONG] = { "Long", RV_VALUE_LONG },
    [WANT_STRING] = { "String", RV_VALUE_STRING },
    [WANT_SET] = { "a set", RV_VALUE_SET },
    [WANT_ENTITY] = { "an entity", RV_VALUE_NONE },
    [WANT_ENTITY_OR_RECORD] = { "an entity or a record", RV_VALUE_NONE },
    [WANT_ENTITY_OR_SET] = { "an entity or a set of entities", RV_VALUE_NONE },
    [WANT_IP] = { "ipaddr", RV_VALUE_IP },
    [WANT_DECIMAL] = { "decimal", RV_VALUE_DECIMAL },
    [WANT_DATETIME] = { "datetime", RV_VALUE_DATETIME },
    [WANT_DURATION] = { "duration", RV_VALUE_DURATION },
};

enum want check_want_of(uint8_t kind)
{
    for (size_t i = 0; i < RV_COUNT(want_infos); i++) {
        if (want_infos[i].kind == kind && kind != RV_VALUE_NONE)
            return (enum want)i;
    }
    return WANT_BOOL;
}

static bool is_entity_or_never(const struct rv_type *type)
{
    return check_is_entity(type) || type->kind == CHECK_NEVER;
}

static bool fits(enum want want, const struct rv_type *type)
{
    if (type->kind == CHECK_NEVER)
        return true;
    switch (want) {
    case WANT_BOOL:
        return check_is_bool(type);
    case WANT_ENTITY:
        return check_is_entity(type);
    case WANT_ENTITY_OR_RECORD:
        return check_is_entity(type) || check_is_record(type);
    case WANT_ENTITY_OR_SET:
        return check_is_entity(type) ||
               (type->kind == RV_VALUE_SET && is_entity_or_never(type->element));
    case WANT_LONG:
    case WANT_STRING:
    case WANT_SET:
    case WANT_IP:
    case WANT_DECIMAL:
    case WANT_DATETIME:
    case WANT_DURATION:
        break;
    }
    return type->kind == want_infos[want].kind;
}

static const char *advice(enum want want, const struct rv_type *actual)
{
    bool set = actual->kind == RV_VALUE_SET, string = actual->kind == RV_VALUE_STRING;

    switch (want) {
    case WANT_SET:
        return check_is_entity(actual)   ? "to test a hierarchy use `in`"
               : check_is_record(actual) ? "to test for an attribute use `has`"
               : string                  ? "to match a string use `like`"
                                         : NULL;
    case WANT_ENTITY:
    case WANT_ENTITY_OR_SET:
        return set ? "to test whether a set has an element use `.contains()`" : NULL;
    case WANT_ENTITY_OR_RECORD:
        return set      ? "to test whether a set has an element use `.contains()`"
               : string ? "to match a string use `like`"
                        : NULL;
    case WANT_STRING:
        return check_is_entity(actual) ? "to test an entity's type use `is`" : NULL;
    case WANT_LONG:
        return string ? "strings cannot be added: compare them, or match them with `like`"
               : set  ? "sets have no arithmetic: use `.containsAll()` or `.containsAny()`"
                      : NULL;
    case WANT_BOOL:
    case WANT_IP:
    case WANT_DECIMAL:
    case WANT_DATETIME:
    case WANT_DURATION:
        break;
    }
    return NULL;
}

void check_report_unexpected(struct checker *checker, const struct rv_expr *expr,
                             const char *wanted, const struct rv_type *actual, const char *help)
{
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };

    check_type_print(&buf, actual);
    check_report(checker, "unexpected-type", expr->loc, help, "expected %s, but this is %s", wanted,
                 buf.data ? buf.data : "something else");
}

struct check_answer check_expect(struct checker *checker, struct check_caps prior,
                                 const struct rv_expr *expr, enum want want)
{
    struct check_answer answer = check_any(checker, prior, expr);

    if (!answer.type)
        return check_bad(NULL);
    if (fits(want, answer.type))
        return answer.good ? answer : check_bad(answer.type);
    check_report_unexpected(checker, expr, want_infos[want].name, answer.type,
                            advice(want, answer.type));
    return check_bad(NULL);
}

static void report_apart(struct checker *checker, const struct rv_expr *expr,
                         enum check_together_why why, const struct rv_type *a,
                         const struct rv_type *b)
{
    static const char *const sentences[] = {
        [TOGETHER_IF] = "the branches of `if` must have one type",
        [TOGETHER_SET] = "the elements of a set must have one type",
        [TOGETHER_EQ] = "values of different types are never equal",
        [TOGETHER_CONTAINS] = "a set never contains a value of another type",
        [TOGETHER_SETS] = "sets with elements of different types have nothing in common",
        [TOGETHER_TAGS] = "the entity types have tags of different types",
    };
    RV_AUTO(rv_buf_done) struct rv_buf first = { 0 }, second = { 0 };

    if (checker->types.steps > CHECK_STEPS_MAX) {
        check_report(checker, "too-complex", (struct rv_loc){ 0 }, "split the policy",
                     "this policy is too complex to check");
        return;
    }
    check_type_print(&first, a);
    check_type_print(&second, b);
    check_report(checker, "incompatible-types", expr->loc, NULL, "%s: here are %s and %s",
                 sentences[why], first.data ? first.data : "?", second.data ? second.data : "?");
}

/** The upper bound of both, or NULL with a message. */
const struct rv_type *check_together(struct checker *checker, const struct rv_expr *expr,
                                     enum check_together_why why, const struct rv_type *a,
                                     const struct rv_type *b)
{
    const struct rv_type *bound = check_upper_bound(&checker->types, a, b);

    if (!bound)
        report_apart(checker, expr, why, a, b);
    return bound;
}
