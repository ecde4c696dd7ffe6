/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard's part of enforcement over mechanisms that only say what they were asked. One of them
 * takes as long to open as the test wants, as the verifier does over BPF LSM.
 */
#include "test.h"

#include "base/fd.h"
#include "enforcer.h"
#include "kernel_packages.h"
#include "models/alias.h"
#include "provider.h"
#include "scratch.h"

#include <endian.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 30000
#define DIGEST      0x1234

/** A mechanism's own view. */
static struct {
    int gate[2];  /* the slow one opens once a byte is in it */
    bool stalled; /* nobody let it go: the caller was made to wait */
    bool opened, closed;
    bool observes;                      /* the last word */
    unsigned swaps, renewals, refusing; /* refusing: moments in which it would have refused */
    size_t rules;
    char order[16]; /* first letters of what was asked */
    struct {
        uint32_t tgid;
        bool guarded;
    } protected[256];
    size_t protected_count;
    unsigned models;       /* how often it was given models */
    uint64_t live, shadow; /* those it has; 0: none */
    bool takes_no_model;
} fake;

static struct {
    struct scratch scratch;
    struct rv_agent_config config;
    struct rv_kernel_models kernel;
    struct rv_enforcer *enforcer;
    struct rv_channel_enforcing state; /* what the judge was told last */
    struct rv_channel_acted acted;
    unsigned told;
} guard;

static void note(char what)
{
    size_t len = strlen(fake.order);

    if (len + 1 < sizeof(fake.order))
        fake.order[len] = what;
    fake.refusing += fake.rules > 0 && !fake.observes;
}

static int open_slowly(void **ret_handle, const struct rv_provider_options *options)
{
    struct pollfd gate = { fake.gate[0], POLLIN, 0 };
    char byte;

    fake.stalled = poll(&gate, 1, PATIENCE_MS) != 1 || read(gate.fd, &byte, 1) != 1;
    fake.opened = true;
    *ret_handle = &fake;
    return 0;
}

static int open_never(void **ret_handle, const struct rv_provider_options *options)
{
    return -EPERM;
}

static void close_fake(void *handle)
{
    fake.closed = true;
}

static int swap(void *handle, const struct rv_rule *rules, size_t count,
                const struct rv_rule_settings *settings, uint64_t *ret_carried, size_t *reterr_rule)
{
    fake.rules = count;
    fake.swaps++;
    *ret_carried = 1;
    note('s');
    return 0;
}

static int renew(void *handle, uint64_t ms)
{
    assert_int_equal(ms, RV_LEASE_MS);
    fake.renewals++;
    return 0;
}

static int observe(void *handle, bool on)
{
    fake.observes = on;
    note(on ? 'o' : 'f');
    return 0;
}

static int protect(void *handle, struct rv_process_key process, bool guarded)
{
    if (fake.protected_count < RV_COUNT(fake.protected)) {
        fake.protected[fake.protected_count].tgid = process.tgid;
        fake.protected[fake.protected_count++].guarded = guarded;
    }
    return 0;
}

static bool is_protected(pid_t pid, bool guarded)
{
    for (size_t i = 0; i < fake.protected_count; i++) {
        if (fake.protected[i].tgid == (uint32_t)pid && fake.protected[i].guarded == guarded)
            return true;
    }
    return false;
}

static int drain(void *handle, rv_provider_put_fn *put, void *context)
{
    return 0;
}

static int know_root(void *handle, const char *root)
{
    return 0;
}

static int model(void *handle, const struct rv_kernel_models *models)
{
    fake.models++;
    fake.live = fake.takes_no_model ? 0 : kernel_package_digest(models->live);
    fake.shadow = fake.takes_no_model ? 0 : kernel_package_digest(models->shadow);
    note('m');
    return fake.takes_no_model ? -EBADMSG : 0;
}

static void scores(void *handle, struct rv_channel_scores *ret_scores)
{
    *ret_scores = (struct rv_channel_scores){ .model = fake.live, .shadow = fake.shadow };
}

static const struct rv_provider slow = {
    .mechanism = RV_BY_LSM,
    .open = open_slowly,
    .close = close_fake,
    .swap = swap,
    .renew = renew,
    .observe = observe,
    .protect = protect,
    .drain = drain,
    .know_root = know_root,
    .model = model,
    .scores = scores,
};
static const struct rv_provider broken = { .mechanism = RV_BY_CGROUP, .open = open_never };

const struct rv_provider *const rv_providers[] = { &slow, &broken, NULL };

static int tell(void *context, enum rv_channel_type type, struct rv_span payload)
{
    if (type == RV_CHANNEL_ENFORCING)
        memcpy(&guard.state, payload.data, sizeof(guard.state));
    if (type == RV_CHANNEL_ACTED)
        memcpy(&guard.acted, payload.data, sizeof(guard.acted));
    guard.told++;
    return 0;
}

static void make_guard(bool boot_guarded)
{
    struct rv_enforcer_options options = {
        .config = &guard.config,
        .kernel = &guard.kernel,
        .clock = rv_clock_system(),
        .boot_guarded = boot_guarded,
        .tell = tell,
    };

    rv_assert_ok(rv_enforcer_new(&guard.enforcer, &options));
}

static int set_up(void **state)
{
    memset(&fake, 0, sizeof(fake));
    memset(&guard, 0, sizeof(guard));
    assert_int_equal(pipe2(fake.gate, O_CLOEXEC), 0);
    scratch_make(&guard.scratch);
    rv_assert_ok(rv_config_init(rv_agent_config_keys, &guard.config));
    free(guard.config.runtime_dir);
    guard.config.runtime_dir = strdup(guard.scratch.path);
    guard.config.self_protect = false;
    make_guard(false);
    return 0;
}

static void let_go(void)
{
    assert_int_equal(write(fake.gate[1], "", 1), 1);
}

static int tear_down(void **state)
{
    let_go();
    rv_enforcer_free(&guard.enforcer, RV_ENFORCER_UNDO);
    rv_config_done(rv_agent_config_keys, &guard.config);
    scratch_done(&guard.scratch);
    close(fake.gate[0]);
    close(fake.gate[1]);
    return fake.opened && !fake.closed;
}

static void send_rules(void)
{
    struct rv_channel_rules rules = { .settings = { .digest = DIGEST }, .count = 1 };
    struct rv_rule rule = { .actions = RV_DO_CONNECT, .mode = RV_RULE_ENFORCE };

    rv_assert_ok(rv_enforcer_rules(guard.enforcer, &rules));
    rv_assert_ok(rv_enforcer_rule(guard.enforcer, &rule));
}

/** As the guard's loop does, until mechanisms are open. */
static void wait_until_open(void)
{
    int fds[RV_ENFORCER_FDS];
    struct pollfd done = { -1, POLLIN, 0 };

    rv_enforcer_fds(guard.enforcer, fds);
    done.fd = fds[RV_MECHANISMS_];
    assert_true(done.fd >= 0);
    assert_int_equal(poll(&done, 1, PATIENCE_MS), 1);
    rv_enforcer_drain(guard.enforcer);
    rv_enforcer_fds(guard.enforcer, fds);
    assert_int_equal(fds[RV_MECHANISMS_], -1);
    assert_false(fake.stalled);
}

static void rules_wait_for_mechanisms_and_the_loop_does_not(void **state)
{
    send_rules(); /* comes back while the mechanism is being opened */
    assert_int_equal(guard.state.opening, 1);
    assert_int_equal(guard.state.rules, 0);
    rv_assert_ok(rv_enforcer_health(guard.enforcer));
    assert_int_equal(fake.swaps, 0);
    assert_true(rv_enforcer_armed(guard.enforcer)); /* the kernel is at work: mark this boot */
    let_go();
    wait_until_open();
    assert_int_equal(fake.swaps, 1);
    assert_int_equal(guard.state.opening, 0);
    assert_int_equal(guard.state.rules, 1);
    assert_int_equal(guard.state.digest, DIGEST);
    assert_string_equal(fake.order, "fs");
    assert_true(rv_enforcer_armed(guard.enforcer));
}

static void a_stop_that_comes_meanwhile_wins(void **state)
{
    send_rules();
    rv_enforcer_stop(guard.enforcer, true);
    assert_int_equal(guard.state.stopped, 1);
    let_go();
    wait_until_open();
    assert_string_equal(fake.order, "os"); /* observing before it has rules */
    assert_int_equal(fake.refusing, 0);
    assert_false(rv_enforcer_armed(guard.enforcer));
    rv_enforcer_stop(guard.enforcer, false);
    assert_int_equal(fake.refusing, 1);
}

static void a_stop_that_is_over_again_leaves_nothing_behind(void **state)
{
    send_rules();
    rv_enforcer_stop(guard.enforcer, true);
    rv_enforcer_stop(guard.enforcer, false);
    let_go();
    wait_until_open();
    assert_string_equal(fake.order, "fs");
}

static void rules_of_a_judge_that_died_meanwhile_are_dropped(void **state)
{
    send_rules();
    rv_enforcer_new_judge(guard.enforcer, -1);
    let_go();
    wait_until_open();
    assert_int_equal(fake.swaps, 0);
    send_rules(); /* the next one's: the mechanism is open */
    assert_int_equal(fake.swaps, 1);
}

static void the_set_in_place_is_the_last_one(void **state)
{
    struct rv_channel_rules none = { .settings = { .digest = DIGEST + 1 } };

    send_rules();
    rv_assert_ok(rv_enforcer_rules(guard.enforcer, &none));
    let_go();
    wait_until_open();
    assert_int_equal(fake.rules, 0);
    assert_int_equal(guard.state.digest, DIGEST + 1);
}

static void the_end_waits_for_what_is_being_opened(void **state)
{
    send_rules();
    let_go();
    rv_enforcer_free(&guard.enforcer, RV_ENFORCER_UNDO);
    assert_true(fake.opened);
    assert_true(fake.closed);
}

static void what_does_not_work_is_offered_no_more(void **state)
{
    send_rules();
    assert_true(guard.state.offered & 1U << RV_BY_CGROUP);
    let_go();
    wait_until_open();
    assert_false(guard.state.offered & 1U << RV_BY_CGROUP);
    assert_true(guard.state.offered & 1U << RV_BY_LSM);
    assert_int_equal(guard.state.mechanisms, 1U << RV_BY_LSM | 1U << RV_BY_AFTER);
}

static void leases_are_renewed_by_a_word_of_the_judge_alone(void **state)
{
    send_rules();
    let_go();
    wait_until_open();
    rv_enforcer_drain(guard.enforcer);
    send_rules();
    assert_int_equal(fake.renewals, 0);
    rv_assert_ok(rv_enforcer_health(guard.enforcer));
    assert_int_equal(fake.renewals, 1);
}

/* Process 1, those above us, and Reeve's own: from the moment a mechanism is there, and later. */
static void the_protected_are_told_to_each_mechanism(void **state)
{
    pid_t child = fork();

    if (child == 0) {
        pause();
        _exit(0);
    }
    rv_enforcer_protect(guard.enforcer, getpid());
    send_rules();
    let_go();
    wait_until_open();
    assert_true(is_protected(1, false));
    assert_true(is_protected(getppid(), false));
    assert_true(is_protected(getpid(), true));
    assert_false(is_protected(child, true));
    rv_enforcer_protect(guard.enforcer, child); /* a judge that was started again */
    assert_true(is_protected(child, true));
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void after_two_bad_boots_nothing_is_even_opened(void **state)
{
    int fds[RV_ENFORCER_FDS];

    rv_enforcer_free(&guard.enforcer, RV_ENFORCER_LEAVE);
    make_guard(true);
    send_rules();
    rv_enforcer_fds(guard.enforcer, fds);
    assert_int_equal(fds[RV_MECHANISMS_], -1);
    assert_int_equal(guard.state.rules, 0);
    assert_int_equal(guard.state.boot_guarded, 1);
}

/** Ask for the freezing of a process that is not there. @return what came of it. */
static int asked_to_act(void)
{
    const struct rv_channel_act act = { .request = 1,
                                        .process = { .tgid = 1 << 22, .start_boot_ns = 1 },
                                        .action = RV_ACT_FREEZE };

    memset(&guard.acted, 0, sizeof(guard.acted));
    rv_assert_ok(rv_enforcer_act(guard.enforcer, &act));
    assert_int_equal(guard.acted.request, 1);
    return guard.acted.error;
}

static void a_stop_and_a_bad_boot_end_actions_too(void **state)
{
    assert_int_not_equal(asked_to_act(), -ECANCELED);
    rv_enforcer_stop(guard.enforcer, true);
    assert_int_equal(asked_to_act(), -ECANCELED);
    rv_enforcer_stop(guard.enforcer, false);
    assert_int_not_equal(asked_to_act(), -ECANCELED);
    rv_enforcer_free(&guard.enforcer, RV_ENFORCER_LEAVE);
    make_guard(true);
    assert_int_equal(asked_to_act(), -ECANCELED);
}

/* ---- Models ---- */

static struct rv_sha256 promoted(int32_t from, enum kernel_package kind, mode_t mode)
{
    return kernel_package_put(guard.scratch.fd, from, kind, mode);
}

/** With models in a folder; with rules in place. */
static void begin_with_models(void)
{
    if (geteuid() != 0)
        skip(); /* packages must be root's */
    rv_enforcer_free(&guard.enforcer, RV_ENFORCER_LEAVE);
    free(guard.config.model);
    guard.config.model = strdup(guard.scratch.path);
    rv_assert_ok(rv_kernel_models_open(&guard.kernel, &guard.config));
    make_guard(false);
    send_rules();
    let_go();
    wait_until_open();
}

static void speaks(struct rv_sha256 live)
{
    rv_assert_ok(rv_enforcer_model(guard.enforcer, &(struct rv_channel_model){ .live = live }));
}

static const struct rv_sha256 nothing;

/** As the kernel names it. */
static uint64_t slot_digest(const struct rv_sha256 *digest)
{
    uint64_t begin;

    memcpy(&begin, digest->bytes, sizeof(begin));
    return be64toh(begin);
}

static void the_kernel_follows_the_model_that_speaks(void **state)
{
    struct rv_sha256 one, two;

    begin_with_models();
    assert_int_equal(guard.state.scores.live_why, RV_SLOT_NO_MODEL);
    one = promoted(3, KERNEL_PACKAGE_ITSELF, 0644);
    two = promoted(4, KERNEL_PACKAGE_CARRIES, 0644);
    speaks(one);
    assert_int_equal(guard.state.scores.model, slot_digest(&one));
    assert_int_equal(guard.state.scores.live_why, RV_SLOT_FOLLOWS);
    speaks(two);
    assert_int_equal(guard.state.scores.model, kernel_package_carried(4));
    speaks(one); /* quarantined: the last good one returns */
    assert_int_equal(guard.state.scores.model, slot_digest(&one));
    speaks(nothing); /* stepped down, or the built-in one */
    assert_int_equal(guard.state.scores.model, 0);
    assert_int_equal(guard.state.scores.live_why, RV_SLOT_NO_MODEL);
    assert_int_equal(fake.models, 4);
    rv_kernel_models_done(&guard.kernel);
}

static void what_cannot_be_followed_empties_the_slot(void **state)
{
    static const struct {
        const char *name;
        enum kernel_package kind;
        mode_t mode;
        enum rv_kernel_slot_why why;
    } cases[] = {
        { "for the judge alone", KERNEL_PACKAGE_NOT, 0644, RV_SLOT_NO_HEAD },
        { "others may write it", KERNEL_PACKAGE_ITSELF, 0666, RV_SLOT_REFUSED },
    };
    struct rv_sha256 unknown = { .bytes = { 1 } }, good;

    begin_with_models();
    good = promoted(3, KERNEL_PACKAGE_ITSELF, 0644);
    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        speaks(good);
        assert_int_equal(fake.live, slot_digest(&good));
        speaks(promoted(10 + (int32_t)i, cases[i].kind, cases[i].mode));
        if (guard.state.scores.live_why != cases[i].why || fake.live)
            fail_msg("%s: %u", cases[i].name, guard.state.scores.live_why);
    }
    speaks(unknown);
    assert_int_equal(guard.state.scores.live_why, RV_SLOT_REFUSED);
    assert_int_equal(guard.state.scores.error, -ENOENT);
    fake.takes_no_model = true;
    speaks(good);
    assert_int_equal(guard.state.scores.live_why, RV_SLOT_REFUSED);
    assert_int_equal(guard.state.scores.error, -EBADMSG);
    assert_int_equal(guard.state.scores.model, 0);
    rv_kernel_models_done(&guard.kernel);
}

/** A file in the folder by a digest's name that holds another package. */
static void a_package_is_known_by_its_digest_not_by_its_name(void **state)
{
    char from[RV_ALIAS_PACKAGE_NAME_MAX], to[RV_ALIAS_PACKAGE_NAME_MAX];
    struct rv_sha256 one, two;

    begin_with_models();
    one = promoted(3, KERNEL_PACKAGE_ITSELF, 0644);
    two = promoted(4, KERNEL_PACKAGE_ITSELF, 0644);
    rv_alias_package_name(&one, from);
    rv_alias_package_name(&two, to);
    assert_int_equal(renameat(guard.scratch.fd, from, guard.scratch.fd, to), 0);
    speaks(two);
    assert_int_equal(guard.state.scores.error, -ESTALE);
    assert_int_equal(fake.live, 0);
    rv_kernel_models_done(&guard.kernel);
}

static void a_model_that_comes_while_mechanisms_are_opened_is_taken_up_then(void **state)
{
    struct rv_sha256 one;

    begin_with_models();
    rv_enforcer_free(&guard.enforcer, RV_ENFORCER_LEAVE);
    make_guard(false);
    fake.models = 0;
    send_rules();
    one = promoted(3, KERNEL_PACKAGE_ITSELF, 0644);
    speaks(one);
    assert_int_equal(fake.models, 0);
    let_go();
    wait_until_open();
    assert_int_equal(fake.models, 1);
    assert_int_equal(guard.state.scores.model, slot_digest(&one));
    rv_kernel_models_done(&guard.kernel);
}

static void a_pinned_model_follows_nothing(void **state)
{
    char name[RV_ALIAS_PACKAGE_NAME_MAX];
    struct rv_sha256 one, two;

    begin_with_models();
    rv_enforcer_free(&guard.enforcer, RV_ENFORCER_LEAVE);
    one = promoted(3, KERNEL_PACKAGE_ITSELF, 0644);
    two = promoted(4, KERNEL_PACKAGE_ITSELF, 0644);
    rv_alias_package_name(&one, name);
    free(guard.config.kernel_model);
    assert_true(asprintf(&guard.config.kernel_model, "%s/%s", guard.scratch.path, name) > 0);
    rv_assert_ok(rv_kernel_models_open(&guard.kernel, &guard.config));
    make_guard(false);
    fake.models = 0;
    send_rules();
    let_go();
    wait_until_open();
    speaks(two);
    assert_int_equal(fake.models, 0);
    assert_int_equal(guard.state.scores.live_why, RV_SLOT_PINNED);
    assert_int_equal(kernel_package_digest(guard.kernel.live), slot_digest(&one));
    rv_kernel_models_done(&guard.kernel);
}

int main(void)
{
#define WITH_GUARD(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_GUARD(rules_wait_for_mechanisms_and_the_loop_does_not),
        WITH_GUARD(a_stop_that_comes_meanwhile_wins),
        WITH_GUARD(a_stop_that_is_over_again_leaves_nothing_behind),
        WITH_GUARD(rules_of_a_judge_that_died_meanwhile_are_dropped),
        WITH_GUARD(the_set_in_place_is_the_last_one),
        WITH_GUARD(the_end_waits_for_what_is_being_opened),
        WITH_GUARD(what_does_not_work_is_offered_no_more),
        WITH_GUARD(leases_are_renewed_by_a_word_of_the_judge_alone),
        WITH_GUARD(the_protected_are_told_to_each_mechanism),
        WITH_GUARD(after_two_bad_boots_nothing_is_even_opened),
        WITH_GUARD(a_stop_and_a_bad_boot_end_actions_too),
        WITH_GUARD(the_kernel_follows_the_model_that_speaks),
        WITH_GUARD(what_cannot_be_followed_empties_the_slot),
        WITH_GUARD(a_package_is_known_by_its_digest_not_by_its_name),
        WITH_GUARD(a_model_that_comes_while_mechanisms_are_opened_is_taken_up_then),
        WITH_GUARD(a_pinned_model_follows_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
