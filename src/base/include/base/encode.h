/* SPDX-License-Identifier: Apache-2.0 */
/** @file base/encode.h  Hex and base64 (RFC 4648 section 4), strict: no blanks, canonical padding;
 * UTF-8.
 */
#pragma once

#include "base/bytes.h"

void rv_hex_add(struct rv_buf *buf, struct rv_span bytes);
/** @return 0; -EINVAL for an odd length or a character that is not hex. Appends to `buf`. */
RV_MUST_CHECK int rv_hex_decode(struct rv_buf *buf, struct rv_span text);
void rv_base64_add(struct rv_buf *buf, struct rv_span bytes);
/** @return 0; -EINVAL for anything but canonical padded base64. Appends to `buf`. */
RV_MUST_CHECK int rv_base64_decode(struct rv_buf *buf, struct rv_span text);
/** Length of the valid UTF-8 sequence that `left` >= 1 bytes at `at` begin with; 0: none (RFC 3629:
 *  no overlongs, no surrogates). */
size_t rv_utf8_sequence(const uint8_t *at, size_t left);
