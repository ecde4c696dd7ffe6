/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/**
 * @file cgate/decide.h  From a question to a verdict, by the active table.
 *
 * Maps full: `values`, `addrs`, `kinds`, `slots` and `grants` are filled by user space, which is
 * told; `budgets` and `told` are LRU (a workload thrown out starts a new hour, a decision thrown
 * out is told again); the ring full counts in `lost` and changes no verdict.
 */
#pragma once

#include "cgate/tables.h"

#define NS_PER_HOUR       3600000000000ULL
#define LATENCY_CALLS_MIN 4096
#define WORKLOAD_DEPTH    64
#define NAME_WORDS        32 /* of 8 bytes: all that Linux allows */

const volatile __u64 name_seed = 0; /* drawn by user space before load */

/* ---- Maps ---- */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, RV_CGATE_TABLES);
    __type(key, __u32);
    __type(value, struct rv_cgate_table);
} tables SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct rv_cgate_control);
} control SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, RV_CGATE_INDEX);
    __type(key, struct rv_cgate_key);
    __type(value, struct rv_cgate_masks);
} values SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, RV_CGATE_INDEX);
    __type(key, struct rv_cgate_addr_key);
    __type(value, struct rv_cgate_masks);
} addrs SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, RV_CGATE_PROGRAMS);
    __type(key, struct rv_cgate_key);
    __type(value, __u32);
} kinds SEC(".maps");
struct { /* lineage programs, by inode and by place: which bit of rv_cgate_ran.slots */
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 2 * RV_CGATE_SLOTS);
    __type(key, struct rv_cgate_key);
    __type(value, __u32);
} slots SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, RV_CGATE_GRANTS);
    __type(key, struct rv_cgate_grant_key);
    __type(value, __u64);
} grants SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 1024);
    __type(key, __u64);
    __type(value, struct rv_cgate_budget);
} budgets SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, RV_CGATE_TABLES *RV_RULES_MAX);
    __type(key, __u32);
    __type(value, struct rv_rule_counts);
} counts SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, RV_DO_COUNT_);
    __type(key, __u32);
    __type(value, struct rv_cgate_latency);
} latency SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 4096);
    __type(key, struct rv_cgate_told_key);
    __type(value, struct rv_cgate_told);
} told SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 18);
} refusals SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} lost SEC(".maps");

/** What is asked; unknown members are zero. */
struct question {
    __u32 action; /* number of the RV_DO_* bit */
    __u32 port, family, protocol;
    __u32 has_addr, pad; /* `addr` is one, IPv4 as IPv4-mapped */
    __u8 addr[16];
};

/** Who asks: what is not in the kernel's own structures. */
struct asker {
    __u32 risk;
    __u32 exempt;  /* never refused */
    __u32 unknown; /* its lineage found no room: rules that lapse closed take it as theirs */
    __u32 pad;
    struct rv_cgate_ran ran;
    const struct file *file;       /* that it runs */
    struct rv_lsm_program program; /* its place is found only when a rule asks */
};

static __always_inline void put_ipv4(struct question *q, __u32 address)
{
    q->family = AF_INET;
    q->has_addr = 1;
    q->addr[10] = q->addr[11] = 0xff;
    __builtin_memcpy(q->addr + 12, &address, sizeof(address));
}

/** IPv4-mapped counts as IPv4, whatever the socket's family. */
static __always_inline void put_ipv6(struct question *q, const __u32 words[4])
{
    bool mapped = !words[0] && !words[1] && words[2] == bpf_htonl(0xffff);

    q->family = mapped ? AF_INET : AF_INET6;
    q->has_addr = 1;
    __builtin_memcpy(q->addr, words, sizeof(q->addr));
}

/* ---- Matching, subject by subject ---- */

/** The rules that `masks` of a subject leave over. */
static __always_inline __u64 left(const struct rv_cgate_table *t, __u32 subject, __u64 rules,
                                  struct rv_cgate_masks masks)
{
    return rules & (t->any[subject] | masks.yes) & ~masks.no;
}

static __always_inline struct rv_cgate_masks masks_of(const struct rv_cgate_key *key)
{
    struct rv_cgate_masks *masks = bpf_map_lookup_elem(&values, key), none = { 0 };

    return masks ? *masks : none;
}

static __always_inline __u64 by_number(const struct rv_cgate_table *t, __u32 table, __u32 subject,
                                       __u64 rules, __u64 number)
{
    struct rv_cgate_key key = { .id = number, .subject = (__u8)subject, .table = (__u8)table };

    return rules & t->asks[subject] ? left(t, subject, rules, masks_of(&key)) : rules;
}

/* ---- Programs ---- */
struct name_walk {
    const unsigned char *at;
    __u64 hash;
    __u32 left, pad;
};

static long name_step(__u32 number, void *context)
{
    struct name_walk *walk = context;
    __u64 word = 0;

    (void)number;
    if (!walk->left)
        return 1;
    bpf_probe_read_kernel(&word, sizeof(word), walk->at);
    walk->hash = rv_lsm_mix(walk->hash, rv_lsm_head(word, walk->left));
    walk->at += 8;
    walk->left = walk->left > 8 ? walk->left - 8 : 0;
    return 0;
}

/** As rv_lsm_hash_name() of user space. */
static __noinline __u64 hash_name(const struct file *file, __u64 hash)
{
    const struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
    struct name_walk walk = { .at = BPF_CORE_READ(dentry, d_name.name),
                              .left = BPF_CORE_READ(dentry, d_name.len) };

    walk.hash = rv_lsm_mix(hash, walk.left);
    bpf_loop(NAME_WORDS, name_step, &walk, 0);
    return walk.hash;
}

static __always_inline void identity_of(const struct file *file, struct rv_lsm_program *program)
{
    const struct inode *inode = BPF_CORE_READ(file, f_inode);

    program->inode = BPF_CORE_READ(inode, i_ino);
    program->dev = BPF_CORE_READ(inode, i_sb, s_dev);
}

static __always_inline void place_of(const struct file *file, struct rv_lsm_program *program)
{
    program->place = hash_name(
        file,
        rv_lsm_place_seed(name_seed, BPF_CORE_READ(file, f_path.dentry, d_parent, d_inode, i_ino),
                          program->dev));
}

static __always_inline __u64 by_program(const struct rv_cgate_table *t, __u32 table, __u64 rules,
                                        const struct file *file, struct rv_lsm_program *program)
{
    struct rv_cgate_key key = {
        .id = program->inode, .dev = program->dev, .subject = RV_TERM_PROGRAM, .table = (__u8)table
    };
    struct rv_cgate_masks masks, place;

    if (!(rules & t->asks[RV_TERM_PROGRAM]))
        return rules;
    masks = masks_of(&key);
    place_of(file, program);
    key.id = program->place;
    key.is_place = 1;
    place = masks_of(&key);
    masks.yes |= place.yes;
    masks.no |= place.no;
    return left(t, RV_TERM_PROGRAM, rules, masks);
}

static __always_inline __u32 kind_of(const struct rv_lsm_program *program)
{
    struct rv_cgate_key key = { .id = program->inode, .dev = program->dev };
    __u32 *kind = bpf_map_lookup_elem(&kinds, &key);

    return kind ? *kind : 0;
}

/* bpf_loop() and not loops: the verifier follows those bit by bit, path by path. */
struct lineage_walk {
    const struct rv_cgate_table *t;
    struct rv_cgate_ran ran;
    struct rv_cgate_masks program, kind;
};

static long lineage_step(__u32 i, void *context)
{
    struct lineage_walk *walk = context;
    const struct rv_cgate_table *t = walk->t;

    if (i >= RV_CGATE_SLOTS) /* and RV_CGATE_KINDS */
        return 1;
    if (walk->ran.slots & (1ULL << i)) {
        walk->program.yes |= t->lineage[i].yes;
        walk->program.no |= t->lineage[i].no;
    }
    if (walk->ran.kinds & (1ULL << i)) {
        walk->kind.yes |= t->lineage_kind[i].yes;
        walk->kind.no |= t->lineage_kind[i].no;
    }
    return 0;
}

static __always_inline __u64 by_lineage(const struct rv_cgate_table *t, __u64 rules,
                                        const struct asker *asker)
{
    struct lineage_walk walk = { .t = t, .ran = asker->ran };

    if (!(rules & (t->asks[RV_TERM_LINEAGE] | t->asks[RV_TERM_LINEAGE_KIND])))
        return rules;
    if (asker->unknown)
        walk.program.yes = walk.kind.yes = t->closed;
    if (walk.ran.slots | walk.ran.kinds) /* hardly anybody has */
        bpf_loop(RV_CGATE_SLOTS, lineage_step, &walk, 0);
    return left(t, RV_TERM_LINEAGE_KIND, left(t, RV_TERM_LINEAGE, rules, walk.program), walk.kind);
}

/* ---- Workloads: the cgroup and those above it ---- */
struct workload_walk {
    __u64 node;
    struct rv_cgate_masks masks;
    __u32 table, pad;
};

static __always_inline __u64 node_above(__u64 node)
{
    const struct kernfs_node *kn = (const struct kernfs_node *)node;

    if (bpf_core_field_exists(kn->__parent))
        return (__u64)BPF_CORE_READ(kn, __parent);
    return (__u64)BPF_CORE_READ((const struct kernfs_node___old *)kn, parent);
}

static long workload_step(__u32 level, void *context)
{
    struct workload_walk *walk = context;
    __u64 node = walk->node;
    struct rv_cgate_key key = { .subject = RV_TERM_WORKLOAD, .table = (__u8)walk->table };
    struct rv_cgate_masks masks;

    (void)level;
    if (!node)
        return 1;
    key.id = BPF_CORE_READ((const struct kernfs_node *)node, id);
    masks = masks_of(&key);
    walk->masks.yes |= masks.yes;
    walk->masks.no |= masks.no;
    walk->node = node_above(node);
    return 0;
}

static __always_inline __u64 by_workload(const struct rv_cgate_table *t, __u32 table, __u64 rules,
                                         const struct task_struct *task)
{
    struct workload_walk walk = { .table = table };

    if (!(rules & t->asks[RV_TERM_WORKLOAD]))
        return rules;
    walk.node = (__u64)BPF_CORE_READ(task, cgroups, dfl_cgrp, kn);
    bpf_loop(WORKLOAD_DEPTH, workload_step, &walk, 0);
    return left(t, RV_TERM_WORKLOAD, rules, walk.masks);
}

/* ---- All of it ---- */

/** Who acts: program, lineage, user, workload, risk. */
static __always_inline __u64 match_asker(const struct rv_cgate_table *t, __u32 table, __u64 rules,
                                         const struct task_struct *task, struct asker *asker)
{
    struct rv_lsm_program *program = &asker->program;
    __u64 uid_gid = bpf_get_current_uid_gid();
    __u32 risk = asker->risk;

    if (rules & t->asks[0]) {
        asm volatile("if %[risk] < 1001 goto +1\n %[risk] = 1000" : [risk] "+r"(risk));
        if (risk >= RV_CGATE_RISKS)
            return 0;
        rules &= t->risk[risk];
    }
    rules = by_program(t, table, rules, asker->file, program);
    rules = by_number(t, table, RV_TERM_UID, rules, (__u32)uid_gid);
    rules = by_number(t, table, RV_TERM_GID, rules, uid_gid >> 32);
    if (rules & t->asks[RV_TERM_EUID])
        rules = by_number(t, table, RV_TERM_EUID, rules, BPF_CORE_READ(task, cred, euid.val));
    if (rules & t->asks[RV_TERM_KIND])
        rules = by_number(t, table, RV_TERM_KIND, rules, kind_of(program));
    if (rules & t->asks[RV_TERM_PROGRAM_NAME])
        rules = by_number(t, table, RV_TERM_PROGRAM_NAME, rules, hash_name(asker->file, name_seed));
    rules = by_lineage(t, rules, asker);
    return by_workload(t, table, rules, task);
}

/** Where to: address, port, family, protocol. */
static __always_inline __u64 match_place(const struct rv_cgate_table *t, __u32 table, __u64 rules,
                                         const struct question *q)
{
    struct rv_cgate_masks *masks = NULL, none = { 0 };

    rules = by_number(t, table, RV_TERM_FAMILY, rules, q->family);
    rules = by_number(t, table, RV_TERM_PROTOCOL, rules, q->protocol);
    if (!q->has_addr)
        return left(t, RV_TERM_ADDRESS, left(t, RV_TERM_PORT, rules, none), none);
    rules = by_number(t, table, RV_TERM_PORT, rules, q->port);
    if (rules & t->asks[RV_TERM_ADDRESS]) {
        struct rv_cgate_addr_key key = { .prefix_bits = 32 + 128, .table = table };

        if (q->family == AF_INET)
            key.table |= RV_CGATE_IPV4;
        __builtin_memcpy(key.addr, q->addr, sizeof(key.addr));
        masks = bpf_map_lookup_elem(&addrs, &key);
        rules = left(t, RV_TERM_ADDRESS, rules, masks ? *masks : none);
    }
    return rules;
}

/* ---- The verdict ---- */
static __always_inline bool within_budget(const struct rv_cgate_table *t, __u64 cgroup, __u64 now)
{
    struct rv_cgate_budget *budget, fresh = { .window_boot_ns = now };

    if (!t->budget)
        return true;
    budget = bpf_map_lookup_elem(&budgets, &cgroup);
    if (!budget) {
        bpf_map_update_elem(&budgets, &cgroup, &fresh, BPF_NOEXIST);
        budget = bpf_map_lookup_elem(&budgets, &cgroup);
        if (!budget)
            return true;
    }
    if (now - budget->window_boot_ns > NS_PER_HOUR) {
        budget->window_boot_ns = now;
        budget->used = 0;
    }
    return __sync_fetch_and_add(&budget->used, 1) < t->budget;
}

/** Use up an approval of exactly this. Of two that race only one deletes it. */
static __always_inline bool granted(const struct question *q, const struct rv_lsm_program *program,
                                    __u64 now)
{
    struct rv_cgate_grant_key key = {
        .program_inode = program->inode,
        .program_dev = program->dev,
        .uid = (__u32)bpf_get_current_uid_gid(),
        .action = 1U << (q->action & 31),
        .port = q->port,
    };
    __u64 *expires;

    __builtin_memcpy(key.addr, q->addr, sizeof(key.addr));
    expires = bpf_map_lookup_elem(&grants, &key);
    return expires && now < *expires && bpf_map_delete_elem(&grants, &key) == 0;
}

static __always_inline __u32 verdict_of(const struct rv_cgate_table *t,
                                        const struct rv_cgate_control *c, const struct question *q,
                                        __u64 rules, const struct asker *asker, __u64 cgroup)
{
    __u64 now = bpf_ktime_get_boot_ns();

    rules &= t->enforce;
    if (!rules)
        return RV_REFUSAL_WOULD_DENY;
    if (c->observe)
        return RV_REFUSAL_STOPPED;
    if (asker->exempt)
        return RV_REFUSAL_PROTECTED;
    if (c->disarmed & (1ULL << (q->action & 31)))
        return RV_REFUSAL_DISARMED;
    if (now >= c->lease_boot_ns) {
        rules &= t->closed;
        if (!rules)
            return RV_REFUSAL_LAPSED;
    }
    if (!(rules & ~t->held) && granted(q, &asker->program, now))
        return RV_REFUSAL_GRANTED;
    /* A rule without budget decides alone; only when all are budgeted does the hour count. */
    if (!(rules & ~t->budgeted) && !within_budget(t, cgroup, now))
        return RV_REFUSAL_OVER_BUDGET;
    return RV_REFUSAL_DENIED;
}

/* ---- Counting and telling ---- */

struct count_walk {
    __u64 rules, enforce;
    __u32 table, verdict, lowest, pad;
};

static long count_step(__u32 i, void *context)
{
    struct count_walk *walk = context;
    __u32 key = walk->table * RV_RULES_MAX + i;
    __u32 by = walk->enforce & (1ULL << i) ? walk->verdict : RV_REFUSAL_WOULD_DENY;
    struct rv_rule_counts *c;

    if (!(walk->rules & (1ULL << (i & 63))))
        return 0;
    if (walk->lowest == RV_RULES_MAX)
        walk->lowest = i;
    c = bpf_map_lookup_elem(&counts, &key);
    asm volatile("%[by] &= 15" : [by] "+r"(by));
    if (c && by < RV_REFUSALS_)
        __sync_fetch_and_add(&c->by[by], 1); /* these programs can be preempted */
    return 0;
}

/** Each matched rule has its count; one in the shadow counts what it would have done. */
static __always_inline __u32 count(const struct rv_cgate_table *t, __u32 table, __u64 rules,
                                   __u32 verdict)
{
    struct count_walk walk = { rules, t->enforce, table, verdict, RV_RULES_MAX, 0 };

    bpf_loop(RV_RULES_MAX, count_step, &walk, 0);
    return walk.lowest;
}

static const struct rv_cgate_told nothing_told;

/** The place of this decision's record, to be filled and told; NULL: told within the window. */
static __always_inline struct rv_cgate_told *may_tell(const struct rv_cgate_told_key *key,
                                                      __u64 now)
{
    struct rv_cgate_told *old = bpf_map_lookup_elem(&told, key);

    if (!old) {
        bpf_map_update_elem(&told, key, &nothing_told, BPF_ANY);
        return bpf_map_lookup_elem(&told, key);
    }
    if (now - old->record.time_boot_ns >= RV_CGATE_WINDOW_NS)
        return old;
    __sync_fetch_and_add(&old->repeats, 1);
    return NULL;
}

static __always_inline void tell(const struct question *q, const struct task_struct *task,
                                 const struct asker *asker, const struct rv_cgate_table *t,
                                 __u64 rules, __u32 lowest, __u32 verdict, __u64 cgroup)
{
    struct rv_cgate_told_key key = {
        .start_boot_ns = BPF_CORE_READ(task, group_leader, start_boottime),
        .rules = rules,
        .tgid = (__u32)BPF_CORE_READ(task, tgid),
        .action = 1U << (q->action & 31),
        .verdict = verdict,
        .port = q->port,
    };
    struct rv_refusal_record *r;
    struct rv_cgate_told *place;
    __u64 now = bpf_ktime_get_boot_ns();
    __u32 zero = 0;

    __builtin_memcpy(key.addr, q->addr, sizeof(key.addr));
    place = may_tell(&key, now);
    if (!place)
        return;
    r = &place->record;
    r->repeats = (__u32)__sync_lock_test_and_set(&place->repeats, 0);
    r->time_boot_ns = now;
    r->start_boot_ns = key.start_boot_ns;
    r->cgroup_id = cgroup;
    r->program_inode = asker->program.inode;
    r->program_dev = asker->program.dev;
    r->rules = rules;
    r->digest = t->digest;
    r->tgid = key.tgid;
    r->tid = (__u32)BPF_CORE_READ(task, pid);
    r->uid = (__u32)bpf_get_current_uid_gid();
    asm volatile("%[lowest] &= 63" : [lowest] "+r"(lowest));
    r->policy = t->policy[lowest];
    r->action = key.action;
    r->verdict = verdict;
    r->mechanism = RV_BY_CGROUP;
    r->risk = asker->risk;
    r->port = q->port;
    r->family = q->family;
    __builtin_memcpy(r->addr, q->addr, sizeof(r->addr));
    bpf_probe_read_kernel(r->comm, sizeof(r->comm), &task->comm);
    if (bpf_ringbuf_output(&refusals, r, sizeof(*r), 0) < 0) {
        __u64 *n = bpf_map_lookup_elem(&lost, &zero);

        if (n)
            __sync_fetch_and_add(n, 1 + r->repeats);
    }
}

/** Time a hook; when more than one call in a thousand is above the budget, disarm it. */
static __always_inline void watch_latency(struct rv_cgate_control *c, __u32 action, __u64 ns)
{
    struct rv_cgate_latency *l = bpf_map_lookup_elem(&latency, &action);
    __u32 bucket = 0;

    if (!l)
        return;
    for (int i = 0; i < RV_CGATE_BUCKETS - 1; i++)
        if (ns >> (i + 1))
            bucket = (__u32)i + 1;
    if (bucket < RV_CGATE_BUCKETS)
        l->bucket[bucket]++;
    __sync_fetch_and_add(&l->calls, 1);
    if (!c->latency_budget_ns || ns <= c->latency_budget_ns)
        return;
    l->over++;
    if (l->calls >= LATENCY_CALLS_MIN && l->over * 1000 > l->calls)
        __sync_fetch_and_or(&c->disarmed, 1ULL << (action & 31));
}
