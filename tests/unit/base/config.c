/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/config.h"

struct sample {
    char *name;
    uint64_t size;
    bool loud;
    unsigned mode;
    struct rv_config_list paths;
};

static const char *const modes[] = { "observe", "enforce", NULL };

static const struct rv_config_key keys[] = {
    { RV_CONFIG_STRING, "name", offsetof(struct sample, name), "anon", "A name.", 0, 0, NULL },
    { RV_CONFIG_U64, "ring.size", offsetof(struct sample, size), "64", "A size.", 1, 100, NULL },
    { RV_CONFIG_BOOL, "loud", offsetof(struct sample, loud), "no", "Loud.", 0, 0, NULL },
    { RV_CONFIG_CHOICE, "mode", offsetof(struct sample, mode), "observe", "Mode.", 0, 0, modes },
    { RV_CONFIG_LIST, "path", offsetof(struct sample, paths), "/a /b", "Paths.", 0, 0, NULL },
    { 0 },
};

static void text_sets_what_it_names_and_leaves_the_rest(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf dump = { 0 };
    struct rv_config_error error;
    struct sample sample = { 0 }, again = { 0 };

    rv_assert_ok(rv_config_init(keys, &sample));
    assert_int_equal(sample.paths.count, 2);
    rv_assert_ok(rv_config_parse(keys, &sample,
                                 rv_span_str("# comment\n\n ring.size = 7 \nmode=enforce\n"
                                             "path = /x\npath = /y z\nloud=yes"),
                                 &error));
    assert_int_equal(sample.size, 7);
    assert_int_equal(sample.mode, 1);
    assert_true(sample.loud);
    assert_string_equal(sample.name, "anon");
    assert_int_equal(sample.paths.count, 2);
    assert_string_equal(sample.paths.items[1], "/y z");

    rv_config_dump(keys, &sample, &dump);
    rv_assert_ok(rv_config_init(keys, &again));
    rv_assert_ok(rv_config_parse(keys, &again, rv_buf_span(&dump), &error));
    assert_int_equal(again.size, 7);
    assert_string_equal(again.paths.items[0], "/x");
    rv_config_done(keys, &sample);
    rv_config_done(keys, &again);
}

static void what_is_wrong_is_refused_with_its_line(void **state)
{
    static const struct {
        const char *text, *says;
        unsigned line;
    } cases[] = {
        { "loud = yes\nmod = observe\n", "did you mean 'mode'", 2 },
        { "zzz = 1", "reeve-agent.conf(5)", 1 },
        { "\n\nring.size = 0", "from 1 to 100", 3 },
        { "ring.size = 12x", "from 1 to 100", 1 },
        { "ring.size = 99999999999999999999", "from 1 to 100", 1 },
        { "loud = maybe", "yes or no", 1 },
        { "mode = panic", "observe, enforce", 1 },
        { "just words", "key = value", 1 },
        { "name = a\nname = b", "a second time", 2 },
    };

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        struct rv_config_error error = { 0 };
        struct sample sample = { 0 };

        rv_assert_ok(rv_config_init(keys, &sample));
        assert_int_equal(rv_config_parse(keys, &sample, rv_span_str(cases[i].text), &error),
                         -EINVAL);
        assert_int_equal(error.line, cases[i].line);
        if (!strstr(error.message, cases[i].says))
            fail_msg("'%s' says: %s", cases[i].text, error.message);
        rv_config_done(keys, &sample);
    }
}

static void nul_byte_is_refused(void **state)
{
    struct rv_config_error error = { 0 };
    struct sample sample = { 0 };

    rv_assert_ok(rv_config_init(keys, &sample));
    assert_int_equal(rv_config_parse(keys, &sample, rv_span("loud = no\0\n", 11), &error), -EINVAL);
    rv_config_done(keys, &sample);
}

static void empty_value_empties_a_list(void **state)
{
    struct rv_config_error error = { 0 };
    struct sample sample = { 0 };

    rv_assert_ok(rv_config_init(keys, &sample));
    rv_assert_ok(rv_config_set(keys, &sample, "path=", &error));
    assert_int_equal(sample.paths.count, 0);
    rv_config_done(keys, &sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_sets_what_it_names_and_leaves_the_rest),
        cmocka_unit_test(what_is_wrong_is_refused_with_its_line),
        cmocka_unit_test(nul_byte_is_refused),
        cmocka_unit_test(empty_value_empties_a_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
