/* SPDX-License-Identifier: Apache-2.0 */
/** @file probe/attempts.h  One harmless try of each action that a rule can be about. */
#pragma once

#include "enforce/rule.h"

/** errno of an attempt that this kernel cannot make at all. */
#define RV_ATTEMPT_IMPOSSIBLE 255

struct rv_attempt {
    uint32_t action; /* one RV_DO_* bit */
    /**
     * In a process of its own, whose working folder holds RV_ATTEMPT_FILE and takes new files, with
     * loopback up. It may leave that process in any state, but nothing outside it.
     * @return 0: nobody stopped it; errno.
     */
    int (*attempt)(void);
};
#define RV_ATTEMPT_FILE "file"

extern const struct rv_attempt rv_attempts[RV_DO_COUNT_];
