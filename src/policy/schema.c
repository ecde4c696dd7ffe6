/* SPDX-License-Identifier: Apache-2.0 */
/* The schema object: making, asking, ending. Names and the index that finds them. */
#include "schema_doc.h"

#include "escape.h"

#include <limits.h>

/* ---- Names ---- */
static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool rv_is_identifier(struct rv_text text)
{
    if (text.len == 0 || !is_letter(text.data[0]))
        return false;
    for (uint32_t i = 1; i < text.len; i++) {
        if (!is_letter(text.data[i]) && (text.data[i] < '0' || text.data[i] > '9'))
            return false;
    }
    return true;
}

bool rv_is_reserved_word(struct rv_text text)
{
    static const char *const words[] = {
        "true", "false", "if", "then", "else", "in", "is", "like", "has",
    };

    for (size_t i = 0; i < RV_COUNT(words); i++) {
        if (rv_text_is(text, words[i]))
            return true;
    }
    return false;
}

/** Cut the part before the next `::` off `rest`. @return false when nothing is left. */
static bool next_part(struct rv_text *rest, struct rv_text *ret)
{
    uint32_t len = 0;

    if (!rest->data)
        return false;
    while (len < rest->len && !(len + 1 < rest->len && memcmp(rest->data + len, "::", 2) == 0))
        len++;
    *ret = (struct rv_text){ .data = rest->data, .len = len };
    if (len < rest->len)
        *rest = (struct rv_text){ .data = rest->data + len + 2, .len = rest->len - len - 2 };
    else
        *rest = (struct rv_text){ 0 };
    return true;
}

bool rv_is_path(struct rv_text text)
{
    struct rv_text part;

    while (next_part(&text, &part)) {
        if (!rv_is_identifier(part) || rv_is_reserved_word(part))
            return false;
    }
    return true;
}

bool rv_is_internal_path(struct rv_text text)
{
    struct rv_text part;

    while (next_part(&text, &part)) {
        if (rv_text_is(part, "__cedar"))
            return true;
    }
    return false;
}

struct rv_text rv_path_base(struct rv_text path)
{
    uint32_t at = path.len;

    while (at > 0 && path.data[at - 1] != ':')
        at--;
    return at == 0 ? path : rv_text(path.data + at, path.len - at);
}

struct rv_text rv_path_join(struct rv_arena *arena, struct rv_text space, struct rv_text name)
{
    char *data;
    size_t len = (size_t)space.len + 2 + name.len;

    if (space.len == 0)
        return name;
    data = len < UINT32_MAX ? rv_arena_alloc(arena, len) : NULL;
    if (!data)
        return (struct rv_text){ 0 };
    memcpy(data, space.data, space.len);
    memcpy(data + space.len, "::", 2);
    if (name.len > 0)
        memcpy(data + space.len + 2, name.data, name.len);
    return rv_text(data, len);
}

bool rv_type_is_action(struct rv_text entity_type)
{
    static const char word[] = "Action";
    const uint32_t len = sizeof(word) - 1;
    uint32_t before;

    if (entity_type.len < len || memcmp(entity_type.data + entity_type.len - len, word, len) != 0)
        return false;
    before = entity_type.len - len;
    return before == 0 || (before > 2 && memcmp(entity_type.data + before - 2, "::", 2) == 0);
}

/* ---- Index ---- */
bool rv_name_index_init(struct rv_name_index *index, struct rv_arena *arena, size_t count)
{
    size_t room = 8;

    while (room < count * 2)
        room *= 2;
    index->slots = rv_arena_array(arena, room, sizeof(*index->slots));
    index->mask = (uint32_t)room - 1;
    return index->slots != NULL;
}

void rv_name_index_add(struct rv_name_index *index, uint32_t hash, uint32_t value)
{
    uint32_t at = hash & index->mask;

    while (index->slots[at] != 0)
        at = (at + 1) & index->mask;
    index->slots[at] = value + 1;
}

bool rv_name_index_next(const struct rv_name_index *index, uint32_t hash, uint32_t *at,
                        uint32_t *ret_value)
{
    uint32_t value = index->slots ? index->slots[(hash + *at) & index->mask] : 0;

    if (value == 0)
        return false;
    ++*at;
    *ret_value = value - 1;
    return true;
}

/* ---- Making and ending ---- */
int rv_schema_new(const char *name, struct rv_span text, struct rv_schema **ret_schema,
                  struct rv_diags *diags)
{
    RV_AUTO(rv_schema_free) struct rv_schema *schema = calloc(1, sizeof(*schema));
    struct rv_source *source;
    size_t valid;

    if (!schema)
        return -ENOMEM;
    source = rv_arena_alloc(&schema->arena, sizeof(*source));
    if (!source)
        return -ENOMEM;
    source->name = rv_arena_text(&schema->arena, name ? name : "", name ? strlen(name) : 0);
    if (text.len <= RV_SCHEMA_TEXT_MAX)
        source->text = rv_arena_text(&schema->arena, (const char *)text.data, text.len);
    if (!source->name.data || (text.len <= RV_SCHEMA_TEXT_MAX && !source->text.data))
        return -ENOMEM;
    schema->source = source;
    if (text.len > RV_SCHEMA_TEXT_MAX) {
        rv_diag_add(diags, RV_DIAG_ERROR, "schema-size", (struct rv_diag_at){ .source = source },
                    NULL, "a schema may have at most %zu bytes", RV_SCHEMA_TEXT_MAX);
        return -EINVAL;
    }
    valid = rv_utf8_valid_len(text);
    if (valid < text.len) {
        struct rv_loc loc = { (uint32_t)valid, (uint32_t)valid + 1 };

        rv_diag_add(diags, RV_DIAG_ERROR, "schema-syntax",
                    (struct rv_diag_at){ .source = source, .loc = loc }, "save the file as UTF-8",
                    "this is not UTF-8");
        return -EINVAL;
    }
    *ret_schema = RV_TAKE(schema);
    return 0;
}

void rv_schema_free(struct rv_schema **schema)
{
    if (!*schema)
        return;
    rv_arena_done(&(*schema)->arena);
    free(*schema);
    *schema = NULL;
}

/* ---- Asking ---- */
size_t rv_schema_entity_count(const struct rv_schema *schema)
{
    return schema->entity_count;
}

const struct rv_schema_entity *rv_schema_entity_at(const struct rv_schema *schema, size_t i)
{
    return &schema->entities[i];
}

const struct rv_schema_entity *rv_schema_entity(const struct rv_schema *schema, struct rv_text name)
{
    uint32_t at = 0, i;

    while (rv_name_index_next(&schema->entity_index, name.hash, &at, &i)) {
        if (rv_text_eq(schema->entities[i].name, name))
            return &schema->entities[i];
    }
    return NULL;
}

bool rv_schema_entity_in(const struct rv_schema *schema, const struct rv_schema_entity *child,
                         const struct rv_schema_entity *ancestor)
{
    return rv_closure_has(&schema->entity_above, child->index, ancestor->index);
}

size_t rv_schema_action_count(const struct rv_schema *schema)
{
    return schema->action_count;
}

const struct rv_schema_action *rv_schema_action_at(const struct rv_schema *schema, size_t i)
{
    return &schema->actions[i];
}

const struct rv_schema_action *rv_schema_action(const struct rv_schema *schema,
                                                const struct rv_uid *uid)
{
    uint32_t at = 0, i;

    while (rv_name_index_next(&schema->action_index, (uint32_t)uid->hash, &at, &i)) {
        if (rv_uid_eq(&schema->actions[i].uid, uid))
            return &schema->actions[i];
    }
    return NULL;
}

bool rv_schema_action_in(const struct rv_schema *schema, const struct rv_schema_action *child,
                         const struct rv_schema_action *ancestor)
{
    return rv_closure_has(&schema->action_above, child->index, ancestor->index);
}

static const struct rv_type *lookup_attrs(const void *schema, struct rv_text entity_type)
{
    const struct rv_schema_entity *entity = rv_schema_entity(schema, entity_type);

    return entity ? entity->attrs : NULL;
}

static const struct rv_type *lookup_tags(const void *schema, struct rv_text entity_type)
{
    const struct rv_schema_entity *entity = rv_schema_entity(schema, entity_type);

    return entity ? entity->tags : NULL;
}

static const struct rv_type *lookup_context(const void *schema, const struct rv_uid *action)
{
    const struct rv_schema_action *declared = rv_schema_action(schema, action);

    return declared ? declared->context : NULL;
}

struct rv_type_lookup rv_schema_lookup(const struct rv_schema *schema)
{
    return (struct rv_type_lookup){
        .schema = schema,
        .entity_attrs = lookup_attrs,
        .entity_tags = lookup_tags,
        .action_context = lookup_context,
    };
}

int rv_schema_add_actions(const struct rv_schema *schema, struct rv_entities_builder *builder)
{
    for (uint32_t i = 0; i < schema->action_count; i++) {
        const struct rv_schema_action *action = &schema->actions[i];
        RV_AUTO(rv_freep) struct rv_parent *parents = NULL;
        struct rv_entity entity = { .uid = action->uid, .parent_count = action->parent_count };
        int r;

        parents = calloc(action->parent_count + 1, sizeof(*parents));
        if (!parents)
            return -ENOMEM;
        for (uint32_t k = 0; k < action->parent_count; k++)
            parents[k].uid = &action->parents[k]->uid;
        entity.parents = parents;
        r = rv_entities_builder_add(builder, &entity);
        if (r < 0 && r != -EEXIST)
            return r;
    }
    return 0;
}
