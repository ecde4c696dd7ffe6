/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file protobuf.h  Reading protobuf's wire format through a bounded reader: fields one by one, no
 * schema, nothing allocated. Groups (wire types 3 and 4) are refused: nobody writes them any more.
 */
#pragma once

#include "base/bytes.h"

enum pb_type { PB_VARINT = 0, PB_FIXED64 = 1, PB_BYTES = 2, PB_FIXED32 = 5 };

struct pb_field {
    uint32_t number;
    enum pb_type type;
    uint64_t value;       /* varint, or the fixed bits */
    struct rv_span bytes; /* PB_BYTES only */
};

/** The next field. @return false at the end and on malformed bytes (then reader->failed is set). */
bool pb_next(struct rv_reader *reader, struct pb_field *ret_field);

/** One varint of a packed list. On malformed bytes 0, and reader->failed is set. */
uint64_t pb_varint(struct rv_reader *reader);
