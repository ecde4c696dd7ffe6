// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * memory: memory that becomes executable, and one process touching the memory of another.
 *
 * Hooks: mmap_lock_start_locking (tp_btf): whoever maps, changes protections or reaches into
 * another process must take that address space's lock, so this announces all of them, and page
 * faults of today's kernels do not pass here. For the process's own memory the saved system call
 * tells mmap and mprotect with PROT_EXEC; asked before the lock is taken, the area's state is the
 * one before the change. A lock of somebody else's address space during ptrace(2),
 * process_vm_writev(2), or a write (to /proc/PID/mem) is an access to it.
 * sched_process_wait (tp_btf): a tracer waits for what it traces; PTRACE_SEIZE takes no lock and
 * sends no signal, so tracees are found in the waiting tracer's own list.
 */
#include "bpf/call.h"
#include "bpf/identity.h"

#define PROT_WRITE_     2U
#define PROT_EXEC_      4U
#define MAP_ANONYMOUS_  0x20U
#define VM_WRITE_       2UL
#define NOT_PTRACE      0xffffU
#define NOT_PTRACE_READ 0xfffeU
#define REPEAT_NS       1000000000ULL
#define WHAT_TRACE      1024U

/* ---- Executable memory ---- */
struct area {
    __u64 file; /* address */
    __u32 flags;
};

static long look_at_area(struct task_struct *task, struct vm_area_struct *vma, void *context)
{
    struct area *area = context;

    area->file = (__u64)vma->vm_file;
    if (!vma->vm_file || !vma->vm_file->f_inode->i_nlink)
        area->flags |= RV_MEMORY_F_ANON; /* a memfd and shared anonymous memory have no name */
    if (vma->vm_flags & VM_WRITE_ || (vma->vm_file && vma->anon_vma))
        area->flags |= RV_MEMORY_F_WRITTEN; /* writable now, or pages of its own were written */
    return 0;
}

static __noinline int send_executable(struct task_struct *task, const struct rv_call *call,
                                      const struct area *area)
{
    struct rv_said said = {
        .process = BPF_CORE_READ(task, group_leader, start_boottime),
        .object = call->number == NR_mmap ? 0 : call->arg[0] >> 21,
        .dev = area->flags,
        .what = RV_EVENT_MEMORY_EXEC,
    };
    const struct file *file = (const struct file *)area->file;
    struct rv_event_memory_exec *event;
    struct rv_scratch *scratch;

    /* A just-in-time compiler flips its pages all day: once a second for the same 2 MiB. */
    if (!rv_first_time(&said, bpf_ktime_get_boot_ns(), REPEAT_NS))
        return 0;
    rv_identity_check(RV_IDENTITY_EVENT);
    scratch = RV_BEGIN(RV_SCRATCH_TASK, MEMORY_EXEC, memory_exec, task);
    if (!scratch)
        return 0;
    event = RV_BODY(scratch, memory_exec);
    event->address = call->arg[0];
    event->length = call->arg[1];
    event->prot = (__u32)call->arg[2];
    event->memory_flags = area->flags;
    if (file)
        rv_put_path(scratch, &event->path, &file->f_path);
    rv_send(scratch, RV_RING_MAIN);
    return 0;
}

static __always_inline int own_memory(struct task_struct *task)
{
    struct area area = { 0 };
    struct rv_call call;

    rv_call_read(&call, task);
    if (call.compat || !(call.arg[2] & PROT_EXEC_))
        return 0;
    if (call.number == NR_mmap) {
        if (call.arg[3] & MAP_ANONYMOUS_)
            area.flags = RV_MEMORY_F_ANON;
        else if (!(call.arg[2] & PROT_WRITE_))
            return 0; /* a library */
    } else if (call.number == NR_mprotect || call.number == NR_pkey_mprotect) {
        bpf_find_vma(task, call.arg[0], look_at_area, &area, 0);
        if (!area.flags && !(call.arg[2] & PROT_WRITE_))
            return 0; /* a file's own text */
    } else {
        return 0;
    }
    if (call.arg[2] & PROT_WRITE_)
        area.flags |= RV_MEMORY_F_WRITABLE;
    if (!rv_watched(task))
        return 0;
    return send_executable(task, &call, &area);
}

/* ---- Other processes ---- */
static __noinline int send_trace(struct task_struct *task, const struct task_struct *target,
                                 __u32 request)
{
    struct rv_said said = {
        .process = BPF_CORE_READ(task, group_leader, start_boottime),
        .object = BPF_CORE_READ(target, group_leader, start_boottime),
        .dev = request >= NOT_PTRACE_READ ? request : 0,
        .what = WHAT_TRACE,
    };
    const struct file *file = BPF_CORE_READ(target, mm, exe_file);
    struct rv_event_process_ptrace *event;
    struct rv_scratch *scratch;

    if (said.process == said.object || !rv_first_time(&said, bpf_ktime_get_boot_ns(), REPEAT_NS))
        return 0;
    rv_identity_check(RV_IDENTITY_EVENT);
    scratch = RV_BEGIN(RV_SCRATCH_TASK, PROCESS_PTRACE, process_ptrace, task);
    if (!scratch)
        return 0;
    event = RV_BODY(scratch, process_ptrace);
    event->target_start_boot_ns = said.object;
    event->target_tgid = (__u32)BPF_CORE_READ(target, tgid);
    event->request = request;
    if (file)
        rv_put_path(scratch, &event->target_path, &file->f_path);
    rv_send(scratch, RV_RING_MAIN);
    return 0;
}

static __always_inline int other_memory(struct task_struct *task, const struct mm_struct *mm)
{
    const struct task_struct *target = BPF_CORE_READ(mm, owner);
    struct rv_call call;
    __u32 request;

    if (!target)
        return 0; /* an address space that is being made or ended */
    rv_call_read(&call, task);
    if (call.compat)
        return 0;
    switch (call.number) {
    case NR_ptrace:
        request = (__u32)call.arg[0];
        break;
    case NR_process_vm_writev:
    case NR_write:
    case NR_pwrite64:
    case NR_writev:
    case NR_pwritev:
        request = NOT_PTRACE;
        break;
    case NR_process_vm_readv:
        request = NOT_PTRACE_READ;
        break;
    default:
        return 0;
    }
    return rv_watched(task) ? send_trace(task, target, request) : 0;
}

SEC("tp_btf/mmap_lock_start_locking")
int BPF_PROG(rv_memory_lock, struct mm_struct *mm, bool write)
{
    struct task_struct *task = bpf_get_current_task_btf();

    if (task->mm == mm)
        return write ? own_memory(task) : 0;
    if (task->flags & (PF_KTHREAD | PF_EXITING))
        return 0;
    return other_memory(task, mm);
}

SEC("tp_btf/sched_process_wait")
int BPF_PROG(rv_memory_wait)
{
    struct task_struct *task = bpf_get_current_task_btf();
    const struct list_head *first = task->ptraced.next;

    if ((__u64)first == (__u64)task + bpf_core_field_offset(struct task_struct, ptraced))
        return 0; /* traces nobody */
    if (!rv_watched(task))
        return 0;
    return send_trace(task, RV_PAST_OF(first, const struct task_struct, ptrace_entry), 0);
}
