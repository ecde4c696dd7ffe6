/* SPDX-License-Identifier: Apache-2.0 */
/* The engine: process table, vector, learning, memory, repeatability. */
#include "test.h"

#include "base/clock.h"
#include "base/hash.h"
#include "features/features.h"
#include "features/table.h"
#include "stream.h"

struct bench {
    struct rv_features *features;
    struct rv_features_change change;
    struct stream stream;
    uint64_t due;
};

static void put(void *context, const struct rv_event *event)
{
    struct bench *bench = context;
    const struct rv_event *checked;

    rv_assert_ok(rv_event_check(rv_span(event, event->size), &checked, NULL));
    rv_features_update(bench->features, checked, &bench->change);
    bench->due += bench->change.due == RV_SCORE_DUE;
}

static struct bench *bench_new(struct rv_features_options options)
{
    struct bench *bench = calloc(1, sizeof(*bench));

    if (options.unix_offset_ns == 0)
        options.unix_offset_ns = (int64_t)1700000000 * 1000000000;
    rv_assert_ok(rv_features_new(&bench->features, &options));
    stream_init(&bench->stream, put, bench);
    return bench;
}

static void bench_free(struct bench **bench)
{
    rv_features_free(&(*bench)->features);
    free(*bench);
}
#define BENCH RV_AUTO(bench_free) struct bench *

static const struct rv_process *process(struct bench *bench, uint32_t pid)
{
    struct rv_process_key key = { bench->stream.start_ns[pid], pid };
    const struct rv_process *found = rv_features_process(bench->features, key);

    assert_non_null(found);
    return found;
}

static int32_t value(struct bench *bench, uint32_t pid, enum rv_feature feature)
{
    struct rv_vector vector;

    rv_features_vector(bench->features, process(bench, pid), &vector);
    return vector.value[feature];
}

static void families_are_kept_beyond_the_death_of_a_parent(void **state)
{
    BENCH bench = bench_new((struct rv_features_options){ 0 });
    struct stream *stream = &bench->stream;

    stream_exec(stream, 10, "/usr/sbin/nginx", "nginx");
    stream_spawn(stream, 10, 11, "/bin/sh", "sh -c id");
    stream_spawn(stream, 11, 12, "/usr/bin/id", "id");
    assert_ptr_equal(bench->change.process, process(bench, 12));
    stream_exit(stream, 11);
    assert_int_equal(process(bench, 11)->state, RV_PROCESS_EXITED);
    assert_null(rv_features_live(bench->features, 11));
    assert_string_equal(process(bench, 12)->parent->program->path, "/bin/sh");
    assert_ptr_equal(rv_process_within_program(process(bench, 12), rv_span_str("/usr/sbin/nginx")),
                     process(bench, 10));
    assert_null(rv_process_within_program(process(bench, 12), rv_span_str("/usr/sbin/apache2")));
    assert_int_equal(value(bench, 12, RV_FEATURE_DEPTH), 2);
    assert_int_equal(value(bench, 12, RV_FEATURE_ANC_SERVER), 7);
    assert_int_equal(value(bench, 12, RV_FEATURE_EXE_KIND), RV_KIND_RECON);
    assert_int_equal(value(bench, 12, RV_FEATURE_PARENT_KIND), RV_KIND_SHELL);
    assert_string_equal(process(bench, 12)->workload->name, "test.service");
    assert_int_equal(process(bench, 10)->children, 0);
}

static void a_login_ends_the_reach_of_a_server(void **state)
{
    BENCH bench = bench_new((struct rv_features_options){ 0 });
    struct stream *stream = &bench->stream;

    stream_exec(stream, 10, "/usr/sbin/sshd", "sshd");
    stream_socket(stream, 10, RV_EVENT_NET_ACCEPT, "10.0.0.9", 22);
    stream_spawn(stream, 10, 11, "/bin/bash", "-bash");
    stream_spawn(stream, 11, 12, "/usr/bin/id", "id");
    assert_int_equal(value(bench, 12, RV_FEATURE_ANC_SERVER), 0);
    assert_int_equal(value(bench, 12, RV_FEATURE_SESSION_REMOTE), 1);
}

static void counts_rates_and_distinct_counts_are_what_happened(void **state)
{
    BENCH bench = bench_new((struct rv_features_options){ 0 });
    struct stream *stream = &bench->stream;
    char path[64];

    stream_exec(stream, 10, "/usr/bin/thing", "thing");
    for (int i = 0; i < 30; i++) {
        snprintf(path, sizeof(path), "/data/d%d/f%d.txt", i % 3, i);
        stream_open(stream, 10, path, RV_ACCESS_WRITE | RV_ACCESS_CREATE);
    }
    assert_int_equal(value(bench, 10, RV_FEATURE_CREATES), 30);
    assert_in_range(value(bench, 10, RV_FEATURE_FILES), 25, 35);
    assert_int_equal(value(bench, 10, RV_FEATURE_DIRS), 3);
    assert_int_equal(value(bench, 10, RV_FEATURE_WRITES_FAST), 30);
    stream_wait_ms(stream, 1074); /* a half-life */
    stream_plain(stream, 10, RV_EVENT_PROCESS_PTRACE);
    assert_in_range(value(bench, 10, RV_FEATURE_WRITES_FAST), 14, 16);
    assert_in_range(value(bench, 10, RV_FEATURE_WRITES_SLOW), 29, 30);
    assert_int_equal(value(bench, 10, RV_FEATURE_PTRACES), 1);
    assert_int_equal(value(bench, 10, RV_FEATURE_LONGEST_RUN), 30);
}

static void encryption_leaves_other_marks_than_compression(void **state)
{
    BENCH bench = bench_new((struct rv_features_options){ 0 });
    struct stream *stream = &bench->stream;
    char path[64], other[64];

    stream_exec(stream, 10, "/usr/bin/python3.11", "python3 /tmp/x.py");
    stream_exec(stream, 20, "/usr/bin/gzip", "gzip -r docs");
    stream_exec(stream, 30, "/usr/bin/python3.11", "python3 -c encrypt");
    for (int i = 0; i < 100; i++) {
        snprintf(path, sizeof(path), "/home/u/docs/%d.pdf", i);
        snprintf(other, sizeof(other), "/home/u/docs/%d.pdf.locked", i);
        stream_open(stream, 10, path, RV_ACCESS_WRITE);
        stream_rename(stream, 10, path, other);
        snprintf(other, sizeof(other), "/home/u/docs/%d.pdf.gz", i);
        stream_open(stream, 20, other, RV_ACCESS_WRITE | RV_ACCESS_CREATE);
        stream_unlink(stream, 20, path);
        snprintf(other, sizeof(other), "/home/u/docs/%d.crypted", i);
        stream_open(stream, 30, other, RV_ACCESS_WRITE | RV_ACCESS_CREATE);
        stream_unlink(stream, 30, path);
    }
    assert_int_equal(value(bench, 10, RV_FEATURE_STRANGE_EXT), 100);
    assert_int_equal(value(bench, 10, RV_FEATURE_EXT_CHANGES), 100);
    assert_int_equal(value(bench, 10, RV_FEATURE_FOREIGN_WRITES), 100);
    assert_int_equal(value(bench, 10, RV_FEATURE_EXE_PATH_CLASS), RV_PATH_SCRATCH);
    assert_in_range(value(bench, 10, RV_FEATURE_EXCESS_REMOVALS), 32, 64);
    assert_int_equal(value(bench, 20, RV_FEATURE_STRANGE_EXT), 0);
    assert_in_range(value(bench, 20, RV_FEATURE_REPLACED), 90,
                    100); /* a Bloom filter may miss some */
    assert_int_equal(value(bench, 20, RV_FEATURE_EXCESS_REMOVALS), 0);
    assert_int_equal(value(bench, 30, RV_FEATURE_STRANGE_EXT), 100);
    assert_in_range(value(bench, 30, RV_FEATURE_REPLACED), 90, 100);
}

/* A web server that starts the same helper again and again, then a shell. */
static void rarity_falls_with_habit_and_rises_with_its_breach(void **state)
{
    BENCH bench = bench_new((struct rv_features_options){ 0 });
    struct stream *stream = &bench->stream;
    int32_t first, usual, shell;

    stream_exec(stream, 10, "/usr/sbin/nginx", "nginx");
    stream_spawn(stream, 10, 100, "/usr/bin/helper", "helper -x 1");
    first = value(bench, 100, RV_FEATURE_PARENT_RARITY);
    stream_exit(stream, 100);
    for (uint32_t i = 101; i < 160; i++) {
        stream_spawn(stream, 10, i, "/usr/bin/helper", "helper -x 7");
        usual = value(bench, i, RV_FEATURE_PARENT_RARITY);
        stream_exit(stream, i);
    }
    assert_in_range(first, 4 * 16, 6 * 16);
    assert_int_equal(usual, 0);
    assert_int_equal(value(bench, 10, RV_FEATURE_NEW_CHILD), 0);
    stream_spawn(stream, 10, 200, "/bin/dash", "sh -c id");
    shell = value(bench, 200, RV_FEATURE_PARENT_RARITY);
    assert_in_range(shell, 4 * 16, 10 * 16);
    assert_int_equal(value(bench, 10, RV_FEATURE_NEW_CHILD), 1);
}

static void nothing_is_learnt_from_what_was_alerted_on(void **state)
{
    BENCH bench = bench_new((struct rv_features_options){ 0 });
    struct stream *stream = &bench->stream;
    int32_t rarity;

    stream_exec(stream, 10, "/usr/sbin/nginx", "nginx");
    for (uint32_t i = 100; i < 200; i++) {
        stream_spawn(stream, 10, i, "/bin/dash", "sh -c id");
        rv_features_taint(bench->features, process(bench, i));
        stream_spawn(stream, i, i + 1000, "/usr/bin/id", "id");
        assert_true(process(bench, i + 1000)->tainted);
        stream_exit(stream, i + 1000);
        stream_exit(stream, i);
    }
    rarity = value(bench, 199, RV_FEATURE_PARENT_RARITY);
    assert_in_range(rarity, 8 * 16, 10 * 16); /* the shipped prior, still */
    assert_true(rv_features_counters(bench->features).withheld >= 200);
    assert_false(process(bench, 10)->tainted);
    rv_features_taint(bench->features, process(bench, 10));
    rv_features_untaint(bench->features, process(bench, 10));
    assert_false(process(bench, 10)->tainted);
}

static void risk_is_inherited(void **state)
{
    BENCH bench = bench_new((struct rv_features_options){ 0 });

    stream_exec(&bench->stream, 10, "/bin/bash", "bash");
    rv_features_note_risk(bench->features, process(bench, 10), 450);
    rv_features_note_risk(bench->features, process(bench, 10), 5000);
    stream_spawn(&bench->stream, 10, 11, "/bin/cat", "cat");
    assert_int_equal(process(bench, 11)->risk_max, 1000);
    assert_int_equal(value(bench, 11, RV_FEATURE_ANC_RISK), 1000);
}

static void a_service_manager_hands_no_suspicion_on(void **state)
{
    BENCH bench = bench_new((struct rv_features_options){ 0 });
    struct stream *stream = &bench->stream;

    stream_exec(stream, 10, "/usr/lib/systemd/systemd", "systemd --user");
    stream_spawn(stream, 10, 11, "/usr/bin/first", "first");
    rv_features_note_risk(bench->features, process(bench, 10), 500);
    rv_features_taint(bench->features, process(bench, 10));
    stream_spawn(stream, 10, 12, "/usr/bin/second", "second");
    assert_true(process(bench, 10)->tainted);
    assert_false(process(bench, 11)->tainted);
    assert_false(process(bench, 12)->tainted);
    assert_int_equal(value(bench, 12, RV_FEATURE_ANC_RISK), 0);
}

static void syscalls(struct stream *stream, uint32_t pid, uint32_t tid, const uint16_t *calls,
                     size_t count)
{
    struct rv_event_syscalls *batch = stream_begin(stream, pid, RV_EVENT_SYSCALLS);

    batch->header.tid = tid;
    batch->count = (uint32_t)count;
    rv_event_put_str(&stream->builder, &batch->calls, rv_span(calls, 2 * count), 2048);
    stream_end(stream);
}

/* A loop of five calls is learnt as normal; another order of them, or another call, is not. */
static void unknown_triples_count_once_the_class_is_known(void **state)
{
    static const uint16_t loop[] = { 0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4 };
    static const uint16_t strange[] = { 4, 3, 2, 1, 0, 59, 59, 59 };
    BENCH bench = bench_new((struct rv_features_options){ 0 });
    struct stream *stream = &bench->stream;

    stream_exec(stream, 10, "/usr/sbin/nginx", "nginx");
    syscalls(stream, 10, 10, strange, RV_COUNT(strange));
    assert_int_equal(value(bench, 10, RV_FEATURE_NGRAM_MISSES), 0); /* nothing is known yet */
    stream_exec(stream, 11, "/usr/sbin/nginx", "nginx");
    for (int i = 0; i < 300; i++)
        syscalls(stream, 11, 11, loop, RV_COUNT(loop));
    assert_int_equal(value(bench, 11, RV_FEATURE_NGRAM_MISSES), 0);
    stream_exec(stream, 12, "/usr/sbin/nginx", "nginx");
    syscalls(stream, 12, 12, loop, RV_COUNT(loop));
    assert_int_equal(value(bench, 12, RV_FEATURE_NGRAM_MISSES), 0);
    syscalls(stream, 12, 12, (const uint16_t[]){ 9, 8, 7, 6, 9, 7, 8 }, 7);
    assert_int_equal(value(bench, 12, RV_FEATURE_NGRAM_MISSES), 7);
    assert_int_equal(value(bench, 12, RV_FEATURE_NGRAM_WINDOW_MAX), 7);
    /* Padding with normal calls empties the window, not its maximum. */
    for (int i = 0; i < 5; i++)
        syscalls(stream, 12, 12, loop, RV_COUNT(loop));
    assert_int_equal(value(bench, 12, RV_FEATURE_NGRAM_WINDOW), 0);
    assert_in_range(value(bench, 12, RV_FEATURE_NGRAM_WINDOW_MAX), 7, 9);
}

/* Two threads, each regular, interleaved: by process they would look like noise. */
static void sequences_are_kept_by_thread(void **state)
{
    static const uint16_t loop[] = { 0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4 };
    BENCH bench = bench_new((struct rv_features_options){ 0 });
    struct stream *stream = &bench->stream;

    stream_exec(stream, 11, "/usr/sbin/nginx", "nginx");
    for (int i = 0; i < 300; i++)
        syscalls(stream, 11, 11, loop, RV_COUNT(loop));
    stream_exec(stream, 12, "/usr/sbin/nginx", "nginx");
    for (size_t i = 0; i < 200; i++) {
        syscalls(stream, 12, 12, &loop[i % 5], 1);
        syscalls(stream, 12, 120, &loop[(i + 2) % 5], 1);
        syscalls(stream, 12, 121, &loop[(i + 4) % 5], 1);
    }
    assert_int_equal(value(bench, 12, RV_FEATURE_NGRAM_MISSES), 0);
}

static void random_event(struct stream *stream, uint64_t r)
{
    static const char *const programs[] = { "/bin/bash", "/usr/bin/python3.11", "/tmp/x",
                                            "/usr/sbin/nginx", "/usr/bin/gcc-12" };
    static const char *const paths[] = { "/home/u/a.odt",   "/home/u/a.odt.locked", "/etc/cron.d/x",
                                         "/var/log/syslog", "/home/u/b/c.txt",      "/tmp/q.tmp" };
    uint32_t pid = 10 + (uint32_t)(r >> 8) % 6;
    const char *path = paths[(r >> 16) % RV_COUNT(paths)];

    stream_wait_ms(stream, (r >> 24) % 16 == 0 ? (r >> 32) % 5000 : 0);
    switch (r % 12) {
    case 0:
        stream_exec(stream, pid, programs[(r >> 20) % RV_COUNT(programs)], "p -x http://1.2.3.4");
        break;
    case 1:
        stream_socket(stream, pid, RV_EVENT_NET_CONNECT, "192.0.2.9", (uint32_t)(r >> 40) % 900);
        break;
    case 2:
        stream_rename(stream, pid, path, paths[(r >> 28) % RV_COUNT(paths)]);
        break;
    case 3:
        stream_unlink(stream, pid, path);
        break;
    case 4:
        stream_plain(stream, pid, RV_EVENT_PROCESS_CRED);
        break;
    case 5:
        stream_plain(stream, pid, RV_EVENT_NAMESPACE);
        break;
    default:
        stream_open(stream, pid, path, (uint32_t)(r >> 44) % 32);
        break;
    }
}

/* What the table calls raise-only never falls, whatever else the process does. */
static void raise_only_features_only_rise(void **state)
{
    BENCH bench = bench_new((struct rv_features_options){ 0 });
    struct rv_vector *before = calloc(20, sizeof(*before)), now;
    uint64_t x = 5;

    for (int i = 0; i < 20000; i++) {
        uint32_t pid;

        x = rv_mix64(x + 0x9e3779b97f4a7c15ULL);
        random_event(&bench->stream, x);
        pid = bench->change.process->key.tgid;
        rv_features_vector(bench->features, bench->change.process, &now);
        for (size_t f = 0; f < RV_FEATURE_COUNT; f++) {
            const struct rv_feature_info *info = rv_feature_info(f);

            assert_in_range(now.value[f], 0, info->max);
            if (info->mutability == RV_MUTABLE_RAISE && now.value[f] < before[pid - 10].value[f])
                fail_msg("%s fell from %d to %d at event %d", info->name, before[pid - 10].value[f],
                         now.value[f], i);
        }
        before[pid - 10] = now;
    }
    free(before);
}

static void a_reused_id_ends_its_former_owner(void **state)
{
    BENCH bench = bench_new((struct rv_features_options){ 0 });
    struct rv_process_key old;

    stream_exec(&bench->stream, 10, "/bin/bash", "bash");
    old = process(bench, 10)->key;
    stream_wait_ms(&bench->stream, 1000);
    bench->stream.start_ns[10] = 0; /* a new process of the same number */
    stream_exec(&bench->stream, 10, "/bin/dash", "dash");
    assert_int_equal(rv_features_process(bench->features, old)->state, RV_PROCESS_EXITED);
    assert_string_equal(rv_features_live(bench->features, 10)->program->path, "/bin/dash");
    assert_int_equal(rv_features_counters(bench->features).live, 1);
}

/* More processes than there is room for, all alive: the newest are known, memory stays. */
static void full_tables_forget_and_count(void **state)
{
    BENCH bench = bench_new((struct rv_features_options){
        .process_max = 64, .program_max = 32, .workload_max = 16, .edge_max = 256 });
    struct rv_features_counters counters;
    char path[300];

    for (uint32_t i = 1; i < 5000; i++) {
        snprintf(path, sizeof(path), "/opt/%0*u/program", (int)(i % 250), i);
        stream_spawn(&bench->stream, i, i + 5000, path, "program x y z");
        stream_socket(&bench->stream, i + 5000, RV_EVENT_NET_CONNECT, "192.0.2.1", i);
        assert_non_null(bench->change.process);
    }
    counters = rv_features_counters(bench->features);
    assert_int_equal(counters.processes, 64);
    assert_true(counters.processes_forgotten > 4000);
    assert_true(counters.programs <= 32);
    assert_true(counters.programs_forgotten > 4000);
    assert_true(counters.edges_forgotten > 0);
    for (const struct rv_process *at = NULL; (at = rv_features_next(bench->features, at));)
        assert_non_null(at->program);
}

static void a_bound_that_memory_does_not_allow_is_refused(void **state)
{
    struct rv_features *features = NULL;

    assert_int_equal(
        rv_features_new(&features, &(struct rv_features_options){ .process_max = 1000000 }),
        -E2BIG);
    assert_null(features);
}

static void play_a_day(struct bench *bench)
{
    struct stream *stream = &bench->stream;
    char path[64];

    stream_exec(stream, 1, "/usr/lib/systemd/systemd", "init");
    stream_spawn(stream, 1, 2, "/usr/sbin/cron", "cron");
    for (uint32_t i = 100; i < 1100; i++) {
        stream_spawn(stream, 2, i, i % 3 ? "/usr/bin/backup" : "/usr/bin/report", "x --all");
        for (uint32_t j = 0; j < i % 7; j++) {
            snprintf(path, sizeof(path), "/var/lib/%u/%u.dat", i % 5, j);
            stream_open(stream, i, path, RV_ACCESS_CREATE | RV_ACCESS_WRITE);
        }
        stream_socket(stream, i, RV_EVENT_NET_CONNECT, "192.0.2.7", 443);
        stream_wait_ms(stream, 50);
        if (i % 11)
            stream_exit(stream, i);
    }
}

static struct rv_sha256 digest_of(struct bench *bench)
{
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
    struct rv_vector vector;

    rv_features_save(bench->features, &buf);
    for (const struct rv_process *at = NULL; (at = rv_features_next(bench->features, at));) {
        rv_features_vector(bench->features, at, &vector);
        rv_buf_add(&buf, &vector, sizeof(vector));
    }
    assert_false(buf.failed);
    return rv_sha256(rv_buf_span(&buf));
}

/* The constant makes it the same on every build type; change it only with the features. */
static void the_same_stream_gives_the_same_bits(void **state)
{
    BENCH one = bench_new((struct rv_features_options){ 0 });
    BENCH two = bench_new((struct rv_features_options){ 0 });
    struct rv_sha256 a, b;
    char hex[RV_SHA256_HEX_LEN + 1];

    play_a_day(one);
    play_a_day(two);
    a = digest_of(one);
    b = digest_of(two);
    assert_memory_equal(&a, &b, sizeof(a));
    assert_int_equal(one->due, two->due);
    rv_sha256_hex(&a, hex);
    assert_string_equal(hex, "a71f2e59f65dc2d7cd33355e5fde5dde9167a7aeb35473cbf4404adddcf01185");
}

static void what_was_learnt_survives_a_restart(void **state)
{
    BENCH one = bench_new((struct rv_features_options){ 0 });
    BENCH two = bench_new((struct rv_features_options){ 0 });
    BENCH small = bench_new((struct rv_features_options){ .program_max = 16, .edge_max = 64 });
    RV_AUTO(rv_buf_done) struct rv_buf saved = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf again = { 0 };
    const char *why = NULL;

    play_a_day(one);
    rv_features_save(one->features, &saved);
    rv_assert_ok(rv_features_load(two->features, rv_buf_span(&saved), &why));
    rv_assert_ok(rv_features_load(small->features, rv_buf_span(&saved), &why));
    rv_features_save(two->features, &again);
    assert_int_equal(saved.len, again.len);
    stream_exec(&one->stream, 5000, "/usr/bin/backup", "x --all");
    stream_exec(&two->stream, 5000, "/usr/bin/backup", "x --all");
    assert_true(value(two, 5000, RV_FEATURE_EXE_RUNS) > 100);
    assert_int_equal(value(two, 5000, RV_FEATURE_EXE_RUNS), value(one, 5000, RV_FEATURE_EXE_RUNS));
    assert_int_equal(value(two, 5000, RV_FEATURE_ARGV_RARITY), 0);
}

static void damage_to_what_was_saved_is_seen(void **state)
{
    BENCH bench = bench_new((struct rv_features_options){ 0 });
    RV_AUTO(rv_buf_done) struct rv_buf saved = { 0 };
    const char *why = NULL;

    rv_features_save(bench->features, &saved);
    for (size_t at = 0; at < saved.len; at += at < 400 ? 1 : 997) {
        saved.data[at] ^= 1;
        assert_true(rv_features_load(bench->features, rv_buf_span(&saved), &why) < 0);
        assert_non_null(why);
        saved.data[at] ^= 1;
    }
    for (size_t len = 0; len < saved.len; len += len < 400 ? 1 : 997)
        assert_int_equal(rv_features_load(bench->features, rv_span(saved.data, len), &why),
                         -EBADMSG);
    rv_assert_ok(rv_features_load(bench->features, rv_buf_span(&saved), &why));
}

static void counting_says_when_a_verdict_is_worth_it(void **state)
{
    BENCH bench = bench_new((struct rv_features_options){ 0 });

    stream_exec(&bench->stream, 10, "/usr/bin/thing", "thing");
    bench->due = 0;
    for (int i = 0; i < 1024; i++)
        stream_open(&bench->stream, 10, "/data/log", RV_ACCESS_WRITE);
    assert_int_equal(bench->due, 20); /* 1 2 3 4 6 8 12 ... 768 1024 */
    stream_wait_ms(&bench->stream, 1100);
    stream_open(&bench->stream, 10, "/data/log", RV_ACCESS_WRITE);
    assert_int_equal(bench->due, 21);
}

static void programs_are_known_by_name_and_place(void **state)
{
    static const struct {
        const char *path;
        enum rv_program_kind kind;
        enum rv_path_class path_class;
    } cases[] = {
        { "/usr/bin/python3.11", RV_KIND_LANGUAGE, RV_PATH_SYSTEM },
        { "/usr/bin/x86_64-linux-gnu-gcc-12", RV_KIND_BUILD, RV_PATH_SYSTEM },
        { "/usr/bin/gcc-12", RV_KIND_BUILD, RV_PATH_SYSTEM },
        { "/usr/sbin/php-fpm8.2", RV_KIND_SERVER, RV_PATH_SYSTEM },
        { "/tmp/.x/bash", RV_KIND_SHELL, RV_PATH_SCRATCH },
        { "/memfd:x", RV_KIND_OTHER, RV_PATH_MEMORY },
        { "/home/u/bin/tar", RV_KIND_ARCHIVE, RV_PATH_HOME },
        { "/", RV_KIND_OTHER, RV_PATH_ELSEWHERE },
        { "", RV_KIND_OTHER, RV_PATH_UNKNOWN },
        { "/bin/a b", RV_KIND_OTHER, RV_PATH_SYSTEM },
        { "relative", RV_KIND_OTHER, RV_PATH_UNKNOWN },
    };

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        struct rv_span path = rv_span_str(cases[i].path);

        if (rv_program_kind(path) != cases[i].kind || rv_path_class(path) != cases[i].path_class)
            fail_msg("%s: %s, %s", cases[i].path, rv_program_kind_name(rv_program_kind(path)),
                     rv_path_class_name(rv_path_class(path)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_are_kept_beyond_the_death_of_a_parent),
        cmocka_unit_test(a_login_ends_the_reach_of_a_server),
        cmocka_unit_test(counts_rates_and_distinct_counts_are_what_happened),
        cmocka_unit_test(encryption_leaves_other_marks_than_compression),
        cmocka_unit_test(rarity_falls_with_habit_and_rises_with_its_breach),
        cmocka_unit_test(nothing_is_learnt_from_what_was_alerted_on),
        cmocka_unit_test(risk_is_inherited),
        cmocka_unit_test(a_service_manager_hands_no_suspicion_on),
        cmocka_unit_test(unknown_triples_count_once_the_class_is_known),
        cmocka_unit_test(sequences_are_kept_by_thread),
        cmocka_unit_test(raise_only_features_only_rise),
        cmocka_unit_test(a_reused_id_ends_its_former_owner),
        cmocka_unit_test(full_tables_forget_and_count),
        cmocka_unit_test(a_bound_that_memory_does_not_allow_is_refused),
        cmocka_unit_test(the_same_stream_gives_the_same_bits),
        cmocka_unit_test(what_was_learnt_survives_a_restart),
        cmocka_unit_test(damage_to_what_was_saved_is_seen),
        cmocka_unit_test(counting_says_when_a_verdict_is_worth_it),
        cmocka_unit_test(programs_are_known_by_name_and_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
