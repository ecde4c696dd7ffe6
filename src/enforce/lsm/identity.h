/* SPDX-License-Identifier: Apache-2.0 */
/** @file lsm/identity.h  A path as the kernel's hooks will see it: what it is and where it is. */
#pragma once

#include "wire.h"

/** Which device stands behind each mount: stat(2) tells another one on btrfs and overlayfs. */
struct rv_lsm_mounts {
    struct rv_lsm_mount {
        uint64_t id;
        uint32_t dev;
    } * mounts;
    size_t count;
};

/** @return 0, -ENOMEM or another -errno of /proc. Free with rv_lsm_mounts_free(). */
RV_MUST_CHECK int rv_lsm_mounts_read(struct rv_lsm_mounts *ret_mounts);
void rv_lsm_mounts_free(struct rv_lsm_mounts *mounts);

/** The last component of a path, as the kernel hashes a dentry's name. */
uint64_t rv_lsm_hash_name(uint64_t hash, const char *name);

/**
 * Follow a path. A file that does not exist (yet) has a place and inode 0; `place` is 0 for a root.
 * @return 0; -ENOENT: not even its folder exists; -ENAMETOOLONG; another -errno.
 */
RV_MUST_CHECK int rv_lsm_identify(const struct rv_lsm_mounts *mounts, uint64_t seed,
                                  const char *path, struct rv_lsm_program *ret_identity);
/** Inode and device of what a link of /proc leads to, deleted files too. @return 0 or -errno. */
RV_MUST_CHECK int rv_lsm_identify_link(const struct rv_lsm_mounts *mounts, const char *link,
                                       struct rv_lsm_program *ret_identity);
