/* SPDX-License-Identifier: Apache-2.0 */
/* Both printers: what was read comes out again, in either form. */
#include "policy_test.h"

static const char host_schema[] =
    "type Meta = {\n  risk: Long,\n  tags?: Set<String>\n};\n\n"
    "@doc(\"who\")\n@plain\nentity User in [Group] = {\n  name: String,\n"
    "  @doc(\"may be absent\")\n  \"e-mail\"?: String,\n  home: {\n    path: String\n  }\n}"
    " tags Set<ipaddr>;\n\n"
    "entity Group;\n\n"
    "entity Mode enum [\"observe\", \"enforce\\n\"];\n\n"
    "action \"read\" in [\"all\", N::Action::\"top\"] appliesTo {\n  principal: [User, Group],\n"
    "  resource: [N::File],\n  context: Meta\n};\n\n"
    "action \"all\";\n\n"
    "@ns\nnamespace N {\n"
    "  entity File;\n\n"
    "  action \"top\";\n\n"
    "  action \"open\" appliesTo {\n    principal: [User],\n    resource: [File],\n"
    "    context: {}\n  };\n"
    "}\n";

static char *print_text(const struct rv_schema *schema)
{
    struct rv_buf buf = { 0 };

    rv_assert_ok(rv_schema_print(&buf, schema, NULL));
    return rv_buf_take(&buf);
}

static char *print_json(const struct rv_schema *schema)
{
    RV_AUTO(rv_json_freep) json_t *value = rv_schema_to_json(schema);
    struct rv_buf buf = { 0 };

    assert_non_null(value);
    rv_assert_ok(rv_json_canonical(&buf, value));
    return rv_buf_take(&buf);
}

static void text_comes_out_as_it_was(void **state)
{
    RV_AUTO(rv_schema_free) struct rv_schema *schema = test_schema(host_schema);
    RV_AUTO(rv_freep) char *printed = print_text(schema);

    assert_string_equal(printed, host_schema);
}

static void forms_translate_into_each_other(void **state)
{
    RV_AUTO(rv_schema_free)
    struct rv_schema *schema = test_schema(host_schema),
                     *again = NULL, *back = NULL;
    RV_AUTO(rv_freep) char *json = print_json(schema);
    RV_AUTO(rv_freep) char *printed = NULL, *json_again = NULL;

    rv_assert_ok(rv_schema_read_json("", rv_span_str(json), &again, NULL));
    printed = print_text(again);
    rv_assert_ok(rv_schema_read("", rv_span_str(printed), &back, NULL));
    json_again = print_json(back);
    assert_string_equal(json, json_again);
}

static void json_kinds_survive(void **state)
{
    static const char text[] =
        "{\"\":{\"actions\":{\"a\":{\"appliesTo\":{\"context\":{\"type\":\"Ctx\"},"
        "\"principalTypes\":[\"E\"],\"resourceTypes\":[\"E\"]}},\"b\":{},\"c\":{\"memberOf\":[]}},"
        "\"commonTypes\":{\"Ctx\":{\"annotations\":{\"doc\":\"d\"},\"attributes\":{\"b\":"
        "{\"type\":\"Boolean\"},\"e\":{\"name\":\"E\",\"type\":\"Entity\"},\"i\":"
        "{\"name\":\"ipaddr\",\"required\":false,\"type\":\"Extension\"},\"l\":{\"type\":\"Long\"},"
        "\"s\":{\"type\":\"String\"}},\"type\":\"Record\"}},\"entityTypes\":{\"E\":{}}}}";
    RV_AUTO(rv_schema_free) struct rv_schema *schema = NULL;
    RV_AUTO(rv_freep) char *json = NULL, *printed = NULL;

    rv_assert_ok(rv_schema_read_json("", rv_span_str(text), &schema, NULL));
    json = print_json(schema);
    assert_string_equal(json, text);
    printed = print_text(schema);
    assert_non_null(strstr(printed, "b: __cedar::Bool"));
    assert_non_null(strstr(printed, "i?: __cedar::ipaddr"));
    assert_non_null(strstr(printed, "l: __cedar::Long"));
    assert_non_null(strstr(printed, "s: __cedar::String"));
    assert_non_null(strstr(printed, "e: E"));
}

static void text_cannot_say_all_of_json(void **state)
{
    static const char *const texts[] = {
        "{\"\":{\"commonTypes\":{\"T\":{\"type\":\"Record\",\"attributes\":{}}},"
        "\"entityTypes\":{\"E\":{\"shape\":{\"type\":\"T\"}}},\"actions\":{}}}",
        "{\"\":{\"commonTypes\":{\"E\":{\"type\":\"Long\"}},"
        "\"entityTypes\":{\"E\":{},\"F\":{\"tags\":{\"type\":\"Entity\",\"name\":\"E\"}}},"
        "\"actions\":{}}}",
    };

    for (size_t i = 0; i < RV_COUNT(texts); i++) {
        RV_AUTO(rv_schema_free) struct rv_schema *schema = NULL;
        RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
        RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };

        rv_assert_ok(rv_schema_read_json("", rv_span_str(texts[i]), &schema, NULL));
        assert_int_equal(rv_schema_print(&buf, schema, &diags), -ENOTSUP);
        assert_string_equal(diags.items[0].code, "schema-form");
    }
}

static void nothing_is_a_schema(void **state)
{
    RV_AUTO(rv_schema_free) struct rv_schema *schema = test_schema("// only a comment\n");
    RV_AUTO(rv_freep) char *json = print_json(schema);
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };

    assert_string_equal(json, "{}");
    rv_assert_ok(rv_schema_print(&buf, schema, NULL));
    assert_int_equal(buf.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_comes_out_as_it_was),
        cmocka_unit_test(forms_translate_into_each_other),
        cmocka_unit_test(json_kinds_survive),
        cmocka_unit_test(text_cannot_say_all_of_json),
        cmocka_unit_test(nothing_is_a_schema),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
