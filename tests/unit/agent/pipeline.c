/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "agent/folder.h"
#include "agent/pipeline.h"
#include "base/json.h"
#include "events.h"

static struct rv_bundle *bundle;

static int open_all(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf why = { 0 };

    return rv_bundle_open_folder(&bundle, SOURCE_ROOT "/policies/baseline", &why);
}

static int close_all(void **state)
{
    rv_bundle_free(&bundle);
    return 0;
}

static struct rv_pipeline *new_pipeline(void)
{
    struct rv_pipeline_options options = {
        .program = bundle->program,
        .entities = bundle->entities,
        .policy_digest = bundle->digest,
        .risk_min = 1000,
        .mode = "observe",
        .learning = RV_LEARN_ON,
    };
    struct rv_pipeline *pipeline = NULL;

    rv_assert_ok(rv_pipeline_new(&pipeline, &options));
    return pipeline;
}

static const struct rv_event *preload_write(struct rv_event_builder *builder, uint64_t time)
{
    struct rv_event_file_open *open = (void *)rv_event_begin(builder, RV_EVENT_FILE_OPEN);

    open->header.tgid = 100;
    open->header.start_boot_ns = 5000;
    open->header.time_boot_ns = time;
    open->access = RV_ACCESS_WRITE | RV_ACCESS_CREATE;
    rv_event_put_str(builder, &open->path, rv_span_str("/etc/ld.so.preload"), 64);
    return rv_event_end(builder);
}

static void forbidden_act_matters_and_says_why(void **state)
{
    RV_AUTO(rv_pipeline_free) struct rv_pipeline *pipeline = new_pipeline();
    RV_AUTO(rv_json_freep) json_t *receipt = NULL;
    struct rv_event_builder builder;
    struct rv_outcome outcome;
    const json_t *verdict, *part;
    const char *key;
    int64_t sum;

    rv_pipeline_put(pipeline, make_event(&builder, RV_EVENT_PROCESS_EXEC, 6000), &outcome);
    assert_false(outcome.matters);
    rv_pipeline_put(pipeline, preload_write(&builder, 7000), &outcome);
    assert_true(outcome.matters);
    assert_int_equal(outcome.decision.effect, RV_EFFECT_DENY);
    assert_true(rv_text_is(rv_outcome_annotation(pipeline, &outcome, "technique"), "T1574.006"));

    receipt = rv_outcome_receipt(pipeline, &outcome);
    assert_non_null(receipt);
    verdict = json_object_get(receipt, "verdict");
    assert_int_equal(json_array_size(json_object_get(verdict, "vector")), RV_FEATURE_COUNT);
    sum = json_integer_value(json_object_get(verdict, "base_q16"));
    json_object_foreach(json_object_get(verdict, "attribution_q16"), key, part) sum +=
        json_integer_value(part);
    assert_int_equal(sum, json_integer_value(json_object_get(verdict, "raw_q16")));
}

static void like_ones_are_counted_not_reported(void **state)
{
    RV_AUTO(rv_pipeline_free) struct rv_pipeline *pipeline = new_pipeline();
    struct rv_pipeline_counts counts;
    struct rv_event_builder builder;
    struct rv_outcome outcome;
    unsigned reported = 0;

    for (uint64_t i = 0; i < 100; i++) {
        rv_pipeline_put(pipeline, preload_write(&builder, 1000000 * i), &outcome);
        reported += outcome.matters;
    }
    /* Five for each set of policies that speaks: others join in while it goes on. */
    assert_in_range(reported, 5, 20);
    rv_pipeline_put(pipeline, preload_write(&builder, 60000000000), &outcome);
    assert_true(outcome.matters);
    assert_in_range(outcome.repeated, 30, 95);
    rv_pipeline_counts(pipeline, &counts);
    assert_int_equal(counts.denied, 101);
}

static void append_all(struct rv_buf *buf)
{
    RV_AUTO(rv_pipeline_free) struct rv_pipeline *pipeline = new_pipeline();

    for (uint64_t i = 0; i < 2000; i++) {
        struct rv_event_builder builder;
        struct rv_outcome outcome;
        uint16_t type = (uint16_t)(1 + i * 7 % 81);

        if (!rv_event_info(type))
            continue;
        rv_pipeline_put(pipeline, make_event(&builder, (enum rv_event_type)type, 1000 * i),
                        &outcome);
        rv_outcome_json(buf, pipeline, &outcome, 0);
    }
}

static void same_events_give_the_same_bytes(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf first = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf second = { 0 };

    append_all(&first);
    append_all(&second);
    assert_true(first.len > 100000);
    assert_true(rv_span_eq(rv_buf_span(&first), rv_buf_span(&second)));
}

static void what_was_learnt_is_saved_and_damage_refused(void **state)
{
    RV_AUTO(rv_pipeline_free) struct rv_pipeline *pipeline = new_pipeline();
    RV_AUTO(rv_pipeline_free) struct rv_pipeline *other = new_pipeline();
    RV_AUTO(rv_buf_done) struct rv_buf saved = { 0 };
    struct rv_event_builder builder;
    struct rv_outcome outcome;
    const char *why = NULL;

    rv_pipeline_put(pipeline, make_event(&builder, RV_EVENT_PROCESS_EXEC, 6000), &outcome);
    rv_pipeline_save(pipeline, &saved);
    rv_assert_ok(rv_pipeline_load(other, rv_buf_span(&saved), &why));
    for (size_t cut = 0; cut < saved.len; cut += 1 + saved.len / 50) {
        RV_AUTO(rv_pipeline_free) struct rv_pipeline *fresh = new_pipeline();

        assert_true(rv_pipeline_load(fresh, rv_span(saved.data, cut), &why) < 0);
        assert_non_null(why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forbidden_act_matters_and_says_why),
        cmocka_unit_test(like_ones_are_counted_not_reported),
        cmocka_unit_test(same_events_give_the_same_bytes),
        cmocka_unit_test(what_was_learnt_is_saved_and_damage_refused),
    };

    return cmocka_run_group_tests(tests, open_all, close_all);
}
