/* SPDX-License-Identifier: Apache-2.0 */
/* Ways to change a file that may not be changed, or to make one where none may be made. */
#include "attempts.h"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- Changing it ---- */

static int change_by_opening(void)
{
    int fd = open(SECRET, O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    close(fd);
    return 0;
}

static int change_by_truncating_open(void)
{
    int fd = open(BEFORE, O_WRONLY | O_TRUNC | O_CLOEXEC), r;

    if (fd < 0)
        return -errno;
    r = write(fd, "secret", 6) == 6 ? 0 : -errno;
    close(fd);
    return r;
}

static int change_by_truncate(void)
{
    return rv_result(truncate(SECRET, 6));
}

static int change_by_rename_over(void)
{
    int fd = open(GROUND "/mine", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    close(fd);
    if (rename(GROUND "/mine", SECRET) < 0)
        return -errno;
    (void)unlink(GROUND "/keep"); /* BEFORE is still the old one: put it back */
    return link(BEFORE, GROUND "/keep") < 0 ? -errno : rv_result(rename(GROUND "/keep", SECRET));
}

static int exchange(unsigned flags)
{
    int fd = open(GROUND "/mine", O_CREAT | O_WRONLY | O_CLOEXEC, 0600), r;

    close(fd);
    r = rv_result(syscall(SYS_renameat2, AT_FDCWD, GROUND "/mine", AT_FDCWD, SECRET, flags));
    if (r == 0)
        (void)syscall(SYS_renameat2, AT_FDCWD, GROUND "/mine", AT_FDCWD, SECRET, flags);
    return r;
}

static int change_by_exchange(void)
{
    return exchange(2 /* RENAME_EXCHANGE */);
}

static int change_by_io_uring(void)
{
    int r = rv_uring(&(struct io_uring_sqe){ .opcode = IORING_OP_RENAMEAT,
                                             .fd = AT_FDCWD,
                                             .addr = (uint64_t)(uintptr_t)SECRET,
                                             .len = (uint32_t)AT_FDCWD,
                                             .off = (uint64_t)(uintptr_t)(GROUND "/out") });

    if (r == 0)
        (void)rename(GROUND "/out", SECRET);
    return r;
}

static int change_by_chmod_of_a_descriptor(void)
{
    char path[64];
    int fd = open(SECRET, O_PATH | O_CLOEXEC);

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return rv_result(chmod(path, 0755));
}

static int change_by_mounting_over(void)
{
    int fd = open(GROUND "/mine", O_CREAT | O_WRONLY | O_CLOEXEC, 0600), r;

    close(fd);
    r = rv_result(mount(GROUND "/mine", SECRET, NULL, MS_BIND, NULL));
    if (r == 0)
        (void)umount(SECRET);
    return r;
}

/* ---- Making one ---- */

static int create_by_opening(void)
{
    int fd;

    (void)unlink(BOX "/new");
    fd = open(BOX "/new", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    close(fd);
    return rv_result(unlink(BOX "/new"));
}

static int create_by_rename(void)
{
    int fd = open(GROUND "/mine", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    close(fd);
    if (rename(GROUND "/mine", BOX "/new") < 0)
        return -errno;
    return rv_result(unlink(BOX "/new"));
}

static int create_by_nameless_file(void)
{
    char path[64];
    int fd = open(GROUND, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

    if (fd < 0)
        return -ENOTSUP;
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, path, AT_FDCWD, BOX "/new", AT_SYMLINK_FOLLOW) < 0)
        return -errno;
    close(fd);
    return rv_result(unlink(BOX "/new"));
}

const struct rv_way rv_ways_changes[] = {
    { "change: open for writing", RV_AIM_CHANGE, change_by_opening },
    { "change: O_TRUNC by another hard link", RV_AIM_CHANGE, change_by_truncating_open },
    { "change: truncate", RV_AIM_CHANGE, change_by_truncate },
    { "change: rename over", RV_AIM_CHANGE, change_by_rename_over },
    { "change: rename exchange", RV_AIM_CHANGE, change_by_exchange },
    { "change: io_uring rename", RV_AIM_CHANGE, change_by_io_uring },
    { "change: chmod of an O_PATH", RV_AIM_CHANGE, change_by_chmod_of_a_descriptor },
    { "change: mount over", RV_AIM_CHANGE, change_by_mounting_over },
    { "create: open", RV_AIM_CREATE, create_by_opening },
    { "create: rename into", RV_AIM_CREATE, create_by_rename },
    { "create: link a nameless file", RV_AIM_CREATE, create_by_nameless_file },
};
const size_t rv_ways_changes_count = RV_COUNT(rv_ways_changes);
