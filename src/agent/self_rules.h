/* SPDX-License-Identifier: Apache-2.0 */
/** @file agent/self_rules.h  What of Reeve is on this host, as rules that keep it (enforce/self.h).
 */
#pragma once

#include "config.h"
#include "enforce/self.h"

/** @return how many rules; 0: there is no telling, for want of memory or of a path. */
size_t rv_self_rules_here(const struct rv_agent_config *config,
                          struct rv_rule ret_rules[RV_SELF_RULES]);
