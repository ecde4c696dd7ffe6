/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file agent/models.h  The model that speaks and the one in its shadow, with all that is learnt
 * beside them: calibration on this host, promise, drift.
 *
 * The live model is a trained package or the built-in one. The shadow sees the same vectors, is
 * calibrated on the same host, and decides nothing: it is counted where the two disagree, which is
 * the evidence that a promotion needs. Behind a trained live model the built-in one stands in the
 * shadow when no other is named.
 *
 * When its promise is broken or its drift light is red the live model *steps down*: its risk alone
 * decides nothing until both have recovered (models/promise.h, models/drift.h say when).
 *
 * No clock of its own, no randomness. Single-threaded.
 */
#pragma once

#include "features/features.h"
#include "models/language.h"
#include "models/calibration.h"
#include "models/model.h"
#include "models/package.h"
#include "models/promise.h"

#include <jansson.h>

struct rv_models;

struct rv_models_options {
    const struct rv_package *live;   /* NULL: the built-in model; borrowed by rv_models_new() */
    const struct rv_package *shadow; /* NULL: as said above; likewise */
    uint64_t drift_window_ns;        /* 0: a day */
    uint32_t risk_min;               /* from here on a verdict is an alarm */
};

/** Could this package speak here? @return 0; -EINVAL or another -errno with a static sentence. */
RV_MUST_CHECK int rv_models_check(const struct rv_package *package, const char **reterr);

/** @return 0; -EINVAL with a static sentence in `reterr` for a package that cannot; -ENOMEM. */
RV_MUST_CHECK int rv_models_new(struct rv_models **ret_models,
                                const struct rv_models_options *options, const char **reterr);
void rv_models_free(struct rv_models **models);

/** The live model, and its digest in hex. */
const struct rv_model *rv_models_live(const struct rv_models *models);
const char *rv_models_live_hex(const struct rv_models *models);
/** False while it is stepped down: what it says decides nothing. */
bool rv_models_stands(const struct rv_models *models);
enum rv_light rv_models_light(const struct rv_models *models); /* of the live model's promise */

/** An event and its process, as rv_features_update() left it: sessions go on by it. */
void rv_models_hear(struct rv_models *models, const struct rv_event *event,
                    const struct rv_process *process);

struct rv_models_asked {
    const struct rv_vector *vector;
    uint32_t class;
    const struct rv_process *process; /* NULL: of no session */
    uint32_t tid;
};
/** What the process's session had to say beside its vector. */
struct rv_models_session {
    struct rv_session_score score;
    struct rv_p_value vector_p, p; /* before each is divided by its share of alpha */
    uint32_t share_ppm;  /* 0: the model knows no sessions */
    bool speaks;         /* the risk is the session's */
};
/**
 * The live model's verdict, without reasons, and the p-value its risk was made from: the smaller of
 * the vector's and the session's, each divided by its share of the promise's alpha.
 */
void rv_models_score(const struct rv_models *models, const struct rv_models_asked *asked,
                     struct rv_verdict *ret_verdict, struct rv_p_value *ret_p,
                     struct rv_models_session *ret_session);

/** What the live model's risk may decide: less than an alarm once it has stepped down. */
uint32_t rv_models_risk_to_decide_on(const struct rv_models *models, uint32_t risk);

/** What becomes of a score. */
enum rv_fate {
    RV_FATE_FORGET = 0, /* of a process that was alerted on: no example of anything */
    RV_FATE_NORMAL,     /* what normal looks like */
    RV_FATE_HOLD,       /* alerted on and reported: held apart until a person judges it */
};

/** One verdict that was due. */
struct rv_models_seen {
    const struct rv_vector *vector;
    const struct rv_verdict *verdict; /* of rv_models_score() */
    const struct rv_process *process; /* NULL: of no session */
    uint32_t tid;
    uint32_t class, weight;
    uint64_t time_ns;
    uint64_t random; /* breaks ties of p-values; from the event, so that replay repeats it */
    enum rv_fate fate;
    bool tainted; /* not normal work: no bet, no drift */
    bool alarmed; /* by the live model or a policy */
    bool learn;
};
void rv_models_take(struct rv_models *models, const struct rv_models_seen *seen);

/**
 * What changed and belongs in the log as a `model` entry (docs/PROTOCOL.md), once a change.
 * @return a new object; NULL: nothing changed.
 */
json_t *rv_models_take_change(struct rv_models *models);

/**
 * A person judged a verdict that was held (RV_FATE_HOLD). Both models learn from it; a false alarm
 * counts against the live model's promise if it was its own.
 */
struct rv_models_label {
    const struct rv_vector *vector;
    uint32_t class;
    struct rv_sha256 model; /* that gave the verdict */
    int64_t session_q16;    /* what its session scored; negative: not known */
    uint64_t time_ns; /* now, by the boot clock */
    bool settled; /* judged otherwise before: nothing is held, no false alarm is counted anew */
    enum rv_judgement judgement;
};
void rv_models_label(struct rv_models *models, const struct rv_models_label *label);

/** What a judgement teaches the models that run, so that it can be taken back. */
#define RV_MODELS_TAUGHT 2 /* live, shadow */
struct rv_models_taught {
    struct rv_sha256 model[RV_MODELS_TAUGHT]; /* zeros: none */
    int64_t raw_q16[RV_MODELS_TAUGHT];
    uint32_t class;
    int64_t session_q16; /* negative: of no session */
    struct rv_sha256 session_model;
};
void rv_models_teaches(const struct rv_models *models, const struct rv_models_label *label,
                       struct rv_models_taught *ret_taught);
/** Take back what rv_models_label() taught a model that runs now; another one keeps it. */
void rv_models_unlearn(struct rv_models *models, const struct rv_models_taught *taught);
/** With one normal score more, would this attack, which alarms, alarm no more? */
bool rv_models_would_hide(const struct rv_models *models, const struct rv_models_taught *normal,
                          const struct rv_models_taught *attack);
/** rv_calibration_false_alarms_expected() of the live model on this host. */
uint64_t rv_models_false_alarms_expected(const struct rv_models *models);

/**
 * Another model speaks from now on; what this host taught it before is taken up again.
 * @param live  NULL: the built-in one.
 * @return 0; an error as rv_models_new(), and nothing changed.
 */
RV_MUST_CHECK int rv_models_swap(struct rv_models *models, const struct rv_package *live,
                                 const char **reterr);

/** How the models stand (docs/PROTOCOL.md, `model`). @return a new object, or NULL. */
enum rv_models_detail { RV_MODELS_BRIEF = 0, RV_MODELS_FULL };
json_t *rv_models_json(const struct rv_models *models, enum rv_models_detail detail);

/** What was learnt beside each model, by digest. */
void rv_models_save(const struct rv_models *models, struct rv_buf *buf);
/** @return 0; -EBADMSG with a static sentence, and nothing was taken; -ENOMEM. */
RV_MUST_CHECK int rv_models_load(struct rv_models *models, struct rv_span bytes,
                                 const char **reterr);
