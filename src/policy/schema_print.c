/* SPDX-License-Identifier: Apache-2.0 */
/* Prints a schema in human syntax, declarations in the order in which they were read. */
#include "schema_doc.h"

struct printer {
    struct rv_buf *buf;
    const struct rv_schema *schema;
    struct rv_diags *diags;
    bool unsupported;
};

static void refuse(struct printer *printer, struct rv_loc loc, struct rv_text name,
                   const char *what)
{
    printer->unsupported = true;
    rv_diag_add(printer->diags, RV_DIAG_ERROR, "schema-form",
                (struct rv_diag_at){ .source = printer->schema->source, .loc = loc },
                "rename the common type, or keep the JSON form",
                "the human syntax cannot express `%.*s`: %s", RV_TEXT_ARGS(name), what);
}

static void print_text(struct printer *printer, struct rv_text text)
{
    rv_buf_add(printer->buf, text.data, text.len);
}

static void print_indent(struct printer *printer, unsigned indent)
{
    for (unsigned i = 0; i < indent; i++)
        rv_buf_add_str(printer->buf, "  ");
}

static void print_annotations(struct printer *printer, const struct rv_doc_annotations *annotations,
                              unsigned indent)
{
    for (uint32_t i = 0; i < annotations->count; i++) {
        print_indent(printer, indent);
        rv_buf_add_char(printer->buf, '@');
        print_text(printer, annotations->items[i].name);
        if (annotations->items[i].value.len > 0) {
            rv_buf_add_char(printer->buf, '(');
            rv_text_print_quoted(printer->buf, annotations->items[i].value);
            rv_buf_add_char(printer->buf, ')');
        }
        rv_buf_add_char(printer->buf, '\n');
    }
}

/** Is a common type of this plain name declared anywhere? It would be taken for the entity type. */
static bool has_common(const struct rv_schema *schema, struct rv_text base)
{
    for (const struct rv_doc_namespace *space = schema->namespaces; space; space = space->next) {
        for (const struct rv_doc_common *common = space->commons; common; common = common->next) {
            if (rv_text_eq(common->name.text, base))
                return true;
        }
    }
    return false;
}

static void print_type(struct printer *printer, const struct rv_doc_type *type, unsigned indent);

static void print_field_name(struct printer *printer, struct rv_text name)
{
    if (rv_is_identifier(name) && !rv_is_reserved_word(name))
        print_text(printer, name);
    else
        rv_text_print_quoted(printer->buf, name);
}

static void print_record(struct printer *printer, const struct rv_doc_type *type, unsigned indent)
{
    rv_buf_add_char(printer->buf, '{');
    for (const struct rv_doc_field *field = type->fields; field; field = field->next) {
        rv_buf_add_char(printer->buf, '\n');
        print_annotations(printer, &field->annotations, indent + 1);
        print_indent(printer, indent + 1);
        print_field_name(printer, field->name);
        rv_buf_add_str(printer->buf, field->required ? ": " : "?: ");
        print_type(printer, field->type, indent + 1);
        rv_buf_add_str(printer->buf, field->next ? "," : "\n");
    }
    if (type->fields)
        print_indent(printer, indent);
    rv_buf_add_char(printer->buf, '}');
}

static void print_type(struct printer *printer, const struct rv_doc_type *type, unsigned indent)
{
    switch ((enum rv_doc_type_kind)type->kind) {
    case RV_DOC_BOOL:
        rv_buf_add_str(printer->buf, "__cedar::Bool");
        break;
    case RV_DOC_LONG:
        rv_buf_add_str(printer->buf, "__cedar::Long");
        break;
    case RV_DOC_STRING:
        rv_buf_add_str(printer->buf, "__cedar::String");
        break;
    case RV_DOC_EXTENSION:
        rv_buf_add_str(printer->buf, "__cedar::");
        print_text(printer, type->name);
        break;
    case RV_DOC_ENTITY:
        if (has_common(printer->schema, rv_path_base(type->name)))
            refuse(printer, type->loc, type->name, "a common type of that name hides it");
        print_text(printer, type->name);
        break;
    case RV_DOC_NAME:
    case RV_DOC_COMMON:
        print_text(printer, type->name);
        break;
    case RV_DOC_SET:
        rv_buf_add_str(printer->buf, "Set<");
        print_type(printer, type->element, indent);
        rv_buf_add_char(printer->buf, '>');
        break;
    case RV_DOC_RECORD:
        print_record(printer, type, indent);
        break;
    }
}

static void print_names(struct printer *printer, const char *before,
                        const struct rv_doc_names *names)
{
    if (names->count == 0)
        return;
    rv_buf_add_str(printer->buf, before);
    rv_buf_add_char(printer->buf, '[');
    for (uint32_t i = 0; i < names->count; i++) {
        rv_buf_add_str(printer->buf, i > 0 ? ", " : "");
        print_text(printer, names->items[i].text);
    }
    rv_buf_add_char(printer->buf, ']');
}

static void print_common(struct printer *printer, const struct rv_doc_common *common,
                         unsigned indent)
{
    print_annotations(printer, &common->annotations, indent);
    print_indent(printer, indent);
    rv_buf_add_str(printer->buf, "type ");
    print_text(printer, common->name.text);
    rv_buf_add_str(printer->buf, " = ");
    print_type(printer, common->type, indent);
    rv_buf_add_str(printer->buf, ";\n");
}

static void print_ids(struct printer *printer, const struct rv_doc_entity *entity)
{
    for (uint32_t i = 0; i < entity->id_count; i++) {
        rv_buf_add_str(printer->buf, i > 0 ? ", " : " enum [");
        rv_text_print_quoted(printer->buf, entity->ids[i]);
    }
    if (entity->id_count > 0)
        rv_buf_add_char(printer->buf, ']');
}

static void print_entity(struct printer *printer, const struct rv_doc_entity *entity,
                         unsigned indent)
{
    print_annotations(printer, &entity->annotations, indent);
    print_indent(printer, indent);
    rv_buf_add_str(printer->buf, "entity ");
    print_text(printer, entity->name.text);
    print_ids(printer, entity);
    print_names(printer, " in ", &entity->parents);
    if (entity->shape && entity->shape->kind != RV_DOC_RECORD)
        refuse(printer, entity->shape->loc, entity->name.text, "its shape is a common type");
    if (entity->shape && entity->shape->fields) {
        rv_buf_add_str(printer->buf, " = ");
        print_type(printer, entity->shape, indent);
    }
    if (entity->tags) {
        rv_buf_add_str(printer->buf, " tags ");
        print_type(printer, entity->tags, indent);
    }
    rv_buf_add_str(printer->buf, ";\n");
}

static void print_action(struct printer *printer, const struct rv_doc_action *action,
                         unsigned indent)
{
    print_annotations(printer, &action->annotations, indent);
    print_indent(printer, indent);
    rv_buf_add_str(printer->buf, "action ");
    rv_text_print_quoted(printer->buf, action->id.text);
    for (uint32_t i = 0; i < action->parent_count; i++) {
        rv_buf_add_str(printer->buf, i > 0 ? ", " : " in [");
        if (action->parents[i].type.len > 0) {
            print_text(printer, action->parents[i].type);
            rv_buf_add_str(printer->buf, "::");
        }
        rv_text_print_quoted(printer->buf, action->parents[i].id);
    }
    rv_buf_add_str(printer->buf, action->parent_count > 0 ? "]" : "");
    if (action->principals.count > 0 && action->resources.count > 0) {
        rv_buf_add_str(printer->buf, " appliesTo {\n");
        print_indent(printer, indent + 1);
        print_names(printer, "principal: ", &action->principals);
        rv_buf_add_str(printer->buf, ",\n");
        print_indent(printer, indent + 1);
        print_names(printer, "resource: ", &action->resources);
        rv_buf_add_str(printer->buf, ",\n");
        print_indent(printer, indent + 1);
        rv_buf_add_str(printer->buf, "context: ");
        if (action->context)
            print_type(printer, action->context, indent + 1);
        else
            rv_buf_add_str(printer->buf, "{}");
        rv_buf_add_char(printer->buf, '\n');
        print_indent(printer, indent);
        rv_buf_add_char(printer->buf, '}');
    }
    rv_buf_add_str(printer->buf, ";\n");
}

/** A blank line before each declaration but the first. */
static void separate(struct printer *printer, bool *first)
{
    if (!*first)
        rv_buf_add_char(printer->buf, '\n');
    *first = false;
}

static void print_declarations(struct printer *printer, const struct rv_doc_namespace *space,
                               unsigned indent, bool *first)
{
    for (const struct rv_doc_common *common = space->commons; common; common = common->next) {
        separate(printer, first);
        print_common(printer, common, indent);
    }
    for (const struct rv_doc_entity *entity = space->entities; entity; entity = entity->next) {
        separate(printer, first);
        print_entity(printer, entity, indent);
    }
    for (const struct rv_doc_action *action = space->actions; action; action = action->next) {
        separate(printer, first);
        print_action(printer, action, indent);
    }
}

int rv_schema_print(struct rv_buf *buf, const struct rv_schema *schema, struct rv_diags *diags)
{
    struct printer printer = { .buf = buf, .schema = schema, .diags = diags };
    bool first = true;

    for (const struct rv_doc_namespace *space = schema->namespaces; space; space = space->next) {
        bool first_inside = true;

        if (space->name.text.len == 0) {
            print_declarations(&printer, space, 0, &first);
            continue;
        }
        separate(&printer, &first);
        print_annotations(&printer, &space->annotations, 0);
        rv_buf_add_str(buf, "namespace ");
        print_text(&printer, space->name.text);
        rv_buf_add_str(buf, " {\n");
        print_declarations(&printer, space, 1, &first_inside);
        rv_buf_add_str(buf, "}\n");
    }
    if (buf->failed)
        return -ENOMEM;
    return printer.unsupported ? -ENOTSUP : 0;
}
