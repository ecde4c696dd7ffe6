/* SPDX-License-Identifier: Apache-2.0 */
/* Using a sequence model: scoring, reasons, bytes. */
#include "model_private.h"

#include <math.h>

#define FORMAT           1U
#define NO_STRETCH       (-20 * 65536) /* a scale longer than the trace */
#define INTERLEAVED_COST 0.5 /* nats: its share of the false alarms is smaller than the others' */
#define MARGIN_UNIT      65536.0

void rv_sequence_model_free(struct rv_sequence_model **model)
{
    if (!*model)
        return;
    rv_lm_done(&(*model)->lm);
    rv_forest_free(&(*model)->stretch);
    rv_forest_free(&(*model)->padded);
    rv_forest_free(&(*model)->interleaved);
    for (size_t i = 0; i < RV_HEAD_COUNT_; i++)
        rv_tail_done(&(*model)->tails[i]);
    rv_calibration_free(&(*model)->calibration);
    free(*model);
    *model = NULL;
}

/* ---- From stretches to a trace ---- */

/** What the stretch head said at one scale. */
struct scale_scores {
    int32_t *all; /* room for every stretch */
    size_t count;
    int32_t first;
};

static int descending(const void *a, const void *b)
{
    int32_t left = *(const int32_t *)a, right = *(const int32_t *)b;

    return left > right ? -1 : left < right;
}

static int32_t clamp_margin(int64_t margin)
{
    return margin > INT32_MAX ? INT32_MAX : margin < INT32_MIN ? INT32_MIN : (int32_t)margin;
}

static void summarise_scale(struct scale_scores *scores, int32_t row[RV_TRACE_PER_SCALE])
{
    size_t top = scores->count < 3 ? scores->count : 3;
    int64_t sum = 0;

    if (scores->count == 0) {
        for (size_t i = 0; i < RV_TRACE_PER_SCALE; i++)
            row[i] = NO_STRETCH;
        return;
    }
    qsort(scores->all, scores->count, sizeof(*scores->all), descending);
    for (size_t i = 0; i < top; i++)
        sum += scores->all[i];
    row[0] = scores->first;
    row[1] = scores->all[0];
    row[2] = (int32_t)(sum / (int64_t)top);
    row[3] = scores->all[scores->count / 4];
    scores->count = 0;
}

static void raise_to(int32_t *highest, const int32_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        highest[i] = values[i] > highest[i] ? values[i] : highest[i];
}

int rv_sequence_trace_row(const struct rv_forest *stretch, const struct rv_heard *profile,
                          int32_t row[RV_TRACE_WIDTH])
{
    size_t stretches_max = 2 * profile->count / RV_SEGMENT_CALLS_MIN + 4;
    RV_AUTO(rv_freep) int32_t *all = malloc(stretches_max * sizeof(*all));
    struct scale_scores scores = { .all = all };
    struct rv_segment_walk walk = { .count = profile->count };
    int32_t cells[RV_SEGMENT_WIDTH], whole[RV_SEGMENT_FIXED_], worst[RV_SEGMENT_FIXED_];
    unsigned scale = 0;
    int32_t *at = row, best_first = NO_STRETCH, best = NO_STRETCH;
    size_t stretches = 0;

    if (!all)
        return -ENOMEM;
    memset(row, 0, RV_TRACE_WIDTH * sizeof(*row));
    while (rv_segment_walk(&walk)) {
        int32_t margin;

        if (walk.scale > 1 && walk.scale != scale)
            summarise_scale(&scores, row + 1 + (scale - 1) * RV_TRACE_PER_SCALE);
        scale = walk.scale;
        rv_segment_row(profile, walk.at, walk.len, cells);
        margin = clamp_margin(rv_forest_score(stretch, cells));
        stretches++;
        if (walk.scale == 0) {
            *at = margin;
            memcpy(whole, cells, sizeof(whole));
            memcpy(worst, cells, sizeof(worst));
            continue;
        }
        if (walk.scale == 1 && walk.at == 0)
            memcpy(worst, cells, sizeof(worst));
        if (walk.scale == 1)
            raise_to(worst, cells, RV_SEGMENT_FIXED_);
        if (walk.at == 0)
            scores.first = margin;
        scores.all[scores.count++] = margin;
    }
    for (unsigned s = scale ? scale : 1; s <= RV_SEGMENT_SCALES; s++)
        summarise_scale(&scores, row + 1 + (s - 1) * RV_TRACE_PER_SCALE);
    for (unsigned s = 0; s < RV_SEGMENT_SCALES; s++) {
        raise_to(&best_first, row + 1 + s * RV_TRACE_PER_SCALE, 1);
        raise_to(&best, row + 2 + s * RV_TRACE_PER_SCALE, 1);
    }
    at = row + 1 + RV_SEGMENT_SCALES * RV_TRACE_PER_SCALE;
    *at++ = best_first;
    *at++ = best;
    *at++ = (int32_t)lround(log((double)stretches) * 1000);
    memcpy(at, whole, sizeof(whole));
    memcpy(at + RV_SEGMENT_FIXED_, worst, sizeof(worst));
    return 0;
}

double rv_sequence_strangeness(const struct rv_sequence_model *model, const int32_t *whole)
{
    double root = (whole[RV_SEGMENT_ROOT6] - model->root_mean) / model->root_deviation;
    double divergence =
        (whole[RV_SEGMENT_DIVERGENCE] - model->divergence_mean) / model->divergence_deviation;

    return (root + divergence) / 2;
}

void rv_sequence_margins(const struct rv_sequence_model *model, const int32_t row[RV_TRACE_WIDTH],
                         double ret_margins[RV_HEAD_COUNT_])
{
    ret_margins[RV_HEAD_STRETCH] = row[0] / MARGIN_UNIT;
    ret_margins[RV_HEAD_PADDED] = (double)rv_forest_score(model->padded, row) / MARGIN_UNIT;
    ret_margins[RV_HEAD_INTERLEAVED] =
        (double)rv_forest_score(model->interleaved, row) / MARGIN_UNIT;
}

double rv_sequence_combine(const struct rv_sequence_model *model,
                           const double margins[RV_HEAD_COUNT_])
{
    double rarest = -INFINITY;

    for (size_t i = 0; i < RV_HEAD_COUNT_; i++) {
        double nats = rv_tail_surprise(&model->tails[i], margins[i]) -
                      (i == RV_HEAD_INTERLEAVED ? INTERLEAVED_COST : 0);

        rarest = nats > rarest ? nats : rarest;
    }
    return rarest;
}

static int raw_score(const struct rv_sequence_model *model, const struct rv_heard *profile,
                     double *ret_raw)
{
    int32_t row[RV_TRACE_WIDTH], whole[RV_SEGMENT_WIDTH];
    double margins[RV_HEAD_COUNT_];
    int r;

    if (!rv_sequence_supervised(model)) {
        rv_segment_row(profile, 0, profile->count, whole);
        *ret_raw = rv_sequence_strangeness(model, whole);
        return 0;
    }
    r = rv_sequence_trace_row(model->stretch, profile, row);
    if (r < 0)
        return r;
    rv_sequence_margins(model, row, margins);
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
        reason.surprise = step.nll[RV_LM_ORDER - 1] - model->usual_surprise;
        used = insert_reason(reasons, used, room, &reason);
    }
    return used;
}

/* ---- Bytes ---- */

static void save_forest(const struct rv_forest *forest, struct rv_buf *into)
{
    RV_AUTO(rv_buf_done) struct rv_buf part = { 0 };

    rv_forest_encode(forest, &part);
    rv_part_add(into, &part);
}

static void save_vocabulary(const struct rv_vocabulary *vocabulary, struct rv_buf *into)
{
    rv_buf_add_le32(into, vocabulary->symbols);
    for (unsigned i = 0; i < vocabulary->symbols; i++)
        rv_buf_add_le16(into, vocabulary->symbol[i]);
    rv_buf_add_le32(into, vocabulary->bigrams);
    for (unsigned i = 0; i < vocabulary->bigrams; i++)
        rv_buf_add_le32(into, vocabulary->bigram[i]);
}

int rv_sequence_save(const struct rv_sequence_model *model, struct rv_buf *into)
{
    RV_AUTO(rv_buf_done) struct rv_buf part = { 0 };
    int r;

    rv_buf_add_le32(into, FORMAT);
    rv_buf_add_char(into, rv_sequence_supervised(model) ? 1 : 0);
    rv_buf_add_double(into, model->root_mean);
    rv_buf_add_double(into, model->root_deviation);
    rv_buf_add_double(into, model->divergence_mean);
    rv_buf_add_double(into, model->divergence_deviation);
    rv_buf_add_double(into, model->usual_surprise);
    save_vocabulary(&model->vocabulary, into);
    rv_calibration_save(model->calibration, &part);
    rv_part_add(into, &part);
    if (rv_sequence_supervised(model)) {
        save_forest(model->stretch, into);
        save_forest(model->padded, into);
        save_forest(model->interleaved, into);
        for (size_t i = 0; i < RV_HEAD_COUNT_; i++)
            rv_tail_save(&model->tails[i], into);
    }
    r = rv_lm_save(&model->lm, into);
    return r < 0 ? r : into->failed ? -ENOMEM : 0;
}

static bool finite_positive(double value)
{
    return isfinite(value) && value > 0;
}

static int load_vocabulary(struct rv_vocabulary *vocabulary, struct rv_reader *reader)
{
    vocabulary->symbols = rv_read_le32(reader);
    if (vocabulary->symbols > RV_SEGMENT_SYMBOLS)
        return -EBADMSG;
    for (unsigned i = 0; i < vocabulary->symbols; i++) {
        vocabulary->symbol[i] = rv_read_le16(reader);
        if (i > 0 && vocabulary->symbol[i] <= vocabulary->symbol[i - 1])
            return -EBADMSG;
    }
    vocabulary->bigrams = rv_read_le32(reader);
    if (vocabulary->bigrams > RV_SEGMENT_BIGRAMS)
        return -EBADMSG;
    for (unsigned i = 0; i < vocabulary->bigrams; i++) {
        vocabulary->bigram[i] = rv_read_le32(reader);
        if (i > 0 && vocabulary->bigram[i] <= vocabulary->bigram[i - 1])
            return -EBADMSG;
    }
    return 0;
}

static int load_forest(struct rv_forest **ret_forest, struct rv_reader *reader, uint32_t width)
{
    int r = rv_forest_decode(rv_part_read(reader), ret_forest, NULL);

    if (r == -ENOMEM)
        return r;
    return r < 0 || rv_forest_spec_of(*ret_forest).width != width ? -EBADMSG : 0;
}

static int load_heads(struct rv_sequence_model *model, struct rv_reader *reader)
{
    int r = load_forest(&model->stretch, reader, RV_SEGMENT_WIDTH);

    if (r == 0)
        r = load_forest(&model->padded, reader, RV_TRACE_WIDTH);
    if (r == 0)
        r = load_forest(&model->interleaved, reader, RV_TRACE_WIDTH);
    for (size_t i = 0; i < RV_HEAD_COUNT_ && r == 0; i++)
        r = rv_tail_load(&model->tails[i], reader);
    return r;
}

int rv_sequence_load(struct rv_sequence_model **ret_model, struct rv_span bytes)
{
    RV_AUTO(rv_sequence_model_free) struct rv_sequence_model *model = calloc(1, sizeof(*model));
    struct rv_reader reader = rv_reader(bytes);
    uint32_t format = rv_read_le32(&reader);
    uint8_t supervised = rv_read_u8(&reader);
    int r;

    if (!model)
        return -ENOMEM;
    model->root_mean = rv_read_double(&reader);
    model->root_deviation = rv_read_double(&reader);
    model->divergence_mean = rv_read_double(&reader);
    model->divergence_deviation = rv_read_double(&reader);
    model->usual_surprise = rv_read_double(&reader);
    if (reader.failed || format != FORMAT || supervised > 1 || !isfinite(model->root_mean) ||
        !finite_positive(model->root_deviation) || !isfinite(model->divergence_mean) ||
        !finite_positive(model->divergence_deviation) || !isfinite(model->usual_surprise))
        return -EBADMSG;
    r = load_vocabulary(&model->vocabulary, &reader);
    if (r == 0)
        r = rv_calibration_load(&model->calibration, rv_part_read(&reader), NULL);
    if (r == 0 && supervised)
        r = load_heads(model, &reader);
    if (r == 0)
        r = rv_lm_load(&model->lm, &reader);
    if (r < 0)
        return r == -ENOMEM ? r : -EBADMSG;
    if (reader.failed || reader.rest.len != 0)
        return -EBADMSG;
    *ret_model = RV_TAKE(model);
    return 0;
}
