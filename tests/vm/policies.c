/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shipped baseline, compiled and put into the LSM provider: attacks are refused, their twins
 * are not, and what the policies say of their place is what happens.
 */
#include "test.h"

#include "agent/rules.h"
#include "enforce/lsm.h"
#include "features/program.h"
#include "policy/read.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* The texts, in the program: the machine has no folder of policies. */
#define EMBED(name, file)                                                                          \
    __asm__(".section .rodata\n" #name ":\n.incbin \"" BASELINE "/" file                           \
            "\"\n.byte 0\n.previous");                                                             \
    extern const char name[]

EMBED(policies_default, "00-default.cedar");
EMBED(policies_credentials, "10-credentials.cedar");
EMBED(policies_persistence, "20-persistence.cedar");
EMBED(policies_execution, "30-execution.cedar");
EMBED(policies_tampering, "40-tampering.cedar");
EMBED(policies_impact, "50-impact.cedar");
EMBED(policies_risk, "60-risk.cedar");

static struct rv_policy_set set;
static struct rv_rules *rules;
static struct rv_lsm *lsm;
static uint64_t carried;

/* ---- The machine ---- */

static int copy(const char *from, const char *to)
{
    char block[65536];
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    ssize_t got = -1;

    while (in >= 0 && out >= 0 && (got = read(in, block, sizeof(block))) > 0) {
        if (write(out, block, (size_t)got) != got)
            got = -1;
    }
    close(in);
    close(out);
    return got == 0 ? 0 : -1;
}

static int furnish(void)
{
    static const char *const folders[] = {
        "/etc/cron.d",
        "/etc/cron.hourly",
        "/etc/cron.daily",
        "/etc/cron.weekly",
        "/etc/cron.monthly",
        "/etc/systemd",
        "/etc/systemd/system",
        "/etc/systemd/user",
        "/run",
        "/run/systemd",
        "/run/systemd/system",
        "/usr",
        "/usr/lib",
        "/usr/lib/systemd",
        "/usr/lib/systemd/system",
        "/lib/systemd",
        "/lib/systemd/system",
        "/etc/init.d",
        "/var",
        "/var/spool",
        "/var/spool/cron",
        "/var/log",
        "/var/log/audit",
        "/var/log/journal",
        "/srv",
    };
    static const char *const files[] = { "/etc/shadow", "/var/log/auth.log", "/var/log/app.log",
                                         "/srv/plain" };
    int r = 0;

    for (size_t i = 0; i < RV_COUNT(folders); i++)
        (void)mkdir(folders[i], 0755);
    for (size_t i = 0; i < RV_COUNT(files); i++) {
        int fd = open(files[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

        r |= fd < 0 || write(fd, "x", 1) != 1 ? -1 : 0;
        close(fd);
    }
    return r | copy("/bin/busybox", "/srv/nginx") | copy("/bin/busybox", "/srv/dpkg");
}

static int set_up(void **state)
{
    const char *const texts[] = {
        policies_default,   policies_credentials, policies_persistence, policies_execution,
        policies_tampering, policies_impact,      policies_risk,
    };
    struct rv_rules_options options = { .offered = 1U << RV_BY_LSM };
    const struct rv_rule_settings settings = { 0 };
    size_t at = 0;
    int r = furnish();

    for (size_t i = 0; r == 0 && i < RV_COUNT(texts); i++)
        r = rv_policy_read(&set, "baseline", rv_span_str(texts[i]), NULL);
    if (r == 0)
        r = rv_rules_compile(&rules, &set, NULL, &options);
    if (r == 0)
        r = rv_lsm_open(&lsm);
    if (r == 0)
        r = rv_lsm_know_program(lsm, "/srv/nginx", RV_KIND_SERVER);
    if (r == 0)
        r = rv_lsm_know_program(lsm, "/srv/dpkg", RV_KIND_PACKAGE);
    if (r == 0)
        r = rv_lsm_swap(lsm, rules->rules, rules->count, &settings, &carried, &at);
    if (r == 0)
        r = rv_lsm_renew(lsm, 60000);
    if (r < 0)
        printf("# set up: %s\n", strerror(-r));
    return r;
}

static int tear_down(void **state)
{
    rv_lsm_close(&lsm);
    rv_rules_free(&rules);
    rv_policy_set_done(&set);
    return 0;
}

/* ---- Attempts: 0, or an error's number ---- */

static int opened(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0644), error = fd < 0 ? errno : 0;

    close(fd);
    return error;
}

static int error_of(long result)
{
    return result < 0 ? errno : 0;
}

static int plant_preload(void)
{
    return opened("/etc/ld.so.preload", O_CREAT | O_WRONLY);
}

static int plant_other(void)
{
    return opened("/etc/ld.so.other", O_CREAT | O_WRONLY);
}

static int plant_cron(void)
{
    return opened("/etc/cron.d/x", O_CREAT | O_WRONLY);
}

static int plant_unit(void)
{
    return opened("/etc/systemd/system/x.service", O_CREAT | O_WRONLY);
}

static int move_unit(void)
{
    return error_of(rename("/srv/plain", "/etc/systemd/system/y.service"));
}

static int set_user_id(void)
{
    return error_of(chmod("/srv/plain", 04755));
}

static int make_executable(void)
{
    return error_of(chmod("/srv/plain", 0755));
}

static int map(int protection)
{
    void *memory = mmap(NULL, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return memory == MAP_FAILED ? errno : 0;
}

static int map_to_write_and_run(void)
{
    return map(PROT_READ | PROT_WRITE | PROT_EXEC);
}

static int map_to_run(void)
{
    return map(PROT_READ | PROT_EXEC);
}

static int empty_log(void)
{
    return opened("/var/log/auth.log", O_WRONLY | O_TRUNC);
}

static int remove_log(void)
{
    return error_of(unlink("/var/log/auth.log"));
}

static int append_to_log(void)
{
    return opened("/var/log/auth.log", O_WRONLY | O_APPEND);
}

static int empty_app_log(void)
{
    return opened("/var/log/app.log", O_WRONLY | O_TRUNC);
}

static int run(const char *program, const char *const *argv)
{
    pid_t pid = fork();
    int status = 0;

    if (pid == 0) {
        execv(program, (char *const *)(uintptr_t)argv);
        _exit(errno);
    }
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int run_from_memory(void)
{
    static const char *const argv[] = { "true", NULL };
    char path[64];
    int fd = (int)syscall(SYS_memfd_create, "x", 0), error;

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    error = copy("/bin/busybox", path) == 0 ? run(path, argv) : -1;
    close(fd);
    return error;
}

static int run_from_disk(void)
{
    static const char *const argv[] = { "true", NULL };

    return run("/bin/busybox", argv);
}

static int attach(void)
{
    pid_t pid = fork();
    int error, status;

    if (pid == 0) {
        pause();
        _exit(0);
    }
    error = error_of(ptrace(PTRACE_ATTACH, pid, NULL, NULL));
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, &status, 0);
    return error;
}

/** A program of some kind starts busybox, which reads or writes. 1: it could not. */
static int below(const char *program, const char *command)
{
    const char *const argv[] = { "sh", "-c", command, NULL };

    return run(program, argv);
}

static int read_hashes_below_server(void)
{
    return below("/srv/nginx", "/bin/busybox cat /etc/shadow >/dev/null 2>&1 || exit 1");
}

static int read_hashes_below_other(void)
{
    return below("/bin/busybox", "/bin/busybox cat /etc/shadow >/dev/null 2>&1 || exit 1");
}

static int plant_cron_below_package(void)
{
    return below("/srv/dpkg", "/bin/busybox touch /etc/cron.d/packaged 2>/dev/null || exit 1");
}

/* ---- Tests ---- */

static const struct {
    const char *policy; /* NULL: a twin */
    int (*attempt)(void);
    int error;
} attempts[] = {
    { "credential.shadow-read-by-server", read_hashes_below_server, 1 },
    { NULL, read_hashes_below_other, 0 },
    { "persistence.ld-so-preload", plant_preload, EPERM },
    { NULL, plant_other, 0 },
    { "persistence.cron", plant_cron, EPERM },
    { NULL, plant_cron_below_package, 0 },
    { "persistence.systemd-unit", plant_unit, EPERM },
    { "persistence.systemd-unit", move_unit, EPERM },
    { "persistence.setid-bit", set_user_id, EPERM },
    { NULL, make_executable, 0 },
    { "execution.fileless-memfd", run_from_memory, EPERM },
    { NULL, run_from_disk, 0 },
    { "execution.wx-memory", map_to_write_and_run, EPERM },
    { NULL, map_to_run, 0 },
    { "tampering.log-wipe", empty_log, EPERM },
    { "tampering.log-wipe", remove_log, EPERM },
    { NULL, append_to_log, 0 },
    { NULL, empty_app_log, 0 },
    { "tampering.injection", attach, EPERM },
};

static const struct rv_rules_policy *find(const char *name)
{
    for (uint32_t i = 0; i < rules->policy_count; i++) {
        if (strcmp(rules->policies[i].name, name) == 0)
            return &rules->policies[i];
    }
    fail_msg("no policy %s", name);
    return NULL;
}

static void every_rule_is_carried(void **state)
{
    uint64_t by[RV_MECHANISMS_] = { [RV_BY_LSM] = carried };

    for (uint32_t i = 0; i < rules->count; i++) {
        if (!(carried >> i & 1))
            print_error("rule %u of %s\n", i, rules->policies[rules->rules[i].policy].name);
    }
    assert_int_equal(carried, (UINT64_C(1) << rules->count) - 1);
    rv_rules_carried(rules, by);
}

static void attacks_are_refused_and_twins_are_not(void **state)
{
    for (size_t i = 0; i < RV_COUNT(attempts); i++) {
        int error = attempts[i].attempt();

        if (error != attempts[i].error)
            fail_msg("attempt %zu (%s): %d, not %d", i,
                     attempts[i].policy ? attempts[i].policy : "a twin", error, attempts[i].error);
        if (attempts[i].policy)
            assert_int_equal(find(attempts[i].policy)->place, RV_PLACE_KERNEL);
    }
}

static uint64_t refusals(const char *name)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < rules->count; i++) {
        struct rv_rule_counts counts = { 0 };

        if (strcmp(rules->policies[rules->rules[i].policy].name, name) != 0)
            continue;
        rv_assert_ok(rv_lsm_rule_counts(lsm, i, &counts));
        sum += counts.by[RV_REFUSAL_DENIED];
    }
    return sum;
}

static void each_refusal_counts_for_its_policy(void **state)
{
    for (size_t i = 0; i < RV_COUNT(attempts); i++) {
        if (attempts[i].policy && refusals(attempts[i].policy) == 0)
            fail_msg("%s refused nothing", attempts[i].policy);
    }
    assert_int_equal(refusals("persistence.systemd-unit"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_is_carried),
        cmocka_unit_test(attacks_are_refused_and_twins_are_not),
        cmocka_unit_test(each_refusal_counts_for_its_policy),
    };

    if (!getenv("REEVE_VM"))
        return 77;
    return cmocka_run_group_tests_name("vm.policies", tests, set_up, tear_down);
}
