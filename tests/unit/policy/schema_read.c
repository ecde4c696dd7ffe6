/* SPDX-License-Identifier: Apache-2.0 */
/* Both schema readers: what they refuse and where they point, what names mean. */
#include "policy_test.h"

static void text_refuses_and_points(void **state)
{
    static const struct {
        const char *text;
        const char *message; /* a part of the first message */
        unsigned line, column;
    } cases[] = {
        { "entity", "expected a name", 0, 0 },
        { "entity A\nentity B;", "expected `;`", 2, 1 },
        { "entity A = ;", "expected `{`", 1, 12 },
        { "entity A = { x Long };", "expected `:`", 1, 16 },
        { "entity A = { x: Long y: Long };", "expected `,` or `}`", 1, 22 },
        { "entity A = { if: Long };", "`if` is a word of the policy language", 1, 14 },
        { "entity A = { x: };", "expected a type", 1, 17 },
        { "entity A = { x: Set<Long };", "expected `>`", 1, 26 },
        { "entity A = { \"x: Long };", "this string has no end", 1, 14 },
        { "entity A = { \"\\q\": Long };", "not an escape sequence", 1, 15 },
        { "entity A enum [];", "expected a string", 1, 16 },
        { "entity A enum [a];", "expected a string", 1, 16 },
        { "entity A in [B,];", "expected a name", 1, 16 },
        { "entity in in B;", "`in` is a word", 1, 8 },
        { "action;", "expected a name or a string", 1, 7 },
        { "action a appliesTo {};", "expected `principal`", 1, 21 },
        { "entity A; action a appliesTo { principal: [A] };", "lacks `resource`", 1, 20 },
        { "entity A; action a appliesTo { resource: A };", "lacks `principal`", 1, 20 },
        { "entity A; action a appliesTo { principal: [], resource: A };", "is empty", 1, 32 },
        { "entity A; action a appliesTo { principal: A, principal: A };", "given twice", 1, 46 },
        { "action a appliesTo { context: {}, context: {} };", "given twice", 1, 35 },
        { "action a appliesTo { context: 5 };", "expected a record", 1, 31 },
        { "action a in b::c;", "expected `::` and the action's name", 1, 17 },
        { "action a in [b c];", "expected `]`", 1, 16 },
        { "action a attributes { x };", "expected `}`", 1, 23 },
        { "type = Long;", "expected a name", 1, 6 },
        { "type T Long;", "expected `=`", 1, 8 },
        { "namespace A { entity B;", "expected `}`", 0, 0 },
        { "namespace { }", "expected a name", 1, 11 },
        { "@a @a entity A;", "given twice", 1, 4 },
        { "@ entity A;", "", 1, 10 },
        { "@1 entity A;", "the name of an annotation", 1, 2 },
        { "@a(b) entity A;", "expected a string", 1, 4 },
        { "permit (principal, action, resource);", "expected `entity`, `action`", 1, 1 },
        { "entity A; $", "found `$`", 1, 11 },
        { "entity A\xff;", "not UTF-8", 1, 9 },
    };

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
        RV_AUTO(rv_schema_free) struct rv_schema *schema = NULL;
        const struct rv_diag *diag;

        assert_int_equal(
            rv_schema_read("a.cedarschema", rv_span_str(cases[i].text), &schema, &diags), -EINVAL);
        assert_null(schema);
        assert_true(diags.count >= 1);
        diag = &diags.items[0];
        if (!strstr(diag->message, cases[i].message))
            fail_msg("%s: %s", cases[i].text, diag->message);
        assert_string_equal(diag->file, "a.cedarschema");
        if (cases[i].line > 0 && (diag->line != cases[i].line || diag->column != cases[i].column))
            fail_msg("%s: at %u:%u (%s)", cases[i].text, diag->line, diag->column, diag->message);
    }
}

static void names_refuse_and_suggest(void **state)
{
    static const struct {
        const char *text;
        const char *code, *help; /* `help`: a part of it, or NULL */
    } cases[] = {
        { "entity User; entity File = { owner: Usre };", "unknown-type", "`User`" },
        { "entity A = { x: Strin };", "unknown-type", "`String`" },
        { "namespace N { entity User; entity File in Uesr; }", "unknown-type", "`User`" },
        { "namespace N { entity A; } entity B = { a: N::B };", "unknown-type", NULL },
        { "entity A; action a in vew; action view;", "unknown-action", "`view`" },
        { "type T = Long; entity A; action a appliesTo { principal: T, resource: A };",
          "unknown-type", "name an entity type" },
        { "entity A; action a appliesTo { principal: A, resource: A, context: A };", "unknown-type",
          NULL },
        { "type T = Long; entity A; action a appliesTo { principal: A, resource: A, context: T };",
          "not-a-record", NULL },
        { "type A = B; type B = Set<C>; type C = { a: A };", "type-cycle", NULL },
        { "type A = A;", "type-cycle", NULL },
        { "action a in a;", "action-cycle", NULL },
        { "action a in b; action b in c; action c in a;", "action-cycle", NULL },
        { "entity A; entity A;", "duplicate", NULL },
        { "type A = Long; type A = Long;", "duplicate", NULL },
        { "action a; action \"a\";", "duplicate", NULL },
        { "namespace A {} namespace A {}", "duplicate", NULL },
        { "entity Action;", "reserved-name", NULL },
        { "type Record = Long;", "reserved-name", NULL },
        { "entity __cedar;", "reserved-name", NULL },
        { "namespace A::__cedar { }", "reserved-name", NULL },
        { "entity A; namespace N { entity A; }", "shadowing", NULL },
        { "entity A; namespace N { type A = Long; }", "shadowing", NULL },
        { "type A = Long; namespace N { entity A; }", "shadowing", NULL },
        { "action a; namespace N { action a; }", "shadowing", NULL },
        { "entity A = { a: Action };", "unknown-type", NULL }, /* no action, so no such type */
    };

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
        RV_AUTO(rv_schema_free) struct rv_schema *schema = NULL;

        if (rv_schema_read("", rv_span_str(cases[i].text), &schema, &diags) != -EINVAL)
            fail_msg("%s was read", cases[i].text);
        if (strcmp(diags.items[0].code, cases[i].code) != 0)
            fail_msg("%s: %s: %s", cases[i].text, diags.items[0].code, diags.items[0].message);
        assert_true(diags.items[0].line > 0);
        if (cases[i].help && (!diags.items[0].help || !strstr(diags.items[0].help, cases[i].help)))
            fail_msg("%s: help %s", cases[i].text, diags.items[0].help);
    }
}

static const struct rv_type *attr_type(const struct rv_schema *schema, const char *entity,
                                       const char *attr)
{
    const struct rv_schema_entity *declared = rv_schema_entity(schema, rv_text_str(entity));

    assert_non_null(declared);
    for (uint32_t i = 0; i < declared->attrs->field_count; i++) {
        if (rv_text_is(declared->attrs->fields[i].name, attr))
            return declared->attrs->fields[i].type;
    }
    fail_msg("%s has no %s", entity, attr);
    return NULL;
}

static void assert_type(const struct rv_schema *schema, const char *entity, const char *attr,
                        const char *expected)
{
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };

    rv_type_print(&buf, attr_type(schema, entity, attr));
    assert_string_equal(buf.data, expected);
}

static void names_mean_the_nearest(void **state)
{
    RV_AUTO(rv_schema_free)
    struct rv_schema *schema = test_schema(
        "entity Outer; type Plain = Long; action top;"
        "namespace N {"
        "  entity Both, User; type Both = { x: String };" /* the common type goes first */
        "  type decimal = Set<__cedar::Long>;"            /* hides the built-in one here */
        "  entity A = { both: Both, user: User, qualified: N::User, outer: Outer, plain: Plain,"
        "    mine: decimal, real: __cedar::decimal, act: Action, ip: ipaddr, l: Long, t: datetime,"
        "    u: duration, b: Bool, \"odd name\"?: String };"
        "  action inner in [top, \"other\", N::Action::\"third\"]; action other, third;"
        "}");
    const struct rv_schema_action *inner;
    struct rv_uid uid = rv_uid(rv_text_str("N::Action"), rv_text_str("inner"));

    assert_type(schema, "N::A", "both", "{x: String}");
    assert_type(schema, "N::A", "user", "N::User");
    assert_type(schema, "N::A", "qualified", "N::User");
    assert_type(schema, "N::A", "outer", "Outer");
    assert_type(schema, "N::A", "plain", "Long");
    assert_type(schema, "N::A", "mine", "Set<Long>");
    assert_type(schema, "N::A", "real", "decimal");
    assert_type(schema, "N::A", "act", "N::Action");
    assert_type(schema, "N::A", "ip", "ipaddr");
    assert_type(schema, "N::A", "l", "Long");
    assert_type(schema, "N::A", "t", "datetime");
    assert_type(schema, "N::A", "u", "duration");
    assert_type(schema, "N::A", "b", "Bool");
    assert_type(schema, "N::A", "odd name", "String");
    inner = rv_schema_action(schema, &uid);
    assert_non_null(inner);
    assert_int_equal(inner->parent_count, 3);
    assert_true(rv_schema_action_in(schema, inner, inner->parents[0]));
    assert_false(rv_schema_action_in(schema, inner->parents[0], inner));
}

static void hierarchy_is_closed_loops_and_all(void **state)
{
    RV_AUTO(rv_schema_free)
    struct rv_schema *schema = test_schema(
        "entity A in B; entity B in [C, D]; entity C in A; entity D; entity E in E; entity F;");
    const struct rv_schema_entity *e[6];

    assert_int_equal(rv_schema_entity_count(schema), 6);
    for (size_t i = 0; i < 6; i++)
        e[i] = rv_schema_entity_at(schema, i);
    assert_true(rv_schema_entity_in(schema, e[0], e[1]));
    assert_true(rv_schema_entity_in(schema, e[0], e[3]));
    assert_true(rv_schema_entity_in(schema, e[0], e[0])); /* A in B in C in A */
    assert_true(rv_schema_entity_in(schema, e[2], e[3]));
    assert_true(rv_schema_entity_in(schema, e[4], e[4]));
    assert_false(rv_schema_entity_in(schema, e[3], e[0]));
    assert_false(rv_schema_entity_in(schema, e[5], e[5]));
    assert_null(rv_schema_entity(schema, rv_text_str("Nobody")));
}

static void lookup_answers_the_readers(void **state)
{
    RV_AUTO(rv_schema_free)
    struct rv_schema *schema =
        test_schema("entity A = { x: Long } tags String; entity B;"
                    "action a appliesTo { principal: A, resource: B, context: { y: Bool } };");
    struct rv_type_lookup lookup = rv_schema_lookup(schema);
    struct rv_uid known = rv_uid(rv_text_str("Action"), rv_text_str("a"));
    struct rv_uid unknown = rv_uid(rv_text_str("Action"), rv_text_str("b"));

    assert_int_equal(lookup.entity_attrs(schema, rv_text_str("A"))->field_count, 1);
    assert_int_equal(lookup.entity_tags(schema, rv_text_str("A"))->kind, RV_VALUE_STRING);
    assert_null(lookup.entity_tags(schema, rv_text_str("B")));
    assert_null(lookup.entity_tags(schema, rv_text_str("C")));
    assert_null(lookup.entity_attrs(schema, rv_text_str("C")));
    assert_int_equal(lookup.action_context(schema, &known)->field_count, 1);
    assert_null(lookup.action_context(schema, &unknown));
}

static void warnings_do_not_refuse(void **state)
{
    RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
    RV_AUTO(rv_schema_free) struct rv_schema *schema = NULL;

    rv_assert_ok(rv_schema_read(
        "", rv_span_str("entity decimal; entity A = { x: Long, y: Bool, x: String };"), &schema,
        &diags));
    assert_int_equal(diags.errors, 0);
    assert_int_equal(diags.warnings, 2);
    assert_string_equal(diags.items[0].code, "shadows-builtin");
    assert_string_equal(diags.items[1].code, "duplicate-attribute");
    assert_type(schema, "A", "x", "String"); /* the last one counts */
}

static void bounds_are_errors(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf deep = { 0 }, chain = { 0 }, wide = { 0 };
    RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
    struct rv_schema *schema = NULL;
    char *huge = calloc(1, RV_SCHEMA_TEXT_MAX + 1);

    assert_non_null(huge);
    assert_int_equal(rv_schema_read("", rv_span(huge, RV_SCHEMA_TEXT_MAX + 1), &schema, &diags),
                     -EINVAL);
    free(huge);
    rv_buf_add_str(&deep, "type T = ");
    for (int i = 0; i <= RV_SCHEMA_DEPTH_MAX; i++)
        rv_buf_add_str(&deep, "Set<");
    assert_int_equal(rv_schema_read("", rv_buf_span(&deep), &schema, &diags), -EINVAL);
    assert_non_null(strstr(diags.items[diags.count - 1].message, "nested deeper"));
    rv_buf_add_str(&chain, "type T0 = Long;");
    for (int i = 1; i <= RV_SCHEMA_DEPTH_MAX; i++)
        rv_buf_addf(&chain, "type T%d = { a: T%d, b: T%d };", i, i - 1, i - 1);
    rv_buf_addf(&chain, "entity E = { t: T%d };", RV_SCHEMA_DEPTH_MAX);
    assert_int_equal(rv_schema_read("", rv_buf_span(&chain), &schema, &diags), -EINVAL);
    for (int i = 0; i <= RV_SCHEMA_COUNT_MAX; i++)
        rv_buf_addf(&wide, "entity E%d;", i);
    assert_int_equal(rv_schema_read("", rv_buf_span(&wide), &schema, &diags), -EINVAL);
    assert_non_null(strstr(diags.items[diags.count - 1].message, "at most"));
}

static void json_refuses_and_points(void **state)
{
#define SPACE(entities, actions) "{\"\":{\"entityTypes\":{" entities "},\"actions\":{" actions "}}}"
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        { "{", "not JSON" },
        { "[]", "must be an object" },
        { "{\"a b\":{\"entityTypes\":{},\"actions\":{}}}", "is not a namespace" },
        { "{\"\":[]}", "must be an object" },
        { "{\"\":{\"actions\":{}}}", "lacks `entityTypes`" },
        { "{\"\":{\"entityTypes\":{}}}", "lacks `actions`" },
        { "{\"\":{\"entityTypes\":{},\"actions\":{},\"annotations\":{\"a\":\"\"}}}",
          "annotations" },
        { "{\"\":{\"entityTypes\":{},\"action\":{}}}", "no member `action`" },
        { "{\"\":{\"entityTypes\":[],\"actions\":{}}}", "must be an object" },
        { "{\"\":{\"entityTypes\":{},\"actions\":[]}}", "must be an object" },
        { "{\"\":{\"commonTypes\":[],\"entityTypes\":{},\"actions\":{}}}", "must be an object" },
        { "{\"\":{\"commonTypes\":{\"a b\":{\"type\":\"Long\"}},\"entityTypes\":{},\"actions\":{}}}",
          "cannot be a name" },
        { SPACE("\"in\":{}", ""), "cannot be a name" },
        { SPACE("\"A\":[]", ""), "must be an object" },
        { SPACE("\"A\":{\"memberOfTypes\":{}}", ""), "must be an array" },
        { SPACE("\"A\":{\"memberOfTypes\":[1]}", ""), "must be a string" },
        { SPACE("\"A\":{\"memberOfTypes\":[\"a b\"]}", ""), "is not a name" },
        { SPACE("\"A\":{\"memberOfTypes\":[\"B\"]}", ""), "not declared" },
        { SPACE("\"A\":{\"enum\":[]}", ""), "is empty" },
        { SPACE("\"A\":{\"enum\":{}}", ""), "must be an array" },
        { SPACE("\"A\":{\"enum\":[1]}", ""), "must be a string" },
        { SPACE("\"A\":{\"enum\":[\"a\"],\"tags\":{\"type\":\"Long\"}}", ""),
          "cannot have `tags`" },
        { SPACE("\"A\":{\"shape\":{\"type\":\"Long\"}}", ""), "must be a record" },
        { SPACE("\"A\":{\"shape\":{\"type\":\"Record\"}}", ""), "lacks `attributes`" },
        { SPACE("\"A\":{\"shape\":{\"type\":\"Record\",\"attributes\":[]}}", ""), "an object" },
        { SPACE("\"A\":{\"shape\":{\"type\":\"Record\",\"attributes\":{},"
                "\"additionalAttributes\":true}}",
                ""),
          "not supported" },
        { SPACE("\"A\":{\"shape\":{\"type\":\"Record\",\"attributes\":{},"
                "\"additionalAttributes\":1}}",
                ""),
          "true or false" },
        { SPACE("\"A\":{\"shape\":{\"type\":\"Record\",\"attributes\":{\"x\":{\"type\":\"Long\","
                "\"required\":1}}}}",
                ""),
          "true or false" },
        { SPACE("\"A\":{\"tags\":{\"type\":\"Set\"}}", ""), "lacks `element`" },
        { SPACE("\"A\":{\"tags\":{\"type\":\"Entity\"}}", ""), "lacks `name`" },
        { SPACE("\"A\":{\"tags\":{\"type\":\"Entity\",\"name\":\"T\"}}", ""), "not declared" },
        { SPACE("\"A\":{\"tags\":{\"type\":\"Extension\",\"name\":\"T\"}}", ""), "no extension" },
        { SPACE("\"A\":{\"tags\":{\"type\":\"Long\",\"name\":\"T\"}}", ""), "does not take" },
        { SPACE("\"A\":{\"tags\":{\"type\":\"no name\"}}", ""), "is not a name" },
        { SPACE("\"A\":{\"tags\":{\"type\":1}}", ""), "must be a string" },
        { SPACE("\"A\":{\"tags\":{}}", ""), "lacks `type`" },
        { SPACE("\"A\":{\"tags\":1}", ""), "must be an object" },
        { SPACE("\"A\":{\"annotations\":[]}", ""), "must be an object" },
        { SPACE("\"A\":{\"annotations\":{\"a b\":\"\"}}", ""), "name of an annotation" },
        { SPACE("\"A\":{\"annotations\":{\"a\":1}}", ""), "must be a string" },
        { SPACE("", "\"a\":1"), "must be an object" },
        { SPACE("", "\"a\":{\"attributes\":{}}"), "cannot have attributes" },
        { SPACE("", "\"a\":{\"memberOf\":{}}"), "must be an array" },
        { SPACE("", "\"a\":{\"memberOf\":[1]}"), "must be an object" },
        { SPACE("", "\"a\":{\"memberOf\":[{}]}"), "lacks `id`" },
        { SPACE("", "\"a\":{\"memberOf\":[{\"id\":\"b\",\"type\":\"a b\"}]}"), "is not a name" },
        { SPACE("", "\"a\":{\"memberOf\":[{\"id\":\"b\"}]}"), "not declared" },
        { SPACE("", "\"a\":{\"appliesTo\":[]}"), "must be an object" },
        { SPACE("", "\"a\":{\"appliesTo\":{\"principalTypes\":[]}}"), "lacks `resourceTypes`" },
        { SPACE("", "\"a\":{\"appliesTo\":{\"resourceTypes\":[]}}"), "lacks `principalTypes`" },
    };

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
        RV_AUTO(rv_schema_free) struct rv_schema *schema = NULL;

        if (rv_schema_read_json("s.json", rv_span_str(cases[i].text), &schema, &diags) != -EINVAL)
            fail_msg("%s was read", cases[i].text);
        if (!strstr(diags.items[0].message, cases[i].message))
            fail_msg("%s: %s", cases[i].text, diags.items[0].message);
        if (diags.items[0].line == 0)
            fail_msg("%s: no place", cases[i].text);
    }
}

static void json_points_into_the_text(void **state)
{
    static const char text[] =
        "{\n  \"\": {\n    \"entityTypes\": {\n"
        "      \"User\": {},\n      \"File\": { \"memberOfTypes\": [\"Usre\"] }\n"
        "    },\n    \"actions\": {}\n  }\n}\n";
    RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
    RV_AUTO(rv_schema_free) struct rv_schema *schema = NULL;

    assert_int_equal(rv_schema_read_json("s.json", rv_span_str(text), &schema, &diags), -EINVAL);
    assert_int_equal(diags.items[0].line, 5);
    assert_int_equal(diags.items[0].column, 35);
    assert_string_equal(diags.items[0].help, "did you mean `User`?");
}

static void json_bounds_are_errors(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf deep = { 0 };
    RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
    struct rv_schema *schema = NULL;

    rv_buf_add_str(&deep, "{\"\":{\"entityTypes\":{\"A\":{\"tags\":");
    for (int i = 0; i <= RV_SCHEMA_DEPTH_MAX; i++)
        rv_buf_add_str(&deep, "{\"type\":\"Set\",\"element\":");
    rv_buf_add_str(&deep, "{\"type\":\"Long\"}");
    for (int i = 0; i <= RV_SCHEMA_DEPTH_MAX; i++)
        rv_buf_add_char(&deep, '}');
    rv_buf_add_str(&deep, "}},\"actions\":{}}}");
    assert_int_equal(rv_schema_read_json("", rv_buf_span(&deep), &schema, &diags), -EINVAL);
    assert_non_null(strstr(diags.items[0].message, "nested deeper"));
}

/** Escapes of quoted names: what they become, and which are none. */
static void escapes_are_resolved(void **state)
{
    static const struct {
        const char *written, *meant; /* NULL: refused */
    } cases[] = {
        { "\\n\\r\\t\\\\\\\"\\'", "\n\r\t\\\"'" },
        { "\\x41\\x7f", "A\x7f" },
        { "\\u{e9}\\u{20_AC}\\u{1F600}\\u{41}", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"
                                                "A" },
        { "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" },
        { "\\x80", NULL },
        { "\\x4", NULL },
        { "\\x4g", NULL },
        { "\\u41", NULL },
        { "\\u{}", NULL },
        { "\\u{41", NULL },
        { "\\u{zz}", NULL },
        { "\\u{d800}", NULL },
        { "\\u{110000}", NULL },
        { "\\u{0000041}", NULL },
        { "\\q", NULL },
        { "\xff", NULL },
        { "\xc0\x80", NULL },
        { "\xed\xa0\x80", NULL },
        { "\xf5\x80\x80\x80", NULL },
        { "\xe2\x82", NULL },
    };

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        RV_AUTO(rv_schema_free) struct rv_schema *schema = NULL;
        RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };
        struct rv_uid uid;
        int r;

        rv_buf_addf(&text, "action \"%s\";", cases[i].written);
        r = rv_schema_read("", rv_buf_span(&text), &schema, NULL);
        if ((r == 0) != (cases[i].meant != NULL))
            fail_msg("%s: %d", cases[i].written, r);
        if (r < 0)
            continue;
        uid = rv_uid(rv_text_str("Action"), rv_text_str(cases[i].meant));
        if (!rv_schema_action(schema, &uid))
            fail_msg("%s: another name", cases[i].written);
    }
}

/** Between tokens: every blank of Unicode, and comments; long lists. */
static void blanks_and_long_lists(void **state)
{
    RV_AUTO(rv_schema_free) struct rv_schema *schema = NULL, *list = NULL;
    RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };

    rv_assert_ok(rv_schema_read(
        "",
        rv_span_str("entity\xc2\xa0"
                    "A\xe2\x80\x80=\xe2\x80\xa8{\xe3\x80\x80};// x\n\xe1\x9a\x80\xc2\x85"
                    "entity\v\f\tB\xe2\x81\x9f;// the end"),
        &schema, NULL));
    assert_int_equal(rv_schema_entity_count(schema), 2);
    rv_buf_add_str(&text, "entity E0");
    for (int i = 1; i < 100; i++)
        rv_buf_addf(&text, ", E%d", i);
    rv_buf_add_str(&text, "; entity M enum [\"m0\"");
    for (int i = 1; i < 100; i++)
        rv_buf_addf(&text, ", \"m%d\"", i);
    rv_buf_add_str(&text, "]; action a0");
    for (int i = 1; i < 100; i++)
        rv_buf_addf(&text, ", \"a%d\"", i);
    rv_buf_add_str(&text, " appliesTo { principal: [E0");
    for (int i = 1; i < 100; i++)
        rv_buf_addf(&text, ", E%d", i);
    rv_buf_add_str(&text, "], resource: M }; action b in [a0");
    for (int i = 1; i < 100; i++)
        rv_buf_addf(&text, ", \"a%d\"", i);
    rv_buf_add_str(&text, "];");
    rv_assert_ok(rv_schema_read("", rv_buf_span(&text), &list, NULL));
    assert_int_equal(rv_schema_entity_count(list), 101);
    assert_int_equal(rv_schema_action_count(list), 101);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_refuses_and_points),
        cmocka_unit_test(names_refuse_and_suggest),
        cmocka_unit_test(names_mean_the_nearest),
        cmocka_unit_test(hierarchy_is_closed_loops_and_all),
        cmocka_unit_test(lookup_answers_the_readers),
        cmocka_unit_test(warnings_do_not_refuse),
        cmocka_unit_test(bounds_are_errors),
        cmocka_unit_test(json_refuses_and_points),
        cmocka_unit_test(json_points_into_the_text),
        cmocka_unit_test(json_bounds_are_errors),
        cmocka_unit_test(escapes_are_resolved),
        cmocka_unit_test(blanks_and_long_lists),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
