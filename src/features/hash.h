/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file hash.h  Names to 64 bits: programs, files, arguments. Stored in the saved baseline, so
 * never change it. Sixteen bytes a multiplication, several times as fast as base's rv_hash64() on
 * paths; like that one it is keyless, and whoever makes names collide only blurs his own traces.
 */
#pragma once

#include "base/bytes.h"
#include "base/hash.h"

#include <endian.h>

static inline uint64_t rv_fold64(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t rv_name_word(const uint8_t *at, size_t len)
{
    uint64_t word = 0;

    memcpy(&word, at, len);
    return le64toh(word);
}

static inline uint64_t rv_name_hash(struct rv_span name)
{
    uint64_t hash = 0x9e3779b97f4a7c15ULL ^ name.len;
    const uint8_t *at = name.data;
    size_t left = name.len;

    for (; left >= 16; at += 16, left -= 16)
        hash =
            rv_fold64(rv_name_word(at, 8) ^ 0xa0761d6478bd642fULL, rv_name_word(at + 8, 8) ^ hash);
    if (left > 8) {
        hash = rv_fold64(rv_name_word(at, 8) ^ 0xa0761d6478bd642fULL,
                         rv_name_word(at + 8, left - 8) ^ hash);
    } else if (left > 0) {
        hash = rv_fold64(rv_name_word(at, left) ^ 0xe7037ed1a0b428dbULL, hash);
    }
    return rv_mix64(hash);
}
