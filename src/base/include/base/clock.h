/* SPDX-License-Identifier: Apache-2.0 */
/** @file base/clock.h  Time as a value that is passed in, so that tests and replay own it. */
#pragma once

#include "base/base.h"

#define RV_NS_PER_S  ((uint64_t)1000000000)
#define RV_NS_PER_MS ((uint64_t)1000000)

/** A source of time. `boot_ns` counts suspend too (CLOCK_BOOTTIME); `unix_ns` is wall clock. */
struct rv_clock {
    uint64_t (*boot_ns)(void *context);
    uint64_t (*unix_ns)(void *context);
    void *context;
};

/** The machine's own clock. */
struct rv_clock rv_clock_system(void);
