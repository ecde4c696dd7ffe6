/* SPDX-License-Identifier: Apache-2.0 */
/* Sequences from tables (a header names the columns) and from recorded event streams. */
#include "private.h"

#include "event/segment.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define CALLS_MAX ((size_t)1 << 24) /* of one trace */

enum column { ID, LABEL, CLASS, RECORDING, CALLS, COLUMN_COUNT_ };

static const char *const column_names[COLUMN_COUNT_] = {
    [ID] = "id", [LABEL] = "label", [CLASS] = "class", [RECORDING] = "recording",
    [CALLS] = "calls",
};

#define FIELD_MAX 64

struct table {
    int field_of[COLUMN_COUNT_]; /* -1: not there */
};

static int read_head(struct table *table, struct rv_span line, struct rv_dataset_error *reterr)
{
    struct rv_span field;

    for (size_t i = 0; i < COLUMN_COUNT_; i++)
        table->field_of[i] = -1;
    for (int at = 0; rv_field_next(&line, '\t', &field); at++) {
        for (size_t i = 0; i < COLUMN_COUNT_; i++) {
            if (rv_span_is(rv_span_trim(field), column_names[i]))
                table->field_of[i] = at;
        }
        if (at == FIELD_MAX)
            return rv_dataset_refuse(reterr, 1, "more than %d columns", FIELD_MAX);
    }
    if (table->field_of[CALLS] < 0)
        return rv_dataset_refuse(
            reterr, 1, "no column 'calls': sequences are tab-separated with a header line");
    return 0;
}

static enum rv_label label_of(struct rv_span text)
{
    if (rv_span_is(text, "0") || rv_span_is(text, "normal"))
        return RV_LABEL_NORMAL;
    return rv_span_is(text, "1") || rv_span_is(text, "attack") ? RV_LABEL_ATTACK
                                                                : RV_LABEL_UNKNOWN;
}

/** Numbers separated by blanks. */
static int read_calls(struct rv_sequence *item, struct rv_span text, size_t line,
                      struct rv_dataset_error *reterr)
{
    size_t room = text.len / 2 + 1;

    if (room > CALLS_MAX)
        return rv_dataset_refuse(reterr, line, "a trace of more than %zu calls", CALLS_MAX);
    item->calls = malloc(room * sizeof(*item->calls));
    if (!item->calls)
        return -ENOMEM;
    for (size_t at = 0; at < text.len;) {
        uint32_t number = 0;

        if (text.data[at] == ' ') {
            at++;
            continue;
        }
        for (; at < text.len && text.data[at] != ' '; at++) {
            uint8_t c = text.data[at];

            if (c < '0' || c > '9' || number > RV_DATASET_SYMBOL_MAX)
                return rv_dataset_refuse(reterr, line, "'calls' holds something that is not a "
                                                       "number up to %u",
                                         RV_DATASET_SYMBOL_MAX);
            number = number * 10 + (uint32_t)(c - '0');
        }
        if (number > RV_DATASET_SYMBOL_MAX)
            return rv_dataset_refuse(reterr, line, "a call number above %u",
                                     RV_DATASET_SYMBOL_MAX);
        item->calls[item->count++] = (uint16_t)number;
    }
    return 0;
}

static int read_row(struct rv_sequence *item, const struct table *table, struct rv_span line,
                    size_t number, struct rv_dataset_error *reterr)
{
    struct rv_span cell[COLUMN_COUNT_] = { 0 }, field;
    char fallback[24];

    for (int at = 0; rv_field_next(&line, '\t', &field); at++) {
        for (size_t i = 0; i < COLUMN_COUNT_; i++) {
            if (table->field_of[i] == at)
                cell[i] = field;
        }
    }
    (void)snprintf(fallback, sizeof(fallback), "%zu", number - 1);
    item->id = rv_span_dup(cell[ID].len ? cell[ID] : rv_span_str(fallback));
    item->program = rv_span_dup(cell[CLASS]);
    item->recording = rv_span_dup(cell[RECORDING]);
    item->label = label_of(cell[LABEL]);
    if (!item->id || !item->program || !item->recording)
        return -ENOMEM;
    return read_calls(item, cell[CALLS], number, reterr);
}

int rv_sequences_parse(struct rv_sequences *set, struct rv_span bytes,
                       struct rv_dataset_error *reterr)
{
    struct rv_line_reader lines = { .rest = bytes };
    struct rv_span line;
    struct table table;
    int r;

    if (!rv_line_next(&lines, &line))
        return rv_dataset_refuse(reterr, 0, "it is empty");
    r = read_head(&table, line, reterr);
    if (r < 0)
        return r;
    while (rv_line_next(&lines, &line)) {
        struct rv_sequence item = { 0 };

        if (line.len == 0)
            continue;
        r = rv_dataset_grow(&set->items, &set->room, set->count, sizeof(*set->items));
        if (r == 0)
            r = read_row(&item, &table, line, lines.number, reterr);
        if (r < 0) {
            rv_sequence_done(&item);
            return r;
        }
        set->items[set->count++] = item;
    }
    return 0;
}

/* ---- Recorded streams: one sequence a thread, of its system calls or, without those, events ---- */

struct stream {
    struct rv_sequences *set;
    size_t first; /* item of `set` where this stream's threads begin */
    size_t *room; /* of each thread's calls */
    size_t room_room;
};

/** The sequence of a thread of a process; NULL without memory. Linear from the newest. */
static struct rv_sequence *thread_of(struct stream *stream, const struct rv_event *event,
                                     bool syscalls)
{
    struct rv_sequences *set = stream->set;
    char id[96];
    struct rv_sequence fresh = { 0 };

    (void)snprintf(id, sizeof(id), "%u.%llu:%u%s", event->tgid,
                   (unsigned long long)event->start_boot_ns, event->tid,
                   syscalls ? "/syscalls" : "/events");
    for (size_t i = set->count; i > stream->first; i--) {
        if (rv_streq(set->items[i - 1].id, id))
            return &set->items[i - 1];
    }
    fresh.id = strdup(id);
    fresh.program = strndup(event->comm, sizeof(event->comm));
    fresh.recording = strdup("");
    if (!fresh.id || !fresh.program || !fresh.recording ||
        rv_dataset_grow(&set->items, &set->room, set->count, sizeof(*set->items)) < 0 ||
        rv_dataset_grow(&stream->room, &stream->room_room, set->count - stream->first,
                        sizeof(*stream->room)) < 0) {
        rv_sequence_done(&fresh);
        return NULL;
    }
    stream->room[set->count - stream->first] = 0;
    set->items[set->count] = fresh;
    return &set->items[set->count++];
}

static int add_call(struct stream *stream, struct rv_sequence *item, uint16_t call)
{
    size_t *room = &stream->room[(size_t)(item - stream->set->items) - stream->first];

    if (item->count == CALLS_MAX)
        return 0;
    if (rv_dataset_grow(&item->calls, room, item->count, sizeof(*item->calls)) < 0)
        return -ENOMEM;
    item->calls[item->count++] = call;
    return 0;
}

static int take_event(struct stream *stream, const struct rv_event *event)
{
    bool syscalls = event->type == RV_EVENT_SYSCALLS;
    struct rv_sequence *item = thread_of(stream, event, syscalls);
    struct rv_span calls;
    int r = 0;

    if (!item)
        return -ENOMEM;
    if (!syscalls)
        return add_call(stream, item, event->type);
    calls = rv_event_str(event, &((const struct rv_event_syscalls *)event)->calls);
    for (size_t at = 0; at + 2 <= calls.len && r == 0; at += 2)
        r = add_call(stream, item, (uint16_t)(calls.data[at] | calls.data[at + 1] << 8));
    return r;
}

static int read_stream(struct rv_sequences *set, int dir_fd, const char *path,
                       struct rv_dataset_error *reterr)
{
    RV_AUTO(rv_segment_reader_free) struct rv_segment_reader *reader = NULL;
    struct stream stream = { .set = set, .first = set->count };
    const struct rv_event *event;
    enum rv_segment_end end;
    struct rv_segment_head head;
    int r = rv_segment_open(&reader, dir_fd, path, &head);

    if (r < 0)
        return rv_dataset_refuse(reterr, 0, "its head is not that of a recorded stream");
    for (;;) {
        r = rv_segment_next(reader, &event, &end);
        if (r < 0) {
            (void)rv_dataset_refuse(reterr, 0, "%s", rv_segment_error(reader));
            break;
        }
        if (!event)
            break;
        r = take_event(&stream, event);
        if (r < 0)
            break;
    }
    free(stream.room);
    return r;
}

int rv_sequences_read(struct rv_sequences *set, int dir_fd, const char *path,
                      struct rv_dataset_error *reterr)
{
    RV_AUTO(rv_buf_done) struct rv_buf bytes = { 0 };
    int r = rv_dataset_load(dir_fd, path, &bytes, reterr);

    if (r < 0)
        return r;
    if (bytes.len >= 8 && memcmp(bytes.data, "REEVESEG", 8) == 0)
        return read_stream(set, dir_fd, path, reterr);
    return rv_sequences_parse(set, rv_buf_span(&bytes), reterr);
}
