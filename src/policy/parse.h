/* SPDX-License-Identifier: Apache-2.0 */
/** @file parse.h  The parser's state, shared by its two files: policies and expressions. */
#pragma once

#include "lex.h"
#include "policy/read.h"

/* Brackets within brackets: each costs the parser some stack. */
#define RV_PARSE_NESTING_MAX 500

struct rv_parser {
    struct rv_arena *arena;
    struct rv_diags *diags;
    const struct rv_source *source;
    struct rv_lexer lexer;
    struct rv_token token; /* the next one */
    unsigned nesting;
    int error; /* first failure; then every function answers NULL or false */
};

void rv_parser_start(struct rv_parser *parser, const struct rv_source *source);
void rv_parser_advance(struct rv_parser *parser);
bool rv_parser_is(const struct rv_parser *parser, const char *punct);
bool rv_parser_is_word(const struct rv_parser *parser, const char *word);
/** Step over a punctuation mark or fail saying what was expected. */
bool rv_parser_expect(struct rv_parser *parser, const char *punct, const char *where);
/** Report once. `help` may be NULL. */
void rv_parser_fail(struct rv_parser *parser, struct rv_loc loc, const char *help,
                    const char *format, ...) RV_PRINTF(4, 5);

const struct rv_expr *rv_parse_expr(struct rv_parser *parser);
/** `A::B`; the first component may have been read into `first` already. */
bool rv_parse_path(struct rv_parser *parser, struct rv_text *ret_path);
/** `A::B::"id"`, or NULL. */
const struct rv_uid *rv_parse_uid(struct rv_parser *parser);
/** The token's string, escapes resolved. */
bool rv_parse_string(struct rv_parser *parser, struct rv_text *ret_text);
