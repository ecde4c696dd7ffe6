/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file agent/hold.h  What waits for a person: a bounded list of held actions and their approvals.
 *
 * An approval is of exactly one held action: this program by this user on this thing, under this
 * policy. It expires, is used once, and cannot be given by the user whose action it is. No I/O and
 * no clock of its own; not thread-safe.
 */
#pragma once

#include "base/json.h"
#include "enforce/rule.h"

#define RV_HOLDS_MAX 256

enum rv_hold_state {
    RV_HOLD_PENDING = 0,
    RV_HOLD_APPROVED, /* may be used until it expires */
    RV_HOLD_USED,
    RV_HOLD_DENIED,
    RV_HOLD_EXPIRED, /* nobody decided, or nobody used it */
};

/** How the action is kept from going on. */
enum rv_hold_kind {
    RV_HOLD_REFUSED = 0, /* it was refused: after an approval it may be tried again, once */
    RV_HOLD_FROZEN,      /* it has happened; its process is frozen */
};

struct rv_hold {
    uint64_t id; /* from 1, never used again */
    enum rv_hold_state state;
    enum rv_hold_kind kind;
    struct rv_grant what; /* program, user, action, thing; `expires_boot_ns` of the approval */
    uint64_t digest;      /* of the policy: an approval is worth nothing under another one */
    uint64_t start_boot_ns, cgroup_id;
    uint32_t tgid;
    uint32_t standing; /* RV_HOLD_FROZEN: number of the freeze */
    uint64_t since_boot_ns, expires_boot_ns;
    uint32_t decided_by_uid, tries; /* tries: how often it was attempted while pending */
    char policy[128], program[128], resource[192], action[24], comm[16], note[128];
};

struct rv_holds {
    uint64_t last_id;
    struct rv_hold items[RV_HOLDS_MAX]; /* a place is free when `id` is 0 */
};

/**
 * Open a hold, or find the pending or approved one of the same action and count the try.
 * When all places are taken the oldest that is decided goes.
 * @param hold        `id` and `state` are ignored.
 * @param ret_is_new  whether it was not there before.
 * @return 0; -ENOSPC: RV_HOLDS_MAX are pending or approved.
 */
RV_MUST_CHECK int rv_hold_open(struct rv_holds *holds, const struct rv_hold *hold,
                               struct rv_hold **ret_hold, bool *ret_is_new);

struct rv_hold *rv_hold_find(struct rv_holds *holds, uint64_t id);

/**
 * A person decides.
 * @param approve_ms how long the approval may be used.
 * @return 0; -ENOENT; -EALREADY: it is decided; -EPERM: it is that user's own action.
 */
RV_MUST_CHECK int rv_hold_approve(struct rv_holds *holds, uint64_t id, uint32_t by_uid,
                                  uint64_t now_boot_ns, uint64_t approve_ms,
                                  struct rv_hold **ret_hold);
RV_MUST_CHECK int rv_hold_deny(struct rv_holds *holds, uint64_t id, uint32_t by_uid,
                               struct rv_hold **ret_hold);

/** A grant was used: the approved hold of this action, or NULL. */
struct rv_hold *rv_hold_use(struct rv_holds *holds, const struct rv_grant *what);

/** The next one whose time is over, now expired; NULL: none. Call until NULL. */
struct rv_hold *rv_hold_expire(struct rv_holds *holds, uint64_t now_boot_ns);
/** A policy was replaced: what was approved or pending under another one expires, one a call. */
struct rv_hold *rv_hold_outdate(struct rv_holds *holds, uint64_t digest);

/** A new object, or NULL without memory. */
json_t *rv_hold_to_json(const struct rv_hold *hold, uint64_t now_boot_ns);
const char *rv_hold_state_name(enum rv_hold_state state); /* static */
