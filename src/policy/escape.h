/* SPDX-License-Identifier: Apache-2.0 */
/** @file escape.h  Cedar string literals: the escapes inside the quotes, and what text may be. */
#pragma once

#include "policy/text.h"

/** Bytes before the first that is not UTF-8 (RFC 3629); `text.len` when all is well. */
size_t rv_utf8_valid_len(struct rv_span text);

/**
 * Resolve `\n \r \t \0 \\ \" \' \x41 \u{1F600}` of the inside of a literal.
 * @param ret_bad where the offending byte is on -EINVAL; may be NULL.
 * @return 0; -EINVAL; -ENOMEM.
 */
RV_MUST_CHECK int rv_text_unescape(struct rv_arena *arena, struct rv_text raw,
                                   struct rv_text *ret_text, size_t *ret_bad);
