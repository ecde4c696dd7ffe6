/* SPDX-License-Identifier: Apache-2.0 */
/* Stores of entities: copied in, ancestors closed, then immutable; found by hash. */
#include "entities.h"

#include "set.h"

struct rv_entities_builder {
    struct rv_entities *entities;
    size_t room;
};

int rv_entities_builder_new(struct rv_entities_builder **ret_builder)
{
    struct rv_entities_builder *builder = calloc(1, sizeof(*builder));

    if (builder)
        builder->entities = calloc(1, sizeof(*builder->entities));
    if (!builder || !builder->entities) {
        free(builder);
        return -ENOMEM;
    }
    *ret_builder = builder;
    return 0;
}

void rv_entities_builder_free(struct rv_entities_builder **builder)
{
    if (!*builder)
        return;
    rv_entities_free(&(*builder)->entities);
    free(*builder);
    *builder = NULL;
}

void rv_entities_free(struct rv_entities **entities)
{
    if (!*entities)
        return;
    free((*entities)->slots);
    free((*entities)->items);
    rv_arena_done(&(*entities)->arena);
    free(*entities);
    *entities = NULL;
}

size_t rv_entities_count(const struct rv_entities *entities)
{
    return entities->count;
}

const struct rv_entity *rv_entities_at(const struct rv_entities *entities, size_t i)
{
    return entities->items[i];
}

const struct rv_entity *rv_entities_find(const struct rv_entities *entities,
                                         const struct rv_uid *uid)
{
    if (!entities || entities->slot_count == 0)
        return NULL;
    for (uint64_t at = uid->hash;; at++) {
        const struct rv_entity *entity = entities->slots[at & (entities->slot_count - 1)];

        if (!entity || rv_uid_eq(&entity->uid, uid))
            return entity;
    }
}

/* ---- Copies ---- */

static bool copy_value(struct rv_arena *arena, const struct rv_value *from, struct rv_value *to);

static const struct rv_field *copy_fields(struct rv_arena *arena, const struct rv_field *from,
                                          uint32_t count)
{
    struct rv_field *to = rv_arena_array(arena, count, sizeof(*to));

    for (uint32_t i = 0; to && i < count; i++) {
        to[i].key = rv_arena_text(arena, from[i].key.data, from[i].key.len);
        if (!copy_value(arena, &from[i].value, &to[i].value))
            return NULL;
    }
    return to;
}

static bool copy_items(struct rv_arena *arena, const struct rv_value *from, struct rv_value *to)
{
    struct rv_value *items = rv_arena_array(arena, from->count, sizeof(*items));

    for (uint32_t i = 0; items && i < from->count; i++) {
        if (!copy_value(arena, &from->items[i], &items[i]))
            return false;
    }
    to->items = items;
    return items != NULL;
}

static bool copy_value(struct rv_arena *arena, const struct rv_value *from, struct rv_value *to)
{
    struct rv_ip *ip;

    *to = *from;
    switch ((enum rv_value_kind)from->kind) {
    case RV_VALUE_STRING:
        to->text = rv_arena_text(arena, from->text, from->count).data;
        return to->text != NULL;
    case RV_VALUE_ENTITY:
        to->uid = rv_uid_copy(arena, from->uid);
        return to->uid != NULL;
    case RV_VALUE_SET:
        return copy_items(arena, from, to);
    case RV_VALUE_RECORD:
        to->fields = copy_fields(arena, from->fields, from->count);
        return to->fields != NULL;
    case RV_VALUE_IP:
        ip = rv_arena_alloc(arena, sizeof(*ip));
        if (ip)
            *ip = *from->ip;
        to->ip = ip;
        return ip != NULL;
    case RV_VALUE_NONE:
    case RV_VALUE_BOOL:
    case RV_VALUE_LONG:
    case RV_VALUE_DECIMAL:
    case RV_VALUE_DATETIME:
    case RV_VALUE_DURATION:
        break;
    }
    return true;
}

struct rv_value rv_value_copy(struct rv_arena *arena, const struct rv_value *value)
{
    struct rv_value copy = { 0 };

    if (!copy_value(arena, value, &copy))
        arena->failed = true;
    return copy;
}

static struct rv_entity *copy_entity(struct rv_arena *arena, const struct rv_entity *from)
{
    struct rv_entity *to = rv_arena_alloc(arena, sizeof(*to));
    struct rv_parent *parents = rv_arena_array(arena, from->parent_count, sizeof(*parents));
    const struct rv_uid *uid = rv_uid_copy(arena, &from->uid);

    if (!to || !parents || !uid)
        return NULL;
    to->uid = *uid;
    to->attrs = (struct rv_fields){ copy_fields(arena, from->attrs.items, from->attrs.count),
                                    from->attrs.count };
    to->tags = (struct rv_fields){ copy_fields(arena, from->tags.items, from->tags.count),
                                   from->tags.count };
    for (uint32_t i = 0; i < from->parent_count; i++)
        parents[i].uid = rv_uid_copy(arena, from->parents[i].uid);
    to->parents = parents;
    to->parent_count = from->parent_count;
    return arena->failed ? NULL : to;
}

/* ---- Adding ---- */

static int grow_slots(struct rv_entities *entities)
{
    size_t wider = entities->slot_count ? entities->slot_count * 2 : 64;
    struct rv_entity **slots = calloc(wider, sizeof(struct rv_entity *));

    if (!slots)
        return -ENOMEM;
    for (size_t i = 0; i < entities->count; i++) {
        uint64_t at = entities->items[i]->uid.hash;

        while (slots[at & (wider - 1)])
            at++;
        slots[at & (wider - 1)] = entities->items[i];
    }
    free(entities->slots);
    entities->slots = slots;
    entities->slot_count = wider;
    return 0;
}

static bool same_fields(struct rv_fields a, struct rv_fields b)
{
    struct rv_value left = rv_value_record(a), right = rv_value_record(b);

    return rv_value_eq(&left, &right);
}

static bool has_parent(const struct rv_entity *entity, const struct rv_uid *uid)
{
    for (uint32_t i = 0; i < entity->parent_count; i++) {
        if (rv_uid_eq(entity->parents[i].uid, uid))
            return true;
    }
    return false;
}

static bool same_content(const struct rv_entity *a, const struct rv_entity *b)
{
    bool same = same_fields(a->attrs, b->attrs) && same_fields(a->tags, b->tags);

    for (uint32_t i = 0; i < a->parent_count; i++)
        same &= has_parent(b, a->parents[i].uid);
    for (uint32_t i = 0; i < b->parent_count; i++)
        same &= has_parent(a, b->parents[i].uid);
    return same;
}

int rv_entities_builder_add(struct rv_entities_builder *builder, const struct rv_entity *entity)
{
    struct rv_entities *entities = builder->entities;
    const struct rv_entity *there = rv_entities_find(entities, &entity->uid);
    struct rv_entity *copy;

    if (there)
        return same_content(there, entity) ? 0 : -EEXIST;
    if (entities->count == builder->room) {
        size_t room = builder->room ? builder->room * 2 : 64;
        struct rv_entity **grown = reallocarray(entities->items, room, sizeof(struct rv_entity *));

        if (!grown)
            return -ENOMEM;
        entities->items = grown;
        builder->room = room;
    }
    copy = copy_entity(&entities->arena, entity);
    if (!copy)
        return -ENOMEM;
    entities->items[entities->count++] = copy;
    if (entities->count * 2 > entities->slot_count)
        return grow_slots(entities);
    for (uint64_t at = copy->uid.hash;; at++) {
        struct rv_entity **slot = &entities->slots[at & (entities->slot_count - 1)];

        if (!*slot) {
            *slot = copy;
            return 0;
        }
    }
}

/* ---- Closing ---- */

/** Everything above one entity, gathered breadth first. */
struct closure {
    const struct rv_uid **uids;
    size_t count, room;
};

static int closure_add(struct closure *closure, const struct rv_uid *uid)
{
    for (size_t i = 0; i < closure->count; i++) {
        if (rv_uid_eq(closure->uids[i], uid))
            return 0;
    }
    if (closure->count == closure->room) {
        size_t room = closure->room ? closure->room * 2 : 32;
        const struct rv_uid **grown =
            reallocarray(closure->uids, room, sizeof(const struct rv_uid *));

        if (!grown)
            return -ENOMEM;
        closure->uids = grown;
        closure->room = room;
    }
    closure->uids[closure->count++] = uid;
    return 0;
}

static int close_one(struct rv_entities *entities, const struct rv_entity *const *direct,
                     struct closure *closure, size_t index)
{
    const struct rv_entity *start = direct[index];
    int r = 0;

    closure->count = 0;
    for (uint32_t i = 0; r == 0 && i < start->parent_count; i++)
        r = closure_add(closure, start->parents[i].uid);
    for (size_t at = 0; r == 0 && at < closure->count; at++) {
        const struct rv_entity *above = rv_entities_find(entities, closure->uids[at]);

        if (rv_uid_eq(closure->uids[at], &start->uid))
            return -ELOOP;
        /* One that was closed already brings all of its ancestors at once. */
        for (uint32_t i = 0; above && r == 0 && i < above->parent_count; i++)
            r = closure_add(closure, above->parents[i].uid);
    }
    return r;
}

static int store_closure(struct rv_entities *entities, struct rv_entity *entity,
                         const struct closure *closure)
{
    struct rv_parent *parents = rv_arena_array(&entities->arena, closure->count, sizeof(*parents));

    if (!parents)
        return -ENOMEM;
    for (size_t i = 0; i < closure->count; i++)
        parents[i] =
            (struct rv_parent){ closure->uids[i], rv_entities_find(entities, closure->uids[i]) };
    entity->parents = parents;
    entity->parent_count = (uint32_t)closure->count;
    entity->closed = true;
    return 0;
}

int rv_entities_builder_finish(struct rv_entities_builder *builder,
                               struct rv_entities **ret_entities, const struct rv_uid **reterr)
{
    struct rv_entities *entities = builder->entities;
    struct closure closure = { 0 };
    int r = 0;

    for (size_t i = 0; r == 0 && i < entities->count; i++) {
        r = close_one(entities, (const struct rv_entity *const *)entities->items, &closure, i);
        if (r == -ELOOP && reterr)
            *reterr = &entities->items[i]->uid;
        if (r == 0)
            r = store_closure(entities, entities->items[i], &closure);
    }
    free(closure.uids);
    if (r < 0)
        return r;
    *ret_entities = RV_TAKE(builder->entities);
    builder->entities = calloc(1, sizeof(*builder->entities));
    builder->room = 0;
    return 0;
}
