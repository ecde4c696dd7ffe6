/* SPDX-License-Identifier: Apache-2.0 */
/** @file act/cgroup.h  A control file of a cgroup folder: which version, its value, a new one. */
#pragma once

#include "base/base.h"

#define RV_KNOB_MAX 64 /* bytes of a value that is kept, with the final zero */

enum rv_cgroup_version { RV_CGROUP_NONE = 0, RV_CGROUP_V1, RV_CGROUP_V2 };

enum rv_cgroup_version rv_cgroup_version(const char *cgroup);

/** The first line. @return 0; -ENOENT: this folder has no such file; -EMSGSIZE; another -errno. */
RV_MUST_CHECK int rv_knob_read(const char *cgroup, const char *name, char ret_value[RV_KNOB_MAX]);
/** @return 0 or -errno: -EROFS when cgroups are mounted read-only. */
RV_MUST_CHECK int rv_knob_write(const char *cgroup, const char *name, const char *value);

/** Why a control file could not be used, as the end of a sentence. Static. */
const char *rv_knob_why(int r);
