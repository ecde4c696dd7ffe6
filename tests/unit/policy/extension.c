/* SPDX-License-Identifier: Apache-2.0 */
/* Extension values: what each constructor refuses and takes, how they print, what functions do. */
#include "policy_test.h"

#include "policy/policy.h"

struct row {
    const char *text;
    int64_t number;
};

static void refused(int (*parse)(struct rv_text, int64_t *), const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int64_t number = 77;

        if (parse(rv_text_str(texts[i]), &number) != -EINVAL || number != 77)
            fail_msg("taken, or touched: '%s'", texts[i]);
    }
}

static void taken(int (*parse)(struct rv_text, int64_t *), const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int64_t number = 0;

        if (parse(rv_text_str(rows[i].text), &number) < 0 || number != rows[i].number)
            fail_msg("'%s' gives %lld", rows[i].text, (long long)number);
    }
}

static void addresses_that_are_none(void **state)
{
    static const char *const texts[] = {
        "", " ", "/", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.04", "1.2.3.4 ",
        " 1.2.3.4", "+1.2.3.4", "1.2.3.4/", "1.2.3.4/33", "1.2.3.4/08", "1.2.3.4/+8", "1.2.3.4/-1",
        "1.2.3.4/8/8", "1.2.3.4/0008", "1.2.3.4/8 ", "/8", ":", ":::", "1::2::3", "12345::",
        "g::", "::1%lo", "[::1]", "::/129", "::/", "::ffff:1.2.3.4", "::1.2.3.4",
        "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "localhost",
        "0000:0000:0000:0000:0000:0000:0000:0000:0000",
    };
    static const char inner_nul[] = "1.2.3.4\0";
    struct rv_ip ip = { .bits = 7 };

    (void)state;
    for (size_t i = 0; i < RV_COUNT(texts); i++) {
        if (rv_ip_parse(rv_text_str(texts[i]), &ip) != -EINVAL || ip.bits != 7)
            fail_msg("taken, or touched: '%s'", texts[i]);
    }
    assert_int_equal(rv_ip_parse(rv_text(inner_nul, 8), &ip), -EINVAL);
}

static void addresses_print_as_the_shortest_text(void **state)
{
    static const struct {
        const char *text, *printed;
        uint8_t bits;
    } rows[] = {
        { "0.0.0.0", "ip(\"0.0.0.0\")", 32 },
        { "10.1.2.3/8", "ip(\"10.1.2.3/8\")", 8 },
        { "1.2.3.4/32", "ip(\"1.2.3.4\")", 32 },
        { "255.255.255.255/0", "ip(\"255.255.255.255/0\")", 0 },
        { "::", "ip(\"::\")", 128 },
        { "FE80::A/64", "ip(\"fe80::a/64\")", 64 },
        { "0:0:0:0:0:0:0:1", "ip(\"::1\")", 128 },
        { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128",
          "ip(\"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\")", 128 },
    };
    (void)state;
    for (size_t i = 0; i < RV_COUNT(rows); i++) {
        RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
        struct rv_ip ip;
        struct rv_value value = rv_value_ip(&ip);

        rv_assert_ok(rv_ip_parse(rv_text_str(rows[i].text), &ip));
        assert_int_equal(ip.bits, rows[i].bits);
        rv_value_print(&buf, &value);
        assert_string_equal(buf.data, rows[i].printed);
    }
}

static void decimals(void **state)
{
    static const char *const bad[] = {
        "", "-", ".", "1", "1.", ".5", "+1.0", "--1.0", "1.00000", "1.0 ", " 1.0", "1,0", "1.0e2",
        "0x1.0", "1.-5", "- 1.0", "1.0.0", "922337203685477.5808", "-922337203685477.5809",
        "99999999999999999999.0", "9223372036854775808.0",
    };
    static const struct row good[] = {
        { "0.0", 0 },
        { "-0.0", 0 },
        { "1.5", 15000 },
        { "-1.5", -15000 },
        { "0.0001", 1 },
        { "-0.0001", -1 },
        { "00012.3400", 123400 },
        { "922337203685477.5807", INT64_MAX },
        { "-922337203685477.5808", INT64_MIN },
    };
    (void)state;
    refused(rv_decimal_parse, bad, RV_COUNT(bad));
    taken(rv_decimal_parse, good, RV_COUNT(good));
}

static void datetimes(void **state)
{
    static const char *const bad[] = {
        "", "2024", "2024-1-1", "2024-01-1", "24-01-01", "2024-13-01", "2024-00-01", "2024-01-00",
        "2024-01-32", "2024-04-31", "2023-02-29", "1900-02-29", "2024-01-01T", "2024-01-01 ",
        "2024-01-01T00:00:00", "2024-01-01T24:00:00Z", "2024-01-01T00:60:00Z",
        "2024-01-01T00:00:60Z", "2024-01-01T00:00Z", "2024-01-01T00:00:00.Z",
        "2024-01-01T00:00:00.1Z", "2024-01-01T00:00:00.1234Z", "2024-01-01T00:00:00z",
        "2024-01-01t00:00:00Z", "2024-01-01T00:00:00+01:00", "2024-01-01T00:00:00+2400",
        "2024-01-01T00:00:00+0060", "2024-01-01T00:00:00+1", "2024-01-01T00:00:00ZZ",
        "2024-01-01T00:00:00Z+0100", "-2024-01-01", "12024-01-01", "2024/01/01",
    };
    static const struct row good[] = {
        { "1970-01-01", 0 },
        { "1969-12-31", -86400000 },
        { "1970-01-01T00:00:00.001Z", 1 },
        { "1969-12-31T23:59:59.999Z", -1 },
        { "1970-01-01T01:00:00+0100", 0 },
        { "1969-12-31T23:00:00-0100", 0 },
        { "1970-01-01T00:00:00+2359", -86340000 },
        { "2000-02-29", 951782400000 },
        { "2024-02-29T12:34:56Z", 1709210096000 },
        { "0000-01-01", -62167219200000 },
        { "9999-12-31T23:59:59.999Z", 253402300799999 },
    };
    (void)state;
    refused(rv_datetime_parse, bad, RV_COUNT(bad));
    taken(rv_datetime_parse, good, RV_COUNT(good));
}

static void durations(void **state)
{
    static const char *const bad[] = {
        "", "-", "1", "d", "1x", "1D", "+1d", "--1d", "1d ", " 1d", "1d 2h", "1h1d", "1ms1s", "1d1d",
        "1s1m", "1.5h", "1d-2h", "1d2", "9223372036854775808ms", "-9223372036854775809ms",
        "106751991168d", "18446744073709551616ms",
    };
    static const struct row good[] = {
        { "0ms", 0 },
        { "-0ms", 0 },
        { "1d2h3m4s5ms", 93784005 },
        { "-1d2h3m4s5ms", -93784005 },
        { "90m", 5400000 },
        { "1d1ms", 86400001 },
        { "9223372036854775807ms", INT64_MAX },
        { "106751991167d7h12m55s807ms", INT64_MAX },
        { "-106751991167d7h12m55s808ms", INT64_MIN },
    };
    (void)state;
    refused(rv_duration_parse, bad, RV_COUNT(bad));
    taken(rv_duration_parse, good, RV_COUNT(good));
}

/** Printing and parsing again gives the same number, at both ends too. */
static void numbers_print_and_read_back(void **state)
{
    static const struct {
        enum rv_value_kind kind;
        int64_t number;
        const char *printed;
    } rows[] = {
        { RV_VALUE_DECIMAL, 0, "decimal(\"0.0\")" },
        { RV_VALUE_DECIMAL, -1, "decimal(\"-0.0001\")" },
        { RV_VALUE_DECIMAL, 12340, "decimal(\"1.234\")" },
        { RV_VALUE_DECIMAL, INT64_MIN, "decimal(\"-922337203685477.5808\")" },
        { RV_VALUE_DURATION, INT64_MIN, "duration(\"-9223372036854775808ms\")" },
        { RV_VALUE_DURATION, 61000, "duration(\"61000ms\")" },
        { RV_VALUE_DATETIME, -1, "datetime(\"1969-12-31T23:59:59.999Z\")" },
        { RV_VALUE_DATETIME, 951782400000, "datetime(\"2000-02-29T00:00:00.000Z\")" },
    };
    (void)state;
    for (size_t i = 0; i < RV_COUNT(rows); i++) {
        RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
        struct rv_value value = rv_value_number(rows[i].kind, rows[i].number);

        rv_value_print(&buf, &value);
        assert_string_equal(buf.data, rows[i].printed);
    }
}

/** Each is decided as a condition; `code` is what goes wrong, OK when it must be true. */
static void functions(void **state)
{
    static const struct test_case rows[] = {
        { "ip(\"1.2.3\").isIpv4()", RV_EVAL_EXTENSION, 0, 0 },
        { "ip(context.text) == ip(\"::\")", RV_EVAL_EXTENSION, 0, 0 },
        { "decimal(context.text) == decimal(\"0.0\")", RV_EVAL_EXTENSION, 0, 0 },
        { "datetime(context.text) == datetime(\"1970-01-01\")", RV_EVAL_EXTENSION, 0, 0 },
        { "duration(context.text) == duration(\"1d\")", RV_EVAL_EXTENSION, 0, 0 },
        { "ip(1).isIpv4()", RV_EVAL_TYPE, 0, 0 },
        { "decimal(\"1.0\").isIpv4()", RV_EVAL_TYPE, 0, 0 },
        { "ip(\"::\").isInRange(\"::\")", RV_EVAL_TYPE, 0, 0 },
        { "decimal(\"1.0\").lessThan(1)", RV_EVAL_TYPE, 0, 0 },
        { "decimal(\"1.0\") < decimal(\"2.0\")", RV_EVAL_TYPE, 0, 0 },
        { "datetime(\"1970-01-01\") < duration(\"1d\")", RV_EVAL_TYPE, 0, 0 },
        { "datetime(\"1970-01-01\").offset(1) == 1", RV_EVAL_TYPE, 0, 0 },
        { "duration(\"1d\").toDate() == 1", RV_EVAL_TYPE, 0, 0 },
        { "datetime(\"9999-12-31\").offset(duration(\"9223372036854775807ms\")) == "
          "datetime(\"1970-01-01\")", RV_EVAL_EXTENSION, 0, 0 },
        { "datetime(\"1970-01-01\").offset(duration(\"-9223372036854775808ms\")).toDate() == "
          "datetime(\"1970-01-01\")", RV_EVAL_EXTENSION, 0, 0 },
        { "datetime(\"1970-01-02\").durationSince(datetime(\"1970-01-01\").offset("
          "duration(\"-9223372036854775808ms\"))) == duration(\"1d\")", RV_EVAL_EXTENSION, 0, 0 },
        { "ip(\"1.2.3.4\").isIpv4() && !ip(\"1.2.3.4\").isIpv6()", RV_EVAL_OK, 0, 0 },
        { "ip(\"::\").isIpv6() && !ip(\"::\").isIpv4()", RV_EVAL_OK, 0, 0 },
        { "ip(\"127.9.9.9\").isLoopback() && ip(\"127.0.0.0/8\").isLoopback()", RV_EVAL_OK, 0, 0 },
        { "!ip(\"126.0.0.0/7\").isLoopback() && !ip(\"128.0.0.1\").isLoopback()", RV_EVAL_OK, 0, 0 },
        { "ip(\"::1\").isLoopback() && !ip(\"::1/127\").isLoopback()", RV_EVAL_OK, 0, 0 },
        { "ip(\"239.1.1.1\").isMulticast() && !ip(\"240.0.0.0\").isMulticast()", RV_EVAL_OK, 0, 0 },
        { "ip(\"ff02::1\").isMulticast() && !ip(\"fe80::1\").isMulticast()", RV_EVAL_OK, 0, 0 },
        { "ip(\"10.1.2.3\").isInRange(ip(\"10.0.0.0/8\"))", RV_EVAL_OK, 0, 0 },
        { "ip(\"10.1.2.3\").isInRange(ip(\"10.1.2.0/23\"))", RV_EVAL_OK, 0, 0 },
        { "!ip(\"10.1.4.3\").isInRange(ip(\"10.1.2.0/23\"))", RV_EVAL_OK, 0, 0 },
        { "!ip(\"10.0.0.0/7\").isInRange(ip(\"10.0.0.0/8\"))", RV_EVAL_OK, 0, 0 },
        { "ip(\"10.0.0.0/8\").isInRange(ip(\"0.0.0.0/0\"))", RV_EVAL_OK, 0, 0 },
        { "!ip(\"::1\").isInRange(ip(\"0.0.0.0/0\"))", RV_EVAL_OK, 0, 0 },
        { "ip(\"10.0.0.1/8\") != ip(\"10.0.0.2/8\")", RV_EVAL_OK, 0, 0 },
        { "decimal(\"1.0\") == decimal(\"1.0000\")", RV_EVAL_OK, 0, 0 },
        { "decimal(\"-1.1\").lessThan(decimal(\"-1.0999\"))", RV_EVAL_OK, 0, 0 },
        { "decimal(\"1.0\").lessThanOrEqual(decimal(\"1.00\"))", RV_EVAL_OK, 0, 0 },
        { "decimal(\"1.1\").greaterThan(decimal(\"1.0\"))", RV_EVAL_OK, 0, 0 },
        { "decimal(\"1.0\").greaterThanOrEqual(decimal(\"1.0\"))", RV_EVAL_OK, 0, 0 },
        { "!decimal(\"1.0\").greaterThan(decimal(\"1.0\"))", RV_EVAL_OK, 0, 0 },
        { "datetime(\"1970-01-01T00:00:00Z\") < datetime(\"1970-01-01T00:00:00.001Z\")",
          RV_EVAL_OK, 0, 0 },
        { "duration(\"1d\") >= duration(\"24h\") && duration(\"-1d\") < duration(\"0ms\")",
          RV_EVAL_OK, 0, 0 },
        { "datetime(\"1970-01-01\").offset(duration(\"1d\")) == datetime(\"1970-01-02\")",
          RV_EVAL_OK, 0, 0 },
        { "datetime(\"1970-01-03\").durationSince(datetime(\"1970-01-01\")).toDays() == 2",
          RV_EVAL_OK, 0, 0 },
        { "datetime(\"1969-12-31T23:00:00Z\").toDate() == datetime(\"1969-12-31\")", RV_EVAL_OK, 0, 0 },
        { "datetime(\"1969-12-31T23:00:00Z\").toTime() == duration(\"23h\")", RV_EVAL_OK, 0, 0 },
        { "duration(\"-1ms\").toSeconds() == 0 && duration(\"-1500ms\").toSeconds() == -1",
          RV_EVAL_OK, 0, 0 },
        { "duration(\"90m\").toMinutes() == 90 && duration(\"90m\").toHours() == 1", RV_EVAL_OK, 0, 0 },
        { "duration(\"1s\").toMilliseconds() == 1000", RV_EVAL_OK, 0, 0 },
    };
    (void)state;
    test_cases(NULL, rows, RV_COUNT(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_that_are_none),
        cmocka_unit_test(addresses_print_as_the_shortest_text),
        cmocka_unit_test(decimals),
        cmocka_unit_test(datetimes),
        cmocka_unit_test(durations),
        cmocka_unit_test(numbers_print_and_read_back),
        cmocka_unit_test(functions),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
