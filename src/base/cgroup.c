/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cgroup.h"

#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <stdio.h>

int rv_cgroup_root(char *ret_path, size_t size)
{
    FILE *mounts = setmntent("/proc/self/mounts", "re");
    struct mntent entry;
    char text[4096];
    int r = -ENOENT;

    if (!mounts)
        return -errno;
    while (r == -ENOENT && getmntent_r(mounts, &entry, text, sizeof(text))) {
        if (!rv_streq(entry.mnt_type, "cgroup2"))
            continue;
        r = strlen(entry.mnt_dir) < size ? 0 : -ENAMETOOLONG;
        if (r == 0)
            memcpy(ret_path, entry.mnt_dir, strlen(entry.mnt_dir) + 1);
    }
    endmntent(mounts);
    return r;
}

int rv_cgroup_open(const char *path, int *ret_fd)
{
    char found[PATH_MAX];
    int fd;

    if (!path) {
        int r = rv_cgroup_root(found, sizeof(found));

        if (r < 0)
            return r;
        path = found;
    }
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    *ret_fd = fd;
    return 0;
}
