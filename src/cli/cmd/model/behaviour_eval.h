/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cmd/model/behaviour_eval.h  What a model of behaviour finds in streams, and how often it is
 * wrong: as shipped, calibrated on the host as it goes, and beside the built-in model.
 */
#pragma once

#include "behaviour_data.h"

#include "models/calibration.h"
#include "models/model.h"
#include "models/package.h"

/** The package's model and its calibration. @return 0, or -errno, said. */
RV_MUST_CHECK int behaviour_open(const struct rv_package *package, struct rv_model **ret_model,
                                 struct rv_calibration **ret_calibration);

/** The task's eval (task.h). */
RV_MUST_CHECK int behaviour_eval(const struct rv_package *package, const struct task_files *files,
                                 uint64_t seed, json_t *report);

/** The language model of the package; NULL when it has none. @return 0, or -errno, said. */
RV_MUST_CHECK int behaviour_language(const struct rv_package *package,
                                     struct rv_language **ret_language);
