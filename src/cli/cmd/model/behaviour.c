/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The behaviour task: recorded streams of events become feature vectors, as the judge makes them.
 * Without attacks an isolation forest is grown, with them boosted trees; both are forests that the
 * judge and the kernel can run. Calibrated per kind of program, on vectors that the forest did not
 * see: streams are cut into five stretches of time that are left out in turn.
 */
#include "task.h"

#include "event/segment.h"
#include "features/features.h"
#include "features/table.h"
#include "models/calibration.h"
#include "models/forest_model.h"
#include "models/isolation.h"
#include "models/trainer.h"

#include <fcntl.h>
#include <stdio.h>

#define FOLDS     5U
#define ALL_FOLDS FOLDS
#define ROWS_MIN  200U

/** Vectors with what is known of each. */
struct vectors {
    int32_t *values; /* count * RV_FEATURE_COUNT */
    uint32_t *class;
    bool *attack;
    size_t count, room;
};

static void vectors_done(struct vectors *vectors)
{
    free(vectors->values);
    free(vectors->class);
    free(vectors->attack);
    *vectors = (struct vectors){ 0 };
}

static int grow(struct vectors *vectors)
{
    size_t room = vectors->room ? vectors->room * 2 : 1024;
    int32_t *values = reallocarray(vectors->values, room, RV_FEATURE_COUNT * sizeof(*values));
    uint32_t *class;
    bool *attack;

    if (!values)
        return -ENOMEM;
    vectors->values = values;
    class = reallocarray(vectors->class, room, sizeof(*class));
    if (!class)
        return -ENOMEM;
    vectors->class = class;
    attack = reallocarray(vectors->attack, room, sizeof(*attack));
    if (!attack)
        return -ENOMEM;
    vectors->attack = attack;
    vectors->room = room;
    return 0;
}

/** Called for each vector that is worth a verdict. @return 0 or -errno to stop. */
typedef int (*take_vector)(void *context, const struct rv_process *process,
                           const struct rv_vector *vector);

static int read_stream(const char *path, take_vector take, void *context)
{
    RV_AUTO(rv_segment_reader_free) struct rv_segment_reader *reader = NULL;
    RV_AUTO(rv_features_free) struct rv_features *features = NULL;
    struct rv_features_options options = { 0 };
    struct rv_segment_head head;
    const struct rv_event *event;
    enum rv_segment_end end;
    int r = rv_segment_open(&reader, AT_FDCWD, path, &head);

    if (r < 0) {
        fprintf(stderr, "%s: %s; 'reeve record' makes streams\n", path,
                r == -EBADMSG ? "not a recorded stream" : strerror(-r));
        return r;
    }
    options.unix_offset_ns = (int64_t)head.unix_offset_ns;
    r = rv_features_new(&features, &options);
    while (r == 0) {
        struct rv_features_change change;
        struct rv_vector vector;

        r = rv_segment_next(reader, &event, &end);
        if (r < 0)
            fprintf(stderr, "%s: %s\n", path, rv_segment_error(reader));
        if (r < 0 || !event)
            break;
        rv_features_update(features, event, &change);
        if (!change.process || change.due != RV_SCORE_DUE)
            continue;
        rv_features_vector(features, change.process, &vector);
        r = take(context, change.process, &vector);
    }
    return r;
}

struct gathering {
    struct vectors *vectors;
    bool attack;
};

static int gather(void *context, const struct rv_process *process, const struct rv_vector *vector)
{
    const struct gathering *gathering = context;
    struct vectors *vectors = gathering->vectors;
    int r = vectors->count == vectors->room ? grow(vectors) : 0;

    if (r < 0)
        return r;
    memcpy(vectors->values + vectors->count * RV_FEATURE_COUNT, vector->value,
           sizeof(vector->value));
    vectors->class[vectors->count] = rv_process_class(process);
    vectors->attack[vectors->count++] = gathering->attack;
    return 0;
}

static int gather_files(const struct rv_option_list *files, bool attack, struct vectors *vectors,
                        json_t *manifest)
{
    int r = 0;

    for (size_t i = 0; i < files->count && r == 0; i++) {
        struct gathering gathering = { vectors, attack };
        size_t before = vectors->count;

        r = read_stream(files->items[i], gather, &gathering);
        if (r == 0)
            r = task_note_data(manifest, files->items[i], vectors->count - before,
                               attack ? "attack" : "normal");
    }
    return r;
}

/** By time within normal and within attack vectors, which come in that order. */
static unsigned fold_of(const struct vectors *vectors, size_t normals, size_t row)
{
    return row < normals ? (unsigned)(row * FOLDS / normals)
                         : (unsigned)((row - normals) * FOLDS / (vectors->count - normals));
}

static int train_forest(const struct vectors *vectors, size_t normals, unsigned left_out,
                        uint64_t seed, struct rv_forest **ret_forest)
{
    RV_AUTO(rv_freep) int32_t *values =
        malloc((vectors->count * RV_FEATURE_COUNT + 1) * sizeof(*values));
    RV_AUTO(rv_freep) float *targets = malloc((vectors->count + 1) * sizeof(*targets));
    struct rv_rows rows = { .width = RV_FEATURE_COUNT, .values = values, .targets = targets };
    struct rv_train_options options = rv_train_defaults();
    struct rv_isolation_options isolation = rv_isolation_defaults();

    if (!values || !targets)
        return -ENOMEM;
    for (size_t i = 0; i < vectors->count; i++) {
        if (fold_of(vectors, normals, i) == left_out)
            continue;
        memcpy(values + rows.count * RV_FEATURE_COUNT, vectors->values + i * RV_FEATURE_COUNT,
               RV_FEATURE_COUNT * sizeof(*values));
        targets[rows.count++] = vectors->attack[i] ? 1 : 0;
    }
    isolation.seed = options.seed = seed;
    return normals == vectors->count
               ? rv_isolation_train(values, rows.count, RV_FEATURE_COUNT, &isolation, ret_forest)
               : rv_train_forest(&rows, &options, ret_forest, NULL);
}

/** Scores of the normal vectors by forests that did not see them. */
static int cross_scores(const struct task_training *training, const struct vectors *vectors,
                        size_t normals, int64_t *scores)
{
    for (unsigned fold = 0; fold < FOLDS; fold++) {
        RV_AUTO(rv_forest_free) struct rv_forest *forest = NULL;
        int r;

        rv_progress_report(&training->options.progress, "behaviour", fold, FOLDS + 1);
        r = train_forest(vectors, normals, fold, training->options.seed, &forest);
        if (r < 0)
            return r;
        for (size_t i = 0; i < normals; i++) {
            if (fold_of(vectors, normals, i) == fold)
                scores[i] = rv_forest_score(forest, vectors->values + i * RV_FEATURE_COUNT);
        }
    }
    return 0;
}

static int calibrate(const struct vectors *vectors, const int64_t *scores, size_t normals,
                     struct rv_buf *into)
{
    RV_AUTO(rv_calibration_free) struct rv_calibration *calibration = NULL;
    RV_AUTO(rv_freep) int64_t *sorted = malloc(normals * sizeof(*sorted));
    RV_AUTO(rv_freep) int64_t *edges = malloc(RV_CALIBRATION_EDGES_MAX * sizeof(*edges));
    struct rv_calibration_options options = { .edges_q16 = edges, .class_count = RV_KIND_COUNT_ };
    int r;

    if (!sorted || !edges)
        return -ENOMEM;
    memcpy(sorted, scores, normals * sizeof(*sorted));
    options.edge_count = rv_calibration_edges(sorted, normals, edges, RV_CALIBRATION_EDGES_MAX);
    r = rv_calibration_new(&calibration, &options);
    for (size_t i = 0; i < normals && r == 0; i++)
        rv_calibration_add(calibration, vectors->class[i], scores[i], 1);
    if (r == 0)
        rv_calibration_save(calibration, into);
    return r;
}

static int learn(struct task_training *training, const struct vectors *vectors, size_t normals)
{
    RV_AUTO(rv_freep) int64_t *scores = malloc((normals + 1) * sizeof(*scores));
    RV_AUTO(rv_forest_free) struct rv_forest *forest = NULL;
    int r = scores ? cross_scores(training, vectors, normals, scores) : -ENOMEM;

    if (r == 0)
        r = calibrate(vectors, scores, normals, training->calibration);
    if (r == 0)
        r = train_forest(vectors, normals, ALL_FOLDS, training->options.seed, &forest);
    rv_progress_report(&training->options.progress, "behaviour", 1, 1);
    if (r == 0)
        rv_forest_encode(forest, training->section);
    return r;
}

static int train(struct task_training *training)
{
    RV_AUTO(vectors_done) struct vectors vectors = { 0 };
    size_t normals;
    int r = gather_files(&training->files.normal, false, &vectors, training->manifest);

    normals = vectors.count;
    if (r == 0)
        r = gather_files(&training->files.attack, true, &vectors, training->manifest);
    if (r < 0)
        return r;
    if (normals < ROWS_MIN) {
        fprintf(stderr, "%zu verdicts are due in the normal streams, %u are needed: record longer\n",
                normals, ROWS_MIN);
        return -EINVAL;
    }
    fprintf(stderr, "%zu normal and %zu attack vectors\n", normals, vectors.count - normals);
    r = learn(training, &vectors, normals);
    if (r < 0)
        fprintf(stderr, "training failed: %s\n", strerror(-r));
    return r;
}

struct scoring {
    const struct rv_model *model;
    const struct rv_calibration *calibration;
    const struct task_sink *sink;
};

/** The id is the process and its program: `tgid.start:path`. */
static int put_vector(void *context, const struct rv_process *process,
                      const struct rv_vector *vector)
{
    const struct scoring *scoring = context;
    int64_t raw = rv_model_score_q16(scoring->model, vector);
    struct rv_score score = {
        .risk = rv_calibration_risk(scoring->calibration, rv_process_class(process), raw),
        .raw = (double)raw / 65536,
    };
    RV_AUTO(rv_freep) char *id = NULL;

    if (asprintf(&id, "%u.%llu:%s", process->key.tgid,
                 (unsigned long long)process->key.start_boot_ns, process->program->path) < 0)
        return -ENOMEM;
    for (char *c = id; *c; c++) /* a path is written by whoever made it */
        *c = (unsigned char)*c < ' ' ? '?' : *c;
    return scoring->sink->put(scoring->sink->context, id, &score);
}

static int score(const struct rv_package *package, const char *input, const struct task_sink *sink)
{
    RV_AUTO(rv_model_free) struct rv_model *model = NULL;
    RV_AUTO(rv_calibration_free) struct rv_calibration *calibration = NULL;
    const char *why = NULL;
    struct scoring scoring = { .sink = sink };
    int r = rv_forest_model_open(package, &model, &why);

    if (r == 0)
        r = rv_calibration_load(&calibration, rv_package_section(package, "calibration"), &why);
    if (r < 0) {
        fprintf(stderr, "the package holds no calibrated model of behaviour: %s\n",
                why ? why : strerror(-r));
        return r;
    }
    scoring.model = model;
    scoring.calibration = calibration;
    return read_stream(input, put_vector, &scoring);
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
};
