/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file arena.h  Strings of any length in one block: added at the end, dropped in any order, moved
 * together when the block is full. A string has one owner, the pointer that is told where it lies.
 */
#pragma once

#include "base/bytes.h"

struct rv_names_arena {
    uint8_t *bytes;
    size_t used, room;
};

/** @return 0 or -ENOMEM. */
RV_MUST_CHECK int rv_names_arena_init(struct rv_names_arena *arena, size_t room);
void rv_names_arena_done(struct rv_names_arena *arena);

/**
 * Copy `text` and a NUL in and set `*owner`. May move every other string. `owner` must not move
 * while it owns.
 * @return 0; -ENOSPC when not even moving together makes room.
 */
RV_MUST_CHECK int rv_names_arena_add(struct rv_names_arena *arena, struct rv_span text,
                                     const char **owner);

/** Give a string up; `*owner` becomes NULL. NULL is allowed. */
void rv_names_arena_drop(const char **owner);
