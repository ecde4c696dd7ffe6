/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file audit/tree.h  RFC 6962 Merkle trees: hashing, and judging proofs. Pure, no I/O.
 * A tree's size is below 2^63. A finding's zero value is the unsafe one.
 */
#pragma once

#include "base/hash.h"

#define RV_PROOF_MAX ((size_t)64)

/** A reusable SHA-256 context (three times faster than one-shot calls). One thread at a time. */
struct rv_hasher;
RV_MUST_CHECK int rv_hasher_new(struct rv_hasher **ret_hasher);
void rv_hasher_free(struct rv_hasher **hasher);

/** SHA-256(0x00 || entry). `hasher` may be NULL: a one-shot call. */
struct rv_sha256 rv_tree_leaf(struct rv_hasher *hasher, struct rv_span entry);
/** SHA-256(0x01 || left || right). `hasher` may be NULL. */
struct rv_sha256 rv_tree_node(struct rv_hasher *hasher, const struct rv_sha256 *left,
                              const struct rv_sha256 *right);
/** The root of the empty tree: SHA-256 of nothing. */
struct rv_sha256 rv_tree_empty(void);
/** MTH over `count` hashes taken as leaves (at most 256 of them). */
struct rv_sha256 rv_tree_root(struct rv_hasher *hasher, const struct rv_sha256 *hashes,
                              size_t count);

/** The largest power of two below `size` (size >= 2): where RFC 6962 splits a tree. */
static inline uint64_t rv_tree_split(uint64_t size)
{
    return (uint64_t)1 << (63 - __builtin_clzll(size - 1));
}

struct rv_proof {
    size_t count;
    struct rv_sha256 hashes[RV_PROOF_MAX]; /* in the order of RFC 6962 */
};

enum rv_proof_finding { RV_PROOF_WRONG = 0, RV_PROOF_RIGHT };

/** Is `leaf` entry number `index` of the tree with this size and root? */
enum rv_proof_finding rv_proof_check_inclusion(const struct rv_proof *proof, uint64_t index,
                                               const struct rv_sha256 *leaf, uint64_t size,
                                               const struct rv_sha256 *root);

struct rv_tree_head {
    uint64_t size;
    struct rv_sha256 root;
};

/** Is the tree `older` a prefix of `newer`? An empty older tree needs an empty proof. */
enum rv_proof_finding rv_proof_check_consistency(const struct rv_proof *proof,
                                                 const struct rv_tree_head *older,
                                                 const struct rv_tree_head *newer);
