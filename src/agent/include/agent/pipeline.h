/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file agent/pipeline.h  observe -> describe -> score -> decide, for one event at a time.
 *
 * The judge feeds it from the rings, `reeve replay` from a file: it is the same code, and its only
 * clock is the events' own. Given the same events, policy, model and starting state it says the
 * same, byte for byte. Not thread-safe.
 */
#pragma once

#include "event/event.h"
#include "features/vector.h"
#include "models/model.h"
#include "policy/policy.h"

#include <jansson.h>

struct rv_pipeline;
struct rv_features;

enum rv_learning { RV_LEARN_OFF = 0, RV_LEARN_ON };

struct rv_pipeline_options {
    const struct rv_program *program;      /* borrowed; outlives the pipeline */
    const struct rv_entities *entities;    /* borrowed; may be NULL */
    struct rv_sha256 policy_digest;
    uint32_t processes_max;
    uint32_t risk_min;                     /* verdicts from here on matter without a policy */
    const char *mode;                      /* "observe", "enforce": context.mode */
    enum rv_learning learning;
};

/** What the pipeline says of one event. Everything is borrowed until the next event. */
struct rv_outcome {
    const struct rv_event *event;
    const struct rv_vector *vector;        /* NULL: the process is not known */
    struct rv_verdict verdict;             /* all zero when `vector` is NULL */
    const char *action;                    /* "file.read"; NULL: nothing to decide */
    struct rv_text program;                /* path of the acting program; may be empty */
    struct rv_text workload;               /* container or unit; may be empty */
    const struct rv_uid *principal, *resource;
    struct rv_policy_decision decision;    /* meaningful when `action` is set */
    bool novel;                            /* first of its kind on this host */
    bool matters;                          /* a policy forbids, or risk_min is reached */
};

RV_MUST_CHECK int rv_pipeline_new(struct rv_pipeline **ret_pipeline,
                                  const struct rv_pipeline_options *options);
void rv_pipeline_free(struct rv_pipeline **pipeline);

/** Take one checked event. @return 0; -ENOMEM: the event was not judged. */
RV_MUST_CHECK int rv_pipeline_put(struct rv_pipeline *pipeline, const struct rv_event *event,
                                  struct rv_outcome *ret_outcome);

/** What was learnt of this host: save to and load from bytes (features room's format). */
struct rv_features *rv_pipeline_features(struct rv_pipeline *pipeline);

/** Swap the policy: the next event is decided by it. */
RV_MUST_CHECK int rv_pipeline_set_policy(struct rv_pipeline *pipeline,
                                         const struct rv_program *program,
                                         const struct rv_entities *entities,
                                         const struct rv_sha256 *digest);

/**
 * Append an outcome as one JSON object on one line (docs/PROTOCOL.md, "outcome"). Ends without a
 * newline. `latency_ns` 0 leaves the member out: replay must not depend on how fast it ran.
 */
void rv_outcome_json(struct rv_buf *buf, const struct rv_pipeline *pipeline,
                     const struct rv_outcome *outcome, uint64_t latency_ns);

/**
 * The receipt of an outcome: everything that is needed to recompute it. Canonical JSON into `buf`.
 * @return 0; -ENOMEM.
 */
RV_MUST_CHECK int rv_outcome_receipt(struct rv_buf *buf, const struct rv_pipeline *pipeline,
                                     const struct rv_outcome *outcome, uint64_t unix_ns,
                                     uint64_t seq);
