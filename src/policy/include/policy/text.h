/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file policy/text.h  Strings that know length and hash, and the arena that policies live in.
 * A text never owns its bytes and need not end in NUL; the hash makes "not equal" cheap. An arena
 * is grown by one thread; what was made in it stays put and is freed with it, all at once.
 */
#pragma once

#include "base/bytes.h"
#include "base/hash.h"

struct rv_text {
    const char *data;
    uint32_t len;
    uint32_t hash; /* of the bytes: rv_text() computes it; equal texts have equal hashes */
};

static inline struct rv_text rv_text(const char *data, size_t len)
{
    return (struct rv_text){ data, (uint32_t)len, (uint32_t)rv_hash64(rv_span(data, len)) };
}

static inline struct rv_text rv_text_str(const char *text)
{
    return rv_text(text, strlen(text));
}

static inline bool rv_text_eq(struct rv_text a, struct rv_text b)
{
    return a.hash == b.hash && a.len == b.len &&
           (a.data == b.data || memcmp(a.data, b.data, a.len) == 0);
}

/** Order by bytes, shorter first on a tie. @return <0, 0, >0. */
int rv_text_compare(struct rv_text a, struct rv_text b);

static inline bool rv_text_is(struct rv_text a, const char *text)
{
    return a.len == strlen(text) && memcmp(a.data, text, a.len) == 0;
}

static inline struct rv_span rv_text_span(struct rv_text a)
{
    return rv_span(a.data, a.len);
}

/** For printf: `"%.*s", RV_TEXT_ARGS(text)`. */
#define RV_TEXT_ARGS(text) (int)(text).len, (text).data

struct rv_arena_block;

/** All-zero is a valid empty arena. `failed` sticks after running out of memory or past `max`. */
struct rv_arena {
    struct rv_arena_block *blocks;
    size_t used, max; /* bytes handed out; 0: no limit */
    bool failed;
};

/** Zeroed memory aligned to 16, or NULL (then `failed`). */
void *rv_arena_alloc(struct rv_arena *arena, size_t size);
/** Zeroed memory for `count` elements of `size`, or NULL; `count` 0 gives a non-NULL pointer. */
void *rv_arena_array(struct rv_arena *arena, size_t count, size_t size);
/** A copy with a NUL after the last byte; `data` NULL when out of memory. */
struct rv_text rv_arena_text(struct rv_arena *arena, const char *data, size_t len);
void rv_arena_done(struct rv_arena *arena); /* frees everything; cleanup attribute */
