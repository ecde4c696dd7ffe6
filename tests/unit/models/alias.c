/* SPDX-License-Identifier: Apache-2.0 */
/* The history of models: promotion, quarantine with the return, damage. */
#include "test.h"

#include "base/fd.h"
#include "models/alias.h"

#include <fcntl.h>
#include <unistd.h>

static const struct rv_alias_note note = { "monitor", "red for \"an hour\"\n", 1700000000 };

static struct rv_sha256 digest(uint8_t byte)
{
    struct rv_sha256 digest;

    memset(digest.bytes, byte, sizeof(digest.bytes));
    return digest;
}

static int new_directory(char *path)
{
    strcpy(path, "/tmp/reeve-alias-XXXXXX");
    assert_non_null(mkdtemp(path));
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void remove_directory(const char *path, int fd)
{
    unlinkat(fd, "alias", 0);
    close(fd);
    rmdir(path);
}

static void assert_current(const struct rv_alias *alias, uint8_t byte)
{
    struct rv_sha256 current = rv_alias_current(alias), expected = digest(byte);

    assert_memory_equal(&current, &expected, sizeof(current));
}

static void quarantine_returns_to_the_last_good_one(void **state)
{
    char path[64];
    int fd = new_directory(path);
    struct rv_alias *alias = NULL;
    struct rv_sha256 now, one = digest(1), two = digest(2), three = digest(3);

    rv_assert_ok(rv_alias_open(&alias, fd, "alias", NULL));
    assert_current(alias, 0);
    assert_int_equal(rv_alias_quarantine(alias, &note, &now), -ENOENT);
    rv_assert_ok(rv_alias_promote(alias, &one, &note));
    rv_assert_ok(rv_alias_promote(alias, &two, &note));
    rv_assert_ok(rv_alias_promote(alias, &three, &note));
    rv_assert_ok(rv_alias_quarantine(alias, &note, &now));
    assert_memory_equal(&now, &two, sizeof(now));
    assert_int_equal(rv_alias_promote(alias, &three, &note), -EPERM);
    rv_assert_ok(rv_alias_quarantine(alias, &note, &now));
    assert_current(alias, 1);
    rv_alias_free(&alias);

    /* What the file says is what was. */
    rv_assert_ok(rv_alias_open(&alias, fd, "alias", NULL));
    assert_current(alias, 1);
    assert_int_equal(rv_alias_length(alias), 5);
    assert_true(rv_alias_is_quarantined(alias, &two));
    assert_false(rv_alias_is_quarantined(alias, &one));
    rv_assert_ok(rv_alias_quarantine(alias, &note, &now));
    assert_current(alias, 0);
    rv_alias_free(&alias);
    remove_directory(path, fd);
}

static void nothing_changes_when_it_cannot_be_recorded(void **state)
{
    char path[64];
    int fd = new_directory(path);
    struct rv_alias *alias = NULL;
    struct rv_sha256 one = digest(1), two = digest(2), now;

    rv_assert_ok(rv_alias_open(&alias, fd, "alias", NULL));
    rv_assert_ok(rv_alias_promote(alias, &one, &note));
    remove_directory(path, fd); /* nowhere to write any more */
    assert_true(rv_alias_promote(alias, &two, &note) < 0);
    assert_current(alias, 1);
    assert_true(rv_alias_quarantine(alias, &note, &now) < 0);
    assert_current(alias, 1);
    assert_int_equal(rv_alias_length(alias), 1);
    rv_alias_free(&alias);
}

static void a_broken_chain_is_refused(void **state)
{
    char path[64];
    int fd = new_directory(path);
    struct rv_alias *alias = NULL;
    struct rv_sha256 one = digest(1), two = digest(2);
    RV_AUTO(rv_freep) char *text = NULL;
    const char *why = NULL;
    size_t len;

    rv_assert_ok(rv_alias_open(&alias, fd, "alias", NULL));
    rv_assert_ok(rv_alias_promote(alias, &one, &note));
    rv_assert_ok(rv_alias_promote(alias, &two, &note));
    rv_alias_free(&alias);
    rv_assert_ok(rv_read_file(fd, "alias", 1 << 20, &text, &len));
    for (size_t at = 0; at < len; at++) {
        char was = text[at];
        int r;

        text[at] ^= 1;
        rv_assert_ok(rv_write_file_atomic(fd, "alias", text, len, 0600));
        r = rv_alias_open(&alias, fd, "alias", &why);
        /* The last line has no successor: only its own form can betray it. */
        if (at < len / 2 - 1)
            assert_int_equal(r, -EBADMSG);
        if (r == 0)
            rv_alias_free(&alias);
        text[at] = was;
        at += at % 7;
    }
    rv_assert_ok(rv_write_file_atomic(fd, "alias", text, len - 1, 0600));
    assert_int_equal(rv_alias_open(&alias, fd, "alias", &why), -EBADMSG);
    assert_non_null(why);
    remove_directory(path, fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quarantine_returns_to_the_last_good_one),
        cmocka_unit_test(nothing_changes_when_it_cannot_be_recorded),
        cmocka_unit_test(a_broken_chain_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
