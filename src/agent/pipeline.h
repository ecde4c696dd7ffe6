/* SPDX-License-Identifier: Apache-2.0 */
/** @file agent/pipeline.h (private)  The pipeline's inside, for what prints its outcomes. */
#pragma once

#include "agent/pipeline.h"

#include "base/clock.h"
#include "host.h"

struct repeat;

struct rv_pipeline {
    struct rv_features *features;
    struct rv_models *models;
    struct rv_host_names *names;

    const struct rv_program *program;
    const struct rv_entities *entities;
    struct rv_evaluator *evaluator;
    struct rv_sha256 policy_digest;

    const char *mode;
    uint32_t risk_min;
    enum rv_learning learning;

    struct rv_host_request host; /* of the event at hand */
    struct rv_vector vector;
    struct repeat *repeats;
    struct rv_pipeline_counts counts;
};
