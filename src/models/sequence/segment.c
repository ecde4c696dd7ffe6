/* SPDX-License-Identifier: Apache-2.0 */
#include "segment.h"

#include <math.h>

#define NO_COLUMN  UINT16_MAX
#define STRANGE    6.0F /* nats */
#define CELL_NATS  0.05F
#define CELLS      320 /* of the histogram for quantiles: up to 16 nats */

static uint16_t column_of(const void *sorted, size_t count, size_t size, uint32_t wanted)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        uint32_t value = size == sizeof(uint16_t) ? ((const uint16_t *)sorted)[middle]
                                                  : ((const uint32_t *)sorted)[middle];

        if (value == wanted)
            return (uint16_t)middle;
        if (value < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return NO_COLUMN;
}

static int make_room(struct rv_heard *profile, size_t count)
{
    float *floats;
    uint16_t *shorts;
    uint8_t *bytes;

    if (count <= profile->room)
        return 0;
    rv_heard_done(profile);
    floats = calloc(count, 4 * sizeof(*floats));
    shorts = calloc(count, 3 * sizeof(*shorts));
    bytes = calloc(count, sizeof(*bytes));
    if (!floats || !shorts || !bytes) {
        free(floats);
        free(shorts);
        free(bytes);
        return -ENOMEM;
    }
    *profile = (struct rv_heard){
        .room = count,
        .nll1 = floats,
        .nll3 = floats + count,
        .nll6 = floats + 2 * count,
        .own = floats + 3 * count,
        .calls = shorts,
        .symbol_at = shorts + count,
        .bigram_at = shorts + 2 * count,
        .matched = bytes,
    };
    return 0;
}

void rv_heard_done(struct rv_heard *profile)
{
    free(profile->nll1);
    free(profile->calls);
    free(profile->matched);
    *profile = (struct rv_heard){ 0 };
}

/** Surprise of each call by the frequencies of those before it in the same trace. */
static int own_surprise(struct rv_heard *profile)
{
    RV_AUTO(rv_freep) uint32_t *seen = calloc((size_t)UINT16_MAX + 1, sizeof(*seen));
    uint32_t distinct = 0;

    if (!seen)
        return -ENOMEM;
    for (size_t i = 0; i < profile->count; i++) {
        uint32_t *mine = &seen[profile->calls[i]];
        double novel = distinct ? distinct : 1;

        profile->own[i] = (float)-log((*mine + novel / RV_LM_SYMBOLS) / ((double)i + novel));
        distinct += *mine == 0;
        (*mine)++;
    }
    return 0;
}

int rv_heard_make(struct rv_heard *profile, const struct rv_lm *lm,
                    const struct rv_vocabulary *vocabulary, const uint16_t *calls, size_t count)
{
    struct rv_lm_cursor cursor;
    struct rv_lm_step step;
    int r = make_room(profile, count);

    if (r < 0)
        return r;
    profile->count = count;
    rv_lm_begin(lm, &cursor);
    for (size_t i = 0; i < count; i++) {
        rv_lm_next(lm, &cursor, calls[i], &step);
        profile->calls[i] = calls[i];
        profile->nll1[i] = (float)step.nll[0];
        profile->nll3[i] = (float)step.nll[2];
        profile->nll6[i] = (float)step.nll[RV_LM_ORDER - 1];
        profile->matched[i] = (uint8_t)step.matched;
        profile->symbol_at[i] = column_of(vocabulary->symbol, vocabulary->symbols,
                                          sizeof(*vocabulary->symbol), calls[i]);
        profile->bigram_at[i] =
            i == 0 ? NO_COLUMN
                   : column_of(vocabulary->bigram, vocabulary->bigrams,
                               sizeof(*vocabulary->bigram),
                               (uint32_t)calls[i - 1] << 16 | calls[i]);
    }
    return own_surprise(profile);
}

static int32_t share(size_t part, size_t whole)
{
    return (int32_t)(part * 65536 / whole);
}

static int32_t milli(double value)
{
    return (int32_t)lround(value * 1000);
}

static void fill_sums(const struct rv_heard *profile, size_t at, size_t count, int32_t *row)
{
    double nll1 = 0, nll3 = 0, nll6 = 0, root = 0, root1 = 0, own = 0, n = (double)count;
    size_t strange = 0, unseen[RV_LM_ORDER + 1] = { 0 };

    for (size_t i = at; i < at + count; i++) {
        nll1 += (double)profile->nll1[i];
        nll3 += (double)profile->nll3[i];
        nll6 += (double)profile->nll6[i];
        own += (double)profile->own[i];
        root += sqrt((double)profile->nll6[i]);
        root1 += sqrt((double)profile->nll1[i]);
        strange += profile->nll6[i] > STRANGE;
        unseen[profile->matched[i]]++;
    }
    for (unsigned k = 1; k <= RV_LM_ORDER; k++)
        unseen[k] += unseen[k - 1]; /* calls whose longest seen n-gram has at most k symbols */
    row[RV_SEGMENT_NLL1] = milli(nll1 / n);
    row[RV_SEGMENT_NLL3] = milli(nll3 / n);
    row[RV_SEGMENT_NLL6] = milli(nll6 / n);
    row[RV_SEGMENT_ROOT6] = milli(root / n);
    row[RV_SEGMENT_ORDER] = milli((root - root1) / n);
    row[RV_SEGMENT_DIVERGENCE] = milli((nll6 - own) / n);
    row[RV_SEGMENT_UNSEEN2] = share(unseen[1], count);
    row[RV_SEGMENT_UNSEEN3] = share(unseen[2], count);
    row[RV_SEGMENT_UNSEEN4] = share(unseen[3], count);
    row[RV_SEGMENT_UNSEEN6] = share(unseen[5], count);
    row[RV_SEGMENT_STRANGE] = (int32_t)strange;
    row[RV_SEGMENT_LENGTH] = milli(log2(n));
}

static void fill_quantiles(const struct rv_heard *profile, size_t at, size_t count, int32_t *row)
{
    static const struct {
        enum rv_segment_column column;
        unsigned percent;
    } wanted[] = {
        { RV_SEGMENT_Q50, 50 }, { RV_SEGMENT_Q75, 75 }, { RV_SEGMENT_Q90, 90 },
        { RV_SEGMENT_Q97, 97 },
    };
    uint32_t cells[CELLS] = { 0 };
    size_t below = 0, next = 0;

    for (size_t i = at; i < at + count; i++) {
        unsigned cell = (unsigned)(profile->nll6[i] / CELL_NATS);

        cells[cell < CELLS ? cell : CELLS - 1]++;
    }
    for (unsigned cell = 0; cell < CELLS; cell++) {
        below += cells[cell];
        while (next < RV_COUNT(wanted) && below * 100 >= count * wanted[next].percent)
            row[wanted[next++].column] = milli((double)(CELL_NATS * ((float)cell + 0.5F)));
    }
}

/** Largest mean of `width` surprises on end (of all, when there are fewer). */
static int32_t top_mean(const struct rv_heard *profile, size_t at, size_t count, size_t width)
{
    double sum = 0, best;

    width = width < count ? width : count;
    for (size_t i = at; i < at + width; i++)
        sum += (double)profile->nll6[i];
    best = sum;
    for (size_t i = at + width; i < at + count; i++) {
        sum += (double)profile->nll6[i] - (double)profile->nll6[i - width];
        best = sum > best ? sum : best;
    }
    return milli(best / (double)width);
}

static void fill_counts(const struct rv_heard *profile, size_t at, size_t count, int32_t *row)
{
    uint32_t symbols[RV_SEGMENT_SYMBOLS] = { 0 }, bigrams[RV_SEGMENT_BIGRAMS] = { 0 };
    int32_t *to = row + RV_SEGMENT_FIXED_, distinct = 0;

    for (size_t i = at; i < at + count; i++) {
        if (profile->symbol_at[i] != NO_COLUMN)
            symbols[profile->symbol_at[i]]++;
        if (i > at && profile->bigram_at[i] != NO_COLUMN)
            bigrams[profile->bigram_at[i]]++;
    }
    for (size_t i = 0; i < RV_SEGMENT_SYMBOLS; i++) {
        *to++ = share(symbols[i], count);
        distinct += symbols[i] > 0;
    }
    for (size_t i = 0; i < RV_SEGMENT_BIGRAMS; i++)
        *to++ = share(bigrams[i], count);
    row[RV_SEGMENT_DISTINCT] = distinct;
}

void rv_segment_row(const struct rv_heard *profile, size_t at, size_t count,
                    int32_t row[RV_SEGMENT_WIDTH])
{
    assert(count > 0 && at <= profile->count && count <= profile->count - at);
    memset(row, 0, RV_SEGMENT_WIDTH * sizeof(*row));
    fill_sums(profile, at, count, row);
    fill_quantiles(profile, at, count, row);
    row[RV_SEGMENT_TOP10] = top_mean(profile, at, count, 10);
    row[RV_SEGMENT_TOP30] = top_mean(profile, at, count, 30);
    fill_counts(profile, at, count, row);
}

bool rv_segment_walk(struct rv_segment_walk *walk)
{
    size_t last;

    if (walk->count == 0)
        return false;
    if (!walk->begun) {
        walk->begun = true;
        walk->at = 0;
        walk->len = walk->count;
        return true;
    }
    last = walk->count - walk->len;
    if (walk->scale == 0 || walk->at == last) { /* on to the next scale */
        if (++walk->scale > RV_SEGMENT_SCALES)
            return false;
        walk->len = (size_t)RV_SEGMENT_CALLS_MIN << (walk->scale - 1);
        walk->at = 0;
        return walk->len < walk->count;
    }
    walk->at += walk->len / 2;
    if (walk->at > last)
        walk->at = last;
    return true;
}
