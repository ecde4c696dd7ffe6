/* SPDX-License-Identifier: Apache-2.0 */
/* Imports: what XGBoost itself said, every form of ONNX, and what is refused. */
#include "test.h"

#include "base/fd.h"
#include "models/forest_model.h"
#include "models/import.h"
#include "models/mlp.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>

static struct rv_span read_all(const char *path, char **owner)
{
    size_t len = 0;

    rv_assert_ok(rv_read_file(AT_FDCWD, path, RV_IMPORT_BYTES_MAX, owner, &len));
    return rv_span(*owner, len);
}

/* Margins that XGBoost 1.7 printed for the corpus model; value i of all rows is 37 * i % 100. */
static void xgboost_margins_come_out(void **state)
{
    static const double expected[] = { 0.985451579, 0.701984882, -0.994340658, -1.88557374,
                                       -1.52457416 };
    RV_AUTO(rv_freep) char *text = NULL;
    struct rv_span json = read_all(RV_CORPUS "/xgboost/three-trees.json", &text);
    struct rv_source_forest *source = NULL;
    struct rv_forest *forest = NULL;
    struct rv_import_error error = { "" };
    int32_t rows[30];

    for (int32_t i = 0; i < 30; i++)
        rows[i] = i * 37 % 100;
    if (rv_import_xgboost(json, &source, &error) < 0)
        fail_msg("%s", error.message);
    rv_assert_ok(rv_source_convert(source, &forest, &error));
    assert_int_equal(source->width, 6);
    for (size_t i = 0; i < RV_COUNT(expected); i++) {
        assert_true(fabs(rv_source_margin(source, rows + i * 6) - expected[i]) < 1e-6);
        assert_true(fabs((double)rv_forest_score(forest, rows + i * 6) / 65536 - expected[i]) <
                    5e-5);
    }
    rv_forest_free(&forest);
    rv_source_forest_free(&source);
}

static void import_file(const char *path)
{
    RV_AUTO(rv_freep) char *text = NULL;
    struct rv_source_forest *source = NULL;
    struct rv_forest *forest = NULL;
    RV_AUTO(rv_row_set_done) struct rv_row_set rows = { 0 };
    struct rv_import_error error = { "" };
    struct rv_equality equality;

    if (rv_import_onnx(read_all(path, &text), &source, &error) < 0 ||
        rv_source_convert(source, &forest, &error) < 0)
        fail_msg("%s: %s", path, error.message);
    rv_assert_ok(rv_row_set_at_boundaries(forest, 5, 3000, &rows));
    equality = rv_source_compare(source, forest, rows.values, rows.count);
    if (equality.decisions_changed || equality.margin_error_max > 3e-4)
        fail_msg("%s: %llu decisions changed, error %g", path,
                 (unsigned long long)equality.decisions_changed, equality.margin_error_max);
    rv_forest_free(&forest);
    rv_source_forest_free(&source);
}

static void every_form_of_onnx_keeps_its_decisions(void **state)
{
    DIR *folder = opendir(RV_CORPUS "/onnx");
    struct dirent *entry;
    size_t count = 0;

    assert_non_null(folder);
    while ((entry = readdir(folder))) {
        char path[512];

        if (!strstr(entry->d_name, ".onnx") || strncmp(entry->d_name, "dense", 5) == 0)
            continue;
        (void)snprintf(path, sizeof(path), RV_CORPUS "/onnx/%s", entry->d_name);
        import_file(path);
        count++;
    }
    closedir(folder);
    assert_true(count >= 8);
}

static void networks_come_back_as_they_were(void **state)
{
    static const char *const paths[] = { RV_CORPUS "/onnx/dense-gemm.onnx",
                                         RV_CORPUS "/onnx/dense-matmul.onnx" };
    const int32_t row[12] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };

    for (size_t i = 0; i < RV_COUNT(paths); i++) {
        RV_AUTO(rv_freep) char *text = NULL;
        RV_AUTO(rv_mlp_free) struct rv_mlp *mlp = NULL;
        RV_AUTO(rv_mlp_free) struct rv_mlp *again = NULL;
        RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
        struct rv_import_error error = { "" };

        if (rv_import_onnx_mlp(read_all(paths[i], &text), &mlp, &error) < 0)
            fail_msg("%s: %s", paths[i], error.message);
        rv_mlp_encode(mlp, &buf);
        rv_assert_ok(rv_mlp_decode(rv_buf_span(&buf), &again, NULL));
        assert_int_equal(rv_mlp_score(mlp, row), rv_mlp_score(again, row));
        assert_int_equal(rv_mlp_width(again), 12);
        for (size_t len = 0; len < buf.len; len += 3) {
            struct rv_mlp *cut = NULL;

            assert_int_equal(rv_mlp_decode(rv_span(buf.data, len), &cut, NULL), -EINVAL);
        }
    }
}

static void thresholds_are_those_of_floats(void **state)
{
    /* 16777217 is no float: XGBoost sees 16777216, which is not below 16777217.0f == 16777216. */
    static struct rv_source_node nodes[] = {
        { RV_SPLIT_LT, 0, 16777216.0, 1, 2, 1 },
        { RV_SPLIT_LEAF, 0, 1, 0, 0, 1 },
        { RV_SPLIT_LEAF, 0, -1, 0, 0, 1 },
    };
    struct rv_source_tree tree = { nodes, 3, 0 };
    struct rv_source_forest source = { 1, 0, 1, RV_SOURCE_FLOAT32, &tree, 1 };
    static const enum rv_split_mode modes[] = { RV_SPLIT_LT,  RV_SPLIT_LEQ, RV_SPLIT_GT,
                                                RV_SPLIT_GTE, RV_SPLIT_EQ,  RV_SPLIT_NEQ };
    static const double thresholds[] = {
        16777216.0, 0.5, 3, -3.5, -1e30, 1e30, 2147483648.0, -2147483648.0, 2147483520.0, 0
    };
    static const int32_t values[] = { INT32_MIN,  INT32_MIN + 1,
                                      -4,         -3,
                                      -1,         0,
                                      1,          2,
                                      3,          4,
                                      16777215,   16777216,
                                      16777217,   16777218,
                                      2147483519, INT32_MAX - 64,
                                      INT32_MAX };

    for (size_t i = 0; i < RV_COUNT(modes) * RV_COUNT(thresholds); i++) {
        struct rv_forest *forest = NULL;

        nodes[0].mode = modes[i / RV_COUNT(thresholds)];
        nodes[0].value = thresholds[i % RV_COUNT(thresholds)];
        rv_assert_ok(rv_source_convert(&source, &forest, NULL));
        for (size_t j = 0; j < RV_COUNT(values); j++) {
            double theirs = rv_source_margin(&source, &values[j]);

            if ((rv_forest_score(forest, &values[j]) > 0) != (theirs > 0))
                fail_msg("mode %d, threshold %g, value %d", nodes[0].mode, nodes[0].value,
                         values[j]);
        }
        rv_forest_free(&forest);
    }
}

static void hostile_json_is_refused_with_a_reason(void **state)
{
    static const struct {
        const char *name, *json;
        int expected;
    } cases[] = {
        { "empty", "", -EINVAL },
        { "not an object", "[]", -EOPNOTSUPP },
        { "dart", "{\"learner\": {\"gradient_booster\": {\"name\": \"dart\"}}}", -EOPNOTSUPP },
        { "no width", "{\"learner\": {\"gradient_booster\": {\"name\": \"gbtree\"}}}", -EINVAL },
    };

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        struct rv_source_forest *source = NULL;
        struct rv_import_error error = { "" };
        int r = rv_import_xgboost(rv_span_str(cases[i].json), &source, &error);

        if (r != cases[i].expected || error.message[0] == '\0' || source)
            fail_msg("%s: %d %s", cases[i].name, r, error.message);
    }
}

/* Circles, children outside, leaves too large. */
static void hostile_trees_are_refused(void **state)
{
    static struct rv_source_node circle[] = { { RV_SPLIT_LT, 0, 1, 0, 1, 1 },
                                              { RV_SPLIT_LEAF, 0, 1, 0, 0, 1 } };
    static struct rv_source_node outside[] = { { RV_SPLIT_LT, 0, 1, 1, 7, 1 },
                                               { RV_SPLIT_LEAF, 0, 1, 0, 0, 1 } };
    static struct rv_source_node feature[] = { { RV_SPLIT_LT, 9, 1, 1, 1, 1 },
                                               { RV_SPLIT_LEAF, 0, 1, 0, 0, 1 } };
    static struct rv_source_node large[] = { { RV_SPLIT_LEAF, 0, 1e9, 0, 0, 1 } };
    static struct rv_source_node nan[] = { { RV_SPLIT_LEAF, 0, NAN, 0, 0, 1 } };
    struct rv_source_tree trees[] = {
        { circle, 2, 0 }, { outside, 2, 0 }, { feature, 2, 0 },
        { large, 1, 0 },  { nan, 1, 0 },     { large, 1, 5 },
    };

    for (size_t i = 0; i < RV_COUNT(trees); i++) {
        struct rv_source_forest source = { 1, 0, 1, RV_SOURCE_FLOAT32, &trees[i], 1 };
        struct rv_forest *forest = NULL;
        struct rv_import_error error = { "" };

        if (rv_source_convert(&source, &forest, &error) != -EINVAL || error.message[0] == '\0')
            fail_msg("tree %zu was not refused", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(xgboost_margins_come_out),
        cmocka_unit_test(every_form_of_onnx_keeps_its_decisions),
        cmocka_unit_test(networks_come_back_as_they_were),
        cmocka_unit_test(thresholds_are_those_of_floats),
        cmocka_unit_test(hostile_json_is_refused_with_a_reason),
        cmocka_unit_test(hostile_trees_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
