/* SPDX-License-Identifier: Apache-2.0 */
/* reeve policy simulate: what would have been stopped, and who would have been hurt. */
#include "cmd/decisions/log.h"
#include "command.h"
#include "judgements.h"
#include "simulation.h"

#include "base/clock.h"
#include "base/options.h"

#include <inttypes.h>
#include <unistd.h>

static bool help, json;
static const char *since = "24h", *policy_path, *recordings = "/var/lib/reeve/segments", *only,
                  *log_path, *workload;

static const struct rv_option options[] = {
    { RV_OPTION_STRING, 0, "since", "SPAN", "how far back: 90s, 15m, 24h, 7d (24h)", &since, 0, 0 },
    { RV_OPTION_STRING, 'P', "policy", "DIR", "policy bundle; without it the shipped baseline",
      &policy_path, 0, 0 },
    { RV_OPTION_STRING, 'r', "recordings", "DIR",
      "folder of recorded segments (/var/lib/reeve/segments)", &recordings, 0, 0 },
    { RV_OPTION_STRING, 'l', "log", "DIR", "the log with people's labels (" DECISIONS_LOG_DIR ")",
      &log_path, 0, 0 },
    { RV_OPTION_STRING, 'o', "only", "NAME", "count this policy alone", &only, 0, 0 },
    { RV_OPTION_STRING, 'w', "workload", "NAME", "count what this workload does alone", &workload,
      0, 0 },
    { RV_OPTION_FLAG, 'j', "json", NULL, "the whole report as JSON", &json, 0, 0 },
    { RV_OPTION_FLAG, 'h', "help", NULL, "this text", &help, 0, 0 },
    { 0 },
};

static void show_progress(uint64_t events)
{
    fprintf(stderr, "\r%" PRIu64 " events", events);
}

int cmd_policy_simulate(int argc, char **argv)
{
    RV_AUTO(rv_json_freep) json_t *report = NULL;
    struct rv_clock clock = rv_clock_system();
    struct rv_simulation simulation = { 0 };
    uint64_t span;
    int operands, r;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    span = rv_simulation_span(since);
    if (help || operands != 0 || span == 0) {
        FILE *to = help ? stdout : stderr;

        if (span == 0)
            fprintf(to, "%s is no span of time; write 90s, 15m, 24h or 7d\n", since);
        fprintf(to, "usage: reeve policy simulate [OPTION...]\n\n"
                    "Runs recorded events through the judge with every policy enforced, and holds\n"
                    "what it stops against what people said of it ('reeve decisions label'). What\n"
                    "nobody labelled malicious counts as a false stop. Exit status 0: there would\n"
                    "have been none, 1: there would.\n\n");
        rv_options_help(options, to);
        return help ? RV_EXIT_YES : RV_EXIT_ERROR;
    }
    simulation = (struct rv_simulation){
        .policy_dir = policy_path,
        .recordings = recordings,
        .log = rv_judgements_log(log_path),
        .only = only,
        .workload = workload,
        .since_unix_ns = clock.unix_ns(NULL) - span * RV_NS_PER_S,
        .progress = isatty(STDERR_FILENO) ? show_progress : NULL,
    };
    r = rv_simulate(&simulation, &report);
    if (simulation.progress)
        fprintf(stderr, "\r%20s\r", "");
    if (r < 0)
        return RV_EXIT_ERROR;
    if (json) {
        json_dumpf(report, stdout, JSON_INDENT(2));
        printf("\n");
    } else {
        rv_simulation_print(report);
    }
    return json_integer_value(json_object_get(report, "false_stops")) > 0 ? RV_EXIT_NO
                                                                          : RV_EXIT_YES;
}
