/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reeve mode: how far each policy goes. Without operands it shows; with a policy and a stage it
 * sets. A promotion to enforce first simulates on what was recorded, and the agent refuses it when
 * that would have stopped too much.
 */
#include "client.h"
#include "cmd/decisions/log.h"
#include "command.h"
#include "judgements.h"
#include "simulation.h"

#include "base/clock.h"
#include "base/options.h"

#include <inttypes.h>

static bool help, json, force;
static const char *socket_path, *workload = "*", *since = "24h", *policy_path,
                                *recordings = "/var/lib/reeve/segments", *log_path;

static const struct rv_option options[] = {
    { RV_OPTION_STRING, 'w', "workload", "NAME", "only in this workload", &workload, 0, 0 },
    { RV_OPTION_FLAG, 'f', "force", NULL, "promote without a simulation; the log says so", &force,
      0, 0 },
    { RV_OPTION_STRING, 0, "since", "SPAN", "how far back to simulate: 15m, 24h, 7d (24h)", &since,
      0, 0 },
    { RV_OPTION_STRING, 'P', "policy", "DIR", "bundle to simulate; give the agent's own",
      &policy_path, 0, 0 },
    { RV_OPTION_STRING, 'r', "recordings", "DIR",
      "folder of recorded segments (/var/lib/reeve/segments)", &recordings, 0, 0 },
    { RV_OPTION_STRING, 'l', "log", "DIR", "the log with people's labels (" DECISIONS_LOG_DIR ")",
      &log_path, 0, 0 },
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

static void print_modes(const json_t *answer)
{
    const json_t *row;
    size_t i;

    printf("%-36s %-8s %-9s %-7s %8s %8s %8s %6s\n", "POLICY", "STAGE", "RESPOND", "PLACE",
           "DENIED", "WOULD", "PASSED", "ACTED");
    json_array_foreach(json_object_get(answer, "policies"), i, row)
        printf("%-36s %-8s %-9s %-7s %8" PRId64 " %8" PRId64 " %8" PRId64 " %6" PRId64 "%s\n",
               text_of(row, "policy"), text_of(row, "stage"), text_of(row, "respond"),
               text_of(row, "place"), number_of(row, "denied"), number_of(row, "would_deny"),
               number_of(row, "passed"), number_of(row, "acted"),
               json_is_true(json_object_get(row, "left_out")) ? "  no room in the table" : "");
    printf("\nwhat is not said of goes as far as: %s\n", text_of(answer, "default"));
    json_array_foreach(json_object_get(answer, "settings"), i, row)
        printf("said: %s in workload %s: %s (by user %" PRId64 ")\n", text_of(row, "policy"),
               text_of(row, "workload"), text_of(row, "stage"), number_of(row, "by_uid"));
}

/** What enforcing the policy would have done lately. @return -ENODATA without a recording. */
static int simulate(const char *policy, json_t **ret_simulated)
{
    RV_AUTO(rv_json_freep) json_t *report = NULL;
    struct rv_clock clock = rv_clock_system();
    struct rv_simulation simulation = {
        .policy_dir = policy_path,
        .recordings = recordings,
        .log = rv_judgements_log(log_path),
        .only = rv_streq(policy, "*") ? NULL : policy,
        .workload = rv_streq(workload, "*") ? NULL : workload,
        .since_unix_ns = clock.unix_ns(NULL) - rv_simulation_span(since) * RV_NS_PER_S,
    };
    int r = rv_simulate(&simulation, &report);

    if (r < 0)
        return r;
    if (!json)
        rv_simulation_print(report);
    (void)json_object_del(report, "policies"); /* whom it hurts is for the person; sums are kept */
    *ret_simulated = json_incref(report);
    return 0;
}

static int set_mode(const char *policy, const char *stage)
{
    RV_AUTO(rv_json_freep) json_t *answer = NULL;
    RV_AUTO(rv_freep) char *text = NULL;
    json_t *simulated = NULL;

    if (rv_streq(stage, "enforce") && !force) {
        int r = simulate(policy, &simulated);

        if (r < 0) {
            if (r == -ENODATA)
                fprintf(stderr, "without a recording nothing shows whom it would stop; '--force' "
                                "promotes it all the same\n");
            return RV_EXIT_ERROR;
        }
    }
    if (rv_client_ask(socket_path,
                      json_pack("{ss ss ss ss sb so*}", "request", "mode.set", "policy", policy,
                                "workload", workload, "stage", stage, "force", (int)force,
                                "simulated", simulated),
                      &answer, &text) < 0)
        return RV_EXIT_ERROR;
    if (json)
        puts(text);
    else
        printf("%s in workload %s: %s\n", policy, workload, stage);
    return RV_EXIT_YES;
}

static int show_modes(void)
{
    RV_AUTO(rv_json_freep) json_t *answer = NULL;
    RV_AUTO(rv_freep) char *text = NULL;

    if (rv_client_ask(socket_path, json_pack("{ss}", "request", "mode.list"), &answer, &text) < 0)
        return RV_EXIT_ERROR;
    if (json)
        puts(text);
    else
        print_modes(answer);
    return RV_EXIT_YES;
}

int cmd_mode(int argc, char **argv)
{
    int operands;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help || (operands != 0 && operands != 2) || rv_simulation_span(since) == 0) {
        FILE *to = help ? stdout : stderr;

        fprintf(to, "usage: reeve mode [POLICY STAGE] [OPTION...]\n\n"
                    "POLICY is a policy's @id, or '*' for all that nothing else is said of; STAGE\n"
                    "is observe, shadow, enforce, or default to forget what was said.\n\n");
        rv_options_help(options, to);
        return help ? RV_EXIT_YES : RV_EXIT_ERROR;
    }
    return operands == 2 ? set_mode(argv[1], argv[2]) : show_modes();
}
