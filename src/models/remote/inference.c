/* SPDX-License-Identifier: Apache-2.0 */
/* The bodies of Open Inference Protocol v2: POST /v2/models/NAME[/versions/V]/infer. */
#include "models/remote.h"

#include "base/json.h"

#include <math.h>

void rv_inference_request(struct rv_buf *buf, const char *input, enum rv_remote_datatype datatype,
                          const int32_t *row, uint32_t width)
{
    rv_buf_add_str(buf, "{\"inputs\":[{\"name\":");
    rv_json_add_string(buf, rv_span_str(input));
    rv_buf_addf(buf, ",\"shape\":[1,%u],\"datatype\":\"%s\",\"data\":[", width,
                datatype == RV_REMOTE_INT32 ? "INT32" : "FP32");
    for (uint32_t i = 0; i < width; i++)
        rv_buf_addf(buf, "%s%d", i ? "," : "", row[i]);
    rv_buf_add_str(buf, "]}]}");
}

/* Servers write a tensor's data flat or nested: the last number is the last of the last list. */
static const json_t *last_number(const json_t *data)
{
    for (unsigned depth = 0; depth < 8 && json_is_array(data); depth++)
        data = json_array_get(data, json_array_size(data) - 1);
    return json_is_number(data) ? data : NULL;
}

int rv_inference_response(struct rv_span body, double *ret_score)
{
    RV_AUTO(rv_json_freep) json_t *root = NULL;
    const json_t *number;
    int r = rv_json_parse(body, &root, NULL);

    if (r < 0)
        return r == -ENOMEM ? r : -EPROTO;
    number =
        last_number(json_object_get(json_array_get(json_object_get(root, "outputs"), 0), "data"));
    if (!number || !isfinite(json_number_value(number)))
        return -EPROTO;
    *ret_score = json_number_value(number);
    return 0;
}
