/* SPDX-License-Identifier: Apache-2.0 */
#include "tail.h"

#include <math.h>

#define SCORE_LIMIT ((double)((int64_t)1 << 40)) /* of a raw score, either sign */

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return left < right ? -1 : left > right;
}

/** How far the highest hundredth reaches, for each factor e of rarity; never 0. */
static double tail_unit(const double *sorted, size_t count)
{
    size_t hundredth = count / 100 > 1 ? count / 100 : 1;
    double reach = sorted[count - 1] - sorted[count - 1 - (hundredth < count ? hundredth : 0)];
    double unit = reach / log((double)hundredth + 1);

    return unit > 1e-6 ? unit : 1e-6;
}

int rv_tail_make(struct rv_tail *tail, const double *scores, size_t count)
{
    RV_AUTO(rv_freep) double *sorted = NULL;
    size_t kept = count < RV_TAIL_SCORES_MAX ? count : RV_TAIL_SCORES_MAX;

    if (count == 0)
        return -EINVAL;
    sorted = malloc(count * sizeof(*sorted));
    if (!sorted)
        return -ENOMEM;
    memcpy(sorted, scores, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), compare_doubles);
    tail->unit = tail_unit(sorted, count);
    for (size_t i = 0; i < kept && kept < count; i++)
        sorted[i] = sorted[kept > 1 ? i * (count - 1) / (kept - 1) : count - 1];
    tail->count = kept;
    tail->scores = RV_TAKE(sorted);
    return 0;
}

void rv_tail_done(struct rv_tail *tail)
{
    free(tail->scores);
    *tail = (struct rv_tail){ 0 };
}

double rv_tail_surprise(const struct rv_tail *tail, double score)
{
    size_t low = 0, high = tail->count;
    double highest = tail->scores[tail->count - 1];

    while (low < high) { /* number of known scores below this one */
        size_t middle = (low + high) / 2;

        if (tail->scores[middle] < score)
            low = middle + 1;
        else
            high = middle;
    }
    if (score > highest)
        return log((double)tail->count + 1) + (score - highest) / tail->unit;
    return log((double)tail->count + 1) - log((double)(tail->count - low) + 1);
}

void rv_tail_save(const struct rv_tail *tail, struct rv_buf *into)
{
    rv_buf_add_double(into, tail->unit);
    rv_buf_add_le32(into, (uint32_t)tail->count);
    for (size_t i = 0; i < tail->count; i++)
        rv_buf_add_double(into, tail->scores[i]);
}

int rv_tail_load(struct rv_tail *tail, struct rv_reader *reader)
{
    double unit = rv_read_double(reader);
    size_t count = rv_read_le32(reader);
    RV_AUTO(rv_freep) double *scores = NULL;

    if (reader->failed || !(unit > 0) || !isfinite(unit) || count == 0 ||
        count > RV_TAIL_SCORES_MAX || count > reader->rest.len / sizeof(double))
        return -EBADMSG;
    scores = malloc(count * sizeof(*scores));
    if (!scores)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        scores[i] = rv_read_double(reader);
        if (!isfinite(scores[i]) || (i > 0 && scores[i] < scores[i - 1]))
            return -EBADMSG;
    }
    *tail = (struct rv_tail){ .scores = RV_TAKE(scores), .count = count, .unit = unit };
    return 0;
}

int64_t rv_score_q16(double score)
{
    if (isnan(score))
        return 0;
    if (score > SCORE_LIMIT)
        score = SCORE_LIMIT;
    if (score < -SCORE_LIMIT)
        score = -SCORE_LIMIT;
    return (int64_t)llround(score * 65536);
}

/**
 * A bin begins at each score and the next one just above it, so that a score between two known ones
 * counts only those above: the p-value is exact where the edges reach.
 * @param edges room for twice `count`. @return how many.
 */
static size_t split_edges(int64_t *edges, size_t count)
{
    size_t used = 2 * count, kept = 0;

    for (size_t i = count; i-- > 0;) {
        edges[2 * i] = edges[i];
        edges[2 * i + 1] = edges[2 * i] + 1;
    }
    for (size_t i = 0; i < used; i++) {
        if (kept == 0 || edges[i] > edges[kept - 1])
            edges[kept++] = edges[i];
    }
    return kept;
}

int rv_calibrate_scores(struct rv_calibration **ret_calibration, const double *scores, size_t count)
{
    RV_AUTO(rv_calibration_free) struct rv_calibration *calibration = NULL;
    RV_AUTO(rv_freep) int64_t *fixed = NULL;
    RV_AUTO(rv_freep) int64_t *edges = NULL;
    struct rv_calibration_options options = { .class_count = 1 };
    int r;

    if (count == 0)
        return -EINVAL;
    fixed = malloc(count * sizeof(*fixed));
    edges = malloc(RV_CALIBRATION_EDGES_MAX * sizeof(*edges));
    if (!fixed || !edges)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        fixed[i] = rv_score_q16(scores[i]);
    options.edge_count =
        split_edges(edges, rv_calibration_edges(fixed, count, edges, RV_CALIBRATION_EDGES_MAX / 2));
    options.edges_q16 = edges;
    r = rv_calibration_new(&calibration, &options);
    if (r < 0)
        return r;
    for (size_t i = 0; i < count; i++)
        rv_calibration_add(calibration, 0, fixed[i], 1);
    *ret_calibration = RV_TAKE(calibration);
    return 0;
}

void rv_part_add(struct rv_buf *into, const struct rv_buf *part)
{
    into->failed |= part->failed;
    rv_buf_add_le64(into, part->len);
    rv_buf_add(into, part->data, part->len);
}

struct rv_span rv_part_read(struct rv_reader *reader)
{
    uint64_t len = rv_read_le64(reader);

    return rv_read_bytes(reader, len > SIZE_MAX ? SIZE_MAX : (size_t)len);
}

void rv_buf_add_double(struct rv_buf *into, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    rv_buf_add_le64(into, bits);
}

double rv_read_double(struct rv_reader *reader)
{
    uint64_t bits = rv_read_le64(reader);
    double value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}
