/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

void rv_closep(int *fd)
{
    int saved = errno;

    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
    errno = saved;
}

int rv_write_all(int fd, const void *data, size_t len)
{
    const char *at = data;

    while (len > 0) {
        ssize_t n = write(fd, at, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

int rv_pwrite_all(int fd, const void *data, size_t len, uint64_t offset)
{
    const char *at = data;

    while (len > 0) {
        ssize_t n = pwrite(fd, at, len, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        at += n;
        offset += (uint64_t)n;
        len -= (size_t)n;
    }
    return 0;
}

int rv_read_file(int dir_fd, const char *path, size_t len_max, char **ret_data, size_t *ret_len)
{
    RV_AUTO(rv_closep) int fd = -1;
    RV_AUTO(rv_freep) char *data = NULL;
    size_t len = 0, room = 4096;

    fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;

    /* Grown by reading, not sized by fstat: /proc and pipes report 0. */
    for (;;) {
        char *grown;
        ssize_t n;

        if (!data || len == room) {
            room = data ? room * 2 : room;
            grown = realloc(data, room + 1);
            if (!grown)
                return -ENOMEM;
            data = grown;
        }
        n = read(fd, data + len, room - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        len += (size_t)n;
        if (len > len_max)
            return -EFBIG;
    }
    data[len] = '\0';
    *ret_len = len;
    *ret_data = RV_TAKE(data);
    return 0;
}

static int fsync_dir(int dir_fd, const char *name)
{
    RV_AUTO(rv_closep) int fd = -1;
    RV_AUTO(rv_freep) char *parent = NULL;
    char *slash;

    parent = strdup(name);
    if (!parent)
        return -ENOMEM;
    slash = strrchr(parent, '/');
    if (slash)
        slash[slash == parent ? 1 : 0] = '\0';
    fd = openat(dir_fd, slash ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    return fsync(fd) < 0 ? -errno : 0;
}

int rv_write_file_atomic(int dir_fd, const char *name, const void *data, size_t len, unsigned mode)
{
    RV_AUTO(rv_closep) int fd = -1;
    RV_AUTO(rv_freep) char *temporary = NULL;
    int r;

    if (asprintf(&temporary, "%s.tmp.%d", name, (int)getpid()) < 0) {
        temporary = NULL;
        return -ENOMEM;
    }
    fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return -errno;

    r = rv_write_all(fd, data, len);
    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    if (r == 0 && renameat(dir_fd, temporary, dir_fd, name) < 0)
        r = -errno;
    if (r < 0) {
        (void)unlinkat(dir_fd, temporary, 0);
        return r;
    }
    return fsync_dir(dir_fd, name);
}
