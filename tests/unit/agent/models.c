/* SPDX-License-Identifier: Apache-2.0 */
/* The model that speaks and its shadow: who may, who disagrees, who steps down, what is kept. */
#include "packages.h"

#include "agent/models.h"
#include "base/clock.h"

#define ALARM 300U

static struct rv_models *new_models(const struct rv_package *live, const struct rv_package *shadow)
{
    struct rv_models_options options = {
        .live = live,
        .shadow = shadow,
        .risk_min = ALARM,
        .drift_window_ns = 3000 * RV_NS_PER_S,
    };
    struct rv_models *models = NULL;

    rv_assert_ok(rv_models_new(&models, &options, NULL));
    return models;
}

/** One verdict of a process that changed `files` files in `dirs` folders. @return its risk. */
static uint32_t see(struct rv_models *models, uint64_t time_ns, int32_t files, int32_t dirs)
{
    struct rv_vector vector = { 0 };
    struct rv_verdict verdict;
    struct rv_p_value p;
    struct rv_models_session session;
    struct rv_models_seen seen = {
        .vector = &vector,
        .verdict = &verdict,
        .class = RV_KIND_SHELL,
        .weight = 1,
        .time_ns = time_ns,
        .random = rv_mix64(time_ns),
        .learn = true,
    };

    vector.value[RV_FEATURE_FILES] = files;
    vector.value[RV_FEATURE_DIRS] = dirs;
    rv_models_score(models, &(struct rv_models_asked){ .vector = &vector, .class = seen.class },
                    &verdict, &p, &session);
    seen.alarmed = verdict.risk >= ALARM;
    seen.fate = seen.alarmed ? RV_FATE_HOLD : RV_FATE_NORMAL;
    rv_models_take(models, &seen);
    return verdict.risk;
}

static json_int_t agreement(const struct rv_models *models, const char *name)
{
    RV_AUTO(rv_json_freep) json_t *object = rv_models_json(models, RV_MODELS_FULL);

    return json_integer_value(json_object_get(json_object_get(object, "agreement"), name));
}

static void packages_that_cannot_speak_are_refused(void **state)
{
    static const struct {
        const char *name;
        enum package_flaw flaw;
        const char *why;
    } cases[] = {
        { "table", PACKAGE_OTHER_TABLE, "another feature table" },
        { "calibration", PACKAGE_NO_CALIBRATION, "no calibration" },
        { "classes", PACKAGE_OTHER_CLASSES, "other kinds of programs" },
    };

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        struct rv_package *package = make_package(RV_FEATURE_FILES, 100, cases[i].flaw);
        struct rv_models_options options = { .live = package, .risk_min = ALARM };
        struct rv_models *models = NULL;
        const char *why = "";

        if (rv_models_check(package, &why) != -EINVAL || !strstr(why, cases[i].why))
            fail_msg("%s: %s", cases[i].name, why);
        assert_int_equal(rv_models_new(&models, &options, &why), -EINVAL);
        assert_null(models);
        rv_package_free(&package);
    }
}

static void the_shadow_is_counted_and_decides_nothing(void **state)
{
    struct rv_package *live = make_package(RV_FEATURE_FILES, 100, PACKAGE_SOUND);
    struct rv_package *shadow = make_package(RV_FEATURE_DIRS, 10, PACKAGE_SOUND);
    struct rv_models *models = new_models(live, shadow);

    assert_true(see(models, 1, 5, 1) < ALARM);
    assert_true(see(models, 2, 200, 1) >= ALARM);
    assert_true(see(models, 3, 5, 20) < ALARM);
    assert_true(see(models, 4, 200, 20) >= ALARM);
    assert_int_equal(agreement(models, "neither"), 1);
    assert_int_equal(agreement(models, "live_only"), 1);
    assert_int_equal(agreement(models, "shadow_only"), 1);
    assert_int_equal(agreement(models, "both"), 1);
    assert_int_equal(rv_models_risk_to_decide_on(models, 400), 400);
    rv_models_free(&models);
    rv_package_free(&live);
    rv_package_free(&shadow);
}

static void the_built_in_model_stands_behind_a_trained_one(void **state)
{
    struct rv_package *live = make_package(RV_FEATURE_FILES, 100, PACKAGE_SOUND);
    struct rv_models *models = new_models(live, NULL), *alone = new_models(NULL, NULL);
    RV_AUTO(rv_json_freep) json_t *object = rv_models_json(models, RV_MODELS_BRIEF);
    RV_AUTO(rv_json_freep) json_t *other = rv_models_json(alone, RV_MODELS_BRIEF);

    assert_string_equal(
        json_string_value(json_object_get(json_object_get(object, "shadow"), "name")), "built-in");
    assert_null(json_object_get(other, "shadow"));
    rv_models_free(&models);
    rv_models_free(&alone);
    rv_package_free(&live);
}

static void drift_steps_down_once_and_a_swap_steps_up(void **state)
{
    struct rv_package *live = make_package(RV_FEATURE_FILES, 100, PACKAGE_SOUND);
    struct rv_models *models = new_models(live, NULL);
    json_t *change;
    unsigned changes = 0;
    uint64_t now = RV_NS_PER_S;

    for (unsigned i = 0; i < 3500; i++)
        see(models, now += RV_NS_PER_S, 5 + (int32_t)(i % 3), 1);
    assert_null(rv_models_take_change(models));
    for (unsigned i = 0; i < 6500; i++) { /* now every feature that there is moves */
        struct rv_vector vector;
        struct rv_verdict verdict;
        struct rv_p_value p;
        struct rv_models_session session;
        struct rv_models_seen seen = { .vector = &vector, .verdict = &verdict };

        for (size_t f = 0; f < RV_FEATURE_COUNT; f++)
            vector.value[f] = 50 + (int32_t)(i % 4);
        rv_models_score(models, &(struct rv_models_asked){ .vector = &vector }, &verdict, &p,
                        &session);
        seen.time_ns = now += RV_NS_PER_S;
        seen.fate = RV_FATE_NORMAL;
        rv_models_take(models, &seen);
        change = rv_models_take_change(models);
        changes += change != NULL;
        if (change)
            assert_string_equal(json_string_value(json_object_get(change, "change")), "step-down");
        json_decref(change);
    }
    assert_int_equal(changes, 1);
    assert_int_equal(rv_models_risk_to_decide_on(models, 700), ALARM - 1);
    rv_assert_ok(rv_models_swap(models, NULL, NULL));
    assert_int_equal(rv_models_risk_to_decide_on(models, 700), 700);
    rv_assert_ok(rv_models_swap(models, live, NULL)); /* what was learnt of it came back with it */
    assert_int_equal(rv_models_risk_to_decide_on(models, 700), ALARM - 1);
    rv_models_free(&models);
    rv_package_free(&live);
}

/* The promise is about this host: that others worked otherwise must not break it. */
static void another_host_does_not_break_the_promise(void **state)
{
    struct rv_package *live = make_package(RV_FEATURE_FILES, 100, PACKAGE_FROM_ELSEWHERE);
    struct rv_models *models = new_models(live, NULL);

    for (uint64_t i = 0; i < 60000; i++)
        see(models, i * RV_NS_PER_S / 1000, 5, 1);
    assert_int_equal(rv_models_light(models), RV_LIGHT_GREEN);
    rv_models_free(&models);
    rv_package_free(&live);
}

static void what_was_learnt_follows_its_model(void **state)
{
    struct rv_package *a = make_package(RV_FEATURE_FILES, 100, PACKAGE_SOUND);
    struct rv_package *b = make_package(RV_FEATURE_DIRS, 10, PACKAGE_SOUND);
    struct rv_models *models = new_models(a, b), *turned = new_models(b, a);
    RV_AUTO(rv_buf_done) struct rv_buf saved = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf again = { 0 };
    uint32_t risk = see(models, 1, 5, 20), later;
    const char *why = NULL;

    for (unsigned i = 0; i < 3000; i++) /* the shadow's alarm is nothing new on this host */
        rv_models_label(models, &(struct rv_models_label){
                                    .vector = &(struct rv_vector){ .value[RV_FEATURE_DIRS] = 20 },
                                    .class = RV_KIND_SHELL,
                                    .judgement = RV_JUDGED_NORMAL,
                                    .time_ns = 2,
                                });
    rv_models_save(models, &saved);
    rv_assert_ok(rv_models_load(turned, rv_buf_span(&saved), &why));
    later = see(turned, 3, 5, 20);
    assert_true(later < ALARM);
    assert_true(risk < ALARM);
    rv_models_save(models, &again);
    assert_true(rv_span_eq(rv_buf_span(&saved), rv_buf_span(&again)));
    for (size_t cut = 0; cut < saved.len; cut += 1 + saved.len / 50)
        assert_int_equal(rv_models_load(turned, rv_span(saved.data, cut), &why), -EBADMSG);
    rv_models_free(&models);
    rv_models_free(&turned);
    rv_package_free(&a);
    rv_package_free(&b);
}

static void judgements_release_what_was_held(void **state)
{
    struct rv_package *live = make_package(RV_FEATURE_FILES, 100, PACKAGE_SOUND);
    struct rv_models *models = new_models(live, NULL);
    struct rv_vector vector = { .value[RV_FEATURE_FILES] = 200 };
    struct rv_models_label label = { .vector = &vector,
                                     .class = RV_KIND_SHELL,
                                     .model = rv_models_live(models)->digest,
                                     .time_ns = 20 };
    uint32_t before = see(models, 1, 200, 1), after;
    RV_AUTO(rv_json_freep) json_t *stands = NULL;

    label.judgement = RV_JUDGED_BAD; /* dropped: nothing is learnt of it */
    rv_models_label(models, &label);
    after = see(models, 2, 200, 1);
    assert_int_equal(after, before);
    label.judgement = RV_JUDGED_NORMAL; /* released: normal from now on */
    rv_models_label(models, &label);
    assert_true(see(models, 3, 200, 1) < after);
    stands = rv_models_json(models, RV_MODELS_BRIEF);
    assert_int_equal(
        json_integer_value(json_object_get(
            json_object_get(json_object_get(stands, "live"), "promise"), "false_alarms")),
        1);
    rv_models_free(&models);
    rv_package_free(&live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packages_that_cannot_speak_are_refused),
        cmocka_unit_test(the_shadow_is_counted_and_decides_nothing),
        cmocka_unit_test(the_built_in_model_stands_behind_a_trained_one),
        cmocka_unit_test(drift_steps_down_once_and_a_swap_steps_up),
        cmocka_unit_test(another_host_does_not_break_the_promise),
        cmocka_unit_test(what_was_learnt_follows_its_model),
        cmocka_unit_test(judgements_release_what_was_held),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
