/* SPDX-License-Identifier: Apache-2.0 */
/* Importing ONNX models: refused with a reason, or turned into a forest that says the same. */
#include "forest_check.h"

#include "models/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rv_source_forest *source = NULL;
    struct rv_forest *forest = NULL;
    struct rv_row_set rows = { 0 };
    struct rv_import_error error = { "" };
    int r = rv_import_onnx(rv_span(data, len), &source, &error);

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
