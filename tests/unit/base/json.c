/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/json.h"

static void canonical_sorts_and_escapes(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
    RV_AUTO(rv_json_freep) json_t *value = NULL;

    rv_assert_ok(rv_json_parse(
        rv_span_str("{ \"b\": [1, true, null], \"a\": \"\\u0001\\n\\\"\\u20ac\", \"\": -5 }"),
        &value, NULL));
    rv_assert_ok(rv_json_canonical(&buf, value));
    assert_string_equal(buf.data,
                        "{\"\":-5,\"a\":\"\\u0001\\n\\\"\xe2\x82\xac\",\"b\":[1,true,null]}");
}

static void parse_refuses_and_says_where(void **state)
{
    static const char *const bad[] = { "",   "{", "{\"a\":1,\"a\":2}", "[1,]", "{\"a\":\n  tru}",
                                       "1 2" };

    for (size_t i = 0; i < RV_COUNT(bad); i++) {
        struct rv_json_error error = { 0 };
        json_t *value = NULL;

        assert_int_equal(rv_json_parse(rv_span_str(bad[i]), &value, &error), -EINVAL);
        assert_null(value);
        assert_true(error.line >= 1 && error.message[0]);
    }
}

static void parse_refuses_what_json_is_not(void **state)
{
    static const char *const bad[] = {
        "01",   "1.",  "1e",  "-",   "+1",  "tru", "nul", "'a'", "\"a", "\"\n\"", "\"\\q\"",
        "\"\\u12\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\xff\"", "[1 2]", "[1",
        "{1:2}", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "{\"a\":1,}", "9223372036854775808", "1e999",
        "\"\\",
    };

    for (size_t i = 0; i < RV_COUNT(bad); i++) {
        struct rv_json_error error = { 0 };
        json_t *value = NULL;

        if (rv_json_parse(rv_span_str(bad[i]), &value, &error) != -EINVAL)
            fail_msg("%s was read", bad[i]);
        assert_true(error.message[0]);
    }
}

static void parse_reads_all_that_json_is(void **state)
{
    static const char text[] =
        " {\"a\\u0000b\":[-9223372036854775808,9223372036854775807,1.5,2e-1,0.25E+2,[],{}],"
        "\"s\":\"\\b\\f\\n\\r\\t\\/\\\\\\\"\\u00e9\\u20ac\\ud83d\\ude00\",\"t\":true,\"f\":false,\"n\":null} ";
    RV_AUTO(rv_json_freep) json_t *value = NULL;
    json_t *list;

    rv_assert_ok(rv_json_parse(rv_span_str(text), &value, NULL));
    list = json_object_getn(value, "a\0b", 3);
    assert_int_equal(json_array_size(list), 7);
    assert_true(json_integer_value(json_array_get(list, 0)) == INT64_MIN);
    assert_true(json_integer_value(json_array_get(list, 1)) == INT64_MAX);
    assert_true(json_real_value(json_array_get(list, 4)) > 24.9);
    assert_string_equal(json_string_value(json_object_get(value, "s")),
                        "\b\f\n\r\t/\\\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    assert_true(json_is_null(json_object_get(value, "n")));
}

static void canonical_takes_keys_with_nul(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
    RV_AUTO(rv_json_freep) json_t *value = NULL;

    rv_assert_ok(rv_json_parse(rv_span_str("{\"b\":1,\"a\\u0000\":2,\"a\":3}"), &value, NULL));
    rv_assert_ok(rv_json_canonical(&buf, value));
    assert_string_equal(buf.data, "{\"a\":3,\"a\\u0000\":2,\"b\":1}");
}

static void parse_bounds_depth(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
    struct rv_json_error error = { 0 };
    json_t *value = NULL;

    for (size_t i = 0; i <= RV_JSON_DEPTH_MAX; i++)
        rv_buf_add_char(&buf, '[');
    assert_int_equal(rv_json_parse(rv_buf_span(&buf), &value, &error), -EINVAL);
    assert_string_equal(error.message, "nested too deeply");
}

struct noted {
    size_t count;
    size_t start, end; /* of the last */
};

static void note(void *context, const json_t *value, size_t start, size_t end)
{
    struct noted *noted = context;

    *noted = (struct noted){ noted->count + 1, start, end };
}

static void parse_says_where_values_stand(void **state)
{
    struct noted noted = { 0 };
    struct rv_json_places places = { note, &noted };
    RV_AUTO(rv_json_freep) json_t *value = NULL;

    rv_assert_ok(rv_json_parse_placed(rv_span_str("  {\"a\": [1, 2]} "), &places, &value, NULL));
    assert_int_equal(noted.count, 4);
    assert_int_equal(noted.start, 2);
    assert_int_equal(noted.end, 15);
}

static void canonical_refuses_real_numbers(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
    RV_AUTO(rv_json_freep) json_t *value = json_pack("[f]", 0.5);

    assert_int_equal(rv_json_canonical(&buf, value), -EDOM);
}

static void string_that_is_not_utf8_is_replaced(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };

    /* overlong, surrogate, beyond U+10FFFF, lone continuation, cut short */
    rv_json_add_string(&buf, rv_span("\xc0\x80|\xed\xa0\x80|\xf4\x90\x80\x80|\x80|\xe2\x82", 16));
    assert_non_null(strstr(buf.data, "\xef\xbf\xbd|"));
    assert_null(strstr(buf.data, "\xc0"));
    assert_null(strstr(buf.data, "\xed\xa0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canonical_sorts_and_escapes),
        cmocka_unit_test(parse_refuses_and_says_where),
        cmocka_unit_test(parse_refuses_what_json_is_not),
        cmocka_unit_test(parse_reads_all_that_json_is),
        cmocka_unit_test(parse_bounds_depth),
        cmocka_unit_test(parse_says_where_values_stand),
        cmocka_unit_test(canonical_takes_keys_with_nul),
        cmocka_unit_test(canonical_refuses_real_numbers),
        cmocka_unit_test(string_that_is_not_utf8_is_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
