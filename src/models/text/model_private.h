/* SPDX-License-Identifier: Apache-2.0 */
/** @file text/model_private.h  What a text model is made of; shared by training and use. */
#pragma once

#include "models/text.h"
#include "parts.h"
#include "sequence/lm.h"
#include "task/tail.h"

struct rv_text_model {
    struct rv_lm lm; /* over bytes of normal lines; empty when supervised */
    float *weights;  /* RV_TEXT_BUCKETS; NULL: one-class */
    double bias;
    struct rv_calibration *calibration;
};

/** Log-odds of a stretch. */
double rv_text_margin(const float *weights, double bias, const struct rv_text_features *features);

/** Score of the line's highest stretch, and which one it is. `parts`: work, reused. */
RV_MUST_CHECK int rv_text_raw(const struct rv_text_model *model, struct rv_text_parts *parts,
                              struct rv_span line, double *ret_raw,
                              struct rv_text_stretch *ret_best);
