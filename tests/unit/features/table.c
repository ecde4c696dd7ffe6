/* SPDX-License-Identifier: Apache-2.0 */
/* The table: its page, its digest, its sanity. */
#include "test.h"

#include "base/fd.h"
#include "features/program.h"
#include "features/table.h"

#include <fcntl.h>

static void the_page_is_what_the_table_says(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf page = { 0 };
    RV_AUTO(rv_freep) char *file = NULL;
    size_t len = 0;

    rv_feature_document(&page);
    assert_false(page.failed);
    if (getenv("REEVE_UPDATE_DOCS"))
        rv_assert_ok(rv_write_file_atomic(AT_FDCWD, SOURCE_ROOT "/docs/features.md", page.data,
                                          page.len, 0644));
    rv_assert_ok(rv_read_file(AT_FDCWD, SOURCE_ROOT "/docs/features.md", 1 << 20, &file, &len));
    if (len != page.len || memcmp(file, page.data, len) != 0)
        fail_msg("docs/features.md is stale: run this test with REEVE_UPDATE_DOCS=1");
}

static void names_are_unique_and_found(void **state)
{
    for (size_t i = 0; i < RV_FEATURE_COUNT; i++) {
        const struct rv_feature_info *info = rv_feature_info(i);

        assert_int_equal(rv_feature_by_name(rv_span_str(info->name)), i);
        assert_true(info->max > 0);
    }
    assert_null(rv_feature_info(RV_FEATURE_COUNT));
    assert_int_equal(rv_feature_by_name(rv_span_str("no_such")), -ENOENT);
    assert_true(rv_feature_info(RV_FEATURE_EXE_KIND)->max == RV_KIND_COUNT_ - 1);
}

/* Models in the field name this digest: a change here is a change of table version. */
static void the_digest_is_pinned(void **state)
{
    struct rv_sha256 digest = rv_feature_table_digest();
    char hex[RV_SHA256_HEX_LEN + 1];

    rv_sha256_hex(&digest, hex);
    assert_string_equal(hex, "a492cf379d997bd38dce5be5940a1595bc1d3a33defb949c569f57d53ba27b7a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_is_what_the_table_says),
        cmocka_unit_test(names_are_unique_and_found),
        cmocka_unit_test(the_digest_is_pinned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
