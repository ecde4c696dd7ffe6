/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/text.h"

#define BLOCK_BYTES ((size_t)16 * 1024)
#define ALIGNMENT   ((size_t)16)

struct rv_arena_block {
    struct rv_arena_block *next;
    size_t used, room;
    _Alignas(16) uint8_t bytes[];
};

int rv_text_compare(struct rv_text a, struct rv_text b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common ? memcmp(a.data, b.data, common) : 0;

    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

static struct rv_arena_block *add_block(struct rv_arena *arena, size_t size)
{
    size_t room = rv_max_u64(size, BLOCK_BYTES);
    struct rv_arena_block *block = calloc(1, sizeof(*block) + room);

    if (!block)
        return NULL;
    block->room = room;
    /* A block for one large thing goes behind the one that still has room for small ones. */
    if (arena->blocks && size > BLOCK_BYTES) {
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
    void *memory;

    if (arena->failed || size > SIZE_MAX / 2 ||
        (arena->max && size > arena->max - rv_min_u64(arena->used, arena->max))) {
        arena->failed = true;
        return NULL;
    }
    size = (rv_max_u64(size, 1) + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
    if (!block || block->room - block->used < size)
        block = add_block(arena, size);
    if (!block) {
        arena->failed = true;
        return NULL;
    }
    memory = block->bytes + block->used;
    block->used += size;
    arena->used += size;
    return memory;
}

void *rv_arena_array(struct rv_arena *arena, size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes)) {
        arena->failed = true;
        return NULL;
    }
    return rv_arena_alloc(arena, bytes);
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
    while (arena->blocks) {
        struct rv_arena_block *block = arena->blocks;

        arena->blocks = block->next;
        free(block);
    }
    *arena = (struct rv_arena){ .max = arena->max };
}
