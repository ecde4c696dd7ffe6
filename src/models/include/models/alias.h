/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file models/alias.h  Which model speaks, and how it came to: a history in one file.
 *
 * Each line is a JSON object in canonical form that names the SHA-256 of the line before. Promoting
 * a model, and quarantining one with the return to the last good one, is one line and one atomic
 * replacement of the file: after a crash either both the change and its record are there, or
 * neither. A digest of zeros stands for the built-in model.
 */
#pragma once

#include "base/hash.h"

struct rv_alias;

#define RV_ALIAS_FILE      "models.jsonl" /* in a folder of packages, each named by its digest */
#define RV_ALIAS_LINES_MAX 4096 /* the file is at most 4 MiB */

/**
 * Read the history; a file that is not there is an empty one.
 * @param reterr a sentence; static; may be NULL.
 * @return 0; -EBADMSG when a line is malformed or the chain is broken; another -errno.
 */
RV_MUST_CHECK int rv_alias_open(struct rv_alias **ret_alias, int dir_fd, const char *name,
                                const char **reterr);
void rv_alias_free(struct rv_alias **alias);

/** The model that speaks now; zeros: the built-in one. */
struct rv_sha256 rv_alias_current(const struct rv_alias *alias);
bool rv_alias_is_quarantined(const struct rv_alias *alias, const struct rv_sha256 *digest);
size_t rv_alias_length(const struct rv_alias *alias);
/** A line of the history, oldest first; valid until the next change. */
struct rv_span rv_alias_line(const struct rv_alias *alias, size_t index);

/** The file name of a package in such a folder: its digest in hex and ".rv". */
#define RV_ALIAS_PACKAGE_NAME_MAX (RV_SHA256_HEX_LEN + 4)
void rv_alias_package_name(const struct rv_sha256 *digest,
                           char ret_name[RV_ALIAS_PACKAGE_NAME_MAX]);

struct rv_alias_note {
    const char *who; /* a person or "monitor"; UTF-8 */
    const char *why; /* a sentence */
    uint64_t time_unix_s;
};

/** Let a model speak. @return 0; -EPERM if it is quarantined; -ENOSPC when the history is full;
 * another -errno of writing, nothing changed. */
RV_MUST_CHECK int rv_alias_promote(struct rv_alias *alias, const struct rv_sha256 *digest,
                                   const struct rv_alias_note *note);

/**
 * Quarantine the model that speaks and return to the last one that is not quarantined.
 * @param ret_now which one that is.
 * @return 0; -ENOENT when the built-in one speaks: it cannot be quarantined; else as above.
 */
RV_MUST_CHECK int rv_alias_quarantine(struct rv_alias *alias, const struct rv_alias_note *note,
                                      struct rv_sha256 *ret_now);
