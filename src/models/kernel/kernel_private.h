/* SPDX-License-Identifier: Apache-2.0 */
/** @file kernel_private.h  How the emitted program finds its row. */
#pragma once

#include "models/kernel.h"

/** For trials: rows lie in an array map and a cursor goes round them. */
struct emit_source {
    int map_fd;    /* value: struct rv_kernel_score */
    int cursor_fd; /* array of one u32; -1: always key 0 */
    uint32_t mask; /* rows in the map minus one, a power of two minus one */
};

RV_MUST_CHECK int kernel_emit(const struct rv_kernel_model *model,
                              const struct rv_kernel_place *place, const struct emit_source *source,
                              struct rv_buf *ret_code);

/** The width of the row that all heads read; 0 if they disagree or there is none. */
uint32_t kernel_width(const struct rv_kernel_model *model);
