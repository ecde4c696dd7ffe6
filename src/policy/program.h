/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file program.h  The compiled form: trees of code with constants folded, and an index that leads
 * from a request to the policies whose scope can hold. Immutable; shared by evaluators.
 */
#pragma once

#include "policy/policy.h"

/** One operation. As the tree's node, but with what can be known beforehand worked out. */
struct rv_code {
    uint8_t op;   /* enum rv_expr_kind; LITERAL is a constant of any kind */
    uint8_t var;  /* enum rv_var */
    uint8_t call; /* enum rv_call */
    uint32_t count;
    struct rv_loc loc;
    const struct rv_code *const *args;
    union {
        struct rv_value value;
        struct rv_text name;
        struct rv_pattern pattern;
        const struct rv_text *keys; /* sorted; args in the same order */
    };
};

struct rv_compiled_scope {
    uint8_t kind; /* enum rv_scope_kind */
    struct rv_text type;
    const struct rv_uid *uid;
    const struct rv_uid *const *uids;
    uint32_t uid_count;
};

struct rv_compiled_condition {
    bool unless;
    const struct rv_code *code;
};

struct rv_compiled_policy {
    struct rv_program_policy says;
    struct rv_compiled_scope scopes[3]; /* by enum rv_var: principal, action, resource */
    const struct rv_compiled_condition *conditions;
    uint32_t condition_count;
};

/** What a policy can be found by: the uid that a variable must be or be below, or its type. */
enum rv_index_kind {
    RV_INDEX_PRINCIPAL,
    RV_INDEX_ACTION,
    RV_INDEX_RESOURCE,
    RV_INDEX_PRINCIPAL_TYPE,
    RV_INDEX_RESOURCE_TYPE,
    RV_INDEX_COUNT_,
};

struct rv_index_entry {
    uint64_t hash; /* of kind and uid, never 0; 0: free */
    struct rv_uid uid;
    uint32_t kind;
    uint32_t first, count; /* in rv_program.listed */
    uint32_t frequency;    /* while building: policies that could be found here */
};

struct rv_program {
    struct rv_arena arena;
    struct rv_compiled_policy *policies;
    uint32_t count;
    uint32_t *listed;              /* policy numbers, grouped by entry; the unindexed ones first */
    uint32_t unindexed_count;
    struct rv_index_entry *entries;
    uint64_t entry_mask;
    uint32_t kind_counts[RV_INDEX_COUNT_];
    size_t workspace; /* bytes that one policy's sets, records and addresses can need */
};

uint64_t rv_index_hash(enum rv_index_kind kind, const struct rv_uid *uid);
/** @return the entry, or NULL. */
const struct rv_index_entry *rv_index_find(const struct rv_program *program,
                                           enum rv_index_kind kind, const struct rv_uid *uid);
