/* SPDX-License-Identifier: Apache-2.0 */
#include "programs.h"

#include "features/program.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

/** Where Debian and most others install programs; the last ones hold helpers such as sshd-session.
 */
static const char *const folders[] = {
    "/usr/bin",
    "/usr/sbin",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/usr/lib/systemd",
    "/usr/lib/openssh",
    "/usr/lib/apt/methods",
    "/usr/lib/dpkg",
    "/usr/libexec",
    "/bin",
    "/sbin",
};

static bool is_trusted(const struct stat *st)
{
    return S_ISREG(st->st_mode) && st->st_uid == 0 && !(st->st_mode & (S_IWGRP | S_IWOTH)) &&
           (st->st_mode & S_IXUSR);
}

int rv_programs_scan(const char *root, int (*put)(void *context, const char *path, uint32_t kind),
                     void *context)
{
    unsigned found = 0;
    int r = 0;

    for (size_t i = 0; r == 0 && i < RV_COUNT(folders); i++) {
        char folder[128];
        struct dirent *file;
        DIR *dir;

        (void)snprintf(folder, sizeof(folder), "%s%s", root, folders[i]);
        dir = opendir(folder);

        while (dir && r == 0 && found < RV_PROGRAMS_MAX && (file = readdir(dir))) {
            char path[PATH_MAX];
            struct stat st;
            uint32_t kind;

            (void)snprintf(path, sizeof(path), "%s/%s", folder, file->d_name);
            kind = (uint32_t)rv_program_kind(rv_span_str(path));
            if (kind == RV_KIND_OTHER || fstatat(dirfd(dir), file->d_name, &st, 0) < 0 ||
                !is_trusted(&st))
                continue;
            r = put(context, path, kind);
            found++;
        }
        if (dir)
            (void)closedir(dir);
    }
    return r;
}
