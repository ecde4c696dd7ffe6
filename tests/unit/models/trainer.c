/* SPDX-License-Identifier: Apache-2.0 */
/* Training: it learns, it repeats itself, constraints hold, bad input is refused. */
#include "forests.h"

#include "models/trainer.h"

#define WIDTH 8
#define COUNT 2000

struct data {
    int32_t values[COUNT * WIDTH];
    float targets[COUNT];
};

/* The target depends on two features and some noise; the others say nothing. */
static struct rv_rows make_rows(struct data *data)
{
    struct test_random random = { 9 };

    for (size_t i = 0; i < COUNT; i++) {
        int32_t *row = &data->values[i * WIDTH];

        for (size_t f = 0; f < WIDTH; f++)
            row[f] = (int32_t)test_random_below(&random, 1000);
        data->targets[i] =
            row[2] + (row[5] > 400 ? 500 : 0) + (int32_t)test_random_below(&random, 200) > 900;
    }
    return (struct rv_rows){ WIDTH, COUNT, data->values, data->targets, NULL };
}

static double accuracy(const struct rv_forest *forest, const struct rv_rows *rows)
{
    size_t right = 0;

    for (size_t i = 0; i < rows->count; i++)
        right += (rv_forest_score(forest, rows->values + i * WIDTH) > 0) == (rows->targets[i] > 0);
    return (double)right / (double)rows->count;
}

static void train_with(enum rv_train_engine engine)
{
    static struct data data;
    struct rv_rows rows = make_rows(&data), first = rows, rest = rows;
    struct rv_train_options options = rv_train_defaults();
    RV_AUTO(rv_buf_done) struct rv_buf bytes = { 0 }, bytes_again = { 0 };
    struct rv_forest *forest = NULL, *again = NULL;

    first.count = COUNT / 2;
    rest.count = COUNT / 2;
    rest.values += first.count * WIDTH;
    rest.targets += first.count;
    options.engine = engine;
    options.colsample = 0.8;
    rv_assert_ok(rv_train_forest(&first, &options, &forest, NULL));
    assert_int_equal(rv_forest_spec_of(forest).tree_count, options.trees);
    if (accuracy(forest, &rest) < 0.9)
        fail_msg("accuracy on unseen rows is %f", accuracy(forest, &rest));

    rv_assert_ok(rv_train_forest(&first, &options, &again, NULL));
    rv_forest_encode(forest, &bytes);
    rv_forest_encode(again, &bytes_again);
    assert_true(rv_span_eq(rv_buf_span(&bytes), rv_buf_span(&bytes_again)));
    rv_forest_free(&again);
    rv_forest_free(&forest);
}

static void own_engine_learns_and_repeats_itself(void **state)
{
    train_with(RV_TRAIN_OWN);
}

static void xgboost_learns_and_repeats_itself(void **state)
{
    if (!rv_train_has(RV_TRAIN_XGBOOST))
        rv_skip_because("libxgboost0 is not installed");
    train_with(RV_TRAIN_XGBOOST);
}

static void monotone_scores_never_fall(void **state)
{
    static struct data data;
    static const int8_t monotone[WIDTH] = { 1, 1, 1, 1, 1, 1, 1, 1 };
    struct rv_rows rows = make_rows(&data);
    struct rv_train_options options = rv_train_defaults();
    struct rv_forest *forest = NULL;
    struct test_random random = { 3 };

    options.monotone = monotone;
    rv_assert_ok(rv_train_forest(&rows, &options, &forest, NULL));
    assert_true(accuracy(forest, &rows) > 0.9);
    for (size_t i = 0; i < 5000; i++) {
        const int32_t *row = data.values + test_random_below(&random, COUNT) * WIDTH;
        int32_t raised[WIDTH];

        for (size_t f = 0; f < WIDTH; f++)
            raised[f] = row[f] + (int32_t)test_random_below(&random, 300);
        assert_true(rv_forest_score(forest, raised) >= rv_forest_score(forest, row));
    }
    rv_forest_free(&forest);
}

static void squared_loss_follows_the_target(void **state)
{
    static struct data data;
    struct rv_rows rows = make_rows(&data);
    struct rv_train_options options = rv_train_defaults();
    struct rv_forest *forest = NULL;
    double error = 0;

    for (size_t i = 0; i < COUNT; i++)
        data.targets[i] = (float)(data.values[i * WIDTH] - 2 * data.values[i * WIDTH + 1]);
    options.loss = RV_TRAIN_SQUARED;
    options.trees = 100;
    options.colsample = 1;
    rv_assert_ok(rv_train_forest(&rows, &options, &forest, NULL));
    for (size_t i = 0; i < COUNT; i++) {
        double off = (double)rv_forest_score(forest, data.values + i * WIDTH) / 65536.0 -
                     (double)data.targets[i];

        error += off * off / COUNT;
    }
    assert_true(error < 60.0 * 60.0); /* the target's deviation is about 645 */
    rv_forest_free(&forest);
}

static void refuses_what_cannot_be_trained(void **state)
{
    static struct data data;
    struct rv_rows rows = make_rows(&data);
    struct rv_train_options options = rv_train_defaults();
    struct rv_forest *forest = NULL;
    const char *why = NULL;

    options.depth = 0;
    assert_int_equal(rv_train_forest(&rows, &options, &forest, &why), -EINVAL);
    options = rv_train_defaults();
    options.subsample = 0;
    assert_int_equal(rv_train_forest(&rows, &options, &forest, &why), -EINVAL);
    options = rv_train_defaults();
    data.targets[0] = 0.5F;
    assert_int_equal(rv_train_forest(&rows, &options, &forest, &why), -EINVAL);
    memset(data.targets, 0, sizeof(data.targets));
    assert_int_equal(rv_train_forest(&rows, &options, &forest, &why), -EINVAL);
    assert_string_equal(why, "both classes must be there");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_engine_learns_and_repeats_itself),
        cmocka_unit_test(xgboost_learns_and_repeats_itself),
        cmocka_unit_test(monotone_scores_never_fall),
        cmocka_unit_test(squared_loss_follows_the_target),
        cmocka_unit_test(refuses_what_cannot_be_trained),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
