/* SPDX-License-Identifier: Apache-2.0 */
/* reeve model train: data files in, one package out; the same bytes on every run. */
#include "command.h"
#include "task.h"

#include "base/fd.h"
#include "enforce/score_package.h"
#include "features/table.h"
#include "models/package.h"

#include <fcntl.h>
#include <stdio.h>

struct arguments {
    struct task_files files;
    const char *task, *output, *name, *head, *carry;
    uint64_t seed, source_cap;
    struct task_kernel kernel;
    bool json, help;
};

static int usage(const struct rv_option *options, FILE *to)
{
    fputs(
        "usage: reeve model train --task behaviour|sequence|series|text --normal FILE...\n"
        "                         [--attack FILE...] [--head kernel] [--seed N] -o MODEL\n"
        "Learns what is normal; with attacks, also what is not. A label column in a file decides\n"
        "over the option that named it. Part of the normal data is kept apart, in turn, to\n"
        "calibrate: a risk of 200 stands for one false alarm in a hundred normal items.\n\n",
        to);
    rv_options_help(options, to);
    return to == stdout ? RV_EXIT_YES : RV_EXIT_ERROR;
}

static int write_package(const struct arguments *arguments, const json_t *manifest,
                         struct rv_package_writer *writer, struct rv_sha256 *ret_digest)
{
    RV_AUTO(rv_package_free) struct rv_package *package = NULL;
    RV_AUTO(rv_buf_done) struct rv_buf bytes = { 0 };
    int r = rv_package_add_manifest(writer, manifest);

    if (r == 0)
        r = rv_package_finish(writer, rv_span(NULL, 0), &bytes);
    if (r == 0)
        r = rv_package_open(rv_buf_span(&bytes), &package, NULL);
    if (r == 0)
        r = rv_write_file_atomic(AT_FDCWD, arguments->output, bytes.data, bytes.len, 0644);
    if (r < 0) {
        fprintf(stderr, "cannot write the model to %s: %s\n", arguments->output, strerror(-r));
        return r;
    }
    *ret_digest = rv_package_digest(package);
    return 0;
}

static void print_result(const struct arguments *arguments, const struct rv_sha256 *digest,
                         const json_t *manifest)
{
    char hex[RV_SHA256_HEX_LEN + 1];

    rv_sha256_hex(digest, hex);
    if (arguments->json) {
        RV_AUTO(rv_json_freep)
        json_t *result = json_pack("{s:s, s:s, s:O}", "model", arguments->output, "digest", hex,
                                   "manifest", manifest);
        RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };

        if (result && rv_json_canonical(&text, result) == 0)
            puts(text.data);
        return;
    }
    printf("%s  sha256:%s\n", arguments->output, hex);
}

/** The kernel's model goes with the judge's: whoever lets one speak lets both. */
static int carry(const char *path, struct rv_package_writer *writer, json_t *manifest)
{
    RV_AUTO(rv_score_package_free) struct rv_score_package *checked = NULL;
    RV_AUTO(rv_package_free) struct rv_package *package = NULL;
    RV_AUTO(rv_freep) char *bytes = NULL;
    char hex[RV_SHA256_HEX_LEN + 1];
    struct rv_sha256 digest;
    const char *why = NULL;
    size_t len = 0;
    int r = rv_read_file(AT_FDCWD, path, RV_PACKAGE_BYTES_MAX, &bytes, &len);

    if (r == 0)
        r = rv_package_open(rv_span(bytes, len), &package, &why);
    if (r == 0)
        r = rv_score_package_open(package, &checked, &why);
    if (r < 0) {
        fprintf(stderr, "%s cannot be carried: %s\n", path, why ? why : strerror(-r));
        return r;
    }
    digest = rv_package_digest(package);
    rv_sha256_hex(&digest, hex);
    if (json_object_set_new(manifest, "carries", json_pack("{ss}", "kernel", hex)) < 0)
        return -ENOMEM;
    return rv_package_add(writer, RV_SCORE_CARRIED, rv_span(bytes, len));
}

static int train(const struct arguments *arguments, const struct model_task *task)
{
    static const struct rv_sha256 no_table;
    const struct rv_manifest_head head = {
        .kind = task->section,
        .name = arguments->name ? arguments->name : task->name,
        .version = "1",
        .intended_use = task->use,
        .limits = task->limits,
        .width = task->width,
        .feature_table = task->width ? rv_feature_table_digest() : no_table,
        .seed = arguments->seed,
    };
    RV_AUTO(rv_json_freep) json_t *manifest = rv_manifest_new(&head);
    RV_AUTO(rv_package_writer_done) struct rv_package_writer writer = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf section = { 0 };
    struct task_training training = {
        .files = arguments->files,
        .options = { .seed = arguments->seed, .progress = task_progress() },
        .manifest = manifest,
        .section = &section,
        .writer = &writer,
        .source_cap = (unsigned)arguments->source_cap,
        .kernel = arguments->kernel,
    };
    struct rv_sha256 digest;
    int r;

    if (!manifest)
        return RV_EXIT_ERROR;
    r = task->train(&training);
    if (r == 0 && section.len > 0)
        r = rv_package_add(&writer, task->section, rv_buf_span(&section));
    if (r == 0 && arguments->carry)
        r = carry(arguments->carry, &writer, manifest);
    if (r == 0)
        r = write_package(arguments, manifest, &writer, &digest);
    if (r < 0)
        return r == -EPERM ? RV_EXIT_NO : RV_EXIT_ERROR;
    print_result(arguments, &digest, manifest);
    return RV_EXIT_YES;
}

/** Say what is wrong with --head, --trees, --depth and --carry. */
static bool take_head(struct arguments *arguments, const struct model_task *task)
{
    struct task_kernel *kernel = &arguments->kernel;

    kernel->wanted = arguments->head && rv_streq(arguments->head, "kernel");
    if (arguments->head && !kernel->wanted && !rv_streq(arguments->head, "judge")) {
        fprintf(stderr, "no head '%s'; give --head judge or kernel\n", arguments->head);
        return false;
    }
    if (!kernel->wanted && (kernel->trees || kernel->depth)) {
        fputs("--trees and --depth are for --head kernel\n", stderr);
        return false;
    }
    if (kernel->wanted && (task != &model_task_behaviour || arguments->files.attack.count == 0)) {
        fputs("--head kernel is for --task behaviour, with streams of normal work and of attacks\n",
              stderr);
        return false;
    }
    if (arguments->carry && (kernel->wanted || task != &model_task_behaviour)) {
        fputs("--carry is for a behaviour model of the judge's\n", stderr);
        return false;
    }
    kernel->trees = kernel->trees ? kernel->trees : 64;
    kernel->depth = kernel->depth ? kernel->depth : 5;
    return true;
}

static int run(int argc, char **argv, struct arguments *arguments)
{
    const struct rv_option options[] = {
        { RV_OPTION_STRING, 0, "task", "TASK", "sequence, series, text or behaviour",
          &arguments->task, 0, 0 },
        { RV_OPTION_LIST, 0, "normal", "FILE", "data of normal work; may be given many times",
          &arguments->files.normal, 0, 0 },
        { RV_OPTION_LIST, 0, "attack", "FILE", "data of attacks; may be given many times",
          &arguments->files.attack, 0, 0 },
        { RV_OPTION_LIST, 0, "labels", "FILE",
          "behaviour: what people judged, from 'reeve decisions labels'", &arguments->files.labels,
          0, 0 },
        { RV_OPTION_U64, 0, "source-cap", "N",
          "behaviour: percent of the weight that one stream or judge may have (default 10)",
          &arguments->source_cap, 1, 100 },
        { RV_OPTION_STRING, 0, "head", "judge|kernel",
          "behaviour: who scores; kernel: at LSM hooks, by the features that are kept there (default "
          "judge)",
          &arguments->head, 0, 0 },
        { RV_OPTION_U64, 0, "trees", "N", "of each head for the kernel (default 64)",
          &arguments->kernel.trees, 1, 64 },
        { RV_OPTION_U64, 0, "depth", "N", "of each head for the kernel (default 5)",
          &arguments->kernel.depth, 1, 5 },
        { RV_OPTION_STRING, 0, "carry", "FILE",
          "behaviour: the package of --head kernel that the kernel scores with while this one speaks",
          &arguments->carry, 0, 0 },
        { RV_OPTION_U64, 0, "seed", "N", "same seed, same data: same model (default 1)",
          &arguments->seed, 0, 0 },
        { RV_OPTION_STRING, 'o', "output", "MODEL", "where the package goes", &arguments->output, 0,
          0 },
        { RV_OPTION_STRING, 0, "name", "NAME", "name of the model in its manifest",
          &arguments->name, 0, 0 },
        { RV_OPTION_FLAG, 0, "json", NULL, "print the manifest as JSON", &arguments->json, 0, 0 },
        { RV_OPTION_FLAG, 'h', "help", NULL, "print this help", &arguments->help, 0, 0 },
        { RV_OPTION_END, 0, NULL, NULL, NULL, NULL, 0, 0 },
    };
    const struct model_task *task;
    int operands = 0;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (arguments->help)
        return usage(options, stdout);
    if (!arguments->task || arguments->files.normal.count == 0 || !arguments->output ||
        operands > 0)
        return usage(options, stderr);
    task = model_task_by_name(arguments->task);
    if (!task) {
        fprintf(stderr, "no task '%s'; give --task sequence, series, text or behaviour\n",
                arguments->task);
        return RV_EXIT_ERROR;
    }
    if (arguments->files.labels.count > 0 && task != &model_task_behaviour) {
        fputs("--labels is for --task behaviour: judgements are about what programs did\n", stderr);
        return RV_EXIT_ERROR;
    }
    if (!take_head(arguments, task))
        return RV_EXIT_ERROR;
    return train(arguments, task);
}

int cmd_model_train(int argc, char **argv)
{
    struct arguments arguments = { .seed = 1, .source_cap = 10 };
    RV_AUTO(rv_freep) char **words = NULL;
    int count = task_spread_lists(argc, argv, &words), status = RV_EXIT_ERROR;

    if (count > 0)
        status = run(count, words, &arguments);
    free(arguments.files.normal.items);
    free(arguments.files.attack.items);
    free(arguments.files.labels.items);
    return status;
}
