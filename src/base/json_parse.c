/* SPDX-License-Identifier: Apache-2.0 */
/* Reads JSON into jansson's values. jansson's own reader refuses a NUL byte inside a key, which is
 * JSON like any other, and does not say where a value stood. */
#include "base/encode.h"
#include "base/json.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>

struct parser {
    struct rv_span text;
    size_t at;
    unsigned depth;
    const struct rv_json_places *places; /* or NULL */
    const char *problem;
    bool no_memory;
};

static json_t *parse_value(struct parser *parser);

static json_t *fail(struct parser *parser, const char *problem)
{
    if (!parser->problem)
        parser->problem = problem;
    return NULL;
}

static json_t *need_memory(struct parser *parser, json_t *value)
{
    parser->no_memory |= value == NULL;
    return value;
}

/** The byte at hand, or -1 at the end. */
static int peek(const struct parser *parser)
{
    return parser->at < parser->text.len ? parser->text.data[parser->at] : -1;
}

static void skip_blanks(struct parser *parser)
{
    int c = peek(parser);

    while (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        parser->at++;
        c = peek(parser);
    }
}

static bool accept(struct parser *parser, char c)
{
    if (peek(parser) != c)
        return false;
    parser->at++;
    return true;
}

/* ---- Strings ---- */
static bool read_hex(struct parser *parser, uint32_t *ret)
{
    uint32_t code = 0;

    for (int i = 0; i < 4; i++) {
        int c = peek(parser);
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;

        if (digit < 0)
            return false;
        code = code * 16 + (uint32_t)digit;
        parser->at++;
    }
    *ret = code;
    return true;
}

static void add_code_point(struct rv_buf *buf, uint32_t code)
{
    if (code < 0x80) {
        rv_buf_add_char(buf, (char)code);
        return;
    }
    if (code < 0x800) {
        rv_buf_add_char(buf, (char)(0xc0 | code >> 6));
    } else if (code < 0x10000) {
        rv_buf_add_char(buf, (char)(0xe0 | code >> 12));
        rv_buf_add_char(buf, (char)(0x80 | (code >> 6 & 0x3f)));
    } else {
        rv_buf_add_char(buf, (char)(0xf0 | code >> 18));
        rv_buf_add_char(buf, (char)(0x80 | (code >> 12 & 0x3f)));
        rv_buf_add_char(buf, (char)(0x80 | (code >> 6 & 0x3f)));
    }
    rv_buf_add_char(buf, (char)(0x80 | (code & 0x3f)));
}

/** `\u0041`, or two of them for a code point past U+FFFF. */
static bool read_unicode(struct parser *parser, struct rv_buf *buf)
{
    uint32_t code, low;

    if (!read_hex(parser, &code))
        return false;
    if (code >= 0xd800 && code <= 0xdbff) {
        if (!accept(parser, '\\') || !accept(parser, 'u') || !read_hex(parser, &low) ||
            low < 0xdc00 || low > 0xdfff)
            return false;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    } else if (code >= 0xdc00 && code <= 0xdfff) {
        return false;
    }
    add_code_point(buf, code);
    return true;
}

static bool read_escape(struct parser *parser, struct rv_buf *buf)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    int c = peek(parser);
    const char *letter;

    if (c < 0)
        return false;
    parser->at++;
    if (c == 'u')
        return read_unicode(parser, buf);
    letter = memchr(letters, c, sizeof(letters) - 1);
    if (letter)
        rv_buf_add_char(buf, meanings[letter - letters]);
    return letter != NULL;
}

/** The inside of a string and its closing quote. */
static bool read_string(struct parser *parser, struct rv_buf *buf)
{
    while (!accept(parser, '"')) {
        int c = peek(parser);
        size_t len;

        if (c < 0x20) {
            fail(parser, c < 0 ? "the string has no end" : "a control character in a string");
            return false;
        }
        if (c == '\\') {
            parser->at++;
            if (!read_escape(parser, buf)) {
                fail(parser, "this is not an escape sequence");
                return false;
            }
            continue;
        }
        len = rv_utf8_sequence(parser->text.data + parser->at, parser->text.len - parser->at);
        if (len == 0) {
            fail(parser, "this is not UTF-8");
            return false;
        }
        rv_buf_add(buf, parser->text.data + parser->at, len);
        parser->at += len;
    }
    parser->no_memory |= buf->failed;
    return !buf->failed;
}

static json_t *parse_string(struct parser *parser)
{
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };

    parser->at++;
    if (!read_string(parser, &buf))
        return NULL;
    return need_memory(parser, json_stringn_nocheck(buf.data ? buf.data : "", buf.len));
}

/* ---- Numbers and words ---- */
static size_t skip_digits(struct parser *parser)
{
    size_t start = parser->at;

    while (peek(parser) >= '0' && peek(parser) <= '9')
        parser->at++;
    return parser->at - start;
}

static json_t *make_number(struct parser *parser, const char *text, bool real)
{
    if (real) {
        double number = strtod(text, NULL);

        return isfinite(number) ? need_memory(parser, json_real(number))
                                : fail(parser, "this number is too large");
    }
    errno = 0;
    return need_memory(parser, json_integer(strtoll(text, NULL, 10)));
}

static json_t *parse_number(struct parser *parser)
{
    size_t start = parser->at, len;
    bool real = false;
    char text[400];
    json_t *value;

    accept(parser, '-');
    if (!accept(parser, '0') && skip_digits(parser) == 0)
        return fail(parser, "expected a value");
    if (accept(parser, '.')) {
        real = true;
        if (skip_digits(parser) == 0)
            return fail(parser, "expected digits after the point");
    }
    if (accept(parser, 'e') || accept(parser, 'E')) {
        real = true;
        (void)(accept(parser, '+') || accept(parser, '-'));
        if (skip_digits(parser) == 0)
            return fail(parser, "expected the digits of the exponent");
    }
    len = parser->at - start;
    if (len >= sizeof(text))
        return fail(parser, "this number is too long");
    memcpy(text, parser->text.data + start, len);
    text[len] = '\0';
    value = make_number(parser, text, real);
    if (!real && errno == ERANGE) {
        json_decref(value);
        return fail(parser, "this number does not fit into 64 bits");
    }
    return value;
}

static json_t *parse_word(struct parser *parser, const char *word, json_t *value)
{
    size_t len = strlen(word);

    if (parser->text.len - parser->at < len ||
        memcmp(parser->text.data + parser->at, word, len) != 0)
        return fail(parser, "expected a value");
    parser->at += len;
    return value;
}

/* ---- Arrays and objects ---- */
static json_t *parse_array(struct parser *parser)
{
    RV_AUTO(rv_json_freep) json_t *array = need_memory(parser, json_array());

    parser->at++;
    skip_blanks(parser);
    if (!array || accept(parser, ']'))
        return RV_TAKE(array);
    do {
        json_t *item = parse_value(parser);

        if (!item)
            return NULL;
        if (json_array_append_new(array, item) < 0)
            return need_memory(parser, NULL);
        skip_blanks(parser);
    } while (accept(parser, ','));
    return accept(parser, ']') ? RV_TAKE(array) : fail(parser, "expected `,` or `]`");
}

static bool parse_member(struct parser *parser, json_t *object)
{
    RV_AUTO(rv_buf_done) struct rv_buf key = { 0 };
    const char *name;
    json_t *value;

    skip_blanks(parser);
    if (!accept(parser, '"')) {
        fail(parser, "expected a name in quotes");
        return false;
    }
    if (!read_string(parser, &key))
        return false;
    name = key.data ? key.data : "";
    if (json_object_getn(object, name, key.len)) {
        fail(parser, "this name is there twice");
        return false;
    }
    skip_blanks(parser);
    if (!accept(parser, ':')) {
        fail(parser, "expected `:`");
        return false;
    }
    value = parse_value(parser);
    if (!value)
        return false;
    if (json_object_setn_new_nocheck(object, name, key.len, value) < 0) {
        parser->no_memory = true;
        return false;
    }
    skip_blanks(parser);
    return true;
}

static json_t *parse_object(struct parser *parser)
{
    RV_AUTO(rv_json_freep) json_t *object = need_memory(parser, json_object());

    parser->at++;
    skip_blanks(parser);
    if (!object || accept(parser, '}'))
        return RV_TAKE(object);
    do {
        if (!parse_member(parser, object))
            return NULL;
    } while (accept(parser, ','));
    return accept(parser, '}') ? RV_TAKE(object) : fail(parser, "expected `,` or `}`");
}

static json_t *parse_any(struct parser *parser)
{
    switch (peek(parser)) {
    case '{':
        return parse_object(parser);
    case '[':
        return parse_array(parser);
    case '"':
        return parse_string(parser);
    case 't':
        return parse_word(parser, "true", json_true());
    case 'f':
        return parse_word(parser, "false", json_false());
    case 'n':
        return parse_word(parser, "null", json_null());
    case -1:
        return fail(parser, "the text ends too early");
    default:
        return parse_number(parser);
    }
}

static json_t *parse_value(struct parser *parser)
{
    size_t start;
    json_t *value;

    skip_blanks(parser);
    start = parser->at;
    if (parser->depth >= RV_JSON_DEPTH_MAX)
        return fail(parser, "nested too deeply");
    parser->depth++;
    value = parse_any(parser);
    parser->depth--;
    if (value && parser->places)
        parser->places->note(parser->places->context, value, start, parser->at);
    return value;
}

static void explain(const struct parser *parser, struct rv_json_error *reterr)
{
    size_t line_start = 0;

    *reterr = (struct rv_json_error){ .line = 1 };
    for (size_t i = 0; i < parser->at; i++) {
        if (parser->text.data[i] == '\n') {
            reterr->line++;
            line_start = i + 1;
        }
    }
    reterr->column = (unsigned)rv_min_u64(parser->at - line_start + 1, UINT_MAX);
    (void)snprintf(reterr->message, sizeof(reterr->message), "%s",
                   parser->problem ? parser->problem : "");
}

int rv_json_parse_placed(struct rv_span text, const struct rv_json_places *places,
                         json_t **ret_value, struct rv_json_error *reterr)
{
    struct parser parser = { .text = text, .places = places };
    RV_AUTO(rv_json_freep) json_t *value = parse_value(&parser);

    skip_blanks(&parser);
    if (value && parser.at < text.len) {
        fail(&parser, "something follows the end of the document");
        rv_json_freep(&value);
    }
    if (value) {
        *ret_value = RV_TAKE(value);
        return 0;
    }
    if (parser.no_memory)
        return -ENOMEM;
    if (reterr)
        explain(&parser, reterr);
    return -EINVAL;
}

int rv_json_parse(struct rv_span text, json_t **ret_value, struct rv_json_error *reterr)
{
    return rv_json_parse_placed(text, /* places= */ NULL, ret_value, reterr);
}
