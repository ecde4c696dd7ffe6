/* SPDX-License-Identifier: Apache-2.0 */
/* reeve decisions: what went to the log, newest last; and why, from the receipts alone. */
#include "command.h"
#include "view.h"

#include "audit/checkpoint.h"
#include "audit/entry.h"
#include "audit/tile.h"
#include "base/fd.h"
#include "base/options.h"

#include <fcntl.h>
#include <inttypes.h>

#define LOG_DIR        "/var/lib/reeve/log"
#define SCANNED_MAX    ((uint64_t)1000000) /* entries looked at for the last N decisions */
#define CHECKPOINT_MAX ((size_t)64 * 1024)

static bool help, json, explain;
static const char *log_path;
static uint64_t count;

static const struct rv_option options[] = {
    { RV_OPTION_U64, 'n', "count", "N", "the last N decisions (20)", &count, 1, 100000 },
    { RV_OPTION_FLAG, 'e', "explain", NULL, "features, contributions, policies, in words", &explain,
      0, 0 },
    { RV_OPTION_FLAG, 'j', "json", NULL, "the receipts themselves, one a line", &json, 0, 0 },
    { RV_OPTION_STRING, 'l', "log", "DIR", "the log (" LOG_DIR ")", &log_path, 0, 0 },
    { RV_OPTION_FLAG, 'h', "help", NULL, "this text", &help, 0, 0 },
    { 0 },
};

static int open_log(const char *path, struct rv_tiles **ret_tiles, uint64_t *ret_size)
{
    RV_AUTO(rv_closep) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    RV_AUTO(rv_freep) char *text = NULL;
    struct rv_checkpoint checkpoint;
    struct rv_source source;
    enum rv_note_finding finding;
    size_t len = 0;
    int r = fd < 0 ? -errno : rv_read_file(fd, RV_CHECKPOINT_PATH, CHECKPOINT_MAX, &text, &len);

    if (r < 0) {
        fprintf(stderr,
                r == -EACCES ? "you may not read the log in %s; use sudo\n"
                             : "there is no log in %s yet; has the agent run?\n",
                path);
        return r;
    }
    /* Who signed it is the business of `reeve audit verify`; this command only reads. */
    r = rv_checkpoint_open(&checkpoint, &finding, rv_span(text, len), NULL, 0);
    if (r < 0) {
        fprintf(stderr, "the checkpoint in %s is damaged; 'reeve audit verify' says more\n", path);
        return r;
    }
    r = rv_source_dir(&source, fd);
    if (r == 0)
        r = rv_tiles_new(ret_tiles, &source, checkpoint.head.size);
    *ret_size = checkpoint.head.size;
    return r;
}

/** The receipt at an index, or NULL when the entry is no decision. */
static json_t *read_decision(struct rv_tiles *tiles, uint64_t index)
{
    json_t *object = NULL;
    struct rv_span entry;

    if (rv_tiles_entry(tiles, index, &entry) < 0 ||
        rv_entry_read(entry, index, &object) != RV_ENTRY_GOOD)
        return NULL;
    if (!rv_streq(rv_entry_type(object), "decision")) {
        json_decref(object);
        return NULL;
    }
    return object;
}

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
        RV_AUTO(rv_json_freep) json_t *receipt = read_decision(tiles, --oldest);

        found += receipt != NULL;
    }
    for (uint64_t index = oldest; index < size; index++) {
        RV_AUTO(rv_json_freep) json_t *receipt = read_decision(tiles, index);

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
    receipt = read_decision(tiles, index);
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
    uint64_t size = 0;
    int operands, status;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help || operands > 1) {
        fprintf(
            help ? stdout : stderr,
            "usage: reeve decisions [INDEX] [OPTION...]\n\n"
            "Shows decisions from the log; with an index, one of them and all its reasons.\n\n");
        rv_options_help(options, help ? stdout : stderr);
        return help ? RV_EXIT_YES : RV_EXIT_ERROR;
    }
    if (open_log(log_path ? log_path : LOG_DIR, &tiles, &size) < 0)
        return RV_EXIT_ERROR;
    status = operands == 1 ? show_one(tiles, size, argv[1]) : show_last(tiles, size);
    rv_tiles_free(&tiles);
    return status;
}
