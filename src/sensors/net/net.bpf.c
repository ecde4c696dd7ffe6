// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * net: connect, bind, listen, accept; and the first datagram of a process to a place.
 * Hooks: cgroup connect, bind and sendmsg (the address is the kernel's copy; they could refuse,
 * here they only look), attached at the root of cgroup v2; and inet_sock_set_state (tp_btf) for
 * listen and accept. A listening socket carries who opened it in socket storage, and the kernel
 * clones that to each accepted connection: so an accept, which happens in an interrupt, is put down
 * to the process that listens. Listeners older than the sensor have no such mark: their accepts are
 * not reported.
 *
 * cgroup programs can be preempted, so events are built in the ring itself, not in scratch.
 */
#include "bpf/sensor.h"

#define TCP_ESTABLISHED 1
#define TCP_SYN_RECV    3
#define TCP_LISTEN      10
#define IPPROTO_TCP     6
#define DATAGRAM        512U /* kind of rv_said, besides the event types */

#define htons_(x) ((__u16)__builtin_bswap16((__u16)(x)))

/* Who listens. */
struct {
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
    __type(key, int);
    __type(value, struct rv_wire_who);
} rv_net_listeners SEC(".maps");

/** Room in the ring for a socket event with its header begun. NULL: full, counted. */
static __always_inline struct rv_event_net_socket *begin(__u16 type, struct rv_wire_counters **row)
{
    struct rv_event_net_socket *event;
    __u64 seq;

    *row = rv_counters_here();
    if (!*row)
        return NULL;
    seq = __sync_fetch_and_add(&(*row)->seq, 1) + 1;
    event = bpf_ringbuf_reserve(&rv_ring, sizeof(*event), 0);
    if (!event) {
        __sync_fetch_and_add(&(*row)->lost[RV_RING_MAIN][RV_LOST_FULL][type], 1);
        __sync_fetch_and_add(&(*row)->lost_total, 1);
        return NULL;
    }
    __builtin_memset(event, 0, sizeof(*event));
    event->header.size = sizeof(*event);
    event->header.version = RV_EVENT_VERSION;
    event->header.type = type;
    event->header.weight = 1;
    event->header.seq = seq;
    event->header.time_boot_ns = bpf_ktime_get_boot_ns();
    event->header.cpu = bpf_get_smp_processor_id();
    return event;
}

static __always_inline void send(struct rv_event_net_socket *event, struct rv_wire_counters *row)
{
    __u32 type = event->header.type;
    __u64 flags = rv_wake_flags(row, event->header.time_boot_ns);

    if (type < RV_WIRE_TYPES)
        __sync_fetch_and_add(&row->emitted[type], 1);
    bpf_ringbuf_submit(event, flags);
}

_Static_assert(sizeof(struct rv_event_net_socket) % 8 == 0, "an event's size is a multiple of 8");

/* ---- connect, bind, sendmsg ---- */

/** `family` is a constant: a program for IPv4 must not even contain a look at the IPv6 fields. */
static __always_inline void put_address(struct rv_event_net_socket *event,
                                        struct bpf_sock_addr *address, const __u32 family)
{
    event->header.flags = RV_EVENT_F_INLINE;
    event->family = family;
    event->protocol = address->protocol;
    event->port = htons_(address->user_port);
    if (family == AF_INET) {
        *(__u32 *)event->addr.bytes = address->user_ip4;
        return;
    }
    *(__u32 *)(event->addr.bytes + 0) = address->user_ip6[0];
    *(__u32 *)(event->addr.bytes + 4) = address->user_ip6[1];
    *(__u32 *)(event->addr.bytes + 8) = address->user_ip6[2];
    *(__u32 *)(event->addr.bytes + 12) = address->user_ip6[3];
}

static __always_inline int addressed(struct bpf_sock_addr *address, __u16 type, const __u32 family)
{
    struct task_struct *task = bpf_get_current_task_btf();
    struct rv_event_net_socket *event;
    struct rv_wire_counters *row;

    if (!rv_watched(task))
        return 1;
    event = begin(type, &row);
    if (!event)
        return 1;
    rv_put_who(&event->header, task);
    put_address(event, address, family);
    send(event, row);
    return 1; /* only looking */
}

SEC("cgroup/connect4")
int rv_net_connect4(struct bpf_sock_addr *address)
{
    return addressed(address, RV_EVENT_NET_CONNECT, AF_INET);
}

SEC("cgroup/connect6")
int rv_net_connect6(struct bpf_sock_addr *address)
{
    return addressed(address, RV_EVENT_NET_CONNECT, AF_INET6);
}

SEC("cgroup/bind4")
int rv_net_bind4(struct bpf_sock_addr *address)
{
    return addressed(address, RV_EVENT_NET_BIND, AF_INET);
}

SEC("cgroup/bind6")
int rv_net_bind6(struct bpf_sock_addr *address)
{
    return addressed(address, RV_EVENT_NET_BIND, AF_INET6);
}

/** A datagram without connect(2): the first of a process to a place, then again a window later. */
static __always_inline int datagram(struct bpf_sock_addr *address, __u64 place, const __u32 family)
{
    struct task_struct *task = bpf_get_current_task_btf();
    struct rv_said said = {
        .process = BPF_CORE_READ(task, group_leader, start_boottime),
        .object = place,
        .dev = address->user_port,
        .what = DATAGRAM,
    };

    if (!rv_first_time(&said, bpf_ktime_get_boot_ns(), rv_settings.rewrite_window_ns))
        return 1;
    return addressed(address, RV_EVENT_NET_CONNECT, family);
}

SEC("cgroup/sendmsg4")
int rv_net_sendmsg4(struct bpf_sock_addr *address)
{
    return datagram(address, address->user_ip4, AF_INET);
}

SEC("cgroup/sendmsg6")
int rv_net_sendmsg6(struct bpf_sock_addr *address)
{
    __u64 high = (__u64)address->user_ip6[0] << 32 | address->user_ip6[1];
    __u64 low = (__u64)address->user_ip6[2] << 32 | address->user_ip6[3];

    return datagram(address, high * 0x9E3779B97F4A7C15ULL ^ low, AF_INET6);
}

/* ---- listen, accept ---- */
static __always_inline void put_socket(struct rv_event_net_socket *event, const struct sock *sk,
                                       bool peer)
{
    event->family = BPF_CORE_READ(sk, __sk_common.skc_family);
    event->protocol = IPPROTO_TCP;
    event->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
    if (event->family == AF_INET) {
        bpf_core_read(event->local_addr.bytes, 4, &sk->__sk_common.skc_rcv_saddr);
        bpf_core_read(event->addr.bytes, 4, &sk->__sk_common.skc_daddr);
    } else {
        bpf_core_read(event->local_addr.bytes, 16, &sk->__sk_common.skc_v6_rcv_saddr);
        bpf_core_read(event->addr.bytes, 16, &sk->__sk_common.skc_v6_daddr);
    }
    if (peer) {
        event->port = htons_(BPF_CORE_READ(sk, __sk_common.skc_dport));
        return;
    }
    event->addr = event->local_addr;
    event->port = event->local_port;
    __builtin_memset(&event->local_addr, 0, sizeof(event->local_addr));
    event->local_port = 0;
}

static __always_inline int listening(const struct sock *sk)
{
    struct task_struct *task = bpf_get_current_task_btf();
    struct rv_event_net_socket *event;
    struct rv_wire_counters *row;
    struct rv_wire_who *who;

    if (!rv_watched(task))
        return 0;
    event = begin(RV_EVENT_NET_LISTEN, &row);
    if (!event)
        return 0;
    rv_put_who(&event->header, task);
    put_socket(event, sk, false);
    who = bpf_sk_storage_get(&rv_net_listeners, (void *)sk, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (who) {
        who->start_boot_ns = event->header.start_boot_ns;
        who->cgroup_id = event->header.cgroup_id;
        who->tgid = event->header.tgid;
        who->uid = event->header.uid;
        who->gid = event->header.gid;
        who->pid_ns = event->header.pid_ns;
        __builtin_memcpy(who->comm, event->header.comm, sizeof(who->comm));
    }
    send(event, row);
    return 0;
}

static __always_inline int accepted(const struct sock *sk)
{
    struct rv_wire_who *who = bpf_sk_storage_get(&rv_net_listeners, (void *)sk, NULL, 0);
    struct rv_event_net_socket *event;
    struct rv_wire_counters *row;

    if (!who)
        return 0;
    event = begin(RV_EVENT_NET_ACCEPT, &row);
    if (!event)
        return 0;
    event->header.start_boot_ns = who->start_boot_ns;
    event->header.cgroup_id = who->cgroup_id;
    event->header.tgid = event->header.tid = who->tgid;
    event->header.uid = who->uid;
    event->header.gid = who->gid;
    event->header.pid_ns = who->pid_ns;
    __builtin_memcpy(event->header.comm, who->comm, sizeof(event->header.comm));
    put_socket(event, sk, true);
    send(event, row);
    return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(rv_net_state, const struct sock *sk, int before, int after)
{
    if (BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
        return 0;
    if (after == TCP_LISTEN)
        return listening(sk);
    if (before == TCP_SYN_RECV && after == TCP_ESTABLISHED)
        return accepted(sk);
    return 0;
}
