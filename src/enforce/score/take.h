/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/**
 * @file score/take.h  Taking an input in, and taking a score: the same code at every hook.
 *
 * Maps full: `states` and `threads` are task storage; when the kernel has no memory for one, the
 * input is not counted and nothing is scored (counts.no_storage). `inputs` full: counts.unrecorded.
 */
#pragma once

#include "bpf/kernel.h"

#include "enforce/score_state.h"
#include "models/kernel_table.h"

#define BPF_MAP_TYPE_PROG_ARRAY 3
#define BUSY_NS                 10000000ULL /* a score in flight that long was lost */
#define BORN_SHIFT              26          /* a tick of born_risk: 2^26 ns, half-life 2^36 ns */

const volatile bool recording = false; /* set by score.c before loading: tests only */

/* ---- Maps ---- */
struct {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct rv_score_state);
} states SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct rv_score_thread);
} threads SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct rv_score_risk);
} risks SEC(".maps"); /* or that of a provider of decisions */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_RDONLY_PROG);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct rv_score_control);
} control SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_RDONLY_PROG);
    __uint(max_entries, RV_SCORE_BANKS *(RV_KERNEL_SHADOW + 1));
    __type(key, __u32);
    __type(value, struct rv_score_model);
} models SEC(".maps");
struct inner {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __uint(key_size, sizeof(__u32)); /* types of an inner map do not reach its BTF */
    __uint(value_size, sizeof(struct rv_kernel_table));
};
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
    __uint(max_entries, RV_SCORE_BANKS *(RV_KERNEL_SHADOW + 1));
    __type(key, __u32);
    __array(values, struct inner);
} tables SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct rv_score_scratch);
} scratches SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_RDONLY_PROG);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct rv_bloom);
} normals SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct rv_score_counts);
} counts SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 4096); /* grown by score.c when recording */
} inputs SEC(".maps");

/* ---- Taking a score ---- */
static __always_inline struct rv_score_counts *counters(void)
{
    __u32 zero = 0;

    return bpf_map_lookup_elem(&counts, &zero);
}

/** What is left of the risk that the process was born with. */
static __always_inline __u32 born_risk(const struct rv_score_state *state, __u64 now_ns)
{
    __u64 age = now_ns > state->born_ns ? now_ns - state->born_ns : 0;

    return rv_core_decay(state->born_risk, age >> BORN_SHIFT);
}

static __always_inline void compare_shadow(struct rv_score_counts *c,
                                           const struct rv_score_scratch *scratch, __u32 class,
                                           __u32 live_risk, __u32 alarm_risk)
{
    __u32 key = scratch->bank * (RV_KERNEL_SHADOW + 1) + RV_KERNEL_SHADOW, risk;
    struct rv_score_model *shadow = bpf_map_lookup_elem(&models, &key);

    if (!shadow || !shadow->digest || scratch->score.model[RV_KERNEL_SHADOW] != shadow->digest)
        return;
    risk = rv_score_risk_of(
        shadow->steps[class & (RV_SCORE_CLASSES - 1)],
        rv_score_margin(scratch->score.score_q16[RV_KERNEL_SHADOW], shadow->heads));
    c->shadowed++;
    c->shadow_higher += risk > live_risk;
    c->shadow_lower += risk < live_risk;
    c->only_live += live_risk >= alarm_risk && risk < alarm_risk;
    c->only_shadow += risk >= alarm_risk && live_risk < alarm_risk;
}

/** Let a decision see the risk; storage is made only for one that has any. */
static __always_inline void publish(struct task_struct *leader, __u32 risk)
{
    struct rv_score_risk *own =
        bpf_task_storage_get(&risks, leader, NULL, risk ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);
    struct rv_score_counts *c = counters();

    if (own)
        own->risk = risk;
    else if (risk && c)
        c->no_storage++;
}

/** The scratch holds the scores of the process that acts: make them its risk. */
static __noinline int finish(void)
{
    struct task_struct *leader = bpf_get_current_task_btf()->group_leader;
    struct rv_score_state *state = bpf_task_storage_get(&states, leader, NULL, 0);
    __u64 now = bpf_ktime_get_boot_ns();
    struct rv_score_scratch *scratch;
    struct rv_score_control *c;
    struct rv_score_counts *n = counters();
    struct rv_score_model *live;
    __u32 zero = 0, key, risk, born, class;
    __s64 margin;

    scratch = bpf_map_lookup_elem(&scratches, &zero);
    c = bpf_map_lookup_elem(&control, &zero);
    if (!scratch || !c || !n)
        return 0;
    key = scratch->bank * (RV_KERNEL_SHADOW + 1) + RV_KERNEL_LIVE;
    live = bpf_map_lookup_elem(&models, &key);
    if (!state || !live || !live->digest || scratch->score.model[RV_KERNEL_LIVE] != live->digest) {
        n->unanswered++;
        scratch->busy_ns = 0;
        return 0;
    }
    class = state->class & (RV_SCORE_CLASSES - 1);
    margin = rv_score_margin(scratch->score.score_q16[RV_KERNEL_LIVE], live->heads);
    risk = rv_score_risk_of(live->steps[class], margin);
    n->scored++;
    compare_shadow(n, scratch, class, risk, c->alarm_risk);
    bpf_spin_lock(&state->lock);
    if (scratch->events >= state->scored_events) {
        state->scored_events = scratch->events;
        state->scored_ns = scratch->now_ns;
        state->model = live->digest;
        state->score_q16[RV_KERNEL_WINDOW] =
            scratch->score.score_q16[RV_KERNEL_LIVE][RV_KERNEL_WINDOW];
        state->score_q16[RV_KERNEL_MONOTONE] =
            scratch->score.score_q16[RV_KERNEL_LIVE][RV_KERNEL_MONOTONE];
        state->margin_q16 = margin;
        state->risk = risk;
    }
    risk = state->risk;
    born = born_risk(state, now);
    bpf_spin_unlock(&state->lock);
    publish(leader, born > risk ? born : risk);
    scratch->busy_ns = 0;
    return 0;
}

/** Score by the tables of the bank: where the kernel takes no new programs. */
static __noinline int walk_tables(void)
{
    __u32 zero = 0;
    struct rv_score_scratch *scratch = bpf_map_lookup_elem(&scratches, &zero);

    if (!scratch)
        return 0;
    for (__u32 slot = RV_KERNEL_LIVE; slot <= RV_KERNEL_SHADOW; slot++) {
        __u32 key = scratch->bank * (RV_KERNEL_SHADOW + 1) + slot;
        void *inner = bpf_map_lookup_elem(&tables, &key);
        struct rv_kernel_table *table = inner ? bpf_map_lookup_elem(inner, &zero) : NULL;

        if (!table)
            continue;
        for (int head = 0; head < RV_KERNEL_HEADS; head++)
            scratch->score.score_q16[slot][head] =
                rv_table_score(&table->heads[head], &scratch->score);
        scratch->score.model[slot] = table->model;
    }
    return finish();
}

/* ---- Taking an input in ---- */
struct taking {
    struct rv_core_input input;
    __u32 always; /* of a kind that is always worth a score */
    __u32 here;   /* the hook can score */
};

static __always_inline void record(struct task_struct *task, const struct taking *taking,
                                   __u64 sequence, __u32 class)
{
    struct rv_score_record *r = bpf_ringbuf_reserve(&inputs, sizeof(*r), 0);
    struct rv_score_counts *n = counters();

    if (!r) {
        if (n)
            n->unrecorded++;
        return;
    }
    r->start_boot_ns = task->group_leader->start_boottime;
    r->sequence = sequence;
    r->tgid = (__u32)task->tgid;
    r->tid = (__u32)task->pid;
    r->class = class;
    r->input = taking->input;
    bpf_ringbuf_submit(r, 0);
}

/** What an input is taken in by. */
struct takers {
    struct rv_score_state *state;
    struct rv_score_thread *thread;
    struct rv_score_scratch *scratch;
    struct rv_score_control *control;
    struct rv_bloom *bloom;
};

enum outcome { NOT_DUE, DUE, CROWDED };

/** Under the lock: no call may stand here. */
static __always_inline enum outcome update(const struct takers *by, const struct taking *taking)
{
    struct rv_score_state *state = by->state;
    struct rv_score_scratch *scratch = by->scratch;
    __u32 class = state->class & (RV_SCORE_CLASSES - 1);
    struct rv_core_normal normal = { class, by->control->sequences >> class & 1 };
    __u64 now = taking->input.time_ns;
    __u32 due;

    rv_core_update(&state->core, &by->thread->thread, by->bloom, &normal, &taking->input);
    due = taking->always | state->due |
          rv_score_due(&state->core, taking->input.action, state->events, now - state->asked_ns);
    state->events++;
    state->due = by->control->armed && due && !taking->here;
    if (!by->control->armed || !due || !taking->here)
        return NOT_DUE;
    /* LSM programs can be preempted by others on this CPU, not while the lock is held. */
    if (scratch->busy_ns && now - scratch->busy_ns < BUSY_NS)
        return CROWDED;
    scratch->busy_ns = now;
    return DUE;
}

/** Fill the row of the scratch, which is ours. Apart from update(): the stack is 512 bytes. */
static __noinline int fill(struct rv_score_state *state, struct rv_score_scratch *scratch,
                           __u64 now)
{
    bpf_spin_lock(&state->lock);
    scratch->events = state->events;
    scratch->now_ns = state->asked_ns = now;
    rv_core_fill(&state->core, now, scratch->score.row);
    bpf_spin_unlock(&state->lock);
    scratch->score.model[RV_KERNEL_LIVE] = scratch->score.model[RV_KERNEL_SHADOW] = 0;
    return 0;
}

static __always_inline bool find_takers(struct takers *by, struct task_struct *task)
{
    __u32 zero = 0;

    by->state =
        bpf_task_storage_get(&states, task->group_leader, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
    by->thread = bpf_task_storage_get(&threads, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
    by->scratch = bpf_map_lookup_elem(&scratches, &zero);
    by->control = bpf_map_lookup_elem(&control, &zero);
    by->bloom = bpf_map_lookup_elem(&normals, &zero);
    return by->state && by->thread && by->scratch && by->control && by->bloom;
}

/** @return as take(), and where the input came in the process's sequence. */
static __noinline int take_in(struct taking *taking)
{
    struct task_struct *task = bpf_get_current_task_btf();
    struct rv_score_counts *n = counters();
    struct takers by = { 0 };
    enum outcome outcome;
    __u64 sequence;
    __u32 class;

    if (!n || task->flags & PF_KTHREAD)
        return 0;
    n->events++;
    if (!find_takers(&by, task)) {
        n->no_storage++;
        return 0;
    }
    taking->input.time_ns = bpf_ktime_get_boot_ns();
    bpf_spin_lock(&by.state->lock);
    sequence = by.state->events;
    class = by.state->class;
    outcome = update(&by, taking);
    bpf_spin_unlock(&by.state->lock);
    if (recording)
        record(task, taking, sequence, class);
    n->crowded += outcome == CROWDED;
    return outcome == DUE;
}

/**
 * Take an input of the acting process in.
 * @return 1 + bank: the row lies in the scratch, call the model of that bank; 0: nothing to do.
 */
static __noinline int take(struct taking *taking)
{
    struct rv_score_scratch *scratch;
    struct rv_score_control *c;
    struct rv_score_state *state;
    __u32 zero = 0;

    if (!take_in(taking))
        return 0;
    state = bpf_task_storage_get(&states, bpf_get_current_task_btf()->group_leader, NULL, 0);
    scratch = bpf_map_lookup_elem(&scratches, &zero);
    c = bpf_map_lookup_elem(&control, &zero);
    if (!state || !scratch || !c)
        return 0;
    scratch->bank = c->bank & (RV_SCORE_BANKS - 1);
    fill(state, scratch, taking->input.time_ns);
    if (c->walk)
        return walk_tables();
    return 1 + (int)(scratch->bank & (RV_SCORE_BANKS - 1));
}

/** Nobody took the call: the slot is empty. */
static __noinline int unanswered(void)
{
    __u32 zero = 0;
    struct rv_score_scratch *scratch = bpf_map_lookup_elem(&scratches, &zero);
    struct rv_score_counts *n = counters();

    if (scratch)
        scratch->busy_ns = 0;
    if (n)
        n->unanswered++;
    return 0;
}
