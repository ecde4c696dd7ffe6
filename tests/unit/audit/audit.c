/* SPDX-License-Identifier: Apache-2.0 */
/* The writer: what was appended is there, proofs hold, ticks append what is due, faults seal. */
#include "scratch.h"

#include "audit/checkpoint.h"
#include "audit/entry.h"
#include "audit/tile.h"
#include "audit/verify.h"
#include "base/fd.h"

#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>

struct fixture {
    struct scratch scratch;
    struct hand_clock clock;
    struct rv_signer *signer;
    struct rv_audit_options options;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    scratch_make(&fixture->scratch);
    fixture->signer = test_signer();
    fixture->options = (struct rv_audit_options){
        .signers = &fixture->signer,
        .signer_count = 1,
        .clock = hand_clock(&fixture->clock),
        .journal_bytes = 256 * 1024,
    };
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    scratch_done(&fixture->scratch);
    rv_signer_free(&fixture->signer);
    free(fixture);
    return 0;
}

static struct rv_audit *open_log(struct fixture *fixture)
{
    struct rv_audit *audit = NULL;

    rv_assert_ok(rv_audit_open(&audit, fixture->scratch.fd, &fixture->options));
    return audit;
}

/** The published tree, its checkpoint checked. */
static struct rv_tiles *open_tiles(struct fixture *fixture, struct rv_tree_head *ret_head)
{
    enum rv_note_finding finding = RV_NOTE_UNSIGNED;
    struct rv_checkpoint checkpoint;
    struct rv_source source;
    struct rv_tiles *tiles = NULL;
    struct rv_sha256 root;
    size_t len = 0;
    char *note = NULL;

    rv_assert_ok(rv_read_file(fixture->scratch.fd, "checkpoint", 4096, &note, &len));
    rv_assert_ok(rv_checkpoint_open(&checkpoint, &finding, rv_span(note, len),
                                    rv_signer_key(fixture->signer), 1));
    free(note);
    assert_int_equal(finding, RV_NOTE_GOOD);
    rv_assert_ok(rv_source_dir(&source, fixture->scratch.fd));
    rv_assert_ok(rv_tiles_new(&tiles, &source, checkpoint.head.size));
    rv_assert_ok(rv_tiles_root(tiles, checkpoint.head.size, &root));
    assert_memory_equal(&root, &checkpoint.head.root, sizeof(root));
    *ret_head = checkpoint.head;
    return tiles;
}

static void expect_entries(struct fixture *fixture, uint64_t count)
{
    struct rv_tree_head head;
    RV_AUTO(rv_tiles_free) struct rv_tiles *tiles = open_tiles(fixture, &head);

    assert_int_equal(head.size, count);
    for (uint64_t i = 0; i < count; i++) {
        struct rv_span entry;
        char expected[32];
        int len = snprintf(expected, sizeof(expected), "entry %llu", (unsigned long long)i);

        rv_assert_ok(rv_tiles_entry(tiles, i, &entry));
        assert_true(rv_span_eq(entry, rv_span(expected, (size_t)len)));
    }
}

static void append_numbered(struct rv_audit *audit, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++) {
        char text[32];
        int len = snprintf(text, sizeof(text), "entry %llu", (unsigned long long)i);
        uint64_t index = UINT64_MAX;

        rv_assert_ok(rv_audit_append_wait(audit, rv_span(text, (size_t)len), NULL, &index));
        assert_int_equal(index, i);
    }
}

static void a_new_log_has_a_signed_checkpoint_of_nothing(void **state)
{
    struct fixture *fixture = *state;
    RV_AUTO(rv_audit_free) struct rv_audit *audit = open_log(fixture);

    expect_entries(fixture, 0);
    assert_int_equal(rv_audit_opening(audit).size, 0);
}

static void what_is_durable_survives_and_is_published_by_the_next_open(void **state)
{
    struct fixture *fixture = *state;
    struct rv_audit *audit = open_log(fixture);

    append_numbered(audit, 0, 10);
    expect_entries(fixture, 0);
    rv_audit_free(&audit);
    audit = open_log(fixture);
    assert_int_equal(rv_audit_opening(audit).recovered, 10);
    expect_entries(fixture, 10);
    rv_audit_free(&audit);
    audit = open_log(fixture);
    assert_int_equal(rv_audit_opening(audit).recovered, 0);
    append_numbered(audit, 10, 20);
    rv_assert_ok(rv_audit_publish(audit));
    expect_entries(fixture, 20);
    rv_audit_free(&audit);
}

static void proofs_hold_across_tile_borders(void **state)
{
    struct fixture *fixture = *state;
    RV_AUTO(rv_audit_free) struct rv_audit *audit = open_log(fixture);
    static const uint64_t sizes[] = { 1, 255, 256, 257, 511, 512, 700, 1025 };
    struct rv_tree_head heads[RV_COUNT(sizes)];
    struct rv_proof proof;

    for (size_t i = 0; i < RV_COUNT(sizes); i++) {
        append_numbered(audit, i ? sizes[i - 1] : 0, sizes[i]);
        rv_assert_ok(rv_audit_publish(audit));
        expect_entries(fixture, sizes[i]);
        RV_AUTO(rv_tiles_free) struct rv_tiles *tiles = open_tiles(fixture, &heads[i]);
        for (uint64_t n = 0; n < sizes[i]; n += n < 250 ? 17 : 1) {
            struct rv_span entry;
            struct rv_sha256 leaf;

            rv_assert_ok(rv_tiles_entry(tiles, n, &entry));
            leaf = rv_tree_leaf(NULL, entry);
            rv_assert_ok(rv_tiles_prove_inclusion(tiles, n, sizes[i], &proof));
            assert_int_equal(rv_proof_check_inclusion(&proof, n, &leaf, sizes[i], &heads[i].root),
                             RV_PROOF_RIGHT);
        }
        for (size_t older = 0; older <= i; older++) {
            rv_assert_ok(rv_tiles_prove_consistency(tiles, sizes[older], sizes[i], &proof));
            assert_int_equal(rv_proof_check_consistency(&proof, &heads[older], &heads[i]),
                             RV_PROOF_RIGHT);
        }
    }
    /* Partial tiles that full ones replaced are gone, the current ones are there. */
    assert_int_equal(faccessat(fixture->scratch.fd, "tile/0/000.p", F_OK, 0), -1);
    assert_int_equal(faccessat(fixture->scratch.fd, "tile/entries/000.p", F_OK, 0), -1);
    assert_int_equal(faccessat(fixture->scratch.fd, "tile/0/004.p/1", F_OK, 0), 0);
}

static void a_full_journal_publishes_and_goes_on(void **state)
{
    struct fixture *fixture = *state;
    RV_AUTO(rv_audit_free) struct rv_audit *audit = NULL;

    fixture->options.journal_bytes = 192 * 1024; /* 45 records of one entry each */
    audit = open_log(fixture);
    append_numbered(audit, 0, 600);
    rv_assert_ok(rv_audit_publish(audit));
    expect_entries(fixture, 600);
}

static void sizes_at_the_edge(void **state)
{
    struct fixture *fixture = *state;
    RV_AUTO(rv_audit_free) struct rv_audit *audit = open_log(fixture);
    RV_AUTO(rv_freep) char *big = calloc(1, RV_AUDIT_ENTRY_MAX + 1);
    struct rv_tree_head head;
    struct rv_span entry;

    rv_assert_ok(rv_audit_append_wait(audit, rv_span(big, 0), NULL, NULL));
    for (int i = 0; i < 9; i++)
        rv_assert_ok(rv_audit_append_wait(audit, rv_span(big, RV_AUDIT_ENTRY_MAX), NULL, NULL));
    assert_int_equal(rv_audit_append_wait(audit, rv_span(big, RV_AUDIT_ENTRY_MAX + 1), NULL, NULL),
                     -EMSGSIZE);
    rv_assert_ok(rv_audit_publish(audit));
    RV_AUTO(rv_tiles_free) struct rv_tiles *tiles = open_tiles(fixture, &head);
    assert_int_equal(head.size, 10);
    rv_assert_ok(rv_tiles_entry(tiles, 9, &entry));
    assert_int_equal(entry.len, RV_AUDIT_ENTRY_MAX);
}

static void a_second_writer_is_refused(void **state)
{
    struct fixture *fixture = *state;
    RV_AUTO(rv_audit_free) struct rv_audit *audit = open_log(fixture);
    struct rv_audit *second = NULL;

    assert_int_equal(rv_audit_open(&second, fixture->scratch.fd, &fixture->options), -EBUSY);
    assert_null(second);
}

/* ---- Threads and callbacks ---- */

struct heard {
    uint64_t next;
    unsigned count;
    int result;
};

static void hear(void *context, int result, uint64_t index)
{
    struct heard *heard = context;

    assert_int_equal(index, heard->next);
    heard->next++;
    heard->count++;
    heard->result = result;
}

static void callbacks_come_in_order_once_durable(void **state)
{
    struct fixture *fixture = *state;
    RV_AUTO(rv_audit_free) struct rv_audit *audit = NULL;
    struct heard heard = { 0 };

    fixture->options.mode = RV_AUDIT_THREAD;
    audit = open_log(fixture);
    for (unsigned i = 0; i < 1000; i++) {
        char text[32];
        int len = snprintf(text, sizeof(text), "entry %u", i);

        rv_assert_ok(rv_audit_append(audit, rv_span(text, (size_t)len), NULL, hear, &heard, NULL));
    }
    while (heard.count < 1000) {
        struct pollfd wait = { .fd = rv_audit_fd(audit), .events = POLLIN };

        assert_int_equal(poll(&wait, 1, 10000), 1);
        (void)rv_audit_dispatch(audit);
        assert_int_equal(heard.result, 0);
    }
    rv_assert_ok(rv_audit_publish(audit));
    expect_entries(fixture, 1000);
}

struct writer {
    struct rv_audit *audit;
    uint64_t mine[200];
};

static void *write_many(void *context)
{
    struct writer *writer = context;

    for (size_t i = 0; i < RV_COUNT(writer->mine); i++) {
        char text[32];
        int len = snprintf(text, sizeof(text), "%p %zu", context, i);

        if (rv_audit_append_wait(writer->audit, rv_span(text, (size_t)len), NULL,
                                 &writer->mine[i]) < 0)
            abort();
    }
    return NULL;
}

static void many_writers_each_find_their_entries(void **state)
{
    struct fixture *fixture = *state;
    RV_AUTO(rv_audit_free) struct rv_audit *audit = NULL;
    struct writer writers[8];
    pthread_t threads[8];
    struct rv_tree_head head;

    fixture->options.mode = RV_AUDIT_THREAD;
    fixture->options.journal_bytes = 192 * 1024; /* so that it fills and wraps */
    audit = open_log(fixture);
    for (size_t i = 0; i < 8; i++) {
        writers[i].audit = audit;
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, &writers[i]), 0);
    }
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    rv_assert_ok(rv_audit_publish(audit));
    RV_AUTO(rv_tiles_free) struct rv_tiles *tiles = open_tiles(fixture, &head);
    assert_int_equal(head.size, 1600);
    for (size_t i = 0; i < 8; i++) {
        for (size_t n = 0; n < RV_COUNT(writers[i].mine); n++) {
            struct rv_span entry;
            char text[32];
            int len = snprintf(text, sizeof(text), "%p %zu", (void *)&writers[i], n);

            rv_assert_ok(rv_tiles_entry(tiles, writers[i].mine[n], &entry));
            assert_true(rv_span_eq(entry, rv_span(text, (size_t)len)));
        }
    }
}

/* ---- Ticks ---- */

static int commit_sensors(void *context, json_t *entry)
{
    return json_object_set_new(entry, "sensors", json_pack("{s[i,i]}", "exec", 17, 0)) < 0 ? -ENOMEM
                                                                                           : 0;
}

static json_t *entry_at(struct fixture *fixture, uint64_t index)
{
    struct rv_tree_head head;
    RV_AUTO(rv_tiles_free) struct rv_tiles *tiles = open_tiles(fixture, &head);
    struct rv_span entry;
    json_t *object = NULL;

    rv_assert_ok(rv_tiles_entry(tiles, index, &entry));
    assert_int_equal(rv_entry_read(entry, index, &object), RV_ENTRY_GOOD);
    return object;
}

static void expect_type(struct fixture *fixture, uint64_t index, const char *type)
{
    RV_AUTO(rv_json_freep) json_t *object = entry_at(fixture, index);

    assert_string_equal(rv_entry_type(object), type);
}

static void advance(struct fixture *fixture, uint64_t seconds)
{
    fixture->clock.boot_ns += seconds * RV_NS_PER_S;
    fixture->clock.unix_ns += seconds * RV_NS_PER_S;
}

static void checkpoints_commit_what_the_sensors_say(void **state)
{
    struct fixture *fixture = *state;
    RV_AUTO(rv_audit_free) struct rv_audit *audit = NULL;
    RV_AUTO(rv_json_freep) json_t *decision = json_pack("{ss}", "effect", "deny");
    RV_AUTO(rv_json_freep) json_t *commit = NULL;
    struct rv_audit_status status;

    fixture->options.commit = commit_sensors;
    audit = open_log(fixture);
    rv_assert_ok(rv_audit_tick(audit));
    rv_assert_ok(rv_audit_append_json(audit, "decision", decision, NULL, NULL, NULL));
    advance(fixture, 2);
    rv_assert_ok(rv_audit_tick(audit));
    rv_audit_status(audit, &status);
    assert_int_equal(status.published, 2);
    expect_type(fixture, 0, "decision");
    commit = entry_at(fixture, 1);
    assert_string_equal(rv_entry_type(commit), "audit.checkpoint");
    assert_int_equal(json_integer_value(json_array_get(
                         json_object_get(json_object_get(commit, "sensors"), "exec"), 0)),
                     17);
    /* Nothing new: no further checkpoint until the heartbeat is due. */
    advance(fixture, 2);
    rv_assert_ok(rv_audit_tick(audit));
    rv_audit_status(audit, &status);
    assert_int_equal(status.size, 2);
    advance(fixture, 60);
    rv_assert_ok(rv_audit_tick(audit));
    expect_type(fixture, 2, "audit.heartbeat");
    expect_type(fixture, 3, "audit.checkpoint");
}

static uint64_t count_of(const json_t *entry, const char *type)
{
    return (uint64_t)json_integer_value(json_object_get(json_object_get(entry, "counts"), type));
}

static void a_summary_states_the_whole_population(void **state)
{
    struct fixture *fixture = *state;
    struct rv_audit *audit = open_log(fixture);
    RV_AUTO(rv_json_freep) json_t *decision = json_object();
    RV_AUTO(rv_json_freep) json_t *summary = NULL;

    rv_assert_ok(rv_audit_tick(audit));
    for (int i = 0; i < 5; i++)
        rv_assert_ok(rv_audit_append_json(audit, "decision", decision, NULL, NULL, NULL));
    advance(fixture, 2);
    rv_assert_ok(rv_audit_tick(audit)); /* 5: audit.checkpoint */
    rv_assert_ok(rv_audit_append(audit, rv_span_str("free form"), NULL, NULL, NULL, NULL));
    rv_audit_free(&audit); /* the period goes on across a restart */
    audit = open_log(fixture);
    rv_assert_ok(rv_audit_tick(audit));
    rv_assert_ok(rv_audit_append_json(audit, "decision", decision, NULL, NULL, NULL));
    advance(fixture, 3600);
    rv_assert_ok(rv_audit_tick(audit)); /* 8: audit.checkpoint, which a summary can cite */
    advance(fixture, 1);
    rv_assert_ok(rv_audit_tick(audit)); /* 9: audit.summary, 10: audit.checkpoint */
    summary = entry_at(fixture, 9);
    assert_string_equal(rv_entry_type(summary), "audit.summary");
    assert_int_equal(json_integer_value(json_object_get(summary, "from")), 0);
    assert_int_equal(json_integer_value(json_object_get(summary, "to")), 9);
    assert_int_equal(count_of(summary, "decision"), 6);
    assert_int_equal(count_of(summary, "audit.checkpoint"), 2);
    assert_int_equal(count_of(summary, "other"), 1);
    rv_json_freep(&summary);
    advance(fixture, 3600);
    rv_assert_ok(rv_audit_tick(audit)); /* 11: summary up to 11? no: nothing new was published */
    rv_assert_ok(rv_audit_publish(audit));
    rv_audit_free(&audit);
}

static struct rv_population *count_population(struct fixture *fixture)
{
    struct rv_population *population = calloc(1, sizeof(*population));
    RV_AUTO(rv_source_done) struct rv_source source = { 0 };
    struct rv_tree_head head;
    struct rv_tiles *tiles = open_tiles(fixture, &head);

    rv_tiles_free(&tiles);
    rv_assert_ok(rv_source_dir(&source, fixture->scratch.fd));
    rv_assert_ok(rv_verify_population(&source, &head, population));
    return population;
}

static void the_population_is_held_against_its_summaries(void **state)
{
    struct fixture *fixture = *state;
    RV_AUTO(rv_audit_free) struct rv_audit *audit = open_log(fixture);
    RV_AUTO(rv_json_freep) json_t *lie = NULL;
    struct rv_population *population;

    rv_assert_ok(rv_audit_tick(audit));
    for (int period = 0; period < 3; period++) {
        for (int i = 0; i < 4; i++)
            rv_assert_ok(rv_audit_append_json(audit, "decision", NULL, NULL, NULL, NULL));
        advance(fixture, 3600);
        rv_assert_ok(rv_audit_tick(audit));
        advance(fixture, 1);
        rv_assert_ok(rv_audit_tick(audit));
    }
    population = count_population(fixture);
    if (population->finding != RV_VERIFY_RIGHT)
        fail_msg("entry %llu: %s", (unsigned long long)population->entry, population->what);
    assert_true(population->summaries >= 2);
    assert_int_equal(population->other, 0);
    free(population);

    lie =
        json_pack("{sIsIsss{}}", "from", (json_int_t)0, "to", (json_int_t)1, "root", "", "counts");
    rv_assert_ok(rv_audit_append_json(audit, "audit.summary", lie, NULL, NULL, NULL));
    rv_assert_ok(rv_audit_publish(audit));
    population = count_population(fixture);
    assert_int_equal(population->finding, RV_VERIFY_WRONG);
    assert_int_equal(population->entry, rv_audit_opening(audit).size + population->entries - 1);
    free(population);
}

static void an_entry_of_another_place_is_found(void **state)
{
    struct fixture *fixture = *state;
    RV_AUTO(rv_audit_free) struct rv_audit *audit = open_log(fixture);
    static const char moved[] = "{\"seq\":7,\"time\":1,\"type\":\"decision\"}";
    struct rv_population *population;

    rv_assert_ok(rv_audit_append_wait(audit, rv_span_str(moved), NULL, NULL));
    rv_assert_ok(rv_audit_publish(audit));
    population = count_population(fixture);
    assert_int_equal(population->finding, RV_VERIFY_WRONG);
    assert_int_equal(population->entry, 0);
    free(population);
}

static void a_jump_of_the_wall_clock_is_an_entry(void **state)
{
    struct fixture *fixture = *state;
    RV_AUTO(rv_audit_free) struct rv_audit *audit = open_log(fixture);
    RV_AUTO(rv_json_freep) json_t *clock = NULL;

    rv_assert_ok(rv_audit_tick(audit));
    advance(fixture, 2);
    fixture->clock.unix_ns -= 3600 * RV_NS_PER_S;
    rv_assert_ok(rv_audit_tick(audit));
    clock = entry_at(fixture, 0);
    assert_string_equal(rv_entry_type(clock), "audit.clock");
    assert_int_equal(json_integer_value(json_object_get(clock, "moved_us")), -3600000000LL);
    expect_type(fixture, 1, "audit.checkpoint");
}

/* ---- Refusals ---- */

static void members_that_belong_to_the_log_are_refused(void **state)
{
    struct fixture *fixture = *state;
    RV_AUTO(rv_audit_free) struct rv_audit *audit = open_log(fixture);
    RV_AUTO(rv_json_freep) json_t *seq = json_pack("{si}", "seq", 7);
    RV_AUTO(rv_json_freep) json_t *real = json_pack("{sf}", "score", 0.5);
    RV_AUTO(rv_json_freep) json_t *deep = json_pack("{s[{sI}]}", "a", "b", (json_int_t)1 << 53);

    assert_int_equal(rv_audit_append_json(audit, "t", seq, NULL, NULL, NULL), -EINVAL);
    assert_int_equal(rv_audit_append_json(audit, "t", real, NULL, NULL, NULL), -EDOM);
    assert_int_equal(rv_audit_append_json(audit, "t", deep, NULL, NULL, NULL), -EDOM);
    assert_int_equal(rv_audit_append_json(audit, "", NULL, NULL, NULL, NULL), -EINVAL);
    rv_assert_ok(rv_audit_append_json(audit, "t", NULL, NULL, NULL, NULL));
}

static void flip_byte(struct fixture *fixture, const char *path, off_t at)
{
    RV_AUTO(rv_closep) int fd = openat(fixture->scratch.fd, path, O_RDWR);
    char byte;

    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte = (char)(byte ^ 1);
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
}

static void a_log_that_was_changed_is_not_continued(void **state)
{
    static const struct {
        const char *path;
        off_t at;
    } cases[] = {
        { "checkpoint", 14 },      { "tile/0/001.p/44", 33 },
        { "tile/1/000.p/1", 0 },   { "tile/entries/001.p/44", 9 },
        { ".state/journal.0", 0 }, { ".state/journal.1", 8192 + 40 },
    };
    struct fixture *fixture = *state;
    struct rv_audit *audit = open_log(fixture);

    append_numbered(audit, 0, 300);
    rv_assert_ok(rv_audit_publish(audit));
    append_numbered(audit, 300, 310);
    rv_audit_free(&audit);
    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        bool tolerated = rv_streq(cases[i].path, ".state/journal.0"); /* the other copy serves */
        int r;

        flip_byte(fixture, cases[i].path, cases[i].at);
        r = rv_audit_open(&audit, fixture->scratch.fd, &fixture->options);
        if (!tolerated && r != -EBADMSG && cases[i].at != 8192 + 40)
            fail_msg("%s: %d", cases[i].path, r);
        if (r == 0)
            rv_audit_free(&audit);
        flip_byte(fixture, cases[i].path, cases[i].at);
    }
    audit = open_log(fixture);
    rv_audit_free(&audit);
    expect_entries(fixture, 310);
}

static void a_log_without_its_checkpoint_or_journal_is_not_continued(void **state)
{
    struct fixture *fixture = *state;
    struct rv_audit *audit = open_log(fixture);

    append_numbered(audit, 0, 3);
    rv_assert_ok(rv_audit_publish(audit));
    rv_audit_free(&audit);
    rv_assert_ok(renameat(fixture->scratch.fd, "checkpoint", fixture->scratch.fd, "away"));
    assert_int_equal(rv_audit_open(&audit, fixture->scratch.fd, &fixture->options), -EBADMSG);
    rv_assert_ok(renameat(fixture->scratch.fd, "away", fixture->scratch.fd, "checkpoint"));
    rv_assert_ok(renameat(fixture->scratch.fd, ".state/journal.1", fixture->scratch.fd, "away"));
    assert_int_equal(rv_audit_open(&audit, fixture->scratch.fd, &fixture->options), -EBADMSG);
}

static void cosignatures_join_the_published_checkpoint(void **state)
{
    struct fixture *fixture = *state;
    RV_AUTO(rv_audit_free) struct rv_audit *audit = open_log(fixture);
    struct rv_tree_head head;
    struct rv_note note;
    char *text = NULL;
    size_t len;

    append_numbered(audit, 0, 3);
    rv_assert_ok(rv_audit_publish(audit));
    rv_assert_ok(rv_audit_add_cosignatures(audit, 3, rv_span_str("\xe2\x80\x94 w AAAAAAAB\n")));
    assert_int_equal(rv_audit_add_cosignatures(audit, 2, rv_span_str("\xe2\x80\x94 w AAAAAAAB\n")),
                     -ESTALE);
    rv_assert_ok(rv_read_file(fixture->scratch.fd, "checkpoint", 4096, &text, &len));
    rv_assert_ok(rv_note_parse(&note, rv_span(text, len)));
    assert_int_equal(note.signature_count, 2);
    free(text);
    RV_AUTO(rv_tiles_free) struct rv_tiles *tiles = open_tiles(fixture, &head);
    assert_int_equal(head.size, 3);
}

#define WITH_LOG(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LOG(a_new_log_has_a_signed_checkpoint_of_nothing),
        WITH_LOG(what_is_durable_survives_and_is_published_by_the_next_open),
        WITH_LOG(proofs_hold_across_tile_borders),
        WITH_LOG(a_full_journal_publishes_and_goes_on),
        WITH_LOG(sizes_at_the_edge),
        WITH_LOG(a_second_writer_is_refused),
        WITH_LOG(callbacks_come_in_order_once_durable),
        WITH_LOG(many_writers_each_find_their_entries),
        WITH_LOG(checkpoints_commit_what_the_sensors_say),
        WITH_LOG(a_summary_states_the_whole_population),
        WITH_LOG(the_population_is_held_against_its_summaries),
        WITH_LOG(an_entry_of_another_place_is_found),
        WITH_LOG(a_jump_of_the_wall_clock_is_an_entry),
        WITH_LOG(members_that_belong_to_the_log_are_refused),
        WITH_LOG(a_log_that_was_changed_is_not_continued),
        WITH_LOG(a_log_without_its_checkpoint_or_journal_is_not_continued),
        WITH_LOG(cosignatures_join_the_published_checkpoint),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
