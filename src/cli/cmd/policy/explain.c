/* SPDX-License-Identifier: Apache-2.0 */
/* reeve policy explain: where each policy is enforced on this host, and why not nearer the fact. */
#include "load.h"

#include "agent/rules.h"
#include "enforce/probe.h"

#include <unistd.h>

struct explanation {
    struct rv_policy_set set;
    struct rv_diags diags;
    struct rv_entities *entities;
    struct rv_rules *rules;
    struct rv_rules_options how;
    bool json, show_rules;
    bool overlays_pass; /* by fanotify alone */
};

#define EVERY (1U << RV_BY_LSM | 1U << RV_BY_CGROUP | 1U << RV_BY_FANOTIFY)

/* ---- The host, as `reeve doctor` finds it: by trying ---- */

static void offer(void *context, const struct rv_enforce_probe *probe)
{
    struct rv_rules_options *how = context;

    for (unsigned i = RV_BY_LSM; probe->works && i <= RV_BY_FANOTIFY; i++) {
        if (rv_streq(probe->mechanism, rv_mechanism_name((enum rv_mechanism)i)))
            how->offered |= 1U << i;
    }
}

/** What stops an action is told at its strongest: whatever is stronger does not. */
static void lack(void *context, const struct rv_enforce_action *action)
{
    struct rv_rules_options *how = context;
    unsigned strongest = action->mechanism == RV_BY_NONE ? RV_BY_AFTER : action->mechanism;

    for (unsigned bit = 0; bit < RV_DO_COUNT_; bit++) {
        if (!rv_streq(rv_do_name(1U << bit), action->action))
            continue;
        for (unsigned i = RV_BY_LSM; i < strongest; i++)
            how->lacks[i] |= 1U << bit;
    }
}

static void try_host(struct rv_rules_options *how)
{
    rv_enforce_probe(offer, how);
    if (how->offered && rv_enforce_probe_actions(lack, how) < 0)
        fprintf(stderr, "no sandbox can be made to try each action: mechanisms are taken whole\n");
}

/* ---- In words ---- */

static void print_mechanisms(struct rv_buf *buf, unsigned by, const char *none)
{
    const char *between = "";

    if (by == 0)
        rv_buf_add_str(buf, none);
    for (unsigned i = RV_BY_LSM; i <= RV_BY_FANOTIFY; i++) {
        if (!(by & 1U << i))
            continue;
        rv_buf_addf(buf, "%s%s", between, rv_mechanism_name((enum rv_mechanism)i));
        between = ", ";
    }
}

static unsigned line_of(const struct rv_rules_reason *reason)
{
    const struct rv_source *source = reason->policy ? reason->policy->source : NULL;
    unsigned line = 1;

    if (!source || reason->loc.end == 0)
        return 0;
    for (uint32_t i = 0; i < reason->loc.start && i < source->text.len; i++)
        line += source->text.data[i] == '\n';
    return line;
}

static void add_rules(struct rv_buf *buf, const struct rv_rules *rules, size_t policy)
{
    for (uint32_t i = 0; i < rules->count; i++) {
        if (rules->rules[i].policy != policy)
            continue;
        rv_buf_add_str(buf, "    ");
        rv_rules_print(buf, &rules->rules[i]);
        rv_buf_add_char(buf, '\n');
    }
}

static bool permits(const struct rv_rules_policy *policy)
{
    return policy->policy && policy->policy->effect == RV_EFFECT_ALLOW;
}

/** What gets past the mechanisms of a policy on this host; NULL: nothing that is not everywhere. */
static const char *limit_of(const struct explanation *explanation,
                            const struct rv_rules_policy *policy)
{
    return explanation->overlays_pass && (policy->mechanisms & 1U << RV_BY_FANOTIFY)
               ? RV_ENFORCE_OVERLAY_WORDS
               : NULL;
}

static void add_text(struct rv_buf *buf, const struct explanation *explanation, size_t at)
{
    const struct rv_rules_policy *policy = &explanation->rules->policies[at];
    bool alert = policy->response == RV_RESPOND_ALERT;

    if (!policy->governs) {
        if (policy->policy)
            rv_buf_addf(buf, "%-36s %s\n", policy->name,
                        permits(policy) ? "permits; there is nothing to enforce"
                                        : "governs no action of the host");
        return;
    }
    rv_buf_addf(buf, "%-36s %-7s ", policy->name, rv_place_name(policy->place));
    print_mechanisms(buf, policy->mechanisms, "answered once it has happened");
    rv_buf_addf(buf, "; respond: %s%s\n", rv_response_name(policy->response),
                alert ? ", so nothing is refused" : "");
    if (policy->partial && policy->rule_count > 0)
        rv_buf_add_str(buf, "    a part of it is refused by rules all the same\n");
    if (limit_of(explanation, policy))
        rv_buf_addf(buf, "    %s\n", limit_of(explanation, policy));
    if (policy->waits)
        rv_buf_add_str(buf, "    names a workload that does not run now\n");
    for (uint32_t i = 0; i < policy->reason_count; i++) {
        const struct rv_rules_reason *reason = &policy->reasons[i];
        unsigned line = line_of(reason);

        rv_buf_addf(buf, "    %s: %s", rv_place_name(reason->place), reason->text);
        if (line)
            rv_buf_addf(buf, " (%.*s:%u)", RV_TEXT_ARGS(reason->policy->source->name), line);
        rv_buf_add_char(buf, '\n');
    }
    if (explanation->show_rules)
        add_rules(buf, explanation->rules, at);
}

static json_t *rules_to_json(const struct rv_rules *rules, size_t policy)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < rules->count; i++) {
        RV_AUTO(rv_buf_done) struct rv_buf words = { 0 };

        if (rules->rules[i].policy != policy)
            continue;
        rv_rules_print(&words, &rules->rules[i]);
        json_array_append_new(list, json_stringn(words.data, words.len));
    }
    return list;
}

static json_t *to_json(const struct explanation *explanation, size_t at)
{
    const struct rv_rules *rules = explanation->rules;
    const struct rv_rules_policy *policy = &rules->policies[at];
    json_t *reasons = json_array(), *by = json_array();

    for (uint32_t i = 0; i < policy->reason_count; i++) {
        const struct rv_rules_reason *reason = &policy->reasons[i];

        json_array_append_new(reasons,
                              json_pack("{s:s, s:s, s:i}", "place", rv_place_name(reason->place),
                                        "text", reason->text, "line", (int)line_of(reason)));
    }
    for (unsigned i = RV_BY_LSM; i <= RV_BY_FANOTIFY; i++) {
        if (policy->mechanisms & 1U << i)
            json_array_append_new(by, json_string(rv_mechanism_name((enum rv_mechanism)i)));
    }
    return json_pack("{s:s, s:b, s:s, s:s, s:o, s:b, s:b, s:b, s:o, s:o, s:s*}", "policy",
                     policy->name, "governs", policy->governs, "respond",
                     rv_response_name(policy->response), "place", rv_place_name(policy->place),
                     "by", by, "partial", policy->partial, "waits", policy->waits, "left_out",
                     policy->left_out, "reasons", reasons, "rules", rules_to_json(rules, at),
                     "limit", limit_of(explanation, policy));
}

static int print_all(const struct explanation *explanation)
{
    const struct rv_rules *rules = explanation->rules;
    RV_AUTO(rv_json_freep) json_t *list = json_array();
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
    unsigned counts[3] = { 0 };

    for (size_t i = 0; i < rules->policy_count; i++) {
        counts[rules->policies[i].place] += rules->policies[i].governs;
        if (!explanation->json)
            add_text(&buf, explanation, i);
        else if (rules->policies[i].policy || rules->policies[i].governs)
            json_array_append_new(list, to_json(explanation, i));
    }
    if (explanation->json) {
        json_dumpf(list, stdout, JSON_INDENT(2));
        printf("\n");
        return RV_EXIT_YES;
    }
    rv_buf_addf(&buf, "\n%u by the kernel alone, %u by the judge before the fact, %u after it; ",
                counts[RV_PLACE_KERNEL], counts[RV_PLACE_INLINE], counts[RV_PLACE_AFTER]);
    rv_buf_addf(&buf, "%u of %d rules\nthis host offers: ", rules->count, RV_RULES_MAX);
    print_mechanisms(&buf, explanation->how.offered, "nothing that refuses before the fact");
    printf("%s%s\n", buf.data ? buf.data : "",
           explanation->how.offered == 0 && geteuid() != 0 ? " (trying it needs root)" : "");
    return RV_EXIT_YES;
}

static void explanation_done(struct explanation *explanation)
{
    rv_rules_free(&explanation->rules);
    rv_entities_free(&explanation->entities);
    rv_policy_set_done(&explanation->set);
    rv_diags_done(&explanation->diags);
}

/** The groups of actions that the first schema found declares. */
static int load_groups(struct explanation *explanation, const char *path)
{
    RV_AUTO(rv_freep) char *schema_path = policy_find_schema(path);
    RV_AUTO(rv_schema_free) struct rv_schema *schema = NULL;
    RV_AUTO(rv_json_freep) json_t *none = json_array();
    int r;

    if (!schema_path || explanation->entities)
        return 0;
    r = policy_load_schema(schema_path, &schema, &explanation->diags);
    return r < 0 ? r
                 : policy_make_entities(schema_path, none, schema, &explanation->entities,
                                        &explanation->diags);
}

int cmd_policy_explain(int argc, char **argv)
{
    RV_AUTO(explanation_done) struct explanation explanation = { 0 };
    bool help = false, every = false;
    int operands = 0, r = 0;
    const struct rv_option options[] = {
        { RV_OPTION_FLAG, 0, "json", NULL, "print JSON", &explanation.json, 0, 0 },
        { RV_OPTION_FLAG, 0, "rules", NULL, "print the rules that each policy becomes",
          &explanation.show_rules, 0, 0 },
        { RV_OPTION_FLAG, 0, "any-host", NULL, "as on a host that offers every mechanism", &every,
          0, 0 },
        { RV_OPTION_FLAG, 'h', "help", NULL, "print this", &help, 0, 0 },
        { 0 },
    };

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help || operands < 1) {
        policy_help("explain", "FILE|DIR... [--rules] [--any-host] [--json]",
                    "Say of each policy whether the kernel alone, the judge before the fact or "
                    "only the judge after it\ncan enforce it on this host, and why. What the host "
                    "offers is tried, as by `reeve doctor`: that needs root",
                    options);
        return help ? RV_EXIT_YES : RV_EXIT_ERROR;
    }
    for (int i = 1; r == 0 && i <= operands; i++) {
        r = policy_load_policies(argv[i], &explanation.set, &explanation.diags);
        if (r == 0)
            r = load_groups(&explanation, argv[i]);
    }
    policy_show(&explanation.diags);
    if (r < 0)
        return RV_EXIT_ERROR;
    if (every)
        explanation.how.offered = EVERY;
    else
        try_host(&explanation.how);
    if (!every && (explanation.how.offered & 1U << RV_BY_FANOTIFY))
        explanation.overlays_pass = rv_enforce_overlay_passes();
    r = rv_rules_compile(&explanation.rules, &explanation.set, explanation.entities,
                         &explanation.how);
    return r < 0 ? RV_EXIT_ERROR : print_all(&explanation);
}
