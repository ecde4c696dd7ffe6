/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the scoring hooks do with an input (score/take.h), where LSM programs do not load: as
 * traffic classifiers, run by BPF_PROG_TEST_RUN, so the process that acts is the one that calls.
 * For tests/system/score_take.c and bench/kernel_score.c. Needs a kernel that gives them task
 * storage.
 */
#include "take.h"

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, RV_KERNEL_SLOTS);
    __type(key, __u32);
    __type(value, __u32);
} slots SEC(".maps");

struct feed {
    __u64 object, group;
    __u32 action, always;
};

SEC("tc")
int after_feed(void *ctx)
{
    return finish();
}

static __always_inline int score(void *ctx, struct taking *taking)
{
    if (take(taking) > 0) {
        bpf_tail_call_static(ctx, &slots, RV_KERNEL_LIVE);
        unanswered();
    }
    return 0;
}

SEC("tc")
int rv_feed(void *ctx)
{
    struct taking taking = { .here = 1 };
    struct feed feed = { 0 };

    bpf_skb_load_bytes(ctx, 0, &feed, sizeof(feed));
    taking.input.action = feed.action & (RV_ACTION_ROOM_ - 1);
    taking.input.object = feed.object;
    taking.input.group = feed.group;
    taking.input.weight = 1;
    taking.always = feed.always;
    return score(ctx, &taking);
}

/* For the bench: inputs made up on the way, so that no branch is always the same. */
__u64 draw = 1;

static __always_inline void make_up(struct taking *taking)
{
    draw = draw * 6364136223846793005ULL + 1442695040888963407ULL;
    taking->input.object = draw;
    taking->input.group = draw >> 58;
    taking->input.action = (__u32)(draw >> 32) & 15;
    taking->input.weight = 1;
}

SEC("tc")
int rv_busy(void *ctx)
{
    struct taking taking = { 0 };

    make_up(&taking);
    return take(&taking);
}

SEC("tc")
int rv_busy_scored(void *ctx)
{
    struct taking taking = { .always = 1, .here = 1 };

    make_up(&taking);
    return score(ctx, &taking);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
