/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/**
 * @file bpf/wire.h  What BPF programs and user space agree on, besides the events themselves.
 * No libc; BPF programs include bpf/kernel.h first, others <linux/types.h>.
 */
#pragma once

#ifndef __bpf__
#include <linux/types.h>
#endif

#define RV_WIRE_VERSION 1
#define RV_WIRE_TYPES   96 /* RV_EVENT_TYPE_END_ */

/** Rings: floods go to the first, what they must not evict to the second. */
#define RV_RING_MAIN   0
#define RV_RING_URGENT 1
#define RV_RING_COUNT  2

/** Why an event did not get into its ring. */
#define RV_LOST_FULL  0 /* no room */
#define RV_LOST_BUSY  1 /* the cpu's scratch was in use: an event inside an event */
#define RV_LOST_COUNT 2

/**
 * One row a cpu of the counters map: a page, written by that cpu alone, mapped read-only by the
 * reader. A plain array map (BPF_F_MMAPABLE), so it needs no bpf(2) to read.
 */
struct rv_wire_counters {
    __u64 seq; /* last sequence number given; lost events take one too, so gaps can be proved */
    __u64 woken_ns;
    __u64 lost_total; /* sum of `lost`: one look tells whether to look further */
    __u64 emitted[RV_WIRE_TYPES];
    __u64 lost[RV_RING_COUNT][RV_LOST_COUNT][RV_WIRE_TYPES];
    __u64 reserved[29];
};
#ifndef __bpf__
_Static_assert(sizeof(struct rv_wire_counters) == 4096, "one page a cpu");
#endif
#define RV_WIRE_CPUS 512 /* rows of the map */

/** Settings: in .rodata, so read-only to programs and frozen by the loader. */
struct rv_wire_settings {
    __u64 rewrite_window_ns;
    __u64 wake_window_ns; /* wake the reader at most once in so long, per cpu */
    __u32 guard_tgid;     /* in the initial pid namespace: left out, with its direct children */
    __u32 scope_on;       /* watch only the cgroups in `scope` and below */
    __u32 guard_pid_ns;   /* inode number of the guard's pid namespace */
    __u32 watch_self;
};

/** Who a process id of the guard's pid namespace is or lately was: value of `rv_recent`. */
struct rv_wire_who {
    __u64 start_boot_ns, cgroup_id;
    __u32 tgid, uid, gid, pid_ns;
    char comm[16];
};

/** Context of the program rv_guard_put. */
struct rv_wire_put {
    __u64 event; /* address in the guard */
    __u32 size, ring;
};

/** Ids of our own BPF objects: key of the `own_ids` map. */
#define RV_OWN_MAP     1U
#define RV_OWN_PROGRAM 2U
#define RV_OWN_LINK    3U
struct rv_wire_own {
    __u32 kind, id;
};

#define RV_WIRE_SCOPE_DEPTH 16 /* cgroup levels looked at, from the process upward */
