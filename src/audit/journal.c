/* SPDX-License-Identifier: Apache-2.0 */
#include "journal.h"

#include "base/fd.h"
#include "base/hash.h"

#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK        RV_JOURNAL_BLOCK
#define FIRST_RECORD (2 * BLOCK)
#define HEAD_LEN     ((size_t)64)
#define HEAD_MAGIC   "REEVEJNL"
#define FORMAT       1U
#define RECORD_MAGIC 0x4352564aU /* "JVRC" */

struct head {
    bool valid;
    uint64_t generation, salt, base;
};

struct segment {
    int fd;
    uint64_t bytes;
    struct head head;
    uint64_t end_index; /* index after its last record */
    uint64_t at;        /* where the next record goes */
};

struct rv_journal {
    struct segment segments[2];
    unsigned current;
};

/* ---- Little-endian fields ---- */

static void put_le32(uint8_t *at, uint32_t value)
{
    value = htole32(value);
    memcpy(at, &value, sizeof(value));
}

static void put_le64(uint8_t *at, uint64_t value)
{
    value = htole64(value);
    memcpy(at, &value, sizeof(value));
}

/* ---- Heads ---- */

static struct head parse_head(struct rv_span block)
{
    struct rv_reader reader = rv_reader(block);
    struct rv_span magic = rv_read_bytes(&reader, 8);
    uint32_t format = rv_read_le32(&reader);
    struct head head = { 0 };

    (void)rv_read_le32(&reader);
    head.generation = rv_read_le64(&reader);
    head.salt = rv_read_le64(&reader);
    head.base = rv_read_le64(&reader);
    (void)rv_read_bytes(&reader, HEAD_LEN - 4 - 40);
    head.valid = rv_read_le32(&reader) == rv_crc32c(0, block.data, HEAD_LEN - 4) &&
                 !reader.failed && format == FORMAT && rv_span_eq(magic, rv_span(HEAD_MAGIC, 8));
    return head;
}

static void format_head(uint8_t block[static BLOCK], const struct head *head)
{
    memset(block, 0, BLOCK);
    memcpy(block, HEAD_MAGIC, 8);
    put_le32(block + 8, FORMAT);
    put_le64(block + 16, head->generation);
    put_le64(block + 24, head->salt);
    put_le64(block + 32, head->base);
    put_le32(block + HEAD_LEN - 4, rv_crc32c(0, block, HEAD_LEN - 4));
}

/** Both copies, one durable before the other is touched: one of them is always whole. */
static int write_head(struct segment *segment, const struct head *head)
{
    uint8_t block[BLOCK];

    format_head(block, head);
    for (uint64_t copy = 0; copy < 2; copy++) {
        int r = rv_pwrite_all(segment->fd, block, BLOCK, copy * BLOCK);

        if (r < 0)
            return r;
        if (fdatasync(segment->fd) < 0)
            return -errno;
    }
    segment->head = *head;
    segment->end_index = head->base;
    segment->at = FIRST_RECORD;
    return 0;
}

static int start_segment(struct segment *segment, uint64_t generation, uint64_t base)
{
    struct head head = { .valid = true, .generation = generation, .base = base };

    if (getrandom(&head.salt, sizeof(head.salt), 0) != (ssize_t)sizeof(head.salt))
        return -EIO;
    return write_head(segment, &head);
}

/* ---- Files ---- */

static int write_zeros(int fd, uint64_t bytes)
{
    static const uint8_t zeros[16 * BLOCK];

    int r = posix_fallocate(fd, 0, (off_t)bytes);

    if (r != 0)
        return -r;
    for (uint64_t at = 0; at < bytes; at += sizeof(zeros)) {
        r = rv_pwrite_all(fd, zeros, rv_min_u64(sizeof(zeros), bytes - at), at);

        if (r < 0)
            return r;
    }
    return 0;
}

/** Make a segment under another name and rename it, so that one with its name is always whole. */
static int create_segment(struct segment *segment, int state_fd, const char *name, uint32_t bytes,
                          uint64_t generation)
{
    RV_AUTO(rv_closep)
    int fd =
        openat(state_fd, "journal.tmp", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    int r;

    if (fd < 0)
        return -errno;
    segment->fd = fd;
    r = write_zeros(fd, bytes);
    if (r == 0)
        r = start_segment(segment, generation, 0);
    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    if (r == 0 && renameat(state_fd, "journal.tmp", state_fd, name) < 0)
        r = -errno;
    if (r == 0 && fsync(state_fd) < 0)
        r = -errno;
    segment->fd = -1;
    if (r < 0)
        return r;
    segment->fd = rv_take_fd(&fd);
    segment->bytes = bytes;
    return 0;
}

static int read_segment(int fd, struct rv_buf *ret_bytes)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return -errno;
    if (status.st_size < (off_t)RV_JOURNAL_BYTES_MIN || status.st_size > UINT32_MAX ||
        status.st_size % (off_t)BLOCK != 0)
        return -EBADMSG;
    if (!rv_buf_reserve(ret_bytes, (size_t)status.st_size))
        return -ENOMEM;
    while (ret_bytes->len < (size_t)status.st_size) {
        ssize_t len = pread(fd, ret_bytes->data + ret_bytes->len,
                            (size_t)status.st_size - ret_bytes->len, (off_t)ret_bytes->len);

        if (len < 0 && errno == EINTR)
            continue;
        if (len <= 0)
            return len < 0 ? -errno : -EBADMSG;
        ret_bytes->len += (size_t)len;
    }
    return 0;
}

static int open_segment(struct segment *segment, int state_fd, const char *name,
                        struct rv_buf *ret_bytes)
{
    struct head first, second;
    int r;

    segment->fd = openat(state_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (segment->fd < 0)
        return -errno;
    r = read_segment(segment->fd, ret_bytes);
    if (r < 0)
        return r;
    first = parse_head(rv_span(ret_bytes->data, HEAD_LEN));
    second = parse_head(rv_span(ret_bytes->data + BLOCK, HEAD_LEN));
    if (!first.valid && !second.valid)
        return -EBADMSG;
    segment->head =
        first.valid && (!second.valid || first.generation >= second.generation) ? first : second;
    segment->bytes = ret_bytes->len;
    segment->end_index = segment->head.base;
    return 0;
}

/* ---- Replay ---- */

struct record {
    bool begun; /* its magic and salt are there */
    bool whole;
    uint64_t first;
    uint32_t count;
    struct rv_span body;
};

static struct record parse_record(const struct segment *segment, struct rv_span bytes, size_t at)
{
    struct rv_reader reader = rv_reader(rv_span(bytes.data + at, bytes.len - at));
    uint32_t magic = rv_read_le32(&reader), crc = rv_read_le32(&reader);
    struct rv_span sealed = reader.rest;
    uint64_t salt = rv_read_le64(&reader);
    struct record record = { 0 };
    uint32_t body_len;

    record.first = rv_read_le64(&reader);
    record.count = rv_read_le32(&reader);
    body_len = rv_read_le32(&reader);
    record.begun = magic == RECORD_MAGIC && salt == segment->head.salt;
    if (!record.begun)
        return record;
    record.body = rv_read_bytes(&reader, body_len);
    record.whole = !reader.failed && record.count > 0 &&
                   crc == rv_crc32c(0, sealed.data, RV_JOURNAL_RECORD_HEAD - 8 + record.body.len);
    return record;
}

/** Is there a whole record of this segment after the first that is not? Then that one was once
 *  acknowledged, and has been damaged since. */
static bool record_follows(const struct segment *segment, struct rv_span bytes, size_t at)
{
    for (at += BLOCK; at + BLOCK <= bytes.len; at += BLOCK) {
        if (parse_record(segment, bytes, at).whole)
            return true;
    }
    return false;
}

struct replay {
    uint64_t next; /* the index that is due */
    rv_journal_replay_fn *function;
    void *context;
    uint64_t torn;
};

/** Hand on what of a record is due: entries below `next` are published already. */
static int replay_record(struct replay *replay, const struct record *record)
{
    struct rv_reader reader = rv_reader(record->body);
    uint64_t end = record->first + record->count;
    int r;

    if (end <= replay->next)
        return 0;
    for (uint64_t i = record->first; i < replay->next; i++)
        (void)rv_read_bytes(&reader, rv_read_be16(&reader));
    if (reader.failed)
        return -EBADMSG;
    r = replay->function(replay->context, replay->next, (uint32_t)(end - replay->next),
                         reader.rest);
    if (r < 0)
        return r;
    replay->next = end;
    return 0;
}

static int replay_segment(struct segment *segment, struct rv_span bytes, struct replay *replay)
{
    size_t at = FIRST_RECORD;
    struct record record = { 0 };

    if (segment->head.base > replay->next)
        return -EBADMSG; /* what came before is neither published nor in the other segment */
    while (at + BLOCK <= bytes.len) {
        int r;

        record = parse_record(segment, bytes, at);
        if (!record.whole)
            break;
        if (record.first != segment->end_index)
            return -EBADMSG;
        r = replay_record(replay, &record);
        if (r < 0)
            return r;
        segment->end_index = record.first + record.count;
        at += rv_journal_record_len(record.body.len);
        record = (struct record){ 0 };
    }
    if (at + BLOCK <= bytes.len && record_follows(segment, bytes, at))
        return -EBADMSG;
    replay->torn = record.begun ? BLOCK : 0;
    segment->at = at;
    return 0;
}

static int replay_both(struct rv_journal *journal, const struct rv_buf bytes[2],
                       struct replay *replay)
{
    struct segment *segments = journal->segments;
    unsigned newer = segments[1].head.generation > segments[0].head.generation ? 1 : 0;
    unsigned older = 1 - newer;
    int r;

    journal->current = newer;
    /* The older segment ended before the newer began. Published up to there: nothing to do. */
    segments[older].end_index = segments[newer].head.base;
    if (replay->next < segments[newer].head.base) {
        segments[older].end_index = segments[older].head.base;
        r = replay_segment(&segments[older], rv_buf_span(&bytes[older]), replay);
        if (r < 0)
            return r;
        if (segments[older].end_index != segments[newer].head.base)
            return -EBADMSG;
    }
    return replay_segment(&segments[newer], rv_buf_span(&bytes[newer]), replay);
}

/* ---- The contract ---- */

static const char *const segment_names[2] = { "journal.0", "journal.1" };

static int create_both(struct rv_journal *journal, int state_fd, uint32_t bytes)
{
    int r = create_segment(&journal->segments[0], state_fd, segment_names[0], bytes, 1);

    if (r == 0)
        r = create_segment(&journal->segments[1], state_fd, segment_names[1], bytes, 2);
    journal->current = 1;
    return r;
}

static int open_both(struct rv_journal *journal, int state_fd, struct replay *replay)
{
    struct rv_buf content[2] = { { 0 }, { 0 } };
    int r = 0;

    for (unsigned i = 0; i < 2 && r == 0; i++) {
        r = open_segment(&journal->segments[i], state_fd, segment_names[i], &content[i]);
        if (r == -ENOENT)
            r = -EBADMSG; /* made before the first checkpoint, so somebody removed it */
    }
    if (r == 0)
        r = replay_both(journal, content, replay);
    rv_buf_done(&content[0]);
    rv_buf_done(&content[1]);
    return r;
}

int rv_journal_open(struct rv_journal **ret_journal, int state_fd,
                    const struct rv_journal_opening *opening, uint64_t *ret_torn)
{
    RV_AUTO(rv_journal_free) struct rv_journal *journal = calloc(1, sizeof(*journal));
    struct replay replay = { .next = opening->published,
                             .function = opening->replay,
                             .context = opening->context };
    int r;

    if (!journal)
        return -ENOMEM;
    journal->segments[0].fd = journal->segments[1].fd = -1;
    r = opening->create_bytes > 0 ? create_both(journal, state_fd, opening->create_bytes)
                                  : open_both(journal, state_fd, &replay);
    if (r < 0)
        return r;
    *ret_torn = replay.torn;
    *ret_journal = RV_TAKE(journal);
    return 0;
}

void rv_journal_free(struct rv_journal **journal)
{
    if (!*journal)
        return;
    rv_closep(&(*journal)->segments[0].fd);
    rv_closep(&(*journal)->segments[1].fd);
    free(*journal);
    *journal = NULL;
}

static int switch_segment(struct rv_journal *journal, uint64_t base)
{
    unsigned other = 1 - journal->current;
    int r = start_segment(&journal->segments[other],
                          journal->segments[journal->current].head.generation + 1, base);

    if (r == 0)
        journal->current = other;
    return r;
}

int rv_journal_reset(struct rv_journal *journal, uint64_t next)
{
    return switch_segment(journal, next);
}

int rv_journal_write(struct rv_journal *journal, uint8_t *record, size_t body_len, uint64_t first,
                     uint32_t count, uint64_t published)
{
    struct segment *segment = &journal->segments[journal->current];
    size_t len = rv_journal_record_len(body_len);
    int r;

    assert(first == segment->end_index);
    if (segment->at + len > segment->bytes) {
        if (journal->segments[1 - journal->current].end_index > published)
            return -EAGAIN;
        r = switch_segment(journal, first);
        if (r < 0)
            return r;
        segment = &journal->segments[journal->current];
        if (segment->at + len > segment->bytes)
            return -EMSGSIZE;
    }
    put_le32(record, RECORD_MAGIC);
    put_le64(record + 8, segment->head.salt);
    put_le64(record + 16, first);
    put_le32(record + 24, count);
    put_le32(record + 28, (uint32_t)body_len);
    put_le32(record + 4, rv_crc32c(0, record + 8, RV_JOURNAL_RECORD_HEAD - 8 + body_len));
    r = rv_pwrite_all(segment->fd, record, len, segment->at);
    if (r < 0)
        return r;
    if (fdatasync(segment->fd) < 0)
        return -errno;
    segment->at += len;
    segment->end_index = first + count;
    return 0;
}

unsigned rv_journal_fill(const struct rv_journal *journal)
{
    const struct segment *segment = &journal->segments[journal->current];

    return (unsigned)(segment->at * 100 / segment->bytes);
}
