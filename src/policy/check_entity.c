/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of the type checker for entities: hierarchy, attributes (of records too) and tags. */
#include "check_rules.h"

#include <stdio.h>

/* ---- Hierarchy ---- */
/** `lhs` is an action known beforehand, and so is everything on the right: look it up. */
static struct check_answer action_in_known(const struct checker *checker, const struct rv_uid *lhs,
                                           const struct rv_expr *const *rhs, uint32_t count)
{
    const struct rv_schema *schema = checker->types.schema;
    const struct rv_schema_action *action = rv_schema_action(schema, lhs);
    bool known = true, inside = false;

    for (uint32_t i = 0; i < count; i++) {
        const struct rv_uid *uid = check_known_uid(checker, rhs[i]);
        const struct rv_schema_action *above;

        if (!uid || !rv_type_is_action(uid->type))
            continue; /* an action is never in anything else */
        above = rv_schema_action(schema, uid);
        known &= above != NULL;
        inside |=
            action && above && (action == above || rv_schema_action_in(schema, action, above));
    }
    return known ? check_good(check_singleton(inside)) : check_bad(check_bool());
}

/** May an action of type `low` be below one of type `high`? They differ across namespaces. */
static bool action_type_in(const struct rv_schema *schema, struct rv_text low, struct rv_text high)
{
    size_t count = rv_schema_action_count(schema);

    for (size_t i = 0; i < count; i++) {
        const struct rv_schema_action *child = rv_schema_action_at(schema, i);

        for (size_t k = 0; rv_text_eq(child->uid.type, low) && k < count; k++) {
            const struct rv_schema_action *above = rv_schema_action_at(schema, k);

            if (rv_text_eq(above->uid.type, high) && rv_schema_action_in(schema, child, above))
                return true;
        }
    }
    return false;
}

static bool type_in(const struct rv_schema *schema, struct rv_text low, struct rv_text high)
{
    const struct rv_schema_entity *child = rv_schema_entity(schema, low);
    const struct rv_schema_entity *above = rv_schema_entity(schema, high);

    if (rv_text_eq(low, high))
        return true;
    if (child && above)
        return rv_schema_entity_in(schema, child, above);
    return rv_type_is_action(low) && rv_type_is_action(high) && action_type_in(schema, low, high);
}

/** May an entity of a type in `low` be, or be below, one of a type in `high`? */
static bool may_be_in(const struct checker *checker, const struct rv_type *low,
                      const struct rv_type *high)
{
    for (uint32_t i = 0; i < check_entity_count(low); i++) {
        for (uint32_t k = 0; k < check_entity_count(high); k++) {
            if (type_in(checker->types.schema, check_entity_name(low, i),
                        check_entity_name(high, k)))
                return true;
        }
    }
    return false;
}

static const struct rv_type *type_of_in(const struct checker *checker, const struct rv_type *low,
                                        const struct rv_type *high)
{
    const struct rv_type *above = high->kind == RV_VALUE_SET ? high->element : high;
    bool told = (low->kind == RV_VALUE_ENTITY || low->kind == CHECK_UNION) &&
                (above->kind == RV_VALUE_ENTITY || above->kind == CHECK_UNION);

    return told && !may_be_in(checker, low, above) ? &check_false : check_bool();
}

static bool all_known(const struct checker *checker, const struct rv_expr *const *exprs,
                      uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!check_known_uid(checker, exprs[i]))
            return false;
    }
    return true;
}

static struct check_answer check_in_parts(struct checker *checker, struct check_caps prior,
                                          const struct rv_expr *lhs, const struct rv_expr *rhs)
{
    struct check_answer low = check_expect(checker, prior, lhs, WANT_ENTITY);
    struct check_answer high = check_expect(checker, prior, rhs, WANT_ENTITY_OR_SET);
    const struct rv_uid *uid = check_known_uid(checker, lhs);
    const struct rv_expr *const *elements = rhs->kind == RV_EXPR_SET ? rhs->children : &rhs;
    uint32_t count = rhs->kind == RV_EXPR_SET ? rhs->child_count : 1;

    if (!low.good || !high.good)
        return check_bad(check_bool());
    if (uid && rv_type_is_action(uid->type) && all_known(checker, elements, count))
        return action_in_known(checker, uid, elements, count);
    return check_good(type_of_in(checker, low.type, high.type));
}

struct check_answer check_in(struct checker *checker, struct check_caps prior,
                             const struct rv_expr *expr)
{
    return check_in_parts(checker, prior, expr->children[0], expr->children[1]);
}

static struct check_answer check_is_alone(struct checker *checker, struct check_caps prior,
                                          const struct rv_expr *expr)
{
    struct check_answer inner = check_expect(checker, prior, expr->children[0], WANT_ENTITY);
    bool among = false;

    if (!inner.type || inner.type->kind == CHECK_NEVER)
        return check_bad(check_bool());
    if (inner.type->kind == CHECK_ANY_ENTITY)
        return check_resting_on(inner, check_good(check_bool()));
    for (uint32_t i = 0; i < check_entity_count(inner.type); i++)
        among |= rv_text_eq(check_entity_name(inner.type, i), expr->name);
    if (among && check_entity_count(inner.type) > 1)
        return check_resting_on(inner, check_good(check_bool()));
    return check_resting_on(inner, check_good(check_singleton(among)));
}

/** `a is T in b` is `a is T && a in b`. */
struct check_answer check_is(struct checker *checker, struct check_caps prior,
                             const struct rv_expr *expr)
{
    struct check_answer left = check_is_alone(checker, prior, expr), right;

    if (expr->child_count < 2)
        return left;
    if (check_is_kind(left.type, CHECK_FALSE))
        return check_resting_on(left, check_good(&check_false));
    right = check_in_parts(checker, prior, expr->children[0], expr->children[1]);
    return check_resting_on(left, check_resting_on(right, check_join(checker, left, right)));
}

/* ---- Attributes ---- */
/** "entity type `User`", "the context of `Action::"view"`" or "this record". */
static void describe_owner(const struct checker *checker, const struct rv_expr *owner,
                           const struct rv_type *type, struct rv_buf *buf)
{
    if (owner->kind == RV_EXPR_VAR && owner->var == RV_VAR_CONTEXT) {
        rv_buf_add_str(buf, "the context of `");
        rv_uid_print(buf, &checker->env.action->uid);
        rv_buf_add_char(buf, '`');
    } else if (check_is_entity(type)) {
        rv_buf_add_str(buf, "entity type `");
        check_type_print(buf, type);
        rv_buf_add_char(buf, '`');
    } else {
        rv_buf_add_str(buf, "this record");
    }
}

static struct rv_text field_at(const void *type, size_t i)
{
    return ((const struct rv_type *)type)->fields[i].name;
}

/** The record whose keys are the attributes of a type, or NULL. */
static const struct rv_type *attribute_names(const struct checker *checker,
                                             const struct rv_type *type)
{
    const struct rv_schema_entity *entity =
        type->kind == RV_VALUE_ENTITY ? rv_schema_entity(checker->types.schema, type->entity_type)
                                      : NULL;

    if (check_is_record(type))
        return type;
    return entity ? entity->attrs : NULL;
}

static void report_missing(struct checker *checker, const struct rv_expr *expr,
                           const struct rv_type *owner)
{
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
    const struct rv_type *names = attribute_names(checker, owner);
    char near[80], help[120];
    bool found = names && rv_diag_nearest(expr->name, names->field_count, field_at, names, near,
                                          sizeof(near));

    if (found)
        (void)snprintf(help, sizeof(help), "did you mean `%s`?", near);
    describe_owner(checker, expr->children[0], owner, &buf);
    if (check_may_have(&checker->types, owner, expr->name))
        check_report(checker, "unknown-attribute", expr->name_loc,
                     "test the entity's type with `is` first",
                     "not every value here has an attribute `%.*s`", RV_TEXT_ARGS(expr->name));
    else
        check_report(checker, "unknown-attribute", expr->name_loc, found ? help : NULL,
                     "%s has no attribute `%.*s`", buf.data ? buf.data : "it",
                     RV_TEXT_ARGS(expr->name));
}

static void report_optional(struct checker *checker, const struct rv_expr *expr,
                            const struct rv_type *owner)
{
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 }, help = { 0 };

    describe_owner(checker, expr->children[0], owner, &buf);
    rv_buf_add_str(&help, "test for it first: `");
    rv_expr_print(&help, expr->children[0]);
    rv_buf_add_str(&help, " has ");
    rv_key_print(&help, expr->name);
    rv_buf_add_str(&help, " && ...`");
    check_report(checker, "unsafe-attribute", expr->name_loc,
                 help.failed || help.len > 160 ? "test for it first with `has`" : help.data,
                 "attribute `%.*s` of %s is optional and may be absent here",
                 RV_TEXT_ARGS(expr->name), buf.data ? buf.data : "it");
}

struct check_answer check_get_attr(struct checker *checker, struct check_caps prior,
                                   const struct rv_expr *expr)
{
    const struct rv_expr *owner = expr->children[0];
    struct check_answer inner = check_expect(checker, prior, owner, WANT_ENTITY_OR_RECORD);
    struct check_attr attr;

    if (!inner.type)
        return check_bad(NULL);
    attr = check_attribute(&checker->types, inner.type, expr->name);
    if (!attr.type) {
        report_missing(checker, expr, inner.type);
        return check_bad(NULL);
    }
    if (!attr.required &&
        !check_caps_has(prior, check_cap_attr(&checker->caps, owner, expr->name))) {
        report_optional(checker, expr, inner.type);
        return check_bad(attr.type);
    }
    return check_resting_on(inner, check_good(attr.type));
}

struct check_answer check_has_attr(struct checker *checker, struct check_caps prior,
                                   const struct rv_expr *expr)
{
    struct check_answer inner =
        check_expect(checker, prior, expr->children[0], WANT_ENTITY_OR_RECORD);
    const struct rv_type *type;
    struct check_attr attr;
    uint32_t cap;

    if (!inner.type)
        return check_bad(check_bool());
    attr = check_attribute(&checker->types, inner.type, expr->name);
    if (!attr.type) {
        type =
            check_may_have(&checker->types, inner.type, expr->name) ? check_bool() : &check_false;
        return check_resting_on(inner, check_good(type));
    }
    /* An entity may be missing from the store: only of a record is it sure from the type alone. */
    cap = check_cap_attr(&checker->caps, expr->children[0], expr->name);
    type = (attr.required && check_is_record(inner.type)) || check_caps_has(prior, cap)
               ? &check_true
               : check_bool();
    return check_resting_on(inner,
                            check_good_with(type, check_caps_one(checker->types.arena, cap)));
}

/* ---- Tags ---- */
/** The types that a tag of such an entity may have: calls `visit` for each entity type with tags.
 */
static uint32_t each_tag_type(const struct checker *checker, const struct rv_type *type,
                              bool (*visit)(void *context, const struct rv_type *tags),
                              void *context)
{
    const struct rv_schema *schema = checker->types.schema;
    bool any = type->kind == CHECK_ANY_ENTITY;
    size_t count = any ? rv_schema_entity_count(schema) : check_entity_count(type);
    uint32_t tagged = 0;

    for (size_t i = 0; i < count; i++) {
        const struct rv_schema_entity *entity =
            any ? rv_schema_entity_at(schema, i)
                : rv_schema_entity(schema, check_entity_name(type, (uint32_t)i));

        if (!entity || !entity->tags)
            continue;
        tagged++;
        if (visit && !visit(context, entity->tags))
            break;
    }
    return tagged;
}

struct tag_bound {
    struct checker *checker;
    const struct rv_expr *expr;
    const struct rv_type *type;
};

static bool add_tag_type(void *context, const struct rv_type *tags)
{
    struct tag_bound *bound = context;

    bound->type = check_together(bound->checker, bound->expr, TOGETHER_TAGS, bound->type, tags);
    return bound->type != NULL;
}

struct check_answer check_has_tag(struct checker *checker, struct check_caps prior,
                                  const struct rv_expr *expr)
{
    struct check_answer owner = check_expect(checker, prior, expr->children[0], WANT_ENTITY);
    struct check_answer name = check_expect(checker, prior, expr->children[1], WANT_STRING);
    const struct rv_type *type = check_bool();
    uint32_t cap;

    if (!owner.type || owner.type->kind == CHECK_NEVER)
        return check_bad(NULL);
    cap = check_cap_tag(&checker->caps, expr->children[0], expr->children[1]);
    if (each_tag_type(checker, owner.type, NULL, NULL) == 0)
        type = &check_false;
    else if (check_caps_has(prior, cap))
        type = &check_true;
    return check_resting_on(
        owner,
        check_resting_on(name, check_good_with(type, check_caps_one(checker->types.arena, cap))));
}

static void report_unsafe_tag(struct checker *checker, const struct rv_expr *expr,
                              const struct rv_type *owner)
{
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 }, help = { 0 };

    rv_buf_add_str(&help, "test for it first: `");
    rv_expr_print(&help, expr->children[0]);
    rv_buf_add_str(&help, ".hasTag(");
    rv_expr_print(&help, expr->children[1]);
    rv_buf_add_str(&help, ") && ...`");
    check_type_print(&buf, owner);
    check_report(checker, "unsafe-tag", expr->loc,
                 help.failed || help.len > 160 ? "test for it first with `.hasTag()`" : help.data,
                 "this tag of entity type `%s` may be absent here", buf.data ? buf.data : "?");
}

struct check_answer check_get_tag(struct checker *checker, struct check_caps prior,
                                  const struct rv_expr *expr)
{
    struct check_answer owner = check_expect(checker, prior, expr->children[0], WANT_ENTITY);
    struct check_answer name = check_expect(checker, prior, expr->children[1], WANT_STRING);
    struct tag_bound bound = { checker, expr, &check_never };

    if (!owner.type || owner.type->kind == CHECK_NEVER)
        return check_bad(NULL);
    if (!check_caps_has(prior,
                        check_cap_tag(&checker->caps, expr->children[0], expr->children[1]))) {
        report_unsafe_tag(checker, expr, owner.type);
        return check_bad(NULL);
    }
    if (each_tag_type(checker, owner.type, add_tag_type, &bound) == 0) {
        check_report(checker, "no-tags", expr->loc, "declare `tags` for it in the schema",
                     "entities of this type have no tags");
        return check_bad(NULL);
    }
    return bound.type ? check_resting_on(owner, check_resting_on(name, check_good(bound.type)))
                      : check_bad(NULL);
}
