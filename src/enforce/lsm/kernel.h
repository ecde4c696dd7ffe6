/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/** @file lsm/kernel.h  The kernel fields that the LSM programs read (CO-RE: order means nothing).
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

/* Of the kernel's interface: map types and flags. */
enum {
    BPF_MAP_TYPE_HASH = 1,
    BPF_MAP_TYPE_ARRAY = 2,
    BPF_MAP_TYPE_PERCPU_ARRAY = 6,
    BPF_MAP_TYPE_LRU_HASH = 9,
    BPF_MAP_TYPE_LPM_TRIE = 11,
    BPF_MAP_TYPE_RINGBUF = 27,
    BPF_MAP_TYPE_TASK_STORAGE = 29,
    BPF_F_NO_PREALLOC = 1,
    BPF_F_RDONLY_PROG = 1 << 7,
    BPF_ANY = 0,
    BPF_NOEXIST = 1,
    BPF_LOCAL_STORAGE_GET_F_CREATE = 1,
    BPF_PROG_GET_FD_BY_ID = 13,
    BPF_MAP_GET_FD_BY_ID = 14,
    BPF_LINK_GET_FD_BY_ID = 30,
};

#include <bpf/bpf_helpers.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct super_block {
    __u32 s_dev;
};
struct hlist_node {
    struct hlist_node *next;
};
struct hlist_head {
    struct hlist_node *first;
};
struct inode {
    __u16 i_mode;
    __u64 i_ino;
    __u32 i_nlink;
    struct super_block *i_sb;
    struct hlist_head i_dentry;
};
struct qstr {
    const unsigned char *name;
};
struct dentry {
    struct dentry *d_parent;
    struct qstr d_name;
    struct inode *d_inode;
    struct super_block *d_sb;
    union {
        struct hlist_node d_alias;
    } d_u;
};
struct vfsmount {
    struct dentry *mnt_root;
};
struct mount {
    struct mount *mnt_parent;
    struct dentry *mnt_mountpoint;
    struct vfsmount mnt;
};
struct path {
    struct vfsmount *mnt;
    struct dentry *dentry;
};
struct file {
    unsigned int f_mode, f_flags;
    struct path f_path;
    struct inode *f_inode;
};
struct mm_struct {
    struct file *exe_file;
};
struct vm_area_struct {
    struct file *vm_file;
    void *vm_ops, *anon_vma;
};
typedef struct {
    __u32 val;
} kuid_t;
struct cred {
    kuid_t uid, euid;
};
struct task_struct {
    int tgid;
    int pid;
    __u64 start_boottime;
    struct task_struct *real_parent;
    struct task_struct *group_leader;
    struct mm_struct *mm;
    const struct cred *cred;
};
struct linux_binprm {
    struct file *file;
};
struct iattr {
    unsigned int ia_valid;
    __u16 ia_mode;
};
struct in6_addr {
    __u8 in6_u[16];
};
struct sock_common {
    __u16 skc_family;
    __u16 skc_num;
    __u32 skc_rcv_saddr;
    struct in6_addr skc_v6_rcv_saddr;
};
struct sock {
    struct sock_common __sk_common;
    __u16 sk_type;
    __u16 sk_protocol;
};
struct unix_sock {
    struct sock sk;
    struct path path;
};
struct socket {
    struct sock *sk;
};
struct sockaddr {
    __u16 sa_family;
};
struct msghdr {
    void *msg_name;
    int msg_namelen;
};
struct bpf_iter__task {
    struct task_struct *task;
};
#pragma clang attribute pop

/* Copied whole out of the kernel: no relocation. */
struct rv_qstr {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    __u32 hash, len;
#else
    __u32 len, hash;
#endif
    const unsigned char *name;
};
struct rv_sockaddr_in {
    __u16 family;
    __be16 port;
    __u32 addr;
};
struct rv_sockaddr_in6 {
    __u16 family;
    __be16 port;
    __u32 flow;
    __u8 addr[16];
};
