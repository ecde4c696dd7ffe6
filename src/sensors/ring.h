/* SPDX-License-Identifier: Apache-2.0 */
/** @file ring.h  For tests and fuzzing: a ring over memory of the caller's. */
#pragma once

#include "sensors/stream.h"

/**
 * A ring over given positions and data; `data` must be readable twice `bytes` long, the second
 * half mirroring the first. Nothing is owned. @return 0, -EINVAL, -ENOMEM.
 */
RV_MUST_CHECK int rv_ring_wrap(struct rv_ring **ret_ring, uint64_t *consumer,
                               const uint64_t *producer, const uint8_t *data, uint64_t bytes);
