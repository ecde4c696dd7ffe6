/* SPDX-License-Identifier: Apache-2.0 */
/* What the judges of a sequence model see of a trace. */
#include "model_private.h"

#include <math.h>

#define NO_STRETCH (-20 * 65536) /* a scale longer than the trace */

/* ---- From stretches to a trace ---- */

/** What the stretch head said at one scale. */
struct scale_scores {
    int32_t *all; /* room for every stretch */
    size_t count;
    int32_t first;
};

static int descending(const void *a, const void *b)
{
    int32_t left = *(const int32_t *)a, right = *(const int32_t *)b;

    return left > right ? -1 : left < right;
}

static int32_t clamp_margin(int64_t margin)
{
    return margin > INT32_MAX ? INT32_MAX : margin < INT32_MIN ? INT32_MIN : (int32_t)margin;
}

static void summarise_scale(struct scale_scores *scores, int32_t row[RV_TRACE_PER_SCALE])
{
    size_t top = scores->count < 3 ? scores->count : 3;
    int64_t sum = 0;

    if (scores->count == 0) {
        for (size_t i = 0; i < RV_TRACE_PER_SCALE; i++)
            row[i] = NO_STRETCH;
        return;
    }
    qsort(scores->all, scores->count, sizeof(*scores->all), descending);
    for (size_t i = 0; i < top; i++)
        sum += scores->all[i];
    row[0] = scores->first;
    row[1] = scores->all[0];
    row[2] = (int32_t)(sum / (int64_t)top);
    row[3] = scores->all[scores->count / 4];
    scores->count = 0;
}

static void raise_to(int32_t *highest, const int32_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        highest[i] = values[i] > highest[i] ? values[i] : highest[i];
}

/** The row of the trace heads, without what neighbours say. @param whole  row of the whole trace.
 */
static int fill_row(const struct rv_forest *stretch, const struct rv_heard *profile,
                    const int32_t whole[RV_SEGMENT_WIDTH], int32_t row[RV_TRACE_WIDTH])
{
    size_t stretches_max = 2 * profile->count / RV_SEGMENT_CALLS_MIN + 4;
    RV_AUTO(rv_freep) int32_t *all = malloc(stretches_max * sizeof(*all));
    struct scale_scores scores = { .all = all };
    struct rv_segment_walk walk = { .count = profile->count };
    int32_t cells[RV_SEGMENT_WIDTH], worst[RV_SEGMENT_FIXED_];
    unsigned scale = 0;
    int32_t *at = row, best_first = NO_STRETCH, best = NO_STRETCH;
    size_t stretches = 0;

    if (!all)
        return -ENOMEM;
    memset(row, 0, RV_TRACE_WIDTH * sizeof(*row));
    while (rv_segment_walk(&walk)) {
        int32_t margin;

        if (walk.scale > 1 && walk.scale != scale)
            summarise_scale(&scores, row + 1 + (scale - 1) * RV_TRACE_PER_SCALE);
        scale = walk.scale;
        stretches++;
        if (walk.scale == 0) {
            *at = clamp_margin(rv_forest_score(stretch, whole));
            memcpy(worst, whole, sizeof(worst));
            continue;
        }
        rv_segment_row(profile, walk.at, walk.len, cells);
        margin = clamp_margin(rv_forest_score(stretch, cells));
        if (walk.scale == 1 && walk.at == 0)
            memcpy(worst, cells, sizeof(worst));
        if (walk.scale == 1)
            raise_to(worst, cells, RV_SEGMENT_FIXED_);
        if (walk.at == 0)
            scores.first = margin;
        scores.all[scores.count++] = margin;
    }
    for (unsigned s = scale ? scale : 1; s <= RV_SEGMENT_SCALES; s++)
        summarise_scale(&scores, row + 1 + (s - 1) * RV_TRACE_PER_SCALE);
    for (unsigned s = 0; s < RV_SEGMENT_SCALES; s++) {
        raise_to(&best_first, row + 1 + s * RV_TRACE_PER_SCALE, 1);
        raise_to(&best, row + 2 + s * RV_TRACE_PER_SCALE, 1);
    }
    at = row + 1 + RV_SEGMENT_SCALES * RV_TRACE_PER_SCALE;
    *at++ = best_first;
    *at++ = best;
    *at++ = (int32_t)lround(log((double)stretches) * 1000);
    memcpy(row + RV_TRACE_WHOLE, whole, RV_SEGMENT_FIXED_ * sizeof(*row));
    memcpy(row + RV_TRACE_WORST, worst, sizeof(worst));
    return 0;
}

/* ---- Without attacks ---- */

static int compare_u32(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    return left < right ? -1 : left > right;
}

/** Different pairs of calls, for each call. */
static int variety_of(const struct rv_heard *profile, double *ret_variety)
{
    RV_AUTO(rv_freep) uint32_t *pairs = malloc(profile->count * sizeof(*pairs));
    size_t different = 0;

    if (!pairs)
        return -ENOMEM;
    for (size_t i = 1; i < profile->count; i++)
        pairs[i - 1] = (uint32_t)profile->calls[i - 1] << 16 | profile->calls[i];
    qsort(pairs, profile->count - 1, sizeof(*pairs), compare_u32);
    for (size_t i = 0; i + 1 < profile->count; i++)
        different += i == 0 || pairs[i] != pairs[i - 1];
    *ret_variety = (double)different / (double)profile->count;
    return 0;
}

static int fill_oddness(const struct rv_heard *profile, const int32_t whole[RV_SEGMENT_WIDTH],
                        struct rv_oddness *odd)
{
    struct rv_segment_walk walk = { .count = profile->count };
    int32_t row[RV_SEGMENT_WIDTH];

    *odd = (struct rv_oddness){
        .root = whole[RV_SEGMENT_ROOT6],
        .upper = whole[RV_SEGMENT_Q75],
        .order = whole[RV_SEGMENT_ORDER],
        .worst = INT32_MIN,
        .length = whole[RV_SEGMENT_LENGTH],
        .distinct = whole[RV_SEGMENT_DISTINCT],
        .surprise = whole[RV_SEGMENT_NLL6] / 1000.0,
    };
    while (rv_segment_walk(&walk) && walk.scale <= 1) {
        rv_segment_row(profile, walk.at, walk.len, row);
        if (walk.scale == 1 || profile->count <= RV_SEGMENT_CALLS_MIN)
            raise_to(&odd->worst, &row[RV_SEGMENT_ROOT6], 1);
    }
    return variety_of(profile, &odd->variety);
}

static double inside(int32_t value, int32_t least, int32_t most)
{
    return value < least ? least : value > most ? most : value;
}

void rv_usual_terms(const struct rv_usual *usual, const struct rv_oddness *odd,
                    double ret_terms[RV_USUAL_TERMS])
{
    double length = inside(odd->length, usual->least[0], usual->most[0]);
    double distinct = inside(odd->distinct, usual->least[1], usual->most[1]);
    const double terms[RV_USUAL_TERMS] = { length, distinct, length * length, length * distinct,
                                           distinct * distinct };

    memcpy(ret_terms, terms, sizeof(terms));
}

/* ---- Both ---- */

int rv_sequence_view(const struct rv_forest *stretch, const struct rv_neighbours *neighbours,
                     const struct rv_heard *profile, struct rv_trace_view *view)
{
    int32_t *near = view->row + RV_TRACE_NEAR;
    int r;

    rv_segment_row(profile, 0, profile->count, view->whole);
    r = fill_oddness(profile, view->whole, &view->odd);
    if (r < 0 || !stretch)
        return r;
    r = fill_row(stretch, profile, view->whole, view->row);
    if (r == 0)
        r = rv_neighbours_row(neighbours, profile->calls, profile->count, near);
    if (r == 0)
        memcpy(view->whole + RV_SEGMENT_WIDTH, near, RV_NEAR_WIDTH * sizeof(*near));
    return r;
}
