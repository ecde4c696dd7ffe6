/* SPDX-License-Identifier: Apache-2.0 */
/* reeve decisions label: a person judges a decision; the agent logs it and learns from it. */
#include "client.h"
#include "command.h"

#include "base/options.h"

static int ask(const char *socket_path, json_t *request, bool json)
{
    RV_AUTO(rv_client_free) struct rv_client *client = NULL;
    RV_AUTO(rv_json_freep) json_t *answer = NULL;
    const char *text = NULL, *error;

    if (rv_client_open(&client, socket_path, request) < 0)
        return RV_EXIT_ERROR;
    if (rv_client_next(client, &answer, &text) < 0) {
        fprintf(stderr, "the agent ended before it answered\n");
        return RV_EXIT_ERROR;
    }
    error = json_string_value(json_object_get(answer, "error"));
    if (json)
        puts(text);
    if (error) {
        fprintf(stderr, "refused: %s\n", error);
        return RV_EXIT_NO;
    }
    if (!json)
        printf("judged %s, and in the log; %s\n",
               json_string_value(json_object_get(answer, "label")),
               json_is_true(json_object_get(answer, "applied"))
                   ? "what was held apart for it is settled"
                   : json_string_value(json_object_get(answer, "learning")));
    return RV_EXIT_YES;
}

int cmd_decisions_label(int argc, char **argv)
{
    const char *note = NULL, *socket_path = NULL;
    bool json = false, help = false;
    const struct rv_option options[] = {
        { RV_OPTION_STRING, 0, "note", "TEXT", "why, for the record", &note, 0, 0 },
        { RV_OPTION_STRING, 's', "socket", "PATH", "the agent's control socket", &socket_path, 0,
          0 },
        { RV_OPTION_FLAG, 'j', "json", NULL, "print the answer as JSON", &json, 0, 0 },
        { RV_OPTION_FLAG, 'h', "help", NULL, "this text", &help, 0, 0 },
        { 0 },
    };
    RV_AUTO(rv_json_freep) json_t *request = NULL;
    char *end = NULL;
    int operands;
    unsigned long long index;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help || operands != 2) {
        fprintf(
            help ? stdout : stderr,
            "usage: reeve decisions label INDEX benign|malicious [--note TEXT]\n\n"
            "Says whether a decision was about something malicious. The agent puts the word into\n"
            "the log, with who said it, and settles what it held apart for the decision: normal\n"
            "from now on, or never learnt. One person's words go only so far; the last word on a\n"
            "decision counts. Nobody but root may judge what ran as himself.\n\n");
        rv_options_help(options, help ? stdout : stderr);
        return help ? RV_EXIT_YES : RV_EXIT_ERROR;
    }
    index = strtoull(argv[1], &end, 10);
    if (*end || end == argv[1] || index > INT64_MAX) {
        fprintf(stderr, "'%s' is not the index of an entry; 'reeve decisions' lists them\n",
                argv[1]);
        return RV_EXIT_ERROR;
    }
    request = json_pack("{ss sI ss ss*}", "request", "label", "entry", (json_int_t)index, "label",
                        argv[2], "note", note);
    return request ? ask(socket_path, request, json) : RV_EXIT_ERROR;
}
