/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel_scores.h"

#include "base/log.h"
#include "enforce/score_package.h"

#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

struct rv_kernel_scores {
    struct rv_score *score;
    uint64_t live, shadow; /* digests; 0: none */
};

/** Files whose opening is scored: those named, and those that lie in a folder that is. */
static void watch(struct rv_score *score, const struct rv_config_list *paths)
{
    for (size_t i = 0; i < paths->count; i++) {
        const char *path = paths->items[i];
        bool is_folder = path[0] && path[strlen(path) - 1] == '/';
        DIR *dir = is_folder ? opendir(path) : NULL;
        const struct dirent *file;
        int r = is_folder ? 0 : rv_score_watch(score, path);

        while (dir && r != -ENOSPC && (file = readdir(dir))) {
            char inside[PATH_MAX];

            (void)snprintf(inside, sizeof(inside), "%s%s", path, file->d_name);
            if (file->d_type == DT_REG)
                r = rv_score_watch(score, inside);
        }
        if (dir)
            (void)closedir(dir);
        if (r == -ENOSPC)
            rv_warning("more files are watched than the kernel's scores can hold");
    }
}

static int put_live(struct rv_kernel_scores *kernel, const struct rv_score_package *package)
{
    const struct rv_score_candidate *candidate = rv_score_package_candidate(package);
    struct rv_kernel_trial trial;
    int r = rv_score_promote(kernel->score, candidate, &trial);

    kernel->shadow = 0; /* it went with the old one */
    if (r < 0)
        return r;
    kernel->live = candidate->model.digest;
    rv_notice("the kernel scores with %016" PRIx64 ": %" PRIu32 " golden rows came out",
              kernel->live, trial.rows);
    return 0;
}

/** It decides nothing: one that the kernel does not take is only said. */
static void put_shadow(struct rv_kernel_scores *kernel, const struct rv_score_package *package)
{
    const struct rv_score_candidate *candidate = rv_score_package_candidate(package);
    int r = rv_score_shadow(kernel->score, candidate);

    if (r < 0)
        rv_warning("the kernel takes no shadow (%s)", strerror(-r));
    else
        kernel->shadow = candidate->model.digest;
}

static int put_none(struct rv_kernel_scores *kernel)
{
    if (kernel->live)
        rv_notice("the kernel scores no more: risk is the judge's alone");
    kernel->live = kernel->shadow = 0;
    return rv_score_disarm(kernel->score);
}

int rv_kernel_scores_put(struct rv_kernel_scores *kernel, const struct rv_kernel_models *models)
{
    int r;

    if (!models->live)
        return put_none(kernel);
    r = put_live(kernel, models->live);
    if (r < 0) {
        int none = put_none(kernel);

        return none < 0 ? none : r;
    }
    if (models->shadow)
        put_shadow(kernel, models->shadow);
    return 0;
}

static int load(struct rv_kernel_scores *kernel, const struct rv_kernel_scores_options *options,
                enum rv_score_way way)
{
    struct rv_score_options how = { .risks_fd = options->risks_fd, .way = way };
    int r = rv_score_open(&kernel->score, &how);

    return r < 0 || !options->models->live ? r : rv_kernel_scores_put(kernel, options->models);
}

int rv_kernel_scores_open(struct rv_kernel_scores **ret_score,
                          const struct rv_kernel_scores_options *options)
{
    RV_AUTO(rv_kernel_scores_close) struct rv_kernel_scores *kernel = calloc(1, sizeof(*kernel));
    int r = kernel ? load(kernel, options, RV_SCORE_EMITTED) : -ENOMEM;

    if (r == -EPERM && kernel->score) { /* it takes our programs, but none that a model becomes */
        rv_score_close(&kernel->score);
        r = load(kernel, options, RV_SCORE_TABLES);
    }
    if (r == 0)
        r = rv_score_own(kernel->score, options->own_fd);
    if (r < 0)
        return r;
    watch(kernel->score, &options->config->read_watch);
    *ret_score = RV_TAKE(kernel);
    return 0;
}

void rv_kernel_scores_close(struct rv_kernel_scores **score)
{
    if (!*score)
        return;
    rv_score_close(&(*score)->score);
    free(*score);
    *score = NULL;
}

int rv_kernel_scores_kind(struct rv_kernel_scores *score, const char *path, uint32_t kind)
{
    return rv_score_kind(score->score, path, kind);
}

void rv_kernel_scores_count(const struct rv_kernel_scores *score,
                            struct rv_channel_scores *ret_scores)
{
    struct rv_score_counts counts;

    if (rv_score_count(score->score, &counts) < 0)
        return;
    *ret_scores = (struct rv_channel_scores){
        .model = score->live,
        .shadow = score->shadow,
        .scored = counts.scored,
        .missed = counts.no_storage + counts.crowded + counts.unanswered,
        .shadowed = counts.shadowed,
        .only_live = counts.only_live,
        .only_shadow = counts.only_shadow,
    };
}
