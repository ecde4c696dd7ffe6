/* SPDX-License-Identifier: Apache-2.0 */
/* The whole population, counted, and every summary held against it. */
#include "audit/verify.h"

#include "audit/entry.h"

#include <stdio.h>

struct count {
    struct rv_tiles *tiles;
    struct rv_population *population;
    json_t *period;    /* type to count, of period_from and on, up to `at` */
    json_t *at_commit; /* the same just after the last "audit.checkpoint" */
    uint64_t period_from, commit_end;
};

static int broken(struct count *count, uint64_t entry, const char *what)
{
    struct rv_population *population = count->population;

    population->entry = entry;
    (void)snprintf(population->what, sizeof(population->what), "%s", what);
    return 1;
}

static void count_type(struct rv_population *population, const char *type)
{
    size_t i;

    for (i = 0; i < population->type_count; i++) {
        if (rv_streq(population->types[i].type, type))
            break;
    }
    if (i == RV_POPULATION_TYPES_MAX) {
        population->other++;
        return;
    }
    if (i == population->type_count) {
        (void)snprintf(population->types[i].type, sizeof(population->types[i].type), "%s", type);
        population->type_count++;
    }
    population->types[i].count++;
}

static int add_to_period(struct count *count, const char *type)
{
    json_int_t now = json_integer_value(json_object_get(count->period, type));

    return json_object_set_new(count->period, type, json_integer(now + 1)) < 0 ? -ENOMEM : 0;
}

static int root_matches(struct count *count, uint64_t size, const json_t *stated, bool *ret_same)
{
    char hex[RV_SHA256_HEX_LEN + 1];
    struct rv_sha256 root;
    int r = rv_tiles_root(count->tiles, size, &root);

    if (r < 0)
        return r;
    rv_sha256_hex(&root, hex);
    *ret_same = json_is_string(stated) && rv_streq(json_string_value(stated), hex);
    return 0;
}

/** Every stated type has its count, and nothing is left out: a writer that meets more types than
 *  it counts apart may count some as "other". */
static bool counts_match(const json_t *stated, const json_t *seen)
{
    json_t *own = (json_t *)(uintptr_t)stated, *there = (json_t *)(uintptr_t)seen;
    json_int_t stated_sum = 0, seen_sum = 0;
    const char *type;
    json_t *number;

    json_object_foreach(own, type, number)
    {
        stated_sum += json_integer_value(number);
        if (!rv_streq(type, "other") && !json_equal(number, json_object_get(seen, type)))
            return false;
    }
    json_object_foreach(there, type, number) seen_sum += json_integer_value(number);
    return json_is_object(stated) && stated_sum == seen_sum;
}

/** The counts of the summarised range leave the period's. */
static int end_period(struct count *count)
{
    const char *type;
    json_t *number;

    json_object_foreach(count->at_commit, type, number)
    {
        json_int_t left =
            json_integer_value(json_object_get(count->period, type)) - json_integer_value(number);
        int r = left > 0 ? json_object_set_new(count->period, type, json_integer(left))
                         : json_object_del(count->period, type);

        if (r < 0)
            return -ENOMEM;
    }
    count->period_from = count->commit_end;
    count->population->summaries++;
    return 0;
}

/** Hold a summary against the entries it summarises; then begin the next period. */
static int check_summary(struct count *count, uint64_t index, const json_t *summary)
{
    uint64_t to = (uint64_t)json_integer_value(json_object_get(summary, "to"));
    uint64_t from = (uint64_t)json_integer_value(json_object_get(summary, "from"));
    bool same = false;
    int r;

    if (from != count->period_from || to != count->commit_end)
        return broken(count, index, "this summary leaves out entries of its period");
    r = root_matches(count, to, json_object_get(summary, "root"), &same);
    if (r < 0)
        return r;
    if (!same)
        return broken(count, index, "this summary states another root than its entries have");
    if (!count->at_commit || !counts_match(json_object_get(summary, "counts"), count->at_commit))
        return broken(count, index, "this summary states other counts than its entries have");
    return end_period(count);
}

static int count_entry(struct count *count, uint64_t index, struct rv_span entry)
{
    RV_AUTO(rv_json_freep) json_t *object = NULL;
    enum rv_entry_finding finding = rv_entry_read(entry, index, &object);
    struct rv_population *population = count->population;
    int r = 0;

    population->entries++;
    if (finding == RV_ENTRY_OTHER) {
        population->other++;
        return add_to_period(count, "other");
    }
    count_type(population, rv_entry_type(object));
    if (population->first_time_us == 0)
        population->first_time_us = rv_entry_time_us(object);
    population->last_time_us = rv_entry_time_us(object);
    if (finding == RV_ENTRY_MISPLACED)
        return broken(count, index, "its seq is not its index: it was written for another place");
    if (rv_streq(rv_entry_type(object), "audit.summary"))
        r = check_summary(count, index, object);
    if (r == 0)
        r = add_to_period(count, rv_entry_type(object));
    if (r == 0 && rv_streq(rv_entry_type(object), "audit.checkpoint")) {
        json_decref(count->at_commit);
        count->at_commit = json_copy(count->period);
        count->commit_end = index + 1;
    }
    return r;
}

int rv_verify_population(const struct rv_source *source, const struct rv_tree_head *head,
                         struct rv_population *ret_population)
{
    RV_AUTO(rv_freep) struct rv_population *population = calloc(1, sizeof(*population));
    RV_AUTO(rv_tiles_free) struct rv_tiles *tiles = NULL;
    struct count count = { .population = population };
    int r;

    count.period = json_object();
    if (!population || !count.period) {
        json_decref(count.period);
        return -ENOMEM;
    }
    r = rv_tiles_borrow(&tiles, source, head->size);
    count.tiles = tiles;
    for (uint64_t index = 0; r == 0 && index < head->size; index++) {
        struct rv_span entry;

        r = rv_tiles_entry(tiles, index, &entry);
        if (r == 0)
            r = count_entry(&count, index, entry);
    }
    json_decref(count.period);
    json_decref(count.at_commit);
    if (r < 0)
        return r;
    population->finding = r == 0 ? RV_VERIFY_RIGHT : RV_VERIFY_WRONG;
    *ret_population = *population;
    return 0;
}
