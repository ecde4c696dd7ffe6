/* SPDX-License-Identifier: Apache-2.0 */
/** @file agent/scorer.h (private)  One model and what this host taught beside it. */
#pragma once

#include "agent/models.h"
#include "models/drift_watch.h"
#include "models/language.h"

struct rv_scorer {
    struct rv_model *model; /* NULL: there is none */
    struct rv_calibration *calibration;
    /* This host's own scores alone, where a package brought those of others: what the martingale
     * bets on. Else any other host would break the promise on its first day. NULL: as calibration
     */
    struct rv_calibration *own;
    /* Sessions, where the package has a language model; else NULL. */
    struct rv_language *language;
    struct rv_calibration *spoken; /* what they score here */
    struct rv_sessions *sessions;
    struct rv_promise promise;
    struct rv_drift_watch *watch;
    char name[64];
    char hex[RV_SHA256_HEX_LEN + 1];
};

/** @param package NULL: the built-in model. @return 0; -errno, `reterr` a static sentence. */
RV_MUST_CHECK int rv_scorer_open(struct rv_scorer *ret_scorer, const struct rv_package *package,
                                 uint64_t drift_window_ns, const char **reterr);
void rv_scorer_done(struct rv_scorer *scorer); /* cleanup attribute */

/** The verdict and p-value of the vector, and of the process's session when that is rarer. */
void rv_scorer_score(const struct rv_scorer *scorer, const struct rv_models_asked *asked,
                     struct rv_verdict *verdict, struct rv_p_value *ret_p,
                     struct rv_models_session *ret_session);

/** One verdict of this model that was due. */
struct rv_scorer_seen {
    const struct rv_models_seen *seen;
    int64_t raw_q16;
    bool alarmed;
    enum rv_fate fate;
};
void rv_scorer_take(struct rv_scorer *scorer, const struct rv_scorer_seen *seen);

/** A person judged a verdict that was held. */
void rv_scorer_label(struct rv_scorer *scorer, const struct rv_models_label *label);

/** Take back what a judgement taught this model. */
void rv_scorer_unlearn(struct rv_scorer *scorer, const struct rv_models_taught *taught,
                       int64_t raw_q16);

/** False from a broken promise or red drift on. */
bool rv_scorer_stands(const struct rv_scorer *scorer);

/** How it stands, as an object; NULL without memory. */
json_t *rv_scorer_json(const struct rv_scorer *scorer, enum rv_models_detail detail);

void rv_scorer_save(const struct rv_scorer *scorer, struct rv_buf *buf);
/** @return 0; -EBADMSG or -EPROTONOSUPPORT, then nothing was taken; -ENOMEM. */
RV_MUST_CHECK int rv_scorer_load(struct rv_scorer *scorer, struct rv_span bytes);
