/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file check_type.h  Types as the checker knows them: those of a schema and a few that only
 * expressions have. A struct rv_type whose kind is one of enum check_kind is such a type; it never
 * leaves the checker. Subtypes and least upper bounds follow Cedar's rules for strict and
 * permissive validation.
 */
#pragma once

#include "schema_doc.h"

enum check_kind {
    CHECK_NEVER = 64,  /* the type of no value, below every type: elements of [] */
    CHECK_TRUE,        /* always true */
    CHECK_FALSE,       /* always false */
    CHECK_ANY_ENTITY,  /* an entity of whatever type */
    CHECK_UNION,       /* an entity of one of several types: the names of `fields`, sorted */
    CHECK_OPEN_RECORD, /* a record that may have more than `fields` */
};

/** Where types are made and how they are compared. */
struct check_types {
    const struct rv_schema *schema;
    struct rv_arena *arena;
    enum rv_validation_mode mode;
    uint64_t steps; /* comparisons made so far, see CHECK_STEPS_MAX */
};

/** Comparisons of types in one policy; past it the policy is refused as too complex. */
#define CHECK_STEPS_MAX ((uint64_t)20 * 1000 * 1000)

extern const struct rv_type check_never, check_true, check_false, check_any_entity, check_any_set,
    check_any_record;

static inline bool check_is_bool(const struct rv_type *type)
{
    return type->kind == RV_VALUE_BOOL || type->kind == CHECK_TRUE || type->kind == CHECK_FALSE;
}

static inline bool check_is_entity(const struct rv_type *type)
{
    return type->kind == RV_VALUE_ENTITY || type->kind == CHECK_UNION ||
           type->kind == CHECK_ANY_ENTITY;
}

static inline bool check_is_record(const struct rv_type *type)
{
    return type->kind == RV_VALUE_RECORD || type->kind == CHECK_OPEN_RECORD;
}

/** Is every value of `low` one of `high`? `mode` overrides that of `types`. */
bool check_subtype(struct check_types *types, const struct rv_type *low, const struct rv_type *high,
                   enum rv_validation_mode mode);

/** The smallest type above both. @return NULL when there is none, or out of memory (see arena). */
const struct rv_type *check_upper_bound(struct check_types *types, const struct rv_type *a,
                                        const struct rv_type *b);

/** Can no value be of both types? Only ever true for entities of different types. */
bool check_disjoint(const struct rv_type *a, const struct rv_type *b);

bool check_type_eq(struct check_types *types, const struct rv_type *a, const struct rv_type *b);

/** What a type says of an attribute. */
struct check_attr {
    const struct rv_type *type; /* NULL: not known to have it */
    bool required;
};
struct check_attr check_attribute(struct check_types *types, const struct rv_type *type,
                                  struct rv_text name);
/** Could a value of this type have the attribute at all? */
bool check_may_have(const struct check_types *types, const struct rv_type *type,
                    struct rv_text name);

/** Entity type names of an entity type or union: `*ret` points into the type. */
uint32_t check_entity_count(const struct rv_type *type);
struct rv_text check_entity_name(const struct rv_type *type, uint32_t i);

/** Append the type as a policy author reads it. */
void check_type_print(struct rv_buf *buf, const struct rv_type *type);
