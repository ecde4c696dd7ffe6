/* SPDX-License-Identifier: Apache-2.0 */
#include "event/segment.h"

#include "base/fd.h"
#include "base/hash.h"

#include <endian.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENT_MAGIC  "REEVESEG"
#define SEGMENT_FORMAT 1U

struct disk_head {
    char magic[8];
    uint32_t format, schema;
    uint64_t unix_offset_ns, created_unix_ns;
    char host[24];
    uint32_t zero, crc;
};
_Static_assert(sizeof(struct disk_head) == 64, "the head is part of the format");

struct frame {
    uint32_t len, crc;
};

enum { BUFFER_BYTES = 256 * 1024 };

struct rv_segment_writer {
    int fd;
    int error; /* first failure, kept */
    size_t used;
    uint8_t buffer[BUFFER_BYTES];
};

struct rv_segment_reader {
    int fd;
    bool ended;           /* read(2) has said so */
    uint64_t file_offset; /* of buffer[at] */
    size_t at, used;
    char error[128];
    uint8_t buffer[BUFFER_BYTES];
    uint64_t event[RV_EVENT_SIZE_MAX / sizeof(uint64_t)]; /* aligned copy of the current event */
};

int rv_segment_create(struct rv_segment_writer **ret_writer, int dir_fd, const char *path,
                      const struct rv_segment_head *head)
{
    RV_AUTO(rv_segment_writer_free) struct rv_segment_writer *writer = NULL;
    struct disk_head disk = {
        .format = htole32(SEGMENT_FORMAT),
        .schema = htole32(RV_EVENT_VERSION),
        .unix_offset_ns = htole64(head->unix_offset_ns),
        .created_unix_ns = htole64(head->created_unix_ns),
    };

    memcpy(disk.magic, SEGMENT_MAGIC, sizeof(disk.magic));
    memcpy(disk.host, head->host, sizeof(disk.host));
    disk.crc = htole32(rv_crc32c(0, &disk, offsetof(struct disk_head, crc)));

    writer = malloc(sizeof(*writer));
    if (!writer)
        return -ENOMEM;
    writer->error = 0;
    writer->used = 0;
    writer->fd = openat(dir_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (writer->fd < 0)
        return -errno;
    memcpy(writer->buffer, &disk, sizeof(disk));
    writer->used = sizeof(disk);
    *ret_writer = RV_TAKE(writer);
    return 0;
}

int rv_segment_flush(struct rv_segment_writer *writer)
{
    if (writer->error == 0 && writer->used > 0)
        writer->error = rv_write_all(writer->fd, writer->buffer, writer->used);
    writer->used = 0;
    return writer->error;
}

int rv_segment_put(struct rv_segment_writer *writer, const struct rv_event *event)
{
    struct frame frame = { htole32(event->size), htole32(rv_crc32c(0, event, event->size)) };

    if (writer->used + sizeof(frame) + event->size > sizeof(writer->buffer)) {
        int r = rv_segment_flush(writer);

        if (r < 0)
            return r;
    }
    memcpy(writer->buffer + writer->used, &frame, sizeof(frame));
    memcpy(writer->buffer + writer->used + sizeof(frame), event, event->size);
    writer->used += sizeof(frame) + event->size;
    return writer->error;
}

void rv_segment_writer_free(struct rv_segment_writer **writer)
{
    if (!*writer)
        return;
    if (rv_segment_flush(*writer) < 0) {
        /* Whoever cares has called rv_segment_flush() before. */
    }
    rv_closep(&(*writer)->fd);
    free(*writer);
    *writer = NULL;
}

/** Have at least `need` bytes buffered, or as many as the file still holds. */
static int fill(struct rv_segment_reader *reader, size_t need)
{
    if (reader->used - reader->at >= need || reader->ended)
        return 0;
    memmove(reader->buffer, reader->buffer + reader->at, reader->used - reader->at);
    reader->used -= reader->at;
    reader->at = 0;
    while (reader->used < sizeof(reader->buffer) && !reader->ended) {
        ssize_t n =
            read(reader->fd, reader->buffer + reader->used, sizeof(reader->buffer) - reader->used);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        reader->ended = n == 0;
        reader->used += (size_t)n;
    }
    return 0;
}

static int refuse(struct rv_segment_reader *reader, const char *why)
{
    (void)snprintf(reader->error, sizeof(reader->error), "at byte %" PRIu64 ": %s",
                   reader->file_offset, why);
    return -EBADMSG;
}

static int read_head(struct rv_segment_reader *reader, struct rv_segment_head *ret_head)
{
    struct disk_head disk;
    int r = fill(reader, sizeof(disk));

    if (r < 0)
        return r;
    if (reader->used < sizeof(disk))
        return -EBADMSG;
    memcpy(&disk, reader->buffer, sizeof(disk));
    if (memcmp(disk.magic, SEGMENT_MAGIC, sizeof(disk.magic)) != 0 ||
        le32toh(disk.crc) != rv_crc32c(0, &disk, offsetof(struct disk_head, crc)))
        return -EBADMSG;
    if (le32toh(disk.format) != SEGMENT_FORMAT || le32toh(disk.schema) != RV_EVENT_VERSION)
        return -EPROTONOSUPPORT;
    ret_head->unix_offset_ns = le64toh(disk.unix_offset_ns);
    ret_head->created_unix_ns = le64toh(disk.created_unix_ns);
    memcpy(ret_head->host, disk.host, sizeof(ret_head->host));
    reader->at = sizeof(disk);
    reader->file_offset = sizeof(disk);
    return 0;
}

int rv_segment_open(struct rv_segment_reader **ret_reader, int dir_fd, const char *path,
                    struct rv_segment_head *ret_head)
{
    RV_AUTO(rv_segment_reader_free) struct rv_segment_reader *reader = NULL;
    int r;

    reader = malloc(sizeof(*reader));
    if (!reader)
        return -ENOMEM;
    reader->at = 0;
    reader->used = 0;
    reader->file_offset = 0;
    reader->ended = false;
    reader->error[0] = '\0';
    reader->fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
    if (reader->fd < 0)
        return -errno;
    r = read_head(reader, ret_head);
    if (r < 0)
        return r;
    *ret_reader = RV_TAKE(reader);
    return 0;
}

int rv_segment_next(struct rv_segment_reader *reader, const struct rv_event **ret_event,
                    enum rv_segment_end *ret_end)
{
    struct frame frame;
    const char *why = NULL;
    size_t left;
    int r = fill(reader, sizeof(frame) + RV_EVENT_SIZE_MAX);

    if (r < 0)
        return r;
    left = reader->used - reader->at;
    if (left < sizeof(frame)) {
        *ret_event = NULL;
        *ret_end = left == 0 ? RV_SEGMENT_COMPLETE : RV_SEGMENT_TORN;
        return 0;
    }
    memcpy(&frame, reader->buffer + reader->at, sizeof(frame));
    frame.len = le32toh(frame.len);
    if (frame.len > RV_EVENT_SIZE_MAX || frame.len < sizeof(struct rv_event))
        return refuse(reader, "the length of an event is out of bounds; the recording is corrupt");
    if (left - sizeof(frame) < frame.len) {
        *ret_event = NULL;
        *ret_end = RV_SEGMENT_TORN;
        return 0;
    }
    memcpy(reader->event, reader->buffer + reader->at + sizeof(frame), frame.len);
    if (le32toh(frame.crc) != rv_crc32c(0, reader->event, frame.len))
        return refuse(reader, "the checksum of an event is wrong; the recording is corrupt");
    r = rv_event_check(rv_span(reader->event, frame.len), ret_event, &why);
    if (r < 0)
        return refuse(reader, why);
    reader->at += sizeof(frame) + frame.len;
    reader->file_offset += sizeof(frame) + frame.len;
    return 0;
}

const char *rv_segment_error(const struct rv_segment_reader *reader)
{
    return reader->error;
}

void rv_segment_reader_free(struct rv_segment_reader **reader)
{
    if (!*reader)
        return;
    rv_closep(&(*reader)->fd);
    free(*reader);
    *reader = NULL;
}
