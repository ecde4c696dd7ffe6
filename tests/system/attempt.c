/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thing that a program may try, for the shell tests: attempt WHAT [ARGUMENT...]
 * Exit status 0: it was done (or the kernel knew nobody at the other end); 13: it was refused with
 * EPERM or EACCES; 1: something else stood in the way.
 */
#include "base/base.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DONE = 0, FAILED = 1, REFUSED = 13 };

static int outcome_of(int error)
{
    if (error == EPERM || error == EACCES)
        return REFUSED;
    if (error != 0 && error != ECONNREFUSED)
        fprintf(stderr, "%s\n", strerror(error));
    return error == 0 || error == ECONNREFUSED ? DONE : FAILED;
}

static int outcome(int result)
{
    return outcome_of(result < 0 ? errno : 0);
}

static int connect_once(const char *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)atoi(port)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int status =
        outcome(fd < 0 ? -1 : connect(fd, (const struct sockaddr *)&address, sizeof(address)));

    (void)close(fd);
    return status;
}

/** connect PORT [TIMES]: refused if every time was. */
static int try_connect(char **args)
{
    int times = args[1] ? atoi(args[1]) : 1, status = REFUSED;

    for (int i = 0; i < times; i++) {
        if (connect_once(args[0]) != REFUSED)
            status = DONE;
    }
    return status;
}

static int status_of(pid_t child)
{
    int status;

    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
        return FAILED;
    return WEXITSTATUS(status);
}

/** crowd PORT COUNT: so many processes connect, each once. Refused if every one was. */
static int try_crowd(char **args)
{
    int count = args[1] ? atoi(args[1]) : 1, status = REFUSED;

    for (int i = 0; i < count; i++) {
        pid_t child = fork();

        if (child == 0)
            _exit(connect_once(args[0]));
        if (status_of(child) != REFUSED)
            status = DONE;
    }
    return status;
}

static int try_create(char **args)
{
    return outcome(open(args[0], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
}

static int try_rename(char **args)
{
    return outcome(rename(args[0], args[1] ? args[1] : ""));
}

static int try_unlink(char **args)
{
    return outcome(unlink(args[0]));
}

static int try_chmod(char **args)
{
    return outcome(chmod(args[0], 0755));
}

static int try_exec(char **args)
{
    pid_t child = fork();

    if (child == 0) {
        execv(args[0], args);
        _exit(outcome(-1));
    }
    return status_of(child);
}

/** read FILE: opens and reads one byte. */
static int try_read(char **args)
{
    int fd = open(args[0], O_RDONLY | O_CLOEXEC);
    char byte;

    return outcome(fd < 0 ? -1 : (int)read(fd, &byte, 1));
}

/** opens FILE COUNT: so many opens in a row, all of which must be done. */
static int try_opens(char **args)
{
    int count = args[1] ? atoi(args[1]) : 1;

    for (int i = 0; i < count; i++) {
        int fd = open(args[0], O_RDONLY | O_CLOEXEC);

        if (fd < 0)
            return outcome(-1);
        (void)close(fd);
    }
    return DONE;
}

/** ptrace: of a child of our own. */
static int try_ptrace(char **args)
{
    pid_t child = fork();
    int status;

    (void)args;
    if (child == 0) {
        (void)pause();
        _exit(0);
    }
    status = outcome((int)ptrace(PTRACE_ATTACH, child, NULL, NULL));
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    return status;
}

/** memfd PROGRAM: a copy of it in memory, run from there. */
static int try_memfd(char **args)
{
    int from = open(args[0], O_RDONLY | O_CLOEXEC);
    int fd = (int)syscall(SYS_memfd_create, "attempt", MFD_CLOEXEC);
    char link[32], buffer[4096];
    ssize_t n;
    pid_t child;

    while (from >= 0 && fd >= 0 && (n = read(from, buffer, sizeof(buffer))) > 0) {
        if (write(fd, buffer, (size_t)n) != n)
            return outcome(-1);
    }
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    child = fork();
    if (child == 0) {
        char *argv[] = { (char *)(uintptr_t) "true", NULL };

        execv(link, argv);
        _exit(outcome(-1));
    }
    return status_of(child);
}

/** mprotect: memory that was written is made executable. */
static int try_mprotect(char **args)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)args;
    if (page == MAP_FAILED)
        return FAILED;
    *(volatile char *)page = 1;
    return outcome(mprotect(page, 4096, PROT_READ | PROT_EXEC));
}

static char raced[256];

static void *flip(void *last)
{
    volatile char *end = last;
    const char letters[] = { *end, '_' };

    for (unsigned i = 1;; i++) /* one change a turn: emulators interrupt between turns only */
        *end = letters[i & 1];
    return NULL;
}

/** race FILE SECONDS: opened while another thread changes the last letter of its name. */
static int try_race(char **args)
{
    time_t end = time(NULL) + atoi(args[1]);
    pthread_t thread;

    (void)snprintf(raced, sizeof(raced), "%s", args[0]);
    if (pthread_create(&thread, NULL, flip, raced + strlen(raced) - 1) != 0)
        return FAILED;
    while (time(NULL) < end) {
        int fd = open(raced, O_RDONLY | O_CLOEXEC);

        if (fd >= 0)
            (void)close(fd);
    }
    return DONE;
}

/** clock SECONDS: the wall clock jumps by so many. */
static int try_clock(char **args)
{
    struct timeval now;

    (void)gettimeofday(&now, NULL);
    now.tv_sec += atoi(args[0]);
    return outcome(settimeofday(&now, NULL));
}

/** bomb: forks for a minute, and so does each child. Only in a cgroup with a limit. */
static int try_bomb(char **args)
{
    (void)args;
    (void)alarm(60);
    while (getppid() > 0) {
        if (fork() < 0)
            (void)usleep(1000);
        else
            (void)alarm(60);
    }
    return DONE;
}

/** programs: how many BPF programs of Reeve the kernel has, on standard output. */
static int try_programs(char **args)
{
    unsigned count = 0;

    (void)args;
    for (uint32_t id = 0; bpf_prog_get_next_id(id, &id) == 0;) {
        struct bpf_prog_info info = { 0 };
        uint32_t len = sizeof(info);
        int fd = bpf_prog_get_fd_by_id(id);

        if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &len) == 0 &&
            strncmp(info.name, "rv_", 3) == 0)
            count++;
        if (fd >= 0)
            (void)close(fd);
    }
    printf("%u\n", count);
    return DONE;
}

static int try_as(char **args);

static const struct {
    const char *name;
    int (*attempt)(char **args);
    int args_min;
} attempts[] = {
    { "as", try_as, 2 },           { "bomb", try_bomb, 0 },
    { "chmod", try_chmod, 1 },     { "clock", try_clock, 1 },
    { "connect", try_connect, 1 }, { "create", try_create, 1 },
    { "crowd", try_crowd, 2 },     { "exec", try_exec, 1 },
    { "memfd", try_memfd, 1 },     { "mprotect", try_mprotect, 0 },
    { "opens", try_opens, 2 },     { "programs", try_programs, 0 },
    { "race", try_race, 2 },       { "ptrace", try_ptrace, 0 },
    { "read", try_read, 1 },       { "rename", try_rename, 2 },
    { "unlink", try_unlink, 1 },
};

static int try_what(char **args, int count)
{
    for (size_t i = 0; count > 0 && i < RV_COUNT(attempts); i++) {
        if (rv_streq(args[0], attempts[i].name) && count > attempts[i].args_min)
            return attempts[i].attempt(args + 1);
    }
    fprintf(stderr, "usage: attempt WHAT [ARGUMENT...]\n");
    return 2;
}

/** as UID WHAT...: the same as another user. */
static int try_as(char **args)
{
    int count = 0;

    while (args[1 + count])
        count++;
    if (setgid((gid_t)atoi(args[0])) < 0 || setuid((uid_t)atoi(args[0])) < 0)
        return FAILED;
    return try_what(args + 1, count);
}

int main(int argc, char **argv)
{
    return try_what(argv + 1, argc - 1);
}
