/* SPDX-License-Identifier: Apache-2.0 */
/* reeve model compare: two forests on the same rows. Exit status 1 if a decision differs. */
#include "package.h"

#include "base/options.h"
#include "command.h"

#include <math.h>

#define ROWS_WITHOUT_FILE 2000

struct comparison {
    size_t rows, changed;
    double difference_max, difference_mean;
};

static struct comparison compare(const struct rv_forest *a, const struct rv_forest *b,
                                 const struct rv_row_set *rows, int64_t threshold)
{
    struct comparison result = { .rows = rows->count };

    for (size_t i = 0; i < rows->count; i++) {
        const int32_t *row = rows->values + i * rows->width;
        int64_t score_a = rv_forest_score(a, row), score_b = rv_forest_score(b, row);
        double difference = fabs(model_decimal(score_a - score_b));

        result.changed += (score_a > threshold) != (score_b > threshold);
        result.difference_max = fmax(result.difference_max, difference);
        result.difference_mean += difference / (double)rows->count;
    }
    return result;
}

static void print_comparison(const struct comparison *result, bool json)
{
    if (json) {
        model_print_json(json_pack("{s:I, s:I, s:f, s:f}", "rows", (json_int_t)result->rows,
                                   "decisions_changed", (json_int_t)result->changed,
                                   "score_difference_max", result->difference_max,
                                   "score_difference_mean", result->difference_mean));
        return;
    }
    printf("%zu rows, %zu decisions differ; scores differ by at most %.6f, %.6f on average\n",
           result->rows, result->changed, result->difference_max, result->difference_mean);
}

static int run(const char *path_a, const char *path_b, const char *rows_path, bool json)
{
    RV_AUTO(rv_package_free) struct rv_package *package_a = model_open_package(path_a);
    RV_AUTO(rv_package_free) struct rv_package *package_b = model_open_package(path_b);
    RV_AUTO(rv_forest_free) struct rv_forest *a = NULL;
    RV_AUTO(rv_forest_free) struct rv_forest *b = NULL;
    RV_AUTO(rv_row_set_done) struct rv_row_set rows = { 0 };
    struct comparison result;

    if (!package_a || !package_b)
        return RV_EXIT_ERROR;
    a = model_open_forest(package_a, path_a);
    b = model_open_forest(package_b, path_b);
    if (!a || !b)
        return RV_EXIT_ERROR;
    if (rv_forest_spec_of(a).width != rv_forest_spec_of(b).width) {
        fprintf(stderr, "reeve: the models read rows of different width (%u and %u)\n",
                rv_forest_spec_of(a).width, rv_forest_spec_of(b).width);
        return RV_EXIT_ERROR;
    }
    if (rows_path && model_read_rows(rows_path, rv_forest_spec_of(a).width, &rows) < 0)
        return RV_EXIT_ERROR;
    if (!rows_path && rv_row_set_at_boundaries(a, 1, ROWS_WITHOUT_FILE, &rows) < 0)
        return RV_EXIT_ERROR;
    result = compare(a, b, &rows, 0);
    print_comparison(&result, json);
    return result.changed ? RV_EXIT_NO : RV_EXIT_YES;
}

int cmd_model_compare(int argc, char **argv)
{
    bool json = false, help = false;
    const char *rows = NULL;
    const struct rv_option options[] = {
        { RV_OPTION_STRING, 0, "rows", "FILE",
          "rows to compare on, one a line (default: rows at the thresholds of A)", &rows, 0, 0 },
        { RV_OPTION_FLAG, 0, "json", NULL, "print one JSON object", &json, 0, 0 },
        { RV_OPTION_FLAG, 'h', "help", NULL, "print this help", &help, 0, 0 },
        { RV_OPTION_END, 0, NULL, NULL, NULL, NULL, 0, 0 },
    };
    int operands = 0;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help || operands != 2) {
        fprintf(help ? stdout : stderr, "usage: reeve model compare A B [--rows FILE] [--json]\n");
        rv_options_help(options, help ? stdout : stderr);
        return help ? RV_EXIT_YES : RV_EXIT_ERROR;
    }
    return run(argv[1], argv[2], rows, json);
}
