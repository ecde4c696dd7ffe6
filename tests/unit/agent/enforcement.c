/* SPDX-License-Identifier: Apache-2.0 */
/* The judge's part of enforcement against a guard that only listens: what it is told, and when. */
#include "test.h"

#include "base/fd.h"
#include "enforcement.h"
#include "events.h"
#include "scratch.h"

#include <fcntl.h>

#define UID_OF_ACTOR 1000
#define APPROVER     2000

static const char policy[] =
    "@id(\"all\") permit (principal, action, resource);\n"
    "@id(\"held\") @respond(\"hold\") forbid (principal, action == Action::\"net.connect\","
    " resource) when { resource.port == 4451 };\n"
    "@id(\"wire\") @respond(\"kill\") forbid (principal, action == Action::\"file.create\","
    " resource == File::\"/srv/wire\");\n";

/** What the guard was told, in order. */
static struct {
    enum rv_channel_type types[64];
    union {
        struct rv_channel_rules rules;
        struct rv_channel_act act;
        struct rv_channel_undo undo;
        struct rv_grant grant;
    } last[RV_CHANNEL_TYPE_COUNT_];
    size_t count;
} told;

static struct {
    struct scratch scratch;
    struct rv_agent_config config;
    struct rv_bundle *bundle;
    struct rv_pipeline *pipeline;
    struct rv_signer *signer;
    struct rv_audit *audit;
    struct rv_enforcement *enforcement;
} judge;

static int tell(void *context, enum rv_channel_type type, struct rv_span payload)
{
    assert_true(told.count < RV_COUNT(told.types));
    told.types[told.count++] = type;
    if (payload.len > 0 && payload.len <= sizeof(told.last[type]))
        memcpy(&told.last[type], payload.data, payload.len);
    return 0;
}

static void show(void *context, const json_t *line)
{
    assert_non_null(json_object_get(line, "enforced"));
}

static size_t times_told(enum rv_channel_type type)
{
    size_t n = 0;

    for (size_t i = 0; i < told.count; i++)
        n += told.types[i] == type;
    return n;
}

static void make_bundle(void)
{
    RV_AUTO(rv_freep) char *schema = NULL;
    struct rv_diags diags = { 0 };
    size_t len;

    rv_assert_ok(rv_read_file(AT_FDCWD, SOURCE_ROOT "/policies/baseline/host.cedarschema", 1 << 20,
                              &schema, &len));
    struct rv_bundle_file files[] = { { "host.cedarschema", rv_span(schema, len) },
                                      { "test.cedar", rv_span_str(policy) } };

    rv_assert_ok(rv_bundle_load(&judge.bundle, files, RV_COUNT(files), &diags));
    rv_diags_done(&diags);
}

static int set_up(void **state)
{
    struct rv_audit_options log = { .signer_count = 1, .clock = rv_clock_system() };
    struct rv_enforcement_options options;

    memset(&told, 0, sizeof(told));
    memset(&judge, 0, sizeof(judge));
    scratch_make(&judge.scratch);
    rv_assert_ok(rv_config_init(rv_agent_config_keys, &judge.config));
    judge.config.mode = 2; /* enforce */
    make_bundle();
    rv_assert_ok(rv_pipeline_new(&judge.pipeline, &(struct rv_pipeline_options){
                                                      .program = judge.bundle->program,
                                                      .entities = judge.bundle->entities,
                                                      .policy_digest = judge.bundle->digest,
                                                      .risk_min = 1000,
                                                      .mode = "enforce",
                                                  }));
    judge.signer = test_signer();
    log.signers = &judge.signer;
    rv_assert_ok(rv_audit_open(&judge.audit, judge.scratch.fd, &log));
    options = (struct rv_enforcement_options){
        .config = &judge.config,
        .bundle = judge.bundle,
        .pipeline = judge.pipeline,
        .audit = judge.audit,
        .clock = rv_clock_system(),
        .state_fd = judge.scratch.fd,
        .tell = tell,
        .show = show,
    };
    rv_assert_ok(rv_enforcement_new(&judge.enforcement, &options));
    rv_enforcement_start(judge.enforcement);
    return 0;
}

static int tear_down(void **state)
{
    rv_enforcement_free(&judge.enforcement);
    rv_audit_free(&judge.audit);
    rv_signer_free(&judge.signer);
    rv_pipeline_free(&judge.pipeline);
    rv_bundle_free(&judge.bundle);
    rv_config_done(rv_agent_config_keys, &judge.config);
    scratch_done(&judge.scratch);
    return 0;
}

/** A refusal by the rule of policy "held". */
static struct rv_refusal_record a_refusal(enum rv_refusal verdict)
{
    struct rv_refusal_record record = {
        .time_boot_ns = 7000,
        .start_boot_ns = 5000,
        .tgid = 100,
        .uid = UID_OF_ACTOR,
        .policy = 1,
        .action = RV_DO_CONNECT,
        .verdict = verdict,
        .mechanism = RV_BY_CGROUP,
        .program_inode = 11,
        .port = 4451,
        .comm = "sample",
    };

    memcpy(&record.digest, judge.bundle->digest.bytes, sizeof(record.digest));
    return record;
}

static void hear(enum rv_channel_type type, const void *packet, size_t len)
{
    rv_assert_ok(rv_enforcement_packet(judge.enforcement, type, rv_span(packet, len)));
}

static void a_set_is_handed_over_whole_and_then_health(void **state)
{
    assert_int_equal(told.types[0], RV_CHANNEL_RULES);
    assert_int_equal(told.last[RV_CHANNEL_RULES].rules.count, times_told(RV_CHANNEL_RULE));
    assert_int_equal(told.types[told.count - 1], RV_CHANNEL_HEALTH);
    assert_true(times_told(RV_CHANNEL_RULE) >= 2);
}

static void budgets_of_the_configuration_are_handed_over_with_the_set(void **state)
{
    const struct rv_rule_settings *settings = &told.last[RV_CHANNEL_RULES].rules.settings;

    assert_int_equal(settings->budget, judge.config.deny_budget);
    assert_int_equal(settings->latency_budget_ns, judge.config.latency_budget_us * 1000);
    assert_true(settings->budget > 0);
    assert_true(settings->latency_budget_ns > 0);
}

static void a_log_that_takes_nothing_is_no_good_health(void **state)
{
    size_t before = times_told(RV_CHANNEL_HEALTH);

    rv_enforcement_tick(judge.enforcement, false);
    assert_int_equal(times_told(RV_CHANNEL_HEALTH), before);
    rv_enforcement_tick(judge.enforcement, true);
    assert_int_equal(times_told(RV_CHANNEL_HEALTH), before + 1);
}

static void an_approval_is_granted_once_it_is_durable_and_not_by_its_own_user(void **state)
{
    struct rv_refusal_record record = a_refusal(RV_REFUSAL_DENIED);
    RV_AUTO(rv_json_freep) json_t *ask = json_pack("{sI sb}", "id", (json_int_t)1, "approve", 1);
    RV_AUTO(rv_json_freep) json_t *own = NULL;
    RV_AUTO(rv_json_freep) json_t *other = NULL;
    RV_AUTO(rv_json_freep) json_t *list = NULL;

    hear(RV_CHANNEL_REFUSAL, &record, sizeof(record));
    own = rv_enforcement_hold_decide(judge.enforcement, ask, UID_OF_ACTOR);
    assert_non_null(json_object_get(own, "error"));
    other = rv_enforcement_hold_decide(judge.enforcement, ask, APPROVER);
    assert_null(json_object_get(other, "error"));
    assert_int_equal(times_told(RV_CHANNEL_GRANT), 0); /* not yet in the log */
    rv_assert_ok(rv_audit_flush(judge.audit));
    assert_int_equal(times_told(RV_CHANNEL_GRANT), 1);
    assert_int_equal(told.last[RV_CHANNEL_GRANT].grant.program_inode, 11);
    assert_int_equal(told.last[RV_CHANNEL_GRANT].grant.uid, UID_OF_ACTOR);
    record.verdict = RV_REFUSAL_GRANTED;
    hear(RV_CHANNEL_REFUSAL, &record, sizeof(record));
    list = rv_enforcement_hold_list(judge.enforcement, ask, 0);
    assert_string_equal(json_string_value(json_object_get(
                            json_array_get(json_object_get(list, "holds"), 0), "state")),
                        "used");
}

static bool has_state(const char *expected)
{
    RV_AUTO(rv_json_freep)
    json_t *list = rv_enforcement_hold_list(judge.enforcement, NULL, 0);
    const json_t *hold = json_array_get(json_object_get(list, "holds"), 0);

    return rv_streq(json_string_value(json_object_get(hold, "state")), expected);
}

static void what_nobody_decides_in_time_expires(void **state)
{
    struct rv_refusal_record record = a_refusal(RV_REFUSAL_DENIED);
    RV_AUTO(rv_json_freep) json_t *ask = json_pack("{sI sb}", "id", (json_int_t)1, "approve", 1);
    RV_AUTO(rv_json_freep) json_t *late = NULL;

    judge.config.hold_s = 0;
    hear(RV_CHANNEL_REFUSAL, &record, sizeof(record));
    assert_true(has_state("pending"));
    rv_enforcement_tick(judge.enforcement, true);
    assert_true(has_state("expired"));
    late = rv_enforcement_hold_decide(judge.enforcement, ask, APPROVER);
    assert_non_null(json_object_get(late, "error"));
    rv_assert_ok(rv_audit_flush(judge.audit));
    assert_int_equal(times_told(RV_CHANNEL_GRANT), 0);
}

static void what_nobody_uses_in_time_expires(void **state)
{
    struct rv_refusal_record record = a_refusal(RV_REFUSAL_DENIED);
    RV_AUTO(rv_json_freep) json_t *ask = json_pack("{sI sb}", "id", (json_int_t)1, "approve", 1);
    RV_AUTO(rv_json_freep) json_t *answer = NULL;
    struct rv_clock clock = rv_clock_system();

    judge.config.approve_s = 0;
    hear(RV_CHANNEL_REFUSAL, &record, sizeof(record));
    answer = rv_enforcement_hold_decide(judge.enforcement, ask, APPROVER);
    assert_null(json_object_get(answer, "error"));
    rv_assert_ok(rv_audit_flush(judge.audit));
    assert_true(told.last[RV_CHANNEL_GRANT].grant.expires_boot_ns <= clock.boot_ns(NULL));
    rv_enforcement_tick(judge.enforcement, true);
    assert_true(has_state("expired"));
}

static void put_wire(struct rv_outcome *ret_outcome, struct rv_event_builder *builder)
{
    struct rv_event_file_open *open;

    rv_pipeline_put(judge.pipeline, make_event(builder, RV_EVENT_PROCESS_EXEC, 6000), ret_outcome);
    open = (void *)rv_event_begin(builder, RV_EVENT_FILE_OPEN);
    open->header.tgid = 100;
    open->header.start_boot_ns = 5000;
    open->header.time_boot_ns = 7000;
    open->access = RV_ACCESS_WRITE | RV_ACCESS_CREATE;
    rv_event_put_str(builder, &open->path, rv_span_str("/srv/wire"), 64);
    rv_pipeline_put(judge.pipeline, rv_event_end(builder), ret_outcome);
    rv_enforcement_outcome(judge.enforcement, ret_outcome);
}

static void nothing_is_done_before_the_decision_is_durable_nor_twice(void **state)
{
    RV_AUTO(rv_freep) struct rv_event_builder *builder = malloc(sizeof(*builder));
    struct rv_outcome outcome;

    put_wire(&outcome, builder);
    put_wire(&outcome, builder); /* the same process, at once */
    assert_int_equal(times_told(RV_CHANNEL_ACT), 0);
    rv_assert_ok(rv_audit_flush(judge.audit));
    assert_int_equal(times_told(RV_CHANNEL_ACT), 1);
    assert_int_equal(told.last[RV_CHANNEL_ACT].act.process.tgid, 100);
    assert_int_equal(told.last[RV_CHANNEL_ACT].act.snapshot, 1);
}

static void a_promotion_needs_a_simulation_that_hurt_nobody(void **state)
{
    static const struct {
        const char *name, *simulated;
        bool force, refused;
    } cases[] = {
        { "none", NULL, false, true },
        { "one that hurt", "{\"false_stops\": 3}", false, true },
        { "one that hurt nobody", "{\"false_stops\": 0}", false, false },
        { "forced", NULL, true, false },
    };

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        json_t *simulated = cases[i].simulated ? json_loads(cases[i].simulated, 0, NULL) : NULL;
        RV_AUTO(rv_json_freep)
        json_t *ask = json_pack("{ss ss sb so*}", "policy", "held", "stage", "enforce", "force",
                                (int)cases[i].force, "simulated", simulated);
        RV_AUTO(rv_json_freep) json_t *answer = rv_enforcement_mode_set(judge.enforcement, ask, 0);

        if ((json_object_get(answer, "error") != NULL) != cases[i].refused)
            fail_msg("%s", cases[i].name);
    }
}

static void a_policy_back_in_observe_leaves_no_rule(void **state)
{
    RV_AUTO(rv_json_freep)
    json_t *ask = json_pack("{ss ss}", "policy", "*", "stage", "observe");
    RV_AUTO(rv_json_freep) json_t *answer = rv_enforcement_mode_set(judge.enforcement, ask, 0);
    RV_AUTO(rv_freep) struct rv_event_builder *builder = malloc(sizeof(*builder));
    struct rv_outcome outcome;

    assert_null(json_object_get(answer, "error"));
    assert_int_equal(told.last[RV_CHANNEL_RULES].rules.count, 0);
    put_wire(&outcome, builder);
    rv_assert_ok(rv_audit_flush(judge.audit));
    assert_int_equal(times_told(RV_CHANNEL_ACT), 0);
}

static void a_packet_of_another_shape_is_refused(void **state)
{
    struct rv_refusal_record record = a_refusal(RV_REFUSAL_DENIED);

    assert_int_equal(rv_enforcement_packet(judge.enforcement, RV_CHANNEL_REFUSAL,
                                           rv_span(&record, sizeof(record) - 1)),
                     -EBADMSG);
    assert_int_equal(rv_enforcement_packet(judge.enforcement, RV_CHANNEL_RULES, rv_span(NULL, 0)),
                     -EBADMSG);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_set_is_handed_over_whole_and_then_health),
        TEST(budgets_of_the_configuration_are_handed_over_with_the_set),
        TEST(a_log_that_takes_nothing_is_no_good_health),
        TEST(an_approval_is_granted_once_it_is_durable_and_not_by_its_own_user),
        TEST(what_nobody_decides_in_time_expires),
        TEST(what_nobody_uses_in_time_expires),
        TEST(nothing_is_done_before_the_decision_is_durable_nor_twice),
        TEST(a_promotion_needs_a_simulation_that_hurt_nobody),
        TEST(a_policy_back_in_observe_leaves_no_rule),
        TEST(a_packet_of_another_shape_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
