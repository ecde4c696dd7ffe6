/* SPDX-License-Identifier: Apache-2.0 */
/** @file compiler.h  What the steps from policies to rules share. */
#pragma once

#include "draft.h"

struct compiler {
    const struct rv_policy_set *set;
    const struct rv_entities *entities;
    const struct rv_rules_options *options;
    struct rv_rules *rules;
    struct rv_arena arena;          /* of terms */
    struct rv_drafts *drafts;       /* by place in rules->policies */
    struct rv_rules_policy *policy; /* at hand */
    struct rv_drafts one;           /* its drafts for the verb at hand */
    bool any_place;                 /* a place has been set for the policy at hand */
};

/** Once for each text. */
RV_PRINTF(5, 6)
void rv_compiler_reason(struct rv_rules_policy *policy, enum rv_place place,
                        const struct rv_policy *at, struct rv_loc loc, const char *format, ...);

/** Place and drafts of `compiler->policy`; `policy` NULL: what no permit allows. @return 0;
 * -ENOMEM. */
RV_MUST_CHECK int rv_compiler_policy(struct compiler *compiler, const struct rv_policy *policy,
                                     struct rv_drafts *drafts);
/** The drafts that are in a stage become rules, as long as there is room. @return 0; -ENOMEM. */
RV_MUST_CHECK int rv_compiler_table(struct compiler *compiler, enum rv_stage stage);
