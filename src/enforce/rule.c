/* SPDX-License-Identifier: Apache-2.0 */
#include "enforce/rule.h"

#include <arpa/inet.h>

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

/* ---- Matching ---- */

static const char *last_component(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static bool is_below(const char *path, const char *folder)
{
    size_t len = strcmp(folder, "/") == 0 ? 0 : strlen(folder);

    return strncmp(path, folder, len) == 0 && path[len] == '/' && path[len + 1] != '\0';
}

/** "10.0.0.0/8" or "::1" against 16 bytes, IPv4 as IPv4-mapped. */
static bool is_in_range(const uint8_t address[16], const char *range)
{
    uint8_t bytes[16] = { [10] = 0xff, [11] = 0xff };
    char text[RV_RULE_TEXT_MAX];
    const char *slash = strchr(range, '/');
    size_t len = slash ? (size_t)(slash - range) : strlen(range);
    bool v4 = !memchr(range, ':', len);
    unsigned long bits = slash ? strtoul(slash + 1, NULL, 10) : v4 ? 32 : 128;
    unsigned whole;

    memcpy(text, range, len);
    text[len] = '\0';
    if (inet_pton(v4 ? AF_INET : AF_INET6, text, v4 ? bytes + 12 : bytes) != 1)
        return false;
    bits += v4 ? 96 : 0;
    if (bits > 128)
        return false;
    whole = (unsigned)bits / 8;
    return memcmp(address, bytes, whole) == 0 &&
           (bits % 8 == 0 || ((address[whole] ^ bytes[whole]) & (0xff00 >> bits % 8)) == 0);
}

static bool has_text(const char *const *texts, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(texts[i], text) == 0)
            return true;
    }
    return false;
}

static bool has_number(const uint64_t *numbers, size_t count, uint64_t number)
{
    for (size_t i = 0; i < count; i++) {
        if (numbers[i] == number)
            return true;
    }
    return false;
}

/** @param file the name that is looked at, or NULL. */
static bool holds(const struct rv_rule_term *term, const struct rv_rule_facts *facts,
                  const char *file)
{
    switch ((enum rv_rule_subject)term->subject) {
    case RV_TERM_PROGRAM:
        return facts->program && strcmp(facts->program, term->text) == 0;
    case RV_TERM_PROGRAM_NAME:
        return facts->program && strcmp(last_component(facts->program), term->text) == 0;
    case RV_TERM_KIND:
        return facts->kind == term->number;
    case RV_TERM_LINEAGE:
        return has_text(facts->lineage, facts->lineage_count, term->text);
    case RV_TERM_LINEAGE_KIND:
        return term->number < 32 && (facts->lineage_kinds & 1U << term->number);
    case RV_TERM_UID:
        return facts->uid == term->number;
    case RV_TERM_EUID:
        return facts->euid == term->number;
    case RV_TERM_GID:
        return facts->gid == term->number;
    case RV_TERM_WORKLOAD:
        return has_number(facts->cgroups, facts->cgroup_count, term->number);
    case RV_TERM_FILE:
        return file && strcmp(file, term->text) == 0;
    case RV_TERM_FOLDER:
        return file && is_below(file, term->text);
    case RV_TERM_FILE_NAME:
        return file && strcmp(last_component(file), term->text) == 0;
    case RV_TERM_FILE_KIND:
        return facts->file_kind == term->number;
    case RV_TERM_ADDRESS:
        return facts->has_address && is_in_range(facts->address, term->text);
    case RV_TERM_PORT:
        return facts->port == term->number;
    case RV_TERM_FAMILY:
        return facts->family == term->number;
    case RV_TERM_PROTOCOL:
        return facts->protocol == term->number;
    case RV_TERM_FLAG:
        return facts->flags & 1U << term->number;
    case RV_TERM_SUBJECTS_:
        break;
    }
    return false;
}

static uint64_t group_of(const struct rv_rule_term *term)
{
    if (term->subject == RV_TERM_FLAG)
        return 1ULL << (RV_TERM_FLAG + term->number);
    return 1ULL << (term->subject == RV_TERM_FOLDER ? RV_TERM_FILE : term->subject);
}

static bool matches_name(const struct rv_rule *rule, const struct rv_rule_facts *facts,
                         const char *file)
{
    uint64_t asked = 0, held = 0;

    for (uint32_t i = 0; i < rule->term_count; i++) {
        const struct rv_rule_term *term = &rule->terms[i];
        bool yes = holds(term, facts, file);

        if (term->negated && yes)
            return false;
        asked |= term->negated ? 0 : group_of(term);
        held |= yes ? group_of(term) : 0;
    }
    return (asked & ~held) == 0;
}

bool rv_rule_matches(const struct rv_rule *rule, const struct rv_rule_facts *facts)
{
    if (!(rule->actions & facts->action) || facts->risk < rule->risk_min ||
        facts->risk > rule->risk_max)
        return false;
    if (facts->file_count == 0)
        return matches_name(rule, facts, NULL);
    for (size_t i = 0; i < facts->file_count; i++) {
        if (matches_name(rule, facts, facts->files[i]))
            return true;
    }
    return false;
}

/* ---- Names ---- */

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
