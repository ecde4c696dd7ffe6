/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/options.h"

static bool json;
static const char *output;
static uint64_t count;
static struct rv_option_list names;

static const struct rv_option options[] = {
    { RV_OPTION_FLAG, 'j', "json", NULL, "print JSON", &json, 0, 0 },
    { RV_OPTION_STRING, 'o', "output", "FILE", "write to FILE", &output, 0, 0 },
    { RV_OPTION_U64, 0, "count", "N", "how many", &count, 1, 10 },
    { RV_OPTION_LIST, 0, "name", "NAME", "a name", &names, 0, 0 },
    { 0 },
};

static int parse(enum rv_options_mode mode, int *ret_operands, int argc, ...)
{
    static char *argv[16];
    va_list args;

    json = false;
    output = NULL;
    count = 0;
    free(names.items);
    names = (struct rv_option_list){ 0 };
    va_start(args, argc);
    for (int i = 0; i < argc; i++)
        argv[i + 1] = va_arg(args, char *);
    va_end(args);
    return rv_options_parse(options, mode, argc + 1, argv, ret_operands);
}

static void every_form_is_understood(void **state)
{
    int operands = 0;

    rv_assert_ok(parse(RV_OPTIONS_ANYWHERE, &operands, 8, "one", "-j", "-o", "f", "--count=3",
                       "--name", "x", "--name=y"));
    assert_int_equal(operands, 1);
    assert_true(json);
    assert_string_equal(output, "f");
    assert_int_equal(count, 3);
    assert_int_equal(names.count, 2);
    assert_string_equal(names.items[1], "y");

    rv_assert_ok(parse(RV_OPTIONS_BEFORE_OPERANDS, &operands, 3, "-ofile", "cmd", "-j"));
    assert_int_equal(operands, 2);
    assert_false(json);
    assert_string_equal(output, "file");

    rv_assert_ok(parse(RV_OPTIONS_ANYWHERE, &operands, 2, "--", "--json"));
    assert_int_equal(operands, 1);
    assert_false(json);
}

static void what_is_wrong_is_refused(void **state)
{
    int operands = -1;

    assert_int_equal(parse(RV_OPTIONS_ANYWHERE, &operands, 1, "--nope"), -EINVAL);
    assert_int_equal(parse(RV_OPTIONS_ANYWHERE, &operands, 1, "--count"), -EINVAL);
    assert_int_equal(parse(RV_OPTIONS_ANYWHERE, &operands, 1, "--count=0"), -EINVAL);
    assert_int_equal(parse(RV_OPTIONS_ANYWHERE, &operands, 1, "--count=11"), -EINVAL);
    assert_int_equal(parse(RV_OPTIONS_ANYWHERE, &operands, 1, "--count=-1"), -EINVAL);
    assert_int_equal(parse(RV_OPTIONS_ANYWHERE, &operands, 1, "--json=yes"), -EINVAL);
    assert_int_equal(operands, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_is_understood),
        cmocka_unit_test(what_is_wrong_is_refused),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    free(names.items);
    return failed;
}
