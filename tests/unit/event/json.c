/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/json.h"
#include "event/event.h"

static json_t *parse(struct rv_buf *buf)
{
    json_t *value = NULL;

    assert_false(buf->failed);
    rv_assert_ok(rv_json_parse(rv_buf_span(buf), &value, NULL));
    return value;
}

static void exec_prints_its_arguments_as_words(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
    RV_AUTO(rv_json_freep) json_t *value = NULL;
    struct rv_event_builder builder;
    struct rv_event_process_exec *exec = (void *)rv_event_begin(&builder, RV_EVENT_PROCESS_EXEC);
    json_t *argv;

    exec->header.flags = RV_EVENT_F_SNAPSHOT;
    rv_event_put_str(&builder, &exec->path, rv_span_str("/bin/\xff\"sh"), 99);
    rv_event_put_str(&builder, &exec->argv, rv_span("sh\0-c\0a b\0", 10), 99);
    rv_event_json(&buf, rv_event_end(&builder));
    value = parse(&buf);
    assert_string_equal(json_string_value(json_object_get(value, "type")), "process.exec");
    assert_string_equal(json_string_value(json_object_get(value, "path")), "/bin/\xef\xbf\xbd\"sh");
    argv = json_object_get(value, "argv");
    assert_int_equal(json_array_size(argv), 3);
    assert_string_equal(json_string_value(json_array_get(argv, 2)), "a b");
    assert_string_equal(json_string_value(json_array_get(json_object_get(value, "flags"), 0)),
                        "snapshot");
}

static void address_prints_by_family(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
    RV_AUTO(rv_json_freep) json_t *value = NULL;
    struct rv_event_builder builder;
    struct rv_event_net_socket *socket = (void *)rv_event_begin(&builder, RV_EVENT_NET_CONNECT);

    socket->family = 2;
    socket->port = 4444;
    memcpy(socket->addr.bytes, "\x7f\0\0\1", 4);
    rv_event_json(&buf, rv_event_end(&builder));
    value = parse(&buf);
    assert_string_equal(json_string_value(json_object_get(value, "addr")), "127.0.0.1");
    assert_int_equal(json_integer_value(json_object_get(value, "port")), 4444);
}

static void every_type_prints_as_json_and_as_ocsf(void **state)
{
    for (uint16_t type = 0; type < RV_EVENT_TYPE_END_; type++) {
        RV_AUTO(rv_buf_done) struct rv_buf plain = { 0 };
        RV_AUTO(rv_buf_done) struct rv_buf ocsf = { 0 };
        RV_AUTO(rv_json_freep) json_t *value = NULL;
        RV_AUTO(rv_json_freep) json_t *mapped = NULL;
        struct rv_event_builder builder;

        if (!rv_event_info(type))
            continue;
        rv_event_begin(&builder, (enum rv_event_type)type);
        rv_event_end(&builder);
        rv_event_json(&plain, &builder.header);
        value = parse(&plain);
        rv_event_ocsf(&ocsf, &builder.header, 0);
        mapped = parse(&ocsf);
        assert_true(json_integer_value(json_object_get(mapped, "activity_id")) > 0);
        assert_int_equal(json_integer_value(json_object_get(mapped, "type_uid")),
                         json_integer_value(json_object_get(mapped, "class_uid")) * 100 +
                             json_integer_value(json_object_get(mapped, "activity_id")));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exec_prints_its_arguments_as_words),
        cmocka_unit_test(address_prints_by_family),
        cmocka_unit_test(every_type_prints_as_json_and_as_ocsf),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
