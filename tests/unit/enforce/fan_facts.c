/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "facts.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

static const uint32_t both = RV_DO_READ | RV_DO_WRITE;

static uint32_t mode_of(long number, unsigned long a, unsigned long b, unsigned long c)
{
    char line[256];

    (void)snprintf(line, sizeof(line), "%ld 0x%lx 0x%lx 0x%lx 0x0 0x0 0x0 0x7ffe 0x7f00\n", number,
                   a, b, c);
    return rv_fan_open_mode(line);
}

static void the_system_call_tells_the_mode(void **state)
{
    assert_int_equal(mode_of(SYS_openat, 1, 2, O_RDONLY | O_CLOEXEC), RV_DO_READ);
    assert_int_equal(mode_of(SYS_openat, 1, 2, O_WRONLY | O_CREAT), RV_DO_WRITE);
    assert_int_equal(mode_of(SYS_openat, 1, 2, O_RDWR), both);
    assert_int_equal(mode_of(SYS_openat, 1, 2, O_RDONLY | O_TRUNC), both);
    assert_int_equal(mode_of(SYS_open_by_handle_at, 1, 2, O_WRONLY), RV_DO_WRITE);
#ifdef SYS_open
    assert_int_equal(mode_of(SYS_open, 1, O_RDONLY, 0644), RV_DO_READ);
    assert_int_equal(mode_of(SYS_creat, 1, 0644, 0), RV_DO_WRITE);
#endif
    assert_int_equal(mode_of(SYS_execve, 1, 2, 3), RV_DO_EXEC);
    assert_int_equal(mode_of(SYS_execveat, 1, 2, 3), RV_DO_EXEC);
}

static void what_does_not_tell_counts_as_both(void **state)
{
    assert_int_equal(mode_of(SYS_openat2, 1, 2, 3), both);
    assert_int_equal(mode_of(SYS_io_uring_enter, 1, 2, 3), both);
    assert_int_equal(mode_of(5, 1, O_RDONLY, 0), both);   /* open of 32-bit programs */
    assert_int_equal(mode_of(295, 1, 2, O_RDONLY), both); /* their openat */
    assert_int_equal(mode_of(SYS_openat | 0x40000000, 1, 2, O_RDONLY), both); /* x32 */
    assert_int_equal(rv_fan_open_mode("running\n"), both);
    assert_int_equal(rv_fan_open_mode("-1 0x7ffe 0x7f00\n"), both);
    assert_int_equal(rv_fan_open_mode("257 0x1 0x2"), both);
    assert_int_equal(rv_fan_open_mode(""), both);
}

static void status_yields_who(void **state)
{
    struct fan_facts facts = { 0 };

    assert_true(rv_fan_parse_status("Name:\tnginx\nUmask:\t0022\nTgid:\t41\nPid:\t42\n"
                                    "Uid:\t1000\t0\t0\t0\nGid:\t7\t8\t9\t10\n",
                                    &facts));
    assert_string_equal(facts.comm, "nginx");
    assert_int_equal(facts.tgid, 41);
    assert_int_equal(facts.uid, 1000);
    assert_int_equal(facts.gid, 7);
    /* The kernel escapes newlines in names: this one is no field. */
    assert_true(
        rv_fan_parse_status("Name:\ta\\nUid:\t0\nTgid:\t1\nUid:\t5\t5\nGid:\t6\t6\n", &facts));
    assert_int_equal(facts.uid, 5);
    assert_true(rv_fan_parse_status("Name:\tlonger-than-sixteen-bytes\nTgid:\t1\nUid:\t5\nGid:\t6",
                                    &facts));
    assert_string_equal(facts.comm, "longer-than-six");
    assert_false(rv_fan_parse_status("", &facts));
    assert_false(rv_fan_parse_status("Name:\tx\nTgid:\t1\n", &facts));
}

static void a_thread_of_ours_is_known_as_ours(void **state)
{
    struct fan_facts facts = { 0 };
    struct fan_source source;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    rv_assert_ok(rv_fan_source_open(&source));
    rv_assert_ok(rv_fan_facts_quick(&source, fd, (uint32_t)getpid(), &facts));
    assert_true(fan_same(facts.file, facts.program));
    rv_fan_facts_user(&facts);
    assert_int_equal(facts.euid, geteuid());
    assert_true(facts.own);
    facts = (struct fan_facts){ 0 };
    rv_assert_ok(rv_fan_facts_quick(&source, fd, (uint32_t)getppid(), &facts));
    assert_false(facts.own);
    rv_fan_source_close(&source);
    (void)close(fd);
}

static void a_file_is_found_in_its_folders(void **state)
{
    char path[FAN_PATH_ROOM] = "", program[FAN_PATH_ROOM] = "", folder[FAN_PATH_ROOM];
    struct fan_facts facts = { .path = path, .program_path = program };
    struct fan_source source;
    struct fan_id above;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    rv_assert_ok(rv_fan_source_open(&source));
    rv_assert_ok(rv_fan_facts_quick(&source, fd, (uint32_t)getpid(), &facts));
    rv_fan_facts_path(&source, fd, &facts);
    assert_true(path[0] == '/');
    rv_fan_facts_place(&source, fd, &facts);
    assert_int_equal(facts.place, FAN_PLACE_FOUND);
    strcpy(folder, path);
    strrchr(folder, '/')[0] = '\0';
    rv_assert_ok(rv_fan_identify(folder, &above));
    assert_true(fan_same(facts.folders[0], above));
    strrchr(folder, '/')[0] = '\0';
    rv_assert_ok(rv_fan_identify(folder, &above));
    assert_true(fan_same(facts.folders[1], above));
    /* A path that names another file places nothing. */
    strcpy(path, "/etc/passwd");
    rv_fan_facts_place(&source, fd, &facts);
    assert_int_equal(facts.place, FAN_PLACE_HIDDEN);
    assert_int_equal(facts.folder_count, 0);
    rv_fan_source_close(&source);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_system_call_tells_the_mode),
        cmocka_unit_test(what_does_not_tell_counts_as_both),
        cmocka_unit_test(status_yields_who),
        cmocka_unit_test(a_thread_of_ours_is_known_as_ours),
        cmocka_unit_test(a_file_is_found_in_its_folders),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
