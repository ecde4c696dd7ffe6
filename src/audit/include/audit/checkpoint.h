/* SPDX-License-Identifier: Apache-2.0 */
/** @file audit/checkpoint.h  C2SP checkpoints: a signed note saying origin, size and root. Pure. */
#pragma once

#include "audit/note.h"
#include "audit/tree.h"

#define RV_ORIGIN_MAX ((size_t)255)

struct rv_checkpoint {
    char origin[RV_ORIGIN_MAX + 1];
    struct rv_tree_head head;
};

/** The note's text: three lines. */
void rv_checkpoint_format(struct rv_buf *buf, const struct rv_checkpoint *checkpoint);
/** Parse a note's text. Extension lines, if any, must not be empty and are ignored. @return 0;
 *  -EBADMSG. */
RV_MUST_CHECK int rv_checkpoint_parse(struct rv_checkpoint *ret_checkpoint, struct rv_span text);

/**
 * Parse and check a signed checkpoint: form, signatures, and that one of the keys which signed it
 * (RV_NOTE_ED25519) bears the origin's name.
 * @param ret_finding    RV_NOTE_GOOD only then.
 * @param ret_checkpoint filled whenever 0 is returned; do not trust it unless RV_NOTE_GOOD.
 * @return 0; -EBADMSG for what is not a signed checkpoint.
 */
RV_MUST_CHECK int rv_checkpoint_open(struct rv_checkpoint *ret_checkpoint,
                                     enum rv_note_finding *ret_finding, struct rv_span bytes,
                                     const struct rv_note_key *keys, size_t key_count);
/** Decimal without leading zeros, below 2^63. @return 0; -EBADMSG. */
RV_MUST_CHECK int rv_size_parse(uint64_t *ret_size, struct rv_span text);
/** Base64 of 32 bytes. @return 0; -EBADMSG. */
RV_MUST_CHECK int rv_hash_parse(struct rv_sha256 *ret_hash, struct rv_span text);
/** Take the next line, without its newline, off the front of `text`. @return 0; -EBADMSG if there
 *  is no newline. */
RV_MUST_CHECK int rv_line_take(struct rv_span *text, struct rv_span *ret_line);
