/* SPDX-License-Identifier: Apache-2.0 */
/* Forests in the kernel: bit-exact on every row, swapped and rolled back in place. */
#include "../unit/models/forests.h"

#include "base/fd.h"
#include "models/kernel.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>

#define ROWS 1000

static int32_t rows[ROWS * 96];

static void fill_rows(struct test_shape shape)
{
    struct test_random random = { 11 };

    for (size_t i = 0; i < ROWS; i++)
        test_row(&random, shape, rows + i * shape.width);
}

static void skip_without_bpf(int r)
{
    if (r == -EPERM)
        rv_skip_because("this user may not load BPF programs");
}

static void kernel_and_user_space_agree(void **state)
{
    static const struct test_shape shapes[] = {
        { 1, 0, 4, 10, 0 },   { 16, 4, 64, 100, 0 },   { 32, 4, 96, 1000, 0 },
        { 64, 5, 96, 50, 7 }, { 300, 6, 64, 100, 20 }, { 3, 11, 10, 4000, 8 },
    };

    for (size_t i = 0; i < RV_COUNT(shapes); i++) {
        struct rv_forest *window = test_forest(i, shapes[i]);
        struct rv_forest *monotone = test_forest(i + 100, shapes[i]);
        struct rv_kernel_model model = { { window, i % 2 ? monotone : NULL }, 0x1122334455667788 };
        struct rv_kernel_trial trial = { 0 };
        int r;

        fill_rows(shapes[i]);
        r = rv_kernel_try(&model, rows, ROWS, &trial);
        if (r < 0) {
            rv_forest_free(&window);
            rv_forest_free(&monotone);
            skip_without_bpf(r);
        }
        rv_assert_ok(r);
        assert_int_equal(trial.rows, ROWS);
        assert_int_equal(trial.mismatches, 0);
        fprintf(stdout, "# %u trees x %u: %u instructions, %u ns\n", shapes[i].trees,
                shapes[i].depth, trial.instructions, trial.ns);
        rv_forest_free(&window);
        rv_forest_free(&monotone);
    }
}

static void the_table_agrees(void **state)
{
    static const struct test_shape shapes[] = {
        { 1, 0, 4, 10, 0 }, { 32, 4, 96, 1000, 0 }, { 64, 5, 96, 50, 7 }, { 64, 6, 128, 30, 11 }
    };

    for (size_t i = 0; i < RV_COUNT(shapes); i++) {
        struct rv_forest *forest = test_forest(i, shapes[i]);
        struct rv_kernel_model model = { { forest, i % 2 ? NULL : forest }, 9 };
        struct rv_kernel_trial trial = { 0 };
        struct test_random random = { 11 };
        static int32_t wide[200 * 128];
        int r;

        for (size_t j = 0; j < 200; j++)
            test_row(&random, shapes[i], wide + j * shapes[i].width);
        r = rv_kernel_table_try(&model, wide, 200, &trial);
        rv_forest_free(&forest);
        skip_without_bpf(r);
        rv_assert_ok(r);
        assert_int_equal(trial.mismatches, 0);
        fprintf(stdout, "# %u trees x %u as a table: %u ns\n", shapes[i].trees, shapes[i].depth,
                trial.ns);
    }
}

/* Leaves too far apart for an immediate, thresholds at the ends. */
static void extremes_agree(void **state)
{
    static const struct rv_forest_node nodes[] = {
        { 0, INT32_MIN + 1, 1, 4, 4 },
        { 1, INT32_MAX, 2, 3, 2 },
        { RV_FOREST_LEAF, INT32_MAX, 0, 0, 1 },
        { RV_FOREST_LEAF, INT32_MIN, 0, 0, 1 },
        { 1, 0, 5, 6, 2 },
        { RV_FOREST_LEAF, -1, 0, 0, 1 },
        { RV_FOREST_LEAF, INT32_MIN, 0, 0, 1 },
    };
    static const int32_t ends[] = { INT32_MIN, INT32_MIN + 1, -1, 0, 1, INT32_MAX - 1, INT32_MAX };
    const uint32_t size = RV_COUNT(nodes);
    struct rv_forest_spec spec = { 2, -RV_FOREST_BASE_MAX, &size, 1, nodes, size };
    struct rv_forest *forest = NULL;
    struct rv_kernel_model model = { { NULL, NULL }, 1 };
    struct rv_kernel_trial trial;
    int32_t pairs[RV_COUNT(ends) * RV_COUNT(ends)][2];
    int r;

    for (size_t i = 0; i < RV_COUNT(pairs); i++) {
        pairs[i][0] = ends[i / RV_COUNT(ends)];
        pairs[i][1] = ends[i % RV_COUNT(ends)];
    }
    rv_assert_ok(rv_forest_make(&spec, &forest, NULL));
    model.heads[RV_KERNEL_MONOTONE] = forest;
    r = rv_kernel_try(&model, pairs[0], RV_COUNT(pairs), &trial);
    rv_forest_free(&forest);
    skip_without_bpf(r);
    rv_assert_ok(r);
    assert_int_equal(trial.mismatches, 0);
}

/* A caller as a sensor would be: it tail-calls slot LIVE, and what runs there calls on. */
static int load_caller(int slots_fd, int *ret_fd)
{
    const struct bpf_insn code[] = {
        { .code = BPF_LD | BPF_DW | BPF_IMM,
          .dst_reg = BPF_REG_2,
          .src_reg = BPF_PSEUDO_MAP_FD,
          .imm = slots_fd },
        { 0 },
        { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = RV_KERNEL_LIVE },
        { .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_tail_call },
        { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 7 },
        { .code = BPF_JMP | BPF_EXIT },
    };
    int fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "rv_caller", "GPL", code, RV_COUNT(code), NULL);

    if (fd < 0)
        return -errno;
    *ret_fd = fd;
    return 0;
}

static uint32_t call(int fd)
{
    uint8_t packet[64] = { 0 };
    LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet));

    assert_int_equal(bpf_prog_test_run_opts(fd, &opts), 0);
    return opts.retval;
}

/* The scores that the processors left behind: the caller ran on one of them. */
static struct rv_kernel_score read_scratch(int scratch_fd, uint64_t model)
{
    static struct rv_kernel_score values[1024];
    uint32_t key = 0;

    assert_int_equal(bpf_map_lookup_elem(scratch_fd, &key, values), 0);
    for (size_t i = 0; i < RV_COUNT(values); i++) {
        if (values[i].model[RV_KERNEL_LIVE] == model)
            return values[i];
    }
    fail_msg("no processor ran the model");
    return values[0];
}

static void a_slot_is_promoted_and_rolled_back(void **state)
{
    const struct test_shape shape = { 32, 4, 96, 100, 0 };
    struct rv_forest *forests[2] = { test_forest(1, shape), test_forest(2, shape) };
    RV_AUTO(rv_closep) int scratch_fd = -1, slots_fd = -1, caller_fd = -1;
    struct rv_kernel_switch live;
    int r = rv_kernel_make_scratch(&scratch_fd);

    if (r < 0) {
        rv_forest_free(&forests[0]);
        rv_forest_free(&forests[1]);
        skip_without_bpf(r);
    }
    rv_assert_ok(r);
    rv_assert_ok(rv_kernel_make_slots(&slots_fd));
    live = rv_kernel_switch(slots_fd, RV_KERNEL_LIVE);
    fill_rows(shape);
    for (uint64_t i = 0; i < 2; i++) {
        struct rv_kernel_model model = { { forests[i], forests[1 - i] }, i + 1 };
        struct rv_kernel_place place = { .program_type = BPF_PROG_TYPE_SCHED_CLS,
                                         .scratch_fd = scratch_fd,
                                         .slots_fd = slots_fd,
                                         .slot = RV_KERNEL_LIVE };
        int fd = -1;

        rv_assert_ok(rv_kernel_load(&model, &place, rows, 10, &fd));
        rv_assert_ok(rv_kernel_promote(&live, fd));
        if (caller_fd < 0)
            rv_assert_ok(load_caller(slots_fd, &caller_fd));
        assert_int_equal(call(caller_fd), 0);
        assert_int_equal(
            read_scratch(scratch_fd, i + 1).score_q16[RV_KERNEL_LIVE][RV_KERNEL_WINDOW],
            rv_forest_score(forests[i], (int32_t[96]){ 0 }));
    }
    rv_assert_ok(rv_kernel_rollback(&live));
    assert_int_equal(rv_kernel_rollback(&live), -ENOENT);
    assert_int_equal(call(caller_fd), 0);
    (void)read_scratch(scratch_fd, 1);
    rv_kernel_switch_done(&live);
    assert_int_equal(call(caller_fd), 7); /* nobody in the slot: the caller goes on by itself */
    rv_forest_free(&forests[0]);
    rv_forest_free(&forests[1]);
}

static void too_wide_a_row_is_refused(void **state)
{
    const struct test_shape shape = { 1, 2, RV_KERNEL_ROW + 1, 10, 0 };
    struct rv_forest *forest = test_forest(1, shape);
    struct rv_kernel_model model = { { forest, NULL }, 1 };
    struct rv_kernel_place place = { .slots_fd = -1 };
    RV_AUTO(rv_buf_done) struct rv_buf code = { 0 };

    assert_int_equal(rv_kernel_emit(&model, &place, &code), -EINVAL);
    rv_forest_free(&forest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernel_and_user_space_agree),
        cmocka_unit_test(extremes_agree),
        cmocka_unit_test(the_table_agrees),
        cmocka_unit_test(a_slot_is_promoted_and_rolled_back),
        cmocka_unit_test(too_wide_a_row_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
