/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file policy/place.h  Where a policy can be enforced: by the kernel alone, by asking the judge
 * before the fact, or only after it. Computed from what the policy looks at and what the host
 * offers; every step down comes with its reason. Knows actions and attributes only through a table.
 */
#pragma once

#include "policy/ast.h"

/** From strongest to weakest; zero is the weakest so that forgetting promises nothing. */
enum rv_place { RV_PLACE_AFTER = 0, RV_PLACE_INLINE, RV_PLACE_KERNEL };

/** What can answer before the fact, as bits. */
#define RV_PLACE_BY_LSM      1U /* BPF LSM with kernel tables */
#define RV_PLACE_BY_CGROUP   2U /* cgroup-BPF: addresses and ports */
#define RV_PLACE_BY_FANOTIFY 4U /* permission events: the judge answers */

/** An action and the mechanisms that can refuse it. */
struct rv_place_action {
    const char *name;  /* the id; or of a group, whose members then stand below it */
    const char *group; /* the group right above, or NULL */
    unsigned by;
};

/** An attribute, written as `context.risk`, and the strongest place where it is known. */
struct rv_place_fact {
    const char *path; /* "context.features" covers what is below it */
    enum rv_place place;
    const char *why; /* for a fact the kernel does not know: a sentence without its full stop */
};

struct rv_place_table {
    const struct rv_place_action *actions;
    const struct rv_place_fact *facts;
    size_t action_count, fact_count;
    enum rv_place fact_default; /* of attributes that are not listed */
};

/** The table of host actions (DESIGN: path, program, uid, workload, address, port, risk). */
const struct rv_place_table *rv_place_host(void);

#define RV_PLACE_REASONS_MAX 8

struct rv_place_reason {
    enum rv_place place; /* the best that is left because of this */
    struct rv_loc loc;   /* in the policy's source; zero for the action or the host */
    char text[120];
};

struct rv_placement {
    bool governs; /* it can refuse at least one action of the table; else nothing below is set */
    enum rv_place place; /* of the whole policy: the weakest of its actions */
    unsigned by;         /* RV_PLACE_BY_*: the mechanisms that carry it at that place */
    struct rv_place_reason reasons[RV_PLACE_REASONS_MAX];
    uint32_t reason_count; /* in the order found; the same is not said twice */
};

/**
 * Sort one policy. Permits refuse nothing and govern nothing.
 * @param offered RV_PLACE_BY_*: what the host has.
 */
struct rv_placement rv_place_policy(const struct rv_place_table *table, unsigned offered,
                                    const struct rv_policy *policy);

/** "kernel", "inline" or "after". Static. */
const char *rv_place_name(enum rv_place place);
