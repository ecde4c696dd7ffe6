/* SPDX-License-Identifier: Apache-2.0 */
/** @file set.h  How readers grow a policy set. */
#pragma once

#include "policy/ast.h"

/** The next of policy0, policy1, ...; data NULL without memory. */
struct rv_text rv_policy_set_next_id(struct rv_policy_set *set);
/** Add a copy of the struct; what it points to must live in the set's arena. @return 0; -ENOMEM. */
RV_MUST_CHECK int rv_policy_set_add(struct rv_policy_set *set, const struct rv_policy *policy);
/** A deep copy, or NULL. */
const struct rv_uid *rv_uid_copy(struct rv_arena *arena, const struct rv_uid *uid);
