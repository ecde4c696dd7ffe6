/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file agent/boot_guard.h  Two boots that ended badly soon after enforcement began: observe.
 *
 * Enforcement that hurts the host may take it down with it, again and again, before anybody can log
 * in. So each start of enforcement leaves a mark with the boot's id and its time; a clean stop, or
 * ten minutes of life, takes it away. When marks of two other boots stand, enforcement does not
 * start until a person removes the file.
 */
#pragma once

#include "base/clock.h"

#define RV_BOOT_GUARD_NAME    "boot-guard" /* file in the state folder */
#define RV_BOOT_GUARD_NS      (600 * RV_NS_PER_S)
#define RV_BOOT_GUARD_UNCLEAN 2U

enum rv_boot_finding {
    RV_BOOT_OBSERVE = 0, /* enforcement must not start */
    RV_BOOT_ENFORCE,
};

/**
 * May enforcement start? An agent that starts again in the same boot finds its own mark: no harm.
 * @param boot_id of /proc/sys/kernel/random/boot_id: 36 characters.
 * @return 0; -EINVAL for another id; -errno: the file cannot be read, `ret_finding` is untouched.
 */
RV_MUST_CHECK int rv_boot_guard_look(int dir_fd, const char *boot_id,
                                     enum rv_boot_finding *ret_finding);
/** Enforcement starts: leave this boot's mark, once. @return as rv_boot_guard_look(). */
RV_MUST_CHECK int rv_boot_guard_mark(int dir_fd, const char *boot_id, uint64_t unix_ns);
/** This boot went well: its mark goes, and those of others with it. @return 0 or -errno. */
RV_MUST_CHECK int rv_boot_guard_clear(int dir_fd);
