/* SPDX-License-Identifier: Apache-2.0 */
#include "task.h"

#include "base/fd.h"
#include "models/dataset.h"
#include "models/package.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static const struct model_task *const tasks[] = {
    &model_task_behaviour,
    &model_task_sequence,
    &model_task_series,
    &model_task_text,
};

const struct model_task *model_task_by_name(const char *name)
{
    for (size_t i = 0; i < RV_COUNT(tasks); i++) {
        if (rv_streq(tasks[i]->name, name))
            return tasks[i];
    }
    return NULL;
}

const struct model_task *model_task_by_section(const char *section)
{
    for (size_t i = 0; i < RV_COUNT(tasks); i++) {
        if (rv_streq(tasks[i]->section, section))
            return tasks[i];
    }
    return NULL;
}

const struct model_task *model_task_of(const struct rv_package *package,
                                       struct rv_span *ret_section)
{
    for (size_t i = 0; i < rv_package_section_count(package); i++) {
        const char *name = rv_package_section_name(package, i);
        const struct model_task *task = model_task_by_section(name);

        if (task) {
            *ret_section = rv_package_section(package, name);
            return task;
        }
    }
    return NULL;
}

int task_refuse(const char *path, int code, const struct rv_dataset_error *error)
{
    if (error && error->message[0] && error->line)
        fprintf(stderr, "%s, line %zu: %s\n", path, error->line, error->message);
    else if (error && error->message[0])
        fprintf(stderr, "%s: %s\n", path, error->message);
    else
        fprintf(stderr, "%s: %s\n", path, strerror(-code));
    return code;
}

static bool takes_list(const char *word)
{
    return rv_streq(word, "--normal") || rv_streq(word, "--attack") || rv_streq(word, "--labels");
}

int task_spread_lists(int argc, char **argv, char ***ret_argv)
{
    char **spread = calloc((size_t)argc * 2 + 1, sizeof(*spread)), *list = NULL;
    int count = 0;

    if (!spread)
        return -ENOMEM;
    for (int i = 0; i < argc; i++) {
        if (argv[i][0] == '-') {
            list = takes_list(argv[i]) ? argv[i] : NULL;
            spread[count++] = argv[i];
            if (list && i + 1 < argc)
                spread[count++] = argv[++i];
            else if (i + 1 < argc && argv[i][1] == 'o' && argv[i][2] == '\0')
                spread[count++] = argv[++i];
            continue;
        }
        if (list)
            spread[count++] = list;
        spread[count++] = argv[i];
    }
    *ret_argv = spread;
    return count;
}

int task_note_data(json_t *manifest, const char *path, uint64_t items, const char *role)
{
    RV_AUTO(rv_freep) char *bytes = NULL;
    const char *slash = strrchr(path, '/');
    struct rv_sha256 digest;
    size_t len = 0;
    int r = rv_read_file(AT_FDCWD, path, RV_DATASET_BYTES_MAX, &bytes, &len);

    if (r < 0)
        return task_refuse(path, r, NULL);
    digest = rv_sha256(rv_span(bytes, len));
    r = rv_manifest_add_data(manifest, slash ? slash + 1 : path, &digest, items, role);
    return r < 0 ? task_refuse(path, r, NULL) : 0;
}

static void report(void *context, const char *stage, unsigned permille)
{
    (void)context;
    fprintf(stderr, "\r%-40s %3u %%", stage, permille / 10);
    if (permille >= 1000)
        fputc('\n', stderr);
    fflush(stderr);
}

struct rv_progress task_progress(void)
{
    return (struct rv_progress){ .report = isatty(STDERR_FILENO) ? report : NULL };
}
