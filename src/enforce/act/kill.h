/* SPDX-License-Identifier: Apache-2.0 */
/** @file act/kill.h  End a process, a process and its descendants, or a whole cgroup. */
#pragma once

#include "act/protect.h"
#include "act/standing.h"

/** How it went is added to `how`. @return 0; -ESRCH; another -errno. */
RV_MUST_CHECK int rv_kill_process(struct rv_process_key process, struct rv_buf *how);
/**
 * By parentage as it is now: an orphan of a descendant that has died belongs to nobody. Each one
 * found is stopped before its children are looked for, so that none forks on.
 */
RV_MUST_CHECK int rv_kill_tree(struct rv_process_key root, const struct rv_protected *set,
                               struct rv_buf *how);
/** By cgroup.kill (5.14 and later), else likewise one by one until nobody is left. */
RV_MUST_CHECK int rv_kill_cgroup(const char *cgroup, const struct rv_protected *set,
                                 struct rv_buf *how);
