/* SPDX-License-Identifier: Apache-2.0 */
/* Writing packages: sections sorted by name, back to back, each with its digest. */
#include "package_private.h"

void rv_package_writer_done(struct rv_package_writer *writer)
{
    for (size_t i = 0; i < writer->count; i++)
        rv_buf_done(&writer->sections[i].bytes);
    writer->count = 0;
}

int rv_package_add(struct rv_package_writer *writer, const char *name, struct rv_span bytes)
{
    char padded[RV_PACKAGE_NAME_MAX + 1] = { 0 };
    struct rv_buf copy = { 0 };
    size_t len = strlen(name), at = writer->count;

    if (len > RV_PACKAGE_NAME_MAX)
        return -EINVAL;
    memcpy(padded, name, len);
    if (!package_name_ok(padded))
        return -EINVAL;
    for (size_t i = 0; i < writer->count; i++) {
        if (rv_streq(writer->sections[i].name, name))
            return -EEXIST;
    }
    if (writer->count == RV_PACKAGE_SECTIONS_MAX)
        return -ENOSPC;
    rv_buf_add(&copy, bytes.data, bytes.len);
    if (copy.failed) {
        rv_buf_done(&copy);
        return -ENOMEM;
    }
    for (; at > 0 && strcmp(writer->sections[at - 1].name, padded) > 0; at--)
        writer->sections[at] = writer->sections[at - 1];
    memcpy(writer->sections[at].name, padded, sizeof(padded));
    writer->sections[at].bytes = copy;
    writer->count++;
    return 0;
}

int rv_package_add_manifest(struct rv_package_writer *writer, const json_t *manifest)
{
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
    int r = rv_json_canonical(&buf, manifest);

    if (r < 0)
        return r;
    return rv_package_add(writer, "manifest", rv_buf_span(&buf));
}

static bool has_manifest(const struct rv_package_writer *writer)
{
    for (size_t i = 0; i < writer->count; i++) {
        if (rv_streq(writer->sections[i].name, "manifest"))
            return true;
    }
    return false;
}

int rv_package_finish(const struct rv_package_writer *writer, struct rv_span signature,
                      struct rv_buf *buf)
{
    uint64_t offset = PACKAGE_HEAD_LEN + writer->count * PACKAGE_ROW_LEN, content_len = offset;

    if (!has_manifest(writer) || signature.len > RV_PACKAGE_SIGNATURE_MAX)
        return -EINVAL;
    for (size_t i = 0; i < writer->count; i++)
        content_len += writer->sections[i].bytes.len;
    if (content_len + 4 + signature.len > RV_PACKAGE_BYTES_MAX)
        return -EFBIG;
    rv_buf_add(buf, PACKAGE_MAGIC, PACKAGE_MAGIC_LEN);
    rv_buf_add_le32(buf, PACKAGE_VERSION);
    rv_buf_add_le32(buf, (uint32_t)writer->count);
    rv_buf_add_le64(buf, content_len);
    for (size_t i = 0; i < writer->count; i++) {
        struct rv_span bytes = rv_buf_span(&writer->sections[i].bytes);
        struct rv_sha256 digest = rv_sha256(bytes);

        rv_buf_add(buf, writer->sections[i].name, sizeof(writer->sections[i].name));
        rv_buf_add_le64(buf, offset);
        rv_buf_add(buf, digest.bytes, sizeof(digest.bytes));
        offset += bytes.len;
    }
    for (size_t i = 0; i < writer->count; i++)
        rv_buf_add(buf, writer->sections[i].bytes.data, writer->sections[i].bytes.len);
    rv_buf_add_le32(buf, (uint32_t)signature.len);
    rv_buf_add(buf, signature.data, signature.len);
    return buf->failed ? -ENOMEM : 0;
}
