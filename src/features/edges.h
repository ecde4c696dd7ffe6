/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file edges.h  What was seen together on this host, and how often: (kind of edge, subject,
 * object) to a count that fades by half each week. Bounded: sets of eight; a full set forgets its
 * least.
 */
#pragma once

#include "base/bytes.h"
#include "base/hash.h"

/* Values are stored (in the saved baseline): never renumber. */
enum rv_edge_kind {
    RV_EDGE_CHILD = 1,  /* a program starts another */
    RV_EDGE_GRANDCHILD, /* ... through a third */
    RV_EDGE_SHAPE,      /* a program is started with arguments of this shape */
    RV_EDGE_DIR,        /* a program changes files in a directory */
    RV_EDGE_NET,        /* a program connects to a network */
    RV_EDGE_PORT,
    RV_EDGE_ACTION, /* a program causes a kind of event */
    RV_EDGE_EXT,    /* a file name extension is used on this host */
    RV_EDGE_UNIT,   /* a program runs in a workload */
};

#define RV_EDGE_WAYS 8U
#define RV_EDGE_STEP 4U /* what one sighting adds, so that one survives two halvings */

struct rv_edges {
    uint64_t *slots; /* 48 bits of tag, 16 of count; 0: free */
    uint32_t sets;   /* a power of two */
    uint32_t used;
    uint64_t forgotten;
};

/** One edge: its own key and that of its subject's totals. */
struct rv_edge {
    uint64_t key, subject;
};

/** What is known of an edge, in sightings. */
struct rv_edge_seen {
    uint32_t count;    /* of this edge */
    uint32_t total;    /* of the subject's edges of this kind */
    uint32_t distinct; /* how many different ones */
};

RV_MUST_CHECK int rv_edges_init(struct rv_edges *edges, uint32_t count_max);
void rv_edges_done(struct rv_edges *edges);

static inline struct rv_edge rv_edge(enum rv_edge_kind kind, uint64_t subject, uint64_t object)
{
    uint64_t total = rv_mix64(subject + (uint64_t)kind * 0x9e3779b97f4a7c15ULL);

    return (struct rv_edge){ rv_mix64(total ^ object), total };
}

struct rv_edge_seen rv_edges_look(const struct rv_edges *edges, struct rv_edge edge);

/** One more sighting; an edge not yet known becomes so. */
void rv_edges_learn(struct rv_edges *edges, struct rv_edge edge);

/** Halve every count: the caller does so once a week. */
void rv_edges_fade(struct rv_edges *edges);

/** Put back a saved slot, into a table of any size. */
void rv_edges_restore(struct rv_edges *edges, uint64_t slot);

/**
 * Surprise in 1/16 bit, at most 512: log2 of total over count. What was never seen, or seldom, is
 * as rare as the subject's next new one: (total + 2) / (distinct + 1). Below 16 sightings of the
 * subject, `prior_q4` fills in for those that are missing.
 */
uint32_t rv_edge_rarity_q4(struct rv_edge_seen seen, uint32_t prior_q4);
