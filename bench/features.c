/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The features: events taken in by the judge, vectors, memory with 10,000 live processes, and the
 * kernel's part by BPF_PROG_TEST_RUN. One JSON line; kernel figures are null where BPF does not
 * load.
 */
#include "features/features.h"
#include "base/clock.h"
#include "base/hash.h"
#include "features_core.h"
#include "models/baseline.h"
#include "sessions.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define EVENTS (1U << 20)

struct tape {
    uint8_t *bytes;
    size_t used, room;
    size_t count;
};

static void record(void *context, const struct rv_event *event)
{
    struct tape *tape = context;

    if (tape->used + event->size > tape->room) {
        tape->room = tape->room ? 2 * tape->room : 1 << 24;
        tape->bytes = realloc(tape->bytes, tape->room);
        if (!tape->bytes)
            abort();
    }
    memcpy(tape->bytes + tape->used, event, event->size);
    tape->used += event->size;
    tape->count++;
}

/* A mix like a busy host's: spawning, building, serving, all over `processes` live processes. */
static void play(struct stream *stream, struct tape *tape, uint32_t processes)
{
    static const char *const programs[] = { "/usr/bin/gcc-12",     "/bin/dash",
                                            "/usr/bin/python3.11", "/usr/sbin/nginx",
                                            "/usr/bin/make",       "/usr/bin/cat" };
    char path[96];

    for (uint32_t i = 1; i <= processes; i++)
        stream_spawn(stream, 1 + i / 8, i + 1, programs[i % 6], "program -x --long=7 file.c");
    for (uint32_t i = 0; tape->count < EVENTS; i++) {
        uint64_t r = rv_mix64(i);
        uint32_t pid = 2 + (uint32_t)(r % processes);

        stream->now_ns += r % 20000;
        if (r >> 32 & 1)
            pid = 2 + pid % 64; /* half of what happens is done by few */
        snprintf(path, sizeof(path), "/home/user/src/project/dir%u/file%u.o",
                 (unsigned)(r >> 8) % 40, (unsigned)(r >> 16) % 400);
        if (r % 16 < 9)
            stream_open(stream, pid, path, RV_ACCESS_WRITE | (r % 3 ? RV_ACCESS_CREATE : 0));
        else if (r % 16 < 11)
            stream_unlink(stream, pid, path);
        else if (r % 16 < 12)
            stream_rename(stream, pid, path, "/home/user/src/project/a.out");
        else if (r % 16 < 14)
            stream_socket(stream, pid, RV_EVENT_NET_CONNECT, "192.0.2.7", 443);
        else
            stream_exec(stream, pid, programs[r % 6], "program -x --long=7 file.c");
    }
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * RV_NS_PER_S + (uint64_t)now.tv_nsec;
}

static size_t resident_bytes(void)
{
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    if (file) {
        if (fscanf(file, "%ld %ld", &pages, &resident) != 2)
            resident = 0;
        fclose(file);
    }
    return (size_t)resident * (size_t)sysconf(_SC_PAGESIZE);
}

static double run(struct rv_features *features, const struct rv_model *model,
                  const struct tape *tape, uint64_t *due)
{
    uint64_t start = now_ns();
    int64_t sum = 0;

    for (size_t at = 0; at < tape->used;) {
        const struct rv_event *event = (const void *)(tape->bytes + at);
        struct rv_features_change change;
        struct rv_vector vector;

        rv_features_update(features, event, &change);
        at += event->size;
        if (change.due != RV_SCORE_DUE)
            continue;
        (*due)++;
        if (!model)
            continue;
        rv_features_vector(features, change.process, &vector);
        sum += rv_model_score_q16(model, &vector);
    }
    __asm__ volatile("" : : "r"(sum));
    return (double)(now_ns() - start) / (double)tape->count;
}

static double time_vectors(const struct rv_features *features)
{
    const struct rv_process *process = NULL;
    struct rv_vector vector;
    uint64_t start = now_ns();

    for (unsigned i = 0; i < 200000; i++) {
        process = rv_features_next(features, process);
        if (process)
            rv_features_vector(features, process, &vector);
        __asm__ volatile("" : : "m"(vector));
    }
    return (double)(now_ns() - start) / 200000;
}

/* What sessions add to an event: its symbol and surprise, and their word for verdicts that are due.
 */
static double time_sessions(const struct tape *tape)
{
    struct rv_language *language = sessions_model(true);
    struct rv_features *features = NULL;
    struct rv_sessions *sessions = NULL;
    uint64_t spent = 0;
    int64_t sum = 0;

    if (rv_features_new(&features, &(struct rv_features_options){ 0 }) < 0 ||
        rv_sessions_new(&sessions, language) < 0)
        return -1;
    for (size_t at = 0; at < tape->used;) {
        const struct rv_event *event = (const void *)(tape->bytes + at);
        struct rv_features_change change;
        struct rv_session_score score;
        uint64_t start;

        rv_features_update(features, event, &change);
        at += event->size;
        if (!change.process)
            continue;
        start = now_ns();
        rv_sessions_hear(sessions, event, change.process);
        if (change.due == RV_SCORE_DUE) {
            struct rv_session_asked asked = { change.process, event->tid, 0 };

            rv_sessions_score(sessions, &asked, &score);
            rv_sessions_spoke(sessions, &asked);
            sum += score.raw_q16;
        }
        spent += now_ns() - start;
    }
    __asm__ volatile("" : : "r"(sum));
    rv_sessions_free(&sessions);
    rv_features_free(&features);
    rv_language_free(&language);
    return (double)spent / (double)tape->count;
}

/* Least of five means of 200,000 runs, ns; -1 where BPF does not load. */
static double kernel_ns(struct bpf_program *program, const struct probe *probe)
{
    uint32_t best = UINT32_MAX;

    for (int i = 0; i < 5; i++) {
        uint32_t ns = 0;

        if (probe_run(program, probe, 200000, &ns) < 0)
            return -1;
        best = ns < best ? ns : best;
    }
    return best;
}

static void print_kernel(void)
{
    struct features_core *core = features_core__open_and_load();
    struct probe probe = { .input = { 5000000000ULL, 7, 9, RV_ACTION_CREATE, 1 },
                           .normal = { 1, 1 } };

    if (!core) {
        printf("\"kernel_update_ns\":null,\"kernel_vector_ns\":null,\"kernel_nothing_ns\":null}\n");
        return;
    }
    printf("\"kernel_update_ns\":%.0f,", kernel_ns(core->progs.rv_core_busy, &probe));
    printf("\"kernel_vector_ns\":%.0f,", kernel_ns(core->progs.rv_core_vector, &probe));
    printf("\"kernel_nothing_ns\":%.0f}\n", kernel_ns(core->progs.rv_core_nothing, &probe));
    features_core__destroy(core);
}

static int silent(enum libbpf_print_level level, const char *format, va_list arguments)
{
    (void)level;
    (void)format;
    (void)arguments;
    return 0;
}

int main(void)
{
    struct tape tape = { 0 };
    struct stream *stream = calloc(1, sizeof(*stream));
    struct rv_features *features = NULL;
    struct rv_model *model = NULL;
    double update_ns, judge_ns;
    uint64_t due = 0;
    size_t before;

    if (!stream || rv_baseline_new(&model) < 0)
        return 1;
    libbpf_set_print(silent);
    stream_init(stream, record, &tape);
    play(stream, &tape, 10000);
    before = resident_bytes();
    if (rv_features_new(&features, &(struct rv_features_options){ 0 }) < 0)
        return 1;
    update_ns = run(features, NULL, &tape, &due);
    printf("{\"bench\":\"features\",\"events\":%zu,\"live\":%u,\"resident_bytes\":%zu,"
           "\"bytes_per_process\":%zu,",
           tape.count, rv_features_counters(features).live, resident_bytes() - before,
           (resident_bytes() - before) / rv_features_counters(features).live);
    printf("\"vector_ns\":%.0f,", time_vectors(features));
    rv_features_free(&features);
    if (rv_features_new(&features, &(struct rv_features_options){ 0 }) < 0)
        return 1;
    due = 0;
    judge_ns = run(features, model, &tape, &due);
    printf("\"update_ns\":%.0f,\"update_and_score_ns\":%.0f,\"events_per_s\":%.0f,"
           "\"score_due_share\":%.4f,",
           update_ns, judge_ns, 1e9 / judge_ns, (double)due / (double)tape.count);
    printf("\"sessions_ns\":%.0f,\"sessions_bytes\":%zu,", time_sessions(&tape),
           rv_sessions_memory());
    print_kernel();
    rv_features_free(&features);
    rv_model_free(&model);
    free(tape.bytes);
    free(stream);
    return 0;
}
