/* SPDX-License-Identifier: Apache-2.0 */
/** @file act/isolate.h  A cgroup cut off from every network while the handle lives. */
#pragma once

#include "base/base.h"

struct rv_isolation;

/** @return 0 or -errno: -ENOENT no such cgroup, -EPERM the kernel takes no programs. */
RV_MUST_CHECK int rv_isolate(struct rv_isolation **ret_isolation, const char *cgroup);
void rv_isolation_end(struct rv_isolation **isolation);
