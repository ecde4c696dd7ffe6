/* SPDX-License-Identifier: Apache-2.0 */
/** @file entities.h  The inside of a store, for the evaluator. */
#pragma once

#include "policy/policy.h"

struct rv_entities {
    struct rv_arena arena;
    struct rv_entity **items; /* in order of addition */
    size_t count;
    struct rv_entity **slots; /* open addressing by uid hash, a power of two, half full at most */
    size_t slot_count;
};

/** A deep copy; sets `arena->failed` without memory. */
struct rv_value rv_value_copy(struct rv_arena *arena, const struct rv_value *value);
