/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file check.h  The checker of one policy: types of expressions in one environment at a time.
 * An environment is an action with one principal type and one resource type that it applies to.
 */
#pragma once

#include "check_caps.h"
#include "check_type.h"
#include "policy/read.h"

struct check_env {
    const struct rv_schema_action *action;
    const struct rv_schema_entity *principal, *resource;
    const struct rv_schema_entity *principal_slot, *resource_slot; /* NULL: no such slot */
};

struct checker {
    struct check_types types; /* its arena is that of the environment */
    const struct rv_policy *policy;
    struct rv_diags *diags;
    struct check_cap_table caps;
    uint64_t *seen; /* hashes of messages given: an error found in each environment is told once */
    size_t seen_count, seen_room;
    struct check_env env;
    struct rv_type principal, action, resource, principal_slot, resource_slot;
    size_t errors;
    bool failed; /* out of memory */
};

void checker_done(struct checker *checker);

/** Report an error of the policy, once. `help` may be NULL. */
void check_report(struct checker *checker, const char *code, struct rv_loc loc, const char *help,
                  const char *format, ...) RV_PRINTF(5, 6);

/** What is known of an expression. */
struct check_answer {
    const struct rv_type *type; /* NULL: not known, and that was reported */
    struct check_caps caps;     /* what holds when it is true */
    bool good;
};

/** What is known before anything was looked at: true, and nothing learned. */
struct check_answer check_start(void);
/** What is known of `so_far && expr`; `so_far` that is always false stays so, unlooked at. */
struct check_answer check_conjunct(struct checker *checker, struct check_answer so_far,
                                   const struct rv_expr *expr);

/** The literal that an expression is after constant folding of `true && false` and the like, or
 * NULL. `room` holds a folded one. */
const struct rv_value *check_literal(const struct rv_expr *expr, struct rv_value *room);
