/* SPDX-License-Identifier: Apache-2.0 */
/* reeve hold approve, reeve hold deny: a person decides about one held action. */
#include "client.h"
#include "command.h"
#include "hold.h"

#include "base/options.h"

#include <inttypes.h>

static bool help, json;
static const char *socket_path, *note;

static const struct rv_option options[] = {
    { RV_OPTION_STRING, 'n', "note", "TEXT", "why; kept in the log", &note, 0, 0 },
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

void rv_hold_print(const json_t *hold)
{
    printf("hold %" PRId64 "  %s\n", number_of(hold, "id"), text_of(hold, "state"));
    printf("  what     %s %s\n", text_of(hold, "action"), text_of(hold, "resource"));
    printf("  who      %s, user %" PRId64 ", process %" PRId64 "\n", text_of(hold, "program"),
           number_of(hold, "uid"), number_of(hold, "pid"));
    printf("  why      policy %s\n", text_of(hold, "policy"));
    printf("  how      %s\n", rv_streq(text_of(hold, "kind"), "frozen")
                                  ? "it has happened; the process is frozen"
                                  : "it was refused; once approved it may be tried again, once");
    printf("  since    %" PRId64 " s, tried %" PRId64 " times\n", number_of(hold, "age_s"),
           number_of(hold, "tries"));
    if (number_of(hold, "left_s") > 0)
        printf("  expires  in %" PRId64 " s\n", number_of(hold, "left_s"));
    if (json_object_get(hold, "decided_by_uid"))
        printf("  decided  by user %" PRId64 "\n", number_of(hold, "decided_by_uid"));
    if (text_of(hold, "note")[0])
        printf("  note     %s\n", text_of(hold, "note"));
}

static int decide(int argc, char **argv, const char *verb, bool approve)
{
    RV_AUTO(rv_json_freep) json_t *answer = NULL;
    RV_AUTO(rv_freep) char *text = NULL;
    char *end = NULL;
    unsigned long long id;
    int operands;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    id = operands == 1 ? strtoull(argv[1], &end, 10) : 0;
    if (help || operands != 1 || !end || *end || id == 0) {
        fprintf(help ? stdout : stderr, "usage: reeve hold %s ID [OPTION...]\n\n", verb);
        rv_options_help(options, help ? stdout : stderr);
        return help ? RV_EXIT_YES : RV_EXIT_ERROR;
    }
    if (rv_client_ask(socket_path,
                      json_pack("{ss sI sb ss}", "request", "hold.decide", "id", (json_int_t)id,
                                "approve", (int)approve, "note", note ? note : ""),
                      &answer, &text) < 0)
        return RV_EXIT_ERROR;
    if (json)
        puts(text);
    else
        rv_hold_print(answer);
    return RV_EXIT_YES;
}

int cmd_hold_approve(int argc, char **argv)
{
    return decide(argc, argv, "approve", true);
}

int cmd_hold_deny(int argc, char **argv)
{
    return decide(argc, argv, "deny", false);
}
