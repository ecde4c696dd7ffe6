/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/value.h"

#include "base/encode.h"
#include "extension.h"

/* ---- Order and equality ---- */
static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare_uids(const struct rv_uid *a, const struct rv_uid *b)
{
    int order;

    if (a == b)
        return 0;
    order = rv_text_compare(a->type, b->type);
    return order != 0 ? order : rv_text_compare(a->id, b->id);
}

static int compare_ips(const struct rv_ip *a, const struct rv_ip *b)
{
    int order = a->v6 - b->v6;

    if (order == 0)
        order = memcmp(a->bytes, b->bytes, a->v6 ? 16 : 4);
    return order != 0 ? order : a->bits - b->bits;
}

static int compare_bytes(const struct rv_value *a, const struct rv_value *b)
{
    uint32_t len = a->count < b->count ? a->count : b->count;
    int order = len > 0 ? memcmp(a->text, b->text, len) : 0;

    return order != 0 ? order : compare_u64(a->count, b->count);
}

static int compare_items(const struct rv_value *a, const struct rv_value *b)
{
    int order = compare_u64(a->count, b->count);

    for (uint32_t i = 0; order == 0 && i < a->count; i++)
        order = rv_value_compare(&a->items[i], &b->items[i]);
    return order;
}

static int compare_records(const struct rv_value *a, const struct rv_value *b)
{
    int order = compare_u64(a->count, b->count);

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
    case RV_VALUE_NONE:
        return 0;
    case RV_VALUE_BOOL:
        return a->truth - b->truth;
    case RV_VALUE_LONG:
    case RV_VALUE_DECIMAL:
    case RV_VALUE_DATETIME:
    case RV_VALUE_DURATION:
        return (a->number > b->number) - (a->number < b->number);
    case RV_VALUE_STRING:
        return compare_bytes(a, b);
    case RV_VALUE_ENTITY:
        return compare_uids(a->uid, b->uid);
    case RV_VALUE_SET:
        return compare_items(a, b);
    case RV_VALUE_RECORD:
        return compare_records(a, b);
    case RV_VALUE_IP:
        break;
    }
    return compare_ips(a->ip, b->ip);
}

bool rv_value_eq(const struct rv_value *a, const struct rv_value *b)
{
    if (a->kind == RV_VALUE_ENTITY && b->kind == RV_VALUE_ENTITY)
        return rv_uid_eq(a->uid, b->uid);
    return rv_value_compare(a, b) == 0;
}

/* ---- Making ---- */
static int compare_values(const void *a, const void *b)
{
    return rv_value_compare(a, b);
}

struct rv_value rv_value_set(struct rv_value *items, size_t count)
{
    size_t kept = 0;

    if (count > 1)
        qsort(items, count, sizeof(*items), compare_values);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || rv_value_compare(&items[kept - 1], &items[i]) != 0)
            items[kept++] = items[i];
    }
    return (struct rv_value){ .kind = RV_VALUE_SET, .count = (uint32_t)kept, .items = items };
}

static int compare_fields(const void *a, const void *b)
{
    return rv_text_compare(((const struct rv_field *)a)->key, ((const struct rv_field *)b)->key);
}

bool rv_fields_sort(struct rv_field *items, size_t count)
{
    if (count > 1)
        qsort(items, count, sizeof(*items), compare_fields);
    for (size_t i = 1; i < count; i++) {
        if (rv_text_eq(items[i - 1].key, items[i].key))
            return false;
    }
    return true;
}

/* ---- Looking ---- */
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
    uint32_t low = 0, high = fields.count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = rv_text_compare(fields.items[middle].key, key);

        if (order == 0)
            return &fields.items[middle].value;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
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

    return names[kind];
}

/* ---- Printing ---- */
void rv_text_print_quoted(struct rv_buf *buf, struct rv_text text)
{
    rv_buf_add_char(buf, '"');
    for (uint32_t i = 0; i < text.len;) {
        const uint8_t *at = (const uint8_t *)text.data + i;
        size_t len = rv_utf8_sequence(at, text.len - i);
        static const char letters[] = "0nrt\"\\", meanings[] = "\0\n\r\t\"\\";
        const char *special = memchr(meanings, *at, sizeof(meanings) - 1);

        if (special) {
            rv_buf_add_char(buf, '\\');
            rv_buf_add_char(buf, letters[special - meanings]);
        } else if (*at < 0x20 || *at == 0x7f) {
            rv_buf_addf(buf, "\\u{%x}", (unsigned)*at);
        } else {
            rv_buf_add(buf, at, len ? len : 1);
        }
        i += (uint32_t)(len ? len : 1);
    }
    rv_buf_add_char(buf, '"');
}

void rv_uid_print(struct rv_buf *buf, const struct rv_uid *uid)
{
    rv_buf_add(buf, uid->type.data, uid->type.len);
    rv_buf_add_str(buf, "::");
    rv_text_print_quoted(buf, uid->id);
}

void rv_key_print(struct rv_buf *buf, struct rv_text key)
{
    static const char *const words[] = {
        "true", "false", "if", "then", "else", "in", "is", "like", "has", "__cedar",
    };
    bool bare = key.len > 0 && !(key.data[0] >= '0' && key.data[0] <= '9');

    for (uint32_t i = 0; bare && i < key.len; i++) {
        char c = key.data[i];

        bare =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    }
    for (size_t i = 0; bare && i < RV_COUNT(words); i++)
        bare = !rv_text_is(key, words[i]);
    if (bare)
        rv_buf_add(buf, key.data, key.len);
    else
        rv_text_print_quoted(buf, key);
}

static void print_record(struct rv_buf *buf, const struct rv_value *value)
{
    rv_buf_add_char(buf, '{');
    for (uint32_t i = 0; i < value->count; i++) {
        rv_buf_add_str(buf, i > 0 ? ", " : "");
        rv_text_print_quoted(buf, value->fields[i].key);
        rv_buf_add_str(buf, ": ");
        rv_value_print(buf, &value->fields[i].value);
    }
    rv_buf_add_char(buf, '}');
}

void rv_value_print(struct rv_buf *buf, const struct rv_value *value)
{
    switch ((enum rv_value_kind)value->kind) {
    case RV_VALUE_NONE:
        break;
    case RV_VALUE_BOOL:
        rv_buf_add_str(buf, value->truth ? "true" : "false");
        break;
    case RV_VALUE_LONG:
        rv_buf_addf(buf, "%lld", (long long)value->number);
        break;
    case RV_VALUE_STRING:
        rv_text_print_quoted(buf, (struct rv_text){ .data = value->text, .len = value->count });
        break;
    case RV_VALUE_ENTITY:
        rv_uid_print(buf, value->uid);
        break;
    case RV_VALUE_SET:
        rv_buf_add_char(buf, '[');
        for (uint32_t i = 0; i < value->count; i++) {
            rv_buf_add_str(buf, i > 0 ? ", " : "");
            rv_value_print(buf, &value->items[i]);
        }
        rv_buf_add_char(buf, ']');
        break;
    case RV_VALUE_RECORD:
        print_record(buf, value);
        break;
    case RV_VALUE_IP:
    case RV_VALUE_DECIMAL:
    case RV_VALUE_DATETIME:
    case RV_VALUE_DURATION:
        rv_extension_print(buf, value);
        break;
    }
}
