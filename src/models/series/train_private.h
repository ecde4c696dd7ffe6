/* SPDX-License-Identifier: Apache-2.0 */
/** @file series/train_private.h  What the parts of training a series model share. */
#pragma once

#include "model_private.h"

/** One series with what was found of each row. */
struct rv_span_of_series {
    const struct rv_series *series;
    double *rows;                /* standardised */
    double *regression, *forest; /* residuals by models that did not see the row */
    double weight;
    bool later; /* holds attacks too: the plant as it is now */
    bool calibrates;
};

struct rv_series_training {
    const struct rv_task_options *options;
    struct rv_series_model *model;
    struct rv_span_of_series *spans;
    size_t count;
};

bool rv_training_is_normal(const struct rv_span_of_series *span, size_t row);
/** Of all spans, whatever their label. */
size_t rv_training_rows(const struct rv_series_training *training);

RV_MUST_CHECK int rv_series_learn_relations(struct rv_series_training *training);
RV_MUST_CHECK int rv_series_learn_levels(struct rv_series_training *training);
