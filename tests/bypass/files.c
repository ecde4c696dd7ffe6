/* SPDX-License-Identifier: Apache-2.0 */
/* Ways to read a file that may not be reached by its name. */
#include "attempts.h"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define DEPTH 100

/* ---- Names of other kinds ---- */

static int by_its_name(void)
{
    return rv_read_secret(SECRET);
}

static int by_symlink(void)
{
    (void)unlink(GROUND "/soft");
    return symlink(SECRET, GROUND "/soft") < 0 ? -ENOTSUP : rv_read_secret(GROUND "/soft");
}

static int by_link_before(void)
{
    return rv_read_secret(BEFORE);
}

static int by_new_link(void)
{
    int r;

    (void)unlink(GROUND "/hard");
    if (link(SECRET, GROUND "/hard") < 0)
        return -errno;
    r = rv_read_secret(GROUND "/hard");
    (void)unlink(GROUND "/hard");
    return r;
}

static int by_rename_out(void)
{
    int r;

    if (rename(SECRET, GROUND "/out") < 0)
        return -errno;
    r = rv_read_secret(GROUND "/out");
    (void)rename(GROUND "/out", SECRET);
    return r;
}

static int by_renaming_the_folder(void)
{
    int r;

    if (rename(BOX, GROUND "/elsewhere") < 0)
        return -errno;
    r = rv_read_secret(GROUND "/elsewhere/secret");
    (void)rename(GROUND "/elsewhere", BOX);
    return r;
}

static int by_bind_mount(void)
{
    int r;

    (void)mkdir(GROUND "/bound", 0700);
    if (mount(BOX, GROUND "/bound", NULL, MS_BIND, NULL) < 0)
        return -ENOTSUP;
    r = rv_read_secret(GROUND "/bound/secret");
    (void)umount(GROUND "/bound");
    return r;
}

static int by_bind_mount_of_the_file(void)
{
    int fd = open(GROUND "/plain", O_CREAT | O_WRONLY | O_CLOEXEC, 0600), r;

    close(fd);
    if (mount(SECRET, GROUND "/plain", NULL, MS_BIND, NULL) < 0)
        return -ENOTSUP;
    r = rv_read_secret(GROUND "/plain");
    (void)umount(GROUND "/plain");
    return r;
}

static int by_open_tree(void)
{
    int tree = (int)syscall(SYS_open_tree, AT_FDCWD, BOX, 1 /* OPEN_TREE_CLONE */), r;

    if (tree < 0)
        return -ENOTSUP;
    r = rv_got(openat(tree, "secret", O_RDONLY | O_CLOEXEC));
    close(tree);
    return r;
}

static int by_overlay(void)
{
    int r;

    (void)mkdir(GROUND "/up", 0700);
    (void)mkdir(GROUND "/work", 0700);
    (void)mkdir(GROUND "/merged", 0700);
    if (mount("overlay", GROUND "/merged", "overlay", 0,
              "lowerdir=" BOX ",upperdir=" GROUND "/up,workdir=" GROUND "/work") < 0)
        return -ENOTSUP;
    r = rv_read_secret(GROUND "/merged/secret");
    (void)umount(GROUND "/merged");
    return r;
}

static int by_mount_inside(void)
{
    int fd, r;

    (void)mkdir(BOX "/inner", 0700);
    if (mount("none", BOX "/inner", "tmpfs", 0, NULL) < 0)
        return -ENOTSUP;
    fd = open(BOX "/inner/more", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    r = write(fd, "secret", 6) == 6 ? 0 : -errno;
    close(fd);
    if (r == 0)
        r = rv_read_secret(BOX "/inner/more");
    (void)umount2(BOX "/inner", MNT_DETACH);
    return r;
}

static int by_proc_root(void)
{
    return rv_read_secret("/proc/self/root" SECRET);
}

static int by_proc_cwd(void)
{
    return chdir(BOX) < 0 ? -errno : rv_read_secret("/proc/self/cwd/secret");
}

static int by_proc_fd(void)
{
    char path[64];
    int fd = open(SECRET, O_PATH | O_CLOEXEC);

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return rv_read_secret(path);
}

static int by_chroot(void)
{
    return chroot(BOX) < 0 ? -ENOTSUP : rv_read_secret("/secret");
}

static int by_namespaces(void)
{
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        return -ENOTSUP;
    return rv_read_secret(SECRET);
}

static int by_private_mount(void)
{
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount(GROUND, "/mnt", NULL, MS_BIND | MS_REC, NULL) < 0)
        return -ENOTSUP;
    return rv_read_secret("/mnt/box/secret");
}

static int by_copy(void)
{
    return rv_read_secret(COPY);
}

static int by_long_name(void)
{
    return rv_read_secret(LONG_NAME);
}

static int by_depth(void)
{
    int fd, r = 0;

    if (chdir(BOX) < 0)
        return -errno;
    for (int i = 0; i < DEPTH; i++) {
        if (mkdir("d", 0700) < 0 && errno != EEXIST)
            return -errno;
        if (chdir("d") < 0)
            return -errno;
    }
    fd = open("file", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    r = fd < 0 ? -errno : write(fd, "secret", 6) == 6 ? rv_got(fd) : -errno;
    return r;
}

/* ---- Calls of other kinds ---- */

static int by_openat2(void)
{
    struct open_how how = { .flags = O_RDONLY | O_CLOEXEC };

    return rv_got((int)syscall(SYS_openat2, AT_FDCWD, SECRET, &how, sizeof(how)));
}

static int by_handle(void)
{
    union {
        struct file_handle handle;
        char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
    } u = { .handle.handle_bytes = MAX_HANDLE_SZ };
    int mount_id, dir = open(GROUND, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (name_to_handle_at(AT_FDCWD, SECRET, &u.handle, &mount_id, 0) < 0)
        return -ENOTSUP;
    return rv_got(open_by_handle_at(dir, &u.handle, O_RDONLY | O_CLOEXEC));
}

static int by_io_uring(void)
{
    int fd = rv_uring(&(struct io_uring_sqe){ .opcode = IORING_OP_OPENAT,
                                              .fd = AT_FDCWD,
                                              .addr = (uint64_t)(uintptr_t)SECRET,
                                              .open_flags = O_RDONLY });

    return fd < 0 ? fd : rv_got(fd);
}

/* int 0x80 with 32-bit numbers: open(2) is 5 there. */
static int by_32_bit_call(void)
{
#ifdef __x86_64__
    char *low =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    long r = 5;

    strcpy(low, SECRET);
    __asm__ volatile("int $0x80"
                     : "+a"(r)
                     : "b"(low), "c"(O_RDONLY), "d"(0)
                     : "memory", "r8", "r9", "r10", "r11");
    return r < 0 ? (int)r : rv_got((int)r);
#else
    return -ENOTSUP;
#endif
}

static int by_reading_and_writing(void)
{
    return rv_got(open(SECRET, O_RDWR | O_CLOEXEC));
}

static int by_sendfile(void)
{
    int in = open(SECRET, O_RDONLY | O_CLOEXEC), out = memfd_create("out", MFD_CLOEXEC);

    if (in < 0 || sendfile(out, in, NULL, 6) < 0)
        return -errno;
    return rv_got(out);
}

static int by_splice(void)
{
    int in = open(SECRET, O_RDONLY | O_CLOEXEC), pipes[2];
    char text[8] = { 0 };

    if (in < 0 || pipe2(pipes, O_CLOEXEC) < 0 || splice(in, NULL, pipes[1], NULL, 6, 0) < 0)
        return -errno;
    return read(pipes[0], text, 6) == 6 && rv_streq(text, "secret") ? 0 : -ENODATA;
}

static int by_copy_file_range(void)
{
    int in = open(SECRET, O_RDONLY | O_CLOEXEC);
    int out = open(GROUND "/out", O_CREAT | O_RDWR | O_CLOEXEC, 0600);

    if (in < 0 || copy_file_range(in, NULL, out, NULL, 6, 0) < 0)
        return -errno;
    return rv_got(out);
}

static int by_open_descriptor(void)
{
    return rv_got(dup(rv_kept_fd));
}

/** Somebody who has it open from before hands it over. */
static int by_handed_descriptor(void)
{
    char byte = 0, room[CMSG_SPACE(sizeof(int))] = { 0 };
    struct iovec data = { &byte, 1 };
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)
    };
    struct cmsghdr *control = CMSG_FIRSTHDR(&message);
    int pair[2], fd = -1;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    *control = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
                                 .cmsg_level = SOL_SOCKET,
                                 .cmsg_type = SCM_RIGHTS };
    memcpy(CMSG_DATA(control), &rv_kept_fd, sizeof(int));
    if (sendmsg(pair[0], &message, 0) < 0)
        return -errno;
    memset(room, 0, sizeof(room));
    message.msg_controllen = sizeof(room);
    if (recvmsg(pair[1], &message, 0) < 0)
        return -errno;
    control = CMSG_FIRSTHDR(&message);
    if (!control || control->cmsg_len != CMSG_LEN(sizeof(int)))
        return -EACCES; /* the kernel took it out of the message */
    memcpy(&fd, CMSG_DATA(control), sizeof(int));
    return rv_got(fd);
}

/* ---- Memory that changes under the call ---- */

static char racing[64];
static volatile bool racing_ends;

static void *flip(void *context)
{
    (void)context;
    while (!racing_ends) {
        memcpy(racing, GROUND "/bait", sizeof(GROUND "/bait"));
        memcpy(racing, BOX "/secret", sizeof(BOX "/secret"));
        sched_yield();
    }
    return NULL;
}

static int by_racing_memory(void)
{
    int bait = open(GROUND "/bait", O_CREAT | O_WRONLY | O_CLOEXEC, 0600), r = -ENODATA;
    pthread_t thread;

    close(bait);
    strcpy(racing, GROUND "/bait");
    if (pthread_create(&thread, NULL, flip, NULL) != 0)
        return -EAGAIN;
    for (int i = 0; r != 0 && i < 3000; i++) {
        int fd = open(racing, O_RDONLY | O_CLOEXEC);

        if (fd >= 0)
            r = rv_got(fd);
        if (i % 16 == 0)
            sched_yield();
    }
    racing_ends = true;
    (void)pthread_join(thread, NULL);
    return r;
}

static int by_flood(void)
{
    int r = -EPERM;

    for (int i = 0; r != 0 && i < 5000; i++)
        r = rv_read_secret(SECRET);
    return r;
}

static int by_slow_drip(void)
{
    int r = -EPERM;

    for (int i = 0; r != 0 && i < 8; i++) {
        usleep(250000);
        r = rv_read_secret(SECRET);
    }
    return r;
}

const struct rv_way rv_ways_files[] = {
    { "by its name", RV_AIM_READ, by_its_name },
    { "symbolic link", RV_AIM_READ, by_symlink },
    { "hard link made before", RV_AIM_READ, by_link_before },
    { "hard link made now", RV_AIM_READ, by_new_link },
    { "renamed first", RV_AIM_READ, by_rename_out },
    { "bind mount of the folder", RV_AIM_READ, by_bind_mount },
    { "bind mount of the file", RV_AIM_READ, by_bind_mount_of_the_file },
    { "open_tree, a mount without a place", RV_AIM_READ, by_open_tree },
    { "overlayfs over the file", RV_AIM_READ, by_overlay },
    { "/proc/self/root", RV_AIM_READ, by_proc_root },
    { "/proc/self/cwd", RV_AIM_READ, by_proc_cwd },
    { "/proc/self/fd of an O_PATH", RV_AIM_READ, by_proc_fd },
    { "chroot", RV_AIM_READ, by_chroot },
    { "user and mount namespace", RV_AIM_READ, by_namespaces },
    { "mount namespace with a bind mount", RV_AIM_READ, by_private_mount },
    { "openat2", RV_AIM_READ, by_openat2 },
    { "open_by_handle_at", RV_AIM_READ, by_handle },
    { "io_uring open", RV_AIM_READ, by_io_uring },
    { "32-bit open", RV_AIM_READ, by_32_bit_call },
    { "opened to read and write", RV_AIM_READ, by_reading_and_writing },
    { "sendfile", RV_AIM_READ, by_sendfile },
    { "splice", RV_AIM_READ, by_splice },
    { "copy_file_range", RV_AIM_READ, by_copy_file_range },
    { "a path that another thread changes", RV_AIM_READ, by_racing_memory },
    { "flood of 5000, then act", RV_AIM_READ, by_flood },
    { "slow drip", RV_AIM_READ, by_slow_drip },
    { "descriptor handed over a unix socket", RV_AIM_READ, by_handed_descriptor },
    { "descriptor opened before the rule", RV_AIM_READ, by_open_descriptor },
    { "copy made before the rule", RV_AIM_READ, by_copy },
    { "below: by its name", RV_AIM_READ_BELOW, by_its_name },
    { "below: hard link made before", RV_AIM_READ_BELOW, by_link_before },
    { "below: hard link made now", RV_AIM_READ_BELOW, by_new_link },
    { "below: renamed out", RV_AIM_READ_BELOW, by_rename_out },
    { "below: the folder renamed", RV_AIM_READ_BELOW, by_renaming_the_folder },
    { "below: bind mount of the file", RV_AIM_READ_BELOW, by_bind_mount_of_the_file },
    { "below: overlayfs over the folder", RV_AIM_READ_BELOW, by_overlay },
    { "below: a mount inside", RV_AIM_READ_BELOW, by_mount_inside },
    { "below: 100 folders deep", RV_AIM_READ_BELOW, by_depth },
    { "below: a name of 255 bytes, not UTF-8", RV_AIM_READ_BELOW, by_long_name },
    { "below: open_by_handle_at", RV_AIM_READ_BELOW, by_handle },
};
const size_t rv_ways_files_count = RV_COUNT(rv_ways_files);
