/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What watching costs those who are watched, and how much of what they do is seen.
 *   bench_sensors [ROUNDS]
 * Three loads, each with the sensors attached and without, interleaved; one JSON line a load:
 *   dd      read 500 bytes of /dev/zero, write them to /dev/null: nothing but system calls
 *   files   create and remove a file
 *   spawn   posix_spawn of /bin/true
 * `ratio` is the median over rounds of time with / time without in the same round. `captured` is
 * events in the ring / operations done; the reader drains in a process of its own.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "sensors/stream.h"

#define ROUNDS_MAX 50

static uint64_t now_ns(void)
{
    struct rv_clock clock = rv_clock_system();

    return clock.boot_ns(clock.context);
}

/* ---- Loads ---- */
static int load_dd(size_t count)
{
    int from = open("/dev/zero", O_RDONLY | O_CLOEXEC),
        to = open("/dev/null", O_WRONLY | O_CLOEXEC);
    char room[500];

    for (size_t i = 0; i < count; i++) {
        if (read(from, room, sizeof(room)) != (ssize_t)sizeof(room) ||
            write(to, room, sizeof(room)) != (ssize_t)sizeof(room))
            return 1;
    }
    return 0;
}

static int load_files(size_t count)
{
    char directory[] = "/tmp/reeve-bench-XXXXXX", path[64];

    if (!mkdtemp(directory))
        return 1;
    for (size_t i = 0; i < count; i++) {
        int fd;

        snprintf(path, sizeof(path), "%s/f%zu", directory, i);
        fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        if (fd < 0 || close(fd) < 0 || unlink(path) < 0)
            return 1;
    }
    return rmdir(directory) < 0;
}

static int load_spawn(size_t count)
{
    char name[] = "true", *argv[] = { name, NULL }, *environment[] = { NULL };

    for (size_t i = 0; i < count; i++) {
        pid_t child;
        int status;

        if (posix_spawn(&child, "/bin/true", NULL, NULL, argv, environment) != 0 ||
            waitpid(child, &status, 0) != child)
            return 1;
    }
    return 0;
}

static const struct load {
    const char *name;
    int (*run)(size_t count);
    size_t count;
    uint16_t types[2]; /* events that each operation makes one of */
} loads[] = {
    { "dd", load_dd, 1000000, { 0 } },
    { "files", load_files, 10000, { RV_EVENT_FILE_OPEN, RV_EVENT_FILE_UNLINK } },
    { "spawn", load_spawn, 1000, { RV_EVENT_PROCESS_EXEC, RV_EVENT_PROCESS_EXIT } },
};

/** Wall time of a load in a process of its own; 0 when it failed. */
static uint64_t time_load(const struct load *load)
{
    uint64_t start_ns = now_ns();
    int status = 0;
    pid_t child = fork();

    if (child == 0)
        _exit(load->run(load->count));
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        return 0;
    return now_ns() - start_ns;
}

/* ---- The reader, a process of its own as the judge is ---- */
static int ignore(void *context, const struct rv_event *event)
{
    (void)context;
    (void)event;
    return 0;
}

static void read_forever(const struct rv_sensors_fds *fds)
{
    const struct rv_event_sink sink = { ignore, NULL };
    struct rv_stream *stream = NULL;

    if (rv_stream_open(&stream, fds) < 0)
        _exit(1);
    for (;;) {
        struct pollfd poll_fd = { .fd = fds->fd[RV_SENSORS_FD_RING], .events = POLLIN };

        (void)poll(&poll_fd, 1, rv_stream_timeout_ms(stream));
        if (rv_stream_read(stream, 65536, now_ns(), &sink) < 0)
            _exit(1);
    }
}

struct run {
    uint64_t ns;
    double captured;
    uint64_t lost;
};

/** One run with the sensors attached. @return false when they do not load. */
static bool run_watched(const struct load *load, struct run *ret_run)
{
    const struct rv_sensors_options options = { .watch_self = true };
    struct rv_sensors *sensors = NULL;
    struct rv_stream *counters = NULL;
    struct rv_stream_counts before, after;
    struct rv_sensors_fds fds;
    const char *error = NULL;
    pid_t reader;
    uint64_t seen = UINT64_MAX;

    if (rv_sensors_open(&sensors, &options, &error) < 0 || rv_sensors_attach(sensors) < 0) {
        fprintf(stderr, "bench_sensors: %s\n", error ? error : "cannot attach");
        rv_sensors_free(&sensors);
        return false;
    }
    rv_sensors_fds(sensors, &fds);
    reader = fork();
    if (reader == 0)
        read_forever(&fds);
    if (rv_stream_open(&counters, &fds) < 0)
        return false;
    rv_stream_counts(counters, &before);
    ret_run->ns = time_load(load);
    rv_stream_counts(counters, &after);
    for (size_t i = 0; i < RV_COUNT(load->types); i++) {
        if (load->types[i])
            seen = rv_min_u64(seen, after.emitted_by_type[load->types[i]] -
                                        before.emitted_by_type[load->types[i]]);
    }
    ret_run->lost = after.lost - before.lost;
    ret_run->captured = seen == UINT64_MAX ? 1.0 : (double)seen / (double)load->count;
    if (ret_run->captured > 1.0)
        ret_run->captured = 1.0; /* others on this machine do such things too */
    kill(reader, SIGKILL);
    waitpid(reader, NULL, 0);
    rv_stream_free(&counters);
    rv_sensors_free(&sensors);
    return ret_run->ns != 0;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static int bench(const struct load *load, size_t rounds)
{
    double ratios[ROUNDS_MAX], captured = 1.0;
    uint64_t bare_ns = UINT64_MAX, lost = 0;

    for (size_t i = 0; i < rounds; i++) {
        struct run watched = { 0 };
        uint64_t bare = time_load(load);

        if (bare == 0 || !run_watched(load, &watched))
            return 1;
        ratios[i] = (double)watched.ns / (double)bare;
        bare_ns = rv_min_u64(bare_ns, bare);
        captured = watched.captured < captured ? watched.captured : captured;
        lost += watched.lost;
    }
    qsort(ratios, rounds, sizeof(ratios[0]), compare);
    printf("{\"bench\":\"sensors.%s\",\"rounds\":%zu,\"operations\":%zu,\"bare_ns_each\":%.0f,"
           "\"ratio\":%.3f,\"ratio_min\":%.3f,\"ratio_max\":%.3f,\"captured_min\":%.6f,"
           "\"lost\":%llu}\n",
           load->name, rounds, load->count, (double)bare_ns / (double)load->count,
           ratios[rounds / 2], ratios[0], ratios[rounds - 1], captured, (unsigned long long)lost);
    fflush(stdout);
    return 0;
}

int main(int argc, char **argv)
{
    size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 10;

    if (geteuid() != 0) {
        printf("# skip: needs root\n");
        return 77;
    }
    if (rounds == 0 || rounds > ROUNDS_MAX)
        rounds = 10;
    for (size_t i = 0; i < RV_COUNT(loads); i++) {
        if (bench(&loads[i], rounds) != 0)
            return 77;
    }
    return 0;
}
