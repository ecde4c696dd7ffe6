/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Actions after the fact on what a host really has: cgroup v2, version 1, both, read-only; and
 * what goes wrong meanwhile: fork bombs, sleepers that cannot be woken, targets that end, pids that
 * come back, an agent that dies. Everything happens to processes and cgroups of the test's own.
 */
#include "test.h"

#include "base/cgroup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "enforce/act.h"
#include "enforce/cgate.h"

#include "act/cgroup.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/ioprio.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64], state_path[96];
static char v2[192];    /* a cgroup v2 folder of ours; empty: none can be made */
static bool v2_has_cpu; /* and cpu.max in it */
static char v1_cpu[192], v1_freezer[192], v1_pids[192]; /* likewise, of version 1 */

/* ---- Helpers ---- */

static struct rv_actor *new_actor(const char *path)
{
    struct rv_act_options options = { .budget_per_hour = 1000,
                                      .clock = rv_clock_system(),
                                      .state_path = path };
    struct rv_actor *actor = NULL;

    rv_assert_ok(rv_actor_new(&actor, &options));
    return actor;
}

/** Act, and say how when it was not done. @return the number. */
static uint32_t act(struct rv_actor *actor, enum rv_action action, pid_t pid, const char *cgroup)
{
    struct rv_act_request request = { .action = action, .cgroup = cgroup };
    enum rv_act_outcome outcome = RV_ACT_REFUSED;
    uint32_t number = 0;
    int r;

    if (pid)
        rv_assert_ok(rv_process_key_of(pid, &request.process));
    r = rv_act(actor, &request, &outcome, &number);
    if (r < 0 || outcome != RV_ACT_DONE)
        fail_msg("%d: %s, outcome %d: %s", action, strerror(-r), outcome, rv_act_how(actor));
    return number;
}

static void assert_how(const struct rv_actor *actor, const char *part)
{
    if (!strstr(rv_act_how(actor), part))
        fail_msg("\"%s\" is not in \"%s\"", part, rv_act_how(actor));
}

static void put(const char *cgroup, const char *file, const char *value)
{
    int r = rv_knob_write(cgroup, file, value);

    if (r < 0)
        fail_msg("%s/%s: %s", cgroup, file, strerror(-r));
}

static void assert_knob(const char *cgroup, const char *file, const char *value)
{
    char now[RV_KNOB_MAX];

    rv_assert_ok(rv_knob_read(cgroup, file, now));
    assert_string_equal(now, value);
}

/** A child, in a cgroup if one is named, that says that it is there and then waits for signals. */
static pid_t sleeper(const char *cgroup)
{
    int ready[2];
    char byte;
    pid_t pid;

    assert_int_equal(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        if (cgroup && rv_knob_write(cgroup, "cgroup.procs", "0") < 0)
            _exit(99);
        (void)!write(ready[1], "x", 1);
        close(ready[1]);
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static void reap(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static char state_of(pid_t pid)
{
    RV_AUTO(rv_freep) char *text = NULL;
    char path[32];
    size_t len;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    if (rv_read_file(AT_FDCWD, path, 4096, &text, &len) < 0)
        return '-';
    return strrchr(text, ')')[2];
}

/** Wait until a process is in a state: signals are carried out when it is scheduled. */
static void assert_state(pid_t pid, char state)
{
    for (int i = 0; i < 2000 && state_of(pid) != state; i++)
        usleep(5000);
    assert_int_equal(state_of(pid), state);
}

static void assert_not_state(pid_t pid, char state)
{
    for (int i = 0; i < 2000 && state_of(pid) == state; i++)
        usleep(5000);
    assert_int_not_equal(state_of(pid), state);
}

static size_t count_in(const char *cgroup)
{
    RV_AUTO(rv_freep) char *text = NULL;
    char path[256];
    size_t len = 0, n = 0;

    (void)snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
    rv_assert_ok(rv_read_file(AT_FDCWD, path, 1 << 20, &text, &len));
    for (size_t i = 0; i < len; i++)
        n += text[i] == '\n';
    return n;
}

/* ---- Throttle ---- */

static int policy_of(pid_t pid)
{
    return sched_getscheduler(pid);
}

static int io_class_of(pid_t pid)
{
    return (int)syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, pid) >> IOPRIO_CLASS_SHIFT;
}

static void *wait_forever(void *thread)
{
    *(volatile pid_t *)thread = (pid_t)syscall(SYS_gettid);
    for (;;)
        pause();
    return NULL;
}

/** With a second thread that is SCHED_RR, and a child whenever it gets SIGUSR1. */
static volatile pid_t *shared; /* thread, child */

static void fork_once(int number)
{
    pid_t pid = fork();

    (void)number;
    if (pid == 0)
        for (;;)
            pause();
    shared[1] = pid;
}

static pid_t threaded(void)
{
    pid_t pid;

    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(shared, MAP_FAILED);
    pid = fork();
    if (pid == 0) {
        const struct sched_param real_time = { .sched_priority = 7 };
        pthread_t thread;

        (void)signal(SIGUSR1, fork_once);
        if (setpriority(PRIO_PROCESS, 0, 5) < 0 ||
            pthread_create(&thread, NULL, wait_forever, (void *)(uintptr_t)&shared[0]) != 0)
            _exit(1);
        while (!shared[0])
            usleep(1000);
        if (sched_setscheduler(shared[0], SCHED_RR, &real_time) < 0)
            shared[2] = 1; /* not allowed here: stays as it is */
        shared[3] = 1;
        for (;;)
            pause();
    }
    while (!shared[3])
        usleep(1000);
    return pid;
}

static void a_throttled_process_and_its_children_get_back_what_they_had(void **state)
{
    struct rv_actor *actor = new_actor(NULL);
    pid_t pid = threaded(), thread = shared[0], child;
    const int before = policy_of(thread);
    uint32_t number = act(actor, RV_ACT_THROTTLE, pid, NULL);

    assert_how(actor, "SCHED_IDLE and idle I/O: 2 threads");
    assert_int_equal(policy_of(pid), SCHED_IDLE);
    assert_int_equal(policy_of(thread), SCHED_IDLE);
    assert_int_equal(io_class_of(pid), IOPRIO_CLASS_IDLE);
    assert_int_equal(kill(pid, SIGUSR1), 0);
    while (!shared[1])
        usleep(1000);
    child = shared[1];
    assert_int_equal(policy_of(child), SCHED_IDLE); /* inherited */
    rv_assert_ok(rv_act_undo(actor, number));
    assert_int_equal(policy_of(pid), SCHED_OTHER);
    assert_int_equal(getpriority(PRIO_PROCESS, (id_t)pid), 5);
    assert_int_equal(policy_of(thread), before);
    assert_int_equal(policy_of(child), SCHED_OTHER);
    assert_int_not_equal(io_class_of(pid), IOPRIO_CLASS_IDLE);
    (void)kill(child, SIGKILL);
    reap(pid);
    rv_actor_free(&actor);
}

static void a_workload_is_throttled_by_its_quota(void **state)
{
    struct rv_actor *actor = new_actor(NULL);
    uint32_t number;

    if (v2_has_cpu) {
        put(v2, "cpu.max", "70000 100000");
        number = act(actor, RV_ACT_THROTTLE, 0, v2);
        assert_how(actor, "cpu.max");
        assert_knob(v2, "cpu.max", "10000 100000");
        rv_assert_ok(rv_act_undo(actor, number));
        assert_knob(v2, "cpu.max", "70000 100000");
        put(v2, "cpu.max", "max 100000");
    }
    if (v1_cpu[0]) {
        put(v1_cpu, "cpu.cfs_period_us", "50000");
        number = act(actor, RV_ACT_THROTTLE, 0, v1_cpu);
        assert_how(actor, "cpu.cfs_quota_us");
        assert_knob(v1_cpu, "cpu.cfs_quota_us", "5000");
        rv_assert_ok(rv_act_undo(actor, number));
        assert_knob(v1_cpu, "cpu.cfs_quota_us", "-1");
    }
    rv_actor_free(&actor);
    if (!v2_has_cpu && !v1_cpu[0])
        rv_skip_because("no cpu controller in either version");
}

static void a_workload_without_a_quota_is_made_idle(void **state)
{
    struct rv_actor *actor = new_actor(NULL);
    const char *cgroup = v1_freezer[0] ? v1_freezer : v2;
    pid_t pid;
    uint32_t number;

    if (!cgroup[0] || (cgroup == v2 && v2_has_cpu)) {
        rv_actor_free(&actor);
        rv_skip_because("every cgroup folder here has a quota");
    }
    pid = sleeper(cgroup);
    number = act(actor, RV_ACT_THROTTLE, 0, cgroup);
    assert_how(actor, "no quota (the folder has no such controller)");
    assert_int_equal(policy_of(pid), SCHED_IDLE);
    rv_assert_ok(rv_act_undo(actor, number));
    assert_int_equal(policy_of(pid), SCHED_OTHER);
    reap(pid);
    rv_actor_free(&actor);
}

/* ---- Freeze ---- */

static void freeze_and_undo(const char *cgroup, const char *how, const char *file,
                            const char *frozen, const char *thawed)
{
    struct rv_actor *actor = new_actor(NULL);
    pid_t pid = sleeper(cgroup);
    uint32_t number = act(actor, RV_ACT_FREEZE, 0, cgroup);

    assert_how(actor, how);
    if (file)
        assert_knob(cgroup, file, frozen);
    else
        assert_state(pid, 'T');
    rv_assert_ok(rv_act_undo(actor, number));
    if (file)
        assert_knob(cgroup, file, thawed);
    else
        assert_not_state(pid, 'T');
    reap(pid);
    rv_actor_free(&actor);
}

static void a_workload_is_frozen_by_what_its_hierarchy_has(void **state)
{
    if (v2[0])
        freeze_and_undo(v2, "frozen by cgroup.freeze", "cgroup.freeze", "1", "0");
    if (v1_freezer[0])
        freeze_and_undo(v1_freezer, "frozen by freezer.state", "freezer.state", "FROZEN", "THAWED");
    if (v1_cpu[0])
        freeze_and_undo(v1_cpu,
                        "no freezer (the folder has no such controller); stopped by SIGSTOP", NULL,
                        NULL, NULL);
    if (!v2[0] && !v1_freezer[0])
        rv_skip_because("no cgroup folder can be made here");
}

static void who_was_still_before_stays_so(void **state)
{
    struct rv_actor *actor = new_actor(NULL);
    pid_t pid = sleeper(NULL);
    uint32_t number;

    assert_int_equal(kill(pid, SIGSTOP), 0);
    assert_state(pid, 'T');
    number = act(actor, RV_ACT_FREEZE, pid, NULL);
    rv_assert_ok(rv_act_undo(actor, number));
    usleep(20000);
    assert_int_equal(state_of(pid), 'T');
    reap(pid);
    if (v2[0]) {
        put(v2, "cgroup.freeze", "1");
        number = act(actor, RV_ACT_FREEZE, 0, v2);
        rv_assert_ok(rv_act_undo(actor, number));
        assert_knob(v2, "cgroup.freeze", "1");
        put(v2, "cgroup.freeze", "0");
    }
    rv_actor_free(&actor);
}

/** In a mount namespace where the folder is read-only; the verdicts come back as exit status. */
static void cgroups_that_are_read_only_are_done_without(void **state)
{
    const char *cgroup = v2[0] ? v2 : v1_freezer;
    pid_t pid, target;
    int status;

    if (!cgroup[0])
        rv_skip_because("no cgroup folder can be made here");
    target = sleeper(cgroup);
    pid = fork();
    if (pid == 0) {
        struct rv_actor *actor;
        uint32_t frozen, throttled;

        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount(cgroup, cgroup, NULL, MS_BIND, NULL) < 0 ||
            mount(NULL, cgroup, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) < 0)
            _exit(77);
        actor = new_actor(NULL);
        frozen = act(actor, RV_ACT_FREEZE, 0, cgroup);
        assert_how(actor, "no freezer (cgroups are mounted read-only); stopped by SIGSTOP: 1");
        assert_state(target, 'T');
        rv_assert_ok(rv_act_undo(actor, frozen));
        assert_not_state(target, 'T');
        throttled = act(actor, RV_ACT_THROTTLE, 0, cgroup);
        assert_how(actor, v2_has_cpu ? "no quota (cgroups are mounted read-only)" : "SCHED_IDLE");
        assert_int_equal(policy_of(target), SCHED_IDLE);
        rv_assert_ok(rv_act_undo(actor, throttled));
        assert_int_equal(policy_of(target), SCHED_OTHER);
        (void)act(actor, RV_ACT_KILL_TREE, 0, cgroup);
        assert_how(actor, "killed by pidfd, one by one");
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        rv_skip_because("no mount namespace can be made here");
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(waitpid(target, &status, 0), target);
    assert_true(WIFSIGNALED(status));
}

/** A thread that waits in the kernel for a page that nobody brings: not to be woken but by death.
 */
static pid_t deep_sleeper(const char *cgroup)
{
    struct uffdio_api api = { .api = UFFD_API };
    pid_t pid;
    int ready[2];
    char byte = 'n';

    assert_int_equal(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
        char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        struct uffdio_register range = { .range = { (uintptr_t)page, 4096 },
                                         .mode = UFFDIO_REGISTER_MODE_MISSING };

        if (rv_knob_write(cgroup, "cgroup.procs", "0") < 0 || fd < 0 ||
            ioctl(fd, UFFDIO_API, &api) < 0 || ioctl(fd, UFFDIO_REGISTER, &range) < 0)
            _exit(1);
        (void)!write(ready[1], "y", 1);
        (void)!process_vm_readv(getpid(), &(struct iovec){ &byte, 1 }, 1,
                                &(struct iovec){ page, 1 }, 1, 0);
        _exit(0);
    }
    close(ready[1]);
    (void)!read(ready[0], &byte, 1);
    close(ready[0]);
    if (byte == 'y')
        for (int i = 0; i < 400 && state_of(pid) != 'D'; i++)
            usleep(5000);
    if (byte != 'y' || state_of(pid) != 'D') {
        reap(pid);
        return 0;
    }
    return pid;
}

static void a_sleeper_that_cannot_be_woken_does_not_hold_us_up(void **state)
{
    struct rv_actor *actor;
    pid_t deep, other;
    uint32_t number;

    if (!v2[0])
        rv_skip_because("no cgroup v2 folder can be made here");
    deep = deep_sleeper(v2);
    if (!deep)
        rv_skip_because("no userfaultfd here: nothing sleeps so deep");
    other = sleeper(v2);
    actor = new_actor(NULL);
    number = act(actor, RV_ACT_FREEZE, 0, v2);
    assert_how(actor, "not all of it yet: 1 of 2 processes are in uninterruptible sleep");
    rv_assert_ok(rv_act_undo(actor, number));
    assert_knob(v2, "cgroup.freeze", "0");
    (void)act(actor, RV_ACT_KILL_TREE, 0, v2);
    assert_int_equal(waitpid(deep, NULL, 0), deep);
    assert_int_equal(waitpid(other, NULL, 0), other);
    rv_actor_free(&actor);
}

/* ---- Isolate ---- */

struct wire {
    int listener, client, server;
};

/** A connection whose client end was made in the cgroup. */
static void connect_in(const char *cgroup, struct wire *wire)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(at);
    RV_AUTO(rv_freep) char *text = NULL;
    size_t text_len;

    wire->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(wire->listener, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(wire->listener, 1), 0);
    assert_int_equal(getsockname(wire->listener, (struct sockaddr *)&at, &len), 0);
    rv_assert_ok(rv_read_file(AT_FDCWD, "/proc/self/cgroup", 65536, &text, &text_len));
    put(cgroup, "cgroup.procs", "0");
    wire->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    {
        char root[128], own[256];
        const char *line = strstr(text, "0::");

        rv_assert_ok(rv_cgroup_root(root, sizeof(root)));
        (void)snprintf(own, sizeof(own), "%s%.*s", root, (int)strcspn(line + 3, "\n"), line + 3);
        put(own, "cgroup.procs", "0");
    }
    assert_int_equal(connect(wire->client, (struct sockaddr *)&at, sizeof(at)), 0);
    wire->server = accept(wire->listener, NULL, NULL);
    assert_true(wire->server >= 0);
}

static void isolation_stops_what_is_connected_too(void **state)
{
    struct rv_actor *actor;
    struct wire wire;
    char byte;
    uint32_t number;

    if (!v2[0])
        rv_skip_because("no cgroup v2 folder can be made here");
    actor = new_actor(NULL);
    connect_in(v2, &wire);
    assert_int_equal(send(wire.client, "1", 1, 0), 1);
    assert_int_equal(recv(wire.server, &byte, 1, 0), 1);
    number = act(actor, RV_ACT_ISOLATE, 0, v2);
    assert_how(actor, "ends with the agent");
    (void)send(wire.client, "2", 1, MSG_NOSIGNAL);
    /* Loopback delivers before send() returns: what is not there now was stopped. */
    assert_int_equal(recv(wire.server, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(send(wire.server, "3", 1, MSG_NOSIGNAL), 1);
    assert_int_equal(recv(wire.client, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    rv_assert_ok(rv_act_undo(actor, number));
    assert_int_equal(recv(wire.client, &byte, 1, 0), 1); /* sent again by TCP itself */
    assert_int_equal(byte, '3');
    close(wire.client);
    close(wire.server);
    close(wire.listener);
    rv_actor_free(&actor);
}

static void version_one_cannot_isolate_and_says_so(void **state)
{
    struct rv_actor *actor;
    struct rv_act_request request = { .action = RV_ACT_ISOLATE, .cgroup = v1_freezer };
    enum rv_act_outcome outcome;
    uint32_t number;

    if (!v1_freezer[0])
        rv_skip_because("no cgroup v1 hierarchy here");
    actor = new_actor(NULL);
    assert_int_equal(rv_act(actor, &request, &outcome, &number), -EOPNOTSUPP);
    assert_how(actor, "this is no folder of cgroup v2");
    assert_int_equal(rv_actor_standing(actor), 0);
    rv_actor_free(&actor);
}

/* ---- Kill ---- */

static void a_workload_is_killed_whole(void **state)
{
    struct rv_actor *actor;
    pid_t pids[3];

    if (!v2[0])
        rv_skip_because("no cgroup v2 folder can be made here");
    actor = new_actor(NULL);
    for (size_t i = 0; i < RV_COUNT(pids); i++)
        pids[i] = sleeper(v2);
    (void)act(actor, RV_ACT_KILL_TREE, 0, v2);
    assert_how(actor, "killed by cgroup.kill");
    for (size_t i = 0; i < RV_COUNT(pids); i++)
        assert_int_equal(waitpid(pids[i], NULL, 0), pids[i]);
    rv_actor_free(&actor);
}

/** Everybody forks as fast as he can; the cgroup holds 100 at a time. Says when it is full. */
static pid_t bomb(const char *cgroup)
{
    int full[2];
    char byte;
    pid_t pid;

    assert_int_equal(pipe(full), 0);
    pid = fork();
    if (pid == 0) {
        bool told = false;

        if (rv_knob_write(cgroup, "cgroup.procs", "0") < 0)
            _exit(99);
        (void)signal(SIGPIPE, SIG_IGN);
        for (;;) {
            if (fork() >= 0)
                continue;
            if (!told)
                (void)!write(full[1], "f", 1);
            told = true;
            usleep(100);
        }
    }
    assert_int_equal(read(full[0], &byte, 1), 1);
    close(full[0]);
    close(full[1]);
    return pid;
}

static void a_fork_bomb_is_killed_to_the_last(void **state)
{
    const char *cgroup = v1_pids[0] ? v1_pids : v2;
    char max[RV_KNOB_MAX];
    struct rv_actor *actor;
    pid_t pid;

    if (!cgroup[0] || rv_knob_read(cgroup, "pids.max", max) < 0)
        rv_skip_because("no pids controller: a bomb would hit the whole host");
    put(cgroup, "pids.max", "100");
    actor = new_actor(NULL);
    pid = bomb(cgroup);
    assert_int_equal(count_in(cgroup), 100);
    (void)act(actor, RV_ACT_KILL_TREE, pid, NULL);
    print_message("# fork bomb: %s\n", rv_act_how(actor));
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    for (int i = 0; i < 2000 && count_in(cgroup) > 0; i++)
        usleep(5000);
    assert_int_equal(count_in(cgroup), 0);
    put(cgroup, "pids.max", "max");
    rv_actor_free(&actor);
}

static void targets_that_end_meanwhile_are_gone_and_nobody_else_is_hit(void **state)
{
    static const enum rv_action actions[] = { RV_ACT_KILL, RV_ACT_FREEZE, RV_ACT_THROTTLE,
                                              RV_ACT_KILL_TREE };
    struct rv_actor *actor = new_actor(NULL);
    pid_t witness = sleeper(NULL);
    size_t gone = 0, done = 0;

    for (size_t i = 0; i < 200; i++) {
        struct rv_act_request request = { .action = actions[i % RV_COUNT(actions)] };
        enum rv_act_outcome outcome;
        uint32_t number;
        pid_t pid = fork();

        if (pid == 0) {
            usleep((useconds_t)(i % 7) * 50);
            _exit(0);
        }
        rv_assert_ok(rv_process_key_of(pid, &request.process));
        if (i % 3 == 0)
            assert_int_equal(waitpid(pid, NULL, 0), pid);
        rv_assert_ok(rv_act(actor, &request, &outcome, &number));
        gone += outcome == RV_ACT_GONE;
        done += outcome == RV_ACT_DONE;
        if (outcome == RV_ACT_DONE && (request.action == RV_ACT_FREEZE))
            rv_assert_ok(rv_act_undo(actor, number));
        if (i % 3 != 0)
            assert_int_equal(waitpid(pid, NULL, 0), pid);
    }
    assert_int_equal(gone + done, 200);
    assert_true(gone >= 66);
    assert_int_not_equal(state_of(witness), 'T');
    assert_true(rv_act_undo_all(actor) >= 0);
    reap(witness);
    rv_actor_free(&actor);
}

/* The same number, given out again, in a pid namespace where that can be arranged. */
static void a_pid_that_came_back_is_another_process(void **state)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        if (unshare(CLONE_NEWPID | CLONE_NEWNS) < 0)
            _exit(77);
        pid = fork();
        if (pid == 0) {
            struct rv_act_request request = { .action = RV_ACT_KILL };
            enum rv_act_outcome outcome = RV_ACT_DONE;
            struct rv_actor *actor;
            uint32_t number;
            char text[16];
            pid_t first, again;

            if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
                mount("proc", "/proc", "proc", 0, NULL) < 0)
                _exit(77);
            /* We are process 1 and so protected; so is who we are. Act from a child. */
            first = sleeper(NULL);
            rv_assert_ok(rv_process_key_of(first, &request.process));
            reap(first);
            usleep(30000); /* a start time has ticks of 10 ms */
            (void)snprintf(text, sizeof(text), "%d", first - 1);
            if (rv_knob_write("/proc/sys/kernel", "ns_last_pid", text) < 0)
                _exit(77);
            again = sleeper(NULL);
            if (again != first)
                _exit(76);
            actor = new_actor(NULL);
            rv_assert_ok(rv_act(actor, &request, &outcome, &number));
            if (outcome != RV_ACT_GONE || kill(again, 0) < 0)
                _exit(1);
            _exit(0);
        }
        (void)waitpid(pid, &status, 0);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 75);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        rv_skip_because("no pid namespace can be made here");
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- The protected ---- */

static const struct {
    const char *path, *user;
} protected[] = {
    { "/usr/sbin/sshd", "root" },
    { "/usr/bin/containerd", "root" },
    { "/usr/bin/containerd-shim-runc-v2", "root" },
    { "/usr/bin/dockerd", "root" },
    { "/usr/sbin/dockerd", "root" },
    { "/usr/bin/runc", "root" },
    { "/usr/sbin/runc", "root" },
    { "/usr/bin/crun", "root" },
    { "/usr/bin/podman", "root" },
    { "/usr/bin/conmon", "root" },
    { "/usr/bin/login", "root" },
    { "/usr/bin/dbus-daemon", "messagebus" },
    { "/usr/lib/systemd/systemd", "root" },
    { "/usr/lib/systemd/systemd-logind", "root" },
    { "/usr/lib/openssh/sshd-session", "root" },
};

static void copy_self(const char *to)
{
    RV_AUTO(rv_closep) int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    RV_AUTO(rv_closep) int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    char room[65536];
    ssize_t n;

    while ((n = read(in, room, sizeof(room))) > 0)
        rv_assert_ok(rv_write_all(out, room, (size_t)n));
    assert_int_equal(n, 0);
}

/** The program at `path`, which is ours, waiting as a user. */
static pid_t running(const char *path, uid_t uid)
{
    int ready[2];
    char byte, number[16];
    pid_t pid;

    assert_int_equal(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        (void)snprintf(number, sizeof(number), "%d", ready[1]);
        if (setresuid(uid, uid, uid) < 0)
            _exit(98);
        execl(path, path, "--wait", number, (char *)NULL);
        _exit(97);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static enum rv_act_outcome try_kill(struct rv_actor *actor, pid_t pid)
{
    struct rv_act_request request = { .action = RV_ACT_KILL };
    enum rv_act_outcome outcome = RV_ACT_DRY;
    uint32_t number;

    rv_assert_ok(rv_process_key_of(pid, &request.process));
    rv_assert_ok(rv_act(actor, &request, &outcome, &number));
    return outcome;
}

/** In a mount namespace of our own, so that ours stand where the real ones would. */
static void check_protected(const char *path, uid_t uid, uid_t other)
{
    struct rv_actor *actor;
    pid_t pid;

    copy_self(path);
    actor = new_actor(NULL);
    pid = running(path, uid);
    if (try_kill(actor, pid) != RV_ACT_REFUSED)
        fail_msg("%s was hit", path);
    assert_how(actor, "refused: it runs a protected program");
    rv_actor_free(&actor);
    /* A package replaces it, and an agent begins that knows the new file alone. */
    assert_int_equal(unlink(path), 0);
    copy_self(path);
    actor = new_actor(NULL);
    if (try_kill(actor, pid) != RV_ACT_REFUSED)
        fail_msg("%s was hit when its file had been replaced", path);
    reap(pid);
    pid = running(path, other); /* somebody else's copy of it is nobody's session */
    if (try_kill(actor, pid) != RV_ACT_DONE)
        fail_msg("%s of another user was spared", path);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    rv_actor_free(&actor);
}

static int check_all_protected(void)
{
    static const char *const folders[] = { "/usr/sbin", "/usr/bin", "/usr/lib/systemd",
                                           "/usr/lib/openssh" };
    static const char *const above[] = { "/usr", "/usr/lib" };
    size_t checked = 0;

    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return 77;
    for (size_t i = 0; getenv("REEVE_VM") && i < RV_COUNT(above); i++)
        (void)mkdir(above[i], 0755);
    for (size_t i = 0; i < RV_COUNT(folders); i++) {
        if (getenv("REEVE_VM")) /* the test's own machine, which has next to nothing */
            (void)mkdir(folders[i], 0755);
        (void)mount("tmpfs", folders[i], "tmpfs", 0, "mode=0755");
    }
    for (size_t i = 0; i < RV_COUNT(protected); i++) {
        char parent[64];
        struct stat st;

        (void)snprintf(parent, sizeof(parent), "%.*s",
                       (int)(strrchr(protected[i].path, '/') - protected[i].path),
                       protected[i].path);
        if (stat(parent, &st) < 0)
            continue;
        if (rv_streq(protected[i].user, "root")) {
            check_protected(protected[i].path, 0, 65534);
        } else {
            RV_AUTO(rv_freep) char *users = NULL;
            const char *line;
            size_t len;

            rv_assert_ok(rv_read_file(AT_FDCWD, "/etc/passwd", 1 << 20, &users, &len));
            line = strstr(users, "\nmessagebus:x:");
            if (!line)
                continue;
            check_protected(protected[i].path, (uid_t)strtoul(line + 14, NULL, 10), 65534);
        }
        checked++;
    }
    print_message("# %zu protected programs were refused, each also when replaced\n", checked);
    return checked < 10;
}

static void each_protected_program_is_refused(void **state)
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(check_all_protected());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        rv_skip_because("no mount namespace can be made here");
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void process_one_our_ancestors_and_the_judge_are_refused(void **state)
{
    struct rv_actor *actor = new_actor(NULL);
    pid_t judge = sleeper(NULL), grandchild;
    struct rv_process_key key;
    int status;

    assert_int_equal(try_kill(actor, 1), RV_ACT_REFUSED);
    assert_how(actor, "it is process 1");
    assert_int_equal(try_kill(actor, getpid()), RV_ACT_REFUSED);
    assert_how(actor, "it is the agent");
    grandchild = fork();
    if (grandchild == 0) {
        struct rv_actor *young = new_actor(NULL);

        _exit(try_kill(young, getppid()) != RV_ACT_REFUSED ||
              !strstr(rv_act_how(young), "the session that started it"));
    }
    assert_int_equal(waitpid(grandchild, &status, 0), grandchild);
    assert_int_equal(status, 0);
    rv_assert_ok(rv_process_key_of(judge, &key));
    rv_assert_ok(rv_actor_protect_process(actor, key));
    assert_int_equal(try_kill(actor, judge), RV_ACT_REFUSED);
    assert_how(actor, "it belongs to the agent");
    reap(judge);
    if (v2[0]) {
        struct rv_act_request request = { .action = RV_ACT_FREEZE };
        enum rv_act_outcome outcome;
        uint32_t number;
        char root[128];

        rv_assert_ok(rv_cgroup_root(root, sizeof(root)));
        request.cgroup = root;
        rv_assert_ok(rv_act(actor, &request, &outcome, &number));
        assert_int_equal(outcome, RV_ACT_REFUSED); /* it holds process 1, and us */
    }
    rv_actor_free(&actor);
}

/* ---- The agent dies ---- */

static void what_stands_is_undone_by_the_next_agent(void **state)
{
    pid_t frozen = sleeper(NULL), slow = sleeper(NULL), agent;
    struct rv_actor *actor;
    int ready[2];
    char byte;

    assert_int_equal(pipe(ready), 0);
    agent = fork();
    if (agent == 0) {
        actor = new_actor(state_path);
        (void)act(actor, RV_ACT_FREEZE, frozen, NULL);
        (void)act(actor, RV_ACT_THROTTLE, slow, NULL);
        if (v2[0]) {
            (void)act(actor, RV_ACT_FREEZE, 0, v2);
            (void)act(actor, RV_ACT_ISOLATE, 0, v2);
        }
        (void)!write(ready[1], "x", 1);
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    reap(agent);
    assert_state(frozen, 'T');
    assert_int_equal(policy_of(slow), SCHED_IDLE);
    actor = new_actor(state_path);
    assert_int_equal(rv_actor_standing(actor), v2[0] ? 3 : 2);
    assert_int_equal(rv_actor_ended(actor), v2[0] ? 1 : 0);
    assert_int_equal(rv_act_undo(actor, 4), -ENOENT);
    assert_int_equal(rv_act_undo_all(actor), v2[0] ? 3 : 2);
    assert_not_state(frozen, 'T');
    assert_int_equal(policy_of(slow), SCHED_OTHER);
    if (v2[0])
        assert_knob(v2, "cgroup.freeze", "0");
    assert_true(act(actor, RV_ACT_FREEZE, frozen, NULL) > 2); /* numbers are not given out again */
    assert_int_equal(rv_act_undo_all(actor), 1);
    rv_actor_free(&actor);
    actor = new_actor(state_path);
    assert_int_equal(rv_actor_standing(actor), 0);
    rv_actor_free(&actor);
    reap(frozen);
    reap(slow);
    (void)unlink(state_path);
}

static void write_state(const char *text, mode_t mode)
{
    RV_AUTO(rv_closep) int fd = open(state_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    rv_assert_ok(rv_write_all(fd, text, strlen(text)));
    assert_int_equal(fchmod(fd, mode), 0);
}

static void a_state_file_that_cannot_be_believed_is_set_aside(void **state)
{
    static const struct {
        const char *text;
        mode_t mode;
    } files[] = {
        { "", 0600 },
        { "{", 0600 },
        { "{\"boot\":\"x\",\"last\":1,\"standing\":{}}", 0600 },
        { "{\"boot\":\"x\",\"last\":1,\"standing\":[]}", 0622 },
    };
    char aside[128];
    struct rv_actor *actor;

    (void)snprintf(aside, sizeof(aside), "%s.bad", state_path);
    for (size_t i = 0; i < RV_COUNT(files); i++) {
        write_state(files[i].text, files[i].mode);
        actor = new_actor(state_path);
        assert_int_equal(rv_actor_standing(actor), 0);
        assert_how(actor, "could not be read");
        assert_int_equal(unlink(aside), 0);
        rv_actor_free(&actor);
    }
    write_state("{\"boot\":\"another\",\"last\":7,\"standing\":[]}", 0600);
    actor = new_actor(state_path); /* what stood before a boot stands no more */
    assert_string_equal(rv_act_how(actor), "");
    rv_actor_free(&actor);
    (void)unlink(state_path);
}

static void what_cannot_be_written_down_is_not_begun(void **state)
{
    struct rv_actor *actor = new_actor("/proc/reeve/standing");
    pid_t pid = sleeper(NULL);
    struct rv_act_request request = { .action = RV_ACT_FREEZE };
    enum rv_act_outcome outcome;
    uint32_t number;

    rv_assert_ok(rv_process_key_of(pid, &request.process));
    assert_int_equal(rv_act(actor, &request, &outcome, &number), -ENOENT);
    assert_how(actor, "it could not be written down for undo");
    assert_int_not_equal(state_of(pid), 'T');
    assert_int_equal(rv_actor_standing(actor), 0);
    (void)act(actor, RV_ACT_KILL, pid, NULL); /* which nobody undoes */
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    rv_actor_free(&actor);
}

/* ---- Snapshot ---- */

static const json_t *socket_where(const json_t *sockets, const char *protocol, const char *key,
                                  const char *value)
{
    const json_t *one;
    size_t i;

    json_array_foreach(sockets, i, one)
    {
        const char *has = json_string_value(json_object_get(one, key));

        if (rv_streq(json_string_value(json_object_get(one, "protocol")), protocol) && has &&
            rv_streq(has, value))
            return one;
    }
    return NULL;
}

static void a_snapshot_holds_sockets_with_addresses_and_states(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
    RV_AUTO(rv_json_freep) json_t *snapshot = NULL;
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "\0reeve act \"quoted\"" };
    socklen_t len = sizeof(at);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int local = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const json_t *sockets;
    struct rv_process_key key;
    char text[32];

    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(bind(udp, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(bind(local, (struct sockaddr *)&name, sizeof(sa_family_t) + 19), 0);
    assert_int_equal(listen(local, 1), 0);
    rv_assert_ok(rv_process_key_of(getpid(), &key));
    rv_assert_ok(rv_act_snapshot(key, &buf));
    rv_assert_ok(rv_json_parse(rv_buf_span(&buf), &snapshot, NULL));
    sockets = json_object_get(snapshot, "sockets");
    (void)snprintf(text, sizeof(text), "127.0.0.1:%u", ntohs(at.sin_port));
    assert_non_null(socket_where(sockets, "tcp", "state", "listen"));
    assert_non_null(socket_where(sockets, "tcp", "state", "established"));
    assert_non_null(socket_where(sockets, "tcp", "remote", text));
    assert_non_null(socket_where(sockets, "udp", "local", text));
    assert_non_null(socket_where(sockets, "unix", "local", "@reeve act \"quoted\""));
    close(listener);
    close(client);
    close(udp);
    close(local);
}

/* ---- The scene ---- */

static bool make_folder(char path[192], const char *parent, enum rv_cgroup_version version)
{
    (void)snprintf(path, 192, "%s/reeve-act-%d", parent, getpid());
    if (rv_cgroup_version(parent) != version || mkdir(path, 0755) < 0) {
        path[0] = '\0';
        return false;
    }
    return true;
}

static int set_up(void **state)
{
    char root[128], value[RV_KNOB_MAX];

    (void)snprintf(folder, sizeof(folder), "/tmp/reeve-act-%d", getpid());
    (void)snprintf(state_path, sizeof(state_path), "%s/standing", folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    if (rv_cgroup_root(root, sizeof(root)) == 0) {
        if (getenv("REEVE_VM")) /* there the whole machine is the test's own */
            put(root, "cgroup.subtree_control", "+cpu +io +pids");
        if (make_folder(v2, root, RV_CGROUP_V2))
            v2_has_cpu = rv_knob_read(v2, "cpu.max", value) == 0;
    }
    (void)make_folder(v1_cpu, "/sys/fs/cgroup/cpu", RV_CGROUP_V1);
    (void)make_folder(v1_freezer, "/sys/fs/cgroup/freezer", RV_CGROUP_V1);
    (void)make_folder(v1_pids, "/sys/fs/cgroup/pids", RV_CGROUP_V1);
    print_message("# cgroups: v2 %s, v1 cpu %s, freezer %s, pids %s\n",
                  v2[0] ? (v2_has_cpu ? "with cpu" : "without controllers") : "none",
                  v1_cpu[0] ? "yes" : "no", v1_freezer[0] ? "yes" : "no",
                  v1_pids[0] ? "yes" : "no");
    return 0;
}

static int tear_down(void **state)
{
    char *const folders[] = { v2, v1_cpu, v1_freezer, v1_pids };

    for (size_t i = 0; i < RV_COUNT(folders); i++)
        for (int k = 0; folders[i][0] && k < 200 && rmdir(folders[i]) < 0 && errno == EBUSY; k++)
            usleep(10000);
    (void)unlink(state_path);
    return rmdir(folder);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_throttled_process_and_its_children_get_back_what_they_had),
        cmocka_unit_test(a_workload_is_throttled_by_its_quota),
        cmocka_unit_test(a_workload_without_a_quota_is_made_idle),
        cmocka_unit_test(a_workload_is_frozen_by_what_its_hierarchy_has),
        cmocka_unit_test(who_was_still_before_stays_so),
        cmocka_unit_test(cgroups_that_are_read_only_are_done_without),
        cmocka_unit_test(a_sleeper_that_cannot_be_woken_does_not_hold_us_up),
        cmocka_unit_test(isolation_stops_what_is_connected_too),
        cmocka_unit_test(version_one_cannot_isolate_and_says_so),
        cmocka_unit_test(a_workload_is_killed_whole),
        cmocka_unit_test(a_fork_bomb_is_killed_to_the_last),
        cmocka_unit_test(targets_that_end_meanwhile_are_gone_and_nobody_else_is_hit),
        cmocka_unit_test(a_pid_that_came_back_is_another_process),
        cmocka_unit_test(each_protected_program_is_refused),
        cmocka_unit_test(process_one_our_ancestors_and_the_judge_are_refused),
        cmocka_unit_test(what_stands_is_undone_by_the_next_agent),
        cmocka_unit_test(a_state_file_that_cannot_be_believed_is_set_aside),
        cmocka_unit_test(what_cannot_be_written_down_is_not_begun),
        cmocka_unit_test(a_snapshot_holds_sockets_with_addresses_and_states),
    };

    if (argc == 3 && rv_streq(argv[1], "--wait")) {
        (void)!write((int)strtol(argv[2], NULL, 10), "x", 1);
        for (;;)
            pause();
    }
    if (geteuid() != 0) {
        printf("1..0 # SKIP needs root\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
