/* SPDX-License-Identifier: Apache-2.0 */
/* reeve status: is the agent well, what has it seen, what was lost. */
#include "client.h"
#include "command.h"

#include "base/options.h"

#include <inttypes.h>

static bool help, json;
static const char *socket_path;

static const struct rv_option options[] = {
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

static void print_model(const char *role, const json_t *model)
{
    const json_t *drift = json_object_get(model, "drift");

    printf("%-11s %s (%s), %.12s, promise %s%s\n", role, text_of(model, "name"),
           text_of(model, "kind"), text_of(model, "digest"),
           text_of(json_object_get(model, "promise"), "light"),
           json_is_false(json_object_get(model, "stands"))
               ? ", stepped down: its risk decides nothing"
               : "");
    printf("  drift     %s: %s\n", text_of(drift, "light"), text_of(drift, "words"));
}

static void print_models(const json_t *models)
{
    const json_t *shadow = json_object_get(models, "shadow");
    const json_t *agreement = json_object_get(models, "agreement");

    print_model("model", json_object_get(models, "live"));
    if (!shadow)
        return;
    print_model("shadow", shadow);
    printf("  alarms    both %" PRId64 ", only the model %" PRId64 ", only the shadow %" PRId64
           ", neither %" PRId64 "\n",
           number_of(agreement, "both"), number_of(agreement, "live_only"),
           number_of(agreement, "shadow_only"), number_of(agreement, "neither"));
}

/** What the slots inside the hooks hold, and why. */
static void print_kernel(const json_t *kernel)
{
    if (!*text_of(kernel, "model")) {
        printf("kernel      no model scores: %s%s%s\n", text_of(kernel, "model_why"),
               *text_of(kernel, "error") ? ", " : "", text_of(kernel, "error"));
        return;
    }
    printf("kernel      model %.16s (%s), scored %" PRId64 ", missed %" PRId64 "\n",
           text_of(kernel, "model"), text_of(kernel, "model_why"), number_of(kernel, "scored"),
           number_of(kernel, "missed"));
    if (*text_of(kernel, "shadow"))
        printf("  shadow    %.16s (%s), scored %" PRId64 "; alarms only the model %" PRId64
               ", only the shadow %" PRId64 "\n",
               text_of(kernel, "shadow"), text_of(kernel, "shadow_why"),
               number_of(kernel, "shadowed"), number_of(kernel, "live_only"),
               number_of(kernel, "shadow_only"));
}

static void print(const json_t *status)
{
    const json_t *agent = json_object_get(status, "agent");
    const json_t *log = json_object_get(status, "log");
    const json_t *count;
    const char *name;

    printf("reeve %s, mode %s, policy %s %s\n", text_of(agent, "version"), text_of(agent, "mode"),
           text_of(agent, "policy_name"), text_of(agent, "policy_version"));
    printf("events      %" PRId64 ", lost %" PRId64 "\n", number_of(status, "events"),
           number_of(status, "lost"));
    printf("decisions   %" PRId64 ", forbidden %" PRId64 ", reported %" PRId64
           ", repeated ones left out %" PRId64 "\n",
           number_of(status, "decided"), number_of(status, "denied"), number_of(status, "reported"),
           number_of(status, "repeated"));
    printf("host        %" PRId64 " live processes, %" PRId64 " programs, %.1f MiB of state\n",
           number_of(status, "live_processes"), number_of(status, "programs"),
           (double)number_of(status, "state_bytes") / (1024 * 1024));
    printf("log         %s, %" PRId64 " entries, %" PRId64 " published\n", text_of(log, "state"),
           number_of(log, "entries"), number_of(log, "published"));
    print_models(json_object_get(status, "model"));
    print_kernel(json_object_get(json_object_get(status, "enforcement"), "kernel"));
    json_object_foreach(json_object_get(status, "by_type"), name, count)
        printf("  %-16s %" PRId64 "\n", name, (int64_t)json_integer_value(count));
}

int cmd_status(int argc, char **argv)
{
    RV_AUTO(rv_client_free) struct rv_client *client = NULL;
    RV_AUTO(rv_json_freep) json_t *request = json_pack("{ss}", "request", "status");
    RV_AUTO(rv_json_freep) json_t *status = NULL;
    const char *text = NULL;
    int operands;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help) {
        printf("usage: reeve status [OPTION...]\n\n");
        rv_options_help(options, stdout);
        return RV_EXIT_YES;
    }
    if (!request || rv_client_open(&client, socket_path, request) < 0)
        return RV_EXIT_ERROR;
    if (rv_client_next(client, &status, &text) < 0) {
        fprintf(stderr, "the agent ended before it answered\n");
        return RV_EXIT_ERROR;
    }
    if (json)
        puts(text);
    else
        print(status);
    return RV_EXIT_YES;
}
