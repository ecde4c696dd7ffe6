/* SPDX-License-Identifier: Apache-2.0 */
/* Ways into another process, and out of one's own past. */
#include "attempts.h"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEEP      10000 /* processes below each other, all of them alive */
#define FORKS_MAX 4000
#define PROGRAMS  20 /* more than a lineage holds */

/* ---- Into the guarded process ---- */

static int by_kill(void)
{
    return rv_result(kill(rv_target, SIGSTOP));
}

static int by_tgkill(void)
{
    return rv_result(syscall(SYS_tgkill, rv_target, rv_target, SIGSTOP));
}

static int by_queue(void)
{
    return rv_result(sigqueue(rv_target, SIGUSR1, (union sigval){ 0 }));
}

static int by_pidfd_signal(void)
{
    int fd = (int)syscall(SYS_pidfd_open, rv_target, 0);

    return rv_result(syscall(SYS_pidfd_send_signal, fd, SIGSTOP, NULL, 0));
}

static bool is_dead(pid_t pid)
{
    char path[64], text[512] = "";
    int fd;
    const char *state;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    (void)!read(fd, text, sizeof(text) - 1);
    close(fd);
    state = strrchr(text, ')');
    return !state || state[2] == 'Z' || state[2] == 'X';
}

/** A file that sends its owner the signal that it was told to: SIGKILL if need be. */
static int by_sigio(void)
{
    int pair[2];

    if (pipe2(pair, O_CLOEXEC) < 0 || fcntl(pair[0], F_SETOWN, rv_target) < 0 ||
        fcntl(pair[0], F_SETSIG, SIGKILL) < 0 || fcntl(pair[0], F_SETFL, O_ASYNC) < 0)
        return -errno;
    if (write(pair[1], "x", 1) != 1)
        return -errno;
    usleep(200000);
    return is_dead(rv_target) ? 0 : -EACCES;
}

static int by_ptrace(void)
{
    return rv_result(ptrace(PTRACE_SEIZE, rv_target, NULL, NULL));
}

static int by_attach(void)
{
    return rv_result(ptrace(PTRACE_ATTACH, rv_target, NULL, NULL));
}

static char byte_of_ours;

static int by_writev(void)
{
    struct iovec one = { &byte_of_ours, 1 };

    return rv_result(process_vm_writev(rv_target, &one, 1, &one, 1, 0));
}

static int by_readv(void)
{
    struct iovec one = { &byte_of_ours, 1 };

    return rv_result(process_vm_readv(rv_target, &one, 1, &one, 1, 0));
}

static int by_proc_mem(void)
{
    char path[64];
    int fd, r;

    (void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)rv_target);
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    r = pwrite(fd, "x", 1, (off_t)(uintptr_t)&byte_of_ours) == 1 ? 0 : -errno;
    close(fd);
    return r;
}

static int by_pidfd_getfd(void)
{
    int fd = (int)syscall(SYS_pidfd_open, rv_target, 0);

    return rv_result(syscall(SYS_pidfd_getfd, fd, 1, 0));
}

static int by_prlimit(void)
{
    const struct rlimit none = { 0, 0 };

    return rv_result(prlimit(rv_target, RLIMIT_FSIZE, &none, NULL));
}

static int by_cgroup_freezer(void)
{
    char number[16];
    int fd, r;

    (void)mkdir("/sys/fs/cgroup/frozen", 0755);
    (void)snprintf(number, sizeof(number), "%d", (int)rv_target);
    fd = open("/sys/fs/cgroup/frozen/cgroup.procs", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -ENOTSUP;
    r = write(fd, number, strlen(number)) < 0 ? -errno : 0;
    close(fd);
    if (r == 0) {
        fd = open("/sys/fs/cgroup/frozen/cgroup.kill", O_WRONLY | O_CLOEXEC);
        r = fd < 0 ? -errno : write(fd, "1", 1) == 1 ? 0 : -errno;
        close(fd);
    }
    return r;
}

/* ---- Out of one's past. The marker calls these: what it has run stays with it. ---- */

static int read_it(void)
{
    return rv_read_secret(SECRET);
}

static int by_fork(void)
{
    return rv_in_child(read_it);
}

/** The reader's parent, and its parent, are dead when it reads. */
static int by_double_fork(void)
{
    int *result = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid = fork();

    if (pid == 0) {
        if (fork() == 0) {
            if (fork() != 0)
                _exit(0);
            while (getppid() != 1)
                usleep(1000);
            result[0] = read_it();
            result[1] = 1;
        }
        _exit(0);
    }
    (void)waitpid(pid, NULL, 0);
    while (!__atomic_load_n(&result[1], __ATOMIC_ACQUIRE))
        usleep(1000);
    return result[0];
}

static int by_session(void)
{
    return setsid() < 0 && errno != EPERM ? -ENOTSUP : read_it();
}

/** A sibling instead of a child: its parent is ours. */
static int by_other_parent(void)
{
    int *result = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    long pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);

    if (pid == 0) {
        result[0] = read_it();
        result[1] = 1;
        _exit(0);
    }
    if (pid < 0)
        return -ENOTSUP;
    while (!__atomic_load_n(&result[1], __ATOMIC_ACQUIRE))
        usleep(1000);
    return result[0];
}

static void *read_in_thread(void *context)
{
    *(int *)context = read_it();
    return NULL;
}

static int by_thread(void)
{
    pthread_t thread;
    int r = -ECHILD;

    if (pthread_create(&thread, NULL, read_in_thread, &r) != 0)
        return -EAGAIN;
    (void)pthread_join(thread, NULL);
    return r;
}

static int by_uring_worker(void)
{
    int fd = rv_uring(&(struct io_uring_sqe){ .opcode = IORING_OP_OPENAT,
                                              .flags = IOSQE_ASYNC,
                                              .fd = AT_FDCWD,
                                              .addr = (uint64_t)(uintptr_t)SECRET,
                                              .open_flags = O_RDONLY });

    return fd < 0 ? fd : rv_got(fd);
}

static int cat(const char *program)
{
    char *const argv[] = { (char *)"cat", (char *)SECRET, NULL };

    return rv_run(program, argv);
}

static int by_other_program(void)
{
    return cat(PROGRAM);
}

/** Not the first thread runs the other program: it takes the first one's place. */
static void *exec_cat(void *context)
{
    char *const argv[] = { (char *)"cat", (char *)SECRET, NULL };

    (void)context;
    execv(PROGRAM, argv);
    _exit(errno);
}

static int exec_by_thread(void)
{
    pthread_t thread;
    int nothing = open("/dev/null", O_WRONLY);

    dup2(nothing, 1);
    dup2(nothing, 2);
    if (pthread_create(&thread, NULL, exec_cat, NULL) != 0)
        return -EAGAIN;
    for (;;)
        pause();
}

static int by_exec_of_a_thread(void)
{
    return rv_in_child(exec_by_thread);
}

/** Twenty copies of busybox, each of which execs the next ("env PROGRAM ..."), the last reads. */
static int by_many_programs(void)
{
    static char paths[PROGRAMS][64];
    char *argv[PROGRAMS + 4];
    size_t n = 0;

    for (size_t i = 0; i < PROGRAMS; i++) {
        int in = open(PROGRAM, O_RDONLY | O_CLOEXEC), out;

        (void)snprintf(paths[i], sizeof(paths[i]), GROUND "/%zu", i);
        (void)mkdir(paths[i], 0700);
        (void)strcat(paths[i], i + 1 < PROGRAMS ? "/env" : "/cat");
        out = open(paths[i], O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0755);
        while (sendfile(out, in, NULL, 1 << 20) > 0)
            ;
        close(in);
        close(out);
        argv[n++] = paths[i];
    }
    argv[n++] = (char *)SECRET;
    argv[n] = NULL;
    n = (size_t)rv_run(paths[0], argv);
    for (size_t i = 0; i < PROGRAMS; i++)
        (void)unlink(paths[i]);
    return (int)n;
}

static int by_renaming_the_marker(void)
{
    int r;

    if (rename(MARKER, GROUND "/renamed") < 0)
        return -ENOTSUP;
    r = by_other_program();
    (void)rename(GROUND "/renamed", MARKER);
    return r;
}

/* Each borrows its parent's memory, so ten thousand fit: result and depth are shared. */
static struct {
    int depth, result;
} deep;

static void __attribute__((noinline)) deeper(void)
{
    pid_t pid;

    if (deep.depth == DEEP) {
        deep.result = read_it();
        return;
    }
    deep.depth++;
    pid = vfork();
    if (pid == 0) {
        deeper();
        _exit(0);
    }
    if (pid < 0)
        deep.result = read_it(); /* as deep as this machine's memory allows */
    else
        (void)waitpid(pid, NULL, 0);
}

static int in_deep_tree(void)
{
    int fd = open("/proc/sys/kernel/threads-max", O_WRONLY | O_CLOEXEC);

    (void)!write(fd, "30000", 5);
    close(fd);
    deep.result = -ECHILD;
    deeper();
    printf("# a tree of %d processes\n", deep.depth);
    return deep.result;
}

/** A thousand generations, of which only the last lives. */
static int by_generations(void)
{
    int *result = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid = fork();

    for (int i = 0; pid == 0 && i < 1000; i++)
        if (fork() != 0)
            _exit(0);
    if (pid == 0) {
        result[0] = read_it();
        result[1] = 1;
        _exit(0);
    }
    (void)waitpid(pid, NULL, 0);
    while (!__atomic_load_n(&result[1], __ATOMIC_ACQUIRE))
        usleep(1000);
    return result[0];
}

/** Act under the number that another process had: processes are not known by their numbers. */
static int by_pid_reuse(void)
{
    int fd = open("/proc/sys/kernel/pid_max", O_WRONLY | O_CLOEXEC), r = -ECHILD;
    pid_t wanted;

    if (fd < 0 || write(fd, "400", 3) != 3)
        return -ENOTSUP;
    wanted = fork();
    if (wanted == 0)
        _exit(0);
    (void)waitpid(wanted, NULL, 0);
    for (int i = 0; r == -ECHILD && i < FORKS_MAX; i++) {
        pid_t pid = fork();
        int status;

        if (pid == 0)
            _exit(getpid() == wanted ? -read_it() : 200);
        if (waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) != 200)
            r = -WEXITSTATUS(status);
    }
    (void)!pwrite(fd, "32768", 5, 0);
    close(fd);
    return r;
}

const struct rv_way rv_ways_processes[] = {
    { "target: kill", RV_AIM_TARGET, by_kill },
    { "target: tgkill", RV_AIM_TARGET, by_tgkill },
    { "target: sigqueue", RV_AIM_TARGET, by_queue },
    { "target: pidfd_send_signal", RV_AIM_TARGET, by_pidfd_signal },
    { "target: a file that sends SIGKILL", RV_AIM_TARGET, by_sigio },
    { "target: ptrace seize", RV_AIM_TARGET, by_ptrace },
    { "target: ptrace attach", RV_AIM_TARGET, by_attach },
    { "target: process_vm_writev", RV_AIM_TARGET, by_writev },
    { "target: process_vm_readv", RV_AIM_TARGET, by_readv },
    { "target: /proc/pid/mem", RV_AIM_TARGET, by_proc_mem },
    { "target: pidfd_getfd", RV_AIM_TARGET, by_pidfd_getfd },
    { "target: prlimit", RV_AIM_TARGET, by_prlimit },
    { "target: cgroup.kill", RV_AIM_TARGET, by_cgroup_freezer },
    { "lineage: itself", RV_AIM_LINEAGE, read_it },
    { "lineage: fork", RV_AIM_LINEAGE, by_fork },
    { "lineage: double fork, parents dead", RV_AIM_LINEAGE, by_double_fork },
    { "lineage: a session of its own", RV_AIM_LINEAGE, by_session },
    { "lineage: CLONE_PARENT", RV_AIM_LINEAGE, by_other_parent },
    { "lineage: thread", RV_AIM_LINEAGE, by_thread },
    { "lineage: io_uring worker", RV_AIM_LINEAGE, by_uring_worker },
    { "lineage: another program", RV_AIM_LINEAGE, by_other_program },
    { "lineage: exec by a second thread", RV_AIM_LINEAGE, by_exec_of_a_thread },
    { "lineage: 20 programs later", RV_AIM_LINEAGE, by_many_programs },
    { "lineage: the marker renamed", RV_AIM_LINEAGE, by_renaming_the_marker },
    { "lineage: a tree of 10,000 processes", RV_AIM_LINEAGE, in_deep_tree },
    { "lineage: 1000 generations", RV_AIM_LINEAGE, by_generations },
    { "lineage: a pid used before", RV_AIM_LINEAGE, by_pid_reuse },
    { "risk: itself", RV_AIM_RISK, read_it },
    { "risk: fork", RV_AIM_RISK, by_fork },
    { "risk: double fork, parents dead", RV_AIM_RISK, by_double_fork },
    { "risk: thread", RV_AIM_RISK, by_thread },
    { "risk: io_uring worker", RV_AIM_RISK, by_uring_worker },
    { "risk: another program", RV_AIM_RISK, by_other_program },
    { "risk: exec by a second thread", RV_AIM_RISK, by_exec_of_a_thread },
    { "risk: 1000 generations", RV_AIM_RISK, by_generations },
};
const size_t rv_ways_processes_count = RV_COUNT(rv_ways_processes);
