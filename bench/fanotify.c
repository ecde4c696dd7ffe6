/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What fanotify enforcement costs who opens and starts, in a mount namespace and tmpfs of its own.
 *   bench_fanotify [SOURCE_ROOT [ROUNDS]]
 * Loads: an open; an execve that ends with ENOEXEC (what is asked at a start, and nothing else); a
 * posix_spawn to the end of a program that does nothing. Cases, rounds interleaved, one JSON line
 * each with the ratio of medians to the bare case:
 *   bare     no mark
 *   settled  an ignore mark says that this file need not be asked about
 *   cached   the verdict is in the provider's cache
 *   asked    a judge in another thread answers over a socket, every time
 * With SOURCE_ROOT, also a build of this project's policy library (meson, ninja, gcc) with every
 * open and start below "/" of a private mount namespace decided, against the same without.
 */
#include "fanotify_load.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEADLINE_NS (10 * (uint64_t)1000000000)
#define ROUNDS_MAX  50

enum { BARE, SETTLED, CACHED, ASKED, CASES };
static const char *const case_names[CASES] = { "bare", "settled", "cached", "asked" };

static bool measure_case(const struct load *load, int which, uint32_t *ns,
                         struct rv_fan_counts *counts)
{
    static const unsigned flags[CASES] = { 0, RV_FAN_SETTLE, RV_FAN_CACHE, 0 };
    const struct rv_fan_scope scope = {
        .path = PLACE "/tree", .kind = RV_FAN_TREE, .actions = RV_DO_EXEC | RV_DO_READ, .ask = true
    };
    const struct rv_fan_set set = { .scopes = &scope,
                                    .scope_count = 1,
                                    .deadline_ns = DEADLINE_NS };
    struct stage stage = { 0 };
    bool fine;

    if (which == BARE)
        return measure(load, ns);
    if (stage_open(&stage, &set, flags[which]) < 0)
        return false;
    fine = measure(load, ns);
    stage_close(&stage, counts);
    return fine && counts->late == 0 && counts->unsent == 0;
}

static int bench_load(const struct load *load, size_t rounds)
{
    size_t total = load->count * rounds;
    uint32_t *ns[CASES];
    struct rv_fan_counts counts[CASES] = { 0 };
    double bare_p50;

    for (int i = 0; i < CASES; i++) {
        ns[i] = shared_numbers(total);
        if (!ns[i])
            return 1;
    }
    for (size_t round = 0; round < rounds; round++) {
        for (int i = 0; i < CASES; i++) {
            if (!measure_case(load, i, ns[i] + round * load->count, &counts[i]))
                return 1;
        }
    }
    bare_p50 = median_of(ns[BARE], total);
    for (int i = 0; i < CASES; i++) {
        char name[32];

        (void)snprintf(name, sizeof(name), "%s.%s", load->name, case_names[i]);
        print_latency(name, ns[i], total, bare_p50);
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
                   PLACE, PLACE, source_root, PLACE);
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
    const struct rv_fan_set set = { .scopes = &scope,
                                    .scope_count = 1,
                                    .deadline_ns = DEADLINE_NS };
    struct rv_fan_counts counts;
    struct stage stage = { 0 };
    struct cost bare[2], with;

    if (build(source_root, &bare[0]) < 0 || stage_open(&stage, &set, flags) < 0)
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

int main(int argc, char **argv)
{
    static const struct load loads[] = { { "open", open_once, 4000 },
                                         { "exec_hook", start_in_vain, 4000 },
                                         { "exec", start_once, 300 } };
    size_t rounds = argc > 2 ? rv_min_u64(strtoul(argv[2], NULL, 10), ROUNDS_MAX) : 10;
    int failed = 0, r = make_place();

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
    leave_place();
    return failed;
}
