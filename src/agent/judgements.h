/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file agent/judgements.h  What people said of decisions, and what this host's calibration learnt
 * from it. A package's own calibration is never touched: "benign" adds one score to what this host
 * knows as normal, as if it had not been alerted on.
 *
 * Learning from people is governed. n scores with the promise's alpha lead to n x alpha false
 * alarms: one judge may add a tenth of that, all together half, so that no number of words brings
 * the risk of what has never been normal below that of one alarm in 2 / alpha. A word that would
 * hide what people called malicious is not learnt either. The last word on an entry counts: what
 * the word before it taught is taken back.
 */
#pragma once

#include "agent/models.h"

struct rv_judgements; /* the newest 16384, kept in a file */

/** @param dir_fd borrowed. @return 0; -ENOMEM. A damaged file is said and begun anew. */
RV_MUST_CHECK int rv_judgements_open(struct rv_judgements **ret_judgements, int dir_fd);
void rv_judgements_free(struct rv_judgements **judgements);

/** What is to become of a word. */
enum rv_word {
    RV_WORD_SAID_BEFORE = 0, /* the last word on it is the same: nothing changes */
    RV_WORD_LEARN,
    RV_WORD_JUDGE_FULL,  /* this judge has taught as much as one may */
    RV_WORD_PEOPLE_FULL, /* so have all together */
    RV_WORD_HIDES,       /* something that people called malicious would alarm no more */
};
const char *rv_word_text(enum rv_word word);

struct rv_word_of {
    uint64_t entry;
    uint32_t uid;
    const struct rv_models_label *label;
};
enum rv_word rv_judgements_weigh(const struct rv_judgements *judgements,
                                 const struct rv_models *models, const struct rv_word_of *of);

/** Take back what the word before it taught, learn this one if `word` says so, and keep it. */
void rv_judgements_settle(struct rv_judgements *judgements, struct rv_models *models,
                          const struct rv_word_of *of, enum rv_word word);
