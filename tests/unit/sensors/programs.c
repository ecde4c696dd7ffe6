/* SPDX-License-Identifier: Apache-2.0 */
/* sensors/programs.c: the table, the BPF object and the event schema agree. */
#include "test.h"

#include <bpf/libbpf.h>

#include "state.h"

static void every_program_of_the_object_has_its_row(void **state)
{
    struct rv_bpf *bpf = rv_bpf__open();
    struct bpf_program *program;
    size_t count = 0;

    (void)state;
    assert_non_null(bpf);
    bpf_object__for_each_program(program, bpf->obj)
    {
        const struct rv_program *row = rv_program_by_name(bpf_program__name(program));

        if (!row)
            fail_msg("%s is in the object and not in the table", bpf_program__name(program));
        else if (!rv_streq(row->hook, bpf_program__section_name(program)))
            fail_msg("%s sits at %s, the table says %s", row->name,
                     bpf_program__section_name(program), row->hook);
        count++;
    }
    assert_int_equal(count, rv_bpf_program_count);
    assert_true(rv_bpf_program_count <= RV_PROGRAMS_MAX);
    rv_bpf__destroy(bpf);
}

static void no_default_program_sits_on_the_system_call_path(void **state)
{
    (void)state;
    for (size_t i = 0; i < rv_bpf_program_count; i++) {
        const struct rv_program *row = &rv_programs[i];
        bool slow = strstr(row->hook, "sys_enter") || strstr(row->hook, "sys_exit") ||
                    strstr(row->hook, "syscalls/");

        if (slow && row->attach != RV_ATTACH_DEEP)
            fail_msg("%s sits at %s", row->name, row->hook);
    }
}

static void what_rows_promise_are_events_of_the_schema(void **state)
{
    (void)state;
    for (size_t i = 0; i < rv_bpf_program_count; i++) {
        char *rest = strdup(rv_programs[i].events), *save = NULL;

        for (char *name = strtok_r(rest, " ", &save); name; name = strtok_r(NULL, " ", &save)) {
            if (rv_event_type_by_name(name) == RV_EVENT_NONE)
                fail_msg("%s: no event %s", rv_programs[i].name, name);
        }
        free(rest);
    }
}

static void every_sensor_says_what_it_is(void **state)
{
    (void)state;
    for (unsigned i = 0; i < RV_SENSOR_COUNT_; i++) {
        assert_non_null(rv_sensor_info(i));
        assert_non_null(rv_sensor_info(i)->name);
        assert_non_null(rv_sensor_info(i)->meaning);
    }
    assert_null(rv_sensor_info(RV_SENSOR_COUNT_));
    assert_int_equal(RV_WIRE_TYPES, RV_EVENT_TYPE_END_);
}

static void options_are_checked_before_anything_is_loaded(void **state)
{
    static const struct {
        const char *name;
        struct rv_sensors_options options;
    } cases[] = {
        { "ring no power of two", { .ring_bytes = 4096 * 3 } },
        { "ring below a page", { .ring_bytes = 1024 } },
        { "ring too large", { .ring_bytes = (size_t)1 << 31 } },
        { "urgent ring no power of two", { .urgent_ring_bytes = 5000 } },
        { "scope too large", { .scope_count = RV_SENSORS_SCOPE_MAX + 1 } },
    };

    (void)state;
    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        struct rv_sensors *sensors = NULL;
        const char *error = NULL;
        int r = rv_sensors_open(&sensors, &cases[i].options, &error);

        if (r != -EINVAL || !error || sensors)
            fail_msg("%s: got %d", cases[i].name, r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_program_of_the_object_has_its_row),
        cmocka_unit_test(no_default_program_sits_on_the_system_call_path),
        cmocka_unit_test(what_rows_promise_are_events_of_the_schema),
        cmocka_unit_test(every_sensor_says_what_it_is),
        cmocka_unit_test(options_are_checked_before_anything_is_loaded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
