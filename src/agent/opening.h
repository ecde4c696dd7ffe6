/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file agent/opening.h  Mechanisms are opened beside the guard's loop: the kernel's verifier takes
 * seconds over BPF LSM, in which the emergency stop, leases and the judge must be heard. One thread
 * opens them one after the other and hands all over together; nothing of it refuses before that.
 */
#pragma once

#include "provider.h"

struct rv_opening;

struct rv_opened {
    const struct rv_provider *does;
    void *handle; /* NULL: it does not work here */
    int error;    /* 0 or why not, -errno */
};

/**
 * Begin. Without memory for a thread they are opened at once, here.
 * @param options copied; what it points to is borrowed until the end.
 * @return 0; -ENOMEM.
 */
RV_MUST_CHECK int rv_opening_begin(struct rv_opening **ret_opening,
                                   const struct rv_provider *const *providers, size_t count,
                                   const struct rv_provider_options *options);

/** Readable once all are opened; -1 for NULL. */
int rv_opening_fd(const struct rv_opening *opening);
bool rv_opening_is_done(const struct rv_opening *opening);

/** Hand over, waiting for what is being opened. @param opened room for `count`, in their order. */
void rv_opening_end(struct rv_opening **opening, struct rv_opened *opened);
