/* SPDX-License-Identifier: Apache-2.0 */
/* reeve model explain: why a row got its score, and what of it an attacker could change. */
#include "package.h"
#include "task.h"

#include "base/options.h"
#include "command.h"
#include "features/table.h"

#define PATHS_MAX 5

struct explanation {
    const struct rv_package *package;
    const struct rv_forest *forest;
    const int32_t *row;
    uint32_t width;
    int64_t score, base, least, most;
    int64_t *attribution;
    uint32_t *order; /* features by size of their attribution */
    size_t shown;
    enum rv_reach_right *rights;
    struct rv_path paths[PATHS_MAX];
    size_t path_count;
};

static void explanation_done(struct explanation *explanation)
{
    free(explanation->attribution);
    free(explanation->order);
    free(explanation->rights);
}

/* Largest first; equal ones by lower feature. Only what is not zero. */
static void sort_features(struct explanation *explanation, size_t top)
{
    size_t count = 0;

    for (uint32_t f = 0; f < explanation->width; f++) {
        size_t at = count;

        if (explanation->attribution[f] == 0)
            continue;
        while (at > 0 && llabs(explanation->attribution[explanation->order[at - 1]]) <
                             llabs(explanation->attribution[f])) {
            explanation->order[at] = explanation->order[at - 1];
            at--;
        }
        explanation->order[at] = f;
        count++;
    }
    explanation->shown = count < top ? count : top;
}

static int fill(struct explanation *explanation, size_t top)
{
    struct rv_shap *shap = NULL;
    uint32_t width = explanation->width;
    int r = rv_shap_new(explanation->forest, &shap);

    explanation->attribution = calloc(width, sizeof(*explanation->attribution));
    explanation->order = calloc(width, sizeof(*explanation->order));
    explanation->rights = calloc(width, sizeof(*explanation->rights));
    if (r < 0 || !explanation->attribution || !explanation->order || !explanation->rights) {
        rv_shap_free(&shap);
        return -ENOMEM;
    }
    rv_shap_explain(shap, explanation->row, explanation->attribution, &explanation->base);
    rv_shap_free(&shap);
    explanation->score = rv_forest_score(explanation->forest, explanation->row);
    sort_features(explanation, top);
    if (width == RV_FEATURE_COUNT && model_is_of_host(explanation->package))
        rv_reach_rights_of_host(explanation->rights);
    rv_forest_reach(explanation->forest, explanation->row, explanation->rights, &explanation->least,
                    &explanation->most);
    explanation->path_count =
        rv_forest_paths(explanation->forest, explanation->row, explanation->paths, PATHS_MAX);
    return 0;
}

static json_t *json_of_path(const struct explanation *explanation, const struct rv_path *path)
{
    json_t *steps = json_array();

    for (uint32_t i = 0; i < path->depth; i++) {
        const struct rv_path_step *step = &path->steps[i];

        (void)json_array_append_new(
            steps, json_pack("{s:s, s:i, s:s, s:i}", "feature",
                             model_feature_name(explanation->package, step->feature).text, "value",
                             step->value, "is", step->value < step->threshold ? "<" : ">=",
                             "threshold", step->threshold));
    }
    return json_pack("{s:I, s:f, s:o}", "tree", (json_int_t)path->tree, "weight",
                     model_decimal(path->weight_q16), "steps", steps);
}

static void print_as_json(const struct explanation *explanation)
{
    json_t *reasons = json_array(), *paths = json_array();

    for (size_t i = 0; i < explanation->shown; i++) {
        uint32_t f = explanation->order[i];

        (void)json_array_append_new(reasons,
                                    json_pack("{s:s, s:i, s:I}", "feature",
                                              model_feature_name(explanation->package, f).text,
                                              "value", explanation->row[f], "attribution_q16",
                                              (json_int_t)explanation->attribution[f]));
    }
    for (size_t i = 0; i < explanation->path_count; i++)
        (void)json_array_append_new(paths, json_of_path(explanation, &explanation->paths[i]));
    model_print_json(json_pack(
        "{s:I, s:I, s:o, s:o, s:{s:I, s:I}}", "score_q16", (json_int_t)explanation->score,
        "base_q16", (json_int_t)explanation->base, "reasons", reasons, "paths", paths, "reach",
        "least_q16", (json_int_t)explanation->least, "most_q16", (json_int_t)explanation->most));
}

static void print_reach(const struct explanation *explanation)
{
    printf("\nWhatever can be raised or diluted without giving up the behaviour moves the score\n"
           "within %.4f to %.4f: ",
           model_decimal(explanation->least), model_decimal(explanation->most));
    if (explanation->score > 0)
        printf("%s\n", explanation->least > 0 ? "no such change lifts this alarm."
                                              : "an alarm that might be evaded.");
    else
        printf("no alarm as it is.\n");
}

static void print_as_text(const struct explanation *explanation)
{
    printf("score %.4f = %.4f (what is usual)", model_decimal(explanation->score),
           model_decimal(explanation->base));
    printf(" + the reasons below\n\n");
    for (size_t i = 0; i < explanation->shown; i++) {
        uint32_t f = explanation->order[i];

        printf("  %+9.4f  %s = %d\n", model_decimal(explanation->attribution[f]),
               model_feature_name(explanation->package, f).text, explanation->row[f]);
    }
    printf("\nThe trees that spoke loudest:\n");
    for (size_t i = 0; i < explanation->path_count; i++) {
        const struct rv_path *path = &explanation->paths[i];

        printf("  %+9.4f  tree %u:", model_decimal(path->weight_q16), path->tree);
        for (uint32_t j = 0; j < path->depth; j++)
            printf("%s %s %s %d", j ? "," : "",
                   model_feature_name(explanation->package, path->steps[j].feature).text,
                   path->steps[j].value < path->steps[j].threshold ? "<" : ">=",
                   path->steps[j].threshold);
        putchar('\n');
    }
    print_reach(explanation);
}

static int run(const char *path, const char *rows_path, uint64_t number, uint64_t top, bool json)
{
    RV_AUTO(rv_package_free) struct rv_package *package = model_open_package(path);
    RV_AUTO(rv_forest_free) struct rv_forest *forest = NULL;
    RV_AUTO(rv_row_set_done) struct rv_row_set rows = { 0 };
    RV_AUTO(explanation_done) struct explanation explanation = { 0 };

    if (!package)
        return RV_EXIT_ERROR;
    forest = model_open_forest(package, path);
    if (!forest || model_read_rows(rows_path, rv_forest_spec_of(forest).width, &rows) < 0)
        return RV_EXIT_ERROR;
    if (number < 1 || number > rows.count) {
        fprintf(stderr, "reeve: %s has %zu rows; --row counts from 1\n", rows_path, rows.count);
        return RV_EXIT_ERROR;
    }
    explanation.package = package;
    explanation.forest = forest;
    explanation.width = rows.width;
    explanation.row = rows.values + (number - 1) * rows.width;
    if (fill(&explanation, top) < 0) {
        fprintf(stderr, "reeve: out of memory\n");
        return RV_EXIT_ERROR;
    }
    if (json)
        print_as_json(&explanation);
    else
        print_as_text(&explanation);
    return RV_EXIT_YES;
}

/** An item of a data file, by the task that the package was trained for. */
static int run_task(const char *path, const char *input, const struct task_question *question)
{
    RV_AUTO(rv_package_free) struct rv_package *package = model_open_package(path);
    const struct model_task *task;
    struct rv_span section;

    if (!package)
        return RV_EXIT_ERROR;
    task = model_task_of(package, &section);
    if (!task || !task->explain) {
        fprintf(stderr, "reeve: %s explains no data files; give it rows with --rows\n", path);
        return RV_EXIT_ERROR;
    }
    return task->explain(package, input, question) < 0 ? RV_EXIT_ERROR : RV_EXIT_YES;
}

int cmd_model_explain(int argc, char **argv)
{
    bool json = false, help = false;
    const char *rows = NULL, *input = NULL, *id = NULL;
    uint64_t number = 1, top = 8;
    const struct rv_option options[] = {
        { RV_OPTION_STRING, 0, "rows", "FILE", "rows of a forest, one a line", &rows, 0, 0 },
        { RV_OPTION_U64, 0, "row", "N", "which row, from 1", &number, 1, 0 },
        { RV_OPTION_STRING, 0, "input", "FILE", "traces, series, command lines, or a stream",
          &input, 0, 0 },
        { RV_OPTION_STRING, 0, "id", "ID", "which of them (default: the highest score)", &id, 0,
          0 },
        { RV_OPTION_U64, 0, "top", "N", "how many reasons to print", &top, 1, 4096 },
        { RV_OPTION_FLAG, 0, "json", NULL, "print one JSON object", &json, 0, 0 },
        { RV_OPTION_FLAG, 'h', "help", NULL, "print this help", &help, 0, 0 },
        { RV_OPTION_END, 0, NULL, NULL, NULL, NULL, 0, 0 },
    };
    int operands = 0;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help || operands != 1 || !rows == !input) {
        fprintf(help ? stdout : stderr,
                "usage: reeve model explain MODEL --rows FILE [--row N] [--json]\n"
                "       reeve model explain MODEL --input FILE [--id ID] [--json]\n");
        rv_options_help(options, help ? stdout : stderr);
        return help ? RV_EXIT_YES : RV_EXIT_ERROR;
    }
    if (input)
        return run_task(argv[1], input, &(struct task_question){ id, top, json });
    return run(argv[1], rows, number, top, json);
}
