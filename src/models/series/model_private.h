/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file series/model_private.h  What a series model is made of; shared by training and use.
 * Two kinds, by how much normal data there was:
 *   relations  (RV_SERIES_ROWS_LONG rows or more) what each sensor should read given all others, by
 *              a quadratic regression and by a boosted forest; both residuals, in units of what is
 *              usual, smoothed over a window
 *   levels     (less) how far the sensors are from their level, in units that grow for sensors that
 *              wander
 */
#pragma once

#include "models/forest.h"
#include "models/series.h"
#include "task/tail.h"

#define RV_SERIES_ROWS_LONG ((size_t)1500)
#define RV_SERIES_ROWS_MIN  ((size_t)40)
#define RV_SERIES_SENSORS   ((size_t)128) /* that vary */

enum rv_series_kind { RV_SERIES_LEVELS, RV_SERIES_RELATIONS };

struct rv_sensor {
    char *name;
    double mean, deviation; /* of normal readings */
    double scale;           /* levels: what counts as one unit of distance */
    bool target;            /* relations: predicted from the others */
    /* relations: residuals that 70 and 95 of 100 normal rows stay below */
    double usual_regression, rare_forest;
    struct rv_forest *forest; /* NULL if not a target */
};

struct rv_series_model {
    enum rv_series_kind kind;
    size_t count; /* sensors that vary, in the order of training */
    struct rv_sensor *sensors;
    /* relations: per target a row of `terms` coefficients over the standardised terms */
    size_t terms;
    double *term_mean, *term_deviation;
    double *coefficients; /* count * terms; 0 for terms of the target itself */
    double middle_regression, middle_forest; /* medians of the two scores in normal rows */
    struct rv_calibration *calibration;
};

/** Readings of the model's sensors, standardised, row by row; NaN filled from before. */
RV_MUST_CHECK int rv_series_standardise(const struct rv_series_model *model,
                                        const struct rv_series *series, double **ret_rows,
                                        struct rv_dataset_error *reterr);

/** Terms of the quadratic: the readings, then their products, clipped. */
size_t rv_series_terms(size_t sensors);
void rv_series_fill_terms(const double *row, size_t sensors, double *terms);
/** Whether a term has to do with a sensor. */
bool rv_series_term_of(size_t term, size_t sensor, size_t sensors);

/** The integer row that a sensor's forest sees: the other sensors, milli-deviations. */
void rv_series_forest_row(const double *row, size_t sensors, size_t target, int32_t *ret_row);

/** Residuals of one standardised row: by regression and by forest, one a sensor. */
void rv_series_residuals(const struct rv_series_model *model, const double *row,
                         double *work, double *ret_regression, double *ret_forest);

/** Scores of standardised rows that follow each other, smoothed and held. */
RV_MUST_CHECK int rv_series_raw(const struct rv_series_model *model, const double *rows,
                                size_t count, double *ret_raw);

/** Both scores of rows that follow each other, from their residuals, smoothed. */
RV_MUST_CHECK int rv_series_smooth_relations(const struct rv_series_model *model,
                                             const double *regression, const double *forest,
                                             size_t count, double *ret_regression,
                                             double *ret_forest);
/** The two scores as one, relative to their medians; falls only slowly. May work in place. */
void rv_series_hold_relations(const struct rv_series_model *model, const double *by_regression,
                              const double *by_forest, size_t count, double *ret_raw);
