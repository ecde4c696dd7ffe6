/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The table walker, to be tried by BPF_PROG_TEST_RUN. A sensor that wants scores where new code is
 * barred includes models/kernel_table.h and declares `tables` as here.
 */
#include "bpf/kernel.h"

#include "models/kernel_table.h"

/* ---- Maps ---- */

struct inner {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __uint(key_size, sizeof(__u32)); /* types of an inner map do not reach its BTF */
    __uint(value_size, sizeof(struct rv_kernel_table));
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
    __uint(max_entries, RV_KERNEL_SHADOW + 1); /* by enum rv_kernel_slot */
    __type(key, __u32);
    __array(values, struct inner);
} tables SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1); /* as many as there are rows, a power of two: set before loading */
    __type(key, __u32);
    __type(value, struct rv_kernel_score);
} rows SEC(".maps");

const volatile __u32 row_mask = 0;
__u32 cursor = 0;

/* ---- Program ---- */

SEC("tc")
int rv_table_trial(void *context)
{
    __u32 slot = RV_KERNEL_LIVE, zero = 0, key = cursor++ & row_mask;
    struct rv_kernel_score *score = bpf_map_lookup_elem(&rows, &key);
    void *live = bpf_map_lookup_elem(&tables, &slot);
    struct rv_kernel_table *table;

    if (!score || !live)
        return 0;
    table = bpf_map_lookup_elem(live, &zero);
    if (!table)
        return 0;
    for (int head = 0; head < RV_KERNEL_HEADS; head++)
        score->score_q16[RV_KERNEL_LIVE][head] = rv_table_score(&table->heads[head], score);
    score->model[RV_KERNEL_LIVE] = table->model;
    return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
