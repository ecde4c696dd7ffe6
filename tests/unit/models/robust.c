/* SPDX-License-Identifier: Apache-2.0 */
/* Evasion bounds by mutability class; poisoned labels. */
#include "test.h"

#include "base/hash.h"
#include "models/baseline.h"
#include "models/robust.h"

static void the_classes_decide_what_may_move(void **state)
{
    struct rv_vector vector = { 0 };
    int64_t least, threshold = rv_baseline_alarm_q16();
    rv_reach_fn *reach = rv_robust_reach_baseline;

    /* An encryption by its marks: all of them can only be raised. */
    vector.value[RV_FEATURE_STRANGE_EXT] = 60;
    vector.value[RV_FEATURE_EXT_CHANGES] = 60;
    vector.value[RV_FEATURE_FOREIGN_WRITES] = 60;
    assert_int_equal(rv_robust_alarm(reach, NULL, vector.value, RV_CLASS_RAISE | RV_CLASS_DILUTE,
                                     threshold, &least),
                     RV_ROBUST_STANDS);
    assert_true(least >= threshold);
    assert_int_equal(rv_robust_alarm(reach, NULL, vector.value,
                                     RV_CLASS_RAISE | RV_CLASS_DILUTE | RV_CLASS_FIXED, threshold,
                                     &least),
                     RV_ROBUST_MAY_FLIP);
    /* One by its rates alone: slowing down hides it. */
    memset(&vector, 0, sizeof(vector));
    vector.value[RV_FEATURE_EXCESS_WRITES] = 200;
    vector.value[RV_FEATURE_EXCESS_REMOVALS] = 200;
    vector.value[RV_FEATURE_EXCESS_CONNECTS] = 200;
    vector.value[RV_FEATURE_ARGV_B64_RUN] = 200;
    vector.value[RV_FEATURE_ARGV_META] = 9;
    assert_int_equal(rv_robust_alarm(reach, NULL, vector.value, 0, threshold, &least),
                     RV_ROBUST_STANDS);
    assert_int_equal(rv_robust_alarm(reach, NULL, vector.value, RV_CLASS_DILUTE, threshold, &least),
                     RV_ROBUST_MAY_FLIP);
}

static void no_source_outweighs_its_cap(void **state)
{
    uint32_t sources[1000], weights[1000];
    uint64_t total, of_source[21];

    for (uint32_t i = 0; i < 1000; i++)
        sources[i] = i < 600   ? 0
                     : i < 800 ? 1
                               : 2 + i % 18; /* one of 600, one of 200, small ones */
    rv_assert_ok(rv_robust_source_weights(sources, 1000, 100000, weights));
    total = 0;
    memset(of_source, 0, sizeof(of_source));
    for (size_t i = 0; i < 1000; i++) {
        total += weights[i];
        of_source[sources[i]] += weights[i];
    }
    for (size_t i = 0; i < 20; i++)
        assert_true(of_source[i] * 10 <= total + total / 1000);
    assert_true(of_source[0] * 10 >= total - total / 100); /* and not less than it may */
    assert_int_equal(weights[900], 65536);
    /* Two sources cannot both stay below a tenth: they share evenly. */
    for (uint32_t i = 0; i < 1000; i++)
        sources[i] = i < 900;
    rv_assert_ok(rv_robust_source_weights(sources, 1000, 100000, weights));
    assert_int_equal(weights[950], 65536);
    assert_in_range(weights[0], 7200, 7300);
    rv_assert_ok(rv_robust_source_weights(NULL, 0, 100000, NULL));
}

static void a_source_stays_within_one_fold(void **state)
{
    uint32_t sources[500], folds[500], counts[5] = { 0 };

    for (uint32_t i = 0; i < 500; i++)
        sources[i] = i / 2;
    rv_robust_folds(sources, 500, 5, 9, folds);
    for (uint32_t i = 0; i < 500; i++) {
        assert_true(folds[i] < 5);
        assert_int_equal(folds[i], folds[i ^ 1]);
        counts[folds[i]]++;
    }
    for (size_t i = 0; i < 5; i++)
        assert_in_range(counts[i], 60, 140);
}

/* 5 % of labels flipped: the ranking finds them first. */
static void flipped_labels_rank_first(void **state)
{
    int64_t margins[1000];
    uint8_t labels[1000], flipped[1000];
    uint32_t order[1000];
    size_t wrong = 0, found = 0;

    for (uint64_t i = 0; i < 1000; i++) {
        uint64_t r = rv_mix64(i);

        labels[i] = r & 1;
        margins[i] = (int64_t)(r >> 8 & 0xffff) - 0x4000; /* most, not all, on the right side */
        margins[i] = labels[i] ? margins[i] : -margins[i];
        flipped[i] = i % 20 == 0;
        labels[i] ^= flipped[i];
        if (flipped[i])
            margins[i] *= 2;
    }
    rv_assert_ok(rv_robust_disagreements(margins, labels, 1000, order, &wrong));
    assert_in_range(wrong, 200, 400);
    for (size_t i = 1; i < 1000; i++)
        assert_true((labels[order[i - 1]] ? -margins[order[i - 1]] : margins[order[i - 1]]) >=
                    (labels[order[i]] ? -margins[order[i]] : margins[order[i]]));
    for (size_t i = 0; i < 50; i++)
        found += flipped[order[i]];
    assert_true(found > 30); /* by chance: 2 or 3 */
}

static void a_batch_that_does_harm_is_rejected(void **state)
{
    static const struct {
        const char *name;
        struct rv_holdout without, with;
        enum rv_batch expected;
    } cases[] = {
        { "nothing held out", { 0 }, { 0 }, RV_BATCH_REJECTED },
        { "the same", { 100, 90, 1000, 10 }, { 100, 90, 1000, 10 }, RV_BATCH_ACCEPTED },
        { "better", { 100, 80, 1000, 20 }, { 100, 95, 1000, 5 }, RV_BATCH_ACCEPTED },
        { "worse by chance", { 100, 90, 1000, 10 }, { 100, 88, 1000, 12 }, RV_BATCH_ACCEPTED },
        { "blinder", { 100, 90, 1000, 10 }, { 100, 70, 1000, 10 }, RV_BATCH_REJECTED },
        { "noisier", { 100, 90, 1000, 10 }, { 100, 90, 1000, 40 }, RV_BATCH_REJECTED },
        { "perfect before", { 100, 100, 1000, 0 }, { 100, 100, 1000, 0 }, RV_BATCH_ACCEPTED },
    };

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        if (rv_robust_judge_batch(&cases[i].without, &cases[i].with) != cases[i].expected)
            fail_msg("%s", cases[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_classes_decide_what_may_move),
        cmocka_unit_test(no_source_outweighs_its_cap),
        cmocka_unit_test(a_source_stays_within_one_fold),
        cmocka_unit_test(flipped_labels_rank_first),
        cmocka_unit_test(a_batch_that_does_harm_is_rejected),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
