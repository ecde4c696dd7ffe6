/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/value.h"

#include "extension.h"

#include <inttypes.h>

static int compare_numbers(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare_uids(const struct rv_uid *a, const struct rv_uid *b)
{
    int order = rv_text_compare(a->type, b->type);

    return order ? order : rv_text_compare(a->id, b->id);
}

static int compare_ips(const struct rv_ip *a, const struct rv_ip *b)
{
    int order = (a->v6 > b->v6) - (a->v6 < b->v6);

    if (order == 0)
        order = memcmp(a->bytes, b->bytes, a->v6 ? 16 : 4);
    return order ? order : (a->bits > b->bits) - (a->bits < b->bits);
}

static int compare_strings(const struct rv_value *a, const struct rv_value *b)
{
    size_t common = a->count < b->count ? a->count : b->count;
    int order = common ? memcmp(a->text, b->text, common) : 0;

    return order ? order : (a->count > b->count) - (a->count < b->count);
}

static int compare_sets(const struct rv_value *a, const struct rv_value *b)
{
    int order = (a->count > b->count) - (a->count < b->count);

    for (uint32_t i = 0; order == 0 && i < a->count; i++)
        order = rv_value_compare(&a->items[i], &b->items[i]);
    return order;
}

static int compare_records(const struct rv_value *a, const struct rv_value *b)
{
    int order = (a->count > b->count) - (a->count < b->count);

    for (uint32_t i = 0; order == 0 && i < a->count; i++) {
        order = rv_text_compare(a->fields[i].key, b->fields[i].key);
        if (order == 0)
            order = rv_value_compare(&a->fields[i].value, &b->fields[i].value);
    }
    return order;
}

int rv_value_compare(const struct rv_value *a, const struct rv_value *b)
{
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    switch ((enum rv_value_kind)a->kind) {
    case RV_VALUE_BOOL:
        return (a->truth > b->truth) - (a->truth < b->truth);
    case RV_VALUE_LONG:
    case RV_VALUE_DECIMAL:
    case RV_VALUE_DATETIME:
    case RV_VALUE_DURATION:
        return compare_numbers(a->number, b->number);
    case RV_VALUE_STRING:
        return compare_strings(a, b);
    case RV_VALUE_ENTITY:
        return compare_uids(a->uid, b->uid);
    case RV_VALUE_SET:
        return compare_sets(a, b);
    case RV_VALUE_RECORD:
        return compare_records(a, b);
    case RV_VALUE_IP:
        return compare_ips(a->ip, b->ip);
    case RV_VALUE_NONE:
        break;
    }
    return 0;
}

bool rv_value_eq(const struct rv_value *a, const struct rv_value *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == RV_VALUE_ENTITY)
        return rv_uid_eq(a->uid, b->uid);
    return rv_value_compare(a, b) == 0;
}

static int compare_for_qsort(const void *a, const void *b)
{
    return rv_value_compare(a, b);
}

struct rv_value rv_value_set(struct rv_value *items, size_t count)
{
    size_t kept = 0;

    if (count > 1)
        qsort(items, count, sizeof(*items), compare_for_qsort);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || rv_value_compare(&items[kept - 1], &items[i]) != 0)
            items[kept++] = items[i];
    }
    return (struct rv_value){ .kind = RV_VALUE_SET, .count = (uint32_t)kept, .items = items };
}

bool rv_fields_sort(struct rv_field *items, size_t count)
{
    /* By insertion: records are small, and qsort(3) may allocate. */
    for (size_t i = 1; i < count; i++) {
        struct rv_field field = items[i];
        size_t at = i;

        while (at > 0 && rv_text_compare(items[at - 1].key, field.key) > 0) {
            items[at] = items[at - 1];
            at--;
        }
        items[at] = field;
    }
    for (size_t i = 1; i < count; i++) {
        if (rv_text_eq(items[i - 1].key, items[i].key))
            return false;
    }
    return true;
}

bool rv_set_contains(const struct rv_value *set, const struct rv_value *item)
{
    uint32_t low = 0, high = set->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = rv_value_compare(&set->items[middle], item);

        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

const struct rv_value *rv_fields_get(struct rv_fields fields, struct rv_text key)
{
    /* The hash tells almost every other key apart without a look at its bytes. */
    for (uint32_t i = 0; i < fields.count; i++) {
        if (rv_text_eq(fields.items[i].key, key))
            return &fields.items[i].value;
    }
    return NULL;
}

const char *rv_value_kind_name(enum rv_value_kind kind)
{
    static const char *const names[] = {
        [RV_VALUE_NONE] = "nothing",      [RV_VALUE_BOOL] = "Bool",
        [RV_VALUE_LONG] = "Long",         [RV_VALUE_STRING] = "String",
        [RV_VALUE_ENTITY] = "entity",     [RV_VALUE_SET] = "Set",
        [RV_VALUE_RECORD] = "Record",     [RV_VALUE_IP] = "ipaddr",
        [RV_VALUE_DECIMAL] = "decimal",   [RV_VALUE_DATETIME] = "datetime",
        [RV_VALUE_DURATION] = "duration",
    };

    return kind < RV_COUNT(names) ? names[kind] : "?";
}

/* ---- Printing ---- */

void rv_uid_print(struct rv_buf *buf, const struct rv_uid *uid)
{
    rv_buf_add(buf, uid->type.data, uid->type.len);
    rv_buf_add_str(buf, "::");
    rv_text_print_quoted(buf, uid->id);
}

static void print_call(struct rv_buf *buf, const char *name, const char *argument)
{
    rv_buf_addf(buf, "%s(\"%s\")", name, argument);
}

void rv_value_print(struct rv_buf *buf, const struct rv_value *value)
{
    char text[RV_EXTENSION_TEXT_MAX];

    switch ((enum rv_value_kind)value->kind) {
    case RV_VALUE_NONE:
        break;
    case RV_VALUE_BOOL:
        rv_buf_add_str(buf, value->truth ? "true" : "false");
        break;
    case RV_VALUE_LONG:
        rv_buf_addf(buf, "%" PRId64, value->number);
        break;
    case RV_VALUE_STRING:
        rv_text_print_quoted(buf, (struct rv_text){ value->text, value->count, 0 });
        break;
    case RV_VALUE_ENTITY:
        rv_uid_print(buf, value->uid);
        break;
    case RV_VALUE_SET:
        rv_buf_add_char(buf, '[');
        for (uint32_t i = 0; i < value->count; i++) {
            rv_buf_add_str(buf, i ? ", " : "");
            rv_value_print(buf, &value->items[i]);
        }
        rv_buf_add_char(buf, ']');
        break;
    case RV_VALUE_RECORD:
        rv_buf_add_char(buf, '{');
        for (uint32_t i = 0; i < value->count; i++) {
            rv_buf_add_str(buf, i ? ", " : "");
            rv_text_print_quoted(buf, value->fields[i].key);
            rv_buf_add_str(buf, ": ");
            rv_value_print(buf, &value->fields[i].value);
        }
        rv_buf_add_char(buf, '}');
        break;
    case RV_VALUE_IP:
        rv_ip_format(text, value->ip);
        print_call(buf, "ip", text);
        break;
    case RV_VALUE_DECIMAL:
        rv_decimal_format(text, value->number);
        print_call(buf, "decimal", text);
        break;
    case RV_VALUE_DATETIME:
        rv_datetime_format(text, value->number);
        print_call(buf, "datetime", text);
        break;
    case RV_VALUE_DURATION:
        rv_duration_format(text, value->number);
        print_call(buf, "duration", text);
        break;
    }
}
