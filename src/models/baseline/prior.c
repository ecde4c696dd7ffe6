/* SPDX-License-Identifier: Apache-2.0 */
/* What the built-in model's scores look like where nothing is wrong, before this host has its own.
 */
#include "features/program.h"
#include "models/calibration.h"

#define EDGE_COUNT  160 /* quarters of a point from 0.25 to 40 */
#define QUARTER_Q16 ((int64_t)16384)
#define CLASS_MIN   2000U
#define ALPHA_PPM   100U /* alarms begin at risk 400 */

/*
 * Of 30,000 benign verdicts, how many score at least so many quarters of a point. From whole-host
 * recordings of builds, tests, package installation, archives and scripts (11,600 verdicts, see
 * tests/system/baseline_survey.c), the tail drawn out wider than it was.
 */
static const struct {
    int quarters;
    uint32_t at_least;
} tail[] = {
    { 0, 30000 }, { 1, 15000 }, { 2, 11000 }, { 4, 6500 }, { 8, 2700 }, { 12, 1900 },
    { 16, 1550 }, { 20, 1450 }, { 24, 330 },  { 28, 240 }, { 32, 130 }, { 36, 48 },
    { 40, 20 },   { 44, 10 },   { 48, 5 },    { 52, 2 },   { 56, 1 },   { 60, 0 },
};

int rv_calibration_new_baseline(struct rv_calibration **ret_calibration)
{
    int64_t edges[EDGE_COUNT];
    struct rv_calibration_options options = {
        .edges_q16 = edges,
        .edge_count = EDGE_COUNT,
        .class_count = RV_KIND_COUNT_,
        .class_min = CLASS_MIN,
        .alpha_ppm = ALPHA_PPM,
    };
    int r;

    for (int i = 0; i < EDGE_COUNT; i++)
        edges[i] = (i + 1) * QUARTER_Q16;
    r = rv_calibration_new(ret_calibration, &options);
    if (r < 0)
        return r;
    /* The prior is of all kinds together: a class speaks for itself once it has its own scores. */
    for (size_t i = 0; i + 1 < RV_COUNT(tail); i++)
        rv_calibration_prior(*ret_calibration, tail[i].quarters * QUARTER_Q16,
                             tail[i].at_least - tail[i + 1].at_least);
    return 0;
}
