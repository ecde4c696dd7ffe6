/* SPDX-License-Identifier: Apache-2.0 */
#include "check_type.h"

const struct rv_type check_never = { .kind = CHECK_NEVER };
const struct rv_type check_true = { .kind = CHECK_TRUE };
const struct rv_type check_false = { .kind = CHECK_FALSE };
const struct rv_type check_any_entity = { .kind = CHECK_ANY_ENTITY };
const struct rv_type check_any_set = { .kind = RV_VALUE_SET };
const struct rv_type check_any_record = { .kind = CHECK_OPEN_RECORD };

/* ---- Entity types, one or several ---- */
uint32_t check_entity_count(const struct rv_type *type)
{
    if (type->kind == CHECK_UNION)
        return type->field_count;
    return type->kind == RV_VALUE_ENTITY ? 1 : 0;
}

struct rv_text check_entity_name(const struct rv_type *type, uint32_t i)
{
    return type->kind == CHECK_UNION ? type->fields[i].name : type->entity_type;
}

static bool has_entity_name(const struct rv_type *type, struct rv_text name)
{
    for (uint32_t i = 0; i < check_entity_count(type); i++) {
        if (rv_text_eq(check_entity_name(type, i), name))
            return true;
    }
    return false;
}

static bool is_entity_set(const struct rv_type *type)
{
    return type->kind == RV_VALUE_ENTITY || type->kind == CHECK_UNION;
}

static bool names_within(const struct rv_type *low, const struct rv_type *high)
{
    for (uint32_t i = 0; i < check_entity_count(low); i++) {
        if (!has_entity_name(high, check_entity_name(low, i)))
            return false;
    }
    return true;
}

static const struct rv_type *join_names(struct check_types *types, const struct rv_type *a,
                                        const struct rv_type *b)
{
    uint32_t room = check_entity_count(a) + check_entity_count(b), count = 0, i = 0, k = 0;
    struct rv_type *type = rv_arena_alloc(types->arena, sizeof(*type));
    struct rv_type_field *fields = rv_arena_array(types->arena, room, sizeof(*fields));

    if (!type || !fields)
        return NULL;
    while (i < check_entity_count(a) || k < check_entity_count(b)) {
        int order = i == check_entity_count(a) ? 1
                    : k == check_entity_count(b)
                        ? -1
                        : rv_text_compare(check_entity_name(a, i), check_entity_name(b, k));

        fields[count++].name = order <= 0 ? check_entity_name(a, i) : check_entity_name(b, k);
        i += order <= 0;
        k += order >= 0;
    }
    *type = (struct rv_type){ .kind = CHECK_UNION, .fields = fields, .field_count = count };
    return type;
}

bool check_disjoint(const struct rv_type *a, const struct rv_type *b)
{
    if (check_entity_count(a) == 0 || check_entity_count(b) == 0)
        return false;
    for (uint32_t i = 0; i < check_entity_count(a); i++) {
        if (has_entity_name(b, check_entity_name(a, i)))
            return false;
    }
    return true;
}

/* ---- Records ---- */
static const struct rv_type_field *find_field(const struct rv_type *type, struct rv_text name)
{
    uint32_t low = 0, high = type->field_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = rv_text_compare(type->fields[middle].name, name);

        if (order == 0)
            return &type->fields[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static bool same_keys(const struct rv_type *a, const struct rv_type *b)
{
    if (a->field_count != b->field_count)
        return false;
    for (uint32_t i = 0; i < a->field_count; i++) {
        if (!rv_text_eq(a->fields[i].name, b->fields[i].name))
            return false;
    }
    return true;
}

/** Every field of `high` is in `low`, below it, and no less required. */
static bool fields_within(struct check_types *types, const struct rv_type *low,
                          const struct rv_type *high, enum rv_validation_mode mode)
{
    for (uint32_t i = 0; i < high->field_count; i++) {
        const struct rv_type_field *above = &high->fields[i];
        const struct rv_type_field *below = find_field(low, above->name);
        bool qualifier;

        if (!below)
            return false;
        qualifier = mode == RV_VALIDATE_STRICT ? below->required == above->required
                                               : below->required || !above->required;
        if (!qualifier || !check_subtype(types, below->type, above->type, mode))
            return false;
    }
    return true;
}

static bool record_within(struct check_types *types, const struct rv_type *low,
                          const struct rv_type *high, enum rv_validation_mode mode)
{
    bool low_open = low->kind == CHECK_OPEN_RECORD, high_open = high->kind == CHECK_OPEN_RECORD;

    if (low_open && !high_open)
        return false;
    if (!(high_open && mode == RV_VALIDATE_PERMISSIVE) && !same_keys(low, high))
        return false;
    return fields_within(types, low, high, mode);
}

/** Of the fields that both have, those with an upper bound; strict: all, or none at all. */
static const struct rv_type *join_records(struct check_types *types, const struct rv_type *a,
                                          const struct rv_type *b)
{
    bool strict = types->mode == RV_VALIDATE_STRICT;
    bool open = a->kind == CHECK_OPEN_RECORD || b->kind == CHECK_OPEN_RECORD;
    struct rv_type_field *fields = rv_arena_array(types->arena, a->field_count, sizeof(*fields));
    struct rv_type *type = rv_arena_alloc(types->arena, sizeof(*type));
    uint32_t count = 0;

    if (!fields || !type || (strict && !same_keys(a, b)))
        return NULL;
    for (uint32_t i = 0; i < a->field_count; i++) {
        const struct rv_type_field *left = &a->fields[i], *right = find_field(b, left->name);
        const struct rv_type *bound =
            right ? check_upper_bound(types, left->type, right->type) : NULL;

        if (strict && (!bound || left->required != right->required))
            return NULL;
        if (bound)
            fields[count++] =
                (struct rv_type_field){ left->name, bound, left->required && right->required };
    }
    open |= count != a->field_count || count != b->field_count;
    *type = (struct rv_type){ .kind = open ? CHECK_OPEN_RECORD : RV_VALUE_RECORD,
                              .fields = fields,
                              .field_count = count };
    return type;
}

/* ---- Subtypes and bounds ---- */
static bool spend(struct check_types *types)
{
    return ++types->steps <= CHECK_STEPS_MAX;
}

bool check_subtype(struct check_types *types, const struct rv_type *low, const struct rv_type *high,
                   enum rv_validation_mode mode)
{
    bool strict = mode == RV_VALIDATE_STRICT;

    if (!spend(types))
        return false;
    if (low == high || low->kind == CHECK_NEVER)
        return true;
    if (check_is_bool(low) && check_is_bool(high))
        return high->kind == RV_VALUE_BOOL || low->kind == high->kind;
    if (low->kind == RV_VALUE_SET && high->kind == RV_VALUE_SET) {
        if (!high->element)
            return true;
        return low->element && check_subtype(types, low->element, high->element, mode);
    }
    if (check_is_record(low) && check_is_record(high))
        return record_within(types, low, high, mode);
    if (is_entity_set(low) && is_entity_set(high))
        return names_within(low, high) && (!strict || names_within(high, low));
    if (check_is_entity(low) && high->kind == CHECK_ANY_ENTITY)
        return !strict || low->kind == CHECK_ANY_ENTITY;
    if (check_is_entity(low) || check_is_entity(high) || check_is_record(low) ||
        check_is_record(high))
        return false;
    return low->kind == high->kind; /* Long, String and the extension types */
}

static const struct rv_type *join_entities(struct check_types *types, const struct rv_type *a,
                                           const struct rv_type *b)
{
    if (types->mode == RV_VALIDATE_STRICT)
        return NULL; /* equal ones are subtypes of each other */
    if (is_entity_set(a) && is_entity_set(b))
        return join_names(types, a, b);
    return &check_any_entity;
}

static const struct rv_type *join_sets(struct check_types *types, const struct rv_type *a,
                                       const struct rv_type *b)
{
    const struct rv_type *element = check_upper_bound(types, a->element, b->element);
    struct rv_type *type = element ? rv_arena_alloc(types->arena, sizeof(*type)) : NULL;

    if (type)
        *type = (struct rv_type){ .kind = RV_VALUE_SET, .element = element };
    return type;
}

const struct rv_type *check_upper_bound(struct check_types *types, const struct rv_type *a,
                                        const struct rv_type *b)
{
    if (check_subtype(types, a, b, types->mode))
        return b;
    if (check_subtype(types, b, a, types->mode))
        return a;
    if (types->steps > CHECK_STEPS_MAX)
        return NULL;
    if (check_is_bool(a) && check_is_bool(b))
        return rv_type_basic(RV_VALUE_BOOL);
    if (a->kind == RV_VALUE_SET && b->kind == RV_VALUE_SET)
        return join_sets(types, a, b);
    if (check_is_record(a) && check_is_record(b))
        return join_records(types, a, b);
    if (check_is_entity(a) && check_is_entity(b))
        return join_entities(types, a, b);
    return NULL;
}

bool check_type_eq(struct check_types *types, const struct rv_type *a, const struct rv_type *b)
{
    return check_subtype(types, a, b, RV_VALIDATE_STRICT) &&
           check_subtype(types, b, a, RV_VALIDATE_STRICT);
}

/* ---- Attributes ---- */
static struct check_attr attribute_of_entity(const struct check_types *types, struct rv_text entity,
                                             struct rv_text name)
{
    const struct rv_schema_entity *declared = rv_schema_entity(types->schema, entity);
    const struct rv_type_field *field = declared ? find_field(declared->attrs, name) : NULL;

    return field ? (struct check_attr){ field->type, field->required } : (struct check_attr){ 0 };
}

/** What all types of a union agree on: the upper bound, as permissive validation sees it. */
static struct check_attr attribute_of_union(struct check_types *types, const struct rv_type *type,
                                            struct rv_text name)
{
    struct check_types permissive = *types;
    struct check_attr all = attribute_of_entity(types, check_entity_name(type, 0), name);

    permissive.mode = RV_VALIDATE_PERMISSIVE;
    for (uint32_t i = 1; all.type && i < check_entity_count(type); i++) {
        struct check_attr one = attribute_of_entity(types, check_entity_name(type, i), name);

        all.type = one.type ? check_upper_bound(&permissive, all.type, one.type) : NULL;
        all.required &= one.required;
    }
    types->steps = permissive.steps;
    return all;
}

struct check_attr check_attribute(struct check_types *types, const struct rv_type *type,
                                  struct rv_text name)
{
    const struct rv_type_field *field;

    if (is_entity_set(type))
        return attribute_of_union(types, type, name);
    field = check_is_record(type) ? find_field(type, name) : NULL;
    return field ? (struct check_attr){ field->type, field->required } : (struct check_attr){ 0 };
}

bool check_may_have(const struct check_types *types, const struct rv_type *type,
                    struct rv_text name)
{
    if (type->kind == CHECK_NEVER || type->kind == CHECK_OPEN_RECORD ||
        type->kind == CHECK_ANY_ENTITY)
        return true;
    if (type->kind == RV_VALUE_RECORD)
        return find_field(type, name) != NULL;
    if (!is_entity_set(type))
        return false;
    for (uint32_t i = 0; i < check_entity_count(type); i++) {
        if (attribute_of_entity(types, check_entity_name(type, i), name).type)
            return true;
    }
    return false;
}

/* ---- Printing ---- */
static void print_union(struct rv_buf *buf, const struct rv_type *type)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        rv_buf_add_str(buf, i > 0 ? " or " : "");
        rv_buf_add(buf, type->fields[i].name.data, type->fields[i].name.len);
    }
}

static void print_record(struct rv_buf *buf, const struct rv_type *type)
{
    rv_buf_add_char(buf, '{');
    for (uint32_t i = 0; i < type->field_count; i++) {
        rv_buf_add_str(buf, i > 0 ? ", " : "");
        rv_key_print(buf, type->fields[i].name);
        rv_buf_add_str(buf, type->fields[i].required ? ": " : "?: ");
        check_type_print(buf, type->fields[i].type);
    }
    if (type->kind == CHECK_OPEN_RECORD)
        rv_buf_add_str(buf, type->field_count > 0 ? ", ..." : "...");
    rv_buf_add_char(buf, '}');
}

void check_type_print(struct rv_buf *buf, const struct rv_type *type)
{
    switch (type->kind) {
    case CHECK_NEVER:
        rv_buf_add_str(buf, "Never");
        break;
    case CHECK_TRUE:
        rv_buf_add_str(buf, "True");
        break;
    case CHECK_FALSE:
        rv_buf_add_str(buf, "False");
        break;
    case CHECK_ANY_ENTITY:
        rv_buf_add_str(buf, "an entity");
        break;
    case CHECK_UNION:
        print_union(buf, type);
        break;
    case RV_VALUE_SET:
        rv_buf_add_str(buf, type->element ? "Set<" : "a set");
        if (type->element) {
            check_type_print(buf, type->element);
            rv_buf_add_char(buf, '>');
        }
        break;
    case RV_VALUE_RECORD:
    case CHECK_OPEN_RECORD:
        print_record(buf, type);
        break;
    default:
        rv_type_print(buf, type);
        break;
    }
}
