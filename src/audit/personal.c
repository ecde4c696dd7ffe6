/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The side store: records of a 64-byte head (magic, subject length, value length, time, salt), the
 * subject, the value, padded to 8 bytes. Erasing zeroes salt, subject and value, then changes the
 * magic; the lengths stay, so that the records behind it are found.
 */
#include "audit/personal.h"

#include "base/encode.h"
#include "base/fd.h"
#include "store.h"

#include <endian.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME  RV_STATE_DIR "/personal"
#define KEPT       0x31524450U /* "PDR1" */
#define ERASED     0x30524450U /* "PDR0" */
#define HEAD_LEN   ((size_t)64)
#define SALT_LEN   ((size_t)32)
#define SALT_AT    ((size_t)24)
#define RECORD_MAX (HEAD_LEN + RV_PERSONAL_SUBJECT_MAX + RV_PERSONAL_VALUE_MAX + 8)

struct rv_personal {
    int fd;
    bool writable;
    uint64_t end; /* where the next record goes */
};

struct head {
    uint32_t magic;
    uint16_t subject_len;
    uint32_t value_len;
    uint64_t unix_us;
    uint8_t salt[SALT_LEN];
};

static size_t record_len(const struct head *head)
{
    return (HEAD_LEN + head->subject_len + head->value_len + 7) / 8 * 8;
}

static void format_head(uint8_t bytes[static HEAD_LEN], const struct head *head)
{
    uint32_t magic = htole32(head->magic), value_len = htole32(head->value_len);
    uint16_t subject_len = htole16(head->subject_len);
    uint64_t unix_us = htole64(head->unix_us);

    memset(bytes, 0, HEAD_LEN);
    memcpy(bytes, &magic, 4);
    memcpy(bytes + 4, &subject_len, 2);
    memcpy(bytes + 8, &value_len, 4);
    memcpy(bytes + 16, &unix_us, 8);
    memcpy(bytes + SALT_AT, head->salt, SALT_LEN);
}

/** @return 0; -ENODATA where no whole record begins; -errno. */
static int read_head(const struct rv_personal *personal, uint64_t at, struct head *ret_head)
{
    uint8_t bytes[HEAD_LEN];
    struct rv_reader reader = rv_reader(rv_span(bytes, sizeof(bytes)));
    ssize_t len = pread(personal->fd, bytes, sizeof(bytes), (off_t)at);

    if (len < 0)
        return -errno;
    if ((size_t)len != sizeof(bytes))
        return -ENODATA;
    ret_head->magic = rv_read_le32(&reader);
    ret_head->subject_len = rv_read_le16(&reader);
    (void)rv_read_le16(&reader);
    ret_head->value_len = rv_read_le32(&reader);
    (void)rv_read_le32(&reader);
    ret_head->unix_us = rv_read_le64(&reader);
    memcpy(ret_head->salt, bytes + SALT_AT, SALT_LEN);
    if ((ret_head->magic != KEPT && ret_head->magic != ERASED) ||
        ret_head->subject_len > RV_PERSONAL_SUBJECT_MAX ||
        ret_head->value_len > RV_PERSONAL_VALUE_MAX)
        return -ENODATA;
    return 0;
}

/** Walk to the end of the last whole record; what a crash left behind it is cut off. */
static int find_end(struct rv_personal *personal)
{
    struct stat status;
    struct head head;
    int r;

    if (fstat(personal->fd, &status) < 0)
        return -errno;
    for (;;) {
        r = read_head(personal, personal->end, &head);
        if (r == -ENODATA ||
            (r == 0 && personal->end + record_len(&head) > (uint64_t)status.st_size))
            break;
        if (r < 0)
            return r;
        personal->end += record_len(&head);
    }
    if (personal->writable && (uint64_t)status.st_size > personal->end &&
        ftruncate(personal->fd, (off_t)personal->end) < 0)
        return -errno;
    return 0;
}

static int open_store(struct rv_personal **ret_personal, int log_dir_fd, int flags)
{
    RV_AUTO(rv_personal_free) struct rv_personal *personal = calloc(1, sizeof(*personal));
    int r;

    if (!personal)
        return -ENOMEM;
    personal->writable = (flags & O_RDWR) != 0;
    personal->fd = openat(log_dir_fd, FILE_NAME, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (personal->fd < 0)
        return -errno;
    r = find_end(personal);
    if (r < 0)
        return r;
    *ret_personal = RV_TAKE(personal);
    return 0;
}

int rv_personal_open(struct rv_personal **ret_personal, int log_dir_fd)
{
    return open_store(ret_personal, log_dir_fd, O_RDWR | O_CREAT);
}

int rv_personal_open_readonly(struct rv_personal **ret_personal, int log_dir_fd)
{
    return open_store(ret_personal, log_dir_fd, O_RDONLY);
}

void rv_personal_free(struct rv_personal **personal)
{
    if (!*personal)
        return;
    rv_closep(&(*personal)->fd);
    free(*personal);
    *personal = NULL;
}

/* ---- Keeping and reading ---- */

static struct rv_sha256 commit_to(const uint8_t salt[SALT_LEN], struct rv_span value)
{
    const struct rv_span parts[] = { rv_span_str("reeve personal v1\n"), rv_span(salt, SALT_LEN),
                                     value };

    return rv_sha256_parts(parts, RV_COUNT(parts));
}

static json_t *commitment_json(const struct rv_sha256 *hash, uint64_t at)
{
    char hex[RV_SHA256_HEX_LEN + 1];

    rv_sha256_hex(hash, hex);
    return json_pack("{ss sI}", "personal", hex, "at", (json_int_t)at);
}

int rv_personal_put(struct rv_personal *personal, const char *subject, struct rv_span value,
                    uint64_t unix_us, json_t **ret_commitment)
{
    RV_AUTO(rv_json_freep) json_t *commitment = NULL;
    RV_AUTO(rv_freep) uint8_t *record = NULL;
    struct head head = { .magic = KEPT, .unix_us = unix_us };
    struct rv_sha256 hash;
    int r;

    if (!personal->writable)
        return -EROFS;
    if (strlen(subject) > RV_PERSONAL_SUBJECT_MAX || value.len > RV_PERSONAL_VALUE_MAX)
        return -EMSGSIZE;
    if (getrandom(head.salt, SALT_LEN, 0) != (ssize_t)SALT_LEN)
        return -EIO;
    head.subject_len = (uint16_t)strlen(subject);
    head.value_len = (uint32_t)value.len;
    hash = commit_to(head.salt, value);
    commitment = commitment_json(&hash, personal->end);
    record = calloc(1, record_len(&head));
    if (!commitment || !record)
        return -ENOMEM;
    format_head(record, &head);
    memcpy(record + HEAD_LEN, subject, head.subject_len);
    if (value.len > 0)
        memcpy(record + HEAD_LEN + head.subject_len, value.data, value.len);
    r = rv_pwrite_all(personal->fd, record, record_len(&head), personal->end);
    if (r < 0)
        return r;
    personal->end += record_len(&head);
    *ret_commitment = RV_TAKE(commitment);
    return 0;
}

int rv_personal_sync(struct rv_personal *personal)
{
    return fdatasync(personal->fd) < 0 ? -errno : 0;
}

/** A whole record; its subject and value are views into `room`. */
static int read_record(struct rv_personal *personal, uint64_t at, struct head *ret_head,
                       uint8_t *room, struct rv_span *ret_subject, struct rv_span *ret_value)
{
    int r = read_head(personal, at, ret_head);
    ssize_t len;

    if (r < 0)
        return r;
    len = pread(personal->fd, room, record_len(ret_head), (off_t)at);
    if (len < 0)
        return -errno;
    if ((size_t)len != record_len(ret_head))
        return -ENODATA;
    *ret_subject = rv_span(room + HEAD_LEN, ret_head->subject_len);
    *ret_value = rv_span(room + HEAD_LEN + ret_head->subject_len, ret_head->value_len);
    return 0;
}

int rv_personal_get(struct rv_personal *personal, const json_t *commitment,
                    struct rv_buf *ret_value)
{
    const char *stated = json_string_value(json_object_get(commitment, "personal"));
    json_int_t at = json_integer_value(json_object_get(commitment, "at"));
    RV_AUTO(rv_freep) uint8_t *room = malloc(RECORD_MAX);
    char hex[RV_SHA256_HEX_LEN + 1];
    struct rv_span subject = { 0 }, value = { 0 };
    struct rv_sha256 hash;
    struct head head;
    int r;

    if (!room)
        return -ENOMEM;
    if (!stated || !json_is_integer(json_object_get(commitment, "at")) || at < 0)
        return -EINVAL;
    r = read_record(personal, (uint64_t)at, &head, room, &subject, &value);
    if (r < 0)
        return r == -ENODATA ? -ENOENT : r;
    hash = commit_to(head.salt, value);
    rv_sha256_hex(&hash, hex);
    if (head.magic != KEPT || !rv_streq(hex, stated))
        return -ENOENT;
    rv_buf_add(ret_value, value.data, value.len);
    return ret_value->failed ? -ENOMEM : 0;
}

/* ---- Erasing ---- */

static int erase_record(struct rv_personal *personal, uint64_t at, const struct head *head)
{
    static const uint8_t zeros[RECORD_MAX];
    uint32_t magic = htole32(ERASED);
    int r;

    r = rv_pwrite_all(personal->fd, zeros, record_len(head) - SALT_AT, at + SALT_AT);
    return r < 0 ? r : rv_pwrite_all(personal->fd, &magic, sizeof(magic), at);
}

static bool matches(const struct rv_personal_match *match, const struct head *head,
                    struct rv_span subject)
{
    return head->magic == KEPT &&
           (!match->subject || rv_span_eq(subject, rv_span_str(match->subject))) &&
           (match->before_us == 0 || head->unix_us < match->before_us);
}

static int erase_from(struct rv_personal *personal, uint64_t *at,
                      const struct rv_personal_match *match, uint8_t *room, json_t *erased)
{
    char hex[RV_SHA256_HEX_LEN + 1];
    struct rv_span subject = { 0 }, value = { 0 };
    struct rv_sha256 hash;
    struct head head;
    int r = read_record(personal, *at, &head, room, &subject, &value);

    if (r < 0)
        return r;
    if (matches(match, &head, subject)) {
        hash = commit_to(head.salt, value);
        rv_sha256_hex(&hash, hex);
        if (json_array_append_new(erased, json_string(hex)) < 0)
            return -ENOMEM;
        r = erase_record(personal, *at, &head);
    }
    *at += record_len(&head);
    return r;
}

int rv_personal_erase(struct rv_personal *personal, const struct rv_personal_match *match,
                      json_t **ret_erased)
{
    RV_AUTO(rv_json_freep) json_t *erased = json_array();
    RV_AUTO(rv_freep) uint8_t *room = malloc(RECORD_MAX);
    uint64_t at = 0;
    int r = 0;

    if (!personal->writable)
        return -EROFS;
    if (!erased || !room)
        return -ENOMEM;
    while (r == 0 && at < personal->end)
        r = erase_from(personal, &at, match, room, erased);
    if (r == 0)
        r = rv_personal_sync(personal);
    if (r < 0)
        return r;
    *ret_erased = RV_TAKE(erased);
    return 0;
}
