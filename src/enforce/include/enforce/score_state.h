/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/**
 * @file enforce/score_state.h  What the scoring programs and user space share.
 *
 * Two banks hold a model each: its programs by hook, its table, its steps from margin to risk. User
 * space fills the idle bank and then names it in one store, so a score is of the old model or of
 * the new one on every hook at once, and the way back is the same store.
 */
#pragma once

#include "enforce/score_risk.h"
#include "features/core.h"
#include "models/kernel_score.h"

#ifdef __bpf__
struct bpf_spin_lock {
    __u32 val;
};
#else
#include <linux/bpf.h>
#endif

#define RV_SCORE_BANKS   2
#define RV_SCORE_CLASSES 16 /* kinds of program: features/program.h */
#define RV_SCORE_STEPS   16

/*
 * Hooks that score, H(name, LSM hook): `slots_<name>` is their table of programs, `after_<name>`
 * the program that takes the scores. The other hooks only count, and what they find due is done
 * here.
 */
#define RV_SCORE_HOOKS(H)                                                                          \
    H(exec, bprm_creds_for_exec)                                                                   \
    H(open, file_open)                                                                             \
    H(rename, inode_rename)                                                                        \
    H(unlink, inode_unlink)                                                                        \
    H(connect, socket_connect)                                                                     \
    H(cred, task_fix_setuid)                                                                       \
    H(map, mmap_file)                                                                              \
    H(protect, file_mprotect)                                                                      \
    H(bpf, bpf)                                                                                    \
    H(load, kernel_read_file)

/** Of a process, at its first thread. Only under the lock; nobody holds it longer than an update.
 */
struct rv_score_state {
    struct bpf_spin_lock lock;
    __u32 class;   /* kind of its program */
    __u32 due;     /* a hook that cannot score found a score due */
    __u32 started; /* a program was started in place */
    __u64 events;  /* inputs taken in */
    struct rv_core core;
    __u64 asked_ns;      /* when a score was last asked for */
    __u64 scored_events; /* of the inputs, when last scored */
    __u64 scored_ns;     /* as of when */
    __u64 model;         /* that scored */
    __s64 score_q16[RV_KERNEL_HEADS];
    __s64 margin_q16; /* of the louder head */
    __u64 born_ns;
    __u32 born_risk; /* of the process that made it; halves every 2^36 ns */
    __u32 risk;      /* by the last score alone */
};

/** Of a thread. */
struct rv_score_thread {
    struct rv_thread thread;
    __u64 cut; /* inode that an open is about to truncate: said already */
};

/** From this margin on, this risk. Margins ascend; unused ones are INT64_MAX. */
struct rv_score_step {
    __s64 margin_q16;
    __u32 risk, pad;
};

/** A model in a bank's slot: entry bank * (RV_KERNEL_SHADOW + 1) + slot of `models`. */
struct rv_score_model {
    __u64 digest; /* 0: none */
    __u32 heads;  /* a bit for each head that it has */
    __u32 pad;
    struct rv_score_step steps[RV_SCORE_CLASSES][RV_SCORE_STEPS];
};

struct rv_score_control {
    __u32 bank;
    __u32 armed;      /* there is a model in the bank */
    __u32 walk;       /* score by tables: this kernel takes no emitted programs */
    __u32 alarm_risk; /* live and shadow disagree when just one of them reaches this */
    __u32 sequences;  /* a bit for each class whose normal triples are known */
    __u32 pad;
};

/** Per CPU. A score in flight owns it from the row to the result. */
struct rv_score_scratch {
    struct rv_kernel_score score; /* first: emitted programs find it at offset 0 */
    __u64 busy_ns;                /* since when; 0: free */
    __u64 events, now_ns;         /* of the process, when the row was filled */
    __u32 bank, pad;
};

/** What is counted, per CPU. */
struct rv_score_counts {
    __u64 events;
    __u64 scored;
    __u64 no_storage; /* no memory for a process's state: the event was not counted, no score */
    __u64 crowded;    /* a score was due while another one was in flight on this CPU */
    __u64 unanswered; /* the model's program was not in its slot */
    __u64 unrecorded; /* inputs that found no room in the ring */
    __u64 shadowed;   /* scored by live and shadow */
    __u64 shadow_higher, shadow_lower;
    __u64 only_live, only_shadow; /* just one of them reached alarm_risk */
};

/** An input as it was taken in, for tests that compute everything again. */
struct rv_score_record {
    __u64 start_boot_ns; /* of the process */
    __u64 sequence;      /* of the process's inputs, from 0 */
    __u32 tgid, tid;
    __u32 class, pad;
    struct rv_core_input input;
};

/** A file by identity. */
struct rv_score_file {
    __u64 inode;
    __u32 dev, pad;
};

/** The risk of a margin: that of the highest step it reaches. */
RV_CORE_INLINE __u32 rv_score_risk_of(const struct rv_score_step *steps, __s64 margin_q16)
{
    __u32 risk = 0;

#ifdef __clang__
#pragma unroll
#endif
    for (int i = 0; i < RV_SCORE_STEPS; i++)
        if (margin_q16 >= steps[i].margin_q16)
            risk = steps[i].risk;
    return risk > 1000 ? 1000 : risk;
}

/** The louder head speaks. */
RV_CORE_INLINE __s64 rv_score_margin(const __s64 *score_q16, __u32 heads)
{
    if (!(heads & 1U << RV_KERNEL_MONOTONE))
        return score_q16[RV_KERNEL_WINDOW];
    if (!(heads & 1U << RV_KERNEL_WINDOW))
        return score_q16[RV_KERNEL_MONOTONE];
    return score_q16[RV_KERNEL_WINDOW] > score_q16[RV_KERNEL_MONOTONE]
               ? score_q16[RV_KERNEL_WINDOW]
               : score_q16[RV_KERNEL_MONOTONE];
}

#define RV_SCORE_BURST    (16U << 12) /* removals a second, decayed, from which on each is scored */
#define RV_SCORE_STALE_NS 1000000000ULL

/** Whether an input is worth a score whatever it is: a burst, the 64th, or long without. */
RV_CORE_INLINE __u32 rv_score_due(const struct rv_core *core, __u32 action, __u64 events,
                                  __u64 since_ns)
{
    if (since_ns >= RV_SCORE_STALE_NS || (events & 63) == 63)
        return 1;
    if (action != RV_ACTION_RENAME && action != RV_ACTION_UNLINK)
        return 0;
    return core->fast[RV_RATE_REMOVE] >= RV_SCORE_BURST;
}
