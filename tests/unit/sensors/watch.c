/* SPDX-License-Identifier: Apache-2.0 */
/* sensors/watch.c: marks on named files below a directory of the test's own. */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "watch.h"

struct fixture {
    char root[64];
    int root_fd;
    struct rv_watch *watch;
};

struct hits {
    size_t count, lost;
    char path[256];
    uint64_t mask;
    uint32_t pid;
};

static int put_hit(void *context, const struct rv_watch_hit *hit)
{
    struct hits *hits = context;
    size_t len = hit->path.len < sizeof(hits->path) ? hit->path.len : sizeof(hits->path) - 1;

    memcpy(hits->path, hit->path.data, len);
    hits->path[len] = '\0';
    hits->mask |= hit->mask;
    hits->pid = hit->pid;
    hits->count++;
    return 0;
}

static int put_lost(void *context)
{
    ((struct hits *)context)->lost++;
    return 0;
}

static void make_file(const struct fixture *fixture, const char *path)
{
    int fd = openat(fixture->root_fd, path, O_CREAT | O_WRONLY, 0600);

    assert_true(fd >= 0);
    close(fd);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    strcpy(fixture->root, "/tmp/reeve-watch-XXXXXX");
    if (!mkdtemp(fixture->root))
        return -1;
    fixture->root_fd = open(fixture->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (mkdirat(fixture->root_fd, "home", 0700) < 0 || mkdirat(fixture->root_fd, "home/a", 0700) ||
        mkdirat(fixture->root_fd, "home/b", 0700) || mkdirat(fixture->root_fd, "dir", 0700))
        return -1;
    make_file(fixture, "home/a/key");
    make_file(fixture, "home/b/key");
    make_file(fixture, "home/b/other");
    make_file(fixture, "secret");
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    static const char *const files[] = { "home/a/key", "home/b/key", "home/b/other", "secret",
                                         "link",       "dir/child",  "escape" };
    static const char *const directories[] = { "home/a", "home/b", "home", "dir" };

    for (size_t i = 0; i < RV_COUNT(files); i++)
        unlinkat(fixture->root_fd, files[i], 0);
    for (size_t i = 0; i < RV_COUNT(directories); i++)
        unlinkat(fixture->root_fd, directories[i], AT_REMOVEDIR);
    rmdir(fixture->root);
    close(fixture->root_fd);
    rv_watch_free(&fixture->watch);
    free(fixture);
    return 0;
}

static void open_or_skip(struct fixture *fixture)
{
    int r = rv_watch_open(&fixture->watch);

    if (r == -EPERM || r == -ENOSYS)
        rv_skip_because("fanotify needs CAP_SYS_ADMIN: %s", strerror(-r));
    rv_assert_ok(r);
}

static size_t add(struct fixture *fixture, const char *path)
{
    size_t marked = 99;

    rv_assert_ok(rv_watch_add(fixture->watch, fixture->root_fd, &path, 1, &marked));
    return marked;
}

static struct hits read_hits(struct fixture *fixture)
{
    struct hits hits = { 0 };
    const struct rv_watch_sink sink = { put_hit, put_lost, &hits };

    assert_true(rv_watch_read(fixture->watch, &sink) >= 0);
    return hits;
}

static void touch(const struct fixture *fixture, const char *path, int flags)
{
    int fd = openat(fixture->root_fd, path, flags);

    assert_true(fd >= 0);
    close(fd);
}

static void names_and_wildcards_are_marked_and_nothing_else(void **state)
{
    struct fixture *fixture = *state;
    struct hits hits;

    open_or_skip(fixture);
    assert_int_equal(add(fixture, "/secret"), 1);
    assert_int_equal(add(fixture, "/home/*/key"), 2);
    assert_int_equal(add(fixture, "/home/?/ke*"), 2);
    assert_int_equal(add(fixture, "/nowhere/*/key"), 0);
    assert_int_equal(add(fixture, "/nothing"), 0);
    assert_int_equal(add(fixture, "/home"), 0); /* a directory is no file */
    assert_int_equal(add(fixture, "/home/b/other/"), 0);
    touch(fixture, "home/b/other", O_RDONLY);
    assert_int_equal(read_hits(fixture).count, 0);
    touch(fixture, "home/b/key", O_RDONLY);
    hits = read_hits(fixture);
    assert_int_equal(hits.count, 1);
    assert_int_equal(hits.pid, getpid());
    assert_non_null(strstr(hits.path, "/home/b/key"));
    assert_true(hits.mask & FAN_OPEN);
}

static void a_directory_stands_for_the_files_in_it(void **state)
{
    struct fixture *fixture = *state;
    struct hits hits;

    open_or_skip(fixture);
    assert_int_equal(add(fixture, "/dir/"), 1);
    make_file(fixture, "dir/child");
    read_hits(fixture);
    touch(fixture, "dir/child", O_RDONLY);
    hits = read_hits(fixture);
    assert_int_equal(hits.count, 1);
    assert_non_null(strstr(hits.path, "/dir/child"));
}

static void writing_is_told_apart(void **state)
{
    struct fixture *fixture = *state;
    int fd;

    open_or_skip(fixture);
    add(fixture, "/secret");
    fd = openat(fixture->root_fd, "secret", O_WRONLY);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
    assert_true(read_hits(fixture).mask & FAN_MODIFY);
}

static void links_cannot_lead_out_of_the_root(void **state)
{
    struct fixture *fixture = *state;

    open_or_skip(fixture);
    assert_int_equal(symlinkat("/etc/passwd", fixture->root_fd, "escape"), 0);
    assert_int_equal(add(fixture, "/escape"), 0); /* there is no /etc/passwd in this root */
    assert_int_equal(symlinkat("/secret", fixture->root_fd, "link"), 0);
    assert_int_equal(add(fixture, "/link"), 1); /* the root's own secret */
    assert_int_equal(add(fixture, "/../../../secret"), 1);
    touch(fixture, "secret", O_RDONLY);
    assert_int_equal(read_hits(fixture).count, 1);
}

static void a_relative_path_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    const char *path = "secret";

    open_or_skip(fixture);
    assert_int_equal(rv_watch_add(fixture->watch, fixture->root_fd, &path, 1, NULL), -EINVAL);
}

/** Hits from our own root's point of view: patterns begin with the fixture's whole path. */
static void a_replaced_file_is_watched_again(void **state)
{
    struct fixture *fixture = *state;
    int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    char secret[128], later[128];
    const char *paths[] = { secret, later };
    size_t marked = 0;
    struct hits hits = { 0 };

    open_or_skip(fixture);
    snprintf(secret, sizeof(secret), "%s/secret", fixture->root);
    snprintf(later, sizeof(later), "%s/dir/*", fixture->root);
    rv_assert_ok(rv_watch_add(fixture->watch, root_fd, paths, RV_COUNT(paths), &marked));
    assert_int_equal(marked, 1);
    make_file(fixture, "home/a/key");
    assert_int_equal(renameat(fixture->root_fd, "home/a/key", fixture->root_fd, "secret"), 0);
    make_file(fixture, "dir/child");
    /* A timer sets the marks; on a busy machine that takes a while. */
    for (int tries = 0; tries < 50 && hits.count != 2; tries++) {
        read_hits(fixture);
        usleep(40000);
        read_hits(fixture);
        touch(fixture, "secret", O_RDONLY);
        touch(fixture, "dir/child", O_RDONLY);
        hits = read_hits(fixture);
    }
    assert_int_equal(hits.count, 2);
    close(root_fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names_and_wildcards_are_marked_and_nothing_else, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_directory_stands_for_the_files_in_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(writing_is_told_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(links_cannot_lead_out_of_the_root, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_replaced_file_is_watched_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_relative_path_is_an_error, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
