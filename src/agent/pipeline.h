/* SPDX-License-Identifier: Apache-2.0 */
/** @file agent/pipeline.h (private)  The pipeline's inside, for what prints its outcomes. */
#pragma once

#include "agent/pipeline.h"

#include "base/clock.h"
#include "host.h"
#include "models/promise.h"

struct repeat;

struct rv_pipeline {
    struct rv_features *features;
    struct rv_model *model;
    struct rv_calibration *calibration;
    struct rv_promise promise; /* watches whether the calibration still holds */
    struct rv_host_names *names;

    const struct rv_program *program;
    const struct rv_entities *entities;
    struct rv_evaluator *evaluator;
    struct rv_sha256 policy_digest;

    const char *mode;
    uint32_t risk_min;
    enum rv_learning learning;
    char model_hex[RV_SHA256_HEX_LEN + 1];

    struct rv_host_request host; /* of the event at hand */
    struct rv_vector vector;
    struct repeat *repeats;
    struct rv_pipeline_counts counts;
};
