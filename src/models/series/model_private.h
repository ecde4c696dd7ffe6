/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file series/model_private.h  What a series model is made of; shared by training and use.
 * Two kinds, by how much normal data there was:
 *   relations  (RV_SERIES_ROWS_LONG rows or more) what each sensor should read given all others and
 *              the row before: by a regression, which says how everything hangs together, and by a
 *              boosted forest, which says what was never seen; both residuals, in units of what is
 *              usual, over a window. Beside that, whether a sensor repeats its own past
 *   levels     (less) how far the sensors are from their level, in units that grow for sensors that
 *              wander
 */
#pragma once

#include "models/forest.h"
#include "models/repeats.h"
#include "models/series.h"
#include "task/tail.h"

#define RV_SERIES_ROWS_LONG ((size_t)1500)
#define RV_SERIES_ROWS_MIN  ((size_t)40)
#define RV_SERIES_SENSORS   ((size_t)128) /* that vary */
#define RV_SERIES_PRODUCTS  ((size_t)50)  /* with more sensors the regression is linear */
#define RV_SERIES_WINDOW    7U            /* rows that a score looks at */
#define RV_SERIES_EXCESS    10.0          /* the most that one sensor adds to the forest's score */

enum rv_series_kind { RV_SERIES_LEVELS, RV_SERIES_RELATIONS };

struct rv_sensor {
    char *name;
    double mean, deviation; /* of normal readings */
    double scale;           /* levels: what counts as one unit of distance */
    /* relations: residuals that 700 and 998 of 1,000 normal rows stay below */
    double usual_regression, rare_forest;
    uint32_t repeats;         /* relations: of models/repeats.h */
    struct rv_forest *forest; /* relations */
};

/** A sensor that always read the same: that it moves is news, whatever the others say. */
struct rv_constant {
    char *name;
    double value;
};

struct rv_series_model {
    enum rv_series_kind kind;
    size_t count; /* sensors that vary, in the order of training */
    struct rv_sensor *sensors;
    size_t constant_count; /* relations */
    struct rv_constant *constants;
    /* relations: per sensor a row of `terms` coefficients over the standardised terms */
    size_t terms;
    double *term_mean, *term_deviation;
    double *coefficients; /* count * terms; 0 for terms of the sensor itself */
    double quiet; /* the score of a row by itself that 700 of 1,000 normal rows stay below */
    struct rv_calibration *calibration;
};

/** Standardised readings, and what moved that never did; borrowed parts of a series. */
struct rv_series_rows {
    const double *rows;    /* count * sensors */
    const uint32_t *moved; /* constants that moved, a row */
    size_t count;
};

/** Readings of the model's sensors, standardised, row by row; NaN filled from before. */
RV_MUST_CHECK int rv_series_standardise(const struct rv_series_model *model,
                                        const struct rv_series *series, double **ret_rows,
                                        struct rv_dataset_error *reterr);
/** How many constants do not read what they always did, one a row. */
RV_MUST_CHECK int rv_series_moved(const struct rv_series_model *model,
                                  const struct rv_series *series, uint32_t **ret_moved,
                                  struct rv_dataset_error *reterr);
bool rv_constant_moved(const struct rv_constant *constant, double value);
/** SIZE_MAX if there is none. */
size_t rv_series_column(const struct rv_series *series, const char *name);

/* ---- Relations ---- */

/** Terms of the regression: the readings, their products, the readings of the row before. */
size_t rv_series_terms(size_t sensors);
void rv_series_fill_terms(const double *row, const double *before, size_t sensors, double *terms);
/** Whether a term has to do with what a sensor reads now. */
bool rv_series_term_of(size_t term, size_t sensor, size_t sensors);

/** The integers that a sensor's forest sees: the other sensors now, all of them before. */
void rv_series_forest_row(const double *row, const double *before, size_t sensors, size_t target,
                          int32_t *ret_row);

/** Residuals of row `at`: by regression and by forest, one a sensor. `work`: `terms` doubles. */
void rv_series_residuals(const struct rv_series_model *model, const double *rows, size_t at,
                         double *work, double *ret_regression, double *ret_forest);
/** What one sensor's residuals add to the two scores of a row. */
void rv_series_parts(const struct rv_sensor *sensor, double regression, double forest,
                     double *ret_regression, double *ret_forest);

/** Both scores of a row by itself: sums over sensors of what goes beyond the usual. */
void rv_series_row_score(const struct rv_series_model *model, const double *regression,
                         const double *forest, double *ret_regression, double *ret_forest);
/** Two scores, of a row or of a window, as one. */
double rv_series_join(double by_regression, double by_forest);
/** From the scores of rows that follow each other to a score over the window. */
void rv_series_follow(const struct rv_series_model *model, const double *by_regression,
                      const double *by_forest, size_t count, double *ret_raw);

RV_MUST_CHECK int rv_series_relations_raw(const struct rv_series_model *model,
                                          const struct rv_series_rows *rows, double *ret_raw);

/* ---- Levels ---- */

RV_MUST_CHECK int rv_series_levels_raw(const struct rv_series_model *model, const double *rows,
                                       size_t count, double *ret_raw);
/** What one sensor's distance adds to a row's score. */
double rv_series_level_part(const struct rv_sensor *sensor, double standardised);
