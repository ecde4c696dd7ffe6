/* SPDX-License-Identifier: Apache-2.0 */
/** @file base/base.h  What every file may use: ownership, must-check, counts. No state, no I/O. */
#pragma once

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/** The caller must look at the result: 0 or a negative errno. */
#define RV_MUST_CHECK __attribute__((warn_unused_result))

/** Run `fn(&variable)` when the variable leaves scope. Pair with RV_TAKE to hand it over. */
#define RV_AUTO(fn) __attribute__((cleanup(fn)))

/** The pointer's value; the variable becomes NULL, so its cleanup does nothing. */
#define RV_TAKE(ptr)                                                                               \
    ({                                                                                             \
        __typeof__(ptr) *rv_take_from_ = &(ptr);                                                   \
        __typeof__(ptr) rv_take_value_ = *rv_take_from_;                                           \
        *rv_take_from_ = NULL;                                                                     \
        rv_take_value_;                                                                            \
    })

/** Number of elements of an array (never of a pointer). */
#define RV_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define RV_PRINTF(format_at, args_at) __attribute__((format(printf, format_at, args_at)))

/** Cleanup for malloc'd memory: `RV_AUTO(rv_freep) char *text = NULL;`. */
static inline void rv_freep(void *ptr_to_pointer)
{
    void *memory;

    memcpy(&memory, ptr_to_pointer, sizeof(memory));
    free(memory);
}

static inline uint64_t rv_min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t rv_max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static inline bool rv_streq(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}
