/* SPDX-License-Identifier: Apache-2.0 */
/* The text task: command lines, one a line or as JSON lines. */
#include "task.h"

#include "models/text.h"

#include <fcntl.h>
#include <stdio.h>

static int read_all(const struct rv_option_list *files, const char *role, struct rv_lines *set,
                    const struct rv_lines *known, json_t *manifest)
{
    size_t dropped = 0;
    int r = 0;

    for (size_t i = 0; i < files->count && r == 0; i++) {
        struct rv_dataset_error error = { 0 };
        size_t before = set->count;

        r = rv_lines_read(set, AT_FDCWD, files->items[i], &error);
        if (r < 0)
            return task_refuse(files->items[i], r, &error);
        if (manifest)
            r = task_note_data(manifest, files->items[i], set->count - before, role);
    }
    if (r == 0)
        r = rv_lines_dedup(set, known, &dropped);
    if (r == 0)
        fprintf(stderr, "%zu different %s lines, %zu copies dropped\n", set->count, role, dropped);
    return r;
}

static int train(struct task_training *training)
{
    RV_AUTO(rv_lines_done) struct rv_lines normal = { 0 };
    RV_AUTO(rv_lines_done) struct rv_lines attack = { 0 };
    RV_AUTO(rv_text_model_free) struct rv_text_model *model = NULL;
    int r = read_all(&training->files.normal, "normal", &normal, NULL, training->manifest);

    if (r == 0 && training->files.attack.count > 0)
        r = read_all(&training->files.attack, "attack", &attack, &normal, training->manifest);
    if (r < 0)
        return r;
    r = rv_text_train(&model, &normal, &attack, &training->options);
    if (r == -EINVAL)
        fprintf(stderr, "too few different normal lines to learn from: at least 20 are needed\n");
    else if (r < 0)
        fprintf(stderr, "training failed: %s\n", strerror(-r));
    return r < 0 ? r : rv_text_save(model, training->section);
}

static int score(struct rv_span section, const char *input, const struct task_sink *sink)
{
    RV_AUTO(rv_text_model_free) struct rv_text_model *model = NULL;
    RV_AUTO(rv_lines_done) struct rv_lines set = { 0 };
    struct rv_dataset_error error = { 0 };
    int r = rv_text_load(&model, section);

    if (r < 0) {
        fprintf(stderr, "the text model in the package is damaged: %s\n", strerror(-r));
        return r;
    }
    r = rv_lines_read(&set, AT_FDCWD, input, &error);
    if (r < 0)
        return task_refuse(input, r, &error);
    for (size_t i = 0; i < set.count && r == 0; i++) {
        struct rv_score result;

        r = rv_text_score(model, rv_span_str(set.items[i].text), &result);
        if (r == 0)
            r = sink->put(sink->context, set.items[i].id, &result);
    }
    return r;
}

const struct model_task model_task_text = {
    .name = "text",
    .section = "text",
    .use = "Tell command lines of attackers from those of ordinary work.",
    .limits = "Judges the words of a command, not what it does; names and encodings never seen "
              "tell it little.",
    .train = train,
    .score = score,
};
