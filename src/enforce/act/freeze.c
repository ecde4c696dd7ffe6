/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Freeze: the cgroup v2 freezer; in a version 1 freezer hierarchy its own; else SIGSTOP, process by
 * process until nobody new is found. A thread in uninterruptible sleep stops when it wakes: waiting
 * for it is bounded, and it is said.
 */
#include "act/hold_still.h"

#include "base/fd.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define ROUNDS_MAX     16
#define SETTLE_ROUNDS  20
#define SETTLE_WAIT_US 2000

int rv_freeze_prepare(struct rv_standing *standing, struct rv_buf *how)
{
    static const struct {
        enum rv_cgroup_version version;
        const char *file;
        enum rv_act_method method;
    } means[] = {
        { RV_CGROUP_V2, "cgroup.freeze", RV_METHOD_CGROUP_FREEZE },
        { RV_CGROUP_V1, "freezer.state", RV_METHOD_V1_FREEZER },
    };
    int r = -ENODEV;

    standing->method = RV_METHOD_SIGSTOP;
    if (!standing->cgroup)
        return 0;
    if (access(standing->cgroup, F_OK) < 0)
        return -errno;
    for (size_t i = 0; i < RV_COUNT(means); i++) {
        if (rv_cgroup_version(standing->cgroup) != means[i].version)
            continue;
        r = rv_knob_read(standing->cgroup, means[i].file, standing->old[0]);
        if (r == 0) /* writing back what is there shows whether writing works */
            r = rv_knob_write(standing->cgroup, means[i].file, standing->old[0]);
        if (r == 0) {
            standing->method = means[i].method;
            return 0;
        }
    }
    standing->old[0][0] = '\0';
    rv_buf_addf(how, "no freezer (%s); ", rv_knob_why(r));
    return 0;
}

/** Stop what is in the list and not yet stopped by us. A process that was stopped before is left
 * so by the undo too. */
static int stop_new(struct rv_standing *standing, const struct rv_protected *set,
                    const struct rv_processes *processes, size_t *at)
{
    for (; *at < processes->count; ++*at) {
        const struct rv_process_key key = processes->keys[*at];
        struct rv_standing_thread thread = { .tgid = (pid_t)key.tgid, .tid = (pid_t)key.tgid };
        pid_t parent;
        char state;
        int r;

        if (rv_protected_why(set, thread.tgid) ||
            rv_process_stat(thread.tgid, thread.tid, &parent, &state, &thread.start_ticks) < 0 ||
            state == 'T')
            continue;
        r = rv_process_signal(key, SIGSTOP);
        if (r == 0)
            r = rv_standing_add_thread(standing, &thread);
        if (r < 0 && r != -ESRCH)
            return r;
    }
    return 0;
}

static int stop_cgroup(struct rv_standing *standing, const struct rv_protected *set,
                       struct rv_buf *how)
{
    RV_AUTO(rv_processes_done) struct rv_processes processes = { 0 };
    size_t stopped = 0, before;
    int r, round = 0;

    do {
        before = processes.count;
        r = rv_processes_add_cgroup(&processes, standing->cgroup);
        if (r == 0)
            r = stop_new(standing, set, &processes, &stopped);
    } while (r == 0 && processes.count > before && ++round < ROUNDS_MAX);
    rv_buf_addf(how, "stopped by SIGSTOP: %zu processes", standing->thread_count);
    if (processes.cut || round == ROUNDS_MAX)
        rv_buf_add_str(how, ", and there are more");
    return r;
}

/** How many processes of the folder are not frozen: only those in uninterruptible sleep. */
static void say_settled(const struct rv_standing *standing, struct rv_buf *how)
{
    RV_AUTO(rv_processes_done) struct rv_processes processes = { 0 };
    size_t asleep = 0;

    rv_buf_add_str(how, standing->method == RV_METHOD_CGROUP_FREEZE ? "frozen by cgroup.freeze"
                                                                    : "frozen by freezer.state");
    for (int i = 0; i < SETTLE_ROUNDS; i++) {
        RV_AUTO(rv_freep) char *events = NULL, *path = NULL;
        char state[RV_KNOB_MAX] = "";
        size_t len;

        if (standing->method == RV_METHOD_V1_FREEZER) {
            if (rv_knob_read(standing->cgroup, "freezer.state", state) == 0 &&
                rv_streq(state, "FROZEN"))
                return;
        } else if (asprintf(&path, "%s/cgroup.events", standing->cgroup) < 0) {
            path = NULL;
        } else if (rv_read_file(AT_FDCWD, path, 4096, &events, &len) == 0 &&
                   strstr(events, "frozen 1")) {
            return;
        }
        usleep(SETTLE_WAIT_US);
    }
    if (rv_processes_add_cgroup(&processes, standing->cgroup) < 0)
        return;
    for (size_t i = 0; i < processes.count; i++) {
        pid_t pid = (pid_t)processes.keys[i].tgid, parent;
        uint64_t ticks;
        char state;

        asleep += rv_process_stat(pid, pid, &parent, &state, &ticks) == 0 && state == 'D';
    }
    rv_buf_addf(how, "; not all of it yet: %zu of %zu processes are in uninterruptible sleep",
                asleep, processes.count);
}

int rv_freeze(struct rv_standing *standing, const struct rv_protected *set, struct rv_buf *how)
{
    struct rv_processes one = { .keys = &standing->process, .count = 1 };
    size_t at = 0;
    int r;

    if (standing->method == RV_METHOD_SIGSTOP) {
        if (standing->cgroup)
            return stop_cgroup(standing, set, how);
        r = rv_process_signal(standing->process, 0);
        if (r == 0)
            r = stop_new(standing, set, &one, &at);
        rv_buf_add_str(how, "stopped by SIGSTOP");
        return r;
    }
    r = standing->method == RV_METHOD_CGROUP_FREEZE
            ? rv_knob_write(standing->cgroup, "cgroup.freeze", "1")
            : rv_knob_write(standing->cgroup, "freezer.state", "FROZEN");
    if (r == 0)
        say_settled(standing, how);
    return r;
}

/**
 * Continue whom we stopped. Without a list the agent died between deciding and doing: then
 * everybody who is stopped there.
 */
static int continue_stopped(const struct rv_standing *standing)
{
    RV_AUTO(rv_processes_done) struct rv_processes processes = { 0 };
    int r = 0, first = 0;

    for (size_t i = 0; r == 0 && i < standing->thread_count; i++)
        r = rv_processes_add(
            &processes, (struct rv_process_key){ rv_ticks_to_ns(standing->threads[i].start_ticks),
                                                 (uint32_t)standing->threads[i].tgid });
    if (!standing->complete)
        r = standing->cgroup ? rv_processes_add_cgroup(&processes, standing->cgroup)
                             : rv_processes_add(&processes, standing->process);
    for (size_t i = 0; r == 0 && i < processes.count; i++) {
        int one = rv_process_signal(processes.keys[i], SIGCONT);

        if (one < 0 && one != -ESRCH && first == 0)
            first = one;
    }
    return r < 0 ? r : first;
}

int rv_thaw(const struct rv_standing *standing)
{
    if (standing->method == RV_METHOD_CGROUP_FREEZE)
        return rv_knob_write(standing->cgroup, "cgroup.freeze", standing->old[0]);
    if (standing->method == RV_METHOD_V1_FREEZER) /* FREEZING is what it says on its way */
        return rv_knob_write(standing->cgroup, "freezer.state",
                             rv_streq(standing->old[0], "THAWED") ? "THAWED" : "FROZEN");
    return continue_stopped(standing);
}
