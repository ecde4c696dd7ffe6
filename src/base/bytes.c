/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"

#include <endian.h>
#include <stdarg.h>
#include <stdio.h>

struct rv_span rv_read_bytes(struct rv_reader *reader, size_t len)
{
    struct rv_span taken;

    if (reader->failed || len > reader->rest.len) {
        reader->failed = true;
        return rv_span(NULL, 0);
    }
    taken = rv_span(reader->rest.data, len);
    reader->rest.data += len;
    reader->rest.len -= len;
    reader->offset += len;
    return taken;
}

static void read_into(struct rv_reader *reader, void *value, size_t len)
{
    struct rv_span bytes = rv_read_bytes(reader, len);

    if (bytes.len == len)
        memcpy(value, bytes.data, len);
}

uint8_t rv_read_u8(struct rv_reader *reader)
{
    uint8_t value = 0;

    read_into(reader, &value, sizeof(value));
    return value;
}

uint16_t rv_read_le16(struct rv_reader *reader)
{
    uint16_t value = 0;

    read_into(reader, &value, sizeof(value));
    return le16toh(value);
}

uint32_t rv_read_le32(struct rv_reader *reader)
{
    uint32_t value = 0;

    read_into(reader, &value, sizeof(value));
    return le32toh(value);
}

uint64_t rv_read_le64(struct rv_reader *reader)
{
    uint64_t value = 0;

    read_into(reader, &value, sizeof(value));
    return le64toh(value);
}

uint16_t rv_read_be16(struct rv_reader *reader)
{
    uint16_t value = 0;

    read_into(reader, &value, sizeof(value));
    return be16toh(value);
}

uint32_t rv_read_be32(struct rv_reader *reader)
{
    uint32_t value = 0;

    read_into(reader, &value, sizeof(value));
    return be32toh(value);
}

uint64_t rv_read_be64(struct rv_reader *reader)
{
    uint64_t value = 0;

    read_into(reader, &value, sizeof(value));
    return be64toh(value);
}

void rv_buf_done(struct rv_buf *buf)
{
    free(buf->data);
    *buf = (struct rv_buf){ .len_max = buf->len_max };
}

void rv_buf_clear(struct rv_buf *buf)
{
    buf->len = 0;
    buf->failed = false;
    if (buf->data)
        buf->data[0] = '\0';
}

void *rv_buf_reserve(struct rv_buf *buf, size_t len)
{
    size_t need, room;
    char *grown;

    if (buf->failed)
        return NULL;
    if (__builtin_add_overflow(buf->len, len, &need) || need >= SIZE_MAX / 2 ||
        (buf->len_max && need > buf->len_max)) {
        buf->failed = true;
        return NULL;
    }
    if (need + 1 > buf->room) {
        room = rv_max_u64(64, buf->room * 2);
        room = rv_max_u64(room, need + 1);
        grown = realloc(buf->data, room);
        if (!grown) {
            buf->failed = true;
            return NULL;
        }
        buf->data = grown;
        buf->room = room;
    }
    return buf->data + buf->len;
}

void rv_buf_add(struct rv_buf *buf, const void *data, size_t len)
{
    void *to = rv_buf_reserve(buf, len);

    if (!to)
        return;
    if (len > 0)
        memcpy(to, data, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void rv_buf_add_str(struct rv_buf *buf, const char *text)
{
    rv_buf_add(buf, text, strlen(text));
}

void rv_buf_add_char(struct rv_buf *buf, char c)
{
    rv_buf_add(buf, &c, 1);
}

void rv_buf_addf(struct rv_buf *buf, const char *format, ...)
{
    va_list args, again;
    char *to;
    int len;

    va_start(args, format);
    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    to = len < 0 ? NULL : rv_buf_reserve(buf, (size_t)len);
    if (to) {
        (void)vsnprintf(to, (size_t)len + 1, format, again);
        buf->len += (size_t)len;
    } else {
        buf->failed = true;
    }
    va_end(again);
}

void rv_buf_add_le16(struct rv_buf *buf, uint16_t value)
{
    value = htole16(value);
    rv_buf_add(buf, &value, sizeof(value));
}

void rv_buf_add_le32(struct rv_buf *buf, uint32_t value)
{
    value = htole32(value);
    rv_buf_add(buf, &value, sizeof(value));
}

void rv_buf_add_le64(struct rv_buf *buf, uint64_t value)
{
    value = htole64(value);
    rv_buf_add(buf, &value, sizeof(value));
}

void rv_buf_add_be16(struct rv_buf *buf, uint16_t value)
{
    value = htobe16(value);
    rv_buf_add(buf, &value, sizeof(value));
}

void rv_buf_add_be64(struct rv_buf *buf, uint64_t value)
{
    value = htobe64(value);
    rv_buf_add(buf, &value, sizeof(value));
}

char *rv_buf_take(struct rv_buf *buf)
{
    char *data;

    if (!rv_buf_reserve(buf, 0))
        return NULL;
    buf->data[buf->len] = '\0';
    data = RV_TAKE(buf->data);
    rv_buf_done(buf);
    return data;
}
