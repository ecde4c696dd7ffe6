/* SPDX-License-Identifier: Apache-2.0 */
/* Using a sequence model: scoring, reasons, bytes. */
#include "model_private.h"

#include <math.h>

#define FORMAT      2U
#define NO_STRETCH  (-20 * 65536) /* a scale longer than the trace */
#define SPEAKS_FROM 4.0 /* nats: below, a judge that can alarm alone leaves the order as it is */
#define HALF_ALARMS 0.7 /* nats: half of the false alarms that the first judges may raise */
#define FEW_ALARMS  1.4 /* a quarter */
#define MARGIN_UNIT 65536.0

void rv_sequence_model_free(struct rv_sequence_model **model)
{
    if (!*model)
        return;
    rv_lm_done(&(*model)->lm);
    rv_forest_free(&(*model)->stretch);
    rv_forest_free(&(*model)->padded);
    rv_neighbours_done(&(*model)->neighbours);
    for (size_t i = 0; i < RV_HEADS_MAX; i++)
        rv_tail_done(&(*model)->tails[i]);
    rv_tail_done(&(*model)->together);
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

int rv_sequence_trace_row(const struct rv_forest *stretch, const struct rv_neighbours *neighbours,
                          const struct rv_heard *profile, int32_t row[RV_TRACE_WIDTH])
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
    memcpy(row + RV_TRACE_WHOLE, whole, sizeof(whole));
    memcpy(row + RV_TRACE_WORST, worst, sizeof(worst));
    return rv_neighbours_row(neighbours, profile->calls, profile->count, row + RV_TRACE_NEAR);
}

void rv_sequence_margins(const struct rv_sequence_model *model, const int32_t row[RV_TRACE_WIDTH],
                         double ret_margins[RV_HEADS_MAX])
{
    ret_margins[RV_HEAD_STRETCH] = row[0] / MARGIN_UNIT;
    ret_margins[RV_HEAD_NEAR] = row[RV_TRACE_NEAR + RV_NEAR_LEAN];
    ret_margins[RV_HEAD_PADDED] = (double)rv_forest_score(model->padded, row) / MARGIN_UNIT;
    ret_margins[RV_HEAD_ORDER] = row[RV_TRACE_WHOLE + RV_SEGMENT_ORDER];
}

/* ---- One-class ---- */

static int compare_u32(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    return left < right ? -1 : left > right;
}

/** Different pairs of calls, for each call. */
static int variety_of(const struct rv_heard *profile, double *ret_variety)
{
    RV_AUTO(rv_freep) uint32_t *pairs = malloc(profile->count * sizeof(*pairs));
    size_t different = 0;

    if (!pairs)
        return -ENOMEM;
    for (size_t i = 1; i < profile->count; i++)
        pairs[i - 1] = (uint32_t)profile->calls[i - 1] << 16 | profile->calls[i];
    qsort(pairs, profile->count - 1, sizeof(*pairs), compare_u32);
    for (size_t i = 0; i + 1 < profile->count; i++)
        different += i == 0 || pairs[i] != pairs[i - 1];
    *ret_variety = (double)different / (double)profile->count;
    return 0;
}

int rv_sequence_oddness(const struct rv_heard *profile, struct rv_oddness *ret_odd)
{
    struct rv_segment_walk walk = { .count = profile->count };
    int32_t whole[RV_SEGMENT_WIDTH], row[RV_SEGMENT_WIDTH];
    struct rv_oddness odd = { .worst = INT32_MIN };
    int r = variety_of(profile, &odd.variety);

    if (r < 0)
        return r;
    rv_segment_row(profile, 0, profile->count, whole);
    while (rv_segment_walk(&walk) && walk.scale <= 1) {
        rv_segment_row(profile, walk.at, walk.len, row);
        if (walk.scale == 1 || profile->count <= RV_SEGMENT_CALLS_MIN)
            raise_to(&odd.worst, &row[RV_SEGMENT_ROOT6], 1);
    }
    odd.root = whole[RV_SEGMENT_ROOT6];
    odd.divergence = whole[RV_SEGMENT_DIVERGENCE];
    odd.order = whole[RV_SEGMENT_ORDER];
    odd.surprise = whole[RV_SEGMENT_NLL6] / 1000.0;
    *ret_odd = odd;
    return 0;
}

void rv_sequence_odd_margins(const struct rv_sequence_model *model, const struct rv_oddness *odd,
                             double ret_margins[RV_HEADS_MAX])
{
    ret_margins[RV_ODD_USUAL] =
        (odd->root - model->root_mean) / model->root_deviation +
        (odd->divergence - model->divergence_mean) / model->divergence_deviation;
    ret_margins[RV_ODD_VARIETY] = odd->variety;
    ret_margins[RV_ODD_WORST] = odd->worst;
    ret_margins[RV_ODD_ORDER] = odd->order;
}

/* ---- All judges together ---- */

const struct rv_panel *rv_sequence_panel(const struct rv_sequence_model *model)
{
    static const struct rv_panel supervised = {
        .heads = RV_HEAD_COUNT_,
        .together = RV_HEAD_PADDED,
        .cost = { [RV_HEAD_ORDER] = FEW_ALARMS },
    };
    static const struct rv_panel one_class = {
        .heads = RV_ODD_COUNT_,
        .together = RV_ODD_VARIETY,
        .cost = { [RV_ODD_VARIETY] = HALF_ALARMS,
                  [RV_ODD_WORST] = FEW_ALARMS,
                  [RV_ODD_ORDER] = FEW_ALARMS },
    };

    return rv_sequence_supervised(model) ? &supervised : &one_class;
}

double rv_sequence_together(const struct rv_sequence_model *model,
                            const double margins[RV_HEADS_MAX])
{
    double nats = 0;

    for (unsigned i = 0; i < rv_sequence_panel(model)->together; i++)
        nats += rv_tail_surprise(&model->tails[i], margins[i]);
    return nats;
}

double rv_sequence_combine(const struct rv_sequence_model *model,
                           const double margins[RV_HEADS_MAX])
{
    const struct rv_panel *panel = rv_sequence_panel(model);
    double rarest = rv_tail_surprise(&model->together, rv_sequence_together(model, margins));

    for (unsigned i = panel->together; i < panel->heads; i++) {
        double nats = rv_tail_surprise(&model->tails[i], margins[i]) - panel->cost[i];

        if (nats >= SPEAKS_FROM && nats > rarest)
            rarest = nats;
    }
    return rarest;
}

static int raw_score(const struct rv_sequence_model *model, const struct rv_heard *profile,
                     double *ret_raw)
{
    int32_t row[RV_TRACE_WIDTH];
    double margins[RV_HEADS_MAX];
    struct rv_oddness odd;
    int r;

    if (rv_sequence_supervised(model)) {
        r = rv_sequence_trace_row(model->stretch, &model->neighbours, profile, row);
        if (r == 0)
            rv_sequence_margins(model, row, margins);
    } else {
        r = rv_sequence_oddness(profile, &odd);
        if (r == 0)
            rv_sequence_odd_margins(model, &odd, margins);
    }
    if (r == 0)
        *ret_raw = rv_sequence_combine(model, margins);
    return r;
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
        rv_neighbours_save(&model->neighbours, into);
    }
    for (size_t i = 0; i < rv_sequence_panel(model)->heads; i++)
        rv_tail_save(&model->tails[i], into);
    rv_tail_save(&model->together, into);
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

static int load_judges(struct rv_sequence_model *model, bool supervised, struct rv_reader *reader)
{
    int r = supervised ? load_forest(&model->stretch, reader, RV_SEGMENT_WIDTH) : 0;

    if (r == 0 && supervised)
        r = load_forest(&model->padded, reader, RV_TRACE_WIDTH);
    if (r == 0 && supervised)
        r = rv_neighbours_load(&model->neighbours, reader);
    for (size_t i = 0; r == 0 && i < rv_sequence_panel(model)->heads; i++)
        r = rv_tail_load(&model->tails[i], reader);
    return r < 0 ? r : rv_tail_load(&model->together, reader);
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
    if (r == 0)
        r = load_judges(model, supervised, &reader);
    if (r == 0)
        r = rv_lm_load(&model->lm, &reader);
    if (r < 0)
        return r == -ENOMEM ? r : -EBADMSG;
    if (reader.failed || reader.rest.len != 0)
        return -EBADMSG;
    *ret_model = RV_TAKE(model);
    return 0;
}
