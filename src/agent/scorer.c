/* SPDX-License-Identifier: Apache-2.0 */
#include "scorer.h"

#include "base/json.h"
#include "features/table.h"
#include "models/baseline.h"
#include "models/forest_model.h"

#include <inttypes.h>
#include <stdio.h>

/* One verdict in so many is bet on: those of one process are alike, which is no news. */
#define BET_ON_ONE_IN 64

#define FEATURES_TOLD 5
#define MILLION       1000000U

/* ---- Opening ---- */

static int refuse(const char **reterr, const char *why)
{
    if (reterr)
        *reterr = why;
    return -EINVAL;
}

/** Sessions are a second detector under the same promise. */
static int open_language(struct rv_scorer *scorer, const struct rv_package *package,
                         struct rv_promise_options *options, const char **reterr)
{
    struct rv_span section = rv_package_section(package, "language");
    RV_AUTO(rv_buf_done) struct rv_buf tables = { 0 };
    int r;

    if (!section.data)
        return 0;
    r = rv_language_load(&scorer->language, section);
    if (r == -EBADMSG)
        return refuse(reterr, "the language model is damaged or of another alphabet");
    if (r == 0)
        r = rv_sessions_new(&scorer->sessions, scorer->language);
    if (r < 0)
        return r;
    rv_calibration_save(rv_language_calibration(scorer->language), &tables);
    if (tables.failed)
        return -ENOMEM;
    options->detectors = 2;
    options->share[0] = MILLION - rv_language_share_ppm(scorer->language);
    options->share[1] = rv_language_share_ppm(scorer->language);
    return rv_calibration_load(&scorer->spoken, rv_buf_span(&tables), reterr);
}

static int open_package(struct rv_scorer *scorer, const struct rv_package *package,
                        const char **reterr)
{
    const json_t *manifest = rv_package_manifest(package);
    const char *name = json_string_value(json_object_get(manifest, "name"));
    const json_t *promise = json_object_get(manifest, "promise");
    json_int_t alarms_ppm = json_integer_value(json_object_get(promise, "alarms_per_host_day_ppm"));
    struct rv_promise_options options = { 0 };
    int r = rv_forest_model_open(package, &scorer->model, reterr);

    if (r < 0)
        return r;
    if (!rv_package_section(package, "calibration").data)
        return refuse(reterr, "the package has no calibration: its scores have no meaning yet");
    r = rv_calibration_load(&scorer->calibration, rv_package_section(package, "calibration"),
                            reterr);
    if (r < 0)
        return r;
    if (rv_calibration_classes(scorer->calibration) != RV_KIND_COUNT_)
        return refuse(reterr, "the package is calibrated for other kinds of programs");
    r = rv_calibration_new_like(&scorer->own, scorer->calibration);
    if (r == 0)
        r = open_language(scorer, package, &options, reterr);
    if (r < 0)
        return r;
    if (alarms_ppm > 0 && alarms_ppm / 1000 <= UINT32_MAX)
        options.alarms_per_day_milli = (uint32_t)(alarms_ppm / 1000);
    rv_promise_init(&scorer->promise, &options);
    (void)snprintf(scorer->name, sizeof(scorer->name), "%s", name ? name : "unnamed");
    return 0;
}

static int open_built_in(struct rv_scorer *scorer)
{
    int r = rv_baseline_new(&scorer->model);

    if (r == 0)
        r = rv_calibration_new_baseline(&scorer->calibration);
    rv_promise_init(&scorer->promise, &(struct rv_promise_options){ 0 });
    (void)snprintf(scorer->name, sizeof(scorer->name), "built-in");
    return r;
}

int rv_scorer_open(struct rv_scorer *ret_scorer, const struct rv_package *package,
                   uint64_t drift_window_ns, const char **reterr)
{
    RV_AUTO(rv_scorer_done) struct rv_scorer scorer = { 0 };
    int r = package ? open_package(&scorer, package, reterr) : open_built_in(&scorer);

    if (r < 0)
        return r;
    scorer.watch = malloc(sizeof(*scorer.watch));
    if (!scorer.watch)
        return -ENOMEM;
    rv_drift_watch_init(scorer.watch, drift_window_ns);
    rv_sha256_hex(&scorer.model->digest, scorer.hex);
    *ret_scorer = scorer;
    scorer = (struct rv_scorer){ 0 };
    return 0;
}

void rv_scorer_done(struct rv_scorer *scorer)
{
    rv_calibration_free(&scorer->calibration);
    rv_calibration_free(&scorer->own);
    rv_calibration_free(&scorer->spoken);
    rv_sessions_free(&scorer->sessions);
    rv_language_free(&scorer->language);
    rv_model_free(&scorer->model);
    free(scorer->watch);
    *scorer = (struct rv_scorer){ 0 };
}

/* ---- Verdicts ---- */

bool rv_scorer_stands(const struct rv_scorer *scorer)
{
    return rv_promise_kept(&scorer->promise) && scorer->watch->drift.light != RV_LIGHT_RED;
}

void rv_scorer_score(const struct rv_scorer *scorer, const struct rv_models_asked *asked,
                     struct rv_verdict *verdict, struct rv_p_value *ret_p,
                     struct rv_models_session *ret_session)
{
    *ret_session = (struct rv_models_session){ 0 };
    *ret_p = ret_session->vector_p =
        rv_calibration_p(scorer->calibration, asked->class, verdict->raw_q16);
    if (scorer->sessions && asked->process) {
        rv_sessions_score(scorer->sessions,
                          &(struct rv_session_asked){ asked->process, asked->tid,
                                                      rv_session_evidence_q16(*ret_p) },
                          &ret_session->score);
        ret_session->p = rv_calibration_p(scorer->spoken, 0, ret_session->score.raw_q16);
        ret_session->share_ppm = rv_language_share_ppm(scorer->language);
        *ret_p = rv_language_combine(*ret_p, ret_session->p, ret_session->share_ppm,
                                     &ret_session->speaks);
    }
    verdict->risk = rv_risk_of_p(*ret_p);
}

/** Tell the promise's monitor. Before the score is learnt: a bet must not know the answer. */
static void bet(struct rv_scorer *scorer, const struct rv_scorer_seen *mine)
{
    const struct rv_models_seen *seen = mine->seen;
    const struct rv_calibration *table = scorer->own ? scorer->own : scorer->calibration;
    uint64_t p_q32 = 0;

    if (!seen->tainted && (seen->random >> 32) % BET_ON_ONE_IN == 0 &&
        !rv_calibration_p(table, seen->class, mine->raw_q16).inherited)
        p_q32 = rv_calibration_p_q32(table, seen->class, mine->raw_q16, seen->random);
    (void)rv_promise_verdict(&scorer->promise, seen->time_ns, p_q32, mine->alarmed);
}

/** What the session scored is learnt as the vector's score is, and said: it is news no more. */
static void take_session(struct rv_scorer *scorer, const struct rv_scorer_seen *mine)
{
    const struct rv_models_seen *seen = mine->seen;
    struct rv_session_asked asked = { .process = seen->process, .tid = seen->tid };
    struct rv_session_score score;

    if (!scorer->sessions || !seen->process)
        return;
    asked.vector_q16 =
        rv_session_evidence_q16(rv_calibration_p(scorer->calibration, seen->class, mine->raw_q16));
    rv_sessions_score(scorer->sessions, &asked, &score);
    rv_sessions_spoke(scorer->sessions, &asked);
    if (seen->learn && mine->fate == RV_FATE_HOLD)
        rv_calibration_hold(scorer->spoken, 0, score.raw_q16);
    if (seen->learn && mine->fate == RV_FATE_NORMAL)
        rv_calibration_add(scorer->spoken, 0, score.raw_q16, seen->weight);
}

void rv_scorer_take(struct rv_scorer *scorer, const struct rv_scorer_seen *mine)
{
    const struct rv_models_seen *seen = mine->seen;

    bet(scorer, mine);
    take_session(scorer, mine);
    if (mine->fate == RV_FATE_NORMAL)
        (void)rv_drift_watch_row(scorer->watch, seen->vector, mine->raw_q16, seen->time_ns);
    if (!seen->learn)
        return;
    if (mine->fate == RV_FATE_HOLD)
        rv_calibration_hold(scorer->calibration, seen->class, mine->raw_q16);
    if (mine->fate != RV_FATE_NORMAL)
        return;
    rv_calibration_add(scorer->calibration, seen->class, mine->raw_q16, seen->weight);
    if (scorer->own)
        rv_calibration_add(scorer->own, seen->class, mine->raw_q16, seen->weight);
}

static void adjudicate(struct rv_calibration *calibration, uint32_t class, int64_t raw_q16,
                       const struct rv_models_label *label)
{
    if (!label->settled)
        rv_calibration_adjudicate(calibration, class, raw_q16, label->judgement);
    else if (label->judgement == RV_JUDGED_NORMAL)
        rv_calibration_add(calibration, class, raw_q16, 1);
}

void rv_scorer_label(struct rv_scorer *scorer, const struct rv_models_label *label)
{
    int64_t raw_q16 = rv_model_score_q16(scorer->model, label->vector);

    adjudicate(scorer->calibration, label->class, raw_q16, label);
    if (scorer->own && label->judgement == RV_JUDGED_NORMAL)
        rv_calibration_add(scorer->own, label->class, raw_q16, 1);
    if (scorer->spoken && label->session_q16 >= 0 &&
        memcmp(&label->model, &scorer->model->digest, sizeof(label->model)) == 0)
        adjudicate(scorer->spoken, 0, label->session_q16, label);
}

void rv_scorer_unlearn(struct rv_scorer *scorer, const struct rv_models_taught *taught,
                       int64_t raw_q16)
{
    rv_calibration_forget(scorer->calibration, taught->class, raw_q16);
    if (scorer->own)
        rv_calibration_forget(scorer->own, taught->class, raw_q16);
    if (scorer->spoken && taught->session_q16 >= 0 &&
        memcmp(&taught->session_model, &scorer->model->digest, sizeof(struct rv_sha256)) == 0)
        rv_calibration_forget(scorer->spoken, 0, taught->session_q16);
}

/* ---- How it stands ---- */

static json_int_t milli(double value)
{
    return (json_int_t)(value * 1000.0 + 0.5);
}

static json_t *features_json(const struct rv_drift_report *report)
{
    json_t *features = json_object();

    for (size_t i = 0; i < RV_FEATURE_COUNT; i++) {
        const struct rv_distance *distance = &report->distance[i];

        if (milli(distance->psi) > 0)
            json_object_set_new(features, rv_feature_info(i)->name,
                                json_pack("{sI sI sI}", "psi_milli", milli(distance->psi),
                                          "ks_milli", milli(distance->ks), "js_milli",
                                          milli(distance->js)));
    }
    return features;
}

/** The last whole window; before there is one, the window that is being filled. */
static json_t *drift_json(const struct rv_scorer *scorer, enum rv_models_detail detail)
{
    const struct rv_drift_watch *watch = scorer->watch;
    RV_AUTO(rv_buf_done) struct rv_buf words = { 0 };
    struct rv_drift_report report = watch->report;
    const struct rv_distance *score = &report.distance[RV_DRIFT_SCORE];
    json_t *object;

    if (watch->windows == 0)
        rv_drift_watch_peek(watch, &report);
    if (watch->settled)
        rv_drift_words(&report, FEATURES_TOLD, &words);
    else
        rv_buf_addf(&words, "The reference is still being gathered: %" PRIu64 " verdicts so far.",
                    watch->reference.rows);
    object = json_pack(
        "{ss sb sI sI sI sI sI sI ss}", "light", rv_light_name(watch->drift.light), "settled",
        watch->settled, "reference_rows", (json_int_t)watch->reference.rows, "window_rows",
        (json_int_t)watch->now.rows, "windows", (json_int_t)watch->windows, "score_psi_milli",
        milli(score->psi), "red_features", (json_int_t)report.red_features, "amber_features",
        (json_int_t)report.amber_features, "words", words.data ? words.data : "");
    if (object && detail == RV_MODELS_FULL)
        json_object_set_new(object, "features", features_json(&report));
    return object;
}

json_t *rv_scorer_json(const struct rv_scorer *scorer, enum rv_models_detail detail)
{
    RV_AUTO(rv_buf_done) struct rv_buf sentence = { 0 };

    rv_promise_sentence(&scorer->promise, &sentence);
    return json_pack("{ss ss ss ss sb s{ss ss sI sI sI} so}", "name", scorer->name, "digest",
                     scorer->hex, "kind", scorer->model->ops->kind, "light",
                     rv_light_name(scorer->promise.light), "stands", rv_scorer_stands(scorer),
                     "promise", "light", rv_light_name(scorer->promise.light), "sentence",
                     sentence.data ? sentence.data : "", "alarms",
                     (json_int_t)rv_promise_alarms(&scorer->promise), "false_alarms",
                     (json_int_t)rv_promise_false_alarms(&scorer->promise), "steps_down",
                     (json_int_t)scorer->promise.steps_down, "drift", drift_json(scorer, detail));
}

/* ---- Bytes: calibration, martingale and light, drift ---- */

static void save_tables(const struct rv_calibration *calibration, struct rv_buf *buf)
{
    RV_AUTO(rv_buf_done) struct rv_buf tables = { 0 };

    if (calibration)
        rv_calibration_save(calibration, &tables);
    rv_buf_add_le64(buf, tables.len);
    rv_buf_add(buf, tables.data, tables.len);
    buf->failed |= tables.failed;
}

void rv_scorer_save(const struct rv_scorer *scorer, struct rv_buf *buf)
{
    const struct rv_martingale *martingale = &scorer->promise.martingale;

    save_tables(scorer->calibration, buf);
    save_tables(scorer->own, buf);
    save_tables(scorer->spoken, buf);
    for (size_t i = 0; i < RV_COUNT(martingale->capital); i++)
        rv_buf_add_le64(buf, martingale->capital[i]);
    rv_buf_add_le32(buf, (uint32_t)martingale->exponent);
    rv_buf_add_le32(buf, (uint32_t)martingale->log2_max_q8);
    rv_buf_add_le64(buf, martingale->steps);
    rv_buf_add_le64(buf, martingale->restarts);
    rv_buf_add_le32(buf, scorer->promise.light);
    rv_buf_add_le32(buf, scorer->promise.steps_down);
    rv_drift_watch_save(scorer->watch, buf);
}

/** A broken promise stays broken over a restart: the day of quiet begins anew. */
static int load_promise(struct rv_promise *promise, struct rv_reader *reader)
{
    struct rv_martingale *martingale = &promise->martingale;
    uint32_t light;

    for (size_t i = 0; i < RV_COUNT(martingale->capital); i++) {
        martingale->capital[i] = rv_read_le64(reader);
        if (martingale->capital[i] >> 50)
            return -EBADMSG;
    }
    martingale->exponent = (int32_t)rv_read_le32(reader);
    martingale->log2_max_q8 = (int32_t)rv_read_le32(reader);
    martingale->steps = rv_read_le64(reader);
    martingale->restarts = rv_read_le64(reader);
    light = rv_read_le32(reader);
    promise->steps_down = rv_read_le32(reader);
    if (reader->failed || light > RV_LIGHT_GREEN || martingale->exponent < 0 ||
        martingale->exponent > 1 << 20)
        return -EBADMSG;
    promise->light = (enum rv_light)light;
    return 0;
}

static int load_tables(struct rv_calibration **ret_calibration, uint32_t classes,
                       struct rv_reader *reader)
{
    struct rv_span tables = rv_read_bytes(reader, rv_read_le64(reader));
    int r = reader->failed ? -EBADMSG : 0;

    if (r == 0 && tables.len > 0)
        r = rv_calibration_load(ret_calibration, tables, NULL);
    if (r == 0 && *ret_calibration && rv_calibration_classes(*ret_calibration) != classes)
        r = -EBADMSG;
    return r;
}

int rv_scorer_load(struct rv_scorer *scorer, struct rv_span bytes)
{
    RV_AUTO(rv_calibration_free) struct rv_calibration *calibration = NULL;
    RV_AUTO(rv_calibration_free) struct rv_calibration *own = NULL;
    RV_AUTO(rv_calibration_free) struct rv_calibration *spoken = NULL;
    struct rv_reader reader = rv_reader(bytes);
    struct rv_promise promise = scorer->promise;
    int r = load_tables(&calibration, RV_KIND_COUNT_, &reader);

    if (r == 0)
        r = load_tables(&own, RV_KIND_COUNT_, &reader);
    if (r == 0)
        r = load_tables(&spoken, 1, &reader);
    if (r == 0 && (!calibration || !own != !scorer->own || !spoken != !scorer->spoken))
        r = -EBADMSG;
    if (r == 0)
        r = load_promise(&promise, &reader);
    if (r == 0)
        r = rv_drift_watch_load(scorer->watch, &reader);
    if (r == 0 && reader.rest.len > 0)
        r = -EBADMSG;
    if (r < 0)
        return r;
    rv_calibration_free(&scorer->calibration);
    rv_calibration_free(&scorer->own);
    scorer->calibration = RV_TAKE(calibration);
    scorer->own = RV_TAKE(own);
    rv_calibration_free(&scorer->spoken);
    scorer->spoken = RV_TAKE(spoken);
    scorer->promise = promise;
    return 0;
}
