/* SPDX-License-Identifier: Apache-2.0 */
/* A rule in words: "refuse read of /etc/shadow when kind is server and uid is not 0". */
#include "agent/rules.h"

#include "features/program.h"

#include <netinet/in.h>
#include <sys/socket.h>

static const char *const subjects[RV_TERM_SUBJECTS_] = {
    [RV_TERM_PROGRAM] = "program",
    [RV_TERM_PROGRAM_NAME] = "the program's name",
    [RV_TERM_KIND] = "kind",
    [RV_TERM_LINEAGE] = "it or an ancestor ran",
    [RV_TERM_LINEAGE_KIND] = "it or an ancestor ran a program of kind",
    [RV_TERM_UID] = "uid",
    [RV_TERM_EUID] = "euid",
    [RV_TERM_GID] = "gid",
    [RV_TERM_WORKLOAD] = "cgroup",
    [RV_TERM_FILE] = "file",
    [RV_TERM_FOLDER] = "below",
    [RV_TERM_FILE_NAME] = "the file's name",
    [RV_TERM_FILE_KIND] = "the file's kind",
    [RV_TERM_ADDRESS] = "address",
    [RV_TERM_PORT] = "port",
    [RV_TERM_FAMILY] = "family",
    [RV_TERM_PROTOCOL] = "protocol",
};

static const char *const flags[RV_FLAGS_] = {
    [RV_FLAG_GUARDED_TARGET] = "the target is Reeve's own",
    [RV_FLAG_ANONYMOUS] = "the memory is anonymous",
    [RV_FLAG_WRITABLE] = "the memory is writable",
    [RV_FLAG_FILELESS] = "the program has no file",
    [RV_FLAG_SETID_ADDED] = "a set-id bit is new",
    [RV_FLAG_GAINED_ROOT] = "it becomes root",
};

static void add_value(struct rv_buf *buf, const struct rv_rule_term *term)
{
    if (term->text[0])
        rv_buf_add_str(buf, term->text);
    else if ((term->subject == RV_TERM_KIND || term->subject == RV_TERM_LINEAGE_KIND ||
              term->subject == RV_TERM_FILE_KIND) &&
             term->number < RV_KIND_COUNT_)
        rv_buf_add_str(buf, rv_program_kind_name((enum rv_program_kind)term->number));
    else if (term->subject == RV_TERM_FAMILY && term->number == AF_INET)
        rv_buf_add_str(buf, "IPv4");
    else if (term->subject == RV_TERM_FAMILY && term->number == AF_INET6)
        rv_buf_add_str(buf, "IPv6");
    else if (term->subject == RV_TERM_PROTOCOL && term->number == IPPROTO_TCP)
        rv_buf_add_str(buf, "TCP");
    else if (term->subject == RV_TERM_PROTOCOL && term->number == IPPROTO_UDP)
        rv_buf_add_str(buf, "UDP");
    else
        rv_buf_addf(buf, "%llu", (unsigned long long)term->number);
}

static bool is_first(const struct rv_rule *rule, uint32_t at)
{
    for (uint32_t i = 0; i < at; i++) {
        if (rule->terms[i].subject == rule->terms[at].subject &&
            rule->terms[i].negated == rule->terms[at].negated)
            return false;
    }
    return true;
}

/** "kind is not server, shell": all terms of one subject and sign. */
static void add_subject(struct rv_buf *buf, const struct rv_rule *rule, uint32_t at)
{
    const struct rv_rule_term *first = &rule->terms[at];
    const char *between = "";

    rv_buf_addf(buf, "%s %s ", subjects[first->subject], first->negated ? "is none of" : "is");
    for (uint32_t i = at; i < rule->term_count; i++) {
        if (rule->terms[i].subject != first->subject || rule->terms[i].negated != first->negated)
            continue;
        rv_buf_add_str(buf, between);
        add_value(buf, &rule->terms[i]);
        between = ", ";
    }
}

static bool joins(const struct rv_rule_term *term)
{
    return !term->negated && (term->subject == RV_TERM_FILE || term->subject == RV_TERM_FOLDER);
}

static void add_terms(struct rv_buf *buf, const struct rv_rule *rule)
{
    const char *word = "when";
    bool files = false;

    for (uint32_t i = 0; i < rule->term_count; i++) {
        const struct rv_rule_term *term = &rule->terms[i];

        if (term->subject == RV_TERM_FLAG) {
            rv_buf_addf(buf, " %s %s%s", word, term->negated ? "not: " : "", flags[term->number]);
        } else if (is_first(rule, i)) {
            rv_buf_addf(buf, " %s ", files && joins(term) ? "or" : word);
            add_subject(buf, rule, i);
        } else {
            continue;
        }
        files |= joins(term);
        word = "and";
    }
    if (rule->risk_min > 0 || rule->risk_max < 1000)
        rv_buf_addf(buf, " %s risk is %u to %u", word, rule->risk_min, rule->risk_max);
}

void rv_rules_print(struct rv_buf *buf, const struct rv_rule *rule)
{
    const char *between = "";

    rv_buf_add_str(buf, rule->mode == RV_RULE_ENFORCE ? "refuse " : "would refuse ");
    for (unsigned i = 0; i < RV_DO_COUNT_; i++) {
        if (!(rule->actions & 1U << i))
            continue;
        rv_buf_addf(buf, "%s%s", between, rv_do_name(1U << i));
        between = ", ";
    }
    add_terms(buf, rule);
    if (rule->held)
        rv_buf_add_str(buf, "; a person may let it pass once");
    if (rule->budgeted)
        rv_buf_add_str(buf, "; within the workload's budget");
    if (rule->lapse == RV_LAPSE_CLOSED)
        rv_buf_add_str(buf, "; also when nobody stands behind it");
}
