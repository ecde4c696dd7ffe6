/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reeve model run: score rows with a model that is not ours to evaluate: any ONNX graph through
 * ONNX Runtime, or a server that speaks the Open Inference Protocol, with our own forest to fall
 * back on.
 */
#include "package.h"

#include "base/fd.h"
#include "base/options.h"
#include "command.h"
#include "models/onnx_runtime.h"
#include "models/remote.h"

#include <fcntl.h>

#define ONNX_BYTES_MAX ((size_t)512 << 20)

static void put(size_t row, const char *source, double score, bool json)
{
    if (json)
        printf("{\"id\":\"%zu\",\"source\":\"%s\",\"score\":%.9g}\n", row + 1, source, score);
    else
        printf("%zu\t%s\t%.6f\n", row + 1, source, score);
}

/* ---- ONNX Runtime ---- */

static int run_rows(struct rv_onnx_session *session, const struct rv_row_set *rows, bool json)
{
    size_t cells = rows->count * rows->width;
    RV_AUTO(rv_freep) float *values = malloc((cells + 1) * sizeof(*values));
    RV_AUTO(rv_freep) float *scores = malloc((rows->count + 1) * sizeof(*scores));
    struct rv_onnx_error error = { 0 };
    int r;

    if (!values || !scores)
        return -ENOMEM;
    for (size_t i = 0; i < cells; i++)
        values[i] = (float)rows->values[i];
    r = rv_onnx_run(session, values, rows->count, rows->width, scores, &error);
    if (r < 0)
        fprintf(stderr, "reeve: the model does not take these rows: %s\n", error.message);
    for (size_t i = 0; i < rows->count && r == 0; i++)
        put(i, "onnx", (double)scores[i], json);
    return r;
}

static int run_onnx(const char *path, const char *input, bool json)
{
    RV_AUTO(rv_freep) char *bytes = NULL;
    RV_AUTO(rv_onnx_free) struct rv_onnx_session *session = NULL;
    RV_AUTO(rv_row_set_done) struct rv_row_set rows = { 0 };
    struct rv_onnx_error error = { 0 };
    size_t len;
    int r = rv_read_file(AT_FDCWD, path, ONNX_BYTES_MAX, &bytes, &len);

    if (r < 0) {
        fprintf(stderr, "reeve: %s: %s\n", path, strerror(-r));
        return RV_EXIT_ERROR;
    }
    if (model_read_rows(input, 0, &rows) < 0)
        return RV_EXIT_ERROR;
    r = rv_onnx_open(NULL, rv_span(bytes, len), &session, &error);
    if (r < 0) {
        fprintf(stderr, "reeve: %s cannot be run: %s\n", path, error.message);
        return RV_EXIT_ERROR;
    }
    return run_rows(session, &rows, json) < 0 ? RV_EXIT_ERROR : RV_EXIT_YES;
}

/* ---- A server ---- */

/** "host:port" in place. @return false if it is not that. */
static bool split_address(char *address, struct rv_remote_options *options)
{
    char *colon = strrchr(address, ':'), *end;
    unsigned long port;

    if (!colon || colon == address)
        return false;
    port = strtoul(colon + 1, &end, 10);
    if (end == colon + 1 || *end || port == 0 || port > UINT16_MAX)
        return false;
    *colon = '\0';
    options->host = address;
    options->port = (uint16_t)port;
    return true;
}

static int run_remote(struct rv_remote_options *options, const char *local, const char *input,
                      bool json)
{
    RV_AUTO(rv_package_free) struct rv_package *package = model_open_package(local);
    RV_AUTO(rv_forest_free) struct rv_forest *forest = NULL;
    RV_AUTO(rv_row_set_done) struct rv_row_set rows = { 0 };
    RV_AUTO(rv_remote_free) struct rv_remote *remote = NULL;
    size_t answered = 0;
    int r;

    if (!package)
        return RV_EXIT_ERROR;
    forest = model_open_forest(package, local);
    if (!forest || model_read_rows(input, rv_forest_spec_of(forest).width, &rows) < 0)
        return RV_EXIT_ERROR;
    r = rv_remote_new(options, &remote);
    if (r < 0) {
        fprintf(stderr, "reeve: no client: %s\n", strerror(-r));
        return RV_EXIT_ERROR;
    }
    for (size_t i = 0; i < rows.count; i++) {
        enum rv_score_source source = RV_SCORE_LOCAL;
        int64_t score =
            rv_remote_score_or_local(remote, forest, rows.values + i * rows.width, &source);

        answered += source == RV_SCORE_REMOTE;
        put(i, source == RV_SCORE_REMOTE ? "remote" : "local", model_decimal(score), json);
    }
    fprintf(stderr, "%zu of %zu rows were answered by %s:%u in time\n", answered, rows.count,
            options->host, options->port);
    return RV_EXIT_YES;
}

int cmd_model_run(int argc, char **argv)
{
    struct rv_remote_options remote = { .clock = rv_clock_system() };
    const char *onnx = NULL, *address = NULL, *name = NULL, *tensor = "input", *local = NULL,
               *input = NULL;
    bool json = false, help = false, floats = false;
    uint64_t deadline = 50;
    RV_AUTO(rv_freep) char *copy = NULL;
    int operands = 0;
    const struct rv_option options[] = {
        { RV_OPTION_STRING, 'i', "input", "FILE", "rows to score, one a line", &input, 0, 0 },
        { RV_OPTION_STRING, 0, "onnx", "FILE", "a graph to run in ONNX Runtime", &onnx, 0, 0 },
        { RV_OPTION_STRING, 0, "remote", "HOST:PORT", "a server of the Open Inference Protocol",
          &address, 0, 0 },
        { RV_OPTION_STRING, 0, "name", "NAME", "the server's name for the model", &name, 0, 0 },
        { RV_OPTION_STRING, 0, "tensor", "NAME", "its input (default: input)", &tensor, 0, 0 },
        { RV_OPTION_FLAG, 0, "fp32", NULL, "send floats instead of integers", &floats, 0, 0 },
        { RV_OPTION_U64, 0, "deadline", "MS", "for one row (default 50)", &deadline, 1, 60000 },
        { RV_OPTION_STRING, 'm', "model", "FILE", "our own forest, when no answer comes in time",
          &local, 0, 0 },
        { RV_OPTION_FLAG, 0, "json", NULL, "one JSON object a row", &json, 0, 0 },
        { RV_OPTION_FLAG, 'h', "help", NULL, "print this help", &help, 0, 0 },
        { RV_OPTION_END, 0, NULL, NULL, NULL, NULL, 0, 0 },
    };

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    copy = address ? strdup(address) : NULL;
    if (!help && operands == 0 && input && onnx && !address)
        return run_onnx(onnx, input, json);
    if (!help && operands == 0 && input && copy && !onnx && name && local &&
        split_address(copy, &remote)) {
        remote.model = name;
        remote.input = tensor;
        remote.datatype = floats ? RV_REMOTE_FP32 : RV_REMOTE_INT32;
        remote.deadline_ms = (uint32_t)deadline;
        return run_remote(&remote, local, input, json);
    }
    fputs(
        "usage: reeve model run --onnx FILE --input ROWS [--json]\n"
        "       reeve model run --remote HOST:PORT --name NAME --model FILE --input ROWS [--json]\n"
        "Prints a line a row: number, who scored it (onnx, remote, local), raw score.\n\n",
        help ? stdout : stderr);
    rv_options_help(options, help ? stdout : stderr);
    return help ? RV_EXIT_YES : RV_EXIT_ERROR;
}
