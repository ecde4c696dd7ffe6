/* SPDX-License-Identifier: Apache-2.0 */
#include "recorder.h"

#include "base/fd.h"
#include "event/segment.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX      ".seg"
#define FRAME_BYTES 8 /* of a segment beside each event */

struct rv_recorder {
    struct rv_recorder_options with;
    struct rv_segment_writer *writer; /* NULL: none is open */
    char name[40];
    uint64_t events, bytes;
    int error;
};

int rv_recorder_new(struct rv_recorder **ret_recorder, const struct rv_recorder_options *options)
{
    struct rv_recorder *recorder = calloc(1, sizeof(*recorder));

    if (!recorder)
        return -ENOMEM;
    recorder->with = *options;
    *ret_recorder = recorder;
    return 0;
}

static int open_segment(struct rv_recorder *recorder)
{
    const struct rv_clock *clock = &recorder->with.clock;
    struct rv_segment_head head = {
        .unix_offset_ns = clock->unix_ns(clock->context) - clock->boot_ns(clock->context),
        .created_unix_ns = clock->unix_ns(clock->context),
    };

    (void)snprintf(recorder->name, sizeof(recorder->name), "%020" PRIu64 SUFFIX,
                   head.created_unix_ns);
    recorder->events = 0;
    recorder->bytes = 0;
    return rv_segment_create(&recorder->writer, recorder->with.dir_fd, recorder->name, &head);
}

static int digest_of(int dir_fd, const char *name, struct rv_recorder_segment *segment)
{
    RV_AUTO(rv_closep) int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat status;
    void *bytes;

    if (fd < 0 || fstat(fd, &status) < 0)
        return -errno;
    bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        return -errno;
    segment->bytes = (uint64_t)status.st_size;
    segment->digest = rv_sha256(rv_span(bytes, (size_t)status.st_size));
    (void)munmap(bytes, (size_t)status.st_size);
    return 0;
}

static bool is_segment(const char *name)
{
    size_t len = strlen(name);

    return len > strlen(SUFFIX) && rv_streq(name + len - strlen(SUFFIX), SUFFIX);
}

/** The first of the names in order, and how many there are. */
static uint64_t find_oldest(int dir_fd, char oldest[40])
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    uint64_t count = 0;

    oldest[0] = '\0';
    if (!dir)
        return 0;
    while ((entry = readdir(dir))) {
        if (!is_segment(entry->d_name) || strlen(entry->d_name) >= 40)
            continue;
        count++;
        if (!oldest[0] || strcmp(entry->d_name, oldest) < 0)
            strcpy(oldest, entry->d_name);
    }
    closedir(dir);
    return count;
}

static void remove_oldest(struct rv_recorder *recorder)
{
    char oldest[40];

    while (find_oldest(recorder->with.dir_fd, oldest) > recorder->with.kept) {
        if (unlinkat(recorder->with.dir_fd, oldest, 0) < 0)
            return;
    }
}

static int close_segment(struct rv_recorder *recorder)
{
    struct rv_recorder_segment segment = { .name = recorder->name, .events = recorder->events };
    int r;

    if (!recorder->writer)
        return 0;
    r = rv_segment_flush(recorder->writer);
    rv_segment_writer_free(&recorder->writer);
    if (r == 0)
        r = digest_of(recorder->with.dir_fd, recorder->name, &segment);
    if (r < 0)
        return r;
    recorder->with.closed(recorder->with.context, &segment);
    remove_oldest(recorder);
    return 0;
}

int rv_recorder_put(struct rv_recorder *recorder, const struct rv_event *event)
{
    if (recorder->error == 0 && recorder->bytes + event->size > recorder->with.bytes_max)
        recorder->error = close_segment(recorder);
    if (recorder->error == 0 && !recorder->writer)
        recorder->error = open_segment(recorder);
    if (recorder->error == 0)
        recorder->error = rv_segment_put(recorder->writer, event);
    recorder->events++;
    recorder->bytes += event->size + FRAME_BYTES;
    return recorder->error;
}

int rv_recorder_flush(struct rv_recorder *recorder)
{
    if (recorder->error == 0 && recorder->writer)
        recorder->error = rv_segment_flush(recorder->writer);
    return recorder->error;
}

void rv_recorder_free(struct rv_recorder **recorder)
{
    if (!*recorder)
        return;
    if (close_segment(*recorder) < 0) {
        /* The segment stays; without its digest in the log it is only a file. */
    }
    free(*recorder);
    *recorder = NULL;
}
