/* SPDX-License-Identifier: Apache-2.0 */
#include "models/alias.h"

#include "base/encode.h"
#include "base/fd.h"
#include "base/json.h"

#include <fcntl.h>

#define FILE_MAX ((size_t)4 * 1024 * 1024)

enum change { CHANGE_NONE = 0, CHANGE_PROMOTE, CHANGE_QUARANTINE };

struct entry {
    enum change change;
    struct rv_sha256 digest;
    size_t offset, len; /* of the line in the text, without the newline */
};

struct rv_alias {
    int dir_fd; /* borrowed */
    char *name;
    struct rv_buf text;
    struct entry *entries;
    size_t count;
};

static const struct rv_sha256 zeros;

static bool same(const struct rv_sha256 *a, const struct rv_sha256 *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

void rv_alias_free(struct rv_alias **alias)
{
    struct rv_alias *old = *alias;

    *alias = NULL;
    if (!old)
        return;
    rv_buf_done(&old->text);
    free(old->entries);
    free(old->name);
    free(old);
}

/* ---- Asking ---- */

bool rv_alias_is_quarantined(const struct rv_alias *alias, const struct rv_sha256 *digest)
{
    for (size_t i = 0; i < alias->count; i++) {
        if (alias->entries[i].change == CHANGE_QUARANTINE &&
            same(&alias->entries[i].digest, digest))
            return true;
    }
    return false;
}

struct rv_sha256 rv_alias_current(const struct rv_alias *alias)
{
    for (size_t i = alias->count; i > 0; i--) {
        const struct entry *entry = &alias->entries[i - 1];

        if (entry->change == CHANGE_PROMOTE && !rv_alias_is_quarantined(alias, &entry->digest))
            return entry->digest;
    }
    return zeros;
}

size_t rv_alias_length(const struct rv_alias *alias)
{
    return alias->count;
}

struct rv_span rv_alias_line(const struct rv_alias *alias, size_t index)
{
    assert(index < alias->count);
    return rv_span(alias->text.data + alias->entries[index].offset, alias->entries[index].len);
}

void rv_alias_package_name(const struct rv_sha256 *digest, char ret_name[RV_ALIAS_PACKAGE_NAME_MAX])
{
    rv_sha256_hex(digest, ret_name);
    memcpy(ret_name + RV_SHA256_HEX_LEN, ".rv", 4);
}

static struct rv_sha256 last_link(const struct rv_alias *alias)
{
    return alias->count ? rv_sha256(rv_alias_line(alias, alias->count - 1)) : zeros;
}

/* ---- Lines ---- */

static int read_digest(const json_t *object, const char *key, struct rv_sha256 *ret_digest)
{
    const char *hex = json_string_value(json_object_get(object, key));
    RV_AUTO(rv_buf_done) struct rv_buf bytes = { 0 };

    if (!hex || strlen(hex) != RV_SHA256_HEX_LEN)
        return -EBADMSG;
    if (rv_hex_decode(&bytes, rv_span_str(hex)) < 0 || bytes.len != RV_SHA256_LEN)
        return -EBADMSG;
    memcpy(ret_digest->bytes, bytes.data, RV_SHA256_LEN);
    return 0;
}

static enum change read_change(const json_t *object)
{
    const char *change = json_string_value(json_object_get(object, "change"));

    if (change && rv_streq(change, "promote"))
        return CHANGE_PROMOTE;
    return change && rv_streq(change, "quarantine") ? CHANGE_QUARANTINE : CHANGE_NONE;
}

/* Check one line against the chain so far, and take it in. */
static int take_line(struct rv_alias *alias, size_t offset, size_t len)
{
    RV_AUTO(rv_json_freep) json_t *object = NULL;
    struct rv_sha256 previous, expected = last_link(alias);
    struct entry entry = { .offset = offset, .len = len };
    struct entry *grown;

    if (rv_json_parse(rv_span(alias->text.data + offset, len), &object, NULL) < 0)
        return -EBADMSG;
    entry.change = read_change(object);
    if (entry.change == CHANGE_NONE || read_digest(object, "digest", &entry.digest) < 0 ||
        read_digest(object, "previous", &previous) < 0 || !same(&previous, &expected) ||
        alias->count == RV_ALIAS_LINES_MAX)
        return -EBADMSG;
    grown = realloc(alias->entries, (alias->count + 1) * sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    alias->entries = grown;
    alias->entries[alias->count++] = entry;
    return 0;
}

static int take_text(struct rv_alias *alias, const char *text, size_t len)
{
    rv_buf_add(&alias->text, text, len);
    if (alias->text.failed)
        return -ENOMEM;
    for (size_t at = 0; at < len;) {
        const char *end = memchr(text + at, '\n', len - at);
        int r;

        if (!end)
            return -EBADMSG;
        r = take_line(alias, at, (size_t)(end - text) - at);
        if (r < 0)
            return r;
        at = (size_t)(end - text) + 1;
    }
    return 0;
}

int rv_alias_open(struct rv_alias **ret_alias, int dir_fd, const char *name, const char **reterr)
{
    RV_AUTO(rv_alias_free) struct rv_alias *alias = calloc(1, sizeof(*alias));
    RV_AUTO(rv_freep) char *text = NULL;
    size_t len = 0;
    int r;

    if (!alias)
        return -ENOMEM;
    alias->dir_fd = dir_fd;
    alias->name = strdup(name);
    if (!alias->name)
        return -ENOMEM;
    r = rv_read_file(dir_fd, name, FILE_MAX, &text, &len);
    if (r == 0)
        r = take_text(alias, text, len);
    else if (r == -ENOENT)
        r = 0;
    if (r == -EBADMSG && reterr)
        *reterr = "the history of models is malformed, or its chain is broken";
    if (r < 0)
        return r;
    *ret_alias = RV_TAKE(alias);
    return 0;
}

/* ---- Changing ---- */

static int format_line(const struct rv_alias *alias, enum change change,
                       const struct rv_sha256 *digest, const struct rv_alias_note *note,
                       struct rv_buf *line)
{
    char digest_hex[RV_SHA256_HEX_LEN + 1], previous_hex[RV_SHA256_HEX_LEN + 1];
    struct rv_sha256 previous = last_link(alias);
    RV_AUTO(rv_json_freep) json_t *object = NULL;
    int r;

    rv_sha256_hex(digest, digest_hex);
    rv_sha256_hex(&previous, previous_hex);
    object = json_pack("{s:s, s:s, s:s, s:I, s:s, s:s}", "change",
                       change == CHANGE_PROMOTE ? "promote" : "quarantine", "digest", digest_hex,
                       "previous", previous_hex, "time", (json_int_t)note->time_unix_s, "who",
                       note->who, "why", note->why);
    if (!object)
        return -ENOMEM;
    r = rv_json_canonical(line, object);
    if (r < 0)
        return r;
    rv_buf_add_char(line, '\n');
    return line->failed ? -ENOMEM : 0;
}

static int change_to(struct rv_alias *alias, enum change change, const struct rv_sha256 *digest,
                     const struct rv_alias_note *note)
{
    RV_AUTO(rv_buf_done) struct rv_buf line = { 0 };
    size_t before = alias->text.len;
    int r;

    if (alias->count == RV_ALIAS_LINES_MAX)
        return -ENOSPC;
    r = format_line(alias, change, digest, note, &line);
    if (r < 0)
        return r;
    rv_buf_add(&alias->text, line.data, line.len);
    if (alias->text.failed)
        return -ENOMEM;
    r = alias->text.len > FILE_MAX ? -ENOSPC
                                   : rv_write_file_atomic(alias->dir_fd, alias->name,
                                                          alias->text.data, alias->text.len, 0644);
    if (r == 0)
        r = take_line(alias, before, line.len - 1);
    if (r < 0) {
        alias->text.len = before;
        alias->text.data[before] = '\0';
    }
    return r;
}

int rv_alias_promote(struct rv_alias *alias, const struct rv_sha256 *digest,
                     const struct rv_alias_note *note)
{
    if (rv_alias_is_quarantined(alias, digest))
        return -EPERM;
    return change_to(alias, CHANGE_PROMOTE, digest, note);
}

int rv_alias_quarantine(struct rv_alias *alias, const struct rv_alias_note *note,
                        struct rv_sha256 *ret_now)
{
    struct rv_sha256 current = rv_alias_current(alias);
    int r;

    if (same(&current, &zeros))
        return -ENOENT;
    r = change_to(alias, CHANGE_QUARANTINE, &current, note);
    if (r < 0)
        return r;
    *ret_now = rv_alias_current(alias);
    return 0;
}
