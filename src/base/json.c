/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "base/encode.h"

void rv_json_freep(json_t **value)
{
    json_decref(*value);
    *value = NULL;
}

void rv_json_add_string(struct rv_buf *buf, struct rv_span text)
{
    static const char *const short_escape[] = {
        ['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n", ['\f'] = "\\f", ['\r'] = "\\r",
    };

    rv_buf_add_char(buf, '"');
    for (size_t i = 0; i < text.len;) {
        uint8_t c = text.data[i];
        size_t len = rv_utf8_sequence(text.data + i, text.len - i);

        if (len == 0) {
            rv_buf_add_str(buf, "\xef\xbf\xbd");
            len = 1;
        } else if (c == '"' || c == '\\') {
            rv_buf_add_char(buf, '\\');
            rv_buf_add_char(buf, (char)c);
        } else if (c < 0x20 && c < RV_COUNT(short_escape) && short_escape[c]) {
            rv_buf_add_str(buf, short_escape[c]);
        } else if (c < 0x20) {
            rv_buf_addf(buf, "\\u%04x", c);
        } else {
            rv_buf_add(buf, text.data + i, len);
        }
        i += len;
    }
    rv_buf_add_char(buf, '"');
}

struct member {
    struct rv_span key;
    const json_t *value;
};

static int compare_members(const void *a, const void *b)
{
    struct rv_span first = ((const struct member *)a)->key, second = ((const struct member *)b)->key;
    size_t len = first.len < second.len ? first.len : second.len;
    int order = len > 0 ? memcmp(first.data, second.data, len) : 0;

    return order != 0 ? order : (first.len > second.len) - (first.len < second.len);
}

static int canonical_object(struct rv_buf *buf, const json_t *object)
{
    RV_AUTO(rv_freep) struct member *members = NULL;
    size_t count = json_object_size(object), at = 0;
    json_t *source = (json_t *)(uintptr_t)object; /* jansson iterates only what is not const */

    members = calloc(count + 1, sizeof(*members));
    if (!members)
        return -ENOMEM;
    for (void *it = json_object_iter(source); it; it = json_object_iter_next(source, it)) {
        members[at].key = rv_span(json_object_iter_key(it), json_object_iter_key_len(it));
        members[at++].value = json_object_iter_value(it);
    }
    qsort(members, count, sizeof(*members), compare_members);

    rv_buf_add_char(buf, '{');
    for (size_t i = 0; i < count; i++) {
        int r;

        if (i > 0)
            rv_buf_add_char(buf, ',');
        rv_json_add_string(buf, members[i].key);
        rv_buf_add_char(buf, ':');
        r = rv_json_canonical(buf, members[i].value);
        if (r < 0)
            return r;
    }
    rv_buf_add_char(buf, '}');
    return 0;
}

int rv_json_canonical(struct rv_buf *buf, const json_t *value)
{
    int r;

    switch (json_typeof(value)) {
    case JSON_OBJECT:
        r = canonical_object(buf, value);
        if (r < 0)
            return r;
        break;
    case JSON_ARRAY:
        rv_buf_add_char(buf, '[');
        for (size_t i = 0; i < json_array_size(value); i++) {
            if (i > 0)
                rv_buf_add_char(buf, ',');
            r = rv_json_canonical(buf, json_array_get(value, i));
            if (r < 0)
                return r;
        }
        rv_buf_add_char(buf, ']');
        break;
    case JSON_STRING:
        rv_json_add_string(buf, rv_span(json_string_value(value), json_string_length(value)));
        break;
    case JSON_INTEGER:
        rv_buf_addf(buf, "%lld", (long long)json_integer_value(value));
        break;
    case JSON_REAL:
        return -EDOM;
    case JSON_TRUE:
        rv_buf_add_str(buf, "true");
        break;
    case JSON_FALSE:
        rv_buf_add_str(buf, "false");
        break;
    case JSON_NULL:
        rv_buf_add_str(buf, "null");
        break;
    }
    return buf->failed ? -ENOMEM : 0;
}
