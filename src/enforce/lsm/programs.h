/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/**
 * @file lsm/programs.h  Hooks about starting programs, executable memory and other processes; and
 * those that keep lineage. In all hooks `ret` is what the programs before us said: a refusal
 * stands.
 */
#pragma once

#include "ask.h"

#define PROT_WRITE   2
#define PROT_EXEC    4
#define CLONE_THREAD 0x10000UL

SEC("lsm/bprm_check_security")
int BPF_PROG(rv_exec, struct linux_binprm *bprm, int ret)
{
    struct question q = { .action = NUMBER(RV_DO_EXEC), .has = HAS_KIND };
    struct inode *inode;

    if (ret)
        return ret;
    about_file(&q, bprm->file);
    inode = q.inode;
    q.kind = kind_of(BPF_CORE_READ(inode, i_ino), BPF_CORE_READ(inode, i_sb, s_dev));
    if (without_name(&q))
        q.flags = 1U << RV_FLAG_FILELESS;
    return ask(&q);
}

/*
 * A thread that is not the leader becomes it in the middle of execve and the leader's storage goes:
 * take it over before. When the execve fails after all, nobody reads this copy.
 */
SEC("lsm/bprm_creds_from_file")
int BPF_PROG(rv_exec_thread, struct linux_binprm *bprm, struct file *file, int ret)
{
    struct task_struct *task = bpf_get_current_task_btf(), *leader = task->group_leader;
    struct rv_lsm_lineage *lineage, *lineage_copy;
    struct rv_lsm_said *of, *of_copy;

    if (ret || task->pid == task->tgid)
        return ret;
    lineage = lineage_of(leader);
    lineage_copy = bpf_task_storage_get(&lineages, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (lineage && lineage_copy)
        *lineage_copy = *lineage;
    of = bpf_task_storage_get(&said, leader, NULL, 0);
    if (!of)
        return 0;
    of_copy = bpf_task_storage_get(&said, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (of_copy)
        *of_copy = *of;
    return 0;
}

SEC("lsm/bprm_committed_creds")
int BPF_PROG(rv_exec_done, struct linux_binprm *bprm)
{
    struct task_struct *task = bpf_get_current_task_btf();
    struct rv_lsm_lineage *lineage = lineage_of(task->group_leader);

    if (!lineage)
        return 0;
    program_of(task, &lineage->now);
    remember(lineage, &lineage->now);
    return 0;
}

/*
 * Children begin with their parent's lineage, risk and guard: forking launders none of them.
 * Without memory for a lineage it counts as cut from then on; without memory for a risk there is no
 * child.
 */
SEC("lsm/task_alloc")
int BPF_PROG(rv_fork, struct task_struct *child, unsigned long flags, int ret)
{
    struct task_struct *task = bpf_get_current_task_btf(), *leader = task->group_leader;
    struct rv_lsm_lineage *lineage, *lineage_copy;
    struct rv_lsm_said *of, *of_copy;

    if (ret || (flags & CLONE_THREAD))
        return ret;
    lineage = lineage_of(leader);
    lineage_copy = bpf_task_storage_get(&lineages, child, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (lineage && lineage_copy)
        *lineage_copy = *lineage;
    of = bpf_task_storage_get(&said, leader, NULL, 0);
    if (!of || (!of->risk && !(of->marks & RV_LSM_GUARDED)))
        return 0;
    of_copy = bpf_task_storage_get(&said, child, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (!of_copy)
        return -ENOMEM;
    of_copy->risk = of->risk;
    of_copy->marks = of->marks & RV_LSM_GUARDED;
    return 0;
}

/* What ran before us: its lineage from its living ancestors. Read once by user space at open. */
SEC("iter/task")
int rv_seed(struct bpf_iter__task *ctx)
{
    struct task_struct *task = ctx->task;

    if (task && task->pid == task->tgid)
        (void)lineage_of(task);
    return 0;
}

static __always_inline __u32 memory_flags(bool anonymous, unsigned long prot)
{
    return (anonymous ? 1U << RV_FLAG_ANONYMOUS : 0) |
           (prot & PROT_WRITE ? 1U << RV_FLAG_WRITABLE : 0);
}

SEC("lsm/mmap_file")
int BPF_PROG(rv_mmap, struct file *file, unsigned long reqprot, unsigned long prot,
             unsigned long flags, int ret)
{
    struct question q = { .action = NUMBER(RV_DO_MMAP_EXEC) };

    if (ret || !(prot & PROT_EXEC))
        return ret;
    about_file(&q, file);
    q.flags = memory_flags(!q.inode || without_name(&q), prot);
    return ask(&q);
}

/* Pages of a file that were written to in private (anon_vma) are the program's own, not the file's.
 */
SEC("lsm/file_mprotect")
int BPF_PROG(rv_mprotect, struct vm_area_struct *vma, unsigned long reqprot, unsigned long prot,
             int ret)
{
    struct question q = { .action = NUMBER(RV_DO_MPROTECT_EXEC) };

    if (ret || !(prot & PROT_EXEC))
        return ret;
    about_file(&q, kernel_pointer(&vma->vm_file));
    q.flags = memory_flags(!q.inode || !vma->vm_ops || vma->anon_vma || without_name(&q), prot);
    return ask(&q);
}

/* ---- Other processes ---- */

SEC("lsm/ptrace_access_check")
int BPF_PROG(rv_ptrace, struct task_struct *child, unsigned int mode, int ret)
{
    return ret ? ret : ask_task(RV_DO_PTRACE, child);
}

/* prlimit can kill by the processor's time, so it counts as reaching into the other. */
SEC("lsm/task_setrlimit")
int BPF_PROG(rv_setrlimit, struct task_struct *target, unsigned int resource, void *limit, int ret)
{
    struct task_struct *task = bpf_get_current_task_btf();

    return ret || target->tgid == task->tgid ? ret : ask_task(RV_DO_PTRACE, target);
}

SEC("lsm/task_kill")
int BPF_PROG(rv_kill, struct task_struct *target, void *info, int sig, const void *cred, int ret)
{
    return ret || !sig ? ret : ask_task(RV_DO_SIGNAL, target);
}

SEC("lsm/task_fix_setuid")
int BPF_PROG(rv_setuid, struct cred *new, const struct cred *old, int flags, int ret)
{
    struct question q = { .action = NUMBER(RV_DO_SETUID) };

    if (ret)
        return ret;
    if (!new->euid.val && old->euid.val)
        q.flags = 1U << RV_FLAG_GAINED_ROOT;
    return ask(&q);
}
