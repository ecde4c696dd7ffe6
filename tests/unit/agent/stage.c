/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "agent/stage.h"

static struct rv_stage_setting setting(const char *policy, const char *workload,
                                       enum rv_stage stage)
{
    struct rv_stage_setting value = { .stage = stage, .by_uid = 7, .unix_us = 5 };

    (void)snprintf(value.policy, sizeof(value.policy), "%s", policy);
    (void)snprintf(value.workload, sizeof(value.workload), "%s", workload);
    return value;
}

static void say(struct rv_stages *stages, const char *policy, const char *workload,
                enum rv_stage stage)
{
    struct rv_stage_setting value = setting(policy, workload, stage);

    rv_assert_ok(rv_stage_set(stages, &value));
}

static void what_names_most_holds_and_a_policy_counts_more(void **state)
{
    struct rv_stages stages = { .ceiling = RV_STAGE_ENFORCE };

    assert_int_equal(rv_stage_of(&stages, "p", "w"), RV_STAGE_OBSERVE);
    say(&stages, "*", "*", RV_STAGE_SHADOW);
    assert_int_equal(rv_stage_of(&stages, "p", "w"), RV_STAGE_SHADOW);
    say(&stages, "*", "w", RV_STAGE_ENFORCE);
    assert_int_equal(rv_stage_of(&stages, "p", "w"), RV_STAGE_ENFORCE);
    assert_int_equal(rv_stage_of(&stages, "p", NULL), RV_STAGE_SHADOW);
    say(&stages, "p", "*", RV_STAGE_OBSERVE);
    assert_int_equal(rv_stage_of(&stages, "p", "w"), RV_STAGE_OBSERVE);
    say(&stages, "p", "w", RV_STAGE_ENFORCE);
    assert_int_equal(rv_stage_of(&stages, "p", "w"), RV_STAGE_ENFORCE);
    assert_int_equal(rv_stage_of(&stages, "q", "x"), RV_STAGE_SHADOW);
    rv_assert_ok(rv_stage_unset(&stages, "p", "w"));
    assert_int_equal(rv_stage_unset(&stages, "p", "w"), -ENOENT);
    assert_int_equal(rv_stage_of(&stages, "p", "w"), RV_STAGE_OBSERVE);
}

static void nothing_goes_above_the_ceiling(void **state)
{
    struct rv_stages stages = { .fallback = RV_STAGE_ENFORCE };

    assert_int_equal(rv_stage_of(&stages, "p", "w"), RV_STAGE_OBSERVE);
    stages.ceiling = RV_STAGE_SHADOW;
    assert_int_equal(rv_stage_of(&stages, "p", "w"), RV_STAGE_SHADOW);
}

static void settings_survive_json_and_bad_ones_change_nothing(void **state)
{
    struct rv_stages stages = { .ceiling = RV_STAGE_ENFORCE }, copy = stages;
    RV_AUTO(rv_json_freep) json_t *json = NULL;
    RV_AUTO(rv_json_freep)
    json_t *bad = json_pack("[{ss ss ss sI sI}]", "policy", "p", "workload", "*", "stage", "later",
                            "by_uid", 0, "time", 0);
    RV_AUTO(rv_json_freep) json_t *object = json_object();

    say(&stages, "p", "*", RV_STAGE_ENFORCE);
    say(&stages, "*", "w", RV_STAGE_SHADOW);
    json = rv_stages_to_json(&stages);
    rv_assert_ok(rv_stages_from_json(&copy, json));
    assert_int_equal(copy.count, 2);
    assert_int_equal(rv_stage_of(&copy, "p", "x"), RV_STAGE_ENFORCE);
    assert_int_equal(copy.settings[0].by_uid, 7);
    assert_int_equal(rv_stages_from_json(&copy, bad), -EINVAL);
    assert_int_equal(rv_stages_from_json(&copy, object), -EINVAL);
    assert_int_equal(copy.count, 2);
}

static void there_is_an_end_to_settings(void **state)
{
    struct rv_stages stages = { 0 };
    struct rv_stage_setting one_more = setting("one more", "*", RV_STAGE_SHADOW);
    char name[16];

    for (int i = 0; i < RV_STAGE_SETTINGS_MAX; i++) {
        (void)snprintf(name, sizeof(name), "p%d", i);
        say(&stages, name, "*", RV_STAGE_SHADOW);
    }
    assert_int_equal(rv_stage_set(&stages, &one_more), -ENOSPC);
    say(&stages, "p3", "*", RV_STAGE_ENFORCE); /* replacing needs no place */
    memset(one_more.policy, 'x', sizeof(one_more.policy));
    assert_int_equal(rv_stage_set(&stages, &one_more), -ENAMETOOLONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_names_most_holds_and_a_policy_counts_more),
        cmocka_unit_test(nothing_goes_above_the_ceiling),
        cmocka_unit_test(settings_survive_json_and_bad_ones_change_nothing),
        cmocka_unit_test(there_is_an_end_to_settings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
