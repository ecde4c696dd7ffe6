/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/**
 * @file bpf/kernel.h  The few kernel types and fields that Reeve's BPF programs read.
 *
 * Every struct carries preserve_access_index: libbpf finds the real offsets in the BTF of the
 * kernel it loads on (CO-RE), so order and neighbours here mean nothing and the build needs no BTF.
 * A name with three underscores (`kernfs_node___old`) is the same kernel type as another version
 * had it; ask bpf_core_field_exists() which one is there.
 */
#pragma once

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef __u16 __sum16;
typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)

#include <bpf/bpf_helpers.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
    int counter;
} atomic_t;

struct hlist_node {
    struct hlist_node *next;
};
struct hlist_head {
    struct hlist_node *first;
};
struct list_head {
    struct list_head *next, *prev;
};

typedef struct {
    __u32 val;
} kuid_t;
typedef struct {
    __u32 val;
} kgid_t;
typedef struct {
    __u64 val;
} kernel_cap_t; /* before 6.3: two 32-bit halves; the same 8 bytes */

struct ns_common {
    unsigned int inum;
};
struct user_namespace {
    struct ns_common ns;
};
struct pid_namespace {
    struct ns_common ns;
};
struct mnt_namespace {
    struct ns_common ns;
};
struct net {
    struct ns_common ns;
};
struct uts_namespace {
    struct ns_common ns;
};
struct ipc_namespace {
    struct ns_common ns;
};
struct cgroup_namespace {
    struct ns_common ns;
};
struct nsproxy {
    struct uts_namespace *uts_ns;
    struct ipc_namespace *ipc_ns;
    struct mnt_namespace *mnt_ns;
    struct pid_namespace *pid_ns_for_children;
    struct net *net_ns;
    struct cgroup_namespace *cgroup_ns;
};

struct upid {
    int nr;
    struct pid_namespace *ns;
};
struct pid {
    unsigned int level;
    struct upid numbers[1];
};

struct cred {
    kuid_t uid, suid, euid, fsuid;
    kgid_t gid, sgid, egid, fsgid;
    kernel_cap_t cap_effective;
    struct user_namespace *user_ns;
};

/* ---- Files ---- */
struct qstr {
    __u32 len;
    const unsigned char *name;
};
struct timespec64 {
    __s64 tv_sec;
    long tv_nsec;
};
struct super_block;
struct dentry {
    struct dentry *d_parent;
    struct qstr d_name;
    struct inode *d_inode;
    struct super_block *d_sb;
    union {
        struct hlist_node d_alias;
    } d_u;
};
struct inode {
    __u16 i_mode;
    kuid_t i_uid;
    kgid_t i_gid;
    struct super_block *i_sb;
    unsigned long i_ino;
    unsigned int i_nlink;
    __u32 i_rdev;
    long long i_size;
    __s64 i_ctime_sec; /* 6.11 and later */
    __u32 i_ctime_nsec;
    struct hlist_head i_dentry;
};
struct inode___ctime { /* 6.5 and before */
    struct timespec64 i_ctime;
};
struct inode___priv_ctime { /* 6.6 to 6.10 */
    struct timespec64 __i_ctime;
};
struct mount;
struct super_block {
    __u32 s_dev;
    unsigned long s_magic;
    struct dentry *s_root;
    struct mount *s_mounts; /* 6.18 and later; before: a list of mnt_instance */
};
struct super_block___list {
    struct list_head s_mounts;
};
struct vfsmount {
    struct dentry *mnt_root;
    struct super_block *mnt_sb;
};
struct mount {
    struct mount *mnt_parent;
    struct dentry *mnt_mountpoint;
    struct vfsmount mnt;
    struct mount *mnt_next_for_sb; /* 6.18 and later */
    struct mnt_namespace *mnt_ns;
};
struct mount___list {
    struct list_head mnt_instance;
};
struct path {
    struct vfsmount *mnt;
    struct dentry *dentry;
};
struct file {
    struct path f_path;
    struct inode *f_inode;
    unsigned int f_flags;
    void *private_data;
};
struct fdtable {
    unsigned int max_fds;
    struct file **fd;
};
struct files_struct {
    struct fdtable *fdt;
};
struct fs_struct {
    struct path root, pwd;
};
struct filename {
    const char *name; /* the kernel's copy */
    const char *uptr; /* what it was copied from; NULL: the kernel's own */
};
struct nameidata {
    struct path path;
    struct filename *name;
    struct qstr last;
    unsigned int flags;
    int last_type;
    struct nameidata *saved;
};

/* ---- Processes ---- */
struct mm_struct {
    unsigned long arg_start, arg_end, env_start, env_end;
    struct task_struct *owner;
    struct file *exe_file;
};
struct vm_area_struct {
    unsigned long vm_start, vm_end, vm_flags;
    struct file *vm_file;
    void *anon_vma;
};
struct tty_driver {
    int major, minor_start;
};
struct tty_struct {
    struct tty_driver *driver;
    int index;
};
struct signal_struct {
    atomic_t live;
    int group_exit_code;
    unsigned int flags;
    struct pid *pids[4]; /* PIDTYPE_PID TGID PGID SID */
    struct tty_struct *tty;
    unsigned long long sum_sched_runtime;
};
struct sched_entity {
    __u64 sum_exec_runtime;
};
struct kernfs_node {
    struct kernfs_node *__parent; /* 6.15 and later */
    const char *name;
    __u64 id;
};
struct kernfs_node___old {
    struct kernfs_node *parent;
};
struct cgroup_subsys_state {
    struct cgroup_subsys_state *parent;
};
struct cgroup {
    struct cgroup_subsys_state self;
    struct kernfs_node *kn;
};
struct css_set {
    struct cgroup *dfl_cgrp;
};
struct task_struct {
    unsigned int flags;
    unsigned int ptrace;
    int pid, tgid;
    int exit_code;
    __u64 start_boottime;
    struct sched_entity se;
    struct mm_struct *mm;
    struct task_struct *real_parent, *parent, *group_leader;
    struct list_head ptraced, ptrace_entry;
    struct pid *thread_pid;
    const struct cred *real_cred, *cred;
    struct nameidata *nameidata;
    struct fs_struct *fs;
    struct files_struct *files;
    struct nsproxy *nsproxy;
    struct signal_struct *signal;
    struct css_set *cgroups;
    char comm[16];
};
struct linux_binprm {
    struct file *file;
    struct cred *cred;
    int argc, envc;
    const char *filename, *interp, *fdpath;
};
union __sifields {
    struct {
        int _fd;
    } _sigpoll;
};
struct kernel_siginfo {
    int si_signo, si_code;
    union __sifields _sifields;
};

/* ---- fanotify: the queue of a group of our own ---- */
struct fsnotify_event {
    struct list_head list;
};
struct fsnotify_group {
    struct list_head notification_list;
};
struct fanotify_event {
    struct fsnotify_event fse;
    struct pid *pid;
};
struct fanotify_path_event {
    struct fanotify_event fae;
    struct path path;
};

/* ---- Network ---- */
struct in6_addr {
    union {
        __u8 u6_addr8[16];
    } in6_u;
};
struct sock_common {
    __be32 skc_daddr, skc_rcv_saddr;
    __be16 skc_dport;
    __u16 skc_num;
    __u16 skc_family;
    struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
};
struct sock {
    struct sock_common __sk_common;
    __u16 sk_protocol;
};

#if defined(__x86_64__) || defined(__TARGET_ARCH_x86)
struct pt_regs {
    unsigned long r10, r9, r8, dx, si, di, orig_ax, ax;
    __u16 cs;
};
#endif

#pragma clang attribute pop

/* ---- Contexts and constants of the BPF interface (stable, no CO-RE) ---- */
struct bpf_sock;
struct bpf_sock_addr {
    __u32 user_family;
    __u32 user_ip4;
    __u32 user_ip6[4];
    __u32 user_port;
    __u32 family;
    __u32 type;
    __u32 protocol;
    __u32 msg_src_ip4;
    __u32 msg_src_ip6[4];
    __u64 sk_pointer;
};

enum {
    BPF_MAP_TYPE_HASH = 1,
    BPF_MAP_TYPE_ARRAY = 2,
    BPF_MAP_TYPE_PERCPU_ARRAY = 6,
    BPF_MAP_TYPE_LRU_HASH = 9,
    BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
    BPF_MAP_TYPE_SK_STORAGE = 24,
    BPF_MAP_TYPE_RINGBUF = 27,
    BPF_MAP_TYPE_TASK_STORAGE = 29,
};
#define BPF_ANY 0
enum {
    BPF_F_NO_PREALLOC = 1U << 0,
    BPF_F_RDONLY_PROG = 1U << 7,
    BPF_F_CLONE = 1U << 9,
    BPF_F_MMAPABLE = 1U << 10,
};
enum { BPF_LOCAL_STORAGE_GET_F_CREATE = 1U << 0 };
enum { BPF_RB_NO_WAKEUP = 1U << 0, BPF_RB_FORCE_WAKEUP = 1U << 1, BPF_RB_AVAIL_DATA = 0 };

#define PF_EXITING   0x00000004U
#define PF_IO_WORKER 0x00000010U
#define PF_KTHREAD   0x00200000U

#define S_IFMT  0170000
#define S_IFREG 0100000
#define S_IFDIR 0040000
#define S_IFLNK 0120000
#define S_ISUID 0004000
#define S_ISGID 0002000

#define AF_UNIX  1
#define AF_INET  2
#define AF_INET6 10
