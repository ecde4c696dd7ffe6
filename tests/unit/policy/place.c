/* SPDX-License-Identifier: Apache-2.0 */
/* Sorting by place of enforcement: one row a policy. */
#include "test.h"

#include "policy/place.h"
#include "policy/read.h"

#define LSM RV_PLACE_BY_LSM
#define CGR RV_PLACE_BY_CGROUP
#define FAN RV_PLACE_BY_FANOTIFY
#define ALL (LSM | CGR | FAN)

#define FORBID(action, rest)                                                                       \
    "forbid (principal, action == Action::\"" action "\", resource)" rest ";"

static struct rv_placement place(unsigned offered, const char *text)
{
    RV_AUTO(rv_policy_set_done) struct rv_policy_set set = { 0 };

    rv_assert_ok(rv_policy_read(&set, "t.cedar", rv_span_str(text), NULL));
    assert_int_equal(set.count, 1);
    return rv_place_policy(rv_place_host(), offered, set.items[0]);
}

static void each_fact_action_and_host_lowers_the_place(void **state)
{
    static const struct {
        const char *name;
        unsigned offered;
        enum rv_place place;
        unsigned by;
        const char *reason; /* part of one of them, NULL: there is none */
        const char *text;
    } cases[] = {
        { "a path alone", ALL, RV_PLACE_KERNEL, LSM, NULL,
          FORBID("file.read", " when { resource in Directory::\"/etc\" }") },
        { "program, uid, risk", ALL, RV_PLACE_KERNEL, LSM, NULL,
          FORBID("file.read", " when { principal.program like \"/usr/*\" && principal.uid > 0 && "
                              "context.risk >= 500 }") },
        { "address and port", ALL, RV_PLACE_KERNEL, LSM | CGR, NULL,
          FORBID("net.connect",
                 " when { resource has ip && "
                 "resource.ip.isInRange(ip(\"10.0.0.0/8\")) && resource.port == 22 }") },
        { "no LSM, but cgroups", CGR, RV_PLACE_KERNEL, CGR, NULL,
          FORBID("net.connect", " when { resource.port == 22 }") },
        { "a pattern in the middle", ALL, RV_PLACE_INLINE, FAN, "no prefix",
          FORBID("file.read", " when { principal.program like \"*/ssh\" }") },
        { "features", ALL, RV_PLACE_INLINE, FAN, "context.features.files: features",
          FORBID("file.write", " when { context.features.files > 3 }") },
        { "an attribute of no table", ALL, RV_PLACE_INLINE, FAN, "resource.name: not in",
          FORBID("file.read", " when { resource.name == \"id_rsa\" }") },
        { "arguments of an exec", ALL, RV_PLACE_AFTER, 0, "only once the program runs",
          FORBID("process.exec", " when { context.argv like \"* -i *\" }") },
        { "the judge is not asked before a ptrace", ALL, RV_PLACE_AFTER, 0, "cannot be asked",
          FORBID("process.ptrace", " when { context.novel }") },
        { "no LSM here", FAN, RV_PLACE_AFTER, 0, "lacks BPF LSM", FORBID("kernel.module", "") },
        { "no LSM, but fanotify", FAN, RV_PLACE_INLINE, FAN, "lacks BPF LSM",
          FORBID("file.read", "") },
        { "nothing refuses a tamper", ALL, RV_PLACE_AFTER, 0, "no hook", FORBID("tamper", "") },
        { "arithmetic", ALL, RV_PLACE_INLINE, FAN, "arithmetic",
          FORBID("file.read", " when { principal.uid + 1 > 2 && -principal.uid < 3 }") },
        { "a date", ALL, RV_PLACE_INLINE, FAN, "this function",
          FORBID("file.read", " when { datetime(\"2024-01-01\") < datetime(\"2025-01-01\") }") },
        { "a tag", ALL, RV_PLACE_INLINE, FAN, "tags",
          FORBID("file.read", " when { resource.hasTag(\"x\") }") },
        { "an attribute of a set", ALL, RV_PLACE_INLINE, FAN, "of an attribute",
          FORBID("file.read",
                 " when { (if true then resource else principal).a.b == {\"c\": 1} }") },
        { "the weakest of a group counts", ALL, RV_PLACE_AFTER, 0, "namespace: no hook",
          "forbid (principal, action in Action::\"host\", resource);" },
        { "a set of actions", ALL, RV_PLACE_KERNEL, LSM, NULL,
          "forbid (principal, action in [Action::\"file.read\", Action::\"file.write\"], resource);" },
        { "every action", ALL, RV_PLACE_AFTER, 0, "tamper",
          "forbid (principal, action, resource);" },
    };
    (void)state;
    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        struct rv_placement got = place(cases[i].offered, cases[i].text);
        bool said = cases[i].reason == NULL && got.reason_count == 0;

        for (uint32_t k = 0; cases[i].reason && k < got.reason_count; k++)
            said = said || strstr(got.reasons[k].text, cases[i].reason);
        if (!got.governs || got.place != cases[i].place || got.by != cases[i].by || !said)
            fail_msg("%s: governs %d, %s by %u, %u reasons, first: %s", cases[i].name, got.governs,
                     rv_place_name(got.place), got.by, got.reason_count, got.reasons[0].text);
    }
}

static void what_refuses_nothing_governs_nothing(void **state)
{
    (void)state;
    assert_false(place(ALL, "permit (principal, action, resource);").governs);
    assert_false(place(ALL, FORBID("payments.create", " when { 1 + 1 == 2 }")).governs);
    assert_int_equal(place(ALL, FORBID("payments.create", " when { 1 + 1 == 2 }")).reason_count, 0);
}

static void a_condition_that_unfolds_far_is_given_up(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };
    struct rv_placement got;

    (void)state;
    rv_buf_add_str(&text, "forbid (principal, action == Action::\"file.read\", resource) when { ");
    for (int i = 0; i < 20; i++)
        rv_buf_add_str(&text, "(if ");
    rv_buf_add_str(&text, "true");
    for (int i = 0; i < 20; i++)
        rv_buf_add_str(&text, " then resource else principal) has a.b.c");
    rv_buf_add_str(&text, " };");
    got = place(ALL, text.data);
    assert_int_equal(got.place, RV_PLACE_AFTER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fact_action_and_host_lowers_the_place),
        cmocka_unit_test(what_refuses_nothing_governs_nothing),
        cmocka_unit_test(a_condition_that_unfolds_far_is_given_up),
    };

    return cmocka_run_group_tests_name("unit.policy.place", tests, NULL, NULL);
}
