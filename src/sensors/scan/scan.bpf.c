// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * scan: the processes that already run, from the kernel's own task list.
 * Hook: BPF iterator over tasks (sleepable, so that arguments can be read from the other process).
 * It runs only while the guard reads the iterator.
 */
#include "bpf/program.h"

struct bpf_iter_meta {
    __u64 session_id;
} __attribute__((preserve_access_index));
struct bpf_iter__task {
    struct bpf_iter_meta *meta;
    struct task_struct *task;
} __attribute__((preserve_access_index));

static __always_inline void put_arguments(struct rv_scratch *scratch,
                                          struct rv_event_process_exec *event,
                                          struct task_struct *task, const struct mm_struct *mm)
{
    __u64 start = BPF_CORE_READ(mm, arg_start), end = BPF_CORE_READ(mm, arg_end);
    __u32 len = (__u32)(end - start), used = scratch->used;

    event->argv.true_len = len;
    if (len > RV_STRING_MASK)
        len = RV_STRING_MASK;
    if (used > RV_EVENT_SIZE_MAX - 16 - RV_STRING_MASK)
        return;
    RV_MASK(used, RV_EVENT_SIZE_MAX - 1);
    RV_MASK(len, RV_STRING_MASK);
    if (bpf_copy_from_user_task(scratch->bytes + used, len, (const void *)start, task, 0) < 0)
        return;
    event->argv.offset = (__u16)used;
    event->argv.len = (__u16)len;
    scratch->used = used + len;
}

SEC("iter.s/task")
int rv_scan_task(struct bpf_iter__task *context)
{
    struct task_struct *task = context->task;
    struct rv_event_process_exec *event;
    const struct task_struct *parent;
    const struct inode *inode;
    const struct mm_struct *mm;
    const struct file *file;
    const struct cred *cred;
    struct rv_scratch *scratch;

    if (!task || task->pid != task->tgid || !rv_watched(task))
        return 0;
    mm = BPF_CORE_READ(task, mm);
    file = BPF_CORE_READ(mm, exe_file);
    if (!mm || !file)
        return 0; /* ending */
    scratch = RV_BEGIN(RV_SCRATCH_SCAN, PROCESS_EXEC, process_exec, task);
    if (!scratch)
        return 0;
    scratch->header.flags = RV_EVENT_F_SNAPSHOT;
    event = RV_BODY(scratch, process_exec);
    parent = BPF_CORE_READ(task, real_parent);
    event->parent_tgid = (__u32)BPF_CORE_READ(parent, tgid);
    event->parent_start_boot_ns = BPF_CORE_READ(parent, group_leader, start_boottime);
    cred = BPF_CORE_READ(task, real_cred);
    event->euid = BPF_CORE_READ(cred, euid.val);
    event->egid = BPF_CORE_READ(cred, egid.val);
    inode = BPF_CORE_READ(file, f_inode);
    rv_put_program(event, file, inode);
    rv_put_session(event, task);
    rv_put_path(scratch, &event->path, &file->f_path);
    put_arguments(scratch, event, task, mm);
    rv_put_path(scratch, &event->cwd, &BPF_CORE_READ(task, fs)->pwd);
    rv_put_cgroup(scratch, __builtin_offsetof(struct rv_event_process_exec, cgroup), task);
    rv_remember(task, &scratch->header);
    rv_send(scratch, RV_RING_MAIN);
    return 0;
}

/* Only remember who has which number: the guard asks when it met one that it does not know. */
SEC("iter/task")
int rv_scan_remember(struct bpf_iter__task *context)
{
    struct task_struct *task = context->task;
    struct rv_event header = { 0 };

    if (!task || task->pid != task->tgid || !rv_watched(task))
        return 0;
    rv_put_who(&header, task);
    rv_remember(task, &header);
    return 0;
}
