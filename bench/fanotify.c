/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What fanotify enforcement costs who opens and starts: in a mount namespace and tmpfs of its own.
 *   bench_fanotify [SOURCE_ROOT [ROUNDS]]
 * Latency of an open (and of posix_spawn to the end of a program that does nothing), one JSON line
 * a case, with the ratio of medians to the bare case of the same run, rounds interleaved: bare no
 * mark settled  an ignore mark says that this file need not be asked about cached   the verdict is
 * in the provider's cache asked    a judge in another thread answers over a socket, every time With
 * SOURCE_ROOT, also a build of this project's policy library (meson, ninja, gcc) with every open
 * and start below "/" of a private mount namespace decided, against the same build without.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "enforce/fan.h"

#define DIR        "/tmp/reeve-bench-fan"
#define SECRET     DIR "/tree/file"
#define PROGRAM    DIR "/tree/true"
#define ROUNDS_MAX 50

enum { BARE, SETTLED, CACHED, ASKED, CASES };
static const char *const case_names[CASES] = { "bare", "settled", "cached", "asked" };

static uint64_t now_ns(void)
{
    struct rv_clock clock = rv_clock_system();

    return clock.boot_ns(clock.context);
}

/* ---- Provider and judge ---- */

struct stage {
    struct rv_fan *fan;
    pthread_t loop, judge;
    int ask_fd, judge_fd;
    unsigned flags; /* of the judge's answers */
};

static int ask(void *context, const struct rv_fan_question *question)
{
    const struct stage *stage = context;

    return send(stage->ask_fd, question, sizeof(*question), MSG_DONTWAIT | MSG_NOSIGNAL) < 0
               ? -errno
               : 0;
}

static void *run_loop(void *argument)
{
    struct stage *stage = argument;

    if (rv_fan_run(stage->fan) < 0)
        abort();
    return NULL;
}

static void *run_judge(void *argument)
{
    struct stage *stage = argument;
    struct rv_fan_question question;

    while (recv(stage->judge_fd, &question, sizeof(question), 0) == sizeof(question))
        (void)!rv_fan_answer(stage->fan, question.id, RV_FAN_ALLOW, stage->flags);
    return NULL;
}

static int stage_open(struct stage *stage, const struct rv_fan_scope *scope, unsigned flags)
{
    const struct rv_fan_options options = { .ask = ask, .context = stage };
    const struct rv_fan_set set = { .scopes = scope,
                                    .scope_count = 1,
                                    .deadline_ns = 10 * RV_NS_PER_S };
    int pair[2], r;

    stage->flags = flags;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    stage->ask_fd = pair[0];
    stage->judge_fd = pair[1];
    r = rv_fan_open(&stage->fan, &options);
    if (r < 0)
        return r;
    rv_fan_renew(stage->fan, 3600 * 1000);
    if (pthread_create(&stage->loop, NULL, run_loop, stage) != 0 ||
        pthread_create(&stage->judge, NULL, run_judge, stage) != 0)
        return -EAGAIN;
    return rv_fan_swap(stage->fan, &set, NULL);
}

static void stage_close(struct stage *stage, struct rv_fan_counts *ret_counts)
{
    rv_fan_counts(stage->fan, ret_counts);
    rv_fan_stop(stage->fan);
    (void)pthread_join(stage->loop, NULL);
    (void)shutdown(stage->judge_fd, SHUT_RDWR);
    (void)pthread_join(stage->judge, NULL);
    rv_fan_close(&stage->fan);
    rv_closep(&stage->ask_fd);
    rv_closep(&stage->judge_fd);
}

/* ---- Loads: a process of its own writes down how long each took ---- */

static bool open_once(void)
{
    int fd = open(SECRET, O_RDONLY | O_CLOEXEC);

    return fd >= 0 && close(fd) == 0;
}

static bool start_once(void)
{
    char name[] = "true", *argv[] = { name, NULL }, *environment[] = { NULL };
    pid_t child;
    int status;

    return posix_spawn(&child, PROGRAM, NULL, NULL, argv, environment) == 0 &&
           waitpid(child, &status, 0) == child && status == 0;
}

static const struct load {
    const char *name;
    bool (*once)(void);
    size_t count; /* a round */
} loads[] = { { "open", open_once, 4000 }, { "exec", start_once, 300 } };

static bool measure(const struct load *load, uint32_t *ns)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        for (size_t i = 0; i < load->count / 10 + 1; i++) /* warm, and cached or settled */
            (void)load->once();
        for (size_t i = 0; i < load->count; i++) {
            uint64_t start_ns = now_ns();

            if (!load->once())
                _exit(1);
            ns[i] = (uint32_t)(now_ns() - start_ns);
        }
        _exit(0);
    }
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static bool measure_case(const struct load *load, int which, uint32_t *ns,
                         struct rv_fan_counts *counts)
{
    static const unsigned flags[CASES] = { 0, RV_FAN_SETTLE, RV_FAN_CACHE, 0 };
    const struct rv_fan_scope scope = {
        .path = DIR "/tree", .kind = RV_FAN_TREE, .actions = RV_DO_EXEC | RV_DO_READ, .ask = true
    };
    struct stage stage = { 0 };
    bool fine;

    if (which == BARE)
        return measure(load, ns);
    if (stage_open(&stage, &scope, flags[which]) < 0)
        return false;
    fine = measure(load, ns);
    stage_close(&stage, counts);
    return fine && counts->late == 0 && counts->unsent == 0;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static int bench_load(const struct load *load, size_t rounds)
{
    size_t total = load->count * rounds;
    uint32_t *ns[CASES];
    struct rv_fan_counts counts[CASES] = { 0 };
    double bare_p50 = 1;

    for (int i = 0; i < CASES; i++) {
        ns[i] = mmap(NULL, total * sizeof(uint32_t), PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (ns[i] == MAP_FAILED)
            return 1;
    }
    for (size_t round = 0; round < rounds; round++) {
        for (int i = 0; i < CASES; i++) {
            if (!measure_case(load, i, ns[i] + round * load->count, &counts[i]))
                return 1;
        }
    }
    for (int i = 0; i < CASES; i++) {
        double p50;

        qsort(ns[i], total, sizeof(uint32_t), compare);
        p50 = ns[i][total / 2];
        bare_p50 = i == BARE ? p50 : bare_p50;
        printf("{\"bench\":\"fanotify.%s.%s\",\"operations\":%zu,\"p50_us\":%.2f,\"p99_us\":%.2f,"
               "\"p999_us\":%.2f,\"ratio_p50\":%.2f,\"events_a_round\":%lu,\"hits\":%lu,"
               "\"asked\":%lu}\n",
               load->name, case_names[i], total, p50 / 1000, ns[i][total * 99 / 100] / 1000.0,
               ns[i][total * 999 / 1000] / 1000.0, p50 / bare_p50, counts[i].events, counts[i].hits,
               counts[i].asked);
        (void)munmap(ns[i], total * sizeof(uint32_t));
    }
    return 0;
}

/* ---- A build ---- */

struct cost {
    double wall_s, cpu_s;
};

static int build(const char *source_root, struct cost *ret_cost)
{
    char command[1024];
    uint64_t start_ns = now_ns();
    struct rusage before, after;
    int status = -1;
    pid_t child;

    (void)snprintf(command, sizeof(command),
                   "rm -rf %s/b && meson setup %s/b '%s' >/dev/null 2>&1 && "
                   "ninja -C %s/b -j2 src/policy/librv_policy.a >/dev/null 2>&1",
                   DIR, DIR, source_root, DIR);
    (void)getrusage(RUSAGE_CHILDREN, &before);
    child = fork();
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        return -EIO;
    (void)getrusage(RUSAGE_CHILDREN, &after);
    ret_cost->wall_s = (double)(now_ns() - start_ns) / 1e9;
    ret_cost->cpu_s = (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec +
                               after.ru_stime.tv_sec - before.ru_stime.tv_sec) +
                      (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec +
                               after.ru_stime.tv_usec - before.ru_stime.tv_usec) /
                          1e6;
    return 0;
}

/** `settle`: the judge says that what it allows need not be asked about again. */
static int bench_build(const char *source_root, const char *name, unsigned flags)
{
    /* "/" of this process's own mount namespace: nobody outside it is asked. */
    const struct rv_fan_scope scope = {
        .path = "/", .kind = RV_FAN_MOUNT, .actions = RV_DO_EXEC | RV_DO_READ, .ask = true
    };
    struct rv_fan_counts counts;
    struct stage stage = { 0 };
    struct cost bare[2], with;

    if (build(source_root, &bare[0]) < 0 || stage_open(&stage, &scope, flags) < 0)
        return 1;
    if (build(source_root, &with) < 0)
        return 1;
    stage_close(&stage, &counts);
    if (build(source_root, &bare[1]) < 0)
        return 1;
    printf("{\"bench\":\"fanotify.build.%s\",\"wall_s\":%.2f,\"bare_wall_s\":%.2f,\"ratio\":%.3f,"
           "\"cpu_ratio\":%.3f,\"events\":%lu,\"hits\":%lu,\"asked\":%lu,\"hit_rate\":%.4f,"
           "\"settled\":%lu,\"evicted\":%lu,\"late\":%lu,\"pending_max\":%u}\n",
           name, with.wall_s, (bare[0].wall_s + bare[1].wall_s) / 2,
           2 * with.wall_s / (bare[0].wall_s + bare[1].wall_s),
           2 * with.cpu_s / (bare[0].cpu_s + bare[1].cpu_s), counts.events, counts.hits,
           counts.asked, (double)counts.hits / (double)(counts.hits + counts.misses),
           counts.settled, counts.evicted, counts.late, counts.pending_max);
    return 0;
}

static int set_up(void)
{
    RV_AUTO(rv_freep) char *program = NULL;
    RV_AUTO(rv_closep) int fd = -1;
    size_t len;
    int r;

    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return -errno;
    (void)mkdir(DIR, 0755);
    if (mount("reeve-bench", DIR, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") < 0 ||
        mkdir(DIR "/tree", 0755) < 0)
        return -errno;
    r = rv_read_file(AT_FDCWD, "/bin/busybox", 16 << 20, &program, &len);
    if (r < 0)
        return r;
    fd = open(PROGRAM, O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
    if (fd < 0)
        return -errno;
    r = rv_write_all(fd, program, len);
    rv_closep(&fd);
    fd = open(SECRET, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    (void)usleep(50000); /* older than the grain of file times */
    return r < 0 ? r : fd < 0 ? -errno : 0;
}

int main(int argc, char **argv)
{
    size_t rounds = argc > 2 ? rv_min_u64(strtoul(argv[2], NULL, 10), ROUNDS_MAX) : 10;
    int failed = 0, r = set_up();

    if (r < 0) {
        fprintf(stderr, "bench_fanotify: cannot set up: %s\n", strerror(-r));
        return 1;
    }
    for (size_t i = 0; i < RV_COUNT(loads); i++)
        failed |= bench_load(&loads[i], rounds);
    if (argc > 1) {
        failed |= bench_build(argv[1], "cached", RV_FAN_CACHE);
        failed |= bench_build(argv[1], "settled", RV_FAN_CACHE | RV_FAN_SETTLE);
    }
    (void)umount2(DIR, MNT_DETACH);
    (void)rmdir(DIR);
    return failed;
}
