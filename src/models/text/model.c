/* SPDX-License-Identifier: Apache-2.0 */
#include "model_private.h"

#include <math.h>

#define FORMAT     2U
#define SHORT_LINE 16U /* bytes; a shorter stretch counts as if it were so long */

void rv_text_model_free(struct rv_text_model **model)
{
    if (!*model)
        return;
    rv_lm_done(&(*model)->lm);
    free((*model)->weights);
    rv_calibration_free(&(*model)->calibration);
    free(*model);
    *model = NULL;
}

double rv_text_margin(const float *weights, double bias, const struct rv_text_features *features)
{
    double margin = bias;

    for (size_t i = 0; i < features->count; i++)
        margin += (double)weights[features->items[i].bucket] * (double)features->items[i].value;
    return margin;
}

/** Highest mean surprise of a stretch's bytes, in nats, each byte judged by what stands before. */
static int strangest(const struct rv_lm *lm, const struct rv_text_parts *parts, double *ret_raw,
                     struct rv_text_stretch *ret_best)
{
    RV_AUTO(rv_freep) double *sums = malloc((parts->text.len + 1) * sizeof(*sums));
    struct rv_lm_cursor cursor;
    struct rv_lm_step step;

    if (!sums)
        return -ENOMEM;
    rv_lm_begin(lm, &cursor);
    sums[0] = 0;
    for (size_t i = 0; i < parts->text.len; i++) {
        rv_lm_next(lm, &cursor, parts->text.data[i], &step);
        sums[i + 1] = sums[i] + step.nll[RV_LM_ORDER - 1];
    }
    *ret_best = (struct rv_text_stretch){ 0, parts->text.len };
    *ret_raw = 0;
    for (size_t first = 0; first < parts->token_count; first++) {
        size_t at = parts->tokens[first].at;

        for (size_t last = first; last < parts->token_count && last < first + RV_TEXT_STRETCH_MAX;
             last++) {
            size_t len = parts->tokens[last].at + parts->tokens[last].len - at;
            double score =
                (sums[at + len] - sums[at]) / (double)(len < SHORT_LINE ? SHORT_LINE : len);

            if (score <= *ret_raw)
                continue;
            *ret_raw = score;
            *ret_best = (struct rv_text_stretch){ at, len };
        }
    }
    return 0;
}

int rv_text_raw(const struct rv_text_model *model, struct rv_text_parts *parts, struct rv_span line,
                double *ret_raw, struct rv_text_stretch *ret_best)
{
    int r = rv_text_cut(parts, line);

    if (r < 0)
        return r;
    if (!model->weights)
        return strangest(&model->lm, parts, ret_raw, ret_best);
    *ret_raw = rv_text_highest(parts, model->weights, model->bias, ret_best);
    return 0;
}

int rv_text_score(const struct rv_text_model *model, struct rv_span line,
                  struct rv_score *ret_score)
{
    RV_AUTO(rv_text_parts_done) struct rv_text_parts parts = { 0 };
    struct rv_text_stretch best;
    struct rv_score score = { 0 };
    int r;

    if (line.len == 0) {
        *ret_score = score;
        return 0;
    }
    r = rv_text_raw(model, &parts, line, &score.raw, &best);
    if (r < 0)
        return r;
    score.risk = rv_calibration_risk(model->calibration, 0, rv_score_q16(score.raw));
    *ret_score = score;
    return 0;
}

/* ---- Reasons ---- */

static size_t insert_reason(struct rv_text_reason *reasons, size_t used, size_t room,
                            const struct rv_text_reason *reason)
{
    size_t at = used;

    while (at > 0 && fabs(reasons[at - 1].weight) < fabs(reason->weight)) {
        if (at < room)
            reasons[at] = reasons[at - 1];
        at--;
    }
    if (at < room)
        reasons[at] = *reason;
    return used < room ? used + 1 : room;
}

/** What the features that begin in a token add to the margin. */
static double token_weight(const struct rv_text_model *model,
                           const struct rv_text_features *features, size_t at, size_t len)
{
    double weight = 0;

    for (size_t i = 0; i < features->count; i++) {
        const struct rv_text_feature *feature = &features->items[i];

        if (feature->at >= at && feature->at < at + len)
            weight += (double)model->weights[feature->bucket] * (double)feature->value;
    }
    return weight;
}

/** What the bytes of a token add to the mean surprise. */
static double token_surprise(const struct rv_text_model *model, struct rv_span text, size_t at,
                             size_t len)
{
    struct rv_lm_cursor cursor;
    struct rv_lm_step step;
    double sum = 0;

    rv_lm_begin(&model->lm, &cursor);
    for (size_t i = 0; i < at + len; i++) {
        rv_lm_next(&model->lm, &cursor, text.data[i], &step);
        sum += i < at ? 0 : step.nll[RV_LM_ORDER - 1];
    }
    return sum / (double)text.len;
}

size_t rv_text_explain(const struct rv_text_model *model, struct rv_span line,
                       struct rv_text_reason *reasons, size_t room)
{
    RV_AUTO(rv_text_parts_done) struct rv_text_parts parts = { 0 };
    RV_AUTO(rv_text_features_done) struct rv_text_features features = { 0 };
    struct rv_text_stretch best = { 0 };
    struct rv_span text;
    double raw;
    size_t used = 0;

    if (line.len == 0 || rv_text_raw(model, &parts, line, &raw, &best) < 0)
        return 0;
    text = rv_span(line.data + best.at, best.len);
    if (model->weights && rv_text_features(&features, &parts, text) < 0)
        return 0;
    for (size_t at = 0; at < text.len;) {
        size_t len = rv_text_token(rv_span(text.data + at, text.len - at));
        struct rv_text_reason reason = { .at = best.at + at, .len = len };

        if (text.data[at] != ' ') {
            reason.weight = model->weights ? token_weight(model, &features, at, len)
                                           : token_surprise(model, text, at, len);
            used = insert_reason(reasons, used, room, &reason);
        }
        at += len;
    }
    return used;
}

/* ---- Bytes: only weights that are not 0 ---- */

static void save_weights(const struct rv_text_model *model, struct rv_buf *into)
{
    uint32_t used = 0;

    for (uint32_t i = 0; i < RV_TEXT_BUCKETS; i++)
        used += model->weights[i] != 0;
    rv_buf_add_double(into, model->bias);
    rv_buf_add_le32(into, used);
    for (uint32_t i = 0; i < RV_TEXT_BUCKETS; i++) {
        uint32_t bits;

        if (model->weights[i] == 0)
            continue;
        memcpy(&bits, &model->weights[i], sizeof(bits));
        rv_buf_add_le32(into, i);
        rv_buf_add_le32(into, bits);
    }
}

int rv_text_save(const struct rv_text_model *model, struct rv_buf *into)
{
    RV_AUTO(rv_buf_done) struct rv_buf part = { 0 };

    rv_buf_add_le32(into, FORMAT);
    rv_buf_add_char(into, model->weights ? 1 : 0);
    rv_calibration_save(model->calibration, &part);
    rv_part_add(into, &part);
    if (!model->weights)
        return rv_lm_save(&model->lm, into);
    save_weights(model, into);
    return into->failed ? -ENOMEM : 0;
}

static int load_weights(struct rv_text_model *model, struct rv_reader *reader)
{
    uint32_t count, last = 0;

    model->bias = rv_read_double(reader);
    count = rv_read_le32(reader);
    if (reader->failed || !isfinite(model->bias) || count > RV_TEXT_BUCKETS)
        return -EBADMSG;
    model->weights = calloc(RV_TEXT_BUCKETS, sizeof(*model->weights));
    if (!model->weights)
        return -ENOMEM;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t bucket = rv_read_le32(reader), bits = rv_read_le32(reader);
        float weight;

        memcpy(&weight, &bits, sizeof(weight));
        if (reader->failed || bucket >= RV_TEXT_BUCKETS || (i > 0 && bucket <= last) ||
            !isfinite(weight) || fabsf(weight) > 1e6F)
            return -EBADMSG;
        last = bucket;
        model->weights[bucket] = weight;
    }
    return 0;
}

int rv_text_load(struct rv_text_model **ret_model, struct rv_span bytes)
{
    RV_AUTO(rv_text_model_free) struct rv_text_model *model = calloc(1, sizeof(*model));
    struct rv_reader reader = rv_reader(bytes);
    uint32_t format = rv_read_le32(&reader);
    uint8_t supervised = rv_read_u8(&reader);
    int r;

    if (!model)
        return -ENOMEM;
    if (reader.failed || format != FORMAT || supervised > 1)
        return -EBADMSG;
    r = rv_calibration_load(&model->calibration, rv_part_read(&reader), NULL);
    if (r == 0)
        r = supervised ? load_weights(model, &reader) : rv_lm_load(&model->lm, &reader);
    if (r < 0)
        return r == -ENOMEM ? r : -EBADMSG;
    if (reader.failed || reader.rest.len != 0)
        return -EBADMSG;
    *ret_model = RV_TAKE(model);
    return 0;
}
