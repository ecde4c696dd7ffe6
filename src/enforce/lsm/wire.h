/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/**
 * @file lsm/wire.h  What the BPF LSM programs and user space share: tables, keys, records.
 *
 * A table holds up to 64 rules. Each thing that a rule may ask about (action, program, uid, cgroup,
 * file or folder, address, port, risk) has an index that yields a 64-bit mask of the rules that it
 * satisfies; the rules that match are the AND of the masks. The cost of a decision is therefore the
 * number of dimensions, not the number of rules, and "nothing matches" usually ends after one load.
 *
 * There are two tables. User space fills the idle one, then `active` names it: one store, so every
 * decision is made by the old table or by the new one, never by a mixture.
 */
#pragma once

#ifndef __bpf__
#include <linux/types.h>
#endif

#define RV_LSM_RULES      64
#define RV_LSM_TABLES     2
#define RV_LSM_DEPTH      64 /* folders above a file that are looked at; deeper is `too_deep` */
#define RV_LSM_RISK_STEPS 11 /* risk 0, 100, .. 1000 */
#define RV_LSM_BUCKETS    24 /* of the latency histogram: powers of two, ns */

/** Actions; the numbers are bits of no mask, only indexes. */
enum rv_lsm_action {
    RV_LSM_EXEC,
    RV_LSM_READ,
    RV_LSM_WRITE,
    RV_LSM_CREATE,
    RV_LSM_RENAME,
    RV_LSM_UNLINK,
    RV_LSM_LINK,
    RV_LSM_SETATTR,
    RV_LSM_MMAP_EXEC,
    RV_LSM_MPROTECT_EXEC,
    RV_LSM_PTRACE,
    RV_LSM_SOCKET,
    RV_LSM_BIND,
    RV_LSM_CONNECT,
    RV_LSM_LISTEN,
    RV_LSM_SETUID,
    RV_LSM_KERNEL_LOAD, /* module, firmware, kexec */
    RV_LSM_BPF,
    RV_LSM_MOUNT,
    RV_LSM_USERNS,
    RV_LSM_SIGNAL,
    RV_LSM_ACTIONS_
};

/** Index of a file, a folder, or a program, by identity; never by name. */
struct rv_lsm_file_key {
    __u64 inode;
    __u32 dev;   /* major << 20 | minor */
    __u32 table; /* 0 or 1 */
};

struct rv_lsm_id_key {
    __u64 id; /* uid, cgroup id or port */
    __u32 table;
    __u32 pad;
};

/** Longest prefix; AF_INET as IPv4-mapped IPv6, so a mapped address cannot slip past. */
struct rv_lsm_addr_key {
    __u32 prefix_bits; /* 32 for the table, then the address */
    __u32 table;
    __u8 addr[16];
};

/** One of the two tables: the masks that need no search. */
struct rv_lsm_table {
    __u64 action[RV_LSM_ACTIONS_]; /* rules about this action */
    __u64 any_program, any_uid, any_cgroup, any_resource, any_addr, any_port;
    __u64 folder;  /* rules whose resource is a folder and all below: worth a walk */
    __u64 guarded; /* rules whose resource is a guarded process */
    __u64 risk[RV_LSM_RISK_STEPS]; /* rules satisfied at this risk or above */
    __u64 enforce;                 /* rules that deny; the others only count */
    __u64 closed;                  /* rules that go on denying after the lease has run out */
    __u64 budgeted;                /* rules whose denials are limited in a workload and hour */
    __u64 too_deep; /* folder rules that match when the folders could not all be looked at */
    __u32 budget;   /* denials in an hour and workload by budgeted rules; 0: no limit */
    __u32 pad;
    __u64 digest; /* first 8 bytes of the bundle's */
};

/** What may change without a new table. */
struct rv_lsm_control {
    __u32 active;            /* which table */
    __u32 observe;           /* emergency stop: nothing is denied */
    __u64 lease_boot_ns;     /* denials hold until then */
    __u64 latency_budget_ns; /* 0: none. A hook whose p99.9 is above it disarms itself */
    __u64 disarmed;          /* 1 << action, set by the hooks themselves */
};

/** Storage of a task. */
struct rv_lsm_task {
    __u32 risk;    /* 0..1000, given by the judge; children begin with it */
    __u32 guarded; /* one of Reeve's own */
};

struct rv_lsm_budget {
    __u64 window_boot_ns;
    __u64 used;
};

struct rv_lsm_counts {
    __u64 matched, denied, shadow, lapsed, over_budget, observed;
};

struct rv_lsm_latency {
    __u64 bucket[RV_LSM_BUCKETS];
    __u64 calls, over;
};

enum rv_lsm_verdict {
    RV_LSM_ALLOWED = 0,
    RV_LSM_DENIED,
    RV_LSM_WOULD_DENY,  /* the rule is in the shadow */
    RV_LSM_LAPSED,      /* the lease had run out */
    RV_LSM_OVER_BUDGET, /* the workload's budget was used up */
    RV_LSM_STOPPED,     /* the emergency stop was on */
    RV_LSM_DISARMED,    /* the hook is too slow and let it pass */
};

/** One decision that mattered, from the ring `verdicts`, which nothing else writes to. */
struct rv_lsm_record {
    __u64 time_boot_ns, start_boot_ns, cgroup_id, inode, rules, digest;
    __u32 tgid, tid, uid, dev, action, verdict, risk, port;
    __u8 addr[16];
    char comm[16];
};
