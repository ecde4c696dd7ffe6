/* SPDX-License-Identifier: Apache-2.0 */
#include "act/cgroup.h"

#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/vfs.h>
#include <unistd.h>

#define CGROUP_V2_MAGIC 0x63677270
#define CGROUP_V1_MAGIC 0x27e0eb

enum rv_cgroup_version rv_cgroup_version(const char *cgroup)
{
    struct statfs fs;

    if (statfs(cgroup, &fs) < 0)
        return RV_CGROUP_NONE;
    if (fs.f_type == CGROUP_V2_MAGIC)
        return RV_CGROUP_V2;
    return fs.f_type == CGROUP_V1_MAGIC ? RV_CGROUP_V1 : RV_CGROUP_NONE;
}

static int open_knob(const char *cgroup, const char *name, int flags)
{
    RV_AUTO(rv_closep) int dir = open(cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd;

    if (dir < 0)
        return -errno;
    fd = openat(dir, name, flags | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

int rv_knob_read(const char *cgroup, const char *name, char ret_value[RV_KNOB_MAX])
{
    RV_AUTO(rv_closep) int fd = open_knob(cgroup, name, O_RDONLY);
    char value[RV_KNOB_MAX];
    ssize_t len;

    if (fd < 0)
        return fd;
    len = read(fd, value, sizeof(value));
    if (len < 0)
        return -errno;
    if ((size_t)len == sizeof(value) && !memchr(value, '\n', sizeof(value)))
        return -EMSGSIZE;
    value[rv_min_u64((uint64_t)len, sizeof(value) - 1)] = '\0';
    value[strcspn(value, "\n")] = '\0';
    memcpy(ret_value, value, sizeof(value));
    return 0;
}

int rv_knob_write(const char *cgroup, const char *name, const char *value)
{
    RV_AUTO(rv_closep) int fd = open_knob(cgroup, name, O_WRONLY);
    ssize_t len;

    if (fd < 0)
        return fd;
    len = write(fd, value, strlen(value)); /* these files take a value in one piece */
    return len < 0 ? -errno : 0;
}

const char *rv_knob_why(int r)
{
    switch (-r) {
    case EROFS:
        return "cgroups are mounted read-only";
    case ENOENT:
    case ENODEV:
        return "the folder has no such controller";
    case EACCES:
    case EPERM:
        return "the kernel does not let us write there";
    default:
        return "the kernel refuses it";
    }
}
