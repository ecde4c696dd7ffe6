/* SPDX-License-Identifier: Apache-2.0 */
/* Reading packages: every offset is where the writer would have put it, every digest is checked. */
#include "package_private.h"

#include "base/fd.h"

#include <string.h>

struct section {
    char name[RV_PACKAGE_NAME_MAX + 1];
    struct rv_span bytes;
};

struct rv_package {
    uint8_t *bytes;
    size_t len, content_len;
    struct rv_span signature;
    struct section sections[RV_PACKAGE_SECTIONS_MAX];
    uint32_t section_count;
    struct rv_sha256 digest;
    json_t *manifest;
};

static int refuse(const char **reterr, int code, const char *why)
{
    if (reterr)
        *reterr = why;
    return code;
}

bool package_name_ok(const char name[RV_PACKAGE_NAME_MAX + 1])
{
    size_t len = strnlen(name, RV_PACKAGE_NAME_MAX + 1);

    if (len == 0 || len > RV_PACKAGE_NAME_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = name[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-'))
            return false;
    }
    for (size_t i = len; i <= RV_PACKAGE_NAME_MAX; i++) {
        if (name[i] != '\0')
            return false;
    }
    return true;
}

/* ---- Opening ---- */

static int read_head(struct rv_package *package, struct rv_reader *reader, const char **reterr)
{
    struct rv_span magic = rv_read_bytes(reader, PACKAGE_MAGIC_LEN);
    uint32_t version = rv_read_le32(reader);
    uint64_t content_len;

    package->section_count = rv_read_le32(reader);
    content_len = rv_read_le64(reader);
    if (reader->failed || !rv_span_eq(magic, rv_span_str(PACKAGE_MAGIC)))
        return refuse(reterr, -EINVAL, "this is not a model package");
    if (version != PACKAGE_VERSION)
        return refuse(reterr, -EINVAL, "the package is of another version");
    if (package->section_count == 0 || package->section_count > RV_PACKAGE_SECTIONS_MAX)
        return refuse(reterr, -EINVAL, "the package's number of sections is out of range");
    if (content_len > package->len)
        return refuse(reterr, -EINVAL, "the package is cut short");
    package->content_len = content_len;
    return 0;
}

/* One row of the table; its bytes end where the next section or the content does. */
static int read_row(struct rv_package *package, struct rv_reader *reader, uint32_t index,
                    uint64_t *ret_offset, struct rv_sha256 *ret_digest, const char **reterr)
{
    struct section *section = &package->sections[index];
    struct rv_span name = rv_read_bytes(reader, sizeof(section->name));
    struct rv_span digest;

    *ret_offset = rv_read_le64(reader);
    digest = rv_read_bytes(reader, RV_SHA256_LEN);
    if (reader->failed)
        return refuse(reterr, -EINVAL, "the package's table is cut short");
    memcpy(section->name, name.data, sizeof(section->name));
    memcpy(ret_digest->bytes, digest.data, RV_SHA256_LEN);
    if (!package_name_ok(section->name))
        return refuse(reterr, -EINVAL, "a section's name is malformed");
    if (index > 0 && strcmp(package->sections[index - 1].name, section->name) >= 0)
        return refuse(reterr, -EINVAL, "the package's sections are not sorted by name");
    return 0;
}

static int read_table(struct rv_package *package, struct rv_reader *reader, const char **reterr)
{
    uint64_t offsets[RV_PACKAGE_SECTIONS_MAX + 1];
    struct rv_sha256 digests[RV_PACKAGE_SECTIONS_MAX];

    for (uint32_t i = 0; i < package->section_count; i++) {
        int r = read_row(package, reader, i, &offsets[i], &digests[i], reterr);

        if (r < 0)
            return r;
    }
    offsets[package->section_count] = package->content_len;
    if (offsets[0] != reader->offset)
        return refuse(reterr, -EINVAL, "there is a gap before the first section");
    for (uint32_t i = 0; i < package->section_count; i++) {
        struct rv_sha256 digest;

        if (offsets[i] > offsets[i + 1] || offsets[i + 1] > package->content_len)
            return refuse(reterr, -EINVAL, "a section lies outside the package");
        package->sections[i].bytes =
            rv_span(package->bytes + offsets[i], offsets[i + 1] - offsets[i]);
        digest = rv_sha256(package->sections[i].bytes);
        if (memcmp(digest.bytes, digests[i].bytes, RV_SHA256_LEN) != 0)
            return refuse(reterr, -EBADMSG, "a section was changed: its digest does not match");
    }
    return 0;
}

static int read_signature(struct rv_package *package, const char **reterr)
{
    struct rv_reader reader = rv_reader(
        rv_span(package->bytes + package->content_len, package->len - package->content_len));
    uint32_t len = rv_read_le32(&reader);

    if (reader.failed || len > RV_PACKAGE_SIGNATURE_MAX || reader.rest.len != len)
        return refuse(reterr, -EINVAL, "the signature's length does not match the file");
    package->signature = rv_read_bytes(&reader, len);
    return 0;
}

/* The manifest must be canonical: otherwise the same model could have two digests. */
static int read_manifest(struct rv_package *package, const char **reterr)
{
    struct rv_span bytes = rv_package_section(package, "manifest");
    RV_AUTO(rv_buf_done) struct rv_buf canonical = { 0 };
    int r;

    if (!bytes.data || bytes.len > RV_PACKAGE_MANIFEST_MAX)
        return refuse(reterr, -EINVAL, "the package has no manifest, or one that is too large");
    r = rv_json_parse(bytes, &package->manifest, NULL);
    if (r == 0)
        r = rv_json_canonical(&canonical, package->manifest);
    if (r == -ENOMEM)
        return r;
    if (r < 0 || !json_is_object(package->manifest) || !rv_span_eq(rv_buf_span(&canonical), bytes))
        return refuse(reterr, -EINVAL, "the manifest is not a canonical JSON object");
    return 0;
}

static int open_owned(struct rv_package *package, const char **reterr)
{
    struct rv_reader reader = rv_reader(rv_span(package->bytes, package->len));
    int r = read_head(package, &reader, reterr);

    if (r == 0)
        r = read_table(package, &reader, reterr);
    if (r == 0)
        r = read_signature(package, reterr);
    if (r == 0)
        r = read_manifest(package, reterr);
    if (r == 0)
        package->digest = rv_sha256(rv_span(package->bytes, package->content_len));
    return r;
}

int rv_package_open(struct rv_span bytes, struct rv_package **ret_package, const char **reterr)
{
    RV_AUTO(rv_package_free) struct rv_package *package = NULL;
    int r;

    if (bytes.len > RV_PACKAGE_BYTES_MAX)
        return refuse(reterr, -EINVAL, "the package is too large");
    package = calloc(1, sizeof(*package));
    if (!package)
        return -ENOMEM;
    package->bytes = malloc(bytes.len + 1);
    if (!package->bytes)
        return -ENOMEM;
    if (bytes.len)
        memcpy(package->bytes, bytes.data, bytes.len);
    package->len = bytes.len;
    r = open_owned(package, reterr);
    if (r < 0)
        return r;
    *ret_package = RV_TAKE(package);
    return 0;
}

int rv_package_open_file(int dir_fd, const char *path, struct rv_package **ret_package,
                         const char **reterr)
{
    RV_AUTO(rv_freep) char *data = NULL;
    size_t len;
    int r = rv_read_file(dir_fd, path, RV_PACKAGE_BYTES_MAX, &data, &len);

    if (r < 0)
        return refuse(reterr, r, "the file cannot be read");
    return rv_package_open(rv_span(data, len), ret_package, reterr);
}

void rv_package_free(struct rv_package **package)
{
    if (!*package)
        return;
    rv_json_freep(&(*package)->manifest);
    free((*package)->bytes);
    free(*package);
    *package = NULL;
}

/* ---- Asking ---- */

struct rv_sha256 rv_package_digest(const struct rv_package *package)
{
    return package->digest;
}

const json_t *rv_package_manifest(const struct rv_package *package)
{
    return package->manifest;
}

struct rv_span rv_package_section(const struct rv_package *package, const char *name)
{
    for (uint32_t i = 0; i < package->section_count; i++) {
        if (rv_streq(package->sections[i].name, name))
            return package->sections[i].bytes;
    }
    return rv_span(NULL, 0);
}

size_t rv_package_section_count(const struct rv_package *package)
{
    return package->section_count;
}

const char *rv_package_section_name(const struct rv_package *package, size_t index)
{
    assert(index < package->section_count);
    return package->sections[index].name;
}

struct rv_span rv_package_signature(const struct rv_package *package)
{
    return package->signature;
}
