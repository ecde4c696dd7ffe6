/* SPDX-License-Identifier: Apache-2.0 */
/* `reeve audit show N --recompute` on receipts that the pipeline made. usage: audit_recompute REEVE
 */
#include "test.h"

#include "agent/folder.h"
#include "agent/pipeline.h"
#include "base/json.h"
#include "events.h"
#include "features/table.h"
#include "scratch.h"

#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

static char *reeve;
static json_t *receipt; /* of a forbidden act */

static const struct rv_event *preload_write(struct rv_event_builder *builder)
{
    struct rv_event_file_open *open = (void *)rv_event_begin(builder, RV_EVENT_FILE_OPEN);

    open->header.tgid = 100;
    open->header.start_boot_ns = 5000;
    open->header.time_boot_ns = 7000;
    open->access = RV_ACCESS_WRITE | RV_ACCESS_CREATE;
    rv_event_put_str(builder, &open->path, rv_span_str("/etc/ld.so.preload"), 64);
    return rv_event_end(builder);
}

static int make_receipt(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf why = { 0 };
    RV_AUTO(rv_pipeline_free) struct rv_pipeline *pipeline = NULL;
    struct rv_bundle *bundle = NULL;
    struct rv_event_builder builder;
    struct rv_outcome outcome;

    rv_assert_ok(rv_bundle_open_folder(&bundle, SOURCE_ROOT "/policies/baseline", &why));
    rv_assert_ok(rv_pipeline_new(&pipeline, &(struct rv_pipeline_options){
                                                .program = bundle->program,
                                                .entities = bundle->entities,
                                                .policy_digest = bundle->digest,
                                                .risk_min = 1000,
                                                .mode = "observe",
                                                .learning = RV_LEARN_ON,
                                            }));
    rv_pipeline_put(pipeline, make_event(&builder, RV_EVENT_PROCESS_EXEC, 6000), &outcome);
    rv_pipeline_put(pipeline, preload_write(&builder), &outcome);
    assert_true(outcome.matters);
    receipt = rv_outcome_receipt(pipeline, &outcome);
    assert_non_null(receipt);
    rv_pipeline_free(&pipeline);
    rv_bundle_free(&bundle);
    return 0;
}

static int drop_receipt(void **state)
{
    json_decref(receipt);
    return 0;
}

/** A log with one decision. */
static void write_log(const struct scratch *scratch, const json_t *members)
{
    struct rv_signer *signer = test_signer();
    const struct rv_audit_options options = { .signers = &signer,
                                              .signer_count = 1,
                                              .clock = rv_clock_system() };
    struct rv_audit *audit = NULL;

    rv_assert_ok(rv_audit_open(&audit, scratch->fd, &options));
    rv_assert_ok(rv_audit_append_json_wait(audit, "decision", members, NULL));
    rv_assert_ok(rv_audit_publish(audit));
    rv_audit_free(&audit);
    rv_signer_free(&signer);
}

/** The command's exit status for a log that holds `members` alone. */
static int recomputed(const json_t *members)
{
    struct scratch scratch;
    const char *argv[] = {
        reeve, "audit", "show", "0", scratch.path, "--json", "--recompute", NULL
    };
    posix_spawn_file_actions_t actions;
    int status = 0;
    pid_t pid;

    scratch_make(&scratch);
    write_log(&scratch, members);
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0), 0);
    assert_int_equal(posix_spawn(&pid, reeve, &actions, NULL, (char **)argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    scratch_done(&scratch);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/** The status when `inside` of a copy (NULL: the receipt itself) has another `member`. */
static int recomputed_with(const char *inside, const char *member, json_t *value)
{
    RV_AUTO(rv_json_freep) json_t *copy = json_deep_copy(receipt);
    json_t *object = inside ? json_object_get(copy, inside) : copy;

    assert_int_equal(json_object_set_new(object, member, value), 0);
    return recomputed(copy);
}

static void what_the_pipeline_said_is_computed_again(void **state)
{
    assert_int_equal(recomputed(receipt), 0);
}

static void one_changed_number_of_the_vector_is_seen(void **state)
{
    RV_AUTO(rv_json_freep) json_t *copy = json_deep_copy(receipt);
    json_t *verdict = json_object_get(copy, "verdict");
    int feature = rv_feature_by_name(rv_span_str("persist_writes"));

    assert_true(feature >= 0);
    assert_non_null(json_object_get(json_object_get(verdict, "attribution_q16"), "persist_writes"));
    assert_int_equal(
        json_array_set_new(json_object_get(verdict, "vector"), (size_t)feature, json_integer(0)),
        0);
    assert_int_equal(recomputed(copy), 1);
}

static void changed_results_are_seen(void **state)
{
    const json_t *verdict = json_object_get(receipt, "verdict");
    json_int_t risk = json_integer_value(json_object_get(verdict, "risk"));

    assert_int_equal(recomputed_with("verdict", "risk", json_integer(risk + 1)), 1);
    assert_int_equal(recomputed_with(NULL, "risk", json_integer(risk + 1)), 1);
    assert_int_equal(recomputed_with("verdict", "base_q16", json_integer(1)), 1);
    assert_int_equal(recomputed_with("verdict", "attribution_q16", json_object()), 1);
    assert_int_equal(recomputed_with("verdict", "raw_q16", json_string("18446744073709551615")), 1);
}

static void what_cannot_be_told_is_said_so(void **state)
{
    static const char other[] = "0000000000000000000000000000000000000000000000000000000000000000";

    assert_int_equal(recomputed_with("verdict", "model", json_string(other)), 2);
    assert_int_equal(recomputed_with(NULL, "feature_table", json_string(other)), 2);
    assert_int_equal(recomputed_with("verdict", "vector", json_array()), 2);
    assert_int_equal(recomputed_with("verdict", "raw_q16", json_string("12x")), 2);
    assert_int_equal(recomputed_with(NULL, "verdict", json_null()), 2);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_pipeline_said_is_computed_again),
        cmocka_unit_test(one_changed_number_of_the_vector_is_seen),
        cmocka_unit_test(changed_results_are_seen),
        cmocka_unit_test(what_cannot_be_told_is_said_so),
    };

    if (argc != 2) {
        fprintf(stderr, "usage: %s REEVE\n", argv[0]);
        return 2;
    }
    reeve = argv[1];
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_receipt, drop_receipt);
}
