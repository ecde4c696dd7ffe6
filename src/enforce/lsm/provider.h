/* SPDX-License-Identifier: Apache-2.0 */
/** @file lsm/provider.h  What the user half's files share. */
#pragma once

#include "enforce/lsm.h"

#include "set.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#pragma GCC diagnostic push /* bpftool's code, not ours */
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wcast-qual"
#include "lsm.skel.h"
#pragma GCC diagnostic pop

struct rv_lsm {
    struct rv_lsm_bpf *bpf;
    struct ring_buffer *ring;
    struct rv_lsm_control control;
    bool own_frozen; /* the list of what is Reeve's own takes no more entries */
    uint64_t seed;
    uint32_t missing;       /* RV_DO_* without a hook here */
    struct rv_lsm_set *set; /* in place now; NULL: none yet */
    uint64_t swept_boot_ns; /* when the floods were last looked at */
    int (*put)(void *context, const struct rv_refusal_record *record);
    void *put_context;
};
