/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file enforce/score_package.h  A package with all that rv_score_promote() asks for: two heads
 * that read only what the kernel keeps, golden rows, and the section "kernel.thresholds": from
 * which margin on a process has which risk, by kind of program. `reeve model train --head kernel`
 * makes it.
 *
 *     RV_SCORE_CLASSES times RV_SCORE_STEPS of: i64 margin in Q16.16, INT64_MAX: never; u32 risk
 *
 * Little endian; margins and risks ascend within a class. Pure: nothing here touches the kernel.
 */
#pragma once

#include "enforce/score.h"
#include "models/package.h"

#define RV_SCORE_SECTION "kernel.thresholds"
/** A model of the judge's may carry one for the kernel as a package within, which is opened then.
 */
#define RV_SCORE_CARRIED "kernel.package"

void rv_score_thresholds_encode(const struct rv_score_thresholds *thresholds, struct rv_buf *buf);
/** @return 0; -EINVAL for another length, for steps that do not ascend, for a risk above 1000. */
RV_MUST_CHECK int rv_score_thresholds_decode(struct rv_span section,
                                             struct rv_score_thresholds *ret_thresholds);

/** @return 0; -EINVAL for no heads or other rows; -EOPNOTSUPP: a feature that only the judge has.
 */
RV_MUST_CHECK int rv_score_check_heads(const struct rv_kernel_model *model);

struct rv_score_package; /* opened: immutable, keeps nothing of what it was opened from */

/**
 * Check and open; golden rows are tried in user space.
 * @param reterr why it was refused, for a person; may be NULL. Static string.
 * @return 0; -ENOENT if it is not made for the kernel and carries none that is; -EOPNOTSUPP if a
 * head reads a feature that only the judge has; -EBADMSG if a golden row got another score;
 * -EINVAL; -ENOMEM.
 */
RV_MUST_CHECK int rv_score_package_open(const struct rv_package *package,
                                        struct rv_score_package **ret_package, const char **reterr);
void rv_score_package_free(struct rv_score_package **package);

/** For rv_score_promote() and rv_score_shadow(); borrowed. */
const struct rv_score_candidate *rv_score_package_candidate(const struct rv_score_package *package);
