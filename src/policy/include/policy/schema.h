/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file policy/schema.h  Schemas: which entity types and actions exist, and what is wrong without.
 * A schema is read from human syntax or JSON into one immutable object that keeps both what was
 * written (for printing either form) and what it means (every name resolved). Any number of threads
 * may use it. Readers are bounded: RV_SCHEMA_TEXT_MAX, RV_SCHEMA_DEPTH_MAX, RV_SCHEMA_COUNT_MAX.
 *
 * A finding is never a return code: functions answer 0 or -ENOMEM and put the verdict into
 * `enum rv_validity`, whose zero value is the unsafe one.
 */
#pragma once

#include "policy/diag.h"
#include "policy/policy.h"
#include "policy/type.h"

#define RV_SCHEMA_TEXT_MAX  ((size_t)8 * 1024 * 1024) /* bytes of one text */
#define RV_SCHEMA_DEPTH_MAX 200   /* sets and records inside each other, common types expanded */
#define RV_SCHEMA_COUNT_MAX 10000 /* entity types, and actions, of one schema */

struct rv_schema; /* opaque: made by rv_schema_read*(), ended by rv_schema_free() */

/** An entity type. Lives as long as the schema. */
struct rv_schema_entity {
    struct rv_text name;         /* qualified */
    const struct rv_type *attrs; /* a record, never NULL */
    const struct rv_type *tags;  /* type of every tag's value; NULL: no tags */
    const struct rv_text *ids;   /* enumerated type: the only ids there are; else NULL */
    uint32_t id_count;
    uint32_t index;    /* 0.. in the order of declaration */
    struct rv_loc loc; /* of the name where it is declared */
};

/** An action or action group. Lives as long as the schema. */
struct rv_schema_action {
    struct rv_uid uid;
    const struct rv_schema_entity *const *principals; /* no principal: applies to nothing */
    const struct rv_schema_entity *const *resources;
    uint32_t principal_count, resource_count;
    const struct rv_type *context;                 /* a record, never NULL */
    const struct rv_schema_action *const *parents; /* direct */
    uint32_t parent_count;
    uint32_t index;
    struct rv_loc loc;
};

/* ---- Reading and printing ---- */
/**
 * Read a schema in human syntax. `name` is for messages.
 * @return 0; -EINVAL with messages in `diags` (which may be NULL); -ENOMEM.
 */
RV_MUST_CHECK int rv_schema_read(const char *name, struct rv_span text,
                                 struct rv_schema **ret_schema, struct rv_diags *diags);
/** The same for the JSON form. Takes the text, so that messages can say line and column. */
RV_MUST_CHECK int rv_schema_read_json(const char *name, struct rv_span text,
                                      struct rv_schema **ret_schema, struct rv_diags *diags);
void rv_schema_free(struct rv_schema **schema);

/**
 * Append the human syntax, declarations in the order in which they were read.
 * @return 0; -ENOTSUP when the JSON form says what the human syntax cannot (an entity type whose
 *         shape is a common type, a name hidden by a common type): a message says which; -ENOMEM.
 */
RV_MUST_CHECK int rv_schema_print(struct rv_buf *buf, const struct rv_schema *schema,
                                  struct rv_diags *diags);
/** The JSON form. @return a new reference, or NULL when out of memory. */
json_t *rv_schema_to_json(const struct rv_schema *schema);

/* ---- Asking ---- */
size_t rv_schema_entity_count(const struct rv_schema *schema);
const struct rv_schema_entity *rv_schema_entity_at(const struct rv_schema *schema, size_t i);
/** By qualified name; NULL when not declared. */
const struct rv_schema_entity *rv_schema_entity(const struct rv_schema *schema,
                                                struct rv_text name);
/** May an entity of `child` have one of `ancestor` above it? Not by itself: that needs a loop. */
bool rv_schema_entity_in(const struct rv_schema *schema, const struct rv_schema_entity *child,
                         const struct rv_schema_entity *ancestor);

size_t rv_schema_action_count(const struct rv_schema *schema);
const struct rv_schema_action *rv_schema_action_at(const struct rv_schema *schema, size_t i);
const struct rv_schema_action *rv_schema_action(const struct rv_schema *schema,
                                                const struct rv_uid *uid);
/** Is `ancestor` above `child` in the action hierarchy? Never above itself. */
bool rv_schema_action_in(const struct rv_schema *schema, const struct rv_schema_action *child,
                         const struct rv_schema_action *ancestor);

/** True for `Action` and `A::B::Action`: the types that only actions have. */
bool rv_type_is_action(struct rv_text entity_type);

/** What the JSON readers of entities and contexts ask (policy/type.h). Borrows the schema. */
struct rv_type_lookup rv_schema_lookup(const struct rv_schema *schema);

/** Add every action with its parents; one that is there already stays. @return 0; -ENOMEM. */
RV_MUST_CHECK int rv_schema_add_actions(const struct rv_schema *schema,
                                        struct rv_entities_builder *builder);

/** Append a type in human schema syntax, such as `Set<{a: Long, b?: User}>`. */
void rv_type_print(struct rv_buf *buf, const struct rv_type *type);

/* ---- Validating ---- */
enum rv_validity { RV_INVALID = 0, RV_VALID };

enum rv_validation_mode {
    RV_VALIDATE_STRICT =
        0, /* the mode to use: what passes cannot fail but by overflow or absence */
    RV_VALIDATE_PERMISSIVE, /* allows mixing types; sound, but an author's slip may pass */
};

/**
 * Check one policy, template or link. Errors make it invalid; warnings (a policy that can never
 * apply) do not. A template is checked for every entity type that may fill its slots.
 */
RV_MUST_CHECK int rv_validate_policy(const struct rv_schema *schema, const struct rv_policy *policy,
                                     enum rv_validation_mode mode, struct rv_diags *diags,
                                     enum rv_validity *ret_validity);
/** Check all policies, templates and links of a set: valid when every one is. */
RV_MUST_CHECK int rv_validate_policies(const struct rv_schema *schema,
                                       const struct rv_policy_set *set,
                                       enum rv_validation_mode mode, struct rv_diags *diags,
                                       enum rv_validity *ret_validity);

/** Check one entity. `entity->parents` must hold all ancestors (`closed`), as in a store. */
RV_MUST_CHECK int rv_validate_entity(const struct rv_schema *schema, const struct rv_entity *entity,
                                     struct rv_diags *diags, enum rv_validity *ret_validity);
RV_MUST_CHECK int rv_validate_entities(const struct rv_schema *schema,
                                       const struct rv_entities *entities, struct rv_diags *diags,
                                       enum rv_validity *ret_validity);
/** Check principal, action, resource and context of a request (not its overlay). */
RV_MUST_CHECK int rv_validate_request(const struct rv_schema *schema,
                                      const struct rv_policy_request *request,
                                      struct rv_diags *diags, enum rv_validity *ret_validity);
