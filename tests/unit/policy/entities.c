/* SPDX-License-Identifier: Apache-2.0 */
/* Entities: what JSON is refused, implied and explicit forms, doubles, rings, closed ancestors. */
#include "policy_test.h"

#include <stdlib.h>

static int read_entities(const char *quoted, const struct rv_schema *schema,
                         struct rv_entities **ret_entities, struct rv_diags *diags)
{
    RV_AUTO(rv_entities_builder_free) struct rv_entities_builder *builder = NULL;
    RV_AUTO(rv_json_freep) json_t *value = NULL;
    RV_AUTO(rv_freep) char *text = strdup(quoted);
    struct rv_type_lookup types;
    const struct rv_uid *ring = NULL;
    int r;

    for (char *c = text; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    rv_assert_ok(rv_json_parse(rv_span_str(text), &value, NULL));
    rv_assert_ok(rv_entities_builder_new(&builder));
    if (schema)
        types = rv_schema_lookup(schema);
    r = rv_entities_read_json(builder, value, schema ? &types : NULL, diags);
    if (r == 0)
        r = rv_entities_builder_finish(builder, ret_entities, &ring);
    if (r == -ELOOP)
        assert_non_null(ring);
    return r;
}

#define ONE(attrs) "[{'uid': {'type': 'U', 'id': 'a'}, 'attrs': {" attrs "}, 'parents': []}]"

static void what_is_refused(void **state)
{
    static const struct {
        const char *text, *message;
    } rows[] = {
        { "{}", "expected an array of entities" },
        { "[1]", "entity 0: an entity is an object" },
        { "[{}]", "an entity is an object with uid" },
        { "[{'uid': 1}]", "expected an entity" },
        { "[{'uid': {'type': 'U'}}]", "an entity is {\"type\"" },
        { "[{'uid': {'type': '', 'id': 'a'}}]", "is not the name of an entity type" },
        { "[{'uid': {'type': 'U::', 'id': 'a'}}]", "is not the name of an entity type" },
        { "[{'uid': {'type': '1', 'id': 'a'}}]", "is not the name of an entity type" },
        { "[{'uid': {'type': 'U', 'id': 'a'}, 'attrs': []}]", "attrs is an object" },
        { "[{'uid': {'type': 'U', 'id': 'a'}, 'tags': 1}]", "tags is an object" },
        { "[{'uid': {'type': 'U', 'id': 'a'}, 'parents': {}}]", "parents is an array" },
        { "[{'uid': {'type': 'U', 'id': 'a'}, 'parents': [1]}]", "expected an entity" },
        { ONE("'x': null"), "null is no value" },
        { ONE("'x': 1.5"), "a number with a fraction" },
        { ONE("'x': {'__expr': '1'}"), "__expr is no longer part of the language" },
        { ONE("'x': {'__entity': {'type': 'U'}}"), "an entity is {\"type\"" },
        { ONE("'x': {'__extn': {'fn': 'nope', 'arg': '1'}}"), "there is no function 'nope'" },
        { ONE("'x': {'__extn': {'fn': 'ip'}}"), "an extension value is" },
        { ONE("'x': {'__extn': {'fn': 'ip', 'arg': 1}}"), "ip: expected String" },
        { ONE("'x': {'__extn': {'fn': 'ip', 'arg': '1.2.3'}}"), "ip(\"1.2.3\") is not a value" },
        { "[{'uid': {'type': 'U', 'id': 'a'}}, {'uid': {'type': 'U', 'id': 'a'}, "
          "'attrs': {'x': 1}}]", "'a' is there already with other content" },
        { "[{'uid': {'type': 'U', 'id': 'a'}}, {'uid': {'type': 'U', 'id': 'a'}, "
          "'parents': [{'type': 'U', 'id': 'b'}]}]", "'a' is there already with other content" },
    };
    (void)state;
    for (size_t i = 0; i < RV_COUNT(rows); i++) {
        RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
        RV_AUTO(rv_entities_free) struct rv_entities *entities = NULL;
        int r = read_entities(rows[i].text, NULL, &entities, &diags);

        if (r != -EINVAL || diags.count == 0 || !strstr(diags.items[0].message, rows[i].message))
            fail_msg("%s: %d, %s", rows[i].text, r, diags.count ? diags.items[0].message : "-");
    }
}

static void deep_values_are_refused(void **state)
{
    RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
    RV_AUTO(rv_arena_done) struct rv_arena arena = { 0 };
    RV_AUTO(rv_json_freep) json_t *value = json_object(), *deep = json_integer(1);
    struct rv_fields context;

    (void)state;
    for (int i = 0; i < 250; i++) {
        json_t *array = json_array();

        json_array_append_new(array, deep);
        deep = array;
    }
    json_object_set(value, "x", deep);
    assert_int_equal(rv_context_read_json(&arena, value, NULL, NULL, &context, &diags), -EINVAL);
    assert_non_null(strstr(diags.items[0].message, "nested more than"));
}

static void rings_are_refused(void **state)
{
    static const char *const rows[] = {
        "[{'uid': {'type': 'U', 'id': 'a'}, 'parents': [{'type': 'U', 'id': 'a'}]}]",
        "[{'uid': {'type': 'U', 'id': 'a'}, 'parents': [{'type': 'U', 'id': 'b'}]},"
        " {'uid': {'type': 'U', 'id': 'b'}, 'parents': [{'type': 'U', 'id': 'a'}]}]",
        "[{'uid': {'type': 'U', 'id': 'out'}, 'parents': [{'type': 'U', 'id': 'a'}]},"
        " {'uid': {'type': 'U', 'id': 'a'}, 'parents': [{'type': 'U', 'id': 'b'}]},"
        " {'uid': {'type': 'U', 'id': 'b'}, 'parents': [{'type': 'U', 'id': 'c'}]},"
        " {'uid': {'type': 'U', 'id': 'c'}, 'parents': [{'type': 'U', 'id': 'a'}]}]",
    };
    (void)state;
    for (size_t i = 0; i < RV_COUNT(rows); i++) {
        RV_AUTO(rv_entities_free) struct rv_entities *entities = NULL;

        assert_int_equal(read_entities(rows[i], NULL, &entities, NULL), -ELOOP);
        assert_null(entities);
    }
}

static const struct rv_entity *find(const struct rv_entities *entities, const char *type,
                                    const char *id)
{
    struct rv_uid uid = rv_uid(rv_text_str(type), rv_text_str(id));

    return rv_entities_find(entities, &uid);
}

static void ancestors_are_closed_and_doubles_taken_once(void **state)
{
    RV_AUTO(rv_entities_free) struct rv_entities *entities = NULL;
    const struct rv_entity *low;

    (void)state;
    rv_assert_ok(read_entities(
        "[{'uid': {'type': 'U', 'id': 'low'}, 'parents': [{'type': 'U', 'id': 'l'}, "
        "  {'type': 'U', 'id': 'r'}]},"
        " {'uid': {'type': 'U', 'id': 'l'}, 'parents': [{'type': 'U', 'id': 'top'}]},"
        " {'uid': {'type': 'U', 'id': 'r'}, 'parents': [{'type': 'U', 'id': 'top'}]},"
        " {'uid': {'type': 'U', 'id': 'l'}, 'parents': [{'__entity': {'type': 'U', 'id': "
        "  'top'}}]}]", NULL, &entities, NULL));
    assert_int_equal(rv_entities_count(entities), 3);
    low = find(entities, "U", "low");
    assert_true(low->closed);
    assert_int_equal(low->parent_count, 3); /* l, r, top: it is not in the store, but above */
    assert_null(find(entities, "U", "top"));
    assert_null(find(entities, "V", "low"));
    assert_true(rv_text_is(rv_entities_at(entities, 2)->uid.id, "r"));
}

/** What a schema implies and what is written out in full are the same values. */
static void implied_and_explicit_forms_agree(void **state)
{
    RV_AUTO(rv_schema_free) struct rv_schema *schema =
        test_schema("entity U = { friend: U, at: ipaddr, price: decimal, when: datetime, "
                    "took: duration, all: Set<ipaddr>, r: { d: decimal } } tags U;");
    RV_AUTO(rv_entities_free) struct rv_entities *explicit = NULL, *implied = NULL;
    struct rv_value left, right;

    (void)state;
    rv_assert_ok(read_entities(
        "[{'uid': {'__entity': {'type': 'U', 'id': 'a'}}, 'attrs': {"
        "'friend': {'__entity': {'type': 'U', 'id': 'b'}},"
        "'at': {'__extn': {'fn': 'ip', 'arg': '::1'}},"
        "'price': {'__extn': {'fn': 'decimal', 'arg': '1.50'}},"
        "'when': {'__extn': {'fn': 'datetime', 'arg': '2024-01-01'}},"
        "'took': {'__extn': {'fn': 'duration', 'arg': '1d'}},"
        "'all': [{'__extn': {'fn': 'ip', 'arg': '1.1.1.1'}}, {'__extn': {'fn': 'ip', 'arg': "
        "'1.1.1.1/32'}}],"
        "'r': {'d': {'__extn': {'fn': 'decimal', 'arg': '2.0'}}}},"
        "'tags': {'t': {'__entity': {'type': 'U', 'id': 'c'}}}}]", NULL, &explicit, NULL));
    rv_assert_ok(read_entities(
        "[{'uid': {'type': 'U', 'id': 'a'}, 'attrs': {'friend': {'type': 'U', 'id': 'b'},"
        "'at': '::1', 'price': '1.5', 'when': '2024-01-01', 'took': {'fn': 'duration', 'arg': "
        "'24h'}, 'all': ['1.1.1.1'], 'r': {'d': '2.0000'}},"
        "'tags': {'t': {'type': 'U', 'id': 'c'}}, 'parents': []}]", schema, &implied, NULL));
    left = rv_value_record(find(explicit, "U", "a")->attrs);
    right = rv_value_record(find(implied, "U", "a")->attrs);
    assert_true(rv_value_eq(&left, &right));
    left = rv_value_record(find(explicit, "U", "a")->tags);
    right = rv_value_record(find(implied, "U", "a")->tags);
    assert_true(rv_value_eq(&left, &right));
}

/** Growing past the first tables loses and confuses nothing. */
static void many_entities_are_all_found(void **state)
{
    RV_AUTO(rv_entities_builder_free) struct rv_entities_builder *builder = NULL;
    RV_AUTO(rv_entities_free) struct rv_entities *entities = NULL;
    char id[16];

    (void)state;
    rv_assert_ok(rv_entities_builder_new(&builder));
    for (int pass = 0; pass < 2; pass++) { /* the second adds the same again: taken, not kept */
        for (int i = 0; i < 1000; i++) {
            struct rv_entity entity = { 0 };

            (void)snprintf(id, sizeof(id), "%d", i);
            entity.uid = rv_uid(rv_text_str("U"), rv_text_str(id));
            rv_assert_ok(rv_entities_builder_add(builder, &entity));
        }
    }
    rv_assert_ok(rv_entities_builder_finish(builder, &entities, NULL));
    assert_int_equal(rv_entities_count(entities), 1000);
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(id, sizeof(id), "%d", i);
        assert_true(rv_text_is(find(entities, "U", id)->uid.id, id));
    }
    assert_null(find(entities, "U", "1000"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(deep_values_are_refused),
        cmocka_unit_test(rings_are_refused),
        cmocka_unit_test(ancestors_are_closed_and_doubles_taken_once),
        cmocka_unit_test(implied_and_explicit_forms_agree),
        cmocka_unit_test(many_entities_are_all_found),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
