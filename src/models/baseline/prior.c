/* SPDX-License-Identifier: Apache-2.0 */
/* What the built-in model's scores look like where nothing is wrong, before this host has its own.
 */
#include "features/program.h"
#include "models/calibration.h"

#define EDGE_COUNT  160 /* quarters of a point from 0.25 to 40 */
#define QUARTER_Q16 ((int64_t)16384)
#define CLASS_MIN   2000U

/* Of 30,000 benign verdicts, how many score at least so many points. */
static const struct {
    int quarters;
    uint32_t at_least;
} tail[] = {
    { 0, 30000 }, { 1, 21000 }, { 2, 15000 }, { 4, 9000 }, { 6, 6000 }, { 8, 4200 }, { 10, 3000 },
    { 12, 2100 }, { 16, 1200 }, { 20, 600 },  { 24, 300 }, { 28, 150 }, { 32, 75 },  { 36, 36 },
    { 40, 18 },   { 44, 9 },    { 48, 4 },    { 52, 2 },   { 56, 0 },
};

int rv_calibration_new_baseline(struct rv_calibration **ret_calibration)
{
    int64_t edges[EDGE_COUNT];
    struct rv_calibration_options options = {
        .edges_q16 = edges,
        .edge_count = EDGE_COUNT,
        .class_count = RV_KIND_COUNT_,
        .class_min = CLASS_MIN,
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
