/* SPDX-License-Identifier: Apache-2.0 */
/* reeve hold list, reeve hold show: what waits for a person, and what became of it. */
#include "client.h"
#include "command.h"
#include "hold.h"

#include "base/options.h"

#include <inttypes.h>

static bool help, json, all;
static const char *socket_path;

static const struct rv_option list_options[] = {
    { RV_OPTION_FLAG, 'a', "all", NULL, "those that are decided, too", &all, 0, 0 },
    { RV_OPTION_FLAG, 'j', "json", NULL, "print the answer as JSON", &json, 0, 0 },
    { RV_OPTION_STRING, 's', "socket", "PATH", "the agent's control socket", &socket_path, 0, 0 },
    { RV_OPTION_FLAG, 'h', "help", NULL, "this text", &help, 0, 0 },
    { 0 },
};

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static int64_t number_of(const json_t *object, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(object, key));
}

static int usage(const char *line, FILE *to)
{
    fprintf(to, "usage: reeve hold %s\n\n", line);
    rv_options_help(list_options, to);
    return to == stdout ? RV_EXIT_YES : RV_EXIT_ERROR;
}

static void print_table(const json_t *holds)
{
    const json_t *hold;
    size_t i, shown = 0;

    json_array_foreach(holds, i, hold)
    {
        bool waits = rv_streq(text_of(hold, "state"), "pending");

        if (!all && !waits)
            continue;
        if (shown++ == 0)
            printf("%-5s %-9s %8s %6s %-8s %-28s %s\n", "ID", "STATE", "LEFT", "TRIES", "ACTION",
                   "PROGRAM (USER)", "RESOURCE, POLICY");
        printf("%-5" PRId64 " %-9s %6" PRId64 " s %6" PRId64 " %-8s %s (%" PRId64 ")  %s, %s\n",
               number_of(hold, "id"), text_of(hold, "state"), number_of(hold, "left_s"),
               number_of(hold, "tries"), text_of(hold, "action"), text_of(hold, "program"),
               number_of(hold, "uid"), text_of(hold, "resource"), text_of(hold, "policy"));
    }
    if (shown == 0)
        printf("nothing waits for a person\n");
}

int cmd_hold_list(int argc, char **argv)
{
    RV_AUTO(rv_json_freep) json_t *answer = NULL;
    RV_AUTO(rv_freep) char *text = NULL;
    int operands;

    if (rv_options_parse(list_options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help || operands != 0)
        return usage("list [OPTION...]", help ? stdout : stderr);
    if (rv_client_ask(socket_path, json_pack("{ss}", "request", "hold.list"), &answer, &text) < 0)
        return RV_EXIT_ERROR;
    if (json)
        puts(text);
    else
        print_table(json_object_get(answer, "holds"));
    return RV_EXIT_YES;
}

int cmd_hold_show(int argc, char **argv)
{
    RV_AUTO(rv_json_freep) json_t *answer = NULL;
    RV_AUTO(rv_freep) char *text = NULL;
    char *end = NULL;
    unsigned long long id;
    int operands;

    if (rv_options_parse(list_options + 1, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    id = operands == 1 ? strtoull(argv[1], &end, 10) : 0;
    if (help || operands != 1 || !end || *end || id == 0)
        return usage("show ID [OPTION...]", help ? stdout : stderr);
    if (rv_client_ask(socket_path,
                      json_pack("{ss sI}", "request", "hold.list", "id", (json_int_t)id), &answer,
                      &text) < 0)
        return RV_EXIT_ERROR;
    if (json)
        puts(text);
    else
        rv_hold_print(json_array_get(json_object_get(answer, "holds"), 0));
    return RV_EXIT_YES;
}
