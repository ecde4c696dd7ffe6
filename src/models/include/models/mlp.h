/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file models/mlp.h  Small dense networks, imported from ONNX: scored beside the kernel, without
 * exact reasons. Sums run in a fixed order in doubles, so a score does not depend on the build;
 * the squashing functions of the last bits come from the C library.
 * Immutable once made; any number of threads may score.
 */
#pragma once

#include "models/import.h"

#define RV_MLP_LAYERS_MAX 8
#define RV_MLP_UNITS_MAX  ((uint32_t)1024) /* of any layer but the input */

enum rv_mlp_activation { RV_MLP_LINEAR = 0, RV_MLP_RELU, RV_MLP_SIGMOID, RV_MLP_TANH };

struct rv_mlp;

/**
 * Read an ONNX graph that is one chain of Gemm or MatMul, Add, Relu, Sigmoid, Tanh (and casts),
 * with one output. A Sigmoid at the end is left out: the score is the margin before it.
 * @return 0; -EINVAL with `reterr`; -EOPNOTSUPP for any other graph; -ENOMEM.
 */
RV_MUST_CHECK int rv_import_onnx_mlp(struct rv_span file, struct rv_mlp **ret_mlp,
                                     struct rv_import_error *reterr);
void rv_mlp_free(struct rv_mlp **mlp);

uint32_t rv_mlp_width(const struct rv_mlp *mlp);
uint32_t rv_mlp_layers(const struct rv_mlp *mlp);
/** Q16.16 margin of `rv_mlp_width()` integers; held within +-2^47. */
int64_t rv_mlp_score(const struct rv_mlp *mlp, const int32_t *row);

/** The package section "mlp". */
void rv_mlp_encode(const struct rv_mlp *mlp, struct rv_buf *buf);
/** @return 0; -EINVAL; -ENOMEM. */
RV_MUST_CHECK int rv_mlp_decode(struct rv_span bytes, struct rv_mlp **ret_mlp, const char **reterr);
