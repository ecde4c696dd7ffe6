/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file models/onnx_runtime.h  Any ONNX graph, through ONNX Runtime when it is installed.
 * The library is loaded when asked for and never needed. One thread a session. What such a model
 * says is a float and comes without exact reasons: it may inform, it is not run in the kernel.
 */
#pragma once

#include "base/bytes.h"

struct rv_onnx_session;

/** Why a session or a run failed, in ONNX Runtime's words or ours. */
struct rv_onnx_error {
    char message[256];
};

/**
 * Load a model.
 * @param library path of libonnxruntime.so; NULL: the environment's REEVE_ONNXRUNTIME, then the
 *                loader's own search.
 * @return 0; -EOPNOTSUPP without a usable library; -EINVAL for a model that it refuses, or one
 * whose first input is no matrix of floats; -ENOMEM.
 */
RV_MUST_CHECK int rv_onnx_open(const char *library, struct rv_span model,
                               struct rv_onnx_session **ret_session, struct rv_onnx_error *reterr);
void rv_onnx_free(struct rv_onnx_session **session);

/** "1.20.1" */
const char *rv_onnx_version(const struct rv_onnx_session *session);

/**
 * Run `count` rows of `width` floats.
 * @param ret_scores one a row: the last column of the first output that is a float tensor.
 * @return 0; -EINVAL for a shape that the model refuses or outputs of another shape.
 */
RV_MUST_CHECK int rv_onnx_run(struct rv_onnx_session *session, const float *rows, size_t count,
                              size_t width, float *ret_scores, struct rv_onnx_error *reterr);
