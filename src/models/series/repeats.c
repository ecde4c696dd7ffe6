/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who hides what a sensor reads shows what it read before: a recording, played again. A stretch of
 * readings is told by its changes, each with its value and the rows since the change before, so
 * that lulls do not look like repetitions. All stretches of a length are sorted; those alike lie
 * together.
 */
#include "models/repeats.h"

#include "base/bytes.h"

#define MARGIN   2U   /* changes beyond the longest repetition in normal rows */
#define DISTINCT 100U /* values that a sensor must have taken, or it is a switch */

struct change {
    double value;
    size_t row, since; /* rows from the change before */
};

/** The changes that end in `last`. */
struct stretch {
    const struct change *last;
    size_t length;
};

struct changes {
    struct change *items;
    struct stretch *stretches; /* sorted by what they hold, then by time */
    size_t count, stretch_count;
};

static void changes_done(struct changes *changes)
{
    free(changes->items);
    free(changes->stretches);
}

static bool same(double a, double b)
{
    return a <= b && a >= b;
}

static int find_changes(struct changes *changes, const struct rv_readings *readings)
{
    double last = 0;

    changes->items = malloc((readings->count + 1) * sizeof(*changes->items));
    changes->stretches = malloc((readings->count + 1) * sizeof(*changes->stretches));
    if (!changes->items || !changes->stretches)
        return -ENOMEM;
    for (size_t i = 0; i < readings->count; i++) {
        double value = readings->first[i * readings->stride];
        size_t before = changes->count > 0 ? changes->items[changes->count - 1].row : 0;

        if (i > 0 && same(value, last))
            continue;
        changes->items[changes->count++] = (struct change){ value, i, i - before };
        last = value;
    }
    return 0;
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return left < right ? -1 : left > right;
}

static int compare_held(const struct stretch *left, const struct stretch *right)
{
    for (size_t back = 0; back < left->length; back++) {
        const struct change *a = left->last - back, *b = right->last - back;

        if (!same(a->value, b->value))
            return a->value < b->value ? -1 : 1;
        if (a->since != b->since)
            return a->since < b->since ? -1 : 1;
    }
    return 0;
}

static int by_held(const void *a, const void *b)
{
    const struct stretch *left = a, *right = b;
    int held = compare_held(left, right);

    return held ? held : left->last < right->last ? -1 : left->last > right->last;
}

static void sort_stretches(struct changes *changes, size_t length)
{
    changes->stretch_count = changes->count < length ? 0 : changes->count - length + 1;
    for (size_t i = 0; i < changes->stretch_count; i++)
        changes->stretches[i] = (struct stretch){ changes->items + i + length - 1, length };
    qsort(changes->stretches, changes->stretch_count, sizeof(*changes->stretches), by_held);
}

/** The earliest stretch that holds the same as stretch `at` and does not overlap it, or NULL. */
static const struct change *earlier(const struct changes *changes, size_t at, size_t *group)
{
    const struct stretch *first;

    if (at == 0 || compare_held(&changes->stretches[at - 1], &changes->stretches[at]) != 0)
        *group = at;
    first = &changes->stretches[*group];
    return changes->stretches[at].last >= first->last + first->length ? first->last : NULL;
}

static bool repeats_at(struct changes *changes, size_t length)
{
    size_t group = 0;

    sort_stretches(changes, length);
    for (size_t i = 0; i < changes->stretch_count; i++) {
        if (earlier(changes, i, &group))
            return true;
    }
    return false;
}

static int count_distinct(const struct changes *changes, size_t *ret_count)
{
    RV_AUTO(rv_freep) double *values = malloc((changes->count + 1) * sizeof(*values));
    size_t count = 0;

    if (!values)
        return -ENOMEM;
    for (size_t i = 0; i < changes->count; i++)
        values[i] = changes->items[i].value;
    qsort(values, changes->count, sizeof(*values), by_value);
    for (size_t i = 0; i < changes->count; i++)
        count += i == 0 || !same(values[i], values[i - 1]);
    *ret_count = count;
    return 0;
}

int rv_repeats_learn(const struct rv_readings *normal, struct rv_repetition *seen)
{
    RV_AUTO(changes_done) struct changes changes = { 0 };
    size_t distinct, longest = 0;
    int r = find_changes(&changes, normal);

    if (r == 0)
        r = count_distinct(&changes, &distinct);
    if (r < 0)
        return r;
    while (longest < RV_REPEATS_MOST && repeats_at(&changes, longest + 1))
        longest++;
    seen->longest = longest > seen->longest ? longest : seen->longest;
    seen->distinct = distinct > seen->distinct ? distinct : seen->distinct;
    return 0;
}

uint32_t rv_repeats_after(const struct rv_repetition *seen)
{
    uint32_t wanted = (uint32_t)seen->longest + MARGIN;

    if (seen->distinct < DISTINCT || wanted > RV_REPEATS_MOST)
        return RV_REPEATS_NEVER;
    return wanted < RV_REPEATS_LEAST ? RV_REPEATS_LEAST : wanted;
}

/** Rows from a change on that read what the rows from an earlier one on did. */
static void mark(const struct rv_readings *readings, size_t from, size_t end, size_t lag,
                 uint32_t *ret_lag)
{
    for (size_t i = from; i < end; i++) {
        if (!same(readings->first[i * readings->stride],
                  readings->first[(i - lag) * readings->stride]))
            return;
        ret_lag[i] = (uint32_t)lag;
    }
}

int rv_repeats_find(const struct rv_readings *readings, uint32_t changes, uint32_t *ret_lag)
{
    RV_AUTO(changes_done) struct changes found = { 0 };
    size_t group = 0;
    int r;

    memset(ret_lag, 0, readings->count * sizeof(*ret_lag));
    if (changes == RV_REPEATS_NEVER)
        return 0;
    r = find_changes(&found, readings);
    if (r < 0)
        return r;
    sort_stretches(&found, changes);
    for (size_t i = 0; i < found.stretch_count; i++) {
        const struct change *last = found.stretches[i].last, *next = last + 1;
        const struct change *source = earlier(&found, i, &group);
        bool is_last = next == found.items + found.count;

        if (source)
            mark(readings, last->row, is_last ? readings->count : next->row,
                 last->row - source->row, ret_lag);
    }
    return 0;
}
