/* SPDX-License-Identifier: Apache-2.0 */
#include "lm.h"

#include "base/hash.h"

#include <math.h>

uint64_t rv_lm_context(uint64_t context, uint16_t symbol)
{
    uint64_t key = rv_mix64(context ^ ((uint64_t)symbol + 1) * 0x9e3779b97f4a7c15ULL);

    return key ? key : 1;
}

static struct rv_lm_entry *slot_of(const struct rv_lm *lm, uint64_t key)
{
    size_t at = key & lm->mask;

    while (lm->slots[at].key && lm->slots[at].key != key)
        at = (at + 1) & lm->mask;
    return &lm->slots[at];
}

static const struct rv_lm_entry *find(const struct rv_lm *lm, uint64_t key)
{
    const struct rv_lm_entry *entry = slot_of(lm, key);

    return entry->key ? entry : NULL;
}

static int init_slots(struct rv_lm *lm, size_t slots)
{
    struct rv_lm_entry *fresh = calloc(slots, sizeof(*fresh));

    if (!fresh)
        return -ENOMEM;
    lm->slots = fresh;
    lm->mask = slots - 1;
    return 0;
}

int rv_lm_init(struct rv_lm *lm)
{
    *lm = (struct rv_lm){ .root.key = RV_LM_ROOT };
    return init_slots(lm, (size_t)1 << 12);
}

void rv_lm_done(struct rv_lm *lm)
{
    free(lm->slots);
    *lm = (struct rv_lm){ 0 };
}

static int grow(struct rv_lm *lm)
{
    struct rv_lm_entry *old = lm->slots;
    size_t slots = lm->mask + 1;
    int r;

    if (lm->used * 3 < slots * 2)
        return 0;
    if (slots >= RV_LM_ENTRIES_MAX)
        return -EFBIG;
    r = init_slots(lm, slots * 2);
    if (r < 0)
        return r;
    for (size_t i = 0; i < slots; i++) {
        if (old[i].key)
            *slot_of(lm, old[i].key) = old[i];
    }
    free(old);
    return 0;
}

static void count_up(uint32_t *counter)
{
    if (*counter < UINT32_MAX)
        (*counter)++;
}

int rv_lm_add(struct rv_lm *lm, const uint16_t *calls, size_t count)
{
    uint64_t context[RV_LM_ORDER] = { RV_LM_ROOT };
    unsigned depth = 1;

    for (size_t i = 0; i < count; i++) {
        uint64_t key[RV_LM_ORDER];

        for (unsigned k = 0; k < depth; k++) {
            struct rv_lm_entry *gram, *parent;
            int r = grow(lm); /* before pointers into the table are taken */

            if (r < 0)
                return r;
            key[k] = rv_lm_context(context[k], calls[i]);
            gram = slot_of(lm, key[k]);
            if (!gram->key) {
                gram->key = key[k];
                lm->used++;
            }
            parent = k == 0 ? &lm->root : slot_of(lm, context[k]);
            parent->distinct += gram->count == 0;
            count_up(&parent->total);
            count_up(&gram->count);
        }
        depth = depth < RV_LM_ORDER ? depth + 1 : depth;
        for (unsigned k = 1; k < depth; k++)
            context[k] = key[k - 1];
    }
    return 0;
}

/** The entry of a key, made if there is none. NULL: no room or no memory, `*reterr` says which. */
static struct rv_lm_entry *entry_of(struct rv_lm *lm, uint64_t key, int *reterr)
{
    struct rv_lm_entry *entry;

    if (key == RV_LM_ROOT)
        return &lm->root;
    *reterr = grow(lm);
    if (*reterr < 0)
        return NULL;
    entry = slot_of(lm, key);
    if (!entry->key) {
        entry->key = key;
        lm->used++;
    }
    return entry;
}

int rv_lm_count(struct rv_lm *lm, const uint64_t *contexts, unsigned count, uint16_t symbol)
{
    for (unsigned k = 0; k < count; k++) {
        int r = 0;
        struct rv_lm_entry *gram = entry_of(lm, rv_lm_context(contexts[k], symbol), &r);
        struct rv_lm_entry *parent;
        bool fresh;

        if (!gram)
            return r;
        fresh = gram->count == 0;
        count_up(&gram->count);
        parent = entry_of(lm, contexts[k], &r); /* may move the table: `gram` is done with */
        if (!parent)
            return r;
        if (parent->count == 0)
            parent->count = 1; /* a context that is no n-gram: the reader wants it seen */
        parent->distinct += fresh;
        count_up(&parent->total);
    }
    return 0;
}

double rv_lm_surprise(const struct rv_lm *lm, const uint64_t *contexts, unsigned count,
                      uint16_t symbol, unsigned *ret_seen)
{
    double p = 1.0 / RV_LM_SYMBOLS;

    *ret_seen = 0;
    for (unsigned k = 0; k < count; k++) {
        const struct rv_lm_entry *parent = k == 0 ? &lm->root : find(lm, contexts[k]);
        const struct rv_lm_entry *gram;

        if (!parent || parent->total == 0)
            continue;
        gram = find(lm, rv_lm_context(contexts[k], symbol));
        *ret_seen += gram != NULL;
        p = ((gram ? gram->count : 0) + parent->distinct * p) /
            ((double)parent->total + parent->distinct);
    }
    return -log(p);
}

void rv_lm_begin(const struct rv_lm *lm, struct rv_lm_cursor *cursor)
{
    *cursor = (struct rv_lm_cursor){ .depth = 1 };
    cursor->context[0] = RV_LM_ROOT;
    cursor->entry[0] = &lm->root;
}

void rv_lm_next(const struct rv_lm *lm, struct rv_lm_cursor *cursor, uint16_t symbol,
                struct rv_lm_step *ret_step)
{
    uint64_t key[RV_LM_ORDER];
    const struct rv_lm_entry *gram[RV_LM_ORDER] = { 0 };
    double p = 1.0 / RV_LM_SYMBOLS, nll = -log(p);
    unsigned depth = cursor->depth;

    ret_step->matched = 0;
    for (unsigned k = 0; k < depth; k++) {
        const struct rv_lm_entry *parent = cursor->entry[k];

        key[k] = rv_lm_context(cursor->context[k], symbol);
        if (parent && parent->total > 0) {
            gram[k] = find(lm, key[k]);
            p = ((gram[k] ? gram[k]->count : 0) + parent->distinct * p) /
                ((double)parent->total + parent->distinct);
            nll = -log(p);
            if (gram[k])
                ret_step->matched = k + 1;
        }
        ret_step->nll[k] = nll;
    }
    for (unsigned k = depth; k < RV_LM_ORDER; k++)
        ret_step->nll[k] = nll;

    depth = depth < RV_LM_ORDER ? depth + 1 : depth;
    for (unsigned k = 1; k < depth; k++) {
        cursor->context[k] = key[k - 1];
        cursor->entry[k] = gram[k - 1];
    }
    cursor->depth = depth;
}

/* ---- Bytes ---- */

static int compare_keys(const void *a, const void *b)
{
    uint64_t left = ((const struct rv_lm_entry *)a)->key;
    uint64_t right = ((const struct rv_lm_entry *)b)->key;

    return left < right ? -1 : left > right;
}

static void save_entry(struct rv_buf *into, const struct rv_lm_entry *entry)
{
    rv_buf_add_le64(into, entry->key);
    rv_buf_add_le32(into, entry->count);
    rv_buf_add_le32(into, entry->total);
    rv_buf_add_le32(into, entry->distinct);
}

int rv_lm_save(const struct rv_lm *lm, struct rv_buf *into)
{
    RV_AUTO(rv_freep) struct rv_lm_entry *sorted = calloc(lm->used + 1, sizeof(*sorted));
    size_t count = 0;

    if (!sorted)
        return -ENOMEM;
    for (size_t i = 0; i <= lm->mask; i++) {
        if (lm->slots[i].key)
            sorted[count++] = lm->slots[i];
    }
    qsort(sorted, count, sizeof(*sorted), compare_keys);
    save_entry(into, &lm->root);
    rv_buf_add_le64(into, count);
    for (size_t i = 0; i < count; i++)
        save_entry(into, &sorted[i]);
    return into->failed ? -ENOMEM : 0;
}

static struct rv_lm_entry load_entry(struct rv_reader *reader)
{
    struct rv_lm_entry entry = { 0 };

    entry.key = rv_read_le64(reader);
    entry.count = rv_read_le32(reader);
    entry.total = rv_read_le32(reader);
    entry.distinct = rv_read_le32(reader);
    return entry;
}

int rv_lm_load(struct rv_lm *lm, struct rv_reader *reader)
{
    size_t slots = (size_t)1 << 12;
    uint64_t count, last = 0;

    *lm = (struct rv_lm){ 0 };
    lm->root = load_entry(reader);
    count = rv_read_le64(reader);
    if (reader->failed || lm->root.key != RV_LM_ROOT || count > reader->rest.len / 20)
        return -EBADMSG;
    while (slots * 2 < count * 3 + 3)
        slots *= 2;
    if (slots > RV_LM_ENTRIES_MAX || init_slots(lm, slots) < 0)
        return slots > RV_LM_ENTRIES_MAX ? -EBADMSG : -ENOMEM;
    for (uint64_t i = 0; i < count; i++) {
        struct rv_lm_entry entry = load_entry(reader);

        if (entry.key <= last || entry.count == 0 || entry.distinct > entry.total) {
            rv_lm_done(lm);
            return -EBADMSG;
        }
        last = entry.key;
        *slot_of(lm, entry.key) = entry;
        lm->used++;
    }
    return 0;
}
