/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/**
 * @file lsm/maps.h  The maps of the LSM programs. What only user space fills is read-only to
 * programs.
 *
 * Maps full: `index`, `addrs`, `kinds` and `grants` are filled by user space, which is told;
 * `budgets` is LRU (a workload that is thrown out starts a new hour: it can only be denied more),
 * `floods` too (a decision that is thrown out is told once more); the ring full counts in lost[0].
 */
#pragma once

#include "enforce/score_risk.h"
#include "wire.h"

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_RDONLY_PROG);
    __uint(max_entries, RV_LSM_TABLES);
    __type(key, __u32);
    __type(value, struct rv_lsm_table);
} tables SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_RDONLY_PROG);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct rv_lsm_control);
} control SEC(".maps");
struct { /* every term of two sets: 2 * 64 * 48, twice over for files, which have two keys */
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_RDONLY_PROG);
    __uint(max_entries, 12288);
    __type(key, struct rv_lsm_key);
    __type(value, struct rv_lsm_pair);
} terms SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_RDONLY_PROG);
    __uint(max_entries, 6144);
    __type(key, struct rv_lsm_addr_key);
    __type(value, struct rv_lsm_pair);
} addrs SEC(".maps");
struct { /* key: index and table are 0 */
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_RDONLY_PROG);
    __uint(max_entries, 16384);
    __type(key, struct rv_lsm_key);
    __type(value, __u32);
} kinds SEC(".maps");
struct { /* frozen when it begins to hold */
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_RDONLY_PROG);
    __uint(max_entries, 512);
    __type(key, __u64);
    __type(value, __u32);
} own SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 256);
    __type(key, struct rv_lsm_grant_key);
    __type(value, __u64);
} grants SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} disarmed SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct rv_lsm_lineage);
} lineages SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct rv_lsm_said);
} said SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct rv_score_risk); /* written by the programs of enforce/score.h alone */
} risks SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 1024);
    __type(key, __u64);
    __type(value, struct rv_lsm_budget);
} budgets SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 1024);
    __type(key, struct rv_lsm_flood_key);
    __type(value, struct rv_lsm_flood);
} floods SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, RV_LSM_TABLES *RV_RULES_MAX);
    __type(key, __u32);
    __type(value, struct rv_rule_counts);
} counts SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, RV_DO_COUNT_);
    __type(key, __u32);
    __type(value, struct rv_lsm_latency);
} latency SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 18);
} verdicts SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} lost SEC(".maps");

const volatile __u64 seed = 0;                 /* of names and places; see wire.h */
const struct rv_lsm_flood fresh_flood = { 0 }; /* too large for the stack */
