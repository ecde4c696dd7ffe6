/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sensors_trace: events as they come, one JSON object a line. For developers.
 *   sensors_trace [-c CGROUP_DIR] [-w PATH]... [-s] [-q] [-t SECONDS] [-o FILE] [-- COMMAND...]
 * -c only this cgroup (v2) and below; -w report opens of PATH; -s scan running processes first;
 * -o record into FILE too; -q only the counts at the end; -d deep watching of the -c cgroup;
 * -m run time of each program; -p only try each hook and say what works.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "event/segment.h"
#include "sensors/stream.h"

struct trace {
    struct rv_sensors *sensors;
    struct rv_stream *stream;
    struct rv_sensors_fds fds;
    struct rv_buf line;
    struct rv_segment_writer *segment;
    const char *watch[64];
    size_t watch_count;
    uint64_t cgroup;
    pid_t child;
    int seconds;
    bool quiet, scan, deep, meter, probe;
};

static volatile sig_atomic_t stopping;

static void stop(int signal)
{
    (void)signal;
    stopping = 1;
}

static int put(void *context, const struct rv_event *event)
{
    struct trace *trace = context;

    if (trace->segment) {
        int r = rv_segment_put(trace->segment, event);

        if (r < 0)
            return r;
    }
    if (trace->quiet)
        return 0;
    rv_buf_clear(&trace->line);
    rv_event_json(&trace->line, event);
    printf("%s\n", trace->line.data);
    return 0;
}

static uint64_t boot_ns(void)
{
    struct rv_clock clock = rv_clock_system();

    return clock.boot_ns(clock.context);
}

static int record(struct trace *trace, const char *path)
{
    struct rv_clock clock = rv_clock_system();
    struct rv_segment_head head = { .created_unix_ns = clock.unix_ns(clock.context) };

    head.unix_offset_ns = head.created_unix_ns - clock.boot_ns(clock.context);
    return rv_segment_create(&trace->segment, AT_FDCWD, path, &head);
}

/** One look at everything, then wait for more. */
static int turn(struct trace *trace, int timeout_max_ms)
{
    const struct rv_event_sink sink = { put, trace };
    struct pollfd polls[] = {
        { .fd = trace->fds.fd[RV_SENSORS_FD_RING], .events = POLLIN },
        { .fd = trace->fds.fd[RV_SENSORS_FD_URGENT], .events = POLLIN },
        { .fd = rv_sensors_poll_fd(trace->sensors), .events = POLLIN },
    };
    int timeout = rv_stream_timeout_ms(trace->stream), r;

    if (timeout < 0 || timeout > timeout_max_ms)
        timeout = timeout_max_ms;
    (void)poll(polls, RV_COUNT(polls), timeout);
    r = rv_sensors_dispatch(trace->sensors);
    if (r < 0)
        return r;
    r = rv_stream_read(trace->stream, 4096, boot_ns(), &sink);
    fflush(stdout);
    return r;
}

static int run(struct trace *trace)
{
    uint64_t end_ns = boot_ns() + (uint64_t)trace->seconds * RV_NS_PER_S;
    int r = 0;

    while (!stopping && r >= 0 && (trace->seconds == 0 || boot_ns() < end_ns)) {
        r = turn(trace, 100);
        if (trace->child > 0 && waitpid(trace->child, NULL, WNOHANG) == trace->child) {
            uint64_t last_ns = boot_ns() + 60 * RV_NS_PER_MS;

            while (r >= 0 && boot_ns() < last_ns)
                r = turn(trace, 20);
            break;
        }
    }
    return r < 0 ? r : 0;
}

static void report(const struct trace *trace)
{
    struct rv_sensors_cost costs[64];
    struct rv_stream_counts counts;
    size_t count = rv_sensors_costs(trace->sensors, costs, RV_COUNT(costs));

    rv_stream_counts(trace->stream, &counts);
    fprintf(stderr, "emitted %llu lost %llu invalid %llu; maps %llu KiB\n",
            (unsigned long long)counts.emitted, (unsigned long long)counts.lost,
            (unsigned long long)counts.invalid,
            (unsigned long long)rv_sensors_map_bytes(trace->sensors) / 1024);
    for (size_t type = 0; type < RV_EVENT_TYPE_END_; type++) {
        if (counts.emitted_by_type[type] || counts.lost_by_type[type])
            fprintf(stderr, "  %-16s %8llu lost %llu\n", rv_event_info((uint16_t)type)->name,
                    (unsigned long long)counts.emitted_by_type[type],
                    (unsigned long long)counts.lost_by_type[type]);
    }
    for (size_t i = 0; trace->meter && i < count; i++) {
        if (costs[i].run_count)
            fprintf(stderr, "  %-24s runs %9llu  %6llu ns each, missed %llu\n", costs[i].program,
                    (unsigned long long)costs[i].run_count,
                    (unsigned long long)(costs[i].run_time_ns / costs[i].run_count),
                    (unsigned long long)costs[i].missed);
    }
}

static void put_probe(void *context, const struct rv_sensors_probe *probe)
{
    (void)context;
    printf("%-4s %-8s %-32s %s%s\n", probe->works ? "yes" : "no",
           rv_sensor_info(probe->sensor)->name, probe->hook, probe->works ? probe->cost : "",
           probe->reason);
}

static int parse(struct trace *trace, int argc, char **argv)
{
    struct stat status;
    int option;

    while ((option = getopt(argc, argv, "+c:w:t:o:sqdmp")) >= 0) {
        if (option == 'c' && stat(optarg, &status) == 0)
            trace->cgroup = status.st_ino;
        else if (option == 'w' && trace->watch_count < RV_COUNT(trace->watch))
            trace->watch[trace->watch_count++] = optarg;
        else if (option == 't')
            trace->seconds = (int)strtol(optarg, NULL, 10);
        else if (option == 'o' && record(trace, optarg) == 0)
            continue;
        else if (option == 's')
            trace->scan = true;
        else if (option == 'q')
            trace->quiet = true;
        else if (option == 'd')
            trace->deep = true;
        else if (option == 'p')
            trace->probe = true;
        else if (option == 'm')
            trace->meter = true;
        else
            return -EINVAL;
    }
    return 0;
}

static int set_up(struct trace *trace, bool watch_self)
{
    const char *error = NULL;
    struct rv_sensors_options options = { .watch_self = watch_self,
                                          .scope = &trace->cgroup,
                                          .scope_count = trace->cgroup ? 1 : 0 };
    RV_AUTO(rv_closep) int root_fd = open("/", O_PATH | O_CLOEXEC);
    size_t marked = 0;
    int r = rv_sensors_open(&trace->sensors, &options, &error);

    if (r < 0) {
        fprintf(stderr, "sensors_trace: %s (%s)\n", error, strerror(-r));
        return r;
    }
    rv_sensors_fds(trace->sensors, &trace->fds);
    r = rv_stream_open(&trace->stream, &trace->fds);
    if (r == 0 && trace->meter)
        r = rv_sensors_meter(trace->sensors);
    if (r == 0)
        r = rv_sensors_attach(trace->sensors);
    if (r == 0 && trace->scan)
        r = rv_sensors_scan(trace->sensors);
    if (r == 0 && trace->watch_count)
        r = rv_sensors_watch(trace->sensors, root_fd, trace->watch, trace->watch_count, &marked);
    if (r == 0 && trace->deep)
        r = rv_sensors_deep_add(trace->sensors, trace->cgroup);
    if (r < 0)
        fprintf(stderr, "sensors_trace: %s\n", strerror(-r));
    for (unsigned i = 0; i < RV_SENSOR_COUNT_; i++) {
        if (rv_sensors_missing(trace->sensors) & RV_SENSOR_BIT(i))
            fprintf(stderr, "sensors_trace: no %s here\n", rv_sensor_info(i)->name);
    }
    return r;
}

int main(int argc, char **argv)
{
    struct trace trace = { 0 };
    int r;

    if (parse(&trace, argc, argv) < 0)
        return 2;
    if (trace.probe)
        return rv_sensors_probe(put_probe, NULL) < 0;
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    r = set_up(&trace, trace.cgroup != 0 || optind < argc);
    if (r == 0 && optind < argc) {
        trace.child = fork();
        if (trace.child == 0) {
            execvp(argv[optind], argv + optind);
            _exit(127);
        }
    }
    if (r == 0)
        r = run(&trace);
    if (trace.stream)
        report(&trace);
    rv_segment_writer_free(&trace.segment);
    rv_stream_free(&trace.stream);
    rv_sensors_free(&trace.sensors);
    rv_buf_done(&trace.line);
    return r < 0 ? 1 : 0;
}
