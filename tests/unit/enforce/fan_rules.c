/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "rules.h"

#define HERE  "/proc/self/exe"
#define OTHER "/proc/version"

static struct rv_rule rule;

static void term(uint8_t subject, bool negated, const char *text, uint64_t number)
{
    struct rv_rule_term *at = &rule.terms[rule.term_count++];

    *at = (struct rv_rule_term){ .subject = subject, .negated = negated, .number = number };
    if (text)
        strcpy(at->text, text);
}

static void begin(void)
{
    rule = (struct rv_rule){ .actions = RV_DO_READ, .risk_max = 1000, .mode = RV_RULE_ENFORCE };
}

static enum fan_truth match(const struct fan_facts *facts)
{
    const struct rv_fan_set set = { .rules = &rule, .rule_count = 1 };
    struct rv_fan_taken taken;
    struct fan_rules *rules;
    enum fan_truth truth;

    rv_assert_ok(rv_fan_rules_new(&rules, &set, &taken));
    truth = rv_fan_match(rules, 0, facts);
    rv_fan_rules_unref(rules);
    return truth;
}

static struct fan_facts facts_of(void)
{
    static char path[] = "/etc/shadow", program[] = "/usr/bin/cat";
    struct fan_facts facts = { .action = RV_DO_READ,
                               .process_known = true,
                               .path_known = true,
                               .place = FAN_PLACE_FOUND,
                               .uid = 10,
                               .euid = 11,
                               .gid = 12,
                               .workloads = { 100, 1 },
                               .workload_count = 2,
                               .link_count = 1,
                               .path = path,
                               .program_path = program };

    rv_assert_ok(rv_fan_identify(HERE, &facts.program));
    rv_assert_ok(rv_fan_identify(OTHER, &facts.file));
    rv_assert_ok(rv_fan_identify("/", &facts.folders[0]));
    facts.folder_count = 1;
    return facts;
}

static void each_subject_by_itself(void **state)
{
    static const struct {
        uint8_t subject;
        const char *text;
        uint64_t number;
        enum fan_truth truth;
    } cases[] = {
        { RV_TERM_PROGRAM, HERE, 0, FAN_YES },
        { RV_TERM_PROGRAM, OTHER, 0, FAN_NO },
        { RV_TERM_PROGRAM, "/no/such", 0, FAN_NO },
        { RV_TERM_PROGRAM_NAME, "cat", 0, FAN_YES },
        { RV_TERM_PROGRAM_NAME, "at", 0, FAN_NO },
        { RV_TERM_KIND, NULL, 0, FAN_YES },
        { RV_TERM_KIND, NULL, 3, FAN_NO },
        { RV_TERM_LINEAGE, HERE, 0, FAN_YES },
        { RV_TERM_LINEAGE, OTHER, 0, FAN_MAYBE },
        { RV_TERM_LINEAGE, "/no/such", 0, FAN_NO },
        { RV_TERM_LINEAGE_KIND, NULL, 3, FAN_MAYBE },
        { RV_TERM_UID, NULL, 10, FAN_YES },
        { RV_TERM_UID, NULL, 11, FAN_NO },
        { RV_TERM_EUID, NULL, 11, FAN_YES },
        { RV_TERM_GID, NULL, 12, FAN_YES },
        { RV_TERM_WORKLOAD, NULL, 1, FAN_YES },
        { RV_TERM_WORKLOAD, NULL, 2, FAN_NO },
        { RV_TERM_FILE, OTHER, 0, FAN_YES },
        { RV_TERM_FILE, HERE, 0, FAN_NO },
        { RV_TERM_FOLDER, "/", 0, FAN_YES },
        { RV_TERM_FOLDER, "/proc", 0, FAN_NO },
        { RV_TERM_FILE_NAME, "shadow", 0, FAN_YES },
        { RV_TERM_FILE_KIND, NULL, 9, FAN_NO }, /* a read starts nothing */
        { RV_TERM_PORT, NULL, 22, FAN_NO },
        { RV_TERM_FLAG, NULL, RV_FLAG_FILELESS, FAN_NO },
    };
    const struct fan_facts facts = facts_of();

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        begin();
        term(cases[i].subject, false, cases[i].text, cases[i].number);
        if (match(&facts) != cases[i].truth)
            fail_msg("case %zu affirmed", i);
        rule.terms[0].negated = 1;
        if (match(&facts) != FAN_YES - cases[i].truth)
            fail_msg("case %zu negated", i);
    }
}

static void groups_are_any_within_and_all_between(void **state)
{
    const struct fan_facts facts = facts_of();

    begin();
    term(RV_TERM_UID, false, NULL, 1);
    term(RV_TERM_UID, false, NULL, 10);
    assert_int_equal(match(&facts), FAN_YES);
    term(RV_TERM_FILE, false, HERE, 0);
    assert_int_equal(match(&facts), FAN_NO);
    term(RV_TERM_FOLDER, false, "/", 0); /* one group with FILE */
    assert_int_equal(match(&facts), FAN_YES);
    term(RV_TERM_LINEAGE, false, OTHER, 0);
    assert_int_equal(match(&facts), FAN_MAYBE);
    term(RV_TERM_GID, true, NULL, 12);
    assert_int_equal(match(&facts), FAN_NO);
    begin();
    assert_int_equal(match(&facts), FAN_YES); /* nothing asked */
    rule.actions = RV_DO_WRITE;
    assert_int_equal(match(&facts), FAN_NO);
}

static void risk_is_for_the_judge(void **state)
{
    const struct fan_facts facts = facts_of();

    begin();
    rule.risk_min = 1;
    assert_int_equal(match(&facts), FAN_MAYBE);
    begin();
    rule.risk_max = 999;
    assert_int_equal(match(&facts), FAN_MAYBE);
    term(RV_TERM_UID, false, NULL, 99);
    assert_int_equal(match(&facts), FAN_NO);
}

static void an_unknown_place_is_taken_strictly(void **state)
{
    struct fan_facts facts = facts_of();

    facts.folder_count = 0;
    facts.place = FAN_PLACE_HIDDEN;
    rv_assert_ok(rv_fan_identify("/usr", &facts.file)); /* on the same device as itself */
    begin();
    term(RV_TERM_FOLDER, false, "/usr", 0);
    assert_int_equal(match(&facts), FAN_YES);
    rule.terms[0].negated = 1;
    assert_int_equal(match(&facts), FAN_YES);
    begin();
    term(RV_TERM_FOLDER, false, "/proc", 0);
    assert_int_equal(match(&facts), FAN_NO);
    facts.place = FAN_PLACE_OPEN;
    assert_int_equal(match(&facts), FAN_MAYBE);
}

static void each_flag_is_a_group(void **state)
{
    struct fan_facts facts = facts_of();

    begin();
    rule.actions = facts.action = RV_DO_EXEC;
    facts.link_count = 0;
    term(RV_TERM_FLAG, false, NULL, RV_FLAG_FILELESS);
    assert_int_equal(match(&facts), FAN_YES);
    term(RV_TERM_FLAG, false, NULL, RV_FLAG_ANONYMOUS);
    assert_int_equal(match(&facts), FAN_NO);
}

static void a_file_is_also_what_has_its_name(void **state)
{
    struct fan_facts facts = facts_of();

    begin();
    term(RV_TERM_FILE, false, "/etc/shadow", 0);
    assert_int_equal(match(&facts), FAN_NO); /* of that name, but elsewhere */
    rv_assert_ok(rv_fan_identify("/etc", &facts.folders[0]));
    assert_int_equal(match(&facts), FAN_YES);
    rule.terms[0].negated = 1;
    assert_int_equal(match(&facts), FAN_NO);
}

static void a_file_settles_only_if_no_rule_can_ever_match(void **state)
{
    const struct fan_facts facts = facts_of();
    const struct rv_fan_set set = { .rules = &rule, .rule_count = 1 };
    static const struct {
        uint8_t subject;
        const char *text;
        uint64_t number;
        bool never;
    } cases[] = {
        { RV_TERM_FILE, HERE, 0, false }, /* it may get that name */
        { RV_TERM_FILE_KIND, NULL, 9, true },
        { RV_TERM_FOLDER, "/proc", 0, false }, /* it may be moved there */
        { RV_TERM_FILE_NAME, "x", 0, false },
        { RV_TERM_UID, NULL, 99, false },
        { RV_TERM_PROGRAM, HERE, 0, false },
        { RV_TERM_PORT, NULL, 1, true },
    };

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        struct rv_fan_taken taken;
        struct fan_rules *rules;

        begin();
        term(cases[i].subject, false, cases[i].text, cases[i].number);
        rv_assert_ok(rv_fan_rules_new(&rules, &set, &taken));
        if (rv_fan_never(rules, &facts) != cases[i].never)
            fail_msg("case %zu", i);
        rv_fan_rules_unref(rules);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_subject_by_itself),
        cmocka_unit_test(groups_are_any_within_and_all_between),
        cmocka_unit_test(risk_is_for_the_judge),
        cmocka_unit_test(an_unknown_place_is_taken_strictly),
        cmocka_unit_test(each_flag_is_a_group),
        cmocka_unit_test(a_file_is_also_what_has_its_name),
        cmocka_unit_test(a_file_settles_only_if_no_rule_can_ever_match),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
