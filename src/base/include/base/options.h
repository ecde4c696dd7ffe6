/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/options.h  Command-line options as data: one table gives parsing, help and the man
 * page. Long options only need a name; `--name value` and `--name=value` both work; `--` ends
 * options.
 */
#pragma once

#include "base/base.h"

#include <stdio.h>

enum rv_option_kind {
    RV_OPTION_END = 0,
    RV_OPTION_FLAG,   /* bool:         --json */
    RV_OPTION_STRING, /* const char *: borrowed from argv */
    RV_OPTION_U64,    /* uint64_t:     decimal, range checked */
    RV_OPTION_LIST,   /* struct rv_option_list: may be given many times */
};

struct rv_option_list {
    const char **items; /* calloc'd array of borrowed strings; free(items) */
    size_t count;
};

struct rv_option {
    enum rv_option_kind kind;
    char letter;          /* 0: none */
    const char *name;     /* without the dashes */
    const char *argument; /* name of the value in the help, NULL for a flag */
    const char *help;     /* one sentence, no full stop */
    void *value;          /* of the type that `kind` says */
    uint64_t min, max;    /* RV_OPTION_U64 only; max 0: no upper bound */
};

/**
 * Parse options, moving operands to the front of `argv[1..]`.
 * `--help` is not handled here: give it an RV_OPTION_FLAG.
 * @param operands_after_first once an operand is seen, the rest are operands (`record -- CMD -x`).
 * @param ret_operands         number of operands, now at argv[1] and on.
 * @return 0; -EINVAL after saying on standard error what is wrong and what to do.
 */
enum rv_options_mode { RV_OPTIONS_ANYWHERE, RV_OPTIONS_BEFORE_OPERANDS };
RV_MUST_CHECK int rv_options_parse(const struct rv_option *options, enum rv_options_mode mode,
                                   int argc, char **argv, int *ret_operands);

/** Print the table as aligned help lines. */
void rv_options_help(const struct rv_option *options, FILE *to);
