/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file check_caps.h  Capabilities: what the checker has learned on the way to an expression, such
 * as "`principal has email` was true". A capability is a number: two expressions that read the same
 * give the same one. Sets of them are sorted arrays in an arena.
 */
#pragma once

#include "policy/ast.h"

struct check_cap_entry;

/** All-zero is a valid empty table. */
struct check_cap_table {
    struct check_cap_entry *entries;
    uint32_t *slots;
    uint32_t count, room, mask;
    bool failed; /* ran out of memory: the numbers mean nothing any more */
};

struct check_caps {
    const uint32_t *ids;
    uint32_t count;
};

/** Same tree, places in the text aside. */
bool check_expr_eq(const struct rv_expr *a, const struct rv_expr *b);
uint64_t check_expr_hash(const struct rv_expr *expr);

void check_cap_table_done(struct check_cap_table *table);
/** The number of "`on` has attribute `name`". Both must outlive the table. */
uint32_t check_cap_attr(struct check_cap_table *table, const struct rv_expr *on,
                        struct rv_text name);
/** The number of "`on` has the tag that `tag` computes". */
uint32_t check_cap_tag(struct check_cap_table *table, const struct rv_expr *on,
                       const struct rv_expr *tag);

bool check_caps_has(struct check_caps caps, uint32_t id);
/** When out of memory these answer a smaller set, which is safe: it proves less. */
struct check_caps check_caps_one(struct rv_arena *arena, uint32_t id);
struct check_caps check_caps_union(struct rv_arena *arena, struct check_caps a,
                                   struct check_caps b);
struct check_caps check_caps_intersect(struct rv_arena *arena, struct check_caps a,
                                       struct check_caps b);
