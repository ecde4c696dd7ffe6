/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>

#include "cgroup.h"

static int open_directory(const char *path, int *ret_fd)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    *ret_fd = fd;
    return 0;
}

int rv_sensors_cgroup_root(const char *path, int *ret_fd)
{
    struct mntent entry;
    char text[4096];
    FILE *mounts;
    int r = -ENODEV;

    if (path)
        return open_directory(path, ret_fd);
    mounts = setmntent("/proc/self/mounts", "re");
    if (!mounts)
        return -errno;
    while (r == -ENODEV && getmntent_r(mounts, &entry, text, sizeof(text))) {
        if (rv_streq(entry.mnt_type, "cgroup2"))
            r = open_directory(entry.mnt_dir, ret_fd);
    }
    endmntent(mounts);
    return r;
}
