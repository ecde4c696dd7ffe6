/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the human schema syntax. Keywords are names in every other place, so that the words of a
 * token are looked at only where the grammar expects one. Stops at the first error. */
#include "escape.h"
#include "schema_doc.h"

#include <stdarg.h>
#include <stdio.h>

enum token_kind {
    TOKEN_END,
    TOKEN_WORD,
    TOKEN_STRING,
    TOKEN_PATH_SEPARATOR, /* :: */
    TOKEN_SIGN,           /* one of ,;:{}[]<>=?@() */
    TOKEN_BAD,
};

struct token {
    enum token_kind kind;
    char sign;
    uint32_t start, end;
};

struct reader {
    struct rv_schema *schema;
    struct rv_diags *diags;
    const char *text;
    uint32_t len, at;
    struct token token; /* the one to be read next */
    uint32_t last_end;  /* where the one before it ended */
    bool no_memory;
};

/* ---- Tokens ---- */
/** Bytes of the white space character at `at`, 0 when it is none (Unicode White_Space). */
static uint32_t blank_len(const char *at, size_t left)
{
    const unsigned char *c = (const unsigned char *)at;

    if (left >= 1 && (c[0] == ' ' || (c[0] >= '\t' && c[0] <= '\r')))
        return 1;
    if (left >= 2 && c[0] == 0xc2 && (c[1] == 0x85 || c[1] == 0xa0))
        return 2;
    if (left < 3)
        return 0;
    if (c[0] == 0xe1 && c[1] == 0x9a && c[2] == 0x80)
        return 3;
    if (c[0] == 0xe2 && c[1] == 0x80 &&
        ((c[2] >= 0x80 && c[2] <= 0x8a) || c[2] == 0xa8 || c[2] == 0xa9 || c[2] == 0xaf))
        return 3;
    if ((c[0] == 0xe2 && c[1] == 0x81 && c[2] == 0x9f) ||
        (c[0] == 0xe3 && c[1] == 0x80 && c[2] == 0x80))
        return 3;
    return 0;
}

static void skip_blanks(struct reader *reader)
{
    while (reader->at < reader->len) {
        uint32_t blank = blank_len(reader->text + reader->at, reader->len - reader->at);

        if (blank > 0) {
            reader->at += blank;
        } else if (reader->len - reader->at >= 2 && reader->text[reader->at] == '/' &&
                   reader->text[reader->at + 1] == '/') {
            while (reader->at < reader->len && reader->text[reader->at] != '\n' &&
                   reader->text[reader->at] != '\r')
                reader->at++;
        } else {
            return;
        }
    }
}

static bool is_word_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_word_part(char c)
{
    return is_word_start(c) || (c >= '0' && c <= '9');
}

/** The end of the string literal that starts at `at`, or 0 when it has none. */
static uint32_t string_end(const struct reader *reader, uint32_t at)
{
    for (uint32_t i = at + 1; i < reader->len; i++) {
        if (reader->text[i] == '\\')
            i++;
        else if (reader->text[i] == '"')
            return i + 1;
    }
    return 0;
}

static void advance(struct reader *reader)
{
    struct token *token = &reader->token;
    char c;

    reader->last_end = token->end;
    skip_blanks(reader);
    *token = (struct token){ .kind = TOKEN_END, .start = reader->at, .end = reader->at };
    if (reader->at == reader->len)
        return;
    c = reader->text[reader->at];
    token->end++;
    if (is_word_start(c)) {
        token->kind = TOKEN_WORD;
        while (token->end < reader->len && is_word_part(reader->text[token->end]))
            token->end++;
    } else if (c == '"') {
        uint32_t end = string_end(reader, reader->at);

        token->kind = end ? TOKEN_STRING : TOKEN_BAD;
        token->end = end ? end : reader->len;
    } else if (c == ':' && token->end < reader->len && reader->text[token->end] == ':') {
        token->kind = TOKEN_PATH_SEPARATOR;
        token->end++;
    } else if (c && strchr(",;:{}[]<>=?@()", c)) {
        token->kind = TOKEN_SIGN;
        token->sign = c;
    } else {
        token->kind = TOKEN_BAD;
    }
    reader->at = token->end;
}

static struct rv_loc loc_of(struct token token)
{
    return (struct rv_loc){ token.start, token.end };
}

/** From `start` to the end of what was read last. */
static struct rv_loc loc_from(const struct reader *reader, uint32_t start)
{
    return (struct rv_loc){ start, reader->last_end };
}

static bool is_sign(const struct reader *reader, char sign)
{
    return reader->token.kind == TOKEN_SIGN && reader->token.sign == sign;
}

static bool is_word(const struct reader *reader, const char *word)
{
    size_t len = strlen(word);

    return reader->token.kind == TOKEN_WORD && reader->token.end - reader->token.start == len &&
           memcmp(reader->text + reader->token.start, word, len) == 0;
}

static bool accept_sign(struct reader *reader, char sign)
{
    if (!is_sign(reader, sign))
        return false;
    advance(reader);
    return true;
}

static bool accept_word(struct reader *reader, const char *word)
{
    if (!is_word(reader, word))
        return false;
    advance(reader);
    return true;
}

/* ---- Messages: each answers false, so that a parser can `return fail(...)` ---- */
static bool fail_at(struct reader *reader, struct rv_loc loc, const char *help, const char *format,
                    ...) RV_PRINTF(4, 5);

static bool fail_at(struct reader *reader, struct rv_loc loc, const char *help, const char *format,
                    ...)
{
    char message[300];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    rv_diag_add(reader->diags, RV_DIAG_ERROR, "schema-syntax",
                (struct rv_diag_at){ .source = reader->schema->source, .loc = loc }, help, "%s",
                message);
    return false;
}

static bool fail_expected(struct reader *reader, const char *what)
{
    struct token token = reader->token;

    if (token.kind == TOKEN_END)
        return fail_at(reader, loc_of(token), NULL, "expected %s, but the text ends here", what);
    if (token.kind == TOKEN_BAD && reader->text[token.start] == '"')
        return fail_at(reader, (struct rv_loc){ token.start, token.start + 1 },
                       "close the string with a quotation mark", "this string has no end");
    return fail_at(reader, loc_of(token), NULL, "expected %s, found `%.*s`", what,
                   (int)rv_min_u64(token.end - token.start, 60), reader->text + token.start);
}

static bool fail_memory(struct reader *reader)
{
    reader->no_memory = true;
    return false;
}

static bool expect_sign(struct reader *reader, char sign)
{
    char what[4] = { '`', sign, '`', '\0' };

    return accept_sign(reader, sign) || fail_expected(reader, what);
}

/* ---- Names and strings ---- */
static struct rv_text token_text(const struct reader *reader, struct token token)
{
    return rv_text(reader->text + token.start, token.end - token.start);
}

/** An identifier that may be declared: no word of the policy language. */
static bool read_identifier(struct reader *reader, struct rv_doc_name *ret)
{
    struct token token = reader->token;

    if (token.kind != TOKEN_WORD)
        return fail_expected(reader, "a name");
    ret->text = token_text(reader, token);
    ret->loc = loc_of(token);
    if (rv_is_reserved_word(ret->text))
        return fail_at(reader, ret->loc, "choose another name, or write it as a string in quotes",
                       "`%.*s` is a word of the policy language and cannot be a name here",
                       RV_TEXT_ARGS(ret->text));
    advance(reader);
    return true;
}

/** The rest of `first::b::c`. With `or_string` it stops before a string and says so. */
static bool read_path_rest(struct reader *reader, struct rv_doc_name first, bool *or_string,
                           struct rv_doc_name *ret)
{
    RV_AUTO(rv_buf_done) struct rv_buf path = { 0 };

    rv_buf_add(&path, first.text.data, first.text.len);
    while (reader->token.kind == TOKEN_PATH_SEPARATOR) {
        struct rv_doc_name part;

        advance(reader);
        if (or_string && reader->token.kind == TOKEN_STRING) {
            *or_string = true;
            break;
        }
        if (!read_identifier(reader, &part))
            return false;
        rv_buf_add_str(&path, "::");
        rv_buf_add(&path, part.text.data, part.text.len);
    }
    if (path.failed)
        return fail_memory(reader);
    ret->text = rv_arena_text(&reader->schema->arena, path.data, path.len);
    ret->loc = loc_from(reader, first.loc.start);
    return ret->text.data || fail_memory(reader);
}

static bool read_path(struct reader *reader, struct rv_doc_name *ret)
{
    struct rv_doc_name first;

    return read_identifier(reader, &first) && read_path_rest(reader, first, NULL, ret);
}

static bool read_string(struct reader *reader, struct rv_doc_name *ret)
{
    struct token token = reader->token;
    struct rv_text raw;
    size_t bad = 0;
    int r;

    if (token.kind != TOKEN_STRING)
        return fail_expected(reader, "a string in quotes");
    raw = rv_text(reader->text + token.start + 1, token.end - token.start - 2);
    r = rv_text_unescape(&reader->schema->arena, raw, &ret->text, &bad);
    if (r == -ENOMEM)
        return fail_memory(reader);
    if (r < 0) {
        uint32_t at = token.start + 1 + (uint32_t)bad;

        return fail_at(reader, (struct rv_loc){ at, at + 1 },
                       "the escapes are \\n \\r \\t \\0 \\\\ \\\" \\' \\x41 and \\u{1F600}",
                       "this is not an escape sequence");
    }
    ret->loc = loc_of(token);
    advance(reader);
    return true;
}

/** A name of an attribute or action: identifier or string. */
static bool read_name(struct reader *reader, struct rv_doc_name *ret)
{
    if (reader->token.kind == TOKEN_STRING)
        return read_string(reader, ret);
    if (reader->token.kind != TOKEN_WORD)
        return fail_expected(reader, "a name or a string in quotes");
    return read_identifier(reader, ret);
}

/* ---- Growing lists in the arena ---- */
struct name_list {
    struct rv_doc_name *items;
    uint32_t count, room;
};

static bool name_list_add(struct reader *reader, struct name_list *list, struct rv_doc_name name)
{
    if (list->count == list->room) {
        uint32_t room = list->room ? list->room * 2 : 4;
        struct rv_doc_name *items = rv_arena_array(&reader->schema->arena, room, sizeof(*items));

        if (!items)
            return fail_memory(reader);
        if (list->count > 0)
            memcpy(items, list->items, list->count * sizeof(*items));
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = name;
    return true;
}

/** One or more of what `read_one` reads, with commas between. */
static bool read_names(struct reader *reader,
                       bool (*read_one)(struct reader *reader, struct rv_doc_name *ret),
                       struct name_list *ret)
{
    do {
        struct rv_doc_name name;

        if (!read_one(reader, &name) || !name_list_add(reader, ret, name))
            return false;
    } while (accept_sign(reader, ','));
    return true;
}

/** A path, or paths in brackets (which may be none). */
static bool read_entity_types(struct reader *reader, struct rv_doc_names *ret)
{
    struct name_list list = { 0 };

    if (accept_sign(reader, '[')) {
        if (!is_sign(reader, ']') && !read_names(reader, read_path, &list))
            return false;
        if (!expect_sign(reader, ']'))
            return false;
    } else {
        struct rv_doc_name name;

        if (!read_path(reader, &name) || !name_list_add(reader, &list, name))
            return false;
    }
    *ret = (struct rv_doc_names){ list.items, list.count };
    return true;
}

/* ---- Annotations: @name or @name("value") ---- */
static bool read_annotation(struct reader *reader, struct rv_annotation *ret)
{
    uint32_t start = reader->token.start;
    struct rv_doc_name value = { 0 };

    advance(reader); /* @ */
    if (reader->token.kind != TOKEN_WORD)
        return fail_expected(reader, "the name of an annotation");
    ret->name = token_text(reader, reader->token);
    advance(reader);
    ret->value = rv_text("", 0);
    if (accept_sign(reader, '(')) {
        if (!read_string(reader, &value) || !expect_sign(reader, ')'))
            return false;
        ret->value = value.text;
    }
    ret->loc = loc_from(reader, start);
    return true;
}

static bool read_annotations(struct reader *reader, struct rv_doc_annotations *ret)
{
    struct rv_annotation *items = NULL;
    uint32_t count = 0, room = 0;

    while (is_sign(reader, '@')) {
        struct rv_annotation annotation;

        if (!read_annotation(reader, &annotation))
            return false;
        for (uint32_t i = 0; i < count; i++) {
            if (rv_text_eq(items[i].name, annotation.name))
                return fail_at(reader, annotation.loc, "remove one of them",
                               "annotation `@%.*s` is given twice", RV_TEXT_ARGS(annotation.name));
        }
        if (count == room) {
            struct rv_annotation *more;

            room = room ? room * 2 : 4;
            more = rv_arena_array(&reader->schema->arena, room, sizeof(*more));
            if (!more)
                return fail_memory(reader);
            if (count > 0)
                memcpy(more, items, count * sizeof(*items));
            items = more;
        }
        items[count++] = annotation;
    }
    *ret = (struct rv_doc_annotations){ items, count };
    return true;
}

/* ---- Types ---- */
static bool read_type(struct reader *reader, unsigned depth, const struct rv_doc_type **ret);

static bool read_field(struct reader *reader, unsigned depth, struct rv_doc_field *field)
{
    struct rv_doc_name name;

    if (!read_annotations(reader, &field->annotations) || !read_name(reader, &name))
        return false;
    field->name = name.text;
    field->loc = name.loc;
    field->required = !accept_sign(reader, '?');
    if (!expect_sign(reader, ':') || !read_type(reader, depth + 1, &field->type))
        return false;
    return true;
}

/** The inside of braces up to the closing one: fields with commas, one may trail. */
static bool read_fields(struct reader *reader, unsigned depth, const struct rv_doc_field **ret)
{
    const struct rv_doc_field **tail = ret;

    *ret = NULL;
    while (!is_sign(reader, '}')) {
        struct rv_doc_field *field = rv_arena_alloc(&reader->schema->arena, sizeof(*field));

        if (!field)
            return fail_memory(reader);
        if (!read_field(reader, depth, field))
            return false;
        *tail = field;
        tail = &field->next;
        if (!accept_sign(reader, ',') && !is_sign(reader, '}'))
            return fail_expected(reader, "`,` or `}` after the attribute");
    }
    advance(reader);
    return true;
}

static bool read_type(struct reader *reader, unsigned depth, const struct rv_doc_type **ret)
{
    struct rv_doc_type *type = rv_arena_alloc(&reader->schema->arena, sizeof(*type));
    uint32_t start = reader->token.start;
    struct rv_doc_name name;
    bool is_set = is_word(reader, "Set");

    if (!type)
        return fail_memory(reader);
    if (depth > RV_SCHEMA_DEPTH_MAX)
        return fail_at(reader, loc_of(reader->token), "give the inner part a name with `type`",
                       "types are nested deeper than %d", RV_SCHEMA_DEPTH_MAX);
    if (accept_sign(reader, '{')) {
        type->kind = RV_DOC_RECORD;
        if (!read_fields(reader, depth, &type->fields))
            return false;
    } else if (reader->token.kind != TOKEN_WORD) {
        return fail_expected(reader, "a type: a name, `Set<...>` or `{...}`");
    } else {
        if (!read_identifier(reader, &name))
            return false;
        if (is_set && accept_sign(reader, '<')) {
            type->kind = RV_DOC_SET;
            if (!read_type(reader, depth + 1, &type->element) || !expect_sign(reader, '>'))
                return false;
        } else {
            type->kind = RV_DOC_NAME;
            if (!read_path_rest(reader, name, NULL, &name))
                return false;
            type->name = name.text;
        }
    }
    type->loc = loc_from(reader, start);
    *ret = type;
    return true;
}

/* ---- Declarations ---- */
/** Where the lists of the namespace being read grow. */
struct space {
    struct rv_doc_namespace *doc;
    struct rv_doc_common **common_tail;
    struct rv_doc_entity **entity_tail;
    struct rv_doc_action **action_tail;
};

static struct space space_of(struct rv_doc_namespace *doc)
{
    struct space space = { doc, &doc->commons, &doc->entities, &doc->actions };

    while (*space.common_tail)
        space.common_tail = &(*space.common_tail)->next;
    while (*space.entity_tail)
        space.entity_tail = &(*space.entity_tail)->next;
    while (*space.action_tail)
        space.action_tail = &(*space.action_tail)->next;
    return space;
}

static bool read_common(struct reader *reader, struct space *space,
                        struct rv_doc_annotations annotations)
{
    struct rv_doc_common *common = rv_arena_alloc(&reader->schema->arena, sizeof(*common));

    if (!common)
        return fail_memory(reader);
    common->annotations = annotations;
    if (!read_identifier(reader, &common->name) || !expect_sign(reader, '=') ||
        !read_type(reader, 1, &common->type) || !expect_sign(reader, ';'))
        return false;
    *space->common_tail = common;
    space->common_tail = &common->next;
    return true;
}

/** `enum ["a", "b"]` after the word. */
static bool read_enum(struct reader *reader, struct rv_doc_entity *entity)
{
    struct name_list list = { 0 };
    struct rv_text *ids;

    if (!expect_sign(reader, '[') || !read_names(reader, read_string, &list) ||
        !expect_sign(reader, ']'))
        return false;
    ids = rv_arena_array(&reader->schema->arena, list.count, sizeof(*ids));
    if (!ids)
        return fail_memory(reader);
    for (uint32_t i = 0; i < list.count; i++)
        ids[i] = list.items[i].text;
    entity->ids = ids;
    entity->id_count = list.count;
    return true;
}

static bool read_entity_shape(struct reader *reader, struct rv_doc_entity *entity)
{
    bool equals = accept_sign(reader, '=');

    if (!is_sign(reader, '{'))
        return !equals || fail_expected(reader, "`{` and the attributes");
    return read_type(reader, 1, &entity->shape);
}

static bool read_entity(struct reader *reader, struct space *space,
                        struct rv_doc_annotations annotations)
{
    struct rv_doc_entity entity = { .annotations = annotations };
    struct name_list names = { 0 };

    if (!read_names(reader, read_identifier, &names))
        return false;
    if (accept_word(reader, "enum")) {
        if (!read_enum(reader, &entity))
            return false;
    } else {
        if (accept_word(reader, "in") && !read_entity_types(reader, &entity.parents))
            return false;
        if (!read_entity_shape(reader, &entity))
            return false;
        if (accept_word(reader, "tags") && !read_type(reader, 1, &entity.tags))
            return false;
    }
    if (!accept_sign(reader, ';'))
        return fail_expected(reader, "`;` at the end of the entity declaration");
    for (uint32_t i = 0; i < names.count; i++) {
        struct rv_doc_entity *copy = rv_arena_alloc(&reader->schema->arena, sizeof(*copy));

        if (!copy)
            return fail_memory(reader);
        *copy = entity;
        copy->name = names.items[i];
        *space->entity_tail = copy;
        space->entity_tail = &copy->next;
    }
    return true;
}

/** `view`, `"view"` or `A::Action::"view"`. */
static bool read_action_ref(struct reader *reader, struct rv_doc_action_ref *ret)
{
    uint32_t start = reader->token.start;
    struct rv_doc_name name = { 0 };
    bool has_id = false;

    ret->type = rv_text("", 0);
    if (!read_name(reader, &name))
        return false;
    if (reader->token.kind == TOKEN_PATH_SEPARATOR && name.loc.end > name.loc.start &&
        reader->text[name.loc.start] != '"') {
        if (!read_path_rest(reader, name, &has_id, &name))
            return false;
        if (!has_id)
            return fail_expected(reader, "`::` and the action's name in quotes");
        ret->type = name.text;
        if (!read_string(reader, &name))
            return false;
    }
    ret->id = name.text;
    ret->loc = loc_from(reader, start);
    return true;
}

static bool read_action_parents(struct reader *reader, struct rv_doc_action *action)
{
    bool list = accept_sign(reader, '[');
    struct rv_doc_action_ref *items = NULL;
    uint32_t count = 0, room = 0;

    do {
        struct rv_doc_action_ref ref;

        if (!read_action_ref(reader, &ref))
            return false;
        if (count == room) {
            struct rv_doc_action_ref *more;

            room = room ? room * 2 : 4;
            more = rv_arena_array(&reader->schema->arena, room, sizeof(*more));
            if (!more)
                return fail_memory(reader);
            if (count > 0)
                memcpy(more, items, count * sizeof(*items));
            items = more;
        }
        items[count++] = ref;
    } while (list && accept_sign(reader, ','));
    action->parents = items;
    action->parent_count = count;
    action->has_parents = true;
    return !list || expect_sign(reader, ']');
}

/** The context: a common type's name, or a record. */
static bool read_context(struct reader *reader, const struct rv_doc_type **ret)
{
    struct rv_doc_type *type;
    struct rv_doc_name name;

    if (is_sign(reader, '{'))
        return read_type(reader, 1, ret);
    if (reader->token.kind != TOKEN_WORD)
        return fail_expected(reader, "a record `{...}` or the name of a common type");
    if (!read_path(reader, &name))
        return false;
    type = rv_arena_alloc(&reader->schema->arena, sizeof(*type));
    if (!type)
        return fail_memory(reader);
    *type = (struct rv_doc_type){ .kind = RV_DOC_COMMON, .name = name.text, .loc = name.loc };
    *ret = type;
    return true;
}

/** One `principal: ...`, `resource: ...` or `context: ...`; each at most once, the first two not
 * empty. */
static bool read_applies_part(struct reader *reader, struct rv_doc_action *action)
{
    struct token word = reader->token;
    bool principal = accept_word(reader, "principal");
    bool resource = !principal && accept_word(reader, "resource");
    struct rv_doc_names *types = principal ? &action->principals : &action->resources;

    if (!principal && !resource && !accept_word(reader, "context"))
        return fail_expected(reader, "`principal`, `resource` or `context`");
    if (principal || resource ? types->count > 0 : action->context != NULL)
        return fail_at(reader, loc_of(word), "put all types into one list", "`%.*s` is given twice",
                       RV_TEXT_ARGS(token_text(reader, word)));
    if (!expect_sign(reader, ':'))
        return false;
    if (!principal && !resource)
        return read_context(reader, &action->context);
    if (!read_entity_types(reader, types))
        return false;
    if (types->count == 0)
        return fail_at(reader, loc_from(reader, word.start),
                       "leave `appliesTo` out for an action that only groups others",
                       "the list of %s types is empty", principal ? "principal" : "resource");
    return true;
}

static bool read_applies_to(struct reader *reader, struct rv_doc_action *action, struct rv_loc loc)
{
    if (!expect_sign(reader, '{'))
        return false;
    do {
        if (!read_applies_part(reader, action))
            return false;
    } while (accept_sign(reader, ',') && !is_sign(reader, '}'));
    if (!accept_sign(reader, '}'))
        return fail_expected(reader, "`,` or `}`");
    if (action->principals.count == 0 || action->resources.count == 0)
        return fail_at(reader, loc, "add it, or leave `appliesTo` out for a group of actions",
                       "`appliesTo` lacks `%s`",
                       action->principals.count == 0 ? "principal" : "resource");
    return true;
}

static bool read_action(struct reader *reader, struct space *space,
                        struct rv_doc_annotations annotations)
{
    /* Without `appliesTo` it applies to nothing, and the JSON form says so with empty lists. */
    struct rv_doc_action action = { .annotations = annotations, .has_applies_to = true };
    struct name_list names = { 0 };

    if (!read_names(reader, read_name, &names))
        return false;
    if (accept_word(reader, "in") && !read_action_parents(reader, &action))
        return false;
    if (is_word(reader, "appliesTo")) {
        struct rv_loc loc = loc_of(reader->token);

        advance(reader);
        if (!read_applies_to(reader, &action, loc))
            return false;
    }
    if (accept_word(reader, "attributes") &&
        (!expect_sign(reader, '{') || !expect_sign(reader, '}')))
        return false;
    if (!accept_sign(reader, ';'))
        return fail_expected(reader, "`;` at the end of the action declaration");
    for (uint32_t i = 0; i < names.count; i++) {
        struct rv_doc_action *copy = rv_arena_alloc(&reader->schema->arena, sizeof(*copy));

        if (!copy)
            return fail_memory(reader);
        *copy = action;
        copy->id = names.items[i];
        *space->action_tail = copy;
        space->action_tail = &copy->next;
    }
    return true;
}

static bool read_declaration(struct reader *reader, struct space *space,
                             struct rv_doc_annotations annotations)
{
    if (accept_word(reader, "entity"))
        return read_entity(reader, space, annotations);
    if (accept_word(reader, "action"))
        return read_action(reader, space, annotations);
    if (accept_word(reader, "type"))
        return read_common(reader, space, annotations);
    return fail_expected(reader, "`entity`, `action`, `type` or `namespace`");
}

static bool read_namespace(struct reader *reader, struct rv_doc_namespace *doc)
{
    struct space space = space_of(doc);

    if (!read_path(reader, &doc->name) || !expect_sign(reader, '{'))
        return false;
    while (!accept_sign(reader, '}')) {
        struct rv_doc_annotations annotations;

        if (reader->token.kind == TOKEN_END)
            return fail_expected(reader, "`}` at the end of the namespace");
        if (!read_annotations(reader, &annotations) ||
            !read_declaration(reader, &space, annotations))
            return false;
    }
    return true;
}

static bool read_schema(struct reader *reader)
{
    struct rv_doc_namespace *unnamed = rv_arena_alloc(&reader->schema->arena, sizeof(*unnamed));
    struct rv_doc_namespace *named = NULL, **tail = &named;
    struct space space;

    if (!unnamed)
        return fail_memory(reader);
    unnamed->name.text = rv_text("", 0);
    space = space_of(unnamed);
    while (reader->token.kind != TOKEN_END) {
        struct rv_doc_annotations annotations;

        if (!read_annotations(reader, &annotations))
            return false;
        if (accept_word(reader, "namespace")) {
            struct rv_doc_namespace *doc = rv_arena_alloc(&reader->schema->arena, sizeof(*doc));

            if (!doc)
                return fail_memory(reader);
            doc->annotations = annotations;
            if (!read_namespace(reader, doc))
                return false;
            *tail = doc;
            tail = &doc->next;
        } else if (!read_declaration(reader, &space, annotations)) {
            return false;
        }
    }
    unnamed->next = named;
    reader->schema->namespaces =
        unnamed->commons || unnamed->entities || unnamed->actions ? unnamed : named;
    return true;
}

int rv_schema_read(const char *name, struct rv_span text, struct rv_schema **ret_schema,
                   struct rv_diags *diags)
{
    RV_AUTO(rv_schema_free) struct rv_schema *schema = NULL;
    struct reader reader = { .diags = diags };
    int r;

    r = rv_schema_new(name, text, &schema, diags);
    if (r < 0)
        return r;
    reader.schema = schema;
    reader.text = schema->source->text.data;
    reader.len = schema->source->text.len;
    advance(&reader);
    if (!read_schema(&reader))
        return reader.no_memory ? -ENOMEM : -EINVAL;
    r = rv_schema_resolve(schema, diags);
    if (r < 0)
        return r;
    *ret_schema = RV_TAKE(schema);
    return 0;
}
