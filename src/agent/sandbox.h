/* SPDX-License-Identifier: Apache-2.0 */
/** @file agent/sandbox.h  Giving up, for good, everything that the judge does not need. */
#pragma once

#include "base/base.h"

#include <sys/types.h>

/**
 * Become `uid`/`gid` without capabilities, network, file system or the right to gain anything:
 * own network, mount and IPC namespace, chroot to an empty folder, no_new_privs, not dumpable, no
 * core, no further processes.
 * @param empty_dir path of an empty folder that only root can write.
 * @return 0 or -errno; after a failure the caller must leave: it may be half confined.
 */
RV_MUST_CHECK int rv_sandbox_enter(const char *empty_dir, uid_t uid, gid_t gid);

/** Allow only the system calls in the judge's list; any other one kills the process (SIGSYS). */
RV_MUST_CHECK int rv_sandbox_filter(void);
