/* SPDX-License-Identifier: Apache-2.0 */
/** @file act/protect.h  Whom no action may hit, whatever was decided. */
#pragma once

#include "act/process.h"

#define RV_PROTECTED_MAX 96

struct rv_protected_program {
    dev_t dev;
    ino_t inode;
    uid_t uid; /* protected only as this user; RV_ANYBODY */
    char path[64];
};
#define RV_ANYBODY ((uid_t)-1)

struct rv_protected {
    struct rv_protected_program programs[RV_PROTECTED_MAX];
    size_t count;
    struct rv_process_key processes[16]; /* a ring; tgid 0: free */
    size_t next_process;
};

/** The built-in list: sshd, container runtimes, systemd and its like, of those that are installed.
 */
void rv_protected_init(struct rv_protected *set);
/** @return 0; -ENOSPC; another -errno of the path. */
RV_MUST_CHECK int rv_protected_add(struct rv_protected *set, const char *program, uid_t uid);

/** Why not, as a sentence without its full stop; NULL: it may be hit. Static. */
const char *rv_protected_why(const struct rv_protected *set, pid_t pid);
/** Likewise of a cgroup, its root and whatever is in it or below. What cannot be read counts. */
const char *rv_protected_why_cgroup(const struct rv_protected *set, const char *cgroup);
