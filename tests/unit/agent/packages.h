/* SPDX-License-Identifier: Apache-2.0 */
/** @file packages.h  Small behaviour packages for tests: points for files changed, from a number
 * on. */
#pragma once

#include "test.h"

#include "enforce/score_package.h"
#include "features/program.h"
#include "features/table.h"
#include "models/calibration.h"
#include "models/forest.h"
#include "models/forest_model.h"
#include "models/language.h"
#include "models/package.h"

enum package_flaw {
    PACKAGE_SOUND = 0,
    PACKAGE_OTHER_TABLE,
    PACKAGE_NO_CALIBRATION,
    PACKAGE_OTHER_CLASSES,
    PACKAGE_FROM_ELSEWHERE, /* no flaw: calibrated where shells did other things */
    PACKAGE_FOR_KERNEL,     /* no flaw: the kernel can score with it */
    PACKAGE_CARRIES,        /* no flaw: one for the kernel goes with it */
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
static inline struct rv_forest *make_split(size_t feature, int32_t from)
{
    struct rv_forest *forest = NULL;
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
    return forest;
}

static inline void add_split(struct rv_package_writer *writer, size_t feature, int32_t from)
{
    RV_AUTO(rv_forest_free) struct rv_forest *forest = make_split(feature, from);
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };

    rv_forest_encode(forest, &buf);
    rv_assert_ok(rv_package_add(writer, "forest", rv_buf_span(&buf)));
}

/** What the hooks need of the forest that was added: risk 500 from five points on, golden rows. */
static inline void add_for_kernel(struct rv_package_writer *writer, size_t feature, int32_t from)
{
    RV_AUTO(rv_forest_free) struct rv_forest *forest = make_split(feature, from);
    RV_AUTO(rv_row_set_done) struct rv_row_set rows = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf thresholds = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf golden = { 0 };
    struct rv_score_thresholds all;

    for (size_t class = 0; class < RV_SCORE_CLASSES; class ++) {
        for (size_t i = 0; i < RV_SCORE_STEPS; i++)
            all.steps[class][i] = (struct rv_score_step){ i ? INT64_MAX : 5 * 65536, 500, 0 };
    }
    rv_score_thresholds_encode(&all, &thresholds);
    rv_assert_ok(rv_package_add(writer, RV_SCORE_SECTION, rv_buf_span(&thresholds)));
    rv_assert_ok(rv_row_set_at_boundaries(forest, 1, 8, &rows));
    rv_assert_ok(rv_golden_encode(forest, &rows, &golden));
    rv_assert_ok(rv_package_add(writer, "golden", rv_buf_span(&golden)));
}

/** The same with a language model of sessions beside the forest. */
static inline struct rv_package *add_language(const struct rv_package *package,
                                              const struct rv_language *language)
{
    RV_AUTO(rv_package_writer_done) struct rv_package_writer writer = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf section = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf bytes = { 0 };
    struct rv_package *with = NULL;

    for (size_t i = 0; i < rv_package_section_count(package); i++) {
        const char *name = rv_package_section_name(package, i);

        rv_assert_ok(rv_package_add(&writer, name, rv_package_section(package, name)));
    }
    rv_language_save(language, &section);
    rv_assert_ok(rv_package_add(&writer, "language", rv_buf_span(&section)));
    rv_assert_ok(rv_package_finish(&writer, rv_span(NULL, 0), &bytes));
    rv_assert_ok(rv_package_open(rv_buf_span(&bytes), &with, NULL));
    return with;
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
    if (flaw == PACKAGE_FOR_KERNEL)
        add_for_kernel(&writer, feature, from);
    if (flaw == PACKAGE_CARRIES) {
        RV_AUTO(rv_buf_done) struct rv_buf carried = { 0 };

        make_package_bytes(feature, from, PACKAGE_FOR_KERNEL, &carried);
        rv_assert_ok(rv_package_add(&writer, RV_SCORE_CARRIED, rv_buf_span(&carried)));
    }
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
