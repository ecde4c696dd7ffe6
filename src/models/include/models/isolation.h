/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file models/isolation.h  Isolation forests (Liu, Ting, Zhou 2008) in the shape of any forest.
 * A row that few random splits set apart from the others is strange. The score is the mean, over
 * trees, of how much shorter its path is than that of an average row, in Q16.16: an ordinary row
 * scores about 0, a strange one more. So an isolation forest runs wherever a boosted one does, in
 * the kernel too, and its reasons are exact.
 */
#pragma once

#include "models/forest.h"

struct rv_isolation_options {
    uint32_t trees;  /* 1..RV_FOREST_TREES_MAX */
    uint32_t sample; /* rows a tree sees, 2..65536 */
    uint64_t seed;
};

/** 100 trees of 256 rows. */
struct rv_isolation_options rv_isolation_defaults(void);

/**
 * @param values count * width integers, row by row.
 * @return 0; -EINVAL for options out of range, no rows, or rows that are all alike; -ENOMEM.
 */
RV_MUST_CHECK int rv_isolation_train(const int32_t *values, size_t count, uint32_t width,
                                     const struct rv_isolation_options *options,
                                     struct rv_forest **ret_forest);
