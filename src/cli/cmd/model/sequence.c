/* SPDX-License-Identifier: Apache-2.0 */
/* The sequence task: traces of system calls or events from tables and recorded streams. */
#include "figures.h"
#include "package.h"
#include "task.h"

#include "base/hash.h"
#include "models/package.h"
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

static int score(const struct rv_package *package, const char *input, const struct task_sink *sink)
{
    RV_AUTO(rv_sequence_model_free) struct rv_sequence_model *model = NULL;
    RV_AUTO(rv_sequences_done) struct rv_sequences set = { 0 };
    struct rv_dataset_error error = { 0 };
    int r = load(rv_package_section(package, "sequence"), &model);

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

/* ---- Reasons ---- */

/** The item asked for, and its score. @return NULL after saying why not. */
static const struct rv_sequence *find(const struct rv_sequence_model *model,
                                      const struct rv_sequences *set, const char *id,
                                      struct rv_score *ret_score)
{
    const struct rv_sequence *found = NULL;

    for (size_t i = 0; i < set->count; i++) {
        const struct rv_sequence *item = &set->items[i];
        struct rv_score result;

        if (id && !rv_streq(item->id, id))
            continue;
        if (rv_sequence_score(model, item->calls, item->count, &result) < 0)
            return NULL;
        if (!found || result.raw > ret_score->raw) {
            found = item;
            *ret_score = result;
        }
    }
    if (!found)
        fprintf(stderr, id ? "no trace has the id '%s'\n" : "there is no trace in it\n", id);
    return found;
}

static json_t *json_of_reason(const struct rv_sequence *item,
                              const struct rv_sequence_reason *reason)
{
    json_t *calls = json_array();

    for (size_t i = 0; i < reason->count; i++)
        (void)json_array_append_new(calls, json_integer(item->calls[reason->at + i]));
    return json_pack("{s:I, s:o, s:f, s:b}", "at", (json_int_t)reason->at, "calls", calls,
                     "surprise", reason->surprise, "unseen", reason->unseen);
}

static void print_reasons(const struct rv_sequence *item, const struct rv_score *result,
                          const struct rv_sequence_reason *reasons, size_t count, bool json)
{
    json_t *list = json ? json_array() : NULL;

    if (!json)
        printf("%s: risk %u, score %.4f, %zu calls\n", item->id, result->risk, result->raw,
               item->count);
    for (size_t i = 0; i < count; i++) {
        if (json) {
            (void)json_array_append_new(list, json_of_reason(item, &reasons[i]));
            continue;
        }
        printf("  %+6.2f nats  %s at %zu:", reasons[i].surprise,
               reasons[i].unseen ? "never seen" : "rare here ", reasons[i].at + 1);
        for (size_t k = 0; k < reasons[i].count; k++)
            printf(" %u", item->calls[reasons[i].at + k]);
        putchar('\n');
    }
    if (json)
        model_print_json(json_pack("{s:s, s:i, s:f, s:I, s:o}", "id", item->id, "risk",
                                   (int)result->risk, "raw", result->raw, "count",
                                   (json_int_t)item->count, "reasons", list));
}

static int explain(const struct rv_package *package, const char *input,
                   const struct task_question *question)
{
    RV_AUTO(rv_sequence_model_free) struct rv_sequence_model *model = NULL;
    RV_AUTO(rv_sequences_done) struct rv_sequences set = { 0 };
    RV_AUTO(rv_freep) struct rv_sequence_reason *reasons = NULL;
    struct rv_dataset_error error = { 0 };
    const struct rv_sequence *item;
    struct rv_score result = { 0 };
    int r = load(rv_package_section(package, "sequence"), &model);

    if (r < 0)
        return r;
    r = rv_sequences_read(&set, AT_FDCWD, input, &error);
    if (r < 0)
        return task_refuse(input, r, &error);
    item = find(model, &set, question->id, &result);
    if (!item)
        return -ENOENT;
    reasons = calloc(question->top, sizeof(*reasons));
    if (!reasons)
        return -ENOMEM;
    print_reasons(item, &result, reasons,
                  rv_sequence_explain(model, item->calls, item->count, reasons, question->top),
                  question->json);
    return 0;
}

/* ---- Evaluation ---- */

struct padding {
    const char *name;
    size_t appended;    /* benign calls after the trace, for each of its own */
    size_t interleaved; /* benign calls after each call */
};

static const struct padding paddings[] = {
    { "as recorded", 0, 0 },    { "1:1 appended", 1, 0 },    { "4:1 appended", 4, 0 },
    { "16:1 appended", 16, 0 }, { "1:1 interleaved", 0, 1 }, { "2:1 interleaved", 0, 2 },
};

/** Benign calls: normal traces end to end, the next one drawn when one is used up. */
struct benign {
    const struct rv_sequences *normal;
    uint64_t random;
    const struct rv_sequence *now;
    size_t at;
};

static uint16_t benign_call(struct benign *benign)
{
    while (!benign->now || benign->at == benign->now->count) {
        benign->random += 0x9e3779b97f4a7c15ULL;
        benign->now = &benign->normal->items[rv_mix64(benign->random) % benign->normal->count];
        benign->at = 0;
    }
    return benign->now->calls[benign->at++];
}

/** A malloc'd padded copy; NULL without memory. */
static uint16_t *pad(const struct rv_sequence *trace, const struct padding *padding,
                     struct benign *benign, size_t *ret_count)
{
    size_t count = trace->count * (1 + padding->appended + padding->interleaved), at = 0;
    uint16_t *calls = malloc((count + 1) * sizeof(*calls));

    if (!calls)
        return NULL;
    for (size_t i = 0; i < trace->count; i++) {
        calls[at++] = trace->calls[i];
        for (size_t k = 0; k < padding->interleaved; k++)
            calls[at++] = benign_call(benign);
    }
    while (at < count)
        calls[at++] = benign_call(benign);
    *ret_count = count;
    return calls;
}

static int score_padded(const struct rv_sequence_model *model, const struct rv_sequences *set,
                        const struct padding *padding, struct benign *benign,
                        struct figures_scores *scores)
{
    int r = 0;

    for (size_t i = 0; i < set->count && r == 0; i++) {
        size_t count = 0;
        RV_AUTO(rv_freep) uint16_t *calls = pad(&set->items[i], padding, benign, &count);
        struct rv_score score;

        r = calls ? rv_sequence_score(model, calls, count, &score) : -ENOMEM;
        if (r == 0)
            r = figures_add(scores, score);
    }
    return r;
}

static bool has_calls(const struct rv_sequences *set)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->items[i].count > 0)
            return true;
    }
    return false;
}

static int judge(const struct rv_sequence_model *model, const struct rv_sequences *normal,
                 const struct rv_sequences *attack, uint64_t seed, json_t *report)
{
    RV_AUTO(figures_done) struct figures_scores usual = { 0 };
    struct benign benign = { .normal = normal, .random = seed };
    int r = score_padded(model, normal, &paddings[0], &benign, &usual);

    for (size_t p = 0; p < RV_COUNT(paddings) && r == 0; p++) {
        RV_AUTO(figures_done) struct figures_scores found = { 0 };

        if (p > 0 && !has_calls(normal))
            break;
        r = score_padded(model, attack, &paddings[p], &benign, &found);
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
    RV_AUTO(rv_sequence_model_free) struct rv_sequence_model *model = NULL;
    RV_AUTO(rv_sequences_done) struct rv_sequences all = { 0 };
    RV_AUTO(rv_sequences_done) struct rv_sequences normal = { 0 };
    RV_AUTO(rv_sequences_done) struct rv_sequences attack = { 0 };
    int r = load(rv_package_section(package, "sequence"), &model);

    if (r == 0)
        r = read_all(&files->normal, RV_LABEL_NORMAL, &all, NULL);
    if (r == 0)
        r = read_all(&files->attack, RV_LABEL_ATTACK, &all, NULL);
    if (r == 0)
        r = pick(&all, RV_LABEL_NORMAL, NULL, &normal);
    if (r == 0)
        r = pick(&all, RV_LABEL_ATTACK, &normal, &attack);
    if (r == 0)
        r = figures_count(report, "normal traces", normal.count);
    if (r == 0)
        r = figures_count(report, "attack traces", attack.count);
    if (r == 0)
        r = figures_count(report, "copies dropped", all.count - normal.count - attack.count);
    return r < 0 ? r : judge(model, &normal, &attack, seed, report);
}

const struct model_task model_task_sequence = {
    .name = "sequence",
    .section = "sequence",
    .use = "Tell traces of system calls or events of attacks from those of normal work.",
    .limits = "Knows only programs like those it was trained on; calls of another kernel "
              "interface or event table mean nothing to it.",
    .train = train,
    .score = score,
    .explain = explain,
    .eval = eval,
};
