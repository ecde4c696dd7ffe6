/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file models/text.h  Models of command lines: hashed n-grams of bytes and tokens. A line scores as
 * its highest stretch of 4 to 64 tokens, so text put before or after a command of at least four
 * tokens cannot lower its score.
 * Immutable once made; scoring is thread-safe.
 */
#pragma once

#include "models/dataset.h"
#include "models/task.h"

struct rv_text_model;

/** A token that speaks for (positive) or against (negative) the line. */
struct rv_text_reason {
    size_t at, len; /* bytes of the line */
    double weight;
};

RV_MUST_CHECK int rv_text_train(struct rv_text_model **ret_model, const struct rv_lines *normal,
                                const struct rv_lines *attack,
                                const struct rv_task_options *options);
RV_MUST_CHECK int rv_text_score(const struct rv_text_model *model, struct rv_span line,
                                struct rv_score *ret_score);
size_t rv_text_explain(const struct rv_text_model *model, struct rv_span line,
                       struct rv_text_reason *reasons, size_t room);
RV_MUST_CHECK int rv_text_save(const struct rv_text_model *model, struct rv_buf *into);
RV_MUST_CHECK int rv_text_load(struct rv_text_model **ret_model, struct rv_span bytes);
void rv_text_model_free(struct rv_text_model **model);

/**
 * Append the line's skeleton: quoted strings, paths, numbers, addresses and hex masked. Lines of
 * one skeleton are near copies and never split over training and test.
 */
void rv_text_skeleton(struct rv_buf *into, struct rv_span line);
