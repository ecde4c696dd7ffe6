/* SPDX-License-Identifier: Apache-2.0 */
/* Which calls and pairs get a column: calls in most traces; pairs that tell attacks from normal
 * work, or are common. */
#include "neighbours.h"
#include "segment.h"

#include "base/hash.h"

#include <math.h>

struct tally {
    uint32_t key;            /* call, or first << 16 | second */
    uint32_t normal, attack; /* traces that hold it */
};

struct tallies {
    struct tally *slots; /* open addressing; empty when both counts are 0 */
    size_t mask, used;
};

static struct tally *tally_of(struct tallies *tallies, uint32_t key)
{
    size_t at = rv_mix64(key) & tallies->mask;

    while ((tallies->slots[at].normal || tallies->slots[at].attack) &&
           tallies->slots[at].key != key)
        at = (at + 1) & tallies->mask;
    tallies->slots[at].key = key;
    return &tallies->slots[at];
}

static int tallies_grow(struct tallies *tallies)
{
    struct tallies grown = { .mask = tallies->slots ? 2 * tallies->mask + 1 : 4095 };

    if (tallies->slots && 3 * tallies->used < 2 * tallies->mask)
        return 0;
    grown.slots = calloc(grown.mask + 1, sizeof(*grown.slots));
    if (!grown.slots)
        return -ENOMEM;
    for (size_t i = 0; tallies->slots && i <= tallies->mask; i++) {
        const struct tally *old = &tallies->slots[i];

        if (old->normal || old->attack) {
            *tally_of(&grown, old->key) = *old;
            grown.used++;
        }
    }
    free(tallies->slots);
    *tallies = grown;
    return 0;
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    return left < right ? -1 : left > right;
}

/** Count each different key of a trace once. `pairs`: pairs of calls, else calls. */
static int tally_trace(struct tallies *tallies, const struct rv_known_trace *trace, bool pairs)
{
    size_t count = pairs ? trace->count - 1 : trace->count;
    RV_AUTO(rv_freep) uint32_t *keys = malloc((count + 1) * sizeof(*keys));

    if (!keys)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        keys[i] = pairs ? (uint32_t)trace->calls[i] << 16 | trace->calls[i + 1] : trace->calls[i];
    qsort(keys, count, sizeof(*keys), compare_u32);
    for (size_t i = 0; i < count; i++) {
        struct tally *tally;
        int r;

        if (i > 0 && keys[i] == keys[i - 1])
            continue;
        r = tallies_grow(tallies);
        if (r < 0)
            return r;
        tally = tally_of(tallies, keys[i]);
        tallies->used += !tally->normal && !tally->attack;
        tally->normal += !trace->attack;
        tally->attack += trace->attack;
    }
    return 0;
}

struct ranked {
    double worth;
    uint32_t key;
};

static int by_worth(const void *a, const void *b)
{
    const struct ranked *left = a, *right = b;

    if (left->worth != right->worth)
        return left->worth > right->worth ? -1 : 1;
    return left->key < right->key ? -1 : left->key > right->key;
}

/** The `room` most worthy keys, ascending. @return how many; SIZE_MAX without memory. */
static size_t choose_keys(struct tallies *tallies, const size_t traces[2], bool pairs,
                          uint32_t *keys, size_t room)
{
    RV_AUTO(rv_freep) struct ranked *ranked = calloc(tallies->used + 1, sizeof(*ranked));
    size_t count = 0;

    if (!ranked)
        return SIZE_MAX;
    for (size_t i = 0; tallies->slots && i <= tallies->mask; i++) {
        const struct tally *tally = &tallies->slots[i];
        double normal = (double)tally->normal / (double)traces[0];
        double attack = traces[1] ? (double)tally->attack / (double)traces[1] : 0;

        if (!tally->normal && !tally->attack)
            continue;
        ranked[count++] = (struct ranked){
            .key = tally->key,
            .worth = pairs ? fabs(normal - attack) + 0.2 * normal
                           : (double)tally->normal + (double)tally->attack,
        };
    }
    qsort(ranked, count, sizeof(*ranked), by_worth);
    count = count < room ? count : room;
    for (size_t i = 0; i < count; i++)
        keys[i] = ranked[i].key;
    qsort(keys, count, sizeof(*keys), compare_u32);
    return count;
}

int rv_vocabulary_choose(struct rv_vocabulary *vocabulary, const struct rv_known_trace *traces,
                         size_t count)
{
    size_t by_kind[2] = { 0 };

    for (size_t i = 0; i < count; i++)
        by_kind[traces[i].attack]++;
    for (int pairs = 0; pairs < 2; pairs++) {
        struct tallies tallies = { 0 };
        uint32_t keys[RV_SEGMENT_BIGRAMS];
        size_t chosen = 0;
        int r = 0;

        for (size_t i = 0; i < count && r == 0; i++)
            r = tally_trace(&tallies, &traces[i], pairs);
        if (r == 0)
            chosen = choose_keys(&tallies, by_kind, pairs, keys,
                                 pairs ? RV_SEGMENT_BIGRAMS : RV_SEGMENT_SYMBOLS);
        free(tallies.slots);
        if (r < 0 || chosen == SIZE_MAX)
            return -ENOMEM;
        for (size_t i = 0; i < chosen && pairs; i++)
            vocabulary->bigram[i] = keys[i];
        for (size_t i = 0; i < chosen && !pairs; i++)
            vocabulary->symbol[i] = (uint16_t)keys[i];
        *(pairs ? &vocabulary->bigrams : &vocabulary->symbols) = (unsigned)chosen;
    }
    return 0;
}
