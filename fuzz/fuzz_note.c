/* SPDX-License-Identifier: Apache-2.0 */
/* Signed notes, checkpoints and the text of keys. */
#include "audit/checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char vkey[] = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

/** What parses as a key is written the same way again. */
static void check_key(struct rv_span bytes)
{
    RV_AUTO(rv_signer_free) struct rv_signer *signer = NULL;
    RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };
    struct rv_note_key key, again;

    if (rv_note_key_parse(&key, bytes) == 0) {
        rv_note_key_format(&text, &key);
        if (rv_note_key_parse(&again, rv_buf_span(&text)) < 0 ||
            memcmp(&key, &again, sizeof(key)) != 0)
            abort();
    }
    (void)!rv_signer_parse(&signer, bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rv_span bytes = rv_span(data, len);
    enum rv_note_finding finding = RV_NOTE_UNSIGNED;
    struct rv_checkpoint checkpoint;
    struct rv_note_key key;

    if (rv_note_key_parse(&key, rv_span_str(vkey)) < 0)
        abort();
    (void)!rv_checkpoint_open(&checkpoint, &finding, bytes, &key, 1);
    if (rv_checkpoint_parse(&checkpoint, bytes) == 0 && checkpoint.head.size > INT64_MAX)
        abort();
    check_key(bytes);
    return 0;
}
