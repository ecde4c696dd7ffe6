/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file series/ridge.h  Many ridge regressions on one set of terms, each without some of them.
 * One factorisation serves all: leaving terms out of a solved system is a small correction.
 */
#pragma once

#include "base/base.h"

struct rv_ridge {
    size_t terms, targets;
    double *gram;  /* terms * terms: weighted products of standardised terms */
    double *cross; /* targets * terms */
};

RV_MUST_CHECK int rv_ridge_init(struct rv_ridge *ridge, size_t terms, size_t targets);
void rv_ridge_done(struct rv_ridge *ridge);
void rv_ridge_add(struct rv_ridge *ridge, const double *terms, const double *targets,
                  double weight);
/** Replace `gram` by the inverse of gram + penalty * I. @return 0; -EDOM; -ENOMEM. */
RV_MUST_CHECK int rv_ridge_invert(struct rv_ridge *ridge, double penalty);
/**
 * Coefficients of one target after rv_ridge_invert().
 * @param left_out ascending term numbers that get 0.
 */
RV_MUST_CHECK int rv_ridge_solve(const struct rv_ridge *ridge, size_t target,
                                 const size_t *left_out, size_t left_out_count,
                                 double *ret_coefficients);
