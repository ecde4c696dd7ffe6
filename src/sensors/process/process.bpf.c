// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * process: fork, exec and exit.
 * Hooks: sched_process_fork, sched_process_exec, sched_process_exit (tp_btf): one run for each
 * fact, none on the system call path. Threads are not reported. Everything is read from the
 * kernel's own objects; arguments and environment from the new image, which the kernel has just
 * written and the program has not yet run.
 */
#include "bpf/identity.h"
#include "bpf/program.h"

#define ENVIRONMENT_MAX  256
#define NAME_COMPARE_LEN 16

/* ---- fork ---- */

/* Functions of their own, so that their stacks do not add up (512 bytes a program). */

/** The child's first event is compared with what it was born as. */
static __noinline int inherit(struct task_struct *child)
{
    struct rv_identity *identity =
        bpf_task_storage_get(&rv_identities, child, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
    struct rv_identity born = { 0 };

    if (!identity)
        return 0;
    rv_identity_read(&born, child);
    rv_identity_remember(identity, &born);
    return 0;
}

static __noinline int remember(struct task_struct *child)
{
    struct rv_event who = { 0 };

    rv_put_who(&who, child);
    rv_remember(child, &who);
    return 0;
}

/** CLONE_NEW* bits of the namespaces that the child does not share with its parent. */
static __noinline __u64 new_namespaces(struct task_struct *parent, struct task_struct *child)
{
    struct rv_identity was = { 0 }, is = { 0 };

    rv_identity_read(&was, parent);
    rv_identity_read(&is, child);
    return rv_identity_ns_changed(&was, &is);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(rv_process_fork, struct task_struct *parent, struct task_struct *child)
{
    struct rv_event_process_fork *event;
    struct rv_scratch *scratch;
    __u64 namespaces;

    if (child->pid != child->tgid || (parent->flags & PF_KTHREAD))
        return 0;
    inherit(child); /* even outside the scope: the child may be moved into it */
    if (!rv_watched(parent))
        return 0;
    remember(child);
    rv_identity_check(RV_IDENTITY_EVENT);
    namespaces = new_namespaces(parent, child);
    scratch = RV_BEGIN(RV_SCRATCH_TASK, PROCESS_FORK, process_fork, parent);
    if (!scratch)
        return 0;
    event = RV_BODY(scratch, process_fork);
    event->child_start_boot_ns = child->start_boottime;
    event->child_tgid = (__u32)child->tgid;
    event->child_pid_ns = rv_pid_ns(child);
    event->clone_flags = namespaces;
    rv_send(scratch, RV_RING_MAIN);
    return 0;
}

/* ---- exec ---- */

/* The environment is looked through for what makes the loader run other code. */
struct environment {
    __u64 at, end;
    __u32 found;
    __u32 which; /* scratch */
};

static bool is_loader_variable(const char name[NAME_COMPARE_LEN])
{
    /* LD_PRELOAD= LD_AUDIT= LD_LIBRARY_PATH= */
    if (name[0] != 'L' || name[1] != 'D' || name[2] != '_')
        return false;
    if (name[3] == 'P')
        return name[4] == 'R' && name[5] == 'E' && name[6] == 'L' && name[10] == '=';
    if (name[3] == 'A')
        return name[4] == 'U' && name[5] == 'D' && name[6] == 'I' && name[8] == '=';
    return name[3] == 'L' && name[4] == 'I' && name[5] == 'B' && name[15] == '=';
}

static long environment_step(__u32 index, void *context)
{
    struct environment *environment = context;
    __u32 which = environment->which;
    struct rv_scratch *scratch = bpf_map_lookup_elem(&rv_scratches, &which);
    long len;

    (void)index;
    if (!scratch || environment->at >= environment->end)
        return 1;
    len = bpf_probe_read_user_str(scratch->walk, RV_WALK_SIZE, (const void *)environment->at);
    if (len <= 0)
        return 1;
    if (is_loader_variable((const char *)scratch->walk)) {
        environment->found = 1;
        return 1;
    }
    environment->at += (__u64)len;
    return 0;
}

static __noinline __u32 preload_flag(const struct mm_struct *mm, __u32 which)
{
    struct environment environment = {
        .at = BPF_CORE_READ(mm, env_start),
        .end = BPF_CORE_READ(mm, env_end),
        .which = which,
    };

    bpf_loop(ENVIRONMENT_MAX, environment_step, &environment, 0);
    return environment.found ? RV_EXEC_F_PRELOAD : 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(rv_process_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
    struct rv_event_process_exec *event;
    const struct task_struct *parent;
    const struct mm_struct *mm;
    const struct cred *cred;
    const struct file *file;
    struct rv_scratch *scratch;
    __u64 start, end;
    __u32 preload;

    (void)old_pid;
    if (!rv_watched(task))
        return 0;
    rv_identity_check(RV_IDENTITY_EXEC);
    mm = task->mm;
    scratch = RV_BEGIN(RV_SCRATCH_TASK, PROCESS_EXEC, process_exec, task);
    if (!scratch)
        return 0;
    event = RV_BODY(scratch, process_exec);
    preload = preload_flag(mm, scratch->which); /* before the paths: it uses their scratch */
    event->exec_flags = preload;
    parent = task->real_parent;
    event->parent_tgid = (__u32)parent->tgid;
    event->parent_start_boot_ns = parent->group_leader->start_boottime;
    cred = task->real_cred;
    event->euid = cred->euid.val;
    event->egid = cred->egid.val;
    event->argc = (__u32)BPF_CORE_READ(bprm, argc);
    file = BPF_CORE_READ(bprm, file);
    rv_put_session(event, task);
    rv_put_program(event, file, BPF_CORE_READ(file, f_inode));
    rv_put_path(scratch, &event->path, &file->f_path);
    start = BPF_CORE_READ(mm, arg_start);
    end = BPF_CORE_READ(mm, arg_end);
    rv_put_user(scratch, &event->argv, (const void *)start, (__u32)(end - start),
                RV_EVENT_ARGV_MAX - 1, (__u32)(end - start));
    rv_put_path(scratch, &event->cwd, &task->fs->pwd);
    if (BPF_CORE_READ(bprm, interp) != BPF_CORE_READ(bprm, filename)) {
        event->exec_flags |= RV_EXEC_F_SCRIPT;
        rv_put_kernel_str(scratch, &event->interpreter, BPF_CORE_READ(bprm, filename));
    }
    rv_put_cgroup(scratch, __builtin_offsetof(struct rv_event_process_exec, cgroup), task);
    rv_remember(task, &scratch->header);
    rv_send(scratch, RV_RING_MAIN);
    return 0;
}

/* ---- exit ---- */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(rv_process_exit, struct task_struct *task)
{
    const struct signal_struct *signal = task->signal;
    struct rv_event_process_exit *event;
    struct rv_scratch *scratch;

    if (signal->live.counter != 0 || !rv_watched(task))
        return 0; /* other threads live on */
    rv_identity_check(RV_IDENTITY_EVENT);
    scratch = RV_BEGIN(RV_SCRATCH_TASK, PROCESS_EXIT, process_exit, task);
    if (!scratch)
        return 0;
    event = RV_BODY(scratch, process_exit);
    event->runtime_ns = scratch->header.time_boot_ns - scratch->header.start_boot_ns;
    event->cpu_ns = signal->sum_sched_runtime + task->se.sum_exec_runtime;
    event->status = signal->group_exit_code;
    if (!event->status)
        event->status = task->exit_code;
    rv_remember(task, &scratch->header);
    rv_send(scratch, RV_RING_MAIN);
    return 0;
}
