/* SPDX-License-Identifier: Apache-2.0 */
/** @file lex.h  Cedar's words. Views into the source; nothing is allocated, nothing is unescaped. */
#pragma once

#include "policy/ast.h"

enum rv_token_kind {
    RV_TOKEN_END = 0,
    RV_TOKEN_BAD, /* `text` is what cannot be read */
    RV_TOKEN_IDENT,
    RV_TOKEN_NUMBER,
    RV_TOKEN_STRING, /* `text` is between the quotes */
    RV_TOKEN_SLOT,   /* ?principal; `text` without the question mark */
    RV_TOKEN_PUNCT,  /* one of ( ) { } [ ] , ; . @ : :: + - * / % ! < <= > >= == != = && || */
};

struct rv_token {
    enum rv_token_kind kind;
    struct rv_text text;
    struct rv_loc loc;
};

struct rv_lexer {
    const char *text;
    uint32_t len, at;
};

struct rv_token rv_lex(struct rv_lexer *lexer);

/** Words that cannot name an attribute, a type or a variable. */
bool rv_is_reserved(struct rv_text word);
