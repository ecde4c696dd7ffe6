/* SPDX-License-Identifier: Apache-2.0 */
/* What people's labels come to: a real log, written and read back. */
#include "test.h"

#include "judgements.h"
#include "scratch.h"

#define MINE     1000
#define SHADOW   "File::\"/etc/shadow\""
#define PASSWD   "File::\"/etc/passwd\""
#define UNIX_NS  (1700000000 * RV_NS_PER_S)
#define LATER_NS (UNIX_NS + 3600 * RV_NS_PER_S)

static struct scratch scratch;
static struct rv_audit *audit;
static struct rv_signer *signer;
static struct hand_clock hands;

static int open_log(void **state)
{
    struct rv_audit_options options = { .signer_count = 1 };

    scratch_make(&scratch);
    signer = test_signer();
    options.signers = &signer;
    options.clock = hand_clock(&hands);
    rv_assert_ok(rv_audit_open(&audit, scratch.fd, &options));
    return 0;
}

static int close_log(void **state)
{
    rv_audit_free(&audit);
    rv_signer_free(&signer);
    scratch_done(&scratch);
    return 0;
}

static uint64_t put(const char *type, json_t *members)
{
    uint64_t index = 0;

    assert_non_null(members);
    rv_assert_ok(rv_audit_append_json_wait(audit, type, members, &index));
    json_decref(members);
    return index;
}

/** Process `tgid` of user MINE read a file. @return its entry. */
static uint64_t decision_of(uint32_t tgid, const char *resource)
{
    return put("decision", json_pack("{s{sI sI sI} ss ss}", "event", "tgid", (json_int_t)tgid,
                                     "start_boot_ns", (json_int_t)5000, "uid", (json_int_t)MINE,
                                     "action", "file.read", "resource", resource));
}

static void label(uint64_t entry, const char *word, uint32_t uid)
{
    (void)put("label", json_pack("{sI ss sI}", "entry", (json_int_t)entry, "label", word, "uid",
                                 (json_int_t)uid));
}

static struct rv_judgements judgements_since(uint64_t since_unix_ns)
{
    struct rv_judgements judgements = { 0 };

    rv_assert_ok(rv_audit_publish(audit));
    rv_assert_ok(rv_judgements_read(&judgements, scratch.path, since_unix_ns));
    return judgements;
}

static enum rv_stop stop_of(const struct rv_judgements *judgements, uint32_t tgid,
                            const char *resource)
{
    return rv_judgements_of(judgements, (struct rv_process_key){ 5000, tgid }, "file.read",
                            rv_span_str(resource));
}

/** What decision 0, of process 100 on SHADOW, counts as after what was said. */
static void assert_stop(enum rv_stop expected)
{
    RV_AUTO(rv_judgements_done) struct rv_judgements judgements = judgements_since(0);

    assert_int_equal(stop_of(&judgements, 100, SHADOW), expected);
}

static void nobody_said_anything(void **state)
{
    struct rv_judgements none = { 0 };

    decision_of(100, SHADOW);
    assert_int_equal(stop_of(&none, 100, SHADOW), RV_STOP_UNLABELLED);
    assert_stop(RV_STOP_UNLABELLED);
}

static void a_word_holds_for_that_process_action_and_resource(void **state)
{
    struct rv_judgements judgements;

    label(decision_of(100, SHADOW), "malicious", 1001);
    label(decision_of(100, PASSWD), "benign", 1001);
    judgements = judgements_since(0);
    assert_int_equal(stop_of(&judgements, 100, SHADOW), RV_STOP_TRUE);
    assert_int_equal(stop_of(&judgements, 100, PASSWD), RV_STOP_FALSE);
    assert_int_equal(stop_of(&judgements, 101, SHADOW), RV_STOP_UNLABELLED);
    assert_int_equal(rv_judgements_of(&judgements, (struct rv_process_key){ 5001, 100 },
                                      "file.read", rv_span_str(SHADOW)),
                     RV_STOP_UNLABELLED);
    assert_int_equal(rv_judgements_of(&judgements, (struct rv_process_key){ 5000, 100 },
                                      "file.write", rv_span_str(SHADOW)),
                     RV_STOP_UNLABELLED);
    assert_int_equal(judgements.labels, 2);
    rv_judgements_done(&judgements);
}

static void a_person_may_change_his_mind(void **state)
{
    uint64_t entry = decision_of(100, SHADOW);

    label(entry, "malicious", 1001);
    label(entry, "benign", 1001);
    assert_stop(RV_STOP_FALSE);
    label(entry, "malicious", 1001);
    assert_stop(RV_STOP_TRUE);
}

static void where_people_disagree_nobody_is_believed(void **state)
{
    uint64_t entry = decision_of(100, SHADOW);

    label(entry, "malicious", 1001);
    label(entry, "malicious", 0);
    assert_stop(RV_STOP_TRUE);
    label(entry, "benign", 1002);
    assert_stop(RV_STOP_DISPUTED);
}

static void two_entries_about_one_thing_disagree_too(void **state)
{
    label(decision_of(100, SHADOW), "malicious", 1001);
    label(decision_of(100, SHADOW), "benign", 1001);
    assert_stop(RV_STOP_DISPUTED);
}

static void nobody_is_heard_on_what_he_did_himself(void **state)
{
    uint64_t entry = decision_of(100, SHADOW);
    struct rv_judgements judgements;

    label(entry, "malicious", MINE);
    judgements = judgements_since(0);
    assert_int_equal(stop_of(&judgements, 100, SHADOW), RV_STOP_UNLABELLED);
    assert_int_equal(judgements.own, 1);
    rv_judgements_done(&judgements);
    label(entry, "malicious", 1001);
    label(entry, "benign", MINE); /* nor can he dispute it */
    assert_stop(RV_STOP_TRUE);
}

static void one_person_vouches_for_so_many_stops(void **state)
{
    struct rv_judgements judgements;

    for (uint32_t i = 0; i <= RV_JUDGEMENTS_TRUE_MAX; i++)
        label(decision_of(100 + i, SHADOW), "malicious", 1001);
    label(decision_of(1, SHADOW), "malicious", 1002);
    label(decision_of(2, SHADOW), "benign", 1001);
    judgements = judgements_since(0);
    assert_int_equal(stop_of(&judgements, 100 + RV_JUDGEMENTS_TRUE_MAX - 1, SHADOW), RV_STOP_TRUE);
    assert_int_equal(stop_of(&judgements, 100 + RV_JUDGEMENTS_TRUE_MAX, SHADOW),
                     RV_STOP_UNLABELLED);
    assert_int_equal(stop_of(&judgements, 1, SHADOW), RV_STOP_TRUE); /* another person's own */
    assert_int_equal(stop_of(&judgements, 2, SHADOW), RV_STOP_FALSE);
    assert_int_equal(judgements.beyond, 1);
    rv_judgements_done(&judgements);
}

static void what_was_decided_before_is_not_asked_for(void **state)
{
    struct rv_judgements judgements;

    label(decision_of(100, SHADOW), "malicious", 1001);
    hands.unix_ns = LATER_NS;
    label(decision_of(101, SHADOW), "malicious", 1001);
    judgements = judgements_since(UNIX_NS + RV_NS_PER_S);
    assert_int_equal(stop_of(&judgements, 100, SHADOW), RV_STOP_UNLABELLED);
    assert_int_equal(stop_of(&judgements, 101, SHADOW), RV_STOP_TRUE);
    rv_judgements_done(&judgements);
}

static void a_label_of_no_decision_says_nothing(void **state)
{
    struct rv_judgements judgements;

    label(put("decision", json_pack("{ss}", "action", "file.read")), "malicious", 1001);
    label(put("loss", json_object()), "malicious", 1001);
    label(4711, "malicious", 1001);
    (void)put("label", json_pack("{ss}", "entry", "0"));
    judgements = judgements_since(0);
    assert_int_equal(judgements.labels, 0);
    rv_judgements_done(&judgements);
}

static void names_that_are_not_text_are_met_again(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf as_logged = { 0 };
    RV_AUTO(rv_json_freep) json_t *text = NULL;
    struct rv_judgements judgements;

    rv_json_add_string(&as_logged, rv_span_str("File::\"/tmp/\xff\n\""));
    text = json_loads(as_logged.data, JSON_DECODE_ANY, NULL);
    label(decision_of(100, json_string_value(text)), "malicious", 1001);
    judgements = judgements_since(0);
    assert_int_equal(stop_of(&judgements, 100, "File::\"/tmp/\xff\n\""), RV_STOP_TRUE);
    rv_judgements_done(&judgements);
}

static void a_log_that_is_not_there_is_an_error(void **state)
{
    struct rv_judgements judgements = { 0 };

    assert_int_equal(rv_judgements_read(&judgements, "/nowhere", 0), -ENOENT);
}

int main(void)
{
#define LOGGED(f) cmocka_unit_test_setup_teardown(f, open_log, close_log)
    const struct CMUnitTest tests[] = {
        LOGGED(nobody_said_anything),
        LOGGED(a_word_holds_for_that_process_action_and_resource),
        LOGGED(a_person_may_change_his_mind),
        LOGGED(where_people_disagree_nobody_is_believed),
        LOGGED(two_entries_about_one_thing_disagree_too),
        LOGGED(nobody_is_heard_on_what_he_did_himself),
        LOGGED(one_person_vouches_for_so_many_stops),
        LOGGED(what_was_decided_before_is_not_asked_for),
        LOGGED(a_label_of_no_decision_says_nothing),
        LOGGED(names_that_are_not_text_are_met_again),
        cmocka_unit_test(a_log_that_is_not_there_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
