/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "channel.h"

#include <sys/socket.h>
#include <unistd.h>

static int pair[2];
static uint64_t buffer[RV_CHANNEL_PAYLOAD_MAX / sizeof(uint64_t)];

static int open_pair(void **state)
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair);
}

static int close_pair(void **state)
{
    close(pair[0]);
    close(pair[1]);
    return 0;
}

static void what_is_sent_is_received(void **state)
{
    enum rv_channel_type type;
    struct rv_span payload;

    rv_assert_ok(rv_channel_send(pair[0], RV_CHANNEL_READY, rv_span(NULL, 0)));
    rv_assert_ok(rv_channel_send(pair[0], RV_CHANNEL_EVENT, rv_span_str("hello")));
    rv_assert_ok(rv_channel_receive(pair[1], buffer, &type, &payload));
    assert_int_equal(type, RV_CHANNEL_READY);
    assert_int_equal(payload.len, 0);
    rv_assert_ok(rv_channel_receive(pair[1], buffer, &type, &payload));
    assert_int_equal(type, RV_CHANNEL_EVENT);
    assert_true(rv_span_eq(payload, rv_span_str("hello")));
    assert_int_equal(rv_channel_receive(pair[1], buffer, &type, &payload), -EAGAIN);
}

static void what_is_malformed_is_refused(void **state)
{
    static const struct rv_channel_head heads[] = {
        { RV_CHANNEL_NONE, 0 },           { RV_CHANNEL_TYPE_COUNT_, 0 }, { UINT32_MAX, 0 },
        { RV_CHANNEL_READY, 1 }, /* says more than there is */
        { RV_CHANNEL_READY, UINT32_MAX },
    };
    enum rv_channel_type type;
    struct rv_span payload;

    for (size_t i = 0; i < RV_COUNT(heads); i++) {
        assert_int_equal(send(pair[0], &heads[i], sizeof(heads[i]), 0), sizeof(heads[i]));
        assert_int_equal(rv_channel_receive(pair[1], buffer, &type, &payload), -EBADMSG);
    }
    assert_int_equal(send(pair[0], "abc", 3, 0), 3);
    assert_int_equal(rv_channel_receive(pair[1], buffer, &type, &payload), -EBADMSG);
}

static void what_is_too_long_is_refused(void **state)
{
    static char big[RV_CHANNEL_PAYLOAD_MAX + 64];
    enum rv_channel_type type;
    struct rv_span payload;

    assert_int_equal(rv_channel_send(pair[0], RV_CHANNEL_EVENT, rv_span(big, sizeof(big))),
                     -EMSGSIZE);
    assert_int_equal(send(pair[0], big, sizeof(big), 0), sizeof(big));
    assert_int_equal(rv_channel_receive(pair[1], buffer, &type, &payload), -EBADMSG);
}

static void end_of_the_peer_is_told(void **state)
{
    enum rv_channel_type type;
    struct rv_span payload;

    close(pair[0]);
    pair[0] = -1;
    assert_int_equal(rv_channel_receive(pair[1], buffer, &type, &payload), -EPIPE);
    assert_int_equal(rv_channel_send(pair[1], RV_CHANNEL_STOP, rv_span(NULL, 0)), -EPIPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_sent_is_received, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(what_is_malformed_is_refused, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(what_is_too_long_is_refused, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(end_of_the_peer_is_told, open_pair, close_pair),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
