/* SPDX-License-Identifier: Apache-2.0 */
/* Sorting by place of enforcement: the weakest link of action, host and condition decides. */
#include "policy/place.h"

#include <stdarg.h>
#include <stdio.h>

#define PATH_MAX_ ((size_t)128)
#define STEPS_MAX 100000U

/* ---- What hosts offer and know ---- */

#define FILES (RV_PLACE_BY_LSM | RV_PLACE_BY_FANOTIFY)
#define NET   (RV_PLACE_BY_LSM | RV_PLACE_BY_CGROUP)

static const struct rv_place_action host_actions[] = {
    { "host", NULL, 0 },
    { "process", "host", 0 },
    { "file", "host", 0 },
    { "net", "host", 0 },
    { "kernel", "host", 0 },
    { "process.exec", "process", FILES },
    { "process.cred", "process", RV_PLACE_BY_LSM },
    { "process.ptrace", "process", RV_PLACE_BY_LSM },
    { "process.signal", "process", RV_PLACE_BY_LSM },
    { "memory.exec", "process", RV_PLACE_BY_LSM },
    { "file.read", "file", FILES },
    { "file.write", "file", FILES },
    { "file.create", "file", RV_PLACE_BY_LSM },
    { "file.rename", "file", RV_PLACE_BY_LSM },
    { "file.unlink", "file", RV_PLACE_BY_LSM },
    { "file.link", "file", RV_PLACE_BY_LSM },
    { "file.attr", "file", RV_PLACE_BY_LSM },
    { "file.truncate", "file", RV_PLACE_BY_LSM },
    { "net.connect", "net", NET },
    { "net.bind", "net", NET },
    { "net.listen", "net", RV_PLACE_BY_LSM },
    { "net.accept", "net", RV_PLACE_BY_LSM },
    { "kernel.module", "kernel", RV_PLACE_BY_LSM },
    { "kernel.bpf", "kernel", RV_PLACE_BY_LSM },
    { "kernel.kexec", "kernel", RV_PLACE_BY_LSM },
    { "mount", "kernel", RV_PLACE_BY_LSM },
    { "namespace", "kernel", 0 },
    { "tamper", "kernel", 0 },
};

static const struct rv_place_fact host_facts[] = {
    { "principal.program", RV_PLACE_KERNEL, NULL },
    { "principal.kind", RV_PLACE_KERNEL, NULL },
    { "principal.uid", RV_PLACE_KERNEL, NULL },
    { "principal.gid", RV_PLACE_KERNEL, NULL },
    { "principal.euid", RV_PLACE_KERNEL, NULL },
    { "resource.ip", RV_PLACE_KERNEL, NULL },
    { "resource.port", RV_PLACE_KERNEL, NULL },
    { "resource.family", RV_PLACE_KERNEL, NULL },
    { "resource.protocol", RV_PLACE_KERNEL, NULL },
    { "context.risk", RV_PLACE_KERNEL, NULL },
    { "context.argv", RV_PLACE_AFTER, "arguments are complete only once the program runs" },
    { "context.argc", RV_PLACE_AFTER, "arguments are complete only once the program runs" },
    { "context.interpreter", RV_PLACE_AFTER, "the interpreter is known only once it runs" },
    { "context.features", RV_PLACE_INLINE, "features are counted by the judge" },
    { "context.novel", RV_PLACE_INLINE, "the baseline of programs is kept by the judge" },
};

const struct rv_place_table *rv_place_host(void)
{
    static const struct rv_place_table table = {
        .actions = host_actions,
        .facts = host_facts,
        .action_count = RV_COUNT(host_actions),
        .fact_count = RV_COUNT(host_facts),
        .fact_default = RV_PLACE_INLINE,
    };

    return &table;
}

const char *rv_place_name(enum rv_place place)
{
    static const char *const names[] = {
        [RV_PLACE_AFTER] = "after", [RV_PLACE_INLINE] = "inline", [RV_PLACE_KERNEL] = "kernel"
    };

    return names[place];
}

/* ---- Steps down ---- */

struct sorter {
    const struct rv_place_table *table;
    struct rv_placement *result;
    enum rv_place fact_place; /* the weakest fact met so far */
    unsigned steps; /* nodes looked at: `has a.b` shares nodes, so a tree can unfold far */
};

RV_PRINTF(4, 5)
static void add_reason(struct sorter *sorter, enum rv_place place, struct rv_loc loc,
                       const char *format, ...)
{
    struct rv_placement *result = sorter->result;
    struct rv_place_reason reason = { .place = place, .loc = loc };
    va_list args;

    va_start(args, format);
    (void)vsnprintf(reason.text, sizeof(reason.text), format, args);
    va_end(args);
    for (uint32_t i = 0; i < result->reason_count; i++) {
        if (rv_streq(result->reasons[i].text, reason.text))
            return;
    }
    if (result->reason_count < RV_PLACE_REASONS_MAX)
        result->reasons[result->reason_count++] = reason;
}

static void lower_fact(struct sorter *sorter, enum rv_place place)
{
    if (place < sorter->fact_place)
        sorter->fact_place = place;
}

/* ---- Conditions ---- */

/** The path of an attribute, such as "context.features.files". @return false when it is none. */
static bool path_of(const struct rv_expr *expr, char path[PATH_MAX_])
{
    static const char *const variables[] = { "principal", "action", "resource", "context" };
    char rest[PATH_MAX_] = "", longer[PATH_MAX_];

    while (expr->kind == RV_EXPR_GET_ATTR || expr->kind == RV_EXPR_HAS_ATTR) {
        int len = snprintf(longer, sizeof(longer), ".%.*s%s", RV_TEXT_ARGS(expr->name), rest);

        if (len < 0 || (size_t)len >= sizeof(longer))
            return false;
        memcpy(rest, longer, sizeof(rest));
        expr = expr->children[0];
    }
    if (expr->kind != RV_EXPR_VAR)
        return false;
    return snprintf(path, PATH_MAX_, "%s%s", variables[expr->var], rest) < (int)PATH_MAX_;
}

/** The row that is the path or stands above it, or NULL. */
static const struct rv_place_fact *find_fact(const struct rv_place_table *table, const char *path)
{
    for (size_t i = 0; i < table->fact_count; i++) {
        size_t len = strlen(table->facts[i].path);

        if (strncmp(path, table->facts[i].path, len) == 0 &&
            (path[len] == '\0' || path[len] == '.'))
            return &table->facts[i];
    }
    return NULL;
}

static void sort_attribute(struct sorter *sorter, const struct rv_expr *expr)
{
    const struct rv_place_fact *fact;
    enum rv_place place;
    char path[PATH_MAX_];

    if (!path_of(expr, path)) {
        lower_fact(sorter, RV_PLACE_INLINE);
        add_reason(sorter, RV_PLACE_INLINE, expr->loc,
                   "an attribute of an attribute is followed by the judge");
        return;
    }
    fact = find_fact(sorter->table, path);
    place = fact ? fact->place : sorter->table->fact_default;
    lower_fact(sorter, place);
    if (place == RV_PLACE_KERNEL)
        return;
    if (fact)
        add_reason(sorter, place, expr->loc, "%s: %s", path, fact->why);
    else
        add_reason(sorter, place, expr->loc, "%s: not in the kernel's tables", path);
}

static bool is_prefix(const struct rv_pattern *pattern)
{
    return pattern->count == 1 || (pattern->count == 2 && pattern->parts[0].star &&
                                   pattern->parts[1].text.len == 0 && !pattern->parts[1].star);
}

/** What the kernel's tables cannot work out, whatever it is about. NULL: they can. */
static const char *beyond_tables(const struct rv_expr *expr)
{
    switch ((enum rv_expr_kind)expr->kind) {
    case RV_EXPR_LIKE:
        return is_prefix(&expr->pattern) ? NULL : "a pattern that is no prefix";
    case RV_EXPR_NEG:
    case RV_EXPR_ADD:
    case RV_EXPR_SUB:
    case RV_EXPR_MUL:
        return "arithmetic";
    case RV_EXPR_GET_TAG:
    case RV_EXPR_HAS_TAG:
        return "tags";
    case RV_EXPR_RECORD:
        return "records";
    case RV_EXPR_CALL:
        return expr->call == RV_CALL_IP || expr->call == RV_CALL_IS_IN_RANGE ||
                       expr->call == RV_CALL_IS_LOOPBACK || expr->call == RV_CALL_IS_IPV4 ||
                       expr->call == RV_CALL_IS_IPV6
                   ? NULL
                   : "this function";
    case RV_EXPR_LITERAL:
    case RV_EXPR_VAR:
    case RV_EXPR_SLOT:
    case RV_EXPR_NOT:
    case RV_EXPR_AND:
    case RV_EXPR_OR:
    case RV_EXPR_IF:
    case RV_EXPR_EQ:
    case RV_EXPR_NE:
    case RV_EXPR_LT:
    case RV_EXPR_LE:
    case RV_EXPR_GT:
    case RV_EXPR_GE:
    case RV_EXPR_IN:
    case RV_EXPR_CONTAINS:
    case RV_EXPR_CONTAINS_ALL:
    case RV_EXPR_CONTAINS_ANY:
    case RV_EXPR_IS_EMPTY:
    case RV_EXPR_GET_ATTR:
    case RV_EXPR_HAS_ATTR:
    case RV_EXPR_IS:
    case RV_EXPR_SET:
    case RV_EXPR_KIND_COUNT_:
        break;
    }
    return NULL;
}

static void sort_expr(struct sorter *sorter, const struct rv_expr *expr)
{
    const char *beyond = beyond_tables(expr);
    bool attribute = expr->kind == RV_EXPR_GET_ATTR || expr->kind == RV_EXPR_HAS_ATTR;

    if (++sorter->steps > STEPS_MAX) {
        lower_fact(sorter, RV_PLACE_AFTER);
        add_reason(sorter, RV_PLACE_AFTER, expr->loc, "the condition is too large to sort");
        return;
    }
    if (beyond) {
        lower_fact(sorter, RV_PLACE_INLINE);
        add_reason(sorter, RV_PLACE_INLINE, expr->loc, "%s: worked out by the judge", beyond);
    }
    if (attribute)
        sort_attribute(sorter, expr);
    while (expr->kind == RV_EXPR_GET_ATTR || expr->kind == RV_EXPR_HAS_ATTR)
        expr = expr->children[0]; /* parts of the same path */
    if (attribute && expr->kind != RV_EXPR_VAR) {
        sort_expr(sorter, expr);
        return;
    }
    for (uint32_t i = 0; i < expr->child_count; i++)
        sort_expr(sorter, expr->children[i]);
}

/* ---- Actions ---- */

static const struct rv_place_action *find_action(const struct rv_place_table *table,
                                                 const char *name)
{
    for (size_t i = 0; i < table->action_count; i++) {
        if (rv_streq(table->actions[i].name, name))
            return &table->actions[i];
    }
    return NULL;
}

static bool is_below(const struct rv_place_table *table, const struct rv_place_action *action,
                     struct rv_text id)
{
    while (action && !rv_text_is(id, action->name))
        action = action->group ? find_action(table, action->group) : NULL;
    return action != NULL;
}

static bool is_group(const struct rv_place_table *table, const struct rv_place_action *action)
{
    for (size_t i = 0; i < table->action_count; i++) {
        if (table->actions[i].group && rv_streq(table->actions[i].group, action->name))
            return true;
    }
    return false;
}

static bool scope_takes(const struct rv_place_table *table, const struct rv_scope *scope,
                        const struct rv_place_action *action)
{
    switch ((enum rv_scope_kind)scope->kind) {
    case RV_SCOPE_ANY:
        return true;
    case RV_SCOPE_EQ:
        return rv_text_is(scope->uid->id, action->name);
    case RV_SCOPE_IN:
        return is_below(table, action, scope->uid->id);
    case RV_SCOPE_IN_SET:
        for (uint32_t i = 0; i < scope->uid_count; i++) {
            if (is_below(table, action, scope->uids[i]->id))
                return true;
        }
        return false;
    case RV_SCOPE_IS:
    case RV_SCOPE_IS_IN:
        break; /* not of actions */
    }
    return false;
}

/** The strongest place for an action whose conditions need `facts`, and the mechanisms there. */
static enum rv_place place_of(unsigned by, enum rv_place facts, unsigned *ret_by)
{
    unsigned kernel = by & (RV_PLACE_BY_LSM | RV_PLACE_BY_CGROUP);
    unsigned judge = by & RV_PLACE_BY_FANOTIFY;

    *ret_by = facts == RV_PLACE_KERNEL && kernel ? kernel : facts >= RV_PLACE_INLINE ? judge : 0;
    if (facts == RV_PLACE_KERNEL && kernel)
        return RV_PLACE_KERNEL;
    return facts >= RV_PLACE_INLINE && judge ? RV_PLACE_INLINE : RV_PLACE_AFTER;
}

static void sort_action(struct sorter *sorter, const struct rv_place_action *action,
                        unsigned offered)
{
    struct rv_placement *result = sorter->result;
    struct rv_loc nowhere = { 0 };
    unsigned by = 0;
    enum rv_place place = place_of(action->by & offered, sorter->fact_place, &by);

    if (!action->by)
        add_reason(sorter, place, nowhere, "%s: no hook can refuse it", action->name);
    else if (place_of(action->by, sorter->fact_place, &by) > place)
        add_reason(sorter, place, nowhere, "%s: this host lacks %s", action->name,
                   action->by & RV_PLACE_BY_LSM & ~offered ? "BPF LSM" : "what could refuse it");
    else if (place == RV_PLACE_AFTER && sorter->fact_place == RV_PLACE_INLINE)
        add_reason(sorter, place, nowhere, "%s: the judge cannot be asked before it", action->name);
    (void)place_of(action->by & offered, sorter->fact_place, &by);
    if (!result->governs || place < result->place) {
        result->place = place;
        result->by = by;
    } else if (place == result->place) {
        result->by |= by;
    }
    result->governs = true;
}

struct rv_placement rv_place_policy(const struct rv_place_table *table, unsigned offered,
                                    const struct rv_policy *policy)
{
    struct rv_placement result = { 0 };
    struct sorter sorter = { .table = table, .result = &result, .fact_place = RV_PLACE_KERNEL };

    if (policy->effect == RV_EFFECT_ALLOW)
        return result;
    for (uint32_t i = 0; i < policy->condition_count; i++)
        sort_expr(&sorter, policy->conditions[i].body);
    for (size_t i = 0; i < table->action_count; i++) {
        const struct rv_place_action *action = &table->actions[i];

        if (!is_group(table, action) && scope_takes(table, &policy->action, action))
            sort_action(&sorter, action, offered);
    }
    if (!result.governs)
        result = (struct rv_placement){ 0 };
    return result;
}
