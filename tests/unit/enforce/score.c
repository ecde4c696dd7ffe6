/* SPDX-License-Identifier: Apache-2.0 */
/* From margins to risks, and when a score is due: what the hooks and user space share. */
#include "test.h"

#include "enforce/score.h"

static struct rv_calibration *calibration_of_a_thousand(void)
{
    int64_t edges[400];
    struct rv_calibration_options options = { edges, RV_COUNT(edges), RV_SCORE_CLASSES, 100, 0 };
    struct rv_calibration *calibration = NULL;

    for (int64_t i = 0; i < (int64_t)RV_COUNT(edges); i++)
        edges[i] = (i - 100) * 1000;
    rv_assert_ok(rv_calibration_new(&calibration, &options));
    for (int64_t i = 0; i < 1000; i++) {
        rv_calibration_add(calibration, 0, i * i / 10 - 50000, 1);
        rv_calibration_add(calibration, 3, i * 20, 20);
    }
    return calibration;
}

/* A step is the least margin that has its risk; nothing is promised that the scores cannot bear. */
static void thresholds_are_the_calibrations(void **state)
{
    struct rv_calibration *calibration = calibration_of_a_thousand();
    struct rv_score_thresholds *thresholds = calloc(1, sizeof(*thresholds));
    size_t reached = 0;

    assert_non_null(thresholds);
    rv_score_thresholds_of(calibration, thresholds);
    for (uint32_t class = 0; class < RV_SCORE_CLASSES; class ++) {
        const struct rv_score_step *steps = thresholds->steps[class];

        for (size_t i = 0; i < RV_SCORE_STEPS; i++) {
            int64_t margin = steps[i].margin_q16;

            assert_true(i == 0 || steps[i].risk > steps[i - 1].risk);
            if (margin == INT64_MAX)
                continue;
            reached++;
            assert_true(rv_calibration_risk(calibration, class, margin) >= steps[i].risk);
            assert_true(rv_calibration_risk(calibration, class, margin - 1) < steps[i].risk);
            assert_true(rv_score_risk_of(steps, margin) >= steps[i].risk);
            assert_true(rv_score_risk_of(steps, margin - 1) < steps[i].risk);
        }
        assert_int_equal(steps[RV_SCORE_STEPS - 1].margin_q16, INT64_MAX);
    }
    assert_true(reached > RV_SCORE_CLASSES);
    free(thresholds);
    rv_calibration_free(&calibration);
}

static void the_highest_step_reached_counts(void **state)
{
    struct rv_score_step steps[RV_SCORE_STEPS];

    for (int i = 0; i < RV_SCORE_STEPS; i++)
        steps[i] = (struct rv_score_step){ INT64_MAX, 1000, 0 };
    steps[0] = (struct rv_score_step){ -5, 200, 0 };
    steps[1] = (struct rv_score_step){ 7, 100000, 0 };
    assert_int_equal(rv_score_risk_of(steps, INT64_MIN), 0);
    assert_int_equal(rv_score_risk_of(steps, -6), 0);
    assert_int_equal(rv_score_risk_of(steps, -5), 200);
    assert_int_equal(rv_score_risk_of(steps, 6), 200);
    assert_int_equal(rv_score_risk_of(steps, 7), 1000); /* never more */
}

static void the_louder_head_speaks_and_a_missing_one_does_not(void **state)
{
    const __s64 scores[RV_KERNEL_HEADS] = { [RV_KERNEL_WINDOW] = -9, [RV_KERNEL_MONOTONE] = 0 };
    const uint32_t window = 1U << RV_KERNEL_WINDOW, monotone = 1U << RV_KERNEL_MONOTONE;

    assert_int_equal(rv_score_margin(scores, window), -9);
    assert_int_equal(rv_score_margin(scores, monotone), 0);
    assert_int_equal(rv_score_margin(scores, window | monotone), 0);
}

static void a_score_is_due_by_time_count_and_burst(void **state)
{
    struct rv_core core = { 0 };

    assert_false(rv_score_due(&core, RV_ACTION_CREATE, 5, RV_SCORE_STALE_NS - 1));
    assert_true(rv_score_due(&core, RV_ACTION_CREATE, 5, RV_SCORE_STALE_NS));
    assert_true(rv_score_due(&core, RV_ACTION_CREATE, 63, 0));
    assert_false(rv_score_due(&core, RV_ACTION_CREATE, 64, 0));
    assert_false(rv_score_due(&core, RV_ACTION_RENAME, 5, 0));
    core.fast[RV_RATE_REMOVE] = RV_SCORE_BURST;
    assert_true(rv_score_due(&core, RV_ACTION_RENAME, 5, 0));
    assert_true(rv_score_due(&core, RV_ACTION_UNLINK, 5, 0));
    assert_false(rv_score_due(&core, RV_ACTION_CREATE, 5, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thresholds_are_the_calibrations),
        cmocka_unit_test(the_highest_step_reached_counts),
        cmocka_unit_test(the_louder_head_speaks_and_a_missing_one_does_not),
        cmocka_unit_test(a_score_is_due_by_time_count_and_burst),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
