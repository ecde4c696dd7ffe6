/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "event/event.h"

static const struct rv_event *make_rename(struct rv_event_builder *builder)
{
    struct rv_event_file_rename *body = (void *)rv_event_begin(builder, RV_EVENT_FILE_RENAME);

    body->header.tgid = 7;
    rv_event_put_str(builder, &body->path, rv_span_str("/etc/old"), RV_EVENT_PATH_MAX);
    rv_event_put_str(builder, &body->new_path, rv_span_str("/etc/new"), 4);
    return rv_event_end(builder);
}

static void built_event_passes_its_own_check(void **state)
{
    struct rv_event_builder builder;
    const struct rv_event *event = make_rename(&builder), *checked = NULL;
    const struct rv_event_file_rename *body = (const void *)event;

    rv_assert_ok(rv_event_check(rv_span(event, event->size), &checked, NULL));
    assert_ptr_equal(checked, event);
    assert_true(rv_span_eq(rv_event_str(event, &body->path), rv_span_str("/etc/old")));
    assert_false(rv_event_str_cut(&body->path));
    assert_true(rv_span_eq(rv_event_str(event, &body->new_path), rv_span_str("/etc")));
    assert_true(rv_event_str_cut(&body->new_path));
    assert_int_equal(body->new_path.true_len, 8);
    assert_int_equal(event->size % 8, 0);
}

static void check_refuses_what_is_malformed(void **state)
{
    static const struct {
        const char *name;
        size_t offset; /* of a 16- or 32-bit field that is overwritten */
        uint32_t value;
        size_t width;
        int expected;
    } cases[] = {
        { "size too small", offsetof(struct rv_event, size), 8, 4, -EBADMSG },
        { "size beyond the bytes", offsetof(struct rv_event, size), 4096, 4, -EBADMSG },
        { "other version", offsetof(struct rv_event, version), 2, 2, -EPROTONOSUPPORT },
        { "type 0", offsetof(struct rv_event, type), 0, 2, -EBADMSG },
        { "type in a hole", offsetof(struct rv_event, type), 15, 2, -EBADMSG },
        { "type past the end", offsetof(struct rv_event, type), 60000, 2, -EBADMSG },
        { "weight 0", offsetof(struct rv_event, weight), 0, 4, -EBADMSG },
        { "string before the body's end",
          offsetof(struct rv_event_file_rename, path) + offsetof(struct rv_event_str, offset), 8, 2,
          -EBADMSG },
        { "string past the event",
          offsetof(struct rv_event_file_rename, path) + offsetof(struct rv_event_str, len), 600, 2,
          -EBADMSG },
        { "string longer than it was",
          offsetof(struct rv_event_file_rename, path) + offsetof(struct rv_event_str, true_len), 1,
          4, -EBADMSG },
    };

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        struct rv_event_builder builder;
        const struct rv_event *event = make_rename(&builder), *checked = NULL;
        uint32_t size = event->size;
        int r;

        memcpy(builder.bytes + cases[i].offset, &cases[i].value, cases[i].width);
        r = rv_event_check(rv_span(event, size), &checked, NULL);
        if (r != cases[i].expected || checked)
            fail_msg("%s: got %d, expected %d", cases[i].name, r, cases[i].expected);
    }
}

static void every_type_is_found_by_its_name(void **state)
{
    size_t count = 0;

    for (uint16_t type = 0; type < RV_EVENT_TYPE_END_; type++) {
        const struct rv_event_info *info = rv_event_info(type);

        if (!info)
            continue;
        count++;
        assert_int_equal(rv_event_type_by_name(info->name), type);
        assert_true(info->body_size % 8 == 0);
    }
    assert_int_equal(count, 26);
    assert_int_equal(rv_event_type_by_name("no.such"), RV_EVENT_NONE);
    assert_null(rv_event_info(RV_EVENT_TYPE_END_));
}

static void strings_that_do_not_fit_are_cut_and_say_so(void **state)
{
    static char big[RV_EVENT_SIZE_MAX * 2];
    struct rv_event_builder builder;
    struct rv_event_process_exec *body = (void *)rv_event_begin(&builder, RV_EVENT_PROCESS_EXEC);
    const struct rv_event *event, *checked;

    memset(big, 'a', sizeof(big));
    rv_event_put_str(&builder, &body->path, rv_span(big, sizeof(big)), sizeof(big));
    rv_event_put_str(&builder, &body->argv, rv_span(big, sizeof(big)), sizeof(big));
    event = rv_event_end(&builder);
    rv_assert_ok(rv_event_check(rv_span(event, event->size), &checked, NULL));
    assert_true(rv_event_str_cut(&body->path));
    assert_int_equal(body->argv.len, 0);
    assert_int_equal(body->argv.true_len, sizeof(big));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(built_event_passes_its_own_check),
        cmocka_unit_test(check_refuses_what_is_malformed),
        cmocka_unit_test(every_type_is_found_by_its_name),
        cmocka_unit_test(strings_that_do_not_fit_are_cut_and_say_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
