/* SPDX-License-Identifier: Apache-2.0 */
/* What a remote model server answers. */
#include "forest_check.h"

#include "models/remote.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    double score = NAN;

    if (rv_inference_response(rv_span(data, len), &score) == 0)
        CHECK(isfinite(score));
    return 0;
}
