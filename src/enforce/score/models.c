/* SPDX-License-Identifier: Apache-2.0 */
/* Models of the hooks: checked, tried in this kernel, put into the idle bank, then named. */
#include "enforce/score_package.h"
#include "private.h"

#include "base/fd.h"
#include "models/forest_model.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- Thresholds ---- */

static int64_t least_margin(const struct rv_calibration *calibration, uint32_t class, uint32_t risk)
{
    int64_t low = -RV_FOREST_BASE_MAX * 2, high = RV_FOREST_BASE_MAX * 2;

    if (rv_calibration_risk(calibration, class, high) < risk)
        return INT64_MAX; /* the calibration set is too small for it */
    while (low < high) {
        int64_t middle = low + (high - low) / 2;

        if (rv_calibration_risk(calibration, class, middle) >= risk)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

void rv_score_thresholds_of(const struct rv_calibration *calibration,
                            struct rv_score_thresholds *ret_thresholds)
{
    for (uint32_t class = 0; class < RV_SCORE_CLASSES; class ++) {
        for (uint32_t i = 0; i < RV_SCORE_STEPS; i++) {
            uint32_t risk = i < 14 ? 50 * (i + 1) : 100 * (i - 6);

            ret_thresholds->steps[class][i] =
                (struct rv_score_step){ least_margin(calibration, class, risk), risk, 0 };
        }
    }
}

/* ---- Checks ---- */

static int try(const struct rv_score *score, const struct rv_score_candidate *candidate,
               struct rv_kernel_trial *ret_trial)
{
    RV_AUTO(rv_row_set_done) struct rv_row_set golden = { 0 };
    const struct rv_forest *const *heads = candidate->model.heads;
    const struct rv_forest *first = heads[0] ? heads[0] : heads[1];
    int r = rv_score_check_heads(&candidate->model);

    if (r < 0)
        return r;
    if (!candidate->model.digest || !rv_score_thresholds_ascend(candidate->thresholds))
        return -EINVAL;
    r = rv_golden_check(first, candidate->golden, &golden);
    if (r < 0)
        return r;
    if (golden.count == 0 || golden.count > UINT32_MAX)
        return -EINVAL;
    r = score->control.walk
            ? rv_kernel_table_try(&candidate->model, golden.values, (uint32_t)golden.count,
                                  ret_trial)
            : rv_kernel_try(&candidate->model, golden.values, (uint32_t)golden.count, ret_trial);
    return r == 0 && ret_trial->mismatches ? -EBADMSG : r;
}

/* ---- Banks ---- */

static uint32_t model_key(uint32_t bank, enum rv_kernel_slot slot)
{
    return bank * (RV_KERNEL_SHADOW + 1) + slot;
}

static int put_model(const struct rv_score *score, uint32_t key, const struct rv_score_model *model)
{
    int fd = bpf_map__fd(score->bpf->maps.models);

    return bpf_map_update_elem(fd, &key, model, BPF_ANY) < 0 ? -errno : 0;
}

static void empty_slot(const struct rv_score *score, uint32_t bank, enum rv_kernel_slot slot)
{
    static const struct rv_score_model none;
    uint32_t key = bank * RV_KERNEL_SLOTS + slot, table = model_key(bank, slot);

    (void)put_model(score, table, &none);
    (void)bpf_map_delete_elem(bpf_map__fd(score->bpf->maps.tables), &table);
    for (size_t i = 0; i < score->hook_count; i++)
        (void)bpf_map_delete_elem(bpf_map__fd(score->hooks[i].slots), &key);
}

static int put_programs(const struct rv_score *score, const struct rv_kernel_model *model,
                        uint32_t bank, enum rv_kernel_slot slot)
{
    uint32_t key = bank * RV_KERNEL_SLOTS + slot;

    for (size_t i = 0; i < score->hook_count; i++) {
        struct rv_kernel_place place = { .program_type = BPF_PROG_TYPE_LSM,
                                         .attach_type = BPF_LSM_MAC,
                                         .attach_btf_id = score->hooks[i].btf_id,
                                         .scratch_fd = bpf_map__fd(score->bpf->maps.scratches),
                                         .slots_fd = bpf_map__fd(score->hooks[i].slots),
                                         .first_slot = bank * RV_KERNEL_SLOTS,
                                         .slot = slot };
        RV_AUTO(rv_closep) int fd = -1;
        int r;

        if (!place.attach_btf_id)
            continue;
        r = rv_kernel_put(model, &place, &fd);
        if (r < 0)
            return r;
        if (bpf_map_update_elem(place.slots_fd, &key, &fd, BPF_ANY) < 0)
            return -errno;
    }
    return 0;
}

static int put_table(const struct rv_score *score, const struct rv_kernel_model *model,
                     uint32_t key)
{
    RV_AUTO(rv_freep) struct rv_kernel_table *table = NULL;
    int r = rv_kernel_table_make(model, &table);

    if (r < 0)
        return r;
    return rv_kernel_table_promote(bpf_map__fd(score->bpf->maps.tables), key, table);
}

/* The model's meaning goes last: until then what its programs say is not believed. */
static int fill_slot(const struct rv_score *score, const struct rv_score_candidate *candidate,
                     uint32_t bank, enum rv_kernel_slot slot)
{
    RV_AUTO(rv_freep) struct rv_score_model *model = calloc(1, sizeof(*model));
    uint32_t key = model_key(bank, slot);
    int r;

    if (!model)
        return -ENOMEM;
    r = score->control.walk ? put_table(score, &candidate->model, key)
                            : put_programs(score, &candidate->model, bank, slot);
    if (r < 0)
        return r;
    model->digest = candidate->model.digest;
    for (uint32_t i = 0; i < RV_KERNEL_HEADS; i++)
        model->heads |= (candidate->model.heads[i] ? 1U : 0U) << i;
    memcpy(model->steps, candidate->thresholds->steps, sizeof(model->steps));
    return put_model(score, key, model);
}

/* Whoever still scores by a bank that is to be emptied began before it was left: wait for them. */
static void wait_for_scores(void)
{
    (void)syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

int rv_score_promote(struct rv_score *score, const struct rv_score_candidate *candidate,
                     struct rv_kernel_trial *ret_trial)
{
    struct rv_kernel_trial trial;
    uint32_t idle = !score->control.bank;
    int r = try(score, candidate, &trial);

    if (r < 0)
        return r;
    score->can_go_back = false;
    wait_for_scores();
    empty_slot(score, idle, RV_KERNEL_LIVE);
    empty_slot(score, idle, RV_KERNEL_SHADOW);
    r = fill_slot(score, candidate, idle, RV_KERNEL_LIVE);
    if (r < 0)
        return r;
    score->can_go_back = score->control.armed;
    score->control.bank = idle;
    score->control.armed = 1;
    if (ret_trial)
        *ret_trial = trial;
    return rv_score_put_control(score);
}

int rv_score_rollback(struct rv_score *score)
{
    if (!score->can_go_back)
        return -ENOENT;
    score->can_go_back = false;
    score->control.bank = !score->control.bank;
    return rv_score_put_control(score);
}

/** Every process's: storage of tasks cannot be walked, so /proc is. */
static void forget_risks(const struct rv_score *score)
{
    int fd = bpf_map__fd(score->bpf->maps.risks);
    DIR *proc = opendir("/proc");
    const struct dirent *entry;

    while (proc && (entry = readdir(proc))) {
        long pid = strtol(entry->d_name, NULL, 10);
        RV_AUTO(rv_closep) int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

        if (pidfd >= 0)
            (void)bpf_map_delete_elem(fd, &pidfd);
    }
    if (proc)
        (void)closedir(proc);
}

int rv_score_disarm(struct rv_score *score)
{
    uint32_t bank = score->control.bank;
    int r;

    score->can_go_back = false;
    score->control.armed = 0;
    r = rv_score_put_control(score);
    if (r < 0)
        return r;
    wait_for_scores();
    empty_slot(score, bank, RV_KERNEL_LIVE);
    empty_slot(score, bank, RV_KERNEL_SHADOW);
    forget_risks(score);
    return 0;
}

int rv_score_shadow(struct rv_score *score, const struct rv_score_candidate *candidate)
{
    uint32_t bank = score->control.bank;
    struct rv_kernel_trial trial;
    int r = 0;

    if (!score->control.armed)
        return -ENOENT;
    if (candidate)
        r = try(score, candidate, &trial);
    if (r < 0)
        return r;
    empty_slot(score, bank, RV_KERNEL_SHADOW);
    return candidate ? fill_slot(score, candidate, bank, RV_KERNEL_SHADOW) : 0;
}
