/* SPDX-License-Identifier: Apache-2.0 */
/** @file act/process.h  Processes by key: found, checked, signalled, never by a bare pid. */
#pragma once

#include "enforce/act.h"

#define RV_PROCESSES_MAX 4096

/** A list that grows to RV_PROCESSES_MAX; beyond that `cut` is set. Free `keys`. */
struct rv_processes {
    struct rv_process_key *keys;
    size_t count;
    bool cut;
};

void rv_processes_done(struct rv_processes *processes);
bool rv_processes_hold(const struct rv_processes *processes, uint32_t tgid);
/** @return 0, also when it was cut; -ENOMEM. */
RV_MUST_CHECK int rv_processes_add(struct rv_processes *processes, struct rv_process_key key);
/** The children of those in the list, that are not in it yet. @return 0 or -errno. */
RV_MUST_CHECK int rv_processes_add_children(struct rv_processes *processes);
/** Those in a cgroup folder of either version and below it, that are not in the list yet.
 * @return 0 or -errno of its cgroup.procs. */
RV_MUST_CHECK int rv_processes_add_cgroup(struct rv_processes *processes, const char *cgroup);

/** Parent, state and start out of /proc/PID/stat, or of /proc/PID/task/TID. @return 0; -ESRCH. */
RV_MUST_CHECK int rv_process_stat(pid_t pid, pid_t tid, pid_t *ret_parent, char *ret_state,
                                  uint64_t *ret_start_ticks);
uint64_t rv_ticks_to_ns(uint64_t ticks);

/** @return 0; -ESRCH; another -errno. */
RV_MUST_CHECK int rv_process_signal(struct rv_process_key key, int number);
