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

/* ---- Streams ---- */

static int read_events(struct rv_segment_reader *reader, struct rv_features *features,
                       behaviour_take take, void *context, struct behaviour_stream *stream)
{
    const struct rv_event *event;
    enum rv_segment_end end;
    int r;

    for (;;) {
        struct rv_features_change change;
        struct rv_vector vector;

        r = rv_segment_next(reader, &event, &end);
        if (r < 0 || !event)
            return r;
        stream->first_ns = stream->events++ ? stream->first_ns : event->time_boot_ns;
        stream->last_ns = event->time_boot_ns;
        rv_features_update(features, event, &change);
        if (!change.process || change.due != RV_SCORE_DUE)
            continue;
        rv_features_vector(features, change.process, &vector);
        r = take(context, change.process, &vector);
        if (r < 0)
            return r;
    }
}

int behaviour_read(const char *path, behaviour_take take, void *context,
                   struct behaviour_stream *ret)
{
    RV_AUTO(rv_segment_reader_free) struct rv_segment_reader *reader = NULL;
    RV_AUTO(rv_features_free) struct rv_features *features = NULL;
    struct rv_features_options options = { 0 };
    struct behaviour_stream stream = { 0 };
    struct rv_segment_head head;
    int r = rv_segment_open(&reader, AT_FDCWD, path, &head);

    if (r < 0) {
        fprintf(stderr, "%s: %s; 'reeve record' makes streams\n", path,
                r == -EBADMSG ? "not a recorded stream" : strerror(-r));
        return r;
    }
    options.unix_offset_ns = stream.unix_offset_ns = (int64_t)head.unix_offset_ns;
    r = rv_features_new(&features, &options);
    if (r == 0)
        r = read_events(reader, features, take, context, &stream);
    if (r < 0)
        fprintf(stderr, "%s: %s\n", path, r == -EBADMSG ? rv_segment_error(reader) : strerror(-r));
    else if (ret)
        *ret = stream;
    return r;
}

struct gathering {
    struct vectors *vectors;
    uint32_t source;
    bool attack;
};

static int gather(void *context, const struct rv_process *process, const struct rv_vector *vector)
{
    const struct gathering *gathering = context;

    return vectors_add(gathering->vectors, vector, rv_process_class(process), gathering->source,
                       gathering->attack);
}

int behaviour_gather(const struct rv_option_list *files, bool attack, struct vectors *vectors,
                     json_t *manifest)
{
    int r = 0;

    for (size_t i = 0; i < files->count && r == 0; i++) {
        struct gathering gathering = { vectors, vectors->sources++, attack };
        size_t before = vectors->count;

        r = behaviour_read(files->items[i], gather, &gathering, NULL);
        if (r == 0)
            r = task_note_data(manifest, files->items[i], vectors->count - before,
                               attack ? "attack" : "normal");
    }
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
