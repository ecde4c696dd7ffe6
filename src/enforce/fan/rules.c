/* SPDX-License-Identifier: Apache-2.0 */
#include "rules.h"

#include <unistd.h>

#define GROUPS_MAX (RV_TERM_SUBJECTS_ + RV_FLAGS_)

/** What a term of each subject makes the provider look at. */
static const uint32_t needs_of[RV_TERM_SUBJECTS_] = {
    [RV_TERM_PROGRAM_NAME] = FAN_NEED_PROGRAM_NAME,
    [RV_TERM_UID] = FAN_NEED_USERS,
    [RV_TERM_EUID] = FAN_NEED_EUID,
    [RV_TERM_GID] = FAN_NEED_USERS,
    [RV_TERM_WORKLOAD] = FAN_NEED_WORKLOAD,
    [RV_TERM_FILE] = FAN_NEED_PLACE,
    [RV_TERM_FOLDER] = FAN_NEED_PLACE,
    [RV_TERM_FILE_NAME] = FAN_NEED_NAME,
};

static bool names_path(uint8_t subject)
{
    return subject == RV_TERM_PROGRAM || subject == RV_TERM_LINEAGE || subject == RV_TERM_FILE ||
           subject == RV_TERM_FOLDER;
}

static bool asks_judge(const struct rv_rule *rule)
{
    for (uint32_t i = 0; i < rule->term_count; i++) {
        if (rule->terms[i].subject == RV_TERM_LINEAGE ||
            rule->terms[i].subject == RV_TERM_LINEAGE_KIND)
            return true;
    }
    return rule->risk_min > 0 || rule->risk_max < 1000;
}

static struct fan_id folder_of(const char *path)
{
    char folder[RV_RULE_TEXT_MAX];
    struct fan_id id = { 0 };
    char *base;

    strcpy(folder, path);
    base = strrchr(folder, '/');
    base[base == folder ? 1 : 0] = '\0';
    return rv_fan_identify(folder, &id) < 0 ? (struct fan_id){ 0 } : id;
}

/** Resolve one rule's paths, and say what becomes of it. */
static void take_rule(struct fan_rules *set, size_t index, struct rv_fan_taken *taken)
{
    const struct rv_rule *rule = &set->rules[index];
    uint32_t actions = rule->actions & FAN_ACTIONS;
    uint64_t bit = 1ULL << index;
    bool names_file = false;

    if (actions == 0)
        return;
    for (uint32_t i = 0; i < rule->term_count; i++) {
        const struct rv_rule_term *term = &rule->terms[i];

        set->needs |= needs_of[term->subject];
        if (!names_path(term->subject))
            continue;
        if (rv_fan_identify(term->text, &set->ids[index][i]) < 0)
            taken->unresolved |= bit;
        if (term->subject == RV_TERM_FILE)
            set->folders[index][i] = folder_of(term->text);
        names_file =
            names_file ||
            (!term->negated && (term->subject == RV_TERM_FILE || term->subject == RV_TERM_FOLDER));
    }
    if ((actions & FAN_OPENS) && actions != FAN_ACTIONS)
        set->needs |= FAN_NEED_MODE;
    if (asks_judge(rule)) {
        taken->asks |= bit;
        set->needs |= FAN_NEED_EUID; /* the judge may look at it */
    }
    *(names_file ? &taken->carried : &taken->scoped) |= bit;
}

static int copy_scopes(struct fan_rules *set, const struct rv_fan_set *from)
{
    for (size_t i = 0; i < from->scope_count; i++) {
        const struct rv_fan_scope *scope = &from->scopes[i];

        if (scope->kind < RV_FAN_FILE || scope->kind > RV_FAN_FILESYSTEM || !scope->path ||
            scope->path[0] != '/' || !(scope->actions & FAN_ACTIONS))
            return -EINVAL;
        set->scopes[i] = *scope;
        set->scopes[i].path = strdup(scope->path);
        if (!set->scopes[i].path)
            return -ENOMEM;
        set->scope_count++;
        set->needs |= scope->ask ? FAN_NEED_EUID : 0;
        if (scope->kind == RV_FAN_MOUNT || scope->kind == RV_FAN_FILESYSTEM)
            set->needs |= FAN_NEED_WIDE;
    }
    return 0;
}

int rv_fan_rules_new(struct fan_rules **ret_rules, const struct rv_fan_set *set,
                     struct rv_fan_taken *ret_taken)
{
    RV_AUTO(fan_rules_unrefp) struct fan_rules *rules = calloc(1, sizeof(*rules));
    int r;

    *ret_taken = (struct rv_fan_taken){ .failed_rule = SIZE_MAX };
    if (!rules)
        return -ENOMEM;
    rules->refs = 1;
    if (set->rule_count > RV_RULES_MAX || set->scope_count > RV_FAN_SCOPES_MAX)
        return -EINVAL;
    rules->rules = calloc(set->rule_count + 1, sizeof(*rules->rules));
    rules->ids = calloc(set->rule_count + 1, sizeof(*rules->ids));
    rules->scopes = calloc(set->scope_count + 1, sizeof(*rules->scopes));
    rules->folders = calloc(set->rule_count + 1, sizeof(*rules->folders));
    if (!rules->rules || !rules->ids || !rules->folders || !rules->scopes)
        return -ENOMEM;
    for (size_t i = 0; i < set->rule_count; i++) {
        if (rv_rule_check(&set->rules[i])) {
            ret_taken->failed_rule = i;
            return -EINVAL;
        }
        rules->rules[i] = set->rules[i];
        rules->count++;
        take_rule(rules, i, ret_taken);
    }
    r = copy_scopes(rules, set);
    if (r < 0)
        return r;
    rules->settings = set->settings;
    rules->deadline_ns = set->deadline_ns ? set->deadline_ns : (uint64_t)10 * 1000 * 1000;
    rules->hold_ns = set->hold_ns;
    *ret_rules = RV_TAKE(rules);
    return 0;
}

void rv_fan_rules_unref(struct fan_rules *rules)
{
    if (!rules || --rules->refs > 0)
        return;
    for (size_t i = 0; rules->scopes && i < rules->scope_count; i++)
        free((void *)(uintptr_t)rules->scopes[i].path);
    free(rules->rules);
    free(rules->ids);
    free(rules->scopes);
    free(rules->folders);
    free(rules);
}

/* ---- Matching ---- */

static bool last_component_is(const char *path, const char *name)
{
    const char *base = strrchr(path, '/');

    return base && rv_streq(base + 1, name);
}

static enum fan_truth in_folder(const struct fan_facts *facts, struct fan_id folder, bool negated)
{
    for (size_t i = 0; i < facts->folder_count; i++) {
        if (fan_same(facts->folders[i], folder))
            return FAN_YES;
    }
    if (facts->place == FAN_PLACE_OPEN)
        return FAN_MAYBE;
    /* Hidden: the strict answer, whichever way the rule asks. */
    return facts->place == FAN_PLACE_HIDDEN && !negated && folder.inode != 0 &&
                   folder.dev == facts->file.dev
               ? FAN_YES
               : FAN_NO;
}

/** The file that it was when the rule was taken, or whatever has its name in its folder now. */
static enum fan_truth is_file(const struct fan_facts *facts, struct fan_id file,
                              struct fan_id folder, const struct rv_rule_term *term)
{
    if (fan_same(facts->file, file))
        return FAN_YES;
    if (!facts->path_known || facts->place == FAN_PLACE_OPEN)
        return FAN_MAYBE;
    if (!last_component_is(facts->path, strrchr(term->text, '/') + 1))
        return FAN_NO;
    if (facts->place == FAN_PLACE_HIDDEN)
        return !term->negated && folder.dev == facts->file.dev ? FAN_YES : FAN_NO;
    return fan_same(facts->folders[0], folder) ? FAN_YES : FAN_NO;
}

static enum fan_truth yes_if(bool fact)
{
    return fact ? FAN_YES : FAN_NO;
}

/** Terms about the process. */
static enum fan_truth process_term(const struct rv_rule_term *term, struct fan_id id,
                                   const struct fan_facts *facts)
{
    if (!facts->process_known)
        return FAN_MAYBE;
    switch (term->subject) {
    case RV_TERM_PROGRAM:
        return yes_if(fan_same(id, facts->program));
    case RV_TERM_PROGRAM_NAME:
        return yes_if(last_component_is(facts->program_path, term->text));
    case RV_TERM_KIND:
        return yes_if(facts->program_kind == term->number);
    case RV_TERM_LINEAGE: /* who came before is known to the judge */
        return id.inode == 0 ? FAN_NO : fan_same(id, facts->program) ? FAN_YES : FAN_MAYBE;
    case RV_TERM_LINEAGE_KIND:
        return facts->program_kind == term->number ? FAN_YES : FAN_MAYBE;
    case RV_TERM_UID:
        return yes_if(facts->uid == term->number);
    case RV_TERM_EUID:
        return yes_if(facts->euid == term->number);
    case RV_TERM_GID:
        return yes_if(facts->gid == term->number);
    case RV_TERM_WORKLOAD:
        for (size_t i = 0; i < facts->workload_count; i++) {
            if (facts->workloads[i] == term->number)
                return FAN_YES;
        }
        return FAN_NO;
    default:
        return FAN_NO;
    }
}

static enum fan_truth file_term(const struct fan_rules *rules, size_t index, uint32_t at,
                                const struct fan_facts *facts)
{
    const struct rv_rule_term *term = &rules->rules[index].terms[at];
    struct fan_id id = rules->ids[index][at];

    switch (term->subject) {
    case RV_TERM_FILE:
        return is_file(facts, id, rules->folders[index][at], term);
    case RV_TERM_FOLDER:
        return in_folder(facts, id, term->negated);
    case RV_TERM_FILE_NAME:
        return facts->path_known ? yes_if(last_component_is(facts->path, term->text)) : FAN_MAYBE;
    case RV_TERM_FILE_KIND:
        return yes_if(((facts->action & RV_DO_EXEC) ? facts->file_kind : 0) == term->number);
    case RV_TERM_FLAG:
        return yes_if(term->number == RV_FLAG_FILELESS && (facts->action & RV_DO_EXEC) &&
                      facts->link_count == 0);
    default:
        return FAN_NO; /* addresses and ports: an open has none */
    }
}

static enum fan_truth weaker(enum fan_truth a, enum fan_truth b)
{
    return a < b ? a : b;
}

/** FILE and FOLDER are one group, each flag is one, and so is every other subject. */
static unsigned group_of(const struct rv_rule_term *term)
{
    if (term->subject == RV_TERM_FLAG)
        return RV_TERM_SUBJECTS_ + (unsigned)term->number;
    return term->subject == RV_TERM_FOLDER ? RV_TERM_FILE : term->subject;
}

enum fan_truth rv_fan_match(const struct fan_rules *rules, size_t index,
                            const struct fan_facts *facts)
{
    const struct rv_rule *rule = &rules->rules[index];
    enum fan_truth group[GROUPS_MAX] = { FAN_NO }, all = FAN_YES;
    uint32_t present = 0;

    if (!(rule->actions & facts->action))
        return FAN_NO;
    for (uint32_t i = 0; i < rule->term_count; i++) {
        const struct rv_rule_term *term = &rule->terms[i];
        unsigned subject = group_of(term);
        enum fan_truth truth = term->subject <= RV_TERM_WORKLOAD
                                   ? process_term(term, rules->ids[index][i], facts)
                                   : file_term(rules, index, i, facts);

        if (term->negated) {
            all = weaker(all, FAN_YES - truth);
            continue;
        }
        present |= 1U << subject;
        group[subject] = truth > group[subject] ? truth : group[subject];
    }
    for (unsigned subject = 1; subject < GROUPS_MAX; subject++) {
        if (present & 1U << subject)
            all = weaker(all, group[subject]);
    }
    if (rule->risk_min > 0 || rule->risk_max < 1000)
        all = weaker(all, FAN_MAYBE);
    return all;
}

struct fan_matches rv_fan_match_all(const struct fan_rules *rules, const struct fan_facts *facts)
{
    struct fan_matches matches = { 0 };

    for (size_t i = 0; i < rules->count; i++) {
        uint64_t bit = 1ULL << i;

        switch (rv_fan_match(rules, i, facts)) {
        case FAN_YES:
            *(rules->rules[i].mode == RV_RULE_ENFORCE ? &matches.enforce : &matches.shadow) |= bit;
            break;
        case FAN_MAYBE:
            matches.maybe |= rules->rules[i].mode == RV_RULE_ENFORCE ? bit : 0;
            break;
        case FAN_NO:
            break;
        }
    }
    return matches;
}

bool rv_fan_never(const struct fan_rules *rules, const struct fan_facts *facts)
{
    struct fan_facts *file = &(struct fan_facts){
        .file = facts->file,
        .file_kind = facts->file_kind,
        .link_count = facts->link_count,
        .action = facts->action & RV_DO_EXEC ? RV_DO_EXEC : FAN_OPENS,
    };

    for (size_t i = 0; i < rules->count; i++) {
        if (rv_fan_match(rules, i, file) != FAN_NO)
            return false;
    }
    return true;
}
