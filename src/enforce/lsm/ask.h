/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/** @file lsm/ask.h  How a hook asks: it fills a question, and is told 0 or -EPERM. */
#pragma once

#include "verdict.h"

#define EPERM             1
#define ENOMEM            12
#define LATENCY_CALLS_MIN 4096

#define NUMBER(bit) ((__u32)__builtin_ctz(bit))

/**
 * Risk and marks of who asks; what the guard said of a program that was replaced is void. The risk
 * is the judge's or, when that is higher, what the kernel scored, this very event included.
 */
static __always_inline void read_said(struct asker *who, struct task_struct *leader)
{
    struct rv_lsm_said *said_of = bpf_task_storage_get(&said, leader, NULL, 0);
    struct rv_score_risk *scored = bpf_task_storage_get(&risks, leader, NULL, 0);
    __u32 risk = scored ? scored->risk : 0;

    if (risk > 1000)
        risk = 1000;
    who->risk = risk;
    if (!said_of)
        return;
    if (said_of->risk > risk)
        risk = said_of->risk;
    asm volatile("%[risk] &= 1023" : [risk] "+r"(risk));
    who->risk = risk;
    who->marks = said_of->marks;
    if ((who->marks & RV_LSM_PROTECTED) && !same_program(&said_of->program, &who->program))
        who->marks &= ~RV_LSM_PROTECTED;
}

static __always_inline __u64 match(const struct rv_lsm_table *t, __u32 table, __u64 rules,
                                   struct question *q, struct asker *who)
{
    struct task_struct *task = bpf_get_current_task_btf();
    __u32 risk = who->risk;

    asm volatile("%[risk] &= 1023" : [risk] "+r"(risk));
    rules &= t->risk[risk & 1023];
    if (rules)
        rules = match_target(t, table, rules, q);
    if (rules)
        rules = match_asker(t, table, rules, who);
    if (rules & t->asks[RV_LSM_G_FILE_NAME])
        rules = match_name(t, table, rules, q->dentry, RV_LSM_G_FILE_NAME);
    if (rules & t->asks[RV_LSM_G_FILE])
        rules = match_file(t, table, rules, q);
    if (rules & (t->asks[RV_LSM_G_LINEAGE] | t->asks[RV_LSM_G_LINEAGE_KIND]))
        rules = match_lineage(t, table, rules, task->group_leader);
    return rules;
}

/** Not static: so the verifier walks it once, and not once with each way through a hook. */
__noinline int decide(struct question *q)
{
    struct task_struct *task = bpf_get_current_task_btf();
    __u32 zero = 0, table, action, verdict;
    struct rv_lsm_control *c = bpf_map_lookup_elem(&control, &zero);
    struct rv_lsm_lineage *lineage;
    struct rv_lsm_table *t;
    struct dentry *dentry;
    struct asker who = { 0 };
    __u64 rules;

    if (!q || !c)
        return 0;
    table = c->active & 1;
    action = q->action;
    dentry = q->dentry;
    t = bpf_map_lookup_elem(&tables, &table);
    if (!t || action >= RV_DO_COUNT_)
        return 0;
    rules = t->action[action];
    if (!rules)
        return 0;
    lineage = bpf_task_storage_get(&lineages, task->group_leader, NULL, 0);
    if (lineage)
        who.program = lineage->now;
    else
        program_of(task, &who.program);
    read_said(&who, task->group_leader);
    rules = match(t, table, rules, q, &who);
    if (!rules)
        return 0;
    if (q->table != table)
        q->granted = 0;
    q->table = table;
    who.cgroup = bpf_get_current_cgroup_id();
    if (dentry) {
        q->inode_number = BPF_CORE_READ(dentry, d_inode, i_ino);
        q->dev = BPF_CORE_READ(dentry, d_inode, i_sb, s_dev);
    }
    verdict = verdict_of(t, c, q, rules, &who);
    if (verdict != RV_REFUSAL_WOULD_DENY)
        rules &= t->enforce;
    count(table, lowest(rules), verdict);
    tell(q, &who, t, rules, verdict);
    return verdict == RV_REFUSAL_DENIED ? -EPERM : 0;
}

/** Time the hook; when more than one call in a thousand is above the budget, disarm it. */
static __always_inline void watch_latency(const struct rv_lsm_control *c, __u32 action, __u64 ns)
{
    struct rv_lsm_latency *l = bpf_map_lookup_elem(&latency, &action);
    __u32 bucket = 0, zero = 0;
    __u64 *slow;

    if (!l)
        return;
    for (int i = 0; i < RV_LSM_BUCKETS - 1; i++)
        if (ns >> (i + 1))
            bucket = (__u32)i + 1;
    if (bucket < RV_LSM_BUCKETS)
        l->bucket[bucket]++;
    l->calls++;
    if (!c->latency_budget_ns || ns <= c->latency_budget_ns)
        return;
    l->over++;
    slow = bpf_map_lookup_elem(&disarmed, &zero);
    if (slow && l->calls >= LATENCY_CALLS_MIN && l->over * 1000 > l->calls)
        __sync_fetch_and_or(slow, 1ULL << (action & 31));
}

static __always_inline int ask(struct question *q)
{
    __u32 zero = 0;
    struct rv_lsm_control *c = bpf_map_lookup_elem(&control, &zero);
    __u64 begin = bpf_ktime_get_ns();
    int r;

    if (!c)
        return 0;
    r = decide(q);
    watch_latency(c, q->action, bpf_ktime_get_ns() - begin);
    return r < 0 ? -EPERM : 0; /* 6.12 wants to see the range */
}

static __always_inline int ask_dentry(__u32 action, struct dentry *dentry)
{
    struct question q = { .action = NUMBER(action), .dentry = dentry };

    return ask(&q);
}

/** Of two names: refused when either is; one approval is for both. */
static __always_inline int ask_both(__u32 action, struct dentry *old, struct dentry *new)
{
    struct question q = { .action = NUMBER(action), .dentry = old };
    int r = ask(&q);

    if (r)
        return r;
    q.dentry = new;
    q.inode_number = 0;
    q.dev = 0;
    return ask(&q);
}

/*
 * `file` may be NULL in mmap_file, but 6.12's verifier believes that it never is: it removes the
 * test and reads through the pointer unguarded, which kills the caller in the kernel. Fetched from
 * the stack by the helper it is a plain number, so the test stays and reads go through helpers.
 */
static __always_inline void about_file(struct question *q, struct file *file)
{
    struct file *number = NULL;

    bpf_probe_read_kernel(&number, sizeof(number), &file);
    if (!number)
        return;
    q->dentry = BPF_CORE_READ(number, f_path.dentry);
    q->mnt = BPF_CORE_READ(number, f_path.mnt);
    q->inode = BPF_CORE_READ(number, f_inode);
}

static __always_inline bool without_name(const struct question *q)
{
    struct inode *inode = q->inode;

    return inode && BPF_CORE_READ(inode, i_nlink) == 0;
}

static __always_inline int ask_file(__u32 action, struct file *file)
{
    struct question q = { .action = NUMBER(action) };

    about_file(&q, file);
    return ask(&q);
}

static __always_inline int ask_plain(__u32 action)
{
    struct question q = { .action = NUMBER(action) };

    return ask(&q);
}

static __always_inline bool is_guarded(struct task_struct *task)
{
    struct rv_lsm_said *of = bpf_task_storage_get(&said, task->group_leader, NULL, 0);

    return of && (of->marks & RV_LSM_GUARDED);
}

static __always_inline int ask_task(__u32 action, struct task_struct *target)
{
    struct question q = { .action = NUMBER(action) };

    if (is_guarded(target))
        q.flags = 1U << RV_FLAG_GUARDED_TARGET;
    return ask(&q);
}
