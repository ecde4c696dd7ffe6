/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/fd.h"
#include "event/event.h"

#include <fcntl.h>

static void docs_say_what_the_table_says(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
    RV_AUTO(rv_freep) char *stored = NULL;
    size_t len = 0;

    rv_event_document(&buf);
    if (getenv("REEVE_UPDATE_DOCS"))
        rv_assert_ok(
            rv_write_file_atomic(AT_FDCWD, SOURCE_ROOT "/docs/events.md", buf.data, buf.len, 0644));
    rv_assert_ok(rv_read_file(AT_FDCWD, SOURCE_ROOT "/docs/events.md", 1 << 20, &stored, &len));
    if (!rv_span_eq(rv_span(stored, len), rv_buf_span(&buf)))
        fail_msg("docs/events.md is stale: run this test with REEVE_UPDATE_DOCS=1");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(docs_say_what_the_table_says) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
