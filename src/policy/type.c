/* SPDX-License-Identifier: Apache-2.0 */
/* Types without parts, and how a type is written. */
#include "schema_doc.h"

const struct rv_type rv_type_empty_record = { .kind = RV_VALUE_RECORD };

/** Indexed by kind; a hole is a kind with parts. */
static const struct basic {
    struct rv_type type;
    const char *name;
} basics[] = {
    [RV_VALUE_BOOL] = { { .kind = RV_VALUE_BOOL }, "Bool" },
    [RV_VALUE_LONG] = { { .kind = RV_VALUE_LONG }, "Long" },
    [RV_VALUE_STRING] = { { .kind = RV_VALUE_STRING }, "String" },
    [RV_VALUE_IP] = { { .kind = RV_VALUE_IP }, "ipaddr" },
    [RV_VALUE_DECIMAL] = { { .kind = RV_VALUE_DECIMAL }, "decimal" },
    [RV_VALUE_DATETIME] = { { .kind = RV_VALUE_DATETIME }, "datetime" },
    [RV_VALUE_DURATION] = { { .kind = RV_VALUE_DURATION }, "duration" },
};

const struct rv_type *rv_type_basic(enum rv_value_kind kind)
{
    return &basics[kind].type;
}

enum rv_value_kind rv_type_extension(struct rv_text name)
{
    for (int kind = RV_VALUE_IP; kind <= RV_VALUE_DURATION; kind++) {
        if (rv_text_is(name, basics[kind].name))
            return (enum rv_value_kind)kind;
    }
    return RV_VALUE_NONE;
}

void rv_type_print(struct rv_buf *buf, const struct rv_type *type)
{
    switch (type->kind) {
    case RV_VALUE_ENTITY:
        rv_buf_add(buf, type->entity_type.data, type->entity_type.len);
        break;
    case RV_VALUE_SET:
        rv_buf_add_str(buf, "Set<");
        rv_type_print(buf, type->element);
        rv_buf_add_char(buf, '>');
        break;
    case RV_VALUE_RECORD:
        rv_buf_add_char(buf, '{');
        for (uint32_t i = 0; i < type->field_count; i++) {
            rv_buf_add_str(buf, i > 0 ? ", " : "");
            rv_key_print(buf, type->fields[i].name);
            rv_buf_add_str(buf, type->fields[i].required ? ": " : "?: ");
            rv_type_print(buf, type->fields[i].type);
        }
        rv_buf_add_char(buf, '}');
        break;
    default:
        rv_buf_add_str(buf, basics[type->kind].name);
        break;
    }
}
