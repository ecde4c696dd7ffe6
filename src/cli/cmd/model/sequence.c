/* SPDX-License-Identifier: Apache-2.0 */
/* The sequence task: traces of system calls or events from tables and recorded streams. */
#include "task.h"

#include "models/sequence.h"

#include <fcntl.h>
#include <stdio.h>

static int read_all(const struct rv_option_list *files, enum rv_label otherwise,
                    struct rv_sequences *set, json_t *manifest)
{
    for (size_t i = 0; i < files->count; i++) {
        struct rv_dataset_error error = { 0 };
        size_t before = set->count;
        int r = rv_sequences_read(set, AT_FDCWD, files->items[i], &error);

        if (r < 0)
            return task_refuse(files->items[i], r, &error);
        for (size_t k = before; k < set->count; k++) {
            if (set->items[k].label == RV_LABEL_UNKNOWN)
                set->items[k].label = otherwise;
        }
        if (!manifest)
            continue;
        r = task_note_data(manifest, files->items[i], set->count - before,
                           otherwise == RV_LABEL_NORMAL ? "normal" : "attack");
        if (r < 0)
            return r;
    }
    return 0;
}

/** Copies of the traces of one label, each once, none that `known` has. */
static int pick(const struct rv_sequences *from, enum rv_label label,
                const struct rv_sequences *known, struct rv_sequences *to)
{
    size_t dropped = 0;
    int r = 0;

    for (size_t i = 0; i < from->count && r == 0; i++) {
        if (from->items[i].label == label)
            r = rv_sequences_add(to, &from->items[i]);
    }
    if (r == 0)
        r = rv_sequences_dedup(to, known, &dropped);
    if (r == 0)
        fprintf(stderr, "%zu different %s traces, %zu copies dropped\n", to->count,
                label == RV_LABEL_NORMAL ? "normal" : "attack", dropped);
    return r;
}

static int learn(struct task_training *training, const struct rv_sequences *all)
{
    RV_AUTO(rv_sequences_done) struct rv_sequences normal = { 0 };
    RV_AUTO(rv_sequences_done) struct rv_sequences attack = { 0 };
    RV_AUTO(rv_sequence_model_free) struct rv_sequence_model *model = NULL;
    int r = pick(all, RV_LABEL_NORMAL, NULL, &normal);

    if (r == 0 && training->files.attack.count > 0)
        r = pick(all, RV_LABEL_ATTACK, &normal, &attack);
    if (r == 0)
        r = rv_sequence_train(&model, &normal, &attack, &training->options);
    if (r == -EINVAL)
        fprintf(stderr, "too few different normal traces to learn from: at least 20 are needed\n");
    else if (r < 0)
        fprintf(stderr, "training failed: %s\n", strerror(-r));
    return r < 0 ? r : rv_sequence_save(model, training->section);
}

static int train(struct task_training *training)
{
    RV_AUTO(rv_sequences_done) struct rv_sequences all = { 0 };
    int r = read_all(&training->files.normal, RV_LABEL_NORMAL, &all, training->manifest);

    if (r == 0)
        r = read_all(&training->files.attack, RV_LABEL_ATTACK, &all, training->manifest);
    return r < 0 ? r : learn(training, &all);
}

static int load(struct rv_span section, struct rv_sequence_model **ret_model)
{
    int r = rv_sequence_load(ret_model, section);

    if (r < 0)
        fprintf(stderr, "the sequence model in the package is damaged: %s\n", strerror(-r));
    return r;
}

static int score(struct rv_span section, const char *input, const struct task_sink *sink)
{
    RV_AUTO(rv_sequence_model_free) struct rv_sequence_model *model = NULL;
    RV_AUTO(rv_sequences_done) struct rv_sequences set = { 0 };
    struct rv_dataset_error error = { 0 };
    int r = load(section, &model);

    if (r < 0)
        return r;
    r = rv_sequences_read(&set, AT_FDCWD, input, &error);
    if (r < 0)
        return task_refuse(input, r, &error);
    for (size_t i = 0; i < set.count && r == 0; i++) {
        struct rv_score result;

        r = rv_sequence_score(model, set.items[i].calls, set.items[i].count, &result);
        if (r == 0)
            r = sink->put(sink->context, set.items[i].id, &result);
    }
    return r;
}

const struct model_task model_task_sequence = {
    .name = "sequence",
    .section = "sequence",
    .use = "Tell traces of system calls or events of attacks from those of normal work.",
    .limits = "Knows only programs like those it was trained on; calls of another kernel "
              "interface or event table mean nothing to it.",
    .train = train,
    .score = score,
};
