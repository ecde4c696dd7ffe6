/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON form of a schema. Every function answers a new reference, or NULL without memory;
 * jansson passes NULL on, so that one look at the end is enough. */
#include "base/json.h"
#include "schema_doc.h"

static json_t *text_json(struct rv_text text)
{
    return json_stringn_nocheck(text.data, text.len);
}

/** Set a member, taking the reference. @return false when either is missing. */
static bool put(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new_nocheck(object, key, value) == 0;
}

static bool put_text_key(json_t *object, struct rv_text key, json_t *value)
{
    return json_object_setn_new_nocheck(object, key.data, key.len, value) == 0;
}

/** `object` if all went well, else NULL. */
static json_t *finish(json_t *object, bool good)
{
    if (good)
        return object;
    json_decref(object);
    return NULL;
}

static bool put_annotations(json_t *object, const struct rv_doc_annotations *annotations)
{
    json_t *members;
    bool good = true;

    if (annotations->count == 0)
        return true;
    members = json_object();
    for (uint32_t i = 0; i < annotations->count; i++)
        good &= put_text_key(members, annotations->items[i].name,
                             text_json(annotations->items[i].value));
    return put(object, "annotations", finish(members, good));
}

static json_t *type_json(const struct rv_doc_type *type);

static json_t *record_json(const struct rv_doc_type *type)
{
    json_t *object = json_pack("{s:s}", "type", "Record"), *attributes = json_object();
    bool good = true;

    for (const struct rv_doc_field *field = type->fields; field; field = field->next) {
        json_t *value = type_json(field->type);

        if (!field->required)
            good &= put(value, "required", json_false());
        good &= put_annotations(value, &field->annotations);
        good &= put_text_key(attributes, field->name, value);
    }
    good &= put(object, "attributes", attributes);
    return finish(object, good);
}

static json_t *named_json(const char *kind, struct rv_text name)
{
    json_t *object = json_pack("{s:s}", "type", kind);

    return finish(object, put(object, "name", text_json(name)));
}

static json_t *type_json(const struct rv_doc_type *type)
{
    json_t *object;

    switch ((enum rv_doc_type_kind)type->kind) {
    case RV_DOC_BOOL:
        return json_pack("{s:s}", "type", "Boolean");
    case RV_DOC_LONG:
        return json_pack("{s:s}", "type", "Long");
    case RV_DOC_STRING:
        return json_pack("{s:s}", "type", "String");
    case RV_DOC_EXTENSION:
        return named_json("Extension", type->name);
    case RV_DOC_ENTITY:
        return named_json("Entity", type->name);
    case RV_DOC_NAME:
        return named_json("EntityOrCommon", type->name);
    case RV_DOC_COMMON:
        object = json_object();
        return finish(object, put(object, "type", text_json(type->name)));
    case RV_DOC_RECORD:
        return record_json(type);
    case RV_DOC_SET:
        break;
    }
    object = json_pack("{s:s}", "type", "Set");
    return finish(object, put(object, "element", type_json(type->element)));
}

static bool is_empty_record(const struct rv_doc_type *type)
{
    return !type || (type->kind == RV_DOC_RECORD && !type->fields);
}

static json_t *names_json(const struct rv_doc_names *names)
{
    json_t *array = json_array();
    bool good = true;

    for (uint32_t i = 0; i < names->count; i++)
        good &= json_array_append_new(array, text_json(names->items[i].text)) == 0;
    return finish(array, good);
}

static json_t *common_json(const struct rv_doc_common *common)
{
    json_t *object = type_json(common->type);

    return finish(object, put_annotations(object, &common->annotations));
}

static json_t *ids_json(const struct rv_doc_entity *entity)
{
    json_t *array = json_array();
    bool good = true;

    for (uint32_t i = 0; i < entity->id_count; i++)
        good &= json_array_append_new(array, text_json(entity->ids[i])) == 0;
    return finish(array, good);
}

static json_t *entity_json(const struct rv_doc_entity *entity)
{
    json_t *object = json_object();
    bool good = object != NULL;

    if (entity->ids)
        good &= put(object, "enum", ids_json(entity));
    if (entity->parents.count > 0)
        good &= put(object, "memberOfTypes", names_json(&entity->parents));
    if (!is_empty_record(entity->shape))
        good &= put(object, "shape", type_json(entity->shape));
    if (entity->tags)
        good &= put(object, "tags", type_json(entity->tags));
    good = good && put_annotations(object, &entity->annotations);
    return finish(object, good);
}

static json_t *applies_json(const struct rv_doc_action *action)
{
    json_t *object = json_object();
    bool good = put(object, "principalTypes", names_json(&action->principals)) &&
                put(object, "resourceTypes", names_json(&action->resources));

    if (!is_empty_record(action->context))
        good = good && put(object, "context", type_json(action->context));
    return finish(object, good);
}

static json_t *parents_json(const struct rv_doc_action *action)
{
    json_t *array = json_array();
    bool good = true;

    for (uint32_t i = 0; i < action->parent_count; i++) {
        json_t *item = json_object();

        good &= put(item, "id", text_json(action->parents[i].id));
        if (action->parents[i].type.len > 0)
            good &= put(item, "type", text_json(action->parents[i].type));
        good &= json_array_append_new(array, item) == 0;
    }
    return finish(array, good);
}

static json_t *action_json(const struct rv_doc_action *action)
{
    json_t *object = json_object();
    bool good = object != NULL;

    if (action->has_applies_to)
        good &= put(object, "appliesTo", applies_json(action));
    if (action->has_parents)
        good &= put(object, "memberOf", parents_json(action));
    good = good && put_annotations(object, &action->annotations);
    return finish(object, good);
}

static json_t *namespace_json(const struct rv_doc_namespace *space)
{
    json_t *object = json_object(), *commons = json_object(), *entities = json_object(),
           *actions = json_object();
    bool good = true;

    for (const struct rv_doc_common *doc = space->commons; doc; doc = doc->next)
        good &= put_text_key(commons, doc->name.text, common_json(doc));
    for (const struct rv_doc_entity *doc = space->entities; doc; doc = doc->next)
        good &= put_text_key(entities, doc->name.text, entity_json(doc));
    for (const struct rv_doc_action *doc = space->actions; doc; doc = doc->next)
        good &= put_text_key(actions, doc->id.text, action_json(doc));
    if (space->commons)
        good &= put(object, "commonTypes", json_incref(commons));
    good &= put(object, "entityTypes", entities);
    good &= put(object, "actions", actions);
    good = good && put_annotations(object, &space->annotations);
    json_decref(commons);
    return finish(object, good);
}

json_t *rv_schema_to_json(const struct rv_schema *schema)
{
    json_t *object = json_object();
    bool good = object != NULL;

    for (const struct rv_doc_namespace *space = schema->namespaces; space; space = space->next)
        good &= put_text_key(object, space->name.text, namespace_json(space));
    return finish(object, good);
}
