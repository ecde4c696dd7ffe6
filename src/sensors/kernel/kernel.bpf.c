// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * kernel: modules, bpf(2), kexec, mounts, namespaces entered; hands on the agent's own BPF objects.
 * Hook: cap_capable (tp_btf, Linux 6.14): the kernel asks whether a task has a capability before
 * each of these, so this one rare hook stands for a dozen system calls. The call is the one saved
 * at entry; strings come from the caller's memory and the event says so. module_load (tp_btf)
 * names modules where the kernel has them.
 */
#include "bpf/call.h"
#include "bpf/identity.h"

#define REPEAT_NS 5000000ULL /* one call asks several times */

#define BPF_MAP_CREATE          0U
#define BPF_PROG_LOAD           5U
#define BPF_PROG_ATTACH         8U
#define BPF_PROG_DETACH         9U
#define BPF_PROG_GET_FD_BY_ID   13U
#define BPF_MAP_GET_FD_BY_ID    14U
#define BPF_RAW_TRACEPOINT_OPEN 17U
#define BPF_LINK_CREATE         28U
#define BPF_LINK_UPDATE         29U
#define BPF_LINK_GET_FD_BY_ID   30U
#define BPF_LINK_DETACH         34U

#define OPERATION_MOUNT  1U
#define OPERATION_UMOUNT 2U
#define OPERATION_MOVE   3U
#define OPERATION_ROOT   4U

/** One system call asks for capabilities several times: once is enough. */
static __always_inline bool is_news(const struct task_struct *task, const struct rv_call *call,
                                    __u32 detail)
{
    struct rv_said said = {
        .process = BPF_CORE_READ(task, group_leader, start_boottime),
        .object = (call->arg[0] ^ (call->arg[1] << 1)) + detail,
        .dev = (__u32)BPF_CORE_READ(task, pid),
        .what = 2048U + call->number,
    };

    return rv_first_time(&said, bpf_ktime_get_boot_ns(), REPEAT_NS);
}

/* ---- bpf(2) ---- */
static __always_inline __u32 object_kind(__u32 command)
{
    return command == BPF_MAP_GET_FD_BY_ID    ? RV_OWN_MAP
           : command == BPF_PROG_GET_FD_BY_ID ? RV_OWN_PROGRAM
           : command == BPF_LINK_GET_FD_BY_ID ? RV_OWN_LINK
                                              : 0;
}

/** Somebody opens one of our maps, programs or links by its id. */
static __always_inline void look_for_tampering(struct task_struct *task, __u32 command, __u32 id)
{
    struct rv_wire_own own = { .kind = object_kind(command), .id = id };
    static const char object[] = "agent BPF object";
    struct rv_event_tamper *event;
    struct rv_scratch *scratch;

    if (!own.kind || !bpf_map_lookup_elem(&rv_own_ids, &own))
        return;
    scratch = RV_BEGIN(RV_SCRATCH_TASK, TAMPER, tamper, task);
    if (!scratch)
        return;
    event = RV_BODY(scratch, tamper);
    event->command = command;
    event->kind = own.kind;
    event->id = id;
    rv_put_kernel(scratch, &event->object, object, sizeof(object) - 1, RV_EVENT_NAME_MAX,
                  sizeof(object) - 1);
    rv_send(scratch, RV_RING_URGENT);
}

static __always_inline bool is_reported(__u32 command)
{
    switch (command) {
    case BPF_MAP_CREATE:
    case BPF_PROG_LOAD:
    case BPF_PROG_ATTACH:
    case BPF_PROG_DETACH:
    case BPF_PROG_GET_FD_BY_ID:
    case BPF_MAP_GET_FD_BY_ID:
    case BPF_LINK_GET_FD_BY_ID:
    case BPF_RAW_TRACEPOINT_OPEN:
    case BPF_LINK_CREATE:
    case BPF_LINK_UPDATE:
    case BPF_LINK_DETACH:
        return true;
    default:
        return false;
    }
}

static __always_inline int used_bpf(struct task_struct *task, const struct rv_call *call,
                                    int denied)
{
    __u32 command = (__u32)call->arg[0], first = 0;
    struct rv_event_kernel_load *event;
    struct rv_scratch *scratch;

    if (!is_reported(command))
        return 0;
    /* The first word of the caller's attributes: type of map or program, or an id. */
    bpf_probe_read_user(&first, sizeof(first), (const void *)call->arg[1]);
    if (!is_news(task, call, first))
        return 0;
    rv_identity_check(RV_IDENTITY_EVENT);
    if (!denied)
        look_for_tampering(task, command, first);
    scratch = RV_BEGIN(RV_SCRATCH_TASK, KERNEL_BPF, kernel_load, task);
    if (!scratch)
        return 0;
    scratch->header.flags = RV_EVENT_F_USER_MEMORY | (denied ? RV_EVENT_F_DENIED : 0);
    event = RV_BODY(scratch, kernel_load);
    event->command = command;
    if (command == BPF_MAP_CREATE || command == BPF_PROG_LOAD)
        event->kind = first;
    else if (object_kind(command))
        event->id = first;
    rv_send(scratch, RV_RING_MAIN);
    return 0;
}

/* ---- Modules, kexec ---- */
static __always_inline const struct file *file_of(const struct task_struct *task, __u32 fd)
{
    const struct fdtable *table = BPF_CORE_READ(task, files, fdt);
    struct file **files = BPF_CORE_READ(table, fd);
    const struct file *file = NULL;

    if (fd < BPF_CORE_READ(table, max_fds))
        bpf_probe_read_kernel(&file, sizeof(file), files + fd);
    return file;
}

static __always_inline int loaded(struct task_struct *task, const struct rv_call *call, int denied,
                                  __u16 type, bool by_file)
{
    const struct file *file = by_file ? file_of(task, (__u32)call->arg[0]) : NULL;
    struct rv_event_kernel_load *event;
    struct rv_scratch *scratch;

    if (!is_news(task, call, 0))
        return 0;
    rv_identity_check(RV_IDENTITY_EVENT);
    scratch = RV_BEGIN(RV_SCRATCH_TASK, KERNEL_MODULE, kernel_load, task);
    if (!scratch)
        return 0;
    scratch->header.type = type;
    scratch->header.flags = denied ? RV_EVENT_F_DENIED : 0;
    event = RV_BODY(scratch, kernel_load);
    if (file)
        rv_put_path(scratch, &event->path, &file->f_path);
    rv_send(scratch, RV_RING_URGENT);
    return 0;
}

/* ---- Mounts ---- */
static __always_inline int mounted(struct task_struct *task, const struct rv_call *call, int denied,
                                   __u32 operation)
{
    struct rv_event_mount *event;
    struct rv_scratch *scratch;

    if (!is_news(task, call, 0))
        return 0;
    rv_identity_check(RV_IDENTITY_EVENT);
    scratch = RV_BEGIN(RV_SCRATCH_TASK, MOUNT, mount, task);
    if (!scratch)
        return 0;
    scratch->header.flags = denied ? RV_EVENT_F_DENIED : 0;
    event = RV_BODY(scratch, mount);
    event->operation = operation;
    event->result = denied ? 1 : 0; /* EPERM; what follows the check is not seen here */
    switch (call->number) {
    case NR_mount:
        event->mount_flags = call->arg[3];
        rv_put_user_str(scratch, &event->source, (const char *)call->arg[0]);
        rv_put_user_str(scratch, &event->target, (const char *)call->arg[1]);
        rv_put_user_str(scratch, &event->fstype, (const char *)call->arg[2]);
        break;
    case NR_umount2:
    case NR_chroot:
    case NR_pivot_root:
        rv_put_user_str(scratch, &event->target, (const char *)call->arg[0]);
        break;
    case NR_move_mount:
        rv_put_user_str(scratch, &event->source, (const char *)call->arg[1]);
        rv_put_user_str(scratch, &event->target, (const char *)call->arg[3]);
        break;
    default:
        break;
    }
    rv_send(scratch, RV_RING_MAIN);
    return 0;
}

/* ---- One entry ---- */
SEC("tp_btf/cap_capable")
int BPF_PROG(rv_kernel_capable, const struct cred *cred, struct user_namespace *target_ns,
             const struct user_namespace *capable_ns, int capability, int result)
{
    struct task_struct *task = bpf_get_current_task_btf();
    struct rv_identity *identity;
    struct rv_call call;

    if (capability != 16 && capability != 18 && capability != 21 && capability != 22 &&
        capability != 38 && capability != 39)
        return 0; /* SYS_MODULE SYS_CHROOT SYS_ADMIN SYS_BOOT PERFMON BPF */
    rv_call_read(&call, task);
    if (call.compat || !rv_watched(task))
        return 0;
    switch (call.number) {
    case NR_bpf:
        return used_bpf(task, &call, result);
    case NR_init_module:
    case NR_delete_module:
        return loaded(task, &call, result, RV_EVENT_KERNEL_MODULE, false);
    case NR_finit_module:
        return loaded(task, &call, result, RV_EVENT_KERNEL_MODULE, true);
    case NR_kexec_load:
        return loaded(task, &call, result, RV_EVENT_KERNEL_KEXEC, false);
    case NR_kexec_file_load:
        return loaded(task, &call, result, RV_EVENT_KERNEL_KEXEC, true);
    case NR_mount:
    case NR_mount_setattr:
        return mounted(task, &call, result, OPERATION_MOUNT);
    case NR_move_mount:
        return mounted(task, &call, result, OPERATION_MOVE);
    case NR_umount2:
        return mounted(task, &call, result, OPERATION_UMOUNT);
    case NR_chroot:
    case NR_pivot_root:
        return mounted(task, &call, result, OPERATION_ROOT);
    case NR_setns:
        rv_identity_check(RV_IDENTITY_EVENT);
        identity = rv_identity_of(task);
        if (identity)
            identity->entering = 1; /* the next event finds the new namespaces */
        return 0;
    default:
        return 0;
    }
}
