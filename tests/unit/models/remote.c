/* SPDX-License-Identifier: Apache-2.0 */
/* Remote models: the breaker, the protocol, and a server on loopback that misbehaves. */
#include "forests.h"

#include "base/fd.h"
#include "models/remote.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static void breaker_opens_waits_and_tries_once(void **state)
{
    struct rv_breaker breaker = rv_breaker(3, 1000);
    uint64_t now = 5;

    for (unsigned i = 0; i < 3; i++) {
        assert_true(rv_breaker_allows(&breaker, now));
        rv_breaker_failed(&breaker, now);
    }
    assert_false(rv_breaker_allows(&breaker, now));
    now += 1000 * RV_NS_PER_MS;
    assert_true(rv_breaker_allows(&breaker, now));
    assert_false(rv_breaker_allows(&breaker, now)); /* one trial at a time */
    rv_breaker_failed(&breaker, now);
    assert_false(rv_breaker_allows(&breaker, now + 999 * RV_NS_PER_MS));
    now += 1000 * RV_NS_PER_MS;
    assert_true(rv_breaker_allows(&breaker, now));
    rv_breaker_succeeded(&breaker);
    assert_true(rv_breaker_allows(&breaker, now));
}

static void bodies_are_those_of_the_protocol(void **state)
{
    static const int32_t row[] = { 1, -2 };
    static const struct {
        const char *body;
        int expected;
        double score;
    } cases[] = {
        { "{\"outputs\":[{\"name\":\"y\",\"shape\":[1,1],\"datatype\":\"FP32\",\"data\":[0.5]}]}",
          0, 0.5 },
        { "{\"outputs\":[{\"data\":[[0.1,0.9]]}]}", 0, 0.9 },
        { "{\"outputs\":[{\"data\":[]}]}", -EPROTO, 0 },
        { "{\"outputs\":[{\"data\":[\"x\"]}]}", -EPROTO, 0 },
        { "{\"error\":\"no such model\"}", -EPROTO, 0 },
        { "", -EPROTO, 0 },
    };
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };

    rv_inference_request(&buf, "x", RV_REMOTE_INT32, row, 2);
    assert_string_equal(
        buf.data,
        "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,2],\"datatype\":\"INT32\",\"data\":[1,-2]}]}");
    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        double score = 0;
        int r = rv_inference_response(rv_span_str(cases[i].body), &score);

        if (r != cases[i].expected || score < cases[i].score || score > cases[i].score)
            fail_msg("case %zu: %d %f", i, r, score);
    }
}

/* ---- A server: answers each connection with the next of its replies; NULL: stays silent ---- */

struct server {
    int fd;
    uint16_t port;
    const char *const *replies;
    size_t count, served;
    pthread_t thread;
};

static void *serve(void *context)
{
    struct server *server = context;
    int kept[8];
    size_t kept_count = 0;

    for (;;) { /* until the listening socket is shut down */
        int fd = accept(server->fd, NULL, NULL);
        const char *reply;
        char request[4096];

        if (fd < 0)
            break;
        reply = server->served < server->count ? server->replies[server->served++] : "";
        (void)!recv(fd, request, sizeof(request), 0);
        if (reply)
            (void)!write(fd, reply, strlen(reply));
        if (reply)
            close(fd);
        else
            kept[kept_count++] = fd;
    }
    while (kept_count > 0)
        close(kept[--kept_count]);
    return NULL;
}

static void start(struct server *server)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);

    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(server->fd, 8), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &len), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void stop(struct server *server)
{
    (void)shutdown(server->fd, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->fd);
}

#define REPLY(body)                                                                                \
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" body

static struct rv_remote *client(uint16_t port)
{
    struct rv_remote_options options = {
        .host = "127.0.0.1",
        .port = port,
        .model = "behaviour",
        .version = "3",
        .input = "x",
        .deadline_ms = 300,
        .failures_max = 3,
        .open_ms = 60000,
        .clock = rv_clock_system(),
    };
    struct rv_remote *remote = NULL;

    rv_assert_ok(rv_remote_new(&options, &remote));
    return remote;
}

static void a_server_is_asked_and_believed_only_in_form(void **state)
{
    static const char *const replies[] = {
        REPLY("{\"outputs\":[{\"data\":[1.5]}]}"),
        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        REPLY("{\"outputs\":[{\"data\":[2.25]}]}"),
        REPLY("garbage"),
        NULL,
    };
    struct server server = { .replies = replies, .count = RV_COUNT(replies) };
    const int32_t row[] = { 1, 2, 3 };
    struct rv_remote *remote;
    double score = 0;

    start(&server);
    remote = client(server.port);
    rv_assert_ok(rv_remote_score(remote, row, 3, &score));
    assert_true(score > 1.49 && score < 1.51);
    assert_int_equal(rv_remote_score(remote, row, 3, &score), -EREMOTEIO);
    rv_assert_ok(rv_remote_score(remote, row, 3, &score));
    assert_true(score > 2.24 && score < 2.26);
    assert_int_equal(rv_remote_score(remote, row, 3, &score), -EPROTO);
    assert_int_equal(rv_remote_score(remote, row, 3, &score), -ETIMEDOUT);
    stop(&server);
    assert_int_equal(rv_remote_score(remote, row, 3, &score), -ECONNREFUSED);
    assert_int_equal(rv_remote_score(remote, row, 3, &score), -EBUSY); /* three in a row */
    rv_remote_free(&remote);
}

static void the_local_model_answers_for_a_dead_one(void **state)
{
    const struct test_shape shape = { 5, 3, 3, 10, 0 };
    struct rv_forest *forest = test_forest(1, shape);
    struct server server = { .count = 0 };
    const int32_t row[] = { 1, 2, 3 };
    struct rv_remote *remote;
    enum rv_score_source source = RV_SCORE_REMOTE;

    start(&server);
    stop(&server); /* a port that nobody listens on */
    remote = client(server.port);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(rv_remote_score_or_local(remote, forest, row, &source),
                         rv_forest_score(forest, row));
        assert_int_equal(source, RV_SCORE_LOCAL);
    }
    rv_remote_free(&remote);
    rv_forest_free(&forest);
}

static void names_that_do_not_fit_a_path_are_refused(void **state)
{
    struct rv_remote_options options = { .host = "h", .port = 1, .input = "x", .model = "a/../b" };
    struct rv_remote *remote = NULL;

    assert_int_equal(rv_remote_new(&options, &remote), -EINVAL);
    options.model = "a";
    options.version = "1?x";
    assert_int_equal(rv_remote_new(&options, &remote), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(breaker_opens_waits_and_tries_once),
        cmocka_unit_test(bodies_are_those_of_the_protocol),
        cmocka_unit_test(a_server_is_asked_and_believed_only_in_form),
        cmocka_unit_test(the_local_model_answers_for_a_dead_one),
        cmocka_unit_test(names_that_do_not_fit_a_path_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
