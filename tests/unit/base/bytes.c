/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/bytes.h"

static void reader_stops_at_the_end_for_good(void **state)
{
    struct rv_reader reader = rv_reader(rv_span("\x01\x02\x03\x04\x05", 5));

    assert_int_equal(rv_read_le16(&reader), 0x0201);
    assert_int_equal(rv_read_be16(&reader), 0x0304);
    assert_int_equal(rv_read_le32(&reader), 0);
    assert_true(reader.failed);
    assert_int_equal(rv_read_u8(&reader), 0); /* one byte is left, but a failed reader is done */
    assert_int_equal(reader.offset, 4);
}

static void reader_knows_both_byte_orders(void **state)
{
    struct rv_reader reader =
        rv_reader(rv_span("\1\2\3\4\5\6\7\x08\1\2\3\4\5\6\7\x08\1\2\3\4", 20));

    assert_true(rv_read_le64(&reader) == 0x0807060504030201ULL);
    assert_true(rv_read_be64(&reader) == 0x0102030405060708ULL);
    assert_int_equal(rv_read_be32(&reader), 0x01020304);
    assert_false(reader.failed);
}

static void buffer_grows_formats_and_is_taken(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
    char *text;

    for (int i = 0; i < 1000; i++)
        rv_buf_addf(&buf, "%d,", i);
    assert_false(buf.failed);
    assert_int_equal(buf.len, 3890);
    text = rv_buf_take(&buf);
    assert_memory_equal(text, "0,1,2,3,", 8);
    assert_int_equal(text[3890], 0);
    assert_int_equal(buf.len, 0);
    free(text);
}

static void buffer_past_its_limit_fails_and_stays_failed(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf buf = { .len_max = 8 };

    rv_buf_add_str(&buf, "12345");
    rv_buf_add_str(&buf, "6789");
    assert_true(buf.failed);
    rv_buf_add_char(&buf, 'x');
    assert_int_equal(buf.len, 5);
    assert_null(rv_buf_take(&buf));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reader_stops_at_the_end_for_good),
        cmocka_unit_test(reader_knows_both_byte_orders),
        cmocka_unit_test(buffer_grows_formats_and_is_taken),
        cmocka_unit_test(buffer_past_its_limit_fails_and_stays_failed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
