/* SPDX-License-Identifier: Apache-2.0 */
/** @file act/hold_still.h  Freeze and throttle, each by the best means that this host has. */
#pragma once

#include "act/protect.h"
#include "act/standing.h"

/**
 * What rv_freeze() or rv_throttle() are about to do, so that it can be written down before it is
 * done: `standing` has action, process and cgroup; its method and the old values are filled in.
 * @param how begins empty; says in words why a better means was passed over.
 * @return 0; -ESRCH; -ENOENT: no such cgroup; another -errno.
 */
RV_MUST_CHECK int rv_freeze_prepare(struct rv_standing *standing, struct rv_buf *how);
RV_MUST_CHECK int rv_throttle_prepare(struct rv_standing *standing, struct rv_buf *how);

/** Do it. Stopped processes and idle threads are added to `standing`. @return 0 or -errno. */
RV_MUST_CHECK int rv_freeze(struct rv_standing *standing, const struct rv_protected *set,
                            struct rv_buf *how);
RV_MUST_CHECK int rv_throttle(struct rv_standing *standing, const struct rv_protected *set,
                              struct rv_buf *how);

/** Put things back as they were. @return 0; -ESRCH or -ENOENT: the target is gone; another -errno.
 */
RV_MUST_CHECK int rv_thaw(const struct rv_standing *standing);
RV_MUST_CHECK int rv_unthrottle(const struct rv_standing *standing);
