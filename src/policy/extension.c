/* SPDX-License-Identifier: Apache-2.0 */
/* The extension types: their text, both directions, and the functions that there are. */
#include "extension.h"
#include "policy/ast.h"

#include <arpa/inet.h>

#define MS_PER_DAY INT64_C(86400000)

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* ---- ip ---- */
/** A prefix length: digits, no leading zero, at most `max`. @return -1 when it is none. */
static int parse_prefix(const char *text, int max)
{
    int bits = 0;

    if (!is_digit(text[0]) || (text[0] == '0' && text[1] != '\0'))
        return -1;
    for (; *text; text++) {
        if (!is_digit(*text))
            return -1;
        bits = bits * 10 + (*text - '0');
        if (bits > max)
            return -1;
    }
    return bits;
}

int rv_ip_parse(struct rv_text text, struct rv_ip *ret)
{
    struct rv_ip ip = { 0 };
    char copy[64], *slash;
    int bits, max;

    if (text.len >= sizeof(copy) || (text.len > 0 && memchr(text.data, '\0', text.len)))
        return -EINVAL;
    if (text.len > 0)
        memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    slash = strchr(copy, '/');
    if (slash)
        *slash = '\0';
    ip.v6 = strchr(copy, ':') != NULL;
    if (ip.v6 && strchr(copy, '.')) /* an IPv4 address inside an IPv6 one */
        return -EINVAL;
    if (inet_pton(ip.v6 ? AF_INET6 : AF_INET, copy, ip.bytes) != 1)
        return -EINVAL;
    max = ip.v6 ? 128 : 32;
    bits = slash ? parse_prefix(slash + 1, max) : max;
    if (bits < 0)
        return -EINVAL;
    ip.bits = (uint8_t)bits;
    *ret = ip;
    return 0;
}

static void print_ip(struct rv_buf *buf, const struct rv_ip *ip)
{
    char text[INET6_ADDRSTRLEN];

    if (ip->v6) {
        rv_buf_add_str(buf, "ip(\"");
        for (int i = 0; i < 16; i += 2)
            rv_buf_addf(buf, "%s%x", i > 0 ? ":" : "",
                        (unsigned)(ip->bytes[i] << 8 | ip->bytes[i + 1]));
    } else {
        rv_buf_addf(buf, "ip(\"%s", inet_ntop(AF_INET, ip->bytes, text, sizeof(text)));
    }
    if (ip->bits < (ip->v6 ? 128 : 32))
        rv_buf_addf(buf, "/%u", ip->bits);
    rv_buf_add_str(buf, "\")");
}

/* ---- decimal ---- */
int rv_decimal_parse(struct rv_text text, int64_t *ret)
{
    bool negative = text.len > 0 && text.data[0] == '-';
    uint32_t i = negative ? 1 : 0, whole = i, fraction;
    int64_t number = 0;
    unsigned places = 0;

    for (; i < text.len && is_digit(text.data[i]); i++) {
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_sub_overflow(number, text.data[i] - '0', &number))
            return -EINVAL;
    }
    if (i == whole || i >= text.len || text.data[i] != '.')
        return -EINVAL;
    fraction = ++i;
    for (; i < text.len && is_digit(text.data[i]) && places < 4; i++, places++) {
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_sub_overflow(number, text.data[i] - '0', &number))
            return -EINVAL;
    }
    if (i == fraction || i != text.len)
        return -EINVAL;
    for (; places < 4; places++) {
        if (__builtin_mul_overflow(number, 10, &number))
            return -EINVAL;
    }
    if (!negative && __builtin_sub_overflow(0, number, &number)) /* it was counted below zero */
        return -EINVAL;
    *ret = number;
    return 0;
}

static void print_decimal(struct rv_buf *buf, int64_t number)
{
    uint64_t size = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

    rv_buf_addf(buf, "decimal(\"%s%llu.%04llu\")", number < 0 ? "-" : "",
                (unsigned long long)(size / 10000), (unsigned long long)(size % 10000));
}

/* ---- duration ---- */
static const struct unit {
    const char *name;
    int64_t ms;
} units[] = {
    { "d", MS_PER_DAY }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 },
};

/** The unit at `*at`, later than `*next`; RV_COUNT(units) when it is none. */
static size_t read_unit(struct rv_text text, uint32_t *at, size_t next)
{
    uint32_t len = 0;

    while (*at + len < text.len && text.data[*at + len] >= 'a' && text.data[*at + len] <= 'z')
        len++;
    while (next < RV_COUNT(units) && !(strlen(units[next].name) == len &&
                                       memcmp(units[next].name, text.data + *at, len) == 0))
        next++;
    *at += len;
    return next;
}

int rv_duration_parse(struct rv_text text, int64_t *ret)
{
    bool negative = text.len > 0 && text.data[0] == '-';
    uint32_t i = negative ? 1 : 0;
    int64_t total = 0;
    size_t next = 0;

    if (i == text.len)
        return -EINVAL;
    while (i < text.len) {
        uint32_t start = i;
        int64_t number = 0; /* below zero: there is one more number on that side */
        size_t unit;

        for (; i < text.len && is_digit(text.data[i]); i++) {
            if (__builtin_mul_overflow(number, 10, &number) ||
                __builtin_sub_overflow(number, text.data[i] - '0', &number))
                return -EINVAL;
        }
        if (i == start)
            return -EINVAL;
        unit = read_unit(text, &i, next);
        if (unit == RV_COUNT(units) || __builtin_mul_overflow(number, units[unit].ms, &number) ||
            __builtin_add_overflow(total, number, &total))
            return -EINVAL;
        next = unit + 1;
    }
    if (!negative && __builtin_sub_overflow(0, total, &total))
        return -EINVAL;
    *ret = total;
    return 0;
}

/* ---- datetime ---- */
/** `count` digits at `at`, at most `max`; -1 when they are not. */
static int read_number(struct rv_text text, uint32_t at, uint32_t count, int max)
{
    int number = 0;

    if (at + count > text.len)
        return -1;
    for (uint32_t i = at; i < at + count; i++) {
        if (!is_digit(text.data[i]))
            return -1;
        number = number * 10 + (text.data[i] - '0');
    }
    return number <= max ? number : -1;
}

static bool has_char(struct rv_text text, uint32_t at, char c)
{
    return at < text.len && text.data[at] == c;
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/** Days from 1970-01-01 to a date of the Gregorian calendar, year 0 and later. */
static int64_t days_from_date(int year, int month, int day)
{
    int64_t shifted = month <= 2 ? year - 1 : year; /* years begin in March: leap days come last */
    int64_t era = (shifted >= 0 ? shifted : shifted - 399) / 400;
    int64_t of_era = shifted - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int parse_date(struct rv_text text, int64_t *ret_days)
{
    static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int year = read_number(text, 0, 4, 9999), month = read_number(text, 5, 2, 12),
        day = read_number(text, 8, 2, 31);

    if (year < 0 || month < 1 || day < 1 || !has_char(text, 4, '-') || !has_char(text, 7, '-') ||
        day > lengths[month - 1] + (month == 2 && is_leap(year)))
        return -EINVAL;
    *ret_days = days_from_date(year, month, day);
    return 0;
}

/** `Z`, `+hhmm` or `-hhmm` to the end of the text. */
static int parse_offset(struct rv_text text, uint32_t at, int64_t *ret_ms)
{
    int hours = read_number(text, at + 1, 2, 23), minutes = read_number(text, at + 3, 2, 59);
    int64_t ms;

    if (has_char(text, at, 'Z') && at + 1 == text.len) {
        *ret_ms = 0;
        return 0;
    }
    if ((!has_char(text, at, '+') && !has_char(text, at, '-')) || at + 5 != text.len || hours < 0 ||
        minutes < 0)
        return -EINVAL;
    ms = (hours * 60 + minutes) * INT64_C(60000);
    *ret_ms = text.data[at] == '+' ? ms : -ms;
    return 0;
}

int rv_datetime_parse(struct rv_text text, int64_t *ret)
{
    int64_t days = 0, offset = 0;
    int hour, minute, second, ms = 0;
    uint32_t at = 19;

    if (parse_date(text, &days) < 0)
        return -EINVAL;
    if (text.len == 10) {
        *ret = days * MS_PER_DAY;
        return 0;
    }
    hour = read_number(text, 11, 2, 23);
    minute = read_number(text, 14, 2, 59);
    second = read_number(text, 17, 2, 59);
    if (hour < 0 || minute < 0 || second < 0 || !has_char(text, 10, 'T') ||
        !has_char(text, 13, ':') || !has_char(text, 16, ':'))
        return -EINVAL;
    if (has_char(text, at, '.')) {
        ms = read_number(text, at + 1, 3, 999);
        at += 4;
    }
    if (ms < 0 || parse_offset(text, at, &offset) < 0)
        return -EINVAL;
    *ret = days * MS_PER_DAY + ((hour * 60 + minute) * 60 + second) * INT64_C(1000) + ms - offset;
    return 0;
}

struct date {
    int64_t year;
    unsigned month, day;
};

/** The inverse of days_from_date(). */
static struct date date_from_days(int64_t days)
{
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t of_era = shifted - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;

    return (struct date){
        .year = year + era * 400 + (month >= 10),
        .month = (unsigned)(month < 10 ? month + 3 : month - 9),
        .day = (unsigned)(of_year - (153 * month + 2) / 5 + 1),
    };
}

static void print_datetime(struct rv_buf *buf, int64_t ms)
{
    int64_t of_day = (ms % MS_PER_DAY + MS_PER_DAY) % MS_PER_DAY;
    struct date date = date_from_days((ms - of_day) / MS_PER_DAY);

    if (ms < INT64_MIN + MS_PER_DAY || date.year < 0 || date.year > 9999) {
        rv_buf_addf(buf, "datetime(\"1970-01-01\").offset(duration(\"%lldms\"))", (long long)ms);
        return;
    }
    rv_buf_addf(buf, "datetime(\"%04lld-%02u-%02uT%02lld:%02lld:%02lld.%03lldZ\")",
                (long long)date.year, date.month, date.day, (long long)(of_day / 3600000),
                (long long)(of_day / 60000 % 60), (long long)(of_day / 1000 % 60),
                (long long)(of_day % 1000));
}

void rv_extension_print(struct rv_buf *buf, const struct rv_value *value)
{
    if (value->kind == RV_VALUE_IP)
        print_ip(buf, value->ip);
    else if (value->kind == RV_VALUE_DECIMAL)
        print_decimal(buf, value->number);
    else if (value->kind == RV_VALUE_DATETIME)
        print_datetime(buf, value->number);
    else
        rv_buf_addf(buf, "duration(\"%lldms\")", (long long)value->number);
}

/* ---- Functions ---- */
#define METHOD(name_, first_, result_)                                                             \
    {                                                                                              \
        .name = (name_), .method = true, .arg_count = 1, .args = { RV_VALUE_##first_ },            \
        .result = RV_VALUE_##result_                                                               \
    }
#define METHOD2(name_, first_, second_, result_)                                                   \
    {                                                                                              \
        .name = (name_), .method = true, .arg_count = 2,                                           \
        .args = { RV_VALUE_##first_, RV_VALUE_##second_ }, .result = RV_VALUE_##result_            \
    }
#define FUNCTION(name_, result_)                                                                   \
    {                                                                                              \
        .name = (name_), .arg_count = 1, .args = { RV_VALUE_STRING }, .result = RV_VALUE_##result_ \
    }

static const struct rv_call_info calls[RV_CALL_COUNT_] = {
    [RV_CALL_IP] = FUNCTION("ip", IP),
    [RV_CALL_DECIMAL] = FUNCTION("decimal", DECIMAL),
    [RV_CALL_DATETIME] = FUNCTION("datetime", DATETIME),
    [RV_CALL_DURATION] = FUNCTION("duration", DURATION),
    [RV_CALL_IS_IPV4] = METHOD("isIpv4", IP, BOOL),
    [RV_CALL_IS_IPV6] = METHOD("isIpv6", IP, BOOL),
    [RV_CALL_IS_LOOPBACK] = METHOD("isLoopback", IP, BOOL),
    [RV_CALL_IS_MULTICAST] = METHOD("isMulticast", IP, BOOL),
    [RV_CALL_IS_IN_RANGE] = METHOD2("isInRange", IP, IP, BOOL),
    [RV_CALL_LESS_THAN] = METHOD2("lessThan", DECIMAL, DECIMAL, BOOL),
    [RV_CALL_LESS_THAN_OR_EQUAL] = METHOD2("lessThanOrEqual", DECIMAL, DECIMAL, BOOL),
    [RV_CALL_GREATER_THAN] = METHOD2("greaterThan", DECIMAL, DECIMAL, BOOL),
    [RV_CALL_GREATER_THAN_OR_EQUAL] = METHOD2("greaterThanOrEqual", DECIMAL, DECIMAL, BOOL),
    [RV_CALL_OFFSET] = METHOD2("offset", DATETIME, DURATION, DATETIME),
    [RV_CALL_DURATION_SINCE] = METHOD2("durationSince", DATETIME, DATETIME, DURATION),
    [RV_CALL_TO_DATE] = METHOD("toDate", DATETIME, DATETIME),
    [RV_CALL_TO_TIME] = METHOD("toTime", DATETIME, DURATION),
    [RV_CALL_TO_MILLISECONDS] = METHOD("toMilliseconds", DURATION, LONG),
    [RV_CALL_TO_SECONDS] = METHOD("toSeconds", DURATION, LONG),
    [RV_CALL_TO_MINUTES] = METHOD("toMinutes", DURATION, LONG),
    [RV_CALL_TO_HOURS] = METHOD("toHours", DURATION, LONG),
    [RV_CALL_TO_DAYS] = METHOD("toDays", DURATION, LONG),
};

const struct rv_call_info *rv_call_info(enum rv_call call)
{
    return &calls[call];
}

enum rv_call rv_call_by_name(struct rv_text name)
{
    int call = 0;

    while (call < RV_CALL_COUNT_ && !rv_text_is(name, calls[call].name))
        call++;
    return (enum rv_call)call;
}
