/* SPDX-License-Identifier: Apache-2.0 */
#include "behaviour_data.h"

#include <fcntl.h>
#include <stdio.h>

void vectors_done(struct vectors *vectors)
{
    free(vectors->values);
    free(vectors->class);
    free(vectors->source);
    free(vectors->attack);
    free(vectors->judged);
    *vectors = (struct vectors){ 0 };
}

static int grow_one(void *column, size_t room, size_t size)
{
    void *old, *grown;

    memcpy(&old, column, sizeof(old));
    grown = reallocarray(old, room, size);
    if (!grown)
        return -ENOMEM;
    memcpy(column, &grown, sizeof(grown));
    return 0;
}

static int grow(struct vectors *vectors)
{
    size_t room = vectors->room ? vectors->room * 2 : 1024;
    int r = grow_one(&vectors->values, room, RV_FEATURE_COUNT * sizeof(*vectors->values));

    if (r == 0)
        r = grow_one(&vectors->class, room, sizeof(*vectors->class));
    if (r == 0)
        r = grow_one(&vectors->source, room, sizeof(*vectors->source));
    if (r == 0)
        r = grow_one(&vectors->attack, room, sizeof(*vectors->attack));
    if (r == 0)
        r = grow_one(&vectors->judged, room, sizeof(*vectors->judged));
    if (r == 0)
        vectors->room = room;
    return r;
}

int vectors_add(struct vectors *vectors, const struct rv_vector *vector, uint32_t class,
                uint32_t source, bool attack)
{
    size_t row = vectors->count;
    int r = row == vectors->room ? grow(vectors) : 0;

    if (r < 0)
        return r;
    memcpy(vectors->values + row * RV_FEATURE_COUNT, vector->value, sizeof(vector->value));
    vectors->class[row] = class;
    vectors->source[row] = source;
    vectors->attack[row] = attack;
    vectors->judged[row] = false;
    vectors->count++;
    return 0;
}

void utterances_done(struct utterances *utterances)
{
    free(utterances->items);
    *utterances = (struct utterances){ 0 };
}

static int utterances_add(struct utterances *utterances, const struct rv_utterance *utterance)
{
    if (utterances->count == utterances->room) {
        size_t room = utterances->room ? utterances->room * 2 : 4096;
        int r = grow_one(&utterances->items, room, sizeof(*utterances->items));

        if (r < 0)
            return r;
        utterances->room = room;
    }
    utterances->items[utterances->count++] = *utterance;
    return 0;
}

/* ---- Streams ---- */

void behaviour_streams_done(struct behaviour_streams *streams)
{
    free(streams->items);
    *streams = (struct behaviour_streams){ 0 };
}

static int refuse(const char *path, int r)
{
    fprintf(stderr, "%s: %s; 'reeve record' makes streams\n", path,
            r == -EBADMSG ? "not a recorded stream" : strerror(-r));
    return r;
}

static int read_head(struct behaviour_stream *stream)
{
    RV_AUTO(rv_segment_reader_free) struct rv_segment_reader *reader = NULL;
    struct rv_segment_head head;
    int r = rv_segment_open(&reader, AT_FDCWD, stream->path, &head);

    if (r < 0)
        return refuse(stream->path, r);
    memcpy(stream->host, head.host, sizeof(head.host));
    stream->created_unix_ns = head.created_unix_ns;
    stream->unix_offset_ns = (int64_t)head.unix_offset_ns;
    return 0;
}

static int read_heads(const struct task_files *files, struct behaviour_streams *streams)
{
    size_t count = files->normal.count + files->attack.count;

    streams->items = calloc(count + 1, sizeof(*streams->items));
    if (!streams->items)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        struct behaviour_stream *stream = &streams->items[i];
        int r;

        stream->attack = i >= files->normal.count;
        stream->path =
            stream->attack ? files->attack.items[i - files->normal.count] : files->normal.items[i];
        stream->number = (uint32_t)i;
        r = read_head(stream);
        if (r < 0)
            return r;
    }
    streams->count = count;
    return 0;
}

static int by_host_and_time(const void *a, const void *b)
{
    const struct behaviour_stream *x = *(struct behaviour_stream *const *)a;
    const struct behaviour_stream *y = *(struct behaviour_stream *const *)b;
    int host = strcmp(x->host, y->host);

    if (host != 0)
        return host;
    if (x->created_unix_ns != y->created_unix_ns)
        return x->created_unix_ns < y->created_unix_ns ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

/** What a walk knows on its way. */
struct walk {
    behaviour_take take;
    void *context;
    struct rv_features *features;
    const char *host_name;
    unsigned host;
    uint64_t last_ns;
};

/** Another host, or one that was started again, begins with a state of its own. */
static int begin_host(struct walk *walk, const struct behaviour_stream *stream, uint64_t first_ns)
{
    struct rv_features_options options = { .unix_offset_ns = stream->unix_offset_ns };

    if (walk->features && rv_streq(walk->host_name, stream->host) && first_ns >= walk->last_ns)
        return 0;
    rv_features_free(&walk->features);
    walk->host_name = stream->host;
    walk->host++;
    return rv_features_new(&walk->features, &options);
}

static int take_event(struct walk *walk, struct behaviour_stream *stream,
                      const struct rv_event *event)
{
    struct behaviour_seen seen = { .event = event, .stream = stream };
    struct rv_features_change change;
    struct rv_vector vector;

    rv_features_update(walk->features, event, &change);
    if (!change.process)
        return 0;
    if (change.due == RV_SCORE_DUE) {
        rv_features_vector(walk->features, change.process, &vector);
        seen.vector = &vector;
        stream->rows++;
    }
    seen.features = walk->features;
    seen.process = change.process;
    seen.host = walk->host;
    return walk->take(walk->context, &seen);
}

static int read_events(struct walk *walk, struct behaviour_stream *stream,
                       struct rv_segment_reader *reader)
{
    const struct rv_event *event;
    enum rv_segment_end end;
    int r;

    for (;;) {
        r = rv_segment_next(reader, &event, &end);
        if (r < 0 || !event)
            return r;
        if (stream->events++ == 0) {
            stream->first_ns = event->time_boot_ns;
            r = begin_host(walk, stream, event->time_boot_ns);
            if (r < 0)
                return r;
        }
        stream->last_ns = walk->last_ns = event->time_boot_ns;
        r = take_event(walk, stream, event);
        if (r < 0)
            return r;
    }
}

static int read_stream(struct walk *walk, struct behaviour_stream *stream)
{
    RV_AUTO(rv_segment_reader_free) struct rv_segment_reader *reader = NULL;
    struct rv_segment_head head;
    int r = rv_segment_open(&reader, AT_FDCWD, stream->path, &head);

    if (r < 0)
        return refuse(stream->path, r);
    r = read_events(walk, stream, reader);
    if (r < 0)
        fprintf(stderr, "%s: %s\n", stream->path,
                r == -EBADMSG ? rv_segment_error(reader) : strerror(-r));
    return r;
}

int behaviour_walk(const struct task_files *files, behaviour_take take, void *context,
                   struct behaviour_streams *ret_streams)
{
    RV_AUTO(behaviour_streams_done) struct behaviour_streams streams = { 0 };
    RV_AUTO(rv_freep) struct behaviour_stream **order = NULL;
    struct walk walk = { .take = take, .context = context };
    int r = read_heads(files, &streams);

    if (r < 0)
        return r;
    order = calloc(streams.count + 1, sizeof(struct behaviour_stream *));
    if (!order)
        return -ENOMEM;
    for (size_t i = 0; i < streams.count; i++)
        order[i] = &streams.items[i];
    qsort(order, streams.count, sizeof(struct behaviour_stream *), by_host_and_time);
    for (size_t i = 0; i < streams.count && r == 0; i++)
        r = read_stream(&walk, order[i]);
    rv_features_free(&walk.features);
    if (r == 0 && ret_streams) {
        *ret_streams = streams;
        streams = (struct behaviour_streams){ 0 };
    }
    return r;
}

/** An event, and each system call of a batch. */
static int gather_utterances(struct utterances *utterances, const struct behaviour_seen *seen)
{
    const struct rv_event_syscalls *batch = (const void *)seen->event;
    struct rv_utterance utterance = {
        .session = rv_session_key(seen->process) ^ (uint64_t)seen->host << 1,
        .source = seen->stream->number,
        .symbol = rv_symbol_of(seen->event, seen->process),
        .kind = (uint8_t)seen->process->program->kind,
        .attack = seen->stream->attack,
        .due = seen->vector != NULL,
    };
    struct rv_span calls;
    int r = 0;

    if (utterance.symbol != RV_SYMBOL_NONE || utterance.due)
        r = utterances_add(utterances, &utterance);
    if (seen->event->type != RV_EVENT_SYSCALLS)
        return r;
    calls = rv_event_str(seen->event, &batch->calls);
    utterance.session =
        rv_session_key_of_thread(seen->process, seen->event->tid) ^ (uint64_t)seen->host << 1;
    utterance.due = false;
    for (size_t i = 0; i + 2 <= calls.len && r == 0; i += 2) {
        utterance.symbol = rv_symbol_of_call(calls.data[i] | (uint32_t)calls.data[i + 1] << 8);
        r = utterances_add(utterances, &utterance);
    }
    return r;
}

/** An attack is alerted on in life, so nothing of it becomes what is usual here. */
static int gather(void *context, const struct behaviour_seen *seen)
{
    const struct gathered *into = context;
    int r = gather_utterances(into->utterances, seen);

    if (r < 0 || !seen->vector)
        return r;
    r = vectors_add(into->vectors, seen->vector, rv_process_class(seen->process),
                    seen->stream->number, seen->stream->attack);
    if (seen->stream->attack)
        rv_features_taint(seen->features, seen->process);
    return r;
}

int behaviour_gather(const struct task_files *files, const struct gathered *into, json_t *manifest)
{
    RV_AUTO(behaviour_streams_done) struct behaviour_streams streams = { 0 };
    int r = behaviour_walk(files, gather, (void *)(uintptr_t)into, &streams);

    into->vectors->sources = (uint32_t)streams.count;
    for (size_t i = 0; i < streams.count && r == 0; i++)
        r = task_note_data(manifest, streams.items[i].path, streams.items[i].rows,
                           streams.items[i].attack ? "attack" : "normal");
    return r;
}

int behaviour_labels(const struct rv_option_list *files, struct rv_labels *labels, json_t *manifest)
{
    int r = 0;

    for (size_t i = 0; i < files->count && r == 0; i++) {
        struct rv_dataset_error error = { 0 };
        size_t before = labels->count;

        r = rv_labels_read(labels, AT_FDCWD, files->items[i], &error);
        r = r < 0 ? task_refuse(files->items[i], r, &error)
                  : task_note_data(manifest, files->items[i], labels->count - before, "labels");
    }
    return r;
}
