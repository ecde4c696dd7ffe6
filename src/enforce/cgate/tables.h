/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/**
 * @file cgate/tables.h  What the cgroup programs and user space share: rules as tables.
 *
 * A set holds up to 64 rules. For each subject that a rule may ask about there is an index from a
 * value to two masks: the rules with an affirmed term that holds there, and those with a negated
 * one. The rules that match are what is left when each subject has had its say:
 *     rules & (rules without an affirmed term of the subject | yes) & ~no
 * The cost of a decision is the number of subjects asked about, not the number of rules, and "no
 * rule is about this action" ends after one load.
 *
 * There are two tables. User space fills the idle one, then `active` names it: one store, so every
 * decision is made by the old set or by the new one, never by a mixture.
 */
#pragma once

#ifndef __bpf__
#include <linux/types.h>
#endif

#include "enforce/rule.h"

#include "lsm/wire.h" /* struct rv_lsm_program, and how names and places are hashed */

#define RV_CGATE_TABLES    2
#define RV_CGATE_RISKS     1001
#define RV_CGATE_SLOTS     64    /* programs that RV_TERM_LINEAGE can name at a time */
#define RV_CGATE_KINDS     64    /* kinds of program */
#define RV_CGATE_INDEX     16384 /* entries: two sets of 64 rules with 48 terms each fit */
#define RV_CGATE_PROGRAMS  8192  /* of a kind that is known */
#define RV_CGATE_PROCESSES 65536 /* with a lineage, or with a risk */
#define RV_CGATE_EXEMPT    256   /* processes, and programs, that are never refused */
#define RV_CGATE_GRANTS    256
#define RV_CGATE_BUCKETS   24 /* of the latency histogram: powers of two, ns */

/** Rules for which something holds: terms affirmed, and terms negated. */
struct rv_cgate_masks {
    __u64 yes, no;
};

/** A program is looked for twice: by what it is (inode), and by where it is (folder and name). */
struct rv_cgate_key {
    __u64 id;      /* the number; an inode; the hash of a name or of a place */
    __u32 dev;     /* of programs: major << 20 | minor */
    __u8 subject;  /* enum rv_rule_subject; 0 in maps that belong to no table */
    __u8 is_place; /* 1: `id` began as rv_lsm_place_seed() */
    __u8 table;
    __u8 pad;
};

/** Longest prefix. IPv4 stands as IPv4-mapped and apart from IPv6, so that "::/0" is IPv6 alone. */
struct rv_cgate_addr_key {
    __u32 prefix_bits; /* 32 for the table, then the address */
    __u32 table;       /* | RV_CGATE_IPV4 */
    __u8 addr[16];
};
#define RV_CGATE_IPV4 2U

/** One of the two tables: what needs no search. */
struct rv_cgate_table {
    __u64 action[RV_DO_COUNT_];    /* rules about this action */
    __u64 asks[RV_TERM_SUBJECTS_]; /* rules with a term of this subject; [0]: with a risk */
    __u64 any[RV_TERM_SUBJECTS_];  /* rules without an affirmed one */
    __u64 risk[RV_CGATE_RISKS];    /* rules in whose range this risk lies */
    struct rv_cgate_masks lineage[RV_CGATE_SLOTS];
    struct rv_cgate_masks lineage_kind[RV_CGATE_KINDS];
    __u64 enforce;  /* rules that refuse; the others only count */
    __u64 closed;   /* rules that go on refusing after the lease has run out */
    __u64 budgeted; /* rules whose refusals are limited in a workload and hour */
    __u64 held;     /* rules that a grant lets pass once */
    __u64 digest;
    __u32 policy[RV_RULES_MAX];
    __u32 budget; /* 0: no limit */
    __u32 pad;
};

/** What may change without a new table. Mapped by user space, which stores single members. */
struct rv_cgate_control {
    __u32 active;            /* which table */
    __u32 observe;           /* emergency stop: nothing is refused */
    __u64 lease_boot_ns;     /* refusals hold until then */
    __u64 latency_budget_ns; /* 0: none. A hook whose p99.9 is above it disarms itself */
    __u64 disarmed;          /* RV_DO_*, set by the hooks themselves */
    __u64 lineage_kinds;     /* bits of kinds whose running is remembered */
    __u64 forget_slots;      /* what the iterator takes out of every rv_cgate_ran */
    __u64 overflow;          /* processes whose lineage or risk found no room */
};

/** A process for its life. /proc counts in ticks of 10 ms, so that is how finely it is known. */
struct rv_cgate_process {
    __u64 start_ticks;
    __u32 tgid, pad;
};
#define RV_CGATE_TICK_NS 10000000ULL

/** What a process and its ancestors have run. */
struct rv_cgate_ran {
    __u64 slots; /* of RV_TERM_LINEAGE programs */
    __u64 kinds;
};

struct rv_cgate_budget {
    __u64 window_boot_ns, used;
};

struct rv_cgate_latency {
    __u64 bucket[RV_CGATE_BUCKETS];
    __u64 calls, over;
};

/** Of an approval: what of struct rv_grant has to be equal. The value: when it expires. */
struct rv_cgate_grant_key {
    __u64 program_inode;
    __u32 program_dev, uid, action, port;
    __u8 addr[16];
};

/** Decisions that are one to a reader: the first is told, then one in a window. */
struct rv_cgate_told_key {
    __u64 start_boot_ns, rules;
    __u32 tgid, action, verdict, port;
    __u8 addr[16];
};
struct rv_cgate_told {
    __u64 repeats;                   /* since it was told */
    struct rv_refusal_record record; /* as it was told */
};
#define RV_CGATE_WINDOW_NS 1000000000ULL
