/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/fd.h"
#include "event/segment.h"

#include <fcntl.h>
#include <unistd.h>

enum { EVENTS = 5000 };

static char path[] = "/tmp/reeve-segment-XXXXXX";

static void write_segment(void)
{
    struct rv_segment_head head = { .unix_offset_ns = 5, .created_unix_ns = 6, .host = "here" };
    struct rv_segment_writer *writer = NULL;

    rv_assert_ok(rv_segment_create(&writer, AT_FDCWD, path, &head));
    for (uint32_t i = 0; i < EVENTS; i++) {
        struct rv_event_builder builder;
        struct rv_event_file_unlink *body = (void *)rv_event_begin(&builder, RV_EVENT_FILE_UNLINK);

        body->header.tgid = i;
        rv_event_put_str(&builder, &body->path, rv_span("/some/path/of/varying/len", i % 25), 99);
        rv_assert_ok(rv_segment_put(writer, rv_event_end(&builder)));
    }
    rv_assert_ok(rv_segment_flush(writer));
    rv_segment_writer_free(&writer);
}

/** Read to the end. @return number of events, or the error. */
static int count_events(enum rv_segment_end *ret_end, char *ret_error, size_t len)
{
    struct rv_segment_reader *reader = NULL;
    struct rv_segment_head head;
    const struct rv_event *event;
    int count = 0, r = rv_segment_open(&reader, AT_FDCWD, path, &head);

    if (r < 0)
        return r;
    assert_string_equal(head.host, "here");
    for (;;) {
        r = rv_segment_next(reader, &event, ret_end);
        if (r < 0)
            snprintf(ret_error, len, "%s", rv_segment_error(reader));
        if (r < 0 || !event)
            break;
        assert_int_equal(event->tgid, count);
        count++;
    }
    rv_segment_reader_free(&reader);
    return r < 0 ? r : count;
}

static void what_was_written_is_read(void **state)
{
    enum rv_segment_end end = RV_SEGMENT_TORN;
    char error[128];

    write_segment();
    assert_int_equal(count_events(&end, error, sizeof(error)), EVENTS);
    assert_int_equal(end, RV_SEGMENT_COMPLETE);
}

static void torn_tail_is_reported_not_an_error(void **state)
{
    enum rv_segment_end end = RV_SEGMENT_COMPLETE;
    char error[128];
    char *data = NULL;
    size_t len = 0;

    write_segment();
    rv_assert_ok(rv_read_file(AT_FDCWD, path, 1 << 24, &data, &len));
    free(data);
    for (size_t cut = 1; cut < 100; cut++) {
        int count;

        assert_int_equal(truncate(path, (off_t)(len - cut)), 0);
        count = count_events(&end, error, sizeof(error));
        assert_in_range(count, EVENTS - 2, EVENTS - 1);
        if (end == RV_SEGMENT_COMPLETE)
            break; /* cut exactly one frame */
    }
}

static void every_flipped_bit_is_found(void **state)
{
    enum rv_segment_end end;
    char error[128] = "";
    char *data = NULL;
    size_t len = 0;

    write_segment();
    rv_assert_ok(rv_read_file(AT_FDCWD, path, 1 << 24, &data, &len));
    for (size_t at = 0; at < 2000; at += 7) {
        RV_AUTO(rv_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);
        char flipped = (char)(data[at] ^ (1 << at % 8));
        int count;

        rv_assert_ok(rv_pwrite_all(fd, &flipped, 1, at));
        count = count_events(&end, error, sizeof(error));
        if (count >= EVENTS)
            fail_msg("flip at byte %zu was not found", at);
        rv_assert_ok(rv_pwrite_all(fd, &data[at], 1, at));
    }
    assert_non_null(strstr(error, "at byte "));
    free(data);
}

static void what_is_not_a_segment_is_refused(void **state)
{
    struct rv_segment_reader *reader = NULL;
    struct rv_segment_head head;

    rv_assert_ok(rv_write_file_atomic(AT_FDCWD, path, "hello", 5, 0600));
    assert_int_equal(rv_segment_open(&reader, AT_FDCWD, path, &head), -EBADMSG);
    assert_int_equal(rv_segment_open(&reader, AT_FDCWD, "/nonexistent", &head), -ENOENT);
    assert_null(reader);
}

static int make_file(void **state)
{
    return close(mkstemp(path));
}

static int remove_file(void **state)
{
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(torn_tail_is_reported_not_an_error),
        cmocka_unit_test(every_flipped_bit_is_found),
        cmocka_unit_test(what_is_not_a_segment_is_refused),
    };

    return cmocka_run_group_tests(tests, make_file, remove_file);
}
