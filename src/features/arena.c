/* SPDX-License-Identifier: Apache-2.0 */
#include "arena.h"

/* Before each string; both are kept aligned to 8. */
struct head {
    const char **owner; /* NULL: dropped */
    size_t size;        /* of head, string, NUL and padding */
};

int rv_names_arena_init(struct rv_names_arena *arena, size_t room)
{
    arena->bytes = malloc(room);
    if (!arena->bytes)
        return -ENOMEM;
    arena->room = room;
    arena->used = 0;
    return 0;
}

void rv_names_arena_done(struct rv_names_arena *arena)
{
    free(arena->bytes);
    *arena = (struct rv_names_arena){ 0 };
}

static void move_together(struct rv_names_arena *arena)
{
    size_t to = 0;

    for (size_t at = 0; at < arena->used;) {
        struct head head;

        memcpy(&head, arena->bytes + at, sizeof(head));
        if (head.owner) {
            memmove(arena->bytes + to, arena->bytes + at, head.size);
            *head.owner = (const char *)(arena->bytes + to + sizeof(head));
            to += head.size;
        }
        at += head.size;
    }
    arena->used = to;
}

int rv_names_arena_add(struct rv_names_arena *arena, struct rv_span text, const char **owner)
{
    struct head head = { owner, (sizeof(head) + text.len + 1 + 7) & ~(size_t)7 };
    uint8_t *at;

    if (arena->room - arena->used < head.size)
        move_together(arena);
    if (arena->room - arena->used < head.size)
        return -ENOSPC;
    at = arena->bytes + arena->used;
    memcpy(at, &head, sizeof(head));
    if (text.len > 0)
        memcpy(at + sizeof(head), text.data, text.len);
    at[sizeof(head) + text.len] = '\0';
    *owner = (const char *)(at + sizeof(head));
    arena->used += head.size;
    return 0;
}

void rv_names_arena_drop(const char **owner)
{
    struct head head;
    uint8_t *at;

    if (!*owner)
        return;
    at = (uint8_t *)(uintptr_t)*owner - sizeof(head);
    memcpy(&head, at, sizeof(head));
    head.owner = NULL;
    memcpy(at, &head, sizeof(head));
    *owner = NULL;
}
