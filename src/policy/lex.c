/* SPDX-License-Identifier: Apache-2.0 */
#include "lex.h"

static bool is_ident_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char peek(const struct rv_lexer *lexer, uint32_t ahead)
{
    return lexer->at + ahead < lexer->len ? lexer->text[lexer->at + ahead] : '\0';
}

/** Bytes of a blank at `at`: ASCII, or one of Unicode's White_Space that Rust's \s knows. */
static uint32_t blank(const struct rv_lexer *lexer)
{
    static const char *const wide[] = { "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80",
                                        "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf",
                                        "\xe2\x81\x9f", "\xe3\x80\x80" };
    uint32_t left = lexer->len - lexer->at;
    const char *at = lexer->text + lexer->at;

    if (left == 0)
        return 0;
    if (*at == ' ' || (*at >= '\t' && *at <= '\r'))
        return 1;
    if ((unsigned char)*at < 0x80)
        return 0;
    for (size_t i = 0; i < RV_COUNT(wide); i++) {
        uint32_t len = (uint32_t)strlen(wide[i]);

        if (left >= len && memcmp(at, wide[i], len) == 0)
            return len;
    }
    /* U+2000..U+200A */
    return left >= 3 && memcmp(at, "\xe2\x80", 2) == 0 && (unsigned char)at[2] >= 0x80 &&
                   (unsigned char)at[2] <= 0x8a
               ? 3
               : 0;
}

static void skip_blanks(struct rv_lexer *lexer)
{
    for (;;) {
        uint32_t len = blank(lexer);

        if (len > 0) {
            lexer->at += len;
        } else if (peek(lexer, 0) == '/' && peek(lexer, 1) == '/') {
            while (lexer->at < lexer->len && lexer->text[lexer->at] != '\n' &&
                   lexer->text[lexer->at] != '\r')
                lexer->at++;
        } else {
            return;
        }
    }
}

static struct rv_token finish(struct rv_lexer *lexer, enum rv_token_kind kind, uint32_t start,
                              uint32_t text_start, uint32_t text_end)
{
    return (struct rv_token){
        .kind = kind,
        .text = rv_text(lexer->text + text_start, text_end - text_start),
        .loc = { start, lexer->at },
    };
}

static struct rv_token lex_string(struct rv_lexer *lexer)
{
    uint32_t start = lexer->at++;

    while (lexer->at < lexer->len && lexer->text[lexer->at] != '"')
        lexer->at += lexer->text[lexer->at] == '\\' ? 2 : 1;
    if (lexer->at >= lexer->len) {
        lexer->at = lexer->len;
        return finish(lexer, RV_TOKEN_BAD, start, start, start + 1);
    }
    lexer->at++;
    return finish(lexer, RV_TOKEN_STRING, start, start + 1, lexer->at - 1);
}

static struct rv_token lex_word(struct rv_lexer *lexer, enum rv_token_kind kind, uint32_t skip)
{
    uint32_t start = lexer->at;

    lexer->at += skip;
    while (is_ident_start(peek(lexer, 0)) || is_digit(peek(lexer, 0)))
        lexer->at++;
    return finish(lexer, kind, start, start + skip, lexer->at);
}

static struct rv_token lex_number(struct rv_lexer *lexer)
{
    uint32_t start = lexer->at;

    while (is_digit(peek(lexer, 0)))
        lexer->at++;
    return finish(lexer, RV_TOKEN_NUMBER, start, start, lexer->at);
}

static struct rv_token lex_punct(struct rv_lexer *lexer)
{
    static const char *const pairs[] = { "::", "<=", ">=", "==", "!=", "&&", "||" };
    uint32_t start = lexer->at;

    for (size_t i = 0; i < RV_COUNT(pairs); i++) {
        if (peek(lexer, 0) == pairs[i][0] && peek(lexer, 1) == pairs[i][1]) {
            lexer->at += 2;
            return finish(lexer, RV_TOKEN_PUNCT, start, start, lexer->at);
        }
    }
    lexer->at++;
    return finish(lexer,
                  strchr("(){}[],;.@:+-*/%!<>=", lexer->text[start]) && lexer->text[start]
                      ? RV_TOKEN_PUNCT
                      : RV_TOKEN_BAD,
                  start, start, lexer->at);
}

struct rv_token rv_lex(struct rv_lexer *lexer)
{
    skip_blanks(lexer);
    if (lexer->at >= lexer->len)
        return (struct rv_token){ .kind = RV_TOKEN_END,
                                  .text = rv_text_str(""),
                                  .loc = { lexer->at, lexer->at } };
    if (is_ident_start(peek(lexer, 0)))
        return lex_word(lexer, RV_TOKEN_IDENT, 0);
    if (is_digit(peek(lexer, 0)))
        return lex_number(lexer);
    if (peek(lexer, 0) == '"')
        return lex_string(lexer);
    if (peek(lexer, 0) == '?' && is_ident_start(peek(lexer, 1)))
        return lex_word(lexer, RV_TOKEN_SLOT, 1);
    return lex_punct(lexer);
}

bool rv_is_reserved(struct rv_text word)
{
    static const char *const words[] = { "true", "false", "if",   "then", "else",
                                         "in",   "is",    "like", "has",  "__cedar" };

    for (size_t i = 0; i < RV_COUNT(words); i++) {
        if (rv_text_is(word, words[i]))
            return true;
    }
    return false;
}
