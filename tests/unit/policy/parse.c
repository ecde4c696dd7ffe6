/* SPDX-License-Identifier: Apache-2.0 */
/* Reading policies: each message with its place, escapes, patterns, literals, bounds. */
#include "policy_test.h"

#define ANY "permit(principal, action, resource)"

static void every_error_has_its_place(void **state)
{
    static const struct {
        const char *text, *message;
        unsigned line, column;
    } rows[] = {
        { "allow(principal, action, resource);", "expected 'permit' or 'forbid' here", 1, 1 },
        { ANY, "expected ';'", 1, 36 },
        { ANY ";\n  permit", "expected '('", 2, 9 },
        { "permit(action, principal, resource);", "expected 'principal' here", 1, 8 },
        { "permit(principal, action);", "expected ','", 1, 25 },
        { "permit(principal in Group, action, resource);", "expected an entity here", 1, 26 },
        { "permit(principal, action == User::\"a\", resource);", "an action's type must be Action",
          1, 29 },
        { "permit(principal == ?resource, action, resource);",
          "the slot ?resource cannot stand here", 1, 21 },
        { "@a(\"1\")\n@a(\"2\")\n" ANY ";", "@a stands twice", 2, 1 },
        { "@a(1)" ANY ";", "expected a string in @a(...)", 1, 4 },
        { "@ ;", "expected a name after '@'", 1, 3 },
        { ANY "\nwhen { };", "expected an expression here", 2, 8 },
        { ANY "\nwhen { true", "expected '}'", 2, 12 },
        { ANY " when { 1 };\n\n\n #", "this is no part of the language", 4, 2 },
        { ANY " when { \"no end };", "the string has no end", 1, 44 },
        { ANY " when { \"a\\q\" };", "unknown escape", 1, 46 },
        { ANY " when { \"\\x80\" };", "unknown escape", 1, 45 },
        { ANY " when { \"\\u{d800}\" };", "unknown escape", 1, 45 },
        { ANY " when { \"\\u{110000}\" };", "unknown escape", 1, 45 },
        { ANY " when { \"\\u{}\" };", "unknown escape", 1, 45 },
        { ANY " when { \"a\\*\" };", "unknown escape", 1, 46 },
        { ANY " when { \"a\" like \"\\q\" };", "the pattern holds an unknown escape", 1, 53 },
        { ANY " when { \"a\" like 1 };", "expected a pattern in quotes after 'like'", 1, 53 },
        { ANY " when { x };", "there is no variable 'x'", 1, 44 },
        { ANY " when { ?principal == 1 };", "a slot may stand only in the scope", 1, 44 },
        { ANY " when { context.if };", "expected the name of an attribute after '.'", 1, 52 },
        { ANY " when { context has };", "expected the name of an attribute after 'has'", 1, 56 },
        { ANY " when { context[1] };", "only a string literal can stand in x[...]", 1, 52 },
        { ANY " when { context.size() };", "there is no method 'size'", 1, 52 },
        { ANY " when { lookup(1) };", "there is no function 'lookup'", 1, 44 },
        { ANY " when { isIpv4(1) };", "'isIpv4' is a method", 1, 44 },
        { ANY " when { [].contains() };", "contains() takes 1 argument, not 0", 0, 0 },
        { ANY " when { {a: 1, \"a\": 2} };", "the key 'a' stands twice", 0, 0 },
        { ANY " when { {1: 2} };", "expected a name or a string as key", 1, 45 },
        { ANY " when { 1 = 2 };", "'=' cannot stand here", 1, 46 },
        { ANY " when { 4 / 2 };", "Cedar has no division", 1, 46 },
        { ANY " when { 4 % 2 };", "Cedar has no division", 1, 46 },
        { ANY " when { !!!!!true };", "more than 4 '!' in a row", 1, 48 },
        { ANY " when { -----1 };", "more than 4 '-' in a row", 1, 48 },
        { ANY " when { 9223372036854775808 };", "the number does not fit into 64 bits", 1, 44 },
        { ANY " when { -9223372036854775809 };", "the number does not fit into 64 bits", 0, 0 },
        { ANY " when { 1 < 2 < 3 };", "expected", 1, 50 },
        { ANY " when { if true then 1 };", "expected 'else' here", 1, 59 },
        { ANY " when { [1 2] };", "expected ',' or ']' here", 1, 47 },
        { ANY " when { \"\xff\" };", "the text is not UTF-8", 1, 45 },
        { ANY " when { \"\xc0\x80\" };", "the text is not UTF-8", 1, 45 },
    };
    (void)state;
    for (size_t i = 0; i < RV_COUNT(rows); i++) {
        RV_AUTO(rv_policy_set_done) struct rv_policy_set set = { 0 };
        RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
        const struct rv_diag *diag;

        if (rv_policy_read(&set, "p.cedar", rv_span_str(rows[i].text), &diags) != -EINVAL)
            fail_msg("taken: %s", rows[i].text);
        assert_int_equal(set.count, 0);
        assert_int_equal(diags.count, 1);
        diag = &diags.items[0];
        assert_string_equal(diag->file, "p.cedar");
        assert_string_equal(diag->code, "parse");
        if (!strstr(diag->message, rows[i].message) ||
            (rows[i].line && (diag->line != rows[i].line || diag->column != rows[i].column)))
            fail_msg("%s\n  %u:%u: %s", rows[i].text, diag->line, diag->column, diag->message);
    }
}

/** On failure the set is as it was: what came before the error is not in it either. */
static void a_bad_text_leaves_the_set_alone(void **state)
{
    RV_AUTO(rv_policy_set_done) struct rv_policy_set set = { 0 };

    (void)state;
    rv_assert_ok(rv_policy_read(&set, "a", rv_span_str(ANY ";"), NULL));
    assert_int_equal(rv_policy_read(&set, "b", rv_span_str(ANY "; " ANY "; nonsense"), NULL),
                     -EINVAL);
    assert_int_equal(set.count, 1);
    rv_assert_ok(rv_policy_read(&set, "c", rv_span_str("// only a remark\n"), NULL));
    assert_int_equal(set.count, 1);
    rv_assert_ok(rv_policy_read(&set, "d", rv_span_str(ANY "; // end"), NULL));
    assert_true(rv_text_is(set.items[0]->id, "policy0"));
    assert_true(rv_text_is(set.items[1]->id, "policy1"));
}

static const struct rv_expr *read_expr(struct rv_arena *arena, const char *text)
{
    RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
    const struct rv_expr *expr = NULL;

    if (rv_expr_read(arena, rv_span_str(text), &expr, &diags) < 0)
        fail_msg("%s: %s", text, diags.count ? diags.items[0].message : "?");
    return expr;
}

static void escapes(void **state)
{
    static const struct {
        const char *text, *meaning;
        size_t len;
    } rows[] = {
        { "\"\"", "", 0 },
        { "\"\\n\\r\\t\\0\\\\\\\"\\'\"", "\n\r\t\0\\\"'", 7 },
        { "\"\\x41\\x7f\"", "A\x7f", 2 },
        { "\"\\u{41}\\u{e9}\\u{20ac}\\u{1F600}\"", "A\u00e9\u20ac\U0001F600", 10 },
        { "\"line\nbreak\"", "line\nbreak", 10 },
    };
    (void)state;
    for (size_t i = 0; i < RV_COUNT(rows); i++) {
        RV_AUTO(rv_arena_done) struct rv_arena arena = { 0 };
        const struct rv_expr *expr = read_expr(&arena, rows[i].text);

        assert_int_equal(expr->value.kind, RV_VALUE_STRING);
        assert_int_equal(expr->value.count, rows[i].len);
        assert_memory_equal(expr->value.text, rows[i].meaning, rows[i].len);
    }
}

/** `count` times `open`, then `inner`, then `count` times `close`. */
static int read_nested(const char *open, const char *inner, const char *close, int count)
{
    RV_AUTO(rv_arena_done) struct rv_arena arena = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };
    const struct rv_expr *expr = NULL;
    int r;

    for (int i = 0; i < count; i++)
        rv_buf_add_str(&text, open);
    rv_buf_add_str(&text, inner);
    for (int i = 0; i < count; i++)
        rv_buf_add_str(&text, close);
    r = rv_expr_read(&arena, rv_buf_span(&text), &expr, NULL);
    if (r == 0)
        assert_true(expr->depth <= RV_EXPR_DEPTH_MAX);
    return r;
}

static void nesting_has_a_bound(void **state)
{
    static const struct {
        const char *open, *inner, *close;
    } rows[] = {
        { "(", "1", ")" },
        { "[", "1", "]" },
        { "{a: ", "1", "}" },
        { "!(", "true", ")" },
        { "if ", "true", " then 1 else 2" },
        { "", "context", ".a" },
        { "true && ", "true", "" },
        { "ip(", "1", ")" },
    };
    (void)state;
    for (size_t i = 0; i < RV_COUNT(rows); i++) {
        assert_int_equal(read_nested(rows[i].open, rows[i].inner, rows[i].close, 50), 0);
        assert_int_equal(read_nested(rows[i].open, rows[i].inner, rows[i].close, 100000), -EINVAL);
    }
}

static void literals_at_the_ends(void **state)
{
    RV_AUTO(rv_arena_done) struct rv_arena arena = { 0 };

    (void)state;
    assert_true(read_expr(&arena, "9223372036854775807")->value.number == INT64_MAX);
    assert_true(read_expr(&arena, "-9223372036854775808")->value.number == INT64_MIN);
    assert_true(read_expr(&arena, "0000000000000000000000007")->value.number == 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_its_place),
        cmocka_unit_test(a_bad_text_leaves_the_set_alone),
        cmocka_unit_test(escapes),
        cmocka_unit_test(nesting_has_a_bound),
        cmocka_unit_test(literals_at_the_ends),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
