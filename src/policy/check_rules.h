/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file check_rules.h  What the rules of the type checker share.
 *
 * An answer that is not good still carries the type that the expression would have had, so that
 * what is around it is checked as well; with no type at all the message has been given further in.
 */
#pragma once

#include "check.h"

static inline struct check_answer check_good_with(const struct rv_type *type,
                                                  struct check_caps caps)
{
    return (struct check_answer){ .type = type, .caps = caps, .good = true };
}

static inline struct check_answer check_good(const struct rv_type *type)
{
    return (struct check_answer){ .type = type, .good = true };
}

static inline struct check_answer check_bad(const struct rv_type *type)
{
    return (struct check_answer){ .type = type };
}

/** `answer` when what it rests on is good as well; capabilities are worth nothing otherwise. */
static inline struct check_answer check_resting_on(struct check_answer below,
                                                   struct check_answer answer)
{
    return below.good && answer.good ? answer : check_bad(answer.type);
}

static inline const struct rv_type *check_bool(void)
{
    return rv_type_basic(RV_VALUE_BOOL);
}

static inline const struct rv_type *check_singleton(bool truth)
{
    return truth ? &check_true : &check_false;
}

static inline bool check_is_kind(const struct rv_type *type, int kind)
{
    return type && type->kind == kind;
}

/** Check an expression of whatever kind. */
struct check_answer check_any(struct checker *checker, struct check_caps prior,
                              const struct rv_expr *expr);

/* ---- Expected types ---- */
enum want {
    WANT_BOOL,
    WANT_LONG,
    WANT_STRING,
    WANT_SET,
    WANT_ENTITY,
    WANT_ENTITY_OR_RECORD,
    WANT_ENTITY_OR_SET,
    WANT_IP,
    WANT_DECIMAL,
    WANT_DATETIME,
    WANT_DURATION,
};

/** What an argument of this enum rv_value_kind is expected to be. */
enum want check_want_of(uint8_t kind);

/** Check an expression that must fit; a message and no type when it does not. */
struct check_answer check_expect(struct checker *checker, struct check_caps prior,
                                 const struct rv_expr *expr, enum want want);
void check_report_unexpected(struct checker *checker, const struct rv_expr *expr,
                             const char *wanted, const struct rv_type *actual, const char *help);

/* ---- Types that must go together ---- */
enum check_together_why {
    TOGETHER_IF,
    TOGETHER_SET,
    TOGETHER_EQ,
    TOGETHER_CONTAINS,
    TOGETHER_SETS,
    TOGETHER_TAGS,
};

/** The upper bound of both, or NULL with a message. */
const struct rv_type *check_together(struct checker *checker, const struct rv_expr *expr,
                                     enum check_together_why why, const struct rv_type *a,
                                     const struct rv_type *b);

/** What is known of `left && right`, both checked. */
struct check_answer check_join(struct checker *checker, struct check_answer left,
                               struct check_answer right);

/** The entity that the expression is in every request of this environment, or NULL. */
const struct rv_uid *check_known_uid(const struct checker *checker, const struct rv_expr *expr);

/* ---- Rules in other files ---- */
struct check_answer check_in(struct checker *checker, struct check_caps prior,
                             const struct rv_expr *expr);
struct check_answer check_is(struct checker *checker, struct check_caps prior,
                             const struct rv_expr *expr);
struct check_answer check_get_attr(struct checker *checker, struct check_caps prior,
                                   const struct rv_expr *expr);
struct check_answer check_has_attr(struct checker *checker, struct check_caps prior,
                                   const struct rv_expr *expr);
struct check_answer check_get_tag(struct checker *checker, struct check_caps prior,
                                  const struct rv_expr *expr);
struct check_answer check_has_tag(struct checker *checker, struct check_caps prior,
                                  const struct rv_expr *expr);
struct check_answer check_call(struct checker *checker, struct check_caps prior,
                               const struct rv_expr *expr);
