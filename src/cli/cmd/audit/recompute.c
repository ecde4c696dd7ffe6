/* SPDX-License-Identifier: Apache-2.0 */
#include "recompute.h"

/** One row a type of entry; ends with an empty row. */
static const struct audit_recomputer recomputers[] = {
    { "decision", audit_recompute_decision },
    { NULL, NULL },
};

const struct audit_recomputer *audit_recomputer_for(const char *type)
{
    const struct audit_recomputer *row = recomputers;

    while (row->type && !rv_streq(row->type, type))
        row++;
    return row->type ? row : NULL;
}
