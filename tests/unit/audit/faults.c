/* SPDX-License-Identifier: Apache-2.0 */
/* Every operation of the writer killed, lost, torn, reordered and failed in turn (disk.h), then
 * recovered: no acknowledged entry is lost, none is invented, the root is re-derived. */
#include "scratch.h"

#include "audit/tile.h"
#include "audit/verify.h"
#include "disk.h"

#define ENTRIES_MAX 512

/** What the workload was told, and after how many operations it was told. */
static struct {
    size_t acked_at[ENTRIES_MAX];     /* operations done when entry i was acknowledged */
    size_t published_at[ENTRIES_MAX]; /* when a publish() that covers i entries returned */
    uint64_t appended, acked, published;
} told;

struct fixture {
    struct scratch watched, image;
    struct rv_signer *signer;
    struct hand_clock clock;
    struct rv_audit_options options;
};

/** Entry i, of a size that also fills segments: every 40th is 40 KiB. */
static struct rv_span entry_bytes(uint64_t i, char *room)
{
    size_t len = i % 40 == 39 ? 40 * 1024 : 16 + (size_t)i % 50;

    memset(room, 'a' + (int)(i % 26), len);
    (void)snprintf(room, 16, "entry %06u", (unsigned)i % 1000000);
    return rv_span(room, len);
}

static void acknowledge(uint64_t upto)
{
    for (; told.acked < upto; told.acked++)
        told.acked_at[told.acked] = disk_op_count();
}

static int append(struct rv_audit *audit, unsigned count)
{
    static char room[64 * 1024];
    int r = 0;

    for (unsigned i = 0; i < count && r == 0; i++) {
        r = rv_audit_append(audit, entry_bytes(told.appended, room), NULL, NULL, NULL, NULL);
        if (r == 0)
            told.appended++;
    }
    if (r == 0)
        r = rv_audit_flush(audit);
    if (r == 0)
        acknowledge(told.appended);
    return r;
}

static int publish(struct rv_audit *audit)
{
    int r = rv_audit_publish(audit);

    if (r == 0) {
        for (; told.published < told.appended; told.published++)
            told.published_at[told.published] = disk_op_count();
    }
    return r;
}

/**
 * A life of a log: made, appended to singly and in batches, published at a tile's border and off
 * it, its journal filled until segments change, closed, opened again, left unpublished.
 */
static int live(struct fixture *fixture)
{
    static const unsigned steps[] = { 1, 1, 3, 0, 250, 0, 1, 0, 2, 120, 1, 0, 30 }; /* 0: publish */
    struct rv_audit *audit = NULL;
    int r = rv_audit_open(&audit, fixture->watched.fd, &fixture->options);

    memset(&told, 0, sizeof(told));
    for (size_t i = 0; i < RV_COUNT(steps) && r == 0; i++) {
        r = steps[i] > 0 ? append(audit, steps[i]) : publish(audit);
        if (i == 7 && r == 0) {
            rv_audit_free(&audit);
            r = rv_audit_open(&audit, fixture->watched.fd, &fixture->options);
        }
    }
    rv_audit_free(&audit);
    return r;
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    (void)setenv("TMPDIR", "/dev/shm", 1);
    scratch_make(&fixture->watched);
    scratch_make(&fixture->image);
    fixture->signer = test_signer();
    fixture->options = (struct rv_audit_options){
        .signers = &fixture->signer,
        .signer_count = 1,
        .clock = hand_clock(&fixture->clock),
        .journal_bytes = 192 * 1024,
    };
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    disk_unwatch();
    scratch_done(&fixture->watched);
    scratch_done(&fixture->image);
    rv_signer_free(&fixture->signer);
    free(fixture);
    return 0;
}

/* ---- What must hold after any crash ---- */

static uint64_t told_before(const size_t *at, uint64_t count, size_t ops)
{
    while (count > 0 && at[count - 1] > ops)
        count--;
    return count;
}

/** NULL: all is well with the log in `dir`; else what is not. */
static const char *check_log(struct fixture *fixture, const struct scratch *dir, uint64_t acked,
                             uint64_t appended)
{
    static char why[400], room[64 * 1024];
    RV_AUTO(rv_audit_free) struct rv_audit *audit = NULL;
    RV_AUTO(rv_source_done) struct rv_source source = { 0 };
    RV_AUTO(rv_tiles_free) struct rv_tiles *tiles = NULL;
    struct rv_verify_request request = { .keys = rv_signer_key(fixture->signer), .key_count = 1 };
    struct rv_verify_report report;
    uint64_t size;
    int r;

    r = rv_audit_open(&audit, dir->fd, &fixture->options);
    if (r < 0) {
        (void)snprintf(why, sizeof(why), "does not open: %s", strerror(-r));
        return why;
    }
    size = rv_audit_opening(audit).size;
    if (size < acked || size > appended) {
        (void)snprintf(why, sizeof(why), "%llu entries; %llu acknowledged, %llu appended",
                       (unsigned long long)size, (unsigned long long)acked,
                       (unsigned long long)appended);
        return why;
    }
    rv_assert_ok(rv_source_dir(&source, dir->fd));
    rv_assert_ok(rv_verify_log(&source, &request, &report));
    if (report.finding != RV_VERIFY_RIGHT || report.checkpoint.head.size != size) {
        (void)snprintf(why, sizeof(why), "not verified: %s", report.what);
        return why;
    }
    rv_assert_ok(rv_tiles_borrow(&tiles, &source, size));
    for (uint64_t i = 0; i < size; i++) {
        struct rv_span entry;

        rv_assert_ok(rv_tiles_entry(tiles, i, &entry));
        if (!rv_span_eq(entry, entry_bytes(i, room)))
            return "an entry is not what was appended";
    }
    return NULL;
}

static void check_image(struct fixture *fixture, size_t ops, enum disk_loss loss, size_t variant)
{
    static const char *const losses[] = { "killed",   "power lost", "one lost",
                                          "one kept", "torn head",  "torn tail" };
    uint64_t acked = told_before(told.acked_at, told.acked, ops);
    uint64_t published = told_before(told.published_at, told.published, ops);
    const char *why;

    disk_lay_out(ops, loss, variant, fixture->image.path);
    /* Entries whose append had begun may be there; count them generously by what comes next. */
    why = check_log(fixture, &fixture->image, rv_max_u64(acked, published),
                    rv_min_u64(told.appended, acked + 256));
    if (why)
        fail_msg("after %zu operations (last: %s), %s, variant %zu: %s", ops,
                 ops ? disk_op_name(ops - 1) : "none", losses[loss], variant, why);
}

static void every_crash_point_recovers(void **state)
{
    struct fixture *fixture = *state;
    size_t total, images = 0;

    disk_watch(fixture->watched.path);
    rv_assert_ok(live(fixture));
    total = disk_op_count();
    assert_true(total > 100);
    for (size_t ops = 0; ops <= total; ops++) {
        for (int loss = 0; loss < DISK_LOSS_COUNT_; loss++) {
            size_t variants = disk_variants(ops, (enum disk_loss)loss);

            for (size_t variant = 0; variant < variants; variant++, images++)
                check_image(fixture, ops, (enum disk_loss)loss, variant);
        }
    }
    print_message("# %zu operations, %zu crash states\n", total, images);
}

static void empty(struct scratch *scratch)
{
    scratch_done(scratch);
    scratch_make(scratch);
}

/** The process dies, and dies again at every operation of its recovery. */
static void a_crash_of_the_recovery_recovers(void **state)
{
    struct fixture *fixture = *state;
    struct scratch first;
    size_t total, images = 0;

    scratch_make(&first);
    disk_watch(fixture->watched.path);
    rv_assert_ok(live(fixture));
    total = disk_op_count();
    for (size_t ops = 10; ops <= total; ops += 9) {
        uint64_t acked = told_before(told.acked_at, told.acked, ops);
        struct rv_audit *audit = NULL;
        size_t recovery;

        disk_unwatch();
        empty(&fixture->watched);
        disk_watch(fixture->watched.path); /* the same trace again: watching the copy forgot it */
        rv_assert_ok(live(fixture));
        disk_lay_out(ops, DISK_KILLED, 0, first.path);

        disk_watch(first.path);
        rv_assert_ok(rv_audit_open(&audit, first.fd, &fixture->options));
        rv_audit_free(&audit);
        recovery = disk_op_count();
        for (size_t n = 0; n <= recovery; n++) {
            for (int loss = DISK_KILLED; loss <= DISK_POWER; loss++, images++) {
                const char *why;

                disk_lay_out(n, (enum disk_loss)loss, 0, fixture->image.path);
                why = check_log(fixture, &fixture->image, acked,
                                rv_min_u64(told.appended, acked + 256));
                if (why)
                    fail_msg("killed after %zu, again after %zu of recovery (%s): %s", ops, n,
                             n ? disk_op_name(n - 1) : "none", why);
            }
        }
    }
    scratch_done(&first);
    print_message("# %zu crash states of recoveries\n", images);
}

static void every_failing_operation_seals_and_loses_nothing(void **state)
{
    static const int errors[] = { EIO, ENOSPC, EROFS };
    struct fixture *fixture = *state;
    size_t total, sealed = 0;

    disk_watch(fixture->watched.path);
    rv_assert_ok(live(fixture));
    total = disk_op_count();
    for (size_t k = 0; k < total; k++) {
        const char *why;
        int error = errors[k % RV_COUNT(errors)], r;

        disk_unwatch();
        empty(&fixture->watched);
        disk_watch(fixture->watched.path);
        disk_fail_at(k, error);
        r = live(fixture);
        if (r != 0 && r != -error && r != -EROFS)
            fail_msg("operation %s failed with %d, the log answered %d", disk_op_name(k), error, r);
        sealed += r != 0 ? 1 : 0;
        disk_fail_at(SIZE_MAX, 0);
        /* What was answered with an error may be there or not; what was acknowledged must be. */
        why = check_log(fixture, &fixture->watched, told.acked, told.appended);
        if (why)
            fail_msg("operation %s failed: %s", disk_op_name(k), why);
    }
    /* Only dropping replaced partial tiles may fail without consequence. */
    assert_true(sealed > total / 2);
    print_message("# %zu operations failed in turn, %zu sealed the log\n", total, sealed);
}

static void a_sealed_log_answers_errors_and_says_why(void **state)
{
    struct fixture *fixture = *state;
    RV_AUTO(rv_audit_free) struct rv_audit *audit = NULL;
    struct rv_audit_status status;

    disk_watch(fixture->watched.path);
    rv_assert_ok(rv_audit_open(&audit, fixture->watched.fd, &fixture->options));
    rv_assert_ok(rv_audit_append_wait(audit, rv_span_str("one"), NULL, NULL));
    disk_fail_at(disk_op_count(), EIO);
    assert_int_equal(rv_audit_append_wait(audit, rv_span_str("two"), NULL, NULL), -EIO);
    disk_fail_at(SIZE_MAX, 0);
    assert_int_equal(rv_audit_append_wait(audit, rv_span_str("three"), NULL, NULL), -EROFS);
    assert_int_equal(rv_audit_publish(audit), -EROFS);
    assert_int_equal(rv_audit_tick(audit), -EROFS);
    rv_audit_status(audit, &status);
    assert_int_equal(status.state, RV_AUDIT_SEALED);
    assert_int_equal(status.error, -EIO);
    assert_string_equal(status.failed, "writing the journal");
    assert_int_equal(status.durable, 1);
}

#define WITH_DISK(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DISK(every_crash_point_recovers),
        WITH_DISK(a_crash_of_the_recovery_recovers),
        WITH_DISK(every_failing_operation_seals_and_loses_nothing),
        WITH_DISK(a_sealed_log_answers_errors_and_says_why),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
