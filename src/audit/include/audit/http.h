/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file audit/http.h  The log's HTTP, over libevent: reading a log from a web server, asking a
 * witness, being one. A library of its own (audit_http_dep), so that the process which writes the
 * log links no network code. Blocking calls with a deadline; http:// and https:// (the system's
 * certificate authorities, host name checked). One thread at a time.
 */
#pragma once

#include "audit/tile.h"
#include "audit/witness.h"

#define RV_HTTP_TIMEOUT_S 30

/** A log's URL prefix as a source. @return 0; -EINVAL for a malformed URL; -ENOMEM. */
RV_MUST_CHECK int rv_source_http(struct rv_source *ret_source, const char *url);

/**
 * POST once.
 * @param ret_status HTTP status.
 * @return 0 when there was an answer, whatever it says; -EINVAL for a malformed URL;
 *         -ECONNREFUSED, -ETIMEDOUT or another -errno when there was none.
 */
RV_MUST_CHECK int rv_http_post(const char *url, struct rv_span body, int *ret_status,
                               struct rv_buf *ret_body);

struct rv_witness_server;

/** Serve `POST <any prefix>/add-checkpoint` on a listening socket (taken over). */
RV_MUST_CHECK int rv_witness_server_new(struct rv_witness_server **ret_server, int listen_fd,
                                        struct rv_witness *witness);
/** Serve until SIGINT or SIGTERM. @return 0 or -errno. */
RV_MUST_CHECK int rv_witness_server_run(struct rv_witness_server *server);
void rv_witness_server_free(struct rv_witness_server **server);
