/* SPDX-License-Identifier: Apache-2.0 */
#include "control.h"

#include "agent/filter.h"
#include "base/json.h"
#include "base/log.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <inttypes.h>
#include <sys/socket.h>

struct client {
    struct rv_control *control;
    struct bufferevent *stream; /* NULL: a free place */
    bool watching;
    uint64_t missed; /* lines not sent because it did not read */
    struct rv_filter *filter;
};

struct rv_control {
    struct event_base *base;
    struct evconnlistener *listener;
    const struct rv_control_request *requests;
    unsigned watchers;
    struct rv_buf line; /* the outcome being published, made once for all */
    struct client clients[RV_CONTROL_CLIENTS_MAX];
};

static void client_drop(struct client *client)
{
    if (client->watching)
        client->control->watchers--;
    bufferevent_free(client->stream);
    rv_filter_free(&client->filter);
    *client = (struct client){ .control = client->control };
}

static void send_line(struct client *client, const char *data, size_t len)
{
    struct evbuffer *out = bufferevent_get_output(client->stream);

    if (evbuffer_get_length(out) + len > RV_CONTROL_BACKLOG_MAX) {
        client->missed++;
        return;
    }
    if (client->missed > 0) {
        evbuffer_add_printf(out, "{\"missed\":%" PRIu64 "}\n", client->missed);
        client->missed = 0;
    }
    evbuffer_add(out, data, len);
}

static void send_object(struct client *client, json_t *object)
{
    RV_AUTO(rv_freep) char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;

    if (!text)
        return;
    send_line(client, text, strlen(text));
    send_line(client, "\n", 1);
}

static void send_error(struct client *client, const char *message)
{
    RV_AUTO(rv_json_freep) json_t *object = json_pack("{ss}", "error", message);

    send_object(client, object);
}

/* ---- Requests ---- */

static void answer_watch(struct client *client, const json_t *request)
{
    char why[160];

    if (client->watching) {
        send_error(client, "this connection watches already; open another one");
        return;
    }
    if (rv_filter_from_json(&client->filter, request, why, sizeof(why)) < 0) {
        send_error(client, why);
        return;
    }
    client->watching = true;
    client->control->watchers++;
    send_line(client, "{\"watching\":true}\n", 18);
}

/** Who is at the other end; nobody's uid when the kernel does not say. */
static uint32_t peer_of(const struct client *client)
{
    struct ucred peer = { .uid = UINT32_MAX };
    socklen_t len = sizeof(peer);

    if (getsockopt(bufferevent_getfd(client->stream), SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return UINT32_MAX;
    return peer.uid;
}

static void answer_unknown(struct client *client)
{
    const struct rv_control_request *request = client->control->requests;
    RV_AUTO(rv_buf_done) struct rv_buf why = { 0 };

    rv_buf_add_str(&why, "unknown request; this agent knows watch");
    for (; request->name; request++)
        rv_buf_addf(&why, ", %s", request->name);
    send_error(client, why.failed ? "unknown request" : why.data);
}

static void dispatch(struct client *client, const char *line, size_t len)
{
    const struct rv_control_request *known = client->control->requests;
    RV_AUTO(rv_json_freep) json_t *request = NULL;
    const char *name;

    if (rv_json_parse(rv_span(line, len), &request, NULL) < 0) {
        send_error(client, "the request is not JSON");
        return;
    }
    name = json_string_value(json_object_get(request, "request"));
    if (name && rv_streq(name, "watch")) {
        answer_watch(client, request);
        return;
    }
    for (; name && known->name; known++) {
        if (rv_streq(known->name, name)) {
            RV_AUTO(rv_json_freep)
            json_t *answer = known->answer(known->context, request, peer_of(client));

            send_object(client, answer);
            return;
        }
    }
    answer_unknown(client);
}

static void on_read(struct bufferevent *stream, void *context)
{
    struct client *client = context;
    struct evbuffer *in = bufferevent_get_input(stream);
    size_t len;
    char *line;

    while ((line = evbuffer_readln(in, &len, EVBUFFER_EOL_LF))) {
        dispatch(client, line, len);
        free(line);
    }
    if (evbuffer_get_length(in) > RV_CONTROL_LINE_MAX) {
        rv_notice("a client of the control socket sent a line without end; it was dropped");
        client_drop(client);
    }
}

static void on_end(struct bufferevent *stream, short what, void *context)
{
    (void)stream;
    (void)what;
    client_drop(context);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
                      int address_len, void *context)
{
    struct rv_control *control = context;

    (void)listener;
    (void)address;
    (void)address_len;
    for (size_t i = 0; i < RV_COUNT(control->clients); i++) {
        struct client *client = &control->clients[i];

        if (client->stream)
            continue;
        client->stream = bufferevent_socket_new(control->base, fd, BEV_OPT_CLOSE_ON_FREE);
        if (!client->stream)
            break;
        bufferevent_setcb(client->stream, on_read, NULL, on_end, client);
        bufferevent_setwatermark(client->stream, EV_READ, 0, RV_CONTROL_LINE_MAX * 2);
        bufferevent_enable(client->stream, EV_READ | EV_WRITE);
        return;
    }
    rv_notice("more than %u clients on the control socket; one was turned away",
              RV_CONTROL_CLIENTS_MAX);
    evutil_closesocket(fd);
}

int rv_control_new(struct rv_control **ret_control, struct event_base *base, int listen_fd,
                   const struct rv_control_request *requests)
{
    struct rv_control *control = calloc(1, sizeof(*control));

    if (!control)
        return -ENOMEM;
    control->base = base;
    control->requests = requests;
    for (size_t i = 0; i < RV_COUNT(control->clients); i++)
        control->clients[i].control = control;
    if (evutil_make_socket_nonblocking(listen_fd) < 0) {
        free(control);
        return -errno;
    }
    control->listener = evconnlistener_new(
        base, on_accept, control, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, listen_fd);
    if (!control->listener) {
        free(control);
        return -ENOMEM;
    }
    *ret_control = control;
    return 0;
}

void rv_control_free(struct rv_control **control)
{
    if (!*control)
        return;
    for (size_t i = 0; i < RV_COUNT((*control)->clients); i++) {
        if ((*control)->clients[i].stream)
            client_drop(&(*control)->clients[i]);
    }
    evconnlistener_free((*control)->listener);
    rv_buf_done(&(*control)->line);
    free(*control);
    *control = NULL;
}

bool rv_control_watched(const struct rv_control *control)
{
    return control->watchers > 0;
}

void rv_control_tell(struct rv_control *control, const json_t *line)
{
    RV_AUTO(rv_freep) char *text = NULL;

    if (control->watchers == 0)
        return;
    text = json_dumps(line, JSON_COMPACT);
    for (size_t i = 0; text && i < RV_COUNT(control->clients); i++) {
        struct client *client = &control->clients[i];

        if (!client->watching)
            continue;
        send_line(client, text, strlen(text));
        send_line(client, "\n", 1);
    }
}

void rv_control_publish(struct rv_control *control, const struct rv_pipeline *pipeline,
                        const struct rv_outcome *outcome, uint64_t latency_ns)
{
    bool made = false;

    for (size_t i = 0; i < RV_COUNT(control->clients); i++) {
        struct client *client = &control->clients[i];

        if (!client->watching || !rv_filter_passes(client->filter, outcome))
            continue;
        if (!made) {
            rv_buf_clear(&control->line);
            rv_outcome_json(&control->line, pipeline, outcome, latency_ns);
            rv_buf_add_char(&control->line, '\n');
            if (control->line.failed)
                return;
            made = true;
        }
        send_line(client, control->line.data, control->line.len);
    }
}
