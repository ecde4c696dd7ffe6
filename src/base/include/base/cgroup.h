/* SPDX-License-Identifier: Apache-2.0 */
/** @file base/cgroup.h  Where the tree of cgroup v2 is mounted: "/sys/fs/cgroup" or beside v1. */
#pragma once

#include "base/base.h"

/**
 * @param ret_path its absolute path. @return 0; -ENOENT: it is not mounted; -ENAMETOOLONG; -errno.
 */
RV_MUST_CHECK int rv_cgroup_root(char *ret_path, size_t size);
/** Open it. @param path where it is; NULL: looked up. @return 0 or as rv_cgroup_root(). */
RV_MUST_CHECK int rv_cgroup_open(const char *path, int *ret_fd);
