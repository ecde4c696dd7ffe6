/* SPDX-License-Identifier: Apache-2.0 */
/* reeve watch: what happens on this host, as it happens. */
#include "client.h"
#include "command.h"
#include "view.h"

#include "agent/filter.h"
#include "base/clock.h"
#include "base/options.h"

#include <inttypes.h>

static bool help, json, denied;
static const char *socket_path, *program;
static uint64_t risk_min;
static struct rv_option_list actions;

static const struct rv_option options[] = {
    { RV_OPTION_LIST, 'a', "action", "NAME",
      "only this action or group, such as process.exec or file", &actions, 0, 0 },
    { RV_OPTION_STRING, 'p', "program", "PATH",
      "only this program; a * at the end: paths that begin so", &program, 0, 0 },
    { RV_OPTION_U64, 'r', "min-risk", "N", "only verdicts of at least this risk", &risk_min, 0,
      1000 },
    { RV_OPTION_FLAG, 'd', "denied", NULL, "only what a policy forbids", &denied, 0, 0 },
    { RV_OPTION_FLAG, 'j', "json", NULL, "one event a line, as JSON", &json, 0, 0 },
    { RV_OPTION_STRING, 's', "socket", "PATH", "the agent's control socket", &socket_path, 0, 0 },
    { RV_OPTION_FLAG, 'h', "help", NULL, "this text", &help, 0, 0 },
    { 0 },
};

static int64_t boot_to_unix_ns(void)
{
    struct rv_clock clock = rv_clock_system();

    return (int64_t)(clock.unix_ns(NULL) - clock.boot_ns(NULL));
}

/** One line of the stream. @return false to stop: nobody reads our output any more. */
static bool show(const struct rv_view *view, const json_t *line, const char *text, int64_t offset)
{
    if (json_object_get(line, "error")) {
        fprintf(stderr, "%s\n", json_string_value(json_object_get(line, "error")));
        return false;
    }
    if (json)
        puts(text);
    else if (json_object_get(line, "missed"))
        fprintf(view->to,
                "... %" JSON_INTEGER_FORMAT " lines left out: this terminal is too slow\n",
                json_integer_value(json_object_get(line, "missed")));
    else if (json_object_get(line, "enforced"))
        rv_view_enforced(view, line);
    else if (json_object_get(line, "event"))
        rv_view_outcome(view, line, offset);
    return fflush(stdout) == 0;
}

int cmd_watch(int argc, char **argv)
{
    RV_AUTO(rv_client_free) struct rv_client *client = NULL;
    RV_AUTO(rv_json_freep) json_t *request = NULL;
    struct rv_view view = rv_view_stdout();
    int64_t offset = boot_to_unix_ns();
    int operands, r;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help || operands > 0) {
        fprintf(help ? stdout : stderr, "usage: reeve watch [OPTION...]\n\n"
                                        "Shows what programs do on this host, as it happens.\n\n");
        rv_options_help(options, help ? stdout : stderr);
        return help ? RV_EXIT_YES : RV_EXIT_ERROR;
    }
    request = rv_filter_to_json(&(struct rv_filter_options){
        .actions = actions.items,
        .action_count = actions.count,
        .program = program,
        .risk_min = risk_min,
        .decisions = denied ? RV_FILTER_DENIED_ONLY : RV_FILTER_ALL,
    });
    if (!request || rv_client_open(&client, socket_path, request) < 0)
        return RV_EXIT_ERROR;
    if (!json)
        rv_view_heading(&view);
    for (;;) {
        RV_AUTO(rv_json_freep) json_t *line = NULL;
        const char *text = NULL;

        r = rv_client_next(client, &line, &text);
        if (r == -ETIMEDOUT)
            continue; /* a quiet host */
        if (r < 0)
            break;
        if (!json_object_get(line, "watching") && !show(&view, line, text, offset))
            return json_object_get(line, "error") ? RV_EXIT_ERROR : RV_EXIT_YES;
    }
    fprintf(stderr, "the agent has ended\n");
    return RV_EXIT_ERROR;
}
