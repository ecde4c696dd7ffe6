/* SPDX-License-Identifier: Apache-2.0 */
/* Policies in JSON form (EST): there and back, and every way to be wrong. */
#include "policy_test.h"

static json_t *parse(const char *text)
{
    json_t *value = NULL;

    if (rv_json_parse(rv_span_str(text), &value, NULL) < 0)
        fail_msg("not JSON: %s", text);
    return value;
}

static char *canonical(const json_t *value)
{
    struct rv_buf buf = { 0 };

    assert_int_equal(rv_json_canonical(&buf, value), 0);
    return rv_buf_take(&buf);
}

/** A policy's text becomes this JSON (' for "), and the JSON becomes that text again. */
static void expect_form(const char *text, const char *wanted_quoted)
{
    RV_AUTO(rv_policy_set_done) struct rv_policy_set set = { 0 }, again = { 0 };
    RV_AUTO(rv_json_freep) json_t *value = NULL, *wanted = NULL;
    RV_AUTO(rv_freep) char *got = NULL, *want = NULL, *quoted = strdup(wanted_quoted);
    RV_AUTO(rv_buf_done) struct rv_buf one = { 0 }, other = { 0 };

    for (char *c = quoted; *c; c++) {
        if (*c == '\'')
            *c = '"';
    }
    assert_int_equal(rv_policy_read(&set, "test", rv_span_str(text), NULL), 0);
    value = rv_policy_to_json(set.items[0]);
    wanted = parse(quoted);
    got = canonical(value);
    want = canonical(wanted);
    assert_string_equal(got, want);
    assert_int_equal(rv_policy_read_json(&again, "again", wanted, NULL), 0);
    assert_true(rv_text_eq(again.items[0]->id, rv_text_str("again")));
    rv_policy_print(&one, set.items[0]);
    rv_policy_print(&other, again.items[0]);
    assert_true(rv_span_eq(rv_buf_span(&one), rv_buf_span(&other)));
}

#define ANY        "'principal':{'op':'All'},'action':{'op':'All'},'resource':{'op':'All'}"
#define BODY(json) "{'effect':'permit'," ANY ",'conditions':[{'kind':'when','body':" json "}]}"

static void test_scopes(void **state)
{
    (void)state;
    expect_form("permit(principal, action, resource);",
                "{'effect':'permit'," ANY ",'conditions':[]}");
    expect_form("@id(\"x\") @note forbid(principal == U::\"a\", action in [Action::\"r\", "
                "N::Action::\"w\"], resource is D in F::\"f\") unless { true };",
                "{'effect':'forbid','annotations':{'id':'x','note':''},"
                "'principal':{'op':'==','entity':{'type':'U','id':'a'}},"
                "'action':{'op':'in','entities':[{'type':'Action','id':'r'},"
                "{'type':'N::Action','id':'w'}]},"
                "'resource':{'op':'is','entity_type':'D','in':{'entity':{'type':'F','id':'f'}}},"
                "'conditions':[{'kind':'unless','body':{'Value':true}}]}");
    expect_form("permit(principal == ?principal, action in Action::\"all\", resource is D in "
                "?resource);",
                "{'effect':'permit','principal':{'op':'==','slot':'?principal'},"
                "'action':{'op':'in','entity':{'type':'Action','id':'all'}},"
                "'resource':{'op':'is','entity_type':'D','in':{'slot':'?resource'}},"
                "'conditions':[]}");
    expect_form("permit(principal is U, action == Action::\"r\", resource in ?resource);",
                "{'effect':'permit','principal':{'op':'is','entity_type':'U'},"
                "'action':{'op':'==','entity':{'type':'Action','id':'r'}},"
                "'resource':{'op':'in','slot':'?resource'},'conditions':[]}");
}

static void expect_body(const char *text, const char *json)
{
    RV_AUTO(rv_buf_done) struct rv_buf policy = { 0 }, form = { 0 };

    rv_buf_addf(&policy, "permit(principal, action, resource) when { %s };", text);
    rv_buf_addf(&form, BODY("%s"), json);
    expect_form(policy.data, form.data);
}

static void test_expressions(void **state)
{
    static const struct {
        const char *text, *json;
    } cases[] = {
        { "-5", "{'Value':-5}" },
        { "\"s\"", "{'Value':'s'}" },
        { "N::U::\"a\"", "{'Value':{'__entity':{'type':'N::U','id':'a'}}}" },
        { "principal", "{'Var':'principal'}" },
        { "!action", "{'!':{'arg':{'Var':'action'}}}" },
        { "-context", "{'neg':{'arg':{'Var':'context'}}}" },
        { "1 + 2", "{'+':{'left':{'Value':1},'right':{'Value':2}}}" },
        { "1 < 2 && 1 != 2", "{'&&':{'left':{'<':{'left':{'Value':1},'right':{'Value':2}}},"
                             "'right':{'!=':{'left':{'Value':1},'right':{'Value':2}}}}}" },
        { "if true then 1 else 2",
          "{'if-then-else':{'if':{'Value':true},'then':{'Value':1},'else':{'Value':2}}}" },
        { "resource.a", "{'.':{'left':{'Var':'resource'},'attr':'a'}}" },
        { "resource has \"a b\"", "{'has':{'left':{'Var':'resource'},'attr':'a b'}}" },
        { "resource is T", "{'is':{'left':{'Var':'resource'},'entity_type':'T'}}" },
        { "resource is T in U::\"a\"", "{'is':{'left':{'Var':'resource'},'entity_type':'T',"
                                       "'in':{'Value':{'__entity':{'type':'U','id':'a'}}}}}" },
        { "\"s\" like \"a*b\"", "{'like':{'left':{'Value':'s'},"
                                "'pattern':[{'Literal':'a'},'Wildcard',{'Literal':'b'}]}}" },
        { "[1, true]", "{'Set':[{'Value':1},{'Value':true}]}" },
        { "{a: 1, \"b c\": 2}", "{'Record':{'a':{'Value':1},'b c':{'Value':2}}}" },
        { "[1].contains(2)", "{'contains':{'left':{'Set':[{'Value':1}]},'right':{'Value':2}}}" },
        { "[1].isEmpty()", "{'isEmpty':{'arg':{'Set':[{'Value':1}]}}}" },
        { "principal.hasTag(\"t\")",
          "{'hasTag':{'left':{'Var':'principal'},'right':{'Value':'t'}}}" },
        { "ip(\"::1\").isLoopback()", "{'isLoopback':[{'ip':[{'Value':'::1'}]}]}" },
    };

    (void)state;
    for (size_t i = 0; i < RV_COUNT(cases); i++)
        expect_body(cases[i].text, cases[i].json);
}

/** Literals that only JSON has: sets, records and extension values inside `Value`. */
static void test_values(void **state)
{
    RV_AUTO(rv_policy_set_done) struct rv_policy_set set = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };
    RV_AUTO(rv_freep)
    char *quoted = strdup(BODY("{'Value':[1,{'a':{'__extn':{'fn':'decimal','arg':'1.0'}}},"
                               "{'__entity':{'type':'U','id':'a'}}]}"));
    RV_AUTO(rv_json_freep) json_t *value = NULL;

    (void)state;
    for (char *c = quoted; *c; c++) {
        if (*c == '\'')
            *c = '"';
    }
    value = parse(quoted);
    assert_int_equal(rv_policy_read_json(&set, NULL, value, NULL), 0);
    rv_policy_print(&text, set.items[0]);
    assert_non_null(strstr(text.data, "decimal(\"1.0\")"));
    assert_non_null(strstr(text.data, "U::\"a\""));
}

static const char *const wrong_policies[] = {
    "{}",
    "[]",
    "{'effect':'allow'," ANY ",'conditions':[]}",
    "{'effect':'permit','action':{'op':'All'},'resource':{'op':'All'},'conditions':[]}",
    "{'effect':'permit'," ANY "}",
    "{'effect':'permit'," ANY ",'conditions':{}}",
    "{'effect':'permit'," ANY ",'conditions':[{}]}",
    "{'effect':'permit'," ANY ",'conditions':[{'kind':'if','body':{'Value':true}}]}",
    "{'effect':'permit'," ANY ",'conditions':[],'annotations':[]}",
    "{'effect':'permit'," ANY ",'conditions':[],'annotations':{'a b':'x'}}",
    "{'effect':'permit'," ANY ",'conditions':[],'annotations':{'a':1}}",
    "{'effect':'permit','principal':{'op':'~'},'action':{'op':'All'},'resource':{'op':'All'},"
    "'conditions':[]}",
    "{'effect':'permit','principal':{'op':'=='},'action':{'op':'All'},'resource':{'op':'All'},"
    "'conditions':[]}",
    "{'effect':'permit','principal':{'op':'==','slot':'?resource'},'action':{'op':'All'},"
    "'resource':{'op':'All'},'conditions':[]}",
    "{'effect':'permit','principal':{'op':'is'},'action':{'op':'All'},'resource':{'op':'All'},"
    "'conditions':[]}",
    "{'effect':'permit','principal':{'op':'is','entity_type':'a b'},'action':{'op':'All'},"
    "'resource':{'op':'All'},'conditions':[]}",
    "{'effect':'permit','principal':{'op':'All'},'action':{'op':'==','entity':{'type':'U',"
    "'id':'a'}},'resource':{'op':'All'},'conditions':[]}",
    "{'effect':'permit','principal':{'op':'All'},'action':{'op':'in','entities':[{'type':'U',"
    "'id':'a'}]},'resource':{'op':'All'},'conditions':[]}",
    "{'effect':'permit','principal':{'op':'All'},'action':{'op':'in','entities':{}},"
    "'resource':{'op':'All'},'conditions':[]}",
    BODY("1"),
    BODY("{}"),
    BODY("{'Value':1,'Var':'principal'}"),
    BODY("{'Value':null}"),
    BODY("{'Value':1.5}"),
    BODY("{'Value':{'__entity':{'type':'U'}}}"),
    BODY("{'Value':{'__entity':1}}"),
    BODY("{'Value':{'__extn':{'fn':'ip'}}}"),
    BODY("{'Value':{'__extn':{'fn':'up','arg':'x'}}}"),
    BODY("{'Value':[[null]]}"),
    BODY("{'Var':'me'}"),
    BODY("{'Slot':'?action'}"),
    BODY("{'Unknown':'x'}"),
    BODY("{'frob':[]}"),
    BODY("{'&&':[]}"),
    BODY("{'&&':{'left':{'Value':1}}}"),
    BODY("{'.':{'left':{'Value':1}}}"),
    BODY("{'is':{'left':{'Value':1}}}"),
    BODY("{'is':{'left':{'Value':1},'entity_type':'::'}}"),
    BODY("{'like':{'left':{'Value':1}}}"),
    BODY("{'like':{'left':{'Value':1},'pattern':['Any']}}"),
    BODY("{'like':{'left':{'Value':1},'pattern':[{'Text':'x'}]}}"),
    BODY("{'Set':{}}"),
    BODY("{'Record':[]}"),
    BODY("{'ip':{}}"),
    BODY("{'Set':[1]}"),
    BODY("{'Record':{'a':1}}"),
};

static void test_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < RV_COUNT(wrong_policies); i++) {
        RV_AUTO(rv_policy_set_done) struct rv_policy_set set = { 0 };
        RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
        RV_AUTO(rv_freep) char *quoted = strdup(wrong_policies[i]);
        RV_AUTO(rv_json_freep) json_t *value = NULL;

        for (char *c = quoted; *c; c++) {
            if (*c == '\'')
                *c = '"';
        }
        value = parse(quoted);
        if (rv_policy_read_json(&set, NULL, value, &diags) != -EINVAL)
            fail_msg("read: %s", quoted);
        assert_int_equal(set.count, 0);
        assert_true(diags.errors > 0);
    }
}

static void test_deep(void **state)
{
    RV_AUTO(rv_policy_set_done) struct rv_policy_set set = { 0 };
    RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
    RV_AUTO(rv_json_freep) json_t *value = NULL;
    json_t *body = json_pack("{s:b}", "Value", 1);

    (void)state;
    for (int i = 0; i < RV_EXPR_DEPTH_MAX + 10; i++)
        body = json_pack("{s:{s:o}}", "!", "arg", body);
    value = json_pack("{s:s,s:{s:s},s:{s:s},s:{s:s},s:[{s:s,s:o}]}", "effect", "permit",
                      "principal", "op", "All", "action", "op", "All", "resource", "op", "All",
                      "conditions", "kind", "when", "body", body);
    assert_non_null(value);
    assert_int_equal(rv_policy_read_json(&set, NULL, value, &diags), -EINVAL);
    assert_true(diags.errors > 0);
}

static int read_set(struct rv_policy_set *set, const char *text)
{
    RV_AUTO(rv_freep) char *quoted = strdup(text);
    RV_AUTO(rv_json_freep) json_t *value = NULL;

    for (char *c = quoted; *c; c++) {
        if (*c == '\'')
            *c = '"';
    }
    value = parse(quoted);
    return rv_policy_set_read_json(set, value, NULL);
}

#define STATIC "{'effect':'permit'," ANY ",'conditions':[]}"
#define TEMPLATE                                                                                   \
    "{'effect':'permit','principal':{'op':'==','slot':'?principal'},'action':{'op':'All'},"        \
    "'resource':{'op':'All'},'conditions':[]}"
#define LINK "{'templateId':'t','newId':'l','values':{'?principal':{'type':'U','id':'a'}}}"

static void test_sets(void **state)
{
    static const char *const wrong[] = {
        "1",
        "{'staticPolicies':{'a':" TEMPLATE "}}",
        "{'templates':{'a':" STATIC "}}",
        "{'staticPolicies':{'a':" STATIC "},'templates':{'a':" TEMPLATE "}}",
        "{'templateLinks':[" LINK "]}",
        "{'templates':{'t':" TEMPLATE "},'templateLinks':[" LINK "," LINK "]}",
        "{'templates':{'t':" TEMPLATE "},'templateLinks':[{}]}",
        "{'templates':{'t':" TEMPLATE "},'templateLinks':[{'templateId':'t','newId':'l',"
        "'values':{}}]}",
        "{'templates':{'t':" TEMPLATE "},'templateLinks':[{'templateId':'t','newId':'l',"
        "'values':{'?principal':1}}]}",
    };
    RV_AUTO(rv_policy_set_done) struct rv_policy_set set = { 0 }, again = { 0 }, single = { 0 };
    RV_AUTO(rv_json_freep) json_t *one = NULL, *other = NULL;

    (void)state;
    assert_int_equal(read_set(&set, "{'staticPolicies':{'p':" STATIC "},'templates':{'t':" TEMPLATE
                                    "},'templateLinks':[" LINK "]}"),
                     0);
    assert_int_equal(set.count, 3);
    one = rv_policy_set_to_json(&set);
    assert_int_equal(rv_policy_set_read_json(&again, one, NULL), 0);
    other = rv_policy_set_to_json(&again);
    assert_true(json_equal(one, other));
    assert_int_equal(read_set(&single, STATIC), 0); /* a policy for a set */
    assert_int_equal(single.count, 1);
    for (size_t i = 0; i < RV_COUNT(wrong); i++) {
        RV_AUTO(rv_policy_set_done) struct rv_policy_set empty = { 0 };

        if (read_set(&empty, wrong[i]) != -EINVAL)
            fail_msg("read: %s", wrong[i]);
        assert_int_equal(empty.count, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scopes), cmocka_unit_test(test_expressions),
        cmocka_unit_test(test_values), cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_deep),   cmocka_unit_test(test_sets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
