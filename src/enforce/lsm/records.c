/* SPDX-License-Identifier: Apache-2.0 */
/* What happened: counts and records out of the kernel's half. */
#include "provider.h"

#include "base/clock.h"

#define SWEEP_MAX 1024 /* entries of `floods` */

int rv_lsm_rule_counts(const struct rv_lsm *lsm, size_t index, struct rv_rule_counts *ret_counts)
{
    int cpus = libbpf_num_possible_cpus();
    RV_AUTO(rv_freep) struct rv_rule_counts *each = NULL;
    uint32_t key = lsm->control.active * RV_RULES_MAX + (uint32_t)index;

    if (index >= RV_RULES_MAX || cpus <= 0)
        return -EINVAL;
    each = calloc((size_t)cpus, sizeof(*each));
    if (!each)
        return -ENOMEM;
    if (bpf_map_lookup_elem(bpf_map__fd(lsm->bpf->maps.counts), &key, each) < 0)
        return -errno;
    *ret_counts = (struct rv_rule_counts){ 0 };
    for (int cpu = 0; cpu < cpus; cpu++)
        for (size_t verdict = 0; verdict < RV_REFUSALS_; verdict++)
            ret_counts->by[verdict] += each[cpu].by[verdict];
    return 0;
}

uint64_t rv_lsm_lost(const struct rv_lsm *lsm)
{
    int cpus = libbpf_num_possible_cpus();
    RV_AUTO(rv_freep) uint64_t *each = cpus > 0 ? calloc((size_t)cpus, sizeof(*each)) : NULL;
    uint64_t sum = 0;
    uint32_t zero = 0;

    if (!each || bpf_map_lookup_elem(bpf_map__fd(lsm->bpf->maps.lost), &zero, each) < 0)
        return 0;
    for (int i = 0; i < cpus; i++)
        sum += each[i];
    return sum;
}

/** Floods that are over: what of them was not told yet is told now. @return how many; -errno. */
static int sweep_floods(struct rv_lsm *lsm, uint64_t now)
{
    int fd = bpf_map__fd(lsm->bpf->maps.floods), told = 0;
    struct rv_lsm_flood_key key, next;
    bool more = bpf_map_get_next_key(fd, NULL, &next) == 0;

    for (size_t i = 0; more && i < SWEEP_MAX; i++) {
        struct rv_lsm_flood flood;
        int r = 0;

        key = next;
        more = bpf_map_get_next_key(fd, &key, &next) == 0;
        if (bpf_map_lookup_elem(fd, &key, &flood) < 0 ||
            now < flood.window_boot_ns + RV_LSM_FLOOD_NS ||
            bpf_map_lookup_and_delete_elem(fd, &key, &flood) < 0 || flood.repeats == 0)
            continue;
        flood.record.repeats = (uint32_t)rv_min_u64(flood.repeats, UINT32_MAX);
        r = lsm->put(lsm->put_context, &flood.record);
        if (r < 0)
            return r;
        told++;
    }
    return told;
}

int rv_lsm_fd(const struct rv_lsm *lsm)
{
    return ring_buffer__epoll_fd(lsm->ring);
}

int rv_lsm_drain(struct rv_lsm *lsm,
                 int (*put)(void *context, const struct rv_refusal_record *record), void *context)
{
    struct rv_clock clock = rv_clock_system();
    uint64_t now = clock.boot_ns(clock.context);
    int told, swept = 0;

    lsm->put = put;
    lsm->put_context = context;
    told = ring_buffer__consume(lsm->ring);
    if (told >= 0 && now - lsm->swept_boot_ns >= RV_LSM_FLOOD_NS) {
        lsm->swept_boot_ns = now;
        swept = sweep_floods(lsm, now);
    }
    return told < 0 ? told : swept < 0 ? swept : told + swept;
}
