/* SPDX-License-Identifier: Apache-2.0 */
/* Deciding: every operator with the wrong and the right kinds, entities that are missing, `in`
 * through every kind of parent, the index, the bounds. */
#include "policy_test.h"

#include <stdlib.h>

#define T(text, want, is) { text, RV_EVAL_TYPE, RV_VALUE_##want, RV_VALUE_##is }
#define FAILS(text, why)  { text, RV_EVAL_##why, RV_VALUE_NONE, RV_VALUE_NONE }
#define HOLDS(text)       { text, RV_EVAL_OK, RV_VALUE_NONE, RV_VALUE_NONE }

static struct rv_entities *store(void)
{
    return test_entities(
        "[{\"uid\": {\"type\": \"User\", \"id\": \"a\"}, \"attrs\": {\"n\": 1, \"b\": true, "
        "\"s\": \"text\", \"set\": [1, 2], \"empty\": [], \"r\": {\"x\": {\"y\": 2}}, \"gone\": "
        "{\"__entity\": {\"type\": \"User\", \"id\": \"gone\"}}, \"mixed\": [1, {\"__entity\": "
        "{\"type\": \"Group\", \"id\": \"g\"}}]}, \"tags\": {\"k\": \"v\"}, "
        "\"parents\": [{\"type\": \"Group\", \"id\": \"g\"}]}, "
        "{\"uid\": {\"type\": \"Group\", \"id\": \"g\"}, \"attrs\": {}, "
        "\"parents\": [{\"type\": \"Group\", \"id\": \"top\"}]}]");
}

static void wrong_kinds(void **state)
{
    static const struct test_case rows[] = {
        T("1", BOOL, LONG),
        T("principal", BOOL, ENTITY),
        T("!1", BOOL, LONG),
        T("!principal.s", BOOL, STRING),
        T("-true == 1", LONG, BOOL),
        T("-principal.s == 1", LONG, STRING),
        T("1 && true", BOOL, LONG),
        T("true && 1", BOOL, LONG),
        T("principal.b && principal.n", BOOL, LONG),
        T("principal.n || true", BOOL, LONG),
        T("false || \"x\"", BOOL, STRING),
        T("if principal.n then true else false", BOOL, LONG),
        T("if principal.b then principal.n else false", BOOL, LONG),
        T("\"a\" < \"b\"", LONG, STRING),
        T("principal.n < principal.s", LONG, STRING),
        T("principal.s >= 1", LONG, STRING),
        T("true <= false", LONG, BOOL),
        T("principal > resource", LONG, ENTITY),
        T("principal.n + principal.s == 1", LONG, STRING),
        T("principal.s - 1 == 1", LONG, STRING),
        T("principal.b * 2 == 1", LONG, BOOL),
        T("1 in principal", ENTITY, LONG),
        T("principal in 1", ENTITY, LONG),
        T("principal in principal.mixed", ENTITY, LONG),
        T("principal in [principal, 1]", ENTITY, LONG),
        T("principal.s is User", ENTITY, STRING),
        T("principal is User in principal.n", ENTITY, LONG),
        T("principal.n.contains(1)", SET, LONG),
        T("principal.set.containsAll(1)", SET, LONG),
        T("principal.set.containsAny(principal.s)", SET, STRING),
        T("principal.s.isEmpty()", SET, STRING),
        T("principal.n.x == 1", RECORD, LONG),
        T("principal.s has x", RECORD, STRING),
        T("principal.n like \"*\"", STRING, LONG),
        T("principal like \"*\"", STRING, ENTITY),
        T("principal.n.hasTag(\"k\")", ENTITY, LONG),
        T("principal.hasTag(1)", STRING, LONG),
        T("context.getTag(\"k\") == 1", ENTITY, RECORD),
        T("[1, !2] == [1]", BOOL, LONG),
        T("{a: !2} == {a: 1}", BOOL, LONG),
    };
    RV_AUTO(rv_entities_free) struct rv_entities *entities = store();

    (void)state;
    test_cases(entities, rows, RV_COUNT(rows));
}

static void numbers_stay_in_64_bits(void **state)
{
    static const struct test_case rows[] = {
        FAILS("context.max + 1 == 0", OVERFLOW),
        FAILS("context.min - 1 == 0", OVERFLOW),
        FAILS("context.min + -1 == 0", OVERFLOW),
        FAILS("context.max * 2 == 0", OVERFLOW),
        FAILS("context.min * -1 == 0", OVERFLOW),
        FAILS("-context.min == 0", OVERFLOW),
        FAILS("9223372036854775807 + 1 == 0", OVERFLOW),
        FAILS("-(-9223372036854775808) == 0", OVERFLOW),
        HOLDS("context.max + context.min == -1"),
        HOLDS("-context.max - 1 == context.min"),
        HOLDS("-9223372036854775808 == context.min"),
        HOLDS("9223372036854775807 == context.max"),
        HOLDS("context.min < context.max && context.max > context.min"),
        HOLDS("false || !(false && context.max + 1 == 0)"),
        HOLDS("true || context.max + 1 == 0"),
        HOLDS("if true then true else context.max + 1 == 0"),
    };
    (void)state;
    test_cases(NULL, rows, RV_COUNT(rows));
}

static void what_is_missing(void **state)
{
    static const struct test_case rows[] = {
        FAILS("principal.nope == 1", NO_ATTR),
        FAILS("principal.r.nope == 1", NO_ATTR),
        FAILS("context.nope == 1", NO_ATTR),
        FAILS("{a: 1}.b == 1", NO_ATTR),
        FAILS("resource.n == 1", NO_ENTITY),
        FAILS("principal.gone.n == 1", NO_ENTITY),
        FAILS("User::\"nobody\".n == 1", NO_ENTITY),
        FAILS("principal.getTag(\"nope\") == \"v\"", NO_TAG),
        FAILS("resource.getTag(\"k\") == \"v\"", NO_ENTITY),
        FAILS("User::\"nobody\".getTag(\"k\") == \"v\"", NO_ENTITY),
        HOLDS("!(principal has nope) && !(resource has n) && !(User::\"nobody\" has n)"),
        HOLDS("principal has r.x.y && !(principal has r.z.y) && !(principal has gone.n)"),
        HOLDS("principal has n && principal.n == 1"),
        HOLDS("principal.hasTag(\"k\") && principal.getTag(\"k\") == \"v\""),
        HOLDS("!principal.hasTag(\"nope\") && !resource.hasTag(\"k\")"),
        HOLDS("principal.hasTag(\"k\") && !(principal has k)"),
        HOLDS("resource == principal.gone && resource != principal"),
    };
    RV_AUTO(rv_entities_free) struct rv_entities *entities = store();

    (void)state;
    test_cases(entities, rows, RV_COUNT(rows));
}

static void right_kinds(void **state)
{
    static const struct test_case rows[] = {
        HOLDS("!(1 == true) && 1 != \"1\" && User::\"1\" != Group::\"1\""),
        HOLDS("[1, 2, 2] == [2, 1] && [] == principal.empty && [1] != [[1]]"),
        HOLDS("{a: 1, b: 2} == {\"b\": 2, \"a\": 1} && {a: 1} != {a: 1, b: 2}"),
        HOLDS("1 < 2 && 2 <= 2 && 3 > 2 && 2 >= 2 && !(2 < 2) && !(2 > 2)"),
        HOLDS("2 + 3 * 4 == 14 && (2 + 3) * 4 == 20 && 7 - 2 - 1 == 4 && --1 == 1"),
        HOLDS("[1, \"a\", [2]].contains([2]) && !principal.set.contains(\"1\")"),
        HOLDS("principal.set.containsAll([1]) && principal.set.containsAll([])"),
        HOLDS("!principal.set.containsAll([1, 3]) && principal.set.containsAny([3, 2])"),
        HOLDS("!principal.set.containsAny([]) && ![].containsAny([1])"),
        HOLDS("principal.empty.isEmpty() && !principal.set.isEmpty()"),
        HOLDS("principal is User && !(principal is Group) && !(principal is N::User)"),
        HOLDS("principal is User in Group::\"top\" && !(principal is Group in principal)"),
        HOLDS("principal in principal && resource in resource && !(resource in principal)"),
        HOLDS("principal in Group::\"g\" && principal in Group::\"top\""),
        HOLDS("principal in [Group::\"no\", Group::\"top\"] && !(principal in [])"),
        HOLDS("Group::\"g\" in Group::\"top\" && !(Group::\"top\" in Group::\"g\")"),
        HOLDS("!(principal in User::\"g\")"),
    };
    RV_AUTO(rv_entities_free) struct rv_entities *entities = store();

    (void)state;
    test_cases(entities, rows, RV_COUNT(rows));
}

static void patterns(void **state)
{
    static const struct test_case rows[] = {
        HOLDS("\"\" like \"\" && \"\" like \"*\" && \"\" like \"**\" && !(\"\" like \"a\")"),
        HOLDS("!(\"a\" like \"\") && \"a\" like \"a\" && !(\"a\" like \"A\")"),
        HOLDS("!(\"a\" like \"a*a\") && \"aa\" like \"a*a\" && \"aXa\" like \"a*a\""),
        HOLDS("\"abcabc\" like \"*abc\" && \"abcab\" like \"abc*\" && !(\"xabc\" like \"abc*\")"),
        HOLDS("\"aab\" like \"*ab\" && \"ababac\" like \"a*b*c\" && !(\"ababa\" like \"a*b*c\")"),
        HOLDS("\"a*b\" like \"a\\*b\" && !(\"axb\" like \"a\\*b\") && \"*x\" like \"\\**\""),
        HOLDS("\"\\\\\" like \"\\\\\" && \"a\\nb\" like \"a*b\" && \"a\\0b\" like \"a\\0b\""),
        HOLDS("\"\\u{1F600}x\" like \"\\u{1F600}*\" && \"a.b\" like \"a.b\""),
        HOLDS("!(\"axb\" like \"a.b\") && !(\"a\" like \"?\") && !(\"ab\" like \"[a]b\")"),
        HOLDS("context.text like \"t*t\" && !(context.text like \"te*ext\")"),
    };
    (void)state;
    test_cases(NULL, rows, RV_COUNT(rows));
}

/* ---- `in` through overlay, store and lists that are closed ---- */

static bool allows(const char *text, const struct rv_entities *entities,
                   const struct rv_policy_request *request, enum rv_eval_code *ret_code)
{
    RV_AUTO(rv_program_free) struct rv_program *program = test_program(text);
    RV_AUTO(rv_evaluator_free) struct rv_evaluator *evaluator = NULL;
    struct rv_policy_decision decision;

    rv_assert_ok(rv_evaluator_new(&evaluator, program));
    rv_evaluate(evaluator, entities, request, &decision);
    *ret_code = decision.error_count > 0 ? decision.errors[0].code : RV_EVAL_OK;
    return decision.effect == RV_EFFECT_ALLOW;
}

static struct rv_uid uid_of(const char *type, const char *id)
{
    return rv_uid(rv_text_str(type), rv_text_str(id));
}

static void parents_are_followed_where_they_are_known(void **state)
{
    struct rv_uid p = uid_of("Process", "1"), q = uid_of("Process", "2"), g = uid_of("Group", "g");
    struct rv_uid read = uid_of("Action", "read"), nowhere = uid_of("Group", "nowhere");
    struct rv_parent p_up[] = { { &q, NULL } };
    struct rv_parent q_up[] = { { &g, NULL }, { &nowhere, NULL }, { &p, NULL } }; /* a ring */
    struct rv_entity low = { .uid = p, .parents = p_up, .parent_count = 1 };
    struct rv_entity high = { .uid = q, .parents = q_up, .parent_count = 3 };
    const struct rv_entity *overlay[] = { &low, &high };
    struct rv_policy_request request = { .principal = &p, .action = &read, .resource = &nowhere,
                                         .overlay = overlay, .overlay_count = 2 };
    static const struct {
        const char *target;
        bool open, closed; /* below it when the list of the principal is open, when it is closed */
    } rows[] = {
        { "Group::\"nothing\"", false, false }, { "Process::\"1\"", true, true },
        { "Process::\"2\"", true, true },       { "Group::\"g\"", true, false },
        { "Group::\"nowhere\"", true, false },  { "Group::\"top\"", true, false },
    };
    RV_AUTO(rv_entities_free) struct rv_entities *entities = store();

    (void)state;
    for (size_t i = 0; i < 2 * RV_COUNT(rows); i++) {
        char scope[128], body[128];
        enum rv_eval_code code;

        low.closed = i % 2;
        (void)snprintf(scope, sizeof(scope), "permit(principal in %s, action, resource);",
                       rows[i / 2].target);
        (void)snprintf(body, sizeof(body),
                       "permit(principal, action, resource) when { Process::\"1\" in %s };",
                       rows[i / 2].target);
        assert_int_equal(allows(scope, entities, &request, &code),
                         low.closed ? rows[i / 2].closed : rows[i / 2].open);
        assert_int_equal(allows(body, entities, &request, &code),
                         low.closed ? rows[i / 2].closed : rows[i / 2].open);
        assert_int_equal(code, RV_EVAL_OK);
    }
}

static void the_overlay_hides_the_store(void **state)
{
    struct rv_uid a = uid_of("User", "a"), read = uid_of("Action", "read");
    struct rv_entity bare = { .uid = a };
    const struct rv_entity *overlay[] = { &bare };
    struct rv_policy_request request = { .principal = &a, .action = &read, .resource = &a };
    const char *text = "permit(principal in Group::\"g\", action, resource) when { resource has n };";
    RV_AUTO(rv_entities_free) struct rv_entities *entities = store();
    enum rv_eval_code code;

    (void)state;
    assert_true(allows(text, entities, &request, &code));
    request.overlay = overlay;
    request.overlay_count = 1;
    assert_false(allows(text, entities, &request, &code));
}

/* ---- Bounds ---- */

/** Above 4096 ancestors nobody looks; what lies beyond is an error that is said, never a silent no. */
static void too_many_ancestors_are_an_error(void **state)
{
    enum { ABOVE = 4100 };
    static const struct {
        const char *text;
        enum rv_eval_code code;
        bool allowed;
    } rows[] = {
        { "permit(principal in Group::\"4099\", action, resource);", RV_EVAL_LIMIT, false },
        { "permit(principal is User in Group::\"4099\", action, resource);", RV_EVAL_LIMIT, false },
        { "permit(principal, action, resource) when { principal in Group::\"4099\" };",
          RV_EVAL_LIMIT, false },
        { "permit(principal is Group in Group::\"4099\", action, resource);", RV_EVAL_OK, false },
        { "permit(principal in Group::\"4099\", action, resource == Group::\"1\");", RV_EVAL_OK,
          false },
        { "permit(principal in Group::\"0\", action, resource);", RV_EVAL_OK, true },
        { "permit(principal == User::\"a\", action, resource);", RV_EVAL_OK, true },
    };
    RV_AUTO(rv_freep) struct rv_uid *uids = calloc(ABOVE, sizeof(*uids));
    RV_AUTO(rv_freep) struct rv_parent *parents = calloc(ABOVE, sizeof(*parents));
    RV_AUTO(rv_freep) char(*names)[8] = calloc(ABOVE, sizeof(*names));
    struct rv_uid a = uid_of("User", "a"), read = uid_of("Action", "read");
    struct rv_entity entity = { .uid = a, .parents = parents, .parent_count = ABOVE };
    const struct rv_entity *overlay[] = { &entity };
    struct rv_policy_request request = { .principal = &a, .action = &read, .resource = &read,
                                         .overlay = overlay, .overlay_count = 1 };

    (void)state;
    for (int i = 0; i < ABOVE; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "%d", i);
        uids[i] = uid_of("Group", names[i]);
        parents[i].uid = &uids[i];
    }
    for (size_t i = 0; i < RV_COUNT(rows); i++) {
        enum rv_eval_code code = RV_EVAL_OK;
        bool allowed = allows(rows[i].text, NULL, &request, &code);

        if (allowed != rows[i].allowed || code != rows[i].code)
            fail_msg("%s: allowed %d, code %d", rows[i].text, allowed, code);
    }
}

static void a_policy_beyond_the_workspace_is_not_compiled(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };
    RV_AUTO(rv_policy_set_done) struct rv_policy_set set = { 0 };
    RV_AUTO(rv_program_free) struct rv_program *program = NULL;
    struct rv_text bad = { 0 };

    (void)state;
    rv_buf_add_str(&text, "permit(principal, action, resource) when { [");
    for (int i = 0; i < 360000; i++) /* 48 bytes each: an address and an element */
        rv_buf_add_str(&text, "ip(context.s),");
    rv_buf_add_str(&text, "1].isEmpty() };");
    rv_assert_ok(rv_policy_read(&set, "test", rv_buf_span(&text), NULL));
    assert_int_equal(rv_program_compile(&set, &program, &bad), -E2BIG);
    assert_true(rv_text_is(bad, "policy0"));
    assert_null(program);
}

/* ---- The index ---- */

/** What each of 1,000 policies says alone is what the index makes of all of them together. */
static void the_index_changes_no_answer(void **state)
{
    enum { POLICIES = 1000 };
    static const char *const principals[] = { "principal", "principal == User::\"a\"",
                                              "principal == User::\"b\"",
                                              "principal in Group::\"g\"",
                                              "principal in Group::\"top\"",
                                              "principal is User", "principal is Group",
                                              "principal is User in Group::\"top\"" };
    static const char *const actions[] = { "action", "action == Action::\"read\"",
                                           "action in [Action::\"read\", Action::\"write\"]" };
    static const char *const resources[] = { "resource", "resource == User::\"b\"",
                                             "resource is User", "resource in Group::\"top\"" };
    static const char *const bodies[] = { "", " when { principal has n }",
                                          " unless { resource.n == 1 }" };
    RV_AUTO(rv_entities_free) struct rv_entities *entities = store();
    RV_AUTO(rv_buf_done) struct rv_buf all = { 0 };
    RV_AUTO(rv_program_free) struct rv_program *program = NULL;
    RV_AUTO(rv_evaluator_free) struct rv_evaluator *evaluator = NULL;
    RV_AUTO(rv_freep) char(*texts)[256] = calloc(POLICIES, sizeof(*texts));
    struct rv_uid uids[] = { uid_of("User", "a"), uid_of("User", "b"), uid_of("Group", "g") };
    struct rv_uid read = uid_of("Action", "read");

    (void)state;
    for (unsigned i = 0; i < POLICIES; i++) { /* 8 * 3 * 4 * 3: every combination, some again */
        (void)snprintf(texts[i], sizeof(texts[i]), "permit(%s, %s, %s)%s;\n", principals[i % 8],
                       actions[i / 8 % 3], resources[i / 24 % 4], bodies[i / 96 % 3]);
        rv_buf_add_str(&all, texts[i]);
    }
    program = test_program(all.data);
    rv_assert_ok(rv_evaluator_new(&evaluator, program));
    for (size_t k = 0; k < 9; k++) {
        struct rv_policy_request request = {
            .principal = &uids[k % 3], .action = &read, .resource = &uids[k / 3]
        };
        struct rv_policy_decision decision;
        uint32_t reason = 0, error = 0;

        rv_evaluate(evaluator, entities, &request, &decision);
        for (uint32_t i = 0; i < 288; i++) {
            enum rv_eval_code code;
            bool allowed = allows(texts[i], entities, &request, &code);
            bool listed = reason < decision.reason_count && decision.reasons[reason] == i;
            bool failed = error < decision.error_count && decision.errors[error].policy == i;

            if (allowed != listed || (code != RV_EVAL_OK) != failed ||
                (failed && decision.errors[error].code != code))
                fail_msg("request %zu: alone %d (%d), together %d (%d): %s", k, allowed, code,
                         listed, failed, texts[i]);
            reason += listed;
            error += failed;
        }
        for (; reason < decision.reason_count; reason++) /* and the same again further on */
            assert_true(decision.reasons[reason] >= 288 &&
                        decision.reasons[reason] > decision.reasons[reason - 1]);
    }
}

static void a_forbid_wins_and_an_error_does_neither(void **state)
{
    static const char text[] = "permit(principal, action, resource);\n"
                               "forbid(principal, action, resource) when { principal.nope };\n"
                               "forbid(principal, action, resource) unless { context has k };\n"
                               "@severity(\"high\") forbid(principal, action, resource) "
                               "when { context has k };";
    RV_AUTO(rv_program_free) struct rv_program *program = test_program(text);
    RV_AUTO(rv_evaluator_free) struct rv_evaluator *evaluator = NULL;
    RV_AUTO(rv_buf_done) struct rv_buf sentence = { 0 };
    struct rv_uid a = uid_of("User", "a");
    struct rv_policy_request request = { .principal = &a, .action = &a, .resource = &a };
    struct rv_policy_decision decision;
    struct rv_field k = { rv_text_str("k"), rv_value_bool(true) };

    (void)state;
    rv_assert_ok(rv_evaluator_new(&evaluator, program));
    for (int i = 0; i < 2; i++) { /* policy 2 without `k`, policy 3 with it */
        request.context = (struct rv_fields){ &k, (uint32_t)i };
        rv_evaluate(evaluator, NULL, &request, &decision);
        assert_int_equal(decision.effect, RV_EFFECT_DENY);
        assert_int_equal(decision.reason_count, 1);
        assert_int_equal(decision.reasons[0], 2 + i);
        assert_int_equal(decision.error_count, 1);
        assert_int_equal(decision.errors[0].policy, 1);
        assert_int_equal(decision.errors[0].code, RV_EVAL_NO_ENTITY);
    }
    assert_true(rv_text_is(rv_program_annotation(program, 3, "severity"), "high"));
    assert_true(rv_text_is(rv_program_annotation(program, 0, "severity"), ""));
    rv_eval_error_print(&sentence, &decision.errors[0]);
    assert_string_equal(sentence.data, "the entity does not exist, so it has no 'nope'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_kinds),
        cmocka_unit_test(numbers_stay_in_64_bits),
        cmocka_unit_test(what_is_missing),
        cmocka_unit_test(right_kinds),
        cmocka_unit_test(patterns),
        cmocka_unit_test(parents_are_followed_where_they_are_known),
        cmocka_unit_test(the_overlay_hides_the_store),
        cmocka_unit_test(too_many_ancestors_are_an_error),
        cmocka_unit_test(a_policy_beyond_the_workspace_is_not_compiled),
        cmocka_unit_test(the_index_changes_no_answer),
        cmocka_unit_test(a_forbid_wins_and_an_error_does_neither),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
