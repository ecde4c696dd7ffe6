/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file agent/kernel_model.h  The models that the kernel scores with.
 *
 * kernel.model and kernel.shadow pin them; without kernel.model they follow the packages that speak
 * for the judge and stand in its shadow, which are for the kernel or carry one that is
 * (enforce/score_package.h). The judge names packages by their digest only: the guard looks for
 * them where its own configuration says, and opens none but files that root owns and nobody else
 * can write.
 */
#pragma once

#include "channel.h"
#include "config.h"

struct rv_score_package; /* enforce/score_package.h, which enforce/act.h does not go with */

struct rv_kernel_models {
    struct rv_score_package *live, *shadow; /* NULL: none */
    bool may_follow; /* a model may come later: the hooks are there from the beginning */
    enum rv_kernel_slot_why live_why, shadow_why;
    int error; /* of RV_SLOT_REFUSED: -errno */
};

/** What is pinned. @return 0, also when nothing is; -errno, after saying what is wrong with which
 * file. */
RV_MUST_CHECK int rv_kernel_models_open(struct rv_kernel_models *ret_models,
                                        const struct rv_agent_config *config);
void rv_kernel_models_done(struct rv_kernel_models *models);

/**
 * Take up what speaks now. A package that cannot be used empties its slot: an earlier one never
 * scores on. @return whether the slots are others now.
 */
bool rv_kernel_models_follow(struct rv_kernel_models *models, const struct rv_agent_config *config,
                             const struct rv_channel_model *model);

/** The kernel did not take them. */
void rv_kernel_models_refuse(struct rv_kernel_models *models, int error);
