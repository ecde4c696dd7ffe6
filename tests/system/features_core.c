/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel and the judge compute the same features, bit for bit, from the same stream. */
#include "test.h"

#include "base/hash.h"
#include "features_core.h"

static struct features_core *open_core(void)
{
    struct features_core *core = features_core__open_and_load();

    if (!core && errno == EPERM)
        rv_skip_because("this user may not load BPF programs");
    assert_non_null(core);
    return core;
}

/* A stream that visits every branch: bursts, pauses, time running back, weights, deep watching. */
static struct probe random_probe(uint64_t *x, uint64_t *now_ns)
{
    struct probe probe = { 0 };
    uint64_t r = *x = rv_mix64(*x + 0x9e3779b97f4a7c15ULL);

    if (r % 64 == 0)
        *now_ns += (r >> 8) % 300000000000ULL;
    else if (r % 64 == 1)
        *now_ns -= (r >> 8) % 1000000;
    else
        *now_ns += (r >> 8) % 3000000;
    probe.input.time_ns = *now_ns;
    probe.input.object = (r >> 20) % 500;
    probe.input.group = (r >> 30) % 40;
    probe.input.action = (uint32_t)(r >> 40) % RV_ACTION_COUNT_;
    probe.input.weight = (r >> 45) % 50 ? 1 : (r >> 50) % 3 ? 1000 : UINT32_MAX;
    probe.normal.class = (uint32_t)(r >> 48) % 2;
    probe.normal.armed = (uint32_t)(r >> 49) % 4 != 0;
    probe.symbol = (r >> 52) % 5 == 0 ? 32 + (uint32_t)(r >> 10) % 400 : 0;
    probe.known = (uint32_t)(r >> 56) % 3 == 0;
    return probe;
}

static void take(struct state *state, struct rv_bloom *bloom, const struct probe *probe)
{
    uint64_t missing;

    if (probe->symbol)
        missing =
            rv_core_sequence(&state->core, &state->thread, bloom, &probe->normal, probe->symbol);
    else
        missing =
            rv_core_update(&state->core, &state->thread, bloom, &probe->normal, &probe->input);
    if (probe->known && missing)
        rv_bloom_add(bloom, missing);
}

static void the_kernel_and_the_judge_agree(void **test_state)
{
    struct features_core *core = open_core();
    struct state *mine = calloc(1, sizeof(*mine)), *theirs = calloc(1, sizeof(*theirs));
    struct rv_bloom *bloom = calloc(1, sizeof(*bloom)), *their_bloom = calloc(1, sizeof(*bloom));
    uint64_t x = 42, now_ns = 1000000000000ULL;
    uint32_t zero = 0;

    for (unsigned i = 0; i < 20000; i++) {
        struct probe probe = random_probe(&x, &now_ns);

        rv_assert_ok(probe_run(core->progs.rv_core_take, &probe, 1, NULL));
        take(mine, bloom, &probe);
        if (i % 50 != 0)
            continue;
        probe.input.time_ns += i * 1000ULL;
        rv_assert_ok(probe_run(core->progs.rv_core_vector, &probe, 1, NULL));
        rv_core_fill(&mine->core, probe.input.time_ns, mine->value);
        rv_assert_ok(bpf_map__lookup_elem(core->maps.rv_states, &zero, sizeof(zero), theirs,
                                          sizeof(*theirs), 0));
        assert_memory_equal(mine->value, theirs->value, sizeof(mine->value));
        assert_memory_equal(mine, theirs, sizeof(*mine));
    }
    rv_assert_ok(bpf_map__lookup_elem(core->maps.rv_blooms, &zero, sizeof(zero), their_bloom,
                                      sizeof(*bloom), 0));
    assert_memory_equal(bloom, their_bloom, sizeof(*bloom));
    free(mine);
    free(theirs);
    free(bloom);
    free(their_bloom);
    features_core__destroy(core);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(the_kernel_and_the_judge_agree) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
