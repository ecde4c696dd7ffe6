/* SPDX-License-Identifier: Apache-2.0 */
/* What a package for the kernel must be, and what is refused before it reaches one. */
#include "test.h"

#include "enforce/score_package.h"
#include "features/table.h"
#include "models/forest_model.h"

/** What goes into a package; tests spoil one thing of it. */
struct parts {
    uint32_t feature; /* that the monotone head reads */
    bool no_thresholds, no_golden, bad_golden, bad_thresholds;
};

static struct rv_forest *stump(uint32_t feature, int32_t value)
{
    const struct rv_forest_node nodes[] = { { (int32_t)feature, value, 1, 2, 2 },
                                            { RV_FOREST_LEAF, -65536, 0, 0, 1 },
                                            { RV_FOREST_LEAF, 65536, 0, 0, 1 } };
    const uint32_t size = RV_COUNT(nodes);
    struct rv_forest_spec spec = { RV_FEATURE_COUNT, 0, &size, 1, nodes, size };
    struct rv_forest *forest = NULL;

    rv_assert_ok(rv_forest_make(&spec, &forest, NULL));
    return forest;
}

static void make_thresholds(struct rv_score_thresholds *thresholds)
{
    for (uint32_t class = 0; class < RV_SCORE_CLASSES; class ++)
        for (uint32_t i = 0; i < RV_SCORE_STEPS; i++)
            thresholds->steps[class][i] = (struct rv_score_step){
                i == RV_SCORE_STEPS - 1 ? INT64_MAX : (int64_t)i * 100 - 700 - class, i * 50, 0
            };
}

static void add(struct rv_package_writer *writer, const char *name, struct rv_buf *bytes)
{
    rv_assert_ok(rv_package_add(writer, name, rv_buf_span(bytes)));
    rv_buf_done(bytes);
}

static struct rv_package *make(const struct parts *parts)
{
    const struct rv_manifest_head head = { .kind = "forest",
                                           .name = "k",
                                           .version = "1",
                                           .intended_use = "",
                                           .limits = "",
                                           .width = RV_FEATURE_COUNT,
                                           .feature_table = rv_feature_table_digest() };
    RV_AUTO(rv_package_writer_done) struct rv_package_writer writer = { 0 };
    RV_AUTO(rv_forest_free) struct rv_forest *window = stump(RV_FEATURE_REMOVALS_FAST, 20);
    RV_AUTO(rv_forest_free) struct rv_forest *monotone = stump(parts->feature, 3);
    RV_AUTO(rv_row_set_done) struct rv_row_set rows = { 0 };
    RV_AUTO(rv_json_freep) json_t *manifest = rv_manifest_new(&head);
    RV_AUTO(rv_buf_done) struct rv_buf file = { 0 };
    struct rv_score_thresholds thresholds;
    struct rv_package *package = NULL;
    struct rv_buf bytes = { 0 };

    rv_forest_encode(window, &bytes);
    add(&writer, "forest", &bytes);
    rv_forest_encode(monotone, &bytes);
    add(&writer, "forest.monotone", &bytes);
    make_thresholds(&thresholds);
    if (parts->bad_thresholds)
        thresholds.steps[2][5].margin_q16 = thresholds.steps[2][4].margin_q16 - 1;
    rv_score_thresholds_encode(&thresholds, &bytes);
    if (!parts->no_thresholds)
        rv_assert_ok(rv_package_add(&writer, RV_SCORE_SECTION, rv_buf_span(&bytes)));
    rv_buf_done(&bytes);
    rv_assert_ok(rv_row_set_at_boundaries(window, 1, 8, &rows));
    rv_assert_ok(rv_golden_encode(window, &rows, &bytes));
    if (parts->bad_golden)
        bytes.data[bytes.len - 1] ^= 1;
    if (!parts->no_golden)
        rv_assert_ok(rv_package_add(&writer, "golden", rv_buf_span(&bytes)));
    rv_buf_done(&bytes);
    rv_assert_ok(rv_package_add_manifest(&writer, manifest));
    rv_assert_ok(rv_package_finish(&writer, rv_span(NULL, 0), &file));
    rv_assert_ok(rv_package_open(rv_buf_span(&file), &package, NULL));
    return package;
}

static int open_made(const struct parts *parts, struct rv_score_package **ret_made)
{
    RV_AUTO(rv_package_free) struct rv_package *package = make(parts);
    const char *why = NULL;
    int r = rv_score_package_open(package, ret_made, &why);

    assert_true(r == 0 || why);
    return r;
}

static void what_was_stored_is_what_the_kernel_gets(void **state)
{
    const struct parts parts = { .feature = RV_FEATURE_RENAMES };
    RV_AUTO(rv_package_free) struct rv_package *package = make(&parts);
    struct rv_sha256 digest = rv_package_digest(package);
    RV_AUTO(rv_score_package_free) struct rv_score_package *made = NULL;
    const struct rv_score_candidate *candidate;
    struct rv_score_thresholds thresholds;
    int32_t row[RV_FEATURE_COUNT] = { 0 };

    rv_assert_ok(rv_score_package_open(package, &made, NULL));
    rv_package_free(&package); /* it keeps nothing of it */
    candidate = rv_score_package_candidate(made);
    assert_int_equal(candidate->model.digest, rv_kernel_digest(&digest));
    row[RV_FEATURE_RENAMES] = 3;
    assert_int_equal(rv_forest_score(candidate->model.heads[RV_KERNEL_WINDOW], row), -65536);
    assert_int_equal(rv_forest_score(candidate->model.heads[RV_KERNEL_MONOTONE], row), 65536);
    make_thresholds(&thresholds);
    assert_memory_equal(candidate->thresholds, &thresholds, sizeof(thresholds));
    assert_true(candidate->golden.len > 0);
}

static void what_is_not_for_the_kernel_is_refused(void **state)
{
    static const struct {
        struct parts parts;
        int code;
    } cases[] = {
        { { .feature = RV_FEATURE_RENAMES, .no_thresholds = true }, -ENOENT },
        { { .feature = RV_FEATURE_RENAMES, .no_golden = true }, -EINVAL },
        { { .feature = RV_FEATURE_RENAMES, .bad_golden = true }, -EBADMSG },
        { { .feature = RV_FEATURE_RENAMES, .bad_thresholds = true }, -EINVAL },
        { { .feature = RV_FEATURE_CAPS_GAINED }, -EOPNOTSUPP }, /* the judge's alone */
    };

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        struct rv_score_package *made = NULL;

        assert_int_equal(open_made(&cases[i].parts, &made), cases[i].code);
        assert_null(made);
    }
}

static void thresholds_of_another_shape_are_refused(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf bytes = { 0 };
    struct rv_score_thresholds thresholds, decoded;

    make_thresholds(&thresholds);
    thresholds.steps[15][15].risk = 1001;
    rv_score_thresholds_encode(&thresholds, &bytes);
    assert_int_equal(rv_score_thresholds_decode(rv_buf_span(&bytes), &decoded), -EINVAL);
    rv_buf_clear(&bytes);
    make_thresholds(&thresholds);
    rv_score_thresholds_encode(&thresholds, &bytes);
    rv_assert_ok(rv_score_thresholds_decode(rv_buf_span(&bytes), &decoded));
    assert_int_equal(
        rv_score_thresholds_decode(rv_span((const uint8_t *)bytes.data, bytes.len - 1), &decoded),
        -EINVAL);
    rv_buf_add_char(&bytes, 0);
    assert_int_equal(rv_score_thresholds_decode(rv_buf_span(&bytes), &decoded), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_stored_is_what_the_kernel_gets),
        cmocka_unit_test(what_is_not_for_the_kernel_is_refused),
        cmocka_unit_test(thresholds_of_another_shape_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
