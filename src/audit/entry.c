/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/entry.h"

#include "audit/audit.h"

static const char *const required[] = { "type", "time", "seq" };

static bool type_valid(const char *type)
{
    size_t len = type ? strlen(type) : 0;

    if (len == 0 || len > RV_AUDIT_KIND_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (type[i] <= ' ' || type[i] > '~')
            return false;
    }
    return true;
}

/** Are all integers in range, and is there no real number? Depth is bounded by jansson. */
static bool numbers_valid(const json_t *value)
{
    json_t *own = (json_t *)(uintptr_t)value; /* jansson iterates only what is not const */
    json_int_t integer;

    if (json_is_real(value))
        return false;
    if (json_is_integer(value)) {
        integer = json_integer_value(value);
        return integer <= RV_ENTRY_INTEGER_MAX && integer >= -RV_ENTRY_INTEGER_MAX;
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (!numbers_valid(json_array_get(value, i)))
            return false;
    }
    for (void *at = json_object_iter(own); at; at = json_object_iter_next(own, at)) {
        if (!numbers_valid(json_object_iter_value(at)))
            return false;
    }
    return true;
}

int rv_entry_format(struct rv_buf *buf, const char *type, uint64_t time_us, uint64_t seq,
                    const json_t *members)
{
    RV_AUTO(rv_json_freep) json_t *entry = NULL;
    int r;

    if (!type_valid(type) || (members && !json_is_object(members)))
        return -EINVAL;
    for (size_t i = 0; i < RV_COUNT(required); i++) {
        if (json_object_get(members, required[i]))
            return -EINVAL;
    }
    if (seq > (uint64_t)RV_ENTRY_INTEGER_MAX || time_us > (uint64_t)RV_ENTRY_INTEGER_MAX ||
        (members && !numbers_valid(members)))
        return -EDOM;
    entry = json_object();
    if (!entry || (members && json_object_update(entry, (json_t *)(uintptr_t)members) < 0) ||
        json_object_set_new(entry, "type", json_string(type)) < 0 ||
        json_object_set_new(entry, "time", json_integer((json_int_t)time_us)) < 0 ||
        json_object_set_new(entry, "seq", json_integer((json_int_t)seq)) < 0)
        return -ENOMEM;
    r = rv_json_canonical(buf, entry);
    return r == -ENOMEM && buf->len_max > 0 ? -EMSGSIZE : r;
}

static bool is_canonical(struct rv_span entry, const json_t *object)
{
    RV_AUTO(rv_buf_done) struct rv_buf again = { 0 };

    return rv_json_canonical(&again, object) == 0 && rv_span_eq(entry, rv_buf_span(&again));
}

enum rv_entry_finding rv_entry_read(struct rv_span entry, uint64_t index, json_t **ret_object)
{
    RV_AUTO(rv_json_freep) json_t *object = NULL;
    enum rv_entry_finding finding;
    json_int_t seq;

    if (ret_object)
        *ret_object = NULL;
    if (entry.len < 2 || entry.data[0] != '{' || entry.len > RV_AUDIT_ENTRY_MAX ||
        rv_json_parse(entry, &object, NULL) < 0 ||
        !type_valid(json_string_value(json_object_get(object, "type"))) ||
        !json_is_integer(json_object_get(object, "time")) ||
        json_integer_value(json_object_get(object, "time")) < 0 ||
        !json_is_integer(json_object_get(object, "seq")) || !numbers_valid(object) ||
        !is_canonical(entry, object))
        return RV_ENTRY_OTHER;
    seq = json_integer_value(json_object_get(object, "seq"));
    finding = seq >= 0 && (uint64_t)seq == index ? RV_ENTRY_GOOD : RV_ENTRY_MISPLACED;
    if (ret_object)
        *ret_object = RV_TAKE(object);
    return finding;
}

const char *rv_entry_type(const json_t *object)
{
    return json_string_value(json_object_get(object, "type"));
}

uint64_t rv_entry_time_us(const json_t *object)
{
    return (uint64_t)json_integer_value(json_object_get(object, "time"));
}
