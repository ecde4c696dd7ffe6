/* SPDX-License-Identifier: Apache-2.0 */
/** @file policy_test.h  Reading schemas and policies out of string literals, and looking at messages. */
#pragma once

#include "test.h"

#include "base/json.h"
#include "policy/read.h"
#include "policy/schema.h"

/** Read a schema that must be good. */
static inline struct rv_schema *test_schema(const char *text)
{
    RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
    struct rv_schema *schema = NULL;

    if (rv_schema_read("test", rv_span_str(text), &schema, &diags) < 0)
        fail_msg("schema: %s\n%s", diags.count > 0 ? diags.items[diags.count - 1].message : "?",
                 text);
    return schema;
}

/** The code of every error, each once, in order, with a blank after each. */
static inline void test_codes(const struct rv_diags *diags, char *codes, size_t room)
{
    codes[0] = '\0';
    for (size_t i = 0; i < diags->count; i++) {
        if (diags->items[i].level == RV_DIAG_ERROR && !strstr(codes, diags->items[i].code)) {
            strncat(codes, diags->items[i].code, room - strlen(codes) - 1);
            strncat(codes, " ", room - strlen(codes) - 1);
        }
    }
}
