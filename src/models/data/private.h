/* SPDX-License-Identifier: Apache-2.0 */
/** @file data/private.h  What the readers of data sets share among themselves. */
#pragma once

#include "models/dataset.h"

void rv_sequence_done(struct rv_sequence *item);

/**
 * Room for one more item in a growing array: `items` is the address of the pointer to it.
 * @return 0 or -ENOMEM.
 */
RV_MUST_CHECK int rv_dataset_grow(void *items, size_t *room, size_t count, size_t item_size);

/** Fill `reterr` (may be NULL). @return -EBADMSG, for `return`. */
int rv_dataset_refuse(struct rv_dataset_error *reterr, size_t line, const char *format, ...)
    RV_PRINTF(3, 4);

/** The bytes of a file, decompressed when it is gzip. @return 0; -EBADMSG; -EFBIG; -errno. */
RV_MUST_CHECK int rv_dataset_load(int dir_fd, const char *path, struct rv_buf *ret_bytes,
                                  struct rv_dataset_error *reterr);

/** Lines of a text, one after another: newline and a carriage return before it are cut off. */
struct rv_line_reader {
    struct rv_span rest;
    size_t number; /* of the line last given, from 1 */
};
bool rv_line_next(struct rv_line_reader *reader, struct rv_span *ret_line);

/** Cut the next field off `rest` at `separator`. @return false when nothing was left. */
bool rv_field_next(struct rv_span *rest, char separator, struct rv_span *ret_field);

static inline bool rv_span_is(struct rv_span span, const char *text)
{
    return rv_span_eq(span, rv_span_str(text));
}

/** Blanks and quotes around a cell do not belong to it. */
struct rv_span rv_span_trim(struct rv_span span);

/** A malloc'd copy ending in NUL, or NULL without memory. NUL bytes inside become blanks. */
char *rv_span_dup(struct rv_span span);
