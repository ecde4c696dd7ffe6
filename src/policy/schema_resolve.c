/* SPDX-License-Identifier: Apache-2.0 */
/* Gives meaning to a schema's declarations: which name is which type, who is above whom.
 *
 * A name without `::` means the one of its own namespace, else the one of the empty namespace; in
 * either, a common type goes before an entity type of the same name. Built-in types live in
 * `__cedar` and are seen in the empty namespace unless somebody declared their name there. */
#include "schema_doc.h"

#include <stdarg.h>
#include <stdio.h>

enum common_state { COMMON_NEW, COMMON_BUSY, COMMON_DONE, COMMON_BAD };

struct common {
    struct rv_text name; /* qualified */
    struct rv_text space;
    const struct rv_doc_common *doc; /* NULL: built in, then `type` is there from the start */
    const struct rv_type *type;
    unsigned depth;
    enum common_state state;
};

/** An entity type or action on its way from its declaration to its meaning. */
struct entity_source {
    const struct rv_doc_entity *doc;
    struct rv_text space;
};

struct action_source {
    const struct rv_doc_action *doc;
    const struct rv_doc_namespace *space;
};

struct resolver {
    struct rv_schema *schema;
    struct rv_diags *diags;
    struct common *commons;
    uint32_t common_count;
    struct rv_name_index common_index;
    struct rv_type *references; /* the type of a reference to entity type i */
    struct entity_source *entity_sources;
    struct action_source *action_sources;
    bool failed, no_memory;
};

static void report(struct resolver *resolver, enum rv_diag_level level, const char *code,
                   struct rv_loc loc, const char *help, const char *format, ...) RV_PRINTF(6, 7);

static void report(struct resolver *resolver, enum rv_diag_level level, const char *code,
                   struct rv_loc loc, const char *help, const char *format, ...)
{
    char message[400];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    resolver->failed |= level == RV_DIAG_ERROR;
    rv_diag_add(resolver->diags, level, code,
                (struct rv_diag_at){ .source = resolver->schema->source, .loc = loc }, help, "%s",
                message);
}

/* ---- Finding declarations ---- */
static struct common *find_common(const struct resolver *resolver, struct rv_text name)
{
    uint32_t at = 0, i;

    while (rv_name_index_next(&resolver->common_index, name.hash, &at, &i)) {
        if (rv_text_eq(resolver->commons[i].name, name))
            return &resolver->commons[i];
    }
    return NULL;
}

static const struct rv_doc_namespace *find_space(const struct resolver *resolver,
                                                 struct rv_text name)
{
    const struct rv_doc_namespace *space = resolver->schema->namespaces;

    while (space && !rv_text_eq(space->name.text, name))
        space = space->next;
    return space;
}

/** `Action` is an entity type in every namespace that has actions. */
static bool is_action_type(const struct resolver *resolver, struct rv_text name)
{
    const struct rv_doc_namespace *space;
    uint32_t base = rv_path_base(name).len;

    if (!rv_type_is_action(name))
        return false;
    space = find_space(resolver,
                       base == name.len ? rv_text("", 0) : rv_text(name.data, name.len - base - 2));
    return space && space->actions;
}

static bool is_unqualified(struct rv_text name)
{
    return rv_path_base(name).len == name.len;
}

/** The names that `name` may stand for in `space`, best first. @return how many, 0 without memory.
 */
static unsigned candidates(struct resolver *resolver, struct rv_text space, struct rv_text name,
                           struct rv_text ret[2])
{
    if (space.len == 0 || !is_unqualified(name)) {
        ret[0] = name;
        return 1;
    }
    ret[0] = rv_path_join(&resolver->schema->arena, space, name);
    ret[1] = name;
    if (!ret[0].data)
        resolver->no_memory = true;
    return ret[0].data ? 2 : 0;
}

/* ---- Suggestions for names that are not declared ---- */
enum want { WANT_COMMON = 1, WANT_ENTITY = 2, WANT_ACTION = 4 };

struct names {
    struct rv_text *items;
    size_t count;
};

static struct rv_text name_at(const void *names, size_t i)
{
    return ((const struct names *)names)->items[i];
}

/** As an author in `space` would write `name`. */
static struct rv_text as_written(struct rv_text name, struct rv_text space)
{
    struct rv_text base = rv_path_base(name);

    if (base.len + space.len + 2 == name.len && memcmp(name.data, space.data, space.len) == 0)
        return base;
    return name;
}

/** Fill `help` with the declared name nearest to `name`. @return `help`, or NULL when none is near.
 */
static const char *suggest(const struct resolver *resolver, struct rv_text space,
                           struct rv_text name, unsigned want, char *help, size_t room)
{
    const struct rv_schema *schema = resolver->schema;
    RV_AUTO(rv_freep) struct rv_text *items = NULL;
    struct names names;
    char near[80];

    items = calloc((size_t)resolver->common_count + schema->entity_count + schema->action_count + 1,
                   sizeof(*items));
    names = (struct names){ items, 0 };
    if (!items)
        return NULL;
    for (uint32_t i = 0; (want & WANT_COMMON) && i < resolver->common_count; i++)
        items[names.count++] = as_written(resolver->commons[i].name, space);
    for (uint32_t i = 0; (want & WANT_ENTITY) && i < schema->entity_count; i++)
        items[names.count++] = as_written(schema->entities[i].name, space);
    for (uint32_t i = 0; (want & WANT_ACTION) && i < schema->action_count; i++)
        items[names.count++] = schema->actions[i].uid.id;
    if (!rv_diag_nearest(name, names.count, name_at, &names, near, sizeof(near)))
        return NULL;
    (void)snprintf(help, room, "did you mean `%s`?", near);
    return help;
}

static void report_undeclared(struct resolver *resolver, struct rv_text space, struct rv_text name,
                              unsigned want, struct rv_loc loc)
{
    char help[120];
    const char *what = want == WANT_ENTITY   ? "an entity type"
                       : want == WANT_COMMON ? "a common type"
                                             : "a type";

    if (want == WANT_ENTITY && find_common(resolver, name))
        report(resolver, RV_DIAG_ERROR, "unknown-type", loc, "name an entity type",
               "`%.*s` is a common type, but an entity type belongs here", RV_TEXT_ARGS(name));
    else
        report(resolver, RV_DIAG_ERROR, "unknown-type", loc,
               suggest(resolver, space, name, want, help, sizeof(help)),
               "`%.*s` is not declared as %s", RV_TEXT_ARGS(name), what);
}

/* ---- Types ---- */
struct scope {
    struct rv_text space;
    unsigned depth;
};

static const struct rv_type *resolve_type(struct resolver *resolver, struct scope scope,
                                          const struct rv_doc_type *doc, unsigned *ret_height);

static const struct rv_type *new_type(struct resolver *resolver, struct rv_type content)
{
    struct rv_type *type = rv_arena_alloc(&resolver->schema->arena, sizeof(*type));

    if (!type) {
        resolver->no_memory = true;
        return NULL;
    }
    *type = content;
    return type;
}

/** Resolve a common type once. @return NULL when it is wrong: that was reported. */
static const struct rv_type *resolve_common(struct resolver *resolver, struct common *common,
                                            unsigned depth, struct rv_loc loc)
{
    if (common->state == COMMON_BUSY) {
        common->state = COMMON_BAD;
        report(resolver, RV_DIAG_ERROR, "type-cycle", loc, "a type cannot contain itself",
               "common type `%.*s` is defined by itself", RV_TEXT_ARGS(common->name));
    }
    if (common->state == COMMON_NEW) {
        common->state = COMMON_BUSY;
        common->type = resolve_type(resolver, (struct scope){ common->space, depth },
                                    common->doc->type, &common->depth);
        if (common->state == COMMON_BUSY)
            common->state = common->type ? COMMON_DONE : COMMON_BAD;
    }
    return common->state == COMMON_DONE ? common->type : NULL;
}

static const struct rv_type *resolve_name(struct resolver *resolver, struct scope scope,
                                          const struct rv_doc_type *doc, unsigned want,
                                          unsigned *ret_height)
{
    struct rv_text names[2];
    unsigned count = candidates(resolver, scope.space, doc->name, names);

    for (unsigned i = 0; i < count; i++) {
        struct common *common = want & WANT_COMMON ? find_common(resolver, names[i]) : NULL;
        const struct rv_schema_entity *entity;

        if (common) {
            const struct rv_type *type =
                resolve_common(resolver, common, scope.depth + 1, doc->loc);

            *ret_height = common->depth;
            return type;
        }
        entity = want & WANT_ENTITY ? rv_schema_entity(resolver->schema, names[i]) : NULL;
        *ret_height = 1;
        if (entity)
            return &resolver->references[entity->index];
        if ((want & WANT_ENTITY) && is_action_type(resolver, names[i]))
            return new_type(resolver,
                            (struct rv_type){ .kind = RV_VALUE_ENTITY, .entity_type = names[i] });
    }
    if (count > 0)
        report_undeclared(resolver, scope.space, doc->name, want, doc->loc);
    return NULL;
}

static int compare_fields(const void *a, const void *b)
{
    const struct rv_doc_field *first = *(const struct rv_doc_field *const *)a;
    const struct rv_doc_field *second = *(const struct rv_doc_field *const *)b;
    int order = rv_text_compare(first->name, second->name);

    if (order != 0)
        return order;
    return first->loc.start < second->loc.start ? -1 : first->loc.start > second->loc.start;
}

/** The fields of a record by name. @return how many; `*ret` is NULL when out of memory. */
static uint32_t sort_fields(struct resolver *resolver, const struct rv_doc_type *doc,
                            const struct rv_doc_field ***ret)
{
    uint32_t count = 0;

    for (const struct rv_doc_field *field = doc->fields; field; field = field->next)
        count++;
    *ret = rv_arena_array(&resolver->schema->arena, count, sizeof(const struct rv_doc_field *));
    count = 0;
    for (const struct rv_doc_field *field = doc->fields; *ret && field; field = field->next)
        (*ret)[count++] = field;
    if (count > 1)
        qsort(*ret, count, sizeof(const struct rv_doc_field *), compare_fields);
    return count;
}

static const struct rv_type *resolve_record(struct resolver *resolver, struct scope scope,
                                            const struct rv_doc_type *doc, unsigned *ret_height)
{
    const struct rv_doc_field **sorted;
    uint32_t count = sort_fields(resolver, doc, &sorted), kept = 0;
    struct rv_type_field *fields = rv_arena_array(&resolver->schema->arena, count, sizeof(*fields));
    bool good = true;

    if (!sorted || !fields) {
        resolver->no_memory = true;
        return NULL;
    }
    scope.depth++;
    *ret_height = 1;
    for (uint32_t i = 0; i < count; i++) {
        unsigned height = 0;
        const struct rv_type *type = resolve_type(resolver, scope, sorted[i]->type, &height);

        good &= type != NULL;
        if (height + 1 > *ret_height)
            *ret_height = height + 1;
        if (i + 1 < count && rv_text_eq(sorted[i]->name, sorted[i + 1]->name))
            report(resolver, RV_DIAG_WARNING, "duplicate-attribute", sorted[i]->loc,
                   "remove one of them: the last one counts", "attribute `%.*s` is declared twice",
                   RV_TEXT_ARGS(sorted[i]->name));
        else
            fields[kept++] = (struct rv_type_field){ sorted[i]->name, type, sorted[i]->required };
    }
    if (!good)
        return NULL;
    return new_type(resolver, (struct rv_type){
                                  .kind = RV_VALUE_RECORD, .fields = fields, .field_count = kept });
}

static const struct rv_type *resolve_extension(struct resolver *resolver,
                                               const struct rv_doc_type *doc)
{
    enum rv_value_kind kind = rv_type_extension(doc->name);

    if (kind != RV_VALUE_NONE)
        return rv_type_basic(kind);
    report(resolver, RV_DIAG_ERROR, "unknown-type", doc->loc,
           "there are ipaddr, decimal, datetime and duration", "no extension type is called `%.*s`",
           RV_TEXT_ARGS(doc->name));
    return NULL;
}

/** @param ret_height levels of the type, common types expanded. @return NULL: reported. */
static const struct rv_type *resolve_type(struct resolver *resolver, struct scope scope,
                                          const struct rv_doc_type *doc, unsigned *ret_height)
{
    const struct rv_type *element;

    *ret_height = 1;
    if (scope.depth > RV_SCHEMA_DEPTH_MAX) {
        report(resolver, RV_DIAG_ERROR, "schema-size", doc->loc, NULL,
               "with its common types written out, this type is nested deeper than %d",
               RV_SCHEMA_DEPTH_MAX);
        return NULL;
    }
    switch ((enum rv_doc_type_kind)doc->kind) {
    case RV_DOC_BOOL:
        return rv_type_basic(RV_VALUE_BOOL);
    case RV_DOC_LONG:
        return rv_type_basic(RV_VALUE_LONG);
    case RV_DOC_STRING:
        return rv_type_basic(RV_VALUE_STRING);
    case RV_DOC_EXTENSION:
        return resolve_extension(resolver, doc);
    case RV_DOC_NAME:
        return resolve_name(resolver, scope, doc, WANT_COMMON | WANT_ENTITY, ret_height);
    case RV_DOC_ENTITY:
        return resolve_name(resolver, scope, doc, WANT_ENTITY, ret_height);
    case RV_DOC_COMMON:
        return resolve_name(resolver, scope, doc, WANT_COMMON, ret_height);
    case RV_DOC_RECORD:
        return resolve_record(resolver, scope, doc, ret_height);
    case RV_DOC_SET:
        break;
    }
    scope.depth++;
    element = resolve_type(resolver, scope, doc->element, ret_height);
    ++*ret_height;
    return element
               ? new_type(resolver, (struct rv_type){ .kind = RV_VALUE_SET, .element = element })
               : NULL;
}

/** A type as a whole; a common type used inside may make it deeper than it looks. */
static const struct rv_type *resolve_whole(struct resolver *resolver, struct rv_text space,
                                           const struct rv_doc_type *doc)
{
    unsigned height = 0;
    const struct rv_type *type = resolve_type(resolver, (struct scope){ space, 1 }, doc, &height);

    if (type && height > RV_SCHEMA_DEPTH_MAX) {
        report(resolver, RV_DIAG_ERROR, "schema-size", doc->loc, NULL,
               "with its common types written out, this type is nested deeper than %d",
               RV_SCHEMA_DEPTH_MAX);
        return NULL;
    }
    return type;
}

static const struct rv_type *resolve_whole_record(struct resolver *resolver, struct rv_text space,
                                                  const struct rv_doc_type *doc, const char *what)
{
    const struct rv_type *type = doc ? resolve_whole(resolver, space, doc) : &rv_type_empty_record;

    if (type && type->kind != RV_VALUE_RECORD)
        report(resolver, RV_DIAG_ERROR, "not-a-record", doc->loc, NULL, "%s must be a record",
               what);
    return type && type->kind == RV_VALUE_RECORD ? type : &rv_type_empty_record;
}

/* ---- Declaring ---- */
static bool is_reserved_common(struct rv_text name)
{
    static const char *const words[] = {
        "Bool", "Boolean", "Entity", "Extension", "Long", "Record", "Set", "String",
    };

    for (size_t i = 0; i < RV_COUNT(words); i++) {
        if (rv_text_is(name, words[i]))
            return true;
    }
    return false;
}

static bool is_builtin(struct rv_text name)
{
    return rv_text_is(name, "Bool") || rv_text_is(name, "Long") || rv_text_is(name, "String") ||
           rv_type_extension(name) != RV_VALUE_NONE;
}

static void check_declared_name(struct resolver *resolver, const struct rv_doc_name *name)
{
    if (rv_is_internal_path(name->text))
        report(resolver, RV_DIAG_ERROR, "reserved-name", name->loc, "choose another name",
               "`%.*s`: names with `__cedar` belong to the language", RV_TEXT_ARGS(name->text));
    else if (is_builtin(name->text))
        report(resolver, RV_DIAG_WARNING, "shadows-builtin", name->loc,
               "rename it, or write `__cedar::` where you mean the built-in type",
               "`%.*s` hides the built-in type of that name", RV_TEXT_ARGS(name->text));
}

static void report_duplicate(struct resolver *resolver, const char *what, struct rv_doc_name name)
{
    report(resolver, RV_DIAG_ERROR, "duplicate", name.loc, "remove or rename one of them",
           "%s `%.*s` is declared twice", what, RV_TEXT_ARGS(name.text));
}

static bool add_common(struct resolver *resolver, const struct rv_doc_namespace *space,
                       const struct rv_doc_common *doc)
{
    struct common common = { .doc = doc, .space = space->name.text };

    check_declared_name(resolver, &doc->name);
    if (is_reserved_common(doc->name.text))
        report(resolver, RV_DIAG_ERROR, "reserved-name", doc->name.loc, "choose another name",
               "a common type cannot be called `%.*s`", RV_TEXT_ARGS(doc->name.text));
    common.name = rv_path_join(&resolver->schema->arena, common.space, doc->name.text);
    if (!common.name.data)
        return false;
    if (find_common(resolver, common.name)) {
        report_duplicate(resolver, "common type", doc->name);
        return true;
    }
    rv_name_index_add(&resolver->common_index, common.name.hash, resolver->common_count);
    resolver->commons[resolver->common_count++] = common;
    return true;
}

static bool add_entity(struct resolver *resolver, const struct rv_doc_namespace *space,
                       const struct rv_doc_entity *doc)
{
    struct rv_schema *schema = resolver->schema;
    struct rv_schema_entity entity = {
        .name = rv_path_join(&schema->arena, space->name.text, doc->name.text),
        .attrs = &rv_type_empty_record,
        .ids = doc->ids,
        .id_count = doc->id_count,
        .index = schema->entity_count,
        .loc = doc->name.loc,
    };

    check_declared_name(resolver, &doc->name);
    if (rv_text_is(doc->name.text, "Action"))
        report(resolver, RV_DIAG_ERROR, "reserved-name", doc->name.loc,
               "declare actions with `action`", "an entity type cannot be called `Action`");
    if (!entity.name.data)
        return false;
    if (rv_schema_entity(schema, entity.name)) {
        report_duplicate(resolver, "entity type", doc->name);
        return true;
    }
    rv_name_index_add(&schema->entity_index, entity.name.hash, entity.index);
    schema->entities[schema->entity_count] = entity;
    resolver->references[entity.index] =
        (struct rv_type){ .kind = RV_VALUE_ENTITY, .entity_type = entity.name };
    resolver->entity_sources[schema->entity_count++] =
        (struct entity_source){ doc, space->name.text };
    return true;
}

static bool add_action(struct resolver *resolver, const struct rv_doc_namespace *space,
                       const struct rv_doc_action *doc)
{
    struct rv_schema *schema = resolver->schema;
    struct rv_schema_action action = {
        .context = &rv_type_empty_record,
        .index = schema->action_count,
        .loc = doc->id.loc,
    };
    struct rv_text type = rv_path_join(&schema->arena, space->name.text, rv_text_str("Action"));

    if (!type.data)
        return false;
    action.uid = rv_uid(type, doc->id.text);
    if (rv_schema_action(schema, &action.uid)) {
        report_duplicate(resolver, "action", doc->id);
        return true;
    }
    rv_name_index_add(&schema->action_index, (uint32_t)action.uid.hash, action.index);
    schema->actions[schema->action_count] = action;
    resolver->action_sources[schema->action_count++] = (struct action_source){ doc, space };
    return true;
}

static bool declare(struct resolver *resolver)
{
    for (struct rv_doc_namespace *space = resolver->schema->namespaces; space;
         space = space->next) {
        if (rv_is_internal_path(space->name.text))
            check_declared_name(resolver, &space->name);
        for (const struct rv_doc_namespace *other = resolver->schema->namespaces; other != space;
             other = other->next) {
            if (rv_text_eq(other->name.text, space->name.text))
                report_duplicate(resolver, "namespace", space->name);
        }
        for (struct rv_doc_common *doc = space->commons; doc; doc = doc->next) {
            if (!add_common(resolver, space, doc))
                return false;
        }
        for (struct rv_doc_entity *doc = space->entities; doc; doc = doc->next) {
            if (!add_entity(resolver, space, doc))
                return false;
        }
        for (struct rv_doc_action *doc = space->actions; doc; doc = doc->next) {
            if (!add_action(resolver, space, doc))
                return false;
        }
    }
    return true;
}

static void add_builtin(struct resolver *resolver, struct rv_text name, enum rv_value_kind kind)
{
    rv_name_index_add(&resolver->common_index, name.hash, resolver->common_count);
    resolver->commons[resolver->common_count++] = (struct common){
        .name = name,
        .type = rv_type_basic(kind),
        .depth = 1,
        .state = COMMON_DONE,
    };
}

/** `__cedar::Long` always, `Long` where nobody declared another. */
static bool declare_builtins(struct resolver *resolver)
{
    static const enum rv_value_kind kinds[] = {
        RV_VALUE_BOOL,    RV_VALUE_LONG,     RV_VALUE_STRING,   RV_VALUE_IP,
        RV_VALUE_DECIMAL, RV_VALUE_DATETIME, RV_VALUE_DURATION,
    };
    struct rv_arena *arena = &resolver->schema->arena;

    for (size_t i = 0; i < RV_COUNT(kinds); i++) {
        RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
        struct rv_text name, full;

        rv_type_print(&buf, rv_type_basic(kinds[i]));
        name = buf.failed ? (struct rv_text){ 0 } : rv_arena_text(arena, buf.data, buf.len);
        full = name.data ? rv_path_join(arena, rv_text_str("__cedar"), name) : name;
        if (!full.data)
            return false;
        add_builtin(resolver, full, kinds[i]);
        if (!find_common(resolver, name) && !rv_schema_entity(resolver->schema, name))
            add_builtin(resolver, name, kinds[i]);
    }
    return true;
}

/** A name of the empty namespace must not be declared again in another one. */
static void check_shadowing(struct resolver *resolver)
{
    const struct rv_schema *schema = resolver->schema;
    const struct rv_doc_namespace *space = schema->namespaces;
    static const char help[] = "rename one of them, so that nobody mistakes which is meant";

    for (; space; space = space->next) {
        if (space->name.text.len == 0)
            continue;
        for (const struct rv_doc_common *doc = space->commons; doc; doc = doc->next) {
            if (find_common(resolver, doc->name.text) || rv_schema_entity(schema, doc->name.text))
                report(resolver, RV_DIAG_ERROR, "shadowing", doc->name.loc, help,
                       "common type `%.*s` hides the type of that name in the empty namespace",
                       RV_TEXT_ARGS(doc->name.text));
        }
        for (const struct rv_doc_entity *doc = space->entities; doc; doc = doc->next) {
            if (find_common(resolver, doc->name.text) || rv_schema_entity(schema, doc->name.text))
                report(resolver, RV_DIAG_ERROR, "shadowing", doc->name.loc, help,
                       "entity type `%.*s` hides the type of that name in the empty namespace",
                       RV_TEXT_ARGS(doc->name.text));
        }
        for (const struct rv_doc_action *doc = space->actions; doc; doc = doc->next) {
            struct rv_uid plain = rv_uid(rv_text_str("Action"), doc->id.text);

            if (rv_schema_action(schema, &plain))
                report(resolver, RV_DIAG_ERROR, "shadowing", doc->id.loc, help,
                       "action `%.*s` hides the action of that name in the empty namespace",
                       RV_TEXT_ARGS(doc->id.text));
        }
    }
}

/* ---- Who is above whom ---- */
struct graph {
    uint32_t count;
    uint32_t **edges; /* of node i: its parents */
    uint32_t *edge_counts;
};

static bool graph_init(struct resolver *resolver, struct graph *graph, uint32_t count)
{
    graph->count = count;
    graph->edges = rv_arena_array(&resolver->schema->arena, count, sizeof(*graph->edges));
    graph->edge_counts =
        rv_arena_array(&resolver->schema->arena, count, sizeof(*graph->edge_counts));
    return graph->edges && graph->edge_counts;
}

static bool graph_room(struct resolver *resolver, struct graph *graph, uint32_t node,
                       uint32_t edges)
{
    graph->edges[node] =
        rv_arena_array(&resolver->schema->arena, edges, sizeof(*graph->edges[node]));
    return graph->edges[node] != NULL;
}

static void graph_add(struct graph *graph, uint32_t node, uint32_t parent)
{
    graph->edges[node][graph->edge_counts[node]++] = parent;
}

/** Tarjan's strongly connected components without recursion: parents come out before children. */
struct walk {
    const struct graph *graph;
    struct rv_closure *closure;
    uint32_t *order, *low; /* 0: not seen */
    uint32_t *open;        /* nodes whose component is not complete */
    uint32_t *path, *next_edge;
    bool *is_open;
    uint32_t seen, open_count, path_count;
    uint32_t loop; /* a node above itself, or graph->count */
};

static bool walk_init(struct resolver *resolver, struct walk *walk)
{
    struct rv_arena *arena = &resolver->schema->arena;
    uint32_t count = walk->graph->count;
    struct rv_closure *closure = walk->closure;

    closure->words = (count + 63) / 64;
    closure->bits = rv_arena_array(arena, count * closure->words, sizeof(*closure->bits));
    walk->order = rv_arena_array(arena, count, sizeof(*walk->order));
    walk->low = rv_arena_array(arena, count, sizeof(*walk->low));
    walk->open = rv_arena_array(arena, count, sizeof(*walk->open));
    walk->path = rv_arena_array(arena, count, sizeof(*walk->path));
    walk->next_edge = rv_arena_array(arena, count, sizeof(*walk->next_edge));
    walk->is_open = rv_arena_array(arena, count, sizeof(*walk->is_open));
    walk->loop = count;
    return closure->bits && walk->order && walk->low && walk->open && walk->path &&
           walk->next_edge && walk->is_open;
}

static void walk_enter(struct walk *walk, uint32_t node)
{
    walk->order[node] = walk->low[node] = ++walk->seen;
    walk->open[walk->open_count++] = node;
    walk->is_open[node] = true;
    walk->path[walk->path_count++] = node;
}

static uint64_t *closure_row(struct rv_closure *closure, uint32_t node)
{
    return closure->bits + node * closure->words;
}

/** The component on top of `open` from `first` on is complete: all its nodes get the same row. */
static void walk_close(struct walk *walk, uint32_t first)
{
    struct rv_closure *closure = walk->closure;
    uint64_t *row = closure_row(closure, walk->open[first]);

    for (uint32_t i = first; i < walk->open_count; i++) {
        uint32_t node = walk->open[i];

        walk->is_open[node] = false;
        for (uint32_t k = 0; k < walk->graph->edge_counts[node]; k++) {
            uint32_t parent = walk->graph->edges[node][k];
            const uint64_t *above = closure_row(closure, parent);

            row[parent / 64] |= UINT64_C(1) << (parent % 64);
            for (size_t word = 0; above != row && word < closure->words; word++)
                row[word] |= above[word];
        }
    }
    if (rv_closure_has(closure, walk->open[first], walk->open[first]))
        walk->loop = walk->open[first];
    for (uint32_t i = first + 1; i < walk->open_count; i++)
        memcpy(closure_row(closure, walk->open[i]), row, closure->words * sizeof(*row));
    walk->open_count = first;
}

static void walk_leave(struct walk *walk, uint32_t node)
{
    walk->path_count--;
    if (walk->low[node] == walk->order[node]) {
        uint32_t first = walk->open_count - 1;

        while (walk->open[first] != node)
            first--;
        walk_close(walk, first);
    }
    if (walk->path_count > 0) {
        uint32_t below = walk->path[walk->path_count - 1];

        if (walk->low[node] < walk->low[below])
            walk->low[below] = walk->low[node];
    }
}

static void walk_from(struct walk *walk, uint32_t start)
{
    walk_enter(walk, start);
    while (walk->path_count > 0) {
        uint32_t node = walk->path[walk->path_count - 1], parent;

        if (walk->next_edge[node] == walk->graph->edge_counts[node]) {
            walk_leave(walk, node);
            continue;
        }
        parent = walk->graph->edges[node][walk->next_edge[node]++];
        if (walk->order[parent] == 0)
            walk_enter(walk, parent);
        else if (walk->is_open[parent] && walk->order[parent] < walk->low[node])
            walk->low[node] = walk->order[parent];
    }
}

/** @param ret_loop a node above itself, or the number of nodes. @return false without memory. */
static bool close_graph(struct resolver *resolver, const struct graph *graph,
                        struct rv_closure *closure, uint32_t *ret_loop)
{
    struct walk walk = { .graph = graph, .closure = closure };

    if (!walk_init(resolver, &walk)) {
        resolver->no_memory = true;
        return false;
    }
    for (uint32_t i = 0; i < graph->count; i++) {
        if (walk.order[i] == 0)
            walk_from(&walk, i);
    }
    *ret_loop = walk.loop;
    return true;
}

/* ---- Entity types and actions ---- */
static const struct rv_schema_entity *
resolve_entity_name(struct resolver *resolver, struct rv_text space, const struct rv_doc_name *name)
{
    struct rv_text names[2];
    unsigned count = candidates(resolver, space, name->text, names);

    for (unsigned i = 0; i < count; i++) {
        const struct rv_schema_entity *entity = rv_schema_entity(resolver->schema, names[i]);

        if (entity)
            return entity;
    }
    if (count > 0)
        report_undeclared(resolver, space, name->text, WANT_ENTITY, name->loc);
    return NULL;
}

static bool resolve_entities(struct resolver *resolver)
{
    struct rv_schema *schema = resolver->schema;
    struct graph graph;
    uint32_t loop;

    if (!graph_init(resolver, &graph, schema->entity_count))
        return false;
    for (uint32_t i = 0; i < schema->entity_count; i++) {
        const struct rv_doc_entity *doc = resolver->entity_sources[i].doc;
        struct rv_text space = resolver->entity_sources[i].space;

        if (!graph_room(resolver, &graph, i, doc->parents.count))
            return false;
        for (uint32_t k = 0; k < doc->parents.count; k++) {
            const struct rv_schema_entity *parent =
                resolve_entity_name(resolver, space, &doc->parents.items[k]);

            if (parent)
                graph_add(&graph, i, parent->index);
        }
        schema->entities[i].attrs =
            resolve_whole_record(resolver, space, doc->shape, "the shape of an entity type");
        if (doc->tags)
            schema->entities[i].tags = resolve_whole(resolver, space, doc->tags);
    }
    return close_graph(resolver, &graph, &schema->entity_above, &loop);
}

static const struct rv_schema_action *find_parent_action(struct resolver *resolver,
                                                         struct rv_text space,
                                                         const struct rv_doc_action_ref *ref)
{
    struct rv_text type = ref->type.len > 0 ? ref->type : rv_text_str("Action"), types[2];
    unsigned count = candidates(resolver, space, type, types);
    char help[120];

    for (unsigned i = 0; i < count; i++) {
        struct rv_uid uid = rv_uid(types[i], ref->id);
        const struct rv_schema_action *action = rv_schema_action(resolver->schema, &uid);

        if (action)
            return action;
    }
    if (count > 0)
        report(resolver, RV_DIAG_ERROR, "unknown-action", ref->loc,
               suggest(resolver, space, ref->id, WANT_ACTION, help, sizeof(help)),
               "action `%.*s` is not declared", RV_TEXT_ARGS(ref->id));
    return NULL;
}

/** The types of an `appliesTo` list, each once. */
static bool resolve_applies(struct resolver *resolver, struct rv_text space,
                            const struct rv_doc_names *names,
                            const struct rv_schema_entity *const **ret, uint32_t *ret_count)
{
    const struct rv_schema_entity **items = rv_arena_array(&resolver->schema->arena, names->count,
                                                           sizeof(const struct rv_schema_entity *));
    uint32_t count = 0;

    if (!items)
        return false;
    for (uint32_t i = 0; i < names->count; i++) {
        const struct rv_schema_entity *entity =
            resolve_entity_name(resolver, space, &names->items[i]);
        uint32_t k = 0;

        while (k < count && items[k] != entity)
            k++;
        if (entity && k == count)
            items[count++] = entity;
    }
    *ret = items;
    *ret_count = count;
    return true;
}

static bool resolve_action(struct resolver *resolver, uint32_t i, struct graph *graph)
{
    struct rv_schema_action *action = &resolver->schema->actions[i];
    const struct rv_doc_action *doc = resolver->action_sources[i].doc;
    struct rv_text space = resolver->action_sources[i].space->name.text;
    const struct rv_schema_action **parents = rv_arena_array(
        &resolver->schema->arena, doc->parent_count, sizeof(const struct rv_schema_action *));

    if (!parents || !graph_room(resolver, graph, i, doc->parent_count))
        return false;
    for (uint32_t k = 0; k < doc->parent_count; k++) {
        const struct rv_schema_action *parent =
            find_parent_action(resolver, space, &doc->parents[k]);

        if (parent) {
            parents[action->parent_count++] = parent;
            graph_add(graph, i, parent->index);
        }
    }
    action->parents = parents;
    action->context =
        resolve_whole_record(resolver, space, doc->context, "the context of an action");
    return resolve_applies(resolver, space, &doc->principals, &action->principals,
                           &action->principal_count) &&
           resolve_applies(resolver, space, &doc->resources, &action->resources,
                           &action->resource_count);
}

static bool resolve_actions(struct resolver *resolver)
{
    struct rv_schema *schema = resolver->schema;
    struct graph graph;
    uint32_t loop;

    if (!graph_init(resolver, &graph, schema->action_count))
        return false;
    for (uint32_t i = 0; i < schema->action_count; i++) {
        if (!resolve_action(resolver, i, &graph))
            return false;
    }
    if (!close_graph(resolver, &graph, &schema->action_above, &loop))
        return false;
    if (loop < schema->action_count)
        report(resolver, RV_DIAG_ERROR, "action-cycle", schema->actions[loop].loc,
               "take one of the `in` away", "action `%.*s` is above itself",
               RV_TEXT_ARGS(schema->actions[loop].uid.id));
    return true;
}

/* ---- All of it ---- */
static bool make_room(struct resolver *resolver)
{
    struct rv_schema *schema = resolver->schema;
    struct rv_arena *arena = &schema->arena;
    size_t commons = 0, entities = 0, actions = 0;

    for (struct rv_doc_namespace *space = schema->namespaces; space; space = space->next) {
        for (struct rv_doc_common *doc = space->commons; doc; doc = doc->next)
            commons++;
        for (struct rv_doc_entity *doc = space->entities; doc; doc = doc->next)
            entities++;
        for (struct rv_doc_action *doc = space->actions; doc; doc = doc->next)
            actions++;
    }
    if (commons > RV_SCHEMA_COUNT_MAX || entities > RV_SCHEMA_COUNT_MAX ||
        actions > RV_SCHEMA_COUNT_MAX) {
        report(resolver, RV_DIAG_ERROR, "schema-size", (struct rv_loc){ 0 }, NULL,
               "a schema may declare at most %d common types, entity types and actions each",
               RV_SCHEMA_COUNT_MAX);
        return true;
    }
    commons += 2 * (RV_VALUE_DURATION + 1); /* the built-in ones */
    resolver->commons = rv_arena_array(arena, commons, sizeof(*resolver->commons));
    resolver->references = rv_arena_array(arena, entities, sizeof(*resolver->references));
    resolver->entity_sources = rv_arena_array(arena, entities, sizeof(*resolver->entity_sources));
    resolver->action_sources = rv_arena_array(arena, actions, sizeof(*resolver->action_sources));
    schema->entities = rv_arena_array(arena, entities, sizeof(*schema->entities));
    schema->actions = rv_arena_array(arena, actions, sizeof(*schema->actions));
    return resolver->commons && resolver->references && resolver->entity_sources &&
           resolver->action_sources && schema->entities && schema->actions &&
           rv_name_index_init(&resolver->common_index, arena, commons) &&
           rv_name_index_init(&schema->entity_index, arena, entities) &&
           rv_name_index_init(&schema->action_index, arena, actions);
}

int rv_schema_resolve(struct rv_schema *schema, struct rv_diags *diags)
{
    struct resolver resolver = { .schema = schema, .diags = diags };

    if (!make_room(&resolver))
        return -ENOMEM;
    if (resolver.failed)
        return -EINVAL;
    if (!declare(&resolver))
        return -ENOMEM;
    check_shadowing(&resolver);
    if (!declare_builtins(&resolver))
        return -ENOMEM;
    for (uint32_t i = 0; i < resolver.common_count; i++) {
        struct common *common = &resolver.commons[i];

        if (common->doc)
            (void)resolve_common(&resolver, common, 1, common->doc->name.loc);
    }
    if (!resolve_entities(&resolver) || !resolve_actions(&resolver) || resolver.no_memory)
        return -ENOMEM;
    return resolver.failed ? -EINVAL : 0;
}
