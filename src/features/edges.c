/* SPDX-License-Identifier: Apache-2.0 */
#include "edges.h"

#include "features/core.h"

#define COUNT_BITS   16
#define COUNT_MAX    0xffffU
#define PRIOR_WEIGHT 16U
#define DISTINCT_OF                                                                                \
    0x5851f42d4c957f2dULL /* turns a subject's key into that of its distinct count */

int rv_edges_init(struct rv_edges *edges, uint32_t count_max)
{
    uint32_t sets = 1;

    while (sets * RV_EDGE_WAYS < count_max)
        sets *= 2;
    edges->slots = calloc((size_t)sets * RV_EDGE_WAYS, sizeof(*edges->slots));
    if (!edges->slots)
        return -ENOMEM;
    edges->sets = sets;
    return 0;
}

void rv_edges_done(struct rv_edges *edges)
{
    free(edges->slots);
    *edges = (struct rv_edges){ 0 };
}

static uint64_t tag_of(uint64_t key)
{
    uint64_t tag = key & ~(uint64_t)COUNT_MAX;

    return tag ? tag : (uint64_t)1 << COUNT_BITS;
}

static uint64_t *set_of(const struct rv_edges *edges, uint64_t tag)
{
    return edges->slots + ((tag >> COUNT_BITS) & (edges->sets - 1)) * RV_EDGE_WAYS;
}

static uint32_t count_of(const struct rv_edges *edges, uint64_t key)
{
    uint64_t tag = tag_of(key);
    const uint64_t *set = set_of(edges, tag);

    for (unsigned i = 0; i < RV_EDGE_WAYS; i++) {
        if ((set[i] & ~(uint64_t)COUNT_MAX) == tag)
            return (uint32_t)(set[i] & COUNT_MAX);
    }
    return 0;
}

/* Add to a count. @return whether the key is new. */
static bool add(struct rv_edges *edges, uint64_t key, uint32_t amount)
{
    uint64_t tag = tag_of(key);
    uint64_t *set = set_of(edges, tag);
    unsigned least = 0;

    for (unsigned i = 0; i < RV_EDGE_WAYS; i++) {
        if ((set[i] & ~(uint64_t)COUNT_MAX) == tag) {
            uint64_t count = (set[i] & COUNT_MAX) + amount;

            set[i] = tag | rv_min_u64(count, COUNT_MAX);
            return false;
        }
        if ((set[i] & COUNT_MAX) < (set[least] & COUNT_MAX))
            least = i;
    }
    if (set[least] != 0)
        edges->forgotten++;
    else
        edges->used++;
    set[least] = tag | rv_min_u64(amount, COUNT_MAX);
    return true;
}

struct rv_edge_seen rv_edges_look(const struct rv_edges *edges, struct rv_edge edge)
{
    /* Faded leftovers still count as one: known is known until it is gone. */
    return (struct rv_edge_seen){
        .count = (count_of(edges, edge.key) + RV_EDGE_STEP - 1) / RV_EDGE_STEP,
        .total = (count_of(edges, edge.subject) + RV_EDGE_STEP - 1) / RV_EDGE_STEP,
        .distinct = (count_of(edges, edge.subject ^ DISTINCT_OF) + RV_EDGE_STEP - 1) / RV_EDGE_STEP,
    };
}

void rv_edges_learn(struct rv_edges *edges, struct rv_edge edge)
{
    if (add(edges, edge.key, RV_EDGE_STEP))
        (void)add(edges, edge.subject ^ DISTINCT_OF, RV_EDGE_STEP);
    (void)add(edges, edge.subject, RV_EDGE_STEP);
}

void rv_edges_fade(struct rv_edges *edges)
{
    for (size_t i = 0; i < (size_t)edges->sets * RV_EDGE_WAYS; i++) {
        uint64_t count = (edges->slots[i] & COUNT_MAX) >> 1;

        if (edges->slots[i] == 0)
            continue;
        edges->slots[i] = count ? (edges->slots[i] & ~(uint64_t)COUNT_MAX) | count : 0;
        edges->used -= count == 0;
    }
}

void rv_edges_restore(struct rv_edges *edges, uint64_t slot)
{
    if ((slot & COUNT_MAX) != 0)
        (void)add(edges, slot & ~(uint64_t)COUNT_MAX, (uint32_t)(slot & COUNT_MAX));
}

uint32_t rv_edge_rarity_q4(struct rv_edge_seen seen, uint32_t prior_q4)
{
    uint32_t top = rv_core_log2_q8(seen.total + 2);
    uint32_t below = rv_core_log2_q8(rv_max_u64(seen.count, (uint64_t)seen.distinct + 1));
    uint32_t bits_q4 = (top > below ? top - below : 0) >> 4;
    uint32_t own = (uint32_t)rv_min_u64(seen.total, PRIOR_WEIGHT);

    bits_q4 = (bits_q4 * own + prior_q4 * (PRIOR_WEIGHT - own)) / PRIOR_WEIGHT;
    return (uint32_t)rv_min_u64(bits_q4, 512);
}
