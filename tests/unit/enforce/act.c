/* SPDX-License-Identifier: Apache-2.0 */
/* Actions on processes and a cgroup of the test's own: the gate, the act, the undo. */
#include "test.h"

#include "base/fd.h"
#include "base/json.h"
#include "enforce/act.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t now_ns = 1;

static uint64_t fake_now(void *context)
{
    return now_ns;
}

static struct rv_actor *new_actor(uint32_t budget, bool dry_run)
{
    struct rv_act_options options = { .budget_per_hour = budget,
                                      .dry_run = dry_run,
                                      .clock = { fake_now, fake_now, NULL } };
    struct rv_actor *actor = NULL;

    rv_assert_ok(rv_actor_new(&actor, &options));
    return actor;
}

static pid_t sleeper(void)
{
    pid_t pid = fork();

    if (pid == 0)
        for (;;)
            pause();
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

static struct rv_act_request request_for(enum rv_action action, pid_t pid)
{
    struct rv_act_request request = { .action = action };

    rv_assert_ok(rv_process_key_of(pid, &request.process));
    return request;
}

static void a_frozen_process_goes_on_after_undo(void **state)
{
    struct rv_actor *actor = new_actor(10, false);
    pid_t pid = sleeper();
    struct rv_act_request request = request_for(RV_ACT_FREEZE, pid);
    enum rv_act_outcome outcome;
    uint32_t number;
    int status;

    rv_assert_ok(rv_act(actor, &request, &outcome, &number));
    assert_int_equal(outcome, RV_ACT_DONE);
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_int_equal(state_of(pid), 'T');
    assert_int_equal(rv_act_undo(actor, number + 1), -ENOENT);
    rv_assert_ok(rv_act_undo(actor, number));
    assert_int_equal(waitpid(pid, &status, WCONTINUED), pid);
    assert_int_equal(rv_act_undo(actor, number), -ENOENT);
    reap(pid);
    rv_actor_free(&actor);
}

static void the_protected_are_refused_whatever_was_decided(void **state)
{
    struct rv_actor *actor = new_actor(10, false);
    const pid_t protected[] = { 1, getpid(), getppid() };
    enum rv_act_outcome outcome = RV_ACT_DONE;
    uint32_t number = 9;
    pid_t pid = sleeper();
    struct rv_act_request request;

    for (size_t i = 0; i < RV_COUNT(protected); i++) {
        request = request_for(RV_ACT_KILL, protected[i]);
        rv_assert_ok(rv_act(actor, &request, &outcome, &number));
        assert_int_equal(outcome, RV_ACT_REFUSED);
        assert_int_equal(number, 0);
    }
    rv_assert_ok(rv_actor_protect(actor, "/proc/self/exe"));
    request = request_for(RV_ACT_KILL, pid);
    rv_assert_ok(rv_act(actor, &request, &outcome, &number));
    assert_int_equal(outcome, RV_ACT_REFUSED);
    reap(pid);
    rv_actor_free(&actor);
}

static void a_reused_pid_is_never_hit(void **state)
{
    struct rv_actor *actor = new_actor(10, false);
    pid_t pid = sleeper();
    struct rv_act_request request = request_for(RV_ACT_KILL, pid);
    enum rv_act_outcome outcome;
    uint32_t number;

    request.process.start_boot_ns -= 3 * RV_NS_PER_S; /* the one that had this pid before */
    rv_assert_ok(rv_act(actor, &request, &outcome, &number));
    assert_int_equal(outcome, RV_ACT_GONE);
    assert_int_equal(kill(pid, 0), 0);
    reap(pid);
    rv_actor_free(&actor);
}

static void the_budget_is_by_the_hour_and_a_dry_run_acts_not(void **state)
{
    struct rv_actor *actor = new_actor(1, false), *dry = new_actor(1, true);
    pid_t pid = sleeper();
    struct rv_act_request request = request_for(RV_ACT_FREEZE, pid);
    enum rv_act_outcome outcome;
    uint32_t number;

    rv_assert_ok(rv_act(dry, &request, &outcome, &number));
    assert_int_equal(outcome, RV_ACT_DRY);
    assert_int_not_equal(state_of(pid), 'T');
    rv_assert_ok(rv_act(actor, &request, &outcome, &number));
    assert_int_equal(outcome, RV_ACT_DONE);
    rv_assert_ok(rv_act(actor, &request, &outcome, &number));
    assert_int_equal(outcome, RV_ACT_OVER_BUDGET);
    now_ns += 3600 * RV_NS_PER_S;
    rv_assert_ok(rv_act(actor, &request, &outcome, &number));
    assert_int_equal(outcome, RV_ACT_DONE);
    assert_int_equal(rv_act_undo_all(actor), 2);
    reap(pid);
    rv_actor_free(&actor);
    rv_actor_free(&dry);
}

static void a_tree_is_killed_to_the_last(void **state)
{
    struct rv_actor *actor = new_actor(10, false);
    int alive[2];
    char byte;
    enum rv_act_outcome outcome;
    struct rv_act_request request;
    uint32_t number;
    pid_t pid;

    assert_int_equal(pipe(alive), 0);
    pid = fork();
    if (pid == 0) { /* a chain of five; each says that it lives, then holds the pipe */
        for (int i = 0; i < 5; i++)
            if (fork() != 0)
                break;
        (void)!write(alive[1], "x", 1);
        for (;;)
            pause();
    }
    close(alive[1]);
    for (int i = 0; i < 6; i++)
        assert_int_equal(read(alive[0], &byte, 1), 1);
    request = request_for(RV_ACT_KILL_TREE, pid);
    rv_assert_ok(rv_act(actor, &request, &outcome, &number));
    assert_int_equal(outcome, RV_ACT_DONE);
    assert_int_equal(read(alive[0], &byte, 1), 0); /* nobody holds the other end any more */
    close(alive[0]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    rv_actor_free(&actor);
}

static void a_snapshot_names_the_environment_without_values(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
    RV_AUTO(rv_json_freep) json_t *snapshot = NULL;
    struct rv_process_key key;

    rv_assert_ok(rv_process_key_of(getpid(), &key));
    rv_assert_ok(rv_act_snapshot(key, &buf));
    rv_assert_ok(rv_json_parse(rv_buf_span(&buf), &snapshot, NULL));
    assert_true(json_array_size(json_object_get(snapshot, "files")) >= 3);
    assert_true(json_array_size(json_object_get(snapshot, "maps")) >= 2);
    assert_true(json_array_size(json_object_get(snapshot, "ancestry")) >= 1);
    assert_non_null(strstr(buf.data, "\"PATH\""));
    assert_null(strstr(buf.data, "PATH="));
}

/* ---- A cgroup ---- */

static char cgroup[64];

static bool make_cgroup(void)
{
    static const char *const roots[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

    for (size_t i = 0; i < RV_COUNT(roots); i++) {
        char path[128];

        (void)snprintf(path, sizeof(path), "%s/cgroup.procs", roots[i]);
        (void)snprintf(cgroup, sizeof(cgroup), "%s/reeve-test-%d", roots[i], getpid());
        if (access(path, W_OK) == 0 && mkdir(cgroup, 0755) == 0) {
            (void)snprintf(path, sizeof(path), "%s/cgroup.freeze", cgroup);
            if (access(path, W_OK) == 0)
                return true;
            (void)rmdir(cgroup);
        }
    }
    return false;
}

static void join_cgroup(void)
{
    char path[160];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "0", 1) != 1)
        _exit(99);
    close(fd);
}

/* One datagram to ourselves and back: 0, or what went wrong. */
static int talk(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int r = 0;

    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) < 0 ||
        sendto(fd, "x", 1, 0, (struct sockaddr *)&address, sizeof(address)) != 1)
        r = errno;
    close(fd);
    return r;
}

static int talk_in_cgroup(void)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        join_cgroup();
        _exit(talk());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WEXITSTATUS(status);
}

static void a_cgroup_is_cut_off_in_one_step_and_joined_again(void **state)
{
    struct rv_actor *actor = new_actor(10, false);
    struct rv_act_request request = { .action = RV_ACT_ISOLATE, .cgroup = cgroup };
    enum rv_act_outcome outcome;
    uint32_t number;
    int r;

    if (!make_cgroup()) {
        rv_actor_free(&actor);
        rv_skip_because("no cgroup v2 folder can be made here");
    }
    assert_int_equal(talk_in_cgroup(), 0);
    r = rv_act(actor, &request, &outcome, &number);
    if (r == -EPERM) {
        (void)rmdir(cgroup);
        rv_actor_free(&actor);
        rv_skip_because("the kernel takes no cgroup programs from us");
    }
    rv_assert_ok(r);
    assert_int_equal(outcome, RV_ACT_DONE);
    assert_int_equal(talk_in_cgroup(), EPERM);
    assert_int_equal(talk(), 0); /* everybody else talks on */
    rv_assert_ok(rv_act_undo(actor, number));
    assert_int_equal(talk_in_cgroup(), 0);
    assert_int_equal(rmdir(cgroup), 0);
    rv_actor_free(&actor);
}

static void a_cgroup_is_frozen_whole_unless_it_holds_the_protected(void **state)
{
    struct rv_actor *actor = new_actor(10, false);
    struct rv_act_request request = { .action = RV_ACT_FREEZE, .cgroup = cgroup };
    enum rv_act_outcome outcome;
    char path[160];
    uint32_t number;
    char *text;
    size_t len;
    int ready[2];
    char byte;
    pid_t pid;

    if (!make_cgroup()) {
        rv_actor_free(&actor);
        rv_skip_because("no cgroup v2 folder can be made here");
    }
    assert_int_equal(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        join_cgroup();
        (void)!write(ready[1], "x", 1);
        for (;;)
            pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    rv_assert_ok(rv_act(actor, &request, &outcome, &number));
    assert_int_equal(outcome, RV_ACT_DONE);
    (void)snprintf(path, sizeof(path), "%s/cgroup.freeze", cgroup);
    rv_assert_ok(rv_read_file(AT_FDCWD, path, 64, &text, &len));
    assert_string_equal(text, "1\n");
    free(text);
    rv_assert_ok(rv_act_undo(actor, number));
    rv_assert_ok(rv_actor_protect(actor, "/proc/self/exe")); /* the child runs our program */
    rv_assert_ok(rv_act(actor, &request, &outcome, &number));
    assert_int_equal(outcome, RV_ACT_REFUSED);
    reap(pid);
    for (int i = 0; i < 100 && rmdir(cgroup) < 0; i++)
        usleep(10000);
    rv_actor_free(&actor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frozen_process_goes_on_after_undo),
        cmocka_unit_test(the_protected_are_refused_whatever_was_decided),
        cmocka_unit_test(a_reused_pid_is_never_hit),
        cmocka_unit_test(the_budget_is_by_the_hour_and_a_dry_run_acts_not),
        cmocka_unit_test(a_tree_is_killed_to_the_last),
        cmocka_unit_test(a_snapshot_names_the_environment_without_values),
        cmocka_unit_test(a_cgroup_is_cut_off_in_one_step_and_joined_again),
        cmocka_unit_test(a_cgroup_is_frozen_whole_unless_it_holds_the_protected),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
