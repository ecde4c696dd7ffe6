/* SPDX-License-Identifier: Apache-2.0 */
/* Alternatives are united and crossed, and kept free of doubles. */
#include "dnf.h"

#define STEPS_MAX (4U * 1000 * 1000) /* literals looked at for one policy */

void rv_dnf_fail(struct builder *builder, const char *why)
{
    if (builder->error)
        return;
    builder->error = -E2BIG;
    builder->limit = (struct rv_normal_limit){ why, builder->loc };
}

bool rv_dnf_step(struct builder *builder, uint32_t count)
{
    builder->steps += count + 1;
    if (builder->steps > STEPS_MAX)
        rv_dnf_fail(builder, "taking it apart needs too many steps");
    return builder->error == 0;
}

void *rv_dnf_room(struct builder *builder, size_t count, size_t size)
{
    void *memory = rv_arena_array(&builder->normal->arena, count, size);

    if (!memory)
        builder->error = -ENOMEM;
    return memory;
}

struct dnf rv_dnf_never(bool total)
{
    return (struct dnf){ .total = total };
}

struct dnf rv_dnf_single(struct builder *builder, const uint16_t *literal, bool total)
{
    struct dnf dnf = { .total = total };
    struct rv_conjunct *item = rv_dnf_room(builder, 1, sizeof(*item));
    uint16_t *kept = rv_dnf_room(builder, 1, sizeof(*kept));

    if (builder->error)
        return dnf;
    if (literal) {
        *kept = *literal;
        *item = (struct rv_conjunct){ kept, 1 };
    }
    dnf.items = item;
    dnf.count = 1;
    return dnf;
}

struct dnf rv_dnf_always(struct builder *builder)
{
    return rv_dnf_single(builder, NULL, true);
}

bool rv_dnf_is_always(const struct dnf *dnf)
{
    return dnf->count == 1 && dnf->items[0].count == 0;
}

/** Whether each literal of `small` is in `large`. */
static bool within(const struct rv_conjunct *small, const struct rv_conjunct *large)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < small->count; i++, at++) {
        while (at < large->count && large->literals[at] < small->literals[i])
            at++;
        if (at == large->count || large->literals[at] != small->literals[i])
            return false;
    }
    return true;
}

/** Take in one more alternative: not when it says more than one that is there, and instead of
 * those that say more than it does. */
static void put(struct builder *builder, struct dnf *dnf, const struct rv_conjunct *conjunct)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < dnf->count; i++) {
        if (!rv_dnf_step(builder, conjunct->count) || within(&dnf->items[i], conjunct))
            return;
    }
    for (uint32_t i = 0; i < dnf->count; i++) {
        if (!within(conjunct, &dnf->items[i]))
            dnf->items[kept++] = dnf->items[i];
    }
    dnf->count = kept;
    if (dnf->count == RV_NORMAL_CONJUNCTS_MAX) {
        rv_dnf_fail(builder, "it comes to too many alternatives");
        return;
    }
    dnf->items[dnf->count++] = *conjunct;
}

struct dnf rv_dnf_unite(struct builder *builder, const struct dnf *a, const struct dnf *b)
{
    struct dnf both = { .total = a->total && b->total };

    if (builder->error || a->count + b->count == 0)
        return both;
    both.items = rv_dnf_room(builder, (size_t)a->count + b->count, sizeof(*both.items));
    if (!both.items)
        return both;
    if (a->count > 0)
        memcpy(both.items, a->items, a->count * sizeof(*both.items));
    both.count = a->count;
    for (uint32_t i = 0; i < b->count && !builder->error; i++)
        put(builder, &both, &b->items[i]);
    return both;
}

/** Two answers of the same atom that cannot both be. */
static bool contradict(uint16_t a, uint16_t b)
{
    unsigned pair = (1U << (a & 3)) | (1U << (b & 3));

    return a >> 2 == b >> 2 && (pair == (1U << RV_LITERAL_TRUE | 1U << RV_LITERAL_FALSE) ||
                                pair == (1U << RV_LITERAL_TRUE | 1U << RV_LITERAL_NOT_TRUE) ||
                                pair == (1U << RV_LITERAL_FALSE | 1U << RV_LITERAL_NOT_FALSE));
}

/** Both at once. @return false when they contradict each other or a bound is met. */
static bool join(struct builder *builder, const struct rv_conjunct *a, const struct rv_conjunct *b,
                 struct rv_conjunct *ret_both)
{
    uint16_t literals[2 * RV_NORMAL_LITERALS_MAX], *kept;
    uint32_t i = 0, k = 0, count = 0;

    while (i < a->count || k < b->count) {
        bool from_a = k == b->count || (i < a->count && a->literals[i] <= b->literals[k]);
        uint16_t literal = from_a ? a->literals[i] : b->literals[k];

        i += i < a->count && a->literals[i] == literal;
        k += k < b->count && b->literals[k] == literal;
        for (uint32_t back = count; back > 0 && literals[back - 1] >> 2 == literal >> 2; back--) {
            if (contradict(literals[back - 1], literal))
                return false;
        }
        literals[count++] = literal;
    }
    if (count > RV_NORMAL_LITERALS_MAX) {
        rv_dnf_fail(builder, "an alternative has too many conditions");
        return false;
    }
    kept = rv_dnf_step(builder, count) ? rv_dnf_room(builder, count, sizeof(*kept)) : NULL;
    if (!kept)
        return false;
    memcpy(kept, literals, count * sizeof(*kept));
    *ret_both = (struct rv_conjunct){ kept, count };
    return true;
}

struct dnf rv_dnf_cross(struct builder *builder, const struct dnf *a, const struct dnf *b)
{
    struct dnf both = { .total = a->total && b->total };
    size_t count = rv_min_u64((uint64_t)a->count * b->count, RV_NORMAL_CONJUNCTS_MAX);

    if (builder->error || count == 0)
        return both;
    if (rv_dnf_is_always(a) || rv_dnf_is_always(b)) {
        both.items = rv_dnf_is_always(a) ? b->items : a->items;
        both.count = rv_dnf_is_always(a) ? b->count : a->count;
        return both;
    }
    both.items = rv_dnf_room(builder, count, sizeof(*both.items));
    for (uint32_t i = 0; i < a->count; i++) {
        for (uint32_t k = 0; k < b->count && !builder->error; k++) {
            struct rv_conjunct joined;

            if (join(builder, &a->items[i], &b->items[k], &joined))
                put(builder, &both, &joined);
        }
    }
    return both;
}
