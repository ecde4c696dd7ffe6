/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file policy/ast.h  Policies as trees: what the parsers make and what the validator, the printer
 * and the compiler walk. Nodes live in the arena of their policy set and never change after parsing.
 *
 * Sugar that Cedar itself defines away is gone: `x has a.b` is `x has a && x.a has b`, `x["a"]` is
 * `x.a`, `a.b != c` stays NE (it is an operator in the JSON form too). Parentheses leave no node.
 * Trees are at most RV_EXPR_DEPTH_MAX deep, so walking them by recursion is safe.
 */
#pragma once

#include "policy/value.h"

#define RV_EXPR_DEPTH_MAX 1000 /* levels of a tree; a long a && b && c chain is one level a term */

/** Bytes [start, end) of the source text; start == end == 0 when there is none (JSON, links). */
struct rv_loc {
    uint32_t start, end;
};

enum rv_var { RV_VAR_PRINCIPAL, RV_VAR_ACTION, RV_VAR_RESOURCE, RV_VAR_CONTEXT };
enum rv_slot { RV_SLOT_NONE = 0, RV_SLOT_PRINCIPAL, RV_SLOT_RESOURCE };

enum rv_expr_kind {
    /* leaves */
    RV_EXPR_LITERAL, /* value: bool, long, string or entity */
    RV_EXPR_VAR,     /* var */
    RV_EXPR_SLOT,    /* slot: only inside an unlinked template */
    /* a: child 0, b: child 1, c: child 2 */
    RV_EXPR_NOT,
    RV_EXPR_NEG,
    RV_EXPR_AND,
    RV_EXPR_OR,
    RV_EXPR_IF, /* if a then b else c */
    RV_EXPR_EQ,
    RV_EXPR_NE,
    RV_EXPR_LT,
    RV_EXPR_LE,
    RV_EXPR_GT,
    RV_EXPR_GE,
    RV_EXPR_ADD,
    RV_EXPR_SUB,
    RV_EXPR_MUL,
    RV_EXPR_IN,           /* a in b */
    RV_EXPR_CONTAINS,     /* a.contains(b) */
    RV_EXPR_CONTAINS_ALL, /* a.containsAll(b) */
    RV_EXPR_CONTAINS_ANY, /* a.containsAny(b) */
    RV_EXPR_IS_EMPTY,     /* a.isEmpty() */
    RV_EXPR_GET_TAG,      /* a.getTag(b) */
    RV_EXPR_HAS_TAG,      /* a.hasTag(b) */
    RV_EXPR_GET_ATTR,     /* a.name */
    RV_EXPR_HAS_ATTR,     /* a has name */
    RV_EXPR_LIKE,         /* a like pattern */
    RV_EXPR_IS,           /* a is name; with child_count 2: a is name in b */
    RV_EXPR_SET,          /* children are the elements */
    RV_EXPR_RECORD,       /* children are the values, keys[i] their names (no key twice) */
    RV_EXPR_CALL,         /* extension function or method; children are the arguments */
    RV_EXPR_KIND_COUNT_,
};

/** Extension functions and methods. A method's object is its first argument. */
enum rv_call {
    RV_CALL_IP,
    RV_CALL_DECIMAL,
    RV_CALL_DATETIME,
    RV_CALL_DURATION,
    RV_CALL_IS_IPV4,
    RV_CALL_IS_IPV6,
    RV_CALL_IS_LOOPBACK,
    RV_CALL_IS_MULTICAST,
    RV_CALL_IS_IN_RANGE,
    RV_CALL_LESS_THAN,
    RV_CALL_LESS_THAN_OR_EQUAL,
    RV_CALL_GREATER_THAN,
    RV_CALL_GREATER_THAN_OR_EQUAL,
    RV_CALL_OFFSET,
    RV_CALL_DURATION_SINCE,
    RV_CALL_TO_DATE,
    RV_CALL_TO_TIME,
    RV_CALL_TO_MILLISECONDS,
    RV_CALL_TO_SECONDS,
    RV_CALL_TO_MINUTES,
    RV_CALL_TO_HOURS,
    RV_CALL_TO_DAYS,
    RV_CALL_COUNT_,
};

/** Name, number of arguments, kinds of arguments and result of a call. Static. */
struct rv_call_info {
    const char *name;
    bool method;
    uint8_t arg_count;
    uint8_t args[2]; /* enum rv_value_kind */
    uint8_t result;  /* enum rv_value_kind */
};
const struct rv_call_info *rv_call_info(enum rv_call call);
/** @return the call, or RV_CALL_COUNT_ when there is none of this name. */
enum rv_call rv_call_by_name(struct rv_text name);

/** A `like` pattern: literal bytes with wildcards between. "a*b" is {text "a", star}, {text "b"}. */
struct rv_pattern_part {
    struct rv_text text; /* may be empty */
    bool star;           /* a `*` follows the text */
};

struct rv_pattern {
    const struct rv_pattern_part *parts;
    uint32_t count;
};

struct rv_expr {
    uint8_t kind; /* enum rv_expr_kind */
    uint8_t var;  /* RV_EXPR_VAR */
    uint8_t slot; /* RV_EXPR_SLOT */
    uint8_t call; /* RV_EXPR_CALL */
    uint16_t depth; /* 1 for a leaf */
    uint32_t child_count;
    struct rv_loc loc;
    const struct rv_expr *const *children;
    union {
        struct rv_value value;     /* RV_EXPR_LITERAL */
        struct rv_text name;       /* RV_EXPR_GET_ATTR, HAS_ATTR: attribute; IS: entity type */
        struct rv_pattern pattern; /* RV_EXPR_LIKE */
        const struct rv_text *keys; /* RV_EXPR_RECORD */
    };
    struct rv_loc name_loc; /* where the attribute, type or function name stands */
};

/* ---- Policies ---- */
enum rv_effect { RV_EFFECT_DENY = 0, RV_EFFECT_ALLOW };

enum rv_scope_kind {
    RV_SCOPE_ANY,
    RV_SCOPE_EQ,    /* == uid */
    RV_SCOPE_IN,    /* in uid */
    RV_SCOPE_IS,    /* is type */
    RV_SCOPE_IS_IN, /* is type in uid */
    RV_SCOPE_IN_SET, /* action in [uids] */
};

/** Constraint on one variable. With `slot` the uid is filled by a link; `uid` is then NULL. */
struct rv_scope {
    uint8_t kind; /* enum rv_scope_kind */
    uint8_t slot; /* enum rv_slot */
    const struct rv_uid *uid;
    struct rv_text type;
    const struct rv_uid *const *uids; /* RV_SCOPE_IN_SET */
    uint32_t uid_count;
    struct rv_loc loc;
};

struct rv_annotation {
    struct rv_text name, value; /* `@name` without a value has an empty one */
    struct rv_loc loc;
};

struct rv_condition {
    bool unless;
    const struct rv_expr *body;
    struct rv_loc loc;
};

/** One text that policies were read from. `text` is borrowed by nobody: the set keeps a copy. */
struct rv_source {
    struct rv_text name; /* file name for messages; may be empty */
    struct rv_text text;
};

struct rv_policy {
    struct rv_text id; /* given, or policy0, policy1, ... in order */
    uint8_t effect;    /* enum rv_effect: permit allows, forbid denies */
    struct rv_scope principal, action, resource;
    const struct rv_condition *conditions;
    const struct rv_annotation *annotations;
    uint32_t condition_count, annotation_count;
    struct rv_loc loc;
    const struct rv_source *source;     /* NULL: from JSON */
    const struct rv_policy *link_of;    /* the template that this is a link of, or NULL */
    struct rv_text template_id;         /* its id when `link_of` */
};

/** True when a slot is still open: a template, which decides nothing itself. */
static inline bool rv_policy_is_template(const struct rv_policy *policy)
{
    return policy->principal.slot != RV_SLOT_NONE || policy->resource.slot != RV_SLOT_NONE;
}

/** The annotation's value, or NULL. */
const struct rv_text *rv_policy_annotation(const struct rv_policy *policy, const char *name);

/** Policies, templates and links, in the order they were added. Owned by one thread while growing. */
struct rv_policy_set {
    struct rv_arena arena;
    struct rv_policy **items; /* each lives in the arena: pointers stay good */
    size_t count, room;
    size_t next_id; /* for policyN */
};

void rv_policy_set_done(struct rv_policy_set *set); /* cleanup attribute; all-zero is empty */
/** By id, templates included; NULL when absent. */
const struct rv_policy *rv_policy_set_find(const struct rv_policy_set *set, struct rv_text id);
/**
 * Add a link of template `template_id` under `id`; pass NULL for a slot that it has not.
 * @return 0; -ENOENT no such template; -EEXIST the id is taken; -EINVAL a slot is missing or one
 *         too many is given; -ENOMEM.
 */
RV_MUST_CHECK int rv_policy_set_link(struct rv_policy_set *set, struct rv_text template_id,
                                     struct rv_text id, const struct rv_uid *principal,
                                     const struct rv_uid *resource);
