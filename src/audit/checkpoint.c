/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/checkpoint.h"

#include "base/encode.h"

int rv_size_parse(uint64_t *ret_size, struct rv_span text)
{
    uint64_t size = 0;

    if (text.len == 0 || text.len > 19 || (text.data[0] == '0' && text.len > 1))
        return -EBADMSG;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return -EBADMSG;
        size = size * 10 + (uint64_t)(text.data[i] - '0'); /* 19 digits always fit */
    }
    if (size > INT64_MAX)
        return -EBADMSG;
    *ret_size = size;
    return 0;
}

int rv_hash_parse(struct rv_sha256 *ret_hash, struct rv_span text)
{
    RV_AUTO(rv_buf_done) struct rv_buf bytes = { .len_max = RV_SHA256_LEN };

    if (text.len != 44 || rv_base64_decode(&bytes, text) < 0 || bytes.len != RV_SHA256_LEN)
        return -EBADMSG;
    memcpy(ret_hash->bytes, bytes.data, RV_SHA256_LEN);
    return 0;
}

int rv_line_take(struct rv_span *text, struct rv_span *ret_line)
{
    const uint8_t *end = text->len ? memchr(text->data, '\n', text->len) : NULL;
    size_t len;

    if (!end)
        return -EBADMSG;
    len = (size_t)(end - text->data);
    *ret_line = rv_span(text->data, len);
    *text = rv_span(end + 1, text->len - len - 1);
    return 0;
}

void rv_checkpoint_format(struct rv_buf *buf, const struct rv_checkpoint *checkpoint)
{
    rv_buf_addf(buf, "%s\n%llu\n", checkpoint->origin, (unsigned long long)checkpoint->head.size);
    rv_base64_add(buf, rv_span(checkpoint->head.root.bytes, RV_SHA256_LEN));
    rv_buf_add_char(buf, '\n');
}

int rv_checkpoint_parse(struct rv_checkpoint *ret_checkpoint, struct rv_span text)
{
    struct rv_checkpoint checkpoint = { 0 };
    struct rv_span origin, size, root, extension;

    if (rv_line_take(&text, &origin) < 0 || rv_line_take(&text, &size) < 0 ||
        rv_line_take(&text, &root) < 0)
        return -EBADMSG;
    if (origin.len == 0 || origin.len > RV_ORIGIN_MAX || memchr(origin.data, '\0', origin.len))
        return -EBADMSG;
    memcpy(checkpoint.origin, origin.data, origin.len);
    if (rv_size_parse(&checkpoint.head.size, size) < 0 ||
        rv_hash_parse(&checkpoint.head.root, root) < 0)
        return -EBADMSG;
    while (text.len > 0) {
        if (rv_line_take(&text, &extension) < 0 || extension.len == 0)
            return -EBADMSG;
    }
    *ret_checkpoint = checkpoint;
    return 0;
}

static bool origin_signed(const struct rv_checkpoint *checkpoint, const struct rv_note_key *keys,
                          size_t key_count, uint64_t signed_by)
{
    for (size_t i = 0; i < key_count; i++) {
        if ((signed_by >> i & 1) && keys[i].algorithm == RV_NOTE_ED25519 &&
            rv_streq(keys[i].name, checkpoint->origin))
            return true;
    }
    return false;
}

int rv_checkpoint_open(struct rv_checkpoint *ret_checkpoint, enum rv_note_finding *ret_finding,
                       struct rv_span bytes, const struct rv_note_key *keys, size_t key_count)
{
    RV_AUTO(rv_freep) struct rv_note *note = malloc(sizeof(*note));
    enum rv_note_finding finding;
    uint64_t signed_by = 0;
    int r;

    if (!note)
        return -ENOMEM;
    r = rv_note_parse(note, bytes);
    if (r == 0)
        r = rv_checkpoint_parse(ret_checkpoint, note->text);
    if (r < 0)
        return r;
    finding = rv_note_check(note, keys, key_count, &signed_by);
    if (finding == RV_NOTE_GOOD && !origin_signed(ret_checkpoint, keys, key_count, signed_by))
        finding = RV_NOTE_UNSIGNED;
    *ret_finding = finding;
    return 0;
}
