/* SPDX-License-Identifier: Apache-2.0 */
/** @file base/encode.h  Hex and base64 (RFC 4648 section 4), strict: no blanks, canonical padding.
 */
#pragma once

#include "base/bytes.h"

void rv_hex_add(struct rv_buf *buf, struct rv_span bytes);
/** @return 0; -EINVAL for an odd length or a character that is not hex. Appends to `buf`. */
RV_MUST_CHECK int rv_hex_decode(struct rv_buf *buf, struct rv_span text);
void rv_base64_add(struct rv_buf *buf, struct rv_span bytes);
/** @return 0; -EINVAL for anything but canonical padded base64. Appends to `buf`. */
RV_MUST_CHECK int rv_base64_decode(struct rv_buf *buf, struct rv_span text);
