/* SPDX-License-Identifier: Apache-2.0 */
/* The type checker: each rule by policies that pass, that pass only in permissive mode, that fail.
 */
#include "policy_test.h"

static const char schema_text[] =
    "entity User in [Group] = { name: String, age?: Long, boss?: User, home: { path: String,"
    "  disk?: String }, ip: ipaddr, flags: Set<Bool>, act: Action, odd: { \"a b\"?: Long } }"
    "  tags String;"
    "entity Group in [Org] = { name: String, age: Long };"
    "entity Org;"
    "entity File in [Folder] = { owner: User, size: Long, name?: String, made: datetime,"
    "  kept: duration, price: decimal } tags Long;"
    "entity Folder;"
    "entity Mode enum [\"observe\", \"enforce\"];"
    "action all; action any in all;"
    "action view in any appliesTo { principal: User, resource: [File, Folder],"
    "  context: { risk: Long, mfa?: Bool, who?: User } };"
    "action edit in all appliesTo { principal: [User, Group], resource: File,"
    "  context: { risk: Long } };";

enum outcome { PASS, STRICT_FAILS, FAILS };

struct rule {
    const char *text; /* a condition for `view` of a File by a User, or a whole policy */
    enum outcome outcome;
    const char *code; /* first error in strict mode */
};

static int validate(const struct rv_schema *schema, const char *text, enum rv_validation_mode mode,
                    struct rv_diags *diags, enum rv_validity *ret_validity)
{
    RV_AUTO(rv_policy_set_done) struct rv_policy_set set = { 0 };
    char policy[2000];
    int r;

    if (strstr(text, "permit") == text || strstr(text, "forbid") == text)
        (void)snprintf(policy, sizeof(policy), "%s", text);
    else
        (void)snprintf(policy, sizeof(policy),
                       "permit(principal is User, action == Action::\"view\", resource is File) "
                       "when { %s };",
                       text);
    r = rv_policy_read(&set, "p.cedar", rv_span_str(policy), diags);
    if (r < 0)
        fail_msg("%s: %s", policy, diags->count > 0 ? diags->items[0].message : "?");
    return rv_validate_policies(schema, &set, mode, diags, ret_validity);
}

static void check_rule(const struct rv_schema *schema, const struct rule *rule)
{
    for (int mode = RV_VALIDATE_STRICT; mode <= RV_VALIDATE_PERMISSIVE; mode++) {
        RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
        enum rv_validity validity = RV_INVALID;
        bool expected = rule->outcome == PASS ||
                        (rule->outcome == STRICT_FAILS && mode == RV_VALIDATE_PERMISSIVE);

        rv_assert_ok(
            validate(schema, rule->text, (enum rv_validation_mode)mode, &diags, &validity));
        if ((validity == RV_VALID) != expected)
            fail_msg("%s: %s in mode %d: %s", rule->text, expected ? "refused" : "passed", mode,
                     diags.count > 0 ? diags.items[0].message : "");
        if (mode == RV_VALIDATE_STRICT && rule->code) {
            char codes[400];

            test_codes(&diags, codes, sizeof(codes));
            if (!strstr(codes, rule->code))
                fail_msg("%s: expected %s, got %s", rule->text, rule->code, codes);
        }
    }
}

static void check_rules(const struct rule *rules, size_t count)
{
    RV_AUTO(rv_schema_free) struct rv_schema *schema = test_schema(schema_text);

    for (size_t i = 0; i < count; i++)
        check_rule(schema, &rules[i]);
}

static void logic(void **state)
{
    static const struct rule rules[] = {
        { "true", PASS, NULL },
        { "!true || !false || !(context.risk > 1)", PASS, NULL },
        { "1", FAILS, "unexpected-type" },
        { "!1", FAILS, "unexpected-type" },
        { "1 && true", FAILS, "unexpected-type" },
        { "context.risk > 1 && 1", FAILS, "unexpected-type" },
        { "1 || true", FAILS, "unexpected-type" },
        { "context.risk > 1 || \"a\"", FAILS, "unexpected-type" },
        { "false && 1", PASS, NULL }, /* never evaluated */
        { "true || 1", PASS, NULL },
        { "(context.risk > 1 && false) && 1", PASS, NULL },
        { "if true then true else 1", PASS, NULL },
        { "if false then 1 else true", PASS, NULL },
        { "if 1 then true else false", FAILS, "unexpected-type" },
        { "if context.risk > 1 then true else 1", FAILS, "incompatible-types" },
        { "if context.risk > 1 then true else false", PASS, NULL },
        { "(if context.risk > 1 then 1 else 2) > 1", PASS, NULL },
        { "(if context.risk > 1 then principal else resource) == principal", STRICT_FAILS,
          "incompatible-types" },
        { "if !(1 == 1) then 1 else true", PASS, NULL },
        { "if (true && false) == false then true else 1", PASS, NULL }, /* folded literals */
        { "if (false || true) != true then 1 else true", PASS, NULL },
        { "if User::\"a\" == File::\"b\" then 1 else true", PASS, NULL },
    };

    check_rules(rules, RV_COUNT(rules));
}

static void attributes_and_capabilities(void **state)
{
    static const struct rule rules[] = {
        { "principal.name == \"a\"", PASS, NULL },
        { "principal.age == 1", FAILS, "unsafe-attribute" },
        { "principal has age && principal.age == 1", PASS, NULL },
        { "principal has age && true && principal.age == 1", PASS, NULL },
        { "true && principal has age && principal.age == 1", PASS, NULL },
        { "principal has age || principal.age == 1", FAILS, "unsafe-attribute" },
        { "(principal has age || principal has age) && principal.age == 1", PASS, NULL },
        { "(principal has age || principal has boss) && principal.age == 1", FAILS,
          "unsafe-attribute" },
        { "(principal has age || false) && principal.age == 1", PASS, NULL },
        { "(false || principal has age) && principal.age == 1", PASS, NULL },
        { "if principal has age then principal.age == 1 else false", PASS, NULL },
        { "if principal has age then true else principal.age == 1", FAILS, "unsafe-attribute" },
        { "(if principal has age then true else false) && principal.age == 1", FAILS,
          "unsafe-attribute" },
        { "(if principal has age then true else principal has age) && principal.age == 1", PASS,
          NULL },
        { "!(principal has age) && principal.age == 1", FAILS, "unsafe-attribute" },
        { "resource has name && principal has age && resource.name == \"a\"", PASS, NULL },
        { "principal has boss && principal.boss has age && principal.boss.age == 1", PASS, NULL },
        { "principal has boss.age && principal.boss.age == 1", PASS, NULL },
        { "principal has home.disk && principal.home.disk == \"a\"", PASS, NULL },
        { "principal.home.disk == \"a\"", FAILS, "unsafe-attribute" },
        { "principal.odd has \"a b\" && principal.odd[\"a b\"] == 1", PASS, NULL },
        { "context.mfa", FAILS, "unsafe-attribute" },
        { "context has mfa && context.mfa", PASS, NULL },
        { "principal.nmae == \"a\"", FAILS, "unknown-attribute" },
        { "context.rsik > 1", FAILS, "unknown-attribute" },
        { "{a: 1}.b == 1", FAILS, "unknown-attribute" },
        { "1 has a", FAILS, "unexpected-type" },
        { "\"s\".a == 1", FAILS, "unexpected-type" },
        { "[1] has a", FAILS, "unexpected-type" },
        { "principal has nothing && 1", PASS, NULL },            /* cannot have it: always false */
        { "context has risk || 1", PASS, NULL },                 /* required: always true */
        { "principal has name || 1", FAILS, "unexpected-type" }, /* it may not exist */
        { "principal has age && (principal has age || 1)", PASS, NULL },
        { "action has anything && 1", PASS, NULL },
        { "principal.act == action", PASS, NULL },
        { "(if context.risk > 1 then principal else resource).name == \"a\"", FAILS,
          "incompatible-types" },
        { "{a: 1, b: \"x\"}.a == 1 && {b: 2, a: \"x\"}[\"b\"] == 2", PASS, NULL },
        { "{a: principal.nope}.a == 1", FAILS, "unknown-attribute" },
    };

    check_rules(rules, RV_COUNT(rules));
}

static void comparisons(void **state)
{
    static const struct rule rules[] = {
        { "1 < 2 && 1 <= 2 && 1 > 2 && 1 >= 2", PASS, NULL },
        { "resource.made < resource.made && resource.kept >= resource.kept", PASS, NULL },
        { "resource.made < resource.kept", FAILS, "unexpected-type" },
        { "resource.made < 1", FAILS, "unexpected-type" },
        { "1 < resource.made", FAILS, "unexpected-type" },
        { "1 < \"a\"", FAILS, "unexpected-type" },
        { "\"a\" < 1", FAILS, "unexpected-type" },
        { "\"a\" < \"b\"", FAILS, "unexpected-type" },
        { "resource.kept < \"a\"", FAILS, "unexpected-type" },
        { "\"a\" < resource.kept", FAILS, "unexpected-type" },
        { "resource.price < resource.price", FAILS, "unexpected-type" },
        { "resource.price.lessThan(decimal(\"1.0\"))", PASS, NULL },
        { "1 + 2 * 3 - -4 == 5", PASS, NULL },
        { "1 + \"a\" == 1", FAILS, "unexpected-type" },
        { "-\"a\" == 1", FAILS, "unexpected-type" },
        { "[1] * 2 == 1", FAILS, "unexpected-type" },
        { "principal.name == 1", STRICT_FAILS, "incompatible-types" },
        { "principal.name != 1", STRICT_FAILS, "incompatible-types" },
        { "1 == \"a\"", PASS, NULL },            /* literals: known to be false */
        { "principal == resource", PASS, NULL }, /* types tell that it is false */
        { "principal == resource.owner", PASS, NULL },
        { "principal.home == {path: \"a\"}", STRICT_FAILS, "incompatible-types" },
        { "{a: 1} == {a: \"x\"}", STRICT_FAILS, "incompatible-types" },
        { "principal.name like \"a*\"", PASS, NULL },
        { "principal like \"a*\"", FAILS, "unexpected-type" },
        { "1 like \"a\"", FAILS, "unexpected-type" },
    };

    check_rules(rules, RV_COUNT(rules));
}

static void hierarchy(void **state)
{
    static const struct rule rules[] = {
        { "principal in Group::\"g\"", PASS, NULL },
        { "principal in Org::\"o\" && 1", FAILS, "unexpected-type" },
        { "principal in File::\"f\" && 1", PASS, NULL }, /* can never be */
        { "principal in [Group::\"g\", Group::\"h\"]", PASS, NULL },
        { "principal in [Group::\"g\", File::\"f\"]", STRICT_FAILS, "incompatible-types" },
        { "principal in []", STRICT_FAILS, "empty-set" },
        { "principal in principal", PASS, NULL },
        { "principal in resource && 1", PASS, NULL },
        { "principal in action && 1", PASS, NULL },
        { "action in Action::\"all\" || 1", PASS, NULL }, /* known: always true */
        { "action in Action::\"edit\" && 1", PASS, NULL },
        { "action in [Action::\"edit\", Action::\"any\"] || 1", PASS, NULL },
        { "action in [User::\"u\"] && 1", PASS, NULL },
        { "action in [principal]", PASS, NULL },
        { "action in [action, resource]", STRICT_FAILS, "incompatible-types" },
        { "Action::\"view\" in Action::\"all\" || 1", PASS, NULL },
        { "Action::\"all\" in Action::\"view\" && 1", PASS, NULL },
        { "1 in principal", FAILS, "unexpected-type" },
        { "principal in 1", FAILS, "unexpected-type" },
        { "principal in [1]", FAILS, "unexpected-type" },
        { "principal is User || 1", PASS, NULL },
        { "principal is File && 1", PASS, NULL },
        { "principal is User in Group::\"g\"", PASS, NULL },
        { "principal is File in 1", PASS, NULL },
        { "principal is User in 1", FAILS, "unexpected-type" },
        { "1 is User", FAILS, "unexpected-type" },
        { "(if context.risk > 1 then principal else resource) is User", STRICT_FAILS,
          "incompatible-types" },
        { "(if context.risk > 1 then principal else Group::\"g\") in Org::\"o\"", STRICT_FAILS,
          "incompatible-types" },
    };

    check_rules(rules, RV_COUNT(rules));
}

static void sets(void **state)
{
    static const struct rule rules[] = {
        { "[1, 2].contains(1)", PASS, NULL },
        { "[1, 2].contains(\"a\")", STRICT_FAILS, "incompatible-types" },
        { "1.contains(1)", FAILS, "unexpected-type" },
        { "principal.contains(1)", FAILS, "unexpected-type" },
        { "principal.home.contains(1)", FAILS, "unexpected-type" },
        { "\"a\".contains(1)", FAILS, "unexpected-type" },
        { "[1].containsAll([2]) && [1].containsAny([2])", PASS, NULL },
        { "[1].containsAll([\"a\"])", STRICT_FAILS, "incompatible-types" },
        { "[1].containsAny(1)", FAILS, "unexpected-type" },
        { "[1, \"a\"].isEmpty()", FAILS, "incompatible-types" },
        { "[true, false].contains(principal.name == \"a\")", PASS, NULL },
        { "principal.flags.isEmpty()", PASS, NULL },
        { "\"a\".isEmpty()", FAILS, "unexpected-type" },
        { "[].isEmpty()", STRICT_FAILS, "empty-set" },
        { "[[], [1]].isEmpty()", STRICT_FAILS, "empty-set" },
        { "[principal, resource].isEmpty()", STRICT_FAILS, "incompatible-types" },
        { "[{a: 1}, {b: 1}].isEmpty()", STRICT_FAILS, "incompatible-types" },
        { "[{a: 1}, {a: 2}].contains({a: 3})", PASS, NULL },
        { "[1 + \"a\", 2].contains(2)", FAILS, "unexpected-type" },
        { "[principal.nope, 2].contains(2)", FAILS, "unknown-attribute" },
        { "[action, principal].contains(resource)", STRICT_FAILS, "incompatible-types" },
        { "[[1], [2]].contains([3])", PASS, NULL },
        { "[[1], [\"a\"]].isEmpty()", FAILS, "incompatible-types" },
    };

    check_rules(rules, RV_COUNT(rules));
}

static void tags(void **state)
{
    static const struct rule rules[] = {
        { "principal.hasTag(\"a\") && principal.getTag(\"a\") == \"b\"", PASS, NULL },
        { "principal.getTag(\"a\") == \"b\"", FAILS, "unsafe-tag" },
        { "principal.hasTag(\"a\") && principal.getTag(\"c\") == \"b\"", FAILS, "unsafe-tag" },
        { "principal.hasTag(principal.name) && principal.getTag(principal.name) == \"b\"", PASS,
          NULL },
        { "principal.hasTag(\"a\") && (principal.hasTag(\"a\") || 1)", PASS, NULL },
        { "principal.hasTag(\"a\") && principal.getTag(\"a\") == 1", STRICT_FAILS,
          "incompatible-types" },
        { "Org::\"o\".hasTag(\"a\") && 1", PASS, NULL }, /* has no tags: always false */
        { "Org::\"o\".getTag(\"a\") == 1", FAILS, "unsafe-tag" },
        { "(Org::\"o\".hasTag(\"a\") || true) && Org::\"o\".getTag(\"a\") == 1", FAILS,
          "unsafe-tag" },
        { "principal.hasTag(1)", FAILS, "unexpected-type" },
        { "1.hasTag(\"a\")", FAILS, "unexpected-type" },
        { "principal.getTag(1) == 1", FAILS, "unexpected-type" },
        { "1.getTag(\"a\") == 1", FAILS, "unexpected-type" },
        { "(if context.risk > 1 then principal else resource).hasTag(\"a\")", STRICT_FAILS,
          "incompatible-types" },
        { "(if context.risk > 1 then principal else resource).hasTag(\"a\") && (if context.risk > 1"
          " then principal else resource).getTag(\"a\") == 1",
          FAILS, "incompatible-types" },
        { "(if context.risk > 1 then principal else Org::\"o\").hasTag(\"a\") && (if context.risk > 1"
          " then principal else Org::\"o\").getTag(\"a\") == \"b\"",
          STRICT_FAILS, "incompatible-types" },
    };

    check_rules(rules, RV_COUNT(rules));
}

static void extensions(void **state)
{
    static const struct rule rules[] = {
        { "ip(\"10.0.0.1\").isInRange(ip(\"10.0.0.0/8\"))", PASS, NULL },
        { "ip(\"10.0.0.\").isIpv4()", FAILS, "extension-literal" },
        { "decimal(\"1\").lessThan(decimal(\"1.0\"))", FAILS, "extension-literal" },
        { "datetime(\"2026-13-01\") < datetime(\"2026-01-01\")", FAILS, "extension-literal" },
        { "duration(\"1x\") < duration(\"1d\")", FAILS, "extension-literal" },
        { "ip(principal.name).isIpv4()", STRICT_FAILS, "non-literal" },
        { "ip(1).isIpv4()", FAILS, "unexpected-type" },
        { "ip(\"::1\", \"::1\").isIpv4()", FAILS, "argument-count" },
        { "ip(\"::1\").isIpv4(1)", FAILS, "argument-count" },
        { "ip(\"::1\").isInRange()", FAILS, "argument-count" },
        { "ip(\"::1\").isInRange(1)", FAILS, "unexpected-type" },
        { "principal.ip == principal.name", STRICT_FAILS, "incompatible-types" },
        { "principal.ip.isLoopback() && principal.ip.isMulticast() && principal.ip.isIpv6()", PASS,
          NULL },
        { "datetime(\"2026-01-01\").offset(duration(\"1d\")).toDate() > resource.made", PASS,
          NULL },
        { "resource.made.durationSince(resource.made).toDays() > 1", PASS, NULL },
        { "resource.made.toTime() < resource.kept && resource.kept.toHours() > 1", PASS, NULL },
    };

    check_rules(rules, RV_COUNT(rules));
}

static void scopes_and_names(void **state)
{
    static const struct rule rules[] = {
        { "permit(principal, action, resource);", PASS, NULL },
        { "permit(principal == User::\"a\", action, resource);", PASS, NULL },
        { "permit(principal in Org::\"o\", action, resource);", PASS, NULL },
        { "permit(principal in File::\"f\", action, resource);", FAILS, "no-action" },
        { "permit(principal is User in Group::\"g\", action, resource);", PASS, NULL },
        { "permit(principal is Group in User::\"u\", action, resource);", FAILS, "no-action" },
        { "permit(principal is Mode, action, resource);", FAILS, "no-action" },
        { "permit(principal == Group::\"g\", action == Action::\"view\", resource);", FAILS,
          "no-action" },
        { "permit(principal, action == Action::\"edit\", resource == Folder::\"f\");", FAILS,
          "no-action" },
        { "permit(principal, action == Action::\"any\", resource);", FAILS, "no-action" },
        { "permit(principal, action in Action::\"any\", resource);", PASS, NULL },
        { "permit(principal, action in [Action::\"any\", Action::\"edit\"], resource);", PASS,
          NULL },
        { "permit(principal, action in [], resource);", FAILS, "no-action" },
        { "permit(principal, action == Action::\"veiw\", resource);", FAILS, "unknown-action" },
        { "permit(principal, action in [Action::\"view\", Action::\"x\"], resource);", FAILS,
          "unknown-action" },
        { "permit(principal is Usr, action, resource);", FAILS, "unknown-type" },
        { "permit(principal, action, resource in Foldr::\"f\");", FAILS, "unknown-type" },
        { "false && Nothing::\"x\" == principal", FAILS, "unknown-type" }, /* even unreached */
        { "false && principal is Nothing", FAILS, "unknown-type" },
        { "Mode::\"observe\" == Mode::\"enforce\"", PASS, NULL },
        { "Mode::\"obsrve\" == Mode::\"enforce\"", FAILS, "unknown-id" },
        { "Action::\"nope\" == action", FAILS, "unknown-action" },
        { "[Nothing::\"x\", principal].contains(principal)", FAILS, "unknown-type" },
        { "forbid(principal, action, resource) unless { 1 };", FAILS, "unexpected-type" },
        { "forbid(principal, action, resource) unless { context.risk < 100 };", PASS, NULL },
        { "permit(principal, action, resource) when { principal has age } when { principal.age > 1 };",
          PASS, NULL },
        { "permit(principal, action, resource) unless { principal has age } "
          "when { principal.age > 1 };",
          FAILS, "unsafe-attribute" },
        { "permit(principal, action, resource) when { context.mfa };", FAILS, "unsafe-attribute" },
        { "permit(principal, action == Action::\"view\", resource) when { resource.size > 1 };",
          FAILS, "unknown-attribute" }, /* a Folder has no size */
    };

    check_rules(rules, RV_COUNT(rules));
}

static void templates_and_links(void **state)
{
    static const struct rule rules[] = {
        { "permit(principal == ?principal, action, resource in ?resource);", PASS, NULL },
        { "permit(principal in ?principal, action, resource == ?resource) "
          "when { principal.name == \"a\" };",
          PASS, NULL },
        { "permit(principal is User in ?principal, action, resource) when { principal.nope };",
          FAILS, "unknown-attribute" },
        { "permit(principal is Folder in ?principal, action, resource);", FAILS, "no-action" },
    };
    RV_AUTO(rv_schema_free) struct rv_schema *schema = test_schema(schema_text);
    RV_AUTO(rv_policy_set_done) struct rv_policy_set set = { 0 };
    RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
    struct rv_uid group = rv_uid(rv_text_str("Group"), rv_text_str("g"));
    struct rv_uid file = rv_uid(rv_text_str("File"), rv_text_str("f"));
    struct rv_uid nobody = rv_uid(rv_text_str("Nobody"), rv_text_str("n"));
    enum rv_validity validity = RV_INVALID;

    check_rules(rules, RV_COUNT(rules));
    rv_assert_ok(rv_policy_read(
        &set, "", rv_span_str("permit(principal in ?principal, action, resource);"), &diags));
    rv_assert_ok(rv_policy_set_link(&set, set.items[0]->id, rv_text_str("good"), &group, NULL));
    rv_assert_ok(rv_validate_policies(schema, &set, RV_VALIDATE_STRICT, &diags, &validity));
    assert_int_equal(validity, RV_VALID);
    rv_assert_ok(rv_policy_set_link(&set, set.items[0]->id, rv_text_str("wrong"), &file, NULL));
    rv_assert_ok(rv_policy_set_link(&set, set.items[0]->id, rv_text_str("none"), &nobody, NULL));
    rv_assert_ok(rv_validate_policies(schema, &set, RV_VALIDATE_STRICT, &diags, &validity));
    assert_int_equal(validity, RV_INVALID);
    assert_string_equal(diags.items[0].policy_id, "wrong");
    assert_string_equal(diags.items[0].code, "no-action");
    assert_string_equal(diags.items[1].policy_id, "none");
    assert_string_equal(diags.items[1].code, "unknown-type");
}

static void actions_of_other_namespaces(void **state)
{
    static const struct rule rules[] = {
        { "permit(principal, action, resource) when { action in principal.up || 1 };", FAILS,
          "unexpected-type" }, /* B's action may be in A's */
        { "permit(principal, action, resource) when { principal.up in action && 1 };", PASS, NULL },
        { "permit(principal, action, resource) when { action in A::Action::\"top\" || 1 };", PASS,
          NULL },
    };
    RV_AUTO(rv_schema_free)
    struct rv_schema *schema =
        test_schema("namespace A { action top; entity P = { up: A::Action }; }"
                    "namespace B { action low in [A::Action::\"top\"] appliesTo {"
                    "  principal: A::P, resource: A::P }; }");

    for (size_t i = 0; i < RV_COUNT(rules); i++)
        check_rule(schema, &rules[i]);
}

/* ---- Messages ---- */
static void messages_help(void **state)
{
    static const struct {
        const char *text;
        const char *message, *help; /* parts */
        unsigned column;
    } cases[] = {
        { "permit(principal, action, resource) when { principal.nmae == \"a\" };",
          "entity type `User` has no attribute `nmae`", "did you mean `name`?", 54 },
        { "permit(principal, action == Action::\"view\", resource) when { context.riks > 1 };",
          "the context of `Action::\"view\"` has no attribute `riks`", "did you mean `risk`?", 70 },
        { "permit(principal is User, action, resource) when { principal.age > 1 };",
          "attribute `age` of entity type `User` is optional", "`principal has age && ...`", 62 },
        { "permit(principal is User, action, resource) when { principal.getTag(\"a\") == \"b\" };",
          "may be absent here", "`principal.hasTag(\"a\") && ...`", 52 },
        { "permit(principal is Uesr, action, resource);", "no entity type `Uesr`",
          "did you mean `User`?", 0 },
        { "permit(principal, action == Action::\"viwe\", resource);",
          "no action `Action::\"viwe\"`", "did you mean `Action::\"view\"`?", 0 },
        { "permit(principal == Group::\"g\", action == Action::\"view\", resource);",
          "no action of the schema applies", "did you mean `principal in`?", 0 },
        { "permit(principal, action == Action::\"edit\", resource == Folder::\"g\");",
          "no action of the schema applies", "did you mean `resource in`?", 0 },
        { "permit(principal is Org, action == Action::\"edit\", resource);",
          "no action of the schema applies", "applies to principals `User`, `Group`", 0 },
        { "permit(principal, action == Action::\"all\", resource);",
          "no action of the schema applies", "write `action in`", 0 },
        { "permit(principal, action, resource) when { 1 + \"a\" == 2 };",
          "expected Long, but this is String", "strings cannot be added", 48 },
        { "permit(principal, action, resource) when { Mode::\"enforc\" == Mode::\"observe\" };",
          "has no id \"enforc\"", "did you mean \"enforce\"?", 44 },
        { "permit(principal, action, resource) when { decimal(\"1\") == decimal(\"1.0\") };",
          "`decimal` does not accept this text", "decimal(\"12.34\")", 52 },
        { "permit(principal is User, action, resource) when { principal.name == 1 };",
          "never equal: here are String and Long", NULL, 52 },
    };
    RV_AUTO(rv_schema_free) struct rv_schema *schema = test_schema(schema_text);

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
        enum rv_validity validity = RV_VALID;
        const struct rv_diag *diag;

        rv_assert_ok(validate(schema, cases[i].text, RV_VALIDATE_STRICT, &diags, &validity));
        assert_int_equal(validity, RV_INVALID);
        assert_true(diags.count >= 1);
        diag = &diags.items[0];
        if (!strstr(diag->message, cases[i].message))
            fail_msg("%s: %s", cases[i].text, diag->message);
        if (cases[i].help && (!diag->help || !strstr(diag->help, cases[i].help)))
            fail_msg("%s: help %s", cases[i].text, diag->help ? diag->help : "none");
        if (cases[i].column > 0 && diag->column != cases[i].column)
            fail_msg("%s: column %u", cases[i].text, diag->column);
        assert_string_equal(diag->policy_id, "policy0");
    }
}

static void an_error_of_many_environments_is_told_once(void **state)
{
    RV_AUTO(rv_schema_free) struct rv_schema *schema = test_schema(schema_text);
    RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
    enum rv_validity validity = RV_VALID;

    rv_assert_ok(validate(schema, "permit(principal, action, resource) when { 1 + \"a\" == 2 };",
                          RV_VALIDATE_STRICT, &diags, &validity));
    assert_int_equal(diags.count, 1);
}

static void a_policy_that_never_applies_is_warned_of(void **state)
{
    RV_AUTO(rv_schema_free) struct rv_schema *schema = test_schema(schema_text);
    RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
    enum rv_validity validity = RV_INVALID;

    rv_assert_ok(validate(schema, "principal is File", RV_VALIDATE_STRICT, &diags, &validity));
    assert_int_equal(validity, RV_VALID);
    assert_int_equal(diags.warnings, 1);
    assert_string_equal(diags.items[0].code, "impossible-policy");
}

/** A key may be any text: the very same expression must be tested and used. */
static void capabilities_of_any_expression(void **state)
{
    static const char *const keys[] = {
        "principal.name",
        "{a: \"x\", b: 1}.a",
        "(if context.risk > 1 then \"x\" else \"y\")",
        "(if principal.name like \"a*b\" then \"x\" else \"y\")",
        "(if ip(\"::1\").isLoopback() then \"x\" else \"y\")",
        "(if [1, -2].contains(context.risk) then \"x\" else \"y\")",
        "(if principal is User && !(principal has age) then \"x\" else \"y\")",
        "(if principal in Group::\"g\" || 1 + 2 * 3 < 4 - 1 then \"x\" else \"y\")",
        "(if principal.hasTag(\"z\") then principal.getTag(\"z\") else \"y\")",
    };
    static const struct {
        const char *tested, *used;
    } different[] = {
        { "\"x\"", "\"y\"" },
        { "principal.name", "principal.home.path" },
        { "{a: \"x\"}.a", "{a: \"x\", b: 1}.a" },
        { "{a: \"x\", b: 1}.a", "{a: \"x\", c: 1}.a" },
        { "(if principal.name like \"a*b\" then \"x\" else \"y\")",
          "(if principal.name like \"a*c\" then \"x\" else \"y\")" },
        { "(if principal.name like \"a*b\" then \"x\" else \"y\")",
          "(if principal.name like \"a*b*\" then \"x\" else \"y\")" },
        { "(if ip(\"::1\").isLoopback() then \"x\" else \"y\")",
          "(if ip(\"::1\").isMulticast() then \"x\" else \"y\")" },
    };
    RV_AUTO(rv_schema_free) struct rv_schema *schema = test_schema(schema_text);

    for (size_t i = 0; i < RV_COUNT(keys); i++) {
        RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };

        rv_buf_addf(&text, "principal.hasTag(%s) && principal.getTag(%s) == \"v\"", keys[i],
                    keys[i]);
        check_rule(schema, &(struct rule){ text.data, PASS, NULL });
    }
    for (size_t i = 0; i < RV_COUNT(different); i++) {
        RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };

        rv_buf_addf(&text, "principal.hasTag(%s) && principal.getTag(%s) == \"v\"",
                    different[i].tested, different[i].used);
        check_rule(schema, &(struct rule){ text.data, FAILS, "unsafe-tag" });
    }
}

/** More capabilities than a small table holds; all are kept, through `&&`, `||` and `if`. */
static void many_capabilities(void **state)
{
    RV_AUTO(rv_schema_free) struct rv_schema *schema = test_schema(schema_text);
    RV_AUTO(rv_buf_done) struct rv_buf all = { 0 }, text = { 0 };
    RV_AUTO(rv_policy_set_done) struct rv_policy_set set = { 0 };
    enum rv_validity validity = RV_INVALID;

    for (int i = 0; i < 100; i++)
        rv_buf_addf(&all, "principal.hasTag(\"t%d\") && ", i);
    rv_buf_addf(&text,
                "permit(principal is User, action == Action::\"view\", resource is File) when { "
                "(%s true || %s true) && ",
                all.data, all.data);
    for (int i = 0; i < 100; i++)
        rv_buf_addf(&text, "principal.getTag(\"t%d\") == \"v\" && ", i);
    rv_buf_add_str(&text, "true };");
    rv_assert_ok(rv_policy_read(&set, "p", rv_buf_span(&text), NULL));
    rv_assert_ok(rv_validate_policies(schema, &set, RV_VALIDATE_STRICT, NULL, &validity));
    assert_int_equal(validity, RV_VALID);
}

/** Types that messages name, and types that have or have not a common one. */
static void types_of_all_kinds(void **state)
{
    static const struct rule rules[] = {
        { "[{a: 1}, {a: 2}].contains({a: 3})", PASS, NULL },
        { "[{a: 1, b: true}, {a: 2, b: false}].contains({a: 3, b: 1 == 1})", PASS, NULL },
        { "[{a: 1}, {b: 2}].isEmpty()", STRICT_FAILS, NULL },
        { "[{a: 1}, {a: true}].isEmpty()", STRICT_FAILS, NULL },
        { "[[1], [2, 3]].contains([4])", PASS, NULL },
        { "[[1], [true]].isEmpty()", FAILS, NULL },
        { "[[1], 1].isEmpty()", FAILS, NULL },
        { "[ip(\"::1\"), decimal(\"1.0\")].isEmpty()", FAILS, NULL },
        { "[User::\"a\", File::\"b\"].isEmpty()", STRICT_FAILS, NULL },
        { "[User::\"a\", File::\"b\"].contains(principal)", STRICT_FAILS, NULL },
        { "(if context.risk > 1 then [principal] else [resource]).contains(principal)",
          STRICT_FAILS, NULL },
        { "(if context.risk > 1 then principal else resource) has name", STRICT_FAILS, NULL },
        { "{a: {b: 1, c: [true, false], d: ip(\"::1\"), e: principal, f: \"x\"}}", FAILS,
          "unexpected-type" },
        { "[1]", FAILS, "unexpected-type" },
        { "[[principal]]", FAILS, "unexpected-type" },
        { "{}", FAILS, "unexpected-type" },
        { "principal.flags", FAILS, "unexpected-type" },
        { "principal.home", FAILS, "unexpected-type" },
        { "principal.ip", FAILS, "unexpected-type" },
        { "principal.act", FAILS, "unexpected-type" },
        { "action", FAILS, "unexpected-type" },
        { "1 == false", PASS, NULL },
        { "1 == true", PASS, NULL },
        { "1 == (context.risk > 1)", STRICT_FAILS, "incompatible-types" },
        { "{a: 1} == {a: true}", STRICT_FAILS, "incompatible-types" },
        { "{a: 1} == {b: 1}", STRICT_FAILS, "incompatible-types" },
        { "{a: 1} == principal", STRICT_FAILS, "incompatible-types" },
        { "(if context.risk > 1 then principal else resource) + 1 == 2", FAILS, NULL },
    };

    check_rules(rules, RV_COUNT(rules));
}

static void complexity_is_bounded(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };
    RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
    RV_AUTO(rv_schema_free) struct rv_schema *schema = NULL;
    enum rv_validity validity = RV_VALID;

    /* Two families of types that are alike: comparing them looks at 2^n pairs. */
    rv_buf_add_str(&text, "type T0 = {x: Long}; type U0 = {x: Long};");
    for (int i = 1; i < 60; i++)
        rv_buf_addf(&text, "type T%d = { a: T%d, b: T%d }; type U%d = { a: U%d, b: U%d };", i,
                    i - 1, i - 1, i, i - 1, i - 1);
    rv_buf_add_str(&text, "entity E = { t: T59, u: U59 };"
                          "action a appliesTo { principal: E, resource: E };");
    schema = test_schema(text.data);
    rv_assert_ok(validate(schema,
                          "permit(principal, action, resource) "
                          "when { principal.t == principal.u };",
                          RV_VALIDATE_STRICT, &diags, &validity));
    assert_int_equal(validity, RV_INVALID);
    assert_string_equal(diags.items[0].code, "too-complex");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logic),
        cmocka_unit_test(attributes_and_capabilities),
        cmocka_unit_test(comparisons),
        cmocka_unit_test(hierarchy),
        cmocka_unit_test(sets),
        cmocka_unit_test(tags),
        cmocka_unit_test(extensions),
        cmocka_unit_test(scopes_and_names),
        cmocka_unit_test(templates_and_links),
        cmocka_unit_test(actions_of_other_namespaces),
        cmocka_unit_test(messages_help),
        cmocka_unit_test(an_error_of_many_environments_is_told_once),
        cmocka_unit_test(a_policy_that_never_applies_is_warned_of),
        cmocka_unit_test(capabilities_of_any_expression),
        cmocka_unit_test(many_capabilities),
        cmocka_unit_test(types_of_all_kinds),
        cmocka_unit_test(complexity_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
