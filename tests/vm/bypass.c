/* SPDX-License-Identifier: Apache-2.0 */
/* Every way around a rule against the BPF LSM provider: stopped, or named in docs/THREATS.md. */
#include "rules.h"

#include "attempts.h"
#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#define AIM_RULES_MAX  2
#define RISKY          700
#define THREATS        "/etc/THREATS.md" /* put there by run-vm */
#define POSSIBLE_LEAST 100               /* of the ways; fewer and the scorecard says nothing */

/** The rules that an aim means. @return how many. */
static size_t rules_of(enum rv_aim aim, struct rv_rule rules[AIM_RULES_MAX])
{
    static const char *const system[] = { "/bin", "/lib", "/lib64", "/suites" };

    switch (aim) {
    case RV_AIM_READ:
    case RV_AIM_LINEAGE:
    case RV_AIM_RISK:
        rules[0] = rule_about(RV_DO_READ);
        add_text(&rules[0], RV_TERM_FILE, SECRET, false);
        if (aim == RV_AIM_LINEAGE)
            add_text(&rules[0], RV_TERM_LINEAGE, MARKER, false);
        if (aim == RV_AIM_RISK)
            rules[0].risk_min = 500;
        return 1;
    case RV_AIM_READ_BELOW:
        rules[0] = rule_about(RV_DO_READ | RV_DO_LINK | RV_DO_RENAME);
        add_text(&rules[0], RV_TERM_FOLDER, BOX, false);
        return 1;
    case RV_AIM_CHANGE:
        rules[0] = rule_about(RV_DO_WRITE | RV_DO_TRUNCATE | RV_DO_RENAME | RV_DO_UNLINK |
                              RV_DO_LINK | RV_DO_SETATTR | RV_DO_MOUNT);
        add_text(&rules[0], RV_TERM_FILE, SECRET, false);
        return 1;
    case RV_AIM_CREATE:
        rules[0] = rule_about(RV_DO_CREATE | RV_DO_LINK | RV_DO_RENAME);
        add_text(&rules[0], RV_TERM_FOLDER, BOX, false);
        return 1;
    case RV_AIM_EXEC:
    case RV_AIM_SHELL:
        rules[0] = rule_about(RV_DO_EXEC | RV_DO_MMAP_EXEC);
        add_text(&rules[0], RV_TERM_FILE, aim == RV_AIM_EXEC ? PROGRAM : SHELL, false);
        return 1;
    case RV_AIM_ONLY_SYSTEM:
        rules[0] = rule_about(RV_DO_EXEC | RV_DO_MMAP_EXEC);
        for (size_t i = 0; i < RV_COUNT(system); i++)
            add_text(&rules[0], RV_TERM_FOLDER, system[i], true);
        return 1;
    case RV_AIM_SCRIPT:
        rules[0] = rule_about(RV_DO_EXEC | RV_DO_READ);
        add_text(&rules[0], RV_TERM_FILE, SCRIPT, false);
        return 1;
    case RV_AIM_FILELESS:
        rules[0] = rule_about(RV_DO_EXEC);
        add_number(&rules[0], RV_TERM_FLAG, RV_FLAG_FILELESS, false);
        rules[1] = rule_about(RV_DO_MMAP_EXEC | RV_DO_MPROTECT_EXEC);
        add_number(&rules[1], RV_TERM_FLAG, RV_FLAG_ANONYMOUS, false);
        return 2;
    case RV_AIM_CONNECT:
        rules[0] = rule_about(RV_DO_CONNECT);
        add_text(&rules[0], RV_TERM_ADDRESS, "127.0.0.0/8", false);
        return 1;
    case RV_AIM_UNIX:
        rules[0] = rule_about(RV_DO_CONNECT);
        add_text(&rules[0], RV_TERM_FILE, UNIX_SOCKET, false);
        return 1;
    case RV_AIM_UNIX_ALL:
        rules[0] = rule_about(RV_DO_CONNECT);
        add_number(&rules[0], RV_TERM_FAMILY, AF_UNIX, false);
        return 1;
    case RV_AIM_RAW:
        rules[0] = rule_about(RV_DO_SOCKET);
        add_number(&rules[0], RV_TERM_FAMILY, AF_PACKET, false);
        rules[1] = rule_about(RV_DO_SOCKET);
        add_number(&rules[1], RV_TERM_PROTOCOL, 255 /* IPPROTO_RAW */, false);
        return 2;
    case RV_AIM_TARGET:
        rules[0] = rule_about(RV_DO_SIGNAL | RV_DO_PTRACE);
        add_number(&rules[0], RV_TERM_FLAG, RV_FLAG_GUARDED_TARGET, false);
        return 1;
    case RV_AIM_BPF:
    case RV_AIMS_:
        break;
    }
    return 0;
}

static void with_pidfd(pid_t pid, int (*say)(struct rv_lsm *lsm, int pidfd))
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

    rv_assert_ok(say(lsm, pidfd));
    close(pidfd);
}

static int say_risky(struct rv_lsm *provider, int pidfd)
{
    return rv_lsm_set_risk(provider, pidfd, RISKY);
}

static void prepare(enum rv_aim aim, pid_t child, pid_t target)
{
    if (aim == RV_AIM_RISK)
        with_pidfd(child, say_risky);
    if (aim == RV_AIM_TARGET)
        with_pidfd(target, rv_lsm_guard);
    if (aim == RV_AIMS_) /* the test ends the target: nobody may, while the rule stands */
        rv_assert_ok(rv_lsm_observe(lsm, true));
}

static int try_under_rule(const struct rv_way *way)
{
    struct rv_rule *rules = calloc(AIM_RULES_MAX, sizeof(*rules));
    int r;

    assert_non_null(rules);
    put_rules(rules, rules_of(way->aim, rules), NULL);
    rv_assert_ok(rv_lsm_self_protect(lsm, way->aim == RV_AIM_BPF || way->aim == RV_AIM_TARGET));
    r = rv_way_try(way, prepare);
    rv_assert_ok(rv_lsm_observe(lsm, false));
    rv_assert_ok(rv_lsm_self_protect(lsm, false));
    put_nothing();
    free(rules);
    return r;
}

static void each_way_is_stopped_or_named_in_the_threats(void **state)
{
    RV_AUTO(rv_freep) char *threats = NULL;
    size_t len, possible = 0, stopped = 0, unnamed = 0;
    const struct rv_way *way;
    struct utsname name;

    (void)state;
    rv_assert_ok(rv_read_file(AT_FDCWD, THREATS, 1 << 20, &threats, &len));
    for (size_t i = 0; (way = rv_way_at(i)); i++) {
        int without = rv_way_try(way, NULL), r = try_under_rule(way);
        const char *verdict = without != 0 ? "not possible here" : r != 0 ? "stopped" : "PASSED";

        printf("# bypass: %-48s %s", way->name, verdict);
        printf(without != 0 ? " (%s)\n" : "\n", strerror(-without));
        possible += without == 0;
        stopped += without == 0 && r != 0;
        if (without == 0 && r == 0 && !strstr(threats, way->name)) {
            printf("# passes, and docs/THREATS.md does not say so: %s\n", way->name);
            unnamed++;
        }
    }
    (void)uname(&name);
    printf("# scorecard {\"provider\":\"bpf-lsm\",\"kernel\":\"%s\",\"possible\":%zu,"
           "\"stopped\":%zu,\"passed\":%zu}\n",
           name.release, possible, stopped, possible - stopped);
    assert_int_equal(unnamed, 0);
    assert_true(possible >= POSSIBLE_LEAST);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_way_is_stopped_or_named_in_the_threats),
    };
    int r;

    rv_way_main(argc, argv);
    r = open_lsm();
    if (r >= 0)
        return r;
    (void)syscall(SYS_finit_module, open("/modules/overlay.ko", O_RDONLY | O_CLOEXEC), "", 0);
    r = rv_ground_make("/bin/busybox", "/proc/self/exe");
    if (r < 0) {
        printf("not ok 1 - make the ground: %s\n", strerror(-r));
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
