/* SPDX-License-Identifier: Apache-2.0 */
/* Policies and templates: annotations, effect, scope, conditions. */
#include "parse.h"

#include "escape.h"
#include "set.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- The parser's state ---- */

void rv_parser_fail(struct rv_parser *parser, struct rv_loc loc, const char *help,
                    const char *format, ...)
{
    struct rv_diag_at at = { .source = parser->source, .loc = loc };
    char message[300];
    va_list args;

    if (parser->error)
        return;
    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    parser->error = -EINVAL;
    rv_diag_add(parser->diags, RV_DIAG_ERROR, "parse", at, help, "%s", message);
}

void rv_parser_advance(struct rv_parser *parser)
{
    parser->token = rv_lex(&parser->lexer);
    if (parser->token.kind != RV_TOKEN_BAD)
        return;
    if (parser->token.text.data[0] == '"')
        rv_parser_fail(parser, parser->token.loc, NULL, "the string has no end");
    else
        rv_parser_fail(parser, parser->token.loc, NULL, "this is no part of the language");
}

void rv_parser_start(struct rv_parser *parser, const struct rv_source *source)
{
    parser->source = source;
    parser->lexer = (struct rv_lexer){ source->text.data, source->text.len, 0 };
    rv_parser_advance(parser);
}

bool rv_parser_is(const struct rv_parser *parser, const char *punct)
{
    return parser->token.kind == RV_TOKEN_PUNCT && rv_text_is(parser->token.text, punct);
}

bool rv_parser_is_word(const struct rv_parser *parser, const char *word)
{
    return parser->token.kind == RV_TOKEN_IDENT && rv_text_is(parser->token.text, word);
}

bool rv_parser_expect(struct rv_parser *parser, const char *punct, const char *where)
{
    if (!rv_parser_is(parser, punct)) {
        rv_parser_fail(parser, parser->token.loc, NULL, "expected '%s' %s", punct, where);
        return false;
    }
    rv_parser_advance(parser);
    return !parser->error;
}

bool rv_parse_string(struct rv_parser *parser, struct rv_text *ret_text)
{
    size_t bad = 0;
    int r = rv_text_unescape(parser->arena, parser->token.text, ret_text, &bad);

    if (r == -EINVAL) {
        struct rv_loc loc = parser->token.loc;

        loc.start += 1 + (uint32_t)bad;
        loc.end = loc.start + 2;
        rv_parser_fail(parser, loc, "a backslash itself is written \\\\", "unknown escape");
    } else if (r < 0) {
        parser->error = r;
    }
    rv_parser_advance(parser);
    return !parser->error;
}

/* ---- Names ---- */

static bool take_name(struct rv_parser *parser, struct rv_text *ret_name)
{
    if (parser->token.kind != RV_TOKEN_IDENT || rv_is_reserved(parser->token.text)) {
        rv_parser_fail(parser, parser->token.loc, NULL, "expected a name here");
        return false;
    }
    *ret_name = parser->token.text;
    rv_parser_advance(parser);
    return !parser->error;
}

/** The names of a path up to what is no name; `more` then says whether a string follows `::`. */
static bool parse_path(struct rv_parser *parser, struct rv_text *ret_path, bool *ret_string)
{
    RV_AUTO(rv_buf_done) struct rv_buf path = { 0 };
    struct rv_text name;

    *ret_string = false;
    if (!take_name(parser, &name))
        return false;
    rv_buf_add(&path, name.data, name.len);
    while (rv_parser_is(parser, "::")) {
        rv_parser_advance(parser);
        if (parser->token.kind == RV_TOKEN_STRING) {
            *ret_string = true;
            break;
        }
        if (!take_name(parser, &name))
            return false;
        rv_buf_add_str(&path, "::");
        rv_buf_add(&path, name.data, name.len);
    }
    *ret_path = rv_arena_text(parser->arena, path.data, path.len);
    if (path.failed || !ret_path->data)
        parser->error = -ENOMEM;
    return !parser->error;
}

bool rv_parse_path(struct rv_parser *parser, struct rv_text *ret_path)
{
    bool string = false;

    if (!parse_path(parser, ret_path, &string))
        return false;
    if (string)
        rv_parser_fail(parser, parser->token.loc, NULL, "expected a type here, not an entity");
    return !parser->error;
}

const struct rv_uid *rv_parse_uid(struct rv_parser *parser)
{
    struct rv_uid *uid = rv_arena_alloc(parser->arena, sizeof(*uid));
    struct rv_text type, id;
    bool string = false;

    if (!uid || !parse_path(parser, &type, &string))
        return NULL;
    if (!string) {
        rv_parser_fail(parser, parser->token.loc, "an entity is written Type::\"id\"",
                       "expected an entity here");
        return NULL;
    }
    if (!rv_parse_string(parser, &id))
        return NULL;
    *uid = rv_uid(type, id);
    return uid;
}

/* ---- Scope ---- */

static void parse_target(struct rv_parser *parser, enum rv_slot slot, const char *slot_name,
                         struct rv_scope *scope)
{
    if (parser->token.kind != RV_TOKEN_SLOT) {
        scope->uid = rv_parse_uid(parser);
        return;
    }
    if (slot == RV_SLOT_NONE || !rv_text_is(parser->token.text, slot_name)) {
        rv_parser_fail(parser, parser->token.loc, NULL, "the slot ?%.*s cannot stand here",
                       RV_TEXT_ARGS(parser->token.text));
        return;
    }
    scope->slot = (uint8_t)slot;
    rv_parser_advance(parser);
}

/** `principal`, `principal == x`, `principal in x`, `principal is T`, `principal is T in x`. */
static void parse_entity_scope(struct rv_parser *parser, const char *name, enum rv_slot slot,
                               struct rv_scope *scope)
{
    scope->loc = parser->token.loc;
    if (!rv_parser_is_word(parser, name)) {
        rv_parser_fail(parser, parser->token.loc, NULL, "expected '%s' here", name);
        return;
    }
    rv_parser_advance(parser);
    if (rv_parser_is(parser, "==")) {
        scope->kind = RV_SCOPE_EQ;
        rv_parser_advance(parser);
        parse_target(parser, slot, name, scope);
    } else if (rv_parser_is_word(parser, "in")) {
        scope->kind = RV_SCOPE_IN;
        rv_parser_advance(parser);
        parse_target(parser, slot, name, scope);
    } else if (rv_parser_is_word(parser, "is")) {
        scope->kind = RV_SCOPE_IS;
        rv_parser_advance(parser);
        if (rv_parse_path(parser, &scope->type) && rv_parser_is_word(parser, "in")) {
            scope->kind = RV_SCOPE_IS_IN;
            rv_parser_advance(parser);
            parse_target(parser, slot, name, scope);
        }
    }
    scope->loc.end = parser->token.loc.start;
}

/** The last part of an action's type is `Action`. */
static bool is_action(const struct rv_uid *uid)
{
    static const char name[] = "Action";
    size_t len = sizeof(name) - 1;
    struct rv_text type = uid->type;

    return type.len >= len && memcmp(type.data + type.len - len, name, len) == 0 &&
           (type.len == len || type.data[type.len - len - 1] == ':');
}

static const struct rv_uid *parse_action(struct rv_parser *parser)
{
    struct rv_loc loc = parser->token.loc;
    const struct rv_uid *uid = rv_parse_uid(parser);

    if (uid && !is_action(uid)) {
        loc.end = parser->token.loc.start;
        rv_parser_fail(parser, loc, "write Action::\"name\"", "an action's type must be Action");
    }
    return uid;
}

enum { ACTIONS_MAX = 4096 };

static void parse_actions(struct rv_parser *parser, struct rv_scope *scope)
{
    RV_AUTO(rv_freep) const struct rv_uid **uids = calloc(ACTIONS_MAX, sizeof(*uids));
    const struct rv_uid **kept;
    uint32_t count = 0;

    scope->kind = RV_SCOPE_IN_SET;
    rv_parser_advance(parser);
    while (uids && !parser->error && !rv_parser_is(parser, "]")) {
        if (count == ACTIONS_MAX) {
            rv_parser_fail(parser, parser->token.loc, NULL, "more than %d actions", ACTIONS_MAX);
            return;
        }
        uids[count++] = parse_action(parser);
        if (!rv_parser_is(parser, "]") && !rv_parser_expect(parser, ",", "between actions"))
            return;
    }
    if (parser->error)
        return;
    rv_parser_advance(parser);
    kept = rv_arena_array(parser->arena, count, sizeof(*kept));
    if (!kept || !uids) {
        parser->error = -ENOMEM;
        return;
    }
    memcpy(kept, uids, count * sizeof(*kept));
    scope->uids = kept;
    scope->uid_count = count;
}

static void parse_action_scope(struct rv_parser *parser, struct rv_scope *scope)
{
    scope->loc = parser->token.loc;
    if (!rv_parser_is_word(parser, "action")) {
        rv_parser_fail(parser, parser->token.loc, NULL, "expected 'action' here");
        return;
    }
    rv_parser_advance(parser);
    if (rv_parser_is(parser, "==")) {
        scope->kind = RV_SCOPE_EQ;
        rv_parser_advance(parser);
        scope->uid = parse_action(parser);
    } else if (rv_parser_is_word(parser, "in")) {
        rv_parser_advance(parser);
        if (rv_parser_is(parser, "[")) {
            parse_actions(parser, scope);
        } else {
            scope->kind = RV_SCOPE_IN;
            scope->uid = parse_action(parser);
        }
    }
    scope->loc.end = parser->token.loc.start;
}

static void parse_scope(struct rv_parser *parser, struct rv_policy *policy)
{
    if (!rv_parser_expect(parser, "(", "before the scope"))
        return;
    parse_entity_scope(parser, "principal", RV_SLOT_PRINCIPAL, &policy->principal);
    if (!rv_parser_expect(parser, ",", "after the principal"))
        return;
    parse_action_scope(parser, &policy->action);
    if (!rv_parser_expect(parser, ",", "after the action"))
        return;
    parse_entity_scope(parser, "resource", RV_SLOT_RESOURCE, &policy->resource);
    if (rv_parser_is(parser, ","))
        rv_parser_advance(parser);
    (void)rv_parser_expect(parser, ")", "after the scope");
}

/* ---- Annotations, conditions ---- */

enum { ANNOTATIONS_MAX = 64, CONDITIONS_MAX = 1024 };

static bool parse_annotation(struct rv_parser *parser, struct rv_annotation *annotation)
{
    annotation->loc = parser->token.loc;
    rv_parser_advance(parser);
    if (parser->token.kind != RV_TOKEN_IDENT) {
        rv_parser_fail(parser, parser->token.loc, NULL, "expected a name after '@'");
        return false;
    }
    annotation->name = parser->token.text;
    annotation->value = rv_text_str("");
    rv_parser_advance(parser);
    if (rv_parser_is(parser, "(")) {
        rv_parser_advance(parser);
        if (parser->token.kind != RV_TOKEN_STRING) {
            rv_parser_fail(parser, parser->token.loc, NULL, "expected a string in @%.*s(...)",
                           RV_TEXT_ARGS(annotation->name));
            return false;
        }
        if (!rv_parse_string(parser, &annotation->value) ||
            !rv_parser_expect(parser, ")", "after the annotation"))
            return false;
    }
    annotation->loc.end = parser->token.loc.start;
    return !parser->error;
}

static void parse_annotations(struct rv_parser *parser, struct rv_policy *policy)
{
    struct rv_annotation found[ANNOTATIONS_MAX];
    struct rv_annotation *kept;
    uint32_t count = 0;

    for (; !parser->error && rv_parser_is(parser, "@"); count++) {
        if (count == ANNOTATIONS_MAX) {
            rv_parser_fail(parser, parser->token.loc, NULL, "more than %d annotations",
                           ANNOTATIONS_MAX);
            return;
        }
        if (!parse_annotation(parser, &found[count]))
            return;
        for (uint32_t i = 0; i < count; i++) {
            if (rv_text_eq(found[i].name, found[count].name))
                rv_parser_fail(parser, found[count].loc, NULL, "@%.*s stands twice",
                               RV_TEXT_ARGS(found[count].name));
        }
    }
    kept = rv_arena_array(parser->arena, count, sizeof(*kept));
    if (!kept) {
        parser->error = -ENOMEM;
        return;
    }
    memcpy(kept, found, count * sizeof(*kept));
    policy->annotations = kept;
    policy->annotation_count = count;
}

static bool parse_condition(struct rv_parser *parser, struct rv_condition *condition)
{
    condition->unless = rv_parser_is_word(parser, "unless");
    condition->loc = parser->token.loc;
    rv_parser_advance(parser);
    if (!rv_parser_expect(parser, "{", "before the condition"))
        return false;
    condition->body = rv_parse_expr(parser);
    condition->loc.end = parser->token.loc.end;
    return condition->body && rv_parser_expect(parser, "}", "after the condition");
}

static void parse_conditions(struct rv_parser *parser, struct rv_policy *policy)
{
    RV_AUTO(rv_freep) struct rv_condition *found = calloc(CONDITIONS_MAX, sizeof(*found));
    struct rv_condition *kept;
    uint32_t count = 0;

    while (found && (rv_parser_is_word(parser, "when") || rv_parser_is_word(parser, "unless"))) {
        if (count == CONDITIONS_MAX) {
            rv_parser_fail(parser, parser->token.loc, NULL, "more than %d conditions",
                           CONDITIONS_MAX);
            return;
        }
        if (!parse_condition(parser, &found[count++]))
            return;
    }
    kept = rv_arena_array(parser->arena, count, sizeof(*kept));
    if (!kept || !found) {
        parser->error = -ENOMEM;
        return;
    }
    memcpy(kept, found, count * sizeof(*kept));
    policy->conditions = kept;
    policy->condition_count = count;
}

static void parse_policy(struct rv_parser *parser, struct rv_policy *policy)
{
    policy->source = parser->source;
    policy->loc.start = parser->token.loc.start;
    parse_annotations(parser, policy);
    if (parser->error)
        return;
    if (!rv_parser_is_word(parser, "permit") && !rv_parser_is_word(parser, "forbid")) {
        rv_parser_fail(parser, parser->token.loc, NULL, "expected 'permit' or 'forbid' here");
        return;
    }
    policy->effect = rv_parser_is_word(parser, "permit") ? RV_EFFECT_ALLOW : RV_EFFECT_DENY;
    rv_parser_advance(parser);
    parse_scope(parser, policy);
    if (!parser->error)
        parse_conditions(parser, policy);
    policy->loc.end = parser->token.loc.end;
    if (!parser->error)
        (void)rv_parser_expect(parser, ";", "at the end of the policy");
}

/* ---- Whole texts ---- */

static const struct rv_source *keep_source(struct rv_arena *arena, const char *name,
                                           struct rv_span text)
{
    struct rv_source *source = rv_arena_alloc(arena, sizeof(*source));

    if (!source)
        return NULL;
    source->name = rv_arena_text(arena, name ? name : "", name ? strlen(name) : 0);
    source->text = rv_arena_text(arena, (const char *)text.data, text.len);
    return arena->failed ? NULL : source;
}

static int start(struct rv_parser *parser, const char *name, struct rv_span text)
{
    const struct rv_source *source;

    if (text.len > RV_POLICY_TEXT_MAX)
        return -EFBIG;
    source = keep_source(parser->arena, name, text);
    if (!source)
        return -ENOMEM;
    if (rv_utf8_valid_len(text) != text.len) {
        uint32_t bad = (uint32_t)rv_utf8_valid_len(text);

        parser->source = source;
        rv_parser_fail(parser, (struct rv_loc){ bad, bad + 1 }, NULL, "the text is not UTF-8");
        return parser->error;
    }
    rv_parser_start(parser, source);
    return parser->error;
}

int rv_policy_read(struct rv_policy_set *set, const char *name, struct rv_span text,
                   struct rv_diags *diags)
{
    struct rv_parser parser = { .arena = &set->arena, .diags = diags };
    size_t count_before = set->count, id_before = set->next_id;
    int r = start(&parser, name, text);

    while (r == 0 && parser.token.kind != RV_TOKEN_END) {
        struct rv_policy policy = { .id = rv_policy_set_next_id(set) };

        parse_policy(&parser, &policy);
        r = parser.error;
        if (r == 0 && !policy.id.data)
            r = -ENOMEM;
        if (r == 0)
            r = rv_policy_set_add(set, &policy);
    }
    if (r == 0 && set->arena.failed)
        r = -ENOMEM;
    if (r < 0) {
        set->count = count_before;
        set->next_id = id_before;
    }
    return r;
}

int rv_expr_read(struct rv_arena *arena, struct rv_span text, const struct rv_expr **ret_expr,
                 struct rv_diags *diags)
{
    struct rv_parser parser = { .arena = arena, .diags = diags };
    const struct rv_expr *expr;
    int r = start(&parser, NULL, text);

    if (r < 0)
        return r;
    expr = rv_parse_expr(&parser);
    if (expr && parser.token.kind != RV_TOKEN_END)
        rv_parser_fail(&parser, parser.token.loc, NULL, "expected the end of the expression");
    if (parser.error)
        return parser.error;
    *ret_expr = expr;
    return 0;
}
