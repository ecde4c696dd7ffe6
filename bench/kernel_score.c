/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scoring inside a hook by BPF_PROG_TEST_RUN: an input taken in (task storage, lock, clock, all
 * features), and with it the row filled, the forest called and the risk left for decisions, by
 * trees and depth; beside it the forest alone, as programs and as tables. One JSON line each.
 */
#include "../tests/system/score_take.h"
#include "../tests/unit/models/forests.h"

#include <stdio.h>

#define RUNS   200000U
#define ROUNDS 7
#define ROWS   512U

static uint32_t least_ns(struct bpf_program *program)
{
    const struct feed feed = { 0 };
    uint32_t least = UINT32_MAX;

    for (int round = 0; round < ROUNDS; round++) {
        uint32_t ns = 0;

        if (score_take_run(program, &feed, RUNS, &ns) == 0 && ns < least)
            least = ns;
    }
    return least;
}

static void bench_shape(struct score_take *take, uint32_t trees, uint32_t depth)
{
    const struct test_shape shape = { trees, depth, RV_FEATURE_COUNT, 200, 0 };
    struct rv_forest *forest = test_forest(3, shape);
    struct rv_kernel_model model = { { forest, NULL }, 9 };
    static struct rv_score_model meaning = { .digest = 9, .heads = 1 };
    static int32_t rows[ROWS * RV_FEATURE_COUNT];
    struct test_random random = { 11 };
    struct rv_kernel_trial program = { .ns = UINT32_MAX }, table = { .ns = UINT32_MAX }, trial;

    for (size_t i = 0; i < ROWS; i++)
        test_row(&random, shape, rows + i * RV_FEATURE_COUNT);
    for (int round = 0; round < ROUNDS; round++) {
        if (rv_kernel_try(&model, rows, ROWS, &trial) == 0 && trial.ns < program.ns)
            program = trial;
        if (rv_kernel_table_try(&model, rows, ROWS, &trial) == 0 && trial.ns < table.ns)
            table = trial;
    }
    if (score_take_arm(take, &model, &meaning) < 0)
        abort();
    printf("{\"bench\":\"kernel_score\",\"trees\":%u,\"depth\":%u,\"instructions\":%u,"
           "\"forest_ns\":%u,\"table_ns\":%u,\"mismatches\":%u,\"hook_ns\":%u}\n",
           trees, depth, program.instructions, program.ns, table.ns,
           program.mismatches + table.mismatches, least_ns(take->progs.rv_busy_scored));
    rv_forest_free(&forest);
}

int main(void)
{
    static const struct {
        uint32_t trees, depth;
    } shapes[] = { { 8, 3 }, { 16, 4 }, { 32, 4 }, { 64, 5 }, { 64, 6 } };
    struct score_take *take = NULL;
    int r = score_take_open(&take, false);

    if (r < 0 || !take) {
        printf("{\"bench\":\"kernel_score\",\"skipped\":\"%s\"}\n", strerror(-r));
        return 0;
    }
    printf("{\"bench\":\"kernel_score\",\"state_bytes\":%zu,\"thread_bytes\":%zu,"
           "\"input_ns\":%u}\n",
           sizeof(struct rv_score_state), sizeof(struct rv_score_thread),
           least_ns(take->progs.rv_busy));
    for (size_t i = 0; i < RV_COUNT(shapes); i++)
        bench_shape(take, shapes[i].trees, shapes[i].depth);
    score_take__destroy(take);
    return 0;
}
