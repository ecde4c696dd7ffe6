/* SPDX-License-Identifier: Apache-2.0 */
/** @file features_core.h  Loads features_core.bpf.c and feeds it; for its test and its bench. */
#pragma once

#include "base/base.h"
#include "features/core.h"
#include "features_core.skel.h"

#include <bpf/bpf.h>

/* As in features_core.bpf.c. */
struct probe {
    struct rv_core_input input;
    struct rv_core_normal normal;
    uint32_t symbol, known;
};

struct state {
    struct rv_core core;
    struct rv_thread thread;
    int32_t value[RV_FEATURE_COUNT];
};

/** @return 0 or -errno; `ret_ns` (may be NULL) is the kernel's mean over `repeat` runs. */
static inline int probe_run(struct bpf_program *program, const struct probe *probe, uint32_t repeat,
                            uint32_t *ret_ns)
{
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = probe, .data_size_in = sizeof(*probe),
                .repeat = (int)repeat);
    int r = bpf_prog_test_run_opts(bpf_program__fd(program), &options);

    if (r < 0)
        return r;
    if (ret_ns)
        *ret_ns = options.duration;
    return options.retval == 2 ? 0 : -EIO;
}
