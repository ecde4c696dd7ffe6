// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * deep: the system calls of chosen cgroups, in order, in batches of a thread; and whether what they
 * name is what the kernel took (witness.h).
 * Hook: sys_enter (tp_btf); file_open, bprm_check_security and socket_connect (LSM), which only
 * look and are left out where the kernel does not take them. While it is attached every task of the
 * host takes the slow system call path, so it is attached only while some scope asks for it.
 */
#include "deep/witness.h"

#define BATCH        64
#define AUDIT_X86_64 0xC000003EU

struct batch {
    __u64 first;
    __u32 count, padding;
    __u16 calls[BATCH];
};

struct {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct batch);
} rv_deep_batches SEC(".maps");

static __always_inline bool is_deep(const struct task_struct *task)
{
    struct kernfs_node *kn = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn);

    for (int level = 0; level < RV_WIRE_SCOPE_DEPTH && kn; level++) {
        __u64 id = BPF_CORE_READ(kn, id);

        if (bpf_map_lookup_elem(&rv_deep_scope, &id))
            return true;
        kn = (struct kernfs_node *)rv_kernfs_parent((__u64)kn);
    }
    return false;
}

static __always_inline void send_batch(struct task_struct *task, struct batch *batch)
{
    struct rv_scratch *scratch = RV_BEGIN(RV_SCRATCH_TASK, SYSCALLS, syscalls, task);
    __u32 size = batch->count * sizeof(batch->calls[0]);
    struct rv_event_syscalls *event;

    if (!scratch)
        return;
    event = RV_BODY(scratch, syscalls);
    event->first = batch->first;
    event->arch = AUDIT_X86_64;
    event->count = batch->count;
    rv_put_kernel(scratch, &event->calls, batch->calls, size, sizeof(batch->calls), size);
    rv_send(scratch, RV_RING_MAIN);
}

SEC("tp_btf/sys_enter")
int BPF_PROG(rv_deep_enter, struct pt_regs *regs, long number)
{
    struct task_struct *task = bpf_get_current_task_btf();
    struct batch *batch;
    __u32 at;

    if (!is_deep(task) || rv_is_own(task))
        return 0;
    hear_entry(task, regs, number);
    batch = bpf_task_storage_get(&rv_deep_batches, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (!batch)
        return 0;
    at = batch->count;
    RV_MASK(at, BATCH - 1);
    batch->calls[at] = (__u16)number;
    batch->count = at + 1;
    /* exit and exit_group end the thread: nothing would send the rest */
    if (batch->count < BATCH && number != 60 && number != 231)
        return 0;
    send_batch(task, batch);
    batch->first += batch->count;
    batch->count = 0;
    return 0;
}
