/* SPDX-License-Identifier: Apache-2.0 */
/* Recordings among readings: what is one, from which row on, and what only looks like one. */
#include "test.h"

#include "models/repeats.h"

#define ROWS 600

static uint64_t state_of_random;

/** A walk that hardly ever meets its own past. */
static void wander(double *values)
{
    double at = 0;

    for (size_t i = 0; i < ROWS; i++) {
        state_of_random = state_of_random * 6364136223846793005ULL + 1442695040888963407ULL;
        at += (double)(state_of_random >> 54) / 64 - 8;
        values[i] = at;
    }
}

static void assert_lags(const double *values, uint32_t repeats, size_t from, size_t end,
                        uint32_t lag)
{
    const struct rv_readings readings = { values, 1, ROWS };
    uint32_t found[ROWS];

    rv_assert_ok(rv_repeats_find(&readings, repeats, found));
    for (size_t i = 0; i < ROWS; i++) {
        if (found[i] != (i >= from && i < end ? lag : 0))
            fail_msg("row %zu: %u", i, found[i]);
    }
}

static uint32_t learnt(const double *values)
{
    const struct rv_readings readings = { values, 1, ROWS };
    struct rv_repetition seen = { 0 };

    rv_assert_ok(rv_repeats_learn(&readings, &seen));
    return rv_repeats_after(&seen);
}

static void a_recording_is_told_once_it_is_long_enough(void **state)
{
    double values[ROWS];

    (void)state;
    state_of_random = 1;
    wander(values);
    assert_int_equal(learnt(values), RV_REPEATS_LEAST);
    assert_lags(values, 6, 0, 0, 0);
    memcpy(values + 400, values + 130, 50 * sizeof(*values));
    assert_lags(values, 6, 405, 450, 270);
    assert_lags(values, 11, 410, 450, 270);
    assert_lags(values, RV_REPEATS_NEVER, 0, 0, 0);
    memcpy(values + 400, values + 10, 5 * sizeof(*values)); /* five are too few */
    values[405] = 1e6;
    assert_lags(values, 6, 411, 450, 270);
}

/** A lull within is part of it, and ends with what it repeats. */
static void a_lull_does_not_end_it_and_does_not_lengthen_it(void **state)
{
    double values[ROWS];

    (void)state;
    state_of_random = 2;
    wander(values);
    for (size_t i = 120; i < 130; i++)
        values[i] = values[119];
    memcpy(values + 300, values + 100, 26 * sizeof(*values)); /* ends in the lull */
    for (size_t i = 326; i < 340; i++)
        values[i] = values[325]; /* which goes on longer than it did */
    assert_lags(values, 6, 305, 330, 200);
}

/** Neither a switch nor a wave that comes again every day is a recording. */
static void what_repeats_by_nature_is_not_watched(void **state)
{
    double values[ROWS];

    (void)state;
    state_of_random = 3;
    wander(values);
    for (size_t i = 0; i < ROWS; i++)
        values[i] = values[i] > 0;
    assert_int_equal(learnt(values), RV_REPEATS_NEVER);
    wander(values);
    for (size_t i = 150; i < ROWS; i++)
        values[i] = values[i - 150];
    assert_int_equal(learnt(values), RV_REPEATS_NEVER);
}

/** Seven changes in a row that came twice: nine are needed from then on. */
static void chance_in_normal_rows_asks_for_more(void **state)
{
    double values[ROWS];

    (void)state;
    state_of_random = 4;
    wander(values);
    memcpy(values + 400, values + 130, 7 * sizeof(*values));
    assert_int_equal(learnt(values), 9);
}

static void short_series_are_no_trouble(void **state)
{
    const double values[] = { 1, 2, 3 };
    uint32_t lag[3] = { 7, 7, 7 };

    (void)state;
    for (size_t rows = 0; rows <= 3; rows++) {
        const struct rv_readings readings = { values, 1, rows };
        struct rv_repetition seen = { 0 };

        rv_assert_ok(rv_repeats_find(&readings, 6, lag));
        rv_assert_ok(rv_repeats_learn(&readings, &seen));
        assert_int_equal(rv_repeats_after(&seen), RV_REPEATS_NEVER);
    }
    assert_int_equal(lag[0], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recording_is_told_once_it_is_long_enough),
        cmocka_unit_test(a_lull_does_not_end_it_and_does_not_lengthen_it),
        cmocka_unit_test(what_repeats_by_nature_is_not_watched),
        cmocka_unit_test(chance_in_normal_rows_asks_for_more),
        cmocka_unit_test(short_series_are_no_trouble),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
