/* SPDX-License-Identifier: Apache-2.0 */
/* Sequence models on small synthetic programs: told apart, padded, saved, loaded, damaged. */
#include "test.h"

#include "models/sequence.h"

#include <stdio.h>

static uint64_t state_of_random;

static unsigned draw(unsigned below)
{
    state_of_random = state_of_random * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned)(state_of_random >> 33) % below;
}

/** A program that opens, reads some and closes; an attack connects, copies descriptors, executes.
 */
static size_t write_trace(uint16_t *calls, size_t room, bool attack)
{
    size_t count = 0, loops = 10 + draw(20);

    for (size_t i = 0; i < loops && count + 20 < room; i++) {
        calls[count++] = 5;
        for (unsigned reads = draw(5); reads-- > 0;)
            calls[count++] = draw(20) ? 3 : 140;
        calls[count++] = 6;
        if (attack && i % 4 == 1) {
            calls[count++] = 102;
            calls[count++] = 63;
            calls[count++] = 63;
            calls[count++] = 11;
        }
    }
    return count;
}

static void make_set(struct rv_sequences *set, size_t wanted, bool attack)
{
    uint16_t calls[1024];
    char id[32];

    for (size_t i = 0; i < wanted; i++) {
        struct rv_sequence item = { .id = id, .label = attack ? RV_LABEL_ATTACK : RV_LABEL_NORMAL };

        (void)snprintf(id, sizeof(id), "%c%zu", attack ? 'a' : 'n', i);
        item.calls = calls;
        item.count = write_trace(calls, RV_COUNT(calls), attack);
        rv_assert_ok(rv_sequences_add(set, &item));
    }
    rv_assert_ok(rv_sequences_dedup(set, NULL, NULL));
}

struct sets {
    struct rv_sequences normal, attack, fresh_normal, fresh_attack;
};

static void make_sets(struct sets *sets, size_t normals)
{
    state_of_random = 7;
    *sets = (struct sets){ 0 };
    make_set(&sets->normal, normals, false);
    make_set(&sets->attack, normals / 4, true);
    make_set(&sets->fresh_normal, 60, false);
    make_set(&sets->fresh_attack, 40, true);
}

static void sets_done(struct sets *sets)
{
    rv_sequences_done(&sets->normal);
    rv_sequences_done(&sets->attack);
    rv_sequences_done(&sets->fresh_normal);
    rv_sequences_done(&sets->fresh_attack);
}

static size_t alarms(const struct rv_sequence_model *model, const struct rv_sequences *set,
                     uint32_t risk)
{
    size_t count = 0;

    for (size_t i = 0; i < set->count; i++) {
        struct rv_score score;

        rv_assert_ok(rv_sequence_score(model, set->items[i].calls, set->items[i].count, &score));
        count += score.risk >= risk;
    }
    return count;
}

static void attacks_are_told_from_normal_work(void **state)
{
    const struct rv_task_options options = { .seed = 1 };
    struct sets sets;

    make_sets(&sets, 200);
    for (int supervised = 0; supervised < 2; supervised++) {
        struct rv_sequence_model *model = NULL;

        rv_assert_ok(
            rv_sequence_train(&model, &sets.normal, supervised ? &sets.attack : NULL, &options));
        assert_in_range(alarms(model, &sets.fresh_normal, 130), 0, 8); /* nominal 5 of 100 */
        assert_in_range(alarms(model, &sets.fresh_attack, 130), 36, 40);
        rv_sequence_model_free(&model);
    }
    sets_done(&sets);
}

static void padding_does_not_hide_an_attack(void **state)
{
    const struct rv_task_options options = { .seed = 1 };
    struct rv_sequence_model *model = NULL;
    struct sets sets;
    size_t found = 0;

    make_sets(&sets, 200);
    rv_assert_ok(rv_sequence_train(&model, &sets.normal, &sets.attack, &options));
    for (size_t i = 0; i < sets.fresh_attack.count; i++) {
        const struct rv_sequence *attack = &sets.fresh_attack.items[i];
        uint16_t calls[4096];
        struct rv_score score;
        size_t count = attack->count;

        memcpy(calls, attack->calls, count * sizeof(*calls));
        while (count < 5 * attack->count && count + 1024 < RV_COUNT(calls))
            count += write_trace(calls + count, 1024, false);
        rv_assert_ok(rv_sequence_score(model, calls, count, &score));
        found += score.risk >= 130;
    }
    assert_in_range(found, 28, 40);
    rv_sequence_model_free(&model);
    sets_done(&sets);
}

static void interleaving_is_an_order_that_no_program_produces(void **state)
{
    const struct rv_task_options options = { .seed = 1 };
    struct sets sets;

    make_sets(&sets, 200);
    for (int supervised = 0; supervised < 2; supervised++) {
        struct rv_sequence_model *model = NULL;
        size_t found = 0;

        rv_assert_ok(
            rv_sequence_train(&model, &sets.normal, supervised ? &sets.attack : NULL, &options));
        for (size_t i = 0; i < sets.fresh_attack.count; i++) {
            const struct rv_sequence *attack = &sets.fresh_attack.items[i];
            uint16_t calls[2048], benign[1024];
            struct rv_score score;

            assert_true(attack->count <= RV_COUNT(benign));
            for (size_t count = 0; count < attack->count;)
                count += write_trace(benign + count, RV_COUNT(benign) - count, false);
            for (size_t k = 0; k < attack->count; k++) {
                calls[2 * k] = attack->calls[k];
                calls[2 * k + 1] = benign[k];
            }
            rv_assert_ok(rv_sequence_score(model, calls, 2 * attack->count, &score));
            found += score.risk >= 200;
        }
        assert_in_range(found, 36, 40);
        rv_sequence_model_free(&model);
    }
    sets_done(&sets);
}

static void saving_changes_nothing_and_training_repeats(void **state)
{
    const struct rv_task_options options = { .seed = 3 };
    struct sets sets;

    make_sets(&sets, 80);
    for (int supervised = 0; supervised < 2; supervised++) {
        struct rv_sequence_model *model = NULL, *again = NULL;
        struct rv_buf first = { 0 }, second = { 0 };
        const struct rv_sequence *item = &sets.fresh_attack.items[0];
        struct rv_score a, b;

        rv_assert_ok(
            rv_sequence_train(&model, &sets.normal, supervised ? &sets.attack : NULL, &options));
        rv_assert_ok(rv_sequence_save(model, &first));
        rv_assert_ok(rv_sequence_load(&again, rv_buf_span(&first)));
        rv_assert_ok(rv_sequence_save(again, &second));
        assert_true(rv_span_eq(rv_buf_span(&first), rv_buf_span(&second)));
        rv_assert_ok(rv_sequence_score(model, item->calls, item->count, &a));
        rv_assert_ok(rv_sequence_score(again, item->calls, item->count, &b));
        assert_true(a.risk == b.risk && a.raw == b.raw);
        rv_sequence_model_free(&again);
        rv_buf_clear(&second);

        rv_assert_ok(
            rv_sequence_train(&again, &sets.normal, supervised ? &sets.attack : NULL, &options));
        rv_assert_ok(rv_sequence_save(again, &second));
        assert_true(rv_span_eq(rv_buf_span(&first), rv_buf_span(&second)));
        rv_sequence_model_free(&again);
        rv_sequence_model_free(&model);
        rv_buf_done(&first);
        rv_buf_done(&second);
    }
    sets_done(&sets);
}

static void damaged_models_are_refused(void **state)
{
    const struct rv_task_options options = { .seed = 1 };
    struct rv_sequence_model *model = NULL, *damaged = NULL;
    struct rv_buf bytes = { 0 };
    struct sets sets;

    make_sets(&sets, 40);
    rv_assert_ok(rv_sequence_train(&model, &sets.normal, NULL, &options));
    rv_assert_ok(rv_sequence_save(model, &bytes));
    for (size_t cut = 0; cut < bytes.len; cut += 1 + bytes.len / 200) {
        assert_int_equal(rv_sequence_load(&damaged, rv_span(bytes.data, cut)), -EBADMSG);
        assert_null(damaged);
    }
    for (size_t at = 0; at < 200; at++) { /* whatever a flipped byte does, it must be safe */
        struct rv_score score;

        bytes.data[at] ^= 0x5a;
        if (rv_sequence_load(&damaged, rv_buf_span(&bytes)) == 0)
            rv_assert_ok(rv_sequence_score(damaged, sets.normal.items[0].calls,
                                           sets.normal.items[0].count, &score));
        rv_sequence_model_free(&damaged);
        bytes.data[at] ^= 0x5a;
    }
    rv_buf_done(&bytes);
    rv_sequence_model_free(&model);
    sets_done(&sets);
}

static void reasons_point_at_what_was_never_seen(void **state)
{
    const struct rv_task_options options = { .seed = 1 };
    static const uint16_t calls[] = { 5, 3, 3, 6, 5, 3, 102, 11, 6, 5, 3, 6 };
    struct rv_sequence_model *model = NULL;
    struct rv_sequence_reason reasons[3];
    struct sets sets;

    make_sets(&sets, 60);
    rv_assert_ok(rv_sequence_train(&model, &sets.normal, NULL, &options));
    assert_int_equal(rv_sequence_explain(model, calls, RV_COUNT(calls), reasons, 3), 3);
    assert_true(reasons[0].unseen);
    assert_in_range(reasons[0].at + reasons[0].count - 1, 6, 8);
    assert_true(reasons[0].surprise >= reasons[1].surprise);
    rv_sequence_model_free(&model);
    sets_done(&sets);
}

static void too_little_is_refused_and_nothing_is_not_strange(void **state)
{
    const struct rv_task_options options = { .seed = 1 };
    struct rv_sequence_model *model = NULL;
    struct rv_score score = { .risk = 9 };
    struct sets sets;

    make_sets(&sets, 40);
    assert_int_equal(rv_sequence_train(&model, &(struct rv_sequences){ 0 }, NULL, &options),
                     -EINVAL);
    rv_assert_ok(rv_sequence_train(&model, &sets.normal, NULL, &options));
    rv_assert_ok(rv_sequence_score(model, NULL, 0, &score));
    assert_int_equal(score.risk, 0);
    rv_assert_ok(rv_sequence_score(model, (const uint16_t[]){ 65535 }, 1, &score));
    /* never above what 40 traces support: -100 log10(1/41) */
    assert_in_range(score.risk, 0, 161);
    rv_sequence_model_free(&model);
    sets_done(&sets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attacks_are_told_from_normal_work),
        cmocka_unit_test(padding_does_not_hide_an_attack),
        cmocka_unit_test(interleaving_is_an_order_that_no_program_produces),
        cmocka_unit_test(saving_changes_nothing_and_training_repeats),
        cmocka_unit_test(damaged_models_are_refused),
        cmocka_unit_test(reasons_point_at_what_was_never_seen),
        cmocka_unit_test(too_little_is_refused_and_nothing_is_not_strange),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
