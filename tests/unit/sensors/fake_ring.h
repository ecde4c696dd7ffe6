/* SPDX-License-Identifier: Apache-2.0 */
/** @file fake_ring.h  A ring in memory with the writer's side in user space. */
#pragma once

#include "test.h"

#include "ring.h"

#define FAKE_BUSY    0x80000000U
#define FAKE_DISCARD 0x40000000U
#define FAKE_MAX     4096

struct fake {
    uint64_t consumer, producer, size;
    _Alignas(8) uint8_t data[2 * FAKE_MAX]; /* the second half mirrors the first, as mmap does */
};

struct seen {
    size_t count, broken, len[16];
    uint8_t first[16];
    bool check_pattern;
    int answer;
};

static inline void fake_open(struct fake *fake, uint64_t size)
{
    memset(fake, 0, sizeof(*fake));
    fake->size = size;
}

static inline void fake_byte(struct fake *fake, uint64_t position, uint8_t value)
{
    uint64_t at = position % fake->size;

    fake->data[at] = fake->data[at + fake->size] = value;
}

static inline void fake_head(struct fake *fake, uint64_t position, uint32_t head)
{
    for (unsigned i = 0; i < 4; i++)
        fake_byte(fake, position + i, (uint8_t)(head >> (8 * i)));
}

/** A record of `len` bytes: first, first + 1, ... */
static inline void fake_put(struct fake *fake, uint8_t first, size_t len, uint32_t flags)
{
    fake_head(fake, fake->producer, (uint32_t)len | flags);
    for (size_t i = 0; i < len; i++)
        fake_byte(fake, fake->producer + 8 + i, (uint8_t)(first + i));
    fake->producer += (len + 8 + 7) & ~(size_t)7;
}
