/* SPDX-License-Identifier: Apache-2.0 */
/* reeve model score: one line an item, id<TAB>risk<TAB>raw score. */
#include "command.h"
#include "task.h"

#include "models/package.h"

#include <fcntl.h>
#include <stdio.h>

/** The id is from the data: no byte of it may end the cell or the line, or steer a terminal. */
static int put_line(void *context, const char *id, const struct rv_score *score)
{
    (void)context;
    for (const char *c = id; *c; c++) {
        if (putchar((unsigned char)*c < ' ' || *c == 0x7f ? '?' : *c) == EOF)
            return -EIO;
    }
    return printf("\t%u\t%.6f\n", score->risk, score->raw) < 0 ? -EIO : 0;
}

static int put_json(void *context, const char *id, const struct rv_score *score)
{
    RV_AUTO(rv_buf_done) struct rv_buf line = { 0 };

    (void)context;
    rv_buf_add_str(&line, "{\"id\":");
    rv_json_add_string(&line, rv_span_str(id));
    rv_buf_addf(&line, ",\"risk\":%u,\"raw\":%.6f}", score->risk, score->raw);
    if (line.failed)
        return -ENOMEM;
    return puts(line.data) < 0 ? -EIO : 0;
}

static int score(const char *model, const char *input, bool json)
{
    RV_AUTO(rv_package_free) struct rv_package *package = NULL;
    const struct task_sink sink = { .put = json ? put_json : put_line };
    const struct model_task *task;
    const char *why = NULL;
    struct rv_span section = { 0 };
    int r = rv_package_open_file(AT_FDCWD, model, &package, &why);

    if (r < 0) {
        fprintf(stderr, "%s is not a model that can be used: %s\n", model,
                why ? why : strerror(-r));
        return RV_EXIT_ERROR;
    }
    task = model_task_of(package, &section);
    if (!task) {
        fprintf(stderr, "%s holds no model for data files; 'reeve model inspect' says what it is\n",
                model);
        return RV_EXIT_ERROR;
    }
    r = task->score(package, input, &sink);
    if (r == 0 && fflush(stdout) != 0)
        r = -errno;
    if (r == -EIO || r == -EPIPE)
        fprintf(stderr, "cannot write the scores: %s\n", strerror(-r));
    return r < 0 ? RV_EXIT_ERROR : RV_EXIT_YES;
}

int cmd_model_score(int argc, char **argv)
{
    const char *model = NULL, *input = NULL;
    bool json = false, help = false;
    int operands = 0;
    const struct rv_option options[] = {
        { RV_OPTION_STRING, 'm', "model", "FILE", "the package to score with", &model, 0, 0 },
        { RV_OPTION_STRING, 'i', "input", "FILE", "the data to score", &input, 0, 0 },
        { RV_OPTION_FLAG, 0, "json", NULL, "one JSON object an item", &json, 0, 0 },
        { RV_OPTION_FLAG, 'h', "help", NULL, "print this help", &help, 0, 0 },
        { RV_OPTION_END, 0, NULL, NULL, NULL, NULL, 0, 0 },
    };

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help || !model || !input || operands > 0) {
        FILE *to = help ? stdout : stderr;

        fputs(
            "usage: reeve model score --model FILE --input FILE [--json]\n"
            "Prints a line an item: id, risk (200: one in a hundred normal items scores as high,\n"
            "300: one in a thousand; never above what the calibration supports), raw score.\n\n",
            to);
        rv_options_help(options, to);
        return help ? RV_EXIT_YES : RV_EXIT_ERROR;
    }
    return score(model, input, json);
}
