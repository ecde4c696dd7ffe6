/* SPDX-License-Identifier: Apache-2.0 */
#include "fanotify_load.h"

#include "base/clock.h"
#include "base/fd.h"

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECRET  PLACE "/tree/file"
#define PROGRAM PLACE "/tree/true"

uint64_t now_ns(void)
{
    struct rv_clock clock = rv_clock_system();

    return clock.boot_ns(clock.context);
}

/* ---- Provider and judge ---- */

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

int stage_open(struct stage *stage, const struct rv_fan_set *set, unsigned flags)
{
    const struct rv_fan_options options = { .ask = ask, .context = stage };
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
    return rv_fan_swap(stage->fan, set, NULL);
}

void stage_close(struct stage *stage, struct rv_fan_counts *ret_counts)
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

bool open_once(void)
{
    int fd = open(SECRET, O_RDONLY | O_CLOEXEC);

    return fd >= 0 && close(fd) == 0;
}

bool start_in_vain(void)
{
    char name[] = "file", *argv[] = { name, NULL }, *environment[] = { NULL };

    return execve(SECRET, argv, environment) < 0 && errno == ENOEXEC;
}

bool start_once(void)
{
    char name[] = "true", *argv[] = { name, NULL }, *environment[] = { NULL };
    pid_t child;
    int status;

    return posix_spawn(&child, PROGRAM, NULL, NULL, argv, environment) == 0 &&
           waitpid(child, &status, 0) == child && status == 0;
}

bool measure(const struct load *load, uint32_t *ns)
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

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

double median_of(uint32_t *ns, size_t count)
{
    qsort(ns, count, sizeof(*ns), compare);
    return ns[count / 2];
}

void print_latency(const char *name, uint32_t *ns, size_t count, double bare_p50_ns)
{
    double p50 = median_of(ns, count);

    printf("{\"bench\":\"fanotify.%s\",\"operations\":%zu,\"p50_us\":%.2f,\"p90_us\":%.2f,"
           "\"p99_us\":%.2f,\"p999_us\":%.2f,\"ratio_p50\":%.2f}\n",
           name, count, p50 / 1000, ns[count * 90 / 100] / 1000.0, ns[count * 99 / 100] / 1000.0,
           ns[count * 999 / 1000] / 1000.0, p50 / bare_p50_ns);
}

uint32_t *shared_numbers(size_t count)
{
    void *memory = mmap(NULL, count * sizeof(uint32_t), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

int make_place(void)
{
    RV_AUTO(rv_freep) char *program = NULL;
    RV_AUTO(rv_closep) int fd = -1;
    size_t len;
    int r;

    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return -errno;
    (void)mkdir(PLACE, 0755);
    if (mount("reeve-bench", PLACE, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") < 0 ||
        mkdir(PLACE "/tree", 0755) < 0)
        return -errno;
    r = rv_read_file(AT_FDCWD, "/bin/busybox", 16 << 20, &program, &len);
    if (r < 0)
        return r;
    fd = open(PROGRAM, O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
    if (fd < 0)
        return -errno;
    r = rv_write_all(fd, program, len);
    rv_closep(&fd);
    fd = open(SECRET, O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
    if (r == 0 && fd >= 0)
        r = rv_write_all(fd, "no program", 10);
    (void)usleep(50000); /* older than the grain of file times */
    return r < 0 ? r : fd < 0 ? -errno : 0;
}

void leave_place(void)
{
    (void)umount2(PLACE, MNT_DETACH);
    (void)rmdir(PLACE);
}
