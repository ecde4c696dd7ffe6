/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file policy/policy.h  Deciding: entities, requests, compiled programs, decisions.
 *
 *   read policies (policy/read.h) -> struct rv_policy_set -> rv_program_compile() -> rv_program
 *   one rv_evaluator a thread -> rv_evaluate(evaluator, entities, request, &decision)
 *
 * A program and an entity store are immutable: any number of threads may use them. Reload by making
 * a new program and swapping a pointer. rv_evaluate() allocates nothing and takes no lock. A request
 * is built on the caller's stack on top of the store: entities that only this request knows are
 * given as an overlay, borrow everything, and may name parents in the overlay, in the store, or
 * nowhere. A process that changes is one struct rv_entity that the caller keeps and edits.
 */
#pragma once

#include "policy/ast.h"

/* ---- Entities ---- */
struct rv_entities; /* immutable store, ancestors closed */

/** Maker of a store. What is added is copied. */
struct rv_entities_builder;
RV_MUST_CHECK int rv_entities_builder_new(struct rv_entities_builder **ret_builder);
void rv_entities_builder_free(struct rv_entities_builder **builder);
/** @return 0; -EEXIST when the uid is there with another content; -ENOMEM. */
RV_MUST_CHECK int rv_entities_builder_add(struct rv_entities_builder *builder,
                                          const struct rv_entity *entity);
/** Close the ancestors. @return 0; -ELOOP for a cycle, whose uid is then in `reterr`; -ENOMEM. */
RV_MUST_CHECK int rv_entities_builder_finish(struct rv_entities_builder *builder,
                                             struct rv_entities **ret_entities,
                                             const struct rv_uid **reterr);
void rv_entities_free(struct rv_entities **entities);
size_t rv_entities_count(const struct rv_entities *entities);
/** In order of addition. */
const struct rv_entity *rv_entities_at(const struct rv_entities *entities, size_t i);
const struct rv_entity *rv_entities_find(const struct rv_entities *entities,
                                         const struct rv_uid *uid);

/* ---- Requests ---- */
#define RV_OVERLAY_MAX 64 /* entities of one request */

struct rv_policy_request {
    const struct rv_uid *principal, *action, *resource;
    struct rv_fields context; /* sorted by key */
    const struct rv_entity *const *overlay; /* seen before the store; may be NULL */
    uint32_t overlay_count;
};

/* ---- Programs ---- */
struct rv_program;

/**
 * Compile every policy and link of a set; templates are left out. The program copies what it needs.
 * @return 0; -E2BIG when a policy is beyond the compiler's bounds (its id is in `reterr`, which may
 *         be NULL); -ENOMEM.
 */
RV_MUST_CHECK int rv_program_compile(const struct rv_policy_set *set,
                                     struct rv_program **ret_program, struct rv_text *reterr);
void rv_program_free(struct rv_program **program);
size_t rv_program_count(const struct rv_program *program);

/** What a determining policy says of itself. Lives as long as the program. */
struct rv_program_policy {
    struct rv_text id;
    enum rv_effect effect;
    const struct rv_annotation *annotations;
    uint32_t annotation_count;
};
const struct rv_program_policy *rv_program_policy(const struct rv_program *program, uint32_t index);
/** The value of an annotation, such as "severity"; an empty text when absent. */
struct rv_text rv_program_annotation(const struct rv_program *program, uint32_t index,
                                     const char *name);

/* ---- Decisions ---- */
enum rv_eval_code {
    RV_EVAL_OK = 0,
    RV_EVAL_TYPE,        /* a value of the wrong kind */
    RV_EVAL_NO_ATTR,     /* the record or entity has no such attribute */
    RV_EVAL_NO_TAG,      /* the entity has no such tag */
    RV_EVAL_NO_ENTITY,   /* attribute or tag of an entity that does not exist */
    RV_EVAL_OVERFLOW,    /* 64-bit integer overflow */
    RV_EVAL_EXTENSION,   /* an extension function refused its argument */
    RV_EVAL_LIMIT,       /* a bound of the evaluator */
};

struct rv_eval_error {
    uint32_t policy; /* index in the program */
    enum rv_eval_code code;
    struct rv_loc loc;    /* in the policy's source */
    struct rv_text what;  /* attribute or tag name; may be empty */
    uint8_t got, expected; /* enum rv_value_kind for RV_EVAL_TYPE */
};

/** The answer. The arrays live in the evaluator until its next rv_evaluate(). */
struct rv_policy_decision {
    enum rv_effect effect;   /* zero denies */
    const uint32_t *reasons; /* determining policies, ascending; forbids of a deny, else permits */
    const struct rv_eval_error *errors; /* policies that could not be evaluated, ascending */
    uint32_t reason_count, error_count;
};

/** Working memory of one thread. */
struct rv_evaluator;
RV_MUST_CHECK int rv_evaluator_new(struct rv_evaluator **ret_evaluator,
                                   const struct rv_program *program);
void rv_evaluator_free(struct rv_evaluator **evaluator);

/** Decide. Pure, allocates nothing; `entities` may be NULL. Cannot fail: an error denies nothing
 * and allows nothing but is listed. */
void rv_evaluate(struct rv_evaluator *evaluator, const struct rv_entities *entities,
                 const struct rv_policy_request *request, struct rv_policy_decision *ret_decision);

/** Append an error as a sentence. */
void rv_eval_error_print(struct rv_buf *buf, const struct rv_eval_error *error);
