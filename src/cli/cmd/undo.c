/* SPDX-License-Identifier: Apache-2.0 */
/* reeve undo: take back what was done: thaw, end an isolation, give back a share of the cpu. */
#include "client.h"
#include "command.h"

#include "base/options.h"

static bool help, json;
static const char *socket_path;

static const struct rv_option options[] = {
    { RV_OPTION_FLAG, 'j', "json", NULL, "print the answer as JSON", &json, 0, 0 },
    { RV_OPTION_STRING, 's', "socket", "PATH", "the agent's control socket", &socket_path, 0, 0 },
    { RV_OPTION_FLAG, 'h', "help", NULL, "this text", &help, 0, 0 },
    { 0 },
};

/** 0 for "all", else the number. @return false: it is neither. */
static bool read_number(const char *text, unsigned long long *ret_number)
{
    char *end = NULL;

    *ret_number = rv_streq(text, "all") ? 0 : strtoull(text, &end, 10);
    return !end || (end != text && *end == '\0' && *ret_number > 0);
}

int cmd_undo(int argc, char **argv)
{
    RV_AUTO(rv_json_freep) json_t *answer = NULL;
    RV_AUTO(rv_freep) char *text = NULL;
    unsigned long long number = 0;
    int operands;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help || operands != 1 || !read_number(argv[1], &number)) {
        FILE *to = help ? stdout : stderr;

        fprintf(to, "usage: reeve undo N|all [OPTION...]\n\n"
                    "N is the number of an action, as 'reeve decisions' shows it.\n\n");
        rv_options_help(options, to);
        return help ? RV_EXIT_YES : RV_EXIT_ERROR;
    }
    if (rv_client_ask(socket_path,
                      json_pack("{ss sI}", "request", "undo", "number", (json_int_t)number),
                      &answer, &text) < 0)
        return RV_EXIT_ERROR;
    if (json)
        puts(text);
    else if (number)
        printf("action %llu is being undone; 'reeve decisions' shows the result\n", number);
    else
        printf("all that stands is being undone; 'reeve decisions' shows the result\n");
    return RV_EXIT_YES;
}
