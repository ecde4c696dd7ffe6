/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/hash.h  Digests and checksums, each for one use.
 * SHA-256 (libcrypto) where somebody else must agree; CRC32C for torn writes on disk; a keyless
 * 64-bit mix for in-memory tables whose keys an attacker does not choose freely or cannot profit
 * from colliding (bounded buckets). All are pure and thread-safe.
 */
#pragma once

#include "base/bytes.h"

#define RV_SHA256_LEN     ((size_t)32)
#define RV_SHA256_HEX_LEN ((size_t)64)

struct rv_sha256 {
    uint8_t bytes[RV_SHA256_LEN];
};

/** SHA-256 of one span. Aborts only if libcrypto itself is broken. */
struct rv_sha256 rv_sha256(struct rv_span span);

/** SHA-256 of the concatenation of `count` spans. */
struct rv_sha256 rv_sha256_parts(const struct rv_span *parts, size_t count);

/** Lower-case hex and a NUL into `hex`. */
void rv_sha256_hex(const struct rv_sha256 *digest, char hex[RV_SHA256_HEX_LEN + 1]);

/** CRC32C (Castagnoli, RFC 3720), continuing from `crc`; start with 0. */
uint32_t rv_crc32c(uint32_t crc, const void *data, size_t len);

/** 64-bit mix of a span: stable across runs, machines and versions (it is stored). */
uint64_t rv_hash64(struct rv_span span);

/** 64-bit finaliser of one word (the splitmix64 constants); stable, cheap enough for BPF. */
static inline uint64_t rv_mix64(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9ULL;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebULL;
    x ^= x >> 31;
    return x;
}

/** Equality in constant time, for secrets and authenticators. */
bool rv_equal_ct(const void *a, const void *b, size_t len);
