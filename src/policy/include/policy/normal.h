/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file policy/normal.h  When a policy holds, as alternatives of plain facts: the disjunctive
 * normal form of its scopes and conditions, from which tables, filters and questions can be made.
 *
 * Cedar knows three outcomes: true, false, and an error, which takes the policy out. A literal
 * therefore says what its atom comes to: RV_LITERAL_TRUE and RV_LITERAL_FALSE are only opposites
 * where the atom cannot fail. What an atom comes to for sure, and whether it can fail, is asked of
 * the caller (who knows the schema), so that what is false by type is gone before anything grows.
 *
 * What is no atom (arithmetic, tags, two attributes compared) becomes RV_LITERAL_OPAQUE: it stands
 * for the expression, so that the other alternatives of the policy can still be used.
 */
#pragma once

#include "policy/ast.h"

#define RV_NORMAL_ATOMS_MAX     256
#define RV_NORMAL_CONJUNCTS_MAX 512
#define RV_NORMAL_LITERALS_MAX  64 /* of one conjunct */
#define RV_LITERAL_PATH_MAX     4

enum rv_literal_op {
    RV_LITERAL_HOLDS,    /* the attribute, a boolean */
    RV_LITERAL_HAS,      /* the attribute exists */
    RV_LITERAL_EQ,       /* value */
    RV_LITERAL_LT,       /* value, a long */
    RV_LITERAL_LE,       /* likewise */
    RV_LITERAL_IN,       /* value, an entity */
    RV_LITERAL_IS,       /* type */
    RV_LITERAL_LIKE,     /* pattern */
    RV_LITERAL_IN_RANGE, /* value, an address or range */
    RV_LITERAL_LOOPBACK,
    RV_LITERAL_MULTICAST,
    RV_LITERAL_IPV4,
    RV_LITERAL_IPV6,
    RV_LITERAL_OPAQUE, /* expr: not taken apart; why */
};

/** A question about one value of the request. Everything borrowed from the policy or the form. */
struct rv_atom {
    uint8_t op;    /* enum rv_literal_op */
    uint8_t var;   /* enum rv_var */
    uint8_t depth; /* names of `path` in use: 0 asks about the variable itself */
    bool partial;  /* it may fail */
    struct rv_text path[RV_LITERAL_PATH_MAX];
    struct rv_value value;
    struct rv_pattern pattern;
    struct rv_text type;
    const struct rv_expr *expr;
    const char *why; /* static, without a full stop */
    struct rv_loc loc;
    const struct rv_policy *policy; /* in which it was met first */
};

/** What is asked of an atom. The last two differ from the first two where the atom can fail. */
enum rv_literal_mode {
    RV_LITERAL_TRUE = 0,
    RV_LITERAL_FALSE,
    RV_LITERAL_NOT_TRUE, /* false, or an error */
    RV_LITERAL_NOT_FALSE,
};

/** Literals that hold together: atom number << 2 | mode, ascending, none twice. Empty: always. */
struct rv_conjunct {
    const uint16_t *literals;
    uint32_t count;
};

/** Alternatives: none holds never. No conjunct contains another. All-zero is a form of nothing. */
struct rv_normal {
    struct rv_arena arena;
    struct rv_atom *atoms;
    const struct rv_conjunct *conjuncts;
    uint32_t atom_count, atom_room, conjunct_count;
};

void rv_normal_done(struct rv_normal *normal); /* cleanup attribute */

enum rv_fold {
    RV_FOLD_OPEN = 0, /* true or false, never an error */
    RV_FOLD_TRUE,
    RV_FOLD_FALSE,
    RV_FOLD_ERROR,   /* it always fails */
    RV_FOLD_PARTIAL, /* anything */
};
/** Not asked about RV_LITERAL_OPAQUE, which counts as RV_FOLD_PARTIAL. */
typedef enum rv_fold rv_normal_fold(void *context, const struct rv_atom *atom);

/** Where the bounds were met. */
struct rv_normal_limit {
    const char *why; /* static, without a full stop */
    struct rv_loc loc;
};

/**
 * Add the alternatives under which `policy` holds, whatever its effect, to those that are there.
 * The policy must outlive the form.
 * @return 0; -E2BIG past the bounds, with `ret_limit` filled; -EINVAL for a template; -ENOMEM. The
 *         form is good for rv_normal_done() alone after a failure.
 */
RV_MUST_CHECK int rv_normal_add(struct rv_normal *normal, const struct rv_policy *policy,
                                rv_normal_fold *fold, void *context,
                                struct rv_normal_limit *ret_limit);

/** Replace the alternatives by those under which none of them holds. @return as rv_normal_add(). */
RV_MUST_CHECK int rv_normal_complement(struct rv_normal *normal, struct rv_normal_limit *ret_limit);

static inline const struct rv_atom *rv_literal_atom(const struct rv_normal *normal,
                                                    uint16_t literal)
{
    return &normal->atoms[literal >> 2];
}

static inline enum rv_literal_mode rv_literal_mode(uint16_t literal)
{
    return (enum rv_literal_mode)(literal & 3);
}

/** "principal.kind" and the like. @return false when it does not fit. */
bool rv_atom_path(const struct rv_atom *atom, char *path, size_t size);
