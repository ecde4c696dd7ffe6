/* SPDX-License-Identifier: Apache-2.0 */
/* The witness as a server: one thread, so that reading, judging and keeping are one step. */
#include "audit/http.h"

#include "base/fd.h"
#include "base/log.h"
#include "quiet_pipe.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <signal.h>

#define SIGNALS 2

struct rv_witness_server {
    struct event_base *base;
    struct evhttp *http;
    struct event *stop[SIGNALS];
    struct rv_witness *witness;
};

static void send_answer(struct evhttp_request *request, int status, const char *type,
                        struct rv_span body)
{
    struct evbuffer *output = evbuffer_new();

    if (output)
        (void)evbuffer_add(output, body.data, body.len);
    if (type)
        (void)evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", type);
    evhttp_send_reply(request, status, NULL, output);
    if (output)
        evbuffer_free(output);
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);

    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static void handle(struct evhttp_request *request, void *context)
{
    RV_AUTO(rv_witness_answer_done) struct rv_witness_answer answer = { 0 };
    struct evbuffer *input = evhttp_request_get_input_buffer(request);
    const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request));
    struct rv_witness_server *server = context;
    size_t len = evbuffer_get_length(input);
    int r;

    if (!path || !ends_with(path, "/add-checkpoint")) {
        send_answer(request, 404, NULL, rv_span_str("no such call\n"));
        return;
    }
    if (evhttp_request_get_command(request) != EVHTTP_REQ_POST) {
        send_answer(request, 405, NULL, rv_span_str("POST only\n"));
        return;
    }
    r = rv_witness_add_checkpoint(server->witness, rv_span(evbuffer_pullup(input, -1), len),
                                  &answer);
    if (r < 0) {
        rv_error("witness: cannot keep its state: %s; nothing was cosigned", strerror(-r));
        send_answer(request, 500, NULL, rv_span_str("the witness cannot keep its state\n"));
        return;
    }
    if (answer.fork)
        rv_error("witness: a log signed two different trees of one size; both are kept as evidence "
                 "(fork-* in the state directory)");
    send_answer(request, answer.status, answer.content_type, rv_buf_span(&answer.body));
}

static void stop(evutil_socket_t signal_number, short events, void *context)
{
    (void)signal_number;
    (void)events;
    (void)event_base_loopbreak(context);
}

int rv_witness_server_new(struct rv_witness_server **ret_server, int listen_fd,
                          struct rv_witness *witness)
{
    static const int signals[SIGNALS] = { SIGINT, SIGTERM };
    RV_AUTO(rv_witness_server_free) struct rv_witness_server *server = calloc(1, sizeof(*server));
    RV_AUTO(rv_closep) int fd = listen_fd;

    if (!server)
        return -ENOMEM;
    server->witness = witness;
    server->base = event_base_new();
    server->http = server->base ? evhttp_new(server->base) : NULL;
    if (!server->http)
        return -ENOMEM;
    evhttp_set_allowed_methods(server->http, EVHTTP_REQ_POST | EVHTTP_REQ_GET);
    evhttp_set_max_body_size(server->http, (ev_ssize_t)RV_WITNESS_REQUEST_MAX);
    evhttp_set_max_headers_size(server->http, 8 * 1024);
    evhttp_set_timeout(server->http, RV_HTTP_TIMEOUT_S);
    evhttp_set_gencb(server->http, handle, server);
    for (size_t i = 0; i < SIGNALS; i++) {
        server->stop[i] = evsignal_new(server->base, signals[i], stop, server->base);
        if (!server->stop[i] || evsignal_add(server->stop[i], NULL) < 0)
            return -ENOMEM;
    }
    if (evutil_make_socket_nonblocking(fd) < 0 || evhttp_accept_socket(server->http, fd) < 0)
        return -EIO;
    (void)rv_take_fd(&fd);
    *ret_server = RV_TAKE(server);
    return 0;
}

int rv_witness_server_run(struct rv_witness_server *server)
{
    struct quiet_pipe quiet;
    int r;

    quiet_pipe_begin(&quiet);
    r = event_base_dispatch(server->base);
    quiet_pipe_end(&quiet);
    return r < 0 ? -EIO : 0;
}

void rv_witness_server_free(struct rv_witness_server **server)
{
    if (!*server)
        return;
    for (size_t i = 0; i < SIGNALS; i++) {
        if ((*server)->stop[i])
            event_free((*server)->stop[i]);
    }
    if ((*server)->http)
        evhttp_free((*server)->http);
    if ((*server)->base)
        event_base_free((*server)->base);
    free(*server);
    *server = NULL;
}
