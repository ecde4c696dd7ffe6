/* SPDX-License-Identifier: Apache-2.0 */
/* Calibration: exact p-values, risks that mean what they say, promises, damage. */
#include "test.h"

#include "base/hash.h"
#include "models/calibration.h"

static void free_calibration(struct rv_calibration **calibration)
{
    rv_calibration_free(calibration);
}
#define CALIBRATION RV_AUTO(free_calibration) struct rv_calibration *

static struct rv_calibration *with_edges(size_t count, uint32_t classes, uint32_t class_min)
{
    struct rv_calibration *calibration = NULL;
    int64_t edges[1024];

    for (size_t i = 0; i < count; i++)
        edges[i] = (int64_t)i * 65536;
    rv_assert_ok(rv_calibration_new(&calibration,
                                    &(struct rv_calibration_options){ .edges_q16 = edges,
                                                                      .edge_count = count,
                                                                      .class_count = classes,
                                                                      .class_min = class_min }));
    return calibration;
}

static void risk_is_the_logarithm_of_p_rounded_down(void **state)
{
    static const struct {
        uint64_t above, of;
        uint32_t risk;
    } cases[] = {
        { 1, 1, 0 },
        { 1, 10, 100 },
        { 1, 100, 200 },
        { 1, 99, 199 },
        { 1, 1000, 300 },
        { 1, 1001, 300 },
        { 1, 999, 299 },
        { 1, 100000, 500 },
        { 2, 100, 169 },
        { 1, 10000000000ULL, 1000 },
        { 1, UINT64_MAX / 2, 1000 },
        { 1, 2, 30 },
        { 5, 5, 0 },
        { 1, 30001, 447 },
    };

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        uint32_t risk = rv_risk_of_p((struct rv_p_value){ cases[i].above, cases[i].of, false });

        if (risk != cases[i].risk)
            fail_msg("%zu: got %u, expected %u", i, risk, cases[i].risk);
    }
}

/* Against plain counting, with scores on and between edges. */
static void p_is_what_counting_gives(void **state)
{
    CALIBRATION calibration = with_edges(64, 2, 100);
    int64_t scores[5000];
    uint64_t x = 1;

    for (size_t i = 0; i < RV_COUNT(scores); i++) {
        x = rv_mix64(x + i);
        scores[i] = (int64_t)(x % (70 * 65536)) - 3 * 65536;
        rv_calibration_add(calibration, 1, scores[i], 1);
    }
    for (int64_t at = -4 * 65536; at < 68 * 65536; at += 20011) {
        struct rv_p_value p = rv_calibration_p(calibration, 1, at);
        uint64_t above = 0;
        /* Everything in the score's bin counts: p is never too small. */
        int64_t floor = at < 0 ? INT64_MIN : at > 63 * 65536 ? 63 * 65536 : at / 65536 * 65536;

        for (size_t i = 0; i < RV_COUNT(scores); i++)
            above += scores[i] >= floor;
        assert_int_equal(p.above, above + 1);
        assert_int_equal(p.of, RV_COUNT(scores) + 1);
        assert_false(p.inherited);
    }
}

static void a_small_class_inherits_and_no_risk_exceeds_its_support(void **state)
{
    CALIBRATION calibration = with_edges(10, 3, 500);

    assert_int_equal(rv_calibration_risk(calibration, 0, INT64_MAX), 0); /* nothing is known */
    for (int i = 0; i < 499; i++)
        rv_calibration_add(calibration, 0, 0, 1);
    for (int i = 0; i < 99501; i++)
        rv_calibration_add(calibration, 1, 0, 1);
    assert_true(rv_calibration_p(calibration, 0, 65536).inherited);
    assert_int_equal(rv_calibration_risk(calibration, 0, 65536), 500);
    rv_calibration_add(calibration, 0, 0, 1);
    assert_false(rv_calibration_p(calibration, 0, 65536).inherited);
    assert_int_equal(rv_calibration_risk(calibration, 0, 65536), 269); /* 1 in 501 */
    assert_int_equal(rv_calibration_count(calibration, 0), 500);
    assert_int_equal(rv_calibration_count(calibration, RV_CALIBRATION_ALL), 100001);
}

/* Compilers score nothing, always; a point more is unusual for them and common on the host. */
static void no_score_is_rarer_than_it_is_on_the_host(void **state)
{
    CALIBRATION calibration = with_edges(10, 2, 100);

    for (int i = 0; i < 10000; i++) {
        rv_calibration_add(calibration, 0, 0, 1);
        rv_calibration_add(calibration, 1, (i % 10) * 65536, 1);
    }
    assert_int_equal(rv_calibration_risk(calibration, 0, 3 * 65536), 45); /* 7,001 in 20,001 */
    assert_true(rv_calibration_p(calibration, 0, 3 * 65536).inherited);
    assert_int_equal(rv_calibration_risk(calibration, 1, 3 * 65536), 15);
    assert_true(rv_calibration_threshold_q16(calibration, 0, 0.01, 0.05) > 9 * 65536);
}

static void held_scores_count_but_cannot_bury_an_alarm(void **state)
{
    CALIBRATION calibration = with_edges(10, 1, 100);

    for (int i = 0; i < 100000; i++)
        rv_calibration_add(calibration, 0, 0, 1);
    assert_int_equal(rv_calibration_risk(calibration, 0, 65536), 500);
    rv_calibration_hold(calibration, 0, 5 * 65536);
    assert_int_equal(rv_calibration_risk(calibration, 0, 5 * 65536), 469); /* 2 in 100,002 */
    assert_int_equal(rv_calibration_risk(calibration, 0, 6 * 65536), 500);
    for (int i = 0; i < 100000; i++)
        rv_calibration_hold(calibration, 0, 9 * 65536);
    assert_true(rv_calibration_risk(calibration, 0, 9 * 65536) >= 320);
    rv_calibration_adjudicate(calibration, 0, 5 * 65536, RV_JUDGED_BAD);
    assert_int_equal(rv_calibration_count(calibration, 0), 100000);
    rv_calibration_adjudicate(calibration, 0, 9 * 65536, RV_JUDGED_NORMAL);
    assert_int_equal(rv_calibration_count(calibration, 0), 100001);
}

static void counts_fade_but_the_tail_is_kept(void **state)
{
    CALIBRATION calibration = with_edges(10, 1, 100);

    rv_calibration_add(calibration, 0, 9 * 65536, 1);
    for (int i = 0; i < 1000000; i++)
        rv_calibration_add(calibration, 0, 0, 1);
    assert_true(rv_calibration_count(calibration, 0) < 140000);
    assert_int_equal(rv_calibration_p(calibration, 0, 9 * 65536).above, 2);
}

/* The arithmetic of the reference: FPR <= alpha with 95 % confidence. */
static void ranks_keep_the_promise(void **state)
{
    static const struct {
        uint64_t n;
        double alpha;
        uint64_t rank;
    } cases[] = {
        { 1000, 1e-2, 5 },  { 10000, 1e-2, 84 }, { 2900, 1e-3, 0 },   { 3000, 1e-3, 1 },
        { 10000, 1e-3, 5 }, { 30000, 1e-4, 1 },  { 100000, 1e-4, 5 }, { 100, 1e-2, 0 },
        { 0, 1e-2, 0 },     { 10, 0.0, 0 },      { 10, 2.0, 0 },
    };

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        uint64_t rank = rv_pac_rank(cases[i].n, cases[i].alpha, 0.05);

        if (rank != cases[i].rank)
            fail_msg("n %lu: got %lu, expected %lu", (unsigned long)cases[i].n, (unsigned long)rank,
                     (unsigned long)cases[i].rank);
    }
}

/* Draw 400 calibration sets; the threshold's true rate may exceed alpha in about one of 20. */
static void thresholds_keep_the_promise_in_simulation(void **state)
{
    unsigned broken = 0;
    uint64_t x = 7;

    for (unsigned round = 0; round < 400; round++) {
        int64_t scores[1000], sorted[1000], edges[1000];
        struct rv_calibration_options options = { .edges_q16 = edges, .class_count = 1 };
        CALIBRATION calibration = NULL;
        int64_t threshold;

        for (size_t i = 0; i < RV_COUNT(scores); i++) {
            x = rv_mix64(x + i + 1);
            scores[i] = sorted[i] = (int64_t)(x >> 24); /* uniform over 2^40 */
        }
        options.edge_count = rv_calibration_edges(sorted, RV_COUNT(sorted), edges, 1000);
        rv_assert_ok(rv_calibration_new(&calibration, &options));
        for (size_t i = 0; i < RV_COUNT(scores); i++)
            rv_calibration_add(calibration, 0, scores[i], 1);
        threshold = rv_calibration_threshold_q16(calibration, 0, 0.01, 0.05);
        assert_true(threshold < INT64_MAX);
        broken += (double)threshold < 0.99 * (double)((int64_t)1 << 40);
    }
    assert_in_range(broken, 0, 32); /* 20 expected; 99.7 % of runs stay below 33 */
}

static void edges_keep_the_tail_exact(void **state)
{
    int64_t scores[1000], edges[100];
    size_t count;

    for (int i = 0; i < 1000; i++)
        scores[i] = (i * 7919) % 1000 / 2; /* pairs of 0..499 */
    count = rv_calibration_edges(scores, 1000, edges, 100);
    assert_in_range(count, 90, 100);
    for (size_t i = 1; i < count; i++)
        assert_true(edges[i] > edges[i - 1]);
    for (size_t i = 0; i < 50; i++)
        assert_int_equal(edges[count - 1 - i], 499 - (int64_t)i);
    assert_int_equal(rv_calibration_edges(scores, 0, edges, 100), 0);
    assert_int_equal(rv_calibration_edges(scores, 1, edges, 100), 1);
}

static void saving_and_loading_change_nothing(void **state)
{
    CALIBRATION calibration = NULL;
    CALIBRATION again = NULL;
    RV_AUTO(rv_buf_done) struct rv_buf one = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf two = { 0 };
    const char *why = NULL;

    rv_assert_ok(rv_calibration_new_baseline(&calibration));
    for (uint32_t i = 0; i < 50000; i++)
        rv_calibration_add(calibration, i % 16, (int64_t)(rv_mix64(i) % (9 * 65536)), 1);
    rv_calibration_hold(calibration, 3, 999999);
    rv_calibration_save(calibration, &one);
    rv_assert_ok(rv_calibration_load(&again, rv_buf_span(&one), &why));
    rv_calibration_save(again, &two);
    assert_int_equal(one.len, two.len);
    assert_memory_equal(one.data, two.data, one.len);
    for (size_t at = 0; at < one.len; at += at < 100 ? 1 : 501) {
        CALIBRATION bad = NULL;

        one.data[at] ^= 4;
        assert_true(rv_calibration_load(&bad, rv_buf_span(&one), &why) < 0);
        one.data[at] ^= 4;
        assert_true(rv_calibration_load(&bad, rv_span(one.data, at), &why) < 0);
    }
}

static void the_prior_supports_an_alarm_in_the_first_minute(void **state)
{
    CALIBRATION calibration = NULL;
    uint32_t last = 0;

    rv_assert_ok(rv_calibration_new_baseline(&calibration));
    for (int64_t quarters = 0; quarters < 100; quarters++) {
        uint32_t risk = rv_calibration_risk(calibration, 5, quarters * 16384);

        assert_true(risk >= last);
        last = risk;
    }
    assert_int_equal(last, 447);
    assert_int_equal(rv_calibration_risk(calibration, 5, 0), 0);
}

static void senseless_options_are_refused(void **state)
{
    static const int64_t up[] = { 1, 2 }, down[] = { 2, 1 };
    static const struct rv_calibration_options cases[] = {
        { .edges_q16 = up, .edge_count = 0, .class_count = 1 },
        { .edges_q16 = up, .edge_count = 2, .class_count = 0 },
        { .edges_q16 = up, .edge_count = 2, .class_count = 257 },
        { .edges_q16 = down, .edge_count = 2, .class_count = 1 },
        { .edges_q16 = up, .edge_count = 1025, .class_count = 1 },
        { .edges_q16 = up, .edge_count = 2, .class_count = 1, .alpha_ppm = 900000 },
    };
    struct rv_calibration *calibration = NULL;

    for (size_t i = 0; i < RV_COUNT(cases); i++)
        assert_int_equal(rv_calibration_new(&calibration, &cases[i]), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(risk_is_the_logarithm_of_p_rounded_down),
        cmocka_unit_test(p_is_what_counting_gives),
        cmocka_unit_test(a_small_class_inherits_and_no_risk_exceeds_its_support),
        cmocka_unit_test(no_score_is_rarer_than_it_is_on_the_host),
        cmocka_unit_test(held_scores_count_but_cannot_bury_an_alarm),
        cmocka_unit_test(counts_fade_but_the_tail_is_kept),
        cmocka_unit_test(ranks_keep_the_promise),
        cmocka_unit_test(thresholds_keep_the_promise_in_simulation),
        cmocka_unit_test(edges_keep_the_tail_exact),
        cmocka_unit_test(saving_and_loading_change_nothing),
        cmocka_unit_test(the_prior_supports_an_alarm_in_the_first_minute),
        cmocka_unit_test(senseless_options_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
