/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a path leads to, in the kernel's numbers. stat(2) gives those that a file system shows
 * (overlayfs and btrfs have others inside), so the inode comes from the descriptor's fdinfo and the
 * device from its mount in mountinfo.
 */
#include "cgate/cgate.h"

#include "base/fd.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define MOUNTINFO_MAX ((size_t)16 << 20)

uint64_t rv_cgate_hash(uint64_t hash, const char *name)
{
    size_t len = strlen(name);

    for (size_t at = 0; at < len; at += 8) {
        uint64_t word = 0;

        memcpy(&word, name + at, len - at < 8 ? len - at : 8);
        hash = rv_cgate_mix(hash, word);
    }
    return hash;
}

/** Of a mount, by its id. @return 0; -ENOENT. */
static int device_of_mount(int mount, uint32_t *ret_dev)
{
    RV_AUTO(rv_freep) char *text = NULL;
    size_t len;
    char *rest, *line;

    if (rv_read_file(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &text, &len) < 0)
        return -ENOENT;
    rest = text;
    while ((line = strsep(&rest, "\n"))) {
        unsigned major_number, minor_number;
        int id;

        if (sscanf(line, "%d %*d %u:%u", &id, &major_number, &minor_number) == 3 && id == mount) {
            *ret_dev = major_number << 20 | minor_number;
            return 0;
        }
    }
    return -ENOENT;
}

int rv_cgate_identity(const char *path, __u64 *ret_inode, __u32 *ret_dev)
{
    RV_AUTO(rv_closep) int fd = open(path, O_PATH | O_CLOEXEC);
    RV_AUTO(rv_freep) char *text = NULL;
    char info[64];
    unsigned long long inode;
    const char *mount_line, *inode_line;
    struct stat st;
    size_t len;

    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    *ret_inode = st.st_ino;
    *ret_dev = major(st.st_dev) << 20 | minor(st.st_dev);
    (void)snprintf(info, sizeof(info), "/proc/self/fdinfo/%d", fd);
    if (rv_read_file(AT_FDCWD, info, 4096, &text, &len) < 0)
        return 0;
    inode_line = strstr(text, "\nino:");
    mount_line = strstr(text, "\nmnt_id:");
    if (inode_line && sscanf(inode_line, "\nino: %llu", &inode) == 1)
        *ret_inode = inode;
    if (mount_line)
        (void)device_of_mount((int)strtol(mount_line + strlen("\nmnt_id:"), NULL, 10), ret_dev);
    return 0;
}

int rv_cgate_resolve(const char *path, uint64_t seed, struct rv_cgate_program *ret_program)
{
    struct rv_cgate_program program = { 0 };
    char real[PATH_MAX];
    __u64 folder;
    __u32 dev;
    char *slash;

    if (path[0] != '/')
        return -EINVAL;
    if (realpath(path, real)) {
        if (rv_cgate_identity(real, &program.inode, &program.dev) < 0)
            program.inode = 0;
    } else { /* it may come: known by where it will be */
        RV_AUTO(rv_freep) char *copy = strdup(path);
        const char *name;
        size_t len;

        if (!copy)
            return -ENOMEM;
        slash = strrchr(copy, '/');
        name = slash + 1;
        *slash = '\0';
        if (!*name || !realpath(*copy ? copy : "/", real)) {
            *ret_program = program;
            return 0;
        }
        len = strlen(real);
        if (len + 1 + strlen(name) >= sizeof(real))
            return -EINVAL;
        (void)snprintf(real + len, sizeof(real) - len, "%s%s", len > 1 ? "/" : "", name);
    }
    slash = strrchr(real, '/');
    if (slash[1]) { /* the root itself has no place */
        RV_AUTO(rv_freep) char *name = strdup(slash + 1);

        if (!name)
            return -ENOMEM;
        slash[slash == real ? 1 : 0] = '\0';
        if (rv_cgate_identity(real, &folder, &dev) == 0 && (!program.inode || dev == program.dev)) {
            program.dev = dev;
            program.place = rv_cgate_hash(rv_cgate_place_seed(seed, folder, dev), name);
        }
    }
    *ret_program = program;
    return 0;
}
