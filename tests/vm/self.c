/* SPDX-License-Identifier: Apache-2.0 */
/* Reeve's own: out of reach for strangers, within reach of an administrator, who is recorded. */
#include "rules.h"

#include "enforce/self.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define DIR   "/tmp/self"
#define STATE DIR "/state"
#define FILE_ STATE "/log"
#define LOGIN DIR "/login/sh"  /* a shell of kind login, as sshd would leave behind */
#define SERVE DIR "/server/sh" /* a shell of kind server, as a taken-over web server */
#define OWN   DIR "/own/sh"    /* one of Reeve's own programs */

enum { KIND_LOGIN = 5, KIND_SERVER = 4 };

static pid_t guarded;

static void put_self_rules(void)
{
    static const char *const folders[] = { STATE };
    static const char *const programs[] = { OWN };
    const struct rv_self self = { .folders = folders,
                                  .folder_count = 1,
                                  .programs = programs,
                                  .program_count = 1,
                                  .login_kind = KIND_LOGIN,
                                  .server_kind = KIND_SERVER };
    struct rv_rule *rules = calloc(RV_SELF_RULES, sizeof(*rules));
    size_t count = rv_self_rules(&self, rules);

    assert_int_equal(count, RV_SELF_RULES);
    for (size_t i = 0; i < count; i++)
        assert_null(rv_rule_check(&rules[i]));
    put_rules(rules, count, NULL);
    free(rules);
}

/** The command run by this shell. @return its exit status. */
static int by_shell(const char *shell, uid_t uid, const char *command)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        int nothing = open("/dev/null", O_RDWR);

        dup2(nothing, 2);
        if (setresuid(uid, uid, uid) < 0)
            _exit(99);
        execl(shell, "sh", "-c", command, NULL);
        _exit(98);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 97;
}

struct seen {
    uint32_t refused, would;
};

static int see(void *context, const struct rv_refusal_record *record)
{
    struct seen *seen = context;

    if (record->policy != RV_POLICY_SELF)
        return 0;
    seen->refused |= record->verdict == RV_REFUSAL_DENIED ? record->action : 0;
    seen->would |= record->verdict == RV_REFUSAL_WOULD_DENY ? record->action : 0;
    return 0;
}

/** "%d" stands for the guarded process. */
static void write_command(char command[512], const char *prefix, const char *act)
{
    const char *number = strstr(act, "%d"), *quote = prefix[0] ? "'" : "";

    if (number)
        (void)snprintf(command, 512, "%s%s%.*s%d%s", prefix, quote, (int)(number - act), act,
                       (int)guarded, quote);
    else
        (void)snprintf(command, 512, "%s%s%s%s", prefix, quote, act, quote);
}

static void only_an_administrator_reaches_reeve(void **state)
{
    static const struct {
        const char *name, *shell, *prefix;
        uid_t uid;
        bool reaches;
    } cases[] = {
        { "nobody in particular, root", DIR "/plain/sh", "", 0, false },
        { "an administrator", LOGIN, "", 0, true },
        { "a user who logged in", LOGIN, "", 1000, false },
        { "a server, root", SERVE, "", 0, false },
        { "a server that runs a login program", SERVE, LOGIN " -c ", 0, false },
        { "one of Reeve's own", OWN, "", 0, true },
    };
    static const struct {
        const char *name;
        uint32_t action;
    } acts[] = {
        { "echo more >>" FILE_, RV_DO_WRITE },
        { "rm " STATE "/old; test ! -e " STATE "/old", RV_DO_UNLINK },
        { "mv " FILE_ " " DIR "/stolen && mv " DIR "/stolen " FILE_, RV_DO_RENAME },
        { "kill -CONT %d", RV_DO_SIGNAL },
    };

    for (size_t i = 0; i < RV_COUNT(cases); i++)
        for (size_t act = 0; act < RV_COUNT(acts); act++) {
            struct seen seen = { 0 };
            char command[512];
            bool reached;
            int fd;

            put_nothing();
            assert_int_equal(chmod(STATE, 0777), 0); /* not the file modes shall decide */
            fd = open(STATE "/old", O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
            close(fd);
            assert_int_equal(chmod(FILE_, 0666), 0);
            put_self_rules();
            (void)rv_lsm_drain(lsm, see, &seen);
            seen = (struct seen){ 0 };
            write_command(command, cases[i].prefix, acts[act].name);
            if (cases[i].uid != 0 && acts[act].action == RV_DO_SIGNAL)
                continue; /* the kernel refuses that without us */
            if (rv_streq(cases[i].shell, OWN) && acts[act].action & (RV_DO_UNLINK | RV_DO_RENAME))
                continue; /* rm and mv are other programs than the shell */
            reached = by_shell(cases[i].shell, cases[i].uid, command) == 0;
            (void)rv_lsm_drain(lsm, see, &seen);
            if (reached != cases[i].reaches)
                fail_msg("%s: %s: reached %d", cases[i].name, acts[act].name, (int)reached);
            if (!reached && !(seen.refused & acts[act].action))
                fail_msg("%s: %s: no record", cases[i].name, acts[act].name);
            if (reached && !rv_streq(cases[i].shell, OWN) && !(seen.would & acts[act].action))
                fail_msg("%s: %s: not recorded", cases[i].name, acts[act].name);
        }
    put_nothing();
}

static int find_a_map(void)
{
    uint32_t attr[32] = { 0 }, id = 0;

    for (;;) {
        memset(attr, 0, sizeof(attr));
        attr[0] = id;
        if (syscall(SYS_bpf, 12 /* BPF_MAP_GET_NEXT_ID */, attr, sizeof(attr)) < 0)
            return 0;
        id = attr[1];
        memset(attr, 0, sizeof(attr));
        attr[0] = id;
        if (syscall(SYS_bpf, 14 /* BPF_MAP_GET_FD_BY_ID */, attr, sizeof(attr)) < 0)
            return -errno;
    }
}

static int make_a_map(void)
{
    uint32_t attr[32] = { 2 /* array */, 4, 4, 1 };

    return syscall(SYS_bpf, 0 /* BPF_MAP_CREATE */, attr, sizeof(attr)) < 0 ? -errno : 0;
}

static void our_maps_are_kept_and_bpf_is_left_to_others(void **state)
{
    struct seen seen = { 0 };

    put_nothing();
    assert_int_equal(in_child(find_a_map), 0);
    rv_assert_ok(rv_lsm_self_protect(lsm, true));
    (void)rv_lsm_drain(lsm, see, &seen);
    seen = (struct seen){ 0 };
    assert_int_equal(in_child(find_a_map), -EPERM);
    assert_int_equal(in_child(make_a_map), 0);
    (void)rv_lsm_drain(lsm, see, &seen);
    assert_true(seen.refused & RV_DO_BPF);
    rv_assert_ok(rv_lsm_self_protect(lsm, false));
    assert_int_equal(in_child(find_a_map), 0);
}

/* The last test: from here on we are one of Reeve's own, and so is what we start. */
static void a_rule_on_bpf_leaves_reeve_its_own(void **state)
{
    struct rv_rule rule = rule_about(RV_DO_BPF);
    int go[2], status, pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    pid_t stranger;

    assert_int_equal(pipe(go), 0);
    stranger = fork();
    if (stranger == 0) {
        char byte;

        _exit(read(go[0], &byte, 1) == 1 ? -make_a_map() : 99);
    }
    rv_assert_ok(rv_lsm_guard(lsm, pidfd));
    put_rule(&rule);
    assert_int_equal(make_a_map(), 0);
    assert_int_equal(in_child(make_a_map), 0);
    assert_int_equal(write(go[1], "", 1), 1);
    assert_int_equal(waitpid(stranger, &status, 0), stranger);
    assert_int_equal(WEXITSTATUS(status), EPERM);
    put_nothing();
    close(pidfd);
}

static int set_up(void **state)
{
    static const char *const shells[] = { LOGIN, SERVE, OWN, DIR "/plain/sh" };
    int pidfd, fd;

    assert_int_equal(mkdir(DIR, 0777), 0);
    assert_int_equal(chmod(DIR, 0777), 0);
    assert_int_equal(mkdir(STATE, 0777), 0);
    fd = open(FILE_, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
    close(fd);
    for (size_t i = 0; i < RV_COUNT(shells); i++) {
        char folder[64];

        (void)snprintf(folder, sizeof(folder), "%.*s", (int)strlen(shells[i]) - 3, shells[i]);
        assert_int_equal(mkdir(folder, 0755), 0);
        copy_file("/bin/busybox", shells[i]);
    }
    rv_assert_ok(
        rv_lsm_know_program(lsm, "/bin/busybox", 1)); /* else nothing would be a stranger */
    rv_assert_ok(rv_lsm_know_program(lsm, LOGIN, KIND_LOGIN));
    rv_assert_ok(rv_lsm_know_program(lsm, SERVE, KIND_SERVER));
    guarded = fork();
    if (guarded == 0)
        for (;;)
            pause();
    pidfd = (int)syscall(SYS_pidfd_open, guarded, 0);
    rv_assert_ok(rv_lsm_guard(lsm, pidfd));
    close(pidfd);
    return 0;
}

static int tear_down(void **state)
{
    (void)kill(guarded, SIGKILL);
    (void)waitpid(guarded, NULL, 0);
    return 0;
}

int self_run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_an_administrator_reaches_reeve),
        cmocka_unit_test(our_maps_are_kept_and_bpf_is_left_to_others),
        cmocka_unit_test(a_rule_on_bpf_leaves_reeve_its_own),
    };

    return cmocka_run_group_tests_name("self", tests, set_up, tear_down);
}
