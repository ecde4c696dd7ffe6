/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file agent/labels.h  People judge decisions: their word goes to the log, and what was held apart
 * for it is released or dropped. The judge's side of `reeve decisions label`.
 */
#pragma once

#include "audit/audit.h"
#include "judgements.h"

struct rv_labels_place {
    struct rv_judgements *judgements;
    struct rv_audit *audit;
    struct rv_models *models;
    int log_fd;
    uint64_t time_boot_ns;
};

/**
 * Answer {"request": "label", "entry": N, "label": "benign"|"malicious", "note": TEXT}.
 * Nobody but root may judge what ran as himself. The entry `label` is durable before anything is
 * learnt from it.
 * @return the entry: {"entry", "label", "applied", "learning"}; {"error": SENTENCE}; NULL without
 *         memory.
 */
json_t *rv_labels_answer(const struct rv_labels_place *place, const json_t *request,
                         uint32_t peer_uid);
