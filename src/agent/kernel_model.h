/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file agent/kernel_model.h  The models that the kernel scores with: kernel.model, kernel.shadow.
 * They are configuration, like the policy, and the guard reads them before it takes anything from
 * anybody: only a file that root owns and nobody else can write is opened.
 */
#pragma once

#include "config.h"

struct rv_score_package; /* enforce/score_package.h, which enforce/act.h does not go with */

struct rv_kernel_models {
    struct rv_score_package *live, *shadow; /* NULL: none */
};

/** @return 0, also when none is configured; -errno, after saying what is wrong with which file. */
RV_MUST_CHECK int rv_kernel_models_open(struct rv_kernel_models *ret_models,
                                        const struct rv_agent_config *config);
void rv_kernel_models_done(struct rv_kernel_models *models);
