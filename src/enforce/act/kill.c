/* SPDX-License-Identifier: Apache-2.0 */
#include "act/kill.h"

#include <signal.h>
#include <unistd.h>

#define ROUNDS_MAX 64
#define ROUND_US   2000 /* for the stopped to stop, and the killed to leave the list */

int rv_kill_process(struct rv_process_key process, struct rv_buf *how)
{
    rv_buf_add_str(how, "killed by pidfd");
    return rv_process_signal(process, SIGKILL);
}

/** Those from `from` on get the signal, but for the protected. @return how many got it. */
static size_t signal_from(const struct rv_processes *processes, size_t from, int number,
                          const struct rv_protected *set)
{
    size_t hit = 0;

    for (size_t i = from; i < processes->count; i++)
        hit += !rv_protected_why(set, (pid_t)processes->keys[i].tgid) &&
               rv_process_signal(processes->keys[i], number) == 0;
    return hit;
}

/** Is nobody on his way any more? Who was in the middle of a fork(2) finishes it before he stops.
 */
static bool all_still(const struct rv_processes *processes)
{
    for (size_t i = 0; i < processes->count; i++) {
        pid_t pid = (pid_t)processes->keys[i].tgid, parent;
        uint64_t ticks;
        char state;

        if (rv_process_stat(pid, pid, &parent, &state, &ticks) == 0 && !strchr("TtZX", state))
            return false;
    }
    return true;
}

int rv_kill_tree(struct rv_process_key root, const struct rv_protected *set, struct rv_buf *how)
{
    RV_AUTO(rv_processes_done) struct rv_processes tree = { 0 };
    size_t stopped = 0, hit;
    bool still = false;
    int r = rv_process_signal(root, 0);

    if (r == 0)
        r = rv_processes_add(&tree, root);
    for (int round = 0; r == 0 && !still && round < ROUNDS_MAX; round++) {
        bool were_still;

        if (stopped == tree.count)
            usleep(ROUND_US);
        (void)signal_from(&tree, stopped, SIGSTOP, set);
        stopped = tree.count;
        were_still = all_still(&tree);
        r = rv_processes_add_children(&tree);
        still = were_still && tree.count == stopped;
    }
    if (r < 0)
        return r;
    hit = signal_from(&tree, 0, SIGKILL, set);
    rv_buf_addf(how, "killed by pidfd: %zu processes%s", hit,
                tree.cut || tree.count > stopped ? ", and there are more" : "");
    return 0;
}

/** All that are found, stopped until nobody new is. @return 0 or -errno. */
static int stop_all(const char *cgroup, const struct rv_protected *set,
                    struct rv_processes *processes)
{
    size_t before;
    int r, round = 0;

    do {
        before = processes->count;
        r = rv_processes_add_cgroup(processes, cgroup);
        (void)signal_from(processes, before, SIGSTOP, set);
    } while (r == 0 && processes->count > before && ++round < ROUNDS_MAX);
    return r;
}

int rv_kill_cgroup(const char *cgroup, const struct rv_protected *set, struct rv_buf *how)
{
    size_t hit = 0;
    bool left = true;
    int r = rv_knob_write(cgroup, "cgroup.kill", "1");

    if (r == 0) {
        rv_buf_add_str(how, "killed by cgroup.kill");
        return 0;
    }
    rv_buf_addf(how, "no cgroup.kill (%s); ", rv_knob_why(r));
    r = 0;
    for (int round = 0; r == 0 && left && round < ROUNDS_MAX; round++) {
        RV_AUTO(rv_processes_done) struct rv_processes processes = { 0 };

        r = stop_all(cgroup, set, &processes);
        hit += signal_from(&processes, 0, SIGKILL, set);
        left = processes.count > 0;
        if (left)
            usleep(ROUND_US);
    }
    rv_buf_addf(how, "killed by pidfd, one by one: %zu signals%s", hit,
                left ? ", and somebody is left" : "");
    return r;
}
