/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/receipt.h"

#include "base/encode.h"
#include "base/json.h"
#include "features/program.h"
#include "features/table.h"

bool rv_receipt_integer(const json_t *value, int64_t *ret)
{
    const char *text = json_string_value(value);
    char *end = NULL;

    if (json_is_integer(value)) {
        *ret = json_integer_value(value);
        return true;
    }
    if (!text || text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    *ret = (int64_t)strtoull(text, &end, 10);
    return errno == 0 && (size_t)(end - text) == json_string_length(value);
}

static bool read_member(const json_t *object, const char *name, int64_t *ret)
{
    return rv_receipt_integer(json_object_get(object, name), ret);
}

static bool read_vector(const json_t *array, struct rv_vector *ret_vector)
{
    if (json_array_size(array) != RV_FEATURE_COUNT)
        return false;
    for (size_t i = 0; i < RV_FEATURE_COUNT; i++) {
        const json_t *item = json_array_get(array, i);

        if (!json_is_integer(item) || json_integer_value(item) < INT32_MIN ||
            json_integer_value(item) > INT32_MAX)
            return false;
        ret_vector->value[i] = (int32_t)json_integer_value(item);
    }
    return true;
}

/** Features that are not named have no part in the score. */
static bool read_attributions(json_t *object, int64_t ret[RV_FEATURE_COUNT])
{
    const char *name;
    json_t *value;

    if (!json_is_object(object))
        return false;
    json_object_foreach(object, name, value)
    {
        int feature = rv_feature_by_name(rv_span_str(name));

        if (feature < 0 || !rv_receipt_integer(value, &ret[feature]))
            return false;
    }
    return true;
}

bool rv_receipt_verdict_read(const json_t *verdict, struct rv_receipt_verdict *ret)
{
    const json_t *p = json_object_get(verdict, "p");
    int64_t above = 0, of = 0, class = 0;

    *ret = (struct rv_receipt_verdict){ 0 };
    if (!read_vector(json_object_get(verdict, "vector"), &ret->vector) ||
        !read_member(verdict, "risk", &ret->risk) ||
        !read_member(verdict, "raw_q16", &ret->raw_q16) ||
        !read_member(verdict, "base_q16", &ret->base_q16) ||
        !read_attributions(json_object_get(verdict, "attribution_q16"), ret->attribution_q16) ||
        !read_member(p, "above", &above) || !read_member(p, "of", &of) ||
        !read_member(verdict, "class", &class) || class < 0 || class >= RV_KIND_COUNT_)
        return false;
    ret->p = (struct rv_p_value){ .above = (uint64_t)above, .of = (uint64_t)of };
    ret->class = (uint32_t) class;
    ret->session_q16 = -1;
    (void)read_member(json_object_get(verdict, "session"), "raw_q16", &ret->session_q16);
    ret->held = json_is_true(json_object_get(verdict, "held"));
    return true;
}

bool rv_receipt_digest(const json_t *value, struct rv_sha256 *ret)
{
    RV_AUTO(rv_buf_done) struct rv_buf bytes = { 0 };
    const char *hex = json_string_value(value);

    if (!hex || rv_hex_decode(&bytes, rv_span_str(hex)) < 0 || bytes.len != RV_SHA256_LEN)
        return false;
    memcpy(ret->bytes, bytes.data, RV_SHA256_LEN);
    return true;
}
