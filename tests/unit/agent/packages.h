/* SPDX-License-Identifier: Apache-2.0 */
/** @file packages.h  Small behaviour packages for tests: points for files changed, from a number
 * on. */
#pragma once

#include "test.h"

#include "features/program.h"
#include "features/table.h"
#include "models/calibration.h"
#include "models/forest.h"
#include "models/package.h"

enum package_flaw {
    PACKAGE_SOUND = 0,
    PACKAGE_OTHER_TABLE,
    PACKAGE_NO_CALIBRATION,
    PACKAGE_OTHER_CLASSES,
    PACKAGE_FROM_ELSEWHERE, /* no flaw: calibrated where shells did other things */
};

static inline void add_calibration(struct rv_package_writer *writer, enum package_flaw flaw)
{
    RV_AUTO(rv_calibration_free) struct rv_calibration *calibration = NULL;
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
    const int64_t edges[] = { 65536, 5 * 65536 };
    struct rv_calibration_options options = { .edges_q16 = edges,
                                              .edge_count = 2,
                                              .class_count = flaw == PACKAGE_OTHER_CLASSES
                                                                 ? 2
                                                                 : RV_KIND_COUNT_ };

    rv_assert_ok(rv_calibration_new(&calibration, &options));
    rv_calibration_prior(calibration, 0, 100000);
    if (flaw == PACKAGE_FROM_ELSEWHERE)
        rv_calibration_add(calibration, RV_KIND_SHELL, 10 * 65536, 50000);
    rv_calibration_save(calibration, &buf);
    rv_assert_ok(rv_package_add(writer, "calibration", rv_buf_span(&buf)));
}

/** A forest of one split: ten points if `feature` is at least `from`, none below. */
static inline void add_split(struct rv_package_writer *writer, size_t feature, int32_t from)
{
    RV_AUTO(rv_forest_free) struct rv_forest *forest = NULL;
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
    const struct rv_forest_node nodes[] = {
        { .feature = (int32_t)feature, .value = from, .left = 1, .right = 2, .cover = 10 },
        { .feature = RV_FOREST_LEAF, .value = 0, .cover = 9 },
        { .feature = RV_FOREST_LEAF, .value = 10 * 65536, .cover = 1 },
    };
    const uint32_t sizes[] = { 3 };
    struct rv_forest_spec spec = { .width = RV_FEATURE_COUNT,
                                   .tree_sizes = sizes,
                                   .tree_count = 1,
                                   .nodes = nodes,
                                   .node_count = 3 };

    rv_assert_ok(rv_forest_make(&spec, &forest, NULL));
    rv_forest_encode(forest, &buf);
    rv_assert_ok(rv_package_add(writer, "forest", rv_buf_span(&buf)));
}

static inline void make_package_bytes(size_t feature, int32_t from, enum package_flaw flaw,
                                      struct rv_buf *bytes)
{
    RV_AUTO(rv_package_writer_done) struct rv_package_writer writer = { 0 };
    struct rv_manifest_head head = {
        .kind = "forest",
        .name = "test",
        .version = "1",
        .intended_use = "tests",
        .width = RV_FEATURE_COUNT,
        .feature_table = rv_feature_table_digest(),
    };
    RV_AUTO(rv_json_freep) json_t *manifest = NULL;

    head.feature_table.bytes[0] ^= flaw == PACKAGE_OTHER_TABLE;
    manifest = rv_manifest_new(&head);
    add_split(&writer, feature, from);
    if (flaw != PACKAGE_NO_CALIBRATION)
        add_calibration(&writer, flaw);
    rv_assert_ok(rv_package_add_manifest(&writer, manifest));
    rv_assert_ok(rv_package_finish(&writer, rv_span(NULL, 0), bytes));
}

static inline struct rv_package *make_package(size_t feature, int32_t from, enum package_flaw flaw)
{
    RV_AUTO(rv_buf_done) struct rv_buf bytes = { 0 };
    struct rv_package *package = NULL;

    make_package_bytes(feature, from, flaw, &bytes);
    rv_assert_ok(rv_package_open(rv_buf_span(&bytes), &package, NULL));
    return package;
}
