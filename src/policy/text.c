/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/text.h"

#define BLOCK_ROOM                                                                                 \
    ((size_t)16 * 1024) /* bytes of an ordinary block; a larger request gets its own */

struct rv_arena_block {
    struct rv_arena_block *next;
    size_t used, room;
    _Alignas(16) unsigned char bytes[];
};

int rv_text_compare(struct rv_text a, struct rv_text b)
{
    uint32_t len = a.len < b.len ? a.len : b.len;
    int order = len > 0 ? memcmp(a.data, b.data, len) : 0;

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static struct rv_arena_block *new_block(struct rv_arena *arena, size_t size)
{
    size_t room = size > BLOCK_ROOM ? size : BLOCK_ROOM;
    struct rv_arena_block *block = calloc(1, sizeof(*block) + room);

    if (!block)
        return NULL;
    block->room = room;
    if (arena->blocks && size > BLOCK_ROOM) { /* behind the first, which has room left */
        block->next = arena->blocks->next;
        arena->blocks->next = block;
    } else {
        block->next = arena->blocks;
        arena->blocks = block;
    }
    return block;
}

void *rv_arena_alloc(struct rv_arena *arena, size_t size)
{
    struct rv_arena_block *block = arena->blocks;
    size_t rounded;
    void *memory;

    if (arena->failed || size > SIZE_MAX / 2) {
        arena->failed = true;
        return NULL;
    }
    rounded = size == 0 ? 16 : (size + 15) & ~(size_t)15;
    if (arena->max && (rounded > arena->max || arena->used > arena->max - rounded)) {
        arena->failed = true;
        return NULL;
    }
    if (!block || block->room - block->used < rounded)
        block = new_block(arena, rounded);
    if (!block) {
        arena->failed = true;
        return NULL;
    }
    memory = block->bytes + block->used;
    block->used += rounded;
    arena->used += rounded;
    return memory;
}

void *rv_arena_array(struct rv_arena *arena, size_t count, size_t size)
{
    if (size > 0 && count > SIZE_MAX / 2 / size) {
        arena->failed = true;
        return NULL;
    }
    return rv_arena_alloc(arena, count * size);
}

struct rv_text rv_arena_text(struct rv_arena *arena, const char *data, size_t len)
{
    char *copy = len < UINT32_MAX ? rv_arena_alloc(arena, len + 1) : NULL;

    if (!copy) {
        arena->failed = true;
        return (struct rv_text){ 0 };
    }
    if (len > 0)
        memcpy(copy, data, len);
    return rv_text(copy, len);
}

void rv_arena_done(struct rv_arena *arena)
{
    struct rv_arena_block *block = arena->blocks;

    while (block) {
        struct rv_arena_block *next = block->next;

        free(block);
        block = next;
    }
    *arena = (struct rv_arena){ .max = arena->max };
}
