/* SPDX-License-Identifier: Apache-2.0 */
/** @file score_take.h  Loads score_take.bpf.c and puts a model behind it; for its test and bench.
 */
#pragma once

#include "base/fd.h"
#include "enforce/score_state.h"
#include "models/kernel.h"
#include "score_take.skel.h"

#include <bpf/bpf.h>

/* As in score_take.bpf.c. */
struct feed {
    uint64_t object, group;
    uint32_t action, always;
};

/** @return 0; -EOPNOTSUPP where traffic classifiers have no task storage; -EPERM; other -errno. */
static inline int score_take_open(struct score_take **ret_take, bool recording)
{
    libbpf_print_fn_t before = libbpf_set_print(NULL);
    struct score_take *take = score_take__open();
    uint32_t key = RV_KERNEL_AFTER;
    int r, fd;

    if (!take)
        return -errno;
    take->rodata->recording = recording;
    if (recording)
        (void)bpf_map__set_max_entries(take->maps.inputs, 1U << 22);
    r = score_take__load(take);
    (void)libbpf_set_print(before);
    if (r < 0) {
        score_take__destroy(take);
        return r == -EPERM ? r : -EOPNOTSUPP;
    }
    fd = bpf_program__fd(take->progs.after_feed);
    (void)bpf_map_update_elem(bpf_map__fd(take->maps.slots), &key, &fd, BPF_ANY);
    *ret_take = take;
    return 0;
}

static inline int score_take_arm(struct score_take *take, const struct rv_kernel_model *model,
                                 const struct rv_score_model *meaning)
{
    struct rv_kernel_place place = { .program_type = BPF_PROG_TYPE_SCHED_CLS,
                                     .scratch_fd = bpf_map__fd(take->maps.scratches),
                                     .slots_fd = bpf_map__fd(take->maps.slots) };
    struct rv_score_control control = { .armed = 1, .sequences = 1, .alarm_risk = 300 };
    uint32_t key = RV_KERNEL_LIVE;
    RV_AUTO(rv_closep) int fd = -1;
    int r = rv_kernel_put(model, &place, &fd);

    if (r < 0)
        return r;
    if (bpf_map_update_elem(place.slots_fd, &key, &fd, BPF_ANY) < 0 ||
        bpf_map_update_elem(bpf_map__fd(take->maps.models), &key, meaning, BPF_ANY) < 0 ||
        bpf_map_update_elem(bpf_map__fd(take->maps.control), &key, &control, BPF_ANY) < 0)
        return -errno;
    return 0;
}

/** Run a program `repeat` times. @return 0 or -errno; `ret_ns` (may be NULL): mean of one run. */
static inline int score_take_run(struct bpf_program *program, const struct feed *feed,
                                 uint32_t repeat, uint32_t *ret_ns)
{
    uint8_t packet[64] = { 0 };
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = sizeof(packet),
                .repeat = (int)repeat);
    int r;

    memcpy(packet, feed, sizeof(*feed));
    r = bpf_prog_test_run_opts(bpf_program__fd(program), &options);
    if (r < 0)
        return r;
    if (ret_ns)
        *ret_ns = options.duration;
    return 0;
}
