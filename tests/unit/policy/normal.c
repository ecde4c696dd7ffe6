/* SPDX-License-Identifier: Apache-2.0 */
/* The normal form: each construct, what may fail, bounds; and that it means what Cedar means. */
#include "test.h"

#include "policy/normal.h"
#include "policy/read.h"

/* By name: attributes t and f are known, e always fails, p may fail, others are open. */
static enum rv_fold fold(void *context, const struct rv_atom *atom)
{
    char name = atom->depth ? atom->path[0].data[0] : 'o';

    (void)context;
    switch (name) {
    case 't':
        return RV_FOLD_TRUE;
    case 'f':
        return RV_FOLD_FALSE;
    case 'e':
        return RV_FOLD_ERROR;
    case 'p':
        return RV_FOLD_PARTIAL;
    default:
        return RV_FOLD_OPEN;
    }
}

static void add_literal(struct rv_buf *buf, const struct rv_normal *normal, uint16_t literal)
{
    static const char *const signs[] = { "", "!", "~", "?" };
    static const char *const operators[] = {
        "",      "has ",   "=",    "<",     "<=", "in ", "is ",
        "like ", "range ", "loop", "multi", "v4", "v6",  "opaque",
    };
    const struct rv_atom *atom = rv_literal_atom(normal, literal);
    char path[64];

    rv_buf_add_str(buf, signs[rv_literal_mode(literal)]);
    if (atom->op == RV_LITERAL_OPAQUE) {
        rv_buf_addf(buf, "{%s}", atom->why);
        return;
    }
    assert_true(rv_atom_path(atom, path, sizeof(path)));
    rv_buf_add_str(buf, atom->depth ? strchr(path, '.') + 1 : path);
    rv_buf_add_str(buf, operators[atom->op]);
    if (atom->value.kind)
        rv_value_print(buf, &atom->value);
    rv_buf_addf(buf, "%.*s", RV_TEXT_ARGS(atom->type));
}

static void print(struct rv_buf *buf, const struct rv_normal *normal)
{
    for (uint32_t i = 0; i < normal->conjunct_count; i++) {
        rv_buf_add_str(buf, i ? " | " : "");
        for (uint32_t k = 0; k < normal->conjuncts[i].count; k++) {
            rv_buf_add_str(buf, k ? " & " : "");
            add_literal(buf, normal, normal->conjuncts[i].literals[k]);
        }
        rv_buf_add_str(buf, normal->conjuncts[i].count ? "" : "always");
    }
    rv_buf_add_str(buf, normal->conjunct_count ? "" : "never");
}

static void each_construct_has_its_form(void **state)
{
    static const struct {
        const char *condition, *form, *complement;
    } cases[] = {
        { "true", "always", "never" },
        { "false", "never", "always" },
        { "context.a", "a", "!a" },
        { "!context.a", "!a", "a" },
        { "context.a && context.b", "a & b", "!a | !b" },
        { "context.a || context.b", "a | b", "!a & !b" },
        { "!(context.a && context.b)", "!a | !b", "a & b" },
        { "!(context.a || context.b)", "!a & !b", "a | b" },
        { "if context.a then context.b else context.c", "a & b | !a & c", NULL },
        { "(context.a || context.b) && (context.a || context.c)", "a | b & c", NULL },
        { "context.a && !context.a", "never", "always" },
        /* what is known */
        { "context.t && context.a", "a", NULL },
        { "context.f && context.e", "never", NULL },
        { "context.f || context.a", "a", NULL },
        { "context.t || context.e", "always", NULL },
        { "context.e || context.a", "never", NULL },
        { "!context.e", "never", NULL },
        { "if context.t then context.a else context.e", "a", NULL },
        { "\"text\"", "never", NULL },
        /* what may fail */
        { "context.p", "p", "~p" },
        { "!context.p", "!p", "?p" },
        { "context.p || context.a", "p | !p & a", NULL },
        { "context.a || context.p", "a | p", "!a & ~p" },
        { "!(context.p && context.a)", "!p | p & !a", NULL },
        { "!(context.a && context.p)", "!a | !p", NULL },
        /* comparisons */
        { "context.n == 3", "n=3", "!n=3" },
        { "3 != context.n", "!n=3", NULL },
        { "context.n < 3", "n<3", NULL },
        { "context.n <= 3", "n<=3", NULL },
        { "context.n > 3", "!n<=3", NULL },
        { "context.n >= 3", "!n<3", NULL },
        { "3 < context.n", "!n<=3", NULL },
        { "3 <= context.n", "!n<3", NULL },
        { "3 > context.n", "n<3", NULL },
        { "3 >= context.n", "n<=3", NULL },
        { "context.n == -3", "n=-3", NULL },
        { "1 < 2 && 2 >= 2 && 1 == 1 && \"a\" != \"b\"", "always", NULL },
        { "(context.a && context.b) == false", "!a | !b", NULL },
        { "context.a == true", "a=true", NULL },
        { "context.n < \"x\"", "{it compares what is worked out}", NULL },
        { "context.n == context.m", "{it compares two values of the request}", NULL },
        { "context.n + 1 == 2", "{it compares what is worked out}", NULL },
        /* sets, entities, types */
        { "[1, 2].contains(context.n)", "n=1 | n=2", "!n=1 & !n=2" },
        { "[].contains(context.n)", "never", NULL },
        { "[1, context.m].contains(context.n)", "{its set holds more than constants}", NULL },
        { "context.s.contains(1)", "{it looks into a set of the request}", NULL },
        { "principal in A::\"x\"", "principalin A::\"x\"", NULL },
        { "principal in [A::\"x\", A::\"y\"]", "principalin A::\"x\" | principalin A::\"y\"",
          NULL },
        { "resource == A::\"x\"", "resource=A::\"x\"", NULL },
        { "principal is A", "principalis A", NULL },
        { "principal is A in A::\"x\"", "principalis A & principalin A::\"x\"",
          "!principalis A | !principalin A::\"x\"" },
        { "principal in resource", "{it follows an entity of the request}", NULL },
        { "context has n", "nhas ", NULL },
        { "context has o.b", "ohas  & o.bhas ", NULL },
        { "context.s like \"a*\"", "slike ", NULL },
        { "context.i.isInRange(ip(\"10.0.0.0/8\"))", "irange ip(\"10.0.0.0/8\")", NULL },
        { "!context.i.isLoopback()", "!iloop", NULL },
        { "context.i.isMulticast() || context.i.isIpv4() || context.i.isIpv6()",
          "imulti | iv4 | iv6", NULL },
        { "context.d.lessThan(decimal(\"1.0\"))", "{it works with decimals, times or durations}",
          NULL },
        { "principal.hasTag(\"x\")", "{it looks at tags}", NULL },
        { "context.a || principal.hasTag(\"x\")", "a | {it looks at tags}", NULL },
    };

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        RV_AUTO(rv_policy_set_done) struct rv_policy_set set = { 0 };
        RV_AUTO(rv_normal_done) struct rv_normal normal = { 0 };
        RV_AUTO(rv_buf_done) struct rv_buf text = { 0 }, form = { 0 }, other = { 0 };
        struct rv_normal_limit limit = { 0 };

        rv_buf_addf(&text, "forbid (principal, action, resource) when { %s };", cases[i].condition);
        rv_assert_ok(rv_policy_read(&set, "t", rv_buf_span(&text), NULL));
        rv_assert_ok(rv_normal_add(&normal, set.items[0], fold, NULL, &limit));
        print(&form, &normal);
        assert_string_equal(form.data, cases[i].form);
        rv_assert_ok(rv_normal_complement(&normal, &limit));
        print(&other, &normal);
        if (cases[i].complement)
            assert_string_equal(other.data, cases[i].complement);
    }
}

static void scopes_and_conditions_hold_together(void **state)
{
    static const char text[] =
        "@id(\"x\") permit (principal is A in B::\"b\", action in [Action::\"r\", Action::\"w\"], "
        "resource == C::\"c\") when { context.a } unless { context.b } when { context.t };";
    RV_AUTO(rv_policy_set_done) struct rv_policy_set set = { 0 };
    RV_AUTO(rv_normal_done) struct rv_normal normal = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf form = { 0 };
    struct rv_normal_limit limit = { 0 };

    rv_assert_ok(rv_policy_read(&set, "t", rv_span_str(text), NULL));
    rv_assert_ok(rv_normal_add(&normal, set.items[0], fold, NULL, &limit));
    print(&form, &normal);
    assert_string_equal(form.data,
                        "actionin Action::\"r\" & principalis A & principalin B::\"b\" & "
                        "resource=C::\"c\" & a & !b | actionin Action::\"w\" & principalis A & "
                        "principalin B::\"b\" & resource=C::\"c\" & a & !b");
}

static void templates_have_none(void **state)
{
    RV_AUTO(rv_policy_set_done) struct rv_policy_set set = { 0 };
    RV_AUTO(rv_normal_done) struct rv_normal normal = { 0 };
    struct rv_normal_limit limit = { 0 };

    rv_assert_ok(rv_policy_read(
        &set, "t", rv_span_str("permit (principal == ?principal, action, resource);"), NULL));
    assert_int_equal(rv_normal_add(&normal, set.items[0], fold, NULL, &limit), -EINVAL);
}

/** Build "when { before, then `count` times `each` with its number, between them `join` }". */
static int add_long(const char *each, const char *join, int count, bool complement,
                    struct rv_normal_limit *limit)
{
    RV_AUTO(rv_policy_set_done) struct rv_policy_set set = { 0 };
    RV_AUTO(rv_normal_done) struct rv_normal normal = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };
    int r;

    rv_buf_add_str(&text, "forbid (principal, action, resource) when { ");
    for (int i = 0; i < count; i++) {
        char number[16];

        (void)snprintf(number, sizeof(number), "%d", i);
        rv_buf_add_str(&text, i ? join : "");
        for (const char *at = each; *at; at++) {
            if (*at == '#')
                rv_buf_add_str(&text, number);
            else
                rv_buf_add_char(&text, *at);
        }
    }
    rv_buf_add_str(&text, " };");
    rv_assert_ok(rv_policy_read(&set, "t", rv_buf_span(&text), NULL));
    r = rv_normal_add(&normal, set.items[0], fold, NULL, limit);
    return r == 0 && complement ? rv_normal_complement(&normal, limit) : r;
}

static void what_is_beyond_the_bounds_says_so(void **state)
{
    struct rv_normal_limit limit = { 0 };

    rv_assert_ok(add_long("context.n == #", " || ", RV_NORMAL_ATOMS_MAX, false, &limit));
    assert_int_equal(add_long("context.n == #", " || ", RV_NORMAL_ATOMS_MAX + 1, false, &limit),
                     -E2BIG);
    assert_string_equal(limit.why, "it asks too many different things");
    assert_true(limit.loc.end > 0);
    rv_assert_ok(add_long("context.n == #", " && ", RV_NORMAL_LITERALS_MAX, false, &limit));
    assert_int_equal(add_long("context.n == #", " && ", RV_NORMAL_LITERALS_MAX + 1, false, &limit),
                     -E2BIG);
    assert_string_equal(limit.why, "an alternative has too many conditions");
    rv_assert_ok(add_long("(context.a# || context.b#)", " && ", 9, false, &limit));
    assert_int_equal(add_long("(context.a# || context.b#)", " && ", 10, false, &limit), -E2BIG);
    assert_string_equal(limit.why, "it comes to too many alternatives");
    assert_int_equal(add_long("(context.a# && context.b#)", " || ", 10, true, &limit), -E2BIG);
    assert_string_equal(limit.why, "it comes to too many alternatives");
}

static void a_condition_that_unfolds_far_is_given_up(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };
    RV_AUTO(rv_policy_set_done) struct rv_policy_set set = { 0 };
    RV_AUTO(rv_normal_done) struct rv_normal normal = { 0 };
    struct rv_normal_limit limit = { 0 };

    rv_buf_add_str(&text, "forbid (principal, action, resource) when { ");
    for (int i = 0; i < 60; i++)
        rv_buf_addf(&text, "(if context.x%d then context.t else ", i % 8);
    rv_buf_add_str(&text, "context.a");
    for (int i = 0; i < 60; i++)
        rv_buf_add_str(&text, ") == true");
    rv_buf_add_str(&text, " };");
    rv_assert_ok(rv_policy_read(&set, "t", rv_buf_span(&text), NULL));
    rv_assert_ok(rv_normal_add(&normal, set.items[0], fold, NULL, &limit));
    assert_true(normal.conjunct_count <= RV_NORMAL_CONJUNCTS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_construct_has_its_form),
        cmocka_unit_test(scopes_and_conditions_hold_together),
        cmocka_unit_test(templates_have_none),
        cmocka_unit_test(what_is_beyond_the_bounds_says_so),
        cmocka_unit_test(a_condition_that_unfolds_far_is_given_up),
    };

    return cmocka_run_group_tests_name("unit.policy.normal", tests, NULL, NULL);
}
