/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens and starts under this provider and under fapolicyd, paired: rounds of each in turn, in one
 * boot of the machine that bench/vm starts (fapolicyd marks every mount that it knows; never on a
 * host). Both decide each event in user space, out of a cache, and allow it.
 *   bare       no mark
 *   reeve      a rule on one program: every open and start below the mount is asked about, and
 *              decided out of the cache
 *   settled    likewise, but the judge said that the file need not be asked about again
 *   fapolicyd  Debian's, with one rule that allows all, and no integrity check
 */
#include "fanotify_load.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 8

enum { BARE, REEVE, SETTLED, FAPOLICYD, CASES };
static const char *const case_names[CASES] = { "bare", "reeve", "settled", "fapolicyd" };

/** Has the process marked a mount? The kernel says so of its descriptors. */
static bool has_marks(pid_t pid)
{
    char path[320], line[256];
    struct dirent *entry;
    bool found = false;
    DIR *dir;

    (void)snprintf(path, sizeof(path), "/proc/%d/fdinfo", pid);
    dir = opendir(path);
    while (dir && !found && (entry = readdir(dir))) {
        FILE *file;

        (void)snprintf(path, sizeof(path), "/proc/%d/fdinfo/%s", pid, entry->d_name);
        file = fopen(path, "re");
        while (file && !found && fgets(line, sizeof(line), file))
            found = strncmp(line, "fanotify mnt_id:", 16) == 0;
        if (file)
            (void)fclose(file);
    }
    if (dir)
        (void)closedir(dir);
    return found;
}

/** @return its pid when it decides; -1: it ended. */
static pid_t start_fapolicyd(void)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        execl("/usr/sbin/fapolicyd", "fapolicyd", "--debug-deny", (char *)NULL);
        _exit(127);
    }
    while (pid > 0 && !has_marks(pid)) {
        if (waitpid(pid, &status, WNOHANG) == pid)
            return -1;
        (void)usleep(10000);
    }
    return pid;
}

static bool measure_case(const struct load *load, int which, uint32_t *ns)
{
    const struct rv_fan_scope scope = { .path = PLACE,
                                        .kind = RV_FAN_MOUNT,
                                        .actions = RV_DO_EXEC | RV_DO_READ,
                                        .ask = which == SETTLED };
    static struct rv_rule rule = { .actions = RV_DO_EXEC | RV_DO_READ | RV_DO_WRITE,
                                   .risk_max = 1000,
                                   .mode = RV_RULE_ENFORCE,
                                   .term_count = 1,
                                   .terms = { { .subject = RV_TERM_PROGRAM,
                                                .text = "/usr/sbin/fapolicyd" } } };
    const struct rv_fan_set set = { .rules = &rule,
                                    .rule_count = which == REEVE,
                                    .scopes = &scope,
                                    .scope_count = 1,
                                    .deadline_ns = 10 * (uint64_t)1000000000 };
    struct rv_fan_counts counts;
    struct stage stage = { 0 };
    bool fine;

    if (which == BARE)
        return measure(load, ns);
    if (which == FAPOLICYD) {
        pid_t pid = start_fapolicyd();

        fine = pid > 0 && measure(load, ns);
        if (pid > 0 && kill(pid, SIGTERM) == 0)
            (void)waitpid(pid, NULL, 0);
        return fine;
    }
    if (stage_open(&stage, &set, which == SETTLED ? RV_FAN_SETTLE : RV_FAN_CACHE) < 0)
        return false;
    fine = measure(load, ns);
    stage_close(&stage, &counts);
    /* Whatever was to be asked must have been: else the figure would flatter. */
    return fine && counts.late == 0 && (which == SETTLED || counts.hits >= load->count);
}

static bool bench_load(const struct load *load)
{
    size_t total = load->count * ROUNDS;
    uint32_t *ns[CASES];
    double bare_p50;

    for (int i = 0; i < CASES; i++) {
        ns[i] = shared_numbers(total);
        if (!ns[i])
            return false;
    }
    for (size_t round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < CASES; i++) {
            if (!measure_case(load, i, ns[i] + round * load->count)) {
                printf("# %s: %s did not work\n", load->name, case_names[i]);
                return false;
            }
        }
    }
    bare_p50 = median_of(ns[BARE], total);
    for (int i = 0; i < CASES; i++) {
        char name[32];

        (void)snprintf(name, sizeof(name), "vm.%s.%s", load->name, case_names[i]);
        print_latency(name, ns[i], total, bare_p50);
    }
    return true;
}

int main(void)
{
    static const struct load loads[] = { { "open", open_once, 1000 },
                                         { "exec_hook", start_in_vain, 1000 },
                                         { "exec", start_once, 300 } };

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!getenv("REEVE_VM") || make_place() < 0) {
        fprintf(stderr, "vm_bench_fanotify: only inside bench/vm\n");
        return 77;
    }
    for (size_t i = 0; i < RV_COUNT(loads); i++) {
        bool fine = bench_load(&loads[i]);

        printf("%s %zu - %s\n", fine ? "ok" : "not ok", i + 1, loads[i].name);
    }
    leave_place();
    return 0;
}
