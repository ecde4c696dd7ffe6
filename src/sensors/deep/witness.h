/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/**
 * @file deep/witness.h  Two witnesses of one call: what its argument said when the call began, and
 * what the kernel took. They differ only when somebody changed the caller's memory in between.
 *
 * The first is heard at sys_enter (deep.bpf.c), the second at the LSM hook of the same call, while
 * the kernel's own copy is still at hand: for an open the name that path lookup works with
 * (nameidata), for an exec bprm->filename, for a connect the address that the hook is given. Byte
 * is compared with byte, before any resolution, so symbolic links, relative paths, chroot and
 * mounts make no difference. A name that the kernel made up itself has no user pointer, or another
 * one. Then the caller's memory is read again: who changes it after the copy is told too.
 *
 * What was not in memory at the entry (a page that was never touched) is heard at the hook alone.
 * Not heard: 32-bit calls, io_uring, argv.
 */
#pragma once

#include "bpf/call.h"

#define ARGUMENT_MAX   4096U         /* PATH_MAX */
#define ADDRESS_MAX    128U          /* struct sockaddr_storage */
#define RACE_WINDOW_NS 1000000000ULL /* a process is told of once in so long, by call */

/* What a thread said. Its own: nobody else writes it, and a thread is in one call at a time. */
struct argument {
    __u64 pointer; /* in the caller's memory; 0: nothing to compare */
    __u32 call;    /* RV_RACE_* */
    __u32 seen_len, taken_len;
    __s32 folder; /* of execveat(2) */
    __u8 seen[ARGUMENT_MAX], taken[ARGUMENT_MAX];
};

struct {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct argument);
} rv_arguments SEC(".maps");

/* ---- The entry ---- */

struct said {
    __u64 pointer;
    __u32 call;
    __s32 folder;
    __u32 len; /* of an address */
};

RV_INLINE void read_call(const struct pt_regs *regs, long number, struct said *said)
{
    if (regs->cs == USER32_CS)
        return;
    switch (number) {
    case NR_open:
    case NR_creat:
        said->call = RV_RACE_OPEN;
        said->pointer = regs->di;
        break;
    case NR_openat:
    case NR_openat2:
        said->call = RV_RACE_OPEN;
        said->pointer = regs->si;
        break;
    case NR_execve:
        said->call = RV_RACE_EXEC;
        said->pointer = regs->di;
        break;
    case NR_execveat:
        said->call = RV_RACE_EXEC;
        said->folder = (__s32)regs->di;
        said->pointer = regs->si;
        break;
    case NR_connect:
        said->call = RV_RACE_CONNECT;
        said->pointer = regs->si;
        said->len = (__u32)regs->dx;
        break;
    default:
        break;
    }
}

/** What stands in the caller's memory now; 0 bytes when it cannot be read. */
RV_INLINE void look(struct argument *argument, __u32 address_len)
{
    const void *source = (const void *)argument->pointer;
    long len;

    argument->seen_len = 0;
    if (argument->call != RV_RACE_CONNECT) {
        len = bpf_probe_read_user_str(argument->seen, ARGUMENT_MAX, source);
        argument->seen_len = len > 0 ? (__u32)len : 0;
        return;
    }
    if (address_len > ADDRESS_MAX)
        return;
    RV_MASK(address_len, 255);
    if (bpf_probe_read_user(argument->seen, address_len, source) == 0)
        argument->seen_len = address_len;
}

/** Called at every system call of a watched thread. */
RV_INLINE void hear_entry(struct task_struct *task, const struct pt_regs *regs, long number)
{
    struct said said = { 0 };
    struct argument *argument;

    read_call(regs, number, &said);
    argument = bpf_task_storage_get(&rv_arguments, task, NULL,
                                    said.call ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);
    if (!argument)
        return;
    argument->pointer = said.pointer;
    argument->call = said.call;
    argument->folder = said.folder;
    if (said.call)
        look(argument, said.len);
}

/* ---- The hook ---- */

struct comparison {
    const struct argument *argument;
    __u32 len, differs;
};

static long compare_word(__u32 index, void *context)
{
    struct comparison *comparison = context;
    const struct argument *argument = comparison->argument;
    __u32 at = index * 8, left;
    __u64 differ;

    if (at >= comparison->len)
        return 1;
    left = comparison->len - at;
    RV_MASK(at, ARGUMENT_MAX - 8);
    differ = *(const __u64 *)(argument->seen + at) ^ *(const __u64 *)(argument->taken + at);
    if (left < 8) /* what is behind the last byte is of some earlier call */
        differ &= (1ULL << (left * 8)) - 1;
    comparison->differs = differ != 0;
    return comparison->differs;
}

RV_INLINE bool differs(const struct argument *argument)
{
    struct comparison comparison = { .argument = argument, .len = argument->taken_len };

    if (!argument->seen_len)
        return false; /* not heard */
    if (argument->seen_len != argument->taken_len)
        return true;
    bpf_loop(ARGUMENT_MAX / 8, compare_word, &comparison, 0);
    return comparison.differs;
}

RV_INLINE __u32 port_of(const __u8 *address)
{
    return (__u32)address[2] << 8 | address[3];
}

RV_INLINE void put_address(struct rv_scratch *scratch, struct rv_event_process_race *event,
                           const struct argument *argument)
{
    const __u8 *seen = argument->seen, *taken = argument->taken;

    event->seen_family = *(const __u16 *)seen;
    event->taken_family = *(const __u16 *)taken;
    if (event->seen_family == AF_UNIX)
        rv_put_kernel(scratch, &event->seen, seen + 2, argument->seen_len - 2, RV_EVENT_NAME_MAX,
                      argument->seen_len - 2);
    else
        event->seen_port = port_of(seen);
    if (event->taken_family == AF_UNIX)
        rv_put_kernel(scratch, &event->taken, taken + 2, argument->taken_len - 2, RV_EVENT_NAME_MAX,
                      argument->taken_len - 2);
    else
        event->taken_port = port_of(taken);
    if (event->seen_family == AF_INET)
        __builtin_memcpy(event->seen_addr.bytes, seen + 4, 4);
    else if (event->seen_family == AF_INET6)
        __builtin_memcpy(event->seen_addr.bytes, seen + 8, 16);
    if (event->taken_family == AF_INET)
        __builtin_memcpy(event->taken_addr.bytes, taken + 4, 4);
    else if (event->taken_family == AF_INET6)
        __builtin_memcpy(event->taken_addr.bytes, taken + 8, 16);
}

static __noinline int tell(struct argument *argument, __u32 moment)
{
    struct task_struct *task = bpf_get_current_task_btf();
    struct rv_event_process_race *event;
    struct rv_scratch *scratch;
    struct rv_said said = {
        .process = BPF_CORE_READ(task, group_leader, start_boottime),
        .object = argument->call,
        .what = RV_EVENT_PROCESS_RACE,
    };

    if (!rv_first_time(&said, bpf_ktime_get_boot_ns(), RACE_WINDOW_NS))
        return 0;
    scratch = RV_BEGIN(RV_SCRATCH_TASK, PROCESS_RACE, process_race, task);
    if (!scratch)
        return 0;
    scratch->header.flags = RV_EVENT_F_INLINE;
    event = RV_BODY(scratch, process_race);
    event->call = argument->call;
    event->moment = moment;
    if (argument->call == RV_RACE_CONNECT) {
        put_address(scratch, event, argument);
    } else {
        rv_put_kernel(scratch, &event->seen, argument->seen, argument->seen_len - 1,
                      RV_EVENT_PATH_MAX, argument->seen_len - 1);
        rv_put_kernel(scratch, &event->taken, argument->taken, argument->taken_len - 1,
                      RV_EVENT_PATH_MAX, argument->taken_len - 1);
    }
    return rv_send(scratch, RV_RING_URGENT);
}

/** Hear both: what stood there at the entry, and what stands there now. */
static __noinline int judge(struct argument *argument)
{
    if (differs(argument)) {
        tell(argument, RV_RACE_ENTRY);
    } else {
        look(argument, argument->taken_len);
        if (differs(argument))
            tell(argument, RV_RACE_HOOK);
    }
    argument->pointer = 0; /* once a call: a script's exec comes by again for its interpreter */
    return 0;
}

/** What this thread said, if the call that it is in is such a one. */
RV_INLINE struct argument *heard(__u32 call)
{
    struct argument *argument =
        bpf_task_storage_get(&rv_arguments, bpf_get_current_task_btf(), NULL, 0);

    return argument && argument->pointer && argument->call == call ? argument : NULL;
}

RV_INLINE void take_text(struct argument *argument, const char *text)
{
    long len = bpf_probe_read_kernel_str(argument->taken, ARGUMENT_MAX, text);

    argument->taken_len = len > 0 ? (__u32)len : 0;
    if (argument->taken_len)
        judge(argument);
}

SEC("lsm/file_open")
int BPF_PROG(rv_witness_open, struct file *file)
{
    struct argument *argument = heard(RV_RACE_OPEN);
    const struct filename *name;

    (void)file;
    if (!argument)
        return 0;
    name = BPF_CORE_READ(bpf_get_current_task_btf(), nameidata, name);
    if (name && (__u64)BPF_CORE_READ(name, uptr) == argument->pointer)
        take_text(argument, BPF_CORE_READ(name, name));
    return 0;
}

/** The caller's part of bprm->fdpath, which is "/dev/fd/N/name", or "/dev/fd/N" for no name. */
RV_INLINE const char *after_folder(const char *made, __s32 folder)
{
    __u32 len = sizeof("/dev/fd/") - 1 + 1, number = (__u32)folder;
    char slash = 0;

    for (int digits = 1; digits < 10 && number >= 10; digits++) {
        number /= 10;
        len++;
    }
    bpf_probe_read_kernel(&slash, 1, made + len);
    return made + len + (slash == '/');
}

SEC("lsm/bprm_check_security")
int BPF_PROG(rv_witness_exec, struct linux_binprm *bprm)
{
    struct argument *argument = heard(RV_RACE_EXEC);
    const char *made;

    if (!argument)
        return 0;
    made = BPF_CORE_READ(bprm, fdpath);
    take_text(argument,
              made ? after_folder(made, argument->folder) : BPF_CORE_READ(bprm, filename));
    return 0;
}

SEC("lsm/socket_connect")
int BPF_PROG(rv_witness_connect, struct socket *socket, struct sockaddr *address, int len)
{
    struct argument *argument = heard(RV_RACE_CONNECT);
    __u32 taken = (__u32)len;

    (void)socket;
    if (!argument || taken < 2 || taken > ADDRESS_MAX)
        return 0;
    RV_MASK(taken, 255);
    if (bpf_probe_read_kernel(argument->taken, taken, (const void *)rv_address(address)) < 0)
        return 0;
    argument->taken_len = taken;
    judge(argument);
    return 0;
}
