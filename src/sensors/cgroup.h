/* SPDX-License-Identifier: Apache-2.0 */
/** @file cgroup.h  Where cgroup v2 is mounted. */
#pragma once

#include "base/base.h"

/** Open the root of the cgroup v2 tree. `path` NULL: looked up. @return 0; -ENODEV when none. */
RV_MUST_CHECK int rv_sensors_cgroup_root(const char *path, int *ret_fd);
