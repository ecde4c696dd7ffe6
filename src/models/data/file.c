/* SPDX-License-Identifier: Apache-2.0 */
/* Files of data sets as bytes: gzip undone, lines and fields cut, refusals worded. */
#include "private.h"

#include "base/fd.h"

#include <stdarg.h>
#include <stdio.h>
#include <zlib.h>

int rv_dataset_refuse(struct rv_dataset_error *reterr, size_t line, const char *format, ...)
{
    va_list args;

    if (!reterr)
        return -EBADMSG;
    reterr->line = line;
    va_start(args, format);
    (void)vsnprintf(reterr->message, sizeof(reterr->message), format, args);
    va_end(args);
    return -EBADMSG;
}

/** Inflate into `into` until the stream ends, all its input is used up, or it breaks. */
static int inflate_all(z_stream *stream, struct rv_buf *into, size_t len_max)
{
    const size_t chunk = (size_t)1 << 18;

    for (;;) {
        uint8_t *room = rv_buf_reserve(into, chunk);
        int z;

        if (!room)
            return -ENOMEM;
        stream->next_out = room;
        stream->avail_out = (uInt)chunk;
        z = inflate(stream, Z_NO_FLUSH);
        into->len += chunk - stream->avail_out;
        if (into->len > len_max)
            return -EFBIG;
        if (z == Z_STREAM_END) {
            if (stream->avail_in == 0)
                return 0;
            if (inflateReset(stream) != Z_OK) /* the next member of a concatenation */
                return -EBADMSG;
            continue;
        }
        if (z == Z_MEM_ERROR)
            return -ENOMEM;
        if (z != Z_OK || (stream->avail_in == 0 && stream->avail_out > 0))
            return -EBADMSG; /* damaged, or cut short */
    }
}

int rv_gunzip(struct rv_buf *into, struct rv_span bytes, size_t len_max)
{
    z_stream stream = { 0 };
    int r;

    if (bytes.len > UINT32_MAX)
        return -EFBIG;
    if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK)
        return -ENOMEM;
    stream.next_in = (Bytef *)(uintptr_t)bytes.data; /* zlib does not write through it */
    stream.avail_in = (uInt)bytes.len;
    r = inflate_all(&stream, into, len_max);
    (void)inflateEnd(&stream);
    return r;
}

int rv_dataset_load(int dir_fd, const char *path, struct rv_buf *ret_bytes,
                    struct rv_dataset_error *reterr)
{
    RV_AUTO(rv_freep) char *raw = NULL;
    size_t len = 0;
    int r = rv_read_file(dir_fd, path, RV_DATASET_BYTES_MAX, &raw, &len);

    if (r < 0) {
        (void)rv_dataset_refuse(reterr, 0, "cannot read it: %s", strerror(-r));
        return r;
    }
    if (len >= 2 && (uint8_t)raw[0] == 0x1f && (uint8_t)raw[1] == 0x8b) {
        r = rv_gunzip(ret_bytes, rv_span(raw, len), RV_DATASET_BYTES_MAX);
        if (r < 0)
            (void)rv_dataset_refuse(reterr, 0, "its gzip data is %s",
                                    r == -EFBIG ? "larger than 1 GiB" : "damaged or cut short");
        return r;
    }
    *ret_bytes = (struct rv_buf){ .data = RV_TAKE(raw), .len = len, .room = len + 1 };
    return 0;
}

bool rv_line_next(struct rv_line_reader *reader, struct rv_span *ret_line)
{
    const uint8_t *newline;
    size_t len;

    if (reader->rest.len == 0)
        return false;
    newline = memchr(reader->rest.data, '\n', reader->rest.len);
    len = newline ? (size_t)(newline - reader->rest.data) : reader->rest.len;
    *ret_line = rv_span(reader->rest.data, len);
    reader->rest.data += len + (newline ? 1 : 0);
    reader->rest.len -= len + (newline ? 1 : 0);
    reader->number++;
    if (ret_line->len > 0 && ret_line->data[ret_line->len - 1] == '\r')
        ret_line->len--;
    return true;
}

bool rv_field_next(struct rv_span *rest, char separator, struct rv_span *ret_field)
{
    const uint8_t *cut;

    if (!rest->data)
        return false;
    cut = rest->len ? memchr(rest->data, separator, rest->len) : NULL;
    if (!cut) {
        *ret_field = *rest;
        *rest = rv_span(NULL, 0);
        return true;
    }
    *ret_field = rv_span(rest->data, (size_t)(cut - rest->data));
    rest->len -= ret_field->len + 1;
    rest->data = cut + 1;
    return true;
}

struct rv_span rv_span_trim(struct rv_span span)
{
    while (span.len > 0 && (span.data[0] == ' ' || span.data[0] == '"')) {
        span.data++;
        span.len--;
    }
    while (span.len > 0 && (span.data[span.len - 1] == ' ' || span.data[span.len - 1] == '"'))
        span.len--;
    return span;
}

char *rv_span_dup(struct rv_span span)
{
    char *copy = malloc(span.len + 1);

    if (!copy)
        return NULL;
    for (size_t i = 0; i < span.len; i++)
        copy[i] = span.data[i] ? (char)span.data[i] : ' ';
    copy[span.len] = '\0';
    return copy;
}
