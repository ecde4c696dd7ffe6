/* SPDX-License-Identifier: Apache-2.0 */
/* Alarms against attacks: figures worked out by hand from runs of rows. */
#include "test.h"

#include "models/alarms.h"

#include <math.h>

#define ROWS 200

/** Rows [first, end). */
struct run {
    size_t first, end;
};

static void mark(bool *rows, const struct run *runs)
{
    for (size_t i = 0; i < 3; i++) {
        for (size_t at = runs[i].first; at < runs[i].end; at++)
            rows[at] = true;
    }
}

static void assert_near(const char *name, const char *what, double value, double expected)
{
    if (fabs(value - expected) > 1e-9)
        fail_msg("%s: %s is %.9f, not %.9f", name, what, value, expected);
}

static void figures_are_those_worked_out_by_hand(void **state)
{
    static const struct {
        const char *name;
        struct run attacks[3], alarms[3];
        size_t events_found, false_episodes;
        double earliness, covered, recall, precision, f1;
    } cases[] = {
        { "nothing is alarmed", { { 10, 20 } }, { { 0 } }, 0, 0, 0, 0, 0, 0, 0 },
        { "exactly the attack", { { 10, 20 } }, { { 10, 20 } }, 1, 0, 1, 1, 1, 1, 1 },
        /* 8 of 10 on both sides: (1 + 0.8) / 2 */
        { "late by two, and two too long",
          { { 10, 20 } },
          { { 12, 22 } },
          1,
          0,
          0.8,
          0.8,
          0.9,
          0.9,
          0.9 },
        /* 5 of 25 rows of the alarm are right, less than half: it finds nothing */
        { "an alarm that rings on", { { 10, 20 } }, { { 15, 40 } }, 1, 0, 0.5, 0.5, 0, 0, 0 },
        /* 5 of 100 rows are too few for the second attack, and its alarm falls with it */
        { "a glimpse of a long attack",
          { { 0, 10 }, { 20, 120 } },
          { { 5, 15 }, { 115, 125 } },
          2,
          0,
          (0.5 + 0.05) / 2,
          (0.5 + 0.05) / 2,
          0.75 / 2,
          0.75 / 2,
          0.375 },
        /* weights: root of 4 for the right one, root of 16 for the false one */
        { "a false alarm", { { 0, 4 } }, { { 0, 4 }, { 10, 26 } }, 1, 1, 1, 1, 1, 2.0 / 6, 0.5 },
        /* one alarm over two attacks: 20 of 24 rows right; each attack whole */
        { "one alarm for two",
          { { 10, 20 }, { 24, 34 } },
          { { 10, 34 } },
          2,
          0,
          1,
          1,
          1,
          11.0 / 12,
          22.0 / 23 },
        /* two alarms in one attack: 6 of 10, value 0.8; both wholly right */
        { "an alarm with a gap",
          { { 10, 20 } },
          { { 10, 13 }, { 17, 20 } },
          1,
          0,
          1,
          0.6,
          0.8,
          1,
          8.0 / 9 },
        /* a tenth is enough, as is half */
        { "just enough",
          { { 10, 20 } },
          { { 19, 21 } },
          1,
          0,
          0.1,
          0.1,
          0.55,
          0.75,
          2 * 0.55 * 0.75 / 1.3 },
        /* the alarm is right by two attacks together until the longer one is struck out */
        { "right until one is struck out",
          { { 10, 12 }, { 14, 54 } },
          { { 11, 17 } },
          2,
          0,
          0.75,
          (0.5 + 3.0 / 40) / 2,
          0,
          0,
          0 },
    };

    (void)state;
    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        struct rv_alarm_tally tally = { 0 };
        bool attack[ROWS] = { false }, alarm[ROWS] = { false };

        mark(attack, cases[i].attacks);
        mark(alarm, cases[i].alarms);
        rv_assert_ok(rv_alarms_judge(attack, alarm, ROWS, &tally));
        assert_int_equal(tally.events_found, cases[i].events_found);
        assert_int_equal(tally.false_episodes, cases[i].false_episodes);
        assert_near(cases[i].name, "earliness", rv_alarms_earliness(&tally), cases[i].earliness);
        assert_near(cases[i].name, "coverage", tally.covered / (double)tally.events,
                    cases[i].covered);
        assert_near(cases[i].name, "eTaR", rv_alarms_recall(&tally), cases[i].recall);
        assert_near(cases[i].name, "eTaP", rv_alarms_precision(&tally), cases[i].precision);
        assert_near(cases[i].name, "F1", rv_alarms_f1(&tally), cases[i].f1);
    }
}

/** Attack 10 to 20 of 40 rows, alarm 12 to 22: TPR 8/10, TNR 28/30, earliness 8/10. */
static void s_is_half_time_and_half_rows(void **state)
{
    struct rv_alarm_tally tally = { 0 };
    bool attack[40] = { false }, alarm[40] = { false };

    (void)state;
    mark(attack, (struct run[3]){ { 10, 20 } });
    mark(alarm, (struct run[3]){ { 12, 22 } });
    rv_assert_ok(rv_alarms_judge(attack, alarm, 40, &tally));
    assert_int_equal(tally.found, 8);
    assert_int_equal(tally.false_alarms, 2);
    assert_near("S", "it", rv_alarms_score(&tally), 0.4 + 0.2 + 7.0 / 30);
}

/** A second series adds to the sums; its rows do not touch those of the first. */
static void series_add_up(void **state)
{
    struct rv_alarm_tally tally = { 0 };
    bool all[4] = { true, true, true, true }, none[4] = { false };

    (void)state;
    rv_assert_ok(rv_alarms_judge(all, all, 4, &tally));
    rv_assert_ok(rv_alarms_judge(all, none, 4, &tally));
    rv_assert_ok(rv_alarms_judge(none, all, 4, &tally));
    rv_assert_ok(rv_alarms_judge(none, none, 0, &tally));
    assert_int_equal(tally.events, 2);
    assert_int_equal(tally.false_episodes, 1);
    assert_near("three", "eTaR", rv_alarms_recall(&tally), 0.5);
    assert_near("three", "eTaP", rv_alarms_precision(&tally), 0.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_are_those_worked_out_by_hand),
        cmocka_unit_test(s_is_half_time_and_half_rows),
        cmocka_unit_test(series_add_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
