/* SPDX-License-Identifier: Apache-2.0 */
/* Validation of entities and requests: values against the types that a schema declares. */
#include "policy/schema.h"

#include <stdarg.h>
#include <stdio.h>

struct validator {
    const struct rv_schema *schema;
    struct rv_diags *diags;
    struct rv_buf where; /* what is looked at: `User::"a"`, attribute `address`.city */
    size_t errors;
};

static void validator_done(struct validator *validator)
{
    rv_buf_done(&validator->where);
}

static void report(struct validator *validator, const char *code, const char *help,
                   const char *format, ...) RV_PRINTF(4, 5);

static void report(struct validator *validator, const char *code, const char *help,
                   const char *format, ...)
{
    char message[400];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    validator->errors++;
    rv_diag_add(validator->diags, RV_DIAG_ERROR, code, (struct rv_diag_at){ 0 }, help, "%.200s: %s",
                validator->where.data ? validator->where.data : "data", message);
}

/** Begin a new place. */
static void set_where(struct validator *validator, const char *what, const struct rv_uid *uid)
{
    rv_buf_clear(&validator->where);
    rv_buf_add_str(&validator->where, what);
    if (uid)
        rv_uid_print(&validator->where, uid);
}

/** Go one step further in; leave_where() with the answer goes back. */
static size_t enter_where(struct validator *validator, const char *between, struct rv_text name)
{
    size_t len = validator->where.len;

    rv_buf_add_str(&validator->where, between);
    rv_key_print(&validator->where, name);
    return len;
}

static void leave_where(struct validator *validator, size_t len)
{
    if (validator->where.failed || !validator->where.data)
        return;
    validator->where.len = len;
    validator->where.data[len] = '\0';
}

/* ---- Ids ---- */
static struct rv_text id_at(const void *entity, size_t i)
{
    return ((const struct rv_schema_entity *)entity)->ids[i];
}

static void check_id(struct validator *validator, const struct rv_uid *uid)
{
    const struct rv_schema_entity *entity = rv_schema_entity(validator->schema, uid->type);
    char near[100], help[140];
    bool found;

    if (!entity || !entity->ids)
        return;
    for (uint32_t i = 0; i < entity->id_count; i++) {
        if (rv_text_eq(entity->ids[i], uid->id))
            return;
    }
    found = rv_diag_nearest(uid->id, entity->id_count, id_at, entity, near, sizeof(near));
    (void)snprintf(help, sizeof(help), "did you mean \"%s\"?", found ? near : "");
    report(validator, "unknown-id", found ? help : NULL,
           "enumerated entity type `%.*s` has no id \"%.*s\"", RV_TEXT_ARGS(uid->type),
           RV_TEXT_ARGS(uid->id));
}

static struct rv_text entity_at(const void *schema, size_t i)
{
    return rv_schema_entity_at(schema, i)->name;
}

static void report_unknown_type(struct validator *validator, struct rv_text type)
{
    char near[100], help[140];
    bool found = rv_diag_nearest(type, rv_schema_entity_count(validator->schema), entity_at,
                                 validator->schema, near, sizeof(near));

    (void)snprintf(help, sizeof(help), "did you mean `%s`?", found ? near : "");
    report(validator, "unknown-type", found ? help : NULL, "the schema has no entity type `%.*s`",
           RV_TEXT_ARGS(type));
}

/* ---- Values ---- */
static void check_value(struct validator *validator, const struct rv_type *type,
                        const struct rv_value *value);

static void report_mismatch(struct validator *validator, const struct rv_type *type,
                            const struct rv_value *value)
{
    RV_AUTO(rv_buf_done) struct rv_buf wanted = { 0 }, found = { 0 };

    rv_type_print(&wanted, type);
    if (value->kind == RV_VALUE_ENTITY)
        rv_uid_print(&found, value->uid);
    else
        rv_buf_addf(&found, "a value of type %s",
                    rv_value_kind_name((enum rv_value_kind)value->kind));
    report(validator, "wrong-type", NULL, "expected %.100s, found %.100s",
           wanted.data ? wanted.data : "?", found.data ? found.data : "?");
}

static struct rv_text field_at(const void *type, size_t i)
{
    return ((const struct rv_type *)type)->fields[i].name;
}

static void report_unexpected(struct validator *validator, const struct rv_type *type,
                              struct rv_text key)
{
    char near[80], help[120];
    bool found =
        rv_diag_nearest(key, type->field_count, field_at, type, near, sizeof(near)) != NULL;

    (void)snprintf(help, sizeof(help), "did you mean `%s`?", found ? near : "");
    report(validator, "unknown-attribute", found ? help : NULL,
           "attribute `%.*s` is not declared in the schema", RV_TEXT_ARGS(key));
}

/** Both are sorted by name: walk them side by side. */
static void check_fields(struct validator *validator, const struct rv_type *type,
                         struct rv_fields fields, const char *between)
{
    uint32_t i = 0, k = 0;

    while (i < type->field_count || k < fields.count) {
        const struct rv_type_field *declared = &type->fields[i];
        int order = i == type->field_count ? 1
                    : k == fields.count    ? -1
                                           : rv_text_compare(declared->name, fields.items[k].key);

        if (order > 0) {
            report_unexpected(validator, type, fields.items[k++].key);
            continue;
        }
        if (order < 0 && declared->required)
            report(validator, "missing-attribute", NULL, "required attribute `%.*s` is missing",
                   RV_TEXT_ARGS(declared->name));
        if (order == 0) {
            size_t len = enter_where(validator, between, declared->name);

            check_value(validator, declared->type, &fields.items[k++].value);
            leave_where(validator, len);
        }
        i++;
    }
}

static void check_value(struct validator *validator, const struct rv_type *type,
                        const struct rv_value *value)
{
    if (type->kind != value->kind ||
        (type->kind == RV_VALUE_ENTITY && !rv_text_eq(type->entity_type, value->uid->type))) {
        report_mismatch(validator, type, value);
        return;
    }
    if (type->kind == RV_VALUE_ENTITY)
        check_id(validator, value->uid);
    else if (type->kind == RV_VALUE_RECORD)
        check_fields(validator, type, rv_record_fields(value), ".");
    for (uint32_t i = 0; type->kind == RV_VALUE_SET && i < value->count; i++)
        check_value(validator, type->element, &value->items[i]);
}

/* ---- Entities ---- */
static void check_tags(struct validator *validator, const struct rv_schema_entity *declared,
                       struct rv_fields tags)
{
    if (!declared->tags && tags.count > 0)
        report(validator, "no-tags", "declare `tags` for it in the schema",
               "entities of type `%.*s` have no tags", RV_TEXT_ARGS(declared->name));
    for (uint32_t i = 0; declared->tags && i < tags.count; i++) {
        size_t len = enter_where(validator, ", tag ", tags.items[i].key);

        check_value(validator, declared->tags, &tags.items[i].value);
        leave_where(validator, len);
    }
}

static void check_ancestor(struct validator *validator, const struct rv_schema_entity *declared,
                           const struct rv_uid *ancestor)
{
    const struct rv_schema_entity *above = rv_schema_entity(validator->schema, ancestor->type);

    check_id(validator, ancestor);
    if (!above || !rv_schema_entity_in(validator->schema, declared, above))
        report(validator, "wrong-parent", NULL,
               "an entity of type `%.*s` cannot be in one of type `%.*s`",
               RV_TEXT_ARGS(declared->name), RV_TEXT_ARGS(ancestor->type));
}

static bool has_parent(const struct rv_entity *entity, const struct rv_uid *uid)
{
    for (uint32_t i = 0; i < entity->parent_count; i++) {
        if (rv_uid_eq(entity->parents[i].uid, uid))
            return true;
    }
    return false;
}

/** An action must be just what the schema says: its ancestors, no attributes, no tags. */
static void check_action(struct validator *validator, const struct rv_entity *entity)
{
    const struct rv_schema *schema = validator->schema;
    const struct rv_schema_action *action = rv_schema_action(schema, &entity->uid);
    bool same = true;

    if (!action) {
        report(validator, "unknown-action", NULL, "the schema has no such action");
        return;
    }
    if (entity->attrs.count > 0 || entity->tags.count > 0)
        report(validator, "action-data", NULL, "actions have neither attributes nor tags");
    for (uint32_t i = 0; i < entity->parent_count; i++) {
        const struct rv_schema_action *above = rv_schema_action(schema, entity->parents[i].uid);

        same &= above && rv_schema_action_in(schema, action, above);
    }
    for (size_t i = 0; i < rv_schema_action_count(schema); i++) {
        const struct rv_schema_action *above = rv_schema_action_at(schema, i);

        if (rv_schema_action_in(schema, action, above))
            same &= has_parent(entity, &above->uid);
    }
    if (!same)
        report(validator, "wrong-parent", "leave actions out: they come from the schema",
               "the action is in other groups than the schema says");
}

static void check_entity(struct validator *validator, const struct rv_entity *entity)
{
    const struct rv_schema_entity *declared = rv_schema_entity(validator->schema, entity->uid.type);

    set_where(validator, "entity ", &entity->uid);
    if (rv_type_is_action(entity->uid.type)) {
        check_action(validator, entity);
        return;
    }
    if (!declared) {
        report_unknown_type(validator, entity->uid.type);
        return;
    }
    check_id(validator, &entity->uid);
    check_fields(validator, declared->attrs, entity->attrs, ", attribute ");
    check_tags(validator, declared, entity->tags);
    for (uint32_t i = 0; i < entity->parent_count; i++)
        check_ancestor(validator, declared, entity->parents[i].uid);
}

int rv_validate_entity(const struct rv_schema *schema, const struct rv_entity *entity,
                       struct rv_diags *diags, enum rv_validity *ret_validity)
{
    RV_AUTO(validator_done) struct validator validator = { .schema = schema, .diags = diags };

    check_entity(&validator, entity);
    *ret_validity = validator.errors == 0 ? RV_VALID : RV_INVALID;
    return 0;
}

int rv_validate_entities(const struct rv_schema *schema, const struct rv_entities *entities,
                         struct rv_diags *diags, enum rv_validity *ret_validity)
{
    RV_AUTO(validator_done) struct validator validator = { .schema = schema, .diags = diags };

    for (size_t i = 0; i < rv_entities_count(entities); i++)
        check_entity(&validator, rv_entities_at(entities, i));
    *ret_validity = validator.errors == 0 ? RV_VALID : RV_INVALID;
    return 0;
}

/* ---- Requests ---- */
/** Is the entity declared, and one of the types that the action applies to? */
static void check_actor(struct validator *validator, const struct rv_uid *uid, const char *what,
                        const struct rv_schema_action *action,
                        const struct rv_schema_entity *const *types, uint32_t count)
{
    const struct rv_schema_entity *declared = rv_schema_entity(validator->schema, uid->type);
    RV_AUTO(rv_buf_done) struct rv_buf help = { 0 };

    set_where(validator, what, uid);
    if (!declared) {
        report_unknown_type(validator, uid->type);
        return;
    }
    check_id(validator, uid);
    if (!action)
        return;
    for (uint32_t i = 0; i < count; i++) {
        if (types[i] == declared)
            return;
        rv_buf_addf(&help, "%s`%.*s`", i > 0 ? ", " : "it applies to ",
                    RV_TEXT_ARGS(types[i]->name));
    }
    report(validator, "not-applicable",
           count > 0 ? help.data : "it is a group of actions and applies to nothing",
           "action \"%.*s\" does not apply to entities of type `%.*s`",
           RV_TEXT_ARGS(action->uid.id), RV_TEXT_ARGS(uid->type));
}

int rv_validate_request(const struct rv_schema *schema, const struct rv_policy_request *request,
                        struct rv_diags *diags, enum rv_validity *ret_validity)
{
    RV_AUTO(validator_done) struct validator validator = { .schema = schema, .diags = diags };
    const struct rv_schema_action *action = rv_schema_action(schema, request->action);

    check_actor(&validator, request->principal, "principal ", action,
                action ? action->principals : NULL, action ? action->principal_count : 0);
    check_actor(&validator, request->resource, "resource ", action,
                action ? action->resources : NULL, action ? action->resource_count : 0);
    set_where(&validator, "action ", request->action);
    if (!action) {
        report(&validator, "unknown-action", NULL, "the schema has no such action");
    } else {
        set_where(&validator, "context", NULL);
        check_fields(&validator, action->context, request->context, ".");
    }
    *ret_validity = validator.errors == 0 ? RV_VALID : RV_INVALID;
    return 0;
}
