/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/fd.h"

#include <fcntl.h>
#include <unistd.h>

static char folder[] = "/tmp/reeve-fd-XXXXXX";
static int folder_fd = -1;

static void atomic_write_replaces_and_leaves_no_litter(void **state)
{
    RV_AUTO(rv_freep) char *data = NULL;
    size_t len;

    rv_assert_ok(rv_write_file_atomic(folder_fd, "name", "old", 3, 0600));
    rv_assert_ok(rv_write_file_atomic(folder_fd, "name", "newer", 5, 0600));
    rv_assert_ok(rv_read_file(folder_fd, "name", 100, &data, &len));
    assert_string_equal(data, "newer");
    assert_int_equal(len, 5);
    assert_int_equal(rv_write_file_atomic(folder_fd, "no/such/folder", "x", 1, 0600), -ENOENT);
    assert_int_equal(unlinkat(folder_fd, "name", 0), 0);
}

static void read_is_bounded(void **state)
{
    char *data = NULL;
    size_t len;

    assert_int_equal(rv_read_file(AT_FDCWD, "/dev/zero", 100000, &data, &len), -EFBIG);
    assert_null(data);
    rv_assert_ok(rv_read_file(AT_FDCWD, "/proc/self/status", 1 << 20, &data, &len));
    assert_true(len > 100);
    free(data);
}

static void taken_descriptor_is_not_closed(void **state)
{
    int kept;
    {
        RV_AUTO(rv_closep) int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

        kept = rv_take_fd(&fd);
    }
    assert_true(fcntl(kept, F_GETFD) >= 0);
    rv_closep(&kept);
    assert_int_equal(kept, -1);
}

static int make_folder(void **state)
{
    if (!mkdtemp(folder))
        return -1;
    folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return folder_fd < 0;
}

static int remove_folder(void **state)
{
    return rmdir(folder); /* fails if a temporary file was left */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(atomic_write_replaces_and_leaves_no_litter),
        cmocka_unit_test(read_is_bounded),
        cmocka_unit_test(taken_descriptor_is_not_closed),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
