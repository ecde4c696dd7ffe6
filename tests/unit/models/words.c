/* SPDX-License-Identifier: Apache-2.0 */
/* Reasons in words. */
#include "test.h"

#include "base/hash.h"
#include "features/table.h"
#include "models/baseline.h"
#include "models/words.h"
#include "stream.h"

static void put(void *context, const struct rv_event *event)
{
    struct rv_features_change change;

    rv_features_update(context, event, &change);
}

static void expect(const struct rv_words_input *input, size_t clauses, const char *expected)
{
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };

    rv_words_reasons(&buf, input, clauses);
    assert_string_equal(buf.data, expected);
}

static void loudest_first_and_each_thing_once(void **state)
{
    struct rv_vector vector = { 0 }, usual;
    int64_t attribution[RV_FEATURE_COUNT] = { 0 };
    struct rv_words_input input = { NULL, &vector, &usual, attribution };

    memset(&usual, 0xff, sizeof(usual));
    expect(&input, 3, "nothing stands out");
    vector.value[RV_FEATURE_FILES] = 214;
    vector.value[RV_FEATURE_DIRS] = 3;
    vector.value[RV_FEATURE_STRANGE_EXT] = 60;
    usual.value[RV_FEATURE_FILES] = 4;
    attribution[RV_FEATURE_EXCESS_FILES] = 5;
    attribution[RV_FEATURE_DIRS] = 4;
    attribution[RV_FEATURE_STRANGE_EXT] = 3;
    attribution[RV_FEATURE_LOG_WIPES] = -9;
    expect(&input, 3,
           "changed 214 files in 3 directories within 1 s (this program usually changes 4); "
           "gave 60 files the same extension that this host does not know");
    expect(&input, 1,
           "changed 214 files in 3 directories within 1 s (this program usually changes 4)");
}

static void names_are_said_and_escaped(void **state)
{
    RV_AUTO(rv_features_free) struct rv_features *features = NULL;
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
    struct stream *stream = calloc(1, sizeof(*stream));
    struct rv_vector vector;
    struct rv_verdict verdict;
    struct rv_model *model = NULL;
    struct rv_words_input input = { .vector = &vector, .attribution_q16 = verdict.attribution_q16 };

    rv_assert_ok(rv_features_new(&features, &(struct rv_features_options){ 0 }));
    rv_assert_ok(rv_baseline_new(&model));
    stream_init(stream, put, features);
    stream_exec(stream, 10, "/usr/sbin/nginx", "nginx");
    stream_spawn(stream, 10, 11, "/tmp/\x1b[31mevil\n", "x");
    input.process = rv_features_live(features, 11);
    rv_features_vector(features, input.process, &vector);
    rv_model_judge(model, &vector, RV_EXPLAIN, &verdict);
    rv_words_reasons(&buf, &input, 5);
    assert_non_null(strstr(buf.data, "/tmp/\\x1b[31mevil\\x0a runs from a scratch folder"));
    assert_null(strchr(buf.data, '\x1b'));
    assert_non_null(strstr(buf.data, "/usr/sbin/nginx"));
    rv_model_free(&model);
    free(stream);
}

/* Every feature has something to say, whatever its value. */
static void any_value_can_be_said(void **state)
{
    struct rv_vector vector;
    int64_t attribution[RV_FEATURE_COUNT] = { 0 };
    struct rv_words_input input = { NULL, &vector, &vector, attribution };

    for (uint64_t seed = 0; seed < 200; seed++) {
        for (size_t i = 0; i < RV_FEATURE_COUNT; i++)
            vector.value[i] =
                (int32_t)(rv_mix64(seed + i * 1000) % ((uint64_t)rv_feature_info(i)->max + 1));
        for (size_t i = 0; i < RV_FEATURE_COUNT; i++) {
            RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };

            rv_words_feature(&buf, &input, i);
            assert_true(buf.len > 5);
            if (strchr(rv_feature_info(i)->name, '_')) /* words, not names */
                assert_null(strstr(buf.data, rv_feature_info(i)->name));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loudest_first_and_each_thing_once),
        cmocka_unit_test(names_are_said_and_escaped),
        cmocka_unit_test(any_value_can_be_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
