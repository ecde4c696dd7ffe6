/* SPDX-License-Identifier: Apache-2.0 */
/** @file cli/client.h  The other end of the agent's control socket: lines of JSON. */
#pragma once

#include "base/json.h"

#include <stdio.h>

#define RV_CONTROL_SOCKET "/run/reeve/control.sock"

struct rv_client; /* one connection */

/**
 * Connect and send one request.
 * @param path  NULL: REEVE_SOCKET from the environment, else RV_CONTROL_SOCKET.
 * @return 0, or -errno after saying on standard error what to do.
 */
RV_MUST_CHECK int rv_client_open(struct rv_client **ret_client, const char *path,
                                 const json_t *request);
void rv_client_free(struct rv_client **client);
int rv_client_fd(const struct rv_client *client);
/** Whether a line was read from the socket already, so that poll(2) would not tell. */
bool rv_client_pending(const struct rv_client *client);

/**
 * The next line, parsed; blocks.
 * @param ret_text the line itself without its newline, valid until the next call; may be NULL.
 * @return 0; -ETIMEDOUT when nothing came for ten seconds: ask again or give up; -EPIPE when the
 *         agent has gone; -EBADMSG.
 */
RV_MUST_CHECK int rv_client_next(struct rv_client *client, json_t **ret_line,
                                 const char **ret_text);

/**
 * One request, one answer.
 * @param request  taken over; NULL: there was no memory for it.
 * @param ret_text the answer as it came, to print with --json; free() it; may be NULL.
 * @return 0; -errno after saying on standard error what is wrong, the agent's own refusal
 *         (-EREMOTEIO) included.
 */
RV_MUST_CHECK int rv_client_ask(const char *path, json_t *request, json_t **ret_answer,
                                char **ret_text);
