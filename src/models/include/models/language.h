/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file models/language.h  A language model of what sessions of programs do on a host, running.
 *
 * A *session* is all that descends from one process which a login, a service or a server started:
 * what one shell and its children do is one text, however many processes it is spread over. Each
 * event is a symbol (models/symbol.h) in the context of the kind of program that acts and of the
 * symbols before it in the session: Witten-Bell smoothed, from all kinds together over the kind to
 * the last symbols, so that a kind that was seen too little speaks as all do.
 *
 * The evidence of a symbol is how much more probable an attack makes it than normal work does, in
 * nats; without attacks to learn from, how much more surprising it is than normal work usually is.
 * To it comes what the vectors of the session's processes say: each due verdict adds the nats by
 * which its p-value is below one in ten, so that many processes that are each a little strange count
 * together. A session's *account* takes in evidence and forgets an eighth of it with each symbol: a mean over
 * a moving window. What counts is its highest value so far, and once only: a verdict that is due
 * speaks for the session when the account is a nat higher than it was when the session last spoke;
 * otherwise its score is 0. So an incident is one alarm, not one for each process that follows.
 *
 * Calibrated on due verdicts of sessions that the model did not see, all kinds together: a session
 * has no kind. Fixed point from evidence on, so that accounts do not depend on how they are summed.
 * A model is immutable; sessions are single-threaded and bounded: sets of four, the one that was
 * silent longest is forgotten.
 */
#pragma once

#include "models/calibration.h"
#include "models/symbol.h"
#include "models/task.h"

#define RV_LANGUAGE_SHARE_PPM 700000U /* of the promise's alpha; vectors have the rest */
#define RV_LANGUAGE_WINDOW    8U      /* symbols that an account remembers, and that reasons name */

struct rv_language;

/** One event, as training and sessions take it. */
struct rv_utterance {
    uint64_t session; /* rv_session_key() */
    uint32_t source;  /* whose it is: a stream is left out as a whole */
    uint16_t symbol;
    uint8_t kind; /* enum rv_program_kind of the process that acts */
    bool attack;
    bool due;           /* a verdict is */
    int32_t vector_q16; /* with `due`: rv_session_evidence_q16() of a model that did not see it */
};

/** What a vector's p-value adds to its session: nats below one in ten, at least 0. */
int32_t rv_session_evidence_q16(struct rv_p_value p);

/**
 * @param utterances in the order of time of each session.
 * @return 0; -EINVAL when nothing normal is in them; -ENOMEM; -EFBIG.
 */
RV_MUST_CHECK int rv_language_train(struct rv_language **ret_language,
                                    const struct rv_utterance *utterances, size_t count,
                                    const struct rv_task_options *options);
void rv_language_save(const struct rv_language *language, struct rv_buf *into);
/** @return 0; -EBADMSG for bytes that are not such a model or of another alphabet; -ENOMEM. */
RV_MUST_CHECK int rv_language_load(struct rv_language **ret_language, struct rv_span bytes);
void rv_language_free(struct rv_language **language);

/** As it was shipped; borrowed. */
const struct rv_calibration *rv_language_calibration(const struct rv_language *language);
/** n-grams known of normal work and of attacks (0: one-class). */
void rv_language_size(const struct rv_language *language, size_t *ret_normal, size_t *ret_attack);

/* ---- Sessions ---- */

/** The session of a process. */
uint64_t rv_session_key(const struct rv_process *process);
/** A thread under deep watching: its system calls are a text of their own. */
uint64_t rv_session_key_of_thread(const struct rv_process *process, uint32_t tid);

struct rv_sessions;
RV_MUST_CHECK int rv_sessions_new(struct rv_sessions **ret_sessions,
                                  const struct rv_language *language); /* borrowed */
void rv_sessions_free(struct rv_sessions **sessions);
size_t rv_sessions_memory(void);

/** Take in an event and its process, as rv_features_update() left it. */
void rv_sessions_hear(struct rv_sessions *sessions, const struct rv_event *event,
                      const struct rv_process *process);
/** One symbol. */
void rv_sessions_put(struct rv_sessions *sessions, const struct rv_utterance *utterance);

/** A symbol of a session, and what it was worth. */
struct rv_said {
    int32_t evidence_q16; /* nats */
    int32_t vector_q16;   /* and what the vectors of verdicts that were due then added */
    uint32_t at; /* which of the session's symbols, from 1 */
    uint16_t symbol;
    uint8_t kind;
    bool unseen; /* never seen in this place in normal work */
};
/** What a session has to say. Scores below or at 0 are nothing. */
struct rv_session_score {
    int64_t raw_q16;
    struct rv_said said[RV_LANGUAGE_WINDOW]; /* the symbols that led there, the last one last */
    unsigned count;
};
/** A verdict about a process, by what its vector adds. */
struct rv_session_asked {
    const struct rv_process *process;
    uint32_t tid;
    int32_t vector_q16; /* rv_session_evidence_q16() */
};
/** Of the process's session, or of the thread's system calls when they are stranger. */
void rv_sessions_score(const struct rv_sessions *sessions, const struct rv_session_asked *asked,
                       struct rv_session_score *ret_score);
/**
 * The verdict was due: it adds what its vector says, and has spoken for the session, for which
 * another speaks only when the account is higher.
 */
void rv_sessions_spoke(struct rv_sessions *sessions, const struct rv_session_asked *asked);
/** Both in one, for a session by its key. @return the score. */
int64_t rv_sessions_speak_q16(struct rv_sessions *sessions, uint64_t key, int32_t vector_q16);

/** Append what a session did, its strongest evidence first, as a clause without a full stop. */
void rv_session_words(struct rv_buf *buf, const struct rv_session_score *score, size_t most);

/* ---- Together with another detector ---- */

/**
 * Two p-values under one budget: the smaller after each is divided by its share of alpha, so that
 * alarms at any level are no more than that level allows (union bound). `share_ppm` is the
 * language's; 0 leaves it silent.
 */
struct rv_p_value rv_language_combine(struct rv_p_value other, struct rv_p_value language,
                                      uint32_t share_ppm, bool *ret_language_speaks);
/** The language's share of alpha, in ppm. */
uint32_t rv_language_share_ppm(const struct rv_language *language);
