/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file policy/diag.h  Messages for people who write policies: where, what, and what to try.
 * A list collects them; rendering adds line, column, the source line and a caret. At most
 * RV_DIAG_MAX are kept, the rest only counted.
 */
#pragma once

#include "policy/ast.h"

#include <jansson.h>

#define RV_DIAG_MAX 200

enum rv_diag_level { RV_DIAG_ERROR, RV_DIAG_WARNING, RV_DIAG_NOTE };

struct rv_diag {
    enum rv_diag_level level;
    const char *code;     /* stable and short, such as "parse", "unknown-attribute"; static */
    const char *file;     /* never NULL, may be empty */
    unsigned line, column; /* from 1, columns in bytes; 0 when there is no place */
    unsigned end_line, end_column;
    const char *source_line; /* the line without its newline, or NULL */
    const char *policy_id;   /* or NULL */
    const char *message;
    const char *help; /* a suggestion, or NULL */
};

/** All-zero is a valid empty list. */
struct rv_diags {
    struct rv_arena arena;
    struct rv_diag *items;
    size_t count, room;
    size_t errors, warnings; /* also those not kept */
};

void rv_diags_done(struct rv_diags *diags); /* cleanup attribute */

/** Where a message belongs. Every member may be NULL or zero. */
struct rv_diag_at {
    const struct rv_source *source;
    struct rv_loc loc;
    const struct rv_policy *policy; /* gives source and id when `source` is NULL */
};

/** Add a message; `help` may be NULL and is copied. Does nothing when `diags` is NULL. */
void rv_diag_add(struct rv_diags *diags, enum rv_diag_level level, const char *code,
                 struct rv_diag_at at, const char *help, const char *format, ...) RV_PRINTF(6, 7);

/** Append one message: `file:line:column: error: message`, the line, a caret, the suggestion. */
void rv_diag_render(struct rv_buf *buf, const struct rv_diag *diag);
/** A JSON array in the shape that an editor plug-in uses. @return a new reference or NULL. */
json_t *rv_diags_json(const struct rv_diags *diags);

/**
 * The candidate nearest to a misspelt `name` (at most a third of it wrong), or NULL.
 * `at(context, i)` gives candidate i of `count`.
 */
const char *rv_diag_nearest(struct rv_text name, size_t count,
                            struct rv_text (*at)(const void *context, size_t i),
                            const void *context, char *ret_text, size_t room);
