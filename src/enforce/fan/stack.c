/* SPDX-License-Identifier: Apache-2.0 */
#include "stack.h"

#include "base/fd.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/nsfs.h>
#include <linux/stat.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

/* An overlay without an upper folder wants two lower ones; these are not stacked. */
#define OTHER   "/sys"
#define CONTROL "/dev"

static bool is_overlay(int fd)
{
    struct statfs fs;

    return fstatfs(fd, &fs) == 0 && fs.f_type == OVERLAYFS_SUPER_MAGIC;
}

/* ---- Asking the kernel ---- */

/** Make an overlay of these folders, that nobody sees and that ends at once. @return 0 or -errno.
 */
static int try_stack(const char *layers)
{
    RV_AUTO(rv_closep) int fs = (int)syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC);

    if (fs < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "lowerdir", layers, 0) < 0)
        return -EOPNOTSUPP;
    return syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ? -errno : 0;
}

struct look {
    int namespace; /* of mounts; -1: ours */
    int folder, layer;
};

/**
 * In a thread that ends with it: an overlay can be made only of what is mounted in one's own
 * namespace. A folder is refused for its depth only if one that is not stacked is taken.
 */
static void *look(void *context)
{
    struct look *look = context;
    int r = -EOPNOTSUPP;

    if (unshare(CLONE_FS) == 0 &&
        (look->namespace < 0 || setns(look->namespace, CLONE_NEWNS) == 0) &&
        try_stack(CONTROL ":" OTHER) == 0 && fchdir(look->folder) == 0)
        r = try_stack(".:" OTHER);
    look->layer = r == 0 ? RV_FAN_STACKED : r == -EINVAL ? RV_FAN_NESTED : -EOPNOTSUPP;
    return NULL;
}

/* ---- The mount, and a folder of it ---- */

static int mount_of(int fd, uint64_t *ret_mount)
{
    struct statx st;

    if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &st) < 0)
        return -errno;
    if (!(st.stx_mask & STATX_MNT_ID))
        return -EOPNOTSUPP;
    *ret_mount = st.stx_mnt_id;
    return 0;
}

/** The folder above, if it is of the same mount: a file may be a mount by itself. */
static int folder_above(const char *path, uint64_t mount)
{
    RV_AUTO(rv_freep) char *folder = strdup(path);
    char *base = folder ? strrchr(folder, '/') : NULL;
    RV_AUTO(rv_closep) int fd = -1;
    uint64_t above = 0;

    if (!base)
        return -EOPNOTSUPP;
    base[base == folder] = '\0';
    fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || mount_of(fd, &above) < 0 || above != mount)
        return -EOPNOTSUPP;
    return rv_take_fd(&fd);
}

/** Is the mount among those of a process's namespace? */
static bool is_mounted(const char *process, uint64_t mount)
{
    char path[64], line[4096];
    bool found = false;
    FILE *list;

    (void)snprintf(path, sizeof(path), "/proc/%s/mountinfo", process);
    list = fopen(path, "re");
    while (list && !found && fgets(line, sizeof(line), list))
        found = strtoull(line, NULL, 10) == mount;
    if (list)
        (void)fclose(list);
    return found;
}

/** A folder of the file system that `fd` is of: itself, or above it by name or as it is resolved.
 */
static int open_folder(int fd, const char *path, uint64_t mount)
{
    char link[40], resolved[4096];
    struct stat st;
    ssize_t len;
    int folder;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return fcntl(fd, F_DUPFD_CLOEXEC, 0);
    folder = folder_above(path, mount);
    if (folder >= 0)
        return folder;
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    len = readlink(link, resolved, sizeof(resolved) - 1);
    if (len <= 0)
        return -EOPNOTSUPP;
    resolved[len] = '\0';
    return folder_above(resolved, mount);
}

/* ---- Whose it is ---- */

static bool is_other_users(int namespace)
{
    RV_AUTO(rv_closep) int owner = ioctl(namespace, NS_GET_USERNS);
    struct stat his, ours;

    return owner < 0 || fstat(owner, &his) < 0 || stat("/proc/self/ns/user", &ours) < 0 ||
           his.st_ino != ours.st_ino || his.st_dev != ours.st_dev;
}

/**
 * Of a path under another process's root: its mounts. An ordinary user, in a user namespace of his
 * own, could put a file system below an overlay that never answers; so what is in his is not looked
 * at. Asked once the path is open: there is no way back from a namespace of his into one of ours.
 * @param ret_namespace -1: it is in our own.
 */
static int find_namespace(const char *path, uint64_t mount, int *ret_namespace)
{
    RV_AUTO(rv_closep) int namespace = -1;
    char name[64], process[16] = "self";
    int pid;

    *ret_namespace = -1;
    if (sscanf(path, "/proc/%d/root/", &pid) == 1) {
        (void)snprintf(process, sizeof(process), "%d", pid);
        (void)snprintf(name, sizeof(name), "/proc/%d/ns/mnt", pid);
        namespace = open(name, O_RDONLY | O_CLOEXEC);
        if (namespace < 0 || is_other_users(namespace))
            return -EOPNOTSUPP;
    }
    if (!is_mounted(process, mount))
        return -EOPNOTSUPP;
    *ret_namespace = rv_take_fd(&namespace);
    return 0;
}

static int find_out(int fd, const char *path, uint64_t mount)
{
    RV_AUTO(rv_closep) int namespace = -1;
    RV_AUTO(rv_closep) int folder = -1;
    struct look what;
    pthread_t thread;

    if (find_namespace(path, mount, &namespace) < 0)
        return -EOPNOTSUPP;
    folder = open_folder(fd, path, mount);
    what = (struct look){ namespace, folder, -EOPNOTSUPP };
    if (folder < 0 || pthread_create(&thread, NULL, look, &what) != 0)
        return -EOPNOTSUPP;
    (void)pthread_join(thread, NULL);
    return what.layer;
}

int rv_fan_layer_of(struct fan_stack *stack, int fd, const char *path)
{
    uint64_t mount = 0;
    int layer;

    if (!is_overlay(fd))
        return RV_FAN_PLAIN;
    if (mount_of(fd, &mount) < 0)
        return -EOPNOTSUPP;
    for (unsigned i = 0; i < stack->count; i++) {
        if (stack->known[i].mount == mount)
            return stack->known[i].layer;
    }
    layer = find_out(fd, path, mount);
    if (layer >= 0 && stack->count < FAN_MOUNTS_KNOWN) {
        stack->known[stack->count].mount = mount;
        stack->known[stack->count++].layer = layer;
    }
    return layer;
}
