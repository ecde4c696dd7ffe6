/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cmd/model/behaviour_fit.h  Forests of behaviour from vectors: two heads with attacks, an
 * isolation forest without; out-of-sample scores by leaving whole streams out; people's judgements
 * held against what they would do.
 */
#pragma once

#include "behaviour_data.h"

#include "models/forest.h"

#define BEHAVIOUR_FOLDS 5U
#define BEHAVIOUR_ALL   BEHAVIOUR_FOLDS /* no fold is left out */

struct behaviour_options {
    uint64_t seed;
    uint32_t source_cap_ppm; /* of the weight of its side that one source may have */
    struct task_kernel kernel;
};

/** The heads of one model; `monotone` is NULL when it was trained without attacks. */
struct behaviour_heads {
    struct rv_forest *window, *monotone;
};
void behaviour_heads_done(struct behaviour_heads *heads); /* cleanup attribute */

/** The fold of each row: streams take turns as wholes. What people judged is in none. */
RV_MUST_CHECK int behaviour_folds(const struct vectors *vectors, uint32_t *ret_folds);

/** Train on all rows but those of fold `left_out`. @return 0; -errno. */
RV_MUST_CHECK int behaviour_train(const struct vectors *vectors, const uint32_t *folds,
                                  uint32_t left_out, const struct behaviour_options *options,
                                  struct behaviour_heads *ret_heads);

/** Out-of-sample scores of both heads, a row each; what no fold leaves out keeps its value. */
struct behaviour_scores {
    int64_t *window, *monotone;
};
void behaviour_scores_done(struct behaviour_scores *scores);
RV_MUST_CHECK int behaviour_cross(const struct vectors *vectors, const uint32_t *folds,
                                  const struct behaviour_options *options,
                                  const struct rv_progress *progress,
                                  struct behaviour_scores *ret_scores);

/**
 * Not all that an attacker does is an attack: of each attack stream the vectors that a model which
 * did not see it finds strangest are kept, the others set aside (`folds` says so).
 */
RV_MUST_CHECK int behaviour_evidence(const struct vectors *vectors,
                                     const struct behaviour_scores *scores, uint32_t *folds);

/** What to add to the monotone head's scores so that both heads are equally seldom high. */
RV_MUST_CHECK int behaviour_shift(const struct vectors *vectors, const uint32_t *folds,
                                  const struct behaviour_scores *scores, int64_t *ret_shift);

/**
 * Judgements join the rows. Held against what they do: a model with them must do no worse on
 * streams that neither it nor one without them saw; what differs is said on standard error.
 * @param ret_accepted false: they must not be learnt from.
 */
RV_MUST_CHECK int behaviour_admit(struct vectors *vectors, const struct rv_labels *labels,
                                  const struct behaviour_options *options, bool *ret_accepted);
