/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `reeve doctor` says of each action is what happens: with the same rule in every provider
 * that opens here, as the guard has it, the attempt is refused exactly where the row names a
 * mechanism, and it is that mechanism which records it.
 */
#include "test.h"

#include "base/cgroup.h"
#include "enforce/cgate.h"
#include "enforce/fan.h"
#include "enforce/lsm.h"
#include "enforce/probe.h"

#include "probe/attempts.h"
#include "probe/sandbox.h"

#include <bpf/libbpf.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#define LEASE_MS 600000

static struct rv_enforce_action rows[64];
static size_t row_count;

static struct rv_lsm *lsm;
static struct rv_cgate *cgate;
static struct rv_fan *fan;
static enum rv_mechanism recorded; /* by whom the action in question was refused */
static uint32_t action;

static void keep(void *context, const struct rv_enforce_action *row)
{
    assert_true(row_count < RV_COUNT(rows));
    rows[row_count++] = *row;
}

static const struct rv_enforce_action *row_of(const char *name)
{
    for (size_t i = 0; i < row_count; i++)
        if (rv_streq(rows[i].action, name))
            return &rows[i];
    fail_msg("no row for %s", name);
    return NULL;
}

static int see(void *context, const struct rv_refusal_record *record)
{
    if (record->verdict == RV_REFUSAL_DENIED && (record->action & action))
        recorded = (enum rv_mechanism)record->mechanism;
    return 0;
}

static void *run_fan(void *unused)
{
    (void)!rv_fan_run(fan);
    return NULL;
}

static const struct rv_rule_settings settings;

static void put_lsm(const struct rv_rule *rule, size_t count)
{
    uint64_t carried;
    size_t at;

    rv_assert_ok(rv_lsm_swap(lsm, rule, count, &settings, &carried, &at));
    rv_assert_ok(rv_lsm_renew(lsm, LEASE_MS));
}

static void put_cgate(const struct rv_rule *rule, size_t count)
{
    uint64_t carried;
    size_t at;

    rv_assert_ok(rv_cgate_swap(cgate, rule, count, &settings, &carried, &at));
    rv_cgate_renew(cgate, LEASE_MS);
}

static void put_fan(const struct rv_rule *rule, size_t count)
{
    const struct rv_fan_set set = { .rules = rule, .rule_count = count };

    rv_fan_renew(fan, LEASE_MS);
    rv_assert_ok(rv_fan_swap(fan, &set, NULL));
}

static struct provider {
    enum rv_mechanism mechanism;
    void (*put)(const struct rv_rule *rule, size_t count);
    bool opened;
} providers[] = {
    { RV_BY_LSM, put_lsm, false },
    { RV_BY_CGROUP, put_cgate, false },
    { RV_BY_FANOTIFY, put_fan, false },
};

static void drain_all(void)
{
    if (lsm)
        assert_true(rv_lsm_drain(lsm, see, NULL) >= 0);
    if (cgate)
        assert_true(rv_cgate_drain(cgate, see, NULL) >= 0);
    if (fan)
        assert_true(rv_fan_drain(fan, see, NULL) >= 0);
}

/** The attempt with a rule in all providers, or in one alone. Who recorded it is in `recorded`. */
static bool is_refused(const struct rv_sandbox *sandbox, const struct rv_attempt *attempt,
                       const struct rv_rule *rule, const struct provider *only)
{
    int got;

    recorded = RV_BY_NONE;
    for (size_t i = 0; i < RV_COUNT(providers); i++)
        if (providers[i].opened && (!only || only == &providers[i]))
            providers[i].put(rule, 1);
    got = rv_sandbox_run(sandbox, attempt->attempt);
    for (size_t i = 0; i < RV_COUNT(providers); i++)
        if (providers[i].opened && (!only || only == &providers[i]))
            providers[i].put(NULL, 0);
    drain_all();
    return got == EPERM || got == EACCES;
}

static enum rv_mechanism strongest(const struct rv_sandbox *sandbox,
                                   const struct rv_attempt *attempt, const struct rv_rule *rule)
{
    for (size_t i = 0; i < RV_COUNT(providers); i++)
        if (providers[i].opened && is_refused(sandbox, attempt, rule, &providers[i]) &&
            recorded == providers[i].mechanism)
            return recorded;
    return RV_BY_NONE;
}

/** @return whether doctor's row is what happens. */
static bool agrees(const struct rv_sandbox *sandbox, const struct rv_attempt *attempt)
{
    const char *name = rv_do_name(attempt->action);
    const struct rv_enforce_action *row = row_of(name);
    struct rv_rule rule = { .actions = attempt->action,
                            .risk_max = 1000,
                            .mode = RV_RULE_ENFORCE,
                            .term_count = 1,
                            .terms = {
                                { .subject = RV_TERM_WORKLOAD, .number = sandbox->workload } } };
    bool can_be_tried = rv_sandbox_run(sandbox, attempt->attempt) == 0, refused = false;
    enum rv_mechanism by = RV_BY_NONE;

    if (attempt->action & (RV_DO_EXEC | RV_DO_READ | RV_DO_WRITE)) {
        rule.terms[1].subject = RV_TERM_FILE;
        strcpy(rule.terms[1].text, "/tmp/box/" RV_ATTEMPT_FILE);
        rule.term_count = 2;
    }
    action = attempt->action;
    if (can_be_tried) {
        refused = is_refused(sandbox, attempt, &rule, NULL);
        by = strongest(sandbox, attempt, &rule);
    }
    print_message("# %-14s doctor: %-11s observed: %-11s %s\n", name,
                  rv_mechanism_name(row->mechanism), rv_mechanism_name(by),
                  can_be_tried ? "" : "(not to be tried)");
    if (!can_be_tried && getenv("REEVE_VM")) /* Debian's kernels have all of it */
        return false;
    return by == row->mechanism && refused == (row->mechanism != RV_BY_NONE);
}

static int compare_all(void)
{
    struct rv_sandbox sandbox;
    pthread_t thread;
    int disagree = 0;

    rv_assert_ok(rv_sandbox_enter(&sandbox));
    if (!sandbox.cgroup[0])
        return 77;
    providers[0].opened = rv_lsm_open(&lsm) == 0;
    providers[1].opened = rv_cgate_open(&cgate, sandbox.cgroup) == 0;
    providers[2].opened = rv_fan_open(&fan, &(struct rv_fan_options){ 0 }) == 0;
    if (fan)
        assert_int_equal(pthread_create(&thread, NULL, run_fan, NULL), 0);
    for (size_t i = 0; i < RV_COUNT(rv_attempts); i++)
        disagree += !agrees(&sandbox, &rv_attempts[i]);
    if (fan) {
        rv_fan_stop(fan);
        (void)pthread_join(thread, NULL);
    }
    rv_fan_close(&fan);
    rv_cgate_close(&cgate);
    rv_lsm_close(&lsm);
    rv_sandbox_remove(sandbox.cgroup);
    return disagree;
}

static void doctor_and_what_happens_agree_for_every_action(void **state)
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(compare_all());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        rv_skip_because("no cgroup v2 folder can be made here");
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void every_action_has_one_row(void **state)
{
    static const char *const after[] = { "freeze", "throttle", "isolate", "kill" };

    for (unsigned i = 0; i < RV_DO_COUNT_; i++)
        (void)row_of(rv_do_name(1U << i));
    for (size_t i = 0; i < RV_COUNT(after); i++) {
        const struct rv_enforce_action *row = row_of(after[i]);

        print_message("# %-14s %s\n", after[i], row->detail);
        assert_true(row->mechanism == RV_BY_AFTER || row->mechanism == RV_BY_NONE);
        assert_int_not_equal(row->detail[0], '\0');
    }
    assert_int_equal(row_count, RV_DO_COUNT_ + RV_COUNT(after));
}

/* Debian 12's own 6.1 is older; 6.12 and what runs here are not. */
static void whether_an_overlay_gets_past_is_told(void **state)
{
    struct utsname name;
    unsigned major = 0, minor = 0;

    if (getenv("REEVE_VM")) /* there it is a module */
        (void)syscall(SYS_finit_module, open("/modules/overlay.ko", O_RDONLY | O_CLOEXEC), "", 0);
    assert_int_equal(uname(&name), 0);
    assert_int_equal(sscanf(name.release, "%u.%u", &major, &minor), 2);
    assert_int_equal(rv_enforce_overlay_passes(), major < 6 || (major == 6 && minor < 5));
}

static void nothing_stays_behind(void **state)
{
    char command[256], root[128];

    if (rv_cgroup_root(root, sizeof(root)) < 0)
        rv_skip_because("no cgroup v2 here");
    (void)snprintf(command, sizeof(command), "%s/reeve-probe-%d", root, getpid());
    assert_int_equal(access(command, F_OK), -1);
    assert_int_equal(access("/tmp/box", F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_action_has_one_row),
        cmocka_unit_test(doctor_and_what_happens_agree_for_every_action),
        cmocka_unit_test(whether_an_overlay_gets_past_is_told),
        cmocka_unit_test(nothing_stays_behind),
    };
    int r;

    (void)libbpf_set_print(NULL);
    r = rv_enforce_probe_actions(keep, NULL);
    if (r < 0) {
        printf("1..0 # SKIP actions cannot be tried: %s\n", strerror(-r));
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
