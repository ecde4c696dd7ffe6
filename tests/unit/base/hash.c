/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/hash.h"

static void digests_meet_their_vectors(void **state)
{
    struct rv_span parts[] = { rv_span_str("a"), rv_span_str(""), rv_span_str("bc") };
    struct rv_sha256 digest = rv_sha256(rv_span_str("abc")), same = rv_sha256_parts(parts, 3);
    char hex[RV_SHA256_HEX_LEN + 1];

    rv_sha256_hex(&digest, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_true(rv_equal_ct(&digest, &same, sizeof(digest)));
    assert_int_equal(rv_crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(rv_crc32c(rv_crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
}

static void mix_is_stable(void **state)
{
    /* Stored in model and baseline files: these values may never change. */
    assert_true(rv_mix64(0) == 0);
    assert_true(rv_mix64(1) == 0x5692161d100b05e5ULL);
    assert_true(rv_hash64(rv_span_str("")) != rv_hash64(rv_span("\0", 1)));
    assert_true(rv_hash64(rv_span_str("12345678")) != rv_hash64(rv_span_str("123456789")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_meet_their_vectors),
        cmocka_unit_test(mix_is_stable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
