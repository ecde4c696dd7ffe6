/* SPDX-License-Identifier: Apache-2.0 */
#include "models/alarms.h"

#include "base/bytes.h"

#include <math.h>

/** A run of rows; `shared` with runs of the other side that are not struck out. */
struct run {
    size_t first, end, shared;
    bool struck;
};

struct runs {
    struct run *items;
    size_t count;
};

static void runs_done(struct runs *runs)
{
    free(runs->items);
}

/** The runs of rows that are set. */
static int find_runs(const bool *set, size_t rows, struct runs *runs)
{
    size_t count = 0;

    for (size_t i = 0; i < rows; i++)
        count += set[i] && (i == 0 || !set[i - 1]);
    runs->items = calloc(count + 1, sizeof(*runs->items));
    if (!runs->items)
        return -ENOMEM;
    for (size_t i = 0; i < rows; i++) {
        if (set[i] && (i == 0 || !set[i - 1]))
            runs->items[runs->count++].first = i;
        if (set[i])
            runs->items[runs->count - 1].end = i + 1;
    }
    return 0;
}

static size_t overlap(const struct run *a, const struct run *b)
{
    size_t first = a->first > b->first ? a->first : b->first;
    size_t end = a->end < b->end ? a->end : b->end;

    return end > first ? end - first : 0;
}

/** Rows that each run shares with those of `others` that still count. Both are in time order. */
static void share(struct runs *runs, const struct runs *others)
{
    size_t from = 0;

    for (size_t i = 0; i < runs->count; i++) {
        struct run *run = &runs->items[i];

        run->shared = 0;
        while (from < others->count && others->items[from].end <= run->first)
            from++;
        for (size_t k = from; k < others->count && others->items[k].first < run->end; k++)
            run->shared += others->items[k].struck ? 0 : overlap(run, &others->items[k]);
    }
}

/** Strike out runs that share less than one in `least` of their rows. @return whether any went. */
static bool strike(struct runs *runs, size_t least)
{
    bool any = false;

    for (size_t i = 0; i < runs->count; i++) {
        struct run *run = &runs->items[i];

        if (run->struck || run->shared * least >= run->end - run->first)
            continue;
        run->struck = any = true;
    }
    return any;
}

/* ---- Each way of counting ---- */

static void count_rows(const bool *attack, const bool *alarm, size_t rows,
                       struct rv_alarm_tally *tally)
{
    for (size_t i = 0; i < rows; i++) {
        tally->attack += attack[i];
        tally->found += attack[i] && alarm[i];
        tally->normal += !attack[i];
        tally->false_alarms += !attack[i] && alarm[i];
    }
}

/** `shared` of both sides is of all runs: nothing is struck out yet. */
static void count_events(const struct runs *attacks, const struct runs *alarms, const bool *alarm,
                         struct rv_alarm_tally *tally)
{
    for (size_t i = 0; i < attacks->count; i++) {
        const struct run *attack = &attacks->items[i];
        double length = (double)(attack->end - attack->first);
        size_t first = attack->first;

        while (first < attack->end && !alarm[first])
            first++;
        tally->events++;
        tally->events_found += first < attack->end;
        tally->delay += (double)(first - attack->first) / length;
        tally->covered += (double)attack->shared / length;
    }
    for (size_t i = 0; i < alarms->count; i++)
        tally->false_episodes += alarms->items[i].shared == 0;
}

static double value_of(const struct run *run)
{
    return run->struck ? 0 : (1 + (double)run->shared / (double)(run->end - run->first)) / 2;
}

static void count_etapr(struct runs *attacks, struct runs *alarms, struct rv_alarm_tally *tally)
{
    bool again = true;

    while (again) { /* each round strikes out a run or is the last */
        share(attacks, alarms);
        again = strike(attacks, 10);
        share(alarms, attacks);
        again |= strike(alarms, 2);
    }
    share(attacks, alarms);
    for (size_t i = 0; i < attacks->count; i++)
        tally->recall += value_of(&attacks->items[i]);
    for (size_t i = 0; i < alarms->count; i++) {
        const struct run *alarm = &alarms->items[i];
        double weight = sqrt((double)(alarm->end - alarm->first));

        tally->precision += weight * value_of(alarm);
        tally->weight += weight;
    }
}

int rv_alarms_judge(const bool *attack, const bool *alarm, size_t rows,
                    struct rv_alarm_tally *tally)
{
    RV_AUTO(runs_done) struct runs attacks = { 0 };
    RV_AUTO(runs_done) struct runs alarms = { 0 };
    int r = find_runs(attack, rows, &attacks);

    if (r == 0)
        r = find_runs(alarm, rows, &alarms);
    if (r < 0)
        return r;
    share(&attacks, &alarms);
    share(&alarms, &attacks);
    count_rows(attack, alarm, rows, tally);
    count_events(&attacks, &alarms, alarm, tally);
    count_etapr(&attacks, &alarms, tally);
    return 0;
}

/* ---- Figures ---- */

double rv_alarms_earliness(const struct rv_alarm_tally *tally)
{
    return 1 - tally->delay / (double)tally->events;
}

double rv_alarms_score(const struct rv_alarm_tally *tally)
{
    double positive = (double)tally->found / (double)tally->attack;
    double negative = tally->normal ? 1 - (double)tally->false_alarms / (double)tally->normal : 1;

    return rv_alarms_earliness(tally) / 2 + (positive + negative) / 4;
}

double rv_alarms_recall(const struct rv_alarm_tally *tally)
{
    return tally->recall / (double)tally->events;
}

double rv_alarms_precision(const struct rv_alarm_tally *tally)
{
    return tally->weight > 0 ? tally->precision / tally->weight : 0;
}

double rv_alarms_f1(const struct rv_alarm_tally *tally)
{
    double precision = rv_alarms_precision(tally), recall = rv_alarms_recall(tally);

    return precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0;
}
