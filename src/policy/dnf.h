/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file dnf.h  Sets of alternatives in the making. Every function answers an empty set once the
 * builder has an error, and nothing it answers is changed later. Private to the normal form.
 */
#pragma once

#include "policy/normal.h"

/** Alternatives of one part. `total`: the part cannot fail. */
struct dnf {
    struct rv_conjunct *items;
    uint32_t count;
    bool total;
};

/** The form, the policy at hand and what has gone wrong. */
struct builder {
    struct rv_normal *normal;
    const struct rv_policy *policy;
    rv_normal_fold *fold;
    void *context;
    struct rv_normal_limit limit;
    struct rv_loc loc; /* of the part at hand */
    uint32_t steps;
    int error;
};

/** A bound is met: the first one is kept. */
void rv_dnf_fail(struct builder *builder, const char *why);
/** Count work. @return whether there is no error. */
bool rv_dnf_step(struct builder *builder, uint32_t count);
/** Memory of the form, or NULL with an error. */
void *rv_dnf_room(struct builder *builder, size_t count, size_t size);

struct dnf rv_dnf_never(bool total);
struct dnf rv_dnf_always(struct builder *builder);
bool rv_dnf_is_always(const struct dnf *dnf);
/** One alternative of one literal, or of none. */
struct dnf rv_dnf_single(struct builder *builder, const uint16_t *literal, bool total);
/** Either. */
struct dnf rv_dnf_unite(struct builder *builder, const struct dnf *a, const struct dnf *b);
/** Both. */
struct dnf rv_dnf_cross(struct builder *builder, const struct dnf *a, const struct dnf *b);

/** When an atom, and when an expression, comes to `want`. */
struct dnf rv_dnf_ask(struct builder *builder, struct rv_atom atom, bool want);
struct dnf rv_dnf_part(struct builder *builder, const struct rv_expr *expr, bool want);
