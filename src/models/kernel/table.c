/* SPDX-License-Identifier: Apache-2.0 */
/* Filling tables, putting them in place, and trying them. */
#include "kernel_private.h"

#include "base/fd.h"
#include "models/kernel_table.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <unistd.h>

#include <rv_table.skel.h>

#define TRIAL_RUNS_MIN 2048

/* ---- Filling ---- */

struct filling {
    const struct rv_forest_node *tree;
    struct rv_table_split *splits;
    __s32 *leaves;
};

static void fill_subtree(const struct filling *filling, uint32_t node, uint32_t at, uint32_t level)
{
    const struct rv_forest_node *from = &filling->tree[node];
    bool leaf = from->feature == RV_FOREST_LEAF;

    if (level == RV_TABLE_DEPTH) {
        filling->leaves[at - RV_TABLE_SLOTS] = from->value;
        return;
    }
    if (!leaf)
        filling->splits[at] = (struct rv_table_split){ from->value, (uint32_t)from->feature };
    /* Below a leaf both ways lead to it. */
    fill_subtree(filling, leaf ? node : from->right, 2 * at, level + 1);
    fill_subtree(filling, leaf ? node : from->left, 2 * at + 1, level + 1);
}

static int fill_head(const struct rv_forest *forest, struct rv_table_head *head)
{
    struct rv_forest_spec spec = rv_forest_spec_of(forest);
    const struct rv_forest_node *tree = spec.nodes;

    if (spec.tree_count > RV_TABLE_TREES || rv_forest_depth(forest) > RV_TABLE_DEPTH)
        return -E2BIG;
    if (spec.width > RV_KERNEL_ROW)
        return -EINVAL;
    head->base_q16 = spec.base_q16;
    head->trees = (uint32_t)spec.tree_count;
    for (size_t i = 0; i < spec.tree_count; i++) {
        struct filling filling = { tree, head->splits + i * RV_TABLE_SLOTS,
                                   head->leaves + i * RV_TABLE_SLOTS };

        fill_subtree(&filling, 0, 1, 0);
        tree += spec.tree_sizes[i];
    }
    return 0;
}

int rv_kernel_table_make(const struct rv_kernel_model *model, struct rv_kernel_table **ret_table)
{
    RV_AUTO(rv_freep) struct rv_kernel_table *table = calloc(1, sizeof(*table));

    if (!table)
        return -ENOMEM;
    table->model = model->digest;
    for (size_t i = 0; i < RV_KERNEL_HEADS; i++) {
        int r = model->heads[i] ? fill_head(model->heads[i], &table->heads[i]) : 0;

        if (r < 0)
            return r;
    }
    *ret_table = RV_TAKE(table);
    return 0;
}

int rv_kernel_table_promote(int tables_fd, uint32_t entry,
                            const struct rv_kernel_table *table)
{
    uint32_t key = 0;
    RV_AUTO(rv_closep)
    int inner_fd =
        bpf_map_create(BPF_MAP_TYPE_ARRAY, "rv_table", sizeof(key), sizeof(*table), 1, NULL);

    if (inner_fd < 0)
        return -errno;
    if (bpf_map_update_elem(inner_fd, &key, table, BPF_ANY) < 0)
        return -errno;
    return bpf_map_update_elem(tables_fd, &entry, &inner_fd, BPF_ANY) < 0 ? -errno : 0;
}

/* ---- Trying ---- */

static void skeleton_done(struct rv_table **skeleton)
{
    rv_table__destroy(*skeleton);
}

static int load(struct rv_table *skeleton, uint32_t room)
{
    libbpf_print_fn_t before = libbpf_set_print(NULL);
    int r;

    skeleton->rodata->row_mask = room - 1;
    (void)bpf_map__set_max_entries(skeleton->maps.rows, room);
    r = rv_table__load(skeleton);
    (void)libbpf_set_print(before);
    return r;
}

static int put_rows(int rows_fd, const int32_t *rows, uint32_t count, uint32_t width, uint32_t room)
{
    for (uint32_t i = 0; i < room; i++) {
        struct rv_kernel_score value = { 0 };

        memcpy(value.row, rows + (size_t)(i % count) * width, width * sizeof(*rows));
        if (bpf_map_update_elem(rows_fd, &i, &value, BPF_ANY) < 0)
            return -errno;
    }
    return 0;
}

static int compare(const struct rv_kernel_model *model, int rows_fd, const int32_t *rows,
                   uint32_t width, struct rv_kernel_trial *trial)
{
    for (uint32_t i = 0; i < trial->rows; i++) {
        struct rv_kernel_score value;
        bool same = true;

        if (bpf_map_lookup_elem(rows_fd, &i, &value) < 0)
            return -errno;
        for (size_t head = 0; head < RV_KERNEL_HEADS; head++)
            same = same && value.score_q16[RV_KERNEL_LIVE][head] ==
                               (model->heads[head] ? rv_forest_score_plain(model->heads[head],
                                                                           rows + (size_t)i * width)
                                                   : 0);
        trial->mismatches += !(same && value.model[RV_KERNEL_LIVE] == model->digest);
    }
    return 0;
}

int rv_kernel_table_try(const struct rv_kernel_model *model, const int32_t *rows, uint32_t count,
                        struct rv_kernel_trial *ret_trial)
{
    RV_AUTO(skeleton_done) struct rv_table *skeleton = NULL;
    RV_AUTO(rv_freep) struct rv_kernel_table *table = NULL;
    struct rv_kernel_trial trial = { .rows = count };
    uint32_t width = kernel_width(model), room = 1;
    uint8_t packet[64] = { 0 };
    LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet));
    int r = rv_kernel_table_make(model, &table);

    if (r < 0)
        return r;
    if (width == 0 || count == 0 || count > 1U << 20)
        return -EINVAL;
    while (room < count)
        room *= 2;
    skeleton = rv_table__open();
    if (!skeleton)
        return -errno;
    r = load(skeleton, room);
    if (r == 0)
        r = rv_kernel_table_promote(bpf_map__fd(skeleton->maps.tables), RV_KERNEL_LIVE, table);
    if (r == 0)
        r = put_rows(bpf_map__fd(skeleton->maps.rows), rows, count, width, room);
    if (r < 0)
        return r;
    opts.repeat = (int)rv_max_u64(room, TRIAL_RUNS_MIN);
    if (bpf_prog_test_run_opts(bpf_program__fd(skeleton->progs.rv_table_trial), &opts) < 0)
        return -errno;
    trial.ns = opts.duration;
    r = compare(model, bpf_map__fd(skeleton->maps.rows), rows, width, &trial);
    if (r < 0)
        return r;
    *ret_trial = trial;
    return 0;
}
