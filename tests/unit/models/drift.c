/* SPDX-License-Identifier: Apache-2.0 */
/* Drift: distances, lights with hysteresis, profiles as bytes. */
#include "test.h"

#include "base/hash.h"
#include "features/table.h"
#include "models/drift.h"

struct set {
    struct rv_profile reference, now;
    struct rv_drift drift;
    struct rv_drift_report report;
};

static void fill(struct rv_profile *profile, unsigned rows, int32_t scale, uint64_t seed)
{
    for (unsigned i = 0; i < rows; i++) {
        struct rv_vector vector;

        for (size_t j = 0; j < RV_FEATURE_COUNT; j++)
            vector.value[j] = (int32_t)(rv_mix64(seed * 1000003 + i * 97 + j) % 1000);
        vector.value[RV_FEATURE_FILES] *= scale;
        rv_profile_add(profile, &vector,
                       (int64_t)(rv_mix64(seed + i * 7919) % (8 * 65536)) * scale);
    }
}

static struct set *set_new(int32_t scale, unsigned rows)
{
    struct set *set = calloc(1, sizeof(*set));

    set->drift.light = RV_LIGHT_GREEN;
    fill(&set->reference, 5000, 1, 1);
    fill(&set->now, rows, scale, 2);
    return set;
}

static void the_same_distribution_is_green_even_in_small_samples(void **state)
{
    static const unsigned rows[] = { 500, 1000, 5000 };

    for (size_t i = 0; i < RV_COUNT(rows); i++) {
        struct set *set = set_new(1, rows[i]);

        rv_drift_evaluate(&set->drift, &set->reference, &set->now, &set->report);
        assert_true(set->report.enough);
        assert_int_equal(set->report.light, RV_LIGHT_GREEN);
        assert_int_equal(set->report.amber_features + set->report.red_features, 0);
        assert_true(set->report.distance[RV_DRIFT_SCORE].ks < 0.05);
        free(set);
    }
}

static void a_moved_score_is_red_and_gets_better_slowly(void **state)
{
    struct set *set = set_new(8, 2000);
    RV_AUTO(rv_buf_done) struct rv_buf words = { 0 };

    rv_drift_evaluate(&set->drift, &set->reference, &set->now, &set->report);
    assert_int_equal(set->report.light, RV_LIGHT_RED);
    assert_true(set->report.distance[RV_DRIFT_SCORE].psi > 0.25);
    assert_true(set->report.distance[RV_DRIFT_SCORE].js > 0.05);
    assert_true(set->report.distance[RV_DRIFT_SCORE].ks > 0.3);
    rv_drift_words(&set->report, 3, &words);
    assert_non_null(strstr(words.data, "red: the score moved by PSI"));
    assert_non_null(strstr(words.data, "Most: files "));
    /* Three evaluations a step: red, amber, green. */
    for (int i = 1; i <= 6; i++) {
        static const enum rv_light expected[] = { RV_LIGHT_RED,   RV_LIGHT_RED,   RV_LIGHT_AMBER,
                                                  RV_LIGHT_AMBER, RV_LIGHT_AMBER, RV_LIGHT_GREEN };

        rv_drift_evaluate(&set->drift, &set->reference, &set->reference, &set->report);
        assert_int_equal(set->report.light_now, RV_LIGHT_GREEN);
        assert_int_equal(set->report.light, expected[i - 1]);
    }
    free(set);
}

static void too_few_rows_say_nothing(void **state)
{
    struct set *set = set_new(8, 499);

    rv_drift_evaluate(&set->drift, &set->reference, &set->now, &set->report);
    assert_false(set->report.enough);
    assert_int_equal(set->report.light, RV_LIGHT_GREEN);
    free(set);
}

static void distances_are_those_of_the_textbook(void **state)
{
    uint32_t a[RV_DRIFT_BINS] = { 500000, 500000 }, b[RV_DRIFT_BINS] = { 250000, 750000 };
    struct rv_distance distance = rv_distance(a, b);

    /* (0.25-0.5) ln(0.5) + (0.75-0.5) ln(1.5) = 0.27465; JS 0.04879 bits; KS 0.25 */
    assert_true(distance.psi > 0.2745 && distance.psi < 0.2748);
    assert_true(distance.js > 0.0487 && distance.js < 0.0489);
    assert_true(distance.ks > 0.248 && distance.ks <= 0.25);
    distance = rv_distance(a, a);
    assert_true(distance.psi <= 0 && distance.js <= 0 && distance.ks <= 0);
    memset(b, 0, sizeof(b));
    distance = rv_distance(a, b);
    assert_true(distance.psi <= 0);
}

static void bins_are_ordered(void **state)
{
    uint32_t last = 0;

    for (int64_t value = 0; value < INT32_MAX; value += 1 + value / 3) {
        uint32_t bin = rv_drift_bin((int32_t)value);

        assert_true(bin >= last && bin < RV_DRIFT_BINS);
        last = bin;
    }
    last = 0;
    for (int64_t raw = -((int64_t)1 << 50); raw < (int64_t)1 << 50;
         raw += 1 + (raw < 0 ? -raw : raw) / 3) {
        uint32_t bin = rv_drift_score_bin(raw);

        assert_true(bin >= last && bin < RV_DRIFT_BINS);
        last = bin;
    }
    assert_int_equal(rv_drift_score_bin(INT64_MIN), 0);
    assert_int_equal(rv_drift_bin(-5), 0);
}

static void profiles_survive_and_damage_is_seen(void **state)
{
    struct set *set = set_new(1, 1000);
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
    struct rv_profile *again = calloc(1, sizeof(*again));
    const char *why = NULL;

    rv_profile_save(&set->now, &buf);
    rv_assert_ok(rv_profile_load(again, rv_buf_span(&buf), &why));
    assert_memory_equal(again, &set->now, sizeof(*again));
    for (size_t at = 0; at < buf.len; at += 13) {
        buf.data[at] ^= 2;
        assert_true(rv_profile_load(again, rv_buf_span(&buf), &why) < 0);
        buf.data[at] ^= 2;
        assert_true(rv_profile_load(again, rv_span(buf.data, at), &why) < 0);
    }
    rv_profile_merge(again, &set->now);
    assert_int_equal(again->rows, 2000);
    free(again);
    free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_distribution_is_green_even_in_small_samples),
        cmocka_unit_test(a_moved_score_is_red_and_gets_better_slowly),
        cmocka_unit_test(too_few_rows_say_nothing),
        cmocka_unit_test(distances_are_those_of_the_textbook),
        cmocka_unit_test(bins_are_ordered),
        cmocka_unit_test(profiles_survive_and_damage_is_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
