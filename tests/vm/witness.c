/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two witnesses of one call (sensors/deep): a thread that changes an argument under a call is told
 * of, and ordinary work is not. All of it happens in a cgroup of the test's own, watched deeply.
 */
#include "test.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "sensors/stream.h"

#define GROUND  "/tmp/witness"
#define CGROUP  "/sys/fs/cgroup/witness"
#define WAIT_NS (90 * RV_NS_PER_S)
#define TEXT    "text\n" /* printable, or an exec would ask for a module of its kind */
#define WORKERS 3
#define TIMES   40

struct fixture {
    struct rv_sensors *sensors;
    struct rv_stream *stream;
    struct rv_sensors_fds fds;
    uint64_t races, calls; /* events read so far */
    struct rv_event_builder last;
};

static uint64_t boot_ns(void)
{
    struct rv_clock clock = rv_clock_system();

    return clock.boot_ns(clock.context);
}

static int take(void *context, const struct rv_event *event)
{
    struct fixture *fixture = context;

    fixture->calls += event->type == RV_EVENT_SYSCALLS;
    if (event->type != RV_EVENT_PROCESS_RACE)
        return 0;
    fixture->races++;
    memcpy(fixture->last.bytes, event, event->size);
    return 0;
}

static void drain(struct fixture *fixture)
{
    const struct rv_event_sink sink = { take, fixture };

    rv_assert_ok(rv_stream_read(fixture->stream, SIZE_MAX, boot_ns(), &sink));
}

static void make_file(const char *path, mode_t mode, const char *content)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
    close(fd);
}

static int set_up_all(void **state)
{
    static struct fixture fixture;
    struct rv_sensors_options options = { .sensors = RV_SENSOR_BIT(RV_SENSOR_DEEP),
                                          .watch_self = true };
    const char *error = NULL;
    struct stat status;
    int r;

    *state = &fixture;
    (void)mkdir(CGROUP, 0700);
    (void)mkdir(GROUND, 0755);
    make_file(GROUND "/one", 0755, TEXT);
    make_file(GROUND "/two", 0755, TEXT);
    if (symlink("one", GROUND "/link") < 0 && errno != EEXIST)
        return -1;
    make_file(GROUND "/script", 0755, "#!/bin/busybox true\n");
    if (stat(CGROUP, &status) < 0)
        return -1;
    r = rv_sensors_open(&fixture.sensors, &options, &error);
    if (r < 0) {
        fprintf(stderr, "%s (%s)\n", error, strerror(-r));
        return -1;
    }
    rv_sensors_fds(fixture.sensors, &fixture.fds);
    rv_assert_ok(rv_stream_open(&fixture.stream, &fixture.fds));
    rv_assert_ok(rv_sensors_attach(fixture.sensors));
    rv_assert_ok(rv_sensors_meter(fixture.sensors));
    rv_assert_ok(rv_sensors_deep_add(fixture.sensors, status.st_ino));
    return 0;
}

static int tear_down_all(void **state)
{
    struct fixture *fixture = *state;

    rv_stream_free(&fixture->stream);
    rv_sensors_free(&fixture->sensors);
    rmdir(CGROUP);
    return 0;
}

static void join(void)
{
    int fd = open(CGROUP "/cgroup.procs", O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, "0", 1) != 1)
        _exit(99);
    close(fd);
}

/** A child in the watched cgroup. */
static pid_t inside(void (*act)(void))
{
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        join();
        act();
        _exit(0);
    }
    return child;
}

/* ---- Racing ---- */

/* What the second thread changes: a path that ends in "one" or "two", a port. */
static char path[] = GROUND "/one";
static struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = 9 };

static void *flip(void *unused)
{
    volatile char *name = path + sizeof(GROUND);
    volatile in_port_t *port = &address.sin_port;

    for (uint32_t i = 0;; i++) {
        const char *other = i & 1 ? "one" : "two";

        for (size_t k = 0; k < 3; k++)
            name[k] = other[k];
        *port = htons(i & 1 ? 1111 : 2222);
    }
    return unused;
}

static void race(void (*call)(void))
{
    pthread_t thread;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (pthread_create(&thread, NULL, flip, NULL) != 0)
        _exit(1);
    for (;;)
        call();
}

static void open_once(void)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0)
        close(fd);
}

/** Of a file that is no program: the hook is asked, then the exec fails. */
static void exec_once(void)
{
    char *const argv[] = { path, NULL };

    (void)execve(path, argv, NULL);
}

static void connect_once(void)
{
    static int fd = -1;

    if (fd < 0)
        fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    (void)connect(fd, (const struct sockaddr *)&address, sizeof(address));
}

static void race_open(void)
{
    race(open_once);
}
static void race_exec(void)
{
    race(exec_once);
}
static void race_connect(void)
{
    race(connect_once);
}

/** Until somebody is told of, with the child racing. */
static const struct rv_event_process_race *find_race(struct fixture *fixture, void (*act)(void))
{
    uint64_t begun = boot_ns();
    pid_t child;

    drain(fixture);
    fixture->races = 0;
    child = inside(act);
    while (fixture->races == 0 && boot_ns() - begun < WAIT_NS) {
        struct pollfd polls = { .fd = fixture->fds.fd[RV_SENSORS_FD_URGENT], .events = POLLIN };

        poll(&polls, 1, 100);
        drain(fixture);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_true(fixture->races > 0);
    assert_int_equal(fixture->last.header.tgid, child);
    printf("# told of after %u ms\n", (unsigned)((boot_ns() - begun) / RV_NS_PER_MS));
    return (const void *)fixture->last.bytes;
}

static void paths_differ(const struct rv_event_process_race *event)
{
    struct rv_span seen = rv_event_str(&event->header, &event->seen);
    struct rv_span taken = rv_event_str(&event->header, &event->taken);

    assert_false(rv_span_eq(seen, taken)); /* torn between the two names is one, too */
    assert_int_equal(seen.len, strlen(path));
    assert_int_equal(taken.len, strlen(path));
    assert_memory_equal(seen.data, GROUND "/", sizeof(GROUND));
    assert_memory_equal(taken.data, GROUND "/", sizeof(GROUND));
    assert_true(event->moment == RV_RACE_ENTRY || event->moment == RV_RACE_HOOK);
}

static void a_path_that_changes_under_an_open(void **state)
{
    const struct rv_event_process_race *event = find_race(*state, race_open);

    assert_int_equal(event->call, RV_RACE_OPEN);
    paths_differ(event);
}

static void a_path_that_changes_under_an_exec(void **state)
{
    const struct rv_event_process_race *event = find_race(*state, race_exec);

    assert_int_equal(event->call, RV_RACE_EXEC);
    paths_differ(event);
}

static void an_address_that_changes_under_a_connect(void **state)
{
    const struct rv_event_process_race *event = find_race(*state, race_connect);

    assert_int_equal(event->call, RV_RACE_CONNECT);
    assert_int_equal(event->seen_family, AF_INET);
    assert_int_equal(event->taken_family, AF_INET);
    assert_int_not_equal(event->seen_port, event->taken_port);
}

/* ---- Ordinary work ---- */

static void try_open(int folder, const char *name, int flags)
{
    int fd = openat(folder, name, flags | O_CLOEXEC, 0644);

    if (fd >= 0)
        close(fd);
}

static void open_in_every_way(int folder)
{
    struct open_how how = { .flags = O_RDONLY | O_CLOEXEC };
    char long_way[4000], name[] = "\xff\xfe non-UTF-8";
    size_t len = 0;
    int fd;

    while (len < sizeof(long_way) - 8)
        len += (size_t)snprintf(long_way + len, sizeof(long_way) - len, "./");
    strcpy(long_way + len, "one");
    try_open(AT_FDCWD, GROUND "/one", O_RDONLY);
    try_open(AT_FDCWD, "/tmp/../tmp/./witness//link", O_RDWR);
    try_open(AT_FDCWD, "/proc/self/root" GROUND "/one", O_RDONLY);
    try_open(AT_FDCWD, "/proc/self/exe", O_RDONLY);
    try_open(AT_FDCWD, GROUND "/nothing", O_RDONLY);
    try_open(AT_FDCWD, GROUND, O_RDONLY | O_DIRECTORY);
    try_open(AT_FDCWD, GROUND, O_RDWR | O_TMPFILE);
    try_open(folder, "one", O_RDONLY);
    try_open(folder, long_way, O_RDONLY);
    try_open(folder, name, O_RDWR | O_CREAT);
    try_open(folder, "link", O_PATH);
    (void)unlinkat(folder, name, 0);
    fd = (int)syscall(SYS_openat2, folder, "two", &how, sizeof(how));
    if (fd >= 0)
        close(fd);
    fd = creat(GROUND "/made", 0600);
    if (fd >= 0)
        close(fd);
}

static void exec_in(int folder, const char *name, int flags)
{
    char *const argv[] = { (char *)"true", NULL }, *const environment[] = { NULL };
    pid_t child = vfork();

    if (child == 0) {
        syscall(SYS_execveat, folder, name, argv, environment, flags);
        _exit(1);
    }
    waitpid(child, NULL, 0);
}

static void exec_in_every_way(int folder)
{
    int file = open("/bin/busybox", O_PATH), high = dup2(folder, 123);

    exec_in(AT_FDCWD, "/bin/true", 0);
    exec_in(AT_FDCWD, "../../bin/true", 0);
    exec_in(AT_FDCWD, GROUND "/script", 0);
    exec_in(AT_FDCWD, GROUND "/one", 0);
    exec_in(folder, "../../bin/busybox", 0);
    exec_in(folder, "script", 0);
    exec_in(high, "one", 0);
    exec_in(folder, "/bin/true", 0);
    exec_in(file, "", AT_EMPTY_PATH);
    close(file);
    close(high);
}

static void connect_to(const void *to, size_t len, int family)
{
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    (void)connect(fd, to, (socklen_t)len);
    close(fd);
}

static void connect_in_every_way(void)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET,
                              .sin_port = htons(9),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
                               .sin6_port = htons(9),
                               .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    struct sockaddr_un file = { .sun_family = AF_UNIX, .sun_path = GROUND "/socket" };
    struct sockaddr_un hidden = { .sun_family = AF_UNIX, .sun_path = "\0hidden" };
    struct sockaddr nobody = { .sa_family = AF_UNSPEC };

    connect_to(&v4, sizeof(v4), AF_INET);
    connect_to(&v4, sizeof(struct sockaddr_storage), AF_INET);
    connect_to(&v6, sizeof(v6), AF_INET6);
    connect_to(&file, sizeof(file), AF_UNIX);
    connect_to(&hidden, sizeof(sa_family_t) + 7, AF_UNIX);
    connect_to(&nobody, sizeof(nobody), AF_INET);
    connect_to(&v4, 3, AF_INET);
}

/** Threads that share all memory and leave each other's alone. */
static void *work(void *unused)
{
    for (int i = 0; i < TIMES; i++) {
        int folder = open(GROUND, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        open_in_every_way(folder);
        connect_in_every_way();
        close(folder);
    }
    return unused;
}

static void ordinary(void)
{
    static const char *const shell =
        "exec >/dev/null; mkdir -p " GROUND "/w && cd " GROUND "/w && i=0; "
        "while [ $i -lt 20 ]; do i=$((i + 1)); echo $i >f$i; cp f$i g$i; ln -sf f$i l$i; mv g$i h$i; "
        "cat l$i h$i | sed s/1/2/ | sort >o$i; done; find . -type f | xargs md5sum >sums; "
        "tar cf - . | tar tf - >list; grep -r 1 .; cd .. && rm -rf w";
    pthread_t threads[WORKERS];
    int folder;

    if (chdir(GROUND) < 0)
        _exit(1);
    for (size_t i = 0; i < WORKERS; i++)
        (void)pthread_create(&threads[i], NULL, work, NULL);
    for (size_t i = 0; i < WORKERS; i++)
        (void)pthread_join(threads[i], NULL);
    folder = open(GROUND, O_RDONLY | O_DIRECTORY);
    exec_in_every_way(folder);
    if (system(shell) != 0)
        _exit(4);
    /* The same names mean others from here on. */
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount(GROUND "/one", GROUND "/two", NULL, MS_BIND, NULL) < 0)
        _exit(2);
    open_in_every_way(folder);
    if (mkdir(GROUND "/root", 0755) < 0 || mkdir(GROUND "/root/tmp", 0755) < 0 ||
        mount("/tmp", GROUND "/root/tmp", NULL, MS_BIND, NULL) < 0 || chroot(GROUND "/root") < 0)
        _exit(3);
    open_in_every_way(folder);
    exec_in(folder, "one", 0);
}

static void ordinary_work_is_not_told_of(void **state)
{
    static const char *const programs[] = { "rv_witness_open", "rv_witness_exec",
                                            "rv_witness_connect" };
    struct fixture *fixture = *state;
    struct rv_sensors_cost rows[64];
    size_t count, ran = 0;
    int status = 0;
    pid_t child;

    drain(fixture);
    fixture->races = fixture->calls = 0;
    child = inside(ordinary);
    while (waitpid(child, &status, WNOHANG) == 0) {
        poll(NULL, 0, 20);
        drain(fixture);
    }
    drain(fixture);
    assert_int_equal(status, 0);
    assert_true(fixture->calls > 0);
    if (fixture->races > 0) {
        RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };

        rv_event_json(&buf, &fixture->last.header);
        fail_msg("%s", buf.data);
    }
    count = rv_sensors_costs(fixture->sensors, rows, RV_COUNT(rows));
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < RV_COUNT(programs); k++) {
            if (!rv_streq(rows[i].program, programs[k]))
                continue;
            assert_true(rows[i].run_count > 0);
            printf("# %s: %llu runs, %llu ns each\n", programs[k],
                   (unsigned long long)rows[i].run_count,
                   (unsigned long long)(rows[i].run_time_ns / rows[i].run_count));
            ran++;
        }
    }
    assert_int_equal(ran, RV_COUNT(programs));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ordinary_work_is_not_told_of),
        cmocka_unit_test(a_path_that_changes_under_an_open),
        cmocka_unit_test(a_path_that_changes_under_an_exec),
        cmocka_unit_test(an_address_that_changes_under_a_connect),
    };

    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
