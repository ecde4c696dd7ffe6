/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sensors on the running kernel. Everything happens in a cgroup of the test's own, which is all
 * that is watched; nothing outside it is looked at or touched.
 */
#include "test.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <mntent.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "sensors/stream.h"

#define WAIT_NS (3 * RV_NS_PER_S)

struct fixture {
    char cgroup[512], directory[64];
    uint64_t cgroup_id;
    struct rv_stream_counts before; /* when the test began */
    struct rv_sensors *sensors;
    struct rv_stream *stream;
    struct rv_sensors_fds fds;
};

static uint64_t boot_ns(void)
{
    struct rv_clock clock = rv_clock_system();

    return clock.boot_ns(clock.context);
}

/* ---- A cgroup of our own ---- */

static bool find_cgroup2(char *path, size_t room)
{
    FILE *mounts = setmntent("/proc/self/mounts", "re");
    struct mntent *entry;
    bool found = false;

    while (mounts && !found && (entry = getmntent(mounts))) {
        found = rv_streq(entry->mnt_type, "cgroup2");
        if (found)
            snprintf(path, room, "%s", entry->mnt_dir);
    }
    if (mounts)
        endmntent(mounts);
    return found;
}

static int join(const struct fixture *fixture)
{
    char path[600];
    int fd, r;

    snprintf(path, sizeof(path), "%s/cgroup.procs", fixture->cgroup);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    r = write(fd, "0", 1) == 1 ? 0 : -errno;
    close(fd);
    return r;
}

/* One set of sensors serves the tests that do not need one of their own: loading takes a second. */
static int set_up_all(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    char root[256] = "";
    struct stat status;

    *state = fixture;
    if (!find_cgroup2(root, sizeof(root)))
        return 0; /* the test skips */
    snprintf(fixture->cgroup, sizeof(fixture->cgroup), "%s/reeve-test-%d", root, getpid());
    if (mkdir(fixture->cgroup, 0700) == 0 && stat(fixture->cgroup, &status) == 0)
        fixture->cgroup_id = status.st_ino;
    return 0;
}

static void remove_files(const char *path)
{
    DIR *directory = opendir(path);
    struct dirent *entry;

    while (directory && (entry = readdir(directory)))
        unlinkat(dirfd(directory), entry->d_name, 0);
    if (directory)
        closedir(directory);
    rmdir(path);
}

static int tear_down_all(void **state)
{
    struct fixture *fixture = *state;

    rv_stream_free(&fixture->stream);
    rv_sensors_free(&fixture->sensors);
    if (fixture->cgroup_id)
        rmdir(fixture->cgroup);
    free(fixture);
    return 0;
}

static int set_up(void **state)
{
    struct fixture *fixture = *state;

    strcpy(fixture->directory, "/tmp/reeve-sensors-XXXXXX");
    return mkdtemp(fixture->directory) ? 0 : -1;
}

static int tear_down(void **state)
{
    remove_files(((struct fixture *)*state)->directory);
    return 0;
}

/** Stop the sensors, so that the next test that needs some loads its own. */
static int tear_down_sensors(void **state)
{
    struct fixture *fixture = *state;

    rv_stream_free(&fixture->stream);
    rv_sensors_free(&fixture->sensors);
    return tear_down(state);
}

/** Load and attach for the scope of the test, or skip with the reason. */
static void start_with(struct fixture *fixture, const struct rv_sensors_options *given)
{
    struct rv_sensors_options options = *given;
    const char *error = NULL;
    int r;

    if (geteuid() != 0)
        rv_skip_because("needs root");
    if (!fixture->cgroup_id)
        rv_skip_because("no cgroup v2 to make a group in");
    options.scope = &fixture->cgroup_id;
    options.scope_count = 1;
    options.watch_self = true;
    r = rv_sensors_open(&fixture->sensors, &options, &error);
    if (r < 0)
        rv_skip_because("%s (%s)", error, strerror(-r));
    rv_sensors_fds(fixture->sensors, &fixture->fds);
    rv_assert_ok(rv_stream_open(&fixture->stream, &fixture->fds));
    rv_assert_ok(rv_sensors_attach(fixture->sensors));
}

static int ignore(void *context, const struct rv_event *event)
{
    (void)context;
    (void)event;
    return 0;
}

static void start(struct fixture *fixture, enum rv_sensor sensor)
{
    const struct rv_event_sink sink = { ignore, NULL };

    if (!fixture->sensors)
        start_with(fixture, &(struct rv_sensors_options){ 0 });
    rv_assert_ok(rv_stream_read(fixture->stream, SIZE_MAX, boot_ns(), &sink));
    rv_stream_counts(fixture->stream, &fixture->before);
    if (rv_sensors_missing(fixture->sensors) & RV_SENSOR_BIT(sensor))
        rv_skip_because("no %s sensor on this kernel", rv_sensor_info(sensor)->name);
}

/* ---- Doing something, and looking for it ---- */

/** Run `act` in a child inside the cgroup. @return its exit status. */
static int run(const struct fixture *fixture, int (*act)(const struct fixture *fixture))
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        if (join(fixture) < 0 || chdir(fixture->directory) < 0)
            _exit(99);
        _exit(act(fixture));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

struct wanted {
    uint16_t type;
    bool (*is_it)(const struct rv_event *event, const void *detail);
    const void *detail;
    size_t found, seen;
    struct rv_event_builder last; /* the last that matched */
};

static int look(void *context, const struct rv_event *event)
{
    struct wanted *wanted = context;

    if (event->type != wanted->type)
        return 0;
    wanted->seen++;
    if (wanted->is_it && !wanted->is_it(event, wanted->detail))
        return 0;
    wanted->found++;
    memcpy(wanted->last.bytes, event, event->size);
    return 0;
}

/** Read until `count` events were found or time is up. */
static size_t find(struct fixture *fixture, struct wanted *wanted, size_t count)
{
    const struct rv_event_sink sink = { look, wanted };
    uint64_t end_ns = boot_ns() + WAIT_NS;

    do {
        struct pollfd polls[] = {
            { .fd = fixture->fds.fd[RV_SENSORS_FD_RING], .events = POLLIN },
            { .fd = rv_sensors_poll_fd(fixture->sensors), .events = POLLIN },
        };

        poll(polls, RV_COUNT(polls), 20);
        rv_assert_ok(rv_sensors_dispatch(fixture->sensors));
        rv_assert_ok(rv_stream_read(fixture->stream, SIZE_MAX, boot_ns(), &sink));
    } while (wanted->found < count && boot_ns() < end_ns);
    return wanted->found;
}

/** Whether a string of a matched event ends in `text`. */
static bool ends_in(const struct rv_event *event, const struct rv_event_str *str, const char *text)
{
    struct rv_span span = rv_event_str(event, str);
    size_t len = strlen(text);

    return span.len >= len && memcmp(span.data + span.len - len, text, len) == 0;
}

/** Events of a type since the test began; every one must have got through. */
static uint64_t emitted(const struct fixture *fixture, uint16_t type)
{
    struct rv_stream_counts counts;

    rv_stream_counts(fixture->stream, &counts);
    assert_int_equal(counts.lost, fixture->before.lost);
    assert_int_equal(counts.invalid, 0);
    return counts.emitted_by_type[type] - fixture->before.emitted_by_type[type];
}

/* ---- Processes ---- */
static int exec_true(const struct fixture *fixture)
{
    (void)fixture;
    execl("/bin/true", "true", "one", "two", NULL);
    return 1;
}

static bool is_true(const struct rv_event *event, const void *detail)
{
    const struct rv_event_process_exec *exec = (const void *)event;

    (void)detail;
    return ends_in(event, &exec->path, "/true");
}

static void a_program_is_seen_from_fork_to_exit(void **state)
{
    struct fixture *fixture = *state;
    struct wanted exec = { .type = RV_EVENT_PROCESS_EXEC, .is_it = is_true };
    const struct rv_event_process_exec *event = (const void *)exec.last.bytes;
    struct rv_span argv;

    start(fixture, RV_SENSOR_PROCESS);
    assert_int_equal(run(fixture, exec_true), 0);
    assert_int_equal(find(fixture, &exec, 1), 1);
    argv = rv_event_str(&exec.last.header, &event->argv);
    assert_int_equal(argv.len, sizeof("true\0one\0two"));
    assert_memory_equal(argv.data, "true\0one\0two", argv.len);
    assert_int_equal(event->argc, 3);
    assert_int_equal(exec.last.header.cgroup_id, fixture->cgroup_id);
    assert_true(ends_in(&exec.last.header, &event->cgroup, strrchr(fixture->cgroup, '/')));
    assert_true(ends_in(&exec.last.header, &event->cwd, strrchr(fixture->directory, '/')));
    assert_int_equal(event->parent_tgid, getpid());
    assert_true(exec.last.header.start_boot_ns > event->parent_start_boot_ns);
}

static int exec_memfd(const struct fixture *fixture)
{
    static char *const argv[] = { (char *)"hidden", NULL };
    static char *const environment[] = { (char *)"A=1", (char *)"LD_PRELOAD=/nonexistent", NULL };
    int from = open("/bin/true", O_RDONLY), to = memfd_create("hidden", MFD_CLOEXEC);
    char room[65536];
    ssize_t len;

    (void)fixture;
    while ((len = read(from, room, sizeof(room))) > 0) {
        if (write(to, room, (size_t)len) != len)
            return 1;
    }
    if (!freopen("/dev/null", "w", stderr)) /* the loader complains of the preload */
        return 1;
    fexecve(to, argv, environment);
    return 1;
}

static bool is_memfd(const struct rv_event *event, const void *detail)
{
    const struct rv_event_process_exec *exec = (const void *)event;

    (void)detail;
    return (exec->exec_flags & RV_EXEC_F_MEMFD) && (exec->exec_flags & RV_EXEC_F_PRELOAD) &&
           ends_in(event, &exec->path, "/memfd:hidden");
}

static void a_program_without_a_file_is_told_as_such(void **state)
{
    struct fixture *fixture = *state;
    struct wanted exec = { .type = RV_EVENT_PROCESS_EXEC, .is_it = is_memfd };

    start(fixture, RV_SENSOR_PROCESS);
    assert_int_equal(run(fixture, exec_memfd), 0);
    assert_int_equal(find(fixture, &exec, 1), 1);
}

static int sleep_long(const struct fixture *fixture)
{
    (void)fixture;
    pause();
    return 0;
}

static bool is_snapshot(const struct rv_event *event, const void *detail)
{
    return (event->flags & RV_EVENT_F_SNAPSHOT) && event->tgid == *(const uint32_t *)detail;
}

static void processes_that_already_run_are_scanned(void **state)
{
    struct fixture *fixture = *state;
    uint32_t tgid = 0;
    struct wanted exec = { .type = RV_EVENT_PROCESS_EXEC, .is_it = is_snapshot, .detail = &tgid };
    pid_t child = fork();
    size_t found;

    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (join(fixture) < 0)
            _exit(99);
        _exit(sleep_long(fixture));
    }
    usleep(20000);
    tgid = (uint32_t)child;
    start(fixture, RV_SENSOR_PROCESS);
    rv_assert_ok(rv_sensors_scan(fixture->sensors));
    found = find(fixture, &exec, 1);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(found, 1);
    assert_int_equal(exec.seen, 1); /* nobody else is in the scope */
}

/* ---- Files ---- */
static int change_files(const struct fixture *fixture)
{
    int fd = open("made", O_CREAT | O_WRONLY, 0600);

    (void)fixture;
    if (fd < 0 || write(fd, "x", 1) != 1)
        return 1;
    close(fd);
    if (chmod("made", 04711) < 0 || link("made", "second") < 0 || symlink("made", "soft") < 0 ||
        rename("made", "moved") < 0 || truncate("moved", 100) < 0 || unlink("second") < 0 ||
        unlink("soft") < 0 || mkdir("folder", 0700) < 0 || rmdir("folder") < 0)
        return 1;
    fd = open("moved", O_WRONLY | O_TRUNC);
    close(fd);
    return unlink("moved") < 0;
}

static void each_change_of_a_file_is_one_event(void **state)
{
    struct fixture *fixture = *state;
    struct wanted last = { .type = RV_EVENT_PROCESS_EXIT };
    static const struct {
        uint16_t type;
        size_t count;
    } cases[] = {
        { RV_EVENT_FILE_OPEN, 3 }, /* made, folder, moved emptied; the write follows the create */
        { RV_EVENT_FILE_ATTR, 1 },     { RV_EVENT_FILE_LINK, 2 },   { RV_EVENT_FILE_RENAME, 1 },
        { RV_EVENT_FILE_TRUNCATE, 1 }, { RV_EVENT_FILE_UNLINK, 4 },
    };

    start(fixture, RV_SENSOR_FILE);
    assert_int_equal(run(fixture, change_files), 0);
    assert_int_equal(find(fixture, &last, 1), 1);
    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        uint64_t count = emitted(fixture, cases[i].type);

        if (count != cases[i].count)
            fail_msg("%s: %llu events, expected %zu", rv_event_info(cases[i].type)->name,
                     (unsigned long long)count, cases[i].count);
    }
}

static bool is_rename(const struct rv_event *event, const void *detail)
{
    const struct rv_event_file_rename *rename = (const void *)event;

    (void)detail;
    return ends_in(event, &rename->path, "/made") && ends_in(event, &rename->new_path, "/moved");
}

static void a_rename_names_both_sides(void **state)
{
    struct fixture *fixture = *state;
    struct wanted wanted = { .type = RV_EVENT_FILE_RENAME, .is_it = is_rename };

    start(fixture, RV_SENSOR_FILE);
    assert_int_equal(run(fixture, change_files), 0);
    assert_int_equal(find(fixture, &wanted, 1), 1);
    assert_int_equal(wanted.seen, 1);
}

static int rename_over_the_same_name(const struct fixture *fixture)
{
    int fd;

    (void)fixture;
    if (mkdir("a", 0700) < 0)
        return 1;
    fd = open("a/file", O_CREAT | O_WRONLY, 0600);
    close(fd);
    fd = open("file", O_CREAT | O_WRONLY, 0600);
    close(fd);
    if (rename("a/file", "file") < 0)
        return 1;
    return rmdir("a") < 0;
}

static bool came_from_a(const struct rv_event *event, const void *detail)
{
    const struct rv_event_file_rename *rename = (const void *)event;

    (void)detail;
    return ends_in(event, &rename->path, "/a/file");
}

static void a_replaced_file_is_not_taken_for_the_one_that_moved(void **state)
{
    struct fixture *fixture = *state;
    struct wanted wanted = { .type = RV_EVENT_FILE_RENAME, .is_it = came_from_a };

    start(fixture, RV_SENSOR_FILE);
    assert_int_equal(run(fixture, rename_over_the_same_name), 0);
    assert_int_equal(find(fixture, &wanted, 1), 1);
    assert_int_equal(wanted.seen, 1);
}

static int write_through_memory(const struct fixture *fixture)
{
    int fd = open("mapped", O_RDWR);
    char *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    (void)fixture;
    if (memory == MAP_FAILED)
        return 1;
    memory[0] = 'x';
    return msync(memory, 4096, MS_SYNC) < 0;
}

static bool is_mapped(const struct rv_event *event, const void *detail)
{
    const struct rv_event_file_open *open = (const void *)event;

    (void)detail;
    return ends_in(event, &open->path, "/mapped") && (open->access & RV_ACCESS_WRITE);
}

static void a_write_through_mmap_is_a_change(void **state)
{
    struct fixture *fixture = *state;
    struct wanted wanted = { .type = RV_EVENT_FILE_OPEN, .is_it = is_mapped };
    char path[128];
    int fd;

    snprintf(path, sizeof(path), "%s/mapped", fixture->directory);
    fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(ftruncate(fd, 4096), 0);
    close(fd);
    usleep(20000); /* another clock tick than the one in which it was made */
    start(fixture, RV_SENSOR_FILE);
    assert_int_equal(run(fixture, write_through_memory), 0);
    assert_int_equal(find(fixture, &wanted, 1), 1);
}

static int many_files(const struct fixture *fixture)
{
    char name[32];

    (void)fixture;
    for (int i = 0; i < 2000; i++) {
        int fd;

        snprintf(name, sizeof(name), "f%d", i);
        fd = open(name, O_CREAT | O_WRONLY, 0600);
        if (fd < 0)
            return 1;
        close(fd);
        if (unlink(name) < 0)
            return 1;
    }
    return 0;
}

static void every_one_of_many_files_is_seen(void **state)
{
    struct fixture *fixture = *state;
    struct wanted last = { .type = RV_EVENT_PROCESS_EXIT };

    start(fixture, RV_SENSOR_FILE);
    assert_int_equal(run(fixture, many_files), 0);
    assert_int_equal(find(fixture, &last, 1), 1);
    assert_int_equal(emitted(fixture, RV_EVENT_FILE_OPEN), 2000);
    assert_int_equal(emitted(fixture, RV_EVENT_FILE_UNLINK), 2000);
}

static int read_secret(const struct fixture *fixture)
{
    int fd = open("secret", O_RDONLY);

    (void)fixture;
    return fd < 0;
}

static bool is_secret(const struct rv_event *event, const void *detail)
{
    const struct rv_event_file_open *open = (const void *)event;

    (void)detail;
    return ends_in(event, &open->path, "/secret") && (open->access & RV_ACCESS_READ);
}

static void a_read_of_a_named_file_is_put_down_to_its_reader(void **state)
{
    struct fixture *fixture = *state;
    struct wanted wanted = { .type = RV_EVENT_FILE_OPEN, .is_it = is_secret };
    char path[128];
    const char *paths[] = { path };
    int fd, root_fd = open("/", O_PATH | O_CLOEXEC);
    size_t marked = 0;

    snprintf(path, sizeof(path), "%s/secret", fixture->directory);
    fd = open(path, O_CREAT | O_WRONLY, 0600);
    close(fd);
    start(fixture, RV_SENSOR_READ);
    rv_assert_ok(rv_sensors_watch(fixture->sensors, root_fd, paths, 1, &marked));
    assert_int_equal(marked, 1);
    fd = open(path, O_RDONLY); /* outside the scope: not reported */
    close(fd);
    assert_int_equal(run(fixture, read_secret), 0);
    assert_int_equal(find(fixture, &wanted, 1), 1);
    assert_int_equal(wanted.seen, 1);
    assert_int_equal(wanted.last.header.cgroup_id, fixture->cgroup_id);
    assert_true(wanted.last.header.start_boot_ns > 0);
    close(root_fd);
}

/* ---- Network ---- */
static int talk(const struct fixture *fixture)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)fixture;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (void *)&address, sizeof(address)) < 0 || listen(listener, 1) < 0 ||
        getsockname(listener, (void *)&address, &len) < 0 ||
        connect(client, (void *)&address, len) < 0)
        return 1;
    return accept(listener, NULL, NULL) < 0;
}

static void a_connection_is_seen_from_both_ends(void **state)
{
    struct fixture *fixture = *state;
    struct wanted accept = { .type = RV_EVENT_NET_ACCEPT };
    const struct rv_event_net_socket *event = (const void *)accept.last.bytes;
    static const uint8_t loopback[4] = { 127, 0, 0, 1 };

    start(fixture, RV_SENSOR_NET);
    assert_int_equal(run(fixture, talk), 0);
    assert_int_equal(find(fixture, &accept, 1), 1);
    assert_int_equal(emitted(fixture, RV_EVENT_NET_BIND), 1);
    assert_int_equal(emitted(fixture, RV_EVENT_NET_LISTEN), 1);
    assert_int_equal(emitted(fixture, RV_EVENT_NET_CONNECT), 1);
    assert_int_equal(emitted(fixture, RV_EVENT_NET_ACCEPT), 1);
    assert_memory_equal(event->addr.bytes, loopback, 4);
    assert_true(event->port != 0 && event->local_port != 0);
    assert_int_equal(accept.last.header.cgroup_id, fixture->cgroup_id);
}

/* ---- Memory, credentials, namespaces, signals ---- */
static int map_executable(const struct fixture *fixture)
{
    void *memory =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)fixture;
    return memory == MAP_FAILED;
}

static int flip_to_executable(const struct fixture *fixture)
{
    char *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)fixture;
    if (memory == MAP_FAILED)
        return 1;
    memory[0] = '\xc3';
    return mprotect(memory, 4096, PROT_READ | PROT_EXEC) < 0;
}

static bool has_memory_flags(const struct rv_event *event, const void *detail)
{
    return (((const struct rv_event_memory_exec *)(const void *)event)->memory_flags) ==
           *(const uint32_t *)detail;
}

static void memory_that_becomes_executable_is_seen(void **state)
{
    struct fixture *fixture = *state;
    uint32_t both = RV_MEMORY_F_ANON | RV_MEMORY_F_WRITABLE;
    uint32_t flipped = RV_MEMORY_F_ANON | RV_MEMORY_F_WRITTEN;
    struct wanted first = { .type = RV_EVENT_MEMORY_EXEC,
                            .is_it = has_memory_flags,
                            .detail = &both };
    struct wanted second = { .type = RV_EVENT_MEMORY_EXEC,
                             .is_it = has_memory_flags,
                             .detail = &flipped };

    start(fixture, RV_SENSOR_MEMORY);
    assert_int_equal(run(fixture, map_executable), 0);
    assert_int_equal(find(fixture, &first, 1), 1);
    assert_int_equal(run(fixture, flip_to_executable), 0);
    assert_int_equal(find(fixture, &second, 1), 1);
    assert_int_equal(run(fixture, exec_true), 0); /* loading libraries is no such thing */
    assert_int_equal(first.seen + second.seen, 2);
}

static int trace_a_child(const struct fixture *fixture)
{
    pid_t child = fork();
    int r;

    (void)fixture;
    if (child == 0) {
        pause();
        _exit(0);
    }
    r = ptrace(PTRACE_SEIZE, child, NULL, NULL) < 0;
    waitpid(child, NULL, WNOHANG);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return r;
}

static void a_tracer_is_seen_with_whom_it_traces(void **state)
{
    struct fixture *fixture = *state;
    struct wanted wanted = { .type = RV_EVENT_PROCESS_PTRACE };
    const struct rv_event_process_ptrace *event = (const void *)wanted.last.bytes;

    start(fixture, RV_SENSOR_MEMORY);
    assert_int_equal(run(fixture, trace_a_child), 0);
    assert_int_equal(find(fixture, &wanted, 1), 1);
    assert_true(event->target_tgid != wanted.last.header.tgid);
    assert_true(event->target_start_boot_ns > wanted.last.header.start_boot_ns);
}

static int become_nobody(const struct fixture *fixture)
{
    (void)fixture;
    return setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0;
}

static void a_change_of_user_is_seen(void **state)
{
    struct fixture *fixture = *state;
    struct wanted wanted = { .type = RV_EVENT_PROCESS_CRED };
    const struct rv_event_process_cred *event = (const void *)wanted.last.bytes;

    start(fixture, RV_SENSOR_CRED);
    assert_int_equal(run(fixture, become_nobody), 0);
    assert_int_equal(find(fixture, &wanted, 1), 1);
    assert_int_equal(event->old_uid, 0);
    assert_int_equal(event->new_uid, 65534);
    assert_int_equal(event->new_caps, 0);
}

static int leave_namespaces(const struct fixture *fixture)
{
    (void)fixture;
    return unshare(CLONE_NEWUTS | CLONE_NEWNS) < 0;
}

static void new_namespaces_are_seen(void **state)
{
    struct fixture *fixture = *state;
    struct wanted wanted = { .type = RV_EVENT_NAMESPACE };
    const struct rv_event_namespace *event = (const void *)wanted.last.bytes;

    start(fixture, RV_SENSOR_CRED);
    if (run(fixture, leave_namespaces) != 0)
        rv_skip_because("no namespaces for us here");
    assert_int_equal(find(fixture, &wanted, 1), 1);
    assert_int_equal(event->namespaces, CLONE_NEWUTS | CLONE_NEWNS);
}

static pid_t victim;

static int kill_victim(const struct fixture *fixture)
{
    (void)fixture;
    return kill(victim, SIGTERM) < 0;
}

static void a_signal_outside_the_own_tree_is_seen(void **state)
{
    struct fixture *fixture = *state;
    struct wanted wanted = { .type = RV_EVENT_PROCESS_SIGNAL };
    const struct rv_event_process_signal *event = (const void *)wanted.last.bytes;

    start(fixture, RV_SENSOR_SIGNAL);
    victim = fork();
    if (victim == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pause();
        _exit(0);
    }
    assert_int_equal(run(fixture, kill_victim), 0);
    waitpid(victim, NULL, 0);
    assert_int_equal(find(fixture, &wanted, 1), 1);
    assert_int_equal(event->target_tgid, victim);
    assert_int_equal(event->signal, SIGTERM);
}

/* ---- Deep watching ---- */
static int call_much(const struct fixture *fixture)
{
    (void)fixture;
    for (int i = 0; i < 200; i++)
        syscall(SYS_getppid);
    return 0;
}

static void deep_watching_tells_system_calls_in_order(void **state)
{
    struct fixture *fixture = *state;
    struct wanted wanted = { .type = RV_EVENT_SYSCALLS };

    start(fixture, RV_SENSOR_DEEP);
    rv_assert_ok(rv_sensors_deep_add(fixture->sensors, fixture->cgroup_id));
    rv_assert_ok(rv_sensors_deep_add(fixture->sensors, fixture->cgroup_id)); /* once is enough */
    assert_int_equal(run(fixture, call_much), 0);
    assert_true(find(fixture, &wanted, 3) >= 3);
    rv_assert_ok(rv_sensors_deep_remove(fixture->sensors, fixture->cgroup_id));
    assert_int_equal(rv_sensors_deep_remove(fixture->sensors, fixture->cgroup_id), -ENOENT);
    start(fixture, RV_SENSOR_DEEP);
    assert_int_equal(run(fixture, call_much), 0);
    assert_int_equal(find(fixture, &(struct wanted){ .type = RV_EVENT_PROCESS_EXIT }, 1), 1);
    assert_int_equal(emitted(fixture, RV_EVENT_SYSCALLS), 0);
}

/* ---- Loss ---- */
static int drain(void *context, const struct rv_event *event)
{
    uint64_t *lost = context;

    if (event->type == RV_EVENT_LOSS)
        *lost += ((const struct rv_event_loss *)(const void *)event)->count;
    return 0;
}

static void what_does_not_fit_is_counted_and_told(void **state)
{
    struct fixture *fixture = *state;
    struct rv_stream_counts counts;
    uint64_t told = 0, given = 0;
    const struct rv_event_sink sink = { drain, &told };

    tear_down_sensors(state);
    assert_int_equal(set_up(state), 0);
    start_with(fixture, &(struct rv_sensors_options){ .ring_bytes = 4096 });
    assert_int_equal(run(fixture, many_files), 0); /* nobody reads meanwhile */
    rv_assert_ok(rv_stream_read(fixture->stream, SIZE_MAX, boot_ns(), &sink));
    rv_stream_counts(fixture->stream, &counts);
    for (uint32_t cpu = 0; cpu < fixture->fds.cpus; cpu++)
        given += rv_stream_seq(fixture->stream, cpu);
    assert_true(counts.lost > 3000);
    assert_int_equal(told, counts.lost);
    assert_int_equal(given, counts.emitted + counts.lost); /* no gap without its number */
    told = 0;
    rv_assert_ok(rv_stream_read(fixture->stream, SIZE_MAX, boot_ns(), &sink));
    assert_int_equal(told, 0); /* told once */
}

/* ---- Privilege ---- */
static int read_as_nobody(struct fixture *fixture)
{
    struct wanted wanted = { .type = RV_EVENT_PROCESS_EXEC, .is_it = is_true };
    const struct rv_event_sink sink = { look, &wanted };
    struct rv_stream *stream = NULL;
    int r = 0;

    if (setgroups(0, NULL) < 0 || setresgid(65534, 65534, 65534) < 0 ||
        setresuid(65534, 65534, 65534) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return 10;
    if (rv_stream_open(&stream, &fixture->fds) < 0)
        return 11;
    for (int i = 0; i < 150 && wanted.found == 0 && r >= 0; i++) {
        usleep(20000);
        r = rv_stream_read(stream, SIZE_MAX, boot_ns(), &sink);
    }
    rv_stream_free(&stream);
    return wanted.found == 1 ? 0 : 12;
}

static void the_reader_needs_no_privilege(void **state)
{
    struct fixture *fixture = *state;
    int status = 0;
    pid_t reader;

    start(fixture, RV_SENSOR_PROCESS);
    reader = fork();
    assert_true(reader >= 0);
    if (reader == 0)
        _exit(read_as_nobody(fixture));
    assert_int_equal(run(fixture, exec_true), 0);
    assert_int_equal(waitpid(reader, &status, 0), reader);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- Nothing stays ---- */

/** Ids of the loaded programs that bear a name of ours. */
static size_t own_programs(uint32_t *ids, size_t room)
{
    size_t count = 0;
    uint32_t id = 0;

    while (count < room && bpf_prog_get_next_id(id, &id) == 0) {
        struct bpf_prog_info info = { 0 };
        uint32_t len = sizeof(info);
        int fd = bpf_prog_get_fd_by_id(id);

        if (fd < 0)
            continue;
        if (bpf_obj_get_info_by_fd(fd, &info, &len) == 0 && strncmp(info.name, "rv_", 3) == 0)
            ids[count++] = id;
        close(fd);
    }
    return count;
}

static bool holds(const uint32_t *ids, size_t count, uint32_t id)
{
    for (size_t i = 0; i < count; i++) {
        if (ids[i] == id)
            return true;
    }
    return false;
}

/** Programs in `now` that were not there `before`: others may come and go beside us. */
static size_t new_programs(const uint32_t *before, size_t before_count, uint32_t *now)
{
    uint32_t all[512];
    size_t count = own_programs(all, RV_COUNT(all)), fresh = 0;

    for (size_t i = 0; i < count; i++) {
        if (!holds(before, before_count, all[i]))
            now[fresh++] = all[i];
    }
    return fresh;
}

static void nothing_stays_loaded_after_kill(void **state)
{
    struct fixture *fixture = *state;
    uint32_t before[512], during[512], after[512];
    size_t before_count, during_count, after_count, left = 0;
    int ready[2];
    char answer = 0;
    pid_t guard;

    if (geteuid() != 0 || !fixture->cgroup_id)
        rv_skip_because("needs root and cgroup v2");
    before_count = own_programs(before, RV_COUNT(before));
    assert_int_equal(pipe(ready), 0);
    guard = fork();
    if (guard == 0) {
        const struct rv_sensors_options options = { .scope = &fixture->cgroup_id,
                                                    .scope_count = 1 };
        struct rv_sensors *sensors = NULL;
        bool works =
            rv_sensors_open(&sensors, &options, NULL) == 0 && rv_sensors_attach(sensors) == 0;

        answer = works ? 'y' : 'n';
        if (write(ready[1], &answer, 1) == 1)
            pause();
        _exit(1);
    }
    assert_int_equal(read(ready[0], &answer, 1), 1);
    during_count = new_programs(before, before_count, during);
    kill(guard, SIGKILL);
    waitpid(guard, NULL, 0);
    close(ready[0]);
    close(ready[1]);
    if (answer != 'y')
        rv_skip_because("the sensors do not load here");
    assert_true(during_count >= 10);
    for (int i = 0; i < 100; i++) { /* programs are freed a grace period later */
        after_count = own_programs(after, RV_COUNT(after));
        left = 0;
        for (size_t j = 0; j < during_count; j++)
            left += holds(after, after_count, during[j]) ? 1 : 0;
        if (left == 0)
            break;
        usleep(50000);
    }
    assert_int_equal(left, 0);
}

static bool touches_us(const struct rv_event *event, const void *detail)
{
    (void)detail;
    return ((const struct rv_event_tamper *)(const void *)event)->command == BPF_MAP_GET_FD_BY_ID;
}

static int open_all_maps(const struct fixture *fixture)
{
    uint32_t id = 0;

    (void)fixture;
    while (bpf_map_get_next_id(id, &id) == 0) {
        int fd = bpf_map_get_fd_by_id(id);

        if (fd >= 0)
            close(fd);
    }
    return 0;
}

static void hands_on_our_maps_are_tampering(void **state)
{
    struct fixture *fixture = *state;
    struct wanted wanted = { .type = RV_EVENT_TAMPER, .is_it = touches_us };

    start(fixture, RV_SENSOR_KERNEL);
    assert_int_equal(run(fixture, open_all_maps), 0);
    assert_true(find(fixture, &wanted, 1) >= 1);
}

static void settings_cannot_be_changed_any_more(void **state)
{
    struct fixture *fixture = *state;
    uint32_t id = 0, frozen = 0;

    start(fixture, RV_SENSOR_PROCESS);
    while (bpf_map_get_next_id(id, &id) == 0) {
        struct bpf_map_info info = { 0 };
        uint32_t len = sizeof(info), yes = 1;
        uint64_t key = 1;
        int fd = bpf_map_get_fd_by_id(id);

        if (fd < 0)
            continue;
        if (bpf_obj_get_info_by_fd(fd, &info, &len) == 0 && rv_streq(info.name, "rv_scope")) {
            assert_true(bpf_map_update_elem(fd, &key, &yes, BPF_ANY) < 0);
            frozen++;
        }
        close(fd);
    }
    assert_true(frozen >= 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_program_is_seen_from_fork_to_exit),
        TEST(a_program_without_a_file_is_told_as_such),
        TEST(processes_that_already_run_are_scanned),
        TEST(each_change_of_a_file_is_one_event),
        TEST(a_rename_names_both_sides),
        TEST(a_replaced_file_is_not_taken_for_the_one_that_moved),
        TEST(a_write_through_mmap_is_a_change),
        TEST(every_one_of_many_files_is_seen),
        TEST(a_read_of_a_named_file_is_put_down_to_its_reader),
        TEST(a_connection_is_seen_from_both_ends),
        TEST(memory_that_becomes_executable_is_seen),
        TEST(a_tracer_is_seen_with_whom_it_traces),
        TEST(a_change_of_user_is_seen),
        TEST(new_namespaces_are_seen),
        TEST(a_signal_outside_the_own_tree_is_seen),
        TEST(deep_watching_tells_system_calls_in_order),
        TEST(the_reader_needs_no_privilege),
        TEST(nothing_stays_loaded_after_kill),
        TEST(hands_on_our_maps_are_tampering),
        TEST(settings_cannot_be_changed_any_more),
        cmocka_unit_test_setup_teardown(what_does_not_fit_is_counted_and_told, set_up,
                                        tear_down_sensors),
    };

    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
