/* SPDX-License-Identifier: Apache-2.0 */
/* A package as a model: two heads, reasons, golden rows, rows as text. */
#include "forests.h"

#include "features/table.h"
#include "models/card.h"
#include "models/forest_model.h"

static const struct test_shape shape = { 20, 4, RV_FEATURE_COUNT, 100, 9 };

static void add_forest(struct rv_package_writer *writer, const char *name, uint64_t seed,
                       struct test_shape of)
{
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
    struct rv_forest *forest = test_forest(seed, of);

    rv_forest_encode(forest, &buf);
    rv_assert_ok(rv_package_add(writer, name, rv_buf_span(&buf)));
    rv_forest_free(&forest);
}

static struct rv_package *make_package(bool monotone, bool our_table, struct test_shape of)
{
    RV_AUTO(rv_package_writer_done) struct rv_package_writer writer = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
    struct rv_manifest_head head = {
        .kind = "forest", .name = "test", .version = "1", .intended_use = "tests", .width = of.width
    };
    RV_AUTO(rv_json_freep) json_t *manifest = NULL;
    struct rv_package *package = NULL;

    if (our_table)
        head.feature_table = rv_feature_table_digest();
    manifest = rv_manifest_new(&head);
    json_object_set_new(manifest, "promise",
                        json_pack("{s:i, s:i, s:i}", "alarms_per_host_day_ppm", 1500000,
                                  "confidence_ppm", 950000, "calibration_scores", 30000));
    json_object_set_new(manifest, "evasion",
                        json_pack("[{s:s, s:i}]", "attack", "append 4x", "detection_ppm", 712345));
    rv_assert_ok(rv_manifest_add_metric(manifest, "detection at 1 %", 860000, 840000, 880000));
    add_forest(&writer, "forest", 1, of);
    if (monotone)
        add_forest(&writer, "forest.monotone", 2, of);
    rv_assert_ok(rv_package_add_manifest(&writer, manifest));
    rv_assert_ok(rv_package_finish(&writer, rv_span(NULL, 0), &buf));
    rv_assert_ok(rv_package_open(rv_buf_span(&buf), &package, NULL));
    return package;
}

static void the_louder_head_speaks_and_explains(void **state)
{
    struct rv_package *package = make_package(true, true, shape);
    struct rv_model *model = NULL;
    struct rv_kernel_model heads;
    struct test_random random = { 1 };

    rv_assert_ok(rv_forest_model_open(package, &model, NULL));
    heads = rv_forest_model_heads(model);
    for (size_t round = 0; round < 50; round++) {
        struct rv_vector vector;
        struct rv_verdict verdict;
        int64_t sum, window, monotone;

        test_row(&random, shape, vector.value);
        window = rv_forest_score(heads.heads[RV_KERNEL_WINDOW], vector.value);
        monotone = rv_forest_score(heads.heads[RV_KERNEL_MONOTONE], vector.value);
        rv_model_judge(model, &vector, RV_EXPLAIN, &verdict);
        assert_int_equal(verdict.raw_q16, window > monotone ? window : monotone);
        assert_int_equal(verdict.raw_q16, rv_model_score_q16(model, &vector));
        sum = verdict.base_q16;
        for (size_t f = 0; f < RV_FEATURE_COUNT; f++)
            sum += verdict.attribution_q16[f];
        assert_int_equal(sum, verdict.raw_q16);
    }
    rv_model_free(&model);
    rv_package_free(&package);
}

static void other_tables_and_widths_are_refused(void **state)
{
    struct test_shape narrow = shape;
    struct rv_package *package = make_package(false, false, shape);
    struct rv_model *model = NULL;
    const char *why = NULL;

    assert_int_equal(rv_forest_model_open(package, &model, &why), -EINVAL);
    assert_string_equal(why, "the model was made for another feature table");
    rv_package_free(&package);
    narrow.width = 10;
    package = make_package(false, true, narrow);
    assert_int_equal(rv_forest_model_open(package, &model, &why), -EINVAL);
    rv_package_free(&package);
}

static void golden_rows_hold_only_for_their_forest(void **state)
{
    struct rv_forest *forest = test_forest(1, shape), *other = test_forest(2, shape);
    RV_AUTO(rv_row_set_done) struct rv_row_set rows = { 0 }, again = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };

    rv_assert_ok(rv_row_set_at_boundaries(forest, 7, 64, &rows));
    rv_assert_ok(rv_golden_encode(forest, &rows, &buf));
    rv_assert_ok(rv_golden_check(forest, rv_buf_span(&buf), &again));
    assert_int_equal(again.count, 64);
    assert_memory_equal(again.values, rows.values, 64 * shape.width * sizeof(int32_t));
    rv_row_set_done(&again);
    assert_int_equal(rv_golden_check(other, rv_buf_span(&buf), &again), -EBADMSG);
    assert_int_equal(rv_golden_check(forest, rv_span(buf.data, buf.len - 1), &again), -EINVAL);
    rv_forest_free(&forest);
    rv_forest_free(&other);
}

static void rows_are_read_from_text(void **state)
{
    static const struct {
        const char *text;
        uint32_t width;
        int expected;
        size_t count, line;
    } cases[] = {
        { "a,b,c\n1,2,3\n-4;5\t6\n", 0, 0, 2, 0 },
        { "1 2\n3 4", 2, 0, 2, 0 },
        { "1,2\n3\n", 0, -EINVAL, 0, 2 },
        { "1\n2147483648\n", 0, -EINVAL, 0, 2 },
        { "1\n-2147483648\n", 0, 0, 2, 0 },
        { "1\n1.5\n", 0, -EINVAL, 0, 2 },
        { "", 0, 0, 0, 0 },
        { "1\n\n2\n", 0, 0, 2, 0 },
    };

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        RV_AUTO(rv_row_set_done) struct rv_row_set rows = { 0 };
        size_t line = 0;
        int r = rv_row_set_parse(rv_span_str(cases[i].text), cases[i].width, &rows, &line);

        if (r != cases[i].expected || rows.count != cases[i].count || line != cases[i].line)
            fail_msg("case %zu: %d, %zu rows, line %zu", i, r, rows.count, line);
    }
}

/** A package of a manifest with figures, and of nothing else but a forest. */
static struct rv_package *make_measured(const char *name, const char *figures)
{
    RV_AUTO(rv_package_writer_done) struct rv_package_writer writer = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
    struct rv_manifest_head head = {
        .kind = "forest", .name = name, .version = "1", .intended_use = "tests", .width = 96
    };
    RV_AUTO(rv_json_freep) json_t *manifest = rv_manifest_new(&head);
    RV_AUTO(rv_json_freep) json_t *more = NULL;
    struct rv_package *package = NULL;

    rv_assert_ok(rv_json_parse(rv_span_str(figures), &more, NULL));
    assert_int_equal(json_object_update(manifest, more), 0);
    add_forest(&writer, "forest", 1, shape);
    rv_assert_ok(rv_package_add_manifest(&writer, manifest));
    rv_assert_ok(rv_package_finish(&writer, rv_span(NULL, 0), &buf));
    rv_assert_ok(rv_package_open(rv_buf_span(&buf), &package, NULL));
    return package;
}

static void the_page_draws_what_was_measured(void **state)
{
    struct rv_package *package = make_measured(
        "<script>x</script>",
        "{\"operating\":[{\"view\":\"as shipped\",\"risk\":300,\"alarms_per_host_day_milli\":10000,"
        "\"detection_ppm\":500000},{\"view\":\"<b>\",\"risk\":-9007199254740991,"
        "\"alarms_per_host_day_milli\":9007199254740991,\"detection_ppm\":-9007199254740991}],"
        "\"families\":{\"ransom & co\":{\"streams\":4,\"found\":3},\"odd\":{\"streams\":0,"
        "\"found\":9}}}");
    RV_AUTO(rv_buf_done) struct rv_buf page = { 0 }, again = { 0 };

    rv_assert_ok(rv_card_html(package, &page));
    rv_assert_ok(rv_card_html(package, &again));
    assert_true(rv_span_eq(rv_buf_span(&page), rv_buf_span(&again)));
    assert_null(strstr(page.data, "<script"));
    assert_null(strstr(page.data, "<b>"));
    assert_non_null(strstr(page.data, "ransom &amp; co"));
    assert_non_null(strstr(page.data, ">3/4</text>"));
    /* 10 in 100,000 is one decade of five; half of all is half way up. */
    assert_non_null(strstr(page.data, "cx=\"168\" cy=\"133\" r=\"5\""));
    rv_package_free(&package);
}

static void the_card_promises_in_words(void **state)
{
    struct rv_package *package = make_package(true, true, shape);
    RV_AUTO(rv_buf_done) struct rv_buf text = { 0 }, bom = { 0 }, again = { 0 };
    RV_AUTO(rv_json_freep) json_t *root = NULL;

    rv_assert_ok(rv_card_text(package, &text));
    assert_non_null(strstr(text.data, "At most 1.50 alarms per host-day with 95.00 % confidence"));
    assert_non_null(strstr(text.data, "86.00 %  (84.00 % to 88.00 %)"));
    assert_non_null(strstr(text.data, "append 4x"));
    rv_assert_ok(rv_card_cyclonedx(package, &bom));
    rv_assert_ok(rv_card_cyclonedx(package, &again));
    assert_true(rv_span_eq(rv_buf_span(&bom), rv_buf_span(&again)));
    rv_assert_ok(rv_json_parse(rv_buf_span(&bom), &root, NULL));
    assert_string_equal(json_string_value(json_object_get(root, "specVersion")), "1.6");
    rv_package_free(&package);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_louder_head_speaks_and_explains),
        cmocka_unit_test(other_tables_and_widths_are_refused),
        cmocka_unit_test(golden_rows_hold_only_for_their_forest),
        cmocka_unit_test(rows_are_read_from_text),
        cmocka_unit_test(the_card_promises_in_words),
        cmocka_unit_test(the_page_draws_what_was_measured),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
