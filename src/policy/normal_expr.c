/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions: atoms, and operators over them, from the side that is wanted. */
#include "dnf.h"

/* ---- Atoms ---- */

static bool same_pattern(const struct rv_pattern *a, const struct rv_pattern *b)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++) {
        if (a->parts[i].star != b->parts[i].star || !rv_text_eq(a->parts[i].text, b->parts[i].text))
            return false;
    }
    return true;
}

static bool same_atom(const struct rv_atom *a, const struct rv_atom *b)
{
    if (a->op != b->op || a->var != b->var || a->depth != b->depth || a->expr != b->expr)
        return false;
    for (uint8_t i = 0; i < a->depth; i++) {
        if (!rv_text_eq(a->path[i], b->path[i]))
            return false;
    }
    return rv_value_eq(&a->value, &b->value) && rv_text_eq(a->type, b->type) &&
           same_pattern(&a->pattern, &b->pattern);
}

/** The number of an atom, which is made when it is new. */
static uint32_t number_of(struct builder *builder, const struct rv_atom *atom)
{
    struct rv_normal *normal = builder->normal;

    for (uint32_t i = 0; i < normal->atom_count; i++) {
        if (same_atom(&normal->atoms[i], atom))
            return i;
    }
    if (normal->atom_count == RV_NORMAL_ATOMS_MAX) {
        rv_dnf_fail(builder, "it asks too many different things");
        return 0;
    }
    if (normal->atom_count == normal->atom_room) {
        uint32_t room_now = normal->atom_room ? normal->atom_room * 4 : 16;
        struct rv_atom *atoms = rv_dnf_room(builder, room_now, sizeof(*atoms));

        if (!atoms)
            return 0;
        if (normal->atom_count > 0)
            memcpy(atoms, normal->atoms, normal->atom_count * sizeof(*atoms));
        normal->atoms = atoms;
        normal->atom_room = room_now;
    }
    normal->atoms[normal->atom_count] = *atom;
    return normal->atom_count++;
}

/** When the atom comes to `want`. */
struct dnf rv_dnf_ask(struct builder *builder, struct rv_atom atom, bool want)
{
    enum rv_fold fold = RV_FOLD_PARTIAL;
    uint16_t literal;

    if (builder->error)
        return rv_dnf_never(false);
    atom.policy = builder->policy;
    if (atom.op != RV_LITERAL_OPAQUE)
        fold = builder->fold(builder->context, &atom);
    if (fold == RV_FOLD_ERROR)
        return rv_dnf_never(false);
    if (fold == RV_FOLD_TRUE || fold == RV_FOLD_FALSE)
        return (fold == RV_FOLD_TRUE) == want ? rv_dnf_always(builder) : rv_dnf_never(true);
    atom.partial = fold == RV_FOLD_PARTIAL;
    literal =
        (uint16_t)(number_of(builder, &atom) << 2 | (want ? RV_LITERAL_TRUE : RV_LITERAL_FALSE));
    return rv_dnf_single(builder, &literal, !atom.partial);
}

static struct dnf opaque(struct builder *builder, const struct rv_expr *expr, const char *why,
                         bool want)
{
    struct rv_atom atom = { .op = RV_LITERAL_OPAQUE, .expr = expr, .why = why, .loc = expr->loc };

    return rv_dnf_ask(builder, atom, want);
}

/** An atom about a variable or an attribute. @return false when the expression is neither. */
static bool about(const struct rv_expr *expr, struct rv_atom *ret_atom)
{
    struct rv_atom atom = { .loc = expr->loc };
    const struct rv_expr *up = expr;

    for (; up->kind == RV_EXPR_GET_ATTR; up = up->children[0]) {
        if (++atom.depth > RV_LITERAL_PATH_MAX)
            return false;
    }
    if (up->kind != RV_EXPR_VAR)
        return false;
    atom.var = up->var;
    for (uint8_t i = atom.depth; i > 0; i--, expr = expr->children[0])
        atom.path[i - 1] = expr->name;
    *ret_atom = atom;
    return true;
}

/** A constant: what is written out, and addresses. */
static bool constant(struct builder *builder, const struct rv_expr *expr,
                     struct rv_value *ret_value)
{
    const struct rv_expr *child = expr->child_count == 1 ? expr->children[0] : NULL;

    if (expr->kind == RV_EXPR_LITERAL) {
        *ret_value = expr->value;
        return true;
    }
    if (!child || child->kind != RV_EXPR_LITERAL)
        return false;
    if (expr->kind == RV_EXPR_NEG && child->value.kind == RV_VALUE_LONG &&
        child->value.number != INT64_MIN) {
        *ret_value = rv_value_long(-child->value.number);
        return true;
    }
    if (expr->kind == RV_EXPR_CALL && expr->call == RV_CALL_IP &&
        child->value.kind == RV_VALUE_STRING) {
        struct rv_ip *ip = rv_dnf_room(builder, 1, sizeof(*ip));

        if (!ip || rv_ip_parse(rv_text(child->value.text, child->value.count), ip) < 0)
            return false;
        *ret_value = rv_value_ip(ip);
        return true;
    }
    return false;
}

/* ---- Operators ---- */

static struct dnf known(struct builder *builder, bool truth, bool want)
{
    return truth == want ? rv_dnf_always(builder) : rv_dnf_never(true);
}

/** `a && b` (conjoin) or `a || b`. In a conjunction `b` is looked at when `a` is true, in a
 * disjunction when it is false. */
static struct dnf chain(struct builder *builder, const struct rv_expr *expr, bool conjoin,
                        bool want)
{
    struct dnf a, b, on;

    if (want == conjoin) {
        a = rv_dnf_part(builder, expr->children[0], want);
        if (a.total && a.count == 0)
            return a; /* `b` is never looked at */
        b = rv_dnf_part(builder, expr->children[1], want);
        return rv_dnf_cross(builder, &a, &b);
    }
    a = rv_dnf_part(builder, expr->children[0], want);
    if (a.total && rv_dnf_is_always(&a))
        return a;
    b = rv_dnf_part(builder, expr->children[1], want);
    if (!a.total) {
        on = rv_dnf_part(builder, expr->children[0], conjoin);
        b = rv_dnf_cross(builder, &on, &b);
    }
    return rv_dnf_unite(builder, &a, &b);
}

static struct dnf choose(struct builder *builder, const struct rv_expr *expr, bool want)
{
    struct dnf yes = rv_dnf_part(builder, expr->children[0], true);
    struct dnf no = rv_dnf_part(builder, expr->children[0], false);
    struct dnf then = rv_dnf_never(true), otherwise = rv_dnf_never(true);

    if (yes.count > 0) {
        then = rv_dnf_part(builder, expr->children[1], want);
        then = rv_dnf_cross(builder, &yes, &then);
    }
    if (no.count > 0) {
        otherwise = rv_dnf_part(builder, expr->children[2], want);
        otherwise = rv_dnf_cross(builder, &no, &otherwise);
    }
    then = rv_dnf_unite(builder, &then, &otherwise);
    then.total &= yes.total;
    return then;
}

static bool is_boolean(const struct rv_expr *expr)
{
    switch ((enum rv_expr_kind)expr->kind) {
    case RV_EXPR_NOT:
    case RV_EXPR_AND:
    case RV_EXPR_OR:
    case RV_EXPR_EQ:
    case RV_EXPR_NE:
    case RV_EXPR_LT:
    case RV_EXPR_LE:
    case RV_EXPR_GT:
    case RV_EXPR_GE:
    case RV_EXPR_IN:
    case RV_EXPR_CONTAINS:
    case RV_EXPR_HAS_ATTR:
    case RV_EXPR_LIKE:
    case RV_EXPR_IS:
        return true;
    case RV_EXPR_LITERAL:
    case RV_EXPR_VAR:
    case RV_EXPR_SLOT:
    case RV_EXPR_NEG:
    case RV_EXPR_IF:
    case RV_EXPR_ADD:
    case RV_EXPR_SUB:
    case RV_EXPR_MUL:
    case RV_EXPR_CONTAINS_ALL:
    case RV_EXPR_CONTAINS_ANY:
    case RV_EXPR_IS_EMPTY:
    case RV_EXPR_GET_TAG:
    case RV_EXPR_HAS_TAG:
    case RV_EXPR_GET_ATTR:
    case RV_EXPR_SET:
    case RV_EXPR_RECORD:
    case RV_EXPR_CALL:
    case RV_EXPR_KIND_COUNT_:
        break;
    }
    return false;
}

static struct dnf equal(struct builder *builder, const struct rv_expr *expr, bool want)
{
    const struct rv_expr *a = expr->children[0], *b = expr->children[1];
    struct rv_value value, other;
    struct rv_atom atom;

    if (constant(builder, a, &value)) {
        if (constant(builder, b, &other))
            return known(builder, rv_value_eq(&value, &other), want);
        b = a;
        a = expr->children[1];
    } else if (!constant(builder, b, &value)) {
        return opaque(builder, expr, "it compares two values of the request", want);
    }
    if (value.kind == RV_VALUE_BOOL && is_boolean(a))
        return rv_dnf_part(builder, a, want == value.truth);
    if (!about(a, &atom))
        return opaque(builder, expr, "it compares what is worked out", want);
    atom.op = RV_LITERAL_EQ;
    atom.value = value;
    atom.loc = expr->loc;
    return rv_dnf_ask(builder, atom, want);
}

/** `<` and `<=` as they are; `>` and `>=` as what they deny. */
static struct dnf compare(struct builder *builder, const struct rv_expr *expr, bool want)
{
    const struct rv_expr *a = expr->children[0], *b = expr->children[1];
    bool strict = expr->kind == RV_EXPR_LT || expr->kind == RV_EXPR_GE;
    bool denied = expr->kind == RV_EXPR_GT || expr->kind == RV_EXPR_GE;
    struct rv_value value, other;
    struct rv_atom atom;

    if (constant(builder, a, &value)) {
        if (constant(builder, b, &other) && value.kind == RV_VALUE_LONG &&
            other.kind == RV_VALUE_LONG) {
            bool less = strict ? value.number < other.number : value.number <= other.number;

            return known(builder, less != denied, want);
        }
        b = a; /* c < x is x > c: not x <= c */
        a = expr->children[1];
        strict = !strict;
        denied = !denied;
    } else if (!constant(builder, b, &value)) {
        return opaque(builder, expr, "it compares two values of the request", want);
    }
    if (value.kind != RV_VALUE_LONG || !about(a, &atom))
        return opaque(builder, expr, "it compares what is worked out", want);
    atom.op = strict ? RV_LITERAL_LT : RV_LITERAL_LE;
    atom.value = value;
    atom.loc = expr->loc;
    return rv_dnf_ask(builder, atom, want != denied);
}

/** One of several: any for true, none for false. */
static struct dnf any_of(struct builder *builder, const struct dnf *so_far, const struct dnf *one,
                         bool want)
{
    return want ? rv_dnf_unite(builder, so_far, one) : rv_dnf_cross(builder, so_far, one);
}

/** `atom` with each of the constants of a set. */
static struct dnf each_of(struct builder *builder, const struct rv_expr *expr,
                          const struct rv_expr *set, struct rv_atom atom, bool want)
{
    struct dnf result = want ? rv_dnf_never(true) : rv_dnf_always(builder);

    for (uint32_t i = 0; i < set->child_count; i++) {
        struct dnf one;

        if (!constant(builder, set->children[i], &atom.value) ||
            (atom.op == RV_LITERAL_IN && atom.value.kind != RV_VALUE_ENTITY))
            return opaque(builder, expr, "its set holds more than constants", want);
        one = rv_dnf_ask(builder, atom, want);
        result = any_of(builder, &result, &one, want);
    }
    return result;
}

static struct dnf in(struct builder *builder, const struct rv_expr *expr,
                     const struct rv_expr *above, bool want)
{
    struct rv_atom atom;

    if (!about(expr->children[0], &atom))
        return opaque(builder, expr, "it follows an entity that is worked out", want);
    atom.op = RV_LITERAL_IN;
    atom.loc = expr->loc;
    if (above->kind == RV_EXPR_SET && above->child_count > 0)
        return each_of(builder, expr, above, atom, want);
    if (!constant(builder, above, &atom.value) || atom.value.kind != RV_VALUE_ENTITY)
        return opaque(builder, expr, "it follows an entity of the request", want);
    return rv_dnf_ask(builder, atom, want);
}

static struct dnf is(struct builder *builder, const struct rv_expr *expr, bool want)
{
    struct dnf typed, placed, off;
    struct rv_atom atom;

    if (!about(expr->children[0], &atom))
        return opaque(builder, expr, "it asks the type of what is worked out", want);
    atom.op = RV_LITERAL_IS;
    atom.type = expr->name;
    atom.loc = expr->loc;
    typed = rv_dnf_ask(builder, atom, want);
    if (expr->child_count < 2)
        return typed;
    placed = in(builder, expr, expr->children[1], want);
    if (want)
        return rv_dnf_cross(builder, &typed, &placed);
    off = typed;
    if (!off.total) {
        typed = rv_dnf_ask(builder, atom, true);
        placed = rv_dnf_cross(builder, &typed, &placed);
    }
    return rv_dnf_unite(builder, &off, &placed);
}

static struct dnf contains(struct builder *builder, const struct rv_expr *expr, bool want)
{
    struct rv_atom atom;

    if (expr->children[0]->kind != RV_EXPR_SET || !about(expr->children[1], &atom))
        return opaque(builder, expr, "it looks into a set of the request", want);
    atom.op = RV_LITERAL_EQ;
    atom.loc = expr->loc;
    return each_of(builder, expr, expr->children[0], atom, want);
}

static struct dnf attribute(struct builder *builder, const struct rv_expr *expr, bool want)
{
    struct rv_atom atom;

    if (expr->kind == RV_EXPR_GET_ATTR) {
        if (!about(expr, &atom))
            return opaque(builder, expr, "it is an attribute of what is worked out", want);
        atom.op = RV_LITERAL_HOLDS;
        return rv_dnf_ask(builder, atom, want);
    }
    if (!about(expr->children[0], &atom) || atom.depth == RV_LITERAL_PATH_MAX)
        return opaque(builder, expr, "it is an attribute of what is worked out", want);
    atom.path[atom.depth++] = expr->name;
    atom.op = RV_LITERAL_HAS;
    atom.loc = expr->loc;
    return rv_dnf_ask(builder, atom, want);
}

static struct dnf like(struct builder *builder, const struct rv_expr *expr, bool want)
{
    struct rv_atom atom;

    if (!about(expr->children[0], &atom))
        return opaque(builder, expr, "its pattern is for what is worked out", want);
    atom.op = RV_LITERAL_LIKE;
    atom.pattern = expr->pattern;
    atom.loc = expr->loc;
    return rv_dnf_ask(builder, atom, want);
}

static struct dnf call(struct builder *builder, const struct rv_expr *expr, bool want)
{
    struct rv_atom atom;

    if (expr->child_count == 0 || !about(expr->children[0], &atom))
        return opaque(builder, expr, "it calls a function on what is worked out", want);
    atom.loc = expr->loc;
    if (expr->call == RV_CALL_IS_IN_RANGE) {
        if (!constant(builder, expr->children[1], &atom.value) || atom.value.kind != RV_VALUE_IP)
            return opaque(builder, expr, "its range is no constant", want);
        atom.op = RV_LITERAL_IN_RANGE;
    } else if (expr->call == RV_CALL_IS_LOOPBACK) {
        atom.op = RV_LITERAL_LOOPBACK;
    } else if (expr->call == RV_CALL_IS_MULTICAST) {
        atom.op = RV_LITERAL_MULTICAST;
    } else if (expr->call == RV_CALL_IS_IPV4) {
        atom.op = RV_LITERAL_IPV4;
    } else if (expr->call == RV_CALL_IS_IPV6) {
        atom.op = RV_LITERAL_IPV6;
    } else {
        return opaque(builder, expr, "it works with decimals, times or durations", want);
    }
    return rv_dnf_ask(builder, atom, want);
}

/** When `expr` comes to `want`. */
struct dnf rv_dnf_part(struct builder *builder, const struct rv_expr *expr, bool want)
{
    if (expr->loc.end)
        builder->loc = expr->loc;
    if (!rv_dnf_step(builder, 0))
        return rv_dnf_never(false);
    switch ((enum rv_expr_kind)expr->kind) {
    case RV_EXPR_LITERAL:
        return expr->value.kind == RV_VALUE_BOOL ? known(builder, expr->value.truth, want)
                                                 : rv_dnf_never(false);
    case RV_EXPR_NOT:
        return rv_dnf_part(builder, expr->children[0], !want);
    case RV_EXPR_AND:
        return chain(builder, expr, true, want);
    case RV_EXPR_OR:
        return chain(builder, expr, false, want);
    case RV_EXPR_IF:
        return choose(builder, expr, want);
    case RV_EXPR_EQ:
        return equal(builder, expr, want);
    case RV_EXPR_NE:
        return equal(builder, expr, !want);
    case RV_EXPR_LT:
    case RV_EXPR_LE:
    case RV_EXPR_GT:
    case RV_EXPR_GE:
        return compare(builder, expr, want);
    case RV_EXPR_IN:
        return in(builder, expr, expr->children[1], want);
    case RV_EXPR_IS:
        return is(builder, expr, want);
    case RV_EXPR_CONTAINS:
        return contains(builder, expr, want);
    case RV_EXPR_GET_ATTR:
    case RV_EXPR_HAS_ATTR:
        return attribute(builder, expr, want);
    case RV_EXPR_LIKE:
        return like(builder, expr, want);
    case RV_EXPR_CALL:
        return call(builder, expr, want);
    case RV_EXPR_GET_TAG:
    case RV_EXPR_HAS_TAG:
        return opaque(builder, expr, "it looks at tags", want);
    case RV_EXPR_CONTAINS_ALL:
    case RV_EXPR_CONTAINS_ANY:
    case RV_EXPR_IS_EMPTY:
        return opaque(builder, expr, "it looks into a set of the request", want);
    case RV_EXPR_VAR:
    case RV_EXPR_SLOT:
    case RV_EXPR_NEG:
    case RV_EXPR_ADD:
    case RV_EXPR_SUB:
    case RV_EXPR_MUL:
    case RV_EXPR_SET:
    case RV_EXPR_RECORD:
    case RV_EXPR_KIND_COUNT_:
        break;
    }
    return rv_dnf_never(false); /* no boolean: an error */
}
