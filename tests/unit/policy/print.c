/* SPDX-License-Identifier: Apache-2.0 */
/* Printing: precedence, as few brackets as mean the same, and there and back again. */
#include "policy_test.h"

static void expressions_print_canonically(void **state)
{
    static const struct {
        const char *text, *printed; /* NULL: as it was read */
    } rows[] = {
        { "1+2*3", "1 + 2 * 3" },
        { "(1 + 2) * 3", NULL },
        { "(1 + 2) + 3", "1 + 2 + 3" },
        { "1 - (2 - 3)", NULL },
        { "1 - 2 - 3", NULL },
        { "2 * (3 * 4)", NULL },
        { "true || false && true", NULL },
        { "(true || false) && true", NULL },
        { "true && (false && true)", NULL },
        { "!(true && false)", NULL },
        { "!true == false", NULL },
        { "!(true == false)", NULL },
        { "!!true", "!(!true)" },
        { "(1 < 2) == true", NULL },
        { "1 + 1 < 2 * 2", NULL },
        { "-5", NULL },
        { "-(5)", NULL },
        { "--5", "-(-5)" },
        { "-context.a", NULL },
        { "(-context.a).b", NULL },
        { "-9223372036854775808", NULL },
        { "(if true then 1 else 2) + 1", NULL },
        { "if true then 1 else 2 + 1", NULL },
        { "(if true then context else context).a", NULL },
        { "context[\"a\"].b[\"c d\"][\"if\"]", "context.a.b[\"c d\"][\"if\"]" },
        { "context has \"a b\" && context has c", NULL },
        { "context has a.b", "context has a && context.a has b" },
        { "principal is N::User in [Group::\"a\", Group::\"b\"]", NULL },
        { "(principal in resource) == true", NULL },
        { "context.s like \"a*\\*\\\\b\\\"\"", NULL },
        { "[1, [], {}]", NULL },
        { "{\"a\": 1, \"b c\": 2}", "{a: 1, \"b c\": 2}" },
        { "[1].containsAll([2]) && [1].containsAny([]) && [].isEmpty()", NULL },
        { "principal.hasTag(\"k\") && principal.getTag(\"k\") == 1", NULL },
        { "ip(\"1.2.3.4\").isInRange(ip(\"1.0.0.0/8\"))", NULL },
        { "datetime(\"2024-01-01\").offset(duration(\"1d\")).toDate()", NULL },
        { "User::\"a\\n\\\"\" == N::M::T::\"\\0\"", NULL },
    };
    (void)state;
    for (size_t i = 0; i < RV_COUNT(rows); i++) {
        RV_AUTO(rv_arena_done) struct rv_arena arena = { 0 };
        RV_AUTO(rv_buf_done) struct rv_buf once = { 0 }, twice = { 0 };
        const struct rv_expr *expr = NULL;

        if (rv_expr_read(&arena, rv_span_str(rows[i].text), &expr, NULL) < 0)
            fail_msg("not read: %s", rows[i].text);
        rv_expr_print(&once, expr);
        if (strcmp(once.data, rows[i].printed ? rows[i].printed : rows[i].text) != 0)
            fail_msg("%s printed: %s", rows[i].text, once.data);
        rv_assert_ok(rv_expr_read(&arena, rv_buf_span(&once), &expr, NULL));
        rv_expr_print(&twice, expr);
        assert_string_equal(once.data, twice.data);
    }
}

static void policies_print_canonically(void **state)
{
    static const char text[] =
        "@id(\"a\\\"b\")\n@note(\"\")\nforbid (\n  principal is User in Group::\"g\",\n"
        "  action in [Action::\"r\", N::Action::\"w\"],\n  resource == File::\"/etc\"\n)\n"
        "when { context.n > 1 }\nunless { principal == resource };\n"
        "permit (\n  principal == ?principal,\n  action == Action::\"r\",\n"
        "  resource in ?resource\n);\n"
        "permit (\n  principal is User in ?principal,\n  action in Action::\"r\",\n"
        "  resource is File\n);\n"
        "permit (\n  principal,\n  action,\n  resource\n);\n";
    RV_AUTO(rv_policy_set_done) struct rv_policy_set set = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf printed = { 0 };

    (void)state;
    rv_assert_ok(rv_policy_read(&set, "test", rv_span_str(text), NULL));
    for (size_t i = 0; i < set.count; i++)
        rv_policy_print(&printed, set.items[i]);
    assert_string_equal(printed.data, text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expressions_print_canonically),
        cmocka_unit_test(policies_print_canonically),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
