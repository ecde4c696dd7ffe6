/* SPDX-License-Identifier: Apache-2.0 */
/* Using a sequence model: its judges, their panel, and reasons. */
#include "model_private.h"

#include <math.h>

#define SPEAKS_FROM 4.0 /* nats: below, a judge that can alarm alone leaves the order as it is */
/* Nats of cost: what is left of the false alarms that the sum may raise. */
#define MOST_ALARMS    0.05
#define HALF_ALARMS    0.7
#define QUARTER_ALARMS 1.4
#define SILENT         1.0 /* deviations */
#define MARGIN_UNIT    65536.0

void rv_sequence_model_free(struct rv_sequence_model **model)
{
    if (!*model)
        return;
    rv_lm_done(&(*model)->lm);
    rv_forest_free(&(*model)->stretch);
    rv_forest_free(&(*model)->whole);
    rv_forest_free(&(*model)->padded);
    rv_neighbours_done(&(*model)->neighbours);
    for (size_t i = 0; i < RV_HEAD_COUNT_; i++)
        rv_tail_done(&(*model)->tails[i]);
    rv_tail_done(&(*model)->together);
    rv_calibration_free(&(*model)->calibration);
    free(*model);
    *model = NULL;
}

/* ---- Judges ---- */

/** How far a measure lies above what is usual for such traces. @param which  0 root, 1 upper. */
static double beyond_usual(const struct rv_usual *usual, unsigned which, double value,
                           const double terms[RV_USUAL_TERMS])
{
    value -= usual->level[which];
    for (unsigned i = 0; i < RV_USUAL_TERMS; i++)
        value -= usual->slope[which][i] * (terms[i] - usual->mean[i]) / usual->deviation[i];
    return value;
}

void rv_sequence_margins(const struct rv_sequence_model *model, const struct rv_trace_view *view,
                         double ret_margins[RV_HEAD_COUNT_])
{
    const struct rv_oddness *odd = &view->odd;
    double terms[RV_USUAL_TERMS];

    memset(ret_margins, 0, RV_HEAD_COUNT_ * sizeof(*ret_margins));
    rv_usual_terms(&model->usual, odd, terms);
    ret_margins[RV_HEAD_ROOT] = beyond_usual(&model->usual, 0, odd->root, terms);
    ret_margins[RV_HEAD_UPPER] = beyond_usual(&model->usual, 1, odd->upper, terms);
    ret_margins[RV_HEAD_FEW] = -odd->distinct;
    ret_margins[RV_HEAD_VARIETY] = odd->variety;
    ret_margins[RV_HEAD_WORST] = odd->worst;
    ret_margins[RV_HEAD_ORDER] = odd->order;
    if (!model->padded)
        return;
    ret_margins[RV_HEAD_STRETCH] = view->row[0] / MARGIN_UNIT;
    ret_margins[RV_HEAD_NEAR] = view->row[RV_TRACE_NEAR + RV_NEAR_LEAN];
    ret_margins[RV_HEAD_WHOLE] = (double)rv_forest_score(model->whole, view->whole) / MARGIN_UNIT;
    ret_margins[RV_HEAD_PADDED] = (double)rv_forest_score(model->padded, view->row) / MARGIN_UNIT;
}

const struct rv_panel *rv_sequence_panel(const struct rv_sequence_model *model)
{
    static const struct rv_panel supervised = {
        .heads = RV_HEAD_COUNT_,
        .weight = { [RV_HEAD_STRETCH] = 1,
                    [RV_HEAD_NEAR] = 0.5,
                    [RV_HEAD_WHOLE] = 1,
                    [RV_HEAD_PADDED] = 1,
                    [RV_HEAD_ROOT] = 0.125,
                    [RV_HEAD_UPPER] = 0.125 },
        .cost = { [RV_HEAD_PADDED] = MOST_ALARMS, [RV_HEAD_ORDER] = QUARTER_ALARMS },
    };
    static const struct rv_panel one_class = {
        .heads = RV_HEAD_ONE_CLASS_,
        .weight = { [RV_HEAD_ROOT] = 1, [RV_HEAD_UPPER] = 1, [RV_HEAD_FEW] = 1 },
        .cost = { [RV_HEAD_VARIETY] = HALF_ALARMS,
                  [RV_HEAD_WORST] = QUARTER_ALARMS,
                  [RV_HEAD_ORDER] = QUARTER_ALARMS },
    };

    return model->padded ? &supervised : &one_class;
}

/*
 * Judges that know attacks only add what they find above SILENT: what benign calls beside an attack
 * take from one of them is not taken from the others.
 */
double rv_sequence_together(const struct rv_sequence_model *model,
                            const double margins[RV_HEAD_COUNT_])
{
    const struct rv_panel *panel = rv_sequence_panel(model);
    double sum = 0;

    for (unsigned i = 0; i < panel->heads; i++) {
        double found;

        if (!(panel->weight[i] > 0))
            continue;
        found = (margins[i] - model->mean[i]) / model->deviation[i];
        if (i >= RV_HEAD_ONE_CLASS_ && found < SILENT)
            found = SILENT;
        sum += panel->weight[i] * found;
    }
    return sum;
}

double rv_sequence_combine(const struct rv_sequence_model *model,
                           const double margins[RV_HEAD_COUNT_])
{
    const struct rv_panel *panel = rv_sequence_panel(model);
    double rarest = rv_tail_surprise(&model->together, rv_sequence_together(model, margins));

    for (unsigned i = 0; i < panel->heads; i++) {
        double nats;

        if (!(panel->cost[i] > 0))
            continue;
        nats = rv_tail_surprise(&model->tails[i], margins[i]) - panel->cost[i];
        if (nats >= SPEAKS_FROM && nats > rarest)
            rarest = nats;
    }
    return rarest;
}

static int raw_score(const struct rv_sequence_model *model, const struct rv_heard *profile,
                     double *ret_raw)
{
    struct rv_trace_view view;
    double margins[RV_HEAD_COUNT_];
    int r = rv_sequence_view(model->stretch, &model->neighbours, profile, &view);

    if (r < 0)
        return r;
    rv_sequence_margins(model, &view, margins);
    *ret_raw = rv_sequence_combine(model, margins);
    return 0;
}

int rv_sequence_score(const struct rv_sequence_model *model, const uint16_t *calls, size_t count,
                      struct rv_score *ret_score)
{
    RV_AUTO(rv_heard_done) struct rv_heard profile = { 0 };
    struct rv_score score = { 0 };
    int r;

    if (count == 0) { /* nothing was done: nothing is strange */
        *ret_score = score;
        return 0;
    }
    r = rv_heard_make(&profile, &model->lm, &model->vocabulary, calls, count);
    if (r == 0)
        r = raw_score(model, &profile, &score.raw);
    if (r < 0)
        return r;
    score.risk = rv_calibration_risk(model->calibration, 0, rv_score_q16(score.raw));
    *ret_score = score;
    return 0;
}

/* ---- Reasons ---- */

/** Keep the `room` highest, highest first. */
static size_t insert_reason(struct rv_sequence_reason *reasons, size_t used, size_t room,
                            const struct rv_sequence_reason *reason)
{
    size_t at = used < room ? used : room;

    while (at > 0 && reasons[at - 1].surprise < reason->surprise) {
        if (at < room)
            reasons[at] = reasons[at - 1];
        at--;
    }
    if (at < room)
        reasons[at] = *reason;
    return used < room ? used + 1 : room;
}

size_t rv_sequence_explain(const struct rv_sequence_model *model, const uint16_t *calls,
                           size_t count, struct rv_sequence_reason *reasons, size_t room)
{
    struct rv_lm_cursor cursor;
    struct rv_lm_step step;
    size_t used = 0;

    rv_lm_begin(&model->lm, &cursor);
    for (size_t i = 0; i < count; i++) {
        struct rv_sequence_reason reason = { .at = i, .count = 1 };
        unsigned length;

        rv_lm_next(&model->lm, &cursor, calls[i], &step);
        length = step.matched + 1 < RV_LM_ORDER ? step.matched + 1 : RV_LM_ORDER;
        length = length <= i + 1 ? length : (unsigned)i + 1;
        reason.at = i + 1 - length;
        reason.count = length; /* the shortest n-gram ending here that was never seen */
        reason.unseen = step.matched < length;
        reason.surprise = step.nll[RV_LM_ORDER - 1] - model->usual.surprise;
        used = insert_reason(reasons, used, room, &reason);
    }
    return used;
}
