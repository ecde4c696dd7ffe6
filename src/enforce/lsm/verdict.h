/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/** @file lsm/verdict.h  From the rules that match to a verdict; counting it and telling it. */
#pragma once

#include "match.h"

#define NS_PER_HOUR 3600000000000ULL

static __always_inline bool within_budget(const struct rv_lsm_table *t, __u64 cgroup, __u64 now)
{
    struct rv_lsm_budget *budget, fresh = { .window_boot_ns = now };

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
static __noinline bool use_grant(struct question *q, struct asker *who, __u64 now)
{
    struct rv_lsm_grant_key key = {
        .program_inode = who->program.inode,
        .file_inode = q->inode_number,
        .program_dev = who->program.dev,
        .file_dev = q->dev,
        .uid = (__u32)bpf_get_current_uid_gid(),
        .action = 1U << (q->action & 31),
        .port = q->port,
    };
    __u64 *ends;

    __builtin_memcpy(key.addr, q->addr.addr, sizeof(key.addr));
    ends = bpf_map_lookup_elem(&grants, &key);
    return ends && now < *ends && bpf_map_delete_elem(&grants, &key) == 0;
}

static __noinline __u32 verdict_of(const struct rv_lsm_table *t, const struct rv_lsm_control *c,
                                   struct question *q, __u64 rules, struct asker *who)
{
    __u64 now = bpf_ktime_get_boot_ns(), *slow;
    __u32 zero = 0;

    rules &= t->enforce;
    if (!rules)
        return RV_REFUSAL_WOULD_DENY;
    if (c->observe)
        return RV_REFUSAL_STOPPED;
    if (who->marks & RV_LSM_PROTECTED)
        return RV_REFUSAL_PROTECTED;
    slow = bpf_map_lookup_elem(&disarmed, &zero);
    if (slow && (*slow & (1ULL << (q->action & 31))))
        return RV_REFUSAL_DISARMED;
    if (now >= c->lease_boot_ns) {
        rules &= t->closed;
        if (!rules)
            return RV_REFUSAL_LAPSED;
    }
    if (!(rules & ~t->held) && (!(rules & ~q->granted) || use_grant(q, who, now))) {
        q->granted |= rules;
        return RV_REFUSAL_GRANTED;
    }
    /* A rule without budget decides alone; only when all are budgeted does the hour count. */
    if (!(rules & ~t->budgeted) && !within_budget(t, who->cgroup, now))
        return RV_REFUSAL_OVER_BUDGET;
    return RV_REFUSAL_DENIED;
}

/** The number of the lowest bit. */
static __always_inline __u32 lowest(__u64 rules)
{
    __u32 rule = 0;

    for (int shift = 32; shift; shift >>= 1)
        if (!(rules & ((1ULL << shift) - 1))) {
            rules >>= shift;
            rule += (__u32)shift;
        }
    return rule;
}

static __always_inline void count(__u32 table, __u32 rule, __u32 verdict)
{
    __u32 key = table * RV_RULES_MAX + rule;
    struct rv_rule_counts *c = bpf_map_lookup_elem(&counts, &key);

    if (c && verdict < RV_REFUSALS_)
        c->by[verdict]++;
}

static __always_inline void count_lost(void)
{
    __u32 zero = 0;
    __u64 *n = bpf_map_lookup_elem(&lost, &zero);

    if (n)
        ++*n;
}

/** The entry of a decision that is to be told now; NULL when it is one more of many. */
static __always_inline struct rv_lsm_flood *begin_telling(const struct rv_lsm_flood_key *key,
                                                          __u64 now)
{
    struct rv_lsm_flood *flood = bpf_map_lookup_elem(&floods, key);
    __u64 begun;

    if (!flood) {
        bpf_map_update_elem(&floods, key, &fresh_flood, BPF_NOEXIST);
        flood = bpf_map_lookup_elem(&floods, key);
        if (!flood) {
            count_lost();
            return NULL;
        }
    }
    begun = flood->window_boot_ns;
    /* Of several at once, one begins the next window. */
    if ((!begun || now - begun >= RV_LSM_FLOOD_NS) &&
        __sync_val_compare_and_swap(&flood->window_boot_ns, begun, now) == begun)
        return flood;
    __sync_fetch_and_add(&flood->repeats, 1);
    return NULL;
}

static __always_inline __u32 slot_of(const struct question *q)
{
    const __u32 *addr = (const __u32 *)q->addr.addr;
    struct dentry *dentry = q->dentry;
    __u64 begins = 0, hash;

    if (dentry)
        bpf_probe_read_kernel(&begins, sizeof(begins), BPF_CORE_READ(dentry, d_name.name));
    hash = rv_lsm_mix(rv_lsm_mix(q->inode_number, begins), addr[0] ^ addr[1] ^ addr[2]);
    hash = rv_lsm_mix(hash, addr[3]);
    return (__u32)rv_lsm_mix(hash, q->port) & (RV_LSM_FLOOD_SLOTS - 1);
}

static __noinline void tell(struct question *q, struct asker *who, const struct rv_lsm_table *t,
                            __u64 rules, __u32 verdict)
{
    struct task_struct *task = bpf_get_current_task_btf();
    struct dentry *dentry = q->dentry;
    struct rv_lsm_flood_key key = { 0 };
    struct rv_refusal_record *r;
    struct rv_lsm_flood *flood;
    __u64 now = bpf_ktime_get_boot_ns();

    key.start_boot_ns = BPF_CORE_READ(task, group_leader, start_boottime);
    key.tgid = (__u32)BPF_CORE_READ(task, tgid);
    key.action = 1U << (q->action & 31);
    key.rule = rules ? lowest(rules) : RV_RULES_MAX;
    key.verdict = verdict;
    key.slot = slot_of(q);
    flood = begin_telling(&key, now);
    if (!flood)
        return;
    r = &flood->record;
    r->time_boot_ns = now;
    r->start_boot_ns = key.start_boot_ns;
    r->cgroup_id = who->cgroup;
    r->inode = q->inode_number;
    r->program_inode = who->program.inode;
    r->rules = rules;
    r->digest = t->digest;
    r->tgid = key.tgid;
    r->tid = (__u32)BPF_CORE_READ(task, pid);
    r->uid = (__u32)bpf_get_current_uid_gid();
    r->dev = q->dev;
    r->policy = rules ? t->policy[key.rule & (RV_RULES_MAX - 1)] : RV_POLICY_SELF;
    r->action = key.action;
    r->verdict = verdict;
    r->mechanism = RV_BY_LSM;
    r->risk = who->risk;
    r->port = q->port;
    r->family = q->family;
    r->repeats = (__u32)__sync_lock_test_and_set(&flood->repeats, 0);
    r->program_dev = who->program.dev;
    __builtin_memcpy(r->addr, q->addr.addr, sizeof(r->addr));
    bpf_get_current_comm(r->comm, sizeof(r->comm));
    __builtin_memset(r->name, 0, sizeof(r->name));
    if (dentry)
        bpf_probe_read_kernel_str(r->name, sizeof(r->name), BPF_CORE_READ(dentry, d_name.name));
    if (bpf_ringbuf_output(&verdicts, r, sizeof(*r), 0) < 0)
        count_lost();
}
