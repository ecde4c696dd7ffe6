/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cmd/model/task.h  What `reeve model train|score|eval` do for each kind of data: one file a
 * task (behaviour.c, sequence.c, series.c, text.c), one row here. Functions say on standard error
 * what is wrong and return a negative errno; progress goes to standard error when it is a terminal.
 */
#pragma once

#include "base/json.h"
#include "base/options.h"
#include "models/task.h"

/** What a model is trained or judged on. */
struct task_files {
    struct rv_option_list normal, attack;
    struct rv_option_list labels; /* what people judged; behaviour only */
};

/** A model of behaviour for the hooks of the kernel: only what is kept there is learnt from. */
struct task_kernel {
    bool wanted;
    uint64_t trees, depth; /* of each head */
};

struct rv_package;
struct rv_package_writer;

struct task_training {
    struct task_files files;
    struct rv_task_options options;
    json_t *manifest;                 /* data sets and figures are added */
    struct rv_buf *section;           /* the model's bytes, for a task of one section */
    struct rv_package_writer *writer; /* or sections one by one */
    unsigned source_cap; /* percent of the weight of its side that one source of rows may have */
    struct task_kernel kernel; /* behaviour only */
};

/** Where scores go, one call an item. @return of put: 0, or -errno to stop. */
struct task_sink {
    int (*put)(void *context, const char *id, const struct rv_score *score);
    void *context;
};

/** Which item of a file to explain, and how. */
struct task_question {
    const char *id; /* NULL: the one with the highest score */
    size_t top;     /* reasons at most */
    bool json;
};

struct model_task {
    const char *name;    /* of --task */
    const char *section; /* of the package; also the manifest's kind */
    const char *use, *limits;
    uint32_t width; /* of host vectors; 0 for other data */
    int (*train)(struct task_training *training);
    int (*score)(const struct rv_package *package, const char *input, const struct task_sink *sink);
    /** Say why an item of `input` got its score. NULL: reasons are those of a forest's rows. */
    int (*explain)(const struct rv_package *package, const char *input,
                   const struct task_question *question);
    /** Add figures to `report`: detection, real false-positive rate, robustness. May be NULL. */
    int (*eval)(const struct rv_package *package, const struct task_files *files, uint64_t seed,
                json_t *report);
};

extern const struct model_task model_task_behaviour;
extern const struct model_task model_task_sequence;
extern const struct model_task model_task_series;
extern const struct model_task model_task_text;

/** By the name of --task, or by the section that a package has; NULL if there is none. */
const struct model_task *model_task_by_name(const char *name);
const struct model_task *model_task_by_section(const char *section);

/** The task whose section the package has; NULL if there is none. */
const struct model_task *model_task_of(const struct rv_package *package,
                                       struct rv_span *ret_section);

/** Say what is wrong with a data file and what it was read as. @return `code`. */
struct rv_dataset_error;
int task_refuse(const char *path, int code, const struct rv_dataset_error *error);

/**
 * `--normal A B C` becomes `--normal A --normal B --normal C`, so that a shell's `*` works.
 * @param ret_argv calloc'd; words borrowed. @return its length; -ENOMEM.
 */
int task_spread_lists(int argc, char **argv, char ***ret_argv);

/** Add a data file to the manifest: its digest, its items. @return 0 or -errno, said. */
int task_note_data(json_t *manifest, const char *path, uint64_t items, const char *role);

/** Progress on standard error, if that is a terminal. */
struct rv_progress task_progress(void);
