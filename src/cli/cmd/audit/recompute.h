/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file recompute.h  `reeve audit show N --recompute`: who can compute again what an entry records.
 * One row a type of entry in recompute.c; what computes has a file of its own.
 */
#pragma once

#include "base/json.h"

enum audit_recompute {
    AUDIT_RECOMPUTE_UNKNOWN = 0, /* the model that spoke is not at hand */
    AUDIT_RECOMPUTE_DIFFERENT,
    AUDIT_RECOMPUTE_SAME,
};

struct audit_recomputer {
    const char *type; /* of the entry, such as "decision" */
    /**
     * @param entry  the whole entry, which follows the rules of audit/entry.h.
     * @param model  what `--model` named, or NULL: the one that is built in.
     * @param report one line a comparison is appended, for people.
     * @return 0 with a finding, or -errno.
     */
    int (*recompute)(const json_t *entry, const char *model, struct rv_buf *report,
                     enum audit_recompute *ret_finding);
};

/** For "decision": see struct audit_recomputer. Without `model` the built-in one computes. */
int audit_recompute_decision(const json_t *entry, const char *model, struct rv_buf *report,
                             enum audit_recompute *ret_finding);

/** NULL: no entry of this type records a verdict. */
const struct audit_recomputer *audit_recomputer_for(const char *type);
