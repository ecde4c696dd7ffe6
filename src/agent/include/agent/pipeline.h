/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file agent/pipeline.h  observe -> describe -> score -> decide, for one event at a time.
 *
 * The judge feeds it from the rings, `reeve replay` from a file: it is the same code, and its only
 * clock is the events' own. Given the same events, policy, model and starting state it says the
 * same, byte for byte. Not thread-safe.
 */
#pragma once

#include "agent/models.h"
#include "event/event.h"
#include "features/features.h"
#include "policy/policy.h"

#include <jansson.h>

struct rv_pipeline;

enum rv_learning { RV_LEARN_OFF = 0, RV_LEARN_ON };

struct rv_pipeline_options {
    const struct rv_program
        *program; /* borrowed until the pipeline ends or the policy is swapped */
    const struct rv_entities *entities; /* likewise; may be NULL */
    struct rv_sha256 policy_digest;
    uint32_t processes_max;
    uint32_t risk_min; /* a verdict from here on matters even if no policy speaks */
    const char *mode;  /* "observe" or "enforce": context.mode; static */
    enum rv_learning learning;
    int64_t unix_offset_ns;                  /* wall clock - boot clock */
    const struct rv_package *model, *shadow; /* borrowed until it is made; NULL: agent/models.h */
    uint64_t drift_window_ns;
};

/** What the pipeline says of one event. Everything is borrowed until the next event. */
struct rv_outcome {
    const struct rv_event *event;
    const struct rv_process *process; /* NULL: not about a process */
    const struct rv_vector *vector;   /* NULL: not scored */
    struct rv_verdict verdict;        /* all zero when not scored; attributions when it matters */
    struct rv_p_value p;              /* what the risk was made from */
    struct rv_models_session session; /* what the process's session had to say */
    const char *action;               /* "file.read"; NULL: nothing to decide */
    struct rv_text program;           /* path of the acting program; may be empty */
    const struct rv_uid *principal, *resource; /* with `action` */
    struct rv_policy_decision decision;        /* with `action` */
    bool novel;                                /* its program has hardly been seen on this host */
    bool held;                                 /* its score waits for a person's judgement */
    bool matters;      /* a policy forbids, or risk_min is reached: goes to the log */
    uint32_t repeated; /* like ones before it that were counted, not reported */
};

/** @return 0; -EINVAL for a package that cannot speak (rv_models_check() says why); -ENOMEM. */
RV_MUST_CHECK int rv_pipeline_new(struct rv_pipeline **ret_pipeline,
                                  const struct rv_pipeline_options *options);
void rv_pipeline_free(struct rv_pipeline **pipeline);

/** Wall clock - boot clock of the events to come: each recording brings its own. */
void rv_pipeline_set_clock(struct rv_pipeline *pipeline, int64_t unix_offset_ns);

/** Take one checked event. Never fails: what cannot be known is left out. */
void rv_pipeline_put(struct rv_pipeline *pipeline, const struct rv_event *event,
                     struct rv_outcome *ret_outcome);

/**
 * Decide about something that has not happened yet: an event with RV_EVENT_F_INLINE. Nothing is
 * taken in, counted or learnt; if it happens, its event comes by rv_pipeline_put().
 */
void rv_pipeline_ask(struct rv_pipeline *pipeline, const struct rv_event *event,
                     struct rv_outcome *ret_outcome);

/** Fill in the attributions of an outcome that was scored; done already when it matters. */
void rv_pipeline_explain(const struct rv_pipeline *pipeline, struct rv_outcome *outcome);

/** Swap the policy: the next event is decided by it. @return 0; -ENOMEM: the old one stands. */
RV_MUST_CHECK int rv_pipeline_set_policy(struct rv_pipeline *pipeline,
                                         const struct rv_program *program,
                                         const struct rv_entities *entities,
                                         const struct rv_sha256 *digest);

/** The models that score. What is changed there holds from the next event on. */
struct rv_models *rv_pipeline_models(struct rv_pipeline *pipeline);

/** Append what was learnt of this host, to be read by rv_pipeline_load(). */
void rv_pipeline_save(const struct rv_pipeline *pipeline, struct rv_buf *buf);
/** Before the first event. @return 0; -EBADMSG with a sentence: what was not sound was not taken.
 */
RV_MUST_CHECK int rv_pipeline_load(struct rv_pipeline *pipeline, struct rv_span bytes,
                                   const char **reterr);

/** The process table, to look things up in; borrowed. */
const struct rv_features *rv_pipeline_features(const struct rv_pipeline *pipeline);

struct rv_pipeline_counts {
    uint64_t events, decided, denied, mattered, repeated;
    uint64_t by_type[RV_EVENT_TYPE_END_];
    uint32_t live_processes, programs;
    size_t memory_bytes; /* of the state of the host */
    enum rv_light light; /* of the model's promise; red: its risk is reported, not decided on */
};
void rv_pipeline_counts(const struct rv_pipeline *pipeline, struct rv_pipeline_counts *ret_counts);

/**
 * Append an outcome as one JSON object without a newline (docs/PROTOCOL.md, "outcome").
 * @param latency_ns 0 leaves the member out: replay must not depend on how fast it ran.
 */
void rv_outcome_json(struct rv_buf *buf, const struct rv_pipeline *pipeline,
                     const struct rv_outcome *outcome, uint64_t latency_ns);

/** Append why, in words, on one line: the strongest reasons first. Needs attributions. */
void rv_outcome_words(struct rv_buf *buf, const struct rv_pipeline *pipeline,
                      const struct rv_outcome *outcome);

/** The strongest of the determining policies' @severity, @respond, ... or an empty text. */
struct rv_text rv_outcome_annotation(const struct rv_pipeline *pipeline,
                                     const struct rv_outcome *outcome, const char *name);

/**
 * The members of an outcome's receipt: everything that is needed to recompute it offline.
 * @return a new object, or NULL without memory.
 */
json_t *rv_outcome_receipt(const struct rv_pipeline *pipeline, const struct rv_outcome *outcome);
