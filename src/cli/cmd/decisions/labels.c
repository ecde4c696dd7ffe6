/* SPDX-License-Identifier: Apache-2.0 */
/* reeve decisions labels: what people judged, each with the vector that was judged, for training.
 */
#include "command.h"
#include "log.h"

#include "base/options.h"

#include <inttypes.h>
#include <stdio.h>

/** One line of models/labels.h from a label and the receipt that it judges. */
static int write_line(FILE *to, const char *host, const json_t *label, const json_t *receipt)
{
    const json_t *verdict = json_object_get(receipt, "verdict");
    RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };
    RV_AUTO(rv_json_freep)
    json_t *line =
        json_pack("{sO* sO* sO* ss sO* sO* sO* sO* sO*}", "class",
                  json_object_get(verdict, "class"), "entry", json_object_get(label, "entry"),
                  "feature_table", json_object_get(receipt, "feature_table"), "host", host, "label",
                  json_object_get(label, "label"), "model", json_object_get(verdict, "model"),
                  "note", json_object_get(label, "note"), "uid", json_object_get(label, "uid"),
                  "vector", json_object_get(verdict, "vector"));
    int r = line ? rv_json_canonical(&text, line) : -ENOMEM;

    if (r < 0)
        return r;
    return fprintf(to, "%s\n", text.data) < 0 ? -EIO : 0;
}

static int write_labels(FILE *to, struct rv_tiles *tiles, const struct rv_checkpoint *checkpoint,
                        uint64_t *ret_count)
{
    for (uint64_t index = 0; index < checkpoint->head.size; index++) {
        RV_AUTO(rv_json_freep) json_t *label = decisions_read(tiles, index, "label");
        RV_AUTO(rv_json_freep) json_t *receipt = NULL;
        int r;

        if (!label)
            continue;
        receipt = decisions_read(
            tiles, (uint64_t)json_integer_value(json_object_get(label, "entry")), "decision");
        if (!receipt)
            continue;
        r = write_line(to, checkpoint->origin, label, receipt);
        if (r < 0)
            return r;
        (*ret_count)++;
    }
    return 0;
}

static int run(const char *log_path, const char *output)
{
    struct rv_tiles *tiles = NULL;
    struct rv_checkpoint checkpoint;
    uint64_t count = 0;
    FILE *to = stdout;
    int r;

    if (decisions_open_log(log_path, &tiles, &checkpoint) < 0)
        return RV_EXIT_ERROR;
    if (output)
        to = fopen(output, "we");
    r = to ? write_labels(to, tiles, &checkpoint, &count) : -errno;
    if (to && output && fclose(to) != 0 && r == 0)
        r = -errno;
    rv_tiles_free(&tiles);
    if (r < 0) {
        fprintf(stderr, "cannot write %s: %s\n", output ? output : "the labels", strerror(-r));
        return RV_EXIT_ERROR;
    }
    if (output)
        fprintf(stderr, "%" PRIu64 " labels\n", count);
    return RV_EXIT_YES;
}

int cmd_decisions_labels(int argc, char **argv)
{
    const char *log_path = NULL, *output = NULL;
    bool help = false;
    const struct rv_option options[] = {
        { RV_OPTION_STRING, 'o', "output", "FILE", "where they go (standard output)", &output, 0,
          0 },
        { RV_OPTION_STRING, 'l', "log", "DIR", "the log (" DECISIONS_LOG_DIR ")", &log_path, 0, 0 },
        { RV_OPTION_FLAG, 'h', "help", NULL, "this text", &help, 0, 0 },
        { 0 },
    };
    int operands;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help || operands > 0) {
        fprintf(help ? stdout : stderr,
                "usage: reeve decisions labels [-o FILE] [--log DIR]\n\n"
                "Writes what people judged as JSON lines, for 'reeve model train --labels'.\n\n");
        rv_options_help(options, help ? stdout : stderr);
        return help ? RV_EXIT_YES : RV_EXIT_ERROR;
    }
    return run(log_path, output);
}
