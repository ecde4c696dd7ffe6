/* SPDX-License-Identifier: Apache-2.0 */
#include "identity.h"

#include "base/fd.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define MOUNTINFO_BYTES_MAX ((size_t)16 << 20)
#define FOLDER_MAX          1024 /* bytes of the name of a folder, of a file that does not exist */

static uint32_t kernel_dev(unsigned major_number, unsigned minor_number)
{
    return (uint32_t)major_number << 20 | (uint32_t)minor_number;
}

int rv_lsm_mounts_read(struct rv_lsm_mounts *ret_mounts)
{
    RV_AUTO(rv_freep) char *text = NULL;
    RV_AUTO(rv_freep) struct rv_lsm_mount *mounts = NULL;
    size_t len, count = 0, room = 0;
    char *rest, *line;
    int r;

    r = rv_read_file(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_BYTES_MAX, &text, &len);
    if (r < 0)
        return r;
    for (const char *at = text; *at; at++)
        room += *at == '\n';
    mounts = calloc(room + 1, sizeof(*mounts));
    if (!mounts)
        return -ENOMEM;
    rest = text;
    while ((line = strsep(&rest, "\n")) && count < room) {
        unsigned major_number, minor_number;
        unsigned long id;

        if (sscanf(line, "%lu %*u %u:%u", &id, &major_number, &minor_number) == 3)
            mounts[count++] = (struct rv_lsm_mount){ id, kernel_dev(major_number, minor_number) };
    }
    *ret_mounts = (struct rv_lsm_mounts){ RV_TAKE(mounts), count };
    return 0;
}

void rv_lsm_mounts_free(struct rv_lsm_mounts *mounts)
{
    free(mounts->mounts);
    *mounts = (struct rv_lsm_mounts){ 0 };
}

uint64_t rv_lsm_hash_name(uint64_t hash, const char *name)
{
    size_t left = strlen(name);

    hash = rv_lsm_mix(hash, left);
    for (; left > 0; name += 8) {
        uint64_t word = 0;
        size_t len = left < 8 ? left : 8;

        memcpy(&word, name, len);
        hash = rv_lsm_mix(hash, rv_lsm_head(word, (uint32_t)len));
        left -= len;
    }
    return hash;
}

static int identify(const struct rv_lsm_mounts *mounts, const char *path, __u64 *ret_inode,
                    __u32 *ret_dev)
{
    struct statx st;

    if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_INO | STATX_MNT_ID, &st) < 0)
        return -errno;
    *ret_inode = st.stx_ino;
    *ret_dev = kernel_dev(st.stx_dev_major, st.stx_dev_minor);
    for (size_t i = 0; (st.stx_mask & STATX_MNT_ID) && i < mounts->count; i++)
        if (mounts->mounts[i].id == st.stx_mnt_id)
            *ret_dev = mounts->mounts[i].dev;
    return 0;
}

/** Where the path leads, or would when its last component were made. */
static int follow(const char *path, char ret_full[PATH_MAX])
{
    char folder[FOLDER_MAX];
    const char *name = strrchr(path, '/');
    size_t len;

    if (realpath(path, ret_full))
        return 0;
    if (errno != ENOENT || !name || !name[1])
        return -errno;
    if (snprintf(folder, sizeof(folder), "%.*s/", (int)(name - path), path) >= (int)sizeof(folder))
        return -ENAMETOOLONG;
    if (!realpath(folder, ret_full))
        return -errno;
    len = strlen(ret_full);
    if (len + strlen(name) >= PATH_MAX)
        return -ENAMETOOLONG;
    strcpy(ret_full + (len == 1 ? 0 : len), name);
    return 0;
}

int rv_lsm_identify(const struct rv_lsm_mounts *mounts, uint64_t seed, const char *path,
                    struct rv_lsm_program *ret_identity)
{
    struct rv_lsm_program identity = { 0 };
    char full[PATH_MAX];
    __u64 folder_inode = 0;
    __u32 folder_dev = 0;
    char *name;
    int r;

    r = follow(path, full);
    if (r < 0)
        return r;
    r = identify(mounts, full, &identity.inode, &identity.dev);
    if (r < 0 && r != -ENOENT)
        return r;
    name = strrchr(full, '/');
    if (name[1] != '\0') {
        name[0] = '\0';
        r = identify(mounts, name == full ? "/" : full, &folder_inode, &folder_dev);
        if (r < 0)
            return r;
        if (!identity.inode)
            identity.dev = folder_dev;
        if (identity.dev == folder_dev) /* else it is the root of a mount */
            identity.place =
                rv_lsm_hash_name(rv_lsm_place_seed(seed, folder_inode, folder_dev), name + 1);
    }
    *ret_identity = identity;
    return 0;
}

int rv_lsm_identify_link(const struct rv_lsm_mounts *mounts, const char *link,
                         struct rv_lsm_program *ret_identity)
{
    *ret_identity = (struct rv_lsm_program){ 0 };
    return identify(mounts, link, &ret_identity->inode, &ret_identity->dev);
}
