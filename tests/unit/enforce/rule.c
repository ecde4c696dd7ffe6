/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "enforce/rule.h"

static struct rv_rule a_rule(void)
{
    struct rv_rule rule = { .actions = RV_DO_READ, .risk_max = 1000, .term_count = 2 };

    rule.terms[0] = (struct rv_rule_term){ .subject = RV_TERM_FILE, .text = "/etc/shadow" };
    rule.terms[1] = (struct rv_rule_term){ .subject = RV_TERM_UID, .negated = 1, .number = 0 };
    return rule;
}

static void a_rule_out_of_range_is_refused(void **state)
{
    struct rv_rule rule = a_rule();

    assert_null(rv_rule_check(&rule));
#define REFUSED(change)                                                                            \
    do {                                                                                           \
        rule = a_rule();                                                                           \
        change;                                                                                    \
        assert_non_null(rv_rule_check(&rule));                                                     \
    } while (0)
    REFUSED(rule.actions = 0);
    REFUSED(rule.actions = 1U << RV_DO_COUNT_);
    REFUSED(rule.risk_min = 900; rule.risk_max = 800);
    REFUSED(rule.risk_max = 1001);
    REFUSED(rule.mode = 2);
    REFUSED(rule.lapse = 2);
    REFUSED(rule.held = 2);
    REFUSED(rule.budgeted = 2);
    REFUSED(rule.term_count = RV_RULE_TERMS_MAX + 1);
    REFUSED(rule.terms[0].subject = 0);
    REFUSED(rule.terms[0].subject = RV_TERM_SUBJECTS_);
    REFUSED(rule.terms[0].negated = 2);
    REFUSED(rule.terms[0].text[0] = '\0');
    REFUSED(rule.terms[0].text[0] = 'e');
    REFUSED(memset(rule.terms[0].text, '/', sizeof(rule.terms[0].text)));
    REFUSED(rule.terms[1].subject = RV_TERM_FLAG; rule.terms[1].number = RV_FLAGS_);
#undef REFUSED
}

static void every_action_and_outcome_has_a_name(void **state)
{
    for (unsigned i = 0; i < RV_DO_COUNT_; i++)
        assert_non_null(rv_do_name(1U << i));
    assert_null(rv_do_name(0));
    assert_null(rv_do_name(3));
    for (unsigned i = 0; i < RV_REFUSALS_; i++)
        assert_non_null(rv_refusal_name((enum rv_refusal)i));
    assert_string_equal(rv_mechanism_name(RV_BY_AFTER), "after");
    assert_string_equal(rv_mechanism_name((enum rv_mechanism)99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_out_of_range_is_refused),
        cmocka_unit_test(every_action_and_outcome_has_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
