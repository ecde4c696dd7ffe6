/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file sequence/neighbours.h  Known traces, and how close the nearest of either kind is.
 * A trace is the set of its calls and pairs of calls, each weighed by 1 + ln(times) and by how rare
 * it is among the known traces (TF-IDF), scaled to length 1; closeness is the angle between two.
 * Weights are integers, so that sums do not depend on their order.
 */
#pragma once

#include "base/bytes.h"

#define RV_NEIGHBOURS_MAX ((size_t)4096) /* known traces of one kind; more are thinned out evenly  \
                                          */
#define RV_NEAR_SCALES 3U                /* stretches of 128, 512, 2048 calls */

/** What the nearest known traces say; angles in 1/10000 of a radian. */
enum rv_near_column {
    RV_NEAR_LEAN,   /* of the whole: angle to the nearest normal trace minus that to an attack */
    RV_NEAR_NORMAL, /* angle to the nearest normal trace */
    RV_NEAR_ATTACK, /* angle to the nearest attack */
    RV_NEAR_FIRST,  /* lean of the first stretch, by scale */
    RV_NEAR_HIGHEST = RV_NEAR_FIRST + (int)RV_NEAR_SCALES, /* highest lean of all stretches */
    RV_NEAR_WIDTH = RV_NEAR_HIGHEST + (int)RV_NEAR_SCALES,
};

struct rv_known_trace {
    const uint16_t *calls;
    size_t count;
    bool attack;
};

struct rv_posting {
    uint16_t item, weight;
};

/** All-zero is empty. */
struct rv_neighbours {
    size_t items, normals; /* items[0..normals-1] are normal */
    size_t grams;
    uint32_t *gram;  /* ascending; a pair is first << 16 | second, a call alone 0xffff0000 | call */
    uint32_t *start; /* grams + 1: where its postings begin */
    double *rarity;  /* weight of a gram */
    struct rv_posting *postings;
};

/**
 * @param traces  normal ones and attacks in any order; grams of one trace only are left out.
 * @return 0; -ENOMEM; -EINVAL without a trace of each kind.
 */
RV_MUST_CHECK int rv_neighbours_make(struct rv_neighbours *into,
                                     const struct rv_known_trace *traces, size_t count);
void rv_neighbours_done(struct rv_neighbours *neighbours);

/** @param count at least 1. @return 0 or -ENOMEM. */
RV_MUST_CHECK int rv_neighbours_row(const struct rv_neighbours *neighbours, const uint16_t *calls,
                                    size_t count, int32_t row[RV_NEAR_WIDTH]);

void rv_neighbours_save(const struct rv_neighbours *neighbours, struct rv_buf *into);
/** @return 0; -EBADMSG; -ENOMEM. */
RV_MUST_CHECK int rv_neighbours_load(struct rv_neighbours *into, struct rv_reader *reader);
