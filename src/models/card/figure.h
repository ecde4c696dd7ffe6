/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file card/figure.h (private)  Pictures of a card as SVG: a plot of lines, bars with intervals,
 * histograms. Coordinates come from integers, so the same package gives the same bytes.
 */
#pragma once

#include "models/package.h"

/** Detection against alarms a day, a line a view. Nothing when the manifest has no "operating". */
void figure_operating(const json_t *manifest, struct rv_buf *buf);
/** What is found of each family of attacks, with its 95 % interval. Nothing without "families". */
void figure_families(const json_t *manifest, struct rv_buf *buf);
/** Scores in training, of normal work measured later, and of attacks. Nothing without either. */
void figure_scores(const struct rv_package *package, struct rv_buf *buf);

/** Append text with what HTML reads as markup written out. Control characters become blanks. */
void figure_text(struct rv_buf *buf, const char *text);
