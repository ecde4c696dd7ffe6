/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file disk.h  A disk that remembers what it was asked to do, for fault tests. The linker puts it
 * (--wrap) between the log and libc. Every write, sync, create, rename, mkdir and unlink below one
 * directory is carried out for real and kept in order; afterwards any state that a crash could
 * have left is laid out in another directory: everything up to an operation, only what was synced,
 * all but one of what was not, one of what was not, a write torn in the middle. Or operation
 * number k fails with an error of choice. The model grants less than ext4 does: a name is durable
 * only when its directory was synced, data only when its file was.
 */
#pragma once

#include "base/base.h"

/** Start remembering what happens below `root` (absolute), whatever is there being durable. */
void disk_watch(const char *root);
void disk_unwatch(void);
size_t disk_op_count(void);
const char *disk_op_name(size_t index);

/** Operation `index` (counting from disk_watch()) fails with `error`; a write is cut in half
 *  first. SIZE_MAX: none. */
void disk_fail_at(size_t index, int error);

enum disk_loss {
    DISK_KILLED,    /* nothing is lost: the process died, the machine did not */
    DISK_POWER,     /* all that was not synced is lost */
    DISK_ONE_LOST,  /* one unsynced operation is lost, the others made it */
    DISK_ONE_KEPT,  /* one unsynced operation made it, the others are lost */
    DISK_TORN_HEAD, /* an unsynced write: only its first half made it; all else did */
    DISK_TORN_TAIL, /* only its second half made it */
    DISK_LOSS_COUNT_,
};

/** How many variants of a loss there are after the first `ops` operations. */
size_t disk_variants(size_t ops, enum disk_loss loss);
/** Lay out variant `variant` in the directory `to`, which is emptied first. */
void disk_lay_out(size_t ops, enum disk_loss loss, size_t variant, const char *to);
