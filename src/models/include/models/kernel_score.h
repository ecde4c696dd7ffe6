/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/**
 * @file models/kernel_score.h  What BPF programs and in-kernel models say to each other.
 *
 * A program that wants a score fills `row` of the per-CPU scratch value (key 0) and makes a tail
 * call to slot RV_KERNEL_LIVE of the slots map. The live model writes its scores and calls
 * RV_KERNEL_SHADOW; whoever comes last calls RV_KERNEL_AFTER, the program that uses the scores. A
 * slot that is empty is passed over. Scores are those of models/forest.h, bit for bit.
 */
#pragma once

#ifndef __bpf__
#include <linux/types.h>
#endif

#define RV_KERNEL_ROW 128 /* features, rounded up to a power of two; the rest is zero */

enum rv_kernel_slot { RV_KERNEL_LIVE = 0, RV_KERNEL_SHADOW, RV_KERNEL_AFTER, RV_KERNEL_SLOTS };

/** Heads of a model: rates and maxima in a window; counts that can only rise. */
enum rv_kernel_head { RV_KERNEL_WINDOW = 0, RV_KERNEL_MONOTONE, RV_KERNEL_HEADS };

struct rv_kernel_score {
    __s64 score_q16[RV_KERNEL_SHADOW + 1][RV_KERNEL_HEADS]; /* by slot and head; 0 for no head */
    __u64 model[RV_KERNEL_SHADOW + 1]; /* first 8 bytes of the digest of who wrote; 0: nobody */
    __s32 row[RV_KERNEL_ROW];
};
