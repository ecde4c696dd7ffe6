/* SPDX-License-Identifier: Apache-2.0 */
/** @file score/private.h  The handle of scores inside the hook. */
#pragma once

#include "enforce/score.h"

#include <bpf/libbpf.h>

#pragma GCC diagnostic push /* bpftool's code, not ours */
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wcast-qual"
#include "score.skel.h"
#pragma GCC diagnostic pop

#define SCORE_HOOKS_MAX 16

/** A hook that scores. */
struct score_hook {
    const char *name;
    struct bpf_map *slots;
    struct bpf_program *after;
    uint32_t btf_id; /* 0: this kernel has no such hook */
};

struct rv_score {
    struct rv_score_bpf *bpf;
    struct ring_buffer *ring;
    struct rv_score_control control; /* ours; the kernel only reads it */
    struct score_hook hooks[SCORE_HOOKS_MAX];
    size_t hook_count;
    bool can_go_back; /* the other bank holds the model before */
    int (*put)(void *context, const struct rv_score_record *record);
    void *put_context;
};

int rv_score_put_control(struct rv_score *score);

/* package.c */
bool rv_score_thresholds_ascend(const struct rv_score_thresholds *thresholds);
