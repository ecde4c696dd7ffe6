/* SPDX-License-Identifier: Apache-2.0 */
#include "enforce/rule.h"

/** Which subjects hold their value as text; a hole holds a number. */
static const bool is_text[RV_TERM_SUBJECTS_] = {
    [RV_TERM_PROGRAM] = true, [RV_TERM_PROGRAM_NAME] = true, [RV_TERM_LINEAGE] = true,
    [RV_TERM_FILE] = true,    [RV_TERM_FOLDER] = true,       [RV_TERM_FILE_NAME] = true,
    [RV_TERM_ADDRESS] = true,
};

static const bool is_path[RV_TERM_SUBJECTS_] = {
    [RV_TERM_PROGRAM] = true,
    [RV_TERM_LINEAGE] = true,
    [RV_TERM_FILE] = true,
    [RV_TERM_FOLDER] = true,
};

static const char *check_term(const struct rv_rule_term *term)
{
    if (term->subject == 0 || term->subject >= RV_TERM_SUBJECTS_ || term->negated > 1)
        return "a term speaks of nothing that is known";
    if (!is_text[term->subject])
        return term->subject == RV_TERM_FLAG && term->number >= RV_FLAGS_
                   ? "a term names a flag that is not known"
                   : NULL;
    if (term->text[0] == '\0' || !memchr(term->text, '\0', sizeof(term->text)))
        return "a term's text is empty or without an end";
    return is_path[term->subject] && term->text[0] != '/' ? "a path does not begin at the root"
                                                          : NULL;
}

const char *rv_rule_check(const struct rv_rule *rule)
{
    if (rule->actions == 0 || rule->actions >> RV_DO_COUNT_)
        return "it is about no action that is known";
    if (rule->risk_min > rule->risk_max || rule->risk_max > 1000)
        return "its range of risk is empty or beyond 1000";
    if (rule->mode > RV_RULE_ENFORCE || rule->lapse > RV_LAPSE_CLOSED || rule->held > 1 ||
        rule->budgeted > 1)
        return "one of its switches has no such position";
    if (rule->term_count > RV_RULE_TERMS_MAX)
        return "it has too many terms";
    for (uint32_t i = 0; i < rule->term_count; i++) {
        const char *why = check_term(&rule->terms[i]);

        if (why)
            return why;
    }
    return NULL;
}

const char *rv_do_name(uint32_t bit)
{
    static const char *const names[RV_DO_COUNT_] = {
        "exec",     "read",          "write",  "create", "rename", "unlink",   "link",   "attr",
        "map-exec", "mprotect-exec", "ptrace", "socket", "bind",   "connect",  "listen", "setuid",
        "module",   "bpf",           "mount",  "userns", "signal", "truncate", "accept", "kexec",
    };

    for (unsigned i = 0; i < RV_DO_COUNT_; i++) {
        if (bit == 1U << i)
            return names[i];
    }
    return NULL;
}

const char *rv_refusal_name(enum rv_refusal verdict)
{
    static const char *const names[RV_REFUSALS_] = {
        [RV_REFUSAL_ALLOWED] = "allowed",         [RV_REFUSAL_DENIED] = "denied",
        [RV_REFUSAL_WOULD_DENY] = "would-deny",   [RV_REFUSAL_LAPSED] = "lapsed",
        [RV_REFUSAL_OVER_BUDGET] = "over-budget", [RV_REFUSAL_STOPPED] = "stopped",
        [RV_REFUSAL_DISARMED] = "disarmed",       [RV_REFUSAL_GRANTED] = "granted",
        [RV_REFUSAL_PROTECTED] = "protected",
    };

    return verdict < RV_REFUSALS_ ? names[verdict] : "unknown";
}

const char *rv_mechanism_name(enum rv_mechanism mechanism)
{
    static const char *const names[RV_MECHANISMS_] = {
        [RV_BY_NONE] = "none",         [RV_BY_LSM] = "bpf-lsm", [RV_BY_CGROUP] = "cgroup-bpf",
        [RV_BY_FANOTIFY] = "fanotify", [RV_BY_AFTER] = "after",
    };

    return mechanism < RV_MECHANISMS_ ? names[mechanism] : "unknown";
}
