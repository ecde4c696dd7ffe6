/* SPDX-License-Identifier: Apache-2.0 */
/** @file mlp.h  How a network lies in memory; for its importer and its evaluator. */
#pragma once

#include "models/mlp.h"

struct mlp_layer {
    uint32_t inputs, outputs;
    enum rv_mlp_activation activation;
    float *weights; /* outputs * inputs, a row an output */
    float *biases;  /* outputs */
};

struct rv_mlp {
    uint32_t count;
    struct mlp_layer layers[RV_MLP_LAYERS_MAX];
};

/** Room for one more layer's numbers, zeroed. @return it, or NULL: no memory, or too many. */
struct mlp_layer *mlp_add_layer(struct rv_mlp *mlp, uint32_t inputs, uint32_t outputs);

/** Why the network cannot be scored, or NULL: sizes meet, numbers are finite, one output. */
const char *mlp_check(const struct rv_mlp *mlp);
