/* SPDX-License-Identifier: Apache-2.0 */
/* The BPF LSM provider on a real kernel: one provider, its suites one after the other. */
#include "rules.h"

int main(void)
{
    static int (*const groups[])(void) = { hooks_run, terms_run, safety_run, cost_run, self_run };
    int r = open_lsm();
    bool failed = false;

    if (r >= 0)
        return r;
    for (size_t i = 0; i < RV_COUNT(groups); i++)
        failed |= groups[i]() != 0;
    return failed;
}
