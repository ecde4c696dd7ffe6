/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file forest_check.h  What must hold of every forest that was accepted, however it came about:
 * evaluators agree, sums of reasons are exact, the score is within its reach, all in bounds.
 */
#pragma once

#include "models/forest_model.h"
#include "models/kernel_table.h"

#include <stdio.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static inline void check_reasons(const struct rv_forest *forest, const int32_t *row, uint32_t width)
{
    struct rv_shap *shap = NULL;
    int64_t *phi = calloc(width, sizeof(*phi));
    int64_t sum = 0;

    if (phi && rv_shap_new(forest, &shap) == 0) {
        rv_shap_explain(shap, row, phi, &sum);
        for (uint32_t f = 0; f < width; f++)
            sum += phi[f];
        CHECK(sum == rv_forest_score_plain(forest, row));
    }
    rv_shap_free(&shap);
    free(phi);
}

static inline void check_reach(const struct rv_forest *forest, const int32_t *row, uint32_t width)
{
    enum rv_reach_right *rights = calloc(width, sizeof(*rights));
    int64_t least, most;

    if (!rights)
        return;
    for (uint32_t f = 0; f < width; f++)
        rights[f] = (enum rv_reach_right)(f % 4);
    rv_forest_reach(forest, row, rights, &least, &most);
    CHECK(least <= rv_forest_score_plain(forest, row));
    CHECK(most >= rv_forest_score_plain(forest, row));
    free(rights);
}

/** `row` has as many values as the forest is wide, in memory of exactly that size. */
static inline void check_row(const struct rv_forest *forest, const int32_t *row, uint32_t width)
{
    int64_t score = rv_forest_score_plain(forest, row), batch;
    struct rv_path paths[3];

    CHECK(rv_forest_score(forest, row) == score);
    rv_forest_score_rows(forest, row, 1, &batch);
    CHECK(batch == score);
    CHECK(score < (int64_t)1 << 48 && score > -((int64_t)1 << 48));
    CHECK(rv_forest_paths(forest, row, paths, 3) <= 3);
    check_reasons(forest, row, width);
    check_reach(forest, row, width);
}

/** The package section comes back as it was. */
static inline void check_codec(const struct rv_forest *forest)
{
    struct rv_buf bytes = { 0 }, again = { 0 };
    struct rv_forest *copy = NULL;

    rv_forest_encode(forest, &bytes);
    if (!bytes.failed && rv_forest_decode(rv_buf_span(&bytes), &copy, NULL) == 0) {
        rv_forest_encode(copy, &again);
        CHECK(again.failed || rv_span_eq(rv_buf_span(&bytes), rv_buf_span(&again)));
        rv_forest_free(&copy);
    } else {
        CHECK(bytes.failed || copy == NULL);
    }
    rv_buf_done(&bytes);
    rv_buf_done(&again);
}

/* As a table, where it fits one: the walk that the kernel does gives the same score. */
static inline void check_table(const struct rv_forest *forest, const struct rv_row_set *rows)
{
    struct rv_kernel_model model = { { forest, NULL }, 1 };
    struct rv_kernel_table *table = NULL;

    if (rows->width > RV_KERNEL_ROW || rv_kernel_table_make(&model, &table) < 0)
        return;
    for (size_t i = 0; i < rows->count; i++) {
        const int32_t *row = rows->values + i * rows->width;
        struct rv_kernel_score score = { 0 };

        memcpy(score.row, row, rows->width * sizeof(*row));
        CHECK(rv_table_score(&table->heads[0], &score) == rv_forest_score_plain(forest, row));
    }
    free(table);
}

static inline void check_forest(const struct rv_forest *forest)
{
    struct rv_row_set rows = { 0 };
    struct rv_kernel_model model = { { forest, forest }, 1 };
    struct rv_kernel_place place = { .slots_fd = -1 };
    struct rv_buf code = { 0 };

    if (rv_row_set_at_boundaries(forest, 1, 3, &rows) == 0) {
        for (size_t i = 0; i < rows.count; i++) {
            int32_t *row = malloc(rows.width * sizeof(*row));

            if (!row)
                break;
            memcpy(row, rows.values + i * rows.width, rows.width * sizeof(*row));
            check_row(forest, row, rows.width);
            free(row);
        }
    }
    check_table(forest, &rows);
    check_codec(forest);
    CHECK(rv_kernel_emit(&model, &place, &code) <= 0);
    rv_buf_done(&code);
    rv_row_set_done(&rows);
}
