/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What would do something outside the process goes as far as the kernel asks whether it may, and no
 * further: a program that is none, a module that is none, too many segments for kexec.
 */
#include "probe/attempts.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NEW_FILE       "new"
#define MODULE_SIZE    4096
#define KEXEC_TOO_MANY 1024 /* segments; 16 are allowed. Never 0, which unloads a kernel. */
#define NOBODY         65534

static int result(long value)
{
    if (value >= 0)
        return 0;
    return errno == ENOSYS ? RV_ATTEMPT_IMPOSSIBLE : errno;
}

/** The kernel's complaint about what was given to it: it had let us through. */
static int result_but(long value, int complaint)
{
    return value < 0 && errno == complaint ? 0 : result(value);
}

/* ---- Files ---- */

static int try_exec(void)
{
    char *const argv[] = { NULL };

    return result_but(execve("./" RV_ATTEMPT_FILE, argv, argv), ENOEXEC);
}

static int open_file(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    int r = result(fd);

    if (fd >= 0)
        close(fd);
    return r;
}

static int try_read(void)
{
    return open_file(RV_ATTEMPT_FILE, O_RDONLY);
}

static int try_write(void)
{
    return open_file(RV_ATTEMPT_FILE, O_WRONLY | O_APPEND);
}

static int try_create(void)
{
    int r;

    (void)unlink(NEW_FILE); /* an earlier attempt may have been stopped half way */
    r = open_file(NEW_FILE, O_CREAT | O_EXCL | O_WRONLY);
    (void)unlink(NEW_FILE);
    return r;
}

static int try_rename(void)
{
    int r = result(rename(RV_ATTEMPT_FILE, NEW_FILE));

    (void)rename(NEW_FILE, RV_ATTEMPT_FILE);
    return r;
}

static int try_unlink(void)
{
    (void)open_file(NEW_FILE, O_CREAT | O_WRONLY);
    return result(unlink(NEW_FILE));
}

static int try_link(void)
{
    int r;

    (void)unlink(NEW_FILE);
    r = result(link(RV_ATTEMPT_FILE, NEW_FILE));
    (void)unlink(NEW_FILE);
    return r;
}

static int try_attr(void)
{
    return result(chmod(RV_ATTEMPT_FILE, 0700));
}

static int try_truncate(void)
{
    return result(truncate(RV_ATTEMPT_FILE, 16));
}

/* ---- Memory ---- */

static int try_map_exec(void)
{
    int fd = open(RV_ATTEMPT_FILE, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return errno;
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED ? errno : 0;
}

static int try_protect_exec(void)
{
    void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return at == MAP_FAILED ? errno : result(mprotect(at, 4096, PROT_READ | PROT_EXEC));
}

/* ---- Processes ---- */

static int on_child(int (*what)(pid_t child))
{
    pid_t child = fork();
    int r;

    if (child < 0)
        return errno;
    if (child == 0) {
        (void)alarm(60); /* it may be that nobody is let kill it */
        for (;;)
            pause();
    }
    r = what(child);
    if (kill(child, SIGKILL) == 0)
        (void)waitpid(child, NULL, 0);
    return r;
}

static int seize(pid_t child)
{
    return result(ptrace(PTRACE_SEIZE, child, NULL, NULL));
}

static int try_ptrace(void)
{
    return on_child(seize);
}

static int wake(pid_t child)
{
    return result(kill(child, SIGCONT));
}

static int try_signal(void)
{
    return on_child(wake);
}

static int try_setuid(void)
{
    return result(setresuid(NOBODY, NOBODY, NOBODY));
}

static int try_userns(void)
{
    return result(unshare(CLONE_NEWUSER));
}

/* ---- Network ---- */

static int try_socket(void)
{
    return result(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){ .sin_family = AF_INET,
                                 .sin_port = htons(port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static int try_bind(void)
{
    struct sockaddr_in at = loopback(0);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    return fd < 0 ? errno : result(bind(fd, (struct sockaddr *)&at, sizeof(at)));
}

static int try_connect(void)
{
    struct sockaddr_in to = loopback(9);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    return fd < 0 ? errno : result(connect(fd, (struct sockaddr *)&to, sizeof(to)));
}

static int try_listen(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return fd < 0 ? errno : result(listen(fd, 1));
}

static int try_accept(void)
{
    struct sockaddr_in at = loopback(0);
    socklen_t len = sizeof(at);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (listener < 0 || client < 0 || listen(listener, 1) < 0 ||
        getsockname(listener, (struct sockaddr *)&at, &len) < 0)
        return errno;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(client, (struct sockaddr *)&at, len) < 0)
        return errno;
    return result(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
}

/* ---- The kernel ---- */

static int try_module(void)
{
    static char nothing[MODULE_SIZE];

    return result_but(syscall(SYS_init_module, nothing, sizeof(nothing), ""), ENOEXEC);
}

static int try_kexec(void)
{
    return result_but(syscall(SYS_kexec_load, 0UL, (unsigned long)KEXEC_TOO_MANY, NULL, 0UL),
                      EINVAL);
}

static int try_bpf(void)
{
    union bpf_attr attr = { .start_id = 0 };

    return result_but(syscall(SYS_bpf, BPF_PROG_GET_NEXT_ID, &attr, sizeof(attr)), ENOENT);
}

static int try_mount(void)
{
    if (unshare(CLONE_NEWNS) < 0)
        return errno;
    return result(mount("tmpfs", ".", "tmpfs", 0, NULL));
}

const struct rv_attempt rv_attempts[RV_DO_COUNT_] = {
    { RV_DO_EXEC, try_exec },
    { RV_DO_READ, try_read },
    { RV_DO_WRITE, try_write },
    { RV_DO_CREATE, try_create },
    { RV_DO_RENAME, try_rename },
    { RV_DO_UNLINK, try_unlink },
    { RV_DO_LINK, try_link },
    { RV_DO_SETATTR, try_attr },
    { RV_DO_TRUNCATE, try_truncate },
    { RV_DO_MMAP_EXEC, try_map_exec },
    { RV_DO_MPROTECT_EXEC, try_protect_exec },
    { RV_DO_PTRACE, try_ptrace },
    { RV_DO_SIGNAL, try_signal },
    { RV_DO_SETUID, try_setuid },
    { RV_DO_SOCKET, try_socket },
    { RV_DO_CONNECT, try_connect },
    { RV_DO_BIND, try_bind },
    { RV_DO_LISTEN, try_listen },
    { RV_DO_ACCEPT, try_accept },
    { RV_DO_MODULE, try_module },
    { RV_DO_KEXEC, try_kexec },
    { RV_DO_BPF, try_bpf },
    { RV_DO_MOUNT, try_mount },
    { RV_DO_USERNS, try_userns },
};
