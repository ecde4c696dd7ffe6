// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * guard: events that the guard makes in user space enter the same ring, with the same sequence.
 * Run by BPF_PROG_TEST_RUN with the event as its context; only a privileged process can do that.
 */
#include "bpf/sensor.h"

SEC("syscall")
int rv_guard_put(void *context)
{
    struct rv_wire_counters *row = rv_counters_here();
    __u32 which = RV_SCRATCH_SCAN;
    struct rv_scratch *scratch = bpf_map_lookup_elem(&rv_scratches, &which);
    struct rv_wire_put *put = context;
    __u32 size = put->size;
    long r;

    if (!scratch || !row || size < sizeof(struct rv_event) || size > RV_EVENT_SIZE_MAX)
        return -22;
    if (__sync_fetch_and_add(&scratch->busy, 1) != 0) {
        rv_drop(scratch);
        return -16;
    }
    RV_MASK(size, 2 * RV_EVENT_SIZE_MAX - 1);
    if (size > RV_EVENT_SIZE_MAX || bpf_copy_from_user(scratch->bytes, size, (void *)put->event)) {
        rv_drop(scratch);
        return -14;
    }
    scratch->which = which;
    scratch->used = size;
    scratch->header.cpu = bpf_get_smp_processor_id();
    r = rv_send(scratch, put->ring == RV_RING_URGENT ? RV_RING_URGENT : RV_RING_MAIN);
    return r < 0 ? -28 : 0;
}
