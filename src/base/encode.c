/* SPDX-License-Identifier: Apache-2.0 */
#include "base/encode.h"

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

void rv_hex_add(struct rv_buf *buf, struct rv_span bytes)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < bytes.len; i++) {
        rv_buf_add_char(buf, digits[bytes.data[i] >> 4]);
        rv_buf_add_char(buf, digits[bytes.data[i] & 15]);
    }
}

int rv_hex_decode(struct rv_buf *buf, struct rv_span text)
{
    if (text.len % 2 != 0)
        return -EINVAL;
    for (size_t i = 0; i < text.len; i += 2) {
        int high = hex_digit(text.data[i]), low = hex_digit(text.data[i + 1]);

        if (high < 0 || low < 0)
            return -EINVAL;
        rv_buf_add_char(buf, (char)(high << 4 | low));
    }
    return buf->failed ? -ENOMEM : 0;
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void rv_base64_add(struct rv_buf *buf, struct rv_span bytes)
{
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t have = rv_min_u64(3, bytes.len - i);
        uint32_t word = (uint32_t)bytes.data[i] << 16;
        char quad[4];

        if (have > 1)
            word |= (uint32_t)bytes.data[i + 1] << 8;
        if (have > 2)
            word |= bytes.data[i + 2];
        quad[0] = base64_digits[word >> 18];
        quad[1] = base64_digits[word >> 12 & 63];
        quad[2] = '=';
        quad[3] = '=';
        if (have > 1)
            quad[2] = base64_digits[word >> 6 & 63];
        if (have > 2)
            quad[3] = base64_digits[word & 63];
        rv_buf_add(buf, quad, sizeof(quad));
    }
}

static int base64_digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    if (c == '/')
        return 63;
    return -1;
}

int rv_base64_decode(struct rv_buf *buf, struct rv_span text)
{
    if (text.len % 4 != 0)
        return -EINVAL;
    for (size_t i = 0; i < text.len; i += 4) {
        bool last = i + 4 == text.len;
        size_t digits = 4;
        uint32_t word = 0;

        if (last && text.data[i + 3] == '=')
            digits = text.data[i + 2] == '=' ? 2 : 3;
        for (size_t k = 0; k < digits; k++) {
            int digit = base64_digit(text.data[i + k]);

            if (digit < 0)
                return -EINVAL;
            word |= (uint32_t)digit << (18 - 6 * k);
        }
        /* Bits beyond the last byte must be zero, or two texts would mean the same bytes. */
        if ((digits == 2 && (word & 0xffff)) || (digits == 3 && (word & 0xff)))
            return -EINVAL;
        for (size_t k = 0; k + 1 < digits; k++)
            rv_buf_add_char(buf, (char)(word >> (16 - 8 * k) & 0xff));
    }
    return buf->failed ? -ENOMEM : 0;
}

size_t rv_utf8_sequence(const uint8_t *at, size_t left)
{
    size_t len = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;

    if (len == 0 || at[0] > 0xf4 || len > left)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
        (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
        return 0;
    return len;
}
