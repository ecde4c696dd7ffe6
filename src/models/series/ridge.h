/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file series/ridge.h  Many ridge regressions on one set of terms, each without some of them.
 * One factorisation serves all: leaving terms out of a solved system is a small correction.
 */
#pragma once

#include "base/base.h"

struct rv_ridge {
    size_t terms, targets;
    double weight; /* of all rows */
    double *sums;  /* terms + targets: weighted */
    double *gram;  /* terms * terms, lower half: weighted products */
    double *cross; /* targets * terms */
};

RV_MUST_CHECK int rv_ridge_init(struct rv_ridge *ridge, size_t terms, size_t targets);
void rv_ridge_done(struct rv_ridge *ridge);
void rv_ridge_add(struct rv_ridge *ridge, const double *terms, const double *targets,
                  double weight);
/** `into`, of the same size, becomes what `all` holds and `part` does not. */
void rv_ridge_without(struct rv_ridge *into, const struct rv_ridge *all,
                      const struct rv_ridge *part);
/** From sums to those of terms with mean 0 and deviation 1. @return 0; -EINVAL without rows. */
RV_MUST_CHECK int rv_ridge_standardise(struct rv_ridge *ridge, double *ret_mean,
                                       double *ret_deviation);
/** Replace `gram` by the inverse of gram + penalty * I. @return 0; -EDOM; -ENOMEM. */
RV_MUST_CHECK int rv_ridge_invert(struct rv_ridge *ridge, double penalty);
/**
 * Coefficients of one target after rv_ridge_invert().
 * @param left_out ascending term numbers that get 0.
 */
RV_MUST_CHECK int rv_ridge_solve(const struct rv_ridge *ridge, size_t target,
                                 const size_t *left_out, size_t left_out_count,
                                 double *ret_coefficients);
