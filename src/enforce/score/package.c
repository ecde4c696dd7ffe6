/* SPDX-License-Identifier: Apache-2.0 */
#include "enforce/score_package.h"

#include "features/table.h"
#include "models/forest_model.h"
#include "private.h"

#define STEP_BYTES ((size_t)12)

struct rv_score_package {
    struct rv_model *model;
    struct rv_buf golden;
    struct rv_score_thresholds thresholds;
    struct rv_score_candidate candidate;
};

/* ---- Thresholds ---- */

bool rv_score_thresholds_ascend(const struct rv_score_thresholds *thresholds)
{
    for (size_t class = 0; class < RV_SCORE_CLASSES; class ++) {
        const struct rv_score_step *steps = thresholds->steps[class];

        for (size_t i = 0; i < RV_SCORE_STEPS; i++) {
            if (steps[i].risk > 1000)
                return false;
            if (i > 0 && (steps[i].margin_q16 < steps[i - 1].margin_q16 ||
                          steps[i].risk < steps[i - 1].risk))
                return false;
        }
    }
    return true;
}

void rv_score_thresholds_encode(const struct rv_score_thresholds *thresholds, struct rv_buf *buf)
{
    for (size_t i = 0; i < RV_SCORE_CLASSES * RV_SCORE_STEPS; i++) {
        const struct rv_score_step *step =
            &thresholds->steps[i / RV_SCORE_STEPS][i % RV_SCORE_STEPS];

        rv_buf_add_le64(buf, (uint64_t)step->margin_q16);
        rv_buf_add_le32(buf, step->risk);
    }
}

int rv_score_thresholds_decode(struct rv_span section, struct rv_score_thresholds *ret_thresholds)
{
    struct rv_reader reader = rv_reader(section);
    struct rv_score_thresholds thresholds;

    if (section.len != STEP_BYTES * RV_SCORE_CLASSES * RV_SCORE_STEPS)
        return -EINVAL;
    for (size_t i = 0; i < RV_SCORE_CLASSES * RV_SCORE_STEPS; i++) {
        int64_t margin_q16 = (int64_t)rv_read_le64(&reader);

        thresholds.steps[i / RV_SCORE_STEPS][i % RV_SCORE_STEPS] =
            (struct rv_score_step){ margin_q16, rv_read_le32(&reader), 0 };
    }
    if (!rv_score_thresholds_ascend(&thresholds))
        return -EINVAL;
    *ret_thresholds = thresholds;
    return 0;
}

/* ---- Heads ---- */

static int check_head(const struct rv_forest *forest)
{
    struct rv_forest_spec spec = rv_forest_spec_of(forest);

    if (spec.width != RV_FEATURE_COUNT)
        return -EINVAL;
    for (size_t i = 0; i < spec.node_count; i++) {
        int32_t feature = spec.nodes[i].feature;

        if (feature != RV_FOREST_LEAF && rv_feature_info((uint32_t)feature)->kept != RV_KEPT_KERNEL)
            return -EOPNOTSUPP;
    }
    return 0;
}

int rv_score_check_heads(const struct rv_kernel_model *model)
{
    bool any = false;

    for (size_t i = 0; i < RV_KERNEL_HEADS; i++) {
        int r = model->heads[i] ? check_head(model->heads[i]) : 0;

        if (r < 0)
            return r;
        any |= model->heads[i] != NULL;
    }
    return any ? 0 : -EINVAL;
}

/* ---- The package ---- */

static int refuse(const char **reterr, int code, const char *why)
{
    if (reterr)
        *reterr = why;
    return code;
}

static int take_golden(struct rv_score_package *made, struct rv_span golden, const char **reterr)
{
    RV_AUTO(rv_row_set_done) struct rv_row_set rows = { 0 };
    const struct rv_forest *first = made->candidate.model.heads[RV_KERNEL_WINDOW];
    int r;

    if (!golden.data)
        return refuse(reterr, -EINVAL, "it has no golden rows to be tried on");
    r = rv_golden_check(first, golden, &rows);
    if (r == 0 && rows.count == 0)
        r = -EINVAL;
    if (r < 0)
        return refuse(reterr, r, "its golden rows do not come out");
    rv_buf_add(&made->golden, golden.data, golden.len);
    made->candidate.golden = rv_buf_span(&made->golden);
    return made->golden.failed ? -ENOMEM : 0;
}

static int fill(struct rv_score_package *made, const struct rv_package *package,
                const char **reterr)
{
    struct rv_span thresholds = rv_package_section(package, RV_SCORE_SECTION);
    int r;

    if (!thresholds.data)
        return refuse(reterr, -ENOENT, "it is not made for the kernel (--head kernel)");
    if (rv_score_thresholds_decode(thresholds, &made->thresholds) < 0)
        return refuse(reterr, -EINVAL, "its thresholds for the kernel are malformed");
    r = rv_forest_model_open(package, &made->model, reterr);
    if (r < 0)
        return r;
    made->candidate.model = rv_forest_model_heads(made->model);
    made->candidate.thresholds = &made->thresholds;
    r = rv_score_check_heads(&made->candidate.model);
    if (r < 0)
        return refuse(reterr, r, "it reads features that only the judge has");
    return take_golden(made, rv_package_section(package, "golden"), reterr);
}

int rv_score_package_open(const struct rv_package *package, struct rv_score_package **ret_package,
                          const char **reterr)
{
    RV_AUTO(rv_score_package_free) struct rv_score_package *made = calloc(1, sizeof(*made));
    struct rv_span carried = rv_package_section(package, RV_SCORE_CARRIED);
    RV_AUTO(rv_package_free) struct rv_package *within = NULL;
    int r = made ? 0 : -ENOMEM;

    if (r == 0 && carried.data)
        r = rv_package_open(carried, &within, reterr);
    if (r == 0)
        r = fill(made, within ? within : package, reterr);

    if (r == -ENOMEM)
        return refuse(reterr, r, "out of memory");
    if (r == 0)
        *ret_package = RV_TAKE(made);
    return r;
}

void rv_score_package_free(struct rv_score_package **package)
{
    if (!*package)
        return;
    if ((*package)->model)
        rv_model_free(&(*package)->model);
    rv_buf_done(&(*package)->golden);
    free(*package);
    *package = NULL;
}

const struct rv_score_candidate *rv_score_package_candidate(const struct rv_score_package *package)
{
    return &package->candidate;
}
