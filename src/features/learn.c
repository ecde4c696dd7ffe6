/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes normal, and when. Nothing that a process does for the first time counts as normal
 * until half a minute has passed, or the process has ended, without an alert on it: an attack must
 * not teach the host that attacks are usual.
 */
#include "state.h"

#define PENDING_NS     (30 * RV_NS_PER_S)
#define ARMED_SEEN     4096U /* triples of a class before its misses mean anything ... */
#define ARMED_STRANGE  1024U /* ... and at most 1 in 64 of the recent ones unknown; Q16 */
#define LEARNT_STEP_Q8 512   /* one process raises what is usual at most fourfold */

/* ---- Edges ---- */

static void commit(struct rv_features *features, struct rv_edge edge)
{
    if (edge.subject == 0) /* a triple */
        rv_bloom_add(&features->bloom, edge.key);
    else
        rv_edges_learn(&features->edges, edge);
    features->counters.learnt++;
}

void rv_learn_pending(struct rv_features *features, struct rv_process_slot *slot)
{
    if (slot->pub.tainted) {
        rv_learn_drop(features, slot);
        return;
    }
    for (uint32_t i = 0; i < slot->pending_count; i++)
        commit(features, slot->pending[i]);
    slot->pending_count = 0;
}

void rv_learn_drop(struct rv_features *features, struct rv_process_slot *slot)
{
    features->counters.withheld += slot->pending_count;
    slot->pending_count = 0;
}

static void wait_to_learn(struct rv_features *features, struct rv_process_slot *slot,
                          struct rv_edge edge)
{
    if (slot->pub.tainted) {
        features->counters.withheld++;
        return;
    }
    for (uint32_t i = 0; i < slot->pending_count; i++) {
        if (slot->pending[i].key == edge.key)
            return;
    }
    if (slot->pending_count > 0 && features->now_ns - slot->pending_ns > PENDING_NS)
        rv_learn_pending(features, slot);
    if (slot->pending_count == RV_PENDING_MAX)
        return; /* no room: it will come again */
    if (slot->pending_count == 0)
        slot->pending_ns = features->now_ns;
    slot->pending[slot->pending_count++] = edge;
}

uint32_t rv_learn_edge(struct rv_features *features, struct rv_process_slot *slot,
                       struct rv_edge edge, uint32_t prior_q4, struct rv_edge_seen *ret_seen)
{
    struct rv_edge_seen seen = rv_edges_look(&features->edges, edge);

    if (seen.count == 0)
        wait_to_learn(features, slot, edge);
    else if (!slot->pub.tainted)
        rv_edges_learn(&features->edges, edge);
    if (ret_seen)
        *ret_seen = seen;
    return rv_edge_rarity_q4(seen, prior_q4);
}

/* ---- Sequences ---- */

struct rv_core_normal rv_learn_normal(const struct rv_features *features, uint32_t class)
{
    return (struct rv_core_normal){ class, features->acquaintance[class].armed };
}

void rv_learn_triple(struct rv_features *features, struct rv_process_slot *slot, uint32_t class,
                     uint64_t key)
{
    struct rv_acquaintance *known = &features->acquaintance[class];

    if (slot->pub.tainted)
        return;
    known->seen += known->seen < UINT32_MAX;
    known->strange = known->strange - known->strange / 512 + (key ? 2048 : 0);
    known->armed |= known->seen >= ARMED_SEEN && known->strange <= ARMED_STRANGE;
    if (!key)
        return;
    if (!known->armed)
        commit(features, (struct rv_edge){ .key = key });
    else
        wait_to_learn(features, slot, (struct rv_edge){ .key = key });
}

/* ---- What a program usually does ---- */

/* log2 of the most that 9 in 10 processes of a kind do; the mean is a quarter of that. */
static const uint8_t usual_of_kind[RV_KIND_COUNT_][RV_USUAL_COUNT_] = {
    /*                     files writes removals spawns connects */
    [RV_KIND_OTHER] = { 4, 4, 3, 3, 3 },    [RV_KIND_SHELL] = { 4, 4, 3, 5, 2 },
    [RV_KIND_LANGUAGE] = { 5, 5, 4, 4, 4 }, [RV_KIND_TRANSFER] = { 3, 3, 2, 1, 3 },
    [RV_KIND_SERVER] = { 6, 6, 4, 3, 7 },   [RV_KIND_LOGIN] = { 4, 4, 2, 4, 3 },
    [RV_KIND_SERVICE] = { 6, 6, 5, 7, 3 },  [RV_KIND_PACKAGE] = { 11, 11, 11, 9, 5 },
    [RV_KIND_BUILD] = { 9, 9, 8, 9, 3 },    [RV_KIND_ARCHIVE] = { 10, 10, 8, 3, 3 },
    [RV_KIND_RECON] = { 1, 1, 1, 1, 2 },    [RV_KIND_FILES] = { 7, 7, 8, 3, 1 },
    [RV_KIND_ADMIN] = { 4, 4, 3, 4, 2 },    [RV_KIND_DEBUG] = { 4, 4, 2, 3, 2 },
    [RV_KIND_DESKTOP] = { 7, 7, 6, 5, 6 },  [RV_KIND_MONITOR] = { 6, 6, 5, 4, 5 },
};

void rv_usual_prior(struct rv_program_slot *program)
{
    for (size_t i = 0; i < RV_USUAL_COUNT_; i++) {
        unsigned high_q8 = usual_of_kind[program->pub.kind][i] * 256U;

        program->usual[i].high_q8 = (uint16_t)high_q8;
        program->usual[i].mean_q8 = (uint16_t)(high_q8 > 512 ? high_q8 - 512 : high_q8 / 2);
    }
}

void rv_learn_most(struct rv_process_slot *slot)
{
    static const enum rv_rate rates[RV_USUAL_COUNT_] = {
        [RV_USUAL_WRITES] = RV_RATE_WRITE,
        [RV_USUAL_REMOVALS] = RV_RATE_REMOVE,
        [RV_USUAL_SPAWNS] = RV_RATE_SPAWN,
        [RV_USUAL_CONNECTS] = RV_RATE_CONNECT,
    };

    for (size_t i = RV_USUAL_WRITES; i < RV_USUAL_COUNT_; i++) {
        uint32_t now = slot->core.slow[rates[i]];

        if (now > slot->most[i])
            slot->most[i] = now;
    }
}

static void usual_step(struct rv_usual *usual, uint32_t most_q8, uint32_t observed)
{
    int32_t share = (int32_t)rv_min_u64(observed + 4, 32);
    int32_t off = (int32_t)most_q8 - usual->mean_q8;
    int32_t above = (int32_t)most_q8 - usual->high_q8;

    usual->mean_q8 = (uint16_t)(usual->mean_q8 + off / share);
    if (above > 0)
        usual->high_q8 =
            (uint16_t)(usual->high_q8 + rv_min_u64((uint64_t)above / 2, LEARNT_STEP_Q8));
    else
        usual->high_q8 = (uint16_t)(usual->high_q8 + above / 16);
}

void rv_learn_usual(struct rv_features *features, struct rv_process_slot *slot)
{
    struct rv_program_slot *program =
        &features->programs[slot->script ? slot->script : slot->program];

    slot->most[RV_USUAL_FILES] = rv_distinct_count(&slot->core.files);
    slot->rolled_ns = features->now_ns;
    if (slot->program == 0 || slot->pub.tainted) {
        memset(slot->most, 0, sizeof(slot->most));
        return;
    }
    for (size_t i = 0; i < RV_USUAL_COUNT_; i++) {
        uint32_t most = i == RV_USUAL_FILES ? slot->most[i] : (slot->most[i] + 2048U) >> 12;

        usual_step(&program->usual[i], rv_core_log2_q8((uint64_t)most + 1), program->observed);
    }
    program->observed += program->observed < UINT32_MAX;
    memset(slot->most, 0, sizeof(slot->most));
}

void rv_learn_fade(struct rv_features *features)
{
    rv_edges_fade(&features->edges);
    for (uint32_t i = 1; i < features->program_unused; i++)
        features->programs[i].runs /= 2;
}

/* ---- Which kind of program starts which ---- */

/* Bits, so that 8 is one in 256. Rows: the parent's kind; columns in the order of the kinds. */
static const uint8_t kind_prior_bits[RV_KIND_COUNT_][RV_KIND_COUNT_] = {
    /* child:              oth she lan tra ser log svc pkg bld arc rec fil adm dbg dsk mon */
    [RV_KIND_OTHER] = { 2, 3, 4, 6, 6, 7, 6, 7, 5, 5, 6, 4, 7, 8, 5, 6 },
    [RV_KIND_SHELL] = { 2, 2, 3, 4, 4, 4, 4, 4, 3, 3, 3, 1, 4, 5, 3, 4 },
    [RV_KIND_LANGUAGE] = { 3, 3, 2, 6, 6, 8, 6, 5, 3, 5, 6, 4, 7, 7, 5, 6 },
    [RV_KIND_TRANSFER] = { 5, 7, 7, 2, 8, 8, 8, 9, 7, 6, 8, 7, 9, 9, 7, 8 },
    [RV_KIND_SERVER] = { 5, 9, 5, 9, 1, 9, 8, 10, 9, 8, 11, 9, 10, 11, 9, 7 },
    [RV_KIND_LOGIN] = { 4, 1, 4, 4, 6, 2, 4, 5, 5, 5, 5, 4, 5, 7, 4, 5 },
    [RV_KIND_SERVICE] = { 3, 2, 3, 5, 3, 3, 2, 4, 5, 5, 5, 3, 4, 7, 4, 3 },
    [RV_KIND_PACKAGE] = { 3, 2, 3, 5, 5, 7, 5, 1, 3, 3, 5, 2, 3, 8, 6, 5 },
    [RV_KIND_BUILD] = { 3, 2, 3, 6, 8, 9, 7, 5, 1, 4, 5, 2, 8, 8, 5, 8 },
    [RV_KIND_ARCHIVE] = { 5, 5, 6, 4, 9, 9, 8, 8, 6, 2, 7, 4, 8, 9, 8, 8 },
    [RV_KIND_RECON] = { 5, 6, 7, 6, 9, 9, 8, 8, 7, 7, 3, 5, 8, 8, 7, 8 },
    [RV_KIND_FILES] = { 4, 4, 5, 6, 8, 8, 7, 6, 5, 4, 5, 2, 6, 8, 6, 7 },
    [RV_KIND_ADMIN] = { 4, 4, 5, 7, 6, 6, 4, 6, 7, 6, 5, 3, 3, 8, 5, 5 },
    [RV_KIND_DEBUG] = { 2, 3, 3, 5, 5, 7, 6, 7, 4, 6, 5, 4, 6, 4, 5, 7 },
    [RV_KIND_DESKTOP] = { 3, 2, 4, 5, 7, 6, 5, 6, 4, 5, 6, 4, 7, 7, 2, 7 },
    [RV_KIND_MONITOR] = { 3, 4, 4, 6, 7, 8, 5, 6, 7, 3, 4, 3, 4, 7, 8, 3 },
};

uint32_t rv_kind_prior_q4(enum rv_program_kind parent, enum rv_program_kind child)
{
    return kind_prior_bits[parent][child] * 16U;
}
