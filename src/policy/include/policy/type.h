/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file policy/type.h  Types as a schema declares them, resolved: no common-type names left.
 * The validator checks against them; the JSON readers of entities and contexts use them to read
 * schema-implied forms (an entity without `__entity`, an address without `__extn`).
 */
#pragma once

#include "policy/value.h"

struct rv_type_field;

struct rv_type {
    uint8_t kind; /* enum rv_value_kind: BOOL, LONG, STRING, ENTITY, SET, RECORD, IP, ... */
    struct rv_text entity_type;      /* RV_VALUE_ENTITY, qualified */
    const struct rv_type *element;   /* RV_VALUE_SET */
    const struct rv_type_field *fields; /* RV_VALUE_RECORD, sorted by name */
    uint32_t field_count;
};

struct rv_type_field {
    struct rv_text name;
    const struct rv_type *type;
    bool required;
};

/**
 * What the JSON readers ask of a schema. Each answers NULL when it does not know: the value must
 * then be in explicit form. `schema` is the first argument of each.
 */
struct rv_type_lookup {
    const void *schema;
    /** The record type of an entity type's attributes. */
    const struct rv_type *(*entity_attrs)(const void *schema, struct rv_text entity_type);
    /** The type of an entity type's tags. */
    const struct rv_type *(*entity_tags)(const void *schema, struct rv_text entity_type);
    /** The record type of an action's context. */
    const struct rv_type *(*action_context)(const void *schema, const struct rv_uid *action);
};
