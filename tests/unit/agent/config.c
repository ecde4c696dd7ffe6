/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "agent/stage.h"
#include "config.h"

#include <unistd.h>

static void defaults_are_read_back_from_their_dump(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf dump = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf again = { 0 };
    struct rv_agent_config config, second = { 0 };
    struct rv_config_error error;

    rv_assert_ok(rv_agent_config_load(&config, "/dev/null", NULL, 0));
    assert_int_equal(config.mode, RV_STAGE_OBSERVE);
    rv_config_dump(rv_agent_config_keys, &config, &dump);
    rv_assert_ok(rv_config_init(rv_agent_config_keys, &second));
    rv_assert_ok(rv_config_parse(rv_agent_config_keys, &second, rv_buf_span(&dump), &error));
    rv_config_dump(rv_agent_config_keys, &second, &again);
    assert_string_equal(dump.data, again.data);
    rv_agent_config_done(&config);
    rv_agent_config_done(&second);
}

static void settings_go_over_the_file(void **state)
{
    const char *sets[] = { "mode=enforce", "ring.size_kib = 128" };
    struct rv_agent_config config;

    rv_assert_ok(rv_agent_config_load(&config, "/dev/null", sets, 2));
    assert_int_equal(config.mode, RV_STAGE_ENFORCE);
    assert_int_equal(config.ring_kib, 128);
    rv_agent_config_done(&config);
}

static void what_makes_no_sense_is_refused(void **state)
{
    const char *bad[] = { "ring.size_kib=100", "mode=panic", "no.such=1", "learn=perhaps" };
    struct rv_agent_config config;

    for (size_t i = 0; i < RV_COUNT(bad); i++)
        assert_int_equal(rv_agent_config_load(&config, "/dev/null", &bad[i], 1), -EINVAL);
    assert_int_equal(rv_agent_config_load(&config, "/no/such/file", NULL, 0), -ENOENT);
}

static void manual_names_every_key(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf manual = { 0 };

    rv_config_manual(rv_agent_config_keys, &manual);
    for (const struct rv_config_key *key = rv_agent_config_keys; key->kind; key++) {
        if (!strstr(manual.data, key->name))
            fail_msg("%s is not in the manual", key->name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_read_back_from_their_dump),
        cmocka_unit_test(settings_go_over_the_file),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(manual_names_every_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
