/* SPDX-License-Identifier: Apache-2.0 */
/* Policy sets: growing, finding, linking templates. */
#include "set.h"

#include <stdio.h>

void rv_policy_set_done(struct rv_policy_set *set)
{
    free(set->items);
    rv_arena_done(&set->arena);
    *set = (struct rv_policy_set){ 0 };
}

const struct rv_policy *rv_policy_set_find(const struct rv_policy_set *set, struct rv_text id)
{
    for (size_t i = 0; i < set->count; i++) {
        if (rv_text_eq(set->items[i]->id, id))
            return set->items[i];
    }
    return NULL;
}

struct rv_text rv_policy_set_next_id(struct rv_policy_set *set)
{
    char id[32];
    int len = snprintf(id, sizeof(id), "policy%zu", set->next_id++);

    return rv_arena_text(&set->arena, id, (size_t)len);
}

int rv_policy_set_add(struct rv_policy_set *set, const struct rv_policy *policy)
{
    struct rv_policy *copy;

    if (set->count == set->room) {
        size_t room = set->room ? set->room * 2 : 16;
        struct rv_policy **grown = reallocarray(set->items, room, sizeof(struct rv_policy *));

        if (!grown)
            return -ENOMEM;
        set->items = grown;
        set->room = room;
    }
    copy = rv_arena_alloc(&set->arena, sizeof(*copy));
    if (!copy)
        return -ENOMEM;
    *copy = *policy;
    set->items[set->count++] = copy;
    return 0;
}

const struct rv_text *rv_policy_annotation(const struct rv_policy *policy, const char *name)
{
    for (uint32_t i = 0; i < policy->annotation_count; i++) {
        if (rv_text_is(policy->annotations[i].name, name))
            return &policy->annotations[i].value;
    }
    return NULL;
}

const struct rv_uid *rv_uid_copy(struct rv_arena *arena, const struct rv_uid *uid)
{
    struct rv_uid *copy = rv_arena_alloc(arena, sizeof(*copy));

    if (!copy)
        return NULL;
    copy->type = rv_arena_text(arena, uid->type.data, uid->type.len);
    copy->id = rv_arena_text(arena, uid->id.data, uid->id.len);
    copy->hash = uid->hash;
    return arena->failed ? NULL : copy;
}

static int fill_slot(struct rv_policy_set *set, struct rv_scope *scope, const struct rv_uid *uid)
{
    if ((scope->slot != RV_SLOT_NONE) != (uid != NULL))
        return -EINVAL;
    if (!uid)
        return 0;
    scope->slot = RV_SLOT_NONE;
    scope->uid = rv_uid_copy(&set->arena, uid);
    return scope->uid ? 0 : -ENOMEM;
}

int rv_policy_set_link(struct rv_policy_set *set, struct rv_text template_id, struct rv_text id,
                       const struct rv_uid *principal, const struct rv_uid *resource)
{
    const struct rv_policy *template = rv_policy_set_find(set, template_id);
    struct rv_policy link;
    int r;

    if (!template || !rv_policy_is_template(template))
        return -ENOENT;
    if (rv_policy_set_find(set, id))
        return -EEXIST;
    link = *template;
    r = fill_slot(set, &link.principal, principal);
    if (r == 0)
        r = fill_slot(set, &link.resource, resource);
    if (r < 0)
        return r;
    link.id = rv_arena_text(&set->arena, id.data, id.len);
    link.link_of = template;
    link.template_id = template->id;
    return set->arena.failed ? -ENOMEM : rv_policy_set_add(set, &link);
}
