/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file demo/sandbox.h  A place to misbehave in: own mount, pid and network namespace, the
 * machine's files below a writable layer in memory, own cgroup. Nothing outside it changes.
 */
#pragma once

#include "base/base.h"

struct rv_demo_place {
    const char *scratch; /* an empty folder; gets a tmpfs inside the sandbox only */
    const char *cases;   /* folder of the cases, seen as /demo */
    const char *acts;    /* program, seen as /usr/local/bin/acts */
    bool linger;         /* who has attacked stays for a second, as implants do */
    int cgroup_procs_fd; /* where to enter the cgroup, once `setup` is done */
};

/**
 * Run one half of a case: `setup` unwatched, then `half` ("attack" or "twin") in the cgroup.
 * @return exit status of the half, or -errno when the sandbox could not be made.
 */
RV_MUST_CHECK int rv_demo_run(const struct rv_demo_place *place, const char *case_name,
                              const char *half);
