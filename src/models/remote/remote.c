/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client: libevent's HTTP with a loop of its own that runs until the answer or the deadline.
 * The connection is kept between rows and made anew after any failure, so that a late answer never
 * meets the next row.
 */
#include "models/remote.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <math.h>
#include <stdio.h>

#define BODY_BYTES_MAX    ((ev_ssize_t)1024 * 1024)
#define HEADERS_BYTES_MAX ((ev_ssize_t)16 * 1024)

struct rv_remote {
    char *host, *path, *input;
    uint16_t port;
    enum rv_remote_datatype datatype;
    uint32_t deadline_ms;
    struct rv_clock clock;
    struct rv_breaker breaker;
    struct event_base *base;
    struct evhttp_connection *connection;

    /* Of the request under way. */
    bool done;
    int result;
    double score;
};

void rv_remote_free(struct rv_remote **remote)
{
    struct rv_remote *r = *remote;

    if (!r)
        return;
    if (r->connection)
        evhttp_connection_free(r->connection);
    if (r->base)
        event_base_free(r->base);
    free(r->host);
    free(r->path);
    free(r->input);
    free(r);
    *remote = NULL;
}

/* Names go into a path: only what needs no escaping there. */
static bool name_ok(const char *name)
{
    size_t len = name ? strlen(name) : 0;

    return len > 0 && len < 200 &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == len;
}

static char *make_path(const struct rv_remote_options *options)
{
    struct rv_buf buf = { 0 };

    rv_buf_addf(&buf, "/v2/models/%s", options->model);
    if (options->version)
        rv_buf_addf(&buf, "/versions/%s", options->version);
    rv_buf_add_str(&buf, "/infer");
    return rv_buf_take(&buf);
}

int rv_remote_new(const struct rv_remote_options *options, struct rv_remote **ret_remote)
{
    RV_AUTO(rv_remote_free) struct rv_remote *remote = NULL;

    if (!options->host || !*options->host || !options->input || options->port == 0 ||
        !name_ok(options->model) || (options->version && !name_ok(options->version)))
        return -EINVAL;
    remote = calloc(1, sizeof(*remote));
    if (!remote)
        return -ENOMEM;
    remote->port = options->port;
    remote->datatype = options->datatype;
    remote->clock = options->clock;
    remote->deadline_ms = options->deadline_ms ? options->deadline_ms : 50;
    remote->breaker = rv_breaker(options->failures_max ? options->failures_max : 3,
                                 options->open_ms ? options->open_ms : 10000);
    remote->host = strdup(options->host);
    remote->input = strdup(options->input);
    remote->path = make_path(options);
    remote->base = event_base_new();
    if (!remote->host || !remote->input || !remote->path || !remote->base)
        return -ENOMEM;
    *ret_remote = RV_TAKE(remote);
    return 0;
}

/* ---- One request ---- */

static void on_answer(struct evhttp_request *request, void *context)
{
    struct rv_remote *remote = context;
    struct evbuffer *body;
    size_t len;

    remote->done = true;
    if (!request || evhttp_request_get_response_code(request) == 0) {
        remote->result = -ECONNREFUSED;
        return;
    }
    if (evhttp_request_get_response_code(request) != HTTP_OK) {
        remote->result = -EREMOTEIO;
        return;
    }
    body = evhttp_request_get_input_buffer(request);
    len = evbuffer_get_length(body);
    remote->result = rv_inference_response(
        rv_span(len ? evbuffer_pullup(body, -1) : (const unsigned char *)"", len), &remote->score);
}

static int connect_to(struct rv_remote *remote)
{
    if (remote->connection)
        return 0;
    remote->connection = evhttp_connection_base_new(remote->base, NULL, remote->host, remote->port);
    if (!remote->connection)
        return -ENOMEM;
    evhttp_connection_set_max_body_size(remote->connection, BODY_BYTES_MAX);
    evhttp_connection_set_max_headers_size(remote->connection, HEADERS_BYTES_MAX);
    return 0;
}

static struct evhttp_request *make_request(struct rv_remote *remote, const int32_t *row,
                                           uint32_t width)
{
    RV_AUTO(rv_buf_done) struct rv_buf body = { 0 };
    struct evhttp_request *request = evhttp_request_new(on_answer, remote);
    struct evkeyvalq *headers;
    bool ok;

    if (!request)
        return NULL;
    rv_inference_request(&body, remote->input, remote->datatype, row, width);
    headers = evhttp_request_get_output_headers(request);
    ok = !body.failed &&
         evbuffer_add(evhttp_request_get_output_buffer(request), body.data, body.len) == 0 &&
         evhttp_add_header(headers, "Content-Type", "application/json") == 0 &&
         evhttp_add_header(headers, "Host", remote->host) == 0;
    if (ok)
        return request;
    evhttp_request_free(request);
    return NULL;
}

static void drop_connection(struct rv_remote *remote)
{
    if (remote->connection)
        evhttp_connection_free(remote->connection); /* frees a pending request, without a call */
    remote->connection = NULL;
}

/* Turn the loop until the answer is there or the time is over. */
static void wait_for_answer(struct rv_remote *remote)
{
    uint64_t end_ns =
        remote->clock.boot_ns(remote->clock.context) + remote->deadline_ms * RV_NS_PER_MS;

    while (!remote->done) {
        uint64_t now_ns = remote->clock.boot_ns(remote->clock.context);
        struct timeval left;

        if (now_ns >= end_ns) {
            remote->result = -ETIMEDOUT;
            return;
        }
        left.tv_sec = (time_t)((end_ns - now_ns) / RV_NS_PER_S);
        left.tv_usec = (suseconds_t)((end_ns - now_ns) % RV_NS_PER_S / 1000 + 1);
        (void)event_base_loopexit(remote->base, &left);
        if (event_base_loop(remote->base, EVLOOP_ONCE) < 0) {
            remote->result = -EIO;
            return;
        }
    }
}

static int ask(struct rv_remote *remote, const int32_t *row, uint32_t width)
{
    struct evhttp_request *request;
    int r = connect_to(remote);

    if (r < 0)
        return r;
    request = make_request(remote, row, width);
    if (!request)
        return -ENOMEM;
    remote->done = false;
    remote->result = -EIO;
    if (evhttp_make_request(remote->connection, request, EVHTTP_REQ_POST, remote->path) != 0)
        return -ECONNREFUSED; /* the request was freed */
    wait_for_answer(remote);
    return remote->result;
}

int rv_remote_score(struct rv_remote *remote, const int32_t *row, uint32_t width, double *ret_score)
{
    int r;

    if (!rv_breaker_allows(&remote->breaker, remote->clock.boot_ns(remote->clock.context)))
        return -EBUSY;
    r = ask(remote, row, width);
    if (r < 0) {
        drop_connection(remote);
        rv_breaker_failed(&remote->breaker, remote->clock.boot_ns(remote->clock.context));
        return r;
    }
    rv_breaker_succeeded(&remote->breaker);
    *ret_score = remote->score;
    return 0;
}

int64_t rv_remote_score_or_local(struct rv_remote *remote, const struct rv_forest *local,
                                 const int32_t *row, enum rv_score_source *ret_source)
{
    double score = 0;

    *ret_source = RV_SCORE_LOCAL;
    if (rv_remote_score(remote, row, rv_forest_spec_of(local).width, &score) < 0 ||
        fabs(score) > (double)INT32_MAX)
        return rv_forest_score(local, row);
    *ret_source = RV_SCORE_REMOTE;
    return llround(score * 65536.0);
}
