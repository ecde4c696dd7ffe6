/* SPDX-License-Identifier: Apache-2.0 */
/* Checking what a trainer is given, and choosing the engine. */
#include "train_private.h"

#include <math.h>

#define ROWS_MAX ((size_t)1 << 26)

struct rv_train_options rv_train_defaults(void)
{
    return (struct rv_train_options){
        .trees = 64,
        .depth = 5,
        .bins = 256,
        .eta = 0.15,
        .lambda = 1,
        .child_weight_min = 1,
        .subsample = 0.8,
        .colsample = 0.5,
        .seed = 1,
    };
}

int train_refuse(const char **reterr, int code, const char *why)
{
    if (reterr)
        *reterr = why;
    return code;
}

/* exp(x) for x <= 0 by halving the argument: a short series, then repeated squaring. */
static double exp_negative(double x)
{
    double small = x / 4096, term = 1, sum = 1;

    if (x < -700)
        return 0;
    for (unsigned i = 1; i < 8; i++) {
        term *= small / i;
        sum += term;
    }
    for (unsigned i = 0; i < 12; i++)
        sum *= sum;
    return sum;
}

double train_sigmoid(double margin)
{
    double e = exp_negative(margin < 0 ? margin : -margin);

    return margin < 0 ? e / (1 + e) : 1 / (1 + e);
}

static const char *check_options(const struct rv_train_options *options)
{
    if (options->trees < 1 || options->trees > RV_FOREST_TREES_MAX)
        return "the number of trees must be 1 to 4096";
    if (options->depth < 1 || options->depth > 12)
        return "the depth must be 1 to 12";
    if (options->bins < 2 || options->bins > 1024)
        return "the number of bins must be 2 to 1024";
    if (!(options->eta > 0 && options->eta <= 1))
        return "eta must be above 0 and at most 1";
    if (!(options->lambda >= 0 && isfinite(options->lambda)) ||
        !(options->gamma >= 0 && isfinite(options->gamma)) ||
        !(options->child_weight_min >= 0 && isfinite(options->child_weight_min)))
        return "lambda, gamma and the least child weight must not be negative";
    if (!(options->subsample > 0 && options->subsample <= 1) ||
        !(options->colsample > 0 && options->colsample <= 1))
        return "subsample and colsample must be above 0 and at most 1";
    return NULL;
}

static const char *check_rows(const struct rv_rows *rows, enum rv_train_loss loss)
{
    bool zero = false, one = false;

    if (rows->width == 0 || rows->width > RV_FOREST_WIDTH_MAX)
        return "rows must have 1 to 4096 values";
    if (rows->count == 0 || rows->count > ROWS_MAX)
        return "there must be 1 to 2^26 rows";
    for (size_t i = 0; i < rows->count; i++) {
        float target = rows->targets[i];

        if (!isfinite(target) || fabsf(target) > 32000.0F)
            return "a target is not a number within +-32000";
        if (rows->weights && !(rows->weights[i] >= 0 && rows->weights[i] <= 1e6F))
            return "a weight is not within 0 to 1000000";
        zero |= target <= 0;
        one |= target >= 1;
        if (loss == RV_TRAIN_LOGISTIC && !(target <= 0 && target >= 0) &&
            !(target <= 1 && target >= 1))
            return "targets must be 0 or 1";
    }
    if (loss == RV_TRAIN_LOGISTIC && !(zero && one))
        return "both classes must be there";
    return NULL;
}

bool rv_train_has(enum rv_train_engine engine)
{
    return engine == RV_TRAIN_OWN || train_xgboost_exists();
}

int rv_train_forest(const struct rv_rows *rows, const struct rv_train_options *options,
                    struct rv_forest **ret_forest, const char **reterr)
{
    const char *wrong = check_options(options);

    if (!wrong)
        wrong = check_rows(rows, options->loss);
    if (wrong)
        return train_refuse(reterr, -EINVAL, wrong);
    return options->engine == RV_TRAIN_OWN ? train_own(rows, options, ret_forest, reterr)
                                           : train_xgboost(rows, options, ret_forest, reterr);
}
