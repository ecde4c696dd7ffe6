/* SPDX-License-Identifier: Apache-2.0 */
/* Packages: one encoding, one digest, nothing changed goes unseen. */
#include "test.h"

#include "models/package.h"

static struct rv_manifest_head head(void)
{
    return (
        struct rv_manifest_head){ .kind = "forest", .name = "test", .version = "1", .width = 4 };
}

static void write_package(struct rv_buf *buf, struct rv_span signature)
{
    RV_AUTO(rv_package_writer_done) struct rv_package_writer writer = { 0 };
    struct rv_manifest_head h = head();
    RV_AUTO(rv_json_freep) json_t *manifest = rv_manifest_new(&h);
    struct rv_sha256 digest = rv_sha256(rv_span_str("rows"));

    rv_assert_ok(rv_manifest_add_data(manifest, "rows.csv", &digest, 10, "made up"));
    rv_assert_ok(rv_manifest_add_metric(manifest, "detection", 860000, 840000, 880000));
    rv_assert_ok(rv_package_add(&writer, "forest", rv_span_str("trees")));
    rv_assert_ok(rv_package_add(&writer, "calibration", rv_span_str("")));
    rv_assert_ok(rv_package_add_manifest(&writer, manifest));
    assert_int_equal(rv_package_add(&writer, "forest", rv_span_str("again")), -EEXIST);
    assert_int_equal(rv_package_add(&writer, "Forest", rv_span_str("")), -EINVAL);
    assert_int_equal(rv_package_add(&writer, "", rv_span_str("")), -EINVAL);
    assert_int_equal(rv_package_add(&writer, "a-name-of-24-characters-", rv_span_str("")), -EINVAL);
    rv_assert_ok(rv_package_finish(&writer, signature, buf));
}

static void what_was_written_is_read(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
    struct rv_package *package = NULL;

    write_package(&buf, rv_span_str("sig"));
    rv_assert_ok(rv_package_open(rv_buf_span(&buf), &package, NULL));
    assert_int_equal(rv_package_section_count(package), 3);
    assert_string_equal(rv_package_section_name(package, 0), "calibration");
    assert_true(rv_span_eq(rv_package_section(package, "forest"), rv_span_str("trees")));
    assert_non_null(rv_package_section(package, "calibration").data);
    assert_null(rv_package_section(package, "absent").data);
    assert_true(rv_span_eq(rv_package_signature(package), rv_span_str("sig")));
    assert_string_equal(json_string_value(json_object_get(rv_package_manifest(package), "kind")),
                        "forest");
    rv_package_free(&package);
}

static void signing_does_not_change_the_address(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf plain = { 0 }, signed_ = { 0 };
    struct rv_package *a = NULL, *b = NULL;
    struct rv_sha256 digest_a, digest_b;

    write_package(&plain, rv_span_str(""));
    write_package(&signed_, rv_span_str("signature"));
    rv_assert_ok(rv_package_open(rv_buf_span(&plain), &a, NULL));
    rv_assert_ok(rv_package_open(rv_buf_span(&signed_), &b, NULL));
    digest_a = rv_package_digest(a);
    digest_b = rv_package_digest(b);
    assert_memory_equal(digest_a.bytes, digest_b.bytes, RV_SHA256_LEN);
    rv_package_free(&a);
    rv_package_free(&b);
}

/* A changed bit is refused or makes another address; only the signature's bytes make neither. */
static void no_change_goes_unseen(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
    struct rv_sha256 digest;
    struct rv_package *package = NULL;

    write_package(&buf, rv_span_str("sig"));
    rv_assert_ok(rv_package_open(rv_buf_span(&buf), &package, NULL));
    digest = rv_package_digest(package);
    rv_package_free(&package);
    for (size_t bit = 0; bit < buf.len * 8; bit++) {
        const char *why = NULL;
        int r;

        buf.data[bit / 8] = (char)(buf.data[bit / 8] ^ (1 << (bit % 8)));
        r = rv_package_open(rv_buf_span(&buf), &package, &why);
        if (r == 0 && bit / 8 < buf.len - 3) {
            struct rv_sha256 other = rv_package_digest(package);

            if (memcmp(other.bytes, digest.bytes, RV_SHA256_LEN) == 0)
                fail_msg("bit %zu was changed and the address was not", bit);
        }
        if (r != 0)
            assert_non_null(why);
        rv_package_free(&package);
        buf.data[bit / 8] = (char)(buf.data[bit / 8] ^ (1 << (bit % 8)));
    }
}

static void cut_or_padded_is_refused(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
    struct rv_package *package = NULL;

    write_package(&buf, rv_span_str("sig"));
    for (size_t len = 0; len < buf.len; len++)
        assert_true(rv_package_open(rv_span(buf.data, len), &package, NULL) < 0);
    rv_buf_add_char(&buf, 'x');
    assert_int_equal(rv_package_open(rv_buf_span(&buf), &package, NULL), -EINVAL);
}

static void manifest_holds_no_fraction(void **state)
{
    static struct rv_package_writer writer;
    struct rv_manifest_head h = head();
    RV_AUTO(rv_json_freep) json_t *manifest = rv_manifest_new(&h);

    json_object_set_new(manifest, "rate", json_real(0.5));
    assert_int_equal(rv_package_add_manifest(&writer, manifest), -EDOM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(signing_does_not_change_the_address),
        cmocka_unit_test(no_change_goes_unseen),
        cmocka_unit_test(cut_or_padded_is_refused),
        cmocka_unit_test(manifest_holds_no_fraction),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
