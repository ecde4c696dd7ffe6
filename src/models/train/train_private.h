/* SPDX-License-Identifier: Apache-2.0 */
/** @file train_private.h  What the engines share. Data and options were checked before. */
#pragma once

#include "models/trainer.h"

/** Logistic function, the same on every machine: only +, * and / of doubles. */
double train_sigmoid(double margin);

/** Say why in `reterr` (may be NULL). @return `code`. */
int train_refuse(const char **reterr, int code, const char *why);

RV_MUST_CHECK int train_own(const struct rv_rows *rows, const struct rv_train_options *options,
                            struct rv_forest **ret_forest, const char **reterr);
RV_MUST_CHECK int train_xgboost(const struct rv_rows *rows, const struct rv_train_options *options,
                                struct rv_forest **ret_forest, const char **reterr);
bool train_xgboost_exists(void);
