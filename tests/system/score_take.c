/* SPDX-License-Identifier: Apache-2.0 */
/* What the scoring hooks do with inputs, on this kernel: state, row, score and risk as in user
 * space, bit for bit. The hooks themselves: tests/vm/score.c. */
#include "../unit/models/forests.h"

#include "score_take.h"

#include <bpf/libbpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#define INPUTS 5000

static struct rv_core mine;
static struct rv_thread thread;
static uint64_t taken;

static int take_again(void *context, void *data, size_t len)
{
    static const struct rv_core_normal normal = { 0, 1 };
    const struct rv_score_record *record = data;

    assert_true(len >= sizeof(*record));
    assert_int_equal(record->sequence, taken++);
    assert_int_equal(record->tgid, getpid());
    (void)rv_core_update(&mine, &thread, context, &normal, &record->input);
    return 0;
}

static void compare(struct score_take *take, const struct rv_kernel_model *model,
                    const struct rv_score_model *meaning, int pidfd)
{
    struct rv_score_state state;
    struct rv_score_risk risk = { 0 };
    struct rv_vector row = { 0 };
    __s64 scores[RV_KERNEL_HEADS];

    rv_assert_ok(
        bpf_map_lookup_elem_flags(bpf_map__fd(take->maps.states), &pidfd, &state, BPF_F_LOCK));
    assert_int_equal(state.events, taken);
    assert_memory_equal(&state.core, &mine, sizeof(mine));
    assert_int_equal(state.scored_events, taken);
    rv_core_fill(&mine, state.scored_ns, row.value);
    for (size_t i = 0; i < RV_KERNEL_HEADS; i++) {
        scores[i] = rv_forest_score_plain(model->heads[i], row.value);
        assert_int_equal(state.score_q16[i], scores[i]);
    }
    assert_int_equal(state.margin_q16, rv_score_margin(scores, 3));
    assert_int_equal(state.risk, rv_score_risk_of(meaning->steps[0], state.margin_q16));
    (void)bpf_map_lookup_elem(bpf_map__fd(take->maps.risks), &pidfd, &risk);
    assert_int_equal(risk.risk, state.risk);
}

static void the_hooks_code_and_user_space_agree(void **test_state)
{
    const struct test_shape shape = { 32, 4, RV_FEATURE_COUNT, 200, 9 };
    struct rv_forest *heads[2] = { test_forest(1, shape), test_forest(2, shape) };
    struct rv_kernel_model model = { { heads[0], heads[1] }, 77 };
    struct rv_score_model *meaning = calloc(1, sizeof(*meaning));
    struct rv_bloom *bloom = calloc(1, sizeof(*bloom));
    struct ring_buffer *ring;
    struct score_take *take = NULL;
    uint64_t x = 5;
    int r = score_take_open(&take, true), pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);

    if (r == -EPERM || r == -EOPNOTSUPP)
        rv_skip_because("this kernel gives traffic classifiers no task storage");
    rv_assert_ok(r);
    meaning->digest = 77;
    meaning->heads = 3;
    for (uint32_t i = 0; i < RV_SCORE_STEPS; i++)
        meaning->steps[0][i] = (struct rv_score_step){ (int64_t)(i - 4) * 16384, 60 * i, 0 };
    rv_assert_ok(score_take_arm(take, &model, meaning));
    for (size_t i = 0; i < RV_BLOOM_WORDS; i++)
        bloom->words[i] = x = rv_mix64(x + i);
    r = 0;
    rv_assert_ok(bpf_map_update_elem(bpf_map__fd(take->maps.normals), &r, bloom, BPF_ANY));
    ring = ring_buffer__new(bpf_map__fd(take->maps.inputs), take_again, bloom, NULL);
    assert_non_null(ring);
    for (uint32_t i = 0; i < INPUTS; i++) {
        struct feed feed = { (x = rv_mix64(x + i)) % 400, x >> 32 & 15, (x >> 40) % 19,
                             i % 100 == 99 };

        rv_assert_ok(score_take_run(take->progs.rv_feed, &feed, 1, NULL));
        if (!feed.always)
            continue;
        assert_true(ring_buffer__consume(ring) > 0);
        compare(take, &model, meaning, pidfd);
    }
    ring_buffer__free(ring);
    score_take__destroy(take);
    close(pidfd);
    free(meaning);
    free(bloom);
    rv_forest_free(&heads[0]);
    rv_forest_free(&heads[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(the_hooks_code_and_user_space_agree) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
