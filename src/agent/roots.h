/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file agent/roots.h  Other roots than ours (containers, chroots), each by a process that lives
 * under it, and rules that hold there, too. Bounded: the oldest go. Not thread-safe.
 */
#pragma once

#include "enforce/act.h"
#include "enforce/rule.h"

#include <sys/types.h>

#define RV_ROOTS_MAX     16
#define RV_ROOT_PATH_MAX 40

struct rv_root {
    struct rv_process_key process; /* tgid 0: none */
    dev_t dev;
    ino_t inode;
};

struct rv_roots {
    struct rv_root items[RV_ROOTS_MAX];
    uint32_t met;
};

static inline bool rv_root_is_known(const struct rv_root *root)
{
    return root->process.tgid != 0;
}

/** "/proc/PID/root". @return path. */
const char *rv_root_path(const struct rv_root *root, char path[RV_ROOT_PATH_MAX]);

/** Where does this process live? @return its root, borrowed, if it is another and was not known. */
const struct rv_root *rv_roots_meet(struct rv_roots *roots, pid_t pid);
void rv_roots_forget_dead(struct rv_roots *roots);

/**
 * A rule's paths again under each root, as far as there is room for terms. A path that is too long
 * or whose folder is not there is left out.
 */
void rv_roots_extend(const struct rv_roots *roots, struct rv_rule *rule);
