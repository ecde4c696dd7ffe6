/* SPDX-License-Identifier: Apache-2.0 */
/* reeve model eval: what a model finds, what it costs in false alarms, what padding does to it. */
#include "command.h"
#include "figures.h"
#include "task.h"

#include "base/fd.h"
#include "models/package.h"

#include <fcntl.h>
#include <stdio.h>

struct arguments {
    struct task_files files;
    const char *model, *output;
    uint64_t seed;
    bool json, help;
};

static void print_report(const json_t *report, bool json)
{
    RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };
    const json_t *counts = json_object_get(report, "counts");
    json_t *entry;
    size_t i;

    if (json) {
        if (rv_json_canonical(&text, report) == 0)
            puts(text.data);
        return;
    }
    for (void *at = json_object_iter((json_t *)(uintptr_t)counts); at;
         at = json_object_iter_next((json_t *)(uintptr_t)counts, at))
        printf("%-36s %lld\n", json_object_iter_key(at),
               (long long)json_integer_value(json_object_iter_value(at)));
    json_array_foreach(json_object_get(report, "metrics"), i, entry)
    {
        printf("%-36s %.4f  (95 %%: %.4f to %.4f)\n",
               json_string_value(json_object_get(entry, "name")),
               (double)json_integer_value(json_object_get(entry, "value_ppm")) / 1e6,
               (double)json_integer_value(json_object_get(entry, "low_ppm")) / 1e6,
               (double)json_integer_value(json_object_get(entry, "high_ppm")) / 1e6);
    }
    json_array_foreach(json_object_get(report, "evasion"), i, entry)
    {
        printf("detection at risk 200, %-13s %.4f\n", json_string_value(json_object_get(entry, "attack")),
               (double)json_integer_value(json_object_get(entry, "detection_ppm")) / 1e6);
    }
}

/** What the card shows beside metrics and evasion, if the report has it. */
static const char *const shown[] = { "operating", "families", "score_histogram" };

/** The same package with the report's figures in its manifest. */
static int write_again(const struct rv_package *package, const json_t *report, const char *output)
{
    RV_AUTO(rv_package_writer_done) struct rv_package_writer writer = { 0 };
    RV_AUTO(rv_json_freep) json_t *manifest = json_deep_copy(rv_package_manifest(package));
    RV_AUTO(rv_buf_done) struct rv_buf bytes = { 0 };
    int r = 0;

    if (!manifest || json_object_set(manifest, "metrics", json_object_get(report, "metrics")) < 0 ||
        json_object_set(manifest, "evasion", json_object_get(report, "evasion")) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < RV_COUNT(shown); i++) {
        json_t *figures = json_object_get(report, shown[i]);

        if (figures && json_object_set(manifest, shown[i], figures) < 0)
            return -ENOMEM;
    }
    for (size_t i = 0; i < rv_package_section_count(package) && r == 0; i++) {
        const char *name = rv_package_section_name(package, i);

        if (!rv_streq(name, "manifest"))
            r = rv_package_add(&writer, name, rv_package_section(package, name));
    }
    if (r == 0)
        r = rv_package_add_manifest(&writer, manifest);
    if (r == 0)
        r = rv_package_finish(&writer, rv_span(NULL, 0), &bytes);
    return r < 0 ? r : rv_write_file_atomic(AT_FDCWD, output, bytes.data, bytes.len, 0644);
}

static int eval(const struct arguments *arguments)
{
    RV_AUTO(rv_package_free) struct rv_package *package = NULL;
    RV_AUTO(rv_json_freep) json_t *report = figures_new();
    const struct model_task *task;
    struct rv_span section = { 0 };
    const char *why = NULL;
    int r = rv_package_open_file(AT_FDCWD, arguments->model, &package, &why);

    if (r < 0) {
        fprintf(stderr, "%s is not a model that can be used: %s\n", arguments->model,
                why ? why : strerror(-r));
        return RV_EXIT_ERROR;
    }
    task = model_task_of(package, &section);
    if (!task || !report) {
        fprintf(stderr, "%s holds no model for data files; 'reeve model inspect' says what it is\n",
                arguments->model);
        return RV_EXIT_ERROR;
    }
    r = task->eval(package, &arguments->files, arguments->seed, report);
    if (r == 0 && arguments->output)
        r = write_again(package, report, arguments->output);
    if (r < 0) {
        fprintf(stderr, "the evaluation failed: %s\n", strerror(-r));
        return RV_EXIT_ERROR;
    }
    print_report(report, arguments->json);
    return RV_EXIT_YES;
}

static int run(int argc, char **argv, struct arguments *arguments)
{
    const struct rv_option options[] = {
        { RV_OPTION_STRING, 'm', "model", "FILE", "the package to judge", &arguments->model, 0, 0 },
        { RV_OPTION_LIST, 0, "normal", "FILE", "normal data that it was not trained on",
          &arguments->files.normal, 0, 0 },
        { RV_OPTION_LIST, 0, "attack", "FILE", "attacks that it was not trained on",
          &arguments->files.attack, 0, 0 },
        { RV_OPTION_U64, 0, "seed", "N", "of the padding (default 1)", &arguments->seed, 0, 0 },
        { RV_OPTION_STRING, 'o', "output", "MODEL",
          "write the package with these figures in its manifest", &arguments->output, 0, 0 },
        { RV_OPTION_FLAG, 0, "json", NULL, "print JSON, shares in ppm", &arguments->json, 0, 0 },
        { RV_OPTION_FLAG, 'h', "help", NULL, "print this help", &arguments->help, 0, 0 },
        { RV_OPTION_END, 0, NULL, NULL, NULL, NULL, 0, 0 },
    };
    int operands = 0;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (arguments->help || !arguments->model || operands > 0 ||
        arguments->files.normal.count + arguments->files.attack.count == 0) {
        FILE *to = arguments->help ? stdout : stderr;

        fputs("usage: reeve model eval --model FILE --normal FILE... [--attack FILE...]\n"
              "                        [-o MODEL] [--json]\n"
              "Copies are dropped first; thresholds are the model's own. Beside clean attacks it\n"
              "scores them padded with benign work, as an attacker would.\n\n",
              to);
        rv_options_help(options, to);
        return arguments->help ? RV_EXIT_YES : RV_EXIT_ERROR;
    }
    return eval(arguments);
}

int cmd_model_eval(int argc, char **argv)
{
    struct arguments arguments = { .seed = 1 };
    RV_AUTO(rv_freep) char **words = NULL;
    int count = task_spread_lists(argc, argv, &words), status = RV_EXIT_ERROR;

    if (count > 0)
        status = run(count, words, &arguments);
    free(arguments.files.normal.items);
    free(arguments.files.attack.items);
    return status;
}
