/* SPDX-License-Identifier: Apache-2.0 */
/* Erasing personal data leaves nothing of it and every proof valid. */
#include "scratch.h"

#include "audit/personal.h"
#include "audit/verify.h"
#include "base/fd.h"

struct fixture {
    struct scratch scratch;
    struct rv_personal *personal;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    scratch_make(&fixture->scratch);
    rv_assert_ok(mkdirat(fixture->scratch.fd, ".state", 0700));
    rv_assert_ok(rv_personal_open(&fixture->personal, fixture->scratch.fd));
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    rv_personal_free(&fixture->personal);
    scratch_done(&fixture->scratch);
    free(fixture);
    return 0;
}

static json_t *put(struct fixture *fixture, const char *subject, const char *value, uint64_t time)
{
    json_t *commitment = NULL;

    rv_assert_ok(
        rv_personal_put(fixture->personal, subject, rv_span_str(value), time, &commitment));
    return commitment;
}

static int get(struct fixture *fixture, const json_t *commitment, const char *expected)
{
    RV_AUTO(rv_buf_done) struct rv_buf value = { 0 };
    int r = rv_personal_get(fixture->personal, commitment, &value);

    if (r == 0)
        assert_true(rv_span_eq(rv_buf_span(&value), rv_span_str(expected)));
    return r;
}

static void values_are_kept_across_a_reopen(void **state)
{
    struct fixture *fixture = *state;
    RV_AUTO(rv_json_freep) json_t *one = put(fixture, "uid:1", "cat /home/ann/diary", 5);
    RV_AUTO(rv_json_freep) json_t *two = put(fixture, "uid:2", "", 6);

    rv_personal_free(&fixture->personal);
    rv_assert_ok(rv_personal_open(&fixture->personal, fixture->scratch.fd));
    rv_assert_ok(get(fixture, one, "cat /home/ann/diary"));
    rv_assert_ok(get(fixture, two, ""));
}

static void equal_values_have_unequal_commitments(void **state)
{
    struct fixture *fixture = *state;
    RV_AUTO(rv_json_freep) json_t *one = put(fixture, "uid:1", "same", 0);
    RV_AUTO(rv_json_freep) json_t *two = put(fixture, "uid:1", "same", 0);

    assert_false(json_equal(json_object_get(one, "personal"), json_object_get(two, "personal")));
}

static void erasing_takes_what_matches_and_nothing_else(void **state)
{
    struct fixture *fixture = *state;
    struct rv_personal_match match = { .subject = "uid:1", .before_us = 100 };
    RV_AUTO(rv_json_freep) json_t *old = put(fixture, "uid:1", "secret-old", 50);
    RV_AUTO(rv_json_freep) json_t *other = put(fixture, "uid:12", "other", 50);
    RV_AUTO(rv_json_freep) json_t *new = put(fixture, "uid:1", "secret-new", 150);
    RV_AUTO(rv_json_freep) json_t *erased = NULL;
    RV_AUTO(rv_freep) char *bytes = NULL;
    size_t len;

    rv_assert_ok(rv_personal_erase(fixture->personal, &match, &erased));
    assert_int_equal(json_array_size(erased), 1);
    assert_true(json_equal(json_array_get(erased, 0), json_object_get(old, "personal")));
    assert_int_equal(get(fixture, old, ""), -ENOENT);
    rv_assert_ok(get(fixture, other, "other"));
    rv_assert_ok(get(fixture, new, "secret-new"));
    rv_assert_ok(rv_read_file(fixture->scratch.fd, ".state/personal", 4096, &bytes, &len));
    assert_null(memmem(bytes, len, "secret-old", 10));
    assert_non_null(memmem(bytes, len, "secret-new", 10));
}

static void a_torn_tail_is_cut_off(void **state)
{
    struct fixture *fixture = *state;
    RV_AUTO(rv_json_freep) json_t *one = put(fixture, "uid:1", "whole", 0);
    RV_AUTO(rv_json_freep) json_t *torn = put(fixture, "uid:1", "torn by the power", 0);
    RV_AUTO(rv_json_freep) json_t *next = NULL;
    RV_AUTO(rv_closep) int fd = openat(fixture->scratch.fd, ".state/personal", O_RDWR);

    rv_assert_ok(ftruncate(fd, (off_t)json_integer_value(json_object_get(torn, "at")) + 70));
    rv_personal_free(&fixture->personal);
    rv_assert_ok(rv_personal_open(&fixture->personal, fixture->scratch.fd));
    assert_int_equal(get(fixture, torn, ""), -ENOENT);
    next = put(fixture, "uid:1", "after", 0);
    rv_assert_ok(get(fixture, one, "whole"));
    rv_assert_ok(get(fixture, next, "after"));
    assert_int_equal(get(fixture, torn, ""), -ENOENT); /* the place is another's now */
}

static void foreign_commitments_give_nothing(void **state)
{
    struct fixture *fixture = *state;
    RV_AUTO(rv_json_freep) json_t *one = put(fixture, "uid:1", "value", 0);
    RV_AUTO(rv_json_freep) json_t *far = json_copy(one);
    RV_AUTO(rv_json_freep) json_t *none = json_object();

    (void)json_object_set_new(far, "at", json_integer(1 << 30));
    assert_int_equal(get(fixture, far, ""), -ENOENT);
    (void)json_object_set_new(far, "at", json_integer(-1));
    assert_int_equal(get(fixture, far, ""), -EINVAL);
    assert_int_equal(get(fixture, none, ""), -EINVAL);
}

static void erasing_leaves_the_log_verifiable(void **state)
{
    struct fixture *fixture = *state;
    RV_AUTO(rv_signer_free) struct rv_signer *signer = test_signer();
    struct hand_clock clock;
    const struct rv_audit_options options = { .signers = &signer,
                                              .signer_count = 1,
                                              .clock = hand_clock(&clock),
                                              .journal_bytes = 192 * 1024 };
    struct rv_verify_request request = { .keys = rv_signer_key(signer), .key_count = 1 };
    RV_AUTO(rv_source_done) struct rv_source source = { 0 };
    RV_AUTO(rv_audit_free) struct rv_audit *audit = NULL;
    RV_AUTO(rv_json_freep) json_t *members = json_object();
    RV_AUTO(rv_json_freep) json_t *erased = NULL;
    struct rv_personal_match match = { .subject = "uid:1" };
    struct rv_verify_report report;

    (void)json_object_set_new(members, "argv", put(fixture, "uid:1", "mail -s hello", 0));
    rv_assert_ok(rv_audit_open(&audit, fixture->scratch.fd, &options));
    rv_assert_ok(rv_audit_append_json_wait(audit, "decision", members, NULL));
    rv_assert_ok(rv_audit_publish(audit));
    rv_assert_ok(rv_personal_erase(fixture->personal, &match, &erased));
    rv_assert_ok(rv_source_dir(&source, fixture->scratch.fd));
    rv_assert_ok(rv_verify_log(&source, &request, &report));
    assert_int_equal(report.finding, RV_VERIFY_RIGHT);
    assert_int_equal(get(fixture, json_object_get(members, "argv"), ""), -ENOENT);
}

#define WITH_STORE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(values_are_kept_across_a_reopen),
        WITH_STORE(equal_values_have_unequal_commitments),
        WITH_STORE(erasing_takes_what_matches_and_nothing_else),
        WITH_STORE(a_torn_tail_is_cut_off),
        WITH_STORE(foreign_commitments_give_nothing),
        WITH_STORE(erasing_leaves_the_log_verifiable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
