/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file agent/control.h  The judge's side of the control socket: people and tools ask, lines
 * answer.
 *
 * A request is one line of JSON, {"request": NAME, ...}; answers are lines of JSON
 * (docs/PROTOCOL.md). Who may connect is decided by the socket file's owner and mode. A client that
 * does not read is told how many lines it missed; it never slows the judge.
 */
#pragma once

#include "agent/pipeline.h"

struct event_base;
struct rv_control;

#define RV_CONTROL_CLIENTS_MAX 32U
#define RV_CONTROL_LINE_MAX    ((size_t)64 * 1024)       /* bytes of a request */
#define RV_CONTROL_BACKLOG_MAX ((size_t)8 * 1024 * 1024) /* bytes waiting for one client */

/**
 * A request that has one answer. `peer_uid` is who asks, as the kernel says.
 * @return a new object; {"error": SENTENCE} when it is refused; NULL without memory.
 */
struct rv_control_request {
    const char *name;
    json_t *(*answer)(void *context, const json_t *request, uint32_t peer_uid);
    void *context;
};

/**
 * @param listen_fd a listening unix socket; taken over.
 * @param requests  beside "watch"; ends with a NULL name; borrowed as long as the control lives.
 * @return 0 or -errno.
 */
RV_MUST_CHECK int rv_control_new(struct rv_control **ret_control, struct event_base *base,
                                 int listen_fd, const struct rv_control_request *requests);
void rv_control_free(struct rv_control **control);

/** Does anybody watch? Then outcomes are worth publishing. */
bool rv_control_watched(const struct rv_control *control);

/** Send one line to every watcher, whatever it filters. */
void rv_control_tell(struct rv_control *control, const json_t *line);

/** Send one outcome to every watcher whose filter it passes. */
void rv_control_publish(struct rv_control *control, const struct rv_pipeline *pipeline,
                        const struct rv_outcome *outcome, uint64_t latency_ns);
