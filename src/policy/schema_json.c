/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the JSON form of a schema. The place of each value in the text is kept while
 * reading, so that messages point there. */
#include "base/json.h"
#include "schema_doc.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- Where values stand ---- */
struct place {
    const json_t *value;
    uint32_t start, end;
};

struct places {
    struct place *items;
    size_t count, room;
    struct rv_name_index index;
    bool failed;
};

static void places_done(struct places *places)
{
    free(places->items);
}

static uint32_t pointer_hash(const void *pointer)
{
    return (uint32_t)rv_mix64((uintptr_t)pointer);
}

static void note_place(void *context, const json_t *value, size_t start, size_t end)
{
    struct places *places = context;

    if (places->count == places->room) {
        size_t room = places->room ? places->room * 2 : 64;
        struct place *items = realloc(places->items, room * sizeof(*items));

        if (!items) {
            places->failed = true;
            return;
        }
        places->items = items;
        places->room = room;
    }
    places->items[places->count++] = (struct place){ value, (uint32_t)start, (uint32_t)end };
}

/** Make the places findable, once all are known. @return false when out of memory. */
static bool index_places(struct places *places, struct rv_arena *arena)
{
    if (places->failed || !rv_name_index_init(&places->index, arena, places->count))
        return false;
    for (size_t i = 0; i < places->count; i++)
        rv_name_index_add(&places->index, pointer_hash(places->items[i].value), (uint32_t)i);
    return true;
}

/* ---- Reading ---- */
struct reader {
    struct rv_schema *schema;
    struct rv_diags *diags;
    struct places places;
    bool no_memory;
};

static void reader_done(struct reader *reader)
{
    places_done(&reader->places);
}

static struct rv_loc place_of(const struct reader *reader, const json_t *value)
{
    uint32_t at = 0, i;

    while (rv_name_index_next(&reader->places.index, pointer_hash(value), &at, &i)) {
        if (reader->places.items[i].value == value)
            return (struct rv_loc){ reader->places.items[i].start, reader->places.items[i].end };
    }
    return (struct rv_loc){ 0 };
}

static bool fail_at(struct reader *reader, const json_t *value, const char *help,
                    const char *format, ...) RV_PRINTF(4, 5);

static bool fail_at(struct reader *reader, const json_t *value, const char *help,
                    const char *format, ...)
{
    char message[300];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    rv_diag_add(
        reader->diags, RV_DIAG_ERROR, "schema-json",
        (struct rv_diag_at){ .source = reader->schema->source, .loc = place_of(reader, value) },
        help, "%s", message);
    return false;
}

static bool fail_memory(struct reader *reader)
{
    reader->no_memory = true;
    return false;
}

static bool expect_object(struct reader *reader, const json_t *value, const char *what)
{
    return json_is_object(value) || fail_at(reader, value, NULL, "%s must be an object", what);
}

static bool expect_array(struct reader *reader, const json_t *value, const char *what)
{
    return json_is_array(value) || fail_at(reader, value, NULL, "%s must be an array", what);
}

struct member {
    const json_t *value;
    const char *name;
};

static struct rv_text member_at(const void *members, size_t i)
{
    return rv_text_str(((const struct member *)members)[i].name);
}

/** Pick the known members of an object; any other one is an error. */
static bool read_members(struct reader *reader, const json_t *object, const char *what,
                         struct member *members, size_t count)
{
    json_t *items = (json_t *)(uintptr_t)object;

    for (void *it = json_object_iter(items); it; it = json_object_iter_next(items, it)) {
        const char *key = json_object_iter_key(it);
        char near[64], help[100];
        size_t i = 0;

        while (i < count && !rv_streq(members[i].name, key))
            i++;
        if (i < count) {
            members[i].value = json_object_iter_value(it);
            continue;
        }
        if (rv_diag_nearest(rv_text_str(key), count, member_at, members, near, sizeof(near))) {
            (void)snprintf(help, sizeof(help), "did you mean `%s`?", near);
            return fail_at(reader, json_object_iter_value(it), help, "%s has no member `%.60s`",
                           what, key);
        }
        return fail_at(reader, json_object_iter_value(it), NULL, "%s has no member `%.60s`", what,
                       key);
    }
    return true;
}

static bool copy_text(struct reader *reader, const char *data, size_t len, struct rv_text *ret)
{
    *ret = rv_arena_text(&reader->schema->arena, data, len);
    return ret->data || fail_memory(reader);
}

static bool copy_key(struct reader *reader, void *it, struct rv_text *ret)
{
    return copy_text(reader, json_object_iter_key(it), json_object_iter_key_len(it), ret);
}

static bool read_string(struct reader *reader, const json_t *value, const char *what,
                        struct rv_text *ret)
{
    if (!json_is_string(value))
        return fail_at(reader, value, NULL, "%s must be a string", what);
    return copy_text(reader, json_string_value(value), json_string_length(value), ret);
}

static bool read_path(struct reader *reader, const json_t *value, const char *what,
                      struct rv_text *ret)
{
    if (!read_string(reader, value, what, ret))
        return false;
    return rv_is_path(*ret) || fail_at(reader, value, "a name is `A` or `Namespace::A`",
                                       "`%.*s` is not a name", RV_TEXT_ARGS(*ret));
}

/** A key that is declared: an identifier that the language does not use itself. */
static bool read_declared(struct reader *reader, void *it, struct rv_doc_name *ret)
{
    const json_t *value = json_object_iter_value(it);

    if (!copy_key(reader, it, &ret->text))
        return false;
    ret->loc = place_of(reader, value);
    return (rv_is_identifier(ret->text) && !rv_is_reserved_word(ret->text)) ||
           fail_at(reader, value, "use letters, digits and `_`, no word such as `in` or `if`",
                   "`%.*s` cannot be a name here", RV_TEXT_ARGS(ret->text));
}

static bool read_annotations(struct reader *reader, const json_t *value,
                             struct rv_doc_annotations *ret)
{
    json_t *object = (json_t *)(uintptr_t)value;
    struct rv_annotation *items;
    uint32_t count = 0;

    if (!value)
        return true;
    if (!expect_object(reader, value, "`annotations`"))
        return false;
    items = rv_arena_array(&reader->schema->arena, json_object_size(value), sizeof(*items));
    if (!items)
        return fail_memory(reader);
    for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it)) {
        struct rv_annotation *item = &items[count];
        const json_t *text = json_object_iter_value(it);

        if (!copy_key(reader, it, &item->name))
            return false;
        if (!rv_is_identifier(item->name))
            return fail_at(reader, text, NULL, "`%.*s` cannot be the name of an annotation",
                           RV_TEXT_ARGS(item->name));
        item->loc = place_of(reader, text);
        item->value = rv_text("", 0);
        if (!json_is_null(text) &&
            !read_string(reader, text, "the value of an annotation", &item->value))
            return false;
        count++;
    }
    *ret = (struct rv_doc_annotations){ items, count };
    return true;
}

/* ---- Types ---- */
/** The members that a type object may have, and with `of_field` those of an attribute. */
enum {
    TYPE_TYPE,
    TYPE_ELEMENT,
    TYPE_ATTRIBUTES,
    TYPE_ADDITIONAL,
    TYPE_NAME,
    TYPE_ANNOTATIONS,
    TYPE_REQUIRED,
    TYPE_MEMBER_COUNT
};

enum type_place {
    TYPE_PLAIN = TYPE_ANNOTATIONS,
    TYPE_OF_COMMON = TYPE_REQUIRED,
    TYPE_OF_FIELD = TYPE_MEMBER_COUNT
};

static bool read_type(struct reader *reader, const json_t *value, unsigned depth,
                      enum type_place where, struct rv_doc_field *field);

static bool read_plain_type(struct reader *reader, const json_t *value, unsigned depth,
                            const struct rv_doc_type **ret)
{
    struct rv_doc_field field = { 0 };

    if (!read_type(reader, value, depth, TYPE_PLAIN, &field))
        return false;
    *ret = field.type;
    return true;
}

static bool read_record(struct reader *reader, const struct member *members, const json_t *whole,
                        unsigned depth, struct rv_doc_type *type)
{
    const json_t *attributes = members[TYPE_ATTRIBUTES].value;
    const json_t *additional = members[TYPE_ADDITIONAL].value;
    json_t *object = (json_t *)(uintptr_t)attributes;
    const struct rv_doc_field **tail = &type->fields;

    type->kind = RV_DOC_RECORD;
    if (!attributes)
        return fail_at(reader, whole, "add `\"attributes\": {}`", "a record lacks `attributes`");
    if (!expect_object(reader, attributes, "`attributes`"))
        return false;
    if (additional && !json_is_boolean(additional))
        return fail_at(reader, additional, NULL, "`additionalAttributes` must be true or false");
    if (json_is_true(additional))
        return fail_at(reader, whole,
                       "list every attribute, with `\"required\": false` where needed",
                       "open records (`additionalAttributes`) are not supported");
    for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it)) {
        struct rv_doc_field *field = rv_arena_alloc(&reader->schema->arena, sizeof(*field));

        if (!field)
            return fail_memory(reader);
        if (!copy_key(reader, it, &field->name) ||
            !read_type(reader, json_object_iter_value(it), depth + 1, TYPE_OF_FIELD, field))
            return false;
        *tail = field;
        tail = &field->next;
    }
    return true;
}

static bool read_type_name(struct reader *reader, const struct member *members, const json_t *whole,
                           struct rv_doc_type *type)
{
    if (!members[TYPE_NAME].value)
        return fail_at(reader, whole, NULL, "this type lacks `name`");
    return read_path(reader, members[TYPE_NAME].value, "`name`", &type->name);
}

static const struct type_word {
    const char *word;
    enum rv_doc_type_kind kind;
    unsigned members; /* bits of those that go with it */
} type_words[] = {
    { "String", RV_DOC_STRING, 0 },
    { "Long", RV_DOC_LONG, 0 },
    { "Boolean", RV_DOC_BOOL, 0 },
    { "Set", RV_DOC_SET, 1u << TYPE_ELEMENT },
    { "Record", RV_DOC_RECORD, 1u << TYPE_ATTRIBUTES | 1u << TYPE_ADDITIONAL },
    { "Entity", RV_DOC_ENTITY, 1u << TYPE_NAME },
    { "EntityOrCommon", RV_DOC_NAME, 1u << TYPE_NAME },
    { "Extension", RV_DOC_EXTENSION, 1u << TYPE_NAME },
    { NULL, RV_DOC_COMMON, 0 }, /* any other word names a common type */
};

static bool read_type_parts(struct reader *reader, const struct member *members,
                            const json_t *whole, unsigned depth, struct rv_doc_type *type)
{
    const struct type_word *word = type_words;

    while (word->word && !rv_streq(word->word, json_string_value(members[TYPE_TYPE].value)))
        word++;
    for (unsigned i = TYPE_ELEMENT; i <= TYPE_NAME; i++) {
        if (members[i].value && !(word->members >> i & 1))
            return fail_at(reader, members[i].value, NULL, "type `%.60s` does not take `%s`",
                           json_string_value(members[TYPE_TYPE].value), members[i].name);
    }
    type->kind = (uint8_t)word->kind;
    switch (word->kind) {
    case RV_DOC_SET:
        if (!members[TYPE_ELEMENT].value)
            return fail_at(reader, whole, NULL, "a set lacks `element`");
        return read_plain_type(reader, members[TYPE_ELEMENT].value, depth + 1, &type->element);
    case RV_DOC_RECORD:
        return read_record(reader, members, whole, depth, type);
    case RV_DOC_ENTITY:
    case RV_DOC_NAME:
    case RV_DOC_EXTENSION:
        return read_type_name(reader, members, whole, type);
    case RV_DOC_COMMON:
        return read_path(reader, members[TYPE_TYPE].value, "`type`", &type->name);
    case RV_DOC_BOOL:
    case RV_DOC_LONG:
    case RV_DOC_STRING:
        break;
    }
    return true;
}

/** Fills type, and for an attribute also annotations and `required`, of `field`. */
static bool read_type(struct reader *reader, const json_t *value, unsigned depth,
                      enum type_place where, struct rv_doc_field *field)
{
    struct member members[TYPE_MEMBER_COUNT] = {
        [TYPE_TYPE] = { NULL, "type" },
        [TYPE_ELEMENT] = { NULL, "element" },
        [TYPE_ATTRIBUTES] = { NULL, "attributes" },
        [TYPE_ADDITIONAL] = { NULL, "additionalAttributes" },
        [TYPE_NAME] = { NULL, "name" },
        [TYPE_ANNOTATIONS] = { NULL, "annotations" },
        [TYPE_REQUIRED] = { NULL, "required" },
    };
    const json_t *required;
    struct rv_doc_type *type;

    if (depth > RV_SCHEMA_DEPTH_MAX)
        return fail_at(reader, value, "give the inner part a name in `commonTypes`",
                       "types are nested deeper than %d", RV_SCHEMA_DEPTH_MAX);
    if (!expect_object(reader, value, "a type") ||
        !read_members(reader, value, "a type", members, where))
        return false;
    if (!members[TYPE_TYPE].value)
        return fail_at(reader, value, NULL, "this type lacks `type`");
    if (!json_is_string(members[TYPE_TYPE].value))
        return fail_at(reader, members[TYPE_TYPE].value, NULL, "`type` must be a string");
    type = rv_arena_alloc(&reader->schema->arena, sizeof(*type));
    if (!type)
        return fail_memory(reader);
    type->loc = place_of(reader, value);
    if (!read_type_parts(reader, members, value, depth, type))
        return false;
    required = members[TYPE_REQUIRED].value;
    if (required && !json_is_boolean(required))
        return fail_at(reader, required, NULL, "`required` must be true or false");
    field->required = !required || json_is_true(required);
    field->loc = type->loc;
    field->type = type;
    return read_annotations(reader, members[TYPE_ANNOTATIONS].value, &field->annotations);
}

/* ---- Declarations ---- */
static bool read_entity_types(struct reader *reader, const json_t *value, const char *what,
                              struct rv_doc_names *ret)
{
    struct rv_doc_name *items;

    if (!value)
        return true;
    if (!expect_array(reader, value, what))
        return false;
    items = rv_arena_array(&reader->schema->arena, json_array_size(value), sizeof(*items));
    if (!items)
        return fail_memory(reader);
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *item = json_array_get(value, i);

        if (!read_path(reader, item, "an entity type", &items[i].text))
            return false;
        items[i].loc = place_of(reader, item);
    }
    *ret = (struct rv_doc_names){ items, (uint32_t)json_array_size(value) };
    return true;
}

static bool read_enum(struct reader *reader, const json_t *value, struct rv_doc_entity *entity)
{
    struct rv_text *ids;

    if (!expect_array(reader, value, "`enum`"))
        return false;
    if (json_array_size(value) == 0)
        return fail_at(reader, value, "list the ids that there are", "`enum` is empty");
    ids = rv_arena_array(&reader->schema->arena, json_array_size(value), sizeof(*ids));
    if (!ids)
        return fail_memory(reader);
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (!read_string(reader, json_array_get(value, i), "an id", &ids[i]))
            return false;
    }
    entity->ids = ids;
    entity->id_count = (uint32_t)json_array_size(value);
    return true;
}

static bool read_entity(struct reader *reader, const json_t *value, struct rv_doc_entity *entity)
{
    enum { PARENTS, SHAPE, TAGS, ENUM, ANNOTATIONS };
    struct member members[] = {
        { NULL, "memberOfTypes" }, { NULL, "shape" },       { NULL, "tags" },
        { NULL, "enum" },          { NULL, "annotations" },
    };

    if (!expect_object(reader, value, "an entity type") ||
        !read_members(reader, value, "an entity type", members, RV_COUNT(members)) ||
        !read_annotations(reader, members[ANNOTATIONS].value, &entity->annotations))
        return false;
    for (int i = PARENTS; members[ENUM].value && i <= TAGS; i++) {
        if (members[i].value)
            return fail_at(reader, members[i].value, NULL,
                           "an enumerated entity type cannot have `%s`", members[i].name);
    }
    if (members[ENUM].value)
        return read_enum(reader, members[ENUM].value, entity);
    return read_entity_types(reader, members[PARENTS].value, "`memberOfTypes`", &entity->parents) &&
           (!members[SHAPE].value ||
            read_plain_type(reader, members[SHAPE].value, 1, &entity->shape)) &&
           (!members[TAGS].value || read_plain_type(reader, members[TAGS].value, 1, &entity->tags));
}

static bool read_action_refs(struct reader *reader, const json_t *value,
                             struct rv_doc_action *action)
{
    struct rv_doc_action_ref *items;

    if (!value || json_is_null(value))
        return true;
    if (!expect_array(reader, value, "`memberOf`"))
        return false;
    items = rv_arena_array(&reader->schema->arena, json_array_size(value), sizeof(*items));
    if (!items)
        return fail_memory(reader);
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *item = json_array_get(value, i);
        struct member members[] = { { NULL, "id" }, { NULL, "type" } };

        if (!expect_object(reader, item, "an action in `memberOf`") ||
            !read_members(reader, item, "an action in `memberOf`", members, RV_COUNT(members)))
            return false;
        if (!members[0].value)
            return fail_at(reader, item, NULL, "an action in `memberOf` lacks `id`");
        if (!read_string(reader, members[0].value, "`id`", &items[i].id))
            return false;
        items[i].type = rv_text("", 0);
        if (members[1].value && !json_is_null(members[1].value) &&
            !read_path(reader, members[1].value, "`type`", &items[i].type))
            return false;
        items[i].loc = place_of(reader, item);
    }
    action->parents = items;
    action->parent_count = (uint32_t)json_array_size(value);
    action->has_parents = true;
    return true;
}

static bool read_applies_to(struct reader *reader, const json_t *value,
                            struct rv_doc_action *action)
{
    enum { PRINCIPALS, RESOURCES, CONTEXT };
    struct member members[] = {
        { NULL, "principalTypes" },
        { NULL, "resourceTypes" },
        { NULL, "context" },
    };

    if (!value || json_is_null(value))
        return true;
    if (!expect_object(reader, value, "`appliesTo`") ||
        !read_members(reader, value, "`appliesTo`", members, RV_COUNT(members)))
        return false;
    for (int i = PRINCIPALS; i <= RESOURCES; i++) {
        if (!members[i].value)
            return fail_at(reader, value, NULL, "`appliesTo` lacks `%s`", members[i].name);
    }
    action->has_applies_to = true;
    return read_entity_types(reader, members[PRINCIPALS].value, "`principalTypes`",
                             &action->principals) &&
           read_entity_types(reader, members[RESOURCES].value, "`resourceTypes`",
                             &action->resources) &&
           (!members[CONTEXT].value ||
            read_plain_type(reader, members[CONTEXT].value, 1, &action->context));
}

static bool read_action(struct reader *reader, const json_t *value, struct rv_doc_action *action)
{
    enum { APPLIES_TO, MEMBER_OF, ATTRIBUTES, ANNOTATIONS };
    struct member members[] = {
        { NULL, "appliesTo" },
        { NULL, "memberOf" },
        { NULL, "attributes" },
        { NULL, "annotations" },
    };

    if (!expect_object(reader, value, "an action") ||
        !read_members(reader, value, "an action", members, RV_COUNT(members)) ||
        !read_annotations(reader, members[ANNOTATIONS].value, &action->annotations))
        return false;
    if (members[ATTRIBUTES].value && !json_is_null(members[ATTRIBUTES].value))
        return fail_at(reader, members[ATTRIBUTES].value, "remove `attributes`",
                       "actions cannot have attributes");
    return read_action_refs(reader, members[MEMBER_OF].value, action) &&
           read_applies_to(reader, members[APPLIES_TO].value, action);
}

static bool read_commons(struct reader *reader, const json_t *value, struct rv_doc_namespace *space)
{
    json_t *object = (json_t *)(uintptr_t)value;
    struct rv_doc_common **tail = &space->commons;

    if (!value)
        return true;
    if (!expect_object(reader, value, "`commonTypes`"))
        return false;
    for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it)) {
        struct rv_doc_common *common = rv_arena_alloc(&reader->schema->arena, sizeof(*common));
        struct rv_doc_field field = { 0 };

        if (!common)
            return fail_memory(reader);
        if (!read_declared(reader, it, &common->name) ||
            !read_type(reader, json_object_iter_value(it), 1, TYPE_OF_COMMON, &field))
            return false;
        common->type = field.type;
        common->annotations = field.annotations;
        *tail = common;
        tail = &common->next;
    }
    return true;
}

static bool read_entities(struct reader *reader, const json_t *value,
                          struct rv_doc_namespace *space)
{
    json_t *object = (json_t *)(uintptr_t)value;
    struct rv_doc_entity **tail = &space->entities;

    if (!expect_object(reader, value, "`entityTypes`"))
        return false;
    for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it)) {
        struct rv_doc_entity *entity = rv_arena_alloc(&reader->schema->arena, sizeof(*entity));

        if (!entity)
            return fail_memory(reader);
        if (!read_declared(reader, it, &entity->name) ||
            !read_entity(reader, json_object_iter_value(it), entity))
            return false;
        *tail = entity;
        tail = &entity->next;
    }
    return true;
}

static bool read_actions(struct reader *reader, const json_t *value, struct rv_doc_namespace *space)
{
    json_t *object = (json_t *)(uintptr_t)value;
    struct rv_doc_action **tail = &space->actions;

    if (!expect_object(reader, value, "`actions`"))
        return false;
    for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it)) {
        struct rv_doc_action *action = rv_arena_alloc(&reader->schema->arena, sizeof(*action));

        if (!action)
            return fail_memory(reader);
        if (!copy_key(reader, it, &action->id.text))
            return false;
        action->id.loc = place_of(reader, json_object_iter_value(it));
        if (!read_action(reader, json_object_iter_value(it), action))
            return false;
        *tail = action;
        tail = &action->next;
    }
    return true;
}

static bool read_namespace(struct reader *reader, const json_t *value,
                           struct rv_doc_namespace *space)
{
    enum { COMMONS, ENTITIES, ACTIONS, ANNOTATIONS };
    struct member members[] = {
        { NULL, "commonTypes" },
        { NULL, "entityTypes" },
        { NULL, "actions" },
        { NULL, "annotations" },
    };

    if (!expect_object(reader, value, "a namespace") ||
        !read_members(reader, value, "a namespace", members, RV_COUNT(members)) ||
        !read_annotations(reader, members[ANNOTATIONS].value, &space->annotations))
        return false;
    if (space->name.text.len == 0 && space->annotations.count > 0)
        return fail_at(reader, members[ANNOTATIONS].value, "annotate the declarations instead",
                       "the empty namespace cannot have annotations");
    for (int i = ENTITIES; i <= ACTIONS; i++) {
        if (!members[i].value)
            return fail_at(reader, value, NULL, "a namespace lacks `%s`", members[i].name);
    }
    return read_commons(reader, members[COMMONS].value, space) &&
           read_entities(reader, members[ENTITIES].value, space) &&
           read_actions(reader, members[ACTIONS].value, space);
}

static bool read_schema(struct reader *reader, const json_t *value)
{
    json_t *object = (json_t *)(uintptr_t)value;
    struct rv_doc_namespace **tail = &reader->schema->namespaces;

    if (!expect_object(reader, value, "a schema"))
        return false;
    for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it)) {
        struct rv_doc_namespace *space = rv_arena_alloc(&reader->schema->arena, sizeof(*space));

        if (!space)
            return fail_memory(reader);
        if (!copy_key(reader, it, &space->name.text))
            return false;
        space->name.loc = place_of(reader, json_object_iter_value(it));
        if (space->name.text.len > 0 && !rv_is_path(space->name.text))
            return fail_at(reader, json_object_iter_value(it), "a namespace is `A` or `A::B`",
                           "`%.*s` is not a namespace", RV_TEXT_ARGS(space->name.text));
        if (!read_namespace(reader, json_object_iter_value(it), space))
            return false;
        *tail = space;
        tail = &space->next;
    }
    return true;
}

static int parse(struct reader *reader, json_t **ret_value)
{
    struct rv_json_places places = { note_place, &reader->places };
    struct rv_text text = reader->schema->source->text;
    struct rv_json_error error = { 0 };
    uint32_t at = 0;
    int r = rv_json_parse_placed(rv_text_span(text), &places, ret_value, &error);

    if (r == 0)
        return index_places(&reader->places, &reader->schema->arena) ? 0 : -ENOMEM;
    if (r != -EINVAL)
        return r;
    for (unsigned line = 1; line < error.line && at < text.len; at++)
        line += text.data[at] == '\n';
    at = (uint32_t)rv_min_u64(at + error.column - 1, text.len);
    rv_diag_add(reader->diags, RV_DIAG_ERROR, "schema-json",
                (struct rv_diag_at){ .source = reader->schema->source, .loc = { at, at + 1 } },
                NULL, "this is not JSON: %s", error.message);
    return r;
}

int rv_schema_read_json(const char *name, struct rv_span text, struct rv_schema **ret_schema,
                        struct rv_diags *diags)
{
    RV_AUTO(rv_schema_free) struct rv_schema *schema = NULL;
    RV_AUTO(rv_json_freep) json_t *value = NULL;
    RV_AUTO(reader_done) struct reader reader = { .diags = diags };
    int r;

    r = rv_schema_new(name, text, &schema, diags);
    if (r < 0)
        return r;
    reader.schema = schema;
    r = parse(&reader, &value);
    if (r < 0)
        return r;
    if (!read_schema(&reader, value))
        return reader.no_memory ? -ENOMEM : -EINVAL;
    r = rv_schema_resolve(schema, diags);
    if (r < 0)
        return r;
    *ret_schema = RV_TAKE(schema);
    return 0;
}
