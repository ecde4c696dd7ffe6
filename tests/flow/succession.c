/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a host does moves away from what its model's calibration rests on: events through the
 * pipeline, hours of them by their own clock, a folder with two promoted models, a real log. The
 * monitor goes amber, then red; the model steps down, is quarantined, and the last good one speaks.
 */
#include "test.h"

#include "agent/folder.h"
#include "audit/audit.h"
#include "base/fd.h"
#include "models/alias.h"
#include "packages.h"
#include "scratch.h"
#include "succession.h"

#include <stdio.h>

#define STEP_NS (2 * RV_NS_PER_S)
#define ENTRIES 16

static struct {
    struct scratch scratch;
    struct hand_clock clock;
    struct rv_bundle *bundle;
    struct rv_model_store store;
    struct rv_pipeline *pipeline;
    struct rv_audit *audit;
    struct rv_signer *signer;
    struct rv_succession it;
    struct rv_sha256 first, second; /* promoted, in this order */
    uint64_t now_ns;
    uint32_t processes;
    json_t *entries[ENTRIES]; /* that went to the log */
    size_t entry_count;
    struct rv_channel_model told; /* what the guard was told last */
    unsigned tellings;
} host;

/* ---- The host ---- */

static void log_entry(void *context, const char *type, json_t *members)
{
    uint64_t index;

    assert_string_equal(type, "model");
    assert_true(host.entry_count < ENTRIES);
    host.entries[host.entry_count++] = json_deep_copy(members);
    rv_assert_ok(rv_audit_append_json(host.audit, type, members, NULL, NULL, &index));
    json_decref(members);
}

static int tell(void *context, enum rv_channel_type type, struct rv_span payload)
{
    assert_int_equal(type, RV_CHANNEL_MODEL);
    assert_int_equal(payload.len, sizeof(host.told));
    memcpy(&host.told, payload.data, sizeof(host.told));
    host.tellings++;
    return 0;
}

static struct rv_sha256 promote(size_t feature, int32_t from)
{
    RV_AUTO(rv_alias_free) struct rv_alias *alias = NULL;
    RV_AUTO(rv_package_free) struct rv_package *package = NULL;
    RV_AUTO(rv_buf_done) struct rv_buf bytes = { 0 };
    const struct rv_alias_note note = { "ann", "a test", 1 };
    char name[RV_ALIAS_PACKAGE_NAME_MAX];
    struct rv_sha256 digest;

    make_package_bytes(feature, from, PACKAGE_SOUND, &bytes);
    rv_assert_ok(rv_package_open(rv_buf_span(&bytes), &package, NULL));
    digest = rv_package_digest(package);
    rv_alias_package_name(&digest, name);
    rv_assert_ok(rv_write_file_atomic(host.scratch.fd, name, bytes.data, bytes.len, 0644));
    rv_assert_ok(rv_alias_open(&alias, host.scratch.fd, RV_ALIAS_FILE, NULL));
    rv_assert_ok(rv_alias_promote(alias, &digest, &note));
    return digest;
}

static void start(bool may_return)
{
    struct rv_pipeline_options options = {
        .program = host.bundle->program,
        .entities = host.bundle->entities,
        .policy_digest = host.bundle->digest,
        .risk_min = 1000, /* drift alone is what this is about */
        .mode = "observe",
        .learning = RV_LEARN_ON,
        .drift_window_ns = 3600 * RV_NS_PER_S,
    };

    rv_assert_ok(rv_model_store_open(&host.store, host.scratch.path, ""));
    options.model = host.store.live;
    rv_assert_ok(rv_pipeline_new(&host.pipeline, &options));
    host.it = (struct rv_succession){
        .store = &host.store,
        .pipeline = host.pipeline,
        .clock = hand_clock(&host.clock),
        .may_return = may_return,
        .trained = host.store.live != NULL,
        .log = log_entry,
        .tell = tell,
    };
}

static int set_up(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf why = { 0 };
    struct rv_audit_options log = { .signer_count = 1, .clock = rv_clock_system() };

    memset(&host, 0, sizeof(host));
    host.now_ns = 10 * RV_NS_PER_S;
    scratch_make(&host.scratch);
    rv_assert_ok(rv_bundle_open_folder(&host.bundle, SOURCE_ROOT "/policies/baseline", &why));
    host.signer = test_signer();
    log.signers = &host.signer;
    rv_assert_ok(rv_audit_open(&host.audit, host.scratch.fd, &log));
    host.first = promote(RV_FEATURE_DIRS, 100000);
    host.second = promote(RV_FEATURE_FILES, 40);
    return 0;
}

static int tear_down(void **state)
{
    for (size_t i = 0; i < host.entry_count; i++)
        json_decref(host.entries[i]);
    rv_pipeline_free(&host.pipeline);
    rv_model_store_done(&host.store);
    rv_audit_free(&host.audit);
    rv_signer_free(&host.signer);
    rv_bundle_free(&host.bundle);
    scratch_done(&host.scratch);
    return 0;
}

/* ---- What it does ---- */

static void put(struct rv_event_builder *builder, enum rv_event_type type, uint32_t tgid)
{
    struct rv_event *event = (void *)builder->bytes;
    struct rv_outcome outcome;

    event->type = (uint16_t)type;
    event->time_boot_ns = host.now_ns;
    event->tgid = event->tid = tgid;
    event->start_boot_ns = host.now_ns - RV_NS_PER_S;
    event->uid = 1000;
    rv_pipeline_put(host.pipeline, rv_event_end(builder), &outcome);
}

/** A process that makes so many files, and removes some of them. */
static void work(uint32_t files, uint32_t removals)
{
    struct rv_event_builder builder;
    uint32_t tgid = 100 + host.processes++ % 20000;
    struct rv_event_process_exec *exec;
    char path[64];

    exec = (void *)rv_event_begin(&builder, RV_EVENT_PROCESS_EXEC);
    rv_event_put_str(&builder, &exec->path, rv_span_str("/usr/bin/make"), 64);
    put(&builder, RV_EVENT_PROCESS_EXEC, tgid);
    for (uint32_t i = 0; i < files; i++) {
        struct rv_event_file_open *open = (void *)rv_event_begin(&builder, RV_EVENT_FILE_OPEN);

        open->access = RV_ACCESS_WRITE | RV_ACCESS_CREATE;
        (void)snprintf(path, sizeof(path), "/home/ann/work/%u", i);
        rv_event_put_str(&builder, &open->path, rv_span_str(path), 64);
        put(&builder, RV_EVENT_FILE_OPEN, tgid);
    }
    for (uint32_t i = 0; i < removals; i++) {
        struct rv_event_file_unlink *gone = (void *)rv_event_begin(&builder, RV_EVENT_FILE_UNLINK);

        (void)snprintf(path, sizeof(path), "/home/ann/work/%u", i);
        rv_event_put_str(&builder, &gone->path, rv_span_str(path), 64);
        put(&builder, RV_EVENT_FILE_UNLINK, tgid);
    }
    host.now_ns += STEP_NS;
    rv_succession_follow(&host.it); /* as the judge does each second */
}

/** Days go by until so many windows more were held against the reference; one in `large` is large.
 */
static void work_for(uint64_t windows, uint32_t removals, uint32_t large)
{
    json_t *drift;
    uint64_t until = UINT64_MAX, seen;

    for (unsigned i = 0; i < 40000; i++) {
        RV_AUTO(rv_json_freep) json_t *standing = NULL;

        work(large && i % large == 0 ? 80 : 4 + i % 3, removals);
        if (i % 20)
            continue;
        standing = rv_models_json(rv_pipeline_models(host.pipeline), RV_MODELS_BRIEF);
        drift = json_object_get(json_object_get(standing, "live"), "drift");
        seen = (uint64_t)json_integer_value(json_object_get(drift, "windows"));
        if (!json_is_true(json_object_get(drift, "settled")))
            continue;
        if (until == UINT64_MAX)
            until = seen + windows;
        if (seen >= until || host.entry_count > 0)
            return;
    }
    fail_msg("no window was full");
}

static const char *light(void)
{
    static char text[16];
    RV_AUTO(rv_json_freep)
    json_t *standing = rv_models_json(rv_pipeline_models(host.pipeline), RV_MODELS_BRIEF);
    json_t *drift = json_object_get(json_object_get(standing, "live"), "drift");

    (void)snprintf(text, sizeof(text), "%s", json_string_value(json_object_get(drift, "light")));
    return text;
}

static const char *said(size_t entry, const char *key)
{
    assert_true(entry < host.entry_count);
    return json_string_value(json_object_get(host.entries[entry], key));
}

static bool is(const struct rv_sha256 *a, const struct rv_sha256 *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

static struct rv_sha256 speaking(void)
{
    return rv_models_live(rv_pipeline_models(host.pipeline))->digest;
}

/** The folder's history, read again from disk. */
static void check_history(const struct rv_sha256 *current, size_t lines)
{
    RV_AUTO(rv_alias_free) struct rv_alias *alias = NULL;
    struct rv_sha256 now;

    rv_assert_ok(rv_alias_open(&alias, host.scratch.fd, RV_ALIAS_FILE, NULL));
    now = rv_alias_current(alias);
    assert_true(is(&now, current));
    assert_int_equal(rv_alias_length(alias), lines);
    assert_int_equal(rv_alias_is_quarantined(alias, &host.second), lines > 2);
}

/** Green, amber and back only after three better windows, amber, red. */
static void drift_to_red(void)
{
    work_for(1, 0, 0);
    assert_string_equal(light(), "green");
    work_for(2, 6, 0); /* another habit, the same scores */
    assert_string_equal(light(), "amber");
    assert_int_equal(host.entry_count, 0); /* amber is said, and changes nothing */
    work_for(2, 0, 0);
    assert_string_equal(light(), "amber");
    work_for(2, 0, 0);
    assert_string_equal(light(), "green");
    work_for(2, 6, 0);
    assert_string_equal(light(), "amber");
    work_for(4, 6, 7); /* now scores move */
}

static void red_drift_quarantines_and_the_last_good_model_returns(void **state)
{
    char first[RV_SHA256_HEX_LEN + 1], second[RV_SHA256_HEX_LEN + 1];
    struct rv_sha256 now;

    start(true);
    now = speaking();
    assert_true(is(&now, &host.second));
    drift_to_red();
    rv_sha256_hex(&host.first, first);
    rv_sha256_hex(&host.second, second);
    assert_int_equal(host.entry_count, 2);
    assert_string_equal(said(0, "change"), "step-down");
    assert_string_equal(said(0, "digest"), second);
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(host.entries[0], "drift"), "light")),
        "red");
    assert_string_equal(said(1, "change"), "return");
    assert_string_equal(said(1, "from"), second);
    assert_string_equal(said(1, "digest"), first);
    rv_assert_ok(rv_audit_flush(host.audit));

    /* One line of the history is the step: judge, kernel and a restart follow from it. */
    check_history(&host.first, 3);
    now = speaking();
    assert_true(is(&now, &host.first));
    assert_true(rv_models_stands(rv_pipeline_models(host.pipeline)));
    assert_int_equal(host.tellings, 1);
    assert_true(is(&host.told.live, &host.first));
    rv_pipeline_free(&host.pipeline);
    rv_model_store_done(&host.store);
    start(true);
    now = speaking();
    assert_true(is(&now, &host.first));
}

static void without_a_return_it_observes(void **state)
{
    static const struct rv_sha256 none;
    struct rv_sha256 now;

    start(false);
    drift_to_red();
    assert_int_equal(host.entry_count, 1);
    assert_string_equal(said(0, "change"), "step-down");
    now = speaking();
    assert_true(is(&now, &host.second));
    check_history(&host.second, 2);
    assert_false(rv_models_stands(rv_pipeline_models(host.pipeline)));
    assert_int_equal(rv_models_risk_to_decide_on(rv_pipeline_models(host.pipeline), 1000), 999);
    assert_true(is(&host.told.live, &none)); /* nor in the kernel */
}

static void what_a_person_promotes_is_taken_up(void **state)
{
    struct rv_sha256 third, now;

    start(true);
    rv_succession_take_up(&host.it); /* nothing has changed */
    assert_int_equal(host.entry_count + host.tellings, 0);
    third = promote(RV_FEATURE_RENAMES, 5);
    rv_succession_take_up(&host.it);
    now = speaking();
    assert_true(is(&now, &third));
    assert_true(is(&host.told.live, &third));
    assert_string_equal(said(0, "change"), "promote");
}

int main(void)
{
#define WITH_HOST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_HOST(red_drift_quarantines_and_the_last_good_model_returns),
        WITH_HOST(without_a_return_it_observes),
        WITH_HOST(what_a_person_promotes_is_taken_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
