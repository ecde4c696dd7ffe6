/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file agent/receipt.h  The verdict in a receipt (rv_outcome_receipt()), read back and bounded: to
 * compute it again, and to judge it. What is read is untrusted.
 */
#pragma once

#include "models/calibration.h"
#include "models/model.h"

#include <jansson.h>

struct rv_receipt_verdict {
    struct rv_vector vector;
    int64_t risk, raw_q16, base_q16;
    int64_t attribution_q16[RV_FEATURE_COUNT]; /* features that are not named have no part */
    struct rv_p_value p;
    uint32_t class; /* kind of program, below RV_KIND_COUNT_ */
    int64_t session_q16; /* what its session scored; -1: the model knows no sessions */
    bool held;      /* its score waited for a person's judgement */
};

/** @param verdict the member "verdict". @return false: a number is missing or cannot be read. */
bool rv_receipt_verdict_read(const json_t *verdict, struct rv_receipt_verdict *ret);

/** An integer, or one too large for every reader of JSON: text, as 64 bits without a sign. */
bool rv_receipt_integer(const json_t *value, int64_t *ret);

/** The digest that a member holds in hex. */
bool rv_receipt_digest(const json_t *value, struct rv_sha256 *ret);
