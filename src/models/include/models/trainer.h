/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file models/trainer.h  Gradient-boosted forests from labelled integer rows.
 * Two engines with one meaning of every option: our own (always there; histograms of gradients in
 * fixed point, so the result is the same on every machine) and libxgboost (when built with it;
 * nthread=1). The same data, options and seed give the same forest.
 */
#pragma once

#include "models/forest.h"

struct rv_rows {
    uint32_t width;
    size_t count;
    const int32_t *values; /* count * width */
    const float *targets;  /* count: 0 or 1 for logistic, any finite value for squared */
    const float *weights;  /* count, >= 0; NULL: all 1 */
};

enum rv_train_engine { RV_TRAIN_OWN = 0, RV_TRAIN_XGBOOST };
enum rv_train_loss { RV_TRAIN_LOGISTIC = 0, RV_TRAIN_SQUARED };

struct rv_train_options {
    enum rv_train_engine engine;
    enum rv_train_loss loss;
    uint32_t trees;          /* 1..RV_FOREST_TREES_MAX */
    uint32_t depth;          /* 1..12 */
    uint32_t bins;           /* 2..1024; candidate thresholds a feature */
    double eta;              /* (0, 1] */
    double lambda;           /* >= 0: L2 on leaves */
    double gamma;            /* >= 0: least gain of a split */
    double child_weight_min; /* least hessian in a child */
    double subsample;        /* (0, 1]: share of rows a tree sees */
    double colsample;        /* (0, 1]: share of features a tree sees */
    const int8_t
        *monotone; /* width values: +1 score may only rise with the feature, -1, 0; NULL: 0 */
    uint64_t seed;
    /** Called after each tree if set; a true answer stops early and keeps the trees so far. */
    bool (*progress)(void *user, uint32_t trees_done, uint32_t trees);
    void *user;
};

/** 64 trees of depth 5, eta 0.15, lambda 1, 256 bins, subsample 0.8, colsample 0.5, seed 1. */
struct rv_train_options rv_train_defaults(void);

/** Whether `engine` was built in. */
bool rv_train_has(enum rv_train_engine engine);

/**
 * Train a forest whose Q16.16 score is the margin (log-odds, or the target itself for squared).
 * @param reterr why, for a person; may be NULL. Static string.
 * @return 0; -EINVAL for options or data out of range (also: only one class); -EOPNOTSUPP if the
 *         engine was not built in; -ECANCELED never (stopping early is a success); -ENOMEM.
 */
RV_MUST_CHECK int rv_train_forest(const struct rv_rows *rows,
                                  const struct rv_train_options *options,
                                  struct rv_forest **ret_forest, const char **reterr);
