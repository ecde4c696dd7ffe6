/* SPDX-License-Identifier: Apache-2.0 */
/* The ground that ways are tried on, and how one is tried. */
#include "attempts.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAY_SECONDS_MAX 25

pid_t rv_target;
int rv_kept_fd = -1;
static int servers[8];
static size_t server_count;

const struct rv_way *rv_way_at(size_t index)
{
    const struct {
        const struct rv_way *ways;
        size_t count;
    } files[] = {
        { rv_ways_files, rv_ways_files_count },
        { rv_ways_changes, rv_ways_changes_count },
        { rv_ways_programs, rv_ways_programs_count },
        { rv_ways_processes, rv_ways_processes_count },
        { rv_ways_network, rv_ways_network_count },
        { rv_ways_kernel, rv_ways_kernel_count },
    };

    for (size_t i = 0; i < RV_COUNT(files); i++) {
        if (index < files[i].count)
            return &files[i].ways[index];
        index -= files[i].count;
    }
    return NULL;
}

const char *rv_aim_words(enum rv_aim aim)
{
    static const char *const words[RV_AIMS_] = {
#define RV_AIM_WORDS(constant, text) [RV_AIM_##constant] = text,
        RV_AIMS(RV_AIM_WORDS)
#undef RV_AIM_WORDS
    };

    return aim < RV_AIMS_ ? words[aim] : "?";
}

/* ---- What ways are made of ---- */

int rv_result(long value)
{
    return value < 0 ? -errno : 0;
}

int rv_got(int fd)
{
    char text[8] = { 0 };
    ssize_t n;
    int r;

    if (fd < 0)
        return -errno;
    n = pread(fd, text, 6, 0);
    r = n < 0 ? -errno : strcmp(text, "secret") == 0 ? 0 : -ENODATA;
    close(fd);
    return r;
}

int rv_read_secret(const char *path)
{
    return rv_got(open(path, O_RDONLY | O_CLOEXEC));
}

static int status_of(pid_t pid)
{
    int status;

    if (pid < 0)
        return -errno;
    if (waitpid(pid, &status, 0) != pid)
        return -ECHILD;
    return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

int rv_in_child(int (*way)(void))
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(-way());
    return status_of(pid);
}

int rv_run(const char *path, char *const argv[])
{
    pid_t pid = fork();

    if (pid == 0) {
        int nothing = open("/dev/null", O_RDWR);

        dup2(nothing, 1);
        dup2(nothing, 2);
        execv(path, argv);
        _exit(errno);
    }
    return status_of(pid);
}

int rv_uring(const struct io_uring_sqe *entry)
{
    struct io_uring_params params = { 0 };
    int ring = (int)syscall(SYS_io_uring_setup, 1, &params);
    size_t size = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
    struct io_uring_sqe *sqe;
    uint8_t *sq;
    int r;

    if (ring < 0)
        return -ENOSYS;
    if (params.sq_off.array + params.sq_entries * 4 > size)
        size = params.sq_off.array + params.sq_entries * 4;
    sq = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring,
              IORING_OFF_SQ_RING);
    sqe = mmap(NULL, sizeof(*sqe), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring,
               IORING_OFF_SQES);
    if (sq == MAP_FAILED || sqe == MAP_FAILED)
        return -ENOSYS;
    *sqe = *entry;
    *(uint32_t *)(void *)(sq + params.sq_off.array) = 0;
    __atomic_store_n((uint32_t *)(void *)(sq + params.sq_off.tail), 1, __ATOMIC_RELEASE);
    (void)syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
    r = ((struct io_uring_cqe *)(void *)(sq + params.cq_off.cqes))->res;
    munmap(sq, size);
    munmap(sqe, sizeof(*sqe));
    close(ring);
    return r;
}

/* ---- The ground ---- */

static int copy(const char *from, const char *to)
{
    int in = open(from, O_RDONLY | O_CLOEXEC), out;
    ssize_t n;

    if (in < 0)
        return -errno;
    out = open(to, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0755);
    do {
        n = sendfile(out, in, NULL, 1 << 20);
    } while (n > 0);
    close(in);
    close(out);
    return out < 0 || n < 0 ? -errno : 0;
}

static int write_text(const char *path, const char *text)
{
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0755);
    ssize_t n;

    if (fd < 0)
        return -errno;
    n = write(fd, text, strlen(text));
    close(fd);
    return n < 0 ? -errno : 0;
}

static int serve(int family, int type, const void *address, socklen_t len)
{
    int fd = socket(family, type | SOCK_CLOEXEC, 0), one = 1;

    if (fd < 0)
        return -errno;
    servers[server_count++] = fd;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, address, len) < 0 || (type == SOCK_STREAM && listen(fd, 1000) < 0))
        return -errno;
    return 0;
}

static int serve_all(void)
{
    struct sockaddr_in inet = { .sin_family = AF_INET,
                                .sin_port = htons(PORT),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr_un named = { .sun_family = AF_UNIX, .sun_path = UNIX_SOCKET };
    struct sockaddr_un datagram = { .sun_family = AF_UNIX, .sun_path = UNIX_DGRAM };
    struct sockaddr_un hidden = { .sun_family = AF_UNIX, .sun_path = "\0" UNIX_HIDDEN };
    int r = serve(AF_INET, SOCK_STREAM, &inet, sizeof(inet));

    r = r < 0 ? r : serve(AF_INET, SOCK_DGRAM, &inet, sizeof(inet));
    r = r < 0 ? r : serve(AF_UNIX, SOCK_STREAM, &named, sizeof(named));
    r = r < 0 ? r : serve(AF_UNIX, SOCK_DGRAM, &datagram, sizeof(datagram));
    return r < 0 ? r : serve(AF_UNIX, SOCK_STREAM, &hidden, sizeof(hidden));
}

int rv_ground_make(const char *busybox, const char *self)
{
    int r;

    (void)mkdir(GROUND, 0755);
    if (mkdir(BOX, 0755) < 0 || chmod(GROUND, 0755) < 0)
        return -errno;
    r = write_text(SECRET, "secret");
    r = r < 0 ? r : write_text(SCRIPT, "#!" SHELL "\nexit 0\n");
    r = r < 0 ? r : copy(SECRET, COPY);
    r = r < 0 ? r : copy(busybox, PROGRAM);
    r = r < 0 ? r : copy(busybox, SHELL);
    r = r < 0 ? r : copy(busybox, PROGRAM_COPY);
    r = r < 0 ? r : copy(self, MARKER);
    r = r < 0 ? r : serve_all();
    if (r < 0)
        return r;
    if (link(SECRET, BEFORE) < 0 || link(SECRET, LONG_NAME) < 0)
        return -errno;
    rv_kept_fd = open(SECRET, O_RDONLY | O_CLOEXEC);
    return rv_result(rv_kept_fd);
}

void rv_ground_leave(void)
{
    while (server_count > 0)
        close(servers[--server_count]);
    close(rv_kept_fd);
}

/* ---- Trying ---- */

static void sleep_for_ever(void)
{
    for (;;)
        pause();
}

/** The child: waits for its parent's word, then goes the way. */
static void go(const struct rv_way *way, int word)
{
    char byte;

    if (read(word, &byte, 1) != 1)
        _exit(ECHILD);
    alarm(WAY_SECONDS_MAX);
    if (way->aim == RV_AIM_LINEAGE) {
        char *const argv[] = { (char *)"marker", (char *)"--way", (char *)way->name, NULL };

        execv(MARKER, argv);
        _exit(errno);
    }
    _exit(-way->run());
}

void rv_way_main(int argc, char **argv)
{
    const struct rv_way *way;

    if (argc != 3 || !rv_streq(argv[1], "--way"))
        return;
    alarm(WAY_SECONDS_MAX);
    for (size_t i = 0; (way = rv_way_at(i)); i++)
        if (rv_streq(way->name, argv[2]))
            _exit(-way->run());
    _exit(ENOENT);
}

int rv_way_try(const struct rv_way *way,
               void (*prepare)(enum rv_aim aim, pid_t child, pid_t target))
{
    pid_t target = 0, child;
    int word[2], r;

    if (pipe2(word, O_CLOEXEC) < 0)
        return -errno;
    if (way->aim == RV_AIM_TARGET) {
        target = fork();
        if (target == 0)
            sleep_for_ever();
    }
    rv_target = target;
    child = fork();
    if (child == 0)
        go(way, word[0]);
    if (prepare)
        prepare(way->aim, child, target);
    r = write(word[1], "", 1) == 1 ? status_of(child) : -errno;
    close(word[0]);
    close(word[1]);
    if (target) { /* closing the word's pipe does not end it, and we may not: its parent reaps it */
        prepare ? prepare(RV_AIMS_, 0, target) : (void)0;
        (void)kill(target, SIGKILL);
        (void)waitpid(target, NULL, 0);
    }
    return r;
}
