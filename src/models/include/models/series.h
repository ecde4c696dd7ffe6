/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file models/series.h  Models of sensor series: what each reading should be, given the others.
 * With enough rows each sensor is predicted from the others and from the row before, by a
 * regression and by a boosted forest, and a sensor that plays its own past again is found, as who
 * hides an attack shows a recording; with few, sensors are watched for leaving their level. Risk
 * counts alarms, not rows: 200 says that one in a hundred windows of rows scores so high somewhere.
 * Reasons are sensors with a direction. Immutable; scoring is thread-safe.
 */
#pragma once

#include "models/dataset.h"
#include "models/task.h"

struct rv_series_model;

struct rv_series_reason {
    size_t column; /* of the series */
    double share;  /* of the score, 0..1 */
    double expected, seen;
    size_t lag; /* rows: it repeats exactly what it read so long before; 0: it does not */
};

RV_MUST_CHECK int rv_series_train(struct rv_series_model **ret_model,
                                  const struct rv_series_set *normal,
                                  const struct rv_series_set *attack,
                                  const struct rv_task_options *options,
                                  struct rv_dataset_error *reterr);
/**
 * Score every row, from past and present rows only.
 * @param scores one a row.
 * @return 0; -EINVAL with `reterr` when the columns are not those of the model; -ENOMEM.
 */
RV_MUST_CHECK int rv_series_score(const struct rv_series_model *model,
                                  const struct rv_series *series, struct rv_score *scores,
                                  struct rv_dataset_error *reterr);
/** Why row `row` scored as it did; at most `room` reasons, largest first. @return how many. */
size_t rv_series_explain(const struct rv_series_model *model, const struct rv_series *series,
                         size_t row, struct rv_series_reason *reasons, size_t room);
RV_MUST_CHECK int rv_series_save(const struct rv_series_model *model, struct rv_buf *into);
RV_MUST_CHECK int rv_series_load(struct rv_series_model **ret_model, struct rv_span bytes);
void rv_series_model_free(struct rv_series_model **model);
