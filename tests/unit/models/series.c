/* SPDX-License-Identifier: Apache-2.0 */
/* Series models on a small plant: a tank, a pump, a pressure that follows from both. */
#include "test.h"

#include "models/series.h"

#include <math.h>
#include <stdio.h>

enum { LEVEL, FLOW, PRESSURE, SPARE, SENSORS };

static uint64_t state_of_random;

static double noise(void)
{
    state_of_random = state_of_random * 6364136223846793005ULL + 1442695040888963407ULL;
    return (double)(state_of_random >> 40) / (double)(1 << 24) - 0.5;
}

/** Rows of the plant; from `lie_from` on the pressure shown is an old one. */
static void make_plant(struct rv_series *series, size_t rows, size_t lie_from)
{
    static const char *const names[] = { "level", "flow", "pressure", "spare" };

    *series = (struct rv_series){ .rows = rows, .columns = SENSORS, .labelled = true };
    series->name = strdup("plant");
    series->column = calloc(SENSORS, sizeof(*series->column));
    for (size_t j = 0; j < SENSORS; j++)
        series->column[j] = strdup(names[j]);
    series->row_id = calloc(rows, sizeof(*series->row_id));
    series->label = calloc(rows, sizeof(*series->label));
    series->value = calloc(rows * SENSORS, sizeof(*series->value));
    for (size_t i = 0; i < rows; i++) {
        double *at = series->value + i * SENSORS, hour = (double)i * 2 * 3.14159265 / 24;
        bool lie = i >= lie_from;

        at[LEVEL] = 3 + sin(hour) + 0.2 * noise();
        at[FLOW] = 40 + 10 * cos(hour * 1.3) + noise();
        at[PRESSURE] = 2 * at[LEVEL] + 0.05 * at[LEVEL] * at[FLOW] + 0.05 * noise();
        if (lie)
            at[PRESSURE] = series->value[(i - 30) * SENSORS + PRESSURE];
        at[SPARE] = 1;
        series->label[i] = lie ? RV_LABEL_ATTACK : RV_LABEL_NORMAL;
        series->row_id[i] = strdup("");
    }
}

static size_t alarms(const struct rv_series_model *model, const struct rv_series *series,
                     size_t first, size_t end)
{
    struct rv_score *scores = calloc(series->rows, sizeof(*scores));
    size_t count = 0;

    rv_assert_ok(rv_series_score(model, series, scores, NULL));
    for (size_t i = first; i < end; i++)
        count += scores[i].risk >= 200;
    free(scores);
    return count;
}

static void a_sensor_that_lies_is_found_and_named(void **state)
{
    const struct rv_task_options options = { .seed = 1 };
    struct rv_series_set normal = { 0 };
    struct rv_series_model *model = NULL;
    struct rv_series_reason reasons[2];
    struct rv_series test;

    state_of_random = 1;
    normal.items = calloc(1, sizeof(*normal.items));
    normal.count = 1;
    make_plant(&normal.items[0], 2000, SIZE_MAX);
    make_plant(&test, 600, 400);
    rv_assert_ok(rv_series_train(&model, &normal, NULL, &options, NULL));
    assert_in_range(alarms(model, &test, 0, 400), 0, 12); /* nominal 4 */
    assert_in_range(alarms(model, &test, 412, 600), 150, 188);
    assert_int_equal(rv_series_explain(model, &test, 450, reasons, 2), 2);
    assert_int_equal(reasons[0].column, PRESSURE);
    assert_true(fabs(reasons[0].expected - reasons[0].seen) > 0.2);
    rv_series_model_free(&model);
    rv_series_set_done(&normal);
    rv_series_done(&test);
}

static void make_normal(struct rv_series_set *normal, size_t rows)
{
    normal->items = calloc(1, sizeof(*normal->items));
    normal->count = 1;
    make_plant(&normal->items[0], rows, SIZE_MAX);
}

static void an_alarm_ends_soon_after_its_cause(void **state)
{
    const struct rv_task_options options = { .seed = 1 };
    struct rv_series_set normal = { 0 };
    struct rv_series_model *model = NULL;
    struct rv_series test;

    state_of_random = 5;
    make_normal(&normal, 2000);
    make_plant(&test, 400, SIZE_MAX);
    for (size_t i = 300; i < 340; i++)
        test.value[i * SENSORS + PRESSURE] += 5;
    rv_assert_ok(rv_series_train(&model, &normal, NULL, &options, NULL));
    assert_in_range(alarms(model, &test, 300, 340), 38, 40);
    assert_int_equal(alarms(model, &test, 350, 400), 0);
    rv_series_model_free(&model);
    rv_series_set_done(&normal);
    rv_series_done(&test);
}

static void a_sensor_that_never_moved_is_news_when_it_does(void **state)
{
    const struct rv_task_options options = { .seed = 1 };
    struct rv_series_set normal = { 0 };
    struct rv_series_model *model = NULL;
    struct rv_series_reason reason;
    struct rv_series test;

    state_of_random = 6;
    make_normal(&normal, 2000);
    make_plant(&test, 400, SIZE_MAX);
    for (size_t i = 200; i < 240; i++)
        test.value[i * SENSORS + SPARE] = 0;
    rv_assert_ok(rv_series_train(&model, &normal, NULL, &options, NULL));
    assert_in_range(alarms(model, &test, 202, 240), 36, 38);
    assert_int_equal(rv_series_explain(model, &test, 220, &reason, 1), 1);
    assert_int_equal(reason.column, SPARE);
    assert_true(reason.expected >= 1 && reason.seen <= 0);
    rv_series_model_free(&model);
    rv_series_set_done(&normal);
    rv_series_done(&test);
}

/** All sensors read what they did 100 rows before: every relation holds. */
static void play_again(struct rv_series *series, size_t first, size_t end)
{
    for (size_t i = first * SENSORS; i < end * SENSORS; i++)
        series->value[i] = series->value[i - 100 * SENSORS];
}

static void a_sensor_that_plays_a_recording_is_found(void **state)
{
    const struct rv_task_options options = { .seed = 1 };
    struct rv_series_set normal = { 0 };
    struct rv_series_model *model = NULL;
    struct rv_series_reason reason;
    struct rv_series test;

    state_of_random = 8;
    make_normal(&normal, 2000);
    make_plant(&test, 400, SIZE_MAX);
    play_again(&test, 200, 240);
    rv_assert_ok(rv_series_train(&model, &normal, NULL, &options, NULL));
    assert_in_range(alarms(model, &test, 200, 240), 33, 35); /* from the sixth change on */
    assert_int_equal(alarms(model, &test, 245, 400), 0);
    assert_int_equal(rv_series_explain(model, &test, 220, &reason, 1), 1);
    assert_int_equal(reason.lag, 100);
    assert_int_equal(rv_series_explain(model, &test, 150, &reason, 1), 1);
    assert_int_equal(reason.lag, 0);
    rv_series_model_free(&model);
    rv_series_set_done(&normal);
    rv_series_done(&test);
}

/** Ten rows of a recording that nobody labelled do not make it something that sensors do. */
static void the_edge_of_a_recording_teaches_nothing(void **state)
{
    const struct rv_task_options options = { .seed = 1 };
    struct rv_series_set normal = { 0 }, attack = { 0 };
    struct rv_series_model *model = NULL;
    struct rv_series test;

    state_of_random = 9;
    make_normal(&normal, 1500);
    make_normal(&attack, 2300);
    play_again(&attack.items[0], 2100, 2140);
    for (size_t i = 2110; i < 2140; i++)
        attack.items[0].label[i] = RV_LABEL_ATTACK;
    make_plant(&test, 400, SIZE_MAX);
    play_again(&test, 200, 240);
    rv_assert_ok(rv_series_train(&model, &normal, &attack, &options, NULL));
    assert_in_range(alarms(model, &test, 200, 240), 33, 36);
    rv_series_model_free(&model);
    rv_series_set_done(&normal);
    rv_series_set_done(&attack);
    rv_series_done(&test);
}

/** Labels that come an hour late must not teach the model that attacks are normal. */
static void rows_close_to_attacks_do_not_calibrate(void **state)
{
    const struct rv_task_options options = { .seed = 1 };
    struct rv_series_set normal = { 0 }, attack = { 0 };
    struct rv_series_model *model = NULL;
    struct rv_series test;

    state_of_random = 7;
    make_normal(&normal, 1500);
    attack.items = calloc(1, sizeof(*attack.items));
    attack.count = 1;
    make_plant(&attack.items[0], 2300, 2000);
    for (size_t i = 1997; i < 2001; i++)
        attack.items[0].label[i] = RV_LABEL_NORMAL;
    make_plant(&test, 600, 400);
    rv_assert_ok(rv_series_train(&model, &normal, &attack, &options, NULL));
    assert_in_range(alarms(model, &test, 0, 400), 0, 12);
    assert_in_range(alarms(model, &test, 406, 600), 180, 194);
    rv_series_model_free(&model);
    rv_series_set_done(&normal);
    rv_series_set_done(&attack);
    rv_series_done(&test);
}

static void levels_serve_when_there_is_little_data(void **state)
{
    const struct rv_task_options options = { .seed = 1 };
    struct rv_series_set normal = { 0 };
    struct rv_series_model *model = NULL;
    struct rv_series test;

    state_of_random = 2;
    normal.items = calloc(1, sizeof(*normal.items));
    normal.count = 1;
    make_plant(&normal.items[0], 400, SIZE_MAX);
    make_plant(&test, 300, SIZE_MAX);
    for (size_t i = 150; i < 300; i++)
        test.value[i * SENSORS + FLOW] += 80;
    rv_assert_ok(rv_series_train(&model, &normal, NULL, &options, NULL));
    assert_in_range(alarms(model, &test, 0, 150), 0, 12);
    assert_in_range(alarms(model, &test, 175, 300), 115, 125);
    rv_series_model_free(&model);
    rv_series_set_done(&normal);
    rv_series_done(&test);
}

static void saving_changes_nothing_and_damage_is_refused(void **state)
{
    const struct rv_task_options options = { .seed = 1 };

    for (size_t rows = 300; rows <= 1600; rows += 1300) {
        struct rv_series_set normal = { 0 };
        struct rv_series_model *model = NULL, *again = NULL;
        struct rv_buf first = { 0 }, second = { 0 };

        state_of_random = 3;
        normal.items = calloc(1, sizeof(*normal.items));
        normal.count = 1;
        make_plant(&normal.items[0], rows, SIZE_MAX);
        rv_assert_ok(rv_series_train(&model, &normal, NULL, &options, NULL));
        rv_assert_ok(rv_series_save(model, &first));
        rv_assert_ok(rv_series_load(&again, rv_buf_span(&first)));
        rv_assert_ok(rv_series_save(again, &second));
        assert_true(rv_span_eq(rv_buf_span(&first), rv_buf_span(&second)));
        assert_int_equal(alarms(model, &normal.items[0], 0, rows),
                         alarms(again, &normal.items[0], 0, rows));
        rv_series_model_free(&again);
        for (size_t cut = 0; cut < first.len; cut += 1 + first.len / 60)
            assert_int_equal(rv_series_load(&again, rv_span(first.data, cut)), -EBADMSG);
        rv_series_model_free(&model);
        rv_series_set_done(&normal);
        rv_buf_done(&first);
        rv_buf_done(&second);
    }
}

static void other_columns_are_refused(void **state)
{
    const struct rv_task_options options = { .seed = 1 };
    struct rv_series_set normal = { 0 }, other = { 0 };
    struct rv_series_model *model = NULL;
    struct rv_dataset_error error = { 0 };
    struct rv_score scores[2];

    state_of_random = 4;
    normal.items = calloc(1, sizeof(*normal.items));
    normal.count = 1;
    make_plant(&normal.items[0], 200, SIZE_MAX);
    rv_assert_ok(rv_series_train(&model, &normal, NULL, &options, NULL));
    rv_assert_ok(rv_series_parse(&other, "x", rv_span_str("a,b\n1,2\n"), NULL));
    assert_int_equal(rv_series_score(model, &other.items[0], scores, &error), -EINVAL);
    assert_non_null(strstr(error.message, "level"));
    assert_int_equal(rv_series_train(&model, &other, NULL, &options, NULL), -EINVAL);
    rv_series_model_free(&model);
    rv_series_set_done(&normal);
    rv_series_set_done(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sensor_that_lies_is_found_and_named),
        cmocka_unit_test(an_alarm_ends_soon_after_its_cause),
        cmocka_unit_test(a_sensor_that_never_moved_is_news_when_it_does),
        cmocka_unit_test(a_sensor_that_plays_a_recording_is_found),
        cmocka_unit_test(the_edge_of_a_recording_teaches_nothing),
        cmocka_unit_test(rows_close_to_attacks_do_not_calibrate),
        cmocka_unit_test(levels_serve_when_there_is_little_data),
        cmocka_unit_test(saving_changes_nothing_and_damage_is_refused),
        cmocka_unit_test(other_columns_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
