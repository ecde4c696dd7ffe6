/* SPDX-License-Identifier: Apache-2.0 */
/* Ways to run what may not be run. */
#include "attempts.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef __x86_64__
#define LOADER "/lib64/ld-linux-x86-64.so.2"
#else
#define LOADER "/lib/ld-linux-aarch64.so.1"
#endif

static char *const true_argv[] = { (char *)"busybox", (char *)"true", NULL };

/* busybox takes its applet from argv[0], so all of these begin as "busybox true". */
static int exec_as_true(const char *path)
{
    execv(path, true_argv);
    return -errno;
}

static int exec_program(void)
{
    return exec_as_true(PROGRAM);
}

static int by_name(void)
{
    return rv_in_child(exec_program);
}

static int exec_symlink(void)
{
    (void)unlink(GROUND "/soft-program");
    return symlink(PROGRAM, GROUND "/soft-program") < 0 ? -ENOTSUP
                                                        : exec_as_true(GROUND "/soft-program");
}

static int by_symlink(void)
{
    return rv_in_child(exec_symlink);
}

static int exec_link(void)
{
    (void)unlink(GROUND "/hard-program");
    return link(PROGRAM, GROUND "/hard-program") < 0 ? -errno
                                                     : exec_as_true(GROUND "/hard-program");
}

static int by_link(void)
{
    return rv_in_child(exec_link);
}

static int exec_bound(void)
{
    (void)mkdir(GROUND "/bound", 0700);
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount(BOX, GROUND "/bound", NULL, MS_BIND, NULL) < 0)
        return -ENOTSUP;
    return exec_as_true(GROUND "/bound/program");
}

static int by_bind_mount(void)
{
    return rv_in_child(exec_bound);
}

static int overlaid(void)
{
    (void)mkdir(GROUND "/up", 0700);
    (void)mkdir(GROUND "/work", 0700);
    (void)mkdir(GROUND "/merged", 0700);
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return -ENOTSUP;
    return rv_result(mount("overlay", GROUND "/merged", "overlay", 0,
                           "lowerdir=" BOX ",upperdir=" GROUND "/up,workdir=" GROUND "/work"));
}

static int exec_overlaid(void)
{
    return overlaid() < 0 ? -ENOTSUP : exec_as_true(GROUND "/merged/program");
}

static int by_overlay(void)
{
    return rv_in_child(exec_overlaid);
}

static int by_loader_and_overlay(void)
{
    char *const argv[] = { (char *)LOADER,    (char *)"--argv0",
                           (char *)"busybox", (char *)GROUND "/merged/program",
                           (char *)"true",    NULL };

    return overlaid() < 0 ? -ENOTSUP : rv_run(LOADER, argv);
}

static int by_loader(void)
{
    char *const argv[] = { (char *)LOADER,  (char *)"--argv0", (char *)"busybox",
                           (char *)PROGRAM, (char *)"true",    NULL };

    return rv_run(LOADER, argv);
}

static int exec_fd(void)
{
    int fd = open(PROGRAM, O_PATH | O_CLOEXEC);

    (void)syscall(SYS_execveat, fd, "", true_argv, NULL, AT_EMPTY_PATH);
    return -errno;
}

static int by_execveat(void)
{
    return rv_in_child(exec_fd);
}

static int by_spawn(void)
{
    pid_t pid;

    return -posix_spawn(&pid, PROGRAM, NULL, NULL, true_argv, NULL);
}

static int exec_32_bit(void)
{
#ifdef __x86_64__
    char *low =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    uint32_t *argv = (uint32_t *)(void *)(low + 256);
    long r = 11; /* execve */

    strcpy(low, PROGRAM);
    strcpy(low + 128, "busybox");
    strcpy(low + 192, "true");
    argv[0] = (uint32_t)(uintptr_t)(low + 128);
    argv[1] = (uint32_t)(uintptr_t)(low + 192);
    argv[2] = 0;
    __asm__ volatile("int $0x80"
                     : "+a"(r)
                     : "b"(low), "c"(argv), "d"(0)
                     : "memory", "r8", "r9", "r10", "r11");
    return (int)r;
#else
    return -ENOTSUP;
#endif
}

static int by_32_bit_call(void)
{
    return rv_in_child(exec_32_bit);
}

static char racing[64];
static volatile bool racing_ends;

static void *flip(void *context)
{
    (void)context;
    while (!racing_ends) {
        memcpy(racing, GROUND "/bait", sizeof(GROUND "/bait"));
        memcpy(racing, PROGRAM, sizeof(PROGRAM));
        sched_yield();
    }
    return NULL;
}

static int by_racing_memory(void)
{
    pthread_t thread;
    int r = -EACCES;

    strcpy(racing, GROUND "/bait"); /* nobody has made it */
    if (pthread_create(&thread, NULL, flip, NULL) != 0)
        return -EAGAIN;
    for (int i = 0; r != 0 && i < 100; i++) {
        pid_t pid;

        r = -posix_spawn(&pid, racing, NULL, NULL, true_argv, NULL);
        sched_yield();
    }
    racing_ends = true;
    (void)pthread_join(thread, NULL);
    return r;
}

static int exec_copy(void)
{
    return exec_as_true(PROGRAM_COPY);
}

static int by_copy(void)
{
    return rv_in_child(exec_copy);
}

/* ---- Scripts and shells ---- */

static int by_script(void)
{
    char *const argv[] = { (char *)"script", NULL };

    return rv_run(SCRIPT, argv);
}

static int by_shell_with_script(void)
{
    char *const argv[] = { (char *)"sh", (char *)SCRIPT, NULL };

    return rv_run(PROGRAM, argv);
}

static int by_shell_command(void)
{
    char *const argv[] = { (char *)"sh", (char *)"-c", (char *)"exit 0", NULL };

    return rv_run(SHELL, argv);
}

static int by_loader_and_shell(void)
{
    char *const argv[] = { (char *)LOADER, (char *)"--argv0", (char *)"sh", (char *)SHELL,
                           (char *)"-c",   (char *)"exit 0",  NULL };

    return rv_run(LOADER, argv);
}

static int by_another_shell(void)
{
    char *const argv[] = { (char *)"sh", (char *)"-c", (char *)"exit 0", NULL };

    return rv_run(PROGRAM_COPY, argv);
}

/* ---- Code without a file ---- */

/** PROGRAM's bytes in a memfd. */
static int in_memory(void)
{
    int in = open(PROGRAM, O_RDONLY | O_CLOEXEC), fd = memfd_create("program", 0);
    ssize_t n;

    do {
        n = sendfile(fd, in, NULL, 1 << 20);
    } while (n > 0);
    close(in);
    return fd;
}

static int exec_memfd(void)
{
    (void)syscall(SYS_execveat, in_memory(), "", true_argv, NULL, AT_EMPTY_PATH);
    return -errno;
}

static int by_memfd(void)
{
    return rv_in_child(exec_memfd);
}

static int exec_memfd_by_name(void)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", in_memory());
    return exec_as_true(path);
}

static int by_memfd_name(void)
{
    return rv_in_child(exec_memfd_by_name);
}

static int exec_deleted(void)
{
    int fd;

    (void)unlink(GROUND "/gone");
    if (link(PROGRAM_COPY, GROUND "/gone") < 0)
        return -ENOTSUP;
    fd = open(GROUND "/gone", O_RDONLY);
    if (unlink(GROUND "/gone") < 0 || unlink(PROGRAM_COPY) < 0)
        return -ENOTSUP;
    (void)syscall(SYS_execveat, fd, "", true_argv, NULL, AT_EMPTY_PATH);
    return -errno;
}

/** A file that is unlinked while it is open. The copy is made again afterwards. */
static int by_deleted_file(void)
{
    int r = rv_in_child(exec_deleted);
    int in = open(PROGRAM, O_RDONLY | O_CLOEXEC);
    int out = open(PROGRAM_COPY, O_CREAT | O_WRONLY | O_CLOEXEC, 0755);

    while (sendfile(out, in, NULL, 1 << 20) > 0)
        ;
    close(in);
    close(out);
    return r;
}

static int by_loader_and_memfd(void)
{
    char path[64];
    int fd = in_memory();
    char *const argv[] = { (char *)LOADER, (char *)"--argv0", (char *)"busybox",
                           path,           (char *)"true",    NULL };

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return rv_run(LOADER, argv);
}

static int by_anonymous_page(void)
{
    void *at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return at == MAP_FAILED ? -errno : 0;
}

static int by_shared_page(void)
{
    void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED)
        return -ENOTSUP;
    return rv_result(mprotect(at, 4096, PROT_READ | PROT_EXEC));
}

static int by_protecting(void)
{
    void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED)
        return -ENOTSUP;
    return rv_result(mprotect(at, 4096, PROT_READ | PROT_EXEC));
}

static int by_protection_key(void)
{
    void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return rv_result(syscall(SYS_pkey_mprotect, at, 4096, PROT_READ | PROT_EXEC, -1));
}

/** Bytes written into a private mapping of a real file, then made executable. */
static int by_written_file_page(void)
{
    int fd = open(PROGRAM_COPY, O_RDONLY | O_CLOEXEC);
    char *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

    if (at == MAP_FAILED)
        return -ENOTSUP;
    at[0] = (char)0xc3;
    return rv_result(mprotect(at, 4096, PROT_READ | PROT_EXEC));
}

const struct rv_way rv_ways_programs[] = {
    { "exec: by its name", RV_AIM_EXEC, by_name },
    { "exec: symbolic link", RV_AIM_EXEC, by_symlink },
    { "exec: hard link", RV_AIM_EXEC, by_link },
    { "exec: bind mount", RV_AIM_EXEC, by_bind_mount },
    { "exec: overlayfs over the program", RV_AIM_EXEC, by_overlay },
    { "exec: ld.so program", RV_AIM_EXEC, by_loader },
    { "exec: ld.so with overlayfs over the program", RV_AIM_EXEC, by_loader_and_overlay },
    { "exec: execveat of an O_PATH", RV_AIM_EXEC, by_execveat },
    { "exec: posix_spawn", RV_AIM_EXEC, by_spawn },
    { "exec: 32-bit execve", RV_AIM_EXEC, by_32_bit_call },
    { "exec: a path that another thread changes", RV_AIM_EXEC, by_racing_memory },
    { "exec: a copy", RV_AIM_EXEC, by_copy },
    { "exec: a memfd copy of it", RV_AIM_EXEC, by_memfd },
    { "allow-list: a copy", RV_AIM_ONLY_SYSTEM, by_copy },
    { "allow-list: a memfd", RV_AIM_ONLY_SYSTEM, by_memfd },
    { "allow-list: ld.so with a copy", RV_AIM_ONLY_SYSTEM, by_loader },
    { "script: itself", RV_AIM_SCRIPT, by_script },
    { "script: an interpreter that reads it", RV_AIM_SCRIPT, by_shell_with_script },
    { "shell: -c", RV_AIM_SHELL, by_shell_command },
    { "shell: ld.so shell -c", RV_AIM_SHELL, by_loader_and_shell },
    { "shell: a script that names it", RV_AIM_SHELL, by_script },
    { "shell: another interpreter, -c", RV_AIM_SHELL, by_another_shell },
    { "fileless: memfd", RV_AIM_FILELESS, by_memfd },
    { "fileless: memfd by /proc/self/fd", RV_AIM_FILELESS, by_memfd_name },
    { "fileless: a deleted file", RV_AIM_FILELESS, by_deleted_file },
    { "fileless: ld.so with a memfd", RV_AIM_FILELESS, by_loader_and_memfd },
    { "fileless: anonymous page", RV_AIM_FILELESS, by_anonymous_page },
    { "fileless: shared page, protected later", RV_AIM_FILELESS, by_shared_page },
    { "fileless: page protected later", RV_AIM_FILELESS, by_protecting },
    { "fileless: pkey_mprotect", RV_AIM_FILELESS, by_protection_key },
    { "fileless: bytes written into a file's page", RV_AIM_FILELESS, by_written_file_page },
};
const size_t rv_ways_programs_count = RV_COUNT(rv_ways_programs);
