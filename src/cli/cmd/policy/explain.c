/* SPDX-License-Identifier: Apache-2.0 */
/* reeve policy explain: where each policy is enforced on this host, and why not nearer the fact. */
#include "load.h"

#include "base/fd.h"
#include "policy/place.h"

#include <fcntl.h>
#include <unistd.h>

struct explanation {
    struct rv_policy_set set;
    struct rv_diags diags;
    unsigned offered;
    bool json;
};

/** What this host seems to offer. `reeve doctor` tries; this only looks. */
static unsigned look_at_host(void)
{
    RV_AUTO(rv_freep) char *modules = NULL;
    size_t len = 0;
    unsigned offered = 0;

    if (geteuid() == 0)
        offered |= RV_PLACE_BY_FANOTIFY;
    if (geteuid() == 0 && access("/sys/fs/cgroup/cgroup.controllers", R_OK) == 0)
        offered |= RV_PLACE_BY_CGROUP;
    if (rv_read_file(AT_FDCWD, "/sys/kernel/security/lsm", 4096, &modules, &len) == 0 &&
        strstr(modules, "bpf"))
        offered |= RV_PLACE_BY_LSM;
    return offered;
}

static void print_mechanisms(struct rv_buf *buf, unsigned by, const char *none)
{
    static const char *const names[] = { "BPF LSM", "cgroup-BPF", "fanotify" };
    const char *between = "";

    if (by == 0)
        rv_buf_add_str(buf, none);
    for (unsigned i = 0; i < RV_COUNT(names); i++) {
        if (!(by & 1U << i))
            continue;
        rv_buf_addf(buf, "%s%s", between, names[i]);
        between = ", ";
    }
}

static unsigned line_of(const struct rv_policy *policy, struct rv_loc loc)
{
    unsigned line = 1;

    if (!policy->source || loc.end == 0)
        return 0;
    for (uint32_t i = 0; i < loc.start && i < policy->source->text.len; i++)
        line += policy->source->text.data[i] == '\n';
    return line;
}

static struct rv_text name_of(const struct rv_policy *policy)
{
    const struct rv_text *id = rv_policy_annotation(policy, "id");

    return id ? *id : policy->id;
}

static void add_text(struct rv_buf *buf, const struct rv_policy *policy,
                     const struct rv_placement *placement)
{
    const struct rv_text *respond = rv_policy_annotation(policy, "respond");
    struct rv_text name = name_of(policy);

    if (!placement->governs) {
        rv_buf_addf(buf, "%-36.*s %s\n", RV_TEXT_ARGS(name),
                    policy->effect == RV_EFFECT_ALLOW ? "permits; there is nothing to enforce"
                                                      : "governs no action of the host");
        return;
    }
    rv_buf_addf(buf, "%-36.*s %-7s ", RV_TEXT_ARGS(name), rv_place_name(placement->place));
    print_mechanisms(buf, placement->by, "answered once it has happened");
    if (respond)
        rv_buf_addf(buf, "; respond: %.*s", RV_TEXT_ARGS(*respond));
    rv_buf_add_char(buf, '\n');
    for (uint32_t i = 0; i < placement->reason_count; i++) {
        const struct rv_place_reason *reason = &placement->reasons[i];
        unsigned line = line_of(policy, reason->loc);

        rv_buf_addf(buf, "    %s: %s", rv_place_name(reason->place), reason->text);
        if (line)
            rv_buf_addf(buf, " (%.*s:%u)", RV_TEXT_ARGS(policy->source->name), line);
        rv_buf_add_char(buf, '\n');
    }
}

static json_t *to_json(const struct rv_policy *policy, const struct rv_placement *placement)
{
    struct rv_text name = name_of(policy);
    json_t *reasons = json_array();
    RV_AUTO(rv_buf_done) struct rv_buf by = { 0 };

    for (uint32_t i = 0; i < placement->reason_count; i++) {
        const struct rv_place_reason *reason = &placement->reasons[i];

        json_array_append_new(reasons, json_pack("{s:s, s:s, s:i}", "place",
                                                 rv_place_name(reason->place), "text", reason->text,
                                                 "line", (int)line_of(policy, reason->loc)));
    }
    print_mechanisms(&by, placement->by, "");
    return json_pack("{s:s%, s:b, s:s, s:s, s:o}", "policy", name.data, (size_t)name.len, "governs",
                     placement->governs, "place", rv_place_name(placement->place), "by",
                     by.data ? by.data : "", "reasons", reasons);
}

static int print_all(const struct explanation *explanation)
{
    RV_AUTO(rv_json_freep) json_t *list = json_array();
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
    unsigned counts[3] = { 0 };

    for (size_t i = 0; i < explanation->set.count; i++) {
        const struct rv_policy *policy = explanation->set.items[i];
        struct rv_placement placement =
            rv_place_policy(rv_place_host(), explanation->offered, policy);

        counts[placement.place] += placement.governs;
        if (explanation->json)
            json_array_append_new(list, to_json(policy, &placement));
        else
            add_text(&buf, policy, &placement);
    }
    if (explanation->json) {
        json_dumpf(list, stdout, JSON_INDENT(2));
        printf("\n");
        return RV_EXIT_YES;
    }
    rv_buf_addf(&buf, "\n%u by the kernel alone, %u by the judge before the fact, %u after it\n",
                counts[RV_PLACE_KERNEL], counts[RV_PLACE_INLINE], counts[RV_PLACE_AFTER]);
    rv_buf_add_str(&buf, "this host offers: ");
    print_mechanisms(&buf, explanation->offered, "nothing that refuses before the fact");
    printf("%s\n", buf.data ? buf.data : "");
    return RV_EXIT_YES;
}

static void explanation_done(struct explanation *explanation)
{
    rv_policy_set_done(&explanation->set);
    rv_diags_done(&explanation->diags);
}

int cmd_policy_explain(int argc, char **argv)
{
    RV_AUTO(explanation_done) struct explanation explanation = { 0 };
    bool help = false, every = false;
    int operands = 0, r = 0;
    const struct rv_option options[] = {
        { RV_OPTION_FLAG, 0, "json", NULL, "print JSON", &explanation.json, 0, 0 },
        { RV_OPTION_FLAG, 0, "any-host", NULL, "as on a host that offers every mechanism", &every,
          0, 0 },
        { RV_OPTION_FLAG, 'h', "help", NULL, "print this", &help, 0, 0 },
        { 0 },
    };

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help || operands < 1) {
        policy_help("explain", "FILE|DIR... [--any-host] [--json]",
                    "Say of each policy whether the kernel alone, the judge before the fact or "
                    "only the judge after it\ncan enforce it on this host, and why",
                    options);
        return help ? RV_EXIT_YES : RV_EXIT_ERROR;
    }
    explanation.offered =
        every ? RV_PLACE_BY_LSM | RV_PLACE_BY_CGROUP | RV_PLACE_BY_FANOTIFY : look_at_host();
    for (int i = 1; r == 0 && i <= operands; i++)
        r = policy_load_policies(argv[i], &explanation.set, &explanation.diags);
    policy_show(&explanation.diags);
    return r < 0 ? RV_EXIT_ERROR : print_all(&explanation);
}
