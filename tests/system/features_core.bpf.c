/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * features/core.h in the kernel, for tests/system/features_core.c: XDP programs, because those can
 * be run by BPF_PROG_TEST_RUN again and again. The packet is one struct probe.
 */
#include "bpf/kernel.h"

#include "event/table.h"
#include "features/core.h"

#define XDP_PASS 2

struct xdp_md {
    __u32 data, data_end;
};

struct probe {
    struct rv_core_input input;
    struct rv_core_normal normal;
    __u32 symbol; /* not 0: a system call of the thread instead of an event */
    __u32 known;  /* not 0: then learn the triple that ends here */
};

struct state {
    struct rv_core core;
    struct rv_thread thread;
    __s32 value[RV_FEATURE_COUNT];
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct state);
} rv_states SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct rv_bloom);
} rv_blooms SEC(".maps");

static __always_inline struct probe *probe_of(struct xdp_md *context)
{
    struct probe *probe = (void *)(long)context->data;

    return (void *)(probe + 1) > (void *)(long)context->data_end ? NULL : probe;
}

SEC("xdp")
int rv_core_take(struct xdp_md *context)
{
    struct probe *probe = probe_of(context);
    __u32 zero = 0;
    struct state *state = bpf_map_lookup_elem(&rv_states, &zero);
    struct rv_bloom *bloom = bpf_map_lookup_elem(&rv_blooms, &zero);
    __u64 missing;

    if (!probe || !state || !bloom)
        return 0;
    if (probe->symbol)
        missing =
            rv_core_sequence(&state->core, &state->thread, bloom, &probe->normal, probe->symbol);
    else
        missing =
            rv_core_update(&state->core, &state->thread, bloom, &probe->normal, &probe->input);
    if (probe->known && missing)
        rv_bloom_add(bloom, missing);
    return XDP_PASS;
}

/* For the bench: a stream made up on the way, so that no branch is always the same. */
SEC("xdp")
int rv_core_busy(struct xdp_md *context)
{
    __u32 zero = 0;
    struct state *state = bpf_map_lookup_elem(&rv_states, &zero);
    struct rv_bloom *bloom = bpf_map_lookup_elem(&rv_blooms, &zero);
    struct rv_core_normal normal = { .class = 1, .armed = 1 };
    struct rv_core_input input = { .weight = 1 };

    if (!state || !bloom)
        return 0;
    input.time_ns = state->core.last_ns + 1500000;
    input.object = input.time_ns * 0x9e3779b97f4a7c15ULL;
    input.group = input.object >> 58;
    input.action = (__u32)(input.object >> 32) & 15;
    rv_core_update(&state->core, &state->thread, bloom, &normal, &input);
    return XDP_PASS;
}

SEC("xdp")
int rv_core_vector(struct xdp_md *context)
{
    struct probe *probe = probe_of(context);
    __u32 zero = 0;
    struct state *state = bpf_map_lookup_elem(&rv_states, &zero);

    if (!probe || !state)
        return 0;
    rv_core_fill(&state->core, probe->input.time_ns, state->value);
    return XDP_PASS;
}

/* What a program costs that looks up the same maps and does nothing. */
SEC("xdp")
int rv_core_nothing(struct xdp_md *context)
{
    struct probe *probe = probe_of(context);
    __u32 zero = 0;
    struct state *state = bpf_map_lookup_elem(&rv_states, &zero);
    struct rv_bloom *bloom = bpf_map_lookup_elem(&rv_blooms, &zero);

    return !probe || !state || !bloom ? 0 : XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
