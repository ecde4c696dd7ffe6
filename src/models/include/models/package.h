/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file models/package.h  A model in one file: manifest and named sections, addressed by digest.
 *
 *     offset 0   8   magic "REEVEMDL"
 *            8   4   format version, 1
 *           12   4   number of sections, 1..RV_PACKAGE_SECTIONS_MAX
 *           16   8   length of the content: everything before the signature
 *           24  64   a section, repeated: name[24] (NUL padded), u64 offset, SHA-256 of its bytes
 *                    ... (sorted by name, names unique, bytes back to back in that order)
 *      content   4   length of the signature, 0: none yet
 *           +4   n   signature: a DSSE envelope over the digest, opaque here
 *
 * All integers little endian. The digest of a model is SHA-256 of the content, so it covers every
 * section and not the signature: signing does not change the address. A section ends where the next
 * begins; the last one ends at the content's end. One encoding for one model: a reader refuses
 * anything that a writer would not have written.
 *
 * Section names in use ([a-z0-9.-]): "manifest" (canonical JSON, required), "forest",
 * "forest.monotone", "golden", "calibration", "language", "sequence", "series", "text",
 * "isolation", "mlp".
 */
#pragma once

#include "base/hash.h"
#include "base/json.h"

#define RV_PACKAGE_NAME_MAX      ((size_t)23)
#define RV_PACKAGE_SECTIONS_MAX  ((uint32_t)64)
#define RV_PACKAGE_BYTES_MAX     ((size_t)256 * 1024 * 1024)
#define RV_PACKAGE_SIGNATURE_MAX ((size_t)64 * 1024)
#define RV_PACKAGE_MANIFEST_MAX  ((size_t)1024 * 1024)

struct rv_package; /* opened: immutable, owns its bytes */

/**
 * Check the bytes and open them; section digests are verified.
 * @param reterr why it was refused, for a person; may be NULL. Static string.
 * @return 0; -EINVAL for what is not a package; -EBADMSG if a digest does not match; -ENOMEM.
 */
RV_MUST_CHECK int rv_package_open(struct rv_span bytes, struct rv_package **ret_package,
                                  const char **reterr);
/** rv_package_open() of a file. @return also -EFBIG and other -errno of reading. */
RV_MUST_CHECK int rv_package_open_file(int dir_fd, const char *path,
                                       struct rv_package **ret_package, const char **reterr);
void rv_package_free(struct rv_package **package);

struct rv_sha256 rv_package_digest(const struct rv_package *package);
/** The parsed manifest, an object; borrowed. */
const json_t *rv_package_manifest(const struct rv_package *package);
/** Bytes of a section, borrowed; `data` is NULL if there is none of that name. */
struct rv_span rv_package_section(const struct rv_package *package, const char *name);
size_t rv_package_section_count(const struct rv_package *package);
/** Section `index` of rv_package_section_count(), in order of name. */
const char *rv_package_section_name(const struct rv_package *package, size_t index);
/** The signature, empty when there is none. Not checked here. */
struct rv_span rv_package_signature(const struct rv_package *package);

/** A package being written. All-zero is a valid empty one. */
struct rv_package_writer {
    struct {
        char name[RV_PACKAGE_NAME_MAX + 1];
        struct rv_buf bytes;
    } sections[RV_PACKAGE_SECTIONS_MAX];
    size_t count;
};
void rv_package_writer_done(struct rv_package_writer *writer); /* frees; cleanup attribute */
/** Copy a section in. @return 0; -EINVAL for a bad name; -EEXIST; -ENOSPC; -ENOMEM. */
RV_MUST_CHECK int rv_package_add(struct rv_package_writer *writer, const char *name,
                                 struct rv_span bytes);
/** Add the "manifest": integers only (rates in ppm, scores in Q16.16). @return also -EDOM. */
RV_MUST_CHECK int rv_package_add_manifest(struct rv_package_writer *writer, const json_t *manifest);
/** Append the file's bytes. @return 0; -EINVAL without a manifest; -EFBIG; -ENOMEM. */
RV_MUST_CHECK int rv_package_finish(const struct rv_package_writer *writer,
                                    struct rv_span signature, struct rv_buf *buf);

/**
 * What every manifest holds; trainers add members of their own beside these.
 * `kind` is one of "forest", "sequence", "series", "text", "baseline"; `width` the row's length for
 * a forest; `feature_table` the digest of features/table.h for host vectors, zero otherwise.
 */
struct rv_manifest_head {
    const char *kind, *name, *version;
    const char *intended_use, *limits; /* sentences for the card */
    uint32_t width;
    struct rv_sha256 feature_table;
    uint64_t seed;
};
/** A new manifest object, or NULL without memory. Add to it, then rv_package_add_manifest(). */
json_t *rv_manifest_new(const struct rv_manifest_head *head);
/** Append {"name", "sha256", "rows", "source"} to "training_data". @return 0 or -ENOMEM. */
RV_MUST_CHECK int rv_manifest_add_data(json_t *manifest, const char *name,
                                       const struct rv_sha256 *digest, uint64_t rows,
                                       const char *source);
/**
 * Append to "metrics": value with its 95 % interval in ppm (e.g. detection 0.86 is 860000).
 * @return 0 or -ENOMEM.
 */
RV_MUST_CHECK int rv_manifest_add_metric(json_t *manifest, const char *name, int64_t value_ppm,
                                         int64_t low_ppm, int64_t high_ppm);
