/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules mean what Cedar means: random policies over the host's words and random actions. Where all
 * of a policy was compiled its rules match exactly what it denies; where a part was, only that.
 */
#include "test.h"

#include "agent/folder.h"
#include "agent/rules.h"
#include "world.h"

#define REQUESTS 40 /* a policy */

static unsigned policies = 2500; /* or the first argument */
static uint64_t seed = 1;        /* or the second */

static struct rv_bundle *bundle; /* for its schema and groups */

static int open_bundle(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf why = { 0 };

    if (rv_bundle_open_folder(&bundle, SOURCE_ROOT "/policies/baseline", &why) == 0)
        return 0;
    print_error("%s\n", why.data);
    return -1;
}

static int close_bundle(void **state)
{
    rv_bundle_free(&bundle);
    return 0;
}

/* ---- Random policies ---- */

/** Text with $p program, $f file, $d folder, $k kind, $n number, $a address, $r range, $w workload.
 */
static const char *const atoms[] = {
    "principal.program == \"$p\"",
    "principal.program like \"*/bash\"",
    "principal.program like \"*/cat\"",
    "principal.kind == \"$k\"",
    "principal.kind like \"s*\"",
    "[\"$k\", \"$k\"].contains(principal.kind)",
    "principal in Program::\"$p\"",
    "principal in ProgramKind::\"$k\"",
    "principal in [ProgramKind::\"$k\", Program::\"$p\"]",
    "principal in User::\"$n\"",
    "principal in Workload::\"$w\"",
    "principal.uid == $n",
    "principal.euid >= 1",
    "principal.gid != $n",
    "principal.uid == $n && principal.uid != $n",
    "context.risk >= $n",
    "context.risk < 500",
    "resource == File::\"$f\"",
    "resource == Program::\"$p\"",
    "resource in Directory::\"$d\"",
    "resource in [Directory::\"$d\", File::\"$f\", Directory::\"$d\"]",
    "resource in ProgramKind::\"$k\"",
    "resource is File && resource.name == \"shadow\"",
    "resource is Program && resource.kind == \"$k\"",
    "resource is Program && resource.fileless",
    "resource is Endpoint && resource.port == $n",
    "resource is Endpoint && resource.family == \"inet\"",
    "resource is Endpoint && resource.family != \"unix\"",
    "resource is Endpoint && resource.protocol == \"other\"",
    "resource is Endpoint && resource has ip && resource.ip.isInRange(ip(\"$r\"))",
    "resource is Endpoint && resource has ip && !resource.ip.isInRange(ip(\"$r\"))",
    "resource is Endpoint && resource has ip && resource.ip == ip(\"$a\")",
    "resource is Endpoint && resource has ip && resource.ip.isLoopback()",
    "resource is Endpoint && resource has ip && resource.ip.isIpv6()",
    "resource is Endpoint && resource has ip && resource.ip.isMulticast()",
    "resource.port == $n",
    "context has from",
    "context has anonymous && context.anonymous && context.writable",
    "context has setid_added && context.setid_added",
    "action == Action::\"file.write\"",
    "action in Action::\"file\"",
    "resource == Namespace::\"user\"",
    "true",
    "1 == 2",
};

/* What rules cannot hold, or fails. */
static const char *const odd_atoms[] = {
    "principal.program like \"/usr/*\"",
    "principal.uid < $n",
    "principal.tty",
    "context.risk == 300",
    "context.novel",
    "context.features.files > 1",
    "context.inline == true",
    "resource is File && resource.name like \"s*\"",
    "resource is File && resource.owner == 0",
    "resource is Endpoint && resource.port < $n",
    "resource == Endpoint::\"$a:$n\"",
    "resource.ip.isInRange(ip(\"$r\"))", /* may fail */
    "resource.name == \"passwd\"",       /* fails where there is none */
    "context has gained_root && context.gained_root && context.old_uid != 0",
};

static const char *const ranges[] = { "10.0.0.0/8",  "10.0.0.0/24", "0.0.0.0/0",
                                      "127.0.0.0/8", "fd00::/8",    "fc00::/7" };
static const char *const folders[] = { "/etc", "/", "/etc/cron.d", "/var", "/var/log", "/usr/bin" };

static void add_stock(struct rv_buf *buf, struct random *random, char letter)
{
    switch (letter) {
    case 'p':
        rv_buf_add_str(buf, PICK(random, stock_programs));
        break;
    case 'f':
        rv_buf_add_str(buf, PICK(random, stock_files));
        break;
    case 'd':
        rv_buf_add_str(buf, PICK(random, folders));
        break;
    case 'k':
        rv_buf_add_str(buf,
                       rv_program_kind_name((enum rv_program_kind)draw(random, RV_KIND_COUNT_)));
        break;
    case 'n':
        rv_buf_addf(buf, "%u", PICK(random, stock_numbers));
        break;
    case 'a':
        rv_buf_add_str(buf, PICK(random, stock_addresses));
        break;
    case 'r':
        rv_buf_add_str(buf, PICK(random, ranges));
        break;
    default:
        rv_buf_add_str(buf, PICK(random, stock_workloads));
        break;
    }
}

static uint32_t odd_one_in; /* of atoms */

static void add_atom(struct rv_buf *buf, struct random *random)
{
    const char *atom = draw(random, odd_one_in) ? PICK(random, atoms) : PICK(random, odd_atoms);

    for (const char *at = atom; *at; at++) {
        if (*at == '$')
            add_stock(buf, random, *++at);
        else
            rv_buf_add_char(buf, *at);
    }
}

static void add_condition(struct rv_buf *buf, struct random *random, int depth)
{
    static const char *const between[] = { " && ", " && ", " || ", " || " };
    uint32_t shape = depth == 0 ? 0 : draw(random, 8);

    rv_buf_add_str(buf, "(");
    if (shape < 2) {
        add_atom(buf, random);
    } else if (shape == 2) {
        rv_buf_add_str(buf, "!");
        add_condition(buf, random, depth - 1);
    } else if (shape == 3) {
        rv_buf_add_str(buf, "if ");
        add_condition(buf, random, depth - 1);
        rv_buf_add_str(buf, " then ");
        add_condition(buf, random, depth - 1);
        rv_buf_add_str(buf, " else ");
        add_condition(buf, random, depth - 1);
    } else {
        add_condition(buf, random, depth - 1);
        rv_buf_add_str(buf, between[shape - 4]);
        add_condition(buf, random, depth - 1);
    }
    rv_buf_add_str(buf, ")");
}

static void add_policy(struct rv_buf *buf, struct random *random, const char *effect)
{
    static const char *const principals[] = {
        "principal",
        "principal is Process",
        "principal is Process in ProgramKind::\"$k\"",
        "principal in Program::\"$p\"",
    };
    static const char *const actions[] = {
        "action",
        "action in Action::\"file\"",
        "action == Action::\"net.connect\"",
        "action == Action::\"file.read\"",
        "action == Action::\"process.exec\"",
        "action in [Action::\"file.write\", Action::\"file.rename\", Action::\"net\"]",
        "action == Action::\"memory.exec\"",
        "action == Action::\"process.cred\"",
        "action == Action::\"namespace\"",
        "action in Action::\"kernel\"",
    };
    static const char *const resources[] = {
        "resource",
        "resource",
        "resource is File in Directory::\"$d\"",
        "resource == File::\"$f\"",
        "resource is Program",
        "resource is Endpoint",
    };
    const char *scopes[] = { PICK(random, principals), PICK(random, actions),
                             PICK(random, resources) };

    rv_buf_addf(buf, "%s (", effect);
    for (size_t i = 0; i < RV_COUNT(scopes); i++) {
        rv_buf_add_str(buf, i ? ", " : "");
        for (const char *at = scopes[i]; *at; at++) {
            if (*at == '$')
                add_stock(buf, random, *++at);
            else
                rv_buf_add_char(buf, *at);
        }
    }
    rv_buf_add_str(buf, ")");
    for (uint32_t i = draw(random, 3); i > 0; i--) {
        rv_buf_add_str(buf, draw(random, 2) ? " when { " : " unless { ");
        add_condition(buf, random, 3);
        rv_buf_add_str(buf, " }");
    }
    rv_buf_add_str(buf, ";\n");
}

/* ---- Comparing ---- */

struct trial {
    struct rv_policy_set set;
    struct rv_program *program;
    struct rv_evaluator *evaluator;
    struct rv_rules *rules;
    struct rv_buf text;
};

static void trial_done(struct trial *trial)
{
    rv_rules_free(&trial->rules);
    rv_evaluator_free(&trial->evaluator);
    rv_program_free(&trial->program);
    rv_policy_set_done(&trial->set);
    rv_buf_done(&trial->text);
}

struct tally {
    unsigned whole, partial, denied, matched, left_out;
};

static bool denies(struct trial *trial, const struct world *world)
{
    struct rv_policy_decision decision;

    rv_evaluate(trial->evaluator, bundle->entities, &world->request, &decision);
    return decision.effect == RV_EFFECT_DENY;
}

static bool matches(const struct trial *trial, const struct world *world)
{
    for (uint32_t i = 0; i < trial->rules->count; i++) {
        assert_null(rv_rule_check(&trial->rules->rules[i]));
        if (rv_rule_matches(&trial->rules->rules[i], &world->facts))
            return true;
    }
    return false;
}

static void disagree(struct trial *trial, const struct world *world, bool denied, bool whole)
{
    RV_AUTO(rv_buf_done) struct rv_buf words = { 0 };

    struct rv_policy_decision decision;

    rv_evaluate(trial->evaluator, bundle->entities, &world->request, &decision);
    for (uint32_t i = 0; i < decision.error_count; i++)
        rv_eval_error_print(&words, &decision.errors[i]);
    rv_buf_add_str(&words, decision.error_count ? "\n" : "");
    for (uint32_t i = 0; i < trial->rules->count; i++) {
        rv_rules_print(&words, &trial->rules->rules[i]);
        rv_buf_add_char(&words, '\n');
    }
    print_error("%s%s", trial->text.data, words.data ? words.data : "");
    fail_msg("%s; Cedar %s, rules %s: %s of %s by %s (kind %u uid %u risk %u)",
             whole ? "whole" : "in part", denied ? "denies" : "allows",
             denied ? "do not match" : "match", world->verb->name,
             world->files[0] ? world->files[0] : world->endpoint, world->facts.program,
             world->facts.kind, world->facts.uid, world->facts.risk);
}

/** One action of each verb that can be refused, and the rules' word on it. */
static void compare(struct trial *trial, const struct rv_rules_policy *policy,
                    struct random *random, struct tally *tally)
{
    static struct world world, turned;
    struct random own = { rv_mix64(random->state) };
    const struct rv_host_verb *verb;
    bool denied, matched;

    do
        verb = rv_host_verb(draw(random, rv_host_verb_count()));
    while (!verb->actions);
    world_draw(&world, verb, own, 0);
    world_draw(&turned, verb, own, 1);
    denied = denies(trial, &world);
    if (world.facts.file_count == 2)
        denied |= denies(trial, &turned);
    matched = matches(trial, &world);
    if (!world.told)
        return;
    tally->denied += denied;
    tally->matched += matched;
    if (matched && !denied)
        disagree(trial, &world, denied, !policy->partial);
    if (denied && !matched && !policy->partial)
        disagree(trial, &world, denied, true);
}

/** @param no_permit permits are compiled into what they do not allow. */
static void run_trial(struct random *random, bool no_permit, struct tally *tally)
{
    RV_AUTO(trial_done) struct trial trial = { 0 };
    struct rv_rules_options options = {
        .offered = 1U << RV_BY_LSM | 1U << RV_BY_CGROUP | 1U << RV_BY_FANOTIFY,
        .cgroups = world_cgroups,
    };
    const struct rv_rules_policy *policy;

    odd_one_in = no_permit ? 30 : 4;
    if (no_permit) {
        rv_buf_add_str(&trial.text, "permit (principal, action in [Action::\"tamper\", "
                                    "Action::\"namespace\"], resource);\n");
        for (uint32_t i = 1 + draw(random, 2); i > 0; i--)
            add_policy(&trial.text, random, "permit");
    } else {
        add_policy(&trial.text, random, "forbid");
        rv_buf_add_str(&trial.text, "permit (principal, action, resource);\n");
    }
    rv_assert_ok(rv_policy_read(&trial.set, "t", rv_buf_span(&trial.text), NULL));
    rv_assert_ok(rv_program_compile(&trial.set, &trial.program, NULL));
    rv_assert_ok(rv_evaluator_new(&trial.evaluator, trial.program));
    rv_assert_ok(rv_rules_compile(&trial.rules, &trial.set, bundle->entities, &options));
    policy = &trial.rules->policies[no_permit ? trial.set.count : 0];
    assert_int_equal(trial.rules->left_out, policy->left_out);
    tally->left_out += policy->left_out;
    if (policy->left_out)
        return;
    tally->whole += policy->governs && !policy->partial;
    tally->partial += policy->partial;
    assert_true(!policy->partial || policy->place != RV_PLACE_KERNEL);
    for (int i = 0; i < REQUESTS; i++)
        compare(&trial, policy, random, tally);
}

static void show(const char *what, const struct tally *tally)
{
    fprintf(stdout,
            "# %s: %u compiled whole, %u in part, %u too many rules; %u denied, %u matched\n", what,
            tally->whole, tally->partial, tally->left_out, tally->denied, tally->matched);
}

static void a_forbid_is_its_rules(void **state)
{
    struct random random = { seed };
    struct tally tally = { 0 };

    for (unsigned i = 0; i < policies; i++)
        run_trial(&random, false, &tally);
    show("forbid", &tally);
    assert_true(tally.whole > policies / 5 && tally.partial > policies / 10);
    assert_true(tally.matched > policies / 2 && tally.denied > tally.matched);
}

static void what_no_permit_allows_is_its_rules(void **state)
{
    struct random random = { ~seed };
    struct tally tally = { 0 };

    for (unsigned i = 0; i < policies / 4; i++)
        run_trial(&random, true, &tally);
    show("no permit", &tally);
    assert_true(tally.whole > policies / 20 && tally.matched > policies);
}

static void the_worlds_fit_the_shipped_schema(void **state)
{
    static struct world world;
    struct random random = { 3 };

    for (size_t i = 0; i < 40 * rv_host_verb_count(); i++) {
        const struct rv_host_verb *verb = rv_host_verb(i % rv_host_verb_count());
        RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
        enum rv_validity validity = RV_INVALID;

        if (rv_streq(verb->resource, "Component"))
            continue;
        world_draw(&world, verb, (struct random){ draw(&random, UINT32_MAX) }, 0);
        rv_assert_ok(rv_validate_request(bundle->schema, &world.request, &diags, &validity));
        for (uint32_t k = 0; k < 2 && validity == RV_VALID; k++)
            rv_assert_ok(rv_validate_entity(bundle->schema, world.overlay[k], &diags, &validity));
        if (validity != RV_VALID)
            fail_msg("%s: %s", verb->name, diags.count ? diags.items[0].message : "?");
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worlds_fit_the_shipped_schema),
        cmocka_unit_test(a_forbid_is_its_rules),
        cmocka_unit_test(what_no_permit_allows_is_its_rules),
    };

    policies = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : policies;
    seed = argc > 2 ? strtoull(argv[2], NULL, 10) : seed;
    return cmocka_run_group_tests_name("unit.agent.rules_differential", tests, open_bundle,
                                       close_bundle);
}
