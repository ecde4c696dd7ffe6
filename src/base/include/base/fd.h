/* SPDX-License-Identifier: Apache-2.0 */
/** @file base/fd.h  File descriptors that close themselves, whole reads and writes, atomic files.
 */
#pragma once

#include "base/base.h"

/** Cleanup for a descriptor; -1 is the only "none". Keeps errno. */
void rv_closep(int *fd);

/** The descriptor's value; the variable becomes -1. */
static inline int rv_take_fd(int *fd)
{
    int value = *fd;

    *fd = -1;
    return value;
}

/** Write all `len` bytes, across short writes and EINTR. @return 0 or -errno. */
RV_MUST_CHECK int rv_write_all(int fd, const void *data, size_t len);

/** Write all `len` bytes at `offset`. @return 0 or -errno. */
RV_MUST_CHECK int rv_pwrite_all(int fd, const void *data, size_t len, uint64_t offset);

/**
 * Read a whole file of at most `len_max` bytes.
 * @param dir_fd   a directory, or AT_FDCWD.
 * @param ret_data malloc'd, with a NUL after the last byte (not counted in `ret_len`).
 * @return 0; -EFBIG if longer than `len_max`; another -errno.
 */
RV_MUST_CHECK int rv_read_file(int dir_fd, const char *path, size_t len_max, char **ret_data,
                               size_t *ret_len);

/**
 * Replace a file by temporary file, fsync, rename and fsync of the directory: after a crash the
 * name holds the old bytes or the new ones, never a mixture.
 * @return 0 or -errno; on failure the temporary file is gone and the old one stands.
 */
RV_MUST_CHECK int rv_write_file_atomic(int dir_fd, const char *name, const void *data, size_t len,
                                       unsigned mode);
