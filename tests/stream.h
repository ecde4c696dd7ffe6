/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/stream.h  Made-up streams of events for tests: small verbs with a process id, on a
 * clock that the test moves. Events go to `put`; a process id is used once per stream.
 */
#pragma once

#include "event/event.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#define STREAM_PIDS 65536U

struct stream {
    struct rv_event_builder builder;
    uint64_t now_ns, seq;
    uint64_t start_ns[STREAM_PIDS];
    uint32_t uid[STREAM_PIDS];
    void (*put)(void *context, const struct rv_event *event);
    void *context;
};

static inline void stream_init(struct stream *stream,
                               void (*put)(void *context, const struct rv_event *event),
                               void *context)
{
    memset(stream, 0, sizeof(*stream));
    stream->now_ns = 3600 * (uint64_t)1000000000;
    stream->put = put;
    stream->context = context;
}

static inline void stream_wait_ms(struct stream *stream, uint64_t ms)
{
    stream->now_ns += ms * 1000000;
}

static inline void *stream_begin(struct stream *stream, uint32_t pid, enum rv_event_type type)
{
    struct rv_event *event = rv_event_begin(&stream->builder, type);

    if (stream->start_ns[pid] == 0)
        stream->start_ns[pid] = stream->now_ns;
    stream->now_ns += 20000; /* 50,000 events a second */
    event->time_boot_ns = stream->now_ns;
    event->start_boot_ns = stream->start_ns[pid];
    event->tgid = event->tid = pid;
    event->uid = event->gid = stream->uid[pid];
    event->seq = ++stream->seq;
    memcpy(event->comm, "test", 5);
    return event;
}

static inline void stream_end(struct stream *stream)
{
    stream->put(stream->context, rv_event_end(&stream->builder));
}

static inline void stream_str(struct stream *stream, struct rv_event_str *field, const char *text)
{
    if (text)
        rv_event_put_str(&stream->builder, field, rv_span_str(text), RV_EVENT_PATH_MAX);
}

static inline void stream_fork(struct stream *stream, uint32_t pid, uint32_t child)
{
    struct rv_event_process_fork *fork = stream_begin(stream, pid, RV_EVENT_PROCESS_FORK);

    stream->start_ns[child] = stream->now_ns;
    stream->uid[child] = stream->uid[pid];
    fork->child_tgid = child;
    fork->child_start_boot_ns = stream->start_ns[child];
    stream_end(stream);
}

/* `arguments`: blank-separated, the first is the program's name. */
static inline void stream_exec_flags(struct stream *stream, uint32_t pid, const char *path,
                                     const char *arguments, uint32_t exec_flags)
{
    struct rv_event_process_exec *exec = stream_begin(stream, pid, RV_EVENT_PROCESS_EXEC);
    char argv[512] = "";
    size_t len = strlen(arguments);

    for (size_t i = 0; i < len; i++)
        argv[i] = arguments[i] == ' ' ? '\0' : arguments[i];
    stream_str(stream, &exec->path, path);
    rv_event_put_str(&stream->builder, &exec->argv, rv_span(argv, len + 1), RV_EVENT_ARGV_MAX);
    stream_str(stream, &exec->cwd, "/home/u");
    stream_str(stream, &exec->cgroup, "/system.slice/test.service");
    exec->euid = exec->egid = stream->uid[pid];
    exec->file_mode = 0100755;
    exec->exec_flags = exec_flags;
    exec->ctime_ns = 1000000000;
    stream_end(stream);
}

static inline void stream_exec(struct stream *stream, uint32_t pid, const char *path,
                               const char *arguments)
{
    stream_exec_flags(stream, pid, path, arguments, 0);
}

static inline void stream_spawn(struct stream *stream, uint32_t pid, uint32_t child,
                                const char *path, const char *arguments)
{
    stream_fork(stream, pid, child);
    stream_exec(stream, child, path, arguments);
}

static inline void stream_exit(struct stream *stream, uint32_t pid)
{
    (void)stream_begin(stream, pid, RV_EVENT_PROCESS_EXIT);
    stream_end(stream);
}

static inline void stream_open(struct stream *stream, uint32_t pid, const char *path,
                               uint32_t access)
{
    struct rv_event_file_open *open = stream_begin(stream, pid, RV_EVENT_FILE_OPEN);

    stream_str(stream, &open->path, path);
    open->access = access;
    stream_end(stream);
}

static inline void stream_rename(struct stream *stream, uint32_t pid, const char *from,
                                 const char *to)
{
    struct rv_event_file_rename *rename = stream_begin(stream, pid, RV_EVENT_FILE_RENAME);

    stream_str(stream, &rename->path, from);
    stream_str(stream, &rename->new_path, to);
    stream_end(stream);
}

static inline void stream_unlink(struct stream *stream, uint32_t pid, const char *path)
{
    struct rv_event_file_unlink *unlink = stream_begin(stream, pid, RV_EVENT_FILE_UNLINK);

    stream_str(stream, &unlink->path, path);
    stream_end(stream);
}

static inline void stream_socket(struct stream *stream, uint32_t pid, enum rv_event_type type,
                                 const char *address, uint32_t port)
{
    struct rv_event_net_socket *net = stream_begin(stream, pid, type);

    net->family = AF_INET;
    net->port = port;
    (void)inet_pton(AF_INET, address, net->addr.bytes);
    stream_end(stream);
}

static inline void stream_plain(struct stream *stream, uint32_t pid, enum rv_event_type type)
{
    (void)stream_begin(stream, pid, type);
    stream_end(stream);
}
