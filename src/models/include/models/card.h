/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file models/card.h  What a model says of itself: a card for people, CycloneDX 1.6 for machines.
 * Both are made from the manifest alone and are the same bytes for the same package.
 *
 * Optional manifest members that they show, beside those of models/package.h:
 *   "promise"  {"alarms_per_host_day_ppm", "confidence_ppm", "calibration_scores"}
 *   "evasion"  [{"attack", "detection_ppm"}]: detection with the attack applied
 *   "curve"    [{"false_positives_ppm", "detection_ppm"}]: ascending, at most 64 points
 *   "operating" [{"view", "risk", "alarms_per_host_day_milli", "detection_ppm"}]: what is found
 *              against false alarms, by the risk that alarms, a line a view
 *   "families" {NAME: {"streams", "found"}}; "score_histogram" {"normal", "attack"}: 64 counts each
 *   "limits"   a sentence; "intended_use" likewise
 */
#pragma once

#include "models/package.h"

/** Append the card as text. @return 0; -EINVAL for a manifest that lacks what all have; -ENOMEM. */
RV_MUST_CHECK int rv_card_text(const struct rv_package *package, struct rv_buf *buf);

/**
 * Append the card as one HTML file with pictures (SVG) that fetches nothing: the text of the card,
 * detection against alarms, families, and how scores moved since training.
 */
RV_MUST_CHECK int rv_card_html(const struct rv_package *package, struct rv_buf *buf);

/** Append the model's bill of materials with its model card: CycloneDX 1.6 JSON. */
RV_MUST_CHECK int rv_card_cyclonedx(const struct rv_package *package, struct rv_buf *buf);
