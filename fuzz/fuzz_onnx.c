/* SPDX-License-Identifier: Apache-2.0 */
/* Importing ONNX models: refused with a reason, or turned into a forest that says the same. */
#include "forest_check.h"

#include "models/import.h"
#include "models/mlp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_network(struct rv_span file)
{
    struct rv_import_error error = { "" };
    struct rv_mlp *mlp = NULL;
    int32_t *row;
    int r = rv_import_onnx_mlp(file, &mlp, &error);

    if (r < 0) {
        CHECK(r == -ENOMEM || error.message[0] != '\0');
        return;
    }
    row = calloc(rv_mlp_width(mlp), sizeof(*row));
    if (row) {
        row[0] = INT32_MAX;
        (void)rv_mlp_score(mlp, row);
    }
    free(row);
    rv_mlp_free(&mlp);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rv_source_forest *source = NULL;
    struct rv_forest *forest = NULL;
    struct rv_row_set rows = { 0 };
    struct rv_import_error error = { "" };
    int r = rv_import_onnx(rv_span(data, len), &source, &error);

    check_network(rv_span(data, len));
    if (r < 0) {
        CHECK(r == -ENOMEM || error.message[0] != '\0');
        return 0;
    }
    if (rv_source_convert(source, &forest, &error) == 0) {
        if (rv_row_set_at_boundaries(forest, 1, 4, &rows) == 0)
            (void)rv_source_compare(source, forest, rows.values, rows.count);
        check_forest(forest);
    }
    rv_row_set_done(&rows);
    rv_forest_free(&forest);
    rv_source_forest_free(&source);
    return 0;
}
