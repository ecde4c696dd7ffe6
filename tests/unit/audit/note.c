/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"

#include "audit/checkpoint.h"
#include "base/encode.h"

#include <sys/stat.h>

/* The example of golang.org/x/mod/sumdb/note (BSD-3-Clause). */
static const char go_note[] =
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "\xe2\x80\x94 PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

static void key_text_survives_a_round_trip(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };
    struct rv_note_key key;

    rv_assert_ok(rv_note_key_parse(&key, rv_span_str(TEST_VKEY "\n")));
    assert_string_equal(key.name, "PeterNeumann");
    assert_int_equal(key.id, 0xc74f20a3);
    rv_note_key_format(&text, &key);
    assert_string_equal(text.data, TEST_VKEY);
}

static void malformed_keys_are_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "PeterNeumann",
        "PeterNeumann+c74f20a3",
        "PeterNeumann+c74f20a3+",
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10T",
        "PeterNeumann+c74f20a3+CRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20zz+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    };
    struct rv_note_key key;

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        if (rv_note_key_parse(&key, rv_span_str(cases[i])) != -EINVAL)
            fail_msg("accepted: %s", cases[i]);
    }
}

static void a_note_made_by_go_is_good(void **state)
{
    static const uint8_t other[RV_ED25519_KEY_LEN] = { 1 };
    struct rv_note_key keys[2];
    struct rv_note note;
    uint64_t signed_by = 0;

    rv_assert_ok(rv_note_parse(&note, rv_span_str(go_note)));
    rv_assert_ok(rv_note_key_make(&keys[0], "PeterNeumann", RV_NOTE_ED25519, other));
    assert_int_equal(rv_note_check(&note, keys, 1, NULL), RV_NOTE_UNSIGNED);
    rv_assert_ok(rv_note_key_parse(&keys[1], rv_span_str(TEST_VKEY)));
    assert_int_equal(rv_note_check(&note, keys, 2, &signed_by), RV_NOTE_GOOD);
    assert_int_equal(signed_by, 2);
}

static void every_flipped_bit_is_found(void **state)
{
    struct rv_note_key key;

    rv_assert_ok(rv_note_key_parse(&key, rv_span_str(TEST_VKEY)));
    for (size_t bit = 0; bit < 8 * (sizeof(go_note) - 1); bit++) {
        char copy[sizeof(go_note)];
        struct rv_note note;

        memcpy(copy, go_note, sizeof(copy));
        copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
        if (rv_note_parse(&note, rv_span(copy, sizeof(copy) - 1)) == 0 &&
            rv_note_check(&note, &key, 1, NULL) == RV_NOTE_GOOD)
            fail_msg("bit %zu went unnoticed", bit);
    }
}

static void malformed_notes_are_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "text\n",
        "text\n\n",
        "text\n\nno dash\n",
        "text\n\n\xe2\x80\x94 name\n",
        "text\n\n\xe2\x80\x94 name AAAAAA==\n", /* no byte after the key id */
        "text\n\n\xe2\x80\x94 name AAAAAAAB",   /* no newline */
        "te\rxt\n\n\xe2\x80\x94 name AAAAAAAB\n",
        "te\xffxt\n\n\xe2\x80\x94 name AAAAAAAB\n",
        "text\n\n\xe2\x80\x94 na+me AAAAAAAB\n",
        "text\n\n\xe2\x80\x94  AAAAAAAB\n",
    };
    struct rv_note note;

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        if (rv_note_parse(&note, rv_span_str(cases[i])) != -EBADMSG)
            fail_msg("case %zu accepted", i);
    }
}

static void signing_gives_what_go_gave(void **state)
{
    RV_AUTO(rv_signer_free) struct rv_signer *signer = test_signer();
    RV_AUTO(rv_buf_done) struct rv_buf line = { 0 };
    struct rv_note note;

    rv_assert_ok(rv_note_parse(&note, rv_span_str(go_note)));
    rv_assert_ok(rv_note_sign(&line, note.text, signer, 0));
    assert_true(rv_span_eq(rv_buf_span(&line), note.signatures[0].line)); /* Ed25519: no chance */
}

static void a_bad_known_signature_rejects_the_note_whatever_else_signed(void **state)
{
    RV_AUTO(rv_signer_free) struct rv_signer *signer = test_signer();
    RV_AUTO(rv_buf_done) struct rv_buf bytes = { 0 };
    struct rv_note_key key = *rv_signer_key(signer);
    struct rv_note note;

    rv_buf_add_str(&bytes, "text\n\n");
    rv_assert_ok(rv_note_sign(&bytes, rv_span_str("text\n"), signer, 0));
    rv_assert_ok(rv_note_sign(&bytes, rv_span_str("other\n"), signer, 0));
    rv_assert_ok(rv_note_parse(&note, rv_buf_span(&bytes)));
    assert_int_equal(rv_note_check(&note, &key, 1, NULL), RV_NOTE_BAD);
}

static void cosignatures_bind_their_time(void **state)
{
    RV_AUTO(rv_signer_free) struct rv_signer *plain = test_signer();
    RV_AUTO(rv_signer_free) struct rv_signer *signer = NULL;
    RV_AUTO(rv_buf_done) struct rv_buf bytes = { 0 };
    struct scratch scratch;
    struct rv_note_key key;
    struct rv_note note;

    scratch_make(&scratch);
    rv_assert_ok(rv_signer_generate(scratch.fd, "w", "witness.example/w1", RV_NOTE_COSIGNATURE));
    rv_assert_ok(rv_signer_load(&signer, scratch.fd, "w"));
    key = *rv_signer_key(signer);
    rv_buf_add_str(&bytes, "origin\n1\nroot\n\n");
    rv_assert_ok(rv_note_sign(&bytes, rv_span_str("origin\n1\nroot\n"), signer, 1679315147));
    rv_assert_ok(rv_note_parse(&note, rv_buf_span(&bytes)));
    assert_int_equal(note.signatures[0].blob_len, 72);
    assert_int_equal(rv_note_check(&note, &key, 1, NULL), RV_NOTE_GOOD);
    note.signatures[0].blob[7] ^= 1;
    assert_int_equal(rv_note_check(&note, &key, 1, NULL), RV_NOTE_BAD);
    scratch_done(&scratch);
}

static void key_files_are_private_and_never_overwritten(void **state)
{
    RV_AUTO(rv_signer_free) struct rv_signer *signer = NULL;
    struct scratch scratch;
    struct stat status;

    scratch_make(&scratch);
    rv_assert_ok(rv_signer_generate(scratch.fd, "key", "example.com/log", RV_NOTE_ED25519));
    rv_assert_ok(fstatat(scratch.fd, "key", &status, 0));
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(rv_signer_generate(scratch.fd, "key", "example.com/log", RV_NOTE_ED25519),
                     -EEXIST);
    rv_assert_ok(unlinkat(scratch.fd, "key.pub", 0));
    assert_int_equal(rv_signer_generate(scratch.fd, "key", "example.com/log", RV_NOTE_ED25519),
                     -EEXIST);
    assert_int_equal(faccessat(scratch.fd, "key.pub", F_OK, 0), -1);
    rv_assert_ok(rv_signer_load(&signer, scratch.fd, "key"));
    assert_string_equal(rv_signer_key(signer)->name, "example.com/log");
    rv_assert_ok(fchmodat(scratch.fd, "key", 0640, 0));
    assert_int_equal(rv_signer_load(&signer, scratch.fd, "key"), -EPERM);
    scratch_done(&scratch);
}

static void checkpoints_are_read_strictly(void **state)
{
    static const char hash[] = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
    static const struct {
        const char *origin, *size, *rest;
        int expected;
    } cases[] = {
        { "example.com/log\n", "20852163\n", "\n", 0 },
        { "example.com/log\n", "0\n", "\n", 0 },
        { "example.com/log\n", "1\n", "\nextension\n", 0 },
        { "example.com/log\n", "1\n", "\n\n", -EBADMSG },
        { "example.com/log\n", "1\n", "", -EBADMSG },
        { "example.com/log\n", "01\n", "\n", -EBADMSG },
        { "example.com/log\n", "-1\n", "\n", -EBADMSG },
        { "example.com/log\n", "9223372036854775808\n", "\n", -EBADMSG },
        { "example.com/log\n", "18446744073709551617\n", "\n", -EBADMSG },
        { "\n", "1\n", "\n", -EBADMSG },
        { "example.com/log\n", "1 \n", "\n", -EBADMSG },
    };

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };
        struct rv_checkpoint checkpoint;

        rv_buf_addf(&text, "%s%s%s%s", cases[i].origin, cases[i].size, hash, cases[i].rest);
        if (rv_checkpoint_parse(&checkpoint, rv_buf_span(&text)) != cases[i].expected)
            fail_msg("case %zu", i);
    }
}

static void a_checkpoint_needs_the_key_of_its_origin(void **state)
{
    RV_AUTO(rv_signer_free) struct rv_signer *signer = test_signer();
    static const char *const texts[] = {
        "PeterNeumann\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "another.log\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
    };
    static const enum rv_note_finding expected[] = { RV_NOTE_GOOD, RV_NOTE_UNSIGNED };

    for (size_t i = 0; i < RV_COUNT(texts); i++) {
        RV_AUTO(rv_buf_done) struct rv_buf bytes = { 0 };
        enum rv_note_finding finding = RV_NOTE_UNSIGNED;
        struct rv_checkpoint checkpoint;

        rv_buf_addf(&bytes, "%s\n", texts[i]);
        rv_assert_ok(rv_note_sign(&bytes, rv_span_str(texts[i]), signer, 0));
        rv_assert_ok(rv_checkpoint_open(&checkpoint, &finding, rv_buf_span(&bytes),
                                        rv_signer_key(signer), 1));
        assert_int_equal(finding, expected[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_text_survives_a_round_trip),
        cmocka_unit_test(malformed_keys_are_refused),
        cmocka_unit_test(a_note_made_by_go_is_good),
        cmocka_unit_test(every_flipped_bit_is_found),
        cmocka_unit_test(malformed_notes_are_refused),
        cmocka_unit_test(signing_gives_what_go_gave),
        cmocka_unit_test(a_bad_known_signature_rejects_the_note_whatever_else_signed),
        cmocka_unit_test(cosignatures_bind_their_time),
        cmocka_unit_test(key_files_are_private_and_never_overwritten),
        cmocka_unit_test(checkpoints_are_read_strictly),
        cmocka_unit_test(a_checkpoint_needs_the_key_of_its_origin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
