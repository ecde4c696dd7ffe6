/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of verbs and facts, and what holds by type alone. host.cedarschema in C, so to say. */
#include "vocabulary.h"

#include "features/features.h"
#include "features/program.h"
#include "features/table.h"

#define LSM  (1U << RV_BY_LSM)
#define CGRP (1U << RV_BY_CGROUP)
#define FANO (1U << RV_BY_FANOTIFY)

enum {
    EXEC = 1U << 0,
    CRED = 1U << 1,
    TRACE = 1U << 2,
    SIGNAL = 1U << 3,
    MEMORY = 1U << 4,
    OPEN = 1U << 5, /* and what else has nothing of its own */
    MOVE = 1U << 6, /* two names */
    ATTR = 1U << 7,
    NET = 1U << 8,
    MODULE = 1U << 9,
    BPF = 1U << 10,
    KEXEC = 1U << 11,
    MOUNT = 1U << 12,
    NAMESPACE = 1U << 13,
    TAMPER = 1U << 14,
    RACE = 1U << 15,
    ANY = (1U << 16) - 1,
    FILES = OPEN | MOVE | ATTR,
    PROCESSES = TRACE | SIGNAL,
};

static const struct rv_host_verb verbs[] = {
    { "process.exec", "process", "Program", RV_DO_EXEC, LSM | FANO, EXEC },
    { "process.cred", "process", "User", RV_DO_SETUID, LSM, CRED },
    { "process.ptrace", "process", "Process", RV_DO_PTRACE, LSM, TRACE },
    { "process.signal", "process", "Process", RV_DO_SIGNAL, LSM, SIGNAL },
    { "memory.exec", "process", "Memory", RV_DO_MMAP_EXEC | RV_DO_MPROTECT_EXEC, LSM, MEMORY },
    { "process.race", "process", "Component", 0, 0, RACE },
    { "file.read", "file", "File", RV_DO_READ, LSM | FANO, OPEN },
    { "file.write", "file", "File", RV_DO_WRITE, LSM | FANO, OPEN },
    { "file.create", "file", "File", RV_DO_CREATE, LSM, OPEN },
    { "file.truncate", "file", "File", RV_DO_TRUNCATE, LSM, OPEN },
    { "file.unlink", "file", "File", RV_DO_UNLINK, LSM, OPEN },
    { "file.rename", "file", "File", RV_DO_RENAME, LSM, MOVE },
    { "file.link", "file", "File", RV_DO_LINK, LSM, MOVE },
    { "file.attr", "file", "File", RV_DO_SETATTR, LSM, ATTR },
    { "net.connect", "net", "Endpoint", RV_DO_CONNECT, LSM | CGRP, NET },
    { "net.bind", "net", "Endpoint", RV_DO_BIND, LSM | CGRP, NET },
    { "net.listen", "net", "Endpoint", RV_DO_LISTEN, LSM, NET },
    { "net.accept", "net", "Endpoint", RV_DO_ACCEPT, LSM, NET },
    { "kernel.module", "kernel", "Module", RV_DO_MODULE, LSM, MODULE },
    { "kernel.bpf", "kernel", "BpfObject", RV_DO_BPF, LSM, BPF },
    { "kernel.kexec", "kernel", "Kernel", RV_DO_KEXEC, LSM, KEXEC },
    { "mount", "kernel", "File", RV_DO_MOUNT, LSM, MOUNT },
    { "namespace", "kernel", "Namespace", RV_DO_USERNS, LSM, NAMESPACE },
    { "tamper", "kernel", "Component", 0, 0, TAMPER },
};

#define P RV_VAR_PRINCIPAL
#define R RV_VAR_RESOURCE
#define C RV_VAR_CONTEXT

#define BOOLEAN RV_FACT_BOOL
#define LONG    RV_FACT_LONG
#define STRING  RV_FACT_STRING

#define JUDGED  "the judge alone knows it"
#define ARRIVED "it is complete only once the program runs"
#define CHANGED "what the process is afterwards is not known before"
#define UNTOLD  "rules do not tell it apart"

#define NOT(mask) (ANY & ~(uint32_t)(mask))

static const struct rv_host_fact facts[] = {
    { "program", P, STRING, RV_TERM_PROGRAM, 0, 0, true, ANY, NULL },
    { "kind", P, STRING, RV_TERM_KIND, 0, 0, true, ANY, NULL },
    { "uid", P, LONG, RV_TERM_UID, 0, 0, true, NOT(CRED), NULL },
    { "euid", P, LONG, RV_TERM_EUID, 0, 0, false, NOT(CRED), NULL },
    { "gid", P, LONG, RV_TERM_GID, 0, 0, false, NOT(CRED), NULL },
    { "uid", P, LONG, 0, 0, RV_PLACE_AFTER, false, CRED, CHANGED },
    { "euid", P, LONG, 0, 0, RV_PLACE_AFTER, false, CRED, CHANGED },
    { "gid", P, LONG, 0, 0, RV_PLACE_AFTER, false, CRED, CHANGED },
    { "path_class", P, STRING, 0, 0, RV_PLACE_INLINE, true, ANY, JUDGED },
    { "comm", P, STRING, 0, 0, RV_PLACE_INLINE, false, ANY, JUDGED },
    { "tty", P, BOOLEAN, 0, 0, RV_PLACE_INLINE, false, ANY, JUDGED },
    { "remote_session", P, BOOLEAN, 0, 0, RV_PLACE_INLINE, false, ANY, JUDGED },
    { "serves_network", P, BOOLEAN, 0, 0, RV_PLACE_INLINE, false, ANY, JUDGED },
    { "container", P, BOOLEAN, 0, 0, RV_PLACE_INLINE, false, ANY, JUDGED },
    { "fileless", P, BOOLEAN, 0, 0, RV_PLACE_INLINE, false, ANY, JUDGED },
    { "preload", P, BOOLEAN, 0, 0, RV_PLACE_INLINE, false, ANY, JUDGED },
    { "setid", P, BOOLEAN, 0, 0, RV_PLACE_INLINE, false, ANY, JUDGED },
    { "script", P, BOOLEAN, 0, 0, RV_PLACE_INLINE, false, ANY, JUDGED },
    { "tainted", P, BOOLEAN, 0, 0, RV_PLACE_INLINE, false, ANY, JUDGED },

    { "kind", R, STRING, RV_TERM_FILE_KIND, 0, 0, true, EXEC, NULL },
    { "path_class", R, STRING, 0, 0, RV_PLACE_INLINE, true, EXEC, JUDGED },
    { "owner", R, LONG, 0, 0, RV_PLACE_INLINE, false, EXEC, UNTOLD },
    { "mode", R, LONG, 0, 0, RV_PLACE_INLINE, false, EXEC, UNTOLD },
    { "fileless", R, BOOLEAN, RV_TERM_FLAG, RV_FLAG_FILELESS, 0, false, EXEC, NULL },
    { "setid", R, BOOLEAN, 0, 0, RV_PLACE_INLINE, false, EXEC, UNTOLD },
    { "script", R, BOOLEAN, 0, 0, RV_PLACE_AFTER, false, EXEC, ARRIVED },
    { "preload", R, BOOLEAN, 0, 0, RV_PLACE_AFTER, false, EXEC, ARRIVED },
    { "name", R, STRING, RV_TERM_FILE_NAME, 0, 0, true, FILES, NULL },
    { "name", R, STRING, 0, 0, RV_PLACE_AFTER, false, MOUNT, UNTOLD },
    { "owner", R, LONG, 0, 0, RV_PLACE_INLINE, false, FILES | MOUNT, UNTOLD },
    { "mode", R, LONG, 0, 0, RV_PLACE_INLINE, false, FILES | MOUNT, UNTOLD },
    { "ip", R, RV_FACT_IP, RV_TERM_ADDRESS, 0, 0, false, NET, NULL },
    { "port", R, LONG, RV_TERM_PORT, 0, 0, false, NET, NULL },
    { "family", R, STRING, RV_TERM_FAMILY, 0, 0, false, NET, NULL },
    { "protocol", R, STRING, RV_TERM_PROTOCOL, 0, 0, false, NET, NULL },
    /* of the target of ptrace and signals */
    { "program", R, STRING, 0, 0, RV_PLACE_INLINE, false, PROCESSES, UNTOLD },
    { "kind", R, STRING, 0, 0, RV_PLACE_INLINE, false, PROCESSES, UNTOLD },
    { "path_class", R, STRING, 0, 0, RV_PLACE_INLINE, false, PROCESSES, UNTOLD },
    { "comm", R, STRING, 0, 0, RV_PLACE_INLINE, false, PROCESSES, UNTOLD },
    { "uid", R, LONG, 0, 0, RV_PLACE_INLINE, false, PROCESSES, UNTOLD },
    { "gid", R, LONG, 0, 0, RV_PLACE_INLINE, false, PROCESSES, UNTOLD },
    { "euid", R, LONG, 0, 0, RV_PLACE_INLINE, false, PROCESSES, UNTOLD },
    { "tty", R, BOOLEAN, 0, 0, RV_PLACE_INLINE, false, PROCESSES, UNTOLD },
    { "remote_session", R, BOOLEAN, 0, 0, RV_PLACE_INLINE, false, PROCESSES, UNTOLD },
    { "serves_network", R, BOOLEAN, 0, 0, RV_PLACE_INLINE, false, PROCESSES, UNTOLD },
    { "container", R, BOOLEAN, 0, 0, RV_PLACE_INLINE, false, PROCESSES, UNTOLD },
    { "fileless", R, BOOLEAN, 0, 0, RV_PLACE_INLINE, false, PROCESSES, UNTOLD },
    { "preload", R, BOOLEAN, 0, 0, RV_PLACE_INLINE, false, PROCESSES, UNTOLD },
    { "setid", R, BOOLEAN, 0, 0, RV_PLACE_INLINE, false, PROCESSES, UNTOLD },
    { "script", R, BOOLEAN, 0, 0, RV_PLACE_INLINE, false, PROCESSES, UNTOLD },
    { "tainted", R, BOOLEAN, 0, 0, RV_PLACE_INLINE, false, PROCESSES, UNTOLD },

    { "risk", C, LONG, RV_TERM_SUBJECTS_, 0, 0, false, ANY, NULL }, /* rv_rule.risk_* */
    { "novel", C, BOOLEAN, 0, 0, RV_PLACE_INLINE, false, ANY,
      "the baseline of programs is kept by the judge" },
    { "mode", C, STRING, 0, 0, RV_PLACE_INLINE, false, ANY, JUDGED },
    { "model", C, STRING, 0, 0, RV_PLACE_INLINE, false, ANY, JUDGED },
    { "attested", C, BOOLEAN, 0, 0, RV_PLACE_INLINE, false, ANY, JUDGED },
    { "inline", C, BOOLEAN, 0, 0, RV_PLACE_INLINE, false, ANY, JUDGED },
    { "cut", C, BOOLEAN, 0, 0, RV_PLACE_INLINE, false, ANY, JUDGED },
    { "features", C, RV_FACT_RECORD, 0, 0, RV_PLACE_INLINE, false, ANY,
      "features are counted by the judge" },
    { "argv", C, STRING, 0, 0, RV_PLACE_AFTER, false, EXEC, ARRIVED },
    { "argc", C, LONG, 0, 0, RV_PLACE_AFTER, false, EXEC, ARRIVED },
    { "cwd", C, STRING, 0, 0, RV_PLACE_INLINE, false, EXEC, JUDGED },
    { "interpreter", C, STRING, 0, 0, RV_PLACE_AFTER, false, EXEC, ARRIVED },
    { "old_uid", C, LONG, RV_TERM_UID, 0, 0, false, CRED, NULL },
    { "old_euid", C, LONG, RV_TERM_EUID, 0, 0, false, CRED, NULL },
    { "new_uid", C, LONG, 0, 0, RV_PLACE_AFTER, false, CRED, UNTOLD },
    { "new_euid", C, LONG, 0, 0, RV_PLACE_AFTER, false, CRED, UNTOLD },
    { "caps_gained", C, LONG, 0, 0, RV_PLACE_AFTER, false, CRED, UNTOLD },
    { "gained_root", C, BOOLEAN, RV_TERM_FLAG, RV_FLAG_GAINED_ROOT, 0, false, CRED, NULL },
    { "request", C, LONG, 0, 0, RV_PLACE_AFTER, false, TRACE, UNTOLD },
    { "signal", C, LONG, 0, 0, RV_PLACE_AFTER, false, SIGNAL, UNTOLD },
    { "anonymous", C, BOOLEAN, RV_TERM_FLAG, RV_FLAG_ANONYMOUS, 0, false, MEMORY, NULL },
    { "writable", C, BOOLEAN, RV_TERM_FLAG, RV_FLAG_WRITABLE, 0, false, MEMORY, NULL },
    { "written", C, BOOLEAN, 0, 0, RV_PLACE_AFTER, false, MEMORY, UNTOLD },
    { "length", C, LONG, 0, 0, RV_PLACE_AFTER, false, MEMORY, UNTOLD },
    { "from", C, STRING, 0, 0, RV_PLACE_AFTER, false, MOVE,
      "rules do not tell the old name from the new one" },
    { "old_mode", C, LONG, 0, 0, RV_PLACE_AFTER, false, ATTR, UNTOLD },
    { "new_mode", C, LONG, 0, 0, RV_PLACE_AFTER, false, ATTR, UNTOLD },
    { "old_owner", C, LONG, 0, 0, RV_PLACE_AFTER, false, ATTR, UNTOLD },
    { "new_owner", C, LONG, 0, 0, RV_PLACE_AFTER, false, ATTR, UNTOLD },
    { "setid_added", C, BOOLEAN, RV_TERM_FLAG, RV_FLAG_SETID_ADDED, 0, false, ATTR, NULL },
    { "command", C, LONG, 0, 0, RV_PLACE_AFTER, false, BPF | TAMPER, UNTOLD },
    { "seen", C, STRING, 0, 0, RV_PLACE_AFTER, false, RACE, UNTOLD },
    { "taken", C, STRING, 0, 0, RV_PLACE_AFTER, false, RACE, UNTOLD },
    { "at_entry", C, BOOLEAN, 0, 0, RV_PLACE_AFTER, false, RACE, UNTOLD },
    { "source", C, STRING, 0, 0, RV_PLACE_AFTER, false, MOUNT, UNTOLD },
    { "fstype", C, STRING, 0, 0, RV_PLACE_AFTER, false, MOUNT, UNTOLD },
};

size_t rv_host_verb_count(void)
{
    return RV_COUNT(verbs);
}

const struct rv_host_verb *rv_host_verb(size_t i)
{
    return &verbs[i];
}

const struct rv_host_fact *rv_host_fact(const struct rv_host_question *question,
                                        const struct rv_atom *atom)
{
    for (size_t i = 0; atom->depth > 0 && i < RV_COUNT(facts); i++) {
        if (facts[i].var == atom->var && (facts[i].families & question->verb->family) &&
            rv_text_is(atom->path[0], facts[i].name))
            return &facts[i];
    }
    return NULL;
}

/* ---- Numbers and names ---- */

struct rv_interval rv_host_interval(const struct rv_host_fact *fact, const struct rv_atom *atom)
{
    struct rv_interval interval = { .min = INT64_MIN, .domain_min = INT64_MIN };
    int64_t value = atom->value.number;

    interval.max = interval.domain_max = INT64_MAX;
    if (fact->subject) {
        interval.domain_min = 0;
        interval.domain_max = fact->subject == RV_TERM_PORT        ? UINT16_MAX
                              : fact->subject == RV_TERM_SUBJECTS_ ? 1000
                                                                   : UINT32_MAX;
    }
    if (atom->op == RV_LITERAL_EQ) {
        interval.min = interval.max = value;
    } else if (atom->op == RV_LITERAL_LE) {
        interval.max = value;
    } else if (value == INT64_MIN) { /* nothing is less */
        interval.min = INT64_MAX;
        interval.max = INT64_MIN;
    } else {
        interval.max = value - 1;
    }
    if (interval.min < interval.domain_min)
        interval.min = interval.domain_min;
    if (interval.max > interval.domain_max)
        interval.max = interval.domain_max;
    return interval;
}

uint32_t rv_host_kind(struct rv_text name)
{
    uint32_t kind = 0;

    while (kind < RV_KIND_COUNT_ &&
           !rv_text_is(name, rv_program_kind_name((enum rv_program_kind)kind)))
        kind++;
    return kind;
}

bool rv_host_user(struct rv_text id, uint32_t *ret_uid)
{
    uint64_t uid = 0;

    if (id.len == 0 || id.len > 10 || (id.data[0] == '0' && id.len > 1))
        return false;
    for (uint32_t i = 0; i < id.len; i++) {
        if (id.data[i] < '0' || id.data[i] > '9')
            return false;
        uid = uid * 10 + (uint64_t)(id.data[i] - '0');
    }
    *ret_uid = (uint32_t)uid;
    return uid <= UINT32_MAX;
}

bool rv_pattern_takes(const struct rv_pattern *pattern, struct rv_text text)
{
    size_t at = 0;
    bool floating = false;

    for (uint32_t i = 0; i < pattern->count; i++) {
        const struct rv_pattern_part *part = &pattern->parts[i];
        bool last = i + 1 == pattern->count && !part->star;
        size_t len = part->text.len;

        if (len > text.len - at)
            return false;
        if (last && floating)
            at = text.len - len;
        while (memcmp(text.data + at, part->text.data, len) != 0) {
            if (!floating || last || ++at + len > text.len)
                return false;
        }
        at += len;
        floating = part->star;
    }
    return floating || at == text.len;
}

/* ---- What holds by type ---- */

static bool listed(const char *const *names, struct rv_text name)
{
    for (; *names; names++) {
        if (rv_text_is(name, *names))
            return true;
    }
    return false;
}

/** Types of what an entity of `type` can be in, itself included. */
static const char *const *types_above(const char *type)
{
    static const char *const process[] = { "Process", "Program",  "ProgramKind",
                                           "User",    "Workload", NULL };
    static const char *const program[] = { "Program", "Directory", "ProgramKind", NULL };
    static const char *const file[] = { "File", "Directory", NULL };
    static const struct {
        const char *type;
        const char *const *above;
    } rows[] = { { "Process", process }, { "Program", program }, { "File", file } };

    for (size_t i = 0; i < RV_COUNT(rows); i++) {
        if (rv_streq(rows[i].type, type))
            return rows[i].above;
    }
    return NULL;
}

static bool action_is_in(const struct rv_host_question *question, const struct rv_uid *uid)
{
    struct rv_uid own = rv_uid(rv_text_str("Action"), rv_text_str(question->verb->name));
    const struct rv_entity *entity;

    if (!rv_text_is(uid->type, "Action"))
        return false;
    if (rv_uid_eq(&own, uid))
        return true;
    if (!question->entities)
        return rv_text_is(uid->id, question->verb->group) || rv_text_is(uid->id, "host");
    entity = rv_entities_find(question->entities, &own);
    for (uint32_t i = 0; entity && i < entity->parent_count; i++) {
        if (rv_uid_eq(entity->parents[i].uid, uid))
            return true;
    }
    return false;
}

static enum rv_fold truth(bool holds)
{
    return holds ? RV_FOLD_TRUE : RV_FOLD_FALSE;
}

static enum rv_fold fold_entity(const struct rv_host_question *question, const struct rv_atom *atom)
{
    const char *type = atom->var == RV_VAR_ACTION      ? "Action"
                       : atom->var == RV_VAR_PRINCIPAL ? "Process"
                                                       : question->verb->resource;
    const struct rv_uid *uid = atom->value.uid;
    const char *const *above;

    if (atom->var == RV_VAR_CONTEXT)
        return atom->op == RV_LITERAL_EQ ? RV_FOLD_FALSE : RV_FOLD_ERROR;
    if (atom->op == RV_LITERAL_IS)
        return truth(rv_text_is(atom->type, type));
    if (atom->op != RV_LITERAL_EQ && atom->op != RV_LITERAL_IN)
        return RV_FOLD_ERROR;
    if (atom->value.kind != RV_VALUE_ENTITY)
        return RV_FOLD_FALSE;
    if (atom->var == RV_VAR_ACTION)
        return truth(atom->op == RV_LITERAL_EQ ? rv_text_is(uid->type, "Action") &&
                                                     rv_text_is(uid->id, question->verb->name)
                                               : action_is_in(question, uid));
    above = types_above(type);
    if (!rv_text_is(uid->type, type) &&
        (atom->op == RV_LITERAL_EQ || !above || !listed(above, uid->type)))
        return RV_FOLD_FALSE;
    if (rv_text_is(uid->type, "ProgramKind"))
        return rv_host_kind(uid->id) == RV_KIND_COUNT_ ? RV_FOLD_FALSE : RV_FOLD_OPEN;
    return RV_FOLD_OPEN;
}

static bool is_feature(struct rv_text name)
{
    for (size_t i = 0; i < RV_FEATURE_COUNT; i++) {
        if (rv_text_is(name, rv_feature_info(i)->name))
            return true;
    }
    return false;
}

static enum rv_fold fold_number(const struct rv_host_fact *fact, const struct rv_atom *atom)
{
    struct rv_interval interval = rv_host_interval(fact, atom);

    if (interval.min > interval.max)
        return RV_FOLD_FALSE;
    return interval.min == interval.domain_min && interval.max == interval.domain_max
               ? RV_FOLD_TRUE
               : RV_FOLD_OPEN;
}

static enum rv_fold fold_value(const struct rv_host_fact *fact, const struct rv_atom *atom,
                               enum rv_fact_type type)
{
    static const uint8_t kinds[] = {
        [RV_FACT_BOOL] = RV_VALUE_BOOL,     [RV_FACT_LONG] = RV_VALUE_LONG,
        [RV_FACT_STRING] = RV_VALUE_STRING, [RV_FACT_IP] = RV_VALUE_IP,
        [RV_FACT_RECORD] = RV_VALUE_RECORD,
    };
    enum rv_fold open = type == RV_FACT_IP ? RV_FOLD_PARTIAL : RV_FOLD_OPEN;

    switch ((enum rv_literal_op)atom->op) {
    case RV_LITERAL_EQ:
        if (atom->value.kind != kinds[type])
            return type == RV_FACT_IP ? open : RV_FOLD_FALSE;
        return type == RV_FACT_LONG ? fold_number(fact, atom) : open;
    case RV_LITERAL_LT:
    case RV_LITERAL_LE:
        return type == RV_FACT_LONG ? fold_number(fact, atom) : RV_FOLD_ERROR;
    case RV_LITERAL_HOLDS:
        return type == RV_FACT_BOOL ? open : RV_FOLD_ERROR;
    case RV_LITERAL_LIKE:
        return type == RV_FACT_STRING ? open : RV_FOLD_ERROR;
    case RV_LITERAL_IN_RANGE:
    case RV_LITERAL_LOOPBACK:
    case RV_LITERAL_MULTICAST:
    case RV_LITERAL_IPV4:
    case RV_LITERAL_IPV6:
        return type == RV_FACT_IP ? open : RV_FOLD_ERROR;
    case RV_LITERAL_HAS:
    case RV_LITERAL_IN:
    case RV_LITERAL_IS:
    case RV_LITERAL_OPAQUE:
        break;
    }
    return RV_FOLD_ERROR;
}

enum rv_fold rv_host_fold(void *context, const struct rv_atom *atom)
{
    const struct rv_host_question *question = context;
    const struct rv_host_fact *fact;
    bool has = atom->op == RV_LITERAL_HAS;

    if (atom->depth == 0)
        return fold_entity(question, atom);
    fact = rv_host_fact(question, atom);
    if (!fact)
        return has && atom->depth == 1 ? RV_FOLD_FALSE : RV_FOLD_ERROR;
    if (atom->depth == 1) {
        if (has)
            return fact->type == RV_FACT_IP ? RV_FOLD_OPEN : RV_FOLD_TRUE;
        return fold_value(fact, atom, (enum rv_fact_type)fact->type);
    }
    if (fact->type != RV_FACT_RECORD || atom->depth > 2)
        return RV_FOLD_ERROR;
    if (has)
        return truth(is_feature(atom->path[1]));
    return is_feature(atom->path[1]) ? fold_value(fact, atom, RV_FACT_LONG) : RV_FOLD_ERROR;
}

bool rv_host_is_stable(const struct rv_host_question *question, const struct rv_atom *atom)
{
    const struct rv_host_fact *fact;

    if (atom->op == RV_LITERAL_OPAQUE)
        return false;
    if (atom->depth > 0) {
        fact = rv_host_fact(question, atom);
        return fact && fact->stable;
    }
    return atom->var == RV_VAR_PRINCIPAL
               ? atom->op == RV_LITERAL_IN && rv_text_is(atom->value.uid->type, "User") &&
                     question->verb->actions != RV_DO_SETUID
               : atom->var == RV_VAR_RESOURCE;
}
