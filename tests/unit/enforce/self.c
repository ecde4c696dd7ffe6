/* SPDX-License-Identifier: Apache-2.0 */
/* Who is a stranger to Reeve's own files and processes. */
#include "test.h"

#include "enforce/self.h"

enum { LOGIN = 5, SERVER = 4 };

static const char *const folders[] = { "/var/lib/reeve", "/etc/reeve" };
static const char *const files[] = { "/usr/bin/reeve" };
static const char *const programs[] = { "/usr/sbin/reeve-agent", "/usr/bin/dpkg" };

static struct rv_self example(void)
{
    return (struct rv_self){ .folders = folders,
                             .files = files,
                             .programs = programs,
                             .folder_count = RV_COUNT(folders),
                             .file_count = RV_COUNT(files),
                             .program_count = RV_COUNT(programs),
                             .login_kind = LOGIN,
                             .server_kind = SERVER };
}

static void only_administrators_and_our_own_pass(void **state)
{
    static const struct {
        const char *name, *program;
        uint32_t kinds, euid;
        bool refused, recorded;
    } cases[] = {
        { "root without a login", "/bin/sh", 0, 0, true, true },
        { "an administrator", "/bin/sh", 1U << LOGIN, 0, false, true },
        { "a user", "/bin/sh", 1U << LOGIN, 1000, true, true },
        { "a server", "/bin/sh", 1U << SERVER, 0, true, true },
        { "a server that ran login", "/bin/sh", 1U << SERVER | 1U << LOGIN, 0, true, true },
        { "the agent", "/usr/sbin/reeve-agent", 0, 0, false, false },
        { "the package manager", "/usr/bin/dpkg", 1U << SERVER, 0, false, false },
    };
    static const struct {
        uint32_t action, flags;
        const char *file;
    } acts[] = {
        { RV_DO_WRITE, 0, "/var/lib/reeve/log" },
        { RV_DO_UNLINK, 0, "/usr/bin/reeve" },
        { RV_DO_SIGNAL, 1U << RV_FLAG_GUARDED_TARGET, NULL },
    };
    struct rv_rule *rules = calloc(RV_SELF_RULES, sizeof(*rules));
    const struct rv_self self = example();

    assert_int_equal(rv_self_rules(&self, rules), RV_SELF_RULES);
    for (size_t i = 0; i < RV_COUNT(cases) * RV_COUNT(acts); i++) {
        size_t who = i / RV_COUNT(acts), act = i % RV_COUNT(acts);
        struct rv_rule_facts facts = { .action = acts[act].action,
                                       .flags = acts[act].flags,
                                       .files = &acts[act].file,
                                       .file_count = acts[act].file != NULL,
                                       .program = cases[who].program,
                                       .lineage_kinds = cases[who].kinds,
                                       .euid = cases[who].euid };
        bool refused = false, recorded = false;

        for (size_t k = 0; k < RV_SELF_RULES; k++) {
            bool matches = rv_rule_matches(&rules[k], &facts);

            assert_null(rv_rule_check(&rules[k]));
            assert_int_equal(rules[k].policy, RV_POLICY_SELF);
            refused |= matches && rules[k].mode == RV_RULE_ENFORCE;
            recorded |= matches;
        }
        if (refused != cases[who].refused || recorded != cases[who].recorded)
            fail_msg("%s, act %zu: refused %d, recorded %d", cases[who].name, act, (int)refused,
                     (int)recorded);
    }
    free(rules);
}

static void other_files_and_processes_are_left_alone(void **state)
{
    struct rv_rule *rules = calloc(RV_SELF_RULES, sizeof(*rules));
    const char *file = "/var/lib/other/log";
    const struct rv_self self = example();

    assert_int_equal(rv_self_rules(&self, rules), RV_SELF_RULES);
    for (size_t k = 0; k < RV_SELF_RULES; k++) {
        struct rv_rule_facts facts = {
            .action = RV_DO_WRITE, .files = &file, .file_count = 1, .program = "/bin/sh"
        };

        assert_false(rv_rule_matches(&rules[k], &facts));
        facts = (struct rv_rule_facts){ .action = RV_DO_SIGNAL, .program = "/bin/sh" };
        assert_false(rv_rule_matches(&rules[k], &facts));
    }
    free(rules);
}

static void what_does_not_fit_makes_no_rule(void **state)
{
    static const char *many[RV_RULE_TERMS_MAX];
    struct rv_rule *rules = calloc(RV_SELF_RULES, sizeof(*rules));
    struct rv_self self = example();
    char path[RV_RULE_TEXT_MAX + 1];
    const char *long_path = path;

    for (size_t i = 0; i < RV_COUNT(many); i++)
        many[i] = "/x";
    self.folders = many;
    self.folder_count = RV_COUNT(many);
    assert_int_equal(rv_self_rules(&self, rules), 0);
    memset(path, 'x', sizeof(path) - 1);
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    self = example();
    self.files = &long_path;
    self.file_count = 1;
    assert_int_equal(rv_self_rules(&self, rules), 0);
    free(rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_administrators_and_our_own_pass),
        cmocka_unit_test(other_files_and_processes_are_left_alone),
        cmocka_unit_test(what_does_not_fit_makes_no_rule),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
