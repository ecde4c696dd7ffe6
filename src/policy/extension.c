/* SPDX-License-Identifier: Apache-2.0 */
#include "extension.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>

#define MS_PER_SECOND INT64_C(1000)
#define MS_PER_MINUTE (60 * MS_PER_SECOND)
#define MS_PER_HOUR   (60 * MS_PER_MINUTE)
#define MS_PER_DAY    (24 * MS_PER_HOUR)

/* ---- A cursor over the argument of a constructor ---- */

struct cursor {
    const char *at, *end;
};

static struct cursor cursor_of(struct rv_text text)
{
    return (struct cursor){ text.data, text.data + text.len };
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool take(struct cursor *cursor, char c)
{
    if (cursor->at == cursor->end || *cursor->at != c)
        return false;
    cursor->at++;
    return true;
}

/** All digits that follow. @return how many; `value` may overflow, then -1. */
static int take_number(struct cursor *cursor, uint64_t *ret)
{
    uint64_t value = 0;
    int digits = 0;

    for (; cursor->at < cursor->end && is_digit(*cursor->at); cursor->at++, digits++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*cursor->at - '0'), &value))
            return -1;
    }
    *ret = value;
    return digits;
}

/** Exactly `count` digits, at most `max`. */
static bool take_digits(struct cursor *cursor, int count, int max, int *ret)
{
    int value = 0;

    for (int i = 0; i < count; i++, cursor->at++) {
        if (cursor->at == cursor->end || !is_digit(*cursor->at))
            return false;
        value = value * 10 + (*cursor->at - '0');
    }
    *ret = value;
    return value <= max;
}

/* ---- ip ---- */

/** Digits without a leading zero, at most `max`. */
static bool parse_prefix(struct cursor cursor, unsigned max, uint8_t *ret)
{
    uint64_t value = 0;
    size_t len = (size_t)(cursor.end - cursor.at);

    if (len == 0 || len > 3 || (len > 1 && *cursor.at == '0'))
        return false;
    if (take_number(&cursor, &value) < 1 || cursor.at != cursor.end || value > max)
        return false;
    *ret = (uint8_t)value;
    return true;
}

int rv_ip_parse(struct rv_text text, struct rv_ip *ret)
{
    enum { ADDRESS_MAX = 43 }; /* the longest address with its prefix */
    char address[ADDRESS_MAX + 1];
    const char *slash = text.len ? memchr(text.data, '/', text.len) : NULL;
    size_t len = slash ? (size_t)(slash - text.data) : text.len;
    struct rv_ip ip = { 0 };
    bool colon;

    if (text.len == 0 || text.len > ADDRESS_MAX || memchr(text.data, '\0', text.len))
        return -EINVAL;
    memcpy(address, text.data, len);
    address[len] = '\0';
    colon = strchr(address, ':') != NULL;
    if (colon && strchr(address, '.')) /* IPv4 inside IPv6 is not part of the language */
        return -EINVAL;
    if (inet_pton(colon ? AF_INET6 : AF_INET, address, ip.bytes) != 1)
        return -EINVAL;
    ip.v6 = colon;
    ip.bits = colon ? 128 : 32;
    if (slash &&
        !parse_prefix((struct cursor){ slash + 1, text.data + text.len }, ip.bits, &ip.bits))
        return -EINVAL;
    *ret = ip;
    return 0;
}

void rv_ip_format(char text[RV_EXTENSION_TEXT_MAX], const struct rv_ip *ip)
{
    size_t len;

    (void)inet_ntop(ip->v6 ? AF_INET6 : AF_INET, ip->bytes, text, RV_EXTENSION_TEXT_MAX);
    len = strlen(text);
    if (ip->bits != (ip->v6 ? 128 : 32))
        (void)snprintf(text + len, RV_EXTENSION_TEXT_MAX - len, "/%u", ip->bits);
}

static bool same_prefix(const struct rv_ip *a, const struct rv_ip *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;

    if (memcmp(a->bytes, b->bytes, whole) != 0)
        return false;
    return rest == 0 || ((a->bytes[whole] ^ b->bytes[whole]) >> (8 - rest)) == 0;
}

static bool is_in_range(const struct rv_ip *inner, const struct rv_ip *outer)
{
    return inner->v6 == outer->v6 && inner->bits >= outer->bits &&
           same_prefix(inner, outer, outer->bits);
}

static bool is_loopback(const struct rv_ip *ip)
{
    static const struct rv_ip v4 = { .bytes = { 127 }, .bits = 8 };
    static const struct rv_ip v6 = { .bytes = { [15] = 1 }, .bits = 128, .v6 = true };

    return is_in_range(ip, ip->v6 ? &v6 : &v4);
}

static bool is_multicast(const struct rv_ip *ip)
{
    static const struct rv_ip v4 = { .bytes = { 224 }, .bits = 4 };
    static const struct rv_ip v6 = { .bytes = { 0xff }, .bits = 8, .v6 = true };

    return is_in_range(ip, ip->v6 ? &v6 : &v4);
}

/* ---- decimal ---- */

int rv_decimal_parse(struct rv_text text, int64_t *ret)
{
    struct cursor cursor = cursor_of(text);
    bool negative = take(&cursor, '-');
    uint64_t whole = 0, fraction = 0;
    int64_t units;
    int digits;

    if (take_number(&cursor, &whole) < 1 || !take(&cursor, '.'))
        return -EINVAL;
    digits = take_number(&cursor, &fraction);
    if (digits < 1 || digits > 4 || cursor.at != cursor.end)
        return -EINVAL;
    for (; digits < 4; digits++)
        fraction *= 10;
    /* Built on the negative side, which is the longer one. */
    if (whole > (uint64_t)INT64_MAX || __builtin_mul_overflow((int64_t)whole, -10000, &units) ||
        __builtin_sub_overflow(units, (int64_t)fraction, &units))
        return -EINVAL;
    if (!negative && __builtin_sub_overflow(0, units, &units))
        return -EINVAL;
    *ret = units;
    return 0;
}

void rv_decimal_format(char text[RV_EXTENSION_TEXT_MAX], int64_t units)
{
    uint64_t size = units < 0 ? -(uint64_t)units : (uint64_t)units;
    int digits = 4;
    uint64_t fraction = size % 10000;

    for (; digits > 1 && fraction % 10 == 0; digits--)
        fraction /= 10;
    (void)snprintf(text, RV_EXTENSION_TEXT_MAX, "%s%" PRIu64 ".%0*" PRIu64, units < 0 ? "-" : "",
                   size / 10000, digits, fraction);
}

/* ---- datetime ---- */

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in_month(int year, int month)
{
    static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return days[month - 1] + (month == 2 && is_leap(year));
}

/** Days since 1970-01-01 in the proleptic Gregorian calendar. */
static int64_t days_of_date(int year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool parse_date(struct cursor *cursor, int64_t *ret_ms)
{
    int year, month, day;

    if (!take_digits(cursor, 4, 9999, &year) || !take(cursor, '-') ||
        !take_digits(cursor, 2, 12, &month) || month < 1 || !take(cursor, '-') ||
        !take_digits(cursor, 2, 31, &day) || day < 1 || day > days_in_month(year, month))
        return false;
    *ret_ms = days_of_date(year, month, day) * MS_PER_DAY;
    return true;
}

/** "hh:mm:ss" and, if there is one, ".SSS". */
static bool parse_time(struct cursor *cursor, int64_t *ret_ms)
{
    int hours, minutes, seconds, ms = 0;

    if (!take_digits(cursor, 2, 23, &hours) || !take(cursor, ':') ||
        !take_digits(cursor, 2, 59, &minutes) || !take(cursor, ':') ||
        !take_digits(cursor, 2, 59, &seconds))
        return false;
    if (take(cursor, '.') && !take_digits(cursor, 3, 999, &ms))
        return false;
    *ret_ms = hours * MS_PER_HOUR + minutes * MS_PER_MINUTE + seconds * MS_PER_SECOND + ms;
    return true;
}

/** "Z", "+hhmm" or "-hhmm". */
static bool parse_zone(struct cursor *cursor, int64_t *ret_ms)
{
    bool west;
    int hours, minutes;

    *ret_ms = 0;
    if (take(cursor, 'Z'))
        return true;
    west = take(cursor, '-');
    if (!west && !take(cursor, '+'))
        return false;
    if (!take_digits(cursor, 2, 23, &hours) || !take_digits(cursor, 2, 59, &minutes))
        return false;
    *ret_ms = (west ? -1 : 1) * (hours * MS_PER_HOUR + minutes * MS_PER_MINUTE);
    return true;
}

int rv_datetime_parse(struct rv_text text, int64_t *ret)
{
    struct cursor cursor = cursor_of(text);
    int64_t date_ms, time_ms = 0, zone_ms = 0;

    if (!parse_date(&cursor, &date_ms))
        return -EINVAL;
    if (cursor.at != cursor.end &&
        (!take(&cursor, 'T') || !parse_time(&cursor, &time_ms) || !parse_zone(&cursor, &zone_ms)))
        return -EINVAL;
    if (cursor.at != cursor.end)
        return -EINVAL;
    *ret = date_ms + time_ms - zone_ms;
    return 0;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

void rv_datetime_format(char text[RV_EXTENSION_TEXT_MAX], int64_t unix_ms)
{
    int64_t days = floor_div(unix_ms, MS_PER_DAY), ms = unix_ms - days * MS_PER_DAY;
    int64_t z = days + 719468, era = floor_div(z, 146097), of_era = z - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t shifted = (5 * of_year + 2) / 153;
    int month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
    int day = (int)(of_year - (153 * shifted + 2) / 5 + 1);

    year += era * 400 + (month <= 2);
    (void)snprintf(text, RV_EXTENSION_TEXT_MAX, "%04" PRId64 "-%02d-%02dT%02d:%02d:%02d.%03dZ",
                   year, month, day, (int)(ms / MS_PER_HOUR), (int)(ms / MS_PER_MINUTE % 60),
                   (int)(ms / MS_PER_SECOND % 60), (int)(ms % 1000));
}

/* ---- duration ---- */

int rv_duration_parse(struct rv_text text, int64_t *ret)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = { { "d", MS_PER_DAY },
                  { "h", MS_PER_HOUR },
                  { "m", MS_PER_MINUTE },
                  { "s", MS_PER_SECOND },
                  { "ms", 1 } };
    struct cursor cursor = cursor_of(text);
    bool negative = take(&cursor, '-');
    size_t next = 0;
    int64_t total = 0;

    if (cursor.at == cursor.end)
        return -EINVAL;
    while (cursor.at < cursor.end) {
        uint64_t count = 0;
        const char *name;
        size_t len = 0, unit = next;
        int64_t part;

        if (take_number(&cursor, &count) < 1 || count > (uint64_t)INT64_MAX)
            return -EINVAL;
        name = cursor.at;
        for (; cursor.at < cursor.end && !is_digit(*cursor.at); cursor.at++)
            len++;
        while (unit < RV_COUNT(units) &&
               (strlen(units[unit].name) != len || memcmp(units[unit].name, name, len) != 0))
            unit++;
        if (unit == RV_COUNT(units))
            return -EINVAL;
        next = unit + 1;
        if (__builtin_mul_overflow(-(int64_t)count, units[unit].ms, &part) ||
            __builtin_add_overflow(total, part, &total))
            return -EINVAL;
    }
    if (!negative && __builtin_sub_overflow(0, total, &total))
        return -EINVAL;
    *ret = total;
    return 0;
}

void rv_duration_format(char text[RV_EXTENSION_TEXT_MAX], int64_t ms)
{
    (void)snprintf(text, RV_EXTENSION_TEXT_MAX, "%" PRId64 "ms", ms);
}

/* ---- Calls ---- */

#define B RV_VALUE_BOOL
#define L RV_VALUE_LONG
#define S RV_VALUE_STRING
#define P RV_VALUE_IP
#define D RV_VALUE_DECIMAL
#define T RV_VALUE_DATETIME
#define U RV_VALUE_DURATION
static const struct rv_call_info calls[RV_CALL_COUNT_] = {
    [RV_CALL_IP] = { "ip", false, 1, { S }, P },
    [RV_CALL_DECIMAL] = { "decimal", false, 1, { S }, D },
    [RV_CALL_DATETIME] = { "datetime", false, 1, { S }, T },
    [RV_CALL_DURATION] = { "duration", false, 1, { S }, U },
    [RV_CALL_IS_IPV4] = { "isIpv4", true, 1, { P }, B },
    [RV_CALL_IS_IPV6] = { "isIpv6", true, 1, { P }, B },
    [RV_CALL_IS_LOOPBACK] = { "isLoopback", true, 1, { P }, B },
    [RV_CALL_IS_MULTICAST] = { "isMulticast", true, 1, { P }, B },
    [RV_CALL_IS_IN_RANGE] = { "isInRange", true, 2, { P, P }, B },
    [RV_CALL_LESS_THAN] = { "lessThan", true, 2, { D, D }, B },
    [RV_CALL_LESS_THAN_OR_EQUAL] = { "lessThanOrEqual", true, 2, { D, D }, B },
    [RV_CALL_GREATER_THAN] = { "greaterThan", true, 2, { D, D }, B },
    [RV_CALL_GREATER_THAN_OR_EQUAL] = { "greaterThanOrEqual", true, 2, { D, D }, B },
    [RV_CALL_OFFSET] = { "offset", true, 2, { T, U }, T },
    [RV_CALL_DURATION_SINCE] = { "durationSince", true, 2, { T, T }, U },
    [RV_CALL_TO_DATE] = { "toDate", true, 1, { T }, T },
    [RV_CALL_TO_TIME] = { "toTime", true, 1, { T }, U },
    [RV_CALL_TO_MILLISECONDS] = { "toMilliseconds", true, 1, { U }, L },
    [RV_CALL_TO_SECONDS] = { "toSeconds", true, 1, { U }, L },
    [RV_CALL_TO_MINUTES] = { "toMinutes", true, 1, { U }, L },
    [RV_CALL_TO_HOURS] = { "toHours", true, 1, { U }, L },
    [RV_CALL_TO_DAYS] = { "toDays", true, 1, { U }, L },
};
#undef B
#undef L
#undef S
#undef P
#undef D
#undef T
#undef U

const struct rv_call_info *rv_call_info(enum rv_call call)
{
    return &calls[call];
}

enum rv_call rv_call_by_name(struct rv_text name)
{
    unsigned call = 0;

    while (call < RV_CALL_COUNT_ && !rv_text_is(name, calls[call].name))
        call++;
    return (enum rv_call)call;
}

static enum rv_eval_code construct(enum rv_call call, const struct rv_value *arg, struct rv_ip *ip,
                                   struct rv_value *ret_value)
{
    struct rv_text text = { arg->text, arg->count, 0 };
    int64_t number = 0;
    int r;

    if (call == RV_CALL_IP) {
        r = rv_ip_parse(text, ip);
        *ret_value = rv_value_ip(ip);
    } else {
        r = call == RV_CALL_DECIMAL    ? rv_decimal_parse(text, &number)
            : call == RV_CALL_DATETIME ? rv_datetime_parse(text, &number)
                                       : rv_duration_parse(text, &number);
        *ret_value = rv_value_number((enum rv_value_kind)calls[call].result, number);
    }
    return r < 0 ? RV_EVAL_EXTENSION : RV_EVAL_OK;
}

static enum rv_eval_code to_date(int64_t unix_ms, int64_t *ret_ms)
{
    return __builtin_mul_overflow(floor_div(unix_ms, MS_PER_DAY), MS_PER_DAY, ret_ms)
               ? RV_EVAL_EXTENSION
               : RV_EVAL_OK;
}

static int64_t to_time(int64_t unix_ms)
{
    int64_t rest = unix_ms % MS_PER_DAY;

    return rest < 0 ? rest + MS_PER_DAY : rest;
}

enum rv_eval_code rv_call_apply(enum rv_call call, const struct rv_value args[2], struct rv_ip *ip,
                                struct rv_value *ret_value)
{
    const struct rv_value *a = &args[0], *b = &args[1];
    enum rv_eval_code code = RV_EVAL_OK;
    int64_t number = 0;

    switch (call) {
    case RV_CALL_IP:
    case RV_CALL_DECIMAL:
    case RV_CALL_DATETIME:
    case RV_CALL_DURATION:
        return construct(call, a, ip, ret_value);
    case RV_CALL_IS_IPV4:
        *ret_value = rv_value_bool(!a->ip->v6);
        return RV_EVAL_OK;
    case RV_CALL_IS_IPV6:
        *ret_value = rv_value_bool(a->ip->v6);
        return RV_EVAL_OK;
    case RV_CALL_IS_LOOPBACK:
        *ret_value = rv_value_bool(is_loopback(a->ip));
        return RV_EVAL_OK;
    case RV_CALL_IS_MULTICAST:
        *ret_value = rv_value_bool(is_multicast(a->ip));
        return RV_EVAL_OK;
    case RV_CALL_IS_IN_RANGE:
        *ret_value = rv_value_bool(is_in_range(a->ip, b->ip));
        return RV_EVAL_OK;
    case RV_CALL_LESS_THAN:
        *ret_value = rv_value_bool(a->number < b->number);
        return RV_EVAL_OK;
    case RV_CALL_LESS_THAN_OR_EQUAL:
        *ret_value = rv_value_bool(a->number <= b->number);
        return RV_EVAL_OK;
    case RV_CALL_GREATER_THAN:
        *ret_value = rv_value_bool(a->number > b->number);
        return RV_EVAL_OK;
    case RV_CALL_GREATER_THAN_OR_EQUAL:
        *ret_value = rv_value_bool(a->number >= b->number);
        return RV_EVAL_OK;
    case RV_CALL_OFFSET:
        if (__builtin_add_overflow(a->number, b->number, &number))
            code = RV_EVAL_EXTENSION;
        break;
    case RV_CALL_DURATION_SINCE:
        if (__builtin_sub_overflow(a->number, b->number, &number))
            code = RV_EVAL_EXTENSION;
        break;
    case RV_CALL_TO_DATE:
        code = to_date(a->number, &number);
        break;
    case RV_CALL_TO_TIME:
        number = to_time(a->number);
        break;
    case RV_CALL_TO_MILLISECONDS:
        number = a->number;
        break;
    case RV_CALL_TO_SECONDS:
        number = a->number / MS_PER_SECOND;
        break;
    case RV_CALL_TO_MINUTES:
        number = a->number / MS_PER_MINUTE;
        break;
    case RV_CALL_TO_HOURS:
        number = a->number / MS_PER_HOUR;
        break;
    case RV_CALL_TO_DAYS:
        number = a->number / MS_PER_DAY;
        break;
    case RV_CALL_COUNT_:
        return RV_EVAL_EXTENSION;
    }
    *ret_value = rv_value_number((enum rv_value_kind)calls[call].result, number);
    return code;
}
