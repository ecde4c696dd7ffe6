/* SPDX-License-Identifier: Apache-2.0 */
#include "behaviour_kernel.h"

#include "enforce/score_package.h"
#include "features/table.h"
#include "models/forest_model.h"

#define GOLDEN_ROWS 64U /* at the thresholds of each head */

/** The highest risk that some margin has. */
static uint32_t highest_risk(const struct rv_score_thresholds *thresholds)
{
    uint32_t highest = 0;

    for (size_t class = 0; class < RV_SCORE_CLASSES; class ++) {
        uint32_t risk = rv_score_risk_of(thresholds->steps[class], INT64_MAX - 1);

        highest = risk > highest ? risk : highest;
    }
    return highest;
}

static json_int_t kernel_features(void)
{
    json_int_t count = 0;

    for (uint32_t f = 0; f < RV_FEATURE_COUNT; f++)
        count += rv_feature_info(f)->kept == RV_KEPT_KERNEL;
    return count;
}

int behaviour_kernel_thresholds(struct task_training *training,
                                const struct rv_calibration *calibration)
{
    RV_AUTO(rv_buf_done) struct rv_buf section = { 0 };
    struct rv_score_thresholds thresholds;
    json_t *kernel;

    rv_score_thresholds_of(calibration, &thresholds);
    rv_score_thresholds_encode(&thresholds, &section);
    kernel =
        json_pack("{s:I, s:I, s:I, s:I}", "features", kernel_features(), "risk_max",
                  (json_int_t)highest_risk(&thresholds), "trees",
                  (json_int_t)training->kernel.trees, "depth", (json_int_t)training->kernel.depth);
    if (section.failed || !kernel || json_object_set_new(training->manifest, "kernel", kernel) < 0)
        return -ENOMEM;
    return rv_package_add(training->writer, RV_SCORE_SECTION, rv_buf_span(&section));
}

static int add_rows(struct rv_row_set *rows, const struct rv_forest *forest, uint64_t seed)
{
    RV_AUTO(rv_row_set_done) struct rv_row_set more = { 0 };
    int r = rv_row_set_at_boundaries(forest, seed, GOLDEN_ROWS, &more);

    if (r < 0)
        return r;
    memcpy(rows->values + rows->count * RV_FEATURE_COUNT, more.values,
           more.count * RV_FEATURE_COUNT * sizeof(*more.values));
    rows->count += more.count;
    return 0;
}

int behaviour_kernel_golden(struct task_training *training, const struct behaviour_heads *heads)
{
    RV_AUTO(rv_row_set_done) struct rv_row_set rows = { .width = RV_FEATURE_COUNT };
    RV_AUTO(rv_buf_done) struct rv_buf section = { 0 };
    struct rv_kernel_model model = {
        .heads = { [RV_KERNEL_WINDOW] = heads->window, [RV_KERNEL_MONOTONE] = heads->monotone }
    };
    int r = rv_score_check_heads(&model);

    rows.values = calloc((size_t)GOLDEN_ROWS * RV_KERNEL_HEADS, RV_FEATURE_COUNT * sizeof(int32_t));
    if (r == 0 && !rows.values)
        r = -ENOMEM;
    for (size_t i = 0; r == 0 && i < RV_KERNEL_HEADS; i++)
        r = model.heads[i] ? add_rows(&rows, model.heads[i], training->options.seed + i) : 0;
    if (r == 0)
        r = rv_golden_encode(heads->window, &rows, &section);
    return r < 0 ? r : rv_package_add(training->writer, "golden", rv_buf_span(&section));
}
