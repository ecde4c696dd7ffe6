/* SPDX-License-Identifier: Apache-2.0 */
/** @file agent/kernel_scores.h  The kernel's own risk, beside the LSM provider that reads it. */
#pragma once

#include "channel.h"
#include "kernel_model.h"

struct rv_kernel_scores;

struct rv_kernel_scores_options {
    const struct rv_agent_config *config;  /* of watched files */
    const struct rv_kernel_models *models; /* have a live one, or may follow one that comes */
    int risks_fd, own_fd;                  /* rv_lsm_risks_fd(), rv_lsm_own_fd() */
};

/**
 * Programs that are attached later run first: open this after the provider, so that a rule sees the
 * risk which the event itself made, and close it before. Golden rows are tried in this kernel
 * first.
 * @return 0; -EOPNOTSUPP, -EPERM: no BPF LSM here; -EBADMSG: this kernel scores otherwise; -errno.
 */
RV_MUST_CHECK int rv_kernel_scores_open(struct rv_kernel_scores **ret_score,
                                        const struct rv_kernel_scores_options *options);
/**
 * Other models, or none: all hooks change in one step, golden rows first. A live one that this
 * kernel does not take leaves none: what came before it never scores on.
 * @return 0; -errno: none scores.
 */
RV_MUST_CHECK int rv_kernel_scores_put(struct rv_kernel_scores *score,
                                       const struct rv_kernel_models *models);
void rv_kernel_scores_close(struct rv_kernel_scores **score);

/** What kind of program a file is. @return as rv_score_kind(). */
RV_MUST_CHECK int rv_kernel_scores_kind(struct rv_kernel_scores *score, const char *path,
                                        uint32_t kind);
/** Left alone when they cannot be read. */
void rv_kernel_scores_count(const struct rv_kernel_scores *score,
                            struct rv_channel_scores *ret_scores);
