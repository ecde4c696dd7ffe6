/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file schema_doc.h  A schema as it was written: declarations in order, names not yet resolved.
 * Both readers make it, both printers walk it, schema_resolve.c gives it meaning. Everything lives
 * in the arena of the schema.
 */
#pragma once

#include "policy/schema.h"

/** A type or entity name as written, such as `User` or `A::User`. */
struct rv_doc_name {
    struct rv_text text;
    struct rv_loc loc;
};

struct rv_doc_names {
    const struct rv_doc_name *items;
    uint32_t count;
};

struct rv_doc_annotations {
    const struct rv_annotation *items;
    uint32_t count;
};

enum rv_doc_type_kind {
    RV_DOC_NAME,      /* an entity or common type: human syntax, JSON "EntityOrCommon" */
    RV_DOC_ENTITY,    /* only an entity type: JSON "Entity" */
    RV_DOC_COMMON,    /* only a common type: a context by name, JSON {"type": "Name"} */
    RV_DOC_BOOL,      /* JSON "Boolean" */
    RV_DOC_LONG,      /* JSON "Long" */
    RV_DOC_STRING,    /* JSON "String" */
    RV_DOC_EXTENSION, /* JSON "Extension" */
    RV_DOC_SET,
    RV_DOC_RECORD,
};

struct rv_doc_field;

struct rv_doc_type {
    uint8_t kind;                      /* enum rv_doc_type_kind */
    struct rv_text name;               /* RV_DOC_NAME, ENTITY, COMMON, EXTENSION */
    const struct rv_doc_type *element; /* RV_DOC_SET */
    const struct rv_doc_field *fields; /* RV_DOC_RECORD, in the order written */
    struct rv_loc loc;
};

struct rv_doc_field {
    const struct rv_doc_field *next;
    struct rv_text name;
    const struct rv_doc_type *type;
    struct rv_doc_annotations annotations;
    struct rv_loc loc;
    bool required;
};

struct rv_doc_common {
    struct rv_doc_common *next;
    struct rv_doc_name name;
    const struct rv_doc_type *type;
    struct rv_doc_annotations annotations;
};

struct rv_doc_entity {
    struct rv_doc_entity *next;
    struct rv_doc_name name;
    struct rv_doc_names parents;
    const struct rv_doc_type *shape; /* NULL: no attributes */
    const struct rv_doc_type *tags;  /* NULL: no tags */
    const struct rv_text *ids;       /* enumerated: at least one; else NULL */
    uint32_t id_count;
    struct rv_doc_annotations annotations;
};

/** A reference to an action: `"view"`, or `A::Action::"view"` with the type. */
struct rv_doc_action_ref {
    struct rv_text type; /* empty: `Action` of this namespace or of the empty one */
    struct rv_text id;
    struct rv_loc loc;
};

struct rv_doc_action {
    struct rv_doc_action *next;
    struct rv_doc_name id;
    const struct rv_doc_action_ref *parents;
    uint32_t parent_count;
    bool has_parents; /* an empty list was written: kept for the JSON form */
    struct rv_doc_names principals, resources;
    const struct rv_doc_type *context; /* NULL: the empty record */
    bool has_applies_to;
    struct rv_doc_annotations annotations;
};

struct rv_doc_namespace {
    struct rv_doc_namespace *next;
    struct rv_doc_name name; /* empty for the empty namespace */
    struct rv_doc_annotations annotations;
    struct rv_doc_common *commons;
    struct rv_doc_entity *entities;
    struct rv_doc_action *actions;
};

/** Slots of indices + 1 by hash; open addressing, never more than half full. */
struct rv_name_index {
    uint32_t *slots;
    uint32_t mask;
};

/** Who is above whom, closed: row i has bit j when j is an ancestor of i. */
struct rv_closure {
    uint64_t *bits;
    size_t words; /* of a row */
};

struct rv_schema {
    struct rv_arena arena;
    const struct rv_source *source;
    struct rv_doc_namespace *namespaces; /* the empty one first, if it has declarations */
    struct rv_schema_entity *entities;
    struct rv_schema_action *actions;
    uint32_t entity_count, action_count;
    struct rv_name_index entity_index, action_index;
    struct rv_closure entity_above, action_above;
};

/** Static types without parts, by enum rv_value_kind; `rv_type_empty_record` has no fields. */
const struct rv_type *rv_type_basic(enum rv_value_kind kind);
extern const struct rv_type rv_type_empty_record;
/** The kind of `ipaddr`, `decimal`, `datetime`, `duration`; RV_VALUE_NONE for another name. */
enum rv_value_kind rv_type_extension(struct rv_text name);

/** A schema with a copy of the text, nothing declared yet.
 * @return 0; -EINVAL with a message when the text is too long or not UTF-8; -ENOMEM. */
RV_MUST_CHECK int rv_schema_new(const char *name, struct rv_span text,
                                struct rv_schema **ret_schema, struct rv_diags *diags);
/** Give meaning to `schema->namespaces`. @return 0; -EINVAL with messages; -ENOMEM. */
RV_MUST_CHECK int rv_schema_resolve(struct rv_schema *schema, struct rv_diags *diags);

/** `[A-Za-z_][A-Za-z0-9_]*` */
bool rv_is_identifier(struct rv_text text);
/** Words of the policy language that no declaration may use: `true`, `if`, `in`, ... */
bool rv_is_reserved_word(struct rv_text text);
/** A `::`-separated list of identifiers, none a reserved word. */
bool rv_is_path(struct rv_text text);
/** Does a path contain `__cedar`, which only built-in types may? */
bool rv_is_internal_path(struct rv_text text);
/** What follows the last `::`. */
struct rv_text rv_path_base(struct rv_text path);
/** `space::name`, or `name` when `space` is empty. `data` NULL when out of memory. */
struct rv_text rv_path_join(struct rv_arena *arena, struct rv_text space, struct rv_text name);

/** Room for `count` names, half empty. @return false when out of memory. */
bool rv_name_index_init(struct rv_name_index *index, struct rv_arena *arena, size_t count);
void rv_name_index_add(struct rv_name_index *index, uint32_t hash, uint32_t value);
/** Iterate the values of a hash: start with `*at` 0. @return false at the end. */
bool rv_name_index_next(const struct rv_name_index *index, uint32_t hash, uint32_t *at,
                        uint32_t *ret_value);

static inline bool rv_closure_has(const struct rv_closure *closure, size_t row, size_t bit)
{
    return (closure->bits[row * closure->words + bit / 64] >> (bit % 64) & 1) != 0;
}
