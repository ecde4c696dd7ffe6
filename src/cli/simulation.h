/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cli/simulation.h  What a bundle would have stopped, had it been enforced: recorded events
 * through the same judge, and for each policy how often, where, and who would have been hurt.
 */
#pragma once

#include "base/json.h"

struct rv_simulation {
    const char *policy_dir; /* NULL: the shipped baseline */
    const char *recordings; /* folder of segments */
    const char *log;        /* folder of the log with people's labels; NULL: nobody said anything */
    const char *only;       /* name of the one policy that counts; NULL: all */
    const char *workload;   /* and of the one workload; NULL: all */
    uint64_t since_unix_ns; /* events before it prepare the state and count for nothing */
    void (*progress)(uint64_t events); /* now and then; may be NULL */
};

/**
 * @param ret_report {"events", "segments", "from", "to", "labels": {"log", "read", "own",
 *        "beyond"}, and of all policies as of each of "policies": "stops", "labelled_true",
 *        "labelled_false", "disputed", "unlabelled", "false_stops"}. A policy has "policy",
 *        "respond", "place" too, and victims {"program", "uid", "workload", "action", "resource",
 *        "count"}: "caught" by stops labelled true, "hurt" by all others. Every stop counts as
 * false that nobody labelled true (cli/judgements.h); one by two policies counts for both.
 * @return 0; -ENODATA: nothing was recorded; -errno, after saying why on standard error.
 */
RV_MUST_CHECK int rv_simulate(const struct rv_simulation *simulation, json_t **ret_report);

/** The report for people. */
void rv_simulation_print(const json_t *report);

/** "90s", "15m", "24h", "7d" in seconds; 0: none of these. */
uint64_t rv_simulation_span(const char *text);
