/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file models/forest_model.h  A package with forests, as a model of host behaviour.
 *
 * Two heads: "forest" reads rates and maxima in windows, "forest.monotone" only what an attacker
 * can raise, so nothing that he adds lowers it. The score is the higher of the two, and so are its
 * reasons: whoever trains both puts their bases so that equal scores are equally rare.
 * Scoring is thread-safe; so is explaining, one at a time.
 */
#pragma once

#include "models/kernel.h"
#include "models/model.h"
#include "models/package.h"
#include "models/reasons.h"

/** One forest of a package. @return 0; -ENOENT if it has no such section; -EINVAL; -ENOMEM. */
RV_MUST_CHECK int rv_package_forest(const struct rv_package *package, const char *section,
                                    struct rv_forest **ret_forest, const char **reterr);

/**
 * The package as a model for struct rv_vector. It keeps nothing of the package.
 * @return 0; -EINVAL if it is no forest, of another width, or of another feature table; -ENOENT;
 *         -ENOMEM.
 */
RV_MUST_CHECK int rv_forest_model_open(const struct rv_package *package,
                                       struct rv_model **ret_model, const char **reterr);

/** The heads of such a model, for the kernel; borrowed. `model` is one of rv_forest_model_open().
 */
struct rv_kernel_model rv_forest_model_heads(const struct rv_model *model);

/** The first 8 bytes of a digest: how the kernel names a model. Never 0. */
uint64_t rv_kernel_digest(const struct rv_sha256 *digest);

/** What an attacker may do to each feature of features/table.h. */
void rv_reach_rights_of_host(enum rv_reach_right rights[RV_FEATURE_COUNT]);

/* ---- Rows to try a forest on ---- */

struct rv_row_set {
    uint32_t width;
    size_t count;
    int32_t *values; /* count * width */
};
void rv_row_set_done(struct rv_row_set *rows); /* frees; cleanup attribute */

/**
 * Rows as text: one a line, integers between commas, semicolons, tabs or blanks. A first line that
 * is no row is taken for a header. `width` 0: as many as the first row has.
 * @param ret_line the line (from 1) that was refused, on -EINVAL.
 * @return 0; -EINVAL; -ENOMEM.
 */
RV_MUST_CHECK int rv_row_set_parse(struct rv_span text, uint32_t width, struct rv_row_set *ret_rows,
                                   size_t *ret_line);

/**
 * Rows at the forest's own thresholds: each value is a threshold of that feature, one less or one
 * more (0 for a feature that it does not read). The same seed gives the same rows.
 */
RV_MUST_CHECK int rv_row_set_at_boundaries(const struct rv_forest *forest, uint64_t seed,
                                           size_t count, struct rv_row_set *ret_rows);

/** Golden rows with the scores they must get: the section "golden". */
RV_MUST_CHECK int rv_golden_encode(const struct rv_forest *forest, const struct rv_row_set *rows,
                                   struct rv_buf *buf);
/**
 * Decode and run them through user space's evaluators.
 * @return 0; -EINVAL if malformed or of another width; -EBADMSG if a score differs; -ENOMEM.
 */
RV_MUST_CHECK int rv_golden_check(const struct rv_forest *forest, struct rv_span section,
                                  struct rv_row_set *ret_rows);
