/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard's LSM provider with a model in the kernel, as the agent opens it: a Cedar policy that
 * asks for nothing but risk is compiled as the judge does, and refuses because of the forest alone.
 * Nobody says anything of a risk here.
 */
#include "stage.h"

#include "agent/rules.h"
#include "base/fd.h"
#include "enforce/score_package.h"
#include "features/table.h"
#include "kernel_model.h"
#include "policy/read.h"
#include "provider_private.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODEL   DIR "/kernel.rv"
#define RENAMES 201 /* from which on the model alarms */

static const char policy[] =
    "permit (principal, action, resource);\n"
    "@id(\"risky\") forbid (principal, action == Action::\"file.rename\", resource)\n"
    "when { context.risk >= 600 };\n";

static struct rv_agent_config config;
static struct rv_kernel_models models;
static struct rv_policy_set set;
static struct rv_rules *rules;
static void *handle;

static void add(struct rv_package_writer *writer, const char *name, struct rv_buf *bytes)
{
    rv_assert_ok(rv_package_add(writer, name, rv_buf_span(bytes)));
    rv_buf_done(bytes);
}

/* As reeve model train writes it, but small enough to know what it does. */
static void write_model(void)
{
    const struct rv_manifest_head head = { .kind = "forest",
                                           .name = "renames",
                                           .version = "1",
                                           .intended_use = "",
                                           .limits = "",
                                           .width = RV_FEATURE_COUNT,
                                           .feature_table = rv_feature_table_digest() };
    RV_AUTO(rv_package_writer_done) struct rv_package_writer writer = { 0 };
    RV_AUTO(candidate_done) struct candidate renames, never;
    RV_AUTO(rv_json_freep) json_t *manifest = rv_manifest_new(&head);
    RV_AUTO(rv_buf_done) struct rv_buf file = { 0 };
    struct rv_buf bytes = { 0 };

    make_threshold(&renames, 1, RENAMES);
    make_constant(&never, 1, -65536, 0);
    rv_forest_encode(never.heads[RV_KERNEL_WINDOW], &bytes);
    add(&writer, "forest", &bytes);
    rv_forest_encode(renames.heads[RV_KERNEL_MONOTONE], &bytes);
    add(&writer, "forest.monotone", &bytes);
    rv_score_thresholds_encode(&renames.thresholds, &bytes);
    add(&writer, RV_SCORE_SECTION, &bytes);
    rv_assert_ok(rv_package_add(&writer, "golden", rv_buf_span(&never.golden)));
    rv_assert_ok(rv_package_add_manifest(&writer, manifest));
    rv_assert_ok(rv_package_finish(&writer, rv_span(NULL, 0), &file));
    rv_assert_ok(rv_write_file_atomic(AT_FDCWD, MODEL, file.data, file.len, 0600));
}

static struct rv_channel_scores scores_now(void)
{
    struct rv_channel_scores scores = { 0 };

    rv_provider_lsm.scores(handle, &scores);
    return scores;
}

static void a_policy_on_risk_refuses_because_of_the_forest_alone(void **state)
{
    struct actor bad = start(rename_files), good = start(rename_files);
    uint64_t scored = scores_now().scored;

    assert_int_equal(rules->count, 1);
    assert_int_equal(tell(&good, 100), 100);
    assert_int_equal(tell(&bad, 250), RENAMES - 1); /* the rename that makes it risky is refused */
    assert_int_equal(tell(&bad, 1), 0);
    assert_int_equal(tell(&good, 50), 50);
    assert_true(scores_now().scored > scored + 100);

    /* The emergency stop lets it pass; what is seen is scored all the same. */
    rv_assert_ok(rv_provider_lsm.observe(handle, true));
    scored = scores_now().scored;
    assert_int_equal(tell(&bad, 40), 40);
    assert_true(scores_now().scored >= scored + 40);
    rv_assert_ok(rv_provider_lsm.observe(handle, false));
    assert_int_equal(tell(&bad, 1), 0);
    stop(&bad);
    stop(&good);
}

static void status_names_the_model_and_its_shadow(void **state)
{
    struct rv_channel_scores scores = scores_now();

    assert_int_equal(scores.model, rv_score_package_candidate(models.live)->model.digest);
    assert_int_equal(scores.shadow, rv_score_package_candidate(models.shadow)->model.digest);
    assert_true(scores.shadowed > 0);
    assert_int_equal(scores.only_live, 0); /* it is the same model */
    assert_int_equal(scores.only_shadow, 0);
    assert_int_equal(scores.missed, 0);
}

/* A quarantine: what the model said of a process is forgotten with it. */
static void an_emptied_slot_refuses_nothing_until_it_is_filled(void **state)
{
    const struct rv_kernel_models none = { 0 };
    struct actor bad = start(rename_files);

    assert_int_equal(tell(&bad, 250), RENAMES - 1);
    assert_int_equal(tell(&bad, 1), 0);
    rv_assert_ok(rv_provider_lsm.model(handle, &none));
    assert_int_equal(scores_now().model, 0);
    assert_int_equal(scores_now().shadow, 0);
    assert_int_equal(tell(&bad, 100), 100);
    rv_assert_ok(rv_provider_lsm.model(handle, &models));
    assert_int_equal(scores_now().model, rv_score_package_candidate(models.live)->model.digest);
    assert_int_equal(scores_now().shadow, rv_score_package_candidate(models.shadow)->model.digest);
    assert_true(tell(&bad, 200) < 200); /* it was counted all the time */
    assert_int_equal(tell(&bad, 1), 0);
    stop(&bad);
}

/* @return whether no map of the scores can be had by its number, while those of others can. */
static int look_for_maps(int order)
{
    uint32_t id = 0;
    int ours = 0, kept = 0, own = bpf_map_create(BPF_MAP_TYPE_ARRAY, "others", 4, 4, 1, NULL);
    bool others = false;

    while (bpf_map_get_next_id(id, &id) == 0) {
        struct bpf_map_info info = { 0 };
        uint32_t len = sizeof(info);
        int fd = bpf_map_get_fd_by_id(id);

        kept += fd < 0 && errno == EPERM;
        if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
            continue;
        ours += rv_streq(info.name, "states") || rv_streq(info.name, "slots_rename") ||
                rv_streq(info.name, "models");
        others |= rv_streq(info.name, "others");
        close(fd);
    }
    close(own);
    (void)order;
    return ours == 0 && others ? kept : -1;
}

static void the_scores_are_kept_from_others(void **state)
{
    struct actor actor = start(look_for_maps);
    int kept = tell(&actor, 0);

    printf("# %d maps are Reeve's own\n", kept);
    assert_true(kept > 2 * SCORE_HOOKS_MAX);
    stop(&actor);
}

static int open_provider(void)
{
    const struct rv_provider_options options = { .config = &config, .kernel = &models };
    const struct rv_rules_options how = { .offered = 1U << RV_BY_LSM };
    const struct rv_rule_settings settings = { 0 };
    uint64_t carried = 0;
    size_t at = 0;
    int r = rv_policy_read(&set, "test", rv_span_str(policy), NULL);

    if (r == 0)
        r = rv_rules_compile(&rules, &set, NULL, &how);
    if (r == 0)
        r = rv_provider_lsm.open(&handle, &options);
    if (r == 0)
        r = rv_provider_lsm.swap(handle, rules->rules, rules->count, &settings, &carried, &at);
    if (r == 0)
        r = rv_provider_lsm.observe(handle, false);
    return r == 0 ? rv_provider_lsm.renew(handle, 300000) : r;
}

static int set_up(void **state)
{
    static const char *const sets[] = { "kernel.model=" MODEL, "kernel.shadow=" MODEL };
    int r;

    assert_int_equal(mkdir(DIR, 0755), 0);
    write_model();
    rv_assert_ok(rv_agent_config_load(&config, "/dev/null", sets, RV_COUNT(sets)));
    rv_assert_ok(rv_kernel_models_open(&models, &config));
    r = open_provider();
    if (r < 0)
        printf("# cannot open: %s\n", strerror(-r));
    return r;
}

static int tear_down(void **state)
{
    if (handle)
        rv_provider_lsm.close(handle);
    rv_rules_free(&rules);
    rv_policy_set_done(&set);
    rv_kernel_models_done(&models);
    rv_agent_config_done(&config);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_policy_on_risk_refuses_because_of_the_forest_alone),
        cmocka_unit_test(status_names_the_model_and_its_shadow),
        cmocka_unit_test(an_emptied_slot_refuses_nothing_until_it_is_filled),
        cmocka_unit_test(the_scores_are_kept_from_others),
    };

    if (!getenv("REEVE_VM")) {
        printf("1..0 # SKIP only inside tests/vm/run-vm\n# skip: only inside tests/vm/run-vm\n");
        return 77;
    }
    setvbuf(stdout, NULL, _IONBF, 0);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
