/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "agent/filter.h"
#include "base/json.h"

static struct rv_event_builder builder;

static struct rv_outcome outcome(const char *action, const char *program, uint32_t risk)
{
    const struct rv_event *event;

    rv_event_begin(&builder, RV_EVENT_FILE_UNLINK);
    event = rv_event_end(&builder);
    return (struct rv_outcome){
        .event = event,
        .action = action,
        .program = rv_text_str(program),
        .verdict.risk = risk,
        .decision.effect = RV_EFFECT_ALLOW,
    };
}

static bool passes(const char *request, struct rv_outcome outcome)
{
    RV_AUTO(rv_json_freep) json_t *value = NULL;
    struct rv_filter *filter = NULL;
    char why[100];
    bool result;

    rv_assert_ok(rv_json_parse(rv_span_str(request), &value, NULL));
    rv_assert_ok(rv_filter_from_json(&filter, value, why, sizeof(why)));
    result = rv_filter_passes(filter, &outcome);
    rv_filter_free(&filter);
    return result;
}

static void each_condition_is_kept(void **state)
{
    struct rv_outcome seen = outcome("file.unlink", "/usr/bin/rm", 250);
    struct rv_outcome denied = seen;

    denied.decision.effect = RV_EFFECT_DENY;
    assert_true(passes("{}", seen));
    assert_true(passes("{\"actions\":[\"file.unlink\"]}", seen));
    assert_true(passes("{\"actions\":[\"net\",\"file\"]}", seen));
    assert_false(passes("{\"actions\":[\"fil\"]}", seen));
    assert_false(passes("{\"actions\":[\"file.unlink.x\"]}", seen));
    assert_true(passes("{\"program\":\"/usr/bin/rm\"}", seen));
    assert_true(passes("{\"program\":\"/usr/*\"}", seen));
    assert_false(passes("{\"program\":\"/usr/bin/r\"}", seen));
    assert_true(passes("{\"risk_min\":250}", seen));
    assert_false(passes("{\"risk_min\":251}", seen));
    assert_false(passes("{\"denied\":true}", seen));
    assert_true(passes("{\"denied\":true}", denied));
}

static void event_without_action_goes_by_its_type(void **state)
{
    struct rv_outcome seen = outcome(NULL, "", 0);

    assert_true(passes("{\"actions\":[\"file\"]}", seen));
    assert_false(passes("{\"denied\":true}", seen));
}

static void wrong_requests_are_refused(void **state)
{
    static const char *const bad[] = { "{\"actions\":1}", "{\"actions\":[1]}", "{\"program\":1}",
                                       "{\"risk_min\":-1}", "{\"risk_min\":\"x\"}" };

    for (size_t i = 0; i < RV_COUNT(bad); i++) {
        RV_AUTO(rv_json_freep) json_t *value = NULL;
        struct rv_filter *filter = NULL;
        char why[100] = "";

        rv_assert_ok(rv_json_parse(rv_span_str(bad[i]), &value, NULL));
        assert_int_equal(rv_filter_from_json(&filter, value, why, sizeof(why)), -EINVAL);
        assert_null(filter);
        assert_true(why[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_condition_is_kept),
        cmocka_unit_test(event_without_action_goes_by_its_type),
        cmocka_unit_test(wrong_requests_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
