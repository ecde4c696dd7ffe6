/* SPDX-License-Identifier: Apache-2.0 */
/* reeve decisions: what went to the log, newest last; and why, from the receipts alone. */
#include "command.h"
#include "view.h"

#include "audit/entry.h"
#include "base/options.h"
#include "decisions/log.h"

#include <inttypes.h>

#define SCANNED_MAX ((uint64_t)1000000) /* entries looked at for the last N decisions */

static bool help, json, explain;
static const char *log_path;
static uint64_t count;

static const struct rv_option options[] = {
    { RV_OPTION_U64, 'n', "count", "N", "the last N decisions (20)", &count, 1, 100000 },
    { RV_OPTION_FLAG, 'e', "explain", NULL, "features, contributions, policies, in words", &explain,
      0, 0 },
    { RV_OPTION_FLAG, 'j', "json", NULL, "the receipts themselves, one a line", &json, 0, 0 },
    { RV_OPTION_STRING, 'l', "log", "DIR", "the log (" DECISIONS_LOG_DIR ")", &log_path, 0, 0 },
    { RV_OPTION_FLAG, 'h', "help", NULL, "this text", &help, 0, 0 },
    { 0 },
};

static void show(const struct rv_view *view, const json_t *receipt)
{
    const json_t *event = json_object_get(receipt, "event");
    int64_t offset = (int64_t)rv_entry_time_us(receipt) * 1000 -
                     (int64_t)json_integer_value(json_object_get(event, "time_boot_ns"));

    if (json) {
        json_dumpf(receipt, stdout, JSON_COMPACT | JSON_SORT_KEYS);
        putchar('\n');
        return;
    }
    printf("%6" JSON_INTEGER_FORMAT " ", json_integer_value(json_object_get(receipt, "seq")));
    if (explain)
        rv_view_explain(view, receipt);
    else
        rv_view_outcome(view, receipt, offset);
}

static int show_last(struct rv_tiles *tiles, uint64_t size)
{
    uint64_t wanted = count ? count : 20, found = 0, oldest = size;
    struct rv_view view = rv_view_stdout();
    uint64_t stop = size > SCANNED_MAX ? size - SCANNED_MAX : 0;

    while (oldest > stop && found < wanted) {
        RV_AUTO(rv_json_freep) json_t *receipt = decisions_read(tiles, --oldest, "decision");

        found += receipt != NULL;
    }
    for (uint64_t index = oldest; index < size; index++) {
        RV_AUTO(rv_json_freep) json_t *receipt = decisions_read(tiles, index, "decision");

        if (receipt)
            show(&view, receipt);
    }
    if (found == 0 && !json)
        fprintf(stderr, "no decision has mattered yet\n");
    return RV_EXIT_YES;
}

static int show_one(struct rv_tiles *tiles, uint64_t size, const char *text)
{
    struct rv_view view = rv_view_stdout();
    RV_AUTO(rv_json_freep) json_t *receipt = NULL;
    char *end;
    uint64_t index = strtoull(text, &end, 10);

    if (*end || end == text || index >= size) {
        fprintf(stderr, "'%s' is not an entry of the log, which has %" PRIu64 "\n", text, size);
        return RV_EXIT_ERROR;
    }
    receipt = decisions_read(tiles, index, "decision");
    if (!receipt) {
        fprintf(stderr, "entry %s is not a decision; 'reeve audit show %s' prints it\n", text,
                text);
        return RV_EXIT_ERROR;
    }
    explain = !json;
    show(&view, receipt);
    return RV_EXIT_YES;
}

int cmd_decisions(int argc, char **argv)
{
    struct rv_tiles *tiles = NULL;
    struct rv_checkpoint checkpoint;
    int operands, status;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help || operands > 1) {
        fprintf(
            help ? stdout : stderr,
            "usage: reeve decisions [INDEX] [OPTION...]\n\n"
            "       reeve decisions label INDEX benign|malicious [--note TEXT]\n"
            "       reeve decisions labels [-o FILE]\n\n"
            "Shows decisions from the log; with an index, one of them and all its reasons.\n\n");
        rv_options_help(options, help ? stdout : stderr);
        return help ? RV_EXIT_YES : RV_EXIT_ERROR;
    }
    if (decisions_open_log(log_path, &tiles, &checkpoint) < 0)
        return RV_EXIT_ERROR;
    status = operands == 1 ? show_one(tiles, checkpoint.head.size, argv[1])
                           : show_last(tiles, checkpoint.head.size);
    rv_tiles_free(&tiles);
    return status;
}
