/* SPDX-License-Identifier: Apache-2.0 */
/** @file fan/rules.h  A set as it is kept: copied, files by identity, what it needs to know. Pure.
 */
#pragma once

#include "enforce/fan.h"
#include "facts.h"

/* What the set looks at beside the quick facts; part of the key of the cache then. */
enum {
    FAN_NEED_USERS = 1U << 0,    /* uid, gid */
    FAN_NEED_WORKLOAD = 1U << 1, /* cgroup */
    FAN_NEED_PROGRAM_NAME = 1U << 2,
    FAN_NEED_NAME = 1U << 3,  /* of the file */
    FAN_NEED_PLACE = 1U << 4, /* folders */
    FAN_NEED_WIDE = 1U << 5,  /* mounts or file systems are marked: a place may change unseen */
    FAN_NEED_MODE = 1U << 6,  /* reading or writing makes a difference */
    FAN_NEED_EUID = 1U << 7,
};

#define FAN_OPENS   ((uint32_t)(RV_DO_READ | RV_DO_WRITE))
#define FAN_ACTIONS (FAN_OPENS | RV_DO_EXEC)

struct fan_rules {
    unsigned refs;
    struct rv_rule *rules;
    struct fan_id (*ids)[RV_RULE_TERMS_MAX];     /* of terms that are paths */
    struct fan_id (*folders)[RV_RULE_TERMS_MAX]; /* of FILE: where it is, or would be */
    size_t count;
    struct rv_fan_scope *scopes; /* paths owned */
    size_t scope_count;
    struct rv_rule_settings settings;
    uint64_t deadline_ns, hold_ns;
    uint32_t needs;
};

/** @return 0; -EINVAL, with the rule (SIZE_MAX: a scope); -ENOMEM. One reference is the caller's.
 */
RV_MUST_CHECK int rv_fan_rules_new(struct fan_rules **ret_rules, const struct rv_fan_set *set,
                                   struct rv_fan_taken *ret_taken);
void rv_fan_rules_unref(struct fan_rules *rules);
static inline void fan_rules_unrefp(struct fan_rules **rules)
{
    rv_fan_rules_unref(*rules);
}

enum fan_truth { FAN_NO = 0, FAN_MAYBE, FAN_YES };

/** Does the rule at `index` match? MAYBE: that depends on what the facts leave open. */
enum fan_truth rv_fan_match(const struct fan_rules *rules, size_t index,
                            const struct fan_facts *facts);

/** Rules of the set, by place, as they stand to an open. */
struct fan_matches {
    uint64_t enforce, shadow; /* that match */
    uint64_t maybe;           /* enforcing rules that may */
};
struct fan_matches rv_fan_match_all(const struct fan_rules *rules, const struct fan_facts *facts);
/** Can no rule ever match this file, whoever asks and wherever it is? */
bool rv_fan_never(const struct fan_rules *rules, const struct fan_facts *facts);
