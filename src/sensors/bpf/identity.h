/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/**
 * @file bpf/identity.h  A process's credentials and namespaces, remembered and compared.
 *
 * Instead of a hook on each of the dozen system calls that change them, every event of a thread
 * compares them with what was seen last. It costs a few loads, sits on no system call path, and
 * sees what no system call did: an exploit that wrote new credentials into the kernel.
 */
#pragma once

#include "bpf/sensor.h"

/** What a thread looked like at its last event. */
struct rv_identity {
    __u64 caps;
    __u64 user_ns; /* kernel addresses, compared only */
    __u64 mnt_ns, pid_ns, net_ns, uts_ns, ipc_ns, cgroup_ns;
    __u32 uid, euid, gid, egid;
    __u32 known;
    __u32 entering;  /* a setns(2) is under way: operation 2, else unshare(2) */
    __u64 new_inode; /* address of the inode that the thread is making */
    __u64 made[4];   /* files that it made last: number << 12 ^ device */
    __u32 making, nothing;
};

RV_MAP struct {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct rv_identity);
} rv_identities SEC(".maps");

#define RV_CLONE_NEWNS     0x00020000ULL
#define RV_CLONE_NEWCGROUP 0x02000000ULL
#define RV_CLONE_NEWUTS    0x04000000ULL
#define RV_CLONE_NEWIPC    0x08000000ULL
#define RV_CLONE_NEWUSER   0x10000000ULL
#define RV_CLONE_NEWPID    0x20000000ULL
#define RV_CLONE_NEWNET    0x40000000ULL

RV_INLINE void rv_identity_read(struct rv_identity *now, const struct task_struct *task)
{
    const struct cred *cred = task->real_cred;
    const struct nsproxy *ns = task->nsproxy;

    bpf_core_read(&now->caps, sizeof(now->caps), &cred->cap_effective);
    now->uid = cred->uid.val;
    now->euid = cred->euid.val;
    now->gid = cred->gid.val;
    now->egid = cred->egid.val;
    now->user_ns = (__u64)cred->user_ns;
    if (!ns)
        return; /* exiting */
    now->mnt_ns = (__u64)ns->mnt_ns;
    now->pid_ns = (__u64)ns->pid_ns_for_children;
    now->net_ns = (__u64)ns->net_ns;
    now->uts_ns = (__u64)ns->uts_ns;
    now->ipc_ns = (__u64)ns->ipc_ns;
    now->cgroup_ns = (__u64)ns->cgroup_ns;
}

/** CLONE_NEW* bits of the namespaces in which two differ. */
RV_INLINE __u64 rv_identity_ns_changed(const struct rv_identity *a, const struct rv_identity *b)
{
    return (a->user_ns != b->user_ns ? RV_CLONE_NEWUSER : 0) |
           (a->mnt_ns != b->mnt_ns ? RV_CLONE_NEWNS : 0) |
           (a->pid_ns != b->pid_ns ? RV_CLONE_NEWPID : 0) |
           (a->net_ns != b->net_ns ? RV_CLONE_NEWNET : 0) |
           (a->uts_ns != b->uts_ns ? RV_CLONE_NEWUTS : 0) |
           (a->ipc_ns != b->ipc_ns ? RV_CLONE_NEWIPC : 0) |
           (a->cgroup_ns != b->cgroup_ns ? RV_CLONE_NEWCGROUP : 0);
}

RV_INLINE bool rv_identity_cred_changed(const struct rv_identity *a, const struct rv_identity *b)
{
    return a->uid != b->uid || a->euid != b->euid || a->egid != b->egid || a->gid != b->gid ||
           a->caps != b->caps;
}

static __noinline int rv_send_cred(struct task_struct *task, const struct rv_identity *before,
                                   const struct rv_identity *now)
{
    struct rv_scratch *scratch = RV_BEGIN(RV_SCRATCH_TASK, PROCESS_CRED, process_cred, task);
    struct rv_event_process_cred *event;

    if (!scratch)
        return 0;
    event = RV_BODY(scratch, process_cred);
    event->old_caps = before->caps;
    event->new_caps = now->caps;
    event->old_uid = before->uid;
    event->new_uid = now->uid;
    event->old_euid = before->euid;
    event->new_euid = now->euid;
    event->old_egid = before->egid;
    event->new_egid = now->egid;
    rv_send(scratch, RV_RING_MAIN);
    return 0;
}

static __noinline int rv_send_namespace(struct task_struct *task, __u64 changed, __u32 operation)
{
    struct rv_scratch *scratch = RV_BEGIN(RV_SCRATCH_TASK, NAMESPACE, namespace, task);

    if (!scratch)
        return 0;
    RV_BODY(scratch, namespace)->namespaces = changed;
    RV_BODY(scratch, namespace)->operation = operation;
    rv_send(scratch, RV_RING_MAIN);
    return 0;
}

enum rv_identity_why {
    RV_IDENTITY_EVENT, /* report what changed */
    RV_IDENTITY_EXEC,  /* the exec event itself carries a set-user-id change */
};

RV_INLINE void rv_identity_remember(struct rv_identity *before, const struct rv_identity *now)
{
    before->caps = now->caps;
    before->user_ns = now->user_ns;
    before->mnt_ns = now->mnt_ns;
    before->pid_ns = now->pid_ns;
    before->net_ns = now->net_ns;
    before->uts_ns = now->uts_ns;
    before->ipc_ns = now->ipc_ns;
    before->cgroup_ns = now->cgroup_ns;
    before->uid = now->uid;
    before->euid = now->euid;
    before->gid = now->gid;
    before->egid = now->egid;
    before->known = 1;
    before->entering = 0;
}

RV_GLOBAL int rv_identity_compare(__u32 why)
{
    struct task_struct *task = bpf_get_current_task_btf();
    struct rv_identity *before =
        bpf_task_storage_get(&rv_identities, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
    struct rv_identity now = { 0 };
    __u64 changed;

    if (!before)
        return 0;
    rv_identity_read(&now, task);
    if (!now.mnt_ns) { /* exiting: the namespaces are gone */
        now.mnt_ns = before->mnt_ns;
        now.pid_ns = before->pid_ns;
        now.net_ns = before->net_ns;
        now.uts_ns = before->uts_ns;
        now.ipc_ns = before->ipc_ns;
        now.cgroup_ns = before->cgroup_ns;
    }
    if (before->known) {
        changed = rv_identity_ns_changed(before, &now);
        if (changed)
            rv_send_namespace(task, changed, before->entering ? 2 : 1);
        if (why == RV_IDENTITY_EVENT ? rv_identity_cred_changed(before, &now)
                                     : before->uid != now.uid)
            rv_send_cred(task, before, &now);
    }
    rv_identity_remember(before, &now);
    return 0;
}

/**
 * Compare the current thread with what it was, report differences, remember. Not between
 * rv_begin() and rv_send().
 */
RV_INLINE void rv_identity_check(enum rv_identity_why why)
{
    rv_identity_compare(why);
}

/** What is remembered of the current thread, or NULL. */
RV_INLINE struct rv_identity *rv_identity_of(struct task_struct *current)
{
    return bpf_task_storage_get(&rv_identities, current, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
}
