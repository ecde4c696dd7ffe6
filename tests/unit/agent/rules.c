/* SPDX-License-Identifier: Apache-2.0 */
/* Policies to rules: each construct in words, places, stages, a full table, what stays the same. */
#include "test.h"

#include "agent/folder.h"
#include "agent/rules.h"
#include "features/program.h"
#include "policy/read.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#define LSM (1U << RV_BY_LSM)
#define CGR (1U << RV_BY_CGROUP)
#define FAN (1U << RV_BY_FANOTIFY)
#define ALL (LSM | CGR | FAN)

#define PERMIT "permit (principal, action, resource);"
#define FORBID(action, rest)                                                                       \
    "forbid (principal, action == Action::\"" action "\", resource)" rest ";" PERMIT

struct compiled {
    struct rv_policy_set set;
    struct rv_rules *rules;
    struct rv_buf words;
};

static void compiled_done(struct compiled *compiled)
{
    rv_rules_free(&compiled->rules);
    rv_policy_set_done(&compiled->set);
    rv_buf_done(&compiled->words);
}

static void compile(struct compiled *compiled, const char *text,
                    const struct rv_rules_options *options)
{
    rv_assert_ok(rv_policy_read(&compiled->set, "t.cedar", rv_span_str(text), NULL));
    rv_assert_ok(rv_rules_compile(&compiled->rules, &compiled->set, NULL, options));
    for (uint32_t i = 0; i < compiled->rules->count; i++) {
        assert_null(rv_rule_check(&compiled->rules->rules[i]));
        rv_buf_add_str(&compiled->words, i ? " | " : "");
        rv_rules_print(&compiled->words, &compiled->rules->rules[i]);
    }
    if (compiled->words.len == 0)
        rv_buf_add_str(&compiled->words, "none");
}

static size_t cgroups(void *context, struct rv_text workload, uint64_t *ids, size_t max)
{
    if (!rv_text_is(workload, "web") || max < 2)
        return 0;
    ids[0] = 71;
    ids[1] = 72;
    return 2;
}

static void each_construct_is_a_rule_in_words(void **state)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        { FORBID("file.read", ""), "refuse read" },
        { FORBID("file.read", " when { resource == File::\"/etc/shadow\" }"),
          "refuse read when file is /etc/shadow" },
        { FORBID("file.read",
                 " when { resource in File::\"/a\" || resource in Directory::\"/b\" }"),
          "refuse read when file is /a or below is /b" },
        { FORBID("file.read", " when { resource in Directory::\"/b\" && "
                              "!(resource in Directory::\"/b/c\") }"),
          "refuse read when below is /b and below is none of /b/c" },
        { FORBID("file.read", " when { resource.name == \"x\" && resource.name != \"y\" }"),
          "refuse read when the file's name is x" },
        { FORBID("file.read", " when { resource.name like \"x\" }"),
          "refuse read when the file's name is x" },
        { FORBID("file.read", " when { principal.program == \"/bin/a\" || "
                              "principal.program like \"/bin/b\" }"),
          "refuse read when program is /bin/a, /bin/b" },
        { FORBID("file.read", " unless { principal.program like \"*/a\" }"),
          "refuse read when the program's name is none of a" },
        { FORBID("file.read", " unless { [\"shell\", \"server\"].contains(principal.kind) }"),
          "refuse read when kind is none of shell, server" },
        { FORBID("file.read", " when { principal.kind like \"s*\" }"),
          "refuse read when kind is shell, server, service" },
        { FORBID("file.read", " when { principal in Program::\"/bin/a\" }"),
          "refuse read when it or an ancestor ran is /bin/a" },
        { FORBID("file.read", " when { principal in ProgramKind::\"server\" }"),
          "refuse read when it or an ancestor ran a program of kind is server" },
        { FORBID("file.read", " when { principal in User::\"33\" || principal.uid == 34 }"),
          "refuse read when uid is 33, 34" },
        { FORBID("file.read", " when { principal.uid != 0 && principal.gid <= 1 }"),
          "refuse read when gid is 0, 1 and uid is none of 0" },
        { FORBID("file.read", " when { principal in Workload::\"web\" }"),
          "refuse read when cgroup is 71, 72" },
        { FORBID("file.read", " unless { principal in Workload::\"gone\" }"), "refuse read" },
        { FORBID("file.read", " when { context.risk >= 500 }"),
          "refuse read when risk is 500 to 1000; within the workload's budget" },
        { FORBID("file.read", " when { context.risk > 200 && context.risk < 500 }"),
          "refuse read when risk is 201 to 499; within the workload's budget" },
        { "@budget(\"none\") " FORBID("file.read", " when { context.risk >= 500 }"),
          "refuse read when risk is 500 to 1000" },
        { "@respond(\"hold\") " FORBID("file.read", ""),
          "refuse read; a person may let it pass once" },
        { "@respond(\"alert\") " FORBID("file.read", ""), "none" },
        { "@respond(\"kill\") " FORBID("file.read", ""), "refuse read" },
        { FORBID("process.exec", " when { resource == Program::\"/bin/a\" }"),
          "refuse exec when file is /bin/a" },
        { FORBID("process.exec", " when { resource.kind == \"shell\" || "
                                 "resource in ProgramKind::\"recon\" }"),
          "refuse exec when the file's kind is shell, recon" },
        { FORBID("process.exec",
                 " when { resource.fileless } unless { principal.kind == \"debug\" }"),
          "refuse exec when the program has no file and kind is none of debug" },
        { FORBID("memory.exec", " when { context.anonymous && context.writable == true }"),
          "refuse map-exec, mprotect-exec when the memory is anonymous and the memory is writable" },
        { FORBID("file.attr", " when { !context.setid_added }"),
          "refuse attr when not: a set-id bit is new" },
        { FORBID("process.cred", " when { context.gained_root && context.old_uid == 33 }"),
          "refuse setuid when uid is 33 and it becomes root" },
        { FORBID("namespace", " when { resource == Namespace::\"user\" }"), "refuse userns" },
        { FORBID("net.connect",
                 " when { resource has ip && "
                 "resource.ip.isInRange(ip(\"10.1.2.3/8\")) && resource.port == 22 }"),
          "refuse connect when address is 10.0.0.0/8 and port is 22 and family is IPv4, IPv6" },
        { FORBID("net.connect", " when { resource.port > 65533 && resource.protocol == \"tcp\" }"),
          "refuse connect when port is 65534, 65535 and protocol is TCP" },
        { FORBID("net.connect", " when { resource.protocol == \"other\" }"),
          "refuse connect when protocol is none of TCP, UDP" },
        { FORBID("net.connect", " when { resource.family != \"unix\" }"),
          "refuse connect when family is IPv4, IPv6" },
        { FORBID("net.connect", " when { resource.family == \"unix\" }"),
          "refuse connect when family is none of IPv4, IPv6" },
        { FORBID("net.connect", " when { resource == Endpoint::\"[::1]:443\" }"),
          "refuse connect when address is ::1/128 and port is 443" },
        { FORBID("net.bind", " when { resource has ip && !resource.ip.isLoopback() }"),
          "refuse bind when family is IPv4, IPv6 and address is none of 127.0.0.0/8, ::1/128" },
        /* merging, contradictions, what is left of a group */
        { "forbid (principal, action in [Action::\"file.write\", Action::\"file.create\"], resource)"
          " when { resource in Directory::\"/a\" || resource in Directory::\"/b\" };" PERMIT,
          "refuse write, create when below is /a, /b" },
        { FORBID("file.read", " when { (principal.uid == 1 || principal.uid == 2) && "
                              "(resource in Directory::\"/a\" || resource in Directory::\"/b\") }"),
          "refuse read when uid is 1, 2 and below is /a, /b" },
        { FORBID("file.read", " when { principal.uid == 1 && principal.uid == 2 }"), "none" },
        { FORBID("file.read", " when { resource in Directory::\"/a\" && "
                              "resource == File::\"/a/x\" }"),
          "refuse read when file is /a/x" },
        { FORBID("file.read", " when { resource in Directory::\"/a\" && "
                              "resource == File::\"/ab/x\" }"),
          "none" },
        { FORBID("file.read",
                 " when { resource in Directory::\"/a\" && "
                 "!(resource in Directory::\"/c\") && !(resource == File::\"/a/y\") }"),
          "refuse read when below is /a and file is none of /a/y" },
        { FORBID("net.connect", " when { resource has ip && "
                                "resource.ip.isInRange(ip(\"10.0.0.0/8\")) && "
                                "resource.ip.isInRange(ip(\"10.1.0.0/16\")) }"),
          "refuse connect when address is 10.1.0.0/16 and family is IPv4, IPv6" },
        { FORBID("file.read", " when { principal.kind == \"nothing\" }"), "none" },
        { FORBID("file.read", " when { principal in Workload::\"gone\" }"), "none" },
        { FORBID("file.read", " when { principal.uid >= 0 && context.risk <= 1000 }"),
          "refuse read" },
        /* what holds only in part keeps its other alternatives */
        { FORBID("file.read", " when { resource.name == \"x\" || resource.name like \"*.pem\" }"),
          "refuse read when the file's name is x" },
        { FORBID("file.read", " when { context.novel }"), "none" },
        /* what no permit allows */
        { "permit (principal, action, resource) when { principal.uid == 0 };",
          "refuse exec, read, write, create, rename, unlink, link, attr, map-exec, mprotect-exec, "
          "ptrace, bind, connect, listen, module, bpf, mount, userns, signal, truncate, accept, "
          "kexec when uid is none of 0" },
        { "permit (principal, action, resource) unless { action == Action::\"net.connect\" && "
          "resource.port != 443 };",
          "refuse connect when port is none of 443" },
    };

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        RV_AUTO(compiled_done) struct compiled compiled = { 0 };
        struct rv_rules_options options = { .offered = ALL, .cgroups = cgroups };

        compile(&compiled, cases[i].text, &options);
        if (strcmp(compiled.words.data, cases[i].words) != 0)
            fail_msg("%s\n%s\n%s", cases[i].text, compiled.words.data, cases[i].words);
    }
}

static void each_fact_action_and_host_lowers_the_place(void **state)
{
    static const struct {
        unsigned offered;
        enum rv_place place;
        unsigned by;
        const char *reason; /* part of one of them, NULL: there is none */
        const char *text;
    } cases[] = {
        { ALL, RV_PLACE_KERNEL, LSM, NULL,
          FORBID("file.read", " when { resource in Directory::\"/etc\" }") },
        { ALL, RV_PLACE_KERNEL, LSM | CGR, NULL,
          FORBID("net.connect", " when { resource.port == 22 }") },
        { FAN, RV_PLACE_INLINE, FAN, "inside the scopes",
          FORBID("file.read", " when { principal.uid == 1 }") },
        { CGR, RV_PLACE_KERNEL, CGR, NULL,
          FORBID("net.connect", " when { principal.kind == \"shell\" && resource has ip }") },
        { CGR, RV_PLACE_AFTER, 0, "lacks BPF LSM", FORBID("net.connect", "") },
        { ALL, RV_PLACE_KERNEL, LSM, NULL,
          FORBID("net.connect", " when { principal.kind == \"shell\" }") },
        { CGR, RV_PLACE_KERNEL, CGR, NULL, FORBID("net.connect", " when { resource.port == 22 }") },
        { FAN, RV_PLACE_INLINE, FAN, "file.read: this host lacks BPF LSM",
          FORBID("file.read", "") },
        { FAN, RV_PLACE_AFTER, 0, "kernel.module: this host lacks BPF LSM",
          FORBID("kernel.module", "") },
        { FAN, RV_PLACE_AFTER, 0, "lacks BPF LSM and cgroup-BPF",
          FORBID("net.connect", " when { resource.port == 22 }") },
        { LSM, RV_PLACE_AFTER, 0, "file.read: this host lacks fanotify",
          FORBID("file.read", " when { context.novel }") },
        { ALL, RV_PLACE_INLINE, FAN, "principal.program: of patterns",
          FORBID("file.read", " when { principal.program like \"*/ssh-*\" }") },
        { ALL, RV_PLACE_INLINE, FAN, "resource.name: rules hold whole names",
          FORBID("file.read", " when { resource.name like \"*.pem\" }") },
        { ALL, RV_PLACE_INLINE, FAN, "context.features.files: features",
          FORBID("file.write", " when { context.features.files > 3 }") },
        { ALL, RV_PLACE_INLINE, FAN, "principal.uid: rules hold single values",
          FORBID("file.read", " when { principal.uid > 999 }") },
        { ALL, RV_PLACE_INLINE, FAN, "context.risk: a rule has one range",
          FORBID("file.read", " when { context.risk != 300 }") },
        { ALL, RV_PLACE_INLINE, FAN, "it is no plain path",
          FORBID("file.read", " when { resource in Directory::\"/etc/\" }") },
        { ALL, RV_PLACE_INLINE, FAN, "cannot ask for two",
          FORBID("file.read", " when { principal in Program::\"/a\" && "
                              "principal in Program::\"/b\" }") },
        { ALL, RV_PLACE_INLINE, FAN, "what is worked out",
          FORBID("file.read", " when { principal.uid + 1 > 2 }") },
        { ALL, RV_PLACE_INLINE, FAN, "tags",
          FORBID("file.read", " when { resource.hasTag(\"x\") }") },
        { ALL, RV_PLACE_INLINE, FAN, "single processes",
          FORBID("file.read", " when { principal in Process::\"1.1\" }") },
        { ALL, RV_PLACE_AFTER, 0, "only once the program runs",
          FORBID("process.exec", " when { context.argv like \"* -i *\" }") },
        { ALL, RV_PLACE_AFTER, 0, "compares two values",
          FORBID("process.exec", " when { context.argv == context.cwd }") },
        { ALL, RV_PLACE_AFTER, 0, "the judge cannot be asked",
          FORBID("process.ptrace", " when { context.novel }") },
        { ALL, RV_PLACE_AFTER, 0, "what the process is afterwards",
          FORBID("process.cred", " when { principal.uid == 0 }") },
        { ALL, RV_PLACE_AFTER, 0, "where something is mounted",
          FORBID("mount", " when { resource == File::\"/mnt\" }") },
        { ALL, RV_PLACE_AFTER, 0, "old name from the new",
          FORBID("file.rename", " when { context.from like \"/var/*\" }") },
        { ALL, RV_PLACE_AFTER, 0, "only a user's", FORBID("namespace", "") },
        { ALL, RV_PLACE_AFTER, 0, "tamper: no hook", FORBID("tamper", "") },
        { ALL, RV_PLACE_AFTER, 0, "tamper: no hook",
          "forbid (principal, action in Action::\"host\", resource);" PERMIT },
    };

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        RV_AUTO(compiled_done) struct compiled compiled = { 0 };
        struct rv_rules_options options = { .offered = cases[i].offered };
        const struct rv_rules_policy *got;
        bool said;

        compile(&compiled, cases[i].text, &options);
        got = &compiled.rules->policies[0];
        said = cases[i].reason == NULL && got->reason_count == 0;
        for (uint32_t k = 0; cases[i].reason && k < got->reason_count; k++)
            said = said || strstr(got->reasons[k].text, cases[i].reason);
        if (!got->governs || got->place != cases[i].place || got->mechanisms != cases[i].by ||
            !said)
            fail_msg("%s: governs %d, %s by %u, %u reasons, first: %s", cases[i].text, got->governs,
                     rv_place_name(got->place), got->mechanisms, got->reason_count,
                     got->reasons[0].text);
    }
}

static void a_mechanism_may_lack_an_action(void **state)
{
    RV_AUTO(compiled_done) struct compiled compiled = { 0 };
    struct rv_rules_options options = { .offered = ALL,
                                        .lacks = { [RV_BY_LSM] = RV_DO_MOUNT | RV_DO_READ } };

    compile(&compiled,
            "forbid (principal, action in [Action::\"mount\", Action::\"file.write\"], resource);"
            "forbid (principal, action == Action::\"file.read\", resource);" PERMIT,
            &options);
    assert_string_equal(compiled.words.data, "refuse write | refuse read");
    assert_int_equal(compiled.rules->policies[0].place, RV_PLACE_AFTER);
    assert_int_equal(compiled.rules->policies[1].place, RV_PLACE_INLINE);
    assert_non_null(strstr(compiled.rules->policies[0].reasons[0].text, "mount: this host lacks"));
}

static void what_providers_do_not_carry_is_placed_after(void **state)
{
    RV_AUTO(compiled_done) struct compiled compiled = { 0 };
    struct rv_rules_options options = { .offered = ALL };
    uint64_t carried[RV_MECHANISMS_] = { [RV_BY_LSM] = 1, [RV_BY_FANOTIFY] = 2 };

    compile(&compiled,
            PERMIT "forbid (principal, action == Action::\"file.read\", resource);"
                   "forbid (principal, action == Action::\"file.write\", resource);"
                   "forbid (principal, action == Action::\"mount\", resource);",
            &options);
    rv_rules_carried(compiled.rules, carried);
    assert_int_equal(compiled.rules->policies[1].place, RV_PLACE_KERNEL);
    assert_int_equal(compiled.rules->policies[1].reason_count, 0);
    assert_int_equal(compiled.rules->policies[2].place, RV_PLACE_INLINE);
    assert_int_equal(compiled.rules->policies[2].mechanisms, FAN);
    assert_int_equal(compiled.rules->policies[3].place, RV_PLACE_AFTER);
    assert_int_equal(compiled.rules->policies[3].mechanisms, 0);
    assert_non_null(strstr(compiled.rules->policies[3].reasons[0].text, "rule 2 is not carried"));
}

static void what_refuses_nothing_governs_nothing(void **state)
{
    static const char *const texts[] = {
        PERMIT, FORBID("payments.create", " when { 1 == 1 }"),
        FORBID("file.read", " when { resource is Program }"),
        FORBID("file.read", " when { resource.port == 1 }"), /* there is none: an error */
    };

    for (size_t i = 0; i < RV_COUNT(texts); i++) {
        RV_AUTO(compiled_done) struct compiled compiled = { 0 };
        struct rv_rules_options options = { .offered = ALL };

        compile(&compiled, texts[i], &options);
        assert_false(compiled.rules->policies[0].governs);
        assert_false(compiled.rules->policies[compiled.set.count].governs);
        assert_int_equal(compiled.rules->count, 0);
    }
}

/* ---- Stages ---- */

static void set_stage(struct rv_stages *stages, const char *policy, const char *workload,
                      enum rv_stage stage)
{
    struct rv_stage_setting setting = { .stage = stage };

    (void)snprintf(setting.policy, sizeof(setting.policy), "%s", policy);
    (void)snprintf(setting.workload, sizeof(setting.workload), "%s", workload);
    rv_assert_ok(rv_stage_set(stages, &setting));
}

static void stages_choose_rules_and_modes(void **state)
{
    static const char text[] = "@id(\"a\") " FORBID(
        "file.read",
        " when { principal.uid == 1 }") "@id(\"b\") forbid (principal, action == Action::\"file.write\", resource);";
    static struct rv_stages stages = { .ceiling = RV_STAGE_ENFORCE };
    struct rv_rules_options options = { .offered = ALL, .stages = &stages, .cgroups = cgroups };
    static const struct {
        const char *policy, *workload;
        enum rv_stage stage;
        const char *words;
    } steps[] = {
        { "x", "*", RV_STAGE_ENFORCE, "none" },
        { "a", "*", RV_STAGE_SHADOW, "would refuse read when uid is 1" },
        { "b", "*", RV_STAGE_ENFORCE, "refuse write | would refuse read when uid is 1" },
        { "a", "web", RV_STAGE_ENFORCE,
          "refuse read when uid is 1 and cgroup is 71, 72 | refuse write | "
          "would refuse read when uid is 1 and cgroup is none of 71, 72" },
        { "a", "*", RV_STAGE_OBSERVE,
          "refuse read when uid is 1 and cgroup is 71, 72 | refuse write" },
        { "b", "web", RV_STAGE_OBSERVE,
          "refuse read when uid is 1 and cgroup is 71, 72 | "
          "refuse write when cgroup is none of 71, 72" },
        { "b", "gone", RV_STAGE_OBSERVE,
          "refuse read when uid is 1 and cgroup is 71, 72 | "
          "refuse write when cgroup is none of 71, 72" },
    };

    for (size_t i = 0; i < RV_COUNT(steps); i++) {
        RV_AUTO(compiled_done) struct compiled compiled = { 0 };

        set_stage(&stages, steps[i].policy, steps[i].workload, steps[i].stage);
        compile(&compiled, text, &options);
        assert_string_equal(compiled.words.data, steps[i].words);
    }
    stages.ceiling = RV_STAGE_OBSERVE;
    RV_AUTO(compiled_done) struct compiled compiled = { 0 };
    compile(&compiled, text, &options);
    assert_int_equal(compiled.rules->count, 0);
}

/* ---- Room ---- */

static enum rv_rule_lapse lapse_closed(void *context, const struct rv_policy *policy)
{
    const struct rv_text *word = policy ? rv_policy_annotation(policy, "lapse") : NULL;

    return word && rv_text_is(*word, "closed") ? RV_LAPSE_CLOSED : RV_LAPSE_OPEN;
}

static void a_full_table_names_what_it_leaves_out(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };
    struct rv_rules_options options = { .offered = ALL, .lapse = lapse_closed };
    RV_AUTO(compiled_done) struct compiled compiled = { 0 };
    const struct rv_rules_policy *policies;

    rv_buf_add_str(&text, PERMIT);
    for (int i = 0; i < RV_RULES_MAX - 1; i++)
        rv_buf_addf(&text,
                    "forbid (principal, action == Action::\"file.read\", resource) "
                    "when { principal.uid == %d };",
                    i);
    rv_buf_add_str(
        &text, "@lapse(\"closed\") forbid (principal, action == Action::\"file.write\", resource) "
               "when { principal.uid == 1 && principal.gid == 1 || "
               "principal.uid == 2 && principal.gid == 2 };"
               "forbid (principal, action == Action::\"file.write\", resource)"
               "when { resource.name == \"a\" && principal.gid == 1 || "
               "principal.uid == 2 && principal.gid == 2 };"
               "forbid (principal, action == Action::\"net.bind\", resource);");
    compile(&compiled, text.data, &options);
    policies = compiled.rules->policies + RV_RULES_MAX;
    assert_int_equal(compiled.rules->count, RV_RULES_MAX);
    assert_int_equal(compiled.rules->left_out, 2);
    assert_int_equal(compiled.rules->left_out_closed, 1);
    assert_true(policies[0].left_out && policies[1].left_out && !policies[2].left_out);
    assert_int_equal(policies[0].rule_count, 0);
    assert_int_equal(policies[2].rule_count, 1);
    assert_int_equal(policies[0].place, RV_PLACE_AFTER);
    assert_non_null(strstr(policies[0].reasons[0].text, "the set before it stays"));
    assert_non_null(strstr(policies[1].reasons[0].text, "nothing is refused"));
    assert_int_equal(compiled.rules->rules[RV_RULES_MAX - 1].lapse, RV_LAPSE_OPEN);
}

static void what_is_too_long_for_a_rule_becomes_several_or_none(void **state)
{
    static const char *const joins[] = { " || ", " && " };

    for (size_t way = 0; way < 2; way++) {
        RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };
        RV_AUTO(compiled_done) struct compiled compiled = { 0 };
        struct rv_rules_options options = { .offered = ALL };
        const struct rv_rules_policy *policy;

        rv_buf_add_str(&text,
                       "forbid (principal, action == Action::\"file.read\", resource) when { ");
        for (int i = 0; i < 60; i++)
            rv_buf_addf(&text, "%sprincipal.uid %s %d", i ? joins[way] : "",
                        way ? "!=" : "==", 100 + i);
        rv_buf_add_str(&text, " };" PERMIT);
        compile(&compiled, text.data, &options);
        policy = &compiled.rules->policies[0];
        assert_int_equal(policy->rule_count, way ? 0 : 2);
        assert_int_equal(policy->place, way ? RV_PLACE_INLINE : RV_PLACE_KERNEL);
        if (way)
            assert_non_null(strstr(policy->reasons[0].text, "more conditions than a rule holds"));
        else
            assert_int_equal(
                compiled.rules->rules[0].term_count + compiled.rules->rules[1].term_count, 60);
    }
}

/* ---- Stability ---- */

static void what_a_decision_depends_on_is_known(void **state)
{
    static const struct {
        const char *action, *text;
        enum rv_stability stability;
    } cases[] = {
        { "file.read", PERMIT, RV_STABLE_BY_FILE },
        { "file.read", FORBID("file.read", " when { resource in Directory::\"/etc\" }"),
          RV_STABLE_BY_FILE },
        { "file.read",
          FORBID("file.read", " when { resource.name like \"*.pem\" && "
                              "principal.path_class == \"scratch\" && "
                              "principal in User::\"1\" && principal.kind == \"shell\" }"),
          RV_STABLE_BY_PROGRAM },
        { "file.read", FORBID("file.read", " when { principal in ProgramKind::\"server\" }"),
          RV_STABLE_NOT },
        { "file.read", FORBID("file.read", " when { context.risk > 3 }"), RV_STABLE_NOT },
        { "file.write", FORBID("file.read", " when { context.risk > 3 }"), RV_STABLE_BY_FILE },
        { "file.read", FORBID("file.read", " when { resource.owner == 0 }"), RV_STABLE_NOT },
        { "process.exec", FORBID("process.exec", " when { resource.fileless }"), RV_STABLE_NOT },
        { "process.exec", FORBID("process.exec", " when { resource.kind == \"shell\" }"),
          RV_STABLE_BY_FILE },
        { "file.read", "permit (principal, action, resource) when { context.novel };",
          RV_STABLE_NOT },
        { "file.read", FORBID("file.read", " when { principal.uid + 1 == 2 }"), RV_STABLE_NOT },
        { "no.such", PERMIT, RV_STABLE_NOT },
    };

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        RV_AUTO(rv_policy_set_done) struct rv_policy_set set = { 0 };

        rv_assert_ok(rv_policy_read(&set, "t", rv_span_str(cases[i].text), NULL));
        if (rv_rules_stability(&set, NULL, cases[i].action) != cases[i].stability)
            fail_msg("%s: %s", cases[i].action, cases[i].text);
    }
}

/* ---- The shipped baseline ---- */

static void every_policy_of_the_baseline_has_its_place(void **state)
{
    static const struct {
        const char *name;
        enum rv_place place;
        enum rv_response response;
    } golden[] = {
#define KERNEL RV_PLACE_KERNEL
#define INLINE RV_PLACE_INLINE
#define AFTER  RV_PLACE_AFTER
        { "credential.shadow-read", KERNEL, RV_RESPOND_ALERT },
        { "credential.shadow-read-by-server", KERNEL, RV_RESPOND_DENY },
        { "credential.private-key-read", INLINE, RV_RESPOND_ALERT },
        { "credential.cloud-token-read", INLINE, RV_RESPOND_ALERT },
        { "credential.account-change", KERNEL, RV_RESPOND_ALERT },
        { "persistence.ld-so-preload", KERNEL, RV_RESPOND_DENY },
        { "persistence.cron", KERNEL, RV_RESPOND_DENY },
        { "persistence.systemd-unit", KERNEL, RV_RESPOND_DENY },
        { "persistence.shell-profile", AFTER, RV_RESPOND_ALERT },
        { "persistence.authorized-keys", KERNEL, RV_RESPOND_ALERT },
        { "persistence.setid-bit", KERNEL, RV_RESPOND_DENY },
        { "execution.web-shell", AFTER, RV_RESPOND_ALERT },
        { "execution.server-starts-shell", INLINE, RV_RESPOND_ALERT },
        { "execution.fileless-memfd", KERNEL, RV_RESPOND_DENY },
        { "execution.reverse-shell", INLINE, RV_RESPOND_KILL },
        { "execution.shell-over-network", KERNEL, RV_RESPOND_DENY },
        { "execution.wx-memory", KERNEL, RV_RESPOND_DENY },
        { "execution.written-memory", AFTER, RV_RESPOND_ALERT },
        { "execution.from-scratch-folder", INLINE, RV_RESPOND_ALERT },
        { "tampering.log-wipe", KERNEL, RV_RESPOND_DENY },
        { "tampering.log-removal", KERNEL, RV_RESPOND_ALERT },
        { "tampering.log-rename", AFTER, RV_RESPOND_ALERT },
        { "tampering.history-wipe", KERNEL, RV_RESPOND_ALERT },
        { "tampering.injection", KERNEL, RV_RESPOND_DENY },
        { "tampering.reeve", AFTER, RV_RESPOND_ALERT },
        { "tampering.argument-race", AFTER, RV_RESPOND_ALERT },
        { "tampering.kernel-module", KERNEL, RV_RESPOND_ALERT },
        { "tampering.bpf-program", AFTER, RV_RESPOND_ALERT },
        { "tampering.kexec", KERNEL, RV_RESPOND_ALERT },
        { "impact.mass-rewrite", AFTER, RV_RESPOND_FREEZE },
        { "impact.privilege-without-login", AFTER, RV_RESPOND_ALERT },
        { "risk.extreme", AFTER, RV_RESPOND_ALERT },
    };
    RV_AUTO(rv_bundle_free) struct rv_bundle *bundle = NULL;
    RV_AUTO(rv_rules_free) struct rv_rules *rules = NULL;
    RV_AUTO(rv_buf_done) struct rv_buf why = { 0 };
    struct rv_rules_options options = { .offered = ALL };
    size_t governing = 0;

    rv_assert_ok(rv_bundle_open_folder(&bundle, SOURCE_ROOT "/policies/baseline", &why));
    rv_assert_ok(rv_rules_compile(&rules, &bundle->set, bundle->entities, &options));
    for (uint32_t i = 0; i < rules->policy_count; i++) {
        const struct rv_rules_policy *policy = &rules->policies[i];

        if (!policy->governs)
            continue;
        if (governing == RV_COUNT(golden) || strcmp(golden[governing].name, policy->name) != 0 ||
            golden[governing].place != policy->place ||
            golden[governing].response != policy->response)
            fail_msg("%s: %s, %s", policy->name, rv_place_name(policy->place),
                     rv_response_name(policy->response));
        governing++;
    }
    assert_int_equal(governing, RV_COUNT(golden));
    assert_int_equal(rules->left_out, 0);
}

/** What a provider sees of one action, and the policy that is to refuse it: NULL for a twin. */
struct sight {
    const char *policy;
    uint32_t action;
    const char *program;
    enum rv_program_kind kind, above;
    const char *file;
    uint32_t flags;
    const char *address;
};

static const char *refused_by(const struct rv_rules *rules, const struct sight *sight)
{
    struct rv_rule_facts facts = {
        .action = sight->action,
        .program = sight->program,
        .lineage = &sight->program,
        .lineage_count = 1,
        .files = &sight->file,
        .file_count = sight->file != NULL,
        .kind = sight->kind,
        .lineage_kinds = 1U << sight->kind | 1U << sight->above,
        .flags = sight->flags,
        .family = sight->address ? AF_INET : AF_UNIX,
        .has_address = sight->address != NULL,
        .address = { [10] = 0xff, [11] = 0xff },
    };

    if (sight->address)
        assert_int_equal(inet_pton(AF_INET, sight->address, facts.address + 12), 1);
    for (uint32_t i = 0; i < rules->count; i++) {
        if (rv_rule_matches(&rules->rules[i], &facts))
            return rules->policies[rules->rules[i].policy].name;
    }
    return "nothing";
}

static void the_baseline_refuses_attacks_and_not_their_twins(void **state)
{
    static const struct sight sights[] = {
        { "credential.shadow-read-by-server", RV_DO_READ, "/usr/bin/cat", RV_KIND_FILES,
          RV_KIND_SERVER, "/etc/shadow", 0, NULL },
        { NULL, RV_DO_READ, "/usr/bin/sudo", RV_KIND_LOGIN, RV_KIND_SERVER, "/etc/shadow", 0,
          NULL },
        { NULL, RV_DO_READ, "/usr/bin/cat", RV_KIND_FILES, RV_KIND_SHELL, "/etc/shadow", 0, NULL },
        { "persistence.ld-so-preload", RV_DO_CREATE, "/bin/sh", RV_KIND_SHELL, RV_KIND_LOGIN,
          "/etc/ld.so.preload", 0, NULL },
        { NULL, RV_DO_CREATE, "/bin/sh", RV_KIND_SHELL, RV_KIND_LOGIN, "/etc/ld.so.cache", 0,
          NULL },
        { "persistence.cron", RV_DO_WRITE, "/bin/sh", RV_KIND_SHELL, RV_KIND_LOGIN, "/etc/cron.d/x",
          0, NULL },
        { NULL, RV_DO_WRITE, "/bin/sh", RV_KIND_SHELL, RV_KIND_PACKAGE, "/etc/cron.d/x", 0, NULL },
        { NULL, RV_DO_READ, "/bin/sh", RV_KIND_SHELL, RV_KIND_LOGIN, "/etc/cron.d/x", 0, NULL },
        { "persistence.cron", RV_DO_TRUNCATE, "/bin/sh", RV_KIND_SHELL, RV_KIND_LOGIN,
          "/etc/crontab", 0, NULL },
        { "persistence.systemd-unit", RV_DO_CREATE, "/bin/sh", RV_KIND_SHELL, RV_KIND_LOGIN,
          "/etc/systemd/system/x.service", 0, NULL },
        { NULL, RV_DO_CREATE, "/usr/bin/systemctl", RV_KIND_ADMIN, RV_KIND_LOGIN,
          "/etc/systemd/system/x.service", 0, NULL },
        { "persistence.setid-bit", RV_DO_SETATTR, "/bin/chmod", RV_KIND_FILES, RV_KIND_LOGIN,
          "/tmp/x", 1U << RV_FLAG_SETID_ADDED, NULL },
        { NULL, RV_DO_SETATTR, "/bin/chmod", RV_KIND_FILES, RV_KIND_LOGIN, "/tmp/x", 0, NULL },
        { "execution.fileless-memfd", RV_DO_EXEC, "/tmp/x", RV_KIND_OTHER, RV_KIND_LOGIN,
          "/memfd:x", 1U << RV_FLAG_FILELESS, NULL },
        { NULL, RV_DO_EXEC, "/usr/bin/runc", RV_KIND_SERVICE, RV_KIND_SERVICE, "/memfd:x",
          1U << RV_FLAG_FILELESS, NULL },
        { "execution.shell-over-network", RV_DO_CONNECT, "/bin/bash", RV_KIND_SHELL, RV_KIND_LOGIN,
          NULL, 0, "8.8.8.8" },
        { NULL, RV_DO_CONNECT, "/bin/bash", RV_KIND_SHELL, RV_KIND_LOGIN, NULL, 0, "127.0.0.1" },
        { NULL, RV_DO_CONNECT, "/bin/bash", RV_KIND_SHELL, RV_KIND_LOGIN, NULL, 0, NULL },
        { "execution.wx-memory", RV_DO_MMAP_EXEC, "/tmp/x", RV_KIND_OTHER, RV_KIND_LOGIN, NULL,
          1U << RV_FLAG_ANONYMOUS | 1U << RV_FLAG_WRITABLE, NULL },
        { NULL, RV_DO_MMAP_EXEC, "/tmp/x", RV_KIND_OTHER, RV_KIND_LOGIN, NULL,
          1U << RV_FLAG_ANONYMOUS, NULL },
        { NULL, RV_DO_MMAP_EXEC, "/usr/bin/node", RV_KIND_LANGUAGE, RV_KIND_LOGIN, NULL,
          1U << RV_FLAG_ANONYMOUS | 1U << RV_FLAG_WRITABLE, NULL },
        { "tampering.log-wipe", RV_DO_TRUNCATE, "/bin/sh", RV_KIND_SHELL, RV_KIND_LOGIN,
          "/var/log/auth.log", 0, NULL },
        { "tampering.log-wipe", RV_DO_UNLINK, "/bin/rm", RV_KIND_FILES, RV_KIND_LOGIN,
          "/var/log/journal/a/b", 0, NULL },
        { NULL, RV_DO_UNLINK, "/bin/rm", RV_KIND_FILES, RV_KIND_LOGIN, "/var/log/app/b", 0, NULL },
        { NULL, RV_DO_TRUNCATE, "/usr/sbin/rsyslogd", RV_KIND_MONITOR, RV_KIND_SERVICE,
          "/var/log/auth.log", 0, NULL },
        { "tampering.injection", RV_DO_PTRACE, "/tmp/x", RV_KIND_OTHER, RV_KIND_LOGIN, NULL, 0,
          NULL },
        { NULL, RV_DO_PTRACE, "/usr/bin/gdb", RV_KIND_DEBUG, RV_KIND_LOGIN, NULL, 0, NULL },
    };
    RV_AUTO(rv_bundle_free) struct rv_bundle *bundle = NULL;
    RV_AUTO(rv_rules_free) struct rv_rules *rules = NULL;
    RV_AUTO(rv_buf_done) struct rv_buf why = { 0 };
    struct rv_rules_options options = { .offered = LSM };

    rv_assert_ok(rv_bundle_open_folder(&bundle, SOURCE_ROOT "/policies/baseline", &why));
    rv_assert_ok(rv_rules_compile(&rules, &bundle->set, bundle->entities, &options));
    for (size_t i = 0; i < RV_COUNT(sights); i++)
        assert_string_equal(refused_by(rules, &sights[i]),
                            sights[i].policy ? sights[i].policy : "nothing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_construct_is_a_rule_in_words),
        cmocka_unit_test(each_fact_action_and_host_lowers_the_place),
        cmocka_unit_test(a_mechanism_may_lack_an_action),
        cmocka_unit_test(what_providers_do_not_carry_is_placed_after),
        cmocka_unit_test(what_refuses_nothing_governs_nothing),
        cmocka_unit_test(stages_choose_rules_and_modes),
        cmocka_unit_test(a_full_table_names_what_it_leaves_out),
        cmocka_unit_test(what_is_too_long_for_a_rule_becomes_several_or_none),
        cmocka_unit_test(what_a_decision_depends_on_is_known),
        cmocka_unit_test(every_policy_of_the_baseline_has_its_place),
        cmocka_unit_test(the_baseline_refuses_attacks_and_not_their_twins),
    };

    return cmocka_run_group_tests_name("unit.agent.rules", tests, NULL, NULL);
}
