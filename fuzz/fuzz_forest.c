/* SPDX-License-Identifier: Apache-2.0 */
/* The forest section of a package: whatever is accepted must be safe to evaluate. */
#include "forest_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rv_forest *forest = NULL;
    const char *why = NULL;

    if (rv_forest_decode(rv_span(data, len), &forest, &why) < 0)
        return 0;
    check_forest(forest);
    rv_forest_free(&forest);
    return 0;
}
