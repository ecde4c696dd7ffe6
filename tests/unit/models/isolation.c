/* SPDX-License-Identifier: Apache-2.0 */
/* Isolation forests: what stands apart scores higher, the same seed grows the same forest. */
#include "test.h"

#include "models/isolation.h"

enum { WIDTH = 3, ROWS = 500 };

static int32_t values[ROWS * WIDTH];

static void make_rows(void)
{
    uint64_t x = 1;

    for (size_t i = 0; i < ROWS * WIDTH; i++) {
        x = x * 6364136223846793005ULL + 1442695040888963407ULL;
        values[i] = (int32_t)(x >> 56);
    }
}

static void what_stands_apart_scores_higher(void **state)
{
    static const int32_t ordinary[WIDTH] = { 120, 130, 125 }, strange[WIDTH] = { 900, -400, 700 };
    const struct rv_isolation_options options = rv_isolation_defaults();
    struct rv_forest *forest = NULL;
    int64_t sum = 0;

    make_rows();
    rv_assert_ok(rv_isolation_train(values, ROWS, WIDTH, &options, &forest));
    assert_true(rv_forest_score(forest, strange) > rv_forest_score(forest, ordinary) + 2 * 65536);
    for (size_t i = 0; i < ROWS; i++) {
        assert_true(rv_forest_score(forest, values + i * WIDTH) <
                    rv_forest_score(forest, strange));
        sum += rv_forest_score(forest, values + i * WIDTH);
    }
    assert_in_range(sum / ROWS + 65536, 0, 2 * 65536); /* ordinary rows: about 0 */
    rv_forest_free(&forest);
}

static void the_same_seed_grows_the_same_forest(void **state)
{
    struct rv_isolation_options options = rv_isolation_defaults();
    struct rv_buf bytes[3] = { 0 };

    make_rows();
    for (size_t i = 0; i < 3; i++) {
        struct rv_forest *forest = NULL;

        options.seed = i < 2 ? 5 : 6;
        rv_assert_ok(rv_isolation_train(values, ROWS, WIDTH, &options, &forest));
        rv_forest_encode(forest, &bytes[i]);
        rv_forest_free(&forest);
    }
    assert_true(rv_span_eq(rv_buf_span(&bytes[0]), rv_buf_span(&bytes[1])));
    assert_false(rv_span_eq(rv_buf_span(&bytes[0]), rv_buf_span(&bytes[2])));
    for (size_t i = 0; i < 3; i++)
        rv_buf_done(&bytes[i]);
}

static void what_cannot_be_split_is_refused(void **state)
{
    static const int32_t alike[4 * WIDTH] = { 0 };
    static const int32_t extremes[2 * WIDTH] = { INT32_MIN, 0, 0, INT32_MAX, 0, 0 };
    struct rv_isolation_options options = rv_isolation_defaults();
    struct rv_forest *forest = NULL;

    assert_int_equal(rv_isolation_train(alike, 4, WIDTH, &options, &forest), -EINVAL);
    assert_int_equal(rv_isolation_train(alike, 1, WIDTH, &options, &forest), -EINVAL);
    rv_assert_ok(rv_isolation_train(extremes, 2, WIDTH, &options, &forest));
    rv_forest_free(&forest);
    options.sample = 1;
    assert_int_equal(rv_isolation_train(extremes, 2, WIDTH, &options, &forest), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_stands_apart_scores_higher),
        cmocka_unit_test(the_same_seed_grows_the_same_forest),
        cmocka_unit_test(what_cannot_be_split_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
