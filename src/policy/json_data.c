/* SPDX-License-Identifier: Apache-2.0 */
/* Entities, contexts and values from JSON: explicit forms, and those that a schema implies. */
#include "policy/read.h"

#include "escape.h"
#include "extension.h"
#include "parse.h"
#include "set.h"

#include <stdarg.h>
#include <stdio.h>

#define VALUE_DEPTH_MAX 200

struct reader {
    struct rv_arena *arena;
    struct rv_diags *diags;
    const char *where; /* what is being read, for messages */
    int error;
};

RV_PRINTF(2, 3)
static bool refuse(struct reader *reader, const char *format, ...)
{
    struct rv_diag_at nowhere = { 0 };
    char message[300];
    va_list args;

    if (reader->error)
        return false;
    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    reader->error = -EINVAL;
    rv_diag_add(reader->diags, RV_DIAG_ERROR, "json", nowhere, NULL, "%s: %s", reader->where,
                message);
    return false;
}

static bool out_of_memory(struct reader *reader)
{
    reader->error = -ENOMEM;
    return false;
}

static struct rv_text keep(struct reader *reader, const json_t *string)
{
    return rv_arena_text(reader->arena, json_string_value(string), json_string_length(string));
}

/* ---- Entity ids ---- */

/** An entity type: names between `::`, none of them reserved. */
static bool is_type_name(struct rv_text text)
{
    struct rv_lexer lexer = { text.data, text.len, 0 };
    bool name_due = true;

    if (text.len == 0)
        return false;
    for (;;) {
        uint32_t before = lexer.at;
        struct rv_token token = rv_lex(&lexer);

        if (token.kind == RV_TOKEN_END)
            return !name_due && before == text.len;
        if (token.loc.start != before)
            return false; /* blanks or comments between */
        if (name_due ? token.kind != RV_TOKEN_IDENT || rv_is_reserved(token.text)
                     : !rv_text_is(token.text, "::"))
            return false;
        name_due = !name_due;
    }
}

static bool read_uid_object(struct reader *reader, const json_t *value, struct rv_uid *ret_uid)
{
    const json_t *type = json_object_get(value, "type"), *id = json_object_get(value, "id");
    struct rv_text type_text, id_text;

    if (!json_is_string(type) || !json_is_string(id))
        return refuse(reader, "an entity is {\"type\": \"...\", \"id\": \"...\"}");
    type_text = keep(reader, type);
    id_text = keep(reader, id);
    if (!type_text.data || !id_text.data)
        return out_of_memory(reader);
    if (!is_type_name(type_text))
        return refuse(reader, "'%.*s' is not the name of an entity type", RV_TEXT_ARGS(type_text));
    *ret_uid = rv_uid(type_text, id_text);
    return true;
}

/** A string `Type::"id"`, as the policy language writes it. */
static bool read_uid_text(struct reader *reader, const json_t *value, struct rv_uid *ret_uid)
{
    struct rv_parser parser = { .arena = reader->arena };
    struct rv_source *source = rv_arena_alloc(reader->arena, sizeof(*source));
    const struct rv_uid *uid;

    if (!source)
        return out_of_memory(reader);
    source->text = keep(reader, value);
    rv_parser_start(&parser, source);
    uid = parser.error ? NULL : rv_parse_uid(&parser);
    if (!uid || parser.token.kind != RV_TOKEN_END)
        return refuse(reader, "'%.*s' is not an entity such as Type::\"id\"",
                      RV_TEXT_ARGS(source->text));
    *ret_uid = *uid;
    return true;
}

static bool read_uid(struct reader *reader, const json_t *value, struct rv_uid *ret_uid)
{
    const json_t *inner = json_object_get(value, "__entity");

    if (json_is_string(value))
        return read_uid_text(reader, value, ret_uid);
    if (!json_is_object(value))
        return refuse(reader, "expected an entity");
    return read_uid_object(reader, inner ? inner : value, ret_uid);
}

/* ---- Values ---- */

static bool read_value(struct reader *reader, const json_t *json, const struct rv_type *type,
                       unsigned depth, struct rv_value *ret_value);

static bool read_entity(struct reader *reader, const json_t *json, struct rv_value *ret_value)
{
    struct rv_uid *uid = rv_arena_alloc(reader->arena, sizeof(*uid));

    if (!uid)
        return out_of_memory(reader);
    if (!json_is_object(json))
        return refuse(reader, "expected an entity {\"type\": \"...\", \"id\": \"...\"}");
    *ret_value = rv_value_entity(uid);
    return read_uid(reader, json, uid);
}

static enum rv_call constructor_of(unsigned kind)
{
    switch (kind) {
    case RV_VALUE_IP:
        return RV_CALL_IP;
    case RV_VALUE_DECIMAL:
        return RV_CALL_DECIMAL;
    case RV_VALUE_DATETIME:
        return RV_CALL_DATETIME;
    case RV_VALUE_DURATION:
        return RV_CALL_DURATION;
    default:
        return RV_CALL_COUNT_;
    }
}

static bool apply(struct reader *reader, enum rv_call call, struct rv_value args[2],
                  struct rv_value *ret_value)
{
    struct rv_ip *ip = rv_arena_alloc(reader->arena, sizeof(*ip));

    if (!ip)
        return out_of_memory(reader);
    if (rv_call_apply(call, args, ip, ret_value) != RV_EVAL_OK)
        return refuse(reader, "%s(\"%.*s\") is not a value", rv_call_info(call)->name,
                      (int)args[0].count, args[0].kind == RV_VALUE_STRING ? args[0].text : "");
    return true;
}

/** {"fn": "ip", "arg": "..."} or {"fn": "offset", "args": [...]}. */
static bool read_call(struct reader *reader, const json_t *json, unsigned depth,
                      struct rv_value *ret_value)
{
    const json_t *fn = json_object_get(json, "fn"), *arg = json_object_get(json, "arg");
    const json_t *args = json_object_get(json, "args");
    const struct rv_call_info *info;
    struct rv_value values[2] = { { 0 } };
    enum rv_call call;
    size_t count = args ? json_array_size(args) : 1;

    if (!json_is_string(fn) || (!arg && !json_is_array(args)))
        return refuse(reader, "an extension value is {\"fn\": \"ip\", \"arg\": \"...\"}");
    call = rv_call_by_name(rv_text_str(json_string_value(fn)));
    if (call == RV_CALL_COUNT_)
        return refuse(reader, "there is no function '%s'", json_string_value(fn));
    info = rv_call_info(call);
    if (count != info->arg_count)
        return refuse(reader, "%s takes %u arguments", info->name, info->arg_count);
    for (size_t i = 0; i < count; i++) {
        if (!read_value(reader, args ? json_array_get(args, i) : arg, NULL, depth + 1, &values[i]))
            return false;
        if (values[i].kind != info->args[i])
            return refuse(reader, "%s: expected %s", info->name,
                          rv_value_kind_name((enum rv_value_kind)info->args[i]));
    }
    return apply(reader, call, values, ret_value);
}

static bool read_extension(struct reader *reader, const json_t *json, enum rv_value_kind kind,
                           unsigned depth, struct rv_value *ret_value)
{
    const json_t *inner = json_object_get(json, "__extn");
    struct rv_value args[2] = { { 0 } };

    if (json_is_object(json))
        return read_call(reader, inner ? inner : json, depth, ret_value);
    if (!json_is_string(json))
        return refuse(reader, "expected %s", rv_value_kind_name(kind));
    args[0] = rv_value_string(keep(reader, json).data, json_string_length(json));
    return args[0].text ? apply(reader, constructor_of(kind), args, ret_value)
                        : out_of_memory(reader);
}

static bool read_set(struct reader *reader, const json_t *json, const struct rv_type *type,
                     unsigned depth, struct rv_value *ret_value)
{
    size_t count = json_array_size(json);
    struct rv_value *items = rv_arena_array(reader->arena, count, sizeof(*items));

    if (!items)
        return out_of_memory(reader);
    for (size_t i = 0; i < count; i++) {
        if (!read_value(reader, json_array_get(json, i), type, depth + 1, &items[i]))
            return false;
    }
    *ret_value = rv_value_set(items, count);
    return true;
}

static const struct rv_type *field_type(const struct rv_type *record, struct rv_text name)
{
    for (uint32_t i = 0; record && i < record->field_count; i++) {
        if (rv_text_eq(record->fields[i].name, name))
            return record->fields[i].type;
    }
    return NULL;
}

/** All members of an object; each by the type that `record` (or `every`) gives it. */
static bool read_fields(struct reader *reader, const json_t *json, const struct rv_type *record,
                        const struct rv_type *every, unsigned depth, struct rv_fields *ret_fields)
{
    json_t *object = (json_t *)(uintptr_t)json; /* jansson iterates only what is not const */
    size_t count = json_object_size(json), at = 0;
    struct rv_field *fields = rv_arena_array(reader->arena, count, sizeof(*fields));

    if (!fields)
        return out_of_memory(reader);
    for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it)) {
        const char *key = json_object_iter_key(it);
        struct rv_field *field = &fields[at++];

        field->key = rv_arena_text(reader->arena, key, json_object_iter_key_len(it));
        if (!field->key.data)
            return out_of_memory(reader);
        if (!read_value(reader, json_object_iter_value(it),
                        record ? field_type(record, field->key) : every, depth + 1, &field->value))
            return false;
    }
    (void)rv_fields_sort(fields, count);
    *ret_fields = (struct rv_fields){ fields, (uint32_t)count };
    return true;
}

static bool read_object(struct reader *reader, const json_t *json, const struct rv_type *type,
                        unsigned depth, struct rv_value *ret_value)
{
    struct rv_fields fields;

    if (!type && json_object_size(json) == 1 && json_object_get(json, "__entity"))
        return read_entity(reader, json, ret_value);
    if (!type && json_object_size(json) == 1 && json_object_get(json, "__extn"))
        return read_call(reader, json_object_get(json, "__extn"), depth, ret_value);
    if (!type && json_object_get(json, "__expr"))
        return refuse(reader, "__expr is no longer part of the language");
    if (!read_fields(reader, json, type, NULL, depth, &fields))
        return false;
    *ret_value = rv_value_record(fields);
    return true;
}

static bool read_value(struct reader *reader, const json_t *json, const struct rv_type *type,
                       unsigned depth, struct rv_value *ret_value)
{
    if (depth > VALUE_DEPTH_MAX)
        return refuse(reader, "values are nested more than %d deep", VALUE_DEPTH_MAX);
    if (type && type->kind == RV_VALUE_ENTITY && json_is_object(json))
        return read_entity(reader, json, ret_value);
    if (type && constructor_of(type->kind) != RV_CALL_COUNT_)
        return read_extension(reader, json, (enum rv_value_kind)type->kind, depth, ret_value);
    switch (json_typeof(json)) {
    case JSON_TRUE:
    case JSON_FALSE:
        *ret_value = rv_value_bool(json_is_true(json));
        return true;
    case JSON_INTEGER:
        *ret_value = rv_value_long((int64_t)json_integer_value(json));
        return true;
    case JSON_STRING:
        *ret_value = rv_value_string(keep(reader, json).data, json_string_length(json));
        return ret_value->text ? true : out_of_memory(reader);
    case JSON_ARRAY:
        return read_set(reader, json, type && type->kind == RV_VALUE_SET ? type->element : NULL,
                        depth, ret_value);
    case JSON_OBJECT:
        return read_object(reader, json, type && type->kind == RV_VALUE_RECORD ? type : NULL, depth,
                           ret_value);
    case JSON_REAL:
        return refuse(reader, "a number with a fraction; write {\"__extn\": {\"fn\": \"decimal\", "
                              "\"arg\": \"1.5\"}}");
    case JSON_NULL:
        break;
    }
    return refuse(reader, "null is no value");
}

/* ---- Entities ---- */

static bool read_parents(struct reader *reader, const json_t *json, struct rv_entity *entity)
{
    size_t count = json_array_size(json);
    struct rv_parent *parents = rv_arena_array(reader->arena, count, sizeof(*parents));

    if (json && !json_is_array(json))
        return refuse(reader, "parents is an array of entities");
    if (!parents)
        return out_of_memory(reader);
    for (size_t i = 0; i < count; i++) {
        struct rv_uid *uid = rv_arena_alloc(reader->arena, sizeof(*uid));

        if (!uid)
            return out_of_memory(reader);
        if (!read_uid(reader, json_array_get(json, i), uid))
            return false;
        parents[i] = (struct rv_parent){ .uid = uid };
    }
    entity->parents = parents;
    entity->parent_count = (uint32_t)count;
    return true;
}

static bool read_attributes(struct reader *reader, const json_t *json, const char *member,
                            const struct rv_type *record, const struct rv_type *every,
                            struct rv_fields *ret_fields)
{
    const json_t *fields = json_object_get(json, member);

    if (!fields)
        return true;
    if (!json_is_object(fields))
        return refuse(reader, "%s is an object", member);
    return read_fields(reader, fields, record, every, 0, ret_fields);
}

static bool read_one(struct reader *reader, const json_t *json, const struct rv_type_lookup *types,
                     struct rv_entity *entity)
{
    const struct rv_type *attrs = NULL, *tags = NULL;

    *entity = (struct rv_entity){ 0 };
    if (!json_is_object(json) || !json_object_get(json, "uid"))
        return refuse(reader, "an entity is an object with uid, attrs and parents");
    if (!read_uid(reader, json_object_get(json, "uid"), &entity->uid))
        return false;
    if (types) {
        attrs = types->entity_attrs(types->schema, entity->uid.type);
        tags = types->entity_tags(types->schema, entity->uid.type);
    }
    return read_attributes(reader, json, "attrs", attrs, NULL, &entity->attrs) &&
           read_attributes(reader, json, "tags", NULL, tags, &entity->tags) &&
           read_parents(reader, json_object_get(json, "parents"), entity);
}

int rv_entities_read_json(struct rv_entities_builder *builder, const json_t *value,
                          const struct rv_type_lookup *types, struct rv_diags *diags)
{
    RV_AUTO(rv_arena_done) struct rv_arena arena = { 0 };
    struct reader reader = { .arena = &arena, .diags = diags, .where = "entities" };

    if (!json_is_array(value)) {
        refuse(&reader, "expected an array of entities");
        return reader.error;
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        char where[48];
        struct rv_entity entity;
        int r;

        (void)snprintf(where, sizeof(where), "entity %zu", i);
        reader.where = where;
        if (!read_one(&reader, json_array_get(value, i), types, &entity))
            return reader.error;
        r = rv_entities_builder_add(builder, &entity);
        if (r == -EEXIST)
            refuse(&reader, "'%.*s' is there already with other content",
                   RV_TEXT_ARGS(entity.uid.id));
        if (r < 0)
            return r == -EEXIST ? -EINVAL : r;
        reader.where = "entities";
    }
    return 0;
}

int rv_context_read_json(struct rv_arena *arena, const json_t *value, const struct rv_uid *action,
                         const struct rv_type_lookup *types, struct rv_fields *ret_context,
                         struct rv_diags *diags)
{
    struct reader reader = { .arena = arena, .diags = diags, .where = "context" };
    const struct rv_type *type =
        types && action ? types->action_context(types->schema, action) : NULL;
    struct rv_fields fields = { 0 };

    if (!json_is_object(value))
        refuse(&reader, "expected an object");
    else
        (void)read_fields(&reader, value, type, NULL, 0, &fields);
    if (reader.error)
        return reader.error;
    *ret_context = fields;
    return 0;
}

int rv_uid_read_json(struct rv_arena *arena, const json_t *value, struct rv_uid *ret_uid,
                     struct rv_diags *diags)
{
    struct reader reader = { .arena = arena, .diags = diags, .where = "entity" };
    struct rv_uid uid;

    if (!read_uid(&reader, value, &uid))
        return reader.error;
    *ret_uid = uid;
    return 0;
}
