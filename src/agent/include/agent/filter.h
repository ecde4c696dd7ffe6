/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file agent/filter.h  Which outcomes somebody wants to see: by action, program, risk, decision.
 * The same filter serves `reeve watch` (it runs in the judge) and `reeve replay`.
 */
#pragma once

#include "agent/pipeline.h"

struct rv_filter;

enum rv_filter_decisions { RV_FILTER_ALL = 0, RV_FILTER_DENIED_ONLY };

struct rv_filter_options {
    const char *const *actions; /* "process.exec", or a group: "file" */
    size_t action_count;
    const char *program;        /* path, or the start of one when it ends in '*'; may be NULL */
    uint64_t risk_min;
    enum rv_filter_decisions decisions;
};

/** @return 0; -ENOMEM. Strings are copied. */
RV_MUST_CHECK int rv_filter_new(struct rv_filter **ret_filter,
                                const struct rv_filter_options *options);
/** From a request: {"actions": [...], "program": "", "risk_min": n, "denied": bool}, each optional.
 * @return 0; -EINVAL with a sentence in `why`; -ENOMEM. */
RV_MUST_CHECK int rv_filter_from_json(struct rv_filter **ret_filter, const json_t *request,
                                      char *why, size_t why_len);
json_t *rv_filter_to_json(const struct rv_filter_options *options);
void rv_filter_free(struct rv_filter **filter);

bool rv_filter_passes(const struct rv_filter *filter, const struct rv_outcome *outcome);
