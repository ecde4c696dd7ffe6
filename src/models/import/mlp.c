/* SPDX-License-Identifier: Apache-2.0 */
/* Dense networks: checking, scoring, and as bytes. */
#include "mlp.h"

#include <math.h>

#define MLP_VERSION 1U
#define SCORE_MAX   0x1p47

void rv_mlp_free(struct rv_mlp **mlp)
{
    if (!*mlp)
        return;
    for (uint32_t i = 0; i < (*mlp)->count; i++) {
        free((*mlp)->layers[i].weights);
        free((*mlp)->layers[i].biases);
    }
    free(*mlp);
    *mlp = NULL;
}

struct mlp_layer *mlp_add_layer(struct rv_mlp *mlp, uint32_t inputs, uint32_t outputs)
{
    struct mlp_layer *layer;

    if (mlp->count == RV_MLP_LAYERS_MAX || inputs == 0 || inputs > RV_FOREST_WIDTH_MAX ||
        outputs == 0 || outputs > RV_MLP_UNITS_MAX)
        return NULL;
    layer = &mlp->layers[mlp->count++];
    layer->inputs = inputs;
    layer->outputs = outputs;
    layer->weights = calloc((size_t)inputs * outputs, sizeof(*layer->weights));
    layer->biases = calloc(outputs, sizeof(*layer->biases));
    return layer->weights && layer->biases ? layer : NULL;
}

static bool all_finite(const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i]))
            return false;
    }
    return true;
}

const char *mlp_check(const struct rv_mlp *mlp)
{
    if (mlp->count == 0)
        return "the network has no layer";
    for (uint32_t i = 0; i < mlp->count; i++) {
        const struct mlp_layer *layer = &mlp->layers[i];

        if (i > 0 && layer->inputs != mlp->layers[i - 1].outputs)
            return "two layers do not fit together";
        if (i > 0 && layer->inputs > RV_MLP_UNITS_MAX)
            return "a layer is too wide";
        if (layer->activation > RV_MLP_TANH)
            return "a layer's activation is unknown";
        if (!all_finite(layer->weights, (size_t)layer->inputs * layer->outputs) ||
            !all_finite(layer->biases, layer->outputs))
            return "a weight is not finite";
    }
    return mlp->layers[mlp->count - 1].outputs == 1 ? NULL : "the network has several outputs";
}

uint32_t rv_mlp_width(const struct rv_mlp *mlp)
{
    return mlp->layers[0].inputs;
}

uint32_t rv_mlp_layers(const struct rv_mlp *mlp)
{
    return mlp->count;
}

/* ---- Scoring ---- */

static double activate(enum rv_mlp_activation activation, double value)
{
    switch (activation) {
    case RV_MLP_RELU:
        return value > 0 ? value : 0;
    case RV_MLP_SIGMOID:
        return 1 / (1 + exp(-value));
    case RV_MLP_TANH:
        return tanh(value);
    case RV_MLP_LINEAR:
        break;
    }
    return value;
}

static void run_layer(const struct mlp_layer *layer, const double *in, double *out)
{
    for (uint32_t o = 0; o < layer->outputs; o++) {
        const float *weights = layer->weights + (size_t)o * layer->inputs;
        double sum = (double)layer->biases[o];

        for (uint32_t i = 0; i < layer->inputs; i++)
            sum += (double)weights[i] * in[i];
        out[o] = activate(layer->activation, sum);
    }
}

int64_t rv_mlp_score(const struct rv_mlp *mlp, const int32_t *row)
{
    static _Thread_local double units[2][4096]; /* widest input; too much for a stack */
    double score;

    for (uint32_t i = 0; i < mlp->layers[0].inputs; i++)
        units[0][i] = row[i];
    for (uint32_t i = 0; i < mlp->count; i++)
        run_layer(&mlp->layers[i], units[i % 2], units[(i + 1) % 2]);
    score = units[mlp->count % 2][0] * 65536.0;
    return llround(fmin(fmax(score, -SCORE_MAX), SCORE_MAX)); /* fmax takes a NaN for the bound */
}

/* ---- Bytes: u32 version, u32 layers; each u32 inputs, outputs, activation, weights, biases ----
 */

static void add_floats(struct rv_buf *buf, const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;

        memcpy(&bits, &values[i], sizeof(bits));
        rv_buf_add_le32(buf, bits);
    }
}

void rv_mlp_encode(const struct rv_mlp *mlp, struct rv_buf *buf)
{
    rv_buf_add_le32(buf, MLP_VERSION);
    rv_buf_add_le32(buf, mlp->count);
    for (uint32_t i = 0; i < mlp->count; i++) {
        const struct mlp_layer *layer = &mlp->layers[i];

        rv_buf_add_le32(buf, layer->inputs);
        rv_buf_add_le32(buf, layer->outputs);
        rv_buf_add_le32(buf, layer->activation);
        add_floats(buf, layer->weights, (size_t)layer->inputs * layer->outputs);
        add_floats(buf, layer->biases, layer->outputs);
    }
}

static void read_floats(struct rv_reader *reader, float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = rv_read_le32(reader);

        memcpy(&values[i], &bits, sizeof(bits));
    }
}

static int refuse(const char **reterr, const char *why)
{
    if (reterr)
        *reterr = why;
    return -EINVAL;
}

int rv_mlp_decode(struct rv_span bytes, struct rv_mlp **ret_mlp, const char **reterr)
{
    struct rv_reader reader = rv_reader(bytes);
    RV_AUTO(rv_mlp_free) struct rv_mlp *mlp = calloc(1, sizeof(*mlp));
    uint32_t version = rv_read_le32(&reader), count = rv_read_le32(&reader);
    const char *wrong;

    if (!mlp)
        return -ENOMEM;
    if (reader.failed || version != MLP_VERSION || count > RV_MLP_LAYERS_MAX)
        return refuse(reterr, "the network's head is cut short or of another version");
    for (uint32_t i = 0; i < count; i++) {
        uint32_t inputs = rv_read_le32(&reader), outputs = rv_read_le32(&reader);
        uint32_t activation = rv_read_le32(&reader);
        struct mlp_layer *layer;

        /* The bytes that are left settle what is allocated. */
        if (reader.failed || ((uint64_t)inputs + 1) * outputs > reader.rest.len / 4)
            return refuse(reterr, "a layer is cut short");
        layer = mlp_add_layer(mlp, inputs, outputs);
        if (!layer)
            return refuse(reterr, "a layer is empty or too large");
        layer->activation = (enum rv_mlp_activation)activation;
        read_floats(&reader, layer->weights, (size_t)inputs * outputs);
        read_floats(&reader, layer->biases, outputs);
    }
    if (reader.failed || reader.rest.len)
        return refuse(reterr, "the network's length is wrong");
    wrong = mlp_check(mlp);
    if (wrong)
        return refuse(reterr, wrong);
    *ret_mlp = RV_TAKE(mlp);
    return 0;
}
