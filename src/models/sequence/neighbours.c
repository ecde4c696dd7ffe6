/* SPDX-License-Identifier: Apache-2.0 */
#include "neighbours.h"

#include <math.h>

#define GRAMS_MAX   ((size_t)1 << 18)
#define SINGLE      0xffff0000U /* a call alone */
#define WEIGHT_UNIT 65535.0
#define ANGLE_UNIT  10000.0
#define SHORTEST    128U     /* stretch of the first scale; each next is four times as long */
#define NO_STRETCH  (-20000) /* a scale longer than the trace: below any lean */

void rv_neighbours_done(struct rv_neighbours *neighbours)
{
    free(neighbours->gram);
    free(neighbours->start);
    free(neighbours->rarity);
    free(neighbours->postings);
    *neighbours = (struct rv_neighbours){ 0 };
}

/* ---- Vectors ---- */

/** A stretch as counts by gram. All-zero is empty; `count_of` has a cell a known gram. */
struct bag {
    uint32_t *count_of, *touched;
    size_t used;
    double *weight; /* of touched[i] */
};

static void bag_done(struct bag *bag)
{
    free(bag->count_of);
    free(bag->touched);
    free(bag->weight);
}

static int bag_init(struct bag *bag, size_t grams)
{
    bag->count_of = calloc(grams + 1, sizeof(*bag->count_of));
    bag->touched = malloc((grams + 1) * sizeof(*bag->touched));
    bag->weight = malloc((grams + 1) * sizeof(*bag->weight));
    return bag->count_of && bag->touched && bag->weight ? 0 : -ENOMEM;
}

static size_t gram_at(const struct rv_neighbours *known, uint32_t key)
{
    size_t low = 0, high = known->grams;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (known->gram[middle] == key)
            return middle;
        if (known->gram[middle] < key)
            low = middle + 1;
        else
            high = middle;
    }
    return SIZE_MAX;
}

static void bag_put(struct bag *bag, size_t gram)
{
    if (gram == SIZE_MAX)
        return;
    if (bag->count_of[gram]++ == 0)
        bag->touched[bag->used++] = (uint32_t)gram;
}

/** Fill from a stretch whose grams were looked up; weights come out with length 1. */
static void bag_fill(struct bag *bag, const struct rv_neighbours *known, const size_t *single,
                     const size_t *pair, size_t count)
{
    double squares = 0;

    for (size_t i = 0; i < bag->used; i++)
        bag->count_of[bag->touched[i]] = 0;
    bag->used = 0;
    for (size_t i = 0; i < count; i++) {
        bag_put(bag, single[i]);
        if (i > 0)
            bag_put(bag, pair[i]);
    }
    for (size_t i = 0; i < bag->used; i++) {
        uint32_t gram = bag->touched[i];

        bag->weight[i] = (1 + log(bag->count_of[gram])) * known->rarity[gram];
        squares += bag->weight[i] * bag->weight[i];
    }
    for (size_t i = 0; i < bag->used; i++)
        bag->weight[i] /= sqrt(squares);
}

static uint16_t fixed_weight(double weight)
{
    return (uint16_t)lround(fmin(weight, 1) * WEIGHT_UNIT);
}

/** Gram of each call alone and of each with the one before it. */
static void look_up(const struct rv_neighbours *known, const uint16_t *calls, size_t count,
                    size_t *single, size_t *pair)
{
    for (size_t i = 0; i < count; i++) {
        single[i] = gram_at(known, SINGLE | calls[i]);
        pair[i] = i == 0 ? SIZE_MAX : gram_at(known, (uint32_t)calls[i - 1] << 16 | calls[i]);
    }
}

/* ---- Asking ---- */

struct question {
    struct bag bag;
    uint64_t *dot; /* by item */
    size_t *single, *pair;
};

static void question_done(struct question *question)
{
    bag_done(&question->bag);
    free(question->dot);
    free(question->single);
    free(question->pair);
}

static int32_t angle_of(uint64_t dot)
{
    double cosine = (double)dot / (WEIGHT_UNIT * WEIGHT_UNIT);

    return (int32_t)lround(acos(fmin(cosine, 1)) * ANGLE_UNIT);
}

struct angles {
    int32_t normal, attack;
};

static struct angles nearest(const struct rv_neighbours *known, struct question *question,
                             size_t at, size_t count)
{
    struct bag *bag = &question->bag;
    uint64_t normal = 0, attack = 0;

    bag_fill(bag, known, question->single + at, question->pair + at, count);
    memset(question->dot, 0, known->items * sizeof(*question->dot));
    for (size_t i = 0; i < bag->used; i++) {
        uint32_t gram = bag->touched[i];
        uint64_t weight = fixed_weight(bag->weight[i]);

        for (uint32_t k = known->start[gram]; k < known->start[gram + 1]; k++)
            question->dot[known->postings[k].item] += weight * known->postings[k].weight;
    }
    for (size_t i = 0; i < known->items; i++) {
        uint64_t *best = i < known->normals ? &normal : &attack;

        *best = question->dot[i] > *best ? question->dot[i] : *best;
    }
    return (struct angles){ angle_of(normal), angle_of(attack) };
}

static void ask_stretches(const struct rv_neighbours *known, struct question *question,
                          size_t count, int32_t row[RV_NEAR_WIDTH])
{
    for (unsigned scale = 0; scale < RV_NEAR_SCALES; scale++) {
        size_t length = (size_t)SHORTEST << 2 * scale, last;
        int32_t *first = &row[RV_NEAR_FIRST + scale], *highest = &row[RV_NEAR_HIGHEST + scale];

        *first = *highest = NO_STRETCH;
        if (length >= count)
            continue;
        last = count - length;
        for (size_t at = 0;; at = at + length / 2 < last ? at + length / 2 : last) {
            struct angles angles = nearest(known, question, at, length);
            int32_t lean = angles.normal - angles.attack;

            if (at == 0)
                *first = lean;
            *highest = lean > *highest ? lean : *highest;
            if (at == last)
                break;
        }
    }
}

int rv_neighbours_row(const struct rv_neighbours *neighbours, const uint16_t *calls, size_t count,
                      int32_t row[RV_NEAR_WIDTH])
{
    RV_AUTO(question_done)
    struct question question = {
        .dot = malloc((neighbours->items + 1) * sizeof(*question.dot)),
        .single = malloc((count + 1) * sizeof(*question.single)),
        .pair = malloc((count + 1) * sizeof(*question.pair)),
    };
    struct angles whole;
    int r = bag_init(&question.bag, neighbours->grams);

    if (r < 0 || !question.dot || !question.single || !question.pair)
        return -ENOMEM;
    look_up(neighbours, calls, count, question.single, question.pair);
    whole = nearest(neighbours, &question, 0, count);
    row[RV_NEAR_LEAN] = whole.normal - whole.attack;
    row[RV_NEAR_NORMAL] = whole.normal;
    row[RV_NEAR_ATTACK] = whole.attack;
    ask_stretches(neighbours, &question, count, row);
    return 0;
}

/* ---- Making ---- */

static int compare_u32(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    return left < right ? -1 : left > right;
}

/** Sort and keep each once. @return how many are left. */
static size_t sort_unique(uint32_t *keys, size_t count)
{
    size_t kept = 0;

    qsort(keys, count, sizeof(*keys), compare_u32);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || keys[i] != keys[kept - 1])
            keys[kept++] = keys[i];
    }
    return kept;
}

/** The grams of a trace, each once, appended. */
static int add_grams(const struct rv_known_trace *trace, uint32_t **keys, size_t *used,
                     size_t *room)
{
    size_t wanted = *used + 2 * trace->count;

    if (wanted > *room) {
        uint32_t *grown = reallocarray(*keys, 2 * wanted, sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        *keys = grown;
        *room = 2 * wanted;
    }
    for (size_t i = 0, at = *used; i < trace->count; i++) {
        (*keys)[at++] = SINGLE | trace->calls[i];
        if (i > 0)
            (*keys)[at++] = (uint32_t)trace->calls[i - 1] << 16 | trace->calls[i];
    }
    *used += sort_unique(*keys + *used, trace->count ? 2 * trace->count - 1 : 0);
    return 0;
}

static double rarity_of(size_t items, size_t holders)
{
    return 1 + log((1 + (double)items) / (1 + (double)holders));
}

/** Grams that at least two traces hold, with their rarity. */
static int choose_grams(struct rv_neighbours *into, const struct rv_known_trace *traces)
{
    RV_AUTO(rv_freep) uint32_t *keys = NULL;
    size_t used = 0, room = 0;

    for (size_t i = 0; i < into->items; i++) {
        int r = add_grams(&traces[i], &keys, &used, &room);

        if (r < 0)
            return r;
    }
    qsort(keys, used, sizeof(*keys), compare_u32);
    into->gram = malloc((used + 1) * sizeof(*into->gram));
    into->rarity = malloc((used + 1) * sizeof(*into->rarity));
    if (!into->gram || !into->rarity)
        return -ENOMEM;
    for (size_t i = 0, run; i < used && into->grams < GRAMS_MAX; i += run) {
        for (run = 1; i + run < used && keys[i + run] == keys[i];)
            run++;
        if (run < 2)
            continue;
        into->gram[into->grams] = keys[i];
        into->rarity[into->grams++] = rarity_of(into->items, run);
    }
    return 0;
}

/** What is held, item by item, before it is turned round into postings by gram. */
struct holding {
    uint32_t gram;
    struct rv_posting posting;
};

static int by_gram(const void *a, const void *b)
{
    const struct holding *left = a, *right = b;

    if (left->gram != right->gram)
        return left->gram < right->gram ? -1 : 1;
    return (int)left->posting.item - (int)right->posting.item;
}

static int turn_round(struct rv_neighbours *into, struct holding *held, size_t count)
{
    qsort(held, count, sizeof(*held), by_gram);
    into->start = calloc(into->grams + 1, sizeof(*into->start));
    into->postings = malloc((count + 1) * sizeof(*into->postings));
    if (!into->start || !into->postings)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        into->start[held[i].gram + 1]++;
        into->postings[i] = held[i].posting;
    }
    for (size_t i = 0; i < into->grams; i++)
        into->start[i + 1] += into->start[i];
    return 0;
}

static int hold(const struct rv_neighbours *into, const struct rv_known_trace *trace, size_t item,
                struct bag *bag, struct holding **held, size_t *count, size_t *room)
{
    RV_AUTO(rv_freep) size_t *single = malloc((trace->count + 1) * sizeof(*single));
    RV_AUTO(rv_freep) size_t *pair = malloc((trace->count + 1) * sizeof(*pair));

    if (!single || !pair)
        return -ENOMEM;
    look_up(into, trace->calls, trace->count, single, pair);
    bag_fill(bag, into, single, pair, trace->count);
    if (*count + bag->used > *room) {
        struct holding *grown = reallocarray(*held, 2 * (*count + bag->used), sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        *held = grown;
        *room = 2 * (*count + bag->used);
    }
    for (size_t i = 0; i < bag->used; i++)
        (*held)[(*count)++] = (struct holding){
            bag->touched[i],
            { (uint16_t)item, fixed_weight(bag->weight[i]) },
        };
    return 0;
}

static int hold_all(struct rv_neighbours *into, const struct rv_known_trace *traces)
{
    RV_AUTO(bag_done) struct bag bag = { 0 };
    RV_AUTO(rv_freep) struct holding *held = NULL;
    size_t count = 0, room = 0;
    int r = bag_init(&bag, into->grams);

    for (size_t i = 0; i < into->items && r == 0; i++)
        r = hold(into, &traces[i], i, &bag, &held, &count, &room);
    return r < 0 ? r : turn_round(into, held, count);
}

/** Evenly, at most RV_NEIGHBOURS_MAX of one kind. @return how many. */
static size_t take_kind(const struct rv_known_trace *traces, size_t count, bool attack,
                        struct rv_known_trace *to)
{
    size_t all = 0, taken = 0, kept;

    for (size_t i = 0; i < count; i++)
        all += traces[i].attack == attack;
    kept = all < RV_NEIGHBOURS_MAX ? all : RV_NEIGHBOURS_MAX;
    for (size_t i = 0, at = 0; i < count; i++) {
        if (traces[i].attack != attack)
            continue;
        if (at * kept / all != (at + 1) * kept / all)
            to[taken++] = traces[i];
        at++;
    }
    return taken;
}

int rv_neighbours_make(struct rv_neighbours *into, const struct rv_known_trace *traces,
                       size_t count)
{
    RV_AUTO(rv_freep) struct rv_known_trace *taken = malloc((count + 1) * sizeof(*taken));
    struct rv_neighbours made = { 0 };
    int r;

    if (!taken)
        return -ENOMEM;
    made.normals = take_kind(traces, count, false, taken);
    made.items = made.normals + take_kind(traces, count, true, taken + made.normals);
    if (made.normals == 0 || made.items == made.normals)
        return -EINVAL;
    r = choose_grams(&made, taken);
    if (r == 0)
        r = hold_all(&made, taken);
    if (r < 0) {
        rv_neighbours_done(&made);
        return r;
    }
    *into = made;
    return 0;
}

/* ---- Bytes ---- */

void rv_neighbours_save(const struct rv_neighbours *neighbours, struct rv_buf *into)
{
    rv_buf_add_le32(into, (uint32_t)neighbours->items);
    rv_buf_add_le32(into, (uint32_t)neighbours->normals);
    rv_buf_add_le32(into, (uint32_t)neighbours->grams);
    for (size_t i = 0; i < neighbours->grams; i++) {
        rv_buf_add_le32(into, neighbours->gram[i]);
        rv_buf_add_le16(into, (uint16_t)(neighbours->start[i + 1] - neighbours->start[i]));
        for (uint32_t k = neighbours->start[i]; k < neighbours->start[i + 1]; k++) {
            rv_buf_add_le16(into, neighbours->postings[k].item);
            rv_buf_add_le16(into, neighbours->postings[k].weight);
        }
    }
}

static int load_gram(struct rv_neighbours *into, size_t at, struct rv_reader *reader)
{
    uint32_t start = into->start[at];
    size_t holders;

    into->gram[at] = rv_read_le32(reader);
    holders = rv_read_le16(reader);
    if (reader->failed || (at > 0 && into->gram[at] <= into->gram[at - 1]) || holders < 1 ||
        holders > into->items || holders > reader->rest.len / 4)
        return -EBADMSG;
    into->rarity[at] = rarity_of(into->items, holders);
    into->start[at + 1] = start + (uint32_t)holders;
    for (size_t k = start; k < start + holders; k++) {
        struct rv_posting *posting = &into->postings[k];

        posting->item = rv_read_le16(reader);
        posting->weight = rv_read_le16(reader);
        if (posting->item >= into->items || (k > start && posting->item <= posting[-1].item))
            return -EBADMSG;
    }
    return 0;
}

int rv_neighbours_load(struct rv_neighbours *into, struct rv_reader *reader)
{
    RV_AUTO(rv_neighbours_done)
    struct rv_neighbours made = {
        .items = rv_read_le32(reader),
        .normals = rv_read_le32(reader),
        .grams = rv_read_le32(reader),
    };

    if (reader->failed || made.normals < 1 || made.normals > RV_NEIGHBOURS_MAX ||
        made.items <= made.normals || made.items > 2 * RV_NEIGHBOURS_MAX ||
        made.grams > GRAMS_MAX || made.grams > reader->rest.len / 6)
        return -EBADMSG;
    made.gram = calloc(made.grams + 1, sizeof(*made.gram));
    made.start = calloc(made.grams + 1, sizeof(*made.start));
    made.rarity = calloc(made.grams + 1, sizeof(*made.rarity));
    made.postings = calloc(reader->rest.len / 4 + 1, sizeof(*made.postings));
    if (!made.gram || !made.start || !made.rarity || !made.postings)
        return -ENOMEM;
    for (size_t i = 0; i < made.grams; i++) {
        int r = load_gram(&made, i, reader);

        if (r < 0)
            return r;
    }
    *into = made;
    made = (struct rv_neighbours){ 0 };
    return 0;
}
