/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/**
 * @file lsm/wire.h  What the BPF LSM programs and user space share: tables, keys, task storage.
 *
 * A table holds up to 64 rules. Each group of terms (program, user, file, ...) has indexes from a
 * value to two masks of rules: those with an affirmed term that this value satisfies, and those
 * with a negated one. The rules that match are, over all groups, the AND of (rules without affirmed
 * terms in the group | affirmed) & ~negated. The cost of a decision is therefore the number of
 * groups that the rules in question ask about, not the number of rules, and "no rule is about this"
 * ends after one load.
 *
 * There are two tables. User space fills the idle one, then `active` names it: one store, so every
 * decision is made by the old table or by the new one, never by a mixture.
 */
#pragma once

#ifndef __bpf__
#include <linux/types.h>
#endif

#include "enforce/rule.h"

#define RV_LSM_TABLES   2
#define RV_LSM_DEPTH    64  /* folders above a file that are looked at; deeper counts as inside */
#define RV_LSM_LINEAGE  16  /* programs that a process remembers of itself and its ancestors */
#define RV_LSM_BUCKETS  24  /* of the latency histogram: powers of two, ns */
#define RV_LSM_NAME_MAX 256 /* bytes of a name that are compared: all that Linux allows */

/** Groups of terms. Each flag is a group of its own: RV_LSM_G_FLAG + enum rv_rule_flag. */
enum rv_lsm_group {
    RV_LSM_G_PROGRAM,
    RV_LSM_G_PROGRAM_NAME,
    RV_LSM_G_KIND,
    RV_LSM_G_LINEAGE,
    RV_LSM_G_LINEAGE_KIND,
    RV_LSM_G_UID,
    RV_LSM_G_EUID,
    RV_LSM_G_GID,
    RV_LSM_G_WORKLOAD,
    RV_LSM_G_FILE, /* FILE and FOLDER */
    RV_LSM_G_FILE_NAME,
    RV_LSM_G_FILE_KIND,
    RV_LSM_G_ADDRESS,
    RV_LSM_G_PORT,
    RV_LSM_G_FAMILY,
    RV_LSM_G_PROTOCOL,
    RV_LSM_G_FLAG,
    RV_LSM_GROUPS_ = RV_LSM_G_FLAG + RV_FLAGS_,
};

/** What a key's `id` is. Files and programs are looked for by what they are and by where they are.
 */
enum rv_lsm_index {
    RV_LSM_I_PROGRAM,       /* inode, with dev */
    RV_LSM_I_PROGRAM_PLACE, /* rv_lsm_place(): folder and name, with dev */
    RV_LSM_I_PROGRAM_NAME,  /* rv_lsm_name() */
    RV_LSM_I_KIND,
    RV_LSM_I_LINEAGE,
    RV_LSM_I_LINEAGE_PLACE,
    RV_LSM_I_LINEAGE_KIND,
    RV_LSM_I_UID,
    RV_LSM_I_EUID,
    RV_LSM_I_GID,
    RV_LSM_I_WORKLOAD,
    RV_LSM_I_FILE,
    RV_LSM_I_FILE_PLACE,
    RV_LSM_I_FOLDER,
    RV_LSM_I_FILE_NAME,
    RV_LSM_I_FILE_KIND,
    RV_LSM_I_PORT,
    RV_LSM_I_FAMILY,
    RV_LSM_I_PROTOCOL,
};

struct rv_lsm_key {
    __u64 id;
    __u32 dev;  /* major << 20 | minor, of files; else 0 */
    __u8 index; /* enum rv_lsm_index */
    __u8 table; /* 0 or 1 */
    __u16 pad;
};

/**
 * Longest prefix; AF_INET as IPv4-mapped IPv6, so a mapped address cannot slip past, and apart from
 * IPv6, so that "::/0" is IPv6 alone.
 */
struct rv_lsm_addr_key {
    __u32 prefix_bits; /* 32 for the table, then the address */
    __u32 table;       /* | RV_LSM_IPV4 */
    __u8 addr[16];
};

#define RV_LSM_IPV4 2U

/** Rules for which a value satisfies an affirmed term, and those for which it does a negated one.
 */
struct rv_lsm_pair {
    __u64 affirmed, negated;
};

/** One of the two tables: what needs no search. */
struct rv_lsm_table {
    __u64 action[RV_DO_COUNT_]; /* rules about this action */
    __u64 any[RV_LSM_GROUPS_];  /* rules without an affirmed term in the group */
    __u64 asks[RV_LSM_GROUPS_]; /* rules with any term in it */
    struct rv_lsm_pair flag[RV_FLAGS_];
    __u64 risk[1024]; /* rules in whose range this risk lies */
    __u64 file;       /* rules with a FILE term: worth two searches */
    __u64 folder;     /* rules with a FOLDER term: worth a walk */
    __u64 folder_yes; /* rules with an affirmed one: they match what is too deep to tell */
    __u64 enforce;    /* rules that deny; the others only count */
    __u64 closed;     /* rules that go on denying when nobody stands behind them */
    __u64 budgeted;   /* rules whose denials are limited in a workload and hour */
    __u64 held;       /* rules that a grant lets pass once */
    __u64 digest;     /* first 8 bytes of the policy's */
    __u32 policy[RV_RULES_MAX];
    __u32 budget; /* denials in an hour and workload by budgeted rules; 0: no limit */
    __u32 pad;
};

/** What may change without a new table. Programs only read it. */
struct rv_lsm_control {
    __u32 active;            /* which table */
    __u32 observe;           /* emergency stop: nothing is denied */
    __u64 lease_boot_ns;     /* denials hold until then */
    __u64 latency_budget_ns; /* 0: none. A hook whose p99.9 is above it disarms itself */
    __u64 attached_boot_ns;  /* who began later was seen being forked; 0: not yet */
    __u32 self;              /* self-protection is on */
    __u32 pad;
};

/** A program: what it is and where it is. */
struct rv_lsm_program {
    __u64 inode, place;
    __u32 dev, pad;
};

/**
 * What a process runs, and what it and its ancestors have run. Written by the kernel's half alone,
 * at execve: /proc/pid/exe says what the process likes (PR_SET_MM_EXE_FILE).
 */
struct rv_lsm_lineage {
    struct rv_lsm_program now;
    __u32 count;
    __u32 cut; /* there were more: any program may have been among them */
    struct rv_lsm_program programs[RV_LSM_LINEAGE];
};

/** What the guard says of a process. Children begin with its risk and RV_LSM_GUARDED. */
struct rv_lsm_said {
    __u32 risk; /* 0..1000 */
    __u32 marks;
    struct rv_lsm_program program; /* RV_LSM_PROTECTED holds as long as it runs this one */
};
#define RV_LSM_GUARDED   1U /* one of Reeve's own */
#define RV_LSM_PROTECTED 2U /* never refused */

struct rv_lsm_budget {
    __u64 window_boot_ns;
    __u64 used;
};

/**
 * Decisions that repeat themselves within a second are told once: of one process, action, rule and
 * verdict at most RV_LSM_FLOOD_SLOTS different things a second.
 */
struct rv_lsm_flood_key {
    __u64 start_boot_ns;
    __u32 tgid, action;
    __u32 rule, verdict;
    __u32 slot; /* of what it was done to, by hash */
    __u32 pad;
};
#define RV_LSM_FLOOD_SLOTS 8U
struct rv_lsm_flood {
    __u64 window_boot_ns;
    __u64 repeats;
    struct rv_refusal_record record; /* the one that was told */
};
#define RV_LSM_FLOOD_NS 1000000000ULL

/** What of struct rv_grant must be equal; the value is when it ends. */
struct rv_lsm_grant_key {
    __u64 program_inode, file_inode;
    __u32 program_dev, file_dev, uid, action, port, pad;
    __u8 addr[16];
};

struct rv_lsm_latency {
    __u64 bucket[RV_LSM_BUCKETS];
    __u64 calls, over;
};

/** Ids of our own objects: what << 32 | id. */
enum rv_lsm_own { RV_LSM_OWN_PROGRAM = 1, RV_LSM_OWN_MAP, RV_LSM_OWN_LINK };

/*
 * Names and places are compared by a 64-bit hash under a seed that is drawn when the provider opens
 * and never shown, so that nobody can look for a name that collides with one of a rule.
 */
static inline __u64 rv_lsm_mix(__u64 hash, __u64 word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
    return hash ^ (hash >> 32);
}

/** The first `len` (1..8) bytes of a word that was read whole from memory. */
static inline __u64 rv_lsm_head(__u64 word, __u32 len)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return len < 8 ? word & ((1ULL << (len * 8)) - 1) : word;
#else
    return len < 8 ? word >> (64 - len * 8) : word;
#endif
}

static inline __u64 rv_lsm_place_seed(__u64 seed, __u64 folder_inode, __u32 dev)
{
    return rv_lsm_mix(rv_lsm_mix(seed, folder_inode), dev);
}
