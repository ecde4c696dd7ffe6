/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/** @file lsm/sockets.h  Hooks about sockets: their kind, addresses, peers. */
#pragma once

#include "ask.h"

#define AF_UNSPEC   0
#define AF_UNIX     1
#define AF_INET     2
#define AF_INET6    10
#define SOCK_STREAM 1
#define SOCK_DGRAM  2
#define SOCK_RAW    3
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_RAW 255
#define IN6_LEN_MIN 24

static __always_inline void about_kind_of_socket(struct question *q, __u32 family, __u32 type,
                                                 __u32 protocol)
{
    q->family = family;
    q->protocol = protocol;
    if (type == SOCK_RAW)
        q->protocol = IPPROTO_RAW;
    else if (!protocol && (family == AF_INET || family == AF_INET6))
        q->protocol = type == SOCK_STREAM ? IPPROTO_TCP : type == SOCK_DGRAM ? IPPROTO_UDP : 0;
    q->has |= HAS_FAMILY | HAS_PROTOCOL;
}

static __always_inline void about_socket(struct question *q, struct socket *socket)
{
    struct sock *sk = BPF_CORE_READ(socket, sk);

    about_kind_of_socket(q, BPF_CORE_READ(sk, __sk_common.skc_family), BPF_CORE_READ(sk, sk_type),
                         BPF_CORE_READ(sk, sk_protocol));
}

/** No address, :: or 0.0.0.0 or ::ffff:0.0.0.0, is the loopback's. */
static __always_inline void to_oneself(__u8 addr[16])
{
    __u32 *words = (__u32 *)addr;

    if (words[0] | words[1] | words[3])
        return;
    if (words[2] == bpf_htonl(0xffff))
        words[3] = bpf_htonl(0x7f000001);
    else if (!words[2])
        words[3] = bpf_htonl(1);
}

/*
 * As the kernel's protocols read it: an address of IPv6 may be cut after 24 bytes, and a datagram's
 * peer of no family is one of IPv4. To connect to no address is to connect to oneself: it must not
 * pass a rule on 127.0.0.0/8.
 */
static __always_inline void about_address(struct question *q, struct sockaddr *address, int len,
                                          bool peer)
{
    struct rv_sockaddr_in6 in6 = { 0 };
    struct rv_sockaddr_in in = { 0 };

    if (len >= (int)sizeof(in6))
        bpf_probe_read_kernel(&in6, sizeof(in6), address);
    else if (len >= IN6_LEN_MIN)
        bpf_probe_read_kernel(&in6, IN6_LEN_MIN, address);
    else if (len >= (int)sizeof(in))
        bpf_probe_read_kernel(&in6, sizeof(in), address);
    else
        return;
    q->port = bpf_ntohs(in6.port);
    q->has |= HAS_ADDR | HAS_PORT;
    if (in6.family == AF_INET6) {
        __builtin_memcpy(q->addr.addr, in6.addr, 16);
    } else if (in6.family == AF_INET || (in6.family == AF_UNSPEC && q->family == AF_INET)) {
        bpf_probe_read_kernel(&in, sizeof(in), address);
        q->addr.addr[10] = q->addr.addr[11] = 0xff;
        __builtin_memcpy(q->addr.addr + 12, &in.addr, 4);
    } else {
        q->port = 0;
        q->has &= ~(HAS_ADDR | HAS_PORT);
        return;
    }
    if (peer)
        to_oneself(q->addr.addr);
}

SEC("lsm/socket_create")
int BPF_PROG(rv_socket, int family, int type, int protocol, int kern, int ret)
{
    struct question q = { .action = NUMBER(RV_DO_SOCKET) };

    if (ret || kern)
        return ret;
    about_kind_of_socket(&q, (__u32)family, (__u32)type, (__u32)protocol);
    return ask(&q);
}

SEC("lsm/socket_bind")
int BPF_PROG(rv_bind, struct socket *socket, struct sockaddr *address, int len, int ret)
{
    struct question q = { .action = NUMBER(RV_DO_BIND) };

    if (ret)
        return ret;
    about_socket(&q, socket);
    about_address(&q, address, len, false);
    return ask(&q);
}

static __always_inline int ask_peer(struct socket *socket, struct sockaddr *address, int len)
{
    struct question q = { .action = NUMBER(RV_DO_CONNECT) };

    about_socket(&q, socket);
    if (q.family == AF_UNIX) /* asked with the peer, below */
        return 0;
    about_address(&q, address, len, true);
    return ask(&q);
}

SEC("lsm/socket_connect")
int BPF_PROG(rv_connect, struct socket *socket, struct sockaddr *address, int len, int ret)
{
    if (ret || address->sa_family == AF_UNSPEC) /* which ends a connection */
        return ret;
    return ask_peer(socket, address, len);
}

/* A datagram that names its peer is a connect by another name. */
SEC("lsm/socket_sendmsg")
int BPF_PROG(rv_sendmsg, struct socket *socket, struct msghdr *msg, int size, int ret)
{
    void *name = msg->msg_name;

    return ret || !name ? ret : ask_peer(socket, name, msg->msg_namelen);
}

/** The peer's file, however it was named; none when its name is abstract. */
static __always_inline int ask_unix_peer(struct sock *peer)
{
    struct question q = { .action = NUMBER(RV_DO_CONNECT), .has = HAS_FAMILY | HAS_PROTOCOL };
    struct unix_sock *unix_peer = (struct unix_sock *)peer;

    q.family = AF_UNIX;
    q.dentry = BPF_CORE_READ(unix_peer, path.dentry);
    return ask(&q);
}

SEC("lsm/unix_stream_connect")
int BPF_PROG(rv_unix_connect, struct sock *socket, struct sock *peer, struct sock *new, int ret)
{
    return ret ? ret : ask_unix_peer(peer);
}

SEC("lsm/unix_may_send")
int BPF_PROG(rv_unix_send, struct socket *socket, struct socket *peer, int ret)
{
    return ret ? ret : ask_unix_peer(BPF_CORE_READ(peer, sk));
}

/** By the port and address that the socket is bound to. */
static __always_inline int ask_listen(struct socket *socket)
{
    struct question q = { .action = NUMBER(RV_DO_LISTEN) };
    struct sock *sk = BPF_CORE_READ(socket, sk);
    __u32 addr;

    about_socket(&q, socket);
    if (q.family == AF_INET) {
        addr = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
        q.addr.addr[10] = q.addr.addr[11] = 0xff;
        __builtin_memcpy(q.addr.addr + 12, &addr, 4);
    } else if (q.family == AF_INET6) {
        BPF_CORE_READ_INTO(&q.addr.addr, sk, __sk_common.skc_v6_rcv_saddr);
    } else {
        return ask(&q);
    }
    q.port = BPF_CORE_READ(sk, __sk_common.skc_num);
    q.has |= HAS_ADDR | HAS_PORT;
    return ask(&q);
}

SEC("lsm/socket_listen")
int BPF_PROG(rv_listen, struct socket *socket, int backlog, int ret)
{
    return ret ? ret : ask_listen(socket);
}

/* The peer is known only once it is accepted. */
SEC("lsm/socket_accept")
int BPF_PROG(rv_accept, struct socket *socket, struct socket *new, int ret)
{
    struct question q = { .action = NUMBER(RV_DO_ACCEPT) };

    if (ret)
        return ret;
    about_socket(&q, socket);
    return ask(&q);
}
