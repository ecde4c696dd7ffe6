/* SPDX-License-Identifier: Apache-2.0 */
#include "figures.h"

#include "models/package.h"

#include <math.h>
#include <stdio.h>

static const uint32_t risks[] = FIGURES_RISKS;

void figures_done(struct figures_scores *scores)
{
    free(scores->items);
    *scores = (struct figures_scores){ 0 };
}

int figures_add(struct figures_scores *scores, struct rv_score score)
{
    if (scores->count == scores->room) {
        size_t room = scores->room ? scores->room * 2 : 256;
        struct rv_score *items = reallocarray(scores->items, room, sizeof(*items));

        if (!items)
            return -ENOMEM;
        scores->items = items;
        scores->room = room;
    }
    scores->items[scores->count++] = score;
    return 0;
}

size_t figures_above(const struct figures_scores *scores, uint32_t risk)
{
    size_t count = 0;

    for (size_t i = 0; i < scores->count; i++)
        count += scores->items[i].risk >= risk;
    return count;
}

json_t *figures_new(void)
{
    return json_pack("{s:[], s:[], s:{}}", "metrics", "evasion", "counts");
}

static int64_t ppm(double share)
{
    return (int64_t)llround(share * 1e6);
}

int figures_share(json_t *report, const char *name, size_t part, size_t whole)
{
    return figures_mean(report, name, whole ? (double)part / (double)whole : 0, whole);
}

int figures_mean(json_t *report, const char *name, double p, size_t count)
{
    double z = 1.96, n = (double)count, middle, half;

    if (count == 0)
        return 0;
    middle = (p + z * z / (2 * n)) / (1 + z * z / n);
    half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n);
    return rv_manifest_add_metric(report, name, ppm(p), ppm(middle > half ? middle - half : 0),
                                  ppm(middle + half < 1 ? middle + half : 1));
}

static int by_raw(const void *a, const void *b)
{
    double left = ((const struct rv_score *)a)->raw, right = ((const struct rv_score *)b)->raw;

    return left < right ? -1 : left > right;
}

static size_t below(const struct rv_score *sorted, size_t count, double raw, bool or_equal)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (sorted[middle].raw < raw || (or_equal && sorted[middle].raw <= raw))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int figures_auc(json_t *report, const struct figures_scores *normal,
                const struct figures_scores *attack)
{
    RV_AUTO(rv_freep) struct rv_score *sorted = NULL;
    double wins = 0, pairs = (double)normal->count * (double)attack->count, auc, half;

    if (normal->count == 0 || attack->count == 0)
        return 0;
    sorted = malloc(normal->count * sizeof(*sorted));
    if (!sorted)
        return -ENOMEM;
    memcpy(sorted, normal->items, normal->count * sizeof(*sorted));
    qsort(sorted, normal->count, sizeof(*sorted), by_raw);
    for (size_t i = 0; i < attack->count; i++) {
        double raw = attack->items[i].raw;

        wins += (double)(below(sorted, normal->count, raw, false) +
                         below(sorted, normal->count, raw, true)) /
                2;
    }
    auc = wins / pairs;
    half = 1.96 * sqrt(auc * (1 - auc) / /* Hanley and McNeil, upper bound */
                       (double)(normal->count < attack->count ? normal->count : attack->count));
    return rv_manifest_add_metric(report, "auc", ppm(auc), ppm(auc > half ? auc - half : 0),
                                  ppm(auc + half < 1 ? auc + half : 1));
}

int figures_detection(json_t *report, const struct figures_scores *normal,
                      const struct figures_scores *attack)
{
    int r = figures_auc(report, normal, attack);

    for (size_t i = 0; i < RV_COUNT(risks) && r == 0; i++) {
        char name[64];

        (void)snprintf(name, sizeof(name), "false positives at risk %u", risks[i]);
        r = figures_share(report, name, figures_above(normal, risks[i]), normal->count);
        (void)snprintf(name, sizeof(name), "detection at risk %u", risks[i]);
        if (r == 0)
            r = figures_share(report, name, figures_above(attack, risks[i]), attack->count);
    }
    return r;
}

int figures_evasion(json_t *report, const char *change, const struct figures_scores *attack)
{
    double share = attack->count ? (double)figures_above(attack, 200) / (double)attack->count : 0;

    return json_array_append_new(json_object_get(report, "evasion"),
                                 json_pack("{s:s, s:I}", "attack", change, "detection_ppm",
                                           (json_int_t)ppm(share))) == 0
               ? 0
               : -ENOMEM;
}

int figures_count(json_t *report, const char *name, size_t count)
{
    return json_object_set_new(json_object_get(report, "counts"), name,
                               json_integer((json_int_t)count)) == 0
               ? 0
               : -ENOMEM;
}
