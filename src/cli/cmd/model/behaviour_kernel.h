/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cmd/model/behaviour_kernel.h  What a model of behaviour has besides when it is for the
 * kernel: enforce/score_package.h. Each adds sections and says in the manifest what they hold.
 */
#pragma once

#include "behaviour_fit.h"

#include "models/calibration.h"

/** From which margin on which risk, by the calibration. @return 0; -errno. */
RV_MUST_CHECK int behaviour_kernel_thresholds(struct task_training *training,
                                              const struct rv_calibration *calibration);

/** Rows at the thresholds of both heads, for the kernel to be tried on.
 * @return 0; -EOPNOTSUPP if a head reads what the kernel does not keep; -errno. */
RV_MUST_CHECK int behaviour_kernel_golden(struct task_training *training,
                                          const struct behaviour_heads *heads);
