/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cli/view.h  Outcomes for people: one line each, the same for watch, replay and decisions.
 * Takes the JSON of rv_outcome_json() or of a receipt, so that it needs nothing but the wire.
 */
#pragma once

#include "base/json.h"

#include <stdio.h>

struct rv_view {
    FILE *to;
    bool colours; /* true only on a terminal that wants them */
    unsigned columns;
};

/** A view on standard output: colours when it is a terminal and NO_COLOR is not set. */
struct rv_view rv_view_stdout(void);

void rv_view_heading(const struct rv_view *view);
/** @param outcome a JSON outcome. @param boot_to_unix_ns to print wall clock; 0: seconds since
 * boot. */
void rv_view_outcome(const struct rv_view *view, const json_t *outcome, int64_t boot_to_unix_ns);
/** What was refused, held or done: {"enforced": TYPE, ...}. */
void rv_view_enforced(const struct rv_view *view, const json_t *line);
/** The long form: features, contributions, policies, in words. */
void rv_view_explain(const struct rv_view *view, const json_t *receipt);
