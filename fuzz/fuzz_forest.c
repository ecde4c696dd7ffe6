/* SPDX-License-Identifier: Apache-2.0 */
/* The forest section of a package: whatever is accepted must be safe to evaluate. And any bytes as
 * a table of the kernel's walker, which checks nothing and masks every index. */
#include "forest_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void walk_any_table(const uint8_t *data, size_t len)
{
    struct rv_table_head *head = malloc(sizeof(*head)); /* alone, so that a step outside shows */
    struct rv_kernel_score *score = malloc(sizeof(*score));
    volatile int64_t sum;

    if (head && score && len > 0) {
        for (size_t i = 0; i < sizeof(*head); i++)
            ((uint8_t *)head)[i] = data[i % len];
        for (size_t i = 0; i < sizeof(*score); i++)
            ((uint8_t *)score)[i] = data[len - 1 - i % len];
        sum = rv_table_score(head, score);
        (void)sum;
    }
    free(head);
    free(score);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rv_forest *forest = NULL;
    const char *why = NULL;

    walk_any_table(data, len);
    if (rv_forest_decode(rv_span(data, len), &forest, &why) < 0)
        return 0;
    check_forest(forest);
    rv_forest_free(&forest);
    return 0;
}
