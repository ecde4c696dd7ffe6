/* SPDX-License-Identifier: Apache-2.0 */
/* Both schema readers. What is read must print and come back as the same schema. */
#include "base/json.h"
#include "policy/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void canonical(const struct rv_schema *schema, struct rv_buf *buf)
{
    RV_AUTO(rv_json_freep) json_t *value = rv_schema_to_json(schema);

    if (!value || rv_json_canonical(buf, value) < 0)
        abort();
}

static void assert_same(const struct rv_schema *schema, const struct rv_schema *again)
{
    RV_AUTO(rv_buf_done) struct rv_buf one = { 0 }, other = { 0 };

    canonical(schema, &one);
    canonical(again, &other);
    if (!rv_span_eq(rv_buf_span(&one), rv_buf_span(&other)))
        abort();
}

static void round_trip(const struct rv_schema *schema)
{
    RV_AUTO(rv_schema_free) struct rv_schema *again = NULL;
    RV_AUTO(rv_buf_done) struct rv_buf json = { 0 };

    canonical(schema, &json);
    if (rv_schema_read_json("", rv_buf_span(&json), &again, NULL) < 0)
        abort();
    assert_same(schema, again);
}

static void print_round_trip(const struct rv_schema *schema)
{
    RV_AUTO(rv_schema_free) struct rv_schema *again = NULL;
    RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };

    if (rv_schema_print(&text, schema, NULL) < 0)
        abort();
    if (rv_schema_read("", rv_buf_span(&text), &again, NULL) < 0)
        abort();
    assert_same(schema, again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    RV_AUTO(rv_schema_free) struct rv_schema *schema = NULL, *from_json = NULL;
    RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };

    if (rv_schema_read("s", rv_span(data, len), &schema, &diags) == 0) {
        round_trip(schema);
        print_round_trip(schema);
    }
    if (rv_schema_read_json("s", rv_span(data, len), &from_json, &diags) == 0) {
        round_trip(from_json);
        if (rv_schema_print(&buf, from_json, &diags) == -ENOMEM)
            abort();
    }
    for (size_t i = 0; i < diags.count; i++)
        rv_diag_render(&buf, &diags.items[i]);
    return 0;
}
