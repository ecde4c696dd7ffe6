/* SPDX-License-Identifier: Apache-2.0 */
/* The validator: a schema, a line `---`, policies. What strict validation passes, permissive
 * validation must pass too. */
#include "policy/read.h"
#include "policy/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_policy(const struct rv_schema *schema, const struct rv_policy *policy)
{
    RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
    enum rv_validity strict = RV_INVALID, permissive = RV_INVALID;

    if (rv_validate_policy(schema, policy, RV_VALIDATE_STRICT, &diags, &strict) < 0 ||
        rv_validate_policy(schema, policy, RV_VALIDATE_PERMISSIVE, &diags, &permissive) < 0)
        abort();
    if (strict == RV_VALID && permissive != RV_VALID)
        abort();
    if (strict == RV_INVALID && diags.errors == 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char cut[] = "\n---\n";
    const uint8_t *line = memmem(data, len, cut, sizeof(cut) - 1);
    RV_AUTO(rv_schema_free) struct rv_schema *schema = NULL;
    RV_AUTO(rv_policy_set_done) struct rv_policy_set set = { 0 };
    size_t head = line ? (size_t)(line - data) : len;
    size_t tail = line ? head + sizeof(cut) - 1 : len;

    if (rv_schema_read("s", rv_span(data, head), &schema, NULL) < 0 ||
        rv_policy_read(&set, "p", rv_span(data + tail, len - tail), NULL) < 0)
        return 0;
    for (size_t i = 0; i < set.count; i++)
        check_policy(schema, set.items[i]);
    return 0;
}
