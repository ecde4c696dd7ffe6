/* SPDX-License-Identifier: Apache-2.0 */
/** @file tests/sessions.h  Made-up sessions of ordinary work and of an attack, and a language model
 * of them, for tests of the models and of the agent. */
#pragma once

#include "stream.h"
#include "test.h"

#include "features/features.h"
#include "models/language.h"

/** A shell that lists, edits and backs up; `turn` makes them differ. */
static inline void play_work(struct stream *stream, uint32_t root, unsigned turn)
{
    uint32_t child = root;

    stream_spawn(stream, 1, root, "/bin/bash", "bash");
    for (unsigned i = 0; i < 6; i++) {
        stream_spawn(stream, root, ++child, (turn + i) % 3 ? "/bin/ls" : "/usr/bin/id", "x");
        stream_exit(stream, child);
        stream_spawn(stream, root, ++child, "/usr/bin/vim", "vim notes");
        stream_open(stream, child, "/home/u/notes", RV_ACCESS_WRITE);
        stream_open(stream, child, "/tmp/swap", RV_ACCESS_WRITE | RV_ACCESS_CREATE);
        stream_exit(stream, child);
        if ((turn + i) % 4 == 0) {
            stream_spawn(stream, root, ++child, "/bin/tar", "tar cf b home");
            stream_open(stream, child, "/srv/b", RV_ACCESS_WRITE | RV_ACCESS_CREATE);
            stream_exit(stream, child);
        }
    }
}

/** A shell that fetches, runs what it fetched, reads secrets and stays. */
static inline void play_attack(struct stream *stream, uint32_t root)
{
    stream_spawn(stream, 1, root, "/bin/bash", "bash");
    stream_spawn(stream, root, root + 1, "/usr/bin/curl", "curl http");
    stream_socket(stream, root + 1, RV_EVENT_NET_CONNECT, "203.0.113.9", 80);
    stream_open(stream, root + 1, "/tmp/.x", RV_ACCESS_WRITE | RV_ACCESS_CREATE);
    stream_spawn(stream, root, root + 2, "/tmp/.x", "x");
    stream_open(stream, root + 2, "/etc/shadow", RV_ACCESS_READ);
    stream_open(stream, root + 2, "/etc/cron.d/x", RV_ACCESS_WRITE | RV_ACCESS_CREATE);
    stream_socket(stream, root + 2, RV_EVENT_NET_CONNECT, "203.0.113.9", 4444);
    stream_open(stream, root + 2, "/etc/ld.so.preload", RV_ACCESS_WRITE | RV_ACCESS_CREATE);
}

struct sessions_heard {
    struct rv_features *features;
    struct rv_utterance items[16384];
    size_t count;
    uint32_t source;
    bool attack;
};

static inline void sessions_note(void *context, const struct rv_event *event)
{
    struct sessions_heard *heard = context;
    struct rv_features_change change;
    struct rv_utterance *item = &heard->items[heard->count];

    rv_features_update(heard->features, event, &change);
    if (!change.process || heard->count == RV_COUNT(heard->items))
        return;
    *item = (struct rv_utterance){
        .session = rv_session_key(change.process),
        .source = heard->source,
        .symbol = rv_symbol_of(event, change.process),
        .kind = (uint8_t)change.process->program->kind,
        .attack = heard->attack,
        .due = change.due == RV_SCORE_DUE,
    };
    heard->count += item->symbol != RV_SYMBOL_NONE;
}

/** A model of 40 sessions of work and, if wanted, of four attacks. */
static inline struct rv_language *sessions_model(bool attacks)
{
    struct sessions_heard *heard = calloc(1, sizeof(*heard));
    struct stream *stream = calloc(1, sizeof(*stream));
    struct rv_language *language = NULL;
    const struct rv_task_options options = { .seed = 1 };

    assert_non_null(heard);
    assert_non_null(stream);
    rv_assert_ok(rv_features_new(&heard->features, &(struct rv_features_options){ 0 }));
    stream_init(stream, sessions_note, heard);
    for (unsigned i = 0; i < 40; i++, heard->source++)
        play_work(stream, 100 + i * 40, i);
    heard->attack = true;
    for (unsigned i = 0; attacks && i < 4; i++, heard->source++)
        play_attack(stream, 4000 + i * 10);
    rv_assert_ok(rv_language_train(&language, heard->items, heard->count, &options));
    rv_features_free(&heard->features);
    free(stream);
    free(heard);
    return language;
}
