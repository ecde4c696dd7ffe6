/* SPDX-License-Identifier: Apache-2.0 */
/* reeve model bench: what a score, its reasons and the in-kernel form cost on this machine. */
#include "package.h"

#include "base/options.h"
#include "command.h"

#include <time.h>

#define ROWS_WITHOUT_FILE 1024
#define ROUNDS            9

struct costs {
    size_t rows;
    double score_ns, batch_ns, reasons_ns; /* a row */
    int kernel_result;                     /* 0, or why there is no figure */
    struct rv_kernel_trial kernel;
};

static double now_ns(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static int compare_doubles(const void *a, const void *b)
{
    double left, right;

    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    return (left > right) - (left < right);
}

struct work {
    const struct rv_forest *forest;
    const struct rv_row_set *rows;
    struct rv_shap *shap;
    int64_t *scores, *attribution;
};

static void score_all(struct work *work)
{
    for (size_t i = 0; i < work->rows->count; i++)
        work->scores[i] = rv_forest_score(work->forest, work->rows->values + i * work->rows->width);
}

static void score_batch(struct work *work)
{
    rv_forest_score_rows(work->forest, work->rows->values, work->rows->count, work->scores);
}

static void explain_all(struct work *work)
{
    for (size_t i = 0; i < work->rows->count; i++)
        rv_shap_explain(work->shap, work->rows->values + i * work->rows->width, work->attribution,
                        &work->scores[i]);
}

/* Median over rounds of the mean time of a row. */
static double time_of(void (*run)(struct work *), struct work *work)
{
    double rounds[ROUNDS];

    for (size_t i = 0; i < ROUNDS; i++) {
        double from = now_ns();

        run(work);
        rounds[i] = (now_ns() - from) / (double)work->rows->count;
    }
    qsort(rounds, ROUNDS, sizeof(*rounds), compare_doubles);
    return rounds[ROUNDS / 2];
}

static int measure(const struct rv_package *package, const struct rv_forest *forest,
                   const struct rv_row_set *rows, struct costs *costs)
{
    struct work work = { .forest = forest, .rows = rows };
    struct rv_sha256 digest = rv_package_digest(package);
    struct rv_kernel_model model = { { forest, NULL }, rv_kernel_digest(&digest) };
    int r = rv_shap_new(forest, &work.shap);

    work.scores = calloc(rows->count, sizeof(*work.scores));
    work.attribution = calloc(rows->width, sizeof(*work.attribution));
    if (r == 0 && work.scores && work.attribution) {
        costs->rows = rows->count;
        costs->score_ns = time_of(score_all, &work);
        costs->batch_ns = time_of(score_batch, &work);
        costs->reasons_ns = time_of(explain_all, &work);
        costs->kernel_result =
            rv_kernel_try(&model, rows->values, (uint32_t)rows->count, &costs->kernel);
    } else {
        r = -ENOMEM;
    }
    free(work.scores);
    free(work.attribution);
    rv_shap_free(&work.shap);
    return r;
}

static void print_costs(const struct costs *costs, bool json)
{
    const struct rv_kernel_trial *kernel = &costs->kernel;

    if (json) {
        json_t *out = json_pack("{s:I, s:f, s:f, s:f}", "rows", (json_int_t)costs->rows, "score_ns",
                                costs->score_ns, "batch_ns", costs->batch_ns, "reasons_ns",
                                costs->reasons_ns);

        if (costs->kernel_result == 0)
            (void)json_object_set_new(out, "kernel",
                                      json_pack("{s:I, s:I, s:I}", "ns", (json_int_t)kernel->ns,
                                                "instructions", (json_int_t)kernel->instructions,
                                                "mismatches", (json_int_t)kernel->mismatches));
        model_print_json(out);
        return;
    }
    printf("score             %8.0f ns a row\nscore, in batches %8.0f ns a row\n"
           "exact reasons     %8.0f ns a row\n",
           costs->score_ns, costs->batch_ns, costs->reasons_ns);
    if (costs->kernel_result == 0)
        printf("in the kernel     %8u ns a row, %u instructions, %u of %u rows differ\n",
               kernel->ns, kernel->instructions, kernel->mismatches, kernel->rows);
    else
        printf("in the kernel     not measured: %s\n", strerror(-costs->kernel_result));
}

static int run(const char *path, const char *rows_path, bool json)
{
    RV_AUTO(rv_package_free) struct rv_package *package = model_open_package(path);
    RV_AUTO(rv_forest_free) struct rv_forest *forest = NULL;
    RV_AUTO(rv_row_set_done) struct rv_row_set rows = { 0 };
    struct costs costs = { 0 };

    if (!package)
        return RV_EXIT_ERROR;
    forest = model_open_forest(package, path);
    if (!forest)
        return RV_EXIT_ERROR;
    if (rows_path && model_read_rows(rows_path, rv_forest_spec_of(forest).width, &rows) < 0)
        return RV_EXIT_ERROR;
    if (!rows_path && rv_row_set_at_boundaries(forest, 1, ROWS_WITHOUT_FILE, &rows) < 0)
        return RV_EXIT_ERROR;
    if (rows.count == 0 || measure(package, forest, &rows, &costs) < 0) {
        fprintf(stderr, "reeve: there is no row to measure with\n");
        return RV_EXIT_ERROR;
    }
    print_costs(&costs, json);
    return costs.kernel_result == 0 && costs.kernel.mismatches ? RV_EXIT_NO : RV_EXIT_YES;
}

int cmd_model_bench(int argc, char **argv)
{
    bool json = false, help = false;
    const char *rows = NULL;
    const struct rv_option options[] = {
        { RV_OPTION_STRING, 0, "rows", "FILE",
          "rows to measure with (default: rows at the model's own thresholds)", &rows, 0, 0 },
        { RV_OPTION_FLAG, 0, "json", NULL, "print one JSON object", &json, 0, 0 },
        { RV_OPTION_FLAG, 'h', "help", NULL, "print this help", &help, 0, 0 },
        { RV_OPTION_END, 0, NULL, NULL, NULL, NULL, 0, 0 },
    };
    int operands = 0;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help || operands != 1) {
        fprintf(help ? stdout : stderr, "usage: reeve model bench MODEL [--rows FILE] [--json]\n");
        rv_options_help(options, help ? stdout : stderr);
        return help ? RV_EXIT_YES : RV_EXIT_ERROR;
    }
    return run(argv[1], rows, json);
}
