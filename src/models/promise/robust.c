/* SPDX-License-Identifier: Apache-2.0 */
#include "models/robust.h"

#include "models/baseline.h"

#include <math.h>

/* ---- Evasion ---- */

void rv_robust_rights(unsigned classes, enum rv_reach_right ret_rights[RV_FEATURE_COUNT])
{
    for (size_t i = 0; i < RV_FEATURE_COUNT; i++) {
        enum rv_mutability mutability = rv_feature_info(i)->mutability;

        if (!(classes >> mutability & 1))
            ret_rights[i] = RV_REACH_FIXED;
        else
            ret_rights[i] = mutability == RV_MUTABLE_RAISE ? RV_REACH_RAISE : RV_REACH_FREE;
    }
}

enum rv_robust rv_robust_alarm(rv_reach_fn *reach, const void *model, const int32_t *row,
                               unsigned classes, int64_t threshold_q16, int64_t *ret_least_q16)
{
    enum rv_reach_right rights[RV_FEATURE_COUNT];
    int64_t least, most;

    rv_robust_rights(classes, rights);
    reach(model, row, rights, &least, &most);
    *ret_least_q16 = least;
    return least >= threshold_q16 ? RV_ROBUST_STANDS : RV_ROBUST_MAY_FLIP;
}

void rv_robust_reach_baseline(const void *model, const int32_t *row,
                              const enum rv_reach_right rights[RV_FEATURE_COUNT],
                              int64_t *ret_min_q16, int64_t *ret_max_q16)
{
    struct rv_vector vector;

    (void)model;
    memcpy(vector.value, row, sizeof(vector.value));
    rv_baseline_reach(&vector, rights, ret_min_q16, ret_max_q16);
}

void rv_robust_reach_forest(const void *model, const int32_t *row,
                            const enum rv_reach_right rights[RV_FEATURE_COUNT],
                            int64_t *ret_min_q16, int64_t *ret_max_q16)
{
    rv_forest_reach(model, row, rights, ret_min_q16, ret_max_q16);
}

/* ---- Sources ---- */

struct source {
    uint32_t source, row;
};

static int by_source(const void *a, const void *b)
{
    const struct source *x = a, *y = b;

    if (x->source != y->source)
        return x->source < y->source ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static int by_value(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/*
 * The number of rows above which a source counts no more: the largest t with t <= cap * sum of
 * min(n_i, t). Sizes ascend, so the sum with the first k sizes whole is known at each step.
 */
static double capped_size(const uint64_t *sizes, size_t count, double cap)
{
    double below = 0;

    for (size_t k = 0; k < count; k++) {
        double rest = (double)(count - k), size = (double)sizes[k];

        /* Were everything from here on as large as this one, would it be within the cap? */
        if (size > cap * (below + rest * size)) {
            double room = 1 - cap * rest;

            return room > 0 ? cap * below / room : size;
        }
        below += size;
    }
    return count ? (double)sizes[count - 1] : 0;
}

static size_t sizes_of(const struct source *sorted, size_t count, uint64_t *ret_sizes)
{
    size_t sources = 0;

    for (size_t i = 0; i < count; i++) {
        if (i == 0 || sorted[i].source != sorted[i - 1].source)
            ret_sizes[sources++] = 0;
        ret_sizes[sources - 1]++;
    }
    return sources;
}

static void set_weights(const struct source *sorted, size_t count, double most,
                        uint32_t *ret_weights)
{
    for (size_t start = 0, end = 0; start < count; start = end) {
        double size, weight;

        while (end < count && sorted[end].source == sorted[start].source)
            end++;
        size = (double)(end - start);
        weight = size > most ? most / size : 1.0;
        for (size_t i = start; i < end; i++)
            ret_weights[sorted[i].row] = (uint32_t)(weight * 65536.0);
    }
}

int rv_robust_source_weights(const uint32_t *sources, size_t count, uint32_t cap_ppm,
                             uint32_t *ret_weights)
{
    RV_AUTO(rv_freep) struct source *sorted = calloc(count + 1, sizeof(*sorted));
    RV_AUTO(rv_freep) uint64_t *sizes = calloc(count + 1, sizeof(*sizes));
    size_t distinct;
    double cap;

    if (!sorted || !sizes)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        sorted[i] = (struct source){ sources[i], (uint32_t)i };
    qsort(sorted, count, sizeof(*sorted), by_source);
    distinct = sizes_of(sorted, count, sizes);
    qsort(sizes, distinct, sizeof(*sizes), by_value);
    /* With few sources a cap below their even share cannot hold: then they share evenly. */
    cap = fmax((double)cap_ppm / 1e6, distinct ? 1.0 / (double)distinct : 1.0);
    set_weights(sorted, count, capped_size(sizes, distinct, cap), ret_weights);
    return 0;
}

void rv_robust_folds(const uint32_t *sources, size_t count, uint32_t folds, uint64_t seed,
                     uint32_t *ret_folds)
{
    assert(folds > 0);
    for (size_t i = 0; i < count; i++)
        ret_folds[i] = (uint32_t)(rv_mix64(seed ^ rv_mix64(sources[i])) % folds);
}

/* ---- Disagreement ---- */

struct disagreement {
    int64_t size; /* how far on the wrong side of 0; negative: on the right side */
    uint32_t row;
};

static int by_disagreement(const void *a, const void *b)
{
    const struct disagreement *x = a, *y = b;

    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

int rv_robust_disagreements(const int64_t *margins_q16, const uint8_t *labels, size_t count,
                            uint32_t *ret_order, size_t *ret_wrong)
{
    RV_AUTO(rv_freep) struct disagreement *rows = calloc(count + 1, sizeof(*rows));
    size_t wrong = 0;

    if (!rows)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        int64_t size = labels[i] ? -margins_q16[i] : margins_q16[i];

        rows[i] = (struct disagreement){ size, (uint32_t)i };
        wrong += size > 0;
    }
    qsort(rows, count, sizeof(*rows), by_disagreement);
    for (size_t i = 0; i < count; i++)
        ret_order[i] = rows[i].row;
    *ret_wrong = wrong;
    return 0;
}

/* ---- Batches ---- */

/* Is the rate a/n above b/m by more than chance allows? */
static bool clearly_above(uint64_t a, uint64_t n, uint64_t b, uint64_t m)
{
    double p = (double)a / (double)n, q = (double)b / (double)m;
    double pooled = (double)(a + b) / (double)(n + m);
    double deviation = sqrt(pooled * (1 - pooled) * (1 / (double)n + 1 / (double)m));

    return p - q > 1.645 * deviation && p > q;
}

enum rv_batch rv_robust_judge_batch(const struct rv_holdout *without, const struct rv_holdout *with)
{
    if (!without->attacks || !without->normals || !with->attacks || !with->normals)
        return RV_BATCH_REJECTED;
    if (clearly_above(without->detected, without->attacks, with->detected, with->attacks) ||
        clearly_above(with->false_alarms, with->normals, without->false_alarms, without->normals))
        return RV_BATCH_REJECTED;
    return RV_BATCH_ACCEPTED;
}
