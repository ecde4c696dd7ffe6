/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reeve record: events to a file, of a command in a cgroup of its own or of the whole machine.
 * Needs no agent: it loads sensors of its own and takes them away again.
 */
#include "command.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/options.h"
#include "event/segment.h"
#include "sensors/sensors.h"
#include "sensors/stream.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define DRAIN_MS 300 /* after the command ended: what the kernel still has to hand over */

static bool help, progress_off;
static const char *output, *host;
static struct rv_option_list watch;
static uint64_t ring_kib, seconds;

static const struct rv_option options[] = {
    { RV_OPTION_STRING, 'o', "output", "FILE", "where the recording goes", &output, 0, 0 },
    { RV_OPTION_LIST, 'w', "watch", "PATH",
      "record reads of this file too (folder/ for those in it)", &watch, 0, 0 },
    { RV_OPTION_STRING, 0, "host", "NAME", "name of the host in the recording (this one's)", &host,
      0, 0 },
    { RV_OPTION_U64, 't', "seconds", "N", "stop after so long", &seconds, 1, 1000000 },
    { RV_OPTION_U64, 0, "ring-kib", "N", "size of the ring from the kernel (8192)", &ring_kib, 64,
      1048576 },
    { RV_OPTION_FLAG, 'q', "quiet", NULL, "say nothing but errors", &progress_off, 0, 0 },
    { RV_OPTION_FLAG, 'h', "help", NULL, "this text", &help, 0, 0 },
    { 0 },
};

struct recorder {
    struct rv_clock clock;
    struct rv_segment_writer *writer;
    struct rv_sensors *sensors;
    struct rv_stream *stream;
    int signal_fd, child_fd;
    pid_t child;
    char cgroup[256]; /* of the command; empty: none was made */
    int cgroup_fd;
    int child_status;
    bool stop;
    uint64_t events;
};

static int put_event(void *context, const struct rv_event *event)
{
    struct recorder *recorder = context;

    recorder->events++;
    return rv_segment_put(recorder->writer, event);
}

/* ---- The command's own cgroup ---- */

static int find_cgroup_root(char *root, size_t room)
{
    RV_AUTO(rv_freep) char *mounts = NULL;
    size_t len = 0;
    char *line, *next = NULL;
    int r = rv_read_file(AT_FDCWD, "/proc/self/mounts", 1 << 20, &mounts, &len);

    if (r < 0)
        return r;
    for (line = strtok_r(mounts, "\n", &next); line; line = strtok_r(NULL, "\n", &next)) {
        char target[200], type[32];

        if (sscanf(line, "%*s %199s %31s", target, type) == 2 && rv_streq(type, "cgroup2")) {
            (void)snprintf(root, room, "%s", target);
            return 0;
        }
    }
    return -ENOENT;
}

static int make_cgroup(struct recorder *recorder, uint64_t *ret_id)
{
    char root[200];
    struct stat status;
    int r = find_cgroup_root(root, sizeof(root));

    if (r < 0) {
        fprintf(stderr, "no cgroup v2 file system is mounted, so a command cannot be told from the "
                        "rest; mount one, or record the whole machine\n");
        return r;
    }
    (void)snprintf(recorder->cgroup, sizeof(recorder->cgroup), "%s/reeve-record-%d", root,
                   (int)getpid());
    if (mkdir(recorder->cgroup, 0755) < 0) {
        fprintf(stderr, "cannot make the cgroup %s: %s\n", recorder->cgroup, strerror(errno));
        recorder->cgroup[0] = '\0';
        return -errno;
    }
    recorder->cgroup_fd = open(recorder->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (recorder->cgroup_fd < 0 || fstat(recorder->cgroup_fd, &status) < 0)
        return -errno;
    *ret_id = status.st_ino;
    return 0;
}

/** End what the command left running in its cgroup, then remove that. */
static void remove_cgroup(struct recorder *recorder)
{
    if (!recorder->cgroup[0])
        return;
    for (int try = 0; try < 50; try++) {
        RV_AUTO(rv_closep)
        int kill_fd = openat(recorder->cgroup_fd, "cgroup.kill", O_WRONLY | O_CLOEXEC);

        if (rmdir(recorder->cgroup) == 0)
            break;
        if (kill_fd < 0 || write(kill_fd, "1", 1) != 1)
            break;
        usleep(20000);
    }
    rv_closep(&recorder->cgroup_fd);
}

static int start_command(struct recorder *recorder, char **argv)
{
    RV_AUTO(rv_closep) int procs = -1;
    sigset_t none;

    recorder->child = fork();
    if (recorder->child < 0)
        return -errno;
    if (recorder->child > 0) {
        recorder->child_fd = (int)syscall(SYS_pidfd_open, recorder->child, 0);
        return recorder->child_fd < 0 ? -errno : 0;
    }
    procs = openat(recorder->cgroup_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
    if (procs < 0 || write(procs, "0", 1) != 1)
        _exit(126);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    execvp(argv[0], argv);
    fprintf(stderr, "cannot run %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

/* ---- Recording ---- */

static int open_output(struct recorder *recorder)
{
    struct rv_segment_head head = {
        .unix_offset_ns = recorder->clock.unix_ns(NULL) - recorder->clock.boot_ns(NULL),
        .created_unix_ns = recorder->clock.unix_ns(NULL),
    };
    int r;

    if (host)
        (void)snprintf(head.host, sizeof(head.host), "%s", host);
    else
        (void)gethostname(head.host, sizeof(head.host) - 1);
    r = rv_segment_create(&recorder->writer, AT_FDCWD, output, &head);
    if (r < 0)
        fprintf(stderr, "cannot write %s: %s\n", output, strerror(-r));
    return r;
}

static int open_sensors(struct recorder *recorder, const uint64_t *scope, size_t scope_count)
{
    RV_AUTO(rv_closep) int root_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct rv_sensors_options with = {
        .ring_bytes = (size_t)ring_kib * 1024,
        .scope = scope,
        .scope_count = scope_count,
        .watch_self = scope_count > 0, /* the command is our child */
    };
    struct rv_sensors_fds fds;
    const char *why = "";
    int r = rv_sensors_open(&recorder->sensors, &with, &why);

    if (r < 0) {
        fprintf(stderr, "cannot load the sensors: %s\n", why[0] ? why : strerror(-r));
        return r;
    }
    r = rv_sensors_watch(recorder->sensors, root_fd, watch.items, watch.count, NULL);
    if (r < 0)
        fprintf(stderr, "reads are not recorded: %s\n", strerror(-r));
    rv_sensors_fds(recorder->sensors, &fds);
    r = rv_stream_open(&recorder->stream, &fds);
    return r < 0 ? r : rv_sensors_attach(recorder->sensors);
}

static int drain(struct recorder *recorder)
{
    struct rv_event_sink sink = { put_event, recorder };
    int r;

    do {
        r = rv_stream_read(recorder->stream, 4096, recorder->clock.boot_ns(NULL), &sink);
    } while (r >= 4096);
    return r < 0 ? r : 0;
}

static int record(struct recorder *recorder)
{
    uint64_t end = seconds ? recorder->clock.boot_ns(NULL) + seconds * RV_NS_PER_S : UINT64_MAX;
    struct rv_sensors_fds fds;
    int r = 0;

    rv_sensors_fds(recorder->sensors, &fds);
    while (r == 0 && !recorder->stop) {
        struct pollfd polled[] = {
            { fds.fd[RV_SENSORS_FD_RING], POLLIN, 0 },
            { fds.fd[RV_SENSORS_FD_URGENT], POLLIN, 0 },
            { rv_sensors_poll_fd(recorder->sensors), POLLIN, 0 },
            { recorder->signal_fd, POLLIN, 0 },
            { recorder->child_fd, POLLIN, 0 },
        };
        int wait_ms = rv_stream_timeout_ms(recorder->stream);

        if (poll(polled, RV_COUNT(polled), wait_ms < 0 ? 200 : wait_ms) < 0 && errno != EINTR)
            return -errno;
        if (polled[2].revents)
            r = rv_sensors_dispatch(recorder->sensors);
        if (r == 0)
            r = drain(recorder);
        recorder->stop =
            polled[3].revents || polled[4].revents || recorder->clock.boot_ns(NULL) >= end;
    }
    for (int i = 0; r == 0 && i < DRAIN_MS / 20; i++) {
        usleep(20000);
        r = rv_sensors_dispatch(recorder->sensors);
        if (r == 0)
            r = drain(recorder);
    }
    return r;
}

static int open_signals(struct recorder *recorder)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    recorder->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
    return recorder->signal_fd < 0 ? -errno : 0;
}

static int run(struct recorder *recorder, char **command)
{
    uint64_t scope = 0;
    int r = open_signals(recorder);

    if (r == 0 && command)
        r = make_cgroup(recorder, &scope);
    if (r == 0)
        r = open_output(recorder);
    if (r == 0)
        r = open_sensors(recorder, &scope, command ? 1 : 0);
    if (r == 0 && !command)
        r = rv_sensors_scan(recorder->sensors);
    if (r == 0 && command)
        r = start_command(recorder, command);
    if (r == 0 && !command && !progress_off)
        fprintf(stderr, "recording the whole machine to %s; Ctrl-C ends it\n", output);
    if (r == 0)
        r = record(recorder);
    if (r == 0)
        r = rv_segment_flush(recorder->writer);
    return r;
}

static void report(struct recorder *recorder)
{
    struct rv_stream_counts counts;

    rv_stream_counts(recorder->stream, &counts);
    if (!progress_off)
        fprintf(stderr, "%s: %" PRIu64 " events, %" PRIu64 " lost\n", output, recorder->events,
                counts.lost);
}

/** The command's own exit status, so that `record` can stand in a script. */
static int finish_command(struct recorder *recorder)
{
    int status = 0;

    if (recorder->child <= 0)
        return RV_EXIT_YES;
    if (waitpid(recorder->child, &status, WNOHANG) == 0) {
        (void)kill(recorder->child, SIGTERM);
        (void)waitpid(recorder->child, &status, 0);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int cmd_record(int argc, char **argv)
{
    struct recorder recorder = {
        .clock = rv_clock_system(), .signal_fd = -1, .child_fd = -1, .cgroup_fd = -1
    };
    int operands, status, r;

    if (rv_options_parse(options, RV_OPTIONS_BEFORE_OPERANDS, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    argv[operands + 1] = NULL;
    if (help || !output) {
        fprintf(help ? stdout : stderr,
                "usage: reeve record -o FILE [OPTION...] [-- COMMAND [ARGUMENT...]]\n\n"
                "Records what a command does, or the whole machine, for 'reeve replay'.\n\n");
        rv_options_help(options, help ? stdout : stderr);
        return help ? RV_EXIT_YES : RV_EXIT_ERROR;
    }
    r = run(&recorder, operands > 0 ? argv + 1 : NULL);
    status = finish_command(&recorder);
    if (r < 0)
        fprintf(stderr, "recording stopped: %s\n", strerror(-r));
    else
        report(&recorder);
    rv_stream_free(&recorder.stream);
    rv_sensors_free(&recorder.sensors);
    remove_cgroup(&recorder);
    rv_segment_writer_free(&recorder.writer);
    rv_closep(&recorder.child_fd);
    rv_closep(&recorder.signal_fd);
    free(watch.items);
    return r < 0 ? RV_EXIT_ERROR : status;
}
