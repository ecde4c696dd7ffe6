/* SPDX-License-Identifier: Apache-2.0 */
/* Forests: what is refused, that every evaluator agrees, that bytes come back as they were. */
#include "forests.h"

#define LEAF(value_)                                                                               \
    {                                                                                              \
        RV_FOREST_LEAF, value_, 0, 0, 1                                                            \
    }
#define SPLIT(feature_, value_, left_, right_)                                                     \
    {                                                                                              \
        feature_, value_, left_, right_, 2                                                         \
    }

static void refuses_what_could_not_be_evaluated(void **state)
{
    static const struct {
        const char *name;
        struct rv_forest_node nodes[5];
        uint32_t count, width;
    } cases[] = {
        { "feature outside the row", { SPLIT(2, 0, 1, 2), LEAF(1), LEAF(2) }, 3, 2 },
        { "negative feature", { SPLIT(-2, 0, 1, 2), LEAF(1), LEAF(2) }, 3, 2 },
        { "child is its parent", { SPLIT(0, 0, 0, 1), LEAF(1) }, 2, 2 },
        { "child outside", { SPLIT(0, 0, 1, 3), LEAF(1), LEAF(2) }, 3, 2 },
        { "one child twice", { SPLIT(0, 0, 1, 1), LEAF(1) }, 2, 2 },
        { "two parents",
          { SPLIT(0, 0, 1, 2), SPLIT(0, 1, 3, 4), SPLIT(0, 2, 3, 4), LEAF(1), LEAF(2) },
          5,
          2 },
        { "orphan", { SPLIT(0, 0, 1, 2), LEAF(1), LEAF(2), LEAF(3) }, 4, 2 },
        { "leaf with children", { { RV_FOREST_LEAF, 1, 1, 2, 1 }, LEAF(1), LEAF(2) }, 3, 2 },
        { "cover below zero", { { RV_FOREST_LEAF, 1, 0, 0, -1 } }, 1, 2 },
        { "no width", { LEAF(1) }, 1, 0 },
        { "empty tree", { LEAF(1) }, 0, 2 },
    };

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        struct rv_forest_spec spec = { cases[i].width, 0, &cases[i].count, 1, cases[i].nodes,
                                       cases[i].count };
        struct rv_forest *forest = NULL;
        const char *why = NULL;

        if (rv_forest_make(&spec, &forest, &why) != -EINVAL || !why || forest)
            fail_msg("%s was not refused", cases[i].name);
    }
}

static void refuses_a_tree_that_is_too_deep(void **state)
{
    struct rv_forest_node nodes[2 * RV_FOREST_DEPTH_MAX + 3];
    uint32_t count = 0;
    struct rv_forest_spec spec = { 1, 0, &count, 1, nodes, 0 };
    struct rv_forest *forest = NULL;

    for (uint32_t i = 0; i <= RV_FOREST_DEPTH_MAX; i++) {
        nodes[count] = (struct rv_forest_node)SPLIT(0, (int32_t)i, count + 1, count + 2);
        nodes[count + 1] = (struct rv_forest_node)LEAF(1);
        count += 2;
    }
    nodes[count++] = (struct rv_forest_node)LEAF(2);
    spec.node_count = count;
    assert_int_equal(rv_forest_make(&spec, &forest, NULL), -EINVAL);
}

static const struct test_shape shapes[] = {
    { 1, 0, 1, 2, 0 },     { 16, 4, 64, 100, 0 },  { 64, 5, 96, 1000, 7 },
    { 20, 8, 16, 50, 11 }, { 5, 11, 30, 4000, 9 }, { 40, 6, 3, 12, 5 },
};

static void every_evaluator_agrees(void **state)
{
    for (size_t i = 0; i < RV_COUNT(shapes); i++) {
        struct rv_forest *forest = test_forest(i, shapes[i]);
        struct test_random random = { 77 };
        int32_t rows[53 * 96];
        int64_t scores[53];

        for (size_t j = 0; j < 53; j++)
            test_row(&random, shapes[i], rows + j * shapes[i].width);
        rv_forest_score_rows(forest, rows, 53, scores);
        for (size_t j = 0; j < 53; j++) {
            int64_t plain = rv_forest_score_plain(forest, rows + j * shapes[i].width);

            assert_int_equal(rv_forest_score(forest, rows + j * shapes[i].width), plain);
            assert_int_equal(scores[j], plain);
        }
        rv_forest_free(&forest);
    }
}

static void extremes_of_values_compare_as_signed(void **state)
{
    static const struct rv_forest_node nodes[] = {
        SPLIT(0, 0, 1, 4), SPLIT(0, INT32_MIN + 1, 2, 3), LEAF(1),
        LEAF(2),           SPLIT(0, INT32_MAX, 5, 6),     LEAF(3),
        LEAF(4),
    };
    static const struct {
        int32_t value;
        int64_t score;
    } cases[] = { { INT32_MIN, 1 }, { INT32_MIN + 1, 2 }, { -1, 2 },
                  { 0, 3 },         { INT32_MAX - 1, 3 }, { INT32_MAX, 4 } };
    const uint32_t size = RV_COUNT(nodes);
    struct rv_forest_spec spec = { 1, 0, &size, 1, nodes, size };
    struct rv_forest *forest = NULL;

    rv_assert_ok(rv_forest_make(&spec, &forest, NULL));
    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        int64_t score;

        assert_int_equal(rv_forest_score(forest, &cases[i].value), cases[i].score);
        rv_forest_score_rows(forest, &cases[i].value, 1, &score);
        assert_int_equal(score, cases[i].score);
    }
    rv_forest_free(&forest);
}

static void bytes_come_back_as_they_were(void **state)
{
    for (size_t i = 0; i < RV_COUNT(shapes); i++) {
        struct rv_forest *forest = test_forest(i, shapes[i]), *again = NULL;
        RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 }, buf_again = { 0 };

        rv_forest_encode(forest, &buf);
        rv_assert_ok(rv_forest_decode(rv_buf_span(&buf), &again, NULL));
        rv_forest_encode(again, &buf_again);
        assert_true(rv_span_eq(rv_buf_span(&buf), rv_buf_span(&buf_again)));
        rv_forest_free(&again);
        assert_int_equal(rv_forest_decode(rv_span(buf.data, buf.len - 1), &again, NULL), -EINVAL);
        rv_forest_free(&forest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_could_not_be_evaluated),
        cmocka_unit_test(refuses_a_tree_that_is_too_deep),
        cmocka_unit_test(every_evaluator_agrees),
        cmocka_unit_test(extremes_of_values_compare_as_signed),
        cmocka_unit_test(bytes_come_back_as_they_were),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
