/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/** @file features/vector.h  The feature vector: integers whose meaning is features/table.h. */
#pragma once

#ifndef __bpf__
#include <linux/types.h>
#endif

/** Number of features of table version 1. A model names the digest of the table it was made for. */
#define RV_FEATURE_COUNT 96

struct rv_vector {
    __s32 value[RV_FEATURE_COUNT];
};
