/* SPDX-License-Identifier: Apache-2.0 */
#include "check_caps.h"

struct check_cap_entry {
    const struct rv_expr *on, *tag; /* `tag` NULL: an attribute */
    struct rv_text name;
    uint64_t hash;
};

/* ---- Comparing trees ---- */
static bool pattern_eq(const struct rv_pattern *a, const struct rv_pattern *b)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++) {
        if (a->parts[i].star != b->parts[i].star || !rv_text_eq(a->parts[i].text, b->parts[i].text))
            return false;
    }
    return true;
}

static bool content_eq(const struct rv_expr *a, const struct rv_expr *b)
{
    switch (a->kind) {
    case RV_EXPR_LITERAL:
        return rv_value_eq(&a->value, &b->value);
    case RV_EXPR_VAR:
        return a->var == b->var;
    case RV_EXPR_SLOT:
        return a->slot == b->slot;
    case RV_EXPR_CALL:
        return a->call == b->call;
    case RV_EXPR_GET_ATTR:
    case RV_EXPR_HAS_ATTR:
    case RV_EXPR_IS:
        return rv_text_eq(a->name, b->name);
    case RV_EXPR_LIKE:
        return pattern_eq(&a->pattern, &b->pattern);
    case RV_EXPR_RECORD:
        for (uint32_t i = 0; i < a->child_count; i++) {
            if (!rv_text_eq(a->keys[i], b->keys[i]))
                return false;
        }
        return true;
    default:
        return true; /* nothing but children */
    }
}

bool check_expr_eq(const struct rv_expr *a, const struct rv_expr *b)
{
    if (a == b)
        return true;
    if (a->kind != b->kind || a->child_count != b->child_count || a->depth != b->depth ||
        !content_eq(a, b))
        return false;
    for (uint32_t i = 0; i < a->child_count; i++) {
        if (!check_expr_eq(a->children[i], b->children[i]))
            return false;
    }
    return true;
}

/** Not all of the content goes in: literals that differ are told apart by check_expr_eq(). */
uint64_t check_expr_hash(const struct rv_expr *expr)
{
    uint64_t hash = (uint64_t)expr->kind << 32 | expr->child_count;

    if (expr->kind == RV_EXPR_VAR)
        hash ^= (uint64_t)expr->var << 8;
    else if (expr->kind == RV_EXPR_GET_ATTR || expr->kind == RV_EXPR_HAS_ATTR ||
             expr->kind == RV_EXPR_IS)
        hash ^= (uint64_t)expr->name.hash << 16;
    else if (expr->kind == RV_EXPR_LITERAL && expr->value.kind == RV_VALUE_ENTITY)
        hash ^= expr->value.uid->hash;
    else if (expr->kind == RV_EXPR_LITERAL && expr->value.kind == RV_VALUE_STRING)
        hash ^= rv_hash64(rv_span(expr->value.text, expr->value.count));
    for (uint32_t i = 0; i < expr->child_count; i++)
        hash = rv_mix64(hash) ^ check_expr_hash(expr->children[i]);
    return rv_mix64(hash);
}

/* ---- Numbers ---- */
void check_cap_table_done(struct check_cap_table *table)
{
    free(table->entries);
    free(table->slots);
    *table = (struct check_cap_table){ 0 };
}

static void insert_slot(struct check_cap_table *table, uint64_t hash, uint32_t id)
{
    uint32_t at = (uint32_t)hash & table->mask;

    while (table->slots[at] != 0)
        at = (at + 1) & table->mask;
    table->slots[at] = id + 1;
}

static bool grow(struct check_cap_table *table)
{
    uint32_t room = table->room ? table->room * 2 : 16;
    struct check_cap_entry *entries = realloc(table->entries, room * sizeof(*entries));
    uint32_t *slots;

    if (!entries)
        return false;
    table->entries = entries;
    slots = calloc((size_t)room * 2, sizeof(*slots));
    if (!slots)
        return false;
    free(table->slots);
    table->slots = slots;
    table->mask = room * 2 - 1;
    table->room = room;
    for (uint32_t i = 0; i < table->count; i++)
        insert_slot(table, table->entries[i].hash, i);
    return true;
}

static bool entry_eq(const struct check_cap_entry *a, const struct check_cap_entry *b)
{
    if (a->hash != b->hash || (a->tag == NULL) != (b->tag == NULL) || !rv_text_eq(a->name, b->name))
        return false;
    return check_expr_eq(a->on, b->on) && (!a->tag || check_expr_eq(a->tag, b->tag));
}

static uint32_t intern(struct check_cap_table *table, struct check_cap_entry entry)
{
    for (uint32_t at = 0; table->slots; at++) {
        uint32_t slot = table->slots[((uint32_t)entry.hash + at) & table->mask];

        if (slot == 0)
            break;
        if (entry_eq(&table->entries[slot - 1], &entry))
            return slot - 1;
    }
    if (table->count == table->room && !grow(table)) {
        table->failed = true;
        return 0;
    }
    table->entries[table->count] = entry;
    insert_slot(table, entry.hash, table->count);
    return table->count++;
}

uint32_t check_cap_attr(struct check_cap_table *table, const struct rv_expr *on,
                        struct rv_text name)
{
    return intern(table, (struct check_cap_entry){
                             .on = on,
                             .name = name,
                             .hash = rv_mix64(check_expr_hash(on) ^ name.hash),
                         });
}

uint32_t check_cap_tag(struct check_cap_table *table, const struct rv_expr *on,
                       const struct rv_expr *tag)
{
    return intern(table, (struct check_cap_entry){
                             .on = on,
                             .tag = tag,
                             .name = rv_text("", 0),
                             .hash = rv_mix64(check_expr_hash(on) * 3 + check_expr_hash(tag)),
                         });
}

/* ---- Sets ---- */
bool check_caps_has(struct check_caps caps, uint32_t id)
{
    uint32_t low = 0, high = caps.count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (caps.ids[middle] == id)
            return true;
        if (caps.ids[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

struct check_caps check_caps_one(struct rv_arena *arena, uint32_t id)
{
    uint32_t *ids = rv_arena_alloc(arena, sizeof(*ids));

    if (!ids)
        return (struct check_caps){ 0 };
    *ids = id;
    return (struct check_caps){ ids, 1 };
}

struct check_caps check_caps_union(struct rv_arena *arena, struct check_caps a, struct check_caps b)
{
    uint32_t i = 0, k = 0, count = 0;
    uint32_t *ids;

    if (a.count == 0 || b.count == 0)
        return a.count == 0 ? b : a;
    ids = rv_arena_array(arena, (size_t)a.count + b.count, sizeof(*ids));
    if (!ids)
        return a;
    while (i < a.count || k < b.count) {
        bool left = k == b.count || (i < a.count && a.ids[i] <= b.ids[k]);
        bool right = i == a.count || (k < b.count && b.ids[k] <= a.ids[i]);

        ids[count++] = left ? a.ids[i] : b.ids[k];
        i += left;
        k += right;
    }
    return (struct check_caps){ ids, count };
}

struct check_caps check_caps_intersect(struct rv_arena *arena, struct check_caps a,
                                       struct check_caps b)
{
    uint32_t count = 0;
    uint32_t *ids;

    if (a.count == 0 || b.count == 0)
        return (struct check_caps){ 0 };
    ids = rv_arena_array(arena, a.count, sizeof(*ids));
    if (!ids)
        return (struct check_caps){ 0 };
    for (uint32_t i = 0; i < a.count; i++) {
        if (check_caps_has(b, a.ids[i]))
            ids[count++] = a.ids[i];
    }
    return (struct check_caps){ ids, count };
}
