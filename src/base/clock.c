/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <time.h>

static uint64_t read_clock(clockid_t id)
{
    struct timespec now;

    if (clock_gettime(id, &now) < 0)
        return 0;
    return (uint64_t)now.tv_sec * RV_NS_PER_S + (uint64_t)now.tv_nsec;
}

static uint64_t system_boot_ns(void *context)
{
    (void)context;
    return read_clock(CLOCK_BOOTTIME);
}

static uint64_t system_unix_ns(void *context)
{
    (void)context;
    return read_clock(CLOCK_REALTIME);
}

struct rv_clock rv_clock_system(void)
{
    return (struct rv_clock){ .boot_ns = system_boot_ns, .unix_ns = system_unix_ns };
}
