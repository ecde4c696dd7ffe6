/* SPDX-License-Identifier: Apache-2.0 */
/* Owning sets of sequences, series and lines: growth, copies, release, dropping of copies. */
#include "private.h"

#include "base/hash.h"

void rv_sequence_done(struct rv_sequence *item)
{
    free(item->id);
    free(item->program);
    free(item->recording);
    free(item->calls);
    *item = (struct rv_sequence){ 0 };
}

void rv_sequences_done(struct rv_sequences *set)
{
    for (size_t i = 0; i < set->count; i++)
        rv_sequence_done(&set->items[i]);
    free(set->items);
    *set = (struct rv_sequences){ 0 };
}

void rv_series_done(struct rv_series *series)
{
    for (size_t i = 0; series->column && i < series->columns; i++)
        free(series->column[i]);
    for (size_t i = 0; series->row_id && i < series->rows; i++)
        free(series->row_id[i]);
    free(series->column);
    free(series->row_id);
    free(series->value);
    free(series->label);
    free(series->name);
    *series = (struct rv_series){ 0 };
}

void rv_series_set_done(struct rv_series_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        rv_series_done(&set->items[i]);
    free(set->items);
    *set = (struct rv_series_set){ 0 };
}

static void line_done(struct rv_line *line)
{
    free(line->id);
    free(line->text);
    *line = (struct rv_line){ 0 };
}

void rv_lines_done(struct rv_lines *set)
{
    for (size_t i = 0; i < set->count; i++)
        line_done(&set->items[i]);
    free(set->items);
    *set = (struct rv_lines){ 0 };
}

int rv_dataset_grow(void *items, size_t *room, size_t count, size_t item_size)
{
    void *old, *grown;
    size_t wanted = count < 16 ? 16 : count * 2;

    if (count < *room)
        return 0;
    memcpy(&old, items, sizeof(old));
    grown = reallocarray(old, wanted, item_size);
    if (!grown)
        return -ENOMEM;
    memcpy(items, &grown, sizeof(grown));
    *room = wanted;
    return 0;
}

int rv_sequences_add(struct rv_sequences *set, const struct rv_sequence *item)
{
    struct rv_sequence copy = {
        .id = strdup(item->id ? item->id : ""),
        .program = strdup(item->program ? item->program : ""),
        .recording = strdup(item->recording ? item->recording : ""),
        .label = item->label,
        .count = item->count,
        .calls = malloc(item->count ? item->count * sizeof(*item->calls) : 1),
    };

    if (!copy.id || !copy.program || !copy.recording || !copy.calls ||
        rv_dataset_grow(&set->items, &set->room, set->count, sizeof(*set->items)) < 0) {
        rv_sequence_done(&copy);
        return -ENOMEM;
    }
    if (item->count)
        memcpy(copy.calls, item->calls, item->count * sizeof(*item->calls));
    set->items[set->count++] = copy;
    return 0;
}

int rv_lines_add(struct rv_lines *set, const struct rv_line *item)
{
    struct rv_line copy = {
        .id = strdup(item->id ? item->id : ""),
        .text = strdup(item->text ? item->text : ""),
        .label = item->label,
    };

    if (!copy.id || !copy.text ||
        rv_dataset_grow(&set->items, &set->room, set->count, sizeof(*set->items)) < 0) {
        line_done(&copy);
        return -ENOMEM;
    }
    set->items[set->count++] = copy;
    return 0;
}

/* ---- Dropping copies: an open-addressing table of item numbers, compared byte for byte ---- */

struct seen {
    size_t *slot; /* item number + 1; numbers from `known_count` on are of the set itself */
    size_t mask;
};

typedef struct rv_span (*item_bytes)(const void *items, size_t index);

static struct rv_span sequence_bytes(const void *items, size_t index)
{
    const struct rv_sequence *item = (const struct rv_sequence *)items + index;

    return rv_span(item->calls, item->count * sizeof(*item->calls));
}

static struct rv_span line_bytes(const void *items, size_t index)
{
    return rv_span_str(((const struct rv_line *)items)[index].text);
}

/**
 * Mark in `drop` every item of `items` that equals an earlier one or one of `known`.
 * @return 0 or -ENOMEM.
 */
static int find_copies(const void *items, size_t count, const void *known, size_t known_count,
                       item_bytes bytes, bool *drop)
{
    size_t all = count + known_count, slots = 16;
    RV_AUTO(rv_freep) size_t *slot = NULL;

    while (slots < 2 * all)
        slots *= 2;
    slot = calloc(slots, sizeof(*slot));
    if (!slot)
        return -ENOMEM;
    for (size_t i = 0; i < all; i++) {
        struct rv_span mine = i < known_count ? bytes(known, i) : bytes(items, i - known_count);
        size_t at = rv_hash64(mine) & (slots - 1);
        bool copy = false;

        for (; slot[at] && !copy; at = (at + 1) & (slots - 1)) {
            size_t other = slot[at] - 1;

            copy = rv_span_eq(mine, other < known_count ? bytes(known, other)
                                                        : bytes(items, other - known_count));
        }
        if (i >= known_count)
            drop[i - known_count] = copy;
        if (!copy)
            slot[at] = i + 1;
    }
    return 0;
}

int rv_sequences_dedup(struct rv_sequences *set, const struct rv_sequences *known,
                       size_t *ret_dropped)
{
    RV_AUTO(rv_freep) bool *drop = calloc(set->count + 1, sizeof(*drop));
    size_t kept = 0, before = set->count;

    if (!drop || find_copies(set->items, set->count, known ? known->items : NULL,
                             known ? known->count : 0, sequence_bytes, drop) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < before; i++) {
        if (drop[i])
            rv_sequence_done(&set->items[i]);
        else
            set->items[kept++] = set->items[i];
    }
    set->count = kept;
    if (ret_dropped)
        *ret_dropped = before - kept;
    return 0;
}

int rv_lines_dedup(struct rv_lines *set, const struct rv_lines *known, size_t *ret_dropped)
{
    RV_AUTO(rv_freep) bool *drop = calloc(set->count + 1, sizeof(*drop));
    size_t kept = 0, before = set->count;

    if (!drop || find_copies(set->items, set->count, known ? known->items : NULL,
                             known ? known->count : 0, line_bytes, drop) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < before; i++) {
        if (drop[i])
            line_done(&set->items[i]);
        else
            set->items[kept++] = set->items[i];
    }
    set->count = kept;
    if (ret_dropped)
        *ret_dropped = before - kept;
    return 0;
}
