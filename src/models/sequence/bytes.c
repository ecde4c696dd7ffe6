/* SPDX-License-Identifier: Apache-2.0 */
/* A sequence model as bytes. */
#include "model_private.h"

#include <math.h>

#define FORMAT 4U

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

static void save_usual(const struct rv_usual *usual, struct rv_buf *into)
{
    for (unsigned i = 0; i < 2; i++) {
        rv_buf_add_le32(into, (uint32_t)usual->least[i]);
        rv_buf_add_le32(into, (uint32_t)usual->most[i]);
        rv_buf_add_double(into, usual->level[i]);
        for (unsigned k = 0; k < RV_USUAL_TERMS; k++)
            rv_buf_add_double(into, usual->slope[i][k]);
    }
    for (unsigned k = 0; k < RV_USUAL_TERMS; k++) {
        rv_buf_add_double(into, usual->mean[k]);
        rv_buf_add_double(into, usual->deviation[k]);
    }
    rv_buf_add_double(into, usual->surprise);
}

static void save_panel(const struct rv_sequence_model *model, struct rv_buf *into)
{
    const struct rv_panel *panel = rv_sequence_panel(model);

    for (unsigned i = 0; i < panel->heads; i++) {
        rv_buf_add_double(into, model->mean[i]);
        rv_buf_add_double(into, model->deviation[i]);
        if (panel->cost[i] > 0)
            rv_tail_save(&model->tails[i], into);
    }
    rv_tail_save(&model->together, into);
}

int rv_sequence_save(const struct rv_sequence_model *model, struct rv_buf *into)
{
    RV_AUTO(rv_buf_done) struct rv_buf part = { 0 };
    int r;

    rv_buf_add_le32(into, FORMAT);
    rv_buf_add_char(into, rv_sequence_supervised(model) ? 1 : 0);
    save_usual(&model->usual, into);
    save_vocabulary(&model->vocabulary, into);
    rv_calibration_save(model->calibration, &part);
    rv_part_add(into, &part);
    if (rv_sequence_supervised(model)) {
        save_forest(model->stretch, into);
        save_forest(model->whole, into);
        save_forest(model->padded, into);
        rv_neighbours_save(&model->neighbours, into);
    }
    save_panel(model, into);
    r = rv_lm_save(&model->lm, into);
    return r < 0 ? r : into->failed ? -ENOMEM : 0;
}

static bool finite_positive(double value)
{
    return isfinite(value) && value > 0;
}

static int load_usual(struct rv_usual *usual, struct rv_reader *reader)
{
    bool sound = true;

    for (unsigned i = 0; i < 2; i++) {
        usual->least[i] = (int32_t)rv_read_le32(reader);
        usual->most[i] = (int32_t)rv_read_le32(reader);
        usual->level[i] = rv_read_double(reader);
        sound &= usual->least[i] <= usual->most[i] && isfinite(usual->level[i]);
        for (unsigned k = 0; k < RV_USUAL_TERMS; k++) {
            usual->slope[i][k] = rv_read_double(reader);
            sound &= isfinite(usual->slope[i][k]);
        }
    }
    for (unsigned k = 0; k < RV_USUAL_TERMS; k++) {
        usual->mean[k] = rv_read_double(reader);
        usual->deviation[k] = rv_read_double(reader);
        sound &= isfinite(usual->mean[k]) && finite_positive(usual->deviation[k]);
    }
    usual->surprise = rv_read_double(reader);
    return reader->failed || !sound || !isfinite(usual->surprise) ? -EBADMSG : 0;
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

static int load_forests(struct rv_sequence_model *model, struct rv_reader *reader)
{
    int r = load_forest(&model->stretch, reader, RV_SEGMENT_WIDTH);

    if (r == 0)
        r = load_forest(&model->whole, reader, RV_WHOLE_WIDTH);
    if (r == 0)
        r = load_forest(&model->padded, reader, RV_TRACE_WIDTH);
    return r < 0 ? r : rv_neighbours_load(&model->neighbours, reader);
}

static int load_panel(struct rv_sequence_model *model, struct rv_reader *reader)
{
    const struct rv_panel *panel = rv_sequence_panel(model);
    int r = 0;

    for (unsigned i = 0; i < panel->heads && r == 0; i++) {
        model->mean[i] = rv_read_double(reader);
        model->deviation[i] = rv_read_double(reader);
        if (!isfinite(model->mean[i]) || !finite_positive(model->deviation[i]))
            return -EBADMSG;
        if (panel->cost[i] > 0)
            r = rv_tail_load(&model->tails[i], reader);
    }
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
    if (reader.failed || format != FORMAT || supervised > 1)
        return -EBADMSG;
    r = load_usual(&model->usual, &reader);
    if (r == 0)
        r = load_vocabulary(&model->vocabulary, &reader);
    if (r == 0)
        r = rv_calibration_load(&model->calibration, rv_part_read(&reader), NULL);
    if (r == 0 && supervised)
        r = load_forests(model, &reader);
    if (r == 0)
        r = load_panel(model, &reader);
    if (r == 0)
        r = rv_lm_load(&model->lm, &reader);
    if (r < 0)
        return r == -ENOMEM ? r : -EBADMSG;
    if (reader.failed || reader.rest.len != 0)
        return -EBADMSG;
    *ret_model = RV_TAKE(model);
    return 0;
}
