/* SPDX-License-Identifier: Apache-2.0 */
/* The series task: tables of sensor readings. */
#include "task.h"

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

static int score(struct rv_span section, const char *input, const struct task_sink *sink)
{
    RV_AUTO(rv_series_model_free) struct rv_series_model *model = NULL;
    RV_AUTO(rv_series_set_done) struct rv_series_set set = { 0 };
    struct rv_dataset_error error = { 0 };
    int r = rv_series_load(&model, section);

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

const struct model_task model_task_series = {
    .name = "series",
    .section = "series",
    .use = "Find rows of sensor readings that do not fit together.",
    .limits = "Knows one plant in the ways of working that it was trained on; a lasting change of "
              "the plant needs training anew.",
    .train = train,
    .score = score,
};
