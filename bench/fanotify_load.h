/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file fanotify_load.h  What fanotify benchmarks share: a place, a provider with its judge, loads
 * in a process of their own that write down how long each operation took.
 */
#pragma once

#include "base/base.h"
#include "enforce/fan.h"

#include <pthread.h>

#define PLACE "/tmp/reeve-bench-fan" /* a tmpfs in a mount namespace of our own */

struct stage {
    struct rv_fan *fan;
    pthread_t loop, judge;
    int ask_fd, judge_fd;
    unsigned flags; /* RV_FAN_* of the judge's answers, which all allow */
};

uint64_t now_ns(void);
/** @return 0 or -errno. */
RV_MUST_CHECK int stage_open(struct stage *stage, const struct rv_fan_set *set, unsigned flags);
void stage_close(struct stage *stage, struct rv_fan_counts *ret_counts);

struct load {
    const char *name;
    bool (*once)(void);
    size_t count; /* a round */
};

bool open_once(void); /* open PLACE/tree/file for reading, close */
/* execve of a file that is no program: the kernel asks, looks into it, and says ENOEXEC. */
bool start_in_vain(void);
bool start_once(void); /* posix_spawn of PLACE/tree/true, wait */

/** One round in a process of its own. @param ns shared memory, `load->count` of them. */
bool measure(const struct load *load, uint32_t *ns);
uint32_t *shared_numbers(size_t count); /* NULL: no memory */
void print_latency(const char *name, uint32_t *ns, size_t count, double bare_p50_ns);
double median_of(uint32_t *ns, size_t count); /* sorts */

RV_MUST_CHECK int make_place(void); /* @return 0 or -errno */
void leave_place(void);
