/* SPDX-License-Identifier: Apache-2.0 */
/** @file probe/sandbox.h  Where things are tried: namespaces and a cgroup that end with the trying.
 */
#pragma once

#include "base/base.h"

#include <sys/types.h>

struct rv_sandbox {
    char cgroup[192];  /* a cgroup v2 folder of ours; empty: none can be made */
    uint64_t workload; /* its inode */
};

/**
 * Move the calling process, which should be a child made for it, into a mount and a network
 * namespace of its own: /tmp is an empty memory file system with RV_ATTEMPT_FILE, its working
 * folder; loopback is up. The cgroup is made, and entered by rv_sandbox_run() alone.
 * @return 0; -errno: no namespaces here, or not root.
 */
RV_MUST_CHECK int rv_sandbox_enter(struct rv_sandbox *sandbox);
/** Run in a child in the sandbox's cgroup. @return what it returned (0..255); -errno. */
int rv_sandbox_run(const struct rv_sandbox *sandbox, int (*what)(void));
/** Remove the cgroup `cgroup`; waits for its last process to be gone. Any process may do it. */
void rv_sandbox_remove(const char *cgroup);
