/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/encode.h"

static void base64_meets_rfc_4648_section_10(void **state)
{
    static const char *const pairs[][2] = {
        { "", "" },
        { "f", "Zg==" },
        { "fo", "Zm8=" },
        { "foo", "Zm9v" },
        { "foob", "Zm9vYg==" },
        { "fooba", "Zm9vYmE=" },
        { "foobar", "Zm9vYmFy" },
    };

    for (size_t i = 0; i < RV_COUNT(pairs); i++) {
        RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };
        RV_AUTO(rv_buf_done) struct rv_buf back = { 0 };

        rv_base64_add(&text, rv_span_str(pairs[i][0]));
        assert_true(rv_span_eq(rv_buf_span(&text), rv_span_str(pairs[i][1])));
        rv_assert_ok(rv_base64_decode(&back, rv_buf_span(&text)));
        assert_true(rv_span_eq(rv_buf_span(&back), rv_span_str(pairs[i][0])));
    }
}

static void base64_has_one_text_for_each_value(void **state)
{
    static const char *const bad[] = { "Z",        "Zg",    "Zg=",  "Zh==", "Zm9=",
                                       "Zm8=Zm8=", "Zm 9v", "=AAA", "A===", "Zg==\n" };

    for (size_t i = 0; i < RV_COUNT(bad); i++) {
        RV_AUTO(rv_buf_done) struct rv_buf back = { 0 };

        if (rv_base64_decode(&back, rv_span_str(bad[i])) != -EINVAL)
            fail_msg("'%s' was accepted", bad[i]);
    }
}

static void hex_goes_both_ways(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf back = { 0 };

    rv_hex_add(&text, rv_span("\x00\xff\x1a", 3));
    assert_string_equal(text.data, "00ff1a");
    rv_assert_ok(rv_hex_decode(&back, rv_span_str("00FF1a")));
    assert_memory_equal(back.data, "\x00\xff\x1a", 3);
    assert_int_equal(rv_hex_decode(&back, rv_span_str("0")), -EINVAL);
    assert_int_equal(rv_hex_decode(&back, rv_span_str("0g")), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_meets_rfc_4648_section_10),
        cmocka_unit_test(base64_has_one_text_for_each_value),
        cmocka_unit_test(hex_goes_both_ways),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
