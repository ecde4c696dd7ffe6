/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file fan/stack.h  On how many file systems a file lies, so that each depth is taken in by a
 * thread of its own (enforce/fan.h). One thread.
 */
#pragma once

#include "enforce/fan.h"

#define FAN_MOUNTS_KNOWN 64

/** What was found out, for as long as the mounts stay. All-zero: nothing yet. */
struct fan_stack {
    struct {
        uint64_t mount;
        int layer;
    } known[FAN_MOUNTS_KNOWN];
    unsigned count;
};

/**
 * The layer of what is open at `fd` and was named by `path`. The kernel is asked: an overlay upon
 * it is made, which nobody sees, and refused where it would be one too many.
 * @return enum rv_fan_layer; -EOPNOTSUPP: it lies on an overlay, and that cannot be told, or an
 *         ordinary user may have made it, in a user namespace of his own.
 */
RV_MUST_CHECK int rv_fan_layer_of(struct fan_stack *stack, int fd, const char *path);
