/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/fd.h"
#include "boot_guard.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOOT_A "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"
#define BOOT_B "bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb"
#define BOOT_C "cccccccc-cccc-cccc-cccc-cccccccccccc"

static char folder[] = "/tmp/reeve-boot-guard-XXXXXX";
static int dir_fd;

static enum rv_boot_finding begin(const char *boot_id)
{
    enum rv_boot_finding finding = RV_BOOT_OBSERVE;

    rv_assert_ok(rv_boot_guard_look(dir_fd, boot_id, &finding));
    if (finding == RV_BOOT_ENFORCE)
        rv_assert_ok(rv_boot_guard_mark(dir_fd, boot_id, 5 * RV_NS_PER_S));
    return finding;
}

static void two_unclean_boots_put_the_host_back_to_observe(void **state)
{
    assert_int_equal(begin(BOOT_A), RV_BOOT_ENFORCE);
    assert_int_equal(begin(BOOT_A), RV_BOOT_ENFORCE); /* the agent again, not the host */
    assert_int_equal(begin(BOOT_B), RV_BOOT_ENFORCE);
    assert_int_equal(begin(BOOT_C), RV_BOOT_OBSERVE);
    assert_int_equal(begin(BOOT_C), RV_BOOT_OBSERVE);
    rv_assert_ok(rv_boot_guard_clear(dir_fd));
    rv_assert_ok(rv_boot_guard_clear(dir_fd));
    assert_int_equal(begin(BOOT_C), RV_BOOT_ENFORCE);
}

static void a_boot_that_went_well_takes_its_mark_away(void **state)
{
    rv_assert_ok(rv_boot_guard_clear(dir_fd));
    assert_int_equal(begin(BOOT_A), RV_BOOT_ENFORCE);
    rv_assert_ok(rv_boot_guard_clear(dir_fd));
    assert_int_equal(begin(BOOT_B), RV_BOOT_ENFORCE);
    assert_int_equal(begin(BOOT_C), RV_BOOT_ENFORCE);
}

static void a_torn_file_is_no_mark_and_a_bad_id_is_refused(void **state)
{
    enum rv_boot_finding finding = RV_BOOT_ENFORCE;
    static const char torn[] = "garbage\n" BOOT_A " 12\n" BOOT_B;

    rv_assert_ok(rv_write_file_atomic(dir_fd, RV_BOOT_GUARD_NAME, torn, sizeof(torn) - 1, 0600));
    assert_int_equal(begin(BOOT_C), RV_BOOT_ENFORCE);
    assert_int_equal(rv_boot_guard_look(dir_fd, "not an id", &finding), -EINVAL);
}

static void where_no_mark_can_be_left_it_is_said(void **state)
{
    enum rv_boot_finding finding = RV_BOOT_OBSERVE;
    RV_AUTO(rv_closep) int gone = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    rv_assert_ok(rv_boot_guard_look(gone, BOOT_A, &finding)); /* no file: no mark */
    assert_true(rv_boot_guard_mark(gone, BOOT_A, 0) < 0);
}

static int set_up(void **state)
{
    if (!mkdtemp(folder))
        return -1;
    dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir_fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    rv_assert_ok(rv_boot_guard_clear(dir_fd));
    close(dir_fd);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_unclean_boots_put_the_host_back_to_observe),
        cmocka_unit_test(a_boot_that_went_well_takes_its_mark_away),
        cmocka_unit_test(a_torn_file_is_no_mark_and_a_bad_id_is_refused),
        cmocka_unit_test(where_no_mark_can_be_left_it_is_said),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
