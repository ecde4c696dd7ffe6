/* SPDX-License-Identifier: Apache-2.0 */
/** @file note_internal.h  What note.c and signer.c share: the text forms of keys. */
#pragma once

#include "audit/note.h"

/** `name+hash+base64(algorithm || 32 bytes)` taken apart; the hash not yet compared. */
struct rv_note_key_text {
    struct rv_span name; /* a view */
    uint32_t id;
    uint8_t algorithm;
    uint8_t material[RV_ED25519_KEY_LEN]; /* public key or seed */
};

RV_MUST_CHECK int rv_note_key_split(struct rv_span text, struct rv_note_key_text *ret_parts);
bool rv_note_name_valid(struct rv_span name);
void rv_note_cosigned_message(struct rv_buf *buf, struct rv_span text, uint64_t unix_s);
/** Parse bare signature lines, adding them to `note`. @return 0; -EBADMSG. */
RV_MUST_CHECK int rv_note_parse_signatures(struct rv_note *note, struct rv_span lines);
