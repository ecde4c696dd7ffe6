/* SPDX-License-Identifier: Apache-2.0 */
/* .tlog-proof files: what is accepted says the same when written again. */
#include "audit/proof.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char vkey[] = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    RV_AUTO(rv_buf_done) struct rv_buf extra = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf again = { 0 };
    enum rv_proof_finding finding = RV_PROOF_WRONG;
    enum rv_note_finding note = RV_NOTE_UNSIGNED;
    struct rv_checkpoint checkpoint;
    struct rv_proof_file proof;
    struct rv_note_key key;

    if (rv_note_key_parse(&key, rv_span_str(vkey)) < 0)
        abort();
    if (rv_proof_file_parse(&proof, &extra, rv_span(data, len)) < 0)
        return 0;
    rv_proof_file_format(&again, &proof, rv_buf_span(&extra));
    if (!rv_span_eq(rv_buf_span(&again), rv_span(data, len)))
        abort();
    if (rv_proof_file_check(&proof, rv_buf_span(&extra), &key, 1, &note, &finding, &checkpoint) ==
            0 &&
        finding == RV_PROOF_RIGHT && note != RV_NOTE_GOOD)
        abort();
    return 0;
}
