/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The behaviour task: recorded streams of events become feature vectors, as the judge makes them.
 * Without attacks an isolation forest is grown; with them boosted trees in two heads, one over all
 * features and one over those that an attacker can only raise. Both are forests that the judge and
 * the kernel can run. Calibrated per kind of program, on vectors of streams that the forest did not
 * see: a fifth of the streams is left out in turn (of fewer than five, stretches of time).
 */
#include "behaviour_eval.h"
#include "behaviour_explain.h"
#include "behaviour_fit.h"
#include "behaviour_kernel.h"
#include "task.h"

#include "features/table.h"
#include "models/drift.h"
#include "models/forest_model.h"

#include <stdio.h>

#define ROWS_MIN        200U
#define EVIDENCE_ROUNDS 2U

static int add_forest(struct task_training *training, const char *name,
                      const struct rv_forest *forest)
{
    RV_AUTO(rv_buf_done) struct rv_buf bytes = { 0 };

    rv_forest_encode(forest, &bytes);
    return bytes.failed ? -ENOMEM : rv_package_add(training->writer, name, rv_buf_span(&bytes));
}

/** The same forest with another base, in its place. */
static int shift_base(struct rv_forest **forest, int64_t shift)
{
    struct rv_forest_spec spec = rv_forest_spec_of(*forest);
    struct rv_forest *shifted = NULL;
    int r;

    spec.base_q16 += shift;
    r = rv_forest_make(&spec, &shifted, NULL);
    if (r < 0)
        return r;
    rv_forest_free(forest);
    *forest = shifted;
    return 0;
}

/** Both detectors can keep their share of so many alarms a host-day with 95 %, together. */
static bool can_promise(size_t normals, uint64_t alarms)
{
    double alpha = (double)alarms / 100000, share = (double)RV_LANGUAGE_SHARE_PPM / 1000000;

    return rv_pac_rank(normals, alpha * share, 0.05 / 2) > 0 &&
           rv_pac_rank(normals, alpha * (1 - share), 0.05 / 2) > 0;
}

/**
 * The least number of false alarms a host-day that so many scores can promise with 95 %: a host-day
 * is 100,000 verdicts (models/promise.h).
 */
static int add_promise(json_t *manifest, size_t normals)
{
    uint64_t alarms = 1;

    while (alarms < 50000 && !can_promise(normals, alarms))
        alarms++;
    return json_object_set_new(manifest, "promise",
                               json_pack("{s:I, s:i, s:I}", "alarms_per_host_day_ppm",
                                         (json_int_t)alarms * 1000000, "confidence_ppm", 950000,
                                         "calibration_scores", (json_int_t)normals)) < 0
               ? -ENOMEM
               : 0;
}

/** What each vector says to its session: due verdicts and rows are in the same order. */
static void note_evidence(struct utterances *utterances, const struct vectors *vectors,
                          const struct rv_calibration *calibration, const int64_t *scores)
{
    for (size_t i = 0, row = 0; i < utterances->count; i++) {
        if (!utterances->items[i].due)
            continue;
        utterances->items[i].vector_q16 = rv_session_evidence_q16(
            rv_calibration_p(calibration, vectors->class[row], scores[row]));
        row++;
    }
}

/** What rows score that the model did not see, both heads together; and what they look like. */
static int add_tables(struct task_training *training, const struct gathered *gathered,
                      const uint32_t *folds, const int64_t *scores)
{
    const struct vectors *vectors = gathered->vectors;
    RV_AUTO(rv_calibration_free) struct rv_calibration *calibration = NULL;
    RV_AUTO(rv_freep) struct rv_profile *profile = calloc(1, sizeof(*profile));
    RV_AUTO(rv_freep) int64_t *sorted = malloc((vectors->count + 1) * sizeof(*sorted));
    RV_AUTO(rv_freep) int64_t *edges = malloc(RV_CALIBRATION_EDGES_MAX * sizeof(*edges));
    RV_AUTO(rv_buf_done) struct rv_buf tables = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf histograms = { 0 };
    struct rv_calibration_options options = { .edges_q16 = edges, .class_count = RV_KIND_COUNT_ };
    size_t normals = 0;
    int r;

    if (!profile || !sorted || !edges)
        return -ENOMEM;
    for (size_t i = 0; i < vectors->count; i++) {
        if (!vectors->attack[i] && folds[i] < BEHAVIOUR_FOLDS)
            sorted[normals++] = scores[i];
    }
    options.edge_count = rv_calibration_edges(sorted, normals, edges, RV_CALIBRATION_EDGES_MAX);
    r = rv_calibration_new(&calibration, &options);
    for (size_t i = 0; i < vectors->count && r == 0; i++) {
        struct rv_vector vector;

        if (vectors->attack[i] || folds[i] >= BEHAVIOUR_FOLDS)
            continue;
        memcpy(vector.value, vectors_row(vectors, i), sizeof(vector.value));
        rv_calibration_add(calibration, vectors->class[i], scores[i], 1);
        rv_profile_add(profile, &vector, scores[i]);
    }
    if (r == 0)
        r = add_promise(training->manifest, normals);
    if (r == 0 && training->kernel.wanted)
        r = behaviour_kernel_thresholds(training, calibration);
    if (r < 0)
        return r;
    note_evidence(gathered->utterances, vectors, calibration, scores);
    rv_calibration_save(calibration, &tables);
    rv_profile_save(profile, &histograms);
    if (tables.failed || histograms.failed)
        return -ENOMEM;
    r = rv_package_add(training->writer, "calibration", rv_buf_span(&tables));
    return r < 0 ? r : rv_package_add(training->writer, "profile", rv_buf_span(&histograms));
}

static int learn(struct task_training *training, const struct gathered *gathered,
                 const struct behaviour_options *options)
{
    const struct vectors *vectors = gathered->vectors;
    RV_AUTO(rv_freep) uint32_t *folds = malloc((vectors->count + 1) * sizeof(*folds));
    RV_AUTO(behaviour_scores_done) struct behaviour_scores scores = { 0 };
    RV_AUTO(behaviour_heads_done) struct behaviour_heads heads = { 0 };
    int64_t shift = 0;
    int r = folds ? behaviour_folds(vectors, folds) : -ENOMEM;

    if (r == 0)
        r = behaviour_cross(vectors, folds, options, &training->options.progress, &scores);
    for (unsigned i = 0; r == 0 && i < EVIDENCE_ROUNDS && training->files.attack.count > 0; i++) {
        r = behaviour_evidence(vectors, &scores, folds);
        behaviour_scores_done(&scores);
        if (r == 0)
            r = behaviour_cross(vectors, folds, options, &training->options.progress, &scores);
    }
    if (r == 0)
        r = behaviour_train(vectors, folds, BEHAVIOUR_ALL, options, &heads);
    if (r == 0 && heads.monotone)
        r = behaviour_shift(vectors, folds, &scores, &shift);
    for (size_t i = 0; r == 0 && heads.monotone && i < vectors->count; i++) {
        int64_t monotone = scores.monotone[i] + shift;

        scores.window[i] = monotone > scores.window[i] ? monotone : scores.window[i];
    }
    if (r == 0)
        r = add_tables(training, gathered, folds, scores.window);
    if (r == 0)
        r = add_forest(training, "forest", heads.window);
    if (r == 0 && heads.monotone)
        r = shift_base(&heads.monotone, shift);
    if (r == 0 && heads.monotone)
        r = add_forest(training, "forest.monotone", heads.monotone);
    if (r == 0 && training->kernel.wanted)
        r = behaviour_kernel_golden(training, &heads);
    rv_progress_report(&training->options.progress, "behaviour", 1, 1);
    return r;
}

/** The language model of sessions, beside the forests. */
static int add_language(struct task_training *training, const struct utterances *utterances)
{
    RV_AUTO(rv_language_free) struct rv_language *language = NULL;
    RV_AUTO(rv_buf_done) struct rv_buf bytes = { 0 };
    size_t normal = 0, attack = 0;
    int r = rv_language_train(&language, utterances->items, utterances->count, &training->options);

    if (r < 0)
        return r;
    rv_language_save(language, &bytes);
    if (bytes.failed)
        return -ENOMEM;
    rv_language_size(language, &normal, &attack);
    if (json_object_set_new(training->manifest, "language",
                            json_pack("{s:I, s:I, s:I, s:i}", "normal_ngrams", (json_int_t)normal,
                                      "attack_ngrams", (json_int_t)attack, "symbols",
                                      (json_int_t)utterances->count, "alpha_share_ppm",
                                      (int)rv_language_share_ppm(language))) < 0)
        return -ENOMEM;
    return rv_package_add(training->writer, "language", rv_buf_span(&bytes));
}

static int take_labels(const struct task_training *training, struct vectors *vectors,
                       const struct behaviour_options *options)
{
    RV_AUTO(rv_labels_done) struct rv_labels labels = { 0 };
    bool accepted = false;
    int r;

    if (training->files.labels.count == 0)
        return 0;
    if (training->files.attack.count == 0) {
        fputs("judgements are held against streams of normal work and of attacks; give both\n",
              stderr);
        return -EINVAL;
    }
    r = behaviour_labels(&training->files.labels, &labels, training->manifest);
    if (r == 0)
        r = behaviour_admit(vectors, &labels, options, &accepted);
    if (r == 0 && !accepted) {
        fputs("the judgements are refused: the model does worse with them\n", stderr);
        return -EPERM;
    }
    return r;
}

static int train(struct task_training *training)
{
    RV_AUTO(vectors_done) struct vectors vectors = { 0 };
    RV_AUTO(utterances_done) struct utterances utterances = { 0 };
    struct gathered gathered = { &vectors, &utterances };
    struct behaviour_options options = {
        .seed = training->options.seed,
        .source_cap_ppm = (uint32_t)training->source_cap * 10000,
        .kernel = training->kernel,
    };
    size_t normals = 0;
    int r = behaviour_gather(&training->files, &gathered, training->manifest);

    if (r < 0)
        return r;
    for (size_t i = 0; i < vectors.count; i++)
        normals += !vectors.attack[i];
    if (normals < ROWS_MIN) {
        fprintf(stderr,
                "%zu verdicts are due in the normal streams, %u are needed: record longer\n",
                normals, ROWS_MIN);
        return -EINVAL;
    }
    fprintf(stderr, "%zu normal and %zu attack vectors\n", normals, vectors.count - normals);
    r = take_labels(training, &vectors, &options);
    if (r == 0)
        r = learn(training, &gathered, &options);
    if (r == 0)
        r = add_language(training, &utterances);
    if (r < 0)
        fprintf(stderr, "training failed: %s\n", strerror(-r));
    return r;
}

struct scoring {
    const struct rv_model *model;
    const struct rv_calibration *calibration;
    const struct rv_language *language; /* NULL, and no sessions: the package has none */
    struct rv_sessions *sessions;
    const struct task_sink *sink;
};

/** Vector and session together, as shipped; the raw score is the one that speaks. */
static struct rv_score score_of(const struct scoring *scoring, const struct behaviour_seen *seen)
{
    const struct rv_process *process = seen->process;
    int64_t raw = rv_model_score_q16(scoring->model, seen->vector);
    struct rv_p_value p = rv_calibration_p(scoring->calibration, rv_process_class(process), raw);
    struct rv_session_score session;
    bool speaks = false;

    if (scoring->sessions) {
        struct rv_session_asked asked = { process, seen->event->tid, rv_session_evidence_q16(p) };

        rv_sessions_score(scoring->sessions, &asked, &session);
        rv_sessions_spoke(scoring->sessions, &asked);
        p = rv_language_combine(
            p, rv_calibration_p(rv_language_calibration(scoring->language), 0, session.raw_q16),
            rv_language_share_ppm(scoring->language), &speaks);
    }
    if (speaks)
        raw = session.raw_q16;
    return (struct rv_score){ .risk = rv_risk_of_p(p), .raw = (double)raw / 65536 };
}

/** The id is the process and its program: `tgid.start:path`. */
static int put_vector(void *context, const struct behaviour_seen *seen)
{
    const struct scoring *scoring = context;
    const struct rv_process *process = seen->process;
    RV_AUTO(rv_freep) char *id = NULL;
    struct rv_score score;

    if (scoring->sessions)
        rv_sessions_hear(scoring->sessions, seen->event, process);
    if (!seen->vector)
        return 0;
    score = score_of(scoring, seen);

    if (asprintf(&id, "%u.%llu:%s", process->key.tgid,
                 (unsigned long long)process->key.start_boot_ns, process->program->path) < 0)
        return -ENOMEM;
    for (char *c = id; *c; c++) /* a path is written by whoever made it */
        *c = (unsigned char)*c < ' ' ? '?' : *c;
    return scoring->sink->put(scoring->sink->context, id, &score);
}

int behaviour_open(const struct rv_package *package, struct rv_model **ret_model,
                   struct rv_calibration **ret_calibration)
{
    RV_AUTO(rv_model_free) struct rv_model *model = NULL;
    const char *why = NULL;
    int r = rv_forest_model_open(package, &model, &why);

    if (r == 0)
        r = rv_calibration_load(ret_calibration, rv_package_section(package, "calibration"), &why);
    if (r < 0) {
        fprintf(stderr, "the package holds no calibrated model of behaviour: %s\n",
                why ? why : strerror(-r));
        return r;
    }
    *ret_model = RV_TAKE(model);
    return 0;
}

int behaviour_language(const struct rv_package *package, struct rv_language **ret_language)
{
    struct rv_span section = rv_package_section(package, "language");
    int r = section.data ? rv_language_load(ret_language, section) : 0;

    if (r < 0)
        fprintf(stderr, "the language model in the package is damaged or of another version\n");
    return r;
}

static int score(const struct rv_package *package, const char *input, const struct task_sink *sink)
{
    RV_AUTO(rv_model_free) struct rv_model *model = NULL;
    RV_AUTO(rv_calibration_free) struct rv_calibration *calibration = NULL;
    RV_AUTO(rv_language_free) struct rv_language *language = NULL;
    RV_AUTO(rv_sessions_free) struct rv_sessions *sessions = NULL;
    struct task_files files = { .normal = { .items = &input, .count = 1 } };
    struct scoring scoring = { .sink = sink };
    int r = behaviour_open(package, &model, &calibration);

    if (r == 0)
        r = behaviour_language(package, &language);
    if (r == 0 && language)
        r = rv_sessions_new(&sessions, language);
    if (r < 0)
        return r;
    scoring.language = language;
    scoring.sessions = sessions;
    scoring.model = model;
    scoring.calibration = calibration;
    return behaviour_walk(&files, put_vector, &scoring, NULL);
}

const struct model_task model_task_behaviour = {
    .name = "behaviour",
    .section = "forest",
    .use = "Score what programs do on a host, in the judge and in the kernel.",
    .limits = "Calibrated for hosts that work like those recorded; kinds of programs with few "
              "vectors borrow the calibration of all.",
    .width = RV_FEATURE_COUNT,
    .train = train,
    .score = score,
    .explain = behaviour_explain,
    .eval = behaviour_eval,
};
