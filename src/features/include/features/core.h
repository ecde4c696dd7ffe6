/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/**
 * @file features/core.h  The part of the feature state that the kernel can keep, as functions that
 * compile to the same arithmetic in a BPF program and in the judge: counts, decayed rates, distinct
 * counts, sequences by thread, timing. The features that table.h marks KERNEL come from here alone.
 *
 * Integers only, no loops over data, no division but by constants and in rv_core_fill(). All-zero
 * is the valid start of every struct. Nothing here can overflow: counts saturate.
 */
#pragma once

#include "features/table.h"

#ifdef __bpf__
#define RV_CORE_INLINE static __attribute__((always_inline)) inline
/* What came before is done: the stack is 512 bytes, and unrolled loops would keep all in flight. */
#define RV_CORE_IN_ORDER(variable) __asm__ volatile("" : "+r"(variable) : : "memory")
#else
#define RV_CORE_INLINE static inline
#define RV_CORE_IN_ORDER(variable) ((void)(variable))
#endif

/** Kinds of event that are counted; the first 18 in the order of the features from `forks` on. */
enum rv_action {
    RV_ACTION_FORK,
    RV_ACTION_EXEC,
    RV_ACTION_WATCHED_READ,
    RV_ACTION_OPEN_WRITE,
    RV_ACTION_CREATE,
    RV_ACTION_RENAME,
    RV_ACTION_UNLINK,
    RV_ACTION_LINK,
    RV_ACTION_ATTR,
    RV_ACTION_TRUNCATE,
    RV_ACTION_MEMORY_EXEC,
    RV_ACTION_PTRACE,
    RV_ACTION_SIGNAL,
    RV_ACTION_CONNECT,
    RV_ACTION_ACCEPT,
    RV_ACTION_BIND,
    RV_ACTION_MOUNT,
    RV_ACTION_KERNEL_LOAD,
    RV_ACTION_CRED,
    RV_ACTION_COUNT_,
    RV_ACTION_ROOM_ = 32, /* length of arrays: a power of two, so that a mask bounds an index */
};

/* Sequences: a symbol is an action, or 32 + the number of a system call under deep watching. */
#define RV_SYMBOL_SYSCALL 32U
#define RV_SYMBOL_MASK    1023U

/* Bloom filter of triples that are normal for a kind of program: 2 of 2^19 bits, 64 KiB. */
#define RV_BLOOM_WORDS 8192U
struct rv_bloom {
    __u64 words[RV_BLOOM_WORDS];
};

/** Distinct count: HyperLogLog of 64 registers of 4 bits, its sum kept so that reading is cheap. */
struct rv_distinct {
    __u32 inverse; /* sum of 2^15 - 2^(15 - register): 0 when empty */
    __u32 used;    /* registers that are not 0 */
    __u8 nibbles[32];
};

/* The rates: what is counted twice, with a short and with a long half-life. */
enum rv_rate {
    RV_RATE_ALL,
    RV_RATE_WRITE,
    RV_RATE_REMOVE,
    RV_RATE_CONNECT,
    RV_RATE_SPAWN,
    RV_RATE_COUNT_
};

/** What a process has done. */
struct rv_core {
    __u64 last_ns;          /* of the last event */
    __u64 fast_ns, slow_ns; /* up to when the rates are decayed */
    __u64 connect_ns;       /* of the last connection */
    __u32 counts[RV_ACTION_ROOM_];
    __u32 fast[RV_RATE_COUNT_], slow[RV_RATE_COUNT_]; /* Q20.12 */
    __u32 kinds;                                      /* a bit for each action seen */
    __u32 gap;                       /* decayed mean of log2 of ns between events, Q24.8 */
    __u32 beat_mean, beat_deviation; /* of the time between connections, units of 2^16 ns */
    __u32 beats;
    __u32 ngram_misses;
    __u32 longest_run;
    __u8 ngram_window, ngram_window_max;
    __u8 spare[2];
    struct rv_distinct files, dirs, addresses, ports, programs;
};

/** What a thread did last. */
struct rv_thread {
    __u64 misses;    /* a bit for each of the last 64 triples that was not normal; newest lowest */
    __u32 symbols;   /* the last two, 10 bits each */
    __u16 run, last; /* length of the present run, and of which symbol + 1 */
    __u8 depth;      /* symbols seen, up to 2 */
    __u8 deep;       /* system calls were seen: events are no longer part of the sequence */
    __u8 spare[6];
};

/** One event, as far as the core needs it. */
struct rv_core_input {
    __u64 time_ns;
    __u64 object, group; /* hashes: file and directory, address and port, program */
    __u32 action;        /* enum rv_action */
    __u32 weight;        /* events it stands for, from 1 */
};

/** What sequences are compared with. */
struct rv_core_normal {
    __u32 class; /* kind of program */
    __u32 armed; /* 0: the filter does not know this class well enough; count no misses */
};

/* ---- Arithmetic ---- */

RV_CORE_INLINE __u64 rv_core_mix(__u64 x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9ULL;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebULL;
    x ^= x >> 31;
    return x;
}

RV_CORE_INLINE __u32 rv_core_popcount(__u64 x)
{
    x -= (x >> 1) & 0x5555555555555555ULL;
    x = (x & 0x3333333333333333ULL) + ((x >> 2) & 0x3333333333333333ULL);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
    return (__u32)((x * 0x0101010101010101ULL) >> 56);
}

/** Position of the highest bit, 0 for 0. Without branches, of which the verifier would try all. */
RV_CORE_INLINE __u32 rv_core_top_bit(__u64 x)
{
    x |= x >> 1;
    x |= x >> 2;
    x |= x >> 4;
    x |= x >> 8;
    x |= x >> 16;
    x |= x >> 32;
    return rv_core_popcount(x >> 1);
}

/** log2(x) in 1/256; 0 for 0 and 1. Error below 1/50: a parabola over the mantissa. */
RV_CORE_INLINE __u32 rv_core_log2_q8(__u64 x)
{
    __u32 top = rv_core_top_bit(x);
    __u32 mantissa = (__u32)((x << (63 - top)) >> 55) & 255;

    return (top << 8) + mantissa + ((mantissa * (256 - mantissa) * 87) >> 16);
}

/** The sum, at most 2^31 - 1; both must be at most that, or any for `b` alone. */
RV_CORE_INLINE __u32 rv_core_add_capped(__u32 a, __u32 b)
{
    __u64 sum = (__u64)a + b;

    return sum > 0x7fffffffU ? 0x7fffffffU : (__u32)sum;
}

RV_CORE_INLINE __u32 rv_core_add_sat(__u32 a, __u32 b)
{
    __u32 sum = a + b;

    return sum < a ? 0xffffffffU : sum;
}

/* ---- Rates ---- */

/**
 * What is left after `ticks` 1024ths of a half-life: halved per whole one, a straight line within.
 * Rounded to nearest, so that many small steps do not drift down.
 */
RV_CORE_INLINE __u32 rv_core_decay(__u32 value, __u64 ticks)
{
    __u64 halvings = ticks >> 10;
    __u64 factor = 65536 - ((ticks & 1023) << 5);

    if (halvings > 31)
        return 0;
    return (__u32)(((value >> halvings) * factor + 32768) >> 16);
}

#define RV_FAST_SHIFT 20 /* a tick of the fast rates: 2^20 ns, half-life 2^30 ns */
#define RV_SLOW_SHIFT 26 /* a tick of the slow rates: 2^26 ns, half-life 2^36 ns */

/** Ticks from `*since_ns` to `now_ns`; `*since_ns` moves on by whole ticks. Time never goes back.
 */
RV_CORE_INLINE __u64 rv_core_ticks(__u64 *since_ns, __u64 now_ns, __u32 shift)
{
    __u64 ticks;

    if (*since_ns == 0)
        *since_ns = now_ns;
    if (now_ns <= *since_ns)
        return 0;
    ticks = (now_ns - *since_ns) >> shift;
    *since_ns += ticks << shift;
    return ticks;
}

RV_CORE_INLINE void rv_core_decay_all(struct rv_core *core, __u64 now_ns)
{
    __u64 fast = rv_core_ticks(&core->fast_ns, now_ns, RV_FAST_SHIFT);
    __u64 slow = rv_core_ticks(&core->slow_ns, now_ns, RV_SLOW_SHIFT);

    if (fast) {
#ifdef __clang__
#pragma unroll
#endif
        for (int i = 0; i < RV_RATE_COUNT_; i++)
            core->fast[i] = rv_core_decay(core->fast[i], fast);
    }
    if (slow) {
#ifdef __clang__
#pragma unroll
#endif
        for (int i = 0; i < RV_RATE_COUNT_; i++)
            core->slow[i] = rv_core_decay(core->slow[i], slow);
    }
}

RV_CORE_INLINE void rv_core_count(struct rv_core *core, enum rv_rate rate, __u32 weight)
{
    __u32 q12 = weight >> 20 ? 0xffffffffU : weight << 12;

    core->fast[rate] = rv_core_add_sat(core->fast[rate], q12);
    core->slow[rate] = rv_core_add_sat(core->slow[rate], q12);
}

/* ---- Distinct counts ---- */

RV_CORE_INLINE void rv_distinct_add(struct rv_distinct *distinct, __u64 hash)
{
    __u64 mixed = rv_core_mix(hash ^ 0x9e3779b97f4a7c15ULL);
    __u32 at = (__u32)(mixed >> 1) & 31;
    __u32 shift = (__u32)(mixed & 1) << 2;
    __u64 rest = (mixed >> 6) | (1ULL << 50);
    __u32 rank = 1, old, byte;

    /* Zeros below the lowest one, plus one, at most 15. */
    if ((rest & 255) == 0) {
        rank += 8;
        rest >>= 8;
    }
    if ((rest & 15) == 0) {
        rank += 4;
        rest >>= 4;
    }
    if ((rest & 3) == 0) {
        rank += 2;
        rest >>= 2;
    }
    rank += (__u32)(~rest & 1);
    if (rank > 15)
        rank = 15;

    byte = distinct->nibbles[at];
    old = (byte >> shift) & 15;
    if (rank <= old)
        return;
    if (old == 0)
        distinct->used++;
    distinct->inverse += (32768U >> old) - (32768U >> rank);
    distinct->nibbles[at] = (__u8)((byte & ~(15U << shift)) | (rank << shift));
}

/**
 * The estimate: linear counting while a quarter of the registers is free, harmonic mean above.
 * 64 ln(64 / (64 - used)) = 44.36 log2(64 / (64 - used)); exact to one up to about ten.
 */
RV_CORE_INLINE __u32 rv_distinct_count(const struct rv_distinct *distinct)
{
    __u32 used = distinct->used;
    __u64 sum = (64ULL << 15) - distinct->inverse;

    if (used < 48)
        return ((1536 - rv_core_log2_q8(64 - (used & 63))) * 4436 + 12800) / 25600;
    if (sum == 0)
        sum = 1; /* cannot be: every register leaves at least 1 */
    return (__u32)(((2904ULL << 15) + sum / 2) / sum); /* 0.709 * 64 * 64 = 2904 */
}

/* ---- Sequences ---- */

RV_CORE_INLINE __u64 rv_ngram_key(__u32 class, __u32 symbols, __u32 symbol)
{
    return rv_core_mix(((__u64) class << 32) | ((__u64)(symbols & 0xfffff) << 10) |
                       (symbol & RV_SYMBOL_MASK));
}

RV_CORE_INLINE int rv_bloom_has(const struct rv_bloom *bloom, __u64 key)
{
    __u32 a = (__u32)key, b = (__u32)(key >> 32);

    return (bloom->words[(a >> 6) & (RV_BLOOM_WORDS - 1)] >> (a & 63)) &
           (bloom->words[(b >> 6) & (RV_BLOOM_WORDS - 1)] >> (b & 63)) & 1;
}

RV_CORE_INLINE void rv_bloom_add(struct rv_bloom *bloom, __u64 key)
{
    __u32 a = (__u32)key, b = (__u32)(key >> 32);

    bloom->words[(a >> 6) & (RV_BLOOM_WORDS - 1)] |= 1ULL << (a & 63);
    bloom->words[(b >> 6) & (RV_BLOOM_WORDS - 1)] |= 1ULL << (b & 63);
}

/**
 * One symbol of a thread. Every triple ending here is one of the last 64 of the window.
 * @return the key of the triple when it is not in the filter, else 0 (0 too before the third).
 */
RV_CORE_INLINE __u64 rv_core_sequence(struct rv_core *core, struct rv_thread *thread,
                                      const struct rv_bloom *bloom,
                                      const struct rv_core_normal *normal, __u32 symbol)
{
    __u32 symbols = thread->symbols;
    __u64 key, missing = 0;
    __u32 window;

    if (thread->last == symbol + 1)
        thread->run = (__u16)(thread->run < 65535 ? thread->run + 1 : 65535);
    else
        thread->run = 1;
    thread->last = (__u16)(symbol + 1);
    if (thread->run > core->longest_run)
        core->longest_run = thread->run;

    thread->symbols = ((symbols << 10) | (symbol & RV_SYMBOL_MASK)) & 0xfffff;
    if (thread->depth < 2) {
        thread->depth++;
        return 0;
    }
    key = rv_ngram_key(normal->class, symbols, symbol);
    if (!rv_bloom_has(bloom, key))
        missing = key;
    thread->misses = (thread->misses << 1) | (missing != 0 && normal->armed);
    window = rv_core_popcount(thread->misses);
    core->ngram_window = (__u8)window;
    if (window > core->ngram_window_max)
        core->ngram_window_max = (__u8)window;
    if (missing != 0 && normal->armed && core->ngram_misses < 65535)
        core->ngram_misses++;
    return missing;
}

/* ---- Timing ---- */

RV_CORE_INLINE void rv_core_gap(struct rv_core *core, __u64 now_ns)
{
    __u32 gap = 0;

    if (core->last_ns != 0) {
        gap = now_ns > core->last_ns ? rv_core_log2_q8(now_ns - core->last_ns) : 0;
        core->gap = core->gap == 0 ? gap : core->gap - (core->gap >> 3) + (gap >> 3);
    }
    if (now_ns > core->last_ns)
        core->last_ns = now_ns;
}

/** Mean and mean deviation of the time between connections, each moving by an eighth. */
RV_CORE_INLINE void rv_core_beat(struct rv_core *core, __u64 now_ns)
{
    __u64 gap = 0;
    __u32 g, mean, off;

    if (core->connect_ns != 0 && now_ns > core->connect_ns)
        gap = (now_ns - core->connect_ns) >> 16;
    g = gap >> 28 ? 1U << 28 : (__u32)gap; /* five hours and more are the same */
    mean = core->beat_mean;
    if (core->connect_ns != 0) {
        if (core->beats == 0) {
            core->beat_mean = g;
        } else {
            off = g > mean ? g - mean : mean - g;
            core->beat_deviation = core->beat_deviation - (core->beat_deviation >> 3) + (off >> 3);
            core->beat_mean = mean - (mean >> 3) + (g >> 3);
        }
        core->beats = rv_core_add_sat(core->beats, 1);
    }
    if (now_ns > core->connect_ns)
        core->connect_ns = now_ns;
}

/* ---- An event, and the vector ---- */

/**
 * Take in one event. The program that an exec starts counts for the parent too: call
 * rv_distinct_add(&parent->programs, hash) for it.
 * @return as rv_core_sequence().
 */
RV_CORE_INLINE __u64 rv_core_update(struct rv_core *core, struct rv_thread *thread,
                                    const struct rv_bloom *bloom,
                                    const struct rv_core_normal *normal,
                                    const struct rv_core_input *input)
{
    __u32 action = input->action & (RV_ACTION_ROOM_ - 1);
    __u32 weight = input->weight;

    core->counts[action] = rv_core_add_capped(core->counts[action], weight);
    core->kinds |= 1U << action;
    rv_core_decay_all(core, input->time_ns);
    rv_core_count(core, RV_RATE_ALL, weight);
    rv_core_gap(core, input->time_ns);

    if (action == RV_ACTION_OPEN_WRITE || action == RV_ACTION_CREATE)
        rv_core_count(core, RV_RATE_WRITE, weight);
    if (action == RV_ACTION_RENAME || action == RV_ACTION_UNLINK)
        rv_core_count(core, RV_RATE_REMOVE, weight);
    if (action == RV_ACTION_FORK || action == RV_ACTION_EXEC)
        rv_core_count(core, RV_RATE_SPAWN, weight);
    if (action >= RV_ACTION_OPEN_WRITE && action <= RV_ACTION_UNLINK) {
        rv_distinct_add(&core->files, input->object);
        rv_distinct_add(&core->dirs, input->group);
    }
    if (action == RV_ACTION_CONNECT) {
        rv_core_count(core, RV_RATE_CONNECT, weight);
        rv_core_beat(core, input->time_ns);
        rv_distinct_add(&core->addresses, input->object);
        rv_distinct_add(&core->ports, input->group);
    }
    if (thread->deep)
        return 0;
    return rv_core_sequence(core, thread, bloom, normal, action);
}

RV_CORE_INLINE __s32 rv_core_cap(__u32 value, __u32 max)
{
    return (__s32)(value > max ? max : value);
}

/** Entropy of the kinds of event in 1/16 bit: log2(n) - sum(c log2 c) / n. */
RV_CORE_INLINE __u32 rv_core_entropy(const struct rv_core *core)
{
    __u64 total = 0, weighted = 0, log_total, mean;

#ifdef __clang__
#pragma unroll
#endif
    for (int i = 0; i < RV_ACTION_COUNT_; i++) {
        total += core->counts[i];
        weighted += (__u64)core->counts[i] * rv_core_log2_q8(core->counts[i]);
        RV_CORE_IN_ORDER(weighted);
    }
    if (total == 0)
        return 0;
    log_total = rv_core_log2_q8(total);
    mean = weighted / total;
    return log_total > mean ? (__u32)((log_total - mean) >> 4) : 0;
}

RV_CORE_INLINE __u32 rv_core_beacon(const struct rv_core *core)
{
    __u64 ratio;

    if (core->beats < 4)
        return 255;
    ratio = ((__u64)core->beat_deviation << 4) / (core->beat_mean ? core->beat_mean : 1);
    return ratio > 254 ? 254 : (__u32)ratio;
}

/** Set the features that are KEPT_KERNEL, as of `now_ns`. The state does not change. */
RV_CORE_INLINE void rv_core_fill(const struct rv_core *core, __u64 now_ns, __s32 *value)
{
    __u64 fast_ns = core->fast_ns, slow_ns = core->slow_ns;
    __u64 fast = rv_core_ticks(&fast_ns, now_ns, RV_FAST_SHIFT);
    __u64 slow = rv_core_ticks(&slow_ns, now_ns, RV_SLOW_SHIFT);

    value[RV_FEATURE_CRED_CHANGES] = rv_core_cap(core->counts[RV_ACTION_CRED], 65535);
#ifdef __clang__
#pragma unroll
#endif
    for (int i = 0; i <= RV_ACTION_KERNEL_LOAD; i++)
        value[RV_FEATURE_FORKS + i] = (__s32)core->counts[i];
#ifdef __clang__
#pragma unroll
#endif
    for (int i = 0; i < RV_RATE_COUNT_; i++) {
        value[RV_FEATURE_ALL_FAST + 2 * i] =
            rv_core_cap((rv_core_decay(core->fast[i], fast) + 2048U) >> 12, 1048575);
        value[RV_FEATURE_ALL_SLOW + 2 * i] =
            rv_core_cap((rv_core_decay(core->slow[i], slow) + 2048U) >> 12, 1048575);
    }
    value[RV_FEATURE_NGRAM_MISSES] = rv_core_cap(core->ngram_misses, 65535);
    value[RV_FEATURE_NGRAM_WINDOW] = core->ngram_window;
    value[RV_FEATURE_NGRAM_WINDOW_MAX] = core->ngram_window_max;
    value[RV_FEATURE_CALL_ENTROPY] = rv_core_cap(rv_core_entropy(core), 80);
    value[RV_FEATURE_LONGEST_RUN] = rv_core_cap(core->longest_run, 65535);
    value[RV_FEATURE_CALL_KINDS] = (__s32)rv_core_popcount(core->kinds);
    value[RV_FEATURE_FILES] = rv_core_cap(rv_distinct_count(&core->files), 1048575);
    value[RV_FEATURE_DIRS] = rv_core_cap(rv_distinct_count(&core->dirs), 1048575);
    value[RV_FEATURE_ADDRESSES] = rv_core_cap(rv_distinct_count(&core->addresses), 1048575);
    value[RV_FEATURE_PORTS] = rv_core_cap(rv_distinct_count(&core->ports), 1048575);
    value[RV_FEATURE_PROGRAMS] = rv_core_cap(rv_distinct_count(&core->programs), 1048575);
    value[RV_FEATURE_GAP] = rv_core_cap(core->gap >> 4, 1023);
    value[RV_FEATURE_BEACON] = (__s32)rv_core_beacon(core);
}
