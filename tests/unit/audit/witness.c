/* SPDX-License-Identifier: Apache-2.0 */
/* A witness cosigns growth and nothing else, remembers before it answers, and a policy counts. */
#include "scratch.h"

#include "audit/http.h"
#include "audit/witness.h"
#include "base/fd.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

struct fixture {
    struct scratch log_dir, state_dir, keys;
    struct rv_signer *log_signer, *witness_signer, *other_signer;
    struct hand_clock clock;
    struct rv_witness *witness;
    struct rv_audit *audit;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct rv_audit_options options = { .signer_count = 1, .journal_bytes = 192 * 1024 };

    scratch_make(&fixture->log_dir);
    scratch_make(&fixture->state_dir);
    scratch_make(&fixture->keys);
    fixture->log_signer = test_signer();
    rv_assert_ok(rv_signer_generate(fixture->keys.fd, "w", "w.example/1", RV_NOTE_COSIGNATURE));
    rv_assert_ok(rv_signer_load(&fixture->witness_signer, fixture->keys.fd, "w"));
    rv_assert_ok(rv_signer_generate(fixture->keys.fd, "o", "other.example", RV_NOTE_ED25519));
    rv_assert_ok(rv_signer_load(&fixture->other_signer, fixture->keys.fd, "o"));
    options.clock = hand_clock(&fixture->clock);
    options.signers = &fixture->log_signer;
    rv_assert_ok(rv_audit_open(&fixture->audit, fixture->log_dir.fd, &options));
    rv_assert_ok(rv_witness_open(&fixture->witness, fixture->state_dir.fd, fixture->witness_signer,
                                 options.clock));
    rv_assert_ok(rv_witness_add_log(fixture->witness, rv_signer_key(fixture->log_signer)));
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    rv_audit_free(&fixture->audit);
    rv_witness_free(&fixture->witness);
    rv_signer_free(&fixture->log_signer);
    rv_signer_free(&fixture->witness_signer);
    rv_signer_free(&fixture->other_signer);
    scratch_done(&fixture->log_dir);
    scratch_done(&fixture->state_dir);
    scratch_done(&fixture->keys);
    free(fixture);
    return 0;
}

/** Grow the log to `size` entries and give its checkpoint note. */
static void grow(struct fixture *fixture, uint64_t size, struct rv_buf *ret_note)
{
    struct rv_audit_status status;
    char *note = NULL;
    size_t len;

    rv_audit_status(fixture->audit, &status);
    for (uint64_t i = status.size; i < size; i++)
        rv_assert_ok(
            rv_audit_append(fixture->audit, rv_span(&i, sizeof(i)), NULL, NULL, NULL, NULL));
    rv_assert_ok(rv_audit_publish(fixture->audit));
    rv_assert_ok(rv_read_file(fixture->log_dir.fd, "checkpoint", 8192, &note, &len));
    rv_buf_clear(ret_note);
    rv_buf_add(ret_note, note, len);
    free(note);
}

static void consistency(struct fixture *fixture, uint64_t older, uint64_t newer,
                        struct rv_proof *ret_proof)
{
    RV_AUTO(rv_tiles_free) struct rv_tiles *tiles = NULL;
    struct rv_source source;

    rv_assert_ok(rv_source_dir(&source, fixture->log_dir.fd));
    rv_assert_ok(rv_tiles_new(&tiles, &source, newer));
    rv_assert_ok(rv_tiles_prove_consistency(tiles, older, newer, ret_proof));
}

static void ask(struct fixture *fixture, const struct rv_witness_request *request,
                struct rv_witness_answer *ret_answer)
{
    RV_AUTO(rv_buf_done) struct rv_buf bytes = { 0 };

    rv_witness_request_format(&bytes, request);
    rv_assert_ok(rv_witness_add_checkpoint(fixture->witness, rv_buf_span(&bytes), ret_answer));
}

static int ask_status(struct fixture *fixture, const struct rv_witness_request *request)
{
    RV_AUTO(rv_witness_answer_done) struct rv_witness_answer answer = { 0 };

    ask(fixture, request, &answer);
    return answer.status;
}

static void growth_is_cosigned(void **state)
{
    struct fixture *fixture = *state;
    RV_AUTO(rv_buf_done) struct rv_buf note = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf lines = { 0 };
    RV_AUTO(rv_witness_answer_done) struct rv_witness_answer answer = { 0 };
    struct rv_witness_request request = { 0 };

    grow(fixture, 5, &note);
    request.checkpoint = rv_buf_span(&note);
    ask(fixture, &request, &answer);
    assert_int_equal(answer.status, 200);
    rv_assert_ok(rv_witness_accept(&lines, rv_buf_span(&answer.body), request.checkpoint,
                                   rv_signer_key(fixture->witness_signer)));
    assert_true(rv_span_eq(rv_buf_span(&lines), rv_buf_span(&answer.body)));
    grow(fixture, 300, &note);
    request = (struct rv_witness_request){ .old_size = 5, .checkpoint = rv_buf_span(&note) };
    consistency(fixture, 5, 300, &request.proof);
    assert_int_equal(ask_status(fixture, &request), 200);
    /* The same checkpoint again is fine: old and new are equal. */
    request.old_size = 300;
    request.proof.count = 0;
    assert_int_equal(ask_status(fixture, &request), 200);
}

static void refusals_follow_the_protocol(void **state)
{
    struct fixture *fixture = *state;
    RV_AUTO(rv_buf_done) struct rv_buf first = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf note = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf bent = { 0 };
    RV_AUTO(rv_witness_answer_done) struct rv_witness_answer answer = { 0 };
    struct rv_witness_request request = { 0 };

    grow(fixture, 7, &first);
    request.checkpoint = rv_buf_span(&first);
    assert_int_equal(ask_status(fixture, &request), 200);
    grow(fixture, 20, &note);
    request.checkpoint = rv_buf_span(&note);

    ask(fixture, &request, &answer); /* old 0, but it has seen 7 */
    assert_int_equal(answer.status, 409);
    assert_string_equal(answer.content_type, "text/x.tlog.size");
    assert_string_equal(answer.body.data, "7\n");

    request.old_size = 21;
    assert_int_equal(ask_status(fixture, &request), 400);
    request.old_size = 7;
    assert_int_equal(ask_status(fixture, &request), 422); /* no proof */
    consistency(fixture, 7, 20, &request.proof);
    request.proof.hashes[0].bytes[0] ^= 1;
    assert_int_equal(ask_status(fixture, &request), 422);
    request.proof.hashes[0].bytes[0] ^= 1;

    rv_buf_add(&bent, note.data, note.len);
    bent.data[bent.len - 20] = bent.data[bent.len - 20] == 'A' ? 'B' : 'A';
    request.checkpoint = rv_buf_span(&bent);
    assert_int_equal(ask_status(fixture, &request), 403); /* bad signature */
    bent.data[0] = 'X';
    assert_int_equal(ask_status(fixture, &request), 404); /* unknown origin */
    request.checkpoint = rv_span_str("not a note\n");
    assert_int_equal(ask_status(fixture, &request), 400);

    request.checkpoint = rv_buf_span(&note); /* none of that moved it */
    assert_int_equal(ask_status(fixture, &request), 200);
    request.checkpoint = rv_buf_span(&first); /* and back it does not go */
    request.old_size = 0;
    request.proof.count = 0;
    assert_int_equal(ask_status(fixture, &request), 409);
}

static void malformed_requests_are_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "old 0",
        "old 0\n",
        "old 00\n\nx",
        "old -1\n\nx",
        "new 0\n\nx",
        "old 0\nAAAA\n\nx",
        "old 18446744073709551616\n\nx",
    };
    struct rv_witness_request request;
    RV_AUTO(rv_buf_done) struct rv_buf many = { 0 };

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        if (rv_witness_request_parse(&request, rv_span_str(cases[i])) != -EBADMSG)
            fail_msg("accepted: %s", cases[i]);
    }
    rv_buf_add_str(&many, "old 1\n");
    for (int i = 0; i < 64; i++)
        rv_buf_add_str(&many, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
    rv_buf_add_str(&many, "\nx");
    assert_int_equal(rv_witness_request_parse(&request, rv_buf_span(&many)), -EBADMSG);
}

/** A checkpoint of the log's own key over a tree that is not the log's. */
static void forge(struct fixture *fixture, uint64_t size, struct rv_buf *ret_note)
{
    struct rv_checkpoint checkpoint = { .origin = "PeterNeumann",
                                        .head = { size, rv_tree_leaf(NULL, rv_span("?", 1)) } };
    RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };

    rv_checkpoint_format(&text, &checkpoint);
    rv_buf_add(ret_note, text.data, text.len);
    rv_buf_add_char(ret_note, '\n');
    rv_assert_ok(rv_note_sign(ret_note, rv_buf_span(&text), fixture->log_signer, 0));
}

static unsigned count_forks(struct fixture *fixture)
{
    unsigned count = 0;
    DIR *directory = opendir(fixture->state_dir.path);

    for (struct dirent *item; (item = readdir(directory));)
        count += strncmp(item->d_name, "fork-", 5) == 0 ? 1 : 0;
    (void)closedir(directory);
    return count;
}

static void a_fork_is_refused_and_kept(void **state)
{
    struct fixture *fixture = *state;
    RV_AUTO(rv_buf_done) struct rv_buf note = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf forged = { 0 };
    struct rv_witness_request request = { 0 };

    grow(fixture, 9, &note);
    request.checkpoint = rv_buf_span(&note);
    assert_int_equal(ask_status(fixture, &request), 200);
    forge(fixture, 9, &forged);
    for (int i = 0; i < 3; i++) {
        RV_AUTO(rv_witness_answer_done) struct rv_witness_answer answer = { 0 };

        request = (struct rv_witness_request){ .old_size = 9, .checkpoint = rv_buf_span(&forged) };
        ask(fixture, &request, &answer);
        assert_int_equal(answer.status, 409);
        assert_true(answer.fork);
    }
    assert_int_equal(count_forks(fixture), 1);
}

static void memory_survives_and_is_exclusive(void **state)
{
    struct fixture *fixture = *state;
    RV_AUTO(rv_buf_done) struct rv_buf note = { 0 };
    struct rv_witness_request request = { 0 };
    struct rv_witness *second = NULL;
    struct hand_clock clock;

    grow(fixture, 3, &note);
    request.checkpoint = rv_buf_span(&note);
    assert_int_equal(ask_status(fixture, &request), 200);
    assert_int_equal(rv_witness_open(&second, fixture->state_dir.fd, fixture->witness_signer,
                                     hand_clock(&clock)),
                     -EBUSY);
    rv_witness_free(&fixture->witness);
    rv_assert_ok(rv_witness_open(&fixture->witness, fixture->state_dir.fd, fixture->witness_signer,
                                 hand_clock(&clock)));
    rv_assert_ok(rv_witness_add_log(fixture->witness, rv_signer_key(fixture->log_signer)));
    assert_int_equal(ask_status(fixture, &request), 409); /* it knows 3 */
    request.old_size = 3;
    assert_int_equal(ask_status(fixture, &request), 200);
}

static void a_witness_that_cannot_remember_does_not_answer(void **state)
{
    struct fixture *fixture = *state;
    RV_AUTO(rv_buf_done) struct rv_buf note = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf bytes = { 0 };
    RV_AUTO(rv_witness_answer_done) struct rv_witness_answer answer = { 0 };
    struct rv_witness_request request = { 0 };

    grow(fixture, 3, &note);
    request.checkpoint = rv_buf_span(&note);
    rv_witness_request_format(&bytes, &request);
    scratch_done(&fixture->state_dir); /* its directory is gone */
    assert_true(rv_witness_add_checkpoint(fixture->witness, rv_buf_span(&bytes), &answer) < 0);
    assert_int_equal(answer.body.len, 0);
    scratch_make(&fixture->state_dir);
}

/* ---- Policies ---- */

static void policies_are_read_strictly(void **state)
{
    static const char w1[] =
        "witness.example/ours+17102127+BE2VMRsBGXQ8/gog+yE270icG+UoXvKcSSJ7UA5RR6Y8";
    static const struct {
        const char *format;
        int expected;
    } cases[] = {
        { "quorum none\n", 0 },
        { "# comment\n\n \tquorum\tnone \n", 0 },
        { "witness A %s\nquorum A\n", 0 },
        { "witness A %s http://w/\ngroup g any A\nquorum g\n", 0 },
        { "witness A %s\ngroup g 1 A\ngroup h all g\nquorum h\n", 0 },
        { "", -EBADMSG },
        { "quorum none", -EBADMSG },
        { "quorum A\nwitness A %s\n", -EBADMSG },
        { "quorum none\nquorum none\n", -EBADMSG },
        { "witness none %s\nquorum none\n", -EBADMSG },
        { "witness A %s\nwitness B %s\nquorum A\n", -EBADMSG },
        { "witness A %s\ngroup g 2 A\nquorum g\n", -EBADMSG },
        { "witness A %s\ngroup g 0 A\nquorum g\n", -EBADMSG },
        { "witness A %s\ngroup g any A A\nquorum g\n", -EBADMSG },
        { "witness A %s\ngroup g any A\ngroup h any A\nquorum g\n", -EBADMSG },
        { "group g any\nquorum g\n", -EBADMSG },
        { "log " TEST_VKEY "\nlog " TEST_VKEY "\nquorum none\n", -EBADMSG },
        { "log " TEST_VKEY " http://l/ more\nquorum none\n", -EBADMSG },
        { "witness A " TEST_VKEY "\nquorum A\n", -EBADMSG }, /* not a cosigner's key */
        { "frobnicate\nquorum none\n", -EBADMSG },
    };

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        RV_AUTO(rv_log_policy_free) struct rv_log_policy *policy = NULL;
        char text[1024];
        unsigned line;

        (void)snprintf(text, sizeof(text), cases[i].format, w1, w1);
        if (rv_log_policy_parse(&policy, rv_span_str(text), &line) != cases[i].expected)
            fail_msg("case %zu: %s", i, text);
    }
}

static void a_quorum_counts_good_and_present_cosignatures(void **state)
{
    struct fixture *fixture = *state;
    RV_AUTO(rv_log_policy_free) struct rv_log_policy *policy = NULL;
    RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf note = { 0 };
    RV_AUTO(rv_witness_answer_done) struct rv_witness_answer answer = { 0 };
    struct rv_witness_request request = { 0 };
    enum rv_quorum quorum = RV_QUORUM_MISSING;
    struct rv_checkpoint checkpoint;
    uint64_t now_s = fixture->clock.unix_ns / RV_NS_PER_S;
    unsigned line;

    rv_buf_add_str(&text, "log " TEST_VKEY "\nwitness W ");
    rv_note_key_format(&text, rv_signer_key(fixture->witness_signer));
    rv_buf_add_str(&text, "\nquorum W\n");
    rv_assert_ok(rv_log_policy_parse(&policy, rv_buf_span(&text), &line));
    assert_int_equal(rv_log_policy_witness_count(policy), 1);

    grow(fixture, 4, &note);
    rv_assert_ok(
        rv_log_policy_judge(policy, rv_buf_span(&note), NULL, 0, now_s, &quorum, &checkpoint));
    assert_int_equal(quorum, RV_QUORUM_MISSING);
    request.checkpoint = rv_buf_span(&note);
    ask(fixture, &request, &answer);
    rv_buf_add(&note, answer.body.data, answer.body.len);
    rv_assert_ok(
        rv_log_policy_judge(policy, rv_buf_span(&note), NULL, 0, now_s, &quorum, &checkpoint));
    assert_int_equal(quorum, RV_QUORUM_REACHED);
    rv_assert_ok(rv_log_policy_judge(policy, rv_buf_span(&note), NULL, 0, now_s - 600, &quorum,
                                     &checkpoint));
    assert_int_equal(quorum, RV_QUORUM_MISSING); /* it says to come from the future */
    note.data[note.len - 8] = note.data[note.len - 8] == 'A' ? 'B' : 'A';
    rv_assert_ok(
        rv_log_policy_judge(policy, rv_buf_span(&note), NULL, 0, now_s, &quorum, &checkpoint));
    assert_int_equal(quorum, RV_QUORUM_MISSING);
}

/* ---- Over HTTP ---- */

static int listen_anywhere(uint16_t *ret_port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static void *serve(void *context)
{
    (void)!rv_witness_server_run(context);
    return NULL;
}

static void it_answers_over_http(void **state)
{
    struct fixture *fixture = *state;
    RV_AUTO(rv_witness_server_free) struct rv_witness_server *server = NULL;
    RV_AUTO(rv_buf_done) struct rv_buf note = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf bytes = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf answer = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf big = { 0 };
    struct rv_witness_request request = { 0 };
    pthread_t thread;
    uint16_t port;
    char url[64];
    int status = 0;

    rv_assert_ok(rv_witness_server_new(&server, listen_anywhere(&port), fixture->witness));
    assert_int_equal(pthread_create(&thread, NULL, serve, server), 0);
    grow(fixture, 4, &note);
    request.checkpoint = rv_buf_span(&note);
    rv_witness_request_format(&bytes, &request);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/add-checkpoint", port);
    rv_assert_ok(rv_http_post(url, rv_buf_span(&bytes), &status, &answer));
    assert_int_equal(status, 200);
    assert_int_equal(strncmp(answer.data, "\xe2\x80\x94 w.example/1 ", 16), 0);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/elsewhere", port);
    rv_assert_ok(rv_http_post(url, rv_buf_span(&bytes), &status, &answer));
    assert_int_equal(status, 404);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/add-checkpoint", port);
    assert_non_null(rv_buf_reserve(&big, 64 * 1024));
    big.len = 64 * 1024;
    memset(big.data, 'x', big.len);
    if (rv_http_post(url, rv_buf_span(&big), &status, &answer) == 0)
        assert_int_not_equal(status, 200);
    assert_int_equal(pthread_kill(thread, SIGTERM), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

#define WITH_WITNESS(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WITNESS(growth_is_cosigned),
        WITH_WITNESS(refusals_follow_the_protocol),
        cmocka_unit_test(malformed_requests_are_refused),
        WITH_WITNESS(a_fork_is_refused_and_kept),
        WITH_WITNESS(memory_survives_and_is_exclusive),
        WITH_WITNESS(a_witness_that_cannot_remember_does_not_answer),
        cmocka_unit_test(policies_are_read_strictly),
        WITH_WITNESS(a_quorum_counts_good_and_present_cosignatures),
        WITH_WITNESS(it_answers_over_http),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
