/* SPDX-License-Identifier: Apache-2.0 */
/* The series task: tables of sensor readings. */
#include "figures.h"
#include "package.h"
#include "task.h"

#include "models/alarms.h"
#include "models/package.h"
#include "models/series.h"

#include <fcntl.h>
#include <stdio.h>

/** Rows that no label column speaks for are what their option said; others keep their label. */
static int read_all(const struct rv_option_list *files, enum rv_label otherwise,
                    struct rv_series_set *set, json_t *manifest)
{
    for (size_t i = 0; i < files->count; i++) {
        struct rv_dataset_error error = { 0 };
        size_t before = set->count, rows = 0;
        int r = rv_series_read(set, AT_FDCWD, files->items[i], &error);

        if (r < 0)
            return task_refuse(files->items[i], r, &error);
        for (size_t s = before; s < set->count; s++) {
            struct rv_series *series = &set->items[s];

            rows += series->rows;
            for (size_t k = 0; k < series->rows && !series->labelled; k++)
                series->label[k] = otherwise;
        }
        r = manifest ? task_note_data(manifest, files->items[i], rows,
                                      otherwise == RV_LABEL_NORMAL ? "normal" : "attack")
                     : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

static int train(struct task_training *training)
{
    RV_AUTO(rv_series_set_done) struct rv_series_set normal = { 0 };
    RV_AUTO(rv_series_set_done) struct rv_series_set attack = { 0 };
    RV_AUTO(rv_series_model_free) struct rv_series_model *model = NULL;
    struct rv_dataset_error error = { 0 };
    int r = read_all(&training->files.normal, RV_LABEL_NORMAL, &normal, training->manifest);

    if (r == 0)
        r = read_all(&training->files.attack, RV_LABEL_ATTACK, &attack, training->manifest);
    if (r < 0)
        return r;
    r = rv_series_train(&model, &normal, &attack, &training->options, &error);
    if (r == -EINVAL && !error.message[0])
        fprintf(stderr, "too few normal rows, or no sensor that varies: at least 40 rows are "
                        "needed\n");
    else if (r < 0)
        (void)task_refuse("training", r, &error);
    return r < 0 ? r : rv_series_save(model, training->section);
}

static int put_rows(const struct rv_series *series, bool alone, const struct rv_score *scores,
                    const struct task_sink *sink)
{
    int r = 0;

    for (size_t i = 0; i < series->rows && r == 0; i++) {
        RV_AUTO(rv_freep) char *id = NULL;

        if (!alone && asprintf(&id, "%s:%s", series->name, series->row_id[i]) < 0)
            return -ENOMEM;
        r = sink->put(sink->context, alone ? series->row_id[i] : id, &scores[i]);
    }
    return r;
}

static int score(const struct rv_package *package, const char *input, const struct task_sink *sink)
{
    RV_AUTO(rv_series_model_free) struct rv_series_model *model = NULL;
    RV_AUTO(rv_series_set_done) struct rv_series_set set = { 0 };
    struct rv_dataset_error error = { 0 };
    int r = rv_series_load(&model, rv_package_section(package, "series"));

    if (r < 0) {
        fprintf(stderr, "the series model in the package is damaged: %s\n", strerror(-r));
        return r;
    }
    r = rv_series_read(&set, AT_FDCWD, input, &error);
    if (r < 0)
        return task_refuse(input, r, &error);
    for (size_t s = 0; s < set.count && r == 0; s++) {
        RV_AUTO(rv_freep) struct rv_score *scores = NULL;

        scores = calloc(set.items[s].rows + 1, sizeof(*scores));
        if (!scores)
            return -ENOMEM;
        r = rv_series_score(model, &set.items[s], scores, &error);
        if (r < 0)
            return task_refuse(input, r, &error);
        r = put_rows(&set.items[s], set.count == 1, scores, sink);
    }
    return r;
}

/* ---- Evaluation: by rows and by events, never point-adjusted ---- */

static int tally_series(const struct rv_series *series, const struct rv_score *scores,
                        struct rv_alarm_tally *tally)
{
    RV_AUTO(rv_freep) bool *attack = calloc(2 * series->rows + 1, sizeof(*attack));
    bool *alarm = attack + series->rows;

    if (!attack)
        return -ENOMEM;
    for (size_t i = 0; i < series->rows; i++) {
        attack[i] = series->label[i] == RV_LABEL_ATTACK;
        alarm[i] = scores[i].risk >= 200;
    }
    return rv_alarms_judge(attack, alarm, series->rows, tally);
}

static int judge(const struct rv_series_model *model, const struct rv_series_set *set,
                 struct rv_alarm_tally *tally)
{
    int r = 0;

    for (size_t s = 0; s < set->count && r == 0; s++) {
        struct rv_dataset_error error = { 0 };
        RV_AUTO(rv_freep) struct rv_score *scores = NULL;

        scores = calloc(set->items[s].rows + 1, sizeof(*scores));
        if (!scores)
            return -ENOMEM;
        r = rv_series_score(model, &set->items[s], scores, &error);
        if (r < 0)
            return task_refuse(set->items[s].name, r, &error);
        r = tally_series(&set->items[s], scores, tally);
    }
    return r;
}

/** By attacks, each alike however long. */
static int note_events(const struct rv_alarm_tally *tally, json_t *report)
{
    const struct {
        const char *name;
        double value;
    } means[] = {
        { "mean share of an attack found", tally->covered / (double)tally->events },
        { "earliness of detection", rv_alarms_earliness(tally) },
        { "score S", rv_alarms_score(tally) },
        { "eTaR", rv_alarms_recall(tally) },
        { "eTaP", rv_alarms_precision(tally) },
        { "F1 of eTaPR", rv_alarms_f1(tally) },
    };
    int r = figures_share(report, "F1 of events", 2 * tally->events_found,
                          tally->events + tally->events_found + tally->false_episodes);

    for (size_t i = 0; i < RV_COUNT(means) && r == 0; i++)
        r = figures_mean(report, means[i].name, means[i].value, tally->events);
    return r;
}

static int note(const struct rv_alarm_tally *tally, json_t *report)
{
    int r = figures_count(report, "normal rows", tally->normal);

    if (r == 0)
        r = figures_count(report, "attack rows", tally->attack);
    if (r == 0)
        r = figures_count(report, "attacks", tally->events);
    if (r == 0)
        r = figures_count(report, "attacks found", tally->events_found);
    if (r == 0)
        r = figures_count(report, "false alarms", tally->false_episodes);
    if (r == 0)
        r = figures_share(report, "false positives at risk 200", tally->false_alarms,
                          tally->normal);
    if (r == 0)
        r = figures_share(report, "detection at risk 200", tally->found, tally->attack);
    if (r == 0)
        r = figures_share(report, "F1 of rows", 2 * tally->found,
                          tally->attack + tally->found + tally->false_alarms);
    return r < 0 || tally->events == 0 ? r : note_events(tally, report);
}

static int eval(const struct rv_package *package, const struct task_files *files, uint64_t seed,
                json_t *report)
{
    RV_AUTO(rv_series_model_free) struct rv_series_model *model = NULL;
    RV_AUTO(rv_series_set_done) struct rv_series_set set = { 0 };
    struct rv_alarm_tally tally = { 0 };
    int r = rv_series_load(&model, rv_package_section(package, "series"));

    (void)seed; /* nothing here is drawn */
    if (r == 0)
        r = read_all(&files->normal, RV_LABEL_NORMAL, &set, NULL);
    if (r == 0)
        r = read_all(&files->attack, RV_LABEL_ATTACK, &set, NULL);
    if (r == 0)
        r = judge(model, &set, &tally);
    if (r == 0 && tally.normal + tally.attack == 0) {
        fprintf(stderr, "there is no row to judge the model by\n");
        return -EINVAL;
    }
    return r < 0 ? r : note(&tally, report);
}

/* ---- Reasons ---- */

/** The row of that id ("series:row" when the file holds several), or the one that scores highest.
 */
struct place {
    const struct rv_series *series; /* NULL: none */
    size_t row;
    struct rv_score score;
};

static bool is_row(const struct rv_series_set *set, const struct rv_series *series, size_t row,
                   const char *id)
{
    size_t len = strlen(series->name);

    if (rv_streq(series->row_id[row], id))
        return true;
    return set->count > 1 && strncmp(id, series->name, len) == 0 && id[len] == ':' &&
           rv_streq(series->row_id[row], id + len + 1);
}

static int find(const struct rv_series_model *model, const struct rv_series_set *set,
                const char *id, struct place *ret_place)
{
    for (size_t s = 0; s < set->count; s++) {
        const struct rv_series *series = &set->items[s];
        RV_AUTO(rv_freep) struct rv_score *scores = calloc(series->rows + 1, sizeof(*scores));
        struct rv_dataset_error error = { 0 };
        int r = scores ? rv_series_score(model, series, scores, &error) : -ENOMEM;

        if (r < 0)
            return task_refuse(series->name, r, &error);
        for (size_t i = 0; i < series->rows; i++) {
            if (id ? !ret_place->series && is_row(set, series, i, id)
                   : !ret_place->series || scores[i].raw > ret_place->score.raw)
                *ret_place = (struct place){ series, i, scores[i] };
        }
    }
    if (ret_place->series)
        return 0;
    if (id)
        fprintf(stderr, "no row has the id '%s'\n", id);
    else
        fprintf(stderr, "the file holds no row\n");
    return -ENOENT;
}

static void print_reasons(const struct place *place, const struct rv_series_reason *reasons,
                          size_t count, bool json)
{
    const char *id = place->series->row_id[place->row];
    json_t *list = json_array();

    if (!json)
        printf("%s: risk %u, raw score %.4f\n", id, place->score.risk, place->score.raw);
    for (size_t i = 0; i < count; i++) {
        const struct rv_series_reason *reason = &reasons[i];
        const char *sensor = place->series->column[reason->column];
        const char *side = reason->seen < reason->expected ? "low" : "high";

        if (json)
            (void)json_array_append_new(
                list, json_pack("{s:s, s:f, s:s, s:f, s:f, s:I}", "sensor", sensor, "share",
                                reason->share, "direction", side, "seen", reason->seen, "expected",
                                reason->expected, "repeats_rows_before", (json_int_t)reason->lag));
        else if (reason->lag > 0)
            printf("  %5.1f %%  %s repeats exactly what it read %zu rows before\n",
                   100 * reason->share, sensor, reason->lag);
        else
            printf("  %5.1f %%  %s reads %.4g, too %s: %.4g was expected\n", 100 * reason->share,
                   sensor, reason->seen, side, reason->expected);
    }
    if (json)
        model_print_json(json_pack("{s:s, s:I, s:f, s:O}", "id", id, "risk",
                                   (json_int_t)place->score.risk, "raw", place->score.raw,
                                   "reasons", list));
    json_decref(list);
}

static int explain(const struct rv_package *package, const char *input,
                   const struct task_question *question)
{
    RV_AUTO(rv_series_model_free) struct rv_series_model *model = NULL;
    RV_AUTO(rv_series_set_done) struct rv_series_set set = { 0 };
    RV_AUTO(rv_freep) struct rv_series_reason *reasons = NULL;
    struct rv_dataset_error error = { 0 };
    struct place place = { 0 };
    int r = rv_series_load(&model, rv_package_section(package, "series"));

    if (r < 0) {
        fprintf(stderr, "the series model in the package is damaged: %s\n", strerror(-r));
        return r;
    }
    r = rv_series_read(&set, AT_FDCWD, input, &error);
    if (r < 0)
        return task_refuse(input, r, &error);
    r = find(model, &set, question->id, &place);
    if (r < 0)
        return r;
    reasons = calloc(question->top, sizeof(*reasons));
    if (!reasons)
        return -ENOMEM;
    print_reasons(&place, reasons,
                  rv_series_explain(model, place.series, place.row, reasons, question->top),
                  question->json);
    return 0;
}

const struct model_task model_task_series = {
    .name = "series",
    .section = "series",
    .use = "Find rows of sensor readings that do not fit together.",
    .limits = "Knows one plant in the ways of working that it was trained on; a lasting change of "
              "the plant needs training anew.",
    .train = train,
    .score = score,
    .explain = explain,
    .eval = eval,
};
