/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file act/standing.h  What stands and how to take it back: in memory, and in a small file, so
 * that it can be undone after the agent died and came back.
 */
#pragma once

#include "act/cgroup.h"
#include "act/process.h"

#include "base/json.h"

#define RV_STANDING_MAX         256
#define RV_STANDING_FILE_MAX    ((size_t)4 << 20)
#define RV_STANDING_THREADS_MAX RV_PROCESSES_MAX

struct rv_isolation;

/** How an action was carried out. The numbers stand in the file. */
enum rv_act_method {
    RV_METHOD_NONE = 0,
    RV_METHOD_CGROUP_FREEZE, /* cgroup v2 */
    RV_METHOD_V1_FREEZER,
    RV_METHOD_SIGSTOP,
    RV_METHOD_CPU_MAX, /* cgroup v2, and io.weight where there is one */
    RV_METHOD_V1_QUOTA,
    RV_METHOD_SCHED_IDLE, /* each thread, and idle I/O priority */
    RV_METHOD_CGROUP_BPF,
    RV_METHODS_,
};

/** A thread as it was: of a stopped process its first one, the rest zero. */
struct rv_standing_thread {
    pid_t tgid, tid;
    uint64_t start_ticks;
    int policy, nice, priority, ioprio;
};

struct rv_standing {
    uint32_t number; /* 0: free */
    enum rv_action action;
    enum rv_act_method method;
    struct rv_process_key process; /* tgid 0: a cgroup */
    char *cgroup;                  /* NULL: a process */
    char old[2][RV_KNOB_MAX];      /* of the method's control files; empty: not touched */
    uint64_t since_ticks;          /* what started later inherited it */
    bool complete;                 /* `threads` are all: the agent did not die meanwhile */
    struct rv_standing_thread *threads;
    size_t thread_count;
    struct rv_isolation *isolation;
};

void rv_standing_done(struct rv_standing *standing);
/** @return 0; -ENOSPC: RV_STANDING_THREADS_MAX are kept; -ENOMEM. */
RV_MUST_CHECK int rv_standing_add_thread(struct rv_standing *standing,
                                         const struct rv_standing_thread *thread);

/** Replace the file by what stands. @return 0 or -errno; then the old file is there. */
RV_MUST_CHECK int rv_standing_write(const char *path, const struct rv_standing *all,
                                    uint32_t last_number);
/**
 * What a former agent left. Of another boot: nothing. Isolations ended with their process: they are
 * counted and left out.
 * @param all RV_STANDING_MAX places, empty.
 * @return 0, also when there is no file; -EPERM: not ours alone; -EBADMSG: not what we write;
 * -errno.
 */
RV_MUST_CHECK int rv_standing_read(const char *path, struct rv_standing *all,
                                   uint32_t *ret_last_number, uint32_t *ret_ended);
/** The text of the file. @return 0; -ENOMEM. */
RV_MUST_CHECK int rv_standing_format(struct rv_buf *buf, const char *boot,
                                     const struct rv_standing *all, uint32_t last_number);
/** The text of such a file, written in this `boot`. @return 0; -ESTALE: another boot; -EBADMSG;
 * -ENOMEM. */
RV_MUST_CHECK int rv_standing_parse(struct rv_span text, const char *boot, struct rv_standing *all,
                                    uint32_t *ret_last_number, uint32_t *ret_ended);
