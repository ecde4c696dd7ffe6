/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file models/task.h  What training of every kind is told, and what scoring of every kind says.
 * Training is a pure function of data, options and seed: the same bytes come out on every run.
 */
#pragma once

#include "base/bytes.h"

/** Where long work reports: a stage in words and how far it is, 0..1000. May be NULL. */
struct rv_progress {
    void (*report)(void *context, const char *stage, unsigned permille);
    void *context;
};

struct rv_task_options {
    uint64_t seed;
    struct rv_progress progress;
};

static inline void rv_progress_report(const struct rv_progress *progress, const char *stage,
                                      size_t done, size_t all)
{
    if (progress && progress->report)
        progress->report(progress->context, stage, all ? (unsigned)(done * 1000 / all) : 1000);
}

/** One scored item. Both numbers rise with strangeness; `risk` has the meaning of DESIGN 4. */
struct rv_score {
    uint32_t risk; /* 0..1000: -100 log10 of the conformal p-value */
    double raw;    /* orders items finer than risk can, beyond the calibration set too */
};
