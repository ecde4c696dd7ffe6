/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/** @file enforce/score_risk.h  Where the kernel's own scores meet its decisions. */
#pragma once

#ifndef __bpf__
#include <linux/types.h>
#endif

/**
 * Of a process that has any, at its first thread, in a map of its own that decisions read and
 * nobody else writes: so that what the judge says of the process cannot undo it.
 */
struct rv_score_risk {
    __u32 risk; /* 0..1000: of the last score, or what is left of the risk it was born with */
    __u32 pad;
};
