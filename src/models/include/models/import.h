/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file models/import.h  Other people's models into ours: XGBoost JSON, ONNX trees and MLPs.
 * A source forest keeps the floats as they were read, so that the integer forest made from it can
 * be compared with it on any rows. Rows are integers; a source that was trained on fractions must
 * have its features scaled before it is exported.
 */
#pragma once

#include "models/forest.h"

#define RV_IMPORT_BYTES_MAX ((size_t)256 * 1024 * 1024)

enum rv_split_mode {
    RV_SPLIT_LEAF = 0,
    RV_SPLIT_LT,
    RV_SPLIT_LEQ,
    RV_SPLIT_GT,
    RV_SPLIT_GTE,
    RV_SPLIT_EQ,
    RV_SPLIT_NEQ,
};

/** A node as it was read: left is where a true comparison leads. */
struct rv_source_node {
    enum rv_split_mode mode;
    uint32_t feature;
    double value;         /* threshold, or what the leaf adds */
    uint32_t left, right; /* indices within the tree */
    float cover;
};

enum rv_source_precision { RV_SOURCE_FLOAT32 = 0, RV_SOURCE_FLOAT64 };

struct rv_source_tree {
    struct rv_source_node *nodes;
    uint32_t count, root;
};

struct rv_source_forest {
    uint32_t width;
    double base;
    double scale; /* every leaf is multiplied by it: 1, or 1/trees for averages */
    enum rv_source_precision precision; /* what values and sums are rounded to */
    struct rv_source_tree *trees;
    size_t tree_count;
};

/** Why an import was refused; `where` counts bytes or trees, whichever the format is read by. */
struct rv_import_error {
    char message[200];
};

void rv_source_forest_free(struct rv_source_forest **source);

/**
 * Read XGBoost's JSON (`save_model("x.json")`, 1.x to 3.x): gbtree, one output, numeric splits.
 * @return 0; -EINVAL with `reterr` for what is not that; -EOPNOTSUPP for a model of XGBoost that
 *         has no integer form here (dart, several classes, categories); -ENOMEM.
 */
RV_MUST_CHECK int rv_import_xgboost(struct rv_span json, struct rv_source_forest **ret_source,
                                    struct rv_import_error *reterr);

/**
 * Read an ONNX file with one tree ensemble (ai.onnx.ml TreeEnsembleRegressor and -Classifier 1 to 3,
 * TreeEnsemble 5; sums and averages; one output or two classes). The margin is what the decision is
 * made on: above 0 is the second class.
 * @return 0; -EINVAL with `reterr` for malformed files; -EOPNOTSUPP for graphs that have no integer
 *         form here; -ENOMEM.
 */
RV_MUST_CHECK int rv_import_onnx(struct rv_span file, struct rv_source_forest **ret_source,
                                 struct rv_import_error *reterr);

/**
 * Make the integer forest: thresholds become the least integer that does not go left, leaves are
 * rounded to 1/65536. Decisions on integer rows are the source's, exactly.
 * @return 0; -EINVAL (loops, indices, leaves of 32768 or more); -ENOMEM.
 */
RV_MUST_CHECK int rv_source_convert(const struct rv_source_forest *source,
                                    struct rv_forest **ret_forest, struct rv_import_error *reterr);

/** The source's own margin of an integer row, summed in its own precision. After convert only. */
double rv_source_margin(const struct rv_source_forest *source, const int32_t *row);

/** What comparing both on all rows showed. */
struct rv_equality {
    uint64_t rows;
    uint64_t decisions_changed; /* the margin's sign differs */
    double margin_error_max;
};
struct rv_equality rv_source_compare(const struct rv_source_forest *source,
                                     const struct rv_forest *forest, const int32_t *rows,
                                     size_t count);
