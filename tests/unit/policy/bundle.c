/* SPDX-License-Identifier: Apache-2.0 */
/* Bundles: all or nothing, one schema, and a digest that every byte counts in. */
#include "policy_test.h"

#include "policy/bundle.h"

#define POLICY "permit(principal is U, action == Action::\"r\", resource) when { principal.n > 1 };"
#define SCHEMA "entity U = { n: Long }; action r appliesTo { principal: [U], resource: [U] };"

struct texts {
    const char *name, *text;
};

static int load(const struct texts *texts, struct rv_bundle **ret_bundle, struct rv_diags *diags)
{
    struct rv_bundle_file files[8];
    size_t count = 0;

    for (; texts[count].name; count++)
        files[count] =
            (struct rv_bundle_file){ texts[count].name, rv_span_str(texts[count].text) };
    return rv_bundle_load(ret_bundle, files, count, diags);
}

static void what_is_refused(void **state)
{
    static const struct {
        const char *file, *message;
        struct texts texts[4];
    } rows[] = {
        { "", "there is no policy in the bundle", { { NULL, NULL } } },
        { "", "there is no policy in the bundle", { { "s.cedarschema", SCHEMA } } },
        { "", "there is no policy in the bundle", { { "a.cedar", "// nothing" } } },
        { "a.cedar", "expected 'permit'", { { "a.cedar", "grant all;" } } },
        { "b.cedarschema", "a bundle holds one schema",
          { { "p.cedar", POLICY }, { "b.cedarschema", SCHEMA }, { "a.cedarschema", SCHEMA } } },
        { "b.cedarschema.json", "a bundle holds one schema",
          { { "p.cedar", POLICY }, { "b.cedarschema.json", "{}" }, { "a.cedarschema", SCHEMA } } },
        { "s.cedarschema", "", { { "p.cedar", POLICY }, { "s.cedarschema", "entity" } } },
        { "manifest.json", "line 1", { { "p.cedar", POLICY }, { "manifest.json", "{" } } },
        { "manifest.json", "expected {\"name\"",
          { { "p.cedar", POLICY }, { "manifest.json", "{\"name\": \"x\"}" } } },
        { "manifest.json", "expected {\"name\"",
          { { "p.cedar", POLICY }, { "manifest.json", "{\"name\": \"x\", \"version\": 1}" } } },
        { "manifest.json", "expected {\"name\"",
          { { "p.cedar", POLICY },
            { "manifest.json", "{\"name\": \"x\", \"version\": "
                               "\"0123456789012345678901234567890123456789\"}" } } },
        { "entities.json", "line 1", { { "p.cedar", POLICY }, { "entities.json", "[" } } },
        { "", "expected an array", { { "p.cedar", POLICY }, { "entities.json", "{}" } } },
        { "entities.json", "its own ancestor",
          { { "p.cedar", POLICY },
            { "entities.json", "[{\"uid\": {\"type\": \"U\", \"id\": \"a\"}, \"parents\": "
                               "[{\"type\": \"U\", \"id\": \"a\"}]}]" } } },
        { "p.cedar", "nope",
          { { "p.cedar", "permit(principal is U, action, resource) when { principal.nope };" },
            { "s.cedarschema", SCHEMA } } },
    };
    (void)state;
    for (size_t i = 0; i < RV_COUNT(rows); i++) {
        RV_AUTO(rv_bundle_free) struct rv_bundle *bundle = NULL;
        RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
        int r = load(rows[i].texts, &bundle, &diags);

        if (r != -EINVAL || bundle || diags.count == 0 ||
            !strstr(diags.items[0].message, rows[i].message) ||
            strcmp(diags.items[0].file, rows[i].file) != 0)
            fail_msg("row %zu: %d, %s: %s", i, r, diags.count ? diags.items[0].file : "-",
                     diags.count ? diags.items[0].message : "-");
    }
}

static void too_many_files_are_refused(void **state)
{
    static struct rv_bundle_file files[RV_BUNDLE_FILES_MAX + 1];
    RV_AUTO(rv_bundle_free) struct rv_bundle *bundle = NULL;

    (void)state;
    assert_int_equal(rv_bundle_load(&bundle, files, RV_COUNT(files), NULL), -E2BIG);
    assert_null(bundle);
}

static void a_good_bundle_holds_its_parts(void **state)
{
    static const struct texts texts[] = {
        { "z.cedar", "forbid(principal, action, resource);" },
        { "s.cedarschema", SCHEMA },
        { "a.cedar", POLICY },
        { "manifest.json", "{\"name\": \"host\", \"version\": \"1.2\"}" },
        { "entities.json", "[{\"uid\": {\"type\": \"U\", \"id\": \"a\"}, \"attrs\": {\"n\": 2}}]" },
        { "a.tests.json", "kept as it is" },
        { NULL, NULL },
    };
    RV_AUTO(rv_bundle_free) struct rv_bundle *bundle = NULL, *bare = NULL;

    (void)state;
    rv_assert_ok(load(texts, &bundle, NULL));
    assert_string_equal(bundle->name, "host");
    assert_string_equal(bundle->version, "1.2");
    assert_int_equal(rv_program_count(bundle->program), 2);
    assert_int_equal(bundle->set.items[0]->effect, RV_EFFECT_ALLOW); /* a.cedar before z.cedar */
    assert_int_equal(rv_entities_count(bundle->entities), 2);        /* the action and U::"a" */
    assert_non_null(bundle->schema);

    rv_assert_ok(load((const struct texts[]){ { "p.cedar", POLICY }, { NULL, NULL } }, &bare, NULL));
    assert_string_equal(bare->name, "unnamed");
    assert_string_equal(bare->version, "0");
    assert_null(bare->schema);
}

static struct rv_sha256 digest_of(const char *name, const char *text, bool last_first)
{
    RV_AUTO(rv_bundle_free) struct rv_bundle *bundle = NULL;
    struct texts texts[] = { { "p.cedar", POLICY }, { name, text }, { NULL, NULL } };

    if (last_first) {
        struct texts first = texts[0];

        texts[0] = texts[1];
        texts[1] = first;
    }
    rv_assert_ok(load(texts, &bundle, NULL));
    return bundle->digest;
}

static void every_byte_counts_in_the_digest(void **state)
{
    struct rv_sha256 base = digest_of("x.tests.json", "[1]", false);
    struct rv_sha256 other[] = {
        digest_of("x.tests.json", "[2]", false),
        digest_of("x.tests.json", "[1] ", false),
        digest_of("y.tests.json", "[1]", false),
        digest_of("x.tests.json", "", false),
    };
    struct rv_sha256 turned = digest_of("x.tests.json", "[1]", true);

    (void)state;
    assert_memory_equal(&turned, &base, sizeof(base)); /* the order given does not count */
    for (size_t i = 0; i < RV_COUNT(other); i++)
        assert_memory_not_equal(&other[i], &base, sizeof(base));
}

static void names_that_are_wanted(void **state)
{
    static const char *const no[] = { "", "cedar", "a.cedar.bak", "README", "entities.json.old",
                                      "my-manifest.json", "a.json", "x.cedarschemas" };
    static const char *const yes[] = { "a.cedar", ".cedar", "a.cedarschema", "a.cedarschema.json",
                                       "entities.json", "manifest.json", "a.tests.json" };

    (void)state;
    for (size_t i = 0; i < RV_COUNT(no); i++)
        assert_false(rv_bundle_wants(no[i]));
    for (size_t i = 0; i < RV_COUNT(yes); i++)
        assert_true(rv_bundle_wants(yes[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(too_many_files_are_refused),
        cmocka_unit_test(a_good_bundle_holds_its_parts),
        cmocka_unit_test(every_byte_counts_in_the_digest),
        cmocka_unit_test(names_that_are_wanted),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
