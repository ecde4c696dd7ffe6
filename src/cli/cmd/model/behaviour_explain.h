/* SPDX-License-Identifier: Apache-2.0 */
/** @file cmd/model/behaviour_explain.h  Why a verdict of a stream has its risk. */
#pragma once

#include "task.h"

/** The task's explain (task.h): of the verdict with the highest risk, or of the process asked for.
 */
RV_MUST_CHECK int behaviour_explain(const struct rv_package *package, const char *input,
                                    const struct task_question *question);
