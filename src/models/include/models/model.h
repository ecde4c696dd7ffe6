/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file models/model.h  What every model is to the judge: a vector in, a verdict out.
 * A model is immutable and may be scored from many threads. Scores are fixed point, Q16.16, so
 * that kernel and user space agree bit for bit. What learns while running is the calibration
 * (models/calibration.h), not the model.
 */
#pragma once

#include "base/hash.h"
#include "features/vector.h"

#define RV_RISK_MAX 1000

struct rv_verdict {
    uint32_t risk;    /* 0..1000: -100 log10 of the conformal p-value (DESIGN 4) */
    int64_t raw_q16;  /* the model's own score; higher is stranger or worse */
    int64_t base_q16; /* what the model says of the average row */
    /** base_q16 + sum(attribution_q16) == raw_q16, exactly. All zero unless RV_EXPLAIN was asked. */
    int64_t attribution_q16[RV_FEATURE_COUNT];
    struct rv_sha256 model; /* digest of the model that spoke */
};

enum rv_explain { RV_SCORE_ONLY = 0, RV_EXPLAIN };

struct rv_model;

/** What a kind of model provides; see baseline.h, forest.h. */
struct rv_model_ops {
    const char *kind;
    int64_t (*score_q16)(const struct rv_model *model, const struct rv_vector *vector);
    /** Fills raw_q16, base_q16 and attribution_q16. */
    void (*explain)(const struct rv_model *model, const struct rv_vector *vector,
                    struct rv_verdict *verdict);
    void (*free)(struct rv_model *model);
};

/** The head of every model; kinds embed it first. */
struct rv_model {
    const struct rv_model_ops *ops;
    struct rv_sha256 digest;         /* of the package or, for the built-in one, of its tables */
    struct rv_sha256 feature_table;  /* digest of the feature table that it was made for */
};

static inline int64_t rv_model_score_q16(const struct rv_model *model,
                                         const struct rv_vector *vector)
{
    return model->ops->score_q16(model, vector);
}

/** Raw score, base and, if asked, reasons. `risk` is left 0: calibration sets it. */
void rv_model_judge(const struct rv_model *model, const struct rv_vector *vector,
                    enum rv_explain explain, struct rv_verdict *ret_verdict);
void rv_model_free(struct rv_model **model);
