/* SPDX-License-Identifier: Apache-2.0 */
/* The client: one connection, one request at a time, each waited for. */
#include "audit/http.h"

#include "quiet_pipe.h"

#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>

struct client {
    char *url;
    struct event_base *base;
    struct evhttp_connection *connection;
    SSL_CTX *tls; /* NULL: plain */
    char host[256];
    char authority[280]; /* for the Host header */
    char path[512];      /* of the prefix, without a slash at its end */
};

struct exchange {
    struct client *client;
    size_t len_max;
    int status; /* 0: no answer */
    bool too_long, finished;
    struct rv_buf *body;
};

static void client_disconnect(struct client *client)
{
    if (client->connection)
        evhttp_connection_free(client->connection);
    if (client->base)
        event_base_free(client->base);
    SSL_CTX_free(client->tls);
    client->connection = NULL;
    client->base = NULL;
    client->tls = NULL;
}

static void client_free(struct client **client)
{
    if (!*client)
        return;
    client_disconnect(*client);
    free((*client)->url);
    free(*client);
    *client = NULL;
}

/* ---- Connecting ---- */

static int make_tls(struct client *client, struct bufferevent **ret_stream)
{
    SSL *ssl;

    client->tls = SSL_CTX_new(TLS_client_method());
    if (!client->tls || SSL_CTX_set_default_verify_paths(client->tls) != 1)
        return -ENOMEM;
    SSL_CTX_set_verify(client->tls, SSL_VERIFY_PEER, NULL);
    (void)SSL_CTX_set_min_proto_version(client->tls, TLS1_2_VERSION);
    ssl = SSL_new(client->tls);
    if (!ssl || SSL_set1_host(ssl, client->host) != 1 ||
        SSL_set_tlsext_host_name(ssl, client->host) != 1) {
        SSL_free(ssl);
        return -ENOMEM;
    }
    *ret_stream = bufferevent_openssl_socket_new(client->base, -1, ssl, BUFFEREVENT_SSL_CONNECTING,
                                                 BEV_OPT_CLOSE_ON_FREE);
    return *ret_stream ? 0 : -ENOMEM;
}

static int set_target(struct client *client, const struct evhttp_uri *uri, bool tls, int *ret_port)
{
    const char *host = evhttp_uri_get_host(uri), *path = evhttp_uri_get_path(uri);
    int port = evhttp_uri_get_port(uri);
    size_t len = path ? strlen(path) : 0;

    while (len > 0 && path[len - 1] == '/')
        len--;
    if (!host || !*host || strlen(host) >= sizeof(client->host) || len >= sizeof(client->path) ||
        evhttp_uri_get_query(uri) || evhttp_uri_get_userinfo(uri))
        return -EINVAL;
    memcpy(client->host, host, strlen(host) + 1);
    if (len > 0)
        memcpy(client->path, path, len);
    *ret_port = port > 0 ? port : tls ? 443 : 80;
    (void)snprintf(client->authority, sizeof(client->authority), "%s:%d", host, *ret_port);
    return 0;
}

static int client_connect(struct client *client)
{
    struct evhttp_uri *uri = evhttp_uri_parse(client->url);
    const char *scheme = uri ? evhttp_uri_get_scheme(uri) : NULL;
    bool tls = scheme && strcmp(scheme, "https") == 0;
    struct bufferevent *stream = NULL;
    int port = 0, r = -EINVAL;

    if (scheme && (tls || strcmp(scheme, "http") == 0))
        r = set_target(client, uri, tls, &port);
    evhttp_uri_free(uri);
    if (r < 0)
        return r;
    client->base = event_base_new();
    if (!client->base)
        return -ENOMEM;
    if (tls) {
        r = make_tls(client, &stream);
        if (r < 0)
            return r;
    }
    client->connection = evhttp_connection_base_bufferevent_new(client->base, NULL, stream,
                                                                client->host, (uint16_t)port);
    if (!client->connection)
        return -ENOMEM;
    evhttp_connection_set_timeout(client->connection, RV_HTTP_TIMEOUT_S);
    evhttp_connection_set_max_headers_size(client->connection, 16 * 1024);
    return 0;
}

static int client_new(struct client **ret_client, const char *url)
{
    RV_AUTO(client_free) struct client *client = calloc(1, sizeof(*client));
    int r;

    if (!client)
        return -ENOMEM;
    client->url = strdup(url);
    r = client->url ? client_connect(client) : -ENOMEM;
    if (r < 0)
        return r;
    *ret_client = RV_TAKE(client);
    return 0;
}

/* ---- One exchange ---- */

static void take_answer(struct evhttp_request *request, void *context)
{
    struct exchange *exchange = context;
    struct evbuffer *input;
    size_t len;

    exchange->finished = true;
    (void)event_base_loopbreak(exchange->client->base);
    if (!request)
        return;
    exchange->status = evhttp_request_get_response_code(request);
    input = evhttp_request_get_input_buffer(request);
    len = evbuffer_get_length(input);
    if (len > exchange->len_max) {
        exchange->too_long = true;
        return;
    }
    rv_buf_add(exchange->body, evbuffer_pullup(input, -1), len);
}

static void note_error(enum evhttp_request_error error, void *context)
{
    struct exchange *exchange = context;

    if (error == EVREQ_HTTP_DATA_TOO_LONG)
        exchange->too_long = true;
}

static int exchange_run(struct client *client, enum evhttp_cmd_type method, const char *path,
                        struct rv_span body, struct exchange *exchange)
{
    struct evhttp_request *request = evhttp_request_new(take_answer, exchange);
    struct evkeyvalq *headers;
    struct quiet_pipe quiet;

    exchange->client = client;
    if (!request)
        return -ENOMEM;
    evhttp_request_set_error_cb(request, note_error);
    evhttp_connection_set_max_body_size(client->connection, (ev_ssize_t)exchange->len_max);
    headers = evhttp_request_get_output_headers(request);
    (void)evhttp_add_header(headers, "Host", client->authority);
    (void)evhttp_add_header(headers, "User-Agent", "reeve/" RV_VERSION);
    if (body.len > 0)
        (void)evbuffer_add(evhttp_request_get_output_buffer(request), body.data, body.len);
    if (evhttp_make_request(client->connection, request, method, path) < 0)
        return -ECONNREFUSED;
    quiet_pipe_begin(&quiet);
    while (!exchange->finished && event_base_dispatch(client->base) == 0)
        ;
    quiet_pipe_end(&quiet);
    if (exchange->too_long)
        return -EFBIG;
    if (exchange->body->failed)
        return -ENOMEM;
    return exchange->status == 0 ? -ECONNREFUSED : 0;
}

/* ---- The contract ---- */

static int http_read(void *context, const char *path, size_t len_max, struct rv_buf *ret_bytes)
{
    struct exchange exchange = { .len_max = len_max, .body = ret_bytes };
    struct client *client = context;
    char full[sizeof(client->path) + RV_TILE_PATH_MAX + 1];
    int r;

    (void)snprintf(full, sizeof(full), "%s/%s", client->path, path);
    r = exchange_run(client, EVHTTP_REQ_GET, full, rv_span(NULL, 0), &exchange);
    if (r == -ECONNREFUSED) { /* a connection that was kept may have been closed meanwhile */
        client_disconnect(client);
        exchange = (struct exchange){ .len_max = len_max, .body = ret_bytes };
        r = client_connect(client);
        if (r == 0)
            r = exchange_run(client, EVHTTP_REQ_GET, full, rv_span(NULL, 0), &exchange);
    }
    if (r < 0)
        return r;
    if (exchange.status == 200)
        return 0;
    rv_buf_clear(ret_bytes);
    return exchange.status == 404 || exchange.status == 410 ? -ENOENT : -EPROTO;
}

static void http_free(void *context)
{
    struct client *client = context;

    client_free(&client);
}

static const struct rv_source_ops http_ops = { .read = http_read, .free = http_free };

int rv_source_http(struct rv_source *ret_source, const char *url)
{
    struct client *client = NULL;
    int r = client_new(&client, url);

    if (r == 0)
        *ret_source = (struct rv_source){ &http_ops, client };
    return r;
}

int rv_http_post(const char *url, struct rv_span body, int *ret_status, struct rv_buf *ret_body)
{
    struct exchange exchange = { .len_max = RV_NOTE_LEN_MAX, .body = ret_body };
    RV_AUTO(client_free) struct client *client = NULL;
    int r = client_new(&client, url);

    if (r == 0)
        r = exchange_run(client, EVHTTP_REQ_POST, client->path, body, &exchange);
    if (r == 0)
        *ret_status = exchange.status;
    return r;
}
