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
        cmocka_unit_test(canonical_refuses_real_numbers),
        cmocka_unit_test(string_that_is_not_utf8_is_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
