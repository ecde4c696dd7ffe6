/* SPDX-License-Identifier: Apache-2.0 */
/* What stands, as a former agent wrote it down: what is taken in is written the same way again. */
#include "act/standing.h"

#define BOOT "5b0a1f0e-0000-4000-8000-000000000000"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void forget(struct rv_standing *all)
{
    for (size_t i = 0; i < RV_STANDING_MAX; i++)
        rv_standing_done(&all[i]);
    free(all);
}

/** @return 0 with the text of what was taken in; else nothing may be left in the table. */
static int again(struct rv_span text, struct rv_buf *ret_text)
{
    struct rv_standing *all = calloc(RV_STANDING_MAX, sizeof(*all));
    uint32_t last = 0, ended = 0;
    int r;

    if (!all)
        abort();
    r = rv_standing_parse(text, BOOT, all, &last, &ended);
    for (size_t i = 0; i < RV_STANDING_MAX; i++)
        if (all[i].number > last || (r < 0 && (all[i].number || all[i].cgroup || all[i].threads)) ||
            (all[i].number && !all[i].cgroup && all[i].process.tgid <= 1))
            abort();
    if (r == 0 && rv_standing_format(ret_text, BOOT, all, last) < 0)
        abort();
    forget(all);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    RV_AUTO(rv_buf_done) struct rv_buf first = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf second = { 0 };

    if (again(rv_span(data, len), &first) == 0 &&
        (again(rv_buf_span(&first), &second) < 0 ||
         !rv_span_eq(rv_buf_span(&first), rv_buf_span(&second))))
        abort();
    return 0;
}
