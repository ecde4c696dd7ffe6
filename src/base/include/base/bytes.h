/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/bytes.h  Bytes that know their length: views, a bounds-checked reader, a buffer.
 * Every parser of untrusted bytes reads through rv_reader; nothing here is thread-safe.
 */
#pragma once

#include "base/base.h"

/** A view of somebody else's bytes. Never owns, need not end in NUL. */
struct rv_span {
    const uint8_t *data;
    size_t len;
};

static inline struct rv_span rv_span(const void *data, size_t len)
{
    return (struct rv_span){ data, len };
}

static inline struct rv_span rv_span_str(const char *text)
{
    return (struct rv_span){ (const uint8_t *)text, strlen(text) };
}

static inline bool rv_span_eq(struct rv_span a, struct rv_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/**
 * A reader over a span. A read past the end sets `failed`, returns zeros and never moves again,
 * so a parser may read a whole record and look at `failed` once.
 */
struct rv_reader {
    struct rv_span rest;
    size_t offset; /* bytes consumed so far: where an error is reported */
    bool failed;
};

static inline struct rv_reader rv_reader(struct rv_span span)
{
    return (struct rv_reader){ .rest = span };
}

/** The next `len` bytes, or an empty span with `failed` set. */
struct rv_span rv_read_bytes(struct rv_reader *reader, size_t len);
uint8_t rv_read_u8(struct rv_reader *reader);
uint16_t rv_read_le16(struct rv_reader *reader);
uint32_t rv_read_le32(struct rv_reader *reader);
uint64_t rv_read_le64(struct rv_reader *reader);
uint16_t rv_read_be16(struct rv_reader *reader);
uint32_t rv_read_be32(struct rv_reader *reader);
uint64_t rv_read_be64(struct rv_reader *reader);

/**
 * A growable buffer. All-zero is a valid empty one. After an allocation failure or an overrun of
 * `len_max` it stays `failed` and takes no more, so a writer may look once at the end.
 * `data` always has a NUL after `len` bytes once anything was written.
 */
struct rv_buf {
    char *data;
    size_t len, room;
    size_t len_max; /* 0: no limit */
    bool failed;
};

void rv_buf_done(struct rv_buf *buf);  /* frees the memory; cleanup attribute */
void rv_buf_clear(struct rv_buf *buf); /* keeps the memory, forgets the content and `failed` */
void rv_buf_add(struct rv_buf *buf, const void *data, size_t len);
void rv_buf_add_str(struct rv_buf *buf, const char *text);
void rv_buf_add_char(struct rv_buf *buf, char c);
void rv_buf_addf(struct rv_buf *buf, const char *format, ...) RV_PRINTF(2, 3);
void rv_buf_add_le16(struct rv_buf *buf, uint16_t value);
void rv_buf_add_le32(struct rv_buf *buf, uint32_t value);
void rv_buf_add_le64(struct rv_buf *buf, uint64_t value);
void rv_buf_add_be16(struct rv_buf *buf, uint16_t value);
void rv_buf_add_be64(struct rv_buf *buf, uint64_t value);
/** Room for `len` more bytes, not yet counted; NULL when failed. */
void *rv_buf_reserve(struct rv_buf *buf, size_t len);
/** The malloc'd content (never NULL), leaving the buffer empty; NULL when failed. */
char *rv_buf_take(struct rv_buf *buf);

static inline struct rv_span rv_buf_span(const struct rv_buf *buf)
{
    return rv_span(buf->data, buf->len);
}
