/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/** @file score/about.h  What an event is about: files, folders and peers as the hashes that count.
 */
#pragma once

#include "bpf/kernel.h"

#include "enforce/score_state.h"

#include <bpf/bpf_endian.h>

#define FILE_SEED 0x9e3779b97f4a7c15ULL

struct qstr___whole {
    __u64 hash_len;
} __attribute__((preserve_access_index));
struct dentry___whole {
    struct qstr___whole d_name;
} __attribute__((preserve_access_index));
struct file___mode {
    unsigned int f_mode;
} __attribute__((preserve_access_index));
struct socket {
    struct sock *sk;
} __attribute__((preserve_access_index));
struct sockaddr {
    __u16 sa_family;
} __attribute__((preserve_access_index));
struct msghdr {
    void *msg_name;
    int msg_namelen;
} __attribute__((preserve_access_index));

static __always_inline struct rv_score_file identity(const struct inode *inode)
{
    return (struct rv_score_file){ BPF_CORE_READ(inode, i_ino), BPF_CORE_READ(inode, i_sb, s_dev),
                                   0 };
}

static __always_inline void name_file(struct rv_core_input *input, const struct dentry *dentry)
{
    struct rv_score_file folder = identity(BPF_CORE_READ(dentry, d_parent, d_inode));
    __u64 name =
        BPF_CORE_READ((const struct dentry___whole *)(const void *)dentry, d_name.hash_len);

    input->group = rv_core_mix(folder.inode + FILE_SEED * folder.dev);
    input->object = rv_core_mix(input->group ^ name);
}

static __always_inline bool on_network(__u16 family)
{
    return family == AF_INET || family == AF_INET6;
}

static __always_inline __u16 family_of(const struct sock *sk)
{
    return BPF_CORE_READ(sk, __sk_common.skc_family);
}

struct peer {
    __u16 family;
    __be16 port;
    __u32 v4; /* or flow */
    __u64 v6[2];
};

/** @return whether it is a network address. */
static __always_inline bool name_peer(struct rv_core_input *input, const void *address, int len)
{
    struct peer peer = { 0 };

    if (len >= 28)
        bpf_probe_read_kernel(&peer, 24, address);
    else if (len >= 16)
        bpf_probe_read_kernel(&peer, 16, address);
    if (!on_network(peer.family))
        return false;
    input->object = peer.family == AF_INET ? rv_core_mix(peer.v4)
                                           : rv_core_mix(peer.v6[0] ^ rv_core_mix(peer.v6[1]));
    input->group = bpf_ntohs(peer.port);
    return true;
}

/*
 * `file` may be NULL in mmap_file and kernel_read_file, but 6.12's verifier believes that it never
 * is and removes the test. Through a helper it is a plain number.
 */
static __always_inline struct file *plain(struct file *file)
{
    struct file *number = NULL;

    bpf_probe_read_kernel(&number, sizeof(number), &file);
    return number;
}
