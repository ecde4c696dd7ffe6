/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file audit/proof.h  `.tlog-proof` files (C2SP tlog-proof): that an entry is in a log, for
 * somebody who has only public keys. Reeve puts the entry itself into the "extra" line, so that
 * one file is enough; nothing of it is believed before it hashes to the proven leaf. Pure.
 */
#pragma once

#include "audit/checkpoint.h"

/** Longer entries stay out of the file: Go's reader takes lines below 64 KiB. */
#define RV_PROOF_EXTRA_MAX ((size_t)48000)

/** A proof taken apart; views into the bytes it was parsed from. */
struct rv_proof_file {
    uint64_t index;
    struct rv_proof inclusion;
    struct rv_span checkpoint; /* the signed note */
    bool has_extra;
};

void rv_proof_file_format(struct rv_buf *buf, const struct rv_proof_file *proof,
                          struct rv_span extra);
/**
 * @param ret_extra the decoded "extra" line is appended, if there is one.
 * @return 0; -EBADMSG; -ENOMEM.
 */
RV_MUST_CHECK int rv_proof_file_parse(struct rv_proof_file *ret_proof, struct rv_buf *ret_extra,
                                      struct rv_span bytes);

/** The whole judgement: the checkpoint is signed by its origin's key and contains the entry. */
RV_MUST_CHECK int rv_proof_file_check(const struct rv_proof_file *proof, struct rv_span entry,
                                      const struct rv_note_key *keys, size_t key_count,
                                      enum rv_note_finding *ret_note,
                                      enum rv_proof_finding *ret_finding,
                                      struct rv_checkpoint *ret_checkpoint);

/** Parse a hash per line up to the blank line, which is taken too. @return 0; -EBADMSG. */
RV_MUST_CHECK int rv_proof_lines_parse(struct rv_proof *ret_proof, struct rv_span *text,
                                       size_t count_max);
void rv_proof_lines_format(struct rv_buf *buf, const struct rv_proof *proof);
