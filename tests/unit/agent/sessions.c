/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions in the judge: an attack spread over processes is alarmed once, by name, and kept. */
#include "sessions.h"

#include "agent/folder.h"
#include "agent/pipeline.h"
#include "agent/receipt.h"
#include "packages.h"

#define RISK_MIN 240

struct host {
    struct stream stream;
    struct rv_bundle *bundle;
    struct rv_package *package;
    struct rv_pipeline *pipeline;
    unsigned mattered; /* verdicts of sessions that went to the log */
    json_t *receipt;   /* of the last of them */
    struct rv_buf words;
};

static void take(void *context, const struct rv_event *event)
{
    struct host *host = context;
    struct rv_outcome outcome;

    rv_pipeline_put(host->pipeline, event, &outcome);
    if (!outcome.matters || !outcome.session.speaks || outcome.verdict.risk < RISK_MIN)
        return;
    host->mattered++;
    json_decref(host->receipt);
    host->receipt = rv_outcome_receipt(host->pipeline, &outcome);
    rv_buf_clear(&host->words);
    rv_outcome_words(&host->words, host->pipeline, &outcome);
}

static struct host *new_host(void)
{
    RV_AUTO(rv_language_free) struct rv_language *language = sessions_model(true);
    RV_AUTO(rv_package_free)
    struct rv_package *plain = make_package(RV_FEATURE_FILES, 10000, PACKAGE_SOUND);
    RV_AUTO(rv_buf_done) struct rv_buf why = { 0 };
    struct host *host = calloc(1, sizeof(*host));
    struct rv_pipeline_options options = { .risk_min = RISK_MIN,
                                           .mode = "observe",
                                           .learning = RV_LEARN_ON };

    assert_non_null(host);
    host->package = add_language(plain, language);
    rv_assert_ok(rv_bundle_open_folder(&host->bundle, SOURCE_ROOT "/policies/baseline", &why));
    options.program = host->bundle->program;
    options.entities = host->bundle->entities;
    options.policy_digest = host->bundle->digest;
    options.model = host->package;
    rv_assert_ok(rv_pipeline_new(&host->pipeline, &options));
    stream_init(&host->stream, take, host);
    return host;
}

static void free_host(struct host *host)
{
    json_decref(host->receipt);
    rv_buf_done(&host->words);
    rv_pipeline_free(&host->pipeline);
    rv_package_free(&host->package);
    rv_bundle_free(&host->bundle);
    free(host);
}

static void attack_over_many_processes_is_alarmed_by_its_session(void **state)
{
    struct host *host = new_host();
    struct rv_receipt_verdict verdict;
    const json_t *session;
    unsigned mattered;

    for (unsigned i = 0; i < 4; i++)
        play_work(&host->stream, 100 + i * 40, i);
    assert_int_equal(host->mattered, 0);
    play_attack(&host->stream, 400);
    assert_true(host->mattered > 0);

    assert_non_null(strstr(host->words.data, "its session "));
    assert_true(rv_receipt_verdict_read(json_object_get(host->receipt, "verdict"), &verdict));
    assert_int_equal(rv_risk_of_p(verdict.p), verdict.risk);
    assert_true(verdict.session_q16 > 65536);
    session = json_object_get(json_object_get(host->receipt, "verdict"), "session");
    assert_true(json_is_true(json_object_get(session, "speaks")));
    assert_int_equal(json_integer_value(json_object_get(session, "share_ppm")),
                     RV_LANGUAGE_SHARE_PPM);
    assert_true(json_array_size(json_object_get(session, "said")) > 0);

    mattered = host->mattered; /* what it does then is not alarmed because of what it did */
    for (unsigned i = 0; i < 40; i++) {
        stream_spawn(&host->stream, 400, 500 + i, "/bin/ls", "ls");
        stream_exit(&host->stream, 500 + i);
    }
    assert_int_equal(host->mattered, mattered);
    free_host(host);
}

static void what_sessions_score_here_outlives_the_judge(void **state)
{
    struct host *first = new_host(), *second = new_host();
    RV_AUTO(rv_buf_done) struct rv_buf learnt = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf again = { 0 };
    const char *why = NULL;

    for (unsigned i = 0; i < 4; i++)
        play_work(&first->stream, 100 + i * 40, i);
    rv_models_save(rv_pipeline_models(first->pipeline), &learnt);
    rv_models_save(rv_pipeline_models(second->pipeline), &again);
    assert_false(learnt.failed || rv_span_eq(rv_buf_span(&learnt), rv_buf_span(&again)));
    rv_assert_ok(rv_models_load(rv_pipeline_models(second->pipeline), rv_buf_span(&learnt), &why));
    rv_buf_clear(&again);
    rv_models_save(rv_pipeline_models(second->pipeline), &again);
    assert_true(rv_span_eq(rv_buf_span(&learnt), rv_buf_span(&again)));
    free_host(first);
    free_host(second);
}

static void damaged_language_is_refused_by_name(void **state)
{
    RV_AUTO(rv_language_free) struct rv_language *language = sessions_model(true);
    RV_AUTO(rv_package_writer_done) struct rv_package_writer writer = { 0 };
    RV_AUTO(rv_package_free)
    struct rv_package *plain = make_package(RV_FEATURE_FILES, 10000, PACKAGE_SOUND);
    RV_AUTO(rv_package_free) struct rv_package *with = add_language(plain, language);
    RV_AUTO(rv_package_free) struct rv_package *damaged = NULL;
    RV_AUTO(rv_buf_done) struct rv_buf bytes = { 0 };
    const char *why = NULL;

    rv_assert_ok(rv_models_check(with, &why));
    for (size_t i = 0; i < rv_package_section_count(with); i++) {
        const char *name = rv_package_section_name(with, i);
        struct rv_span section = rv_package_section(with, name);

        section.len -= rv_streq(name, "language"); /* a byte short */
        rv_assert_ok(rv_package_add(&writer, name, section));
    }
    rv_assert_ok(rv_package_finish(&writer, rv_span(NULL, 0), &bytes));
    rv_assert_ok(rv_package_open(rv_buf_span(&bytes), &damaged, NULL));
    assert_true(rv_models_check(damaged, &why) < 0);
    assert_non_null(strstr(why, "language model"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attack_over_many_processes_is_alarmed_by_its_session),
        cmocka_unit_test(what_sessions_score_here_outlives_the_judge),
        cmocka_unit_test(damaged_language_is_refused_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
