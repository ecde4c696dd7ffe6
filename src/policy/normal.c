/* SPDX-License-Identifier: Apache-2.0 */
/* Disjunctive normal form: alternatives are united and crossed, and kept free of doubles. */
#include "policy/normal.h"

#include <stdio.h>

#define STEPS_MAX (4U * 1000 * 1000) /* literals looked at for one policy */

/** Alternatives of one part. `total`: the part cannot fail. */
struct dnf {
    struct rv_conjunct *items;
    uint32_t count;
    bool total;
};

struct builder {
    struct rv_normal *normal;
    const struct rv_policy *policy;
    rv_normal_fold *fold;
    void *context;
    struct rv_normal_limit limit;
    struct rv_loc loc; /* of the part at hand */
    uint32_t steps;
    int error;
};

/* ---- Sets of alternatives ---- */

static void fail(struct builder *builder, const char *why)
{
    if (builder->error)
        return;
    builder->error = -E2BIG;
    builder->limit = (struct rv_normal_limit){ why, builder->loc };
}

static bool step(struct builder *builder, uint32_t count)
{
    builder->steps += count + 1;
    if (builder->steps > STEPS_MAX)
        fail(builder, "taking it apart needs too many steps");
    return builder->error == 0;
}

static void *room(struct builder *builder, size_t count, size_t size)
{
    void *memory = rv_arena_array(&builder->normal->arena, count, size);

    if (!memory)
        builder->error = -ENOMEM;
    return memory;
}

static struct dnf never(bool total)
{
    return (struct dnf){ .total = total };
}

static struct dnf single(struct builder *builder, const uint16_t *literal, bool total)
{
    struct dnf dnf = { .total = total };
    struct rv_conjunct *item = room(builder, 1, sizeof(*item));
    uint16_t *kept = room(builder, 1, sizeof(*kept));

    if (builder->error)
        return dnf;
    if (literal) {
        *kept = *literal;
        *item = (struct rv_conjunct){ kept, 1 };
    }
    dnf.items = item;
    dnf.count = 1;
    return dnf;
}

static struct dnf always(struct builder *builder)
{
    return single(builder, NULL, true);
}

static bool is_always(const struct dnf *dnf)
{
    return dnf->count == 1 && dnf->items[0].count == 0;
}

/** Whether each literal of `small` is in `large`. */
static bool within(const struct rv_conjunct *small, const struct rv_conjunct *large)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < small->count; i++, at++) {
        while (at < large->count && large->literals[at] < small->literals[i])
            at++;
        if (at == large->count || large->literals[at] != small->literals[i])
            return false;
    }
    return true;
}

/** Take in one more alternative: not when it says more than one that is there, and instead of
 * those that say more than it does. */
static void put(struct builder *builder, struct dnf *dnf, const struct rv_conjunct *conjunct)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < dnf->count; i++) {
        if (!step(builder, conjunct->count) || within(&dnf->items[i], conjunct))
            return;
    }
    for (uint32_t i = 0; i < dnf->count; i++) {
        if (!within(conjunct, &dnf->items[i]))
            dnf->items[kept++] = dnf->items[i];
    }
    dnf->count = kept;
    if (dnf->count == RV_NORMAL_CONJUNCTS_MAX) {
        fail(builder, "it comes to too many alternatives");
        return;
    }
    dnf->items[dnf->count++] = *conjunct;
}

static struct dnf unite(struct builder *builder, const struct dnf *a, const struct dnf *b)
{
    struct dnf both = { .total = a->total && b->total };

    if (builder->error || a->count + b->count == 0)
        return both;
    both.items = room(builder, (size_t)a->count + b->count, sizeof(*both.items));
    if (!both.items)
        return both;
    if (a->count > 0)
        memcpy(both.items, a->items, a->count * sizeof(*both.items));
    both.count = a->count;
    for (uint32_t i = 0; i < b->count && !builder->error; i++)
        put(builder, &both, &b->items[i]);
    return both;
}

/** Two answers of the same atom that cannot both be. */
static bool contradict(uint16_t a, uint16_t b)
{
    unsigned pair = (1U << (a & 3)) | (1U << (b & 3));

    return a >> 2 == b >> 2 && (pair == (1U << RV_LITERAL_TRUE | 1U << RV_LITERAL_FALSE) ||
                                pair == (1U << RV_LITERAL_TRUE | 1U << RV_LITERAL_NOT_TRUE) ||
                                pair == (1U << RV_LITERAL_FALSE | 1U << RV_LITERAL_NOT_FALSE));
}

/** Both at once. @return false when they contradict each other or a bound is met. */
static bool join(struct builder *builder, const struct rv_conjunct *a, const struct rv_conjunct *b,
                 struct rv_conjunct *ret_both)
{
    uint16_t literals[2 * RV_NORMAL_LITERALS_MAX], *kept;
    uint32_t i = 0, k = 0, count = 0;

    while (i < a->count || k < b->count) {
        bool from_a = k == b->count || (i < a->count && a->literals[i] <= b->literals[k]);
        uint16_t literal = from_a ? a->literals[i] : b->literals[k];

        i += i < a->count && a->literals[i] == literal;
        k += k < b->count && b->literals[k] == literal;
        for (uint32_t back = count; back > 0 && literals[back - 1] >> 2 == literal >> 2; back--) {
            if (contradict(literals[back - 1], literal))
                return false;
        }
        literals[count++] = literal;
    }
    if (count > RV_NORMAL_LITERALS_MAX) {
        fail(builder, "an alternative has too many conditions");
        return false;
    }
    kept = step(builder, count) ? room(builder, count, sizeof(*kept)) : NULL;
    if (!kept)
        return false;
    memcpy(kept, literals, count * sizeof(*kept));
    *ret_both = (struct rv_conjunct){ kept, count };
    return true;
}

static struct dnf cross(struct builder *builder, const struct dnf *a, const struct dnf *b)
{
    struct dnf both = { .total = a->total && b->total };
    size_t count = rv_min_u64((uint64_t)a->count * b->count, RV_NORMAL_CONJUNCTS_MAX);

    if (builder->error || count == 0)
        return both;
    if (is_always(a) || is_always(b)) {
        both.items = is_always(a) ? b->items : a->items;
        both.count = is_always(a) ? b->count : a->count;
        return both;
    }
    both.items = room(builder, count, sizeof(*both.items));
    for (uint32_t i = 0; i < a->count; i++) {
        for (uint32_t k = 0; k < b->count && !builder->error; k++) {
            struct rv_conjunct joined;

            if (join(builder, &a->items[i], &b->items[k], &joined))
                put(builder, &both, &joined);
        }
    }
    return both;
}

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
        fail(builder, "it asks too many different things");
        return 0;
    }
    if (normal->atom_count == normal->atom_room) {
        uint32_t room_now = normal->atom_room ? normal->atom_room * 4 : 16;
        struct rv_atom *atoms = room(builder, room_now, sizeof(*atoms));

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
static struct dnf ask(struct builder *builder, struct rv_atom atom, bool want)
{
    enum rv_fold fold = RV_FOLD_PARTIAL;
    uint16_t literal;

    if (builder->error)
        return never(false);
    atom.policy = builder->policy;
    if (atom.op != RV_LITERAL_OPAQUE)
        fold = builder->fold(builder->context, &atom);
    if (fold == RV_FOLD_ERROR)
        return never(false);
    if (fold == RV_FOLD_TRUE || fold == RV_FOLD_FALSE)
        return (fold == RV_FOLD_TRUE) == want ? always(builder) : never(true);
    atom.partial = fold == RV_FOLD_PARTIAL;
    literal =
        (uint16_t)(number_of(builder, &atom) << 2 | (want ? RV_LITERAL_TRUE : RV_LITERAL_FALSE));
    return single(builder, &literal, !atom.partial);
}

static struct dnf opaque(struct builder *builder, const struct rv_expr *expr, const char *why,
                         bool want)
{
    struct rv_atom atom = { .op = RV_LITERAL_OPAQUE, .expr = expr, .why = why, .loc = expr->loc };

    return ask(builder, atom, want);
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
        struct rv_ip *ip = room(builder, 1, sizeof(*ip));

        if (!ip || rv_ip_parse(rv_text(child->value.text, child->value.count), ip) < 0)
            return false;
        *ret_value = rv_value_ip(ip);
        return true;
    }
    return false;
}

/* ---- Operators ---- */

static struct dnf part(struct builder *builder, const struct rv_expr *expr, bool want);

static struct dnf known(struct builder *builder, bool truth, bool want)
{
    return truth == want ? always(builder) : never(true);
}

/** `a && b` (conjoin) or `a || b`. In a conjunction `b` is looked at when `a` is true, in a
 * disjunction when it is false. */
static struct dnf chain(struct builder *builder, const struct rv_expr *expr, bool conjoin,
                        bool want)
{
    struct dnf a, b, on;

    if (want == conjoin) {
        a = part(builder, expr->children[0], want);
        if (a.total && a.count == 0)
            return a; /* `b` is never looked at */
        b = part(builder, expr->children[1], want);
        return cross(builder, &a, &b);
    }
    a = part(builder, expr->children[0], want);
    if (a.total && is_always(&a))
        return a;
    b = part(builder, expr->children[1], want);
    if (!a.total) {
        on = part(builder, expr->children[0], conjoin);
        b = cross(builder, &on, &b);
    }
    return unite(builder, &a, &b);
}

static struct dnf choose(struct builder *builder, const struct rv_expr *expr, bool want)
{
    struct dnf yes = part(builder, expr->children[0], true);
    struct dnf no = part(builder, expr->children[0], false);
    struct dnf then = never(true), otherwise = never(true);

    if (yes.count > 0) {
        then = part(builder, expr->children[1], want);
        then = cross(builder, &yes, &then);
    }
    if (no.count > 0) {
        otherwise = part(builder, expr->children[2], want);
        otherwise = cross(builder, &no, &otherwise);
    }
    then = unite(builder, &then, &otherwise);
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
        return part(builder, a, want == value.truth);
    if (!about(a, &atom))
        return opaque(builder, expr, "it compares what is worked out", want);
    atom.op = RV_LITERAL_EQ;
    atom.value = value;
    atom.loc = expr->loc;
    return ask(builder, atom, want);
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
    return ask(builder, atom, want != denied);
}

/** One of several: any for true, none for false. */
static struct dnf any_of(struct builder *builder, const struct dnf *so_far, const struct dnf *one,
                         bool want)
{
    return want ? unite(builder, so_far, one) : cross(builder, so_far, one);
}

/** `atom` with each of the constants of a set. */
static struct dnf each_of(struct builder *builder, const struct rv_expr *expr,
                          const struct rv_expr *set, struct rv_atom atom, bool want)
{
    struct dnf result = want ? never(true) : always(builder);

    for (uint32_t i = 0; i < set->child_count; i++) {
        struct dnf one;

        if (!constant(builder, set->children[i], &atom.value) ||
            (atom.op == RV_LITERAL_IN && atom.value.kind != RV_VALUE_ENTITY))
            return opaque(builder, expr, "its set holds more than constants", want);
        one = ask(builder, atom, want);
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
    return ask(builder, atom, want);
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
    typed = ask(builder, atom, want);
    if (expr->child_count < 2)
        return typed;
    placed = in(builder, expr, expr->children[1], want);
    if (want)
        return cross(builder, &typed, &placed);
    off = typed;
    if (!off.total) {
        typed = ask(builder, atom, true);
        placed = cross(builder, &typed, &placed);
    }
    return unite(builder, &off, &placed);
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
        return ask(builder, atom, want);
    }
    if (!about(expr->children[0], &atom) || atom.depth == RV_LITERAL_PATH_MAX)
        return opaque(builder, expr, "it is an attribute of what is worked out", want);
    atom.path[atom.depth++] = expr->name;
    atom.op = RV_LITERAL_HAS;
    atom.loc = expr->loc;
    return ask(builder, atom, want);
}

static struct dnf like(struct builder *builder, const struct rv_expr *expr, bool want)
{
    struct rv_atom atom;

    if (!about(expr->children[0], &atom))
        return opaque(builder, expr, "its pattern is for what is worked out", want);
    atom.op = RV_LITERAL_LIKE;
    atom.pattern = expr->pattern;
    atom.loc = expr->loc;
    return ask(builder, atom, want);
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
    return ask(builder, atom, want);
}

/** When `expr` comes to `want`. */
static struct dnf part(struct builder *builder, const struct rv_expr *expr, bool want)
{
    if (expr->loc.end)
        builder->loc = expr->loc;
    if (!step(builder, 0))
        return never(false);
    switch ((enum rv_expr_kind)expr->kind) {
    case RV_EXPR_LITERAL:
        return expr->value.kind == RV_VALUE_BOOL ? known(builder, expr->value.truth, want)
                                                 : never(false);
    case RV_EXPR_NOT:
        return part(builder, expr->children[0], !want);
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
    return never(false); /* no boolean: an error */
}

/* ---- Policies ---- */

static struct dnf scope(struct builder *builder, enum rv_var var, const struct rv_scope *scope)
{
    struct rv_atom atom = { .op = RV_LITERAL_IN, .var = (uint8_t)var, .loc = scope->loc };
    struct dnf result = always(builder), one;

    if (scope->kind == RV_SCOPE_IS || scope->kind == RV_SCOPE_IS_IN) {
        struct rv_atom typed = atom;

        typed.op = RV_LITERAL_IS;
        typed.type = scope->type;
        result = ask(builder, typed, true);
    }
    if (scope->kind == RV_SCOPE_EQ)
        atom.op = RV_LITERAL_EQ;
    if (scope->uid) {
        atom.value = rv_value_entity(scope->uid);
        one = ask(builder, atom, true);
        return cross(builder, &result, &one);
    }
    if (scope->kind != RV_SCOPE_IN_SET)
        return result;
    result = never(true);
    for (uint32_t i = 0; i < scope->uid_count; i++) {
        atom.value = rv_value_entity(scope->uids[i]);
        one = ask(builder, atom, true);
        result = unite(builder, &result, &one);
    }
    return result;
}

static struct dnf whole(struct builder *builder)
{
    const struct rv_policy *policy = builder->policy;
    struct dnf all = scope(builder, RV_VAR_ACTION, &policy->action), one;

    one = scope(builder, RV_VAR_PRINCIPAL, &policy->principal);
    all = cross(builder, &all, &one);
    one = scope(builder, RV_VAR_RESOURCE, &policy->resource);
    all = cross(builder, &all, &one);
    for (uint32_t i = 0; i < policy->condition_count && all.count > 0; i++) {
        one = part(builder, policy->conditions[i].body, !policy->conditions[i].unless);
        all = cross(builder, &all, &one);
    }
    return all;
}

static int finish(struct builder *builder, struct dnf dnf, struct rv_normal_limit *ret_limit)
{
    if (builder->error == -E2BIG)
        *ret_limit = builder->limit;
    if (builder->error)
        return builder->error;
    builder->normal->conjuncts = dnf.items;
    builder->normal->conjunct_count = dnf.count;
    return 0;
}

static struct dnf alternatives(const struct rv_normal *normal)
{
    return (struct dnf){ (struct rv_conjunct *)(uintptr_t)normal->conjuncts, normal->conjunct_count,
                         true };
}

int rv_normal_add(struct rv_normal *normal, const struct rv_policy *policy, rv_normal_fold *fold,
                  void *context, struct rv_normal_limit *ret_limit)
{
    struct builder builder = { normal, policy, fold, context, .loc = policy->loc };
    struct dnf before = alternatives(normal), one;

    if (rv_policy_is_template(policy))
        return -EINVAL;
    one = whole(&builder);
    return finish(&builder, unite(&builder, &before, &one), ret_limit);
}

static uint16_t opposite(const struct rv_normal *normal, uint16_t literal)
{
    static const uint8_t others[] = {
        [RV_LITERAL_TRUE] = RV_LITERAL_NOT_TRUE,
        [RV_LITERAL_FALSE] = RV_LITERAL_NOT_FALSE,
        [RV_LITERAL_NOT_TRUE] = RV_LITERAL_TRUE,
        [RV_LITERAL_NOT_FALSE] = RV_LITERAL_FALSE,
    };
    static const uint8_t totals[] = {
        [RV_LITERAL_TRUE] = RV_LITERAL_FALSE,
        [RV_LITERAL_FALSE] = RV_LITERAL_TRUE,
    };
    enum rv_literal_mode mode = rv_literal_mode(literal);
    bool partial = rv_literal_atom(normal, literal)->partial;

    return (uint16_t)((literal & ~3U) | (partial ? others[mode] : totals[mode]));
}

int rv_normal_complement(struct rv_normal *normal, struct rv_normal_limit *ret_limit)
{
    struct builder builder = { .normal = normal };
    struct dnf result = always(&builder);

    for (uint32_t i = 0; i < normal->conjunct_count && !builder.error; i++) {
        const struct rv_conjunct *conjunct = &normal->conjuncts[i];
        struct dnf none = never(true);

        for (uint32_t k = 0; k < conjunct->count; k++) {
            uint16_t literal = opposite(normal, conjunct->literals[k]);
            struct dnf one = single(&builder, &literal, true);

            none = unite(&builder, &none, &one);
        }
        result = cross(&builder, &result, &none);
    }
    return finish(&builder, result, ret_limit);
}

void rv_normal_done(struct rv_normal *normal)
{
    rv_arena_done(&normal->arena);
    *normal = (struct rv_normal){ 0 };
}

bool rv_atom_path(const struct rv_atom *atom, char *path, size_t size)
{
    static const char *const variables[] = { "principal", "action", "resource", "context" };
    size_t used = 0;
    int len = snprintf(path, size, "%s", variables[atom->var]);

    for (uint8_t i = 0; i < atom->depth; i++) {
        if (len < 0 || (used += (size_t)len) >= size)
            return false;
        len = snprintf(path + used, size - used, ".%.*s", RV_TEXT_ARGS(atom->path[i]));
    }
    return len >= 0 && used + (size_t)len < size;
}
