/* SPDX-License-Identifier: Apache-2.0 */
/* The martingale, the alpha budget, the lights, stepping down. */
#include "test.h"

#include "base/clock.h"
#include "base/hash.h"
#include "models/calibration.h"
#include "models/promise.h"

static uint64_t uniform_q32(uint64_t *x)
{
    *x = rv_mix64(*x + 0x9e3779b97f4a7c15ULL);
    return (*x >> 32) + 1;
}

static void exchangeable_scores_do_not_move_the_martingale(void **state)
{
    unsigned amber = 0;

    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct rv_martingale martingale;
        uint64_t x = seed;

        rv_martingale_init(&martingale);
        for (int i = 0; i < 50000; i++)
            rv_martingale_step(&martingale, uniform_q32(&x));
        amber += martingale.log2_max_q8 >= 17 * 256;
    }
    /* 1,000,000 steps below 2^17 = 131,072: at most about 8 expected, far fewer in practice. */
    assert_in_range(amber, 0, 8);
}

static void a_shift_is_seen_within_a_few_hundred_verdicts(void **state)
{
    struct rv_martingale martingale;
    uint64_t x = 3;
    int steps = 0;

    rv_martingale_init(&martingale);
    for (int i = 0; i < 10000; i++)
        rv_martingale_step(&martingale, uniform_q32(&x));
    while (rv_martingale_log2_q8(&martingale) < 24 * 256 && steps < 10000) {
        rv_martingale_step(&martingale, uniform_q32(&x) / 3 + 1);
        steps++;
    }
    assert_in_range(steps, 20, 600);
}

/* p-values from a real calibration set are uniform, ties and all. */
static void smoothed_p_values_are_uniform(void **state)
{
    struct rv_calibration *calibration = NULL;
    struct rv_martingale martingale;
    uint64_t x = 11, below_tenth = 0;

    rv_assert_ok(rv_calibration_new_baseline(&calibration));
    for (int i = 0; i < 20000; i++) {
        uint64_t score = uniform_q32(&x) % 7; /* few distinct values: mostly ties */

        rv_calibration_add(calibration, 1, (int64_t)score * 65536, 1);
    }
    rv_martingale_init(&martingale);
    for (int i = 0; i < 20000; i++) {
        uint64_t score = uniform_q32(&x) % 7;
        uint64_t p = rv_calibration_p_q32(calibration, 1, (int64_t)score * 65536, uniform_q32(&x));

        assert_in_range(p, 1, (uint64_t)1 << 32);
        below_tenth += p <= ((uint64_t)1 << 32) / 10;
        rv_martingale_step(&martingale, p);
    }
    assert_in_range(below_tenth, 1800, 2200);
    assert_true(martingale.log2_max_q8 < 20 * 256);
    rv_calibration_free(&calibration);
}

static void alpha_is_split_and_sums_to_the_budget(void **state)
{
    struct rv_promise promise;
    uint64_t sum = 0;

    rv_promise_init(&promise, &(struct rv_promise_options){ .alarms_per_day_milli = 2000,
                                                            .verdicts_per_day = 100000,
                                                            .detectors = 3,
                                                            .share = { 6, 2, 2 } });
    for (uint32_t i = 0; i < 4; i++)
        sum += rv_promise_alpha_ppb(&promise, i);
    assert_int_equal(rv_promise_alpha_ppb(&promise, 0), 12000);
    assert_int_equal(rv_promise_alpha_ppb(&promise, 3), 0);
    assert_int_equal(sum, 20000);
}

static void poisson_bounds_are_the_tables(void **state)
{
    assert_int_equal(rv_poisson_bound(1000, 0.99), 4);
    assert_int_equal(rv_poisson_bound(1000, 0.9), 2);
    assert_int_equal(rv_poisson_bound(10000, 0.99), 18);
    assert_int_equal(rv_poisson_bound(100000, 0.99), 124);
    assert_int_equal(rv_poisson_bound(0, 0.99), 0);
}

static void false_alarms_step_down_until_a_quiet_day(void **state)
{
    struct rv_promise promise;
    uint64_t now_ns = 100 * 3600 * RV_NS_PER_S, hour = 3600 * RV_NS_PER_S;
    int alarms = 0;

    rv_promise_init(&promise, &(struct rv_promise_options){ .alarms_per_day_milli = 1000,
                                                            .verdicts_per_day = 10000 });
    /* Alarms that nobody judged do not disarm it, however many. */
    for (int i = 0; i < 1000; i++)
        assert_int_equal(rv_promise_verdict(&promise, now_ns, 0, true), RV_LIGHT_GREEN);
    assert_int_equal(rv_promise_alarms(&promise), 1000);
    while (rv_promise_false_alarm(&promise, now_ns) != RV_LIGHT_RED)
        alarms++;
    assert_int_equal(alarms, 4); /* the fifth in a day of one expected */
    assert_false(rv_promise_kept(&promise));
    /* A day later the five have left the ring; then red stays for one more quiet day. */
    for (int i = 1; i < 47; i++)
        assert_int_equal(rv_promise_verdict(&promise, now_ns + i * hour, 0, false), RV_LIGHT_RED);
    assert_int_equal(rv_promise_verdict(&promise, now_ns + 47 * hour, 0, false), RV_LIGHT_AMBER);
    assert_int_equal(rv_promise_verdict(&promise, now_ns + 48 * hour, 0, false), RV_LIGHT_GREEN);
    assert_true(rv_promise_kept(&promise));
    assert_int_equal(promise.steps_down, 1);
}

static void a_reset_makes_it_green(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
    struct rv_promise promise;

    rv_promise_init(&promise, &(struct rv_promise_options){ 0 });
    for (int i = 0; i < 1000; i++)
        (void)rv_promise_verdict(&promise, 1, 1, false);
    assert_int_equal(promise.light, RV_LIGHT_RED);
    rv_promise_sentence(&promise, &buf);
    assert_non_null(strstr(buf.data, "At most 1.000 alarms per host-day"));
    assert_non_null(strstr(buf.data, "Reeve observes and does not enforce"));
    rv_promise_reset(&promise);
    assert_int_equal(promise.light, RV_LIGHT_GREEN);
}

static void precision_is_estimated_from_the_promise(void **state)
{
    assert_int_equal(rv_precision_estimate_ppm(1000000, 100, 10000), 900000);
    assert_int_equal(rv_precision_estimate_ppm(1000000, 5, 10000), 0);
    assert_int_equal(rv_precision_estimate_ppm(1000000, 0, 10000), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exchangeable_scores_do_not_move_the_martingale),
        cmocka_unit_test(a_shift_is_seen_within_a_few_hundred_verdicts),
        cmocka_unit_test(smoothed_p_values_are_uniform),
        cmocka_unit_test(alpha_is_split_and_sums_to_the_budget),
        cmocka_unit_test(poisson_bounds_are_the_tables),
        cmocka_unit_test(false_alarms_step_down_until_a_quiet_day),
        cmocka_unit_test(a_reset_makes_it_green),
        cmocka_unit_test(precision_is_estimated_from_the_promise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
