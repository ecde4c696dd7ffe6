/* SPDX-License-Identifier: Apache-2.0 */
/* Entities and requests against a schema. */
#include "policy_test.h"

static const char schema_text[] =
    "entity User in [Group] = { name: String, age?: Long, friends: Set<User>,"
    "  home: { path: String, quota?: decimal }, ip: ipaddr, mode?: Mode } tags Set<String>;"
    "entity Group in [Group];"
    "entity File;"
    "entity Mode enum [\"observe\", \"enforce\"];"
    "action all; action read in all; "
    "action view in read appliesTo { principal: [User, Mode], resource: File,"
    "  context: { risk: Long, via?: Set<User> } };";

#define GOOD "\"name\":\"a\",\"friends\":[],\"home\":{\"path\":\"p\"},\"ip\":\"10.0.0.1\""
#define USER(attrs, rest)                                                                          \
    "[{\"uid\":{\"type\":\"User\",\"id\":\"a\"},\"attrs\":{" attrs "}" rest "}]"

static int read_entities(const char *text, const struct rv_type_lookup *lookup,
                         struct rv_entities **ret)
{
    RV_AUTO(rv_entities_builder_free) struct rv_entities_builder *builder = NULL;
    RV_AUTO(rv_json_freep) json_t *value = NULL;
    const struct rv_uid *loop;
    int r;

    rv_assert_ok(rv_json_parse(rv_span_str(text), &value, NULL));
    rv_assert_ok(rv_entities_builder_new(&builder));
    r = rv_entities_read_json(builder, value, lookup, NULL);
    return r < 0 ? r : rv_entities_builder_finish(builder, ret, &loop);
}

static void entities_conform_or_say_why(void **state)
{
    static const struct {
        const char *text;
        const char *code; /* NULL: valid */
        const char *message;
    } cases[] = {
        { USER(GOOD, ",\"parents\":[]"), NULL, NULL },
        { USER(GOOD, ",\"parents\":[{\"type\":\"Group\",\"id\":\"g\"}]"), NULL, NULL },
        { USER(GOOD ",\"age\":3,\"mode\":{\"__entity\":{\"type\":\"Mode\",\"id\":\"observe\"}}",
               ",\"parents\":[],\"tags\":{\"t\":[\"x\"]}"),
          NULL, NULL },
        { USER("\"name\":\"a\",\"friends\":[],\"home\":{\"path\":\"p\"}", ",\"parents\":[]"),
          "missing-attribute", "required attribute `ip` is missing" },
        { USER(GOOD ",\"agee\":3", ",\"parents\":[]"), "unknown-attribute", "`agee`" },
        { USER(GOOD ",\"age\":\"x\"", ",\"parents\":[]"), "wrong-type", "expected Long" },
        { USER("\"name\":\"a\",\"friends\":[],\"home\":{},\"ip\":\"::1\"", ",\"parents\":[]"),
          "missing-attribute", "home: required attribute `path`" },
        { USER("\"name\":\"a\",\"friends\":[],\"home\":{\"path\":1},\"ip\":\"::1\"",
               ",\"parents\":[]"),
          "wrong-type", "home.path: expected String" },
        { USER("\"name\":\"a\",\"friends\":[{\"__entity\":{\"type\":\"File\",\"id\":\"f\"}}],"
               "\"home\":{\"path\":\"p\"},\"ip\":\"::1\"",
               ",\"parents\":[]"),
          "wrong-type", "expected User, found File::\"f\"" },
        { USER(GOOD ",\"mode\":{\"__entity\":{\"type\":\"Mode\",\"id\":\"obsrve\"}}",
               ",\"parents\":[]"),
          "unknown-id", "has no id \"obsrve\"" },
        { USER(GOOD, ",\"parents\":[{\"type\":\"File\",\"id\":\"f\"}]"), "wrong-parent",
          "cannot be in one of type `File`" },
        { USER(GOOD, ",\"parents\":[{\"type\":\"Nothing\",\"id\":\"f\"}]"), "wrong-parent",
          "`Nothing`" },
        { USER(GOOD, ",\"parents\":[],\"tags\":{\"t\":1}"), "wrong-type", "tag t" },
        { "[{\"uid\":{\"type\":\"File\",\"id\":\"f\"},\"attrs\":{},\"parents\":[],"
          "\"tags\":{\"a\":\"b\"}}]",
          "no-tags", "have no tags" },
        { "[{\"uid\":{\"type\":\"Fiel\",\"id\":\"f\"},\"attrs\":{},\"parents\":[]}]",
          "unknown-type", "no entity type `Fiel`" },
        { "[{\"uid\":{\"type\":\"Mode\",\"id\":\"observe\"},\"attrs\":{},\"parents\":[]}]", NULL,
          NULL },
        { "[{\"uid\":{\"type\":\"Mode\",\"id\":\"x\"},\"attrs\":{},\"parents\":[]}]", "unknown-id",
          "has no id" },
        { "[{\"uid\":{\"type\":\"Group\",\"id\":\"g\"},\"attrs\":{},\"parents\":"
          "[{\"type\":\"Group\",\"id\":\"h\"}]}]",
          NULL, NULL },
        { "[{\"uid\":{\"type\":\"Action\",\"id\":\"view\"},\"attrs\":{},\"parents\":"
          "[{\"type\":\"Action\",\"id\":\"read\"},{\"type\":\"Action\",\"id\":\"all\"}]}]",
          NULL, NULL },
        { "[{\"uid\":{\"type\":\"Action\",\"id\":\"view\"},\"attrs\":{},\"parents\":"
          "[{\"type\":\"Action\",\"id\":\"read\"}]}]",
          "wrong-parent", "other groups" },
        { "[{\"uid\":{\"type\":\"Action\",\"id\":\"all\"},\"attrs\":{},\"parents\":"
          "[{\"type\":\"Action\",\"id\":\"read\"}]}]",
          "wrong-parent", "other groups" },
        { "[{\"uid\":{\"type\":\"Action\",\"id\":\"all\"},\"attrs\":{\"x\":1},\"parents\":[]}]",
          "action-data", "neither attributes nor tags" },
        { "[{\"uid\":{\"type\":\"Action\",\"id\":\"nope\"},\"attrs\":{},\"parents\":[]}]",
          "unknown-action", "no such action" },
    };
    RV_AUTO(rv_schema_free) struct rv_schema *schema = test_schema(schema_text);
    struct rv_type_lookup lookup = rv_schema_lookup(schema);

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        RV_AUTO(rv_entities_free) struct rv_entities *entities = NULL;
        RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
        enum rv_validity validity = cases[i].code ? RV_VALID : RV_INVALID;
        struct rv_type_lookup without = { .schema = NULL };
        int r = read_entities(cases[i].text, &lookup, &entities);

        /* What the reader refuses on the schema's word may still be read without it. */
        if (r == -EINVAL && cases[i].code) {
            (void)without;
            continue;
        }
        rv_assert_ok(r);
        rv_assert_ok(rv_validate_entities(schema, entities, &diags, &validity));
        if ((validity == RV_VALID) != (cases[i].code == NULL))
            fail_msg("%s: %s", cases[i].text, diags.count > 0 ? diags.items[0].message : "valid");
        if (!cases[i].code)
            continue;
        if (strcmp(diags.items[0].code, cases[i].code) != 0 ||
            !strstr(diags.items[0].message, cases[i].message))
            fail_msg("%s: %s: %s", cases[i].text, diags.items[0].code, diags.items[0].message);
    }
}

/** Entities made by hand: what no reader would let through. */
static void entities_by_hand(void **state)
{
    RV_AUTO(rv_schema_free) struct rv_schema *schema = test_schema(schema_text);
    struct rv_uid file = rv_uid(rv_text_str("File"), rv_text_str("f"));
    struct rv_uid mode = rv_uid(rv_text_str("Mode"), rv_text_str("nope"));
    struct rv_parent parents[] = { { &file, NULL } };
    struct rv_value items[] = { rv_value_long(1) };
    struct rv_field home[] = { { rv_text_str("path"), rv_value_long(1) },
                               { rv_text_str("zzz"), rv_value_bool(true) } };
    struct rv_field fields[] = {
        { rv_text_str("aeg"), rv_value_long(1) },
        { rv_text_str("friends"), rv_value_set(items, 1) },
        { rv_text_str("home"), rv_value_record((struct rv_fields){ home, 2 }) },
        { rv_text_str("ip"), rv_value_string("10.0.0.1", 8) },
        { rv_text_str("mode"), rv_value_entity(&mode) },
    };
    struct rv_field tags[] = { { rv_text_str("t"), rv_value_long(1) } };
    struct rv_entity entity = {
        .uid = rv_uid(rv_text_str("User"), rv_text_str("u")),
        .attrs = { fields, RV_COUNT(fields) },
        .tags = { tags, 1 },
        .parents = parents,
        .parent_count = 1,
        .closed = true,
    };
    RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
    enum rv_validity validity = RV_VALID;
    char codes[400];

    rv_assert_ok(rv_validate_entity(schema, &entity, &diags, &validity));
    assert_int_equal(validity, RV_INVALID);
    test_codes(&diags, codes, sizeof(codes));
    assert_string_equal(codes, "unknown-attribute wrong-type unknown-id missing-attribute "
                               "wrong-parent ");
    assert_non_null(strstr(diags.items[0].message, "entity User::\"u\""));
    assert_string_equal(diags.items[0].help, "did you mean `age`?");
    entity = (struct rv_entity){ .uid = file, .tags = { tags, 1 } };
    rv_assert_ok(rv_validate_entity(schema, &entity, &diags, &validity));
    assert_string_equal(diags.items[diags.count - 1].code, "no-tags");
    entity = (struct rv_entity){ .uid = rv_uid(rv_text_str("Fiel"), rv_text_str("f")) };
    rv_assert_ok(rv_validate_entity(schema, &entity, &diags, &validity));
    assert_string_equal(diags.items[diags.count - 1].code, "unknown-type");
    assert_string_equal(diags.items[diags.count - 1].help, "did you mean `File`?");
}

static void requests_conform_or_say_why(void **state)
{
    static const struct {
        const char *principal, *principal_id, *action, *resource;
        bool risk, extra, wrong;
        const char *code;
    } cases[] = {
        { "User", "a", "view", "File", true, false, false, NULL },
        { "Mode", "observe", "view", "File", true, false, false, NULL },
        { "Mode", "nope", "view", "File", true, false, false, "unknown-id" },
        { "Usr", "a", "view", "File", true, false, false, "unknown-type" },
        { "User", "a", "view", "Flie", true, false, false, "unknown-type" },
        { "Group", "a", "view", "File", true, false, false, "not-applicable" },
        { "User", "a", "view", "User", true, false, false, "not-applicable" },
        { "User", "a", "all", "File", true, false, false, "not-applicable" },
        { "User", "a", "veiw", "File", true, false, false, "unknown-action" },
        { "User", "a", "view", "File", false, false, false, "missing-attribute" },
        { "User", "a", "view", "File", true, true, false, "unknown-attribute" },
        { "User", "a", "view", "File", true, false, true, "wrong-type" },
    };
    RV_AUTO(rv_schema_free) struct rv_schema *schema = test_schema(schema_text);

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
        struct rv_uid principal =
            rv_uid(rv_text_str(cases[i].principal), rv_text_str(cases[i].principal_id));
        struct rv_uid action = rv_uid(rv_text_str("Action"), rv_text_str(cases[i].action));
        struct rv_uid resource = rv_uid(rv_text_str(cases[i].resource), rv_text_str("f"));
        struct rv_field fields[2];
        uint32_t count = 0;
        struct rv_policy_request request = { .principal = &principal,
                                             .action = &action,
                                             .resource = &resource };
        enum rv_validity validity = cases[i].code ? RV_VALID : RV_INVALID;

        if (cases[i].risk)
            fields[count++] =
                (struct rv_field){ rv_text_str("risk"),
                                   cases[i].wrong ? rv_value_string("x", 1) : rv_value_long(1) };
        if (cases[i].extra)
            fields[count++] = (struct rv_field){ rv_text_str("riskk"), rv_value_long(1) };
        request.context = (struct rv_fields){ fields, count };
        rv_assert_ok(rv_validate_request(schema, &request, &diags, &validity));
        if ((validity == RV_VALID) != (cases[i].code == NULL))
            fail_msg("case %zu: %s", i, diags.count > 0 ? diags.items[0].message : "valid");
        if (cases[i].code)
            assert_string_equal(diags.items[0].code, cases[i].code);
    }
}

static void actions_come_from_the_schema(void **state)
{
    RV_AUTO(rv_schema_free) struct rv_schema *schema = test_schema(schema_text);
    RV_AUTO(rv_entities_builder_free) struct rv_entities_builder *builder = NULL;
    RV_AUTO(rv_entities_free) struct rv_entities *entities = NULL;
    RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
    enum rv_validity validity = RV_INVALID;
    const struct rv_uid *loop;

    rv_assert_ok(rv_entities_builder_new(&builder));
    rv_assert_ok(rv_schema_add_actions(schema, builder));
    rv_assert_ok(rv_entities_builder_finish(builder, &entities, &loop));
    assert_int_equal(rv_entities_count(entities), 3);
    rv_assert_ok(rv_validate_entities(schema, entities, &diags, &validity));
    assert_int_equal(validity, RV_VALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entities_conform_or_say_why),
        cmocka_unit_test(entities_by_hand),
        cmocka_unit_test(requests_conform_or_say_why),
        cmocka_unit_test(actions_come_from_the_schema),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
