/* SPDX-License-Identifier: Apache-2.0 */
/* What people say of alarms moves this host's calibration by so much and no more, and back. */
#include "test.h"

#include "judgements.h"
#include "packages.h"
#include "scratch.h"

#include "base/fd.h"

#define FILES 200 /* what the model gives ten points for */

static struct {
    struct scratch scratch;
    struct rv_package *package;
    struct rv_models *models;
    struct rv_judgements *judgements;
} host;

static void start(uint32_t risk_min)
{
    struct rv_models_options options = { .live = host.package, .risk_min = risk_min };

    rv_models_free(&host.models);
    rv_judgements_free(&host.judgements);
    rv_assert_ok(rv_models_new(&host.models, &options, NULL));
    rv_assert_ok(rv_judgements_open(&host.judgements, host.scratch.fd));
}

static int set_up(void **state)
{
    memset(&host, 0, sizeof(host));
    scratch_make(&host.scratch);
    host.package = make_package(RV_FEATURE_FILES, 100, PACKAGE_SOUND); /* 100,000 scores */
    start(300);
    return 0;
}

static int tear_down(void **state)
{
    rv_judgements_free(&host.judgements);
    rv_models_free(&host.models);
    rv_package_free(&host.package);
    scratch_done(&host.scratch);
    return 0;
}

/** The risk of the alarm that people are asked about, and of an attack that looks the same. */
static uint32_t risk(void)
{
    const struct rv_vector vector = { .value[RV_FEATURE_FILES] = FILES };
    const struct rv_models_asked asked = { .vector = &vector, .class = RV_KIND_SHELL };
    struct rv_models_session session;
    struct rv_verdict verdict;
    struct rv_p_value p;

    rv_models_score(host.models, &asked, &verdict, &p, &session);
    return verdict.risk;
}

static enum rv_word say(uint64_t entry, uint32_t uid, enum rv_judgement judgement)
{
    const struct rv_vector vector = { .value[RV_FEATURE_FILES] = FILES };
    const struct rv_models_label label = { .vector = &vector,
                                           .class = RV_KIND_SHELL,
                                           .model = rv_models_live(host.models)->digest,
                                           .session_q16 = -1,
                                           .time_ns = 5,
                                           .judgement = judgement };
    const struct rv_word_of of = { entry, uid, &label };
    enum rv_word word = rv_judgements_weigh(host.judgements, host.models, &of);

    rv_judgements_settle(host.judgements, host.models, &of, word);
    return word;
}

static void a_word_is_learnt_and_taken_back_by_the_next(void **state)
{
    uint32_t before = risk(), after;

    assert_int_equal(say(1, 1000, RV_JUDGED_NORMAL), RV_WORD_LEARN);
    after = risk();
    assert_true(after < before);
    assert_int_equal(say(1, 1001, RV_JUDGED_NORMAL), RV_WORD_SAID_BEFORE);
    assert_int_equal(risk(), after);
    assert_int_equal(say(1, 1001, RV_JUDGED_BAD), RV_WORD_LEARN);
    assert_int_equal(risk(), before);
    assert_int_equal(say(1, 1000, RV_JUDGED_NORMAL), RV_WORD_LEARN);
    assert_int_equal(risk(), after);
}

/* Ten of the hundred false alarms that 100,000 scores let be expected; fifty of all people. */
static void no_number_of_words_hides_an_attack(void **state)
{
    uint64_t entry = 0;
    unsigned learnt = 0, full = 0;

    for (unsigned i = 0; i < 40; i++)
        learnt += say(entry++, 1000, RV_JUDGED_NORMAL) == RV_WORD_LEARN;
    assert_int_equal(learnt, 10);
    assert_true(risk() >= 390);
    for (uint32_t uid = 1001; uid < 1008; uid++) {
        for (unsigned i = 0; i < 12; i++) {
            enum rv_word word = say(entry++, uid, RV_JUDGED_NORMAL);

            learnt += word == RV_WORD_LEARN;
            full += word == RV_WORD_PEOPLE_FULL;
        }
    }
    assert_int_equal(learnt, 50);
    assert_true(full > 30);
    assert_true(risk() >= 300);
}

static void a_word_that_would_hide_a_known_attack_is_not_learnt(void **state)
{
    unsigned learnt = 0;

    start(400);
    assert_int_equal(say(0, 0, RV_JUDGED_BAD), RV_WORD_LEARN);
    assert_true(risk() >= 400);
    while (say(1 + learnt, 1000, RV_JUDGED_NORMAL) == RV_WORD_LEARN)
        learnt++;
    assert_int_equal(learnt, 9);
    assert_int_equal(say(100, 1001, RV_JUDGED_NORMAL), RV_WORD_HIDES);
    assert_int_equal(risk(), 400);

    /* Not an attack after all: the way is free. */
    assert_int_equal(say(0, 0, RV_JUDGED_NORMAL), RV_WORD_LEARN);
    assert_true(risk() < 400);
}

static void a_restart_forgets_no_word(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf learnt = { 0 };
    uint32_t before = risk();

    for (uint64_t entry = 0; entry < 5; entry++)
        assert_int_equal(say(entry, 1000, RV_JUDGED_NORMAL), RV_WORD_LEARN);
    rv_models_save(host.models, &learnt);
    start(300);
    rv_assert_ok(rv_models_load(host.models, rv_buf_span(&learnt), NULL));
    assert_int_equal(say(3, 1000, RV_JUDGED_NORMAL), RV_WORD_SAID_BEFORE);
    for (uint64_t entry = 0; entry < 5; entry++)
        assert_int_equal(say(entry, 1000, RV_JUDGED_BAD), RV_WORD_LEARN);
    assert_int_equal(risk(), before);
}

static void a_damaged_file_is_begun_anew(void **state)
{
    static const char *const bytes[] = { "", "REEVE", "REEVEJD1\1\2\3" };

    for (size_t i = 0; i < RV_COUNT(bytes); i++) {
        rv_assert_ok(
            rv_write_file_atomic(host.scratch.fd, "judgements", bytes[i], strlen(bytes[i]), 0600));
        start(300);
        assert_int_equal(say(1, 1000, RV_JUDGED_NORMAL), RV_WORD_LEARN);
        start(300);
        assert_int_equal(say(1, 1000, RV_JUDGED_NORMAL), RV_WORD_SAID_BEFORE);
    }
}

int main(void)
{
#define WITH_HOST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_HOST(a_word_is_learnt_and_taken_back_by_the_next),
        WITH_HOST(no_number_of_words_hides_an_attack),
        WITH_HOST(a_word_that_would_hide_a_known_attack_is_not_learnt),
        WITH_HOST(a_restart_forgets_no_word),
        WITH_HOST(a_damaged_file_is_begun_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
