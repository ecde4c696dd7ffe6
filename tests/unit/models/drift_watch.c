/* SPDX-License-Identifier: Apache-2.0 */
/* Drift on one host: a reference first, then windows; bytes and what damages them. */
#include "test.h"

#include "base/clock.h"
#include "features/table.h"
#include "models/drift_watch.h"

#define MINUTE_NS (60 * RV_NS_PER_S)

/** One verdict a second for `seconds`, of programs that open about `files` files. */
static uint64_t watch_for(struct rv_drift_watch *watch, uint64_t from_ns, unsigned seconds,
                          int32_t files, int64_t raw_q16)
{
    struct rv_vector vector = { 0 };

    for (unsigned i = 0; i < seconds; i++) {
        vector.value[RV_FEATURE_FILES] = files + (int32_t)(i % 5);
        (void)rv_drift_watch_row(watch, &vector, raw_q16 + (int64_t)(i % 7) * 65536,
                                 from_ns + i * RV_NS_PER_S);
    }
    return from_ns + seconds * RV_NS_PER_S;
}

static void windows_are_held_against_the_first_one(void **state)
{
    struct rv_drift_watch *watch = malloc(sizeof(*watch));
    uint64_t now = RV_NS_PER_S;

    rv_drift_watch_init(watch, 50 * MINUTE_NS);
    now = watch_for(watch, now, 2999, 4, 0);
    assert_false(watch->settled);
    now = watch_for(watch, now, 200, 4, 0);
    assert_true(watch->settled);
    now = watch_for(watch, now, 3100, 4, 0);
    assert_int_equal(watch->windows, 1);
    assert_int_equal(watch->drift.light, RV_LIGHT_GREEN);
    now = watch_for(watch, now, 3100, 4, 40 * 65536);
    assert_int_equal(watch->windows, 2);
    assert_int_equal(watch->drift.light, RV_LIGHT_RED);
    /* One window holds both; then it gets better only after three in a row, and through amber. */
    for (unsigned i = 0; i < 3; i++) {
        now = watch_for(watch, now, 3001, 4, 0);
        assert_int_equal(watch->drift.light, RV_LIGHT_RED);
    }
    now = watch_for(watch, now, 3001, 4, 0);
    assert_int_equal(watch->drift.light, RV_LIGHT_AMBER);
    free(watch);
}

static void stops_are_not_watched_time(void **state)
{
    struct rv_drift_watch *watch = malloc(sizeof(*watch));
    struct rv_vector vector = { 0 };

    rv_drift_watch_init(watch, 24 * 60 * MINUTE_NS);
    for (uint64_t day = 1; day < 20; day++)
        (void)rv_drift_watch_row(watch, &vector, 0, day * 24 * 60 * MINUTE_NS);
    assert_int_equal(watch->watched_ns, 18 * 60 * MINUTE_NS);
    free(watch);
}

static void it_goes_on_after_a_restart(void **state)
{
    struct rv_drift_watch *watch = malloc(sizeof(*watch)), *again = malloc(sizeof(*again));
    RV_AUTO(rv_buf_done) struct rv_buf bytes = { 0 };
    struct rv_reader reader;
    uint64_t now = RV_NS_PER_S;

    rv_drift_watch_init(watch, 50 * MINUTE_NS);
    rv_drift_watch_init(again, 50 * MINUTE_NS);
    now = watch_for(watch, now, 4000, 4, 0);
    rv_drift_watch_save(watch, &bytes);
    reader = rv_reader(rv_buf_span(&bytes));
    rv_assert_ok(rv_drift_watch_load(again, &reader));
    assert_int_equal(reader.rest.len, 0);
    assert_int_equal(again->watched_ns, watch->watched_ns);
    watch_for(watch, now, 2500, 4, 40 * 65536);
    watch_for(again, now + 5, 2500, 4, 40 * 65536);
    assert_int_equal(again->windows, 1);
    assert_int_equal(again->drift.light, watch->drift.light);
    for (size_t cut = 0; cut < bytes.len; cut += 1 + bytes.len / 60) {
        reader = rv_reader(rv_span(bytes.data, cut));
        assert_true(rv_drift_watch_load(again, &reader) < 0);
    }
    free(watch);
    free(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_are_held_against_the_first_one),
        cmocka_unit_test(stops_are_not_watched_time),
        cmocka_unit_test(it_goes_on_after_a_restart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
