/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies on tidy lines, comments kept. Works on tokens: what stands between two of them (blanks,
 * line breaks, comments) is replaced, the tokens never are, so the meaning cannot change. Where a
 * line breaks inside brackets is the author's choice; everything else follows from the tokens.
 */
#include "policy/read.h"

#include "lex.h"

#define INDENT_MAX 20 /* levels; deeper lines are not indented further */

struct writer {
    struct rv_buf *buf;
    const char *text;
    struct rv_lexer lexer;
    struct rv_token before, last; /* END: none yet */
    struct rv_buf broken; /* a byte an open bracket: its content starts on a line of its own */
    bool annotation;      /* between the brackets of one */
    bool scope;           /* between the brackets of one that takes several lines */
    bool sign;            /* `last` is a prefix: ! or the minus of a number */
};

static bool is_punct(const struct rv_token *token, const char *text)
{
    return token->kind == RV_TOKEN_PUNCT && rv_text_is(token->text, text);
}

static bool is_word(const struct rv_token *token, const char *text)
{
    return token->kind == RV_TOKEN_IDENT && rv_text_is(token->text, text);
}

static bool opens(const struct rv_token *token)
{
    return is_punct(token, "(") || is_punct(token, "[") || is_punct(token, "{");
}

static bool closes(const struct rv_token *token)
{
    return is_punct(token, ")") || is_punct(token, "]") || is_punct(token, "}");
}

/** Can an operand end here? Then a minus subtracts and a `[` takes an attribute. */
static bool ends_operand(const struct rv_token *token)
{
    if (token->kind == RV_TOKEN_IDENT)
        return !rv_is_reserved(token->text) || is_word(token, "true") || is_word(token, "false");
    return token->kind == RV_TOKEN_NUMBER || token->kind == RV_TOKEN_STRING ||
           token->kind == RV_TOKEN_SLOT || closes(token);
}

static bool is_effect(const struct writer *writer)
{
    return writer->broken.len == 0 && !is_punct(&writer->before, "@") &&
           (is_word(&writer->last, "permit") || is_word(&writer->last, "forbid"));
}

/* ---- Between two tokens ---- */

/** Never apart, neither by a blank nor by a line break. */
static bool is_glued(const struct writer *writer, const struct rv_token *next)
{
    const struct rv_token *last = &writer->last;

    if (writer->sign || is_punct(last, "@") || is_punct(last, "::") || is_punct(last, "."))
        return true;
    if (is_punct(next, "::") || is_punct(next, ",") || is_punct(next, ";") || is_punct(next, ":"))
        return true;
    if (opens(last) && closes(next))
        return true;
    if (is_punct(next, "("))
        return last->kind == RV_TOKEN_IDENT && ends_operand(last) && !is_effect(writer);
    return is_punct(next, "[") && ends_operand(last);
}

static bool is_spaced(const struct writer *writer, const struct rv_token *next)
{
    const struct rv_token *last = &writer->last;

    return !is_glued(writer, next) && !is_punct(last, "(") && !is_punct(last, "[") &&
           !is_punct(next, ")") && !is_punct(next, "]") && !is_punct(next, ".");
}

static bool is_broken(const struct writer *writer)
{
    return writer->broken.data[writer->broken.len - 1] != 0;
}

/** Line breaks before `next` outside brackets: of the parts of a policy, each has its lines. */
static unsigned breaks_outside(const struct writer *writer, const struct rv_token *next)
{
    if (writer->last.kind == RV_TOKEN_END)
        return 0;
    if (is_punct(&writer->last, ";"))
        return next->kind == RV_TOKEN_END ? 1 : 2;
    if (is_punct(next, "@"))
        return 1;
    return next->kind == RV_TOKEN_IDENT && !is_punct(&writer->last, "@") ? 1 : 0;
}

/** Line breaks before `next`, where the author has `written` so many and no comment. */
static unsigned breaks_before(const struct writer *writer, const struct rv_token *next,
                              unsigned written)
{
    if (writer->broken.len == 0)
        return breaks_outside(writer, next);
    if (writer->annotation || is_glued(writer, next))
        return 0;
    if (closes(next))
        return is_broken(writer) ? 1 : 0;
    if (opens(&writer->last))
        return is_broken(writer) ? 1 : 0;
    if (writer->scope && writer->broken.len == 1 && is_punct(&writer->last, ","))
        return 1;
    return written > 2 ? 2 : written;
}

static void break_lines(struct writer *writer, unsigned breaks, size_t levels)
{
    for (unsigned i = 0; i < breaks; i++)
        rv_buf_add_char(writer->buf, '\n');
    for (size_t i = 0; i < (levels < INDENT_MAX ? levels : INDENT_MAX); i++)
        rv_buf_add_str(writer->buf, "  ");
}

/* ---- Comments ---- */

/** What stands at `at` between two tokens: breaks before the next comment, and the comment. */
struct gap {
    unsigned breaks;
    struct rv_text comment; /* without blanks at its end; empty: no more */
};

static struct gap next_gap(const char *text, uint32_t *at, uint32_t end)
{
    struct gap gap = { 0, rv_text_str("") };
    uint32_t start, stop;

    for (; *at < end && text[*at] != '/'; (*at)++) {
        if (text[*at] == '\n' || (text[*at] == '\r' && !(*at + 1 < end && text[*at + 1] == '\n')))
            gap.breaks += gap.breaks < 2;
    }
    for (start = *at; *at < end && text[*at] != '\n' && text[*at] != '\r';)
        (*at)++;
    for (stop = *at; stop > start && (text[stop - 1] == ' ' || text[stop - 1] == '\t');)
        stop--;
    gap.comment = rv_text(text + start, stop - start);
    return gap;
}

/** Breaks before a comment: it stays behind what it followed, or has a line of its own. */
static unsigned breaks_of_comment(const struct writer *writer, unsigned written, bool first)
{
    if (first && writer->last.kind == RV_TOKEN_END)
        return 0;
    if (!first)
        return writer->broken.len > 0 || is_punct(&writer->last, ";") ||
                       writer->last.kind == RV_TOKEN_END
                   ? written
                   : 1;
    if (written == 0)
        return 0;
    if (is_punct(&writer->last, ";") && writer->broken.len == 0)
        return 2;
    return opens(&writer->last) || writer->broken.len == 0 ? 1 : written;
}

/** Breaks between the last comment and `next`. */
static unsigned breaks_after_comment(const struct writer *writer, const struct rv_token *next,
                                     unsigned written, bool behind)
{
    if (next->kind == RV_TOKEN_END)
        return 1;
    if (writer->broken.len == 0 && is_punct(&writer->last, ";") && behind)
        return 2;
    if (writer->broken.len == 0 && writer->last.kind != RV_TOKEN_END &&
        !is_punct(&writer->last, ";"))
        return 1;
    return closes(next) || opens(&writer->last) || written == 0 ? 1 : written;
}

static void put_gap(struct writer *writer, const struct rv_token *next)
{
    uint32_t at = writer->last.kind == RV_TOKEN_END ? 0 : writer->last.loc.end;
    size_t levels = writer->broken.len, next_levels = levels - (levels > 0 && closes(next));
    struct gap gap = next_gap(writer->text, &at, next->loc.start);
    bool first = true, behind = false;
    unsigned breaks;

    for (; gap.comment.len > 0; gap = next_gap(writer->text, &at, next->loc.start)) {
        breaks = breaks_of_comment(writer, gap.breaks, first);
        /* A second comment behind a `;` begins what belongs to the next policy. */
        if (behind && writer->broken.len == 0 && is_punct(&writer->last, ";"))
            breaks = 2;
        behind = first && breaks == 0 && writer->last.kind != RV_TOKEN_END;
        if (behind)
            rv_buf_add_char(writer->buf, ' ');
        else
            break_lines(writer, breaks, levels);
        rv_buf_add(writer->buf, gap.comment.data, gap.comment.len);
        first = false;
    }
    breaks = first ? breaks_before(writer, next, gap.breaks)
                   : breaks_after_comment(writer, next, gap.breaks, behind);
    if (breaks > 0)
        break_lines(writer, breaks, next->kind == RV_TOKEN_END ? 0 : next_levels);
    else if (writer->last.kind != RV_TOKEN_END && next->kind != RV_TOKEN_END &&
             is_spaced(writer, next))
        rv_buf_add_char(writer->buf, ' ');
}

/* ---- Brackets ---- */

/** Has the author broken a line between `from` and the bracket that closes what opens there? */
static bool takes_lines(const struct writer *writer, const struct rv_token *open)
{
    struct rv_lexer lexer = writer->lexer;
    struct rv_token last = *open;
    size_t depth = 1;

    while (depth > 0) {
        struct rv_token token = rv_lex(&lexer);

        for (uint32_t at = last.loc.end; at < token.loc.start; at++) {
            if (writer->text[at] == '\n' || writer->text[at] == '\r')
                return true;
        }
        if (token.kind == RV_TOKEN_END)
            return false;
        depth += opens(&token);
        depth -= closes(&token);
        last = token;
    }
    return false;
}

/** Is there a line break directly behind this bracket? */
static bool breaks_behind(const struct writer *writer, const struct rv_token *open)
{
    struct rv_lexer lexer = writer->lexer;
    struct rv_token next = rv_lex(&lexer);

    for (uint32_t at = open->loc.end; at < next.loc.start; at++) {
        if (writer->text[at] == '\n' || writer->text[at] == '\r')
            return true;
    }
    return false;
}

static void open_bracket(struct writer *writer, const struct rv_token *open)
{
    bool outside = writer->broken.len == 0, broken;

    writer->annotation |= outside && is_punct(&writer->before, "@");
    broken = outside ? takes_lines(writer, open) : breaks_behind(writer, open);
    if (outside)
        writer->scope = broken && is_punct(open, "(") && !writer->annotation;
    rv_buf_add_char(&writer->broken, broken ? 1 : 0);
}

static void close_bracket(struct writer *writer)
{
    writer->broken.len--;
    if (writer->broken.len == 0)
        writer->annotation = writer->scope = false;
}

static int put_token(struct writer *writer, const struct rv_token *token)
{
    put_gap(writer, token);
    rv_buf_add(writer->buf, writer->text + token->loc.start, token->loc.end - token->loc.start);
    if (opens(token))
        open_bracket(writer, token);
    else if (closes(token))
        close_bracket(writer);
    writer->sign = is_punct(token, "!") || (is_punct(token, "-") && !ends_operand(&writer->last));
    writer->before = writer->last;
    writer->last = *token;
    if (writer->buf->failed || writer->broken.failed)
        return -ENOMEM;
    return writer->buf->len > RV_POLICY_TEXT_MAX ? -EFBIG : 0;
}

static int put_tokens(struct writer *writer)
{
    for (;;) {
        struct rv_token token = rv_lex(&writer->lexer);
        int r = put_token(writer, &token);

        if (r < 0 || token.kind == RV_TOKEN_END)
            return r;
    }
}

int rv_policy_format(struct rv_buf *buf, const char *name, struct rv_span text,
                     struct rv_diags *diags)
{
    RV_AUTO(rv_policy_set_done) struct rv_policy_set set = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf result = { 0 };
    const char *data = (const char *)text.data;
    struct writer writer = { .buf = &result, .text = data };
    int r = rv_policy_read(&set, name, text, diags);

    if (r < 0)
        return r;
    writer.lexer = (struct rv_lexer){ data, (uint32_t)text.len, 0 };
    r = put_tokens(&writer);
    rv_buf_done(&writer.broken);
    if (r < 0)
        return r;
    rv_buf_add(buf, result.data, result.len);
    return buf->failed ? -ENOMEM : 0;
}
