/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * BPF LSM provider: asks the active table at each hook and refuses with EPERM.
 *
 * Files and folders are known by the object that the kernel already resolved, so symbolic links,
 * bind mounts, /proc/self/root, memory that changes under the call, io_uring and 32-bit calls make
 * no difference. The hooks about programs, files and sockets are in files of their own; here are
 * those about the kernel and about Reeve itself.
 */
#include "kernel.h"

#include "files.h"
#include "programs.h"
#include "sockets.h"

/* enum kernel_read_file_id and kernel_load_data_id, which agree */
#define READING_FIRMWARE  1
#define READING_MODULE    2
#define READING_KEXEC     3
#define READING_INITRAMFS 4

/* ---- The kernel ---- */

static __always_inline __u32 load_action(int what)
{
    if (what == READING_FIRMWARE || what == READING_MODULE)
        return RV_DO_MODULE;
    return what == READING_KEXEC || what == READING_INITRAMFS ? RV_DO_KEXEC : 0;
}

SEC("lsm/kernel_load_data")
int BPF_PROG(rv_load_data, int what, bool contents, int ret)
{
    if (ret || !load_action(what))
        return ret;
    return load_action(what) == RV_DO_KEXEC ? ask_plain(RV_DO_KEXEC) : ask_plain(RV_DO_MODULE);
}

SEC("lsm/kernel_read_file")
int BPF_PROG(rv_read_file, struct file *file, int what, bool contents, int ret)
{
    if (ret || !load_action(what))
        return ret;
    return load_action(what) == RV_DO_KEXEC ? ask_file(RV_DO_KEXEC, file)
                                            : ask_file(RV_DO_MODULE, file);
}

SEC("lsm/userns_create")
int BPF_PROG(rv_userns, const void *cred, int ret)
{
    return ret ? ret : ask_plain(RV_DO_USERNS);
}

/* ---- Self-protection that no rule can say ---- */

static __always_inline bool self_protected(void)
{
    __u32 zero = 0;
    struct rv_lsm_control *c = bpf_map_lookup_elem(&control, &zero);

    return c && c->self && !c->observe;
}

static __noinline int refuse_tampering(__u32 action)
{
    struct task_struct *task = bpf_get_current_task_btf();
    struct question q = { .action = action };
    struct asker who = { 0 };
    __u32 zero = 0;
    struct rv_lsm_control *c = bpf_map_lookup_elem(&control, &zero);
    __u32 table = c ? c->active & 1 : 0;
    struct rv_lsm_table *t = bpf_map_lookup_elem(&tables, &table);

    who.cgroup = bpf_get_current_cgroup_id();
    program_of(task, &who.program);
    read_said(&who, task->group_leader);
    if (t)
        tell(&q, &who, t, 0, RV_REFUSAL_DENIED);
    return -EPERM;
}

/** bpf(2) by id: the way to a program, map or link that somebody else holds. */
static __always_inline bool takes_ours(int command, const void *attr)
{
    __u64 what = command == BPF_PROG_GET_FD_BY_ID   ? RV_LSM_OWN_PROGRAM
                 : command == BPF_MAP_GET_FD_BY_ID  ? RV_LSM_OWN_MAP
                 : command == BPF_LINK_GET_FD_BY_ID ? RV_LSM_OWN_LINK
                                                    : 0;
    __u32 id = 0;
    __u64 key;

    if (!what || !attr)
        return false;
    bpf_probe_read_kernel(&id, sizeof(id), attr);
    key = what << 32 | id;
    return bpf_map_lookup_elem(&own, &key) != NULL;
}

SEC("lsm/bpf")
int BPF_PROG(rv_bpf_call, int command, void *attr, unsigned int size, int ret)
{
    struct task_struct *task = bpf_get_current_task_btf();

    if (ret || is_guarded(task)) /* Reeve must reach its own tables, or could never undo */
        return ret;
    if (self_protected() && takes_ours(command, attr))
        return refuse_tampering(NUMBER(RV_DO_BPF)) < 0 ? -EPERM : 0;
    return ask_plain(RV_DO_BPF);
}

/* A signal that an open file sends, F_SETOWN and F_SETSIG: whoever is running then is not who
 * asked. */
SEC("lsm/file_send_sigiotask")
int BPF_PROG(rv_sigio, struct task_struct *target, void *owner, int sig, int ret)
{
    if (ret || !self_protected() || !is_guarded(target))
        return ret;
    return refuse_tampering(NUMBER(RV_DO_SIGNAL)) < 0 ? -EPERM : 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
