/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log in the world: killed under load, on a disk that fills, on one that may not be written,
 * behind the system-call filter that audit/audit.h lists. Mounts are made in a mount namespace of
 * the test's own. `audit CYCLES` sets how often the writer is killed (40).
 */
#include "../unit/audit/scratch.h"

#include "audit/tile.h"
#include "audit/verify.h"
#include "audit_system_config.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#if HAVE_SECCOMP
#include <seccomp.h>
#endif

#define WRITERS   4
#define INDEX_MAX ((uint64_t)1 << 21)

static unsigned cycles = 40;

/** Seen by the test and by the writers it kills. */
static struct shared {
    _Atomic uint64_t next_value;
    _Atomic uint64_t acked;               /* how many */
    _Atomic uint64_t value_of[INDEX_MAX]; /* of acknowledged entries; 0: not acknowledged */
} * shared;

static struct rv_signer *signer;

static struct rv_audit *open_log(int fd, enum rv_audit_mode mode, uint32_t journal_bytes)
{
    const struct rv_audit_options options = { .mode = mode,
                                              .signers = &signer,
                                              .signer_count = 1,
                                              .clock = rv_clock_system(),
                                              .journal_bytes = journal_bytes };
    struct rv_audit *audit = NULL;

    rv_assert_ok(rv_audit_open(&audit, fd, &options));
    return audit;
}

static void expect_verified(int fd, uint64_t size)
{
    struct rv_verify_request request = { .keys = rv_signer_key(signer), .key_count = 1 };
    RV_AUTO(rv_source_done) struct rv_source source = { 0 };
    struct rv_verify_report report;

    rv_assert_ok(rv_source_dir(&source, fd));
    rv_assert_ok(rv_verify_log(&source, &request, &report));
    if (report.finding != RV_VERIFY_RIGHT || report.checkpoint.head.size != size)
        fail_msg("%s; %llu entries, not %llu", report.what,
                 (unsigned long long)report.checkpoint.head.size, (unsigned long long)size);
}

/* ---- kill -9 under load ---- */

static void *write_forever(void *context)
{
    for (;;) {
        uint64_t value = ++shared->next_value, index;
        char entry[200];
        size_t len = 8 + value % 190;

        memset(entry, 'x', sizeof(entry));
        memcpy(entry, &value, sizeof(value));
        if (rv_audit_append_wait(context, rv_span(entry, len), NULL, &index) < 0 ||
            index >= INDEX_MAX)
            _exit(3);
        shared->value_of[index] = value;
        shared->acked++;
    }
    return NULL;
}

/** What the child does until it is killed: four writers, and a checkpoint now and then. */
static void be_killed(int fd)
{
    struct rv_audit *audit = open_log(fd, RV_AUDIT_THREAD, 192 * 1024);

    for (int i = 0; i < WRITERS; i++) {
        pthread_t thread;

        if (pthread_create(&thread, NULL, write_forever, audit) != 0)
            _exit(3);
    }
    for (;;) {
        const struct timespec pause = { .tv_nsec = 3000000 };

        (void)nanosleep(&pause, NULL);
        if (rv_audit_publish(audit) < 0)
            _exit(3);
    }
}

static void check_cycle(int fd, uint64_t from)
{
    struct rv_audit *audit = open_log(fd, RV_AUDIT_INLINE, 192 * 1024);
    RV_AUTO(rv_source_done) struct rv_source source = { 0 };
    RV_AUTO(rv_tiles_free) struct rv_tiles *tiles = NULL;
    uint64_t size = rv_audit_opening(audit).size;

    rv_audit_free(&audit);
    rv_assert_ok(rv_source_dir(&source, fd));
    rv_assert_ok(rv_tiles_borrow(&tiles, &source, size));
    for (uint64_t index = from; index < INDEX_MAX && index < size + 4096; index++) {
        uint64_t acked = shared->value_of[index], value = 0;
        struct rv_span entry;

        if (index >= size) {
            if (acked != 0)
                fail_msg("entry %llu was acknowledged and is lost", (unsigned long long)index);
            continue;
        }
        rv_assert_ok(rv_tiles_entry(tiles, index, &entry));
        memcpy(&value, entry.data, sizeof(value));
        if ((acked != 0 && value != acked) || value == 0 || value > shared->next_value ||
            entry.len != 8 + value % 190)
            fail_msg("entry %llu is not what was appended", (unsigned long long)index);
    }
}

static void killed_writers_lose_nothing(void **state)
{
    struct scratch scratch;
    uint64_t size = 0;
    unsigned random = 12345;

    scratch_make(&scratch);
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(shared != MAP_FAILED);
    for (unsigned cycle = 0; cycle < cycles; cycle++) {
        struct timespec life;
        struct rv_audit *audit;
        pid_t child = fork();
        int status;

        assert_true(child >= 0);
        if (child == 0) {
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
            be_killed(scratch.fd);
        }
        random = random * 1103515245 + 12345;
        life = (struct timespec){ .tv_nsec = 2000000L + random / 65536 % 45 * 1000000L };
        (void)nanosleep(&life, NULL);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        if (!WIFSIGNALED(status))
            fail_msg("the writer ended by itself: %d", WEXITSTATUS(status));
        check_cycle(scratch.fd, size);
        audit = open_log(scratch.fd, RV_AUDIT_INLINE, 192 * 1024);
        size = rv_audit_opening(audit).size;
        rv_audit_free(&audit);
    }
    expect_verified(scratch.fd, size);
    print_message("# %u kills, %llu entries, %llu acknowledged\n", cycles, (unsigned long long)size,
                  (unsigned long long)shared->acked);
    (void)munmap(shared, sizeof(*shared));
    scratch_done(&scratch);
}

/* ---- A disk of our own ---- */

static bool mount_small(const char *path, const char *size)
{
    char data[32];

    (void)snprintf(data, sizeof(data), "size=%s", size);
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", path, "tmpfs", 0, data) == 0;
}

/** Run `body` in a child with a mount namespace of its own; skip where that is not allowed. */
static void with_small_disk(const char *size, void (*body)(const char *path))
{
    struct scratch scratch;
    int status = 0;
    pid_t child;

    scratch_make(&scratch);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (!mount_small(scratch.path, size))
            _exit(77);
        body(scratch.path);
        (void)fflush(stdout);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    scratch_done(&scratch);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        rv_skip_because("no mount namespace of its own here (needs root)");
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

#define want(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("# %s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                       \
            fflush(stdout);                                                                        \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static void fill_disk(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
    struct rv_audit *audit = open_log(fd, RV_AUDIT_THREAD, 192 * 1024);
    static char entry[4096];
    struct rv_audit_status status;
    uint64_t acked = 0;

    for (; r == 0; acked += r == 0 ? 1 : 0) {
        memset(entry, 'a' + (int)(acked % 26), sizeof(entry));
        r = rv_audit_append_wait(audit, rv_span(entry, sizeof(entry)), NULL, NULL);
        if (r == 0 && acked % 16 == 0)
            (void)!rv_audit_publish(audit);
    }
    rv_audit_status(audit, &status);
    want(status.state == RV_AUDIT_SEALED && status.error == -ENOSPC && status.failed);
    want(status.durable >= acked);
    want(rv_audit_append_wait(audit, rv_span("x", 1), NULL, NULL) == -EROFS);
    rv_audit_free(&audit);

    /* As it is, it verifies; with room again, everything acknowledged is there. */
    want(mount(NULL, path, NULL, MS_REMOUNT, "size=16m") == 0);
    audit = open_log(fd, RV_AUDIT_THREAD, 192 * 1024);
    want(rv_audit_opening(audit).size >= acked);
    want(rv_audit_append_wait(audit, rv_span("on we go", 8), NULL, NULL) == 0);
    want(rv_audit_publish(audit) == 0);
    rv_audit_status(audit, &status);
    rv_audit_free(&audit);
    expect_verified(fd, status.size);
    (void)close(fd);
}

static void a_full_disk_seals_and_recovers(void **state)
{
    with_small_disk("1m", fill_disk);
}

static void forbid_writing(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct rv_audit *audit = open_log(fd, RV_AUDIT_INLINE, 192 * 1024), *none = NULL;
    const struct rv_audit_options options = { .signers = &signer,
                                              .signer_count = 1,
                                              .clock = rv_clock_system() };

    want(rv_audit_append_wait(audit, rv_span("one", 3), NULL, NULL) == 0);
    want(rv_audit_publish(audit) == 0);
    /* The open journal keeps the file system writable: the kernel refuses to take it away. */
    want(mount(NULL, path, NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0 && errno == EBUSY);
    rv_audit_free(&audit);
    want(mount(NULL, path, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
    want(rv_audit_open(&none, fd, &options) == -EROFS && !none);
    expect_verified(fd, 1);
    want(mount(NULL, path, NULL, MS_REMOUNT, NULL) == 0);
    audit = open_log(fd, RV_AUDIT_INLINE, 192 * 1024);
    want(rv_audit_append_wait(audit, rv_span("two", 3), NULL, NULL) == 0);
    rv_audit_free(&audit);
    (void)close(fd);
}

static void a_read_only_disk_is_refused_and_read(void **state)
{
    with_small_disk("4m", forbid_writing);
}

/* ---- Behind a filter ---- */

#if HAVE_SECCOMP
static const int running_calls[] = {
    SCMP_SYS(openat),        SCMP_SYS(close),
    SCMP_SYS(read),          SCMP_SYS(pread64),
    SCMP_SYS(write),         SCMP_SYS(pwrite64),
    SCMP_SYS(fsync),         SCMP_SYS(fdatasync),
    SCMP_SYS(ftruncate),     SCMP_SYS(renameat),
    SCMP_SYS(renameat2),     SCMP_SYS(mkdirat),
    SCMP_SYS(unlinkat),      SCMP_SYS(getdents64),
    SCMP_SYS(fstat),         SCMP_SYS(newfstatat),
    SCMP_SYS(lseek),         SCMP_SYS(sync_file_range),
    SCMP_SYS(futex),         SCMP_SYS(poll),
    SCMP_SYS(clock_gettime), SCMP_SYS(getrandom),
    SCMP_SYS(mmap),          SCMP_SYS(munmap),
    SCMP_SYS(mprotect),      SCMP_SYS(madvise),
    SCMP_SYS(brk),           SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(exit),          SCMP_SYS(exit_group),
    SCMP_SYS(fcntl),         SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
};
static const int opening_calls[] = {
    SCMP_SYS(fallocate), SCMP_SYS(rt_sigaction), SCMP_SYS(eventfd2),   SCMP_SYS(clone3),
    SCMP_SYS(clone),     SCMP_SYS(faccessat),    SCMP_SYS(faccessat2),
};

static void load_filter(bool opening)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);

    want(filter && seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) == 0);
    for (size_t i = 0; i < RV_COUNT(running_calls); i++)
        want(seccomp_rule_add(filter, SCMP_ACT_ALLOW, running_calls[i], 0) == 0);
    for (size_t i = 0; opening && i < RV_COUNT(opening_calls); i++)
        want(seccomp_rule_add(filter, SCMP_ACT_ALLOW, opening_calls[i], 0) == 0);
    want(seccomp_load(filter) == 0);
}

static void write_a_while(struct rv_audit *audit)
{
    for (int i = 0; i < 3000; i++) {
        char entry[200] = "entry";

        want(rv_audit_append(audit, rv_span(entry, sizeof(entry)), NULL, NULL, NULL, NULL) == 0);
        if (i % 500 == 0)
            want(rv_audit_tick(audit) == 0);
        (void)rv_audit_dispatch(audit);
    }
    want(rv_audit_flush(audit) == 0 && rv_audit_publish_committed(audit) == 0);
    rv_audit_free(&audit);
}

static void filtered(bool filter_first)
{
    struct scratch scratch;
    int status = 0;
    pid_t child;

    scratch_make(&scratch);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rv_audit *audit;

        if (filter_first)
            load_filter(true);
        audit = open_log(scratch.fd, RV_AUDIT_THREAD, 192 * 1024);
        if (!filter_first)
            load_filter(false);
        write_a_while(audit);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    scratch_done(&scratch);
    if (WIFSIGNALED(status))
        fail_msg("killed by signal %d: a system call is missing from the list", WTERMSIG(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}
#endif

static void the_listed_system_calls_are_enough(void **state)
{
#if HAVE_SECCOMP
    filtered(false);
    filtered(true);
#else
    rv_skip_because("built without libseccomp");
#endif
}

static int set_up(void **state)
{
    signer = test_signer();
    return 0;
}

static int tear_down(void **state)
{
    rv_signer_free(&signer);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_writers_lose_nothing),
        cmocka_unit_test(a_full_disk_seals_and_recovers),
        cmocka_unit_test(a_read_only_disk_is_refused_and_read),
        cmocka_unit_test(the_listed_system_calls_are_enough),
    };

    if (argc > 1)
        cycles = (unsigned)atoi(argv[1]);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
