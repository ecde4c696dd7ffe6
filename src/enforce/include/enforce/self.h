/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file enforce/self.h  Reeve's own processes and files, kept from everybody but an administrator:
 * as ordinary rules, for any provider that knows lineage.
 *
 * An administrator is a process with effective uid 0 (of the initial user namespace) that descends
 * from a login program and from no server. Others can neither signal, trace nor rewrite; what an
 * administrator does is recorded as something that would have been refused. What that does not
 * hold against is in docs/THREATS.md.
 *
 * pid 1 is neither: the guard has to protect it, so that the service manager can stop the service.
 */
#pragma once

#include "enforce/rule.h"

#define RV_SELF_RULES 8

/** Paths are absolute and borrowed for the call. */
struct rv_self {
    const char *const *folders;  /* of configuration, state, log, keys */
    const char *const *files;    /* programs, units */
    const char *const *programs; /* who may: Reeve's own, the package manager's that writes files */
    size_t folder_count, file_count, program_count;
    uint32_t login_kind, server_kind; /* as the provider's table of programs has them */
};

/**
 * Rules for one set, to be put before or after others; their `policy` is RV_POLICY_SELF.
 * @return how many; 0 when there are more terms than a rule holds, or a path is too long.
 */
size_t rv_self_rules(const struct rv_self *self, struct rv_rule ret_rules[RV_SELF_RULES]);
