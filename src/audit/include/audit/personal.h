/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file audit/personal.h  Personal data beside the log, so that it can be erased while every proof
 * stays valid: an entry holds only a salted commitment,
 *   {"personal": hex of SHA-256("reeve personal v1\n" || 32 random bytes || value), "at": offset}
 * and the salt and the value lie in `.state/personal`, one file of records that are overwritten
 * with zeros when they are erased. Without the salt a commitment says nothing, not even to one who
 * guesses the value. What erasing cannot reach: copies (backups, snapshots, exports) and old blocks
 * of disks that write elsewhere; keep the store on an encrypted volume where that matters.
 *
 * One writer, the one that holds the log; reading needs no lock. Not thread-safe.
 */
#pragma once

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"

#define RV_PERSONAL_VALUE_MAX   ((size_t)65535)
#define RV_PERSONAL_SUBJECT_MAX ((size_t)255)

struct rv_personal;

/** Open the store of the log in `log_dir_fd`, creating it. @return 0 or -errno. */
RV_MUST_CHECK int rv_personal_open(struct rv_personal **ret_personal, int log_dir_fd);
/** Open for reading. @return 0; -ENOENT: there is none; another -errno. */
RV_MUST_CHECK int rv_personal_open_readonly(struct rv_personal **ret_personal, int log_dir_fd);
void rv_personal_free(struct rv_personal **personal);

/**
 * Keep a value and get what an entry may say of it.
 * @param subject whose it is, such as "uid:1000": what rv_personal_erase() is asked by.
 * @param ret_commitment a new object, to put into the entry's members.
 * @return 0; -EMSGSIZE; -EROFS when opened for reading; another -errno.
 */
RV_MUST_CHECK int rv_personal_put(struct rv_personal *personal, const char *subject,
                                  struct rv_span value, uint64_t unix_us, json_t **ret_commitment);
/** Make what was put durable. A value lost in a crash reads as erased; the log is not harmed, so
 *  once a checkpoint is often enough. */
RV_MUST_CHECK int rv_personal_sync(struct rv_personal *personal);

/**
 * The value that a commitment stands for, appended to `ret_value`.
 * @return 0; -ENOENT when it was erased, or is of another store; -EINVAL for no commitment.
 */
RV_MUST_CHECK int rv_personal_get(struct rv_personal *personal, const json_t *commitment,
                                  struct rv_buf *ret_value);

struct rv_personal_match {
    const char *subject; /* NULL: anybody's */
    uint64_t before_us;  /* only values older than this; 0: of any age */
};

/**
 * Erase what matches; durable on return.
 * @param ret_erased an array of the commitments' hashes (hex), for the entry that records it.
 */
RV_MUST_CHECK int rv_personal_erase(struct rv_personal *personal,
                                    const struct rv_personal_match *match, json_t **ret_erased);
