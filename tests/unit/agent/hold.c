/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "agent/hold.h"
#include "base/clock.h"

#define OWNER    1000
#define APPROVER 2000

static struct rv_holds *holds;

static int set_up(void **state)
{
    holds = calloc(1, sizeof(*holds));
    return holds ? 0 : -1;
}

static int tear_down(void **state)
{
    free(holds);
    return 0;
}

static struct rv_hold a_hold(void)
{
    return (struct rv_hold){
        .what = { .program_inode = 11, .file_inode = 22, .uid = OWNER, .action = RV_DO_READ },
        .digest = 77,
        .tgid = 5,
        .since_boot_ns = 1000,
        .expires_boot_ns = 1000 + 60 * RV_NS_PER_S,
        .policy = "p",
        .resource = "/etc/shadow",
    };
}

static struct rv_hold *open_one(const struct rv_hold *hold, bool expect_new)
{
    struct rv_hold *held = NULL;
    bool is_new = false;

    rv_assert_ok(rv_hold_open(holds, hold, &held, &is_new));
    assert_int_equal(is_new, expect_new);
    return held;
}

static void an_approval_is_of_one_action_and_used_once(void **state)
{
    struct rv_hold hold = a_hold(), *held = open_one(&hold, true);
    struct rv_grant other = hold.what;

    assert_int_equal(rv_hold_approve(holds, held->id, OWNER, 2000, 1000, &held), -EPERM);
    assert_int_equal(rv_hold_approve(holds, 99, APPROVER, 2000, 1000, &held), -ENOENT);
    assert_null(rv_hold_use(holds, &hold.what)); /* not yet */
    rv_assert_ok(rv_hold_approve(holds, held->id, APPROVER, 2000, 1000, &held));
    assert_int_equal(held->what.expires_boot_ns, 2000 + 1000 * RV_NS_PER_MS);
    assert_int_equal(rv_hold_approve(holds, held->id, APPROVER, 2000, 1000, &held), -EALREADY);
    other.file_inode++;
    assert_null(rv_hold_use(holds, &other));
    other = hold.what;
    other.uid++;
    assert_null(rv_hold_use(holds, &other));
    assert_ptr_equal(rv_hold_use(holds, &hold.what), held);
    assert_null(rv_hold_use(holds, &hold.what));
    assert_int_equal(held->state, RV_HOLD_USED);
}

static void trying_again_is_the_same_hold_until_it_is_decided(void **state)
{
    struct rv_hold hold = a_hold(), *first = open_one(&hold, true), *again;

    again = open_one(&hold, false);
    assert_ptr_equal(first, again);
    assert_int_equal(again->tries, 2);
    rv_assert_ok(rv_hold_deny(holds, first->id, APPROVER, &again));
    assert_int_equal(rv_hold_deny(holds, first->id, APPROVER, &again), -EALREADY);
    assert_int_not_equal(open_one(&hold, true)->id, first->id);
    hold.digest++;
    (void)open_one(&hold, true); /* another policy is another question */
}

static void what_nobody_decides_or_uses_expires(void **state)
{
    struct rv_hold hold = a_hold(), *held = open_one(&hold, true);

    assert_null(rv_hold_expire(holds, held->expires_boot_ns - 1));
    assert_ptr_equal(rv_hold_expire(holds, held->expires_boot_ns), held);
    assert_null(rv_hold_expire(holds, held->expires_boot_ns));
    held = open_one(&hold, true);
    rv_assert_ok(rv_hold_approve(holds, held->id, APPROVER, 5000, 10, &held));
    assert_ptr_equal(rv_hold_expire(holds, 5000 + 10 * RV_NS_PER_MS), held);
    assert_null(rv_hold_use(holds, &hold.what));
}

static void another_policy_ends_what_was_approved_under_the_old_one(void **state)
{
    struct rv_hold hold = a_hold(), *held = open_one(&hold, true);

    rv_assert_ok(rv_hold_approve(holds, held->id, APPROVER, 2000, 1000, &held));
    assert_null(rv_hold_outdate(holds, 77));
    assert_ptr_equal(rv_hold_outdate(holds, 78), held);
    assert_null(rv_hold_outdate(holds, 78));
    assert_null(rv_hold_use(holds, &hold.what));
}

static void a_frozen_process_is_held_once_for_itself(void **state)
{
    struct rv_hold hold = a_hold(), other;

    hold.kind = RV_HOLD_FROZEN;
    other = hold;
    other.tgid++;
    (void)open_one(&hold, true);
    (void)open_one(&hold, false);
    (void)open_one(&other, true);
}

static void decided_ones_make_room_and_open_ones_do_not(void **state)
{
    struct rv_hold hold = a_hold(), *held = NULL;
    bool is_new;

    for (unsigned i = 0; i < RV_HOLDS_MAX; i++) {
        hold.what.file_inode = i;
        held = open_one(&hold, true);
    }
    hold.what.file_inode = RV_HOLDS_MAX;
    assert_int_equal(rv_hold_open(holds, &hold, &held, &is_new), -ENOSPC);
    rv_assert_ok(rv_hold_deny(holds, 3, APPROVER, &held));
    assert_int_equal(open_one(&hold, true)->id, RV_HOLDS_MAX + 1);
    assert_null(rv_hold_find(holds, 3));
    assert_null(rv_hold_find(holds, 0));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_approval_is_of_one_action_and_used_once),
        TEST(trying_again_is_the_same_hold_until_it_is_decided),
        TEST(what_nobody_decides_or_uses_expires),
        TEST(another_policy_ends_what_was_approved_under_the_old_one),
        TEST(a_frozen_process_is_held_once_for_itself),
        TEST(decided_ones_make_room_and_open_ones_do_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
