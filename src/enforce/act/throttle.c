/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Throttle: a workload to a tenth of one processor by its quota (cgroup v2 cpu.max, version 1
 * cpu.cfs_quota_us) and to the least share of I/O where that is weighed. A process, or a workload
 * without such a controller: every thread becomes SCHED_IDLE with idle I/O priority, which is what
 * the kernel gives to those who may have only what nobody else wants.
 */
#include "act/hold_still.h"

#include <dirent.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS_MAX 16
#define QUOTA_US   "10000"
#define PERIOD_US  "100000"

/** Of sched_getattr(2); the first version, which every kernel takes. */
struct sched_attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

int rv_throttle_prepare(struct rv_standing *standing, struct rv_buf *how)
{
    const char *cgroup = standing->cgroup;
    int r = -ENODEV;
    struct timespec now;

    standing->method = RV_METHOD_SCHED_IDLE;
    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    standing->since_ticks =
        ((uint64_t)now.tv_sec * RV_NS_PER_S + (uint64_t)now.tv_nsec) / rv_ticks_to_ns(1);
    if (!cgroup)
        return 0;
    if (access(cgroup, F_OK) < 0)
        return -errno;
    if (rv_cgroup_version(cgroup) == RV_CGROUP_V2) {
        r = rv_knob_read(cgroup, "cpu.max", standing->old[0]);
        if (r == 0)
            r = rv_knob_write(cgroup, "cpu.max", standing->old[0]);
        if (r == 0 && rv_knob_read(cgroup, "io.weight", standing->old[1]) < 0)
            standing->old[1][0] = '\0';
        if (r == 0)
            standing->method = RV_METHOD_CPU_MAX;
    } else if (rv_cgroup_version(cgroup) == RV_CGROUP_V1) {
        r = rv_knob_read(cgroup, "cpu.cfs_quota_us", standing->old[0]);
        if (r == 0)
            r = rv_knob_read(cgroup, "cpu.cfs_period_us", standing->old[1]);
        if (r == 0)
            r = rv_knob_write(cgroup, "cpu.cfs_quota_us", standing->old[0]);
        if (r == 0)
            standing->method = RV_METHOD_V1_QUOTA;
    }
    if (r < 0) {
        standing->old[0][0] = standing->old[1][0] = '\0';
        rv_buf_addf(how, "no quota (%s); ", rv_knob_why(r));
    }
    return 0;
}

/* ---- Threads ---- */

static int io_priority(int class)
{
    return class << IOPRIO_CLASS_SHIFT;
}

/** Make one thread idle and remember what it was. Gone meanwhile is as good. */
static int idle_thread(struct rv_standing *standing, pid_t tgid, pid_t tid)
{
    struct rv_standing_thread thread = { .tgid = tgid, .tid = tid };
    struct sched_attributes was = { .size = sizeof(was) };
    struct sched_attributes idle = { .size = sizeof(idle), .policy = SCHED_IDLE };
    pid_t parent;
    char state;
    int r;

    if (rv_process_stat(tgid, tid, &parent, &state, &thread.start_ticks) < 0)
        return 0;
    for (size_t i = 0; i < standing->thread_count; i++)
        if (standing->threads[i].tid == tid &&
            standing->threads[i].start_ticks == thread.start_ticks)
            return 0;
    if (syscall(SYS_sched_getattr, tid, &was, sizeof(was), 0) < 0)
        return errno == ESRCH ? 0 : -errno;
    if (was.policy == SCHED_DEADLINE)
        return 0; /* has a contract with the scheduler that cannot be given back as it was */
    thread.policy = (int)was.policy;
    thread.nice = was.nice;
    thread.priority = (int)was.priority;
    thread.ioprio = (int)syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, tid);
    r = rv_standing_add_thread(standing, &thread);
    if (r < 0)
        return r;
    idle.nice = was.nice;
    if (syscall(SYS_sched_setattr, tid, &idle, 0) < 0 && errno != ESRCH)
        return -errno;
    (void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, tid, io_priority(IOPRIO_CLASS_IDLE));
    return 0;
}

static int each_thread(pid_t pid, int (*visit)(struct rv_standing *standing, pid_t tgid, pid_t tid),
                       struct rv_standing *standing)
{
    char path[32];
    struct dirent *entry;
    DIR *tasks;
    int r = 0;

    (void)snprintf(path, sizeof(path), "/proc/%d/task", pid);
    tasks = opendir(path);
    if (!tasks)
        return errno == ENOENT ? -ESRCH : -errno;
    while (r == 0 && (entry = readdir(tasks)))
        if (entry->d_name[0] != '.')
            r = visit(standing, pid, (pid_t)strtol(entry->d_name, NULL, 10));
    (void)closedir(tasks);
    return r;
}

/** Threads and children that come while we look are found again until there are none. */
static int idle_processes(struct rv_standing *standing, const struct rv_protected *set)
{
    RV_AUTO(rv_processes_done) struct rv_processes processes = { 0 };
    size_t before;
    int r = 0, round = 0;

    if (!standing->cgroup)
        r = rv_processes_add(&processes, standing->process);
    do {
        before = standing->thread_count;
        if (r == 0 && standing->cgroup)
            r = rv_processes_add_cgroup(&processes, standing->cgroup);
        for (size_t i = 0; r == 0 && i < processes.count; i++) {
            if (rv_protected_why(set, (pid_t)processes.keys[i].tgid))
                continue;
            r = rv_process_signal(processes.keys[i], 0); /* still the one that was meant */
            if (r == 0)
                r = each_thread((pid_t)processes.keys[i].tgid, idle_thread, standing);
            if (r == -ESRCH && standing->cgroup)
                r = 0;
        }
    } while (r == 0 && standing->thread_count > before && ++round < ROUNDS_MAX);
    return r;
}

/** A tenth of the period that the folder has. */
static int set_v1_quota(const struct rv_standing *standing)
{
    char quota[RV_KNOB_MAX];

    (void)snprintf(quota, sizeof(quota), "%ld",
                   (long)rv_max_u64(strtoul(standing->old[1], NULL, 10) / 10, 1000));
    return rv_knob_write(standing->cgroup, "cpu.cfs_quota_us", quota);
}

int rv_throttle(struct rv_standing *standing, const struct rv_protected *set, struct rv_buf *how)
{
    int r;

    if (standing->method == RV_METHOD_V1_QUOTA) {
        rv_buf_add_str(how, "a tenth of one processor by cpu.cfs_quota_us");
        return set_v1_quota(standing);
    }
    if (standing->method == RV_METHOD_CPU_MAX) {
        rv_buf_addf(how, "a tenth of one processor by cpu.max%s",
                    standing->old[1][0] ? ", least I/O by io.weight" : "");
        r = rv_knob_write(standing->cgroup, "cpu.max", QUOTA_US " " PERIOD_US);
        return r == 0 && standing->old[1][0]
                   ? rv_knob_write(standing->cgroup, "io.weight", "default 1")
                   : r;
    }
    r = idle_processes(standing, set);
    rv_buf_addf(how, "SCHED_IDLE and idle I/O: %zu threads", standing->thread_count);
    return r;
}

/* ---- Undo ---- */

static void restore_thread(const struct rv_standing_thread *was, pid_t tid)
{
    struct sched_attributes attributes = { .size = sizeof(attributes),
                                           .policy = (uint32_t)was->policy,
                                           .nice = was->nice,
                                           .priority = (uint32_t)was->priority };

    (void)syscall(SYS_sched_setattr, tid, &attributes, 0);
    (void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, tid, was->ioprio > 0 ? was->ioprio : 0);
}

/** Threads that were born idle get what the one had from whom they have it. */
static int restore_born(struct rv_standing *standing, pid_t tgid, pid_t tid)
{
    static const struct rv_standing_thread normal;
    struct sched_attributes now = { .size = sizeof(now) };
    uint64_t start;
    pid_t parent;
    char state;

    if (rv_process_stat(tgid, tid, &parent, &state, &start) == 0 &&
        start >= standing->since_ticks &&
        syscall(SYS_sched_getattr, tid, &now, sizeof(now), 0) == 0 && now.policy == SCHED_IDLE)
        restore_thread(standing->thread_count > 0 ? &standing->threads[0] : &normal, tid);
    return 0;
}

/** The threads that are remembered; their processes are added to `family`. */
static int restore_known(const struct rv_standing *standing, struct rv_processes *family)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < standing->thread_count; i++) {
        const struct rv_standing_thread *thread = &standing->threads[i];
        uint64_t start;
        pid_t parent;
        char state;

        if (rv_process_stat(thread->tgid, thread->tid, &parent, &state, &start) < 0 ||
            start != thread->start_ticks)
            continue;
        restore_thread(thread, thread->tid);
        if (!rv_processes_hold(family, (uint32_t)thread->tgid))
            r = rv_processes_add(family, (struct rv_process_key){ 0, (uint32_t)thread->tgid });
    }
    return r;
}

/** Without a list the agent died between deciding and doing: then every idle thread there. */
static int restore_threads(const struct rv_standing *standing)
{
    RV_AUTO(rv_processes_done) struct rv_processes family = { 0 };
    struct rv_standing view = *standing;
    size_t from = 0, until;
    int r = restore_known(standing, &family);

    if (!standing->complete)
        view.since_ticks = 0;
    if (r == 0 && standing->cgroup) {
        r = rv_processes_add_cgroup(&family, standing->cgroup);
    } else if (r == 0 && !standing->complete) {
        r = rv_process_signal(standing->process, 0);
        if (r == 0)
            r = rv_processes_add(&family, standing->process);
    }
    while (r == 0 && from < family.count) {
        until = family.count;
        for (; r == 0 && from < until; from++) {
            r = each_thread((pid_t)family.keys[from].tgid, restore_born, &view);
            if (r == -ESRCH)
                r = 0;
        }
        if (r == 0)
            r = rv_processes_add_children(&family);
    }
    return r;
}

int rv_unthrottle(const struct rv_standing *standing)
{
    int r;

    if (standing->method == RV_METHOD_V1_QUOTA)
        return rv_knob_write(standing->cgroup, "cpu.cfs_quota_us", standing->old[0]);
    if (standing->method != RV_METHOD_CPU_MAX)
        return restore_threads(standing);
    r = rv_knob_write(standing->cgroup, "cpu.max", standing->old[0]);
    return r == 0 && standing->old[1][0]
               ? rv_knob_write(standing->cgroup, "io.weight", standing->old[1])
               : r;
}
