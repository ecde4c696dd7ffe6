/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cli/judgements.h  What people said of decisions in a log (`reeve decisions label`), to be
 * asked of what a simulation would have stopped.
 *
 * A word is about one process doing one kind of action to one resource: it speaks for the decision
 * that was judged and for its repeats, which are counted and not logged. Of each person the last
 * word on an entry counts. The word of the user whose action it was does not count, unless he is
 * root, as in agent/labels.h; and of one person at most RV_JUDGEMENTS_TRUE_MAX decisions are taken
 * as rightly stopped. Where people disagree, nobody is taken at his word. Not thread-safe.
 */
#pragma once

#include "base/json.h"
#include "event/event.h"

#define RV_JUDGEMENTS_TRUE_MAX 100U

/** What a stop was, by what people said; only the last is no false stop. */
enum rv_stop {
    RV_STOP_UNLABELLED = 0,
    RV_STOP_DISPUTED, /* labelled both */
    RV_STOP_FALSE,    /* labelled benign */
    RV_STOP_TRUE,     /* labelled malicious */
    RV_STOPS_
};

/** All-zero: nobody said anything. */
struct rv_judgements {
    json_t *things;               /* by process, action and resource: words, by person and entry */
    json_t *people;               /* by uid: decisions he called malicious */
    uint64_t labels, own, beyond; /* words; those of the acting user; those beyond the limit */
};

/**
 * Read what was said of decisions since then.
 * @param log_path folder of the log. @return 0; -errno, said on standard error.
 */
RV_MUST_CHECK int rv_judgements_read(struct rv_judgements *judgements, const char *log_path,
                                     uint64_t since_unix_ns);
void rv_judgements_done(struct rv_judgements *judgements); /* cleanup attribute */

/** @param resource as it stands in a receipt: a Cedar entity, "File::\"/etc/shadow\"". */
enum rv_stop rv_judgements_of(const struct rv_judgements *judgements, struct rv_process_key process,
                              const char *action, struct rv_span resource);

/** The log to read: the path given, else the agent's. @return NULL: it has none. */
const char *rv_judgements_log(const char *path);
