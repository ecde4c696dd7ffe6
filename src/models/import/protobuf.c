/* SPDX-License-Identifier: Apache-2.0 */
#include "protobuf.h"

uint64_t pb_varint(struct rv_reader *reader)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = rv_read_u8(reader);

        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return reader->failed ? 0 : value;
    }
    reader->failed = true; /* more than ten bytes */
    return 0;
}

bool pb_next(struct rv_reader *reader, struct pb_field *ret_field)
{
    struct pb_field field = { 0 };
    uint64_t key;

    if (reader->failed || reader->rest.len == 0)
        return false;
    key = pb_varint(reader);
    field.number = (uint32_t)(key >> 3);
    if (key >> 3 == 0 || key >> 3 > UINT32_MAX)
        reader->failed = true;
    switch (key & 7) {
    case PB_VARINT:
        field.type = PB_VARINT;
        field.value = pb_varint(reader);
        break;
    case PB_FIXED64:
        field.type = PB_FIXED64;
        field.value = rv_read_le64(reader);
        break;
    case PB_BYTES: {
        uint64_t len = pb_varint(reader);

        field.type = PB_BYTES;
        if (len > reader->rest.len)
            reader->failed = true;
        else
            field.bytes = rv_read_bytes(reader, len);
        break;
    }
    case PB_FIXED32:
        field.type = PB_FIXED32;
        field.value = rv_read_le32(reader);
        break;
    default:
        reader->failed = true;
    }
    if (reader->failed)
        return false;
    *ret_field = field;
    return true;
}
