/* SPDX-License-Identifier: Apache-2.0 */
#include "escape.h"

#include "base/encode.h"

size_t rv_utf8_valid_len(struct rv_span text)
{
    size_t at = 0, len = 1;

    while (at < text.len && len > 0) {
        len = rv_utf8_sequence(text.data + at, text.len - at);
        at += len;
    }
    return at;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static size_t put_utf8(char *to, uint32_t code)
{
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        to[0] = (char)(0xc0 | code >> 6);
        to[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        to[0] = (char)(0xe0 | code >> 12);
        to[1] = (char)(0x80 | (code >> 6 & 0x3f));
        to[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | code >> 18);
    to[1] = (char)(0x80 | (code >> 12 & 0x3f));
    to[2] = (char)(0x80 | (code >> 6 & 0x3f));
    to[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

/** The digits of `\x41`: two, below 0x80. @return bytes read, 0 when wrong. */
static size_t read_byte(struct rv_text raw, size_t at, uint32_t *ret)
{
    int high, low;

    if (raw.len - at < 2)
        return 0;
    high = hex_digit(raw.data[at]);
    low = hex_digit(raw.data[at + 1]);
    if (high < 0 || high > 7 || low < 0)
        return 0;
    *ret = (uint32_t)(high * 16 + low);
    return 2;
}

/** The `{1F600}` of `\u{1F600}`: one to six digits, `_` between them. @return bytes, 0 if wrong. */
static size_t read_code_point(struct rv_text raw, size_t at, uint32_t *ret)
{
    uint32_t code = 0;
    unsigned digits = 0;
    size_t i = at;

    if (i >= raw.len || raw.data[i] != '{')
        return 0;
    for (i++; i < raw.len && raw.data[i] != '}'; i++) {
        int digit = hex_digit(raw.data[i]);

        if (raw.data[i] == '_' && digits > 0)
            continue;
        if (digit < 0 || ++digits > 6)
            return 0;
        code = code * 16 + (uint32_t)digit;
    }
    if (i >= raw.len || digits == 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    *ret = code;
    return i + 1 - at;
}

/** What follows a backslash. @return bytes read, 0 when it is no escape. */
static size_t read_escape(struct rv_text raw, size_t at, uint32_t *ret)
{
    static const char letters[] = "nrt0\\\"'";
    static const char meanings[] = "\n\r\t\0\\\"'";
    const char *letter;
    size_t len;

    if (at >= raw.len)
        return 0;
    if (raw.data[at] == 'x') {
        len = read_byte(raw, at + 1, ret);
        return len ? len + 1 : 0;
    }
    if (raw.data[at] == 'u') {
        len = read_code_point(raw, at + 1, ret);
        return len ? len + 1 : 0;
    }
    letter = memchr(letters, raw.data[at], sizeof(letters) - 1);
    if (!letter)
        return 0;
    *ret = (unsigned char)meanings[letter - letters];
    return 1;
}

int rv_text_unescape(struct rv_arena *arena, struct rv_text raw, struct rv_text *ret_text,
                     size_t *ret_bad)
{
    char *to;
    size_t len = 0;

    if (raw.len == 0 || !memchr(raw.data, '\\', raw.len)) {
        *ret_text = raw; /* nothing to resolve: the source outlives what is read from it */
        return 0;
    }
    to = rv_arena_alloc(arena, (size_t)raw.len + 1); /* no escape is shorter than its meaning */
    if (!to)
        return -ENOMEM;
    for (size_t i = 0; i < raw.len;) {
        uint32_t code = 0;
        size_t used;

        if (raw.data[i] != '\\') {
            to[len++] = raw.data[i++];
            continue;
        }
        used = read_escape(raw, i + 1, &code);
        if (used == 0) {
            if (ret_bad)
                *ret_bad = i;
            return -EINVAL;
        }
        len += put_utf8(to + len, code);
        i += 1 + used;
    }
    *ret_text = rv_text(to, len);
    return 0;
}
