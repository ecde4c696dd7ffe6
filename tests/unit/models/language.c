/* SPDX-License-Identifier: Apache-2.0 */
/* The language model of sessions: work and attacks told apart, once; bytes; bounds; words. */
#include "sessions.h"

/** A host that goes on, with the sessions of a model. */
struct host {
    struct stream stream;
    struct rv_features *features;
    struct rv_sessions *sessions;
    const struct rv_language *language;
    struct rv_session_score highest;
    unsigned spoke; /* verdicts that had something to say */
};

static void live(void *context, const struct rv_event *event)
{
    struct host *host = context;
    struct rv_features_change change;
    struct rv_session_asked asked;
    struct rv_session_score score;

    rv_features_update(host->features, event, &change);
    if (!change.process)
        return;
    rv_sessions_hear(host->sessions, event, change.process);
    asked = (struct rv_session_asked){ change.process, event->tid, 0 };
    rv_sessions_score(host->sessions, &asked, &score);
    if (change.due == RV_SCORE_DUE) {
        host->spoke += score.raw_q16 > 0;
        rv_sessions_spoke(host->sessions, &asked);
    }
    if (score.raw_q16 > host->highest.raw_q16)
        host->highest = score;
}

static struct host *new_host(const struct rv_language *language)
{
    struct host *host = calloc(1, sizeof(*host));

    assert_non_null(host);
    host->language = language;
    stream_init(&host->stream, live, host);
    rv_assert_ok(rv_features_new(&host->features, &(struct rv_features_options){ 0 }));
    rv_assert_ok(rv_sessions_new(&host->sessions, language));
    return host;
}

static void free_host(struct host *host)
{
    rv_sessions_free(&host->sessions);
    rv_features_free(&host->features);
    free(host);
}

static struct rv_p_value p_of(const struct host *host)
{
    return rv_calibration_p(rv_language_calibration(host->language), 0, host->highest.raw_q16);
}

static void attack_of_many_processes_stands_out(void **state)
{
    for (unsigned attacks = 0; attacks < 2; attacks++) {
        RV_AUTO(rv_language_free) struct rv_language *language = sessions_model(attacks);
        struct host *host = new_host(language);
        size_t normal = 0, attack = 0;
        int64_t of_work;

        rv_language_size(language, &normal, &attack);
        assert_true(normal > 50);
        assert_int_equal(attack > 0, attacks);
        play_work(&host->stream, 200, 41);
        of_work = host->highest.raw_q16;
        play_attack(&host->stream, 300);
        assert_true(host->highest.raw_q16 > of_work * 2);
        if (attacks) /* no session of work scored as high when it was left out */
            assert_int_equal(p_of(host).above, 1);
        free_host(host);
    }
}

static void says_what_it_has_to_say_once(void **state)
{
    RV_AUTO(rv_language_free) struct rv_language *language = sessions_model(true);
    struct host *host = new_host(language);
    unsigned spoke;

    play_attack(&host->stream, 300);
    spoke = host->spoke;
    assert_true(spoke > 0);
    for (unsigned i = 0; i < 50; i++) { /* the same shell goes on with ordinary work */
        stream_spawn(&host->stream, 300, 400 + i, "/bin/ls", "ls");
        stream_exit(&host->stream, 400 + i);
    }
    assert_int_equal(host->spoke, spoke);
    free_host(host);
}

static void reasons_are_the_attack_in_words(void **state)
{
    RV_AUTO(rv_language_free) struct rv_language *language = sessions_model(true);
    RV_AUTO(rv_buf_done) struct rv_buf words = { 0 };
    struct host *host = new_host(language);

    play_attack(&host->stream, 300);
    assert_int_equal(host->highest.count, RV_LANGUAGE_WINDOW);
    rv_session_words(&words, &host->highest, RV_LANGUAGE_WINDOW);
    assert_non_null(strstr(words.data, "reads a file of passwords or keys"));
    assert_non_null(strstr(words.data, "connects to the internet"));
    assert_non_null(strstr(words.data, "never seen there"));
    assert_null(strstr(words.data, "editor"));
    free_host(host);
}

static void what_a_login_or_server_starts_is_a_session_each(void **state)
{
    RV_AUTO(rv_language_free) struct rv_language *language = sessions_model(true);
    struct host *host = new_host(language);
    struct stream *stream = &host->stream;
    const struct rv_process *a, *b, *child;

    stream_spawn(stream, 1, 10, "/usr/sbin/sshd", "sshd");
    stream_spawn(stream, 10, 20, "/bin/bash", "bash");
    stream_spawn(stream, 10, 21, "/bin/bash", "bash");
    stream_spawn(stream, 20, 22, "/bin/sh", "sh");
    stream_exit(stream, 20); /* its child is still of its session */
    a = rv_features_process(host->features, (struct rv_process_key){ stream->start_ns[20], 20 });
    b = rv_features_process(host->features, (struct rv_process_key){ stream->start_ns[21], 21 });
    child =
        rv_features_process(host->features, (struct rv_process_key){ stream->start_ns[22], 22 });
    assert_true(a && b && child);
    assert_true(rv_session_key(a) != rv_session_key(b));
    assert_true(rv_session_key(child) == rv_session_key(a));
    free_host(host);
}

/** A batch of deep watching: calls of one thread. */
static void put_calls(struct host *host, uint32_t pid, uint32_t tid, uint8_t first)
{
    struct rv_event_syscalls *batch = stream_begin(&host->stream, pid, RV_EVENT_SYSCALLS);
    uint8_t calls[64] = { 0 };

    for (size_t i = 0; i < sizeof(calls); i += 2)
        calls[i] = (uint8_t)(first + i % 8);
    batch->header.tid = tid;
    batch->count = sizeof(calls) / 2;
    rv_event_put_str(&host->stream.builder, &batch->calls, rv_span(calls, sizeof(calls)),
                     sizeof(calls));
    stream_end(&host->stream);
}

static void system_calls_are_a_text_of_their_thread(void **state)
{
    const struct rv_task_options options = { .seed = 1 };
    RV_AUTO(rv_language_free) struct rv_language *language = NULL;
    struct rv_utterance *items = calloc(4000, sizeof(*items));
    struct host *host;

    assert_non_null(items);
    for (uint32_t i = 0; i < 4000; i++) { /* normal threads make other calls than attacks do */
        items[i] = (struct rv_utterance){
            .session = 1 + i / 100, .source = i / 100, .attack = i >= 3000, .due = i % 4 == 0
        };
        items[i].symbol = rv_symbol_of_call((items[i].attack ? 100 : 10) + i % 4 * 2);
    }
    rv_assert_ok(rv_language_train(&language, items, 4000, &options));
    host = new_host(language);
    put_calls(host, 50, 50, 10);
    put_calls(host, 50, 51, 10);
    stream_open(&host->stream, 50, "/home/u/notes", RV_ACCESS_WRITE);
    assert_true(host->highest.raw_q16 <= 0);
    put_calls(host, 50, 51, 100);
    assert_true(host->highest.raw_q16 > 8 * 65536);
    assert_true(host->highest.said[0].symbol >= RV_SYMBOL_CALLS);
    free_host(host);
    free(items);
}

static void same_bytes_same_scores_and_damage_is_refused(void **state)
{
    RV_AUTO(rv_language_free) struct rv_language *language = sessions_model(true);
    RV_AUTO(rv_language_free) struct rv_language *loaded = NULL;
    RV_AUTO(rv_buf_done) struct rv_buf bytes = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf again = { 0 };
    struct host *first = new_host(language), *second;

    rv_language_save(language, &bytes);
    assert_false(bytes.failed);
    rv_assert_ok(rv_language_load(&loaded, rv_buf_span(&bytes)));
    rv_language_save(loaded, &again);
    assert_true(rv_span_eq(rv_buf_span(&bytes), rv_buf_span(&again)));
    second = new_host(loaded);
    play_attack(&first->stream, 300);
    play_attack(&second->stream, 300);
    assert_int_equal(first->highest.raw_q16, second->highest.raw_q16);
    free_host(first);
    free_host(second);
    for (size_t len = 0; len < bytes.len; len += 7) {
        struct rv_language *short_one = NULL;

        assert_int_equal(rv_language_load(&short_one, rv_span(bytes.data, len)), -EBADMSG);
    }
    bytes.data[5] ^= 1; /* of the alphabet's digest */
    rv_language_free(&loaded);
    assert_int_equal(rv_language_load(&loaded, rv_buf_span(&bytes)), -EBADMSG);
}

static void sessions_are_bounded(void **state)
{
    RV_AUTO(rv_language_free) struct rv_language *language = sessions_model(true);
    RV_AUTO(rv_sessions_free) struct rv_sessions *sessions = NULL;
    struct rv_utterance utterance = { 0 };

    rv_assert_ok(rv_sessions_new(&sessions, language));
    assert_true(rv_sessions_memory() < (size_t)2 * 1024 * 1024);
    for (uint32_t i = 0; i < 200000; i++) {
        utterance.session = rv_mix64(i) | 1;
        utterance.symbol = (uint16_t)(i % (RV_SYMBOL_END + 8)); /* what is none is passed over */
        utterance.kind = (uint8_t)(i % RV_KIND_COUNT_);
        rv_sessions_put(sessions, &utterance);
        assert_true(rv_sessions_speak_q16(sessions, utterance.session, 0) <= 16 * 65536);
    }
}

static void alpha_is_shared(void **state)
{
    const struct rv_p_value rare = { 1, 1000, false }, usual = { 500, 1000, false };
    bool speaks;

    assert_int_equal(rv_risk_of_p(rv_language_combine(rare, usual, 0, &speaks)), 300);
    assert_false(speaks);
    assert_int_equal(rv_risk_of_p(rv_language_combine(usual, rare, 500000, &speaks)), 269);
    assert_true(speaks);
    assert_int_equal(rv_risk_of_p(rv_language_combine(rare, usual, 100000, &speaks)), 295);
    assert_false(speaks);
    assert_int_equal(rv_risk_of_p(rv_language_combine(usual, usual, 100000, &speaks)), 25);
}

static void words_of_every_symbol_differ(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf before = { 0 };

    for (uint16_t symbol = 0; symbol < RV_SYMBOL_CALLS; symbol++) {
        RV_AUTO(rv_buf_done) struct rv_buf words = { 0 };

        rv_symbol_words(&words, symbol);
        if (strstr(words.data, "does not know"))
            break; /* the end of the alphabet */
        assert_true(words.len > 4);
        assert_false(before.data && rv_span_eq(rv_buf_span(&before), rv_buf_span(&words)));
        rv_buf_clear(&before);
        rv_buf_add(&before, words.data, words.len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attack_of_many_processes_stands_out),
        cmocka_unit_test(says_what_it_has_to_say_once),
        cmocka_unit_test(reasons_are_the_attack_in_words),
        cmocka_unit_test(what_a_login_or_server_starts_is_a_session_each),
        cmocka_unit_test(system_calls_are_a_text_of_their_thread),
        cmocka_unit_test(same_bytes_same_scores_and_damage_is_refused),
        cmocka_unit_test(sessions_are_bounded),
        cmocka_unit_test(alpha_is_shared),
        cmocka_unit_test(words_of_every_symbol_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
