/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/**
 * @file models/kernel_table.h  A small forest as a table, for a kernel that takes no new code.
 *
 * A program that was loaded once finds the table in a map of maps and walks it; a new model is a
 * new inner map, put in place by one update. Every tree is padded to RV_TABLE_DEPTH, so a walk has
 * no branches: `at = 2*at + (row < value)`. Every index is masked, so any bytes are safe to walk.
 */
#pragma once

#include "models/kernel_score.h"

#define RV_TABLE_TREES 64
#define RV_TABLE_DEPTH 6
#define RV_TABLE_SLOTS (1 << RV_TABLE_DEPTH)

struct rv_table_split {
    __s32 value;
    __u32 feature;
};

struct rv_table_head {
    __s64 base_q16;
    __u32 trees, pad;
    struct rv_table_split splits[RV_TABLE_TREES * RV_TABLE_SLOTS]; /* slot 0 of each unused */
    __s32 leaves[RV_TABLE_TREES * RV_TABLE_SLOTS];
};

/** The one value of an inner map. */
struct rv_kernel_table {
    __u64 model;
    struct rv_table_head heads[RV_KERNEL_HEADS];
};

#define RV_TABLE_MASK (RV_TABLE_TREES * RV_TABLE_SLOTS - 1)

#ifdef __bpf__
#define RV_TABLE_INLINE static __always_inline
/* The compiler must neither turn the sign into a branch nor drop a mask that the verifier needs. */
#define RV_TABLE_OPAQUE(variable) __asm__ volatile("" : "+r"(variable))
#else /* for proofs and fuzzing: the same walk in user space */
#define RV_TABLE_INLINE           static inline
#define RV_TABLE_OPAQUE(variable) ((void)(variable))
#endif

struct rv_table_walk {
    const struct rv_table_head *head;
    const struct rv_kernel_score *score;
    __u64 sum; /* unsigned: a hostile table may wrap it */
};

static inline long rv_table_walk_tree(__u32 tree, void *context)
{
    struct rv_table_walk *walk = (struct rv_table_walk *)context;
    const struct rv_table_head *head = walk->head;
    const struct rv_kernel_score *scratch = walk->score;
    __u64 first = ((__u64)tree * RV_TABLE_SLOTS) & RV_TABLE_MASK;
    __u64 at = 1;

#ifdef __clang__
#pragma unroll
#endif
    for (int level = 0; level < RV_TABLE_DEPTH; level++) {
        __u64 index = first + at;
        __u64 feature;
        __s64 difference;

        index &= RV_TABLE_MASK;
        RV_TABLE_OPAQUE(index);
        index &= RV_TABLE_MASK;
        feature = head->splits[index].feature;
        feature &= RV_KERNEL_ROW - 1;
        difference = (__s64)scratch->row[feature] - head->splits[index].value;
        RV_TABLE_OPAQUE(difference);
        at = 2 * at + ((__u64)difference >> 63);
    }
    at = first + (at & (RV_TABLE_SLOTS - 1));
    RV_TABLE_OPAQUE(at);
    at &= RV_TABLE_MASK;
    walk->sum += (__u64)(__s64)head->leaves[at];
    return 0;
}

/** The score of one head over `scratch->row`. In BPF `head` points into a map's value. */
RV_TABLE_INLINE __s64 rv_table_score(const struct rv_table_head *head,
                                     const struct rv_kernel_score *scratch)
{
    struct rv_table_walk walk = { head, scratch, (__u64)head->base_q16 };
    __u32 trees = head->trees;

    if (trees > RV_TABLE_TREES)
        trees = RV_TABLE_TREES;
#ifdef __bpf__
    bpf_loop(trees, rv_table_walk_tree, &walk, 0);
#else
    for (__u32 tree = 0; tree < trees; tree++)
        (void)rv_table_walk_tree(tree, &walk);
#endif
    return (__s64)walk.sum;
}
