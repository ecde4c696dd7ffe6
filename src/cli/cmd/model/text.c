/* SPDX-License-Identifier: Apache-2.0 */
/* The text task: command lines, one a line or as JSON lines. */
#include "figures.h"
#include "package.h"
#include "task.h"

#include "base/hash.h"
#include "models/package.h"
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
    if (training->files.attack.count > 0 && attack.count == 0) {
        fprintf(stderr, "no attack line is left to learn from; without --attack the model learns "
                        "from normal lines alone\n");
        return -EINVAL;
    }
    r = rv_text_train(&model, &normal, &attack, &training->options);
    if (r == -EINVAL)
        fprintf(stderr, "too few different normal lines to learn from: at least 20 are needed\n");
    else if (r < 0)
        fprintf(stderr, "training failed: %s\n", strerror(-r));
    return r < 0 ? r : rv_text_save(model, training->section);
}

static int score(const struct rv_package *package, const char *input, const struct task_sink *sink)
{
    RV_AUTO(rv_text_model_free) struct rv_text_model *model = NULL;
    RV_AUTO(rv_lines_done) struct rv_lines set = { 0 };
    struct rv_dataset_error error = { 0 };
    int r = rv_text_load(&model, rv_package_section(package, "text"));

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

/* ---- Evaluation ---- */

/** What joins benign lines to an attack: empty where there are none. */
static const struct {
    const char *name, *before, *after;
} paddings[] = {
    { "as recorded", "", "" },      { "benign after", "", " ; " },
    { "benign before", " ; ", "" }, { "benign around", " && ", " ; " },
    { "as a comment", "", " # " },  { "words after", "", " " },
};

static const char *draw_line(const struct rv_lines *normal, uint64_t *random)
{
    *random += 0x9e3779b97f4a7c15ULL;
    return normal->items[rv_mix64(*random) % normal->count].text;
}

/** Put benign lines where the padding says; four of them on each padded side. */
static void pad(struct rv_buf *into, const char *line, size_t padding,
                const struct rv_lines *normal, uint64_t *random)
{
    const char *before = paddings[padding].before, *after = paddings[padding].after;

    for (size_t i = 0; i < 4 && *before; i++) {
        rv_buf_add_str(into, draw_line(normal, random));
        rv_buf_add_str(into, before);
    }
    rv_buf_add_str(into, line);
    for (size_t i = 0; i < 4 && *after; i++) {
        rv_buf_add_str(into, i == 0 || after[1] == '\0' ? after : " ; ");
        rv_buf_add_str(into, draw_line(normal, random));
    }
}

static int score_padded(const struct rv_text_model *model, const struct rv_lines *set,
                        size_t padding, const struct rv_lines *normal, uint64_t *random,
                        struct figures_scores *scores)
{
    RV_AUTO(rv_buf_done) struct rv_buf line = { 0 };
    int r = 0;

    for (size_t i = 0; i < set->count && r == 0; i++) {
        struct rv_score score;

        rv_buf_clear(&line);
        pad(&line, set->items[i].text, padding, normal, random);
        r = line.failed ? -ENOMEM : rv_text_score(model, rv_buf_span(&line), &score);
        if (r == 0)
            r = figures_add(scores, score);
    }
    return r;
}

static int judge(const struct rv_text_model *model, const struct rv_lines *normal,
                 const struct rv_lines *attack, uint64_t seed, json_t *report)
{
    RV_AUTO(figures_done) struct figures_scores usual = { 0 };
    int r = score_padded(model, normal, 0, normal, &seed, &usual);

    for (size_t p = 0; p < RV_COUNT(paddings) && r == 0; p++) {
        RV_AUTO(figures_done) struct figures_scores found = { 0 };

        if (p > 0 && normal->count == 0)
            break;
        r = score_padded(model, attack, p, normal, &seed, &found);
        if (r == 0 && p == 0)
            r = figures_detection(report, &usual, &found);
        if (r == 0 && attack->count > 0)
            r = figures_evasion(report, paddings[p].name, &found);
    }
    return r;
}

static int eval(const struct rv_package *package, const struct task_files *files, uint64_t seed,
                json_t *report)
{
    RV_AUTO(rv_text_model_free) struct rv_text_model *model = NULL;
    RV_AUTO(rv_lines_done) struct rv_lines normal = { 0 };
    RV_AUTO(rv_lines_done) struct rv_lines attack = { 0 };
    int r = rv_text_load(&model, rv_package_section(package, "text"));

    if (r == 0)
        r = read_all(&files->normal, "normal", &normal, NULL, NULL);
    if (r == 0)
        r = read_all(&files->attack, "attack", &attack, &normal, NULL);
    if (r == 0 && normal.count + attack.count == 0) {
        fprintf(stderr, "there is no line to judge the model by\n");
        return -EINVAL;
    }
    if (r == 0)
        r = figures_count(report, "normal lines", normal.count);
    if (r == 0)
        r = figures_count(report, "attack lines", attack.count);
    return r < 0 ? r : judge(model, &normal, &attack, seed, report);
}

/* ---- Reasons ---- */

/** The line of that id, or the one that scores highest; NULL after saying why. */
static const struct rv_line *find(const struct rv_text_model *model, const struct rv_lines *set,
                                  const char *id, struct rv_score *ret_score)
{
    const struct rv_line *found = NULL;

    for (size_t i = 0; i < set->count; i++) {
        const struct rv_line *line = &set->items[i];
        struct rv_score score;

        if ((id && !rv_streq(line->id, id)) ||
            rv_text_score(model, rv_span_str(line->text), &score) < 0)
            continue;
        if (found && score.raw <= ret_score->raw)
            continue;
        found = line;
        *ret_score = score;
    }
    if (!found && id)
        fprintf(stderr, "no line has the id '%s'\n", id);
    else if (!found)
        fprintf(stderr, "the file holds no line\n");
    return found;
}

/** Bytes of an attacker: none may steer a terminal. */
static void add_shown(struct rv_buf *into, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint8_t c = (uint8_t)text[i];

        if (c >= 0x20 && c < 0x7f)
            rv_buf_add_char(into, (char)c);
        else
            rv_buf_addf(into, "\\x%02x", c);
    }
}

static void print_reasons(const struct rv_line *line, const struct rv_score *score,
                          const struct rv_text_reason *reasons, size_t count, bool json)
{
    json_t *list = json_array();

    if (!json)
        printf("%s: risk %u, raw score %.4f\n", line->id, score->risk, score->raw);
    for (size_t i = 0; i < count; i++) {
        RV_AUTO(rv_buf_done) struct rv_buf token = { 0 };

        add_shown(&token, line->text + reasons[i].at, reasons[i].len);
        if (token.failed || !token.data)
            continue;
        if (json)
            (void)json_array_append_new(list, json_pack("{s:s, s:I, s:f}", "token", token.data,
                                                        "at", (json_int_t)reasons[i].at, "weight",
                                                        reasons[i].weight));
        else
            printf("  %+9.4f  %s  (byte %zu)\n", reasons[i].weight, token.data, reasons[i].at);
    }
    if (json)
        model_print_json(json_pack("{s:s, s:I, s:f, s:O}", "id", line->id, "risk",
                                   (json_int_t)score->risk, "raw", score->raw, "reasons", list));
    json_decref(list);
}

static int explain(const struct rv_package *package, const char *input,
                   const struct task_question *question)
{
    RV_AUTO(rv_text_model_free) struct rv_text_model *model = NULL;
    RV_AUTO(rv_lines_done) struct rv_lines set = { 0 };
    RV_AUTO(rv_freep) struct rv_text_reason *reasons = NULL;
    struct rv_dataset_error error = { 0 };
    const struct rv_line *line;
    struct rv_score score = { 0 };
    int r = rv_text_load(&model, rv_package_section(package, "text"));

    if (r < 0) {
        fprintf(stderr, "the text model in the package is damaged: %s\n", strerror(-r));
        return r;
    }
    r = rv_lines_read(&set, AT_FDCWD, input, &error);
    if (r < 0)
        return task_refuse(input, r, &error);
    line = find(model, &set, question->id, &score);
    if (!line)
        return -ENOENT;
    reasons = calloc(question->top, sizeof(*reasons));
    if (!reasons)
        return -ENOMEM;
    print_reasons(line, &score, reasons,
                  rv_text_explain(model, rv_span_str(line->text), reasons, question->top),
                  question->json);
    return 0;
}

const struct model_task model_task_text = {
    .name = "text",
    .section = "text",
    .use = "Tell command lines of attackers from those of ordinary work.",
    .limits = "Judges the words of a command, not what it does; names and encodings never seen "
              "tell it little.",
    .train = train,
    .score = score,
    .explain = explain,
    .eval = eval,
};
