/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/tree.h"

#include <openssl/evp.h>

struct rv_hasher {
    EVP_MD_CTX *context;
};

int rv_hasher_new(struct rv_hasher **ret_hasher)
{
    RV_AUTO(rv_hasher_free) struct rv_hasher *hasher = calloc(1, sizeof(*hasher));

    if (!hasher)
        return -ENOMEM;
    hasher->context = EVP_MD_CTX_new();
    if (!hasher->context || EVP_DigestInit_ex(hasher->context, EVP_sha256(), NULL) != 1)
        return -ENOMEM;
    *ret_hasher = RV_TAKE(hasher);
    return 0;
}

void rv_hasher_free(struct rv_hasher **hasher)
{
    if (!*hasher)
        return;
    EVP_MD_CTX_free((*hasher)->context);
    free(*hasher);
    *hasher = NULL;
}

static struct rv_sha256 hash_parts(struct rv_hasher *hasher, const struct rv_span *parts,
                                   size_t count)
{
    struct rv_sha256 digest;

    if (!hasher)
        return rv_sha256_parts(parts, count);
    if (EVP_DigestInit_ex(hasher->context, NULL, NULL) != 1)
        abort();
    for (size_t i = 0; i < count; i++) {
        if (EVP_DigestUpdate(hasher->context, parts[i].data, parts[i].len) != 1)
            abort();
    }
    if (EVP_DigestFinal_ex(hasher->context, digest.bytes, NULL) != 1)
        abort();
    return digest;
}

struct rv_sha256 rv_tree_leaf(struct rv_hasher *hasher, struct rv_span entry)
{
    const struct rv_span parts[] = { rv_span("\0", 1), entry };

    return hash_parts(hasher, parts, RV_COUNT(parts));
}

struct rv_sha256 rv_tree_node(struct rv_hasher *hasher, const struct rv_sha256 *left,
                              const struct rv_sha256 *right)
{
    uint8_t bytes[1 + 2 * RV_SHA256_LEN];
    struct rv_span whole = rv_span(bytes, sizeof(bytes));

    bytes[0] = 1;
    memcpy(bytes + 1, left->bytes, RV_SHA256_LEN);
    memcpy(bytes + 1 + RV_SHA256_LEN, right->bytes, RV_SHA256_LEN);
    return hash_parts(hasher, &whole, 1);
}

struct rv_sha256 rv_tree_empty(void)
{
    return rv_sha256(rv_span("", 0));
}

struct rv_sha256 rv_tree_root(struct rv_hasher *hasher, const struct rv_sha256 *hashes,
                              size_t count)
{
    struct rv_sha256 row[128];
    const struct rv_sha256 *from = hashes;

    assert(count <= 2 * RV_COUNT(row));
    if (count == 0)
        return rv_tree_empty();
    /* Pairing neighbours and carrying an odd last one up is MTH, level by level. */
    for (; count > 1; count = (count + 1) / 2) {
        for (size_t i = 0; i + 1 < count; i += 2)
            row[i / 2] = rv_tree_node(hasher, &from[i], &from[i + 1]);
        if (count % 2 == 1)
            row[count / 2] = from[count - 1];
        from = row;
    }
    return from[0];
}

static bool same(const struct rv_sha256 *a, const struct rv_sha256 *b)
{
    return memcmp(a->bytes, b->bytes, RV_SHA256_LEN) == 0;
}

/* RFC 9162, section 2.1.3.2. */
enum rv_proof_finding rv_proof_check_inclusion(const struct rv_proof *proof, uint64_t index,
                                               const struct rv_sha256 *leaf, uint64_t size,
                                               const struct rv_sha256 *root)
{
    uint64_t fn = index, sn = size - 1;
    struct rv_sha256 hash = *leaf;

    if (index >= size || proof->count > RV_PROOF_MAX)
        return RV_PROOF_WRONG;
    for (size_t i = 0; i < proof->count; i++) {
        if (sn == 0)
            return RV_PROOF_WRONG;
        if ((fn & 1) || fn == sn) {
            hash = rv_tree_node(NULL, &proof->hashes[i], &hash);
            while (!(fn & 1) && fn != 0) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            hash = rv_tree_node(NULL, &hash, &proof->hashes[i]);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && same(&hash, root) ? RV_PROOF_RIGHT : RV_PROOF_WRONG;
}

/* RFC 9162, section 2.1.4.2, for 0 < older->size < newer->size. */
static enum rv_proof_finding check_growth(const struct rv_proof *proof,
                                          const struct rv_tree_head *older,
                                          const struct rv_tree_head *newer)
{
    bool whole = (older->size & (older->size - 1)) == 0;
    uint64_t fn = older->size - 1, sn = newer->size - 1;
    struct rv_sha256 fr, sr;
    size_t at = 0;

    if (proof->count > RV_PROOF_MAX || (!whole && proof->count == 0))
        return RV_PROOF_WRONG;
    while (fn & 1) {
        fn >>= 1;
        sn >>= 1;
    }
    fr = sr = whole ? older->root : proof->hashes[at++];
    for (; at < proof->count; at++) {
        if (sn == 0)
            return RV_PROOF_WRONG;
        if ((fn & 1) || fn == sn) {
            fr = rv_tree_node(NULL, &proof->hashes[at], &fr);
            sr = rv_tree_node(NULL, &proof->hashes[at], &sr);
            while (!(fn & 1) && fn != 0) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            sr = rv_tree_node(NULL, &sr, &proof->hashes[at]);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && same(&fr, &older->root) && same(&sr, &newer->root) ? RV_PROOF_RIGHT
                                                                         : RV_PROOF_WRONG;
}

enum rv_proof_finding rv_proof_check_consistency(const struct rv_proof *proof,
                                                 const struct rv_tree_head *older,
                                                 const struct rv_tree_head *newer)
{
    struct rv_sha256 empty = rv_tree_empty();

    if (older->size > newer->size)
        return RV_PROOF_WRONG;
    if (older->size == 0)
        return proof->count == 0 && same(&older->root, &empty) ? RV_PROOF_RIGHT : RV_PROOF_WRONG;
    if (older->size == newer->size)
        return proof->count == 0 && same(&older->root, &newer->root) ? RV_PROOF_RIGHT
                                                                     : RV_PROOF_WRONG;
    return check_growth(proof, older, newer);
}
