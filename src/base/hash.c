/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include <endian.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

struct rv_sha256 rv_sha256(struct rv_span span)
{
    struct rv_sha256 digest;

    SHA256(span.data, span.len, digest.bytes);
    return digest;
}

struct rv_sha256 rv_sha256_parts(const struct rv_span *parts, size_t count)
{
    struct rv_sha256 digest;
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    if (!context || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1)
        abort();
    for (size_t i = 0; i < count; i++) {
        if (EVP_DigestUpdate(context, parts[i].data, parts[i].len) != 1)
            abort();
    }
    if (EVP_DigestFinal_ex(context, digest.bytes, NULL) != 1)
        abort();
    EVP_MD_CTX_free(context);
    return digest;
}

void rv_sha256_hex(const struct rv_sha256 *digest, char hex[RV_SHA256_HEX_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < RV_SHA256_LEN; i++) {
        hex[2 * i] = digits[digest->bytes[i] >> 4];
        hex[2 * i + 1] = digits[digest->bytes[i] & 15];
    }
    hex[RV_SHA256_HEX_LEN] = '\0';
}

static uint32_t crc32c_bytes(uint32_t crc, const uint8_t *at, size_t len)
{
    for (; len > 0; at++, len--) {
        crc ^= *at;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (0x82f63b78U & (0U - (crc & 1)));
    }
    return crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc, const uint8_t *at,
                                                               size_t len)
{
    uint64_t wide = crc;

    for (; len >= 8; at += 8, len -= 8) {
        uint64_t word;

        memcpy(&word, at, sizeof(word));
        wide = __builtin_ia32_crc32di(wide, word);
    }
    crc = (uint32_t)wide;
    for (; len > 0; at++, len--)
        crc = __builtin_ia32_crc32qi(crc, *at);
    return crc;
}
#endif

uint32_t rv_crc32c(uint32_t crc, const void *data, size_t len)
{
    crc = ~crc;
#ifdef __x86_64__
    if (__builtin_cpu_supports("sse4.2"))
        return ~crc32c_sse42(crc, data, len);
#endif
    return ~crc32c_bytes(crc, data, len);
}

uint64_t rv_hash64(struct rv_span span)
{
    uint64_t hash = 0x9e3779b97f4a7c15ULL ^ span.len;
    size_t at = 0;

    for (; at + 8 <= span.len; at += 8) {
        uint64_t word;

        memcpy(&word, span.data + at, sizeof(word));
        hash = rv_mix64(hash ^ le64toh(word));
    }
    if (at < span.len) {
        uint64_t word = 0;

        memcpy(&word, span.data + at, span.len - at);
        hash = rv_mix64(hash ^ le64toh(word));
    }
    return rv_mix64(hash);
}

bool rv_equal_ct(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}
