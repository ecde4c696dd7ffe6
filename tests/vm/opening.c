/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard's enforcer opens BPF LSM for real: how long the verifier takes, that the loop is not
 * held up by it, and that a stop that comes meanwhile is there before the first rule.
 */
#include "rules.h"

#include "base/clock.h"
#include "enforcer.h"
#include "provider_private.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR        "/tmp/opening"
#define SECRET     DIR "/secret"
#define LOADING_MS 300000

const struct rv_provider *const rv_providers[] = { &rv_provider_lsm, NULL };

static struct rv_agent_config config;
static struct rv_kernel_models models;
static struct rv_enforcer *enforcer;
static struct rv_channel_enforcing told;

static int tell(void *context, enum rv_channel_type type, struct rv_span payload)
{
    if (type == RV_CHANNEL_ENFORCING)
        memcpy(&told, payload.data, sizeof(told));
    return 0;
}

static uint64_t now_ms(void)
{
    struct rv_clock clock = rv_clock_system();

    return clock.boot_ns(clock.context) / RV_NS_PER_MS;
}

static int read_secret(void)
{
    int fd = open(SECRET, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    close(fd);
    return 0;
}

static int set_up(void **state)
{
    static const char *const sets[] = { "runtime_dir=" DIR, "protect.self=no" };
    struct rv_enforcer_options options = {
        .config = &config,
        .kernel = &models,
        .clock = rv_clock_system(),
        .tell = tell,
    };
    int fd;

    assert_int_equal(mkdir(DIR, 0755), 0);
    fd = open(SECRET, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    close(fd);
    rv_assert_ok(rv_agent_config_load(&config, "/dev/null", sets, RV_COUNT(sets)));
    rv_assert_ok(rv_enforcer_new(&enforcer, &options));
    return 0;
}

static int tear_down(void **state)
{
    rv_enforcer_free(&enforcer, RV_ENFORCER_UNDO);
    rv_agent_config_done(&config);
    return 0;
}

/** The guard's loop for a while, asleep but for what it has to hear. @return the longest turn. */
static uint64_t loop_until_open(uint64_t since_ms)
{
    uint64_t longest = 0;

    while (told.opening) {
        uint64_t begun = now_ms(), turn;
        int fds[RV_ENFORCER_FDS];
        struct pollfd done = { -1, POLLIN, 0 };

        rv_enforcer_fds(enforcer, fds);
        done.fd = fds[RV_MECHANISMS_];
        if (poll(&done, 1, 10) == 0) {
            turn = now_ms() - begun;
            longest = turn > longest ? turn : longest;
        }
        rv_enforcer_drain(enforcer);
        assert_true(now_ms() - since_ms < LOADING_MS);
    }
    return longest;
}

static void a_stop_is_heard_while_the_verifier_works_and_wins(void **state)
{
    struct rv_channel_rules rules = { .count = 1 };
    struct rv_rule rule = rule_about(RV_DO_READ);
    uint64_t begun = now_ms(), heard, longest;

    add_text(&rule, RV_TERM_FILE, SECRET, false);
    rv_assert_ok(rv_enforcer_rules(enforcer, &rules));
    rv_assert_ok(rv_enforcer_rule(enforcer, &rule));
    rv_enforcer_stop(enforcer, true);
    heard = now_ms();
    assert_int_equal(told.opening, 1); /* else nothing was shown */
    assert_int_equal(told.stopped, 1);
    longest = loop_until_open(begun);
    printf(
        "# opened in %llu ms; the stop was heard after %llu ms, the longest turn of 10 ms took %llu "
        "ms\n",
        (unsigned long long)(now_ms() - begun), (unsigned long long)(heard - begun),
        (unsigned long long)longest);
    assert_true(told.mechanisms & 1U << RV_BY_LSM);
    assert_int_equal(told.rules, 1);
    rv_assert_ok(rv_enforcer_health(enforcer));
    assert_int_equal(in_child(read_secret), 0);
    rv_enforcer_stop(enforcer, false);
    assert_int_equal(in_child(read_secret), -EPERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stop_is_heard_while_the_verifier_works_and_wins),
    };

    if (!getenv("REEVE_VM")) {
        printf("1..0 # SKIP only inside tests/vm/run-vm\n# skip: only inside tests/vm/run-vm\n");
        return 77;
    }
    setvbuf(stdout, NULL, _IONBF, 0);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
