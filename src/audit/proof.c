/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/proof.h"

#include "base/encode.h"

#define FIRST_LINE "c2sp.org/tlog-proof@v1"

void rv_proof_lines_format(struct rv_buf *buf, const struct rv_proof *proof)
{
    for (size_t i = 0; i < proof->count; i++) {
        rv_base64_add(buf, rv_span(proof->hashes[i].bytes, RV_SHA256_LEN));
        rv_buf_add_char(buf, '\n');
    }
}

int rv_proof_lines_parse(struct rv_proof *ret_proof, struct rv_span *text, size_t count_max)
{
    struct rv_span rest = *text, line;

    ret_proof->count = 0;
    for (;;) {
        if (rv_line_take(&rest, &line) < 0)
            return -EBADMSG;
        if (line.len == 0)
            break;
        if (ret_proof->count == count_max ||
            rv_hash_parse(&ret_proof->hashes[ret_proof->count], line) < 0)
            return -EBADMSG;
        ret_proof->count++;
    }
    *text = rest;
    return 0;
}

void rv_proof_file_format(struct rv_buf *buf, const struct rv_proof_file *proof,
                          struct rv_span extra)
{
    rv_buf_add_str(buf, FIRST_LINE "\n");
    if (proof->has_extra) {
        rv_buf_add_str(buf, "extra ");
        rv_base64_add(buf, extra);
        rv_buf_add_char(buf, '\n');
    }
    rv_buf_addf(buf, "index %llu\n", (unsigned long long)proof->index);
    rv_proof_lines_format(buf, &proof->inclusion);
    rv_buf_add_char(buf, '\n');
    rv_buf_add(buf, proof->checkpoint.data, proof->checkpoint.len);
}

static bool take_prefix(struct rv_span *line, const char *prefix)
{
    size_t len = strlen(prefix);

    if (line->len < len || memcmp(line->data, prefix, len) != 0)
        return false;
    *line = rv_span(line->data + len, line->len - len);
    return true;
}

int rv_proof_file_parse(struct rv_proof_file *ret_proof, struct rv_buf *ret_extra,
                        struct rv_span bytes)
{
    struct rv_proof_file proof = { 0 };
    struct rv_span line;
    int r;

    if (rv_line_take(&bytes, &line) < 0 || !rv_span_eq(line, rv_span_str(FIRST_LINE)) ||
        rv_line_take(&bytes, &line) < 0)
        return -EBADMSG;
    if (take_prefix(&line, "extra ")) {
        r = rv_base64_decode(ret_extra, line);
        if (r < 0)
            return r == -EINVAL ? -EBADMSG : r;
        proof.has_extra = true;
        if (rv_line_take(&bytes, &line) < 0)
            return -EBADMSG;
    }
    if (!take_prefix(&line, "index ") || rv_size_parse(&proof.index, line) < 0)
        return -EBADMSG;
    r = rv_proof_lines_parse(&proof.inclusion, &bytes, RV_PROOF_MAX);
    if (r < 0)
        return r;
    proof.checkpoint = bytes;
    *ret_proof = proof;
    return 0;
}

int rv_proof_file_check(const struct rv_proof_file *proof, struct rv_span entry,
                        const struct rv_note_key *keys, size_t key_count,
                        enum rv_note_finding *ret_note, enum rv_proof_finding *ret_finding,
                        struct rv_checkpoint *ret_checkpoint)
{
    struct rv_sha256 leaf = rv_tree_leaf(NULL, entry);
    enum rv_note_finding note = RV_NOTE_UNSIGNED;
    struct rv_checkpoint checkpoint;
    int r;

    r = rv_checkpoint_open(&checkpoint, &note, proof->checkpoint, keys, key_count);
    if (r < 0)
        return r;
    *ret_note = note;
    *ret_checkpoint = checkpoint;
    *ret_finding = note == RV_NOTE_GOOD
                       ? rv_proof_check_inclusion(&proof->inclusion, proof->index, &leaf,
                                                  checkpoint.head.size, &checkpoint.head.root)
                       : RV_PROOF_WRONG;
    return 0;
}
