/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions, by recursive descent: one function a level of binding, loosest first. */
#include "parse.h"

#include "escape.h"

#define UNARY_MAX 4 /* of the same sign before one operand: the language says so */

/* ---- Nodes ---- */

static const struct rv_expr *node(struct rv_parser *parser, struct rv_expr expr,
                                  const struct rv_expr *const *children, uint32_t count)
{
    struct rv_expr *made = rv_arena_alloc(parser->arena, sizeof(*made));
    const struct rv_expr **kept = rv_arena_array(parser->arena, count, sizeof(*kept));
    unsigned depth = 0;

    if (parser->error)
        return NULL;
    if (!made || !kept) {
        parser->error = -ENOMEM;
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        kept[i] = children[i];
        depth = depth > children[i]->depth ? depth : children[i]->depth;
    }
    if (depth >= RV_EXPR_DEPTH_MAX) {
        rv_parser_fail(parser, expr.loc, "split it into several policies",
                       "the expression is more than %d levels deep", RV_EXPR_DEPTH_MAX);
        return NULL;
    }
    *made = expr;
    made->depth = (uint16_t)(depth + 1);
    made->children = kept;
    made->child_count = count;
    return made;
}

static const struct rv_expr *leaf(struct rv_parser *parser, struct rv_expr expr)
{
    return node(parser, expr, NULL, 0);
}

static const struct rv_expr *literal(struct rv_parser *parser, struct rv_loc loc,
                                     struct rv_value value)
{
    return leaf(parser, (struct rv_expr){ .kind = RV_EXPR_LITERAL, .loc = loc, .value = value });
}

static const struct rv_expr *unary(struct rv_parser *parser, enum rv_expr_kind kind,
                                   struct rv_loc loc, const struct rv_expr *a)
{
    return a ? node(parser, (struct rv_expr){ .kind = (uint8_t)kind, .loc = loc }, &a, 1) : NULL;
}

static const struct rv_expr *binary(struct rv_parser *parser, enum rv_expr_kind kind,
                                    const struct rv_expr *a, const struct rv_expr *b)
{
    const struct rv_expr *children[] = { a, b };

    if (!a || !b)
        return NULL;
    return node(parser,
                (struct rv_expr){ .kind = (uint8_t)kind, .loc = { a->loc.start, b->loc.end } },
                children, 2);
}

static const struct rv_expr *with_name(struct rv_parser *parser, enum rv_expr_kind kind,
                                       const struct rv_expr *a, struct rv_text name,
                                       struct rv_loc name_loc)
{
    struct rv_expr expr = { .kind = (uint8_t)kind, .name_loc = name_loc, .name = name };

    if (!a)
        return NULL;
    expr.loc = (struct rv_loc){ a->loc.start, name_loc.end };
    return node(parser, expr, &a, 1);
}

/* ---- Lists ---- */

/** Expressions up to `close`, commas between, one may stand at the end. */
static const struct rv_expr **list(struct rv_parser *parser, const char *close, uint32_t *ret_count)
{
    const struct rv_expr **items = NULL;
    uint32_t count = 0, room = 0;

    while (!parser->error && !rv_parser_is(parser, close)) {
        if (count == room) {
            uint32_t wider = room ? room * 2 : 4;
            const struct rv_expr **grown =
                rv_arena_array(parser->arena, wider, sizeof(struct rv_expr *));

            if (!grown) {
                parser->error = -ENOMEM;
                return NULL;
            }
            if (count > 0)
                memcpy(grown, items, count * sizeof(*grown));
            items = grown;
            room = wider;
        }
        items[count++] = rv_parse_expr(parser);
        if (!rv_parser_is(parser, ",") && !rv_parser_is(parser, close))
            rv_parser_fail(parser, parser->token.loc, NULL, "expected ',' or '%s' here", close);
        if (rv_parser_is(parser, ","))
            rv_parser_advance(parser);
    }
    *ret_count = count;
    return items;
}

/* ---- Calls ---- */

static struct rv_text call_name(const void *context, size_t i)
{
    (void)context;
    return rv_text_str(rv_call_info((enum rv_call)i)->name);
}

static const struct rv_expr *call(struct rv_parser *parser, enum rv_call which, struct rv_loc loc,
                                  struct rv_loc name_loc, const struct rv_expr *const *args,
                                  uint32_t count)
{
    struct rv_expr expr = {
        .kind = RV_EXPR_CALL, .call = (uint8_t)which, .loc = loc, .name_loc = name_loc
    };

    return node(parser, expr, args, count);
}

/** `ip("...")`; the name has been read, the bracket comes. */
static const struct rv_expr *function(struct rv_parser *parser, struct rv_text name,
                                      struct rv_loc name_loc)
{
    enum rv_call which = rv_call_by_name(name);
    const struct rv_expr **args;
    char near[64];
    uint32_t count = 0;
    struct rv_loc loc = name_loc;

    if (which == RV_CALL_COUNT_) {
        rv_parser_fail(parser, name_loc,
                       rv_diag_nearest(name, RV_CALL_COUNT_, call_name, NULL, near, sizeof(near)),
                       "there is no function '%.*s'", RV_TEXT_ARGS(name));
        return NULL;
    }
    if (rv_call_info(which)->method) {
        rv_parser_fail(parser, name_loc, NULL, "'%.*s' is a method: write x.%.*s(...)",
                       RV_TEXT_ARGS(name), RV_TEXT_ARGS(name));
        return NULL;
    }
    rv_parser_advance(parser);
    args = list(parser, ")", &count);
    loc.end = parser->token.loc.end;
    rv_parser_expect(parser, ")", "after the arguments");
    return parser->error ? NULL : call(parser, which, loc, name_loc, args, count);
}

static const struct {
    const char *name;
    enum rv_expr_kind kind;
    uint32_t args;
} methods[] = {
    { "contains", RV_EXPR_CONTAINS, 1 },        { "containsAll", RV_EXPR_CONTAINS_ALL, 1 },
    { "containsAny", RV_EXPR_CONTAINS_ANY, 1 }, { "isEmpty", RV_EXPR_IS_EMPTY, 0 },
    { "getTag", RV_EXPR_GET_TAG, 1 },           { "hasTag", RV_EXPR_HAS_TAG, 1 },
};

static struct rv_text method_name(const void *context, size_t i)
{
    return i < RV_COUNT(methods) ? rv_text_str(methods[i].name)
                                 : call_name(context, i - RV_COUNT(methods));
}

static const struct rv_expr *builtin(struct rv_parser *parser, size_t which,
                                     const struct rv_expr *object, struct rv_loc loc,
                                     struct rv_loc name_loc, const struct rv_expr *const *args,
                                     uint32_t count)
{
    const struct rv_expr *children[] = { object, count > 0 ? args[0] : NULL };
    struct rv_expr expr = { .kind = (uint8_t)methods[which].kind,
                            .loc = loc,
                            .name_loc = name_loc };

    if (count != methods[which].args) {
        rv_parser_fail(parser, loc, NULL, "%s() takes %u argument%s, not %u", methods[which].name,
                       methods[which].args, methods[which].args == 1 ? "" : "s", count);
        return NULL;
    }
    return node(parser, expr, children, count + 1);
}

/** `x.contains(y)`, `x.isIpv4()`; the name has been read, the bracket comes. */
static const struct rv_expr *method(struct rv_parser *parser, const struct rv_expr *object,
                                    struct rv_text name, struct rv_loc name_loc)
{
    struct rv_loc loc = { object->loc.start, 0 };
    const struct rv_expr **args, **all;
    enum rv_call which;
    uint32_t count = 0;
    char near[64];

    rv_parser_advance(parser);
    args = list(parser, ")", &count);
    loc.end = parser->token.loc.end;
    if (!rv_parser_expect(parser, ")", "after the arguments"))
        return NULL;
    for (size_t i = 0; i < RV_COUNT(methods); i++) {
        if (rv_text_is(name, methods[i].name))
            return builtin(parser, i, object, loc, name_loc, args, count);
    }
    which = rv_call_by_name(name);
    if (which == RV_CALL_COUNT_ || !rv_call_info(which)->method) {
        rv_parser_fail(parser, name_loc,
                       rv_diag_nearest(name, RV_COUNT(methods) + RV_CALL_COUNT_, method_name, NULL,
                                       near, sizeof(near)),
                       "there is no method '%.*s'", RV_TEXT_ARGS(name));
        return NULL;
    }
    all = rv_arena_array(parser->arena, count + 1, sizeof(*all));
    if (!all) {
        parser->error = -ENOMEM;
        return NULL;
    }
    all[0] = object;
    if (count > 0)
        memcpy(all + 1, args, count * sizeof(*all));
    return call(parser, which, loc, name_loc, all, count + 1);
}

/* ---- Primaries ---- */

static bool parse_number(struct rv_parser *parser, uint64_t limit, uint64_t *ret)
{
    struct rv_text digits = parser->token.text;
    uint64_t value = 0;

    for (uint32_t i = 0; i < digits.len; i++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(digits.data[i] - '0'), &value) ||
            value > limit) {
            rv_parser_fail(parser, parser->token.loc, NULL,
                           "the number does not fit into 64 bits with a sign");
            return false;
        }
    }
    *ret = value;
    return true;
}

static const struct rv_expr *number(struct rv_parser *parser)
{
    struct rv_loc loc = parser->token.loc;
    uint64_t value = 0;

    if (!parse_number(parser, INT64_MAX, &value))
        return NULL;
    rv_parser_advance(parser);
    return literal(parser, loc, rv_value_long((int64_t)value));
}

static const struct rv_expr *string(struct rv_parser *parser)
{
    struct rv_loc loc = parser->token.loc;
    struct rv_text text;

    if (!rv_parse_string(parser, &text))
        return NULL;
    return literal(parser, loc, rv_value_string(text.data, text.len));
}

static const struct rv_expr *bracketed(struct rv_parser *parser)
{
    const struct rv_expr *inner;

    rv_parser_advance(parser);
    inner = rv_parse_expr(parser);
    return rv_parser_expect(parser, ")", "to close the bracket") ? inner : NULL;
}

static const struct rv_expr *set(struct rv_parser *parser)
{
    struct rv_expr expr = { .kind = RV_EXPR_SET, .loc = parser->token.loc };
    const struct rv_expr **items;
    uint32_t count = 0;

    rv_parser_advance(parser);
    items = list(parser, "]", &count);
    expr.loc.end = parser->token.loc.end;
    return rv_parser_expect(parser, "]", "to close the set") ? node(parser, expr, items, count)
                                                             : NULL;
}

/** A key of a record: a name or a string. */
static bool parse_key(struct rv_parser *parser, struct rv_text *ret_key)
{
    if (parser->token.kind == RV_TOKEN_STRING)
        return rv_parse_string(parser, ret_key);
    if (parser->token.kind != RV_TOKEN_IDENT || rv_is_reserved(parser->token.text)) {
        rv_parser_fail(parser, parser->token.loc, NULL,
                       "expected a name or a string as key of the record");
        return false;
    }
    *ret_key = parser->token.text;
    rv_parser_advance(parser);
    return true;
}

enum { RECORD_KEYS_MAX = 4096 };

static bool parse_field(struct rv_parser *parser, struct rv_text *keys,
                        const struct rv_expr **values, uint32_t count)
{
    struct rv_loc loc = parser->token.loc;

    if (count == RECORD_KEYS_MAX) {
        rv_parser_fail(parser, loc, NULL, "a record of more than %d fields", RECORD_KEYS_MAX);
        return false;
    }
    if (!parse_key(parser, &keys[count]))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (rv_text_eq(keys[i], keys[count])) {
            rv_parser_fail(parser, loc, NULL, "the key '%.*s' stands twice in the record",
                           RV_TEXT_ARGS(keys[count]));
            return false;
        }
    }
    if (!rv_parser_expect(parser, ":", "after the key"))
        return false;
    values[count] = rv_parse_expr(parser);
    return values[count] != NULL;
}

static const struct rv_expr *record(struct rv_parser *parser)
{
    struct rv_expr expr = { .kind = RV_EXPR_RECORD, .loc = parser->token.loc };
    RV_AUTO(rv_freep) struct rv_text *keys = calloc(RECORD_KEYS_MAX, sizeof(*keys));
    RV_AUTO(rv_freep) const struct rv_expr **values = calloc(RECORD_KEYS_MAX, sizeof(*values));
    struct rv_text *kept;
    uint32_t count = 0;

    if (!keys || !values) {
        parser->error = -ENOMEM;
        return NULL;
    }
    rv_parser_advance(parser);
    while (!parser->error && !rv_parser_is(parser, "}")) {
        if (!parse_field(parser, keys, values, count++))
            return NULL;
        if (!rv_parser_is(parser, "}") && !rv_parser_expect(parser, ",", "between the fields"))
            return NULL;
    }
    expr.loc.end = parser->token.loc.end;
    rv_parser_advance(parser);
    kept = rv_arena_array(parser->arena, count, sizeof(*kept));
    if (!kept) {
        parser->error = -ENOMEM;
        return NULL;
    }
    memcpy(kept, keys, count * sizeof(*kept));
    expr.keys = kept;
    return node(parser, expr, values, count);
}

static const struct rv_expr *variable(struct rv_parser *parser, struct rv_text name,
                                      struct rv_loc loc)
{
    static const char *const names[] = { "principal", "action", "resource", "context" };

    for (uint8_t i = 0; i < RV_COUNT(names); i++) {
        if (rv_text_is(name, names[i]))
            return leaf(parser, (struct rv_expr){ .kind = RV_EXPR_VAR, .var = i, .loc = loc });
    }
    rv_parser_fail(parser, loc, "the variables are principal, action, resource and context",
                   "there is no variable '%.*s'", RV_TEXT_ARGS(name));
    return NULL;
}

/** A word: literal, variable, function, or the beginning of an entity. */
static const struct rv_expr *word(struct rv_parser *parser)
{
    struct rv_token token = parser->token;
    struct rv_lexer ahead = parser->lexer;
    struct rv_token next = rv_lex(&ahead);

    if (rv_text_is(token.text, "true") || rv_text_is(token.text, "false")) {
        rv_parser_advance(parser);
        return literal(parser, token.loc, rv_value_bool(token.text.data[0] == 't'));
    }
    if (next.kind == RV_TOKEN_PUNCT && rv_text_is(next.text, "::")) {
        const struct rv_uid *uid = rv_parse_uid(parser);
        struct rv_loc loc = { token.loc.start, uid ? parser->lexer.at : 0 };

        loc.end = parser->token.loc.start;
        return uid ? literal(parser, loc, rv_value_entity(uid)) : NULL;
    }
    if (rv_is_reserved(token.text)) {
        rv_parser_fail(parser, token.loc, NULL, "'%.*s' cannot stand here",
                       RV_TEXT_ARGS(token.text));
        return NULL;
    }
    rv_parser_advance(parser);
    if (rv_parser_is(parser, "("))
        return function(parser, token.text, token.loc);
    return variable(parser, token.text, token.loc);
}

static const struct rv_expr *primary(struct rv_parser *parser)
{
    switch (parser->token.kind) {
    case RV_TOKEN_NUMBER:
        return number(parser);
    case RV_TOKEN_STRING:
        return string(parser);
    case RV_TOKEN_IDENT:
        return word(parser);
    case RV_TOKEN_SLOT:
        rv_parser_fail(parser, parser->token.loc, NULL,
                       "a slot may stand only in the scope, after == or in");
        return NULL;
    case RV_TOKEN_PUNCT:
        if (rv_parser_is(parser, "("))
            return bracketed(parser);
        if (rv_parser_is(parser, "["))
            return set(parser);
        if (rv_parser_is(parser, "{"))
            return record(parser);
        break;
    case RV_TOKEN_END:
    case RV_TOKEN_BAD:
        break;
    }
    rv_parser_fail(parser, parser->token.loc, NULL, "expected an expression here");
    return NULL;
}

/* ---- Members: x.a, x["a"], x.f() ---- */

static const struct rv_expr *dot(struct rv_parser *parser, const struct rv_expr *object)
{
    struct rv_token name;

    rv_parser_advance(parser);
    name = parser->token;
    if (name.kind != RV_TOKEN_IDENT || rv_is_reserved(name.text)) {
        rv_parser_fail(parser, name.loc, "write x[\"name\"] for a name that is a reserved word",
                       "expected the name of an attribute after '.'");
        return NULL;
    }
    rv_parser_advance(parser);
    if (rv_parser_is(parser, "("))
        return method(parser, object, name.text, name.loc);
    return with_name(parser, RV_EXPR_GET_ATTR, object, name.text, name.loc);
}

static const struct rv_expr *subscript(struct rv_parser *parser, const struct rv_expr *object)
{
    struct rv_text name;
    struct rv_loc loc;

    rv_parser_advance(parser);
    loc = parser->token.loc;
    if (parser->token.kind != RV_TOKEN_STRING) {
        rv_parser_fail(parser, loc, NULL, "only a string literal can stand in x[...]");
        return NULL;
    }
    if (!rv_parse_string(parser, &name) || !rv_parser_expect(parser, "]", "after the name"))
        return NULL;
    return with_name(parser, RV_EXPR_GET_ATTR, object, name, loc);
}

static const struct rv_expr *member(struct rv_parser *parser)
{
    const struct rv_expr *expr = primary(parser);

    while (expr && (rv_parser_is(parser, ".") || rv_parser_is(parser, "[")))
        expr = rv_parser_is(parser, ".") ? dot(parser, expr) : subscript(parser, expr);
    return expr;
}

/* ---- Operators ---- */

/** `-5` is one literal, so that the smallest number can be written. */
static const struct rv_expr *negative_number(struct rv_parser *parser, struct rv_loc loc)
{
    struct rv_lexer ahead = parser->lexer;
    struct rv_token next = rv_lex(&ahead);
    uint64_t value = 0;

    if (parser->token.kind != RV_TOKEN_NUMBER ||
        (next.kind == RV_TOKEN_PUNCT && (rv_text_is(next.text, ".") || rv_text_is(next.text, "["))))
        return NULL;
    if (!parse_number(parser, (uint64_t)INT64_MAX + 1, &value))
        return NULL;
    loc.end = parser->token.loc.end;
    rv_parser_advance(parser);
    return literal(parser, loc, rv_value_long((int64_t)-value));
}

static const struct rv_expr *signs(struct rv_parser *parser)
{
    const char *sign = rv_parser_is(parser, "!") ? "!" : "-";
    enum rv_expr_kind kind = sign[0] == '!' ? RV_EXPR_NOT : RV_EXPR_NEG;
    struct rv_loc locs[UNARY_MAX];
    const struct rv_expr *expr = NULL;
    unsigned count = 0;

    for (; rv_parser_is(parser, sign); rv_parser_advance(parser)) {
        if (count == UNARY_MAX) {
            rv_parser_fail(parser, parser->token.loc, "use brackets", "more than %d '%s' in a row",
                           UNARY_MAX, sign);
            return NULL;
        }
        locs[count++] = parser->token.loc;
    }
    if (kind == RV_EXPR_NEG)
        expr = negative_number(parser, locs[count - 1]);
    if (expr)
        count--;
    else
        expr = member(parser);
    while (expr && count > 0) {
        count--;
        expr = unary(parser, kind, (struct rv_loc){ locs[count].start, expr->loc.end }, expr);
    }
    return expr;
}

static const struct rv_expr *signed_member(struct rv_parser *parser)
{
    return rv_parser_is(parser, "!") || rv_parser_is(parser, "-") ? signs(parser) : member(parser);
}

static const struct rv_expr *product(struct rv_parser *parser)
{
    const struct rv_expr *expr = signed_member(parser);

    while (expr && rv_parser_is(parser, "*")) {
        rv_parser_advance(parser);
        expr = binary(parser, RV_EXPR_MUL, expr, signed_member(parser));
    }
    if (expr && (rv_parser_is(parser, "/") || rv_parser_is(parser, "%"))) {
        rv_parser_fail(parser, parser->token.loc, NULL, "Cedar has no division");
        return NULL;
    }
    return expr;
}

static const struct rv_expr *sum(struct rv_parser *parser)
{
    const struct rv_expr *expr = product(parser);

    while (expr && (rv_parser_is(parser, "+") || rv_parser_is(parser, "-"))) {
        enum rv_expr_kind kind = rv_parser_is(parser, "+") ? RV_EXPR_ADD : RV_EXPR_SUB;

        rv_parser_advance(parser);
        expr = binary(parser, kind, expr, product(parser));
    }
    return expr;
}

/** `x has a.b.c`: x has a, and x.a has b, and x.a.b has c. */
static const struct rv_expr *has(struct rv_parser *parser, const struct rv_expr *object)
{
    const struct rv_expr *all;
    struct rv_token name = parser->token;
    struct rv_text text;

    if (name.kind == RV_TOKEN_STRING)
        return rv_parse_string(parser, &text)
                   ? with_name(parser, RV_EXPR_HAS_ATTR, object, text, name.loc)
                   : NULL;
    if (name.kind != RV_TOKEN_IDENT || rv_is_reserved(name.text)) {
        rv_parser_fail(parser, name.loc, NULL, "expected the name of an attribute after 'has'");
        return NULL;
    }
    rv_parser_advance(parser);
    all = with_name(parser, RV_EXPR_HAS_ATTR, object, name.text, name.loc);
    while (all && rv_parser_is(parser, ".")) {
        rv_parser_advance(parser);
        object = with_name(parser, RV_EXPR_GET_ATTR, object, name.text, name.loc);
        name = parser->token;
        if (name.kind != RV_TOKEN_IDENT || rv_is_reserved(name.text)) {
            rv_parser_fail(parser, name.loc, NULL, "expected the name of an attribute after '.'");
            return NULL;
        }
        rv_parser_advance(parser);
        all = binary(parser, RV_EXPR_AND, all,
                     with_name(parser, RV_EXPR_HAS_ATTR, object, name.text, name.loc));
    }
    return all;
}

/** The inside of a pattern's quotes up to the next bare star, `\*` being a star as it is. */
static bool pattern_part(struct rv_parser *parser, struct rv_text raw, uint32_t *at,
                         struct rv_pattern_part *ret_part)
{
    RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };
    struct rv_text copy;
    size_t bad = 0;

    for (; *at < raw.len && raw.data[*at] != '*'; (*at)++) {
        if (raw.data[*at] == '\\' && *at + 1 < raw.len) {
            (*at)++;
            if (raw.data[*at] == '*') {
                rv_buf_add_str(&text, "\\x2a");
                continue;
            }
            rv_buf_add_char(&text, '\\');
        }
        rv_buf_add_char(&text, raw.data[*at]);
    }
    ret_part->star = *at < raw.len;
    (*at)++;
    copy = rv_arena_text(parser->arena, text.data, text.len);
    if (text.failed || !copy.data) {
        parser->error = -ENOMEM;
        return false;
    }
    if (rv_text_unescape(parser->arena, copy, &ret_part->text, &bad) < 0) {
        rv_parser_fail(parser, parser->token.loc, NULL, "the pattern holds an unknown escape");
        return false;
    }
    return true;
}

static bool parse_pattern(struct rv_parser *parser, struct rv_pattern *ret_pattern)
{
    struct rv_text raw = parser->token.text;
    struct rv_pattern_part *parts;
    uint32_t count = 1, at = 0;

    for (uint32_t i = 0; i < raw.len; i++)
        count += raw.data[i] == '*';
    parts = rv_arena_array(parser->arena, count, sizeof(*parts));
    if (!parts) {
        parser->error = -ENOMEM;
        return false;
    }
    *ret_pattern = (struct rv_pattern){ parts, 0 };
    do {
        if (!pattern_part(parser, raw, &at, &parts[ret_pattern->count]))
            return false;
        ret_pattern->count++;
    } while (parts[ret_pattern->count - 1].star);
    return true;
}

static const struct rv_expr *like(struct rv_parser *parser, const struct rv_expr *object)
{
    struct rv_expr expr = { .kind = RV_EXPR_LIKE, .name_loc = parser->token.loc };

    if (parser->token.kind != RV_TOKEN_STRING) {
        rv_parser_fail(parser, parser->token.loc, NULL,
                       "expected a pattern in quotes after 'like'");
        return NULL;
    }
    expr.loc = (struct rv_loc){ object->loc.start, parser->token.loc.end };
    if (!parse_pattern(parser, &expr.pattern))
        return NULL;
    rv_parser_advance(parser);
    return node(parser, expr, &object, 1);
}

static const struct rv_expr *is(struct rv_parser *parser, const struct rv_expr *object)
{
    struct rv_expr expr = { .kind = RV_EXPR_IS, .name_loc = parser->token.loc };
    const struct rv_expr *children[] = { object, NULL };
    uint32_t count = 1;

    if (!rv_parse_path(parser, &expr.name))
        return NULL;
    expr.name_loc.end = parser->token.loc.start;
    expr.loc = (struct rv_loc){ object->loc.start, expr.name_loc.end };
    if (rv_parser_is_word(parser, "in")) {
        rv_parser_advance(parser);
        children[count++] = sum(parser);
        if (!children[1])
            return NULL;
        expr.loc.end = children[1]->loc.end;
    }
    return node(parser, expr, children, count);
}

static const struct rv_expr *relation(struct rv_parser *parser)
{
    static const struct {
        const char *text;
        enum rv_expr_kind kind;
    } operators[] = {
        { "==", RV_EXPR_EQ }, { "!=", RV_EXPR_NE }, { "<", RV_EXPR_LT },
        { "<=", RV_EXPR_LE }, { ">", RV_EXPR_GT },  { ">=", RV_EXPR_GE },
    };
    static const struct {
        const char *text;
        const struct rv_expr *(*parse)(struct rv_parser *parser, const struct rv_expr *object);
    } words[] = { { "has", has }, { "like", like }, { "is", is } };
    const struct rv_expr *expr = sum(parser);

    if (!expr)
        return NULL;
    for (size_t i = 0; i < RV_COUNT(words); i++) {
        if (rv_parser_is_word(parser, words[i].text)) {
            rv_parser_advance(parser);
            return words[i].parse(parser, expr);
        }
    }
    if (rv_parser_is_word(parser, "in")) {
        rv_parser_advance(parser);
        return binary(parser, RV_EXPR_IN, expr, sum(parser));
    }
    for (size_t i = 0; i < RV_COUNT(operators); i++) {
        if (rv_parser_is(parser, operators[i].text)) {
            rv_parser_advance(parser);
            return binary(parser, operators[i].kind, expr, sum(parser));
        }
    }
    if (rv_parser_is(parser, "="))
        rv_parser_fail(parser, parser->token.loc, "equality is ==", "'=' cannot stand here");
    return parser->error ? NULL : expr;
}

static const struct rv_expr *conjunction(struct rv_parser *parser)
{
    const struct rv_expr *expr = relation(parser);

    while (expr && rv_parser_is(parser, "&&")) {
        rv_parser_advance(parser);
        expr = binary(parser, RV_EXPR_AND, expr, relation(parser));
    }
    return expr;
}

static const struct rv_expr *disjunction(struct rv_parser *parser)
{
    const struct rv_expr *expr = conjunction(parser);

    while (expr && rv_parser_is(parser, "||")) {
        rv_parser_advance(parser);
        expr = binary(parser, RV_EXPR_OR, expr, conjunction(parser));
    }
    return expr;
}

static bool take_word(struct rv_parser *parser, const char *text)
{
    if (!rv_parser_is_word(parser, text)) {
        rv_parser_fail(parser, parser->token.loc, NULL, "expected '%s' here", text);
        return false;
    }
    rv_parser_advance(parser);
    return true;
}

static const struct rv_expr *conditional(struct rv_parser *parser)
{
    struct rv_expr expr = { .kind = RV_EXPR_IF, .loc = parser->token.loc };
    const struct rv_expr *children[3] = { NULL };

    rv_parser_advance(parser);
    children[0] = rv_parse_expr(parser);
    if (!children[0] || !take_word(parser, "then"))
        return NULL;
    children[1] = rv_parse_expr(parser);
    if (!children[1] || !take_word(parser, "else"))
        return NULL;
    children[2] = rv_parse_expr(parser);
    if (!children[2])
        return NULL;
    expr.loc.end = children[2]->loc.end;
    return node(parser, expr, children, 3);
}

const struct rv_expr *rv_parse_expr(struct rv_parser *parser)
{
    const struct rv_expr *expr;

    if (parser->error)
        return NULL;
    if (parser->nesting == RV_PARSE_NESTING_MAX) {
        rv_parser_fail(parser, parser->token.loc, NULL, "brackets are nested more than %d deep",
                       RV_PARSE_NESTING_MAX);
        return NULL;
    }
    parser->nesting++;
    expr = rv_parser_is_word(parser, "if") ? conditional(parser) : disjunction(parser);
    parser->nesting--;
    return parser->error ? NULL : expr;
}
