/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/**
 * @file event/table.h  The event schema. Everything else about events follows from this table: the
 * structs that the kernel fills, the codec, the JSON, the validation and docs/events.md.
 *
 * An event in memory, in a ring and on disk is the same bytes, little-endian:
 *   struct rv_event (header) | struct rv_event_<type> (body, starts with the header) | string bytes
 * padded to a multiple of 8. A string field holds offset and length into the same event, so an
 * event can be moved with memcpy and never points anywhere.
 *
 * Shared with BPF programs: no libc, only <linux/types.h> (BPF: the types must be declared before).
 *
 * To add a type: one line in RV_EVENT_TYPES, one RV_FIELDS_<type> list. Numbers are never reused.
 * To add a field: at the end of its list; readers take a shorter body as "not known" (zero).
 * Order fields by size, 64-bit and strings first, so that the struct has no holes.
 */
#pragma once

#ifndef __bpf__
#include <linux/types.h>
#endif

#define RV_EVENT_VERSION 1

/* Bounds on what a sensor copies, bytes; the true length is always kept beside it. */
#define RV_EVENT_PATH_MAX 1024
#define RV_EVENT_ARGV_MAX 2048
#define RV_EVENT_NAME_MAX 128
#define RV_EVENT_SIZE_MAX 8192 /* whole event */

/** Bytes inside the event. Cut short when true_len > len; true_len 0 and len 0: not known. */
struct rv_event_str {
    __u16 offset;   /* from the start of the event */
    __u16 len;      /* bytes stored; no NUL */
    __u32 true_len; /* bytes there were */
};

struct rv_event_addr {
    __u8 bytes[16]; /* AF_INET: first 4; AF_INET6: all; network order */
};

/** Header flags. */
#define RV_EVENT_F_SNAPSHOT 1U /* found by a scan of /proc, not seen as it happened */
#define RV_EVENT_F_INLINE   2U /* seen before the fact, by a hook that can refuse */
#define RV_EVENT_F_DENIED   4U /* the kernel answered the caller with a refusal */
#define RV_EVENT_F_KTHREAD  8U
#define RV_EVENT_F_USER_MEMORY 16U /* a string comes from the caller's memory, which may change */

/** The header of every event: who, where, when. 88 bytes. */
struct rv_event {
    __u32 size;    /* whole event in bytes, multiple of 8 */
    __u16 version; /* RV_EVENT_VERSION */
    __u16 type;    /* enum rv_event_type */
    __u32 flags;   /* RV_EVENT_F_* */
    __u32 weight;  /* how many events this one stands for: 1, more when sampled under overload */
    __u64 seq;     /* per cpu, from 1, no gaps except those that loss events report */
    __u64 time_boot_ns;  /* CLOCK_BOOTTIME */
    __u64 start_boot_ns; /* with tgid: the process key */
    __u64 cgroup_id;     /* cgroup v2 id (inode), 0 when not known */
    __u32 tgid;
    __u32 tid;
    __u32 uid;
    __u32 gid;
    __u32 cpu;
    __u32 pid_ns; /* inode number of the pid namespace */
    char comm[16];
};

/* ---- Types: T(number, CONSTANT, struct name, "name on the wire", "meaning") ---- */
#define RV_EVENT_TYPES(T)                                                                          \
    T(1, PROCESS_FORK, process_fork, "process.fork", "a process was created (threads excluded)")   \
    T(2, PROCESS_EXEC, process_exec, "process.exec", "a process started a program")                \
    T(3, PROCESS_EXIT, process_exit, "process.exit", "a process ended")                            \
    T(4, PROCESS_CRED, process_cred, "process.cred", "a process changed its credentials")          \
    T(5, PROCESS_PTRACE, process_ptrace, "process.ptrace", "a process attached to another")        \
    T(6, PROCESS_SIGNAL, process_signal, "process.signal",                                         \
      "a process signalled one outside its own tree")                                              \
    T(7, MEMORY_EXEC, memory_exec, "memory.exec",                                                  \
      "memory became executable: anonymous, or writable too")                                      \
    T(8, PROCESS_RACE, process_race, "process.race",                                               \
      "an argument of a system call changed under it: what it names was not what was taken")       \
    T(16, FILE_OPEN, file_open, "file.open",                                                       \
      "a file was opened: writes and creates always, reads where the policy watches")              \
    T(17, FILE_RENAME, file_rename, "file.rename", "a file was renamed")                           \
    T(18, FILE_UNLINK, file_unlink, "file.unlink", "a name was removed")                           \
    T(19, FILE_LINK, file_link, "file.link", "a hard or symbolic link was made")                   \
    T(20, FILE_ATTR, file_attr, "file.attr", "mode or owner of a file changed")                    \
    T(21, FILE_TRUNCATE, file_truncate, "file.truncate", "a file was cut or extended")             \
    T(32, NET_CONNECT, net_socket, "net.connect", "an outgoing connection was started")            \
    T(33, NET_ACCEPT, net_socket, "net.accept", "a connection was accepted")                       \
    T(34, NET_BIND, net_socket, "net.bind", "a socket got a local address")                        \
    T(35, NET_LISTEN, net_socket, "net.listen", "a socket began to listen")                        \
    T(48, KERNEL_MODULE, kernel_load, "kernel.module", "a kernel module was loaded")               \
    T(49, KERNEL_BPF, kernel_load, "kernel.bpf", "a BPF program or map was loaded or changed")     \
    T(50, KERNEL_KEXEC, kernel_load, "kernel.kexec", "another kernel was loaded")                  \
    T(51, MOUNT, mount, "mount", "a file system was mounted, moved or unmounted")                  \
    T(52, NAMESPACE, namespace, "namespace", "a process entered or made namespaces")               \
    T(64, SYSCALLS, syscalls, "syscalls", "deep watching: a thread's next system calls, in order") \
    T(80, LOSS, loss, "loss", "events were lost, or the judge was away")                           \
    T(81, TAMPER, tamper, "tamper", "somebody touched Reeve itself")

/* ---- Fields: F(KIND, name, "unit and meaning"); KIND is U8 U16 U32 U64 I32 I64 STR ADDR ---- */
#define RV_FIELDS_process_fork(F)                                                                  \
    F(U64, child_start_boot_ns, "with child_tgid: the child's process key")                        \
    F(U64, clone_flags, "CLONE_* of clone(2), 0 when not known")                                   \
    F(U32, child_tgid, "process id of the child")                                                  \
    F(U32, child_pid_ns, "pid namespace of the child")

/* exec_flags of process.exec */
#define RV_EXEC_F_MEMFD   1U  /* the program is a memfd: no file system holds it */
#define RV_EXEC_F_DELETED 2U  /* the program's last name was already removed */
#define RV_EXEC_F_SCRIPT  4U  /* started through #! or binfmt; `interpreter` is what runs */
#define RV_EXEC_F_SETID   8U  /* set-user-id or set-group-id bit in effect */
#define RV_EXEC_F_PRELOAD 16U /* LD_PRELOAD, LD_AUDIT or LD_LIBRARY_PATH in the environment */

#define RV_FIELDS_process_exec(F)                                                                  \
    F(U64, parent_start_boot_ns, "with parent_tgid: the parent's process key")                     \
    F(U64, inode, "inode of the program that runs")                                                \
    F(U64, ctime_ns, "its ctime, Unix time")                                                       \
    F(STR, path, "the program that runs, resolved by the kernel")                                  \
    F(STR, argv, "arguments, each ended by a NUL byte")                                            \
    F(STR, cwd, "working directory")                                                               \
    F(STR, interpreter, "what the caller named when it is not what runs: the script")              \
    F(STR, cgroup, "cgroup v2 path, empty when not known")                                         \
    F(U32, parent_tgid, "process id of the parent")                                                \
    F(U32, dev, "device of the program's file system, major << 20 | minor")                        \
    F(U32, euid, "effective user id after the exec")                                               \
    F(U32, egid, "effective group id after the exec")                                              \
    F(U32, file_uid, "owner of the program")                                                       \
    F(U32, file_mode, "st_mode of the program")                                                    \
    F(U32, argc, "number of arguments, those cut off included")                                    \
    F(U32, tty, "controlling terminal, major << 20 | minor, 0 for none")                           \
    F(U32, session, "session id")                                                                  \
    F(U32, exec_flags, "RV_EXEC_F_*")

#define RV_FIELDS_process_exit(F)                                                                  \
    F(U64, runtime_ns, "wall time since the process started")                                      \
    F(U64, cpu_ns, "user and system time of all threads")                                          \
    F(I32, status, "wait(2) status: code << 8, or the signal")                                     \
    F(U32, children, "0, reserved")

#define RV_FIELDS_process_cred(F)                                                                  \
    F(U64, old_caps, "effective capabilities before")                                              \
    F(U64, new_caps, "effective capabilities after")                                               \
    F(U32, old_uid, "real user id before")                                                         \
    F(U32, new_uid, "real user id after")                                                          \
    F(U32, old_euid, "effective user id before")                                                   \
    F(U32, new_euid, "effective user id after")                                                    \
    F(U32, old_egid, "effective group id before")                                                  \
    F(U32, new_egid, "effective group id after")

#define RV_FIELDS_process_ptrace(F)                                                                \
    F(U64, target_start_boot_ns, "with target_tgid: the target's process key")                     \
    F(STR, target_path, "the target's program, empty when not known")                              \
    F(U32, target_tgid, "process id of the target")                                                \
    F(U32, request, "ptrace(2) request; 0xffff: wrote, 0xfffe: read its memory without ptrace(2)")

#define RV_FIELDS_process_signal(F)                                                                \
    F(U64, target_start_boot_ns, "with target_tgid: the target's process key")                     \
    F(U32, target_tgid, "process id of the target")                                                \
    F(I32, signal, "signal number")

/* exec_kind of memory.exec */
#define RV_MEMORY_F_ANON     1U /* no file behind it (or a memfd) */
#define RV_MEMORY_F_WRITABLE 2U /* writable and executable at once */
#define RV_MEMORY_F_WRITTEN  4U /* was writable before, so its content is the program's own */

#define RV_FIELDS_memory_exec(F)                                                                   \
    F(U64, address, "start address")                                                               \
    F(U64, length, "bytes")                                                                        \
    F(STR, path, "the file mapped, empty when anonymous")                                          \
    F(U32, prot, "PROT_* asked for")                                                               \
    F(U32, memory_flags, "RV_MEMORY_F_*")

/* call and moment of process.race */
#define RV_RACE_OPEN    1U
#define RV_RACE_EXEC    2U
#define RV_RACE_CONNECT 3U
#define RV_RACE_ENTRY   1U
#define RV_RACE_HOOK    2U

#define RV_FIELDS_process_race(F)                                                                  \
    F(STR, seen, "the path, or the Unix address, that stood in the caller's memory")               \
    F(STR, taken, "what the kernel took")                                                          \
    F(ADDR, seen_addr, "RV_RACE_CONNECT: the address that stood there")                            \
    F(ADDR, taken_addr, "RV_RACE_CONNECT: what the kernel took")                                   \
    F(U32, call, "1: open, 2: exec, 3: connect")                                                   \
    F(U32, moment, "seen 1: at the entry of the call, 2: at the hook, after the kernel took it")   \
    F(U32, seen_family, "RV_RACE_CONNECT: AF_*")                                                   \
    F(U32, taken_family, "RV_RACE_CONNECT: AF_*")                                                  \
    F(U32, seen_port, "RV_RACE_CONNECT: host order")                                               \
    F(U32, taken_port, "RV_RACE_CONNECT: host order")

/* access of file.open */
#define RV_ACCESS_READ   1U
#define RV_ACCESS_WRITE  2U
#define RV_ACCESS_CREATE 4U /* the file did not exist before */
#define RV_ACCESS_TRUNC  8U
#define RV_ACCESS_APPEND 16U

#define RV_FIELDS_file_open(F)                                                                     \
    F(U64, inode, "inode of the file")                                                             \
    F(STR, path, "absolute path in the opener's mount namespace, as the kernel resolved it")       \
    F(U32, dev, "device, major << 20 | minor")                                                     \
    F(U32, access, "RV_ACCESS_*")                                                                  \
    F(U32, open_flags, "O_* of open(2)")                                                           \
    F(U32, file_uid, "owner of the file")                                                          \
    F(U32, file_mode, "st_mode of the file")                                                       \
    F(U32, fd, "0, reserved")

#define RV_FIELDS_file_rename(F)                                                                   \
    F(U64, inode, "inode of the file")                                                             \
    F(STR, path, "path before")                                                                    \
    F(STR, new_path, "path after")                                                                 \
    F(U32, dev, "device, major << 20 | minor")                                                     \
    F(U32, rename_flags, "RENAME_* of renameat2(2)")

#define RV_FIELDS_file_unlink(F)                                                                   \
    F(U64, inode, "inode of the file")                                                             \
    F(STR, path, "path removed")                                                                   \
    F(U32, dev, "device, major << 20 | minor")                                                     \
    F(U32, links, "names left after this one")

#define RV_FIELDS_file_link(F)                                                                     \
    F(U64, inode, "inode of the file linked to, 0 for a symbolic link")                            \
    F(STR, path, "what is linked to")                                                              \
    F(STR, new_path, "the new name")                                                               \
    F(U32, dev, "device, major << 20 | minor")                                                     \
    F(U32, symbolic, "1 for a symbolic link, 0 for a hard one")

#define RV_FIELDS_file_attr(F)                                                                     \
    F(U64, inode, "inode of the file")                                                             \
    F(STR, path, "path of the file")                                                               \
    F(U32, dev, "device, major << 20 | minor")                                                     \
    F(U32, old_mode, "st_mode before, 0 when not known")                                                             \
    F(U32, new_mode, "st_mode after")                                                              \
    F(U32, old_uid, "owner before, 4294967295 when not known")                                                                \
    F(U32, new_uid, "owner after")                                                                 \
    F(U32, old_gid, "group before, 4294967295 when not known")                                                                \
    F(U32, new_gid, "group after")                                                                 \
    F(U32, changed, "bits: 1 mode, 2 owner, 4 security attribute (file capabilities, labels)")

#define RV_FIELDS_file_truncate(F)                                                                 \
    F(U64, inode, "inode of the file")                                                             \
    F(U64, length, "bytes after")                                                                  \
    F(STR, path, "path of the file")                                                               \
    F(U32, dev, "device, major << 20 | minor")                                                     \
    F(U32, file_uid, "owner of the file")

#define RV_FIELDS_net_socket(F)                                                                    \
    F(STR, path, "AF_UNIX: the path; abstract names begin with a NUL byte")                        \
    F(ADDR, addr, "peer (connect, accept) or local (bind, listen) address")                        \
    F(ADDR, local_addr, "connect, accept: our own address, zero when not known")                   \
    F(U32, family, "AF_INET, AF_INET6 or AF_UNIX")                                                 \
    F(U32, protocol, "IPPROTO_TCP, IPPROTO_UDP, ... 0 when not known")                             \
    F(U32, port, "of addr, host order")                                                            \
    F(U32, local_port, "of local_addr, host order")

#define RV_FIELDS_kernel_load(F)                                                                   \
    F(STR, name, "name of the module, program or map")                                             \
    F(STR, path, "file it came from, empty when not known")                                        \
    F(U32, command, "bpf(2) command; 0 otherwise")                                                 \
    F(U32, kind, "BPF program or map type; 0 otherwise")                                           \
    F(U32, id, "BPF object id; 0 when not known")                                                  \
    F(U32, taints, "module taint flags")

#define RV_FIELDS_mount(F)                                                                         \
    F(U64, mount_flags, "MS_* of mount(2)")                                                        \
    F(STR, source, "what is mounted")                                                              \
    F(STR, target, "where")                                                                        \
    F(STR, fstype, "file system type")                                                             \
    F(U32, operation, "1: mount, 2: unmount, 3: move, 4: pivot_root or chroot")                    \
    F(U32, result, "0 or errno")

#define RV_FIELDS_namespace(F)                                                                     \
    F(U64, namespaces, "CLONE_NEW* bits")                                                          \
    F(U32, operation, "1: unshare, 2: setns")                                                      \
    F(U32, result, "0 or errno")

#define RV_FIELDS_syscalls(F)                                                                      \
    F(U64, first, "number of the first call of this batch in the thread's life, from 0")           \
    F(STR, calls, "16-bit little-endian system call numbers, in order")                            \
    F(U32, arch, "AUDIT_ARCH_*")                                                                   \
    F(U32, count, "number of calls")

/* cause of loss */
#define RV_LOSS_RING_FULL 1U /* the kernel found no room in the ring */
#define RV_LOSS_JUDGE     2U /* the judge was away */
#define RV_LOSS_TOO_LONG  3U /* an event did not fit its bounds */
#define RV_LOSS_STATE     4U /* kernel-side state table full */
#define RV_LOSS_BUSY      5U /* an event came up while the same cpu was describing another */
#define RV_LOSS_INVALID   6U /* a record in the ring was not a well-formed event */

#define RV_FIELDS_loss(F)                                                                          \
    F(U64, count, "events lost since the last report of this ring, type and cause")                \
    F(U64, total, "events lost since the sensor started, same ring, type and cause")               \
    F(U64, gap_ns, "RV_LOSS_JUDGE: how long")                                                      \
    F(STR, ring, "name of the ring")                                                               \
    F(U32, lost_type, "event type, 0 for all")                                                     \
    F(U32, cause, "RV_LOSS_*")

#define RV_FIELDS_tamper(F)                                                                        \
    F(STR, object, "name of what was touched")                                                     \
    F(U32, command, "bpf(2) command, or 0")                                                        \
    F(U32, kind, "1: BPF map, 2: BPF program, 3: BPF link, 4: process, 5: file")                   \
    F(U32, id, "BPF id, or process id")                                                            \
    F(U32, result, "0 or errno")

/* ---- What follows from the table ---- */
enum rv_event_type {
    RV_EVENT_NONE = 0,
#define RV_EVENT_CONSTANT(number, constant, ...) RV_EVENT_##constant = number,
    RV_EVENT_TYPES(RV_EVENT_CONSTANT)
#undef RV_EVENT_CONSTANT
        RV_EVENT_TYPE_END_ = 96,
};

#define RV_CTYPE_U8   __u8
#define RV_CTYPE_U16  __u16
#define RV_CTYPE_U32  __u32
#define RV_CTYPE_U64  __u64
#define RV_CTYPE_I32  __s32
#define RV_CTYPE_I64  __s64
#define RV_CTYPE_STR  struct rv_event_str
#define RV_CTYPE_ADDR struct rv_event_addr

#define RV_EVENT_MEMBER(kind, name, meaning) RV_CTYPE_##kind name;
#define RV_EVENT_STRUCT(struct_name)                                                               \
    struct rv_event_##struct_name {                                                                \
        struct rv_event header;                                                                    \
        RV_FIELDS_##struct_name(RV_EVENT_MEMBER)                                                   \
    };

RV_EVENT_STRUCT(process_fork)
RV_EVENT_STRUCT(process_exec)
RV_EVENT_STRUCT(process_exit)
RV_EVENT_STRUCT(process_cred)
RV_EVENT_STRUCT(process_ptrace)
RV_EVENT_STRUCT(process_signal)
RV_EVENT_STRUCT(memory_exec)
RV_EVENT_STRUCT(process_race)
RV_EVENT_STRUCT(file_open)
RV_EVENT_STRUCT(file_rename)
RV_EVENT_STRUCT(file_unlink)
RV_EVENT_STRUCT(file_link)
RV_EVENT_STRUCT(file_attr)
RV_EVENT_STRUCT(file_truncate)
RV_EVENT_STRUCT(net_socket)
RV_EVENT_STRUCT(kernel_load)
RV_EVENT_STRUCT(mount)
RV_EVENT_STRUCT(namespace)
RV_EVENT_STRUCT(syscalls)
RV_EVENT_STRUCT(loss)
RV_EVENT_STRUCT(tamper)
