/* SPDX-License-Identifier: Apache-2.0 */
/* Runs both heads of a package for the kernel there and in user space, on its golden rows and on
 * rows of its own. usage: kernel_package PACKAGE. Exit status 77: this user may not load BPF. */
#include "enforce/score_package.h"
#include "features/table.h"
#include "models/forest_model.h"

#include <fcntl.h>
#include <stdio.h>

#define ROWS 500U /* at the thresholds of each head */

static int try(const struct rv_kernel_model *model, const struct rv_row_set *rows)
{
    struct rv_kernel_trial trial = { 0 }, table = { 0 };
    int r = rv_kernel_try(model, rows->values, (uint32_t)rows->count, &trial);

    if (r == 0)
        r = rv_kernel_table_try(model, rows->values, (uint32_t)rows->count, &table);
    if (r < 0) {
        printf("# %s\n", strerror(-r));
        return r == -EPERM ? 77 : 1;
    }
    printf("# %u rows: %u differ as programs of %u instructions, %u as tables\n", trial.rows,
           trial.mismatches, trial.instructions, table.mismatches);
    return trial.rows == rows->count && !trial.mismatches && !table.mismatches ? 0 : 1;
}

int main(int argc, char **argv)
{
    RV_AUTO(rv_package_free) struct rv_package *package = NULL;
    RV_AUTO(rv_score_package_free) struct rv_score_package *made = NULL;
    RV_AUTO(rv_row_set_done) struct rv_row_set golden = { 0 };
    const struct rv_score_candidate *candidate;
    const char *why = "?";
    int status;

    if (argc != 2 || rv_package_open_file(AT_FDCWD, argv[1], &package, &why) < 0 ||
        rv_score_package_open(package, &made, &why) < 0) {
        printf("# %s\n", why);
        return 1;
    }
    candidate = rv_score_package_candidate(made);
    if (!candidate->model.heads[RV_KERNEL_MONOTONE] ||
        rv_golden_check(candidate->model.heads[RV_KERNEL_WINDOW], candidate->golden, &golden) < 0)
        return 1;
    status = try(&candidate->model, &golden);
    for (size_t i = 0; status == 0 && i < RV_KERNEL_HEADS; i++) {
        RV_AUTO(rv_row_set_done) struct rv_row_set rows = { 0 };

        if (rv_row_set_at_boundaries(candidate->model.heads[i], 99 + i, ROWS, &rows) < 0)
            return 1;
        status = try(&candidate->model, &rows);
    }
    return status;
}
