/* SPDX-License-Identifier: Apache-2.0 */
/* Golden rows in the kernel, loading, and swapping what a slot holds. */
#include "kernel_private.h"

#include "base/fd.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <unistd.h>

#define TRIAL_RUNS_MIN 2048 /* so that a mean time means something */

/* ---- Maps ---- */

static int make_map(enum bpf_map_type type, const char *name, uint32_t value_len, uint32_t entries,
                    int *ret_fd)
{
    int fd = bpf_map_create(type, name, sizeof(uint32_t), value_len, entries, NULL);

    if (fd < 0)
        return -errno;
    *ret_fd = fd;
    return 0;
}

int rv_kernel_make_scratch(int *ret_fd)
{
    return make_map(BPF_MAP_TYPE_PERCPU_ARRAY, "rv_scratch", sizeof(struct rv_kernel_score), 1,
                    ret_fd);
}

int rv_kernel_make_slots(int *ret_fd)
{
    return make_map(BPF_MAP_TYPE_PROG_ARRAY, "rv_slots", sizeof(uint32_t), RV_KERNEL_SLOTS, ret_fd);
}

/* ---- Trial ---- */

struct trial {
    const struct rv_kernel_model *model;
    const int32_t *rows;
    uint32_t count, width;
    uint32_t room; /* count rounded up to a power of two */
    int map_fd, cursor_fd, program_fd;
};

static void trial_done(struct trial *trial)
{
    rv_closep(&trial->map_fd);
    rv_closep(&trial->cursor_fd);
    rv_closep(&trial->program_fd);
}

/* The rows that come round again fill the map up to a power of two. */
static int fill_rows(struct trial *trial)
{
    for (uint32_t i = 0; i < trial->room; i++) {
        struct rv_kernel_score value = { 0 };

        memcpy(value.row, trial->rows + (size_t)(i % trial->count) * trial->width,
               trial->width * sizeof(int32_t));
        if (bpf_map_update_elem(trial->map_fd, &i, &value, BPF_ANY) < 0)
            return -errno;
    }
    return 0;
}

static int load_trial(struct trial *trial, struct rv_kernel_trial *result)
{
    RV_AUTO(rv_buf_done) struct rv_buf code = { 0 };
    struct emit_source source = { trial->map_fd, trial->cursor_fd, trial->room - 1 };
    struct rv_kernel_place place = { .slots_fd = -1, .slot = RV_KERNEL_LIVE };
    int r = kernel_emit(trial->model, &place, &source, &code);

    if (r < 0)
        return r;
    result->instructions = (uint32_t)(code.len / sizeof(struct bpf_insn));
    trial->program_fd =
        bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "rv_trial", "Dual MIT/GPL",
                      (const struct bpf_insn *)(const void *)code.data, result->instructions, NULL);
    return trial->program_fd < 0 ? -errno : 0;
}

static int run_trial(struct trial *trial, struct rv_kernel_trial *result)
{
    uint8_t packet[64] = { 0 };
    LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet),
                .repeat = (int)rv_max_u64(trial->room, TRIAL_RUNS_MIN));

    if (bpf_prog_test_run_opts(trial->program_fd, &opts) < 0)
        return -errno;
    result->ns = opts.duration;
    return 0;
}

static int compare_trial(struct trial *trial, struct rv_kernel_trial *result)
{
    result->rows = trial->count;
    for (uint32_t i = 0; i < trial->count; i++) {
        struct rv_kernel_score value;
        const int32_t *row = trial->rows + (size_t)i * trial->width;
        bool same = true;

        if (bpf_map_lookup_elem(trial->map_fd, &i, &value) < 0)
            return -errno;
        for (size_t head = 0; head < RV_KERNEL_HEADS; head++) {
            const struct rv_forest *forest = trial->model->heads[head];

            same = same && value.score_q16[RV_KERNEL_LIVE][head] ==
                               (forest ? rv_forest_score_plain(forest, row) : 0);
        }
        same = same && value.model[RV_KERNEL_LIVE] == trial->model->digest;
        result->mismatches += !same;
    }
    return 0;
}

uint32_t kernel_width(const struct rv_kernel_model *model)
{
    uint32_t width = 0;

    for (size_t head = 0; head < RV_KERNEL_HEADS; head++) {
        uint32_t here = model->heads[head] ? rv_forest_spec_of(model->heads[head]).width : width;

        if (width && here != width)
            return 0;
        width = here;
    }
    return width;
}

int rv_kernel_try(const struct rv_kernel_model *model, const int32_t *rows, uint32_t count,
                  struct rv_kernel_trial *ret_trial)
{
    RV_AUTO(trial_done)
    struct trial trial = {
        model, rows, count, kernel_width(model), 1, -1, -1, -1,
    };
    struct rv_kernel_trial result = { 0 };
    int r;

    if (trial.width == 0 || trial.width > RV_KERNEL_ROW || count == 0 || count > 1U << 20)
        return -EINVAL;
    while (trial.room < count)
        trial.room *= 2;
    r = make_map(BPF_MAP_TYPE_ARRAY, "rv_golden", sizeof(struct rv_kernel_score), trial.room,
                 &trial.map_fd);
    if (r == 0)
        r = make_map(BPF_MAP_TYPE_ARRAY, "rv_cursor", sizeof(uint32_t), 1, &trial.cursor_fd);
    if (r == 0)
        r = fill_rows(&trial);
    if (r == 0)
        r = load_trial(&trial, &result);
    if (r == 0)
        r = run_trial(&trial, &result);
    if (r == 0)
        r = compare_trial(&trial, &result);
    if (r < 0)
        return r;
    *ret_trial = result;
    return 0;
}

/* ---- For use ---- */

int rv_kernel_put(const struct rv_kernel_model *model, const struct rv_kernel_place *place,
                  int *ret_program_fd)
{
    RV_AUTO(rv_buf_done) struct rv_buf code = { 0 };
    LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = place->attach_type,
                .attach_btf_id = place->attach_btf_id);
    int r = rv_kernel_emit(model, place, &code);
    int fd;

    if (r < 0)
        return r;
    fd = bpf_prog_load(place->program_type, "rv_model", "Dual MIT/GPL",
                       (const struct bpf_insn *)(const void *)code.data,
                       code.len / sizeof(struct bpf_insn), &opts);
    if (fd < 0)
        return -errno;
    *ret_program_fd = fd;
    return 0;
}

int rv_kernel_load(const struct rv_kernel_model *model, const struct rv_kernel_place *place,
                   const int32_t *golden, uint32_t count, int *ret_program_fd)
{
    struct rv_kernel_trial trial;
    int r = rv_kernel_try(model, golden, count, &trial);

    if (r < 0)
        return r;
    if (trial.mismatches)
        return -EBADMSG;
    return rv_kernel_put(model, place, ret_program_fd);
}

/* ---- Slots ---- */

static int set_slot(const struct rv_kernel_switch *kernel_switch, int program_fd)
{
    uint32_t key = kernel_switch->slot;
    uint32_t value = (uint32_t)program_fd;

    return bpf_map_update_elem(kernel_switch->slots_fd, &key, &value, BPF_ANY) < 0 ? -errno : 0;
}

int rv_kernel_promote(struct rv_kernel_switch *kernel_switch, int program_fd)
{
    int r = set_slot(kernel_switch, program_fd);

    if (r < 0)
        return r;
    rv_closep(&kernel_switch->previous_fd);
    kernel_switch->previous_fd = kernel_switch->live_fd;
    kernel_switch->live_fd = program_fd;
    return 0;
}

int rv_kernel_rollback(struct rv_kernel_switch *kernel_switch)
{
    int r;

    if (kernel_switch->previous_fd < 0)
        return -ENOENT;
    r = set_slot(kernel_switch, kernel_switch->previous_fd);
    if (r < 0)
        return r;
    rv_closep(&kernel_switch->live_fd);
    kernel_switch->live_fd = rv_take_fd(&kernel_switch->previous_fd);
    return 0;
}

void rv_kernel_switch_done(struct rv_kernel_switch *kernel_switch)
{
    uint32_t key = kernel_switch->slot;

    if (kernel_switch->live_fd >= 0)
        (void)bpf_map_delete_elem(kernel_switch->slots_fd, &key);
    rv_closep(&kernel_switch->live_fd);
    rv_closep(&kernel_switch->previous_fd);
}
