/* SPDX-License-Identifier: Apache-2.0 */
/* What keeps refusals from doing harm: lease, stop, budgets, latency, swaps, grants, protection. */
#include "rules.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DIR    "/tmp/safety"
#define SECRET DIR "/secret"
#define OTHER  DIR "/other"
#define POLICY 42 /* of the rules whose records are looked at */

static int read_at(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    close(fd);
    return 0;
}

static int do_read(void)
{
    return read_at(SECRET);
}

static struct rv_rule no_reading(void)
{
    struct rv_rule rule = rule_about(RV_DO_READ);

    add_text(&rule, RV_TERM_FOLDER, DIR, false);
    return rule;
}

static void denials_end_with_the_lease_unless_closed(void **state)
{
    struct rv_rule rule = no_reading();

    put_rule(&rule);
    assert_int_equal(do_read(), -EPERM);
    rv_assert_ok(rv_lsm_renew(lsm, 0));
    assert_int_equal(do_read(), 0);
    assert_true(count_of(0, RV_REFUSAL_LAPSED) > 0);
    rule.lapse = RV_LAPSE_CLOSED;
    put_rule(&rule);
    rv_assert_ok(rv_lsm_renew(lsm, 0));
    assert_int_equal(do_read(), -EPERM);
    rv_assert_ok(rv_lsm_observe(lsm, true)); /* the emergency stop is above all */
    assert_int_equal(do_read(), 0);
    assert_true(count_of(0, RV_REFUSAL_STOPPED) > 0);
    rv_assert_ok(rv_lsm_observe(lsm, false));
    put_nothing();
}

static void the_budget_limits_only_budgeted_rules(void **state)
{
    const struct rv_rule_settings settings = { .budget = 3 };
    struct rv_rule rule = no_reading();

    rule.budgeted = 1;
    put_rules(&rule, 1, &settings);
    for (int i = 0; i < 3; i++)
        assert_int_equal(do_read(), -EPERM);
    assert_int_equal(do_read(), 0);
    assert_true(count_of(0, RV_REFUSAL_OVER_BUDGET) > 0);
    rule.budgeted = 0; /* flooding must not buy a way past a named rule */
    put_rules(&rule, 1, &settings);
    for (int i = 0; i < 10; i++)
        assert_int_equal(do_read(), -EPERM);
    put_nothing();
}

static void a_slow_hook_disarms_itself(void **state)
{
    struct rv_rule_settings settings = { .latency_budget_ns = 1 };
    struct rv_rule rule = no_reading();

    put_rules(&rule, 1, &settings);
    for (int i = 0; i < 5000; i++)
        (void)read_at("/proc/self/status");
    assert_true(rv_lsm_disarmed(lsm) & RV_DO_READ);
    assert_int_equal(do_read(), 0);
    assert_true(count_of(0, RV_REFUSAL_DISARMED) > 0);
    settings.latency_budget_ns = 0;
    put_rules(&rule, 1, &settings);
    rv_assert_ok(rv_lsm_rearm(lsm));
    assert_int_equal(do_read(), -EPERM);
    put_nothing();
}

static void swapping_under_load_loses_no_decision(void **state)
{
    struct rv_rule *rules = calloc(2, sizeof(*rules));
    int *passed = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid;

    rules[0] = rule_about(RV_DO_WRITE);
    add_text(&rules[0], RV_TERM_FOLDER, "/proc", false);
    rules[1] = no_reading();
    put_rules(rules + 1, 1, NULL);
    pid = fork();
    if (pid == 0)
        for (;;) {
            passed[do_read() == -EPERM]++;
            if (passed[2])
                _exit(0);
        }
    for (int i = 0; i < 200; i++) /* both sets deny the read, at another place */
        put_rules(i & 1 ? rules + 1 : rules, i & 1 ? 1 : 2, NULL);
    passed[2] = 1;
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    printf("# 200 swaps, %d reads denied, %d passed\n", passed[1], passed[0]);
    assert_int_equal(passed[0], 0);
    assert_true(passed[1] > 0);
    munmap(passed, 4096);
    free(rules);
    put_nothing();
}

static void a_bad_set_leaves_the_old_one_standing(void **state)
{
    static const struct rv_rule_settings settings;
    struct rv_rule *bad = calloc(RV_RULES_MAX + 1, sizeof(*bad)), good = no_reading();
    uint64_t carried = 7;
    size_t at = 9;

    put_rule(&good);
    bad[0] = good;
    bad[1] = rule_about(RV_DO_CONNECT);
    add_text(&bad[1], RV_TERM_ADDRESS, "10.0.0.0/33", false);
    assert_int_equal(rv_lsm_swap(lsm, bad, 2, &settings, &carried, &at), -EINVAL);
    assert_int_equal(at, 1);
    bad[1] = rule_about(0);
    assert_int_equal(rv_lsm_swap(lsm, bad, 2, &settings, &carried, &at), -EINVAL);
    assert_int_equal(rv_lsm_swap(lsm, bad, RV_RULES_MAX + 1, &settings, &carried, &at), -ENOSPC);
    assert_int_equal(carried, 7);
    assert_int_equal(do_read(), -EPERM);
    put_nothing();
    free(bad);
}

/* ---- Grants ---- */

static uint32_t device(const struct stat *st)
{
    return major(st->st_dev) << 20 | minor(st->st_dev);
}

static uint64_t boot_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static struct rv_grant grant_to_read(const char *path, uint64_t expires)
{
    struct stat program, file;

    assert_int_equal(stat("/proc/self/exe", &program), 0);
    assert_int_equal(stat(path, &file), 0);
    return (struct rv_grant){
        .program_inode = program.st_ino,
        .program_dev = device(&program),
        .file_inode = file.st_ino,
        .file_dev = device(&file),
        .uid = 0,
        .action = RV_DO_READ,
        .expires_boot_ns = expires,
    };
}

static void a_grant_lets_exactly_this_pass_once(void **state)
{
    struct rv_grant grant = grant_to_read(SECRET, boot_ns() + 60000000000U);
    struct rv_grant late = grant_to_read(SECRET, boot_ns());
    struct rv_rule rule = no_reading();

    rv_assert_ok(rv_lsm_grant(lsm, &grant));
    put_rule(&rule); /* not held: no person may let it pass */
    assert_int_equal(do_read(), -EPERM);
    rule.held = 1;
    put_rule(&rule);
    assert_int_equal(read_at(OTHER), -EPERM); /* another file */
    assert_int_equal(do_read(), 0);
    assert_int_equal(count_of(0, RV_REFUSAL_GRANTED), 1);
    assert_int_equal(do_read(), -EPERM); /* used up */
    rv_assert_ok(rv_lsm_grant(lsm, &late));
    assert_int_equal(do_read(), -EPERM); /* expired */
    put_nothing();
}

static void one_grant_is_for_both_names_of_a_rename(void **state)
{
    struct rv_grant grant = grant_to_read(OTHER, boot_ns() + 60000000000U);
    struct rv_rule rule = rule_about(RV_DO_RENAME);

    add_text(&rule, RV_TERM_FOLDER, DIR, false);
    rule.held = 1;
    put_rule(&rule);
    assert_int_equal(rename(OTHER, DIR "/renamed"), -1);
    grant.action = RV_DO_RENAME;
    rv_assert_ok(rv_lsm_grant(lsm, &grant));
    assert_int_equal(rename(OTHER, DIR "/renamed"), 0);
    assert_int_equal(rename(DIR "/renamed", OTHER), -1);
    put_nothing();
    assert_int_equal(rename(DIR "/renamed", OTHER), 0);
}

/* ---- Whom nobody may refuse ---- */

static int read_by_another_program(void)
{
    execl("/bin/busybox", "cat", SECRET, NULL);
    return -errno;
}

static int protect_and_read(void)
{
    int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0), r = rv_lsm_protect(lsm, pidfd);

    if (r < 0)
        return r;
    r = do_read();
    if (r < 0)
        return r;
    return in_child(do_read) == -EPERM ? 0 : -EXDEV; /* not inherited */
}

static int protect_and_become_another(void)
{
    int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0), r = rv_lsm_protect(lsm, pidfd);

    return r < 0 ? r : read_by_another_program();
}

static void a_protected_process_is_never_refused(void **state)
{
    struct rv_rule rule = no_reading();

    put_rule(&rule);
    assert_int_equal(in_child(do_read), -EPERM);
    assert_int_equal(in_child(protect_and_read), 0);
    assert_int_equal(count_of(0, RV_REFUSAL_PROTECTED), 1);
    assert_int_equal(in_child(protect_and_become_another),
                     -1); /* cat's way to say: not permitted */
    put_nothing();
}

/* ---- Records ---- */

struct seen {
    struct rv_refusal_record last;
    size_t count;
    uint64_t repeats;
};

static int see(void *context, const struct rv_refusal_record *record)
{
    struct seen *seen = context;

    if (record->policy != POLICY)
        return 0; /* the rest of an earlier flood */
    seen->last = *record;
    seen->count++;
    seen->repeats += record->repeats;
    return 0;
}

static void a_denial_is_recorded_with_who_and_what(void **state)
{
    const struct rv_rule_settings settings = { .digest = 0x1122334455667788 };
    struct rv_rule rule = no_reading();
    struct seen seen = { 0 };
    struct stat file, program;

    rule.policy = POLICY;
    put_rules(&rule, 1, &settings);
    (void)rv_lsm_drain(lsm, see, &seen);
    seen = (struct seen){ 0 };
    assert_int_equal(in_child(do_read), -EPERM);
    assert_true(rv_lsm_drain(lsm, see, &seen) >= 1);
    assert_int_equal(stat("/proc/self/exe", &program), 0);
    put_nothing();
    assert_int_equal(stat(SECRET, &file), 0);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.last.inode, file.st_ino);
    assert_int_equal(seen.last.dev, device(&file));
    assert_int_equal(seen.last.program_inode, program.st_ino);
    assert_int_equal(seen.last.program_dev, device(&program));
    assert_int_equal(seen.last.action, RV_DO_READ);
    assert_int_equal(seen.last.verdict, RV_REFUSAL_DENIED);
    assert_int_equal(seen.last.mechanism, RV_BY_LSM);
    assert_int_equal(seen.last.rules, 1);
    assert_int_equal(seen.last.policy, POLICY);
    assert_int_equal(seen.last.digest, settings.digest);
    assert_int_equal(seen.last.repeats, 0);
    assert_string_equal(seen.last.name, "secret");
    assert_string_equal(seen.last.comm, "vm_lsm");
}

static int read_often(void)
{
    for (int i = 0; i < 5000; i++)
        if (do_read() != -EPERM)
            return -EIO;
    return 0;
}

static void a_flood_is_told_once_and_counted_in_full(void **state)
{
    struct rv_rule rule = no_reading();
    struct seen seen = { 0 };

    rule.policy = POLICY;
    put_rule(&rule);
    assert_int_equal(in_child(read_often), 0);
    (void)rv_lsm_drain(lsm, see, &seen);
    assert_in_range(seen.count, 1, 30); /* one a second: emulated, it takes some */
    usleep(1200000);
    (void)rv_lsm_drain(lsm, see, &seen);
    printf("# 5000 refusals: %zu records, %lu repeats\n", seen.count, (unsigned long)seen.repeats);
    assert_int_equal(rv_lsm_lost(lsm), 0);
    assert_int_equal(count_of(0, RV_REFUSAL_DENIED), 5000);
    /* The last one of a flood is told twice, the second time for its repeats alone. */
    assert_in_range(seen.count + seen.repeats, 5000, 5001);
    put_nothing();
}

static int set_up(void **state)
{
    int fd;

    assert_int_equal(mkdir(DIR, 0755), 0);
    fd = open(SECRET, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    close(fd);
    fd = open(OTHER, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    close(fd);
    return 0;
}

int safety_run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(denials_end_with_the_lease_unless_closed),
        cmocka_unit_test(the_budget_limits_only_budgeted_rules),
        cmocka_unit_test(a_slow_hook_disarms_itself),
        cmocka_unit_test(swapping_under_load_loses_no_decision),
        cmocka_unit_test(a_bad_set_leaves_the_old_one_standing),
        cmocka_unit_test(a_grant_lets_exactly_this_pass_once),
        cmocka_unit_test(one_grant_is_for_both_names_of_a_rename),
        cmocka_unit_test(a_protected_process_is_never_refused),
        cmocka_unit_test(a_denial_is_recorded_with_who_and_what),
        cmocka_unit_test(a_flood_is_told_once_and_counted_in_full),
    };

    return cmocka_run_group_tests_name("safety", tests, set_up, NULL);
}
