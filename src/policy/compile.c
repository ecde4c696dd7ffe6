/* SPDX-License-Identifier: Apache-2.0 */
/* From a policy set to a program. */
#include "program.h"

#include "entities.h"
#include "extension.h"
#include "set.h"

#define WORKSPACE_MAX ((size_t)16 * 1024 * 1024)
#define NODES_MAX     ((size_t)1 << 22) /* of one policy */

/** What was compiled already: `x has a.b.c` holds x many times over, and must not cost so often. */
struct memo {
    const struct rv_expr **keys;
    struct compiled {
        const struct rv_code *code;
        size_t workspace;
    } * values;
    size_t count, room;
};

struct compiler {
    struct rv_program *program;
    struct rv_arena *arena;
    struct memo memo;
    int error;
};

static void memo_done(struct memo *memo)
{
    free(memo->keys);
    free(memo->values);
    *memo = (struct memo){ 0 };
}

static size_t memo_slot(const struct memo *memo, const struct rv_expr *expr)
{
    size_t at = rv_mix64((uint64_t)(uintptr_t)expr);

    while (memo->keys[at & (memo->room - 1)] && memo->keys[at & (memo->room - 1)] != expr)
        at++;
    return at & (memo->room - 1);
}

static int memo_grow(struct memo *memo)
{
    struct memo wider = { .room = memo->room ? memo->room * 2 : 256, .count = memo->count };

    wider.keys = calloc(wider.room, sizeof(*wider.keys));
    wider.values = calloc(wider.room, sizeof(*wider.values));
    if (!wider.keys || !wider.values) {
        memo_done(&wider);
        return -ENOMEM;
    }
    for (size_t i = 0; i < memo->room; i++) {
        if (memo->keys[i]) {
            size_t slot = memo_slot(&wider, memo->keys[i]);

            wider.keys[slot] = memo->keys[i];
            wider.values[slot] = memo->values[i];
        }
    }
    free(memo->keys);
    free(memo->values);
    *memo = wider;
    return 0;
}

/* ---- Folding ---- */

static bool all_constant(const struct rv_code *code)
{
    for (uint32_t i = 0; i < code->count; i++) {
        if (code->args[i]->op != RV_EXPR_LITERAL)
            return false;
    }
    return true;
}

static bool fold_set(struct compiler *compiler, struct rv_code *code)
{
    struct rv_value *items = rv_arena_array(compiler->arena, code->count, sizeof(*items));

    for (uint32_t i = 0; items && i < code->count; i++)
        items[i] = code->args[i]->value;
    if (items)
        code->value = rv_value_set(items, code->count);
    return items != NULL;
}

static bool fold_record(struct compiler *compiler, struct rv_code *code)
{
    struct rv_field *fields = rv_arena_array(compiler->arena, code->count, sizeof(*fields));

    for (uint32_t i = 0; fields && i < code->count; i++)
        fields[i] = (struct rv_field){ code->keys[i], code->args[i]->value };
    if (fields)
        code->value = rv_value_record((struct rv_fields){ fields, code->count });
    return fields != NULL;
}

static bool fold_call(struct compiler *compiler, struct rv_code *code)
{
    const struct rv_call_info *info = rv_call_info((enum rv_call)code->call);
    struct rv_ip *ip = rv_arena_alloc(compiler->arena, sizeof(*ip));
    struct rv_value args[2] = { { 0 } }, result;

    if (!ip || code->count != info->arg_count)
        return false;
    for (uint32_t i = 0; i < code->count; i++) {
        args[i] = code->args[i]->value;
        if (args[i].kind != info->args[i])
            return false;
    }
    if (rv_call_apply((enum rv_call)code->call, args, ip, &result) != RV_EVAL_OK)
        return false; /* an error is an error only when it is reached */
    code->value = result;
    return true;
}

/** Replace what needs no request by its value. */
static void fold(struct compiler *compiler, struct rv_code *code)
{
    bool folded = false;

    if (!all_constant(code))
        return;
    if (code->op == RV_EXPR_SET)
        folded = fold_set(compiler, code);
    else if (code->op == RV_EXPR_RECORD)
        folded = fold_record(compiler, code);
    else if (code->op == RV_EXPR_CALL)
        folded = fold_call(compiler, code);
    if (folded)
        code->op = RV_EXPR_LITERAL;
}

/* ---- Trees ---- */

static size_t own_workspace(const struct rv_code *code)
{
    switch (code->op) {
    case RV_EXPR_SET:
        return code->count * sizeof(struct rv_value) + 16;
    case RV_EXPR_RECORD:
        return code->count * sizeof(struct rv_field) + 16;
    case RV_EXPR_CALL:
        return sizeof(struct rv_ip) + 16;
    default:
        return 0;
    }
}

static struct rv_text keep_text(struct compiler *compiler, struct rv_text text)
{
    return rv_arena_text(compiler->arena, text.data, text.len);
}

static void keep_pattern(struct compiler *compiler, const struct rv_expr *expr,
                         struct rv_code *code)
{
    struct rv_pattern_part *parts =
        rv_arena_array(compiler->arena, expr->pattern.count, sizeof(*parts));

    for (uint32_t i = 0; parts && i < expr->pattern.count; i++) {
        parts[i].text = keep_text(compiler, expr->pattern.parts[i].text);
        parts[i].star = expr->pattern.parts[i].star;
    }
    code->pattern = (struct rv_pattern){ parts, expr->pattern.count };
}

/** Keys in order, arguments with them: at run time a record is then built sorted. */
static void keep_record(struct compiler *compiler, const struct rv_expr *expr, struct rv_code *code,
                        const struct rv_code **args)
{
    struct rv_text *keys = rv_arena_array(compiler->arena, code->count, sizeof(*keys));

    code->keys = keys;
    for (uint32_t i = 0; keys && i < code->count; i++) {
        struct rv_text key = keep_text(compiler, expr->keys[i]);
        const struct rv_code *arg = args[i];
        uint32_t at = i;

        for (; at > 0 && rv_text_compare(keys[at - 1], key) > 0; at--) {
            keys[at] = keys[at - 1];
            args[at] = args[at - 1];
        }
        keys[at] = key;
        args[at] = arg;
    }
}

static struct compiled compile_expr(struct compiler *compiler, const struct rv_expr *expr);

static struct compiled compile_new(struct compiler *compiler, const struct rv_expr *expr)
{
    struct rv_code *code = rv_arena_alloc(compiler->arena, sizeof(*code));
    const struct rv_code **args = rv_arena_array(compiler->arena, expr->child_count, sizeof(*args));
    struct compiled made = { 0 };

    if (!code || !args) {
        compiler->error = -ENOMEM;
        return made;
    }
    *code = (struct rv_code){ .op = expr->kind,
                              .var = expr->var,
                              .call = expr->call,
                              .count = expr->child_count,
                              .loc = expr->loc,
                              .args = args };
    for (uint32_t i = 0; i < expr->child_count && !compiler->error; i++) {
        struct compiled child = compile_expr(compiler, expr->children[i]);

        args[i] = child.code;
        made.workspace = rv_min_u64(made.workspace + child.workspace, WORKSPACE_MAX + 1);
    }
    if (compiler->error)
        return made;
    if (expr->kind == RV_EXPR_LITERAL)
        code->value = rv_value_copy(compiler->arena, &expr->value);
    else if (expr->kind == RV_EXPR_GET_ATTR || expr->kind == RV_EXPR_HAS_ATTR ||
             expr->kind == RV_EXPR_IS)
        code->name = keep_text(compiler, expr->name);
    else if (expr->kind == RV_EXPR_LIKE)
        keep_pattern(compiler, expr, code);
    else if (expr->kind == RV_EXPR_RECORD)
        keep_record(compiler, expr, code, args);
    fold(compiler, code);
    made.code = code;
    made.workspace += own_workspace(code);
    if (compiler->arena->failed)
        compiler->error = -ENOMEM;
    return made;
}

static struct compiled compile_expr(struct compiler *compiler, const struct rv_expr *expr)
{
    struct memo *memo = &compiler->memo;
    struct compiled made = { 0 };
    size_t slot;

    if (memo->count * 2 >= memo->room && memo_grow(memo) < 0) {
        compiler->error = -ENOMEM;
        return made;
    }
    if (memo->count >= NODES_MAX) {
        compiler->error = -E2BIG;
        return made;
    }
    slot = memo_slot(memo, expr);
    if (memo->keys[slot])
        return memo->values[slot];
    made = compile_new(compiler, expr);
    slot = memo_slot(memo, expr); /* children may have moved the table */
    memo->keys[slot] = expr;
    memo->values[slot] = made;
    memo->count++;
    return made;
}

/* ---- Policies ---- */

static void compile_scope(struct compiler *compiler, const struct rv_scope *from,
                          struct rv_compiled_scope *to)
{
    const struct rv_uid **uids;

    to->kind = from->kind;
    if (from->type.data)
        to->type = keep_text(compiler, from->type);
    if (from->uid)
        to->uid = rv_uid_copy(compiler->arena, from->uid);
    if (from->kind != RV_SCOPE_IN_SET)
        return;
    uids = rv_arena_array(compiler->arena, from->uid_count, sizeof(*uids));
    for (uint32_t i = 0; uids && i < from->uid_count; i++)
        uids[i] = rv_uid_copy(compiler->arena, from->uids[i]);
    to->uids = uids;
    to->uid_count = from->uid_count;
}

static void compile_annotations(struct compiler *compiler, const struct rv_policy *from,
                                struct rv_program_policy *to)
{
    struct rv_annotation *kept =
        rv_arena_array(compiler->arena, from->annotation_count, sizeof(*kept));

    for (uint32_t i = 0; kept && i < from->annotation_count; i++) {
        kept[i] = from->annotations[i];
        kept[i].name = keep_text(compiler, from->annotations[i].name);
        kept[i].value = keep_text(compiler, from->annotations[i].value);
    }
    to->annotations = kept;
    to->annotation_count = from->annotation_count;
}

static void compile_policy(struct compiler *compiler, const struct rv_policy *from,
                           struct rv_compiled_policy *to)
{
    struct rv_compiled_condition *conditions =
        rv_arena_array(compiler->arena, from->condition_count, sizeof(*conditions));
    size_t workspace = 0;

    to->says.id = keep_text(compiler, from->id);
    to->says.effect = (enum rv_effect)from->effect;
    compile_annotations(compiler, from, &to->says);
    compile_scope(compiler, &from->principal, &to->scopes[RV_VAR_PRINCIPAL]);
    compile_scope(compiler, &from->action, &to->scopes[RV_VAR_ACTION]);
    compile_scope(compiler, &from->resource, &to->scopes[RV_VAR_RESOURCE]);
    for (uint32_t i = 0; conditions && i < from->condition_count && !compiler->error; i++) {
        struct compiled made = compile_expr(compiler, from->conditions[i].body);

        conditions[i] = (struct rv_compiled_condition){ from->conditions[i].unless, made.code };
        workspace += made.workspace;
    }
    to->conditions = conditions;
    to->condition_count = from->condition_count;
    memo_done(&compiler->memo);
    if (workspace > WORKSPACE_MAX && !compiler->error)
        compiler->error = -E2BIG;
    if (compiler->arena->failed && !compiler->error)
        compiler->error = -ENOMEM;
    compiler->program->workspace = rv_max_u64(compiler->program->workspace, workspace);
}

/* ---- The index ---- */

uint64_t rv_index_hash(enum rv_index_kind kind, const struct rv_uid *uid)
{
    return rv_mix64(uid->hash + (uint64_t)kind * 0x9e3779b97f4a7c15ULL) | 1;
}

static struct rv_index_entry *find_slot(const struct rv_program *program, enum rv_index_kind kind,
                                        const struct rv_uid *uid)
{
    uint64_t hash = rv_index_hash(kind, uid);

    for (uint64_t at = hash;; at++) {
        struct rv_index_entry *entry = &program->entries[at & program->entry_mask];

        if (entry->hash == 0 ||
            (entry->hash == hash && entry->kind == (uint32_t)kind && rv_uid_eq(&entry->uid, uid)))
            return entry;
    }
}

const struct rv_index_entry *rv_index_find(const struct rv_program *program,
                                           enum rv_index_kind kind, const struct rv_uid *uid)
{
    const struct rv_index_entry *entry = find_slot(program, kind, uid);

    return entry->hash ? entry : NULL;
}

/** Everything a policy could be found by. */
struct handles {
    struct {
        enum rv_index_kind kind;
        struct rv_uid uid;
    } items[4];
    unsigned count;
};

static void add_handle(struct handles *handles, enum rv_index_kind kind, struct rv_uid uid)
{
    handles->items[handles->count].kind = kind;
    handles->items[handles->count++].uid = uid;
}

static void scope_handles(struct handles *handles, const struct rv_compiled_scope *scope,
                          enum rv_index_kind kind, enum rv_index_kind type_kind)
{
    if (scope->uid)
        add_handle(handles, kind, *scope->uid);
    else if (scope->kind == RV_SCOPE_IS)
        add_handle(handles, type_kind, rv_uid(scope->type, rv_text_str("")));
}

/** Handles other than an action set, the more telling variables first. */
static struct handles handles_of(const struct rv_compiled_policy *policy)
{
    struct handles handles = { .count = 0 };

    scope_handles(&handles, &policy->scopes[RV_VAR_RESOURCE], RV_INDEX_RESOURCE,
                  RV_INDEX_RESOURCE_TYPE);
    scope_handles(&handles, &policy->scopes[RV_VAR_PRINCIPAL], RV_INDEX_PRINCIPAL,
                  RV_INDEX_PRINCIPAL_TYPE);
    if (policy->scopes[RV_VAR_ACTION].uid)
        add_handle(&handles, RV_INDEX_ACTION, *policy->scopes[RV_VAR_ACTION].uid);
    return handles;
}

static struct rv_index_entry *count_handle(struct rv_program *program, enum rv_index_kind kind,
                                           const struct rv_uid *uid)
{
    struct rv_index_entry *entry = find_slot(program, kind, uid);

    if (entry->hash == 0) {
        entry->hash = rv_index_hash(kind, uid);
        entry->kind = (uint32_t)kind;
        entry->uid = *uid;
    }
    entry->frequency++;
    return entry;
}

/** The rarest handle's entry; NULL when there is none. */
static struct rv_index_entry *rarest(const struct rv_program *program,
                                     const struct handles *handles)
{
    struct rv_index_entry *best = NULL;

    for (unsigned i = 0; i < handles->count; i++) {
        struct rv_index_entry *entry =
            find_slot(program, handles->items[i].kind, &handles->items[i].uid);

        if (!best || entry->frequency < best->frequency)
            best = entry;
    }
    return best;
}

/** Call `put` with each entry that a policy is listed under, or NULL for the unindexed list. */
static void each_entry(struct rv_program *program, uint32_t number,
                       void (*put)(struct rv_program *program, struct rv_index_entry *entry,
                                   uint32_t number))
{
    const struct rv_compiled_policy *policy = &program->policies[number];
    const struct rv_compiled_scope *action = &policy->scopes[RV_VAR_ACTION];
    struct handles handles = handles_of(policy);
    struct rv_index_entry *best = rarest(program, &handles);

    if (best || action->kind != RV_SCOPE_IN_SET) {
        put(program, best, number);
        return;
    }
    for (uint32_t i = 0; i < action->uid_count; i++)
        put(program, find_slot(program, RV_INDEX_ACTION, action->uids[i]), number);
}

static void count_listed(struct rv_program *program, struct rv_index_entry *entry, uint32_t number)
{
    (void)number;
    if (entry)
        entry->count++;
    else
        program->unindexed_count++;
}

static void put_listed(struct rv_program *program, struct rv_index_entry *entry, uint32_t number)
{
    if (entry)
        program->listed[entry->first + entry->count++] = number;
    else
        program->listed[program->unindexed_count++] = number;
}

static size_t handle_total(const struct rv_program *program)
{
    size_t total = 1;

    for (uint32_t i = 0; i < program->count; i++)
        total += 4 + program->policies[i].scopes[RV_VAR_ACTION].uid_count;
    return total;
}

static int build_index(struct rv_program *program)
{
    size_t total = handle_total(program), slots = 16;
    uint32_t at;

    while (slots < total * 2)
        slots *= 2;
    program->entry_mask = slots - 1;
    program->entries = calloc(slots, sizeof(*program->entries));
    program->listed = calloc(total, sizeof(*program->listed));
    if (!program->entries || !program->listed)
        return -ENOMEM;

    for (uint32_t i = 0; i < program->count; i++) {
        const struct rv_compiled_scope *action = &program->policies[i].scopes[RV_VAR_ACTION];
        struct handles handles = handles_of(&program->policies[i]);

        for (unsigned k = 0; k < handles.count; k++)
            count_handle(program, handles.items[k].kind, &handles.items[k].uid);
        for (uint32_t k = 0; k < action->uid_count; k++)
            count_handle(program, RV_INDEX_ACTION, action->uids[k]);
    }
    for (uint32_t i = 0; i < program->count; i++)
        each_entry(program, i, count_listed);
    at = program->unindexed_count;
    for (size_t i = 0; i < slots; i++) {
        struct rv_index_entry *entry = &program->entries[i];

        program->kind_counts[entry->kind] += entry->count > 0;
        entry->first = at;
        at += entry->count;
        entry->count = 0;
    }
    program->unindexed_count = 0;
    for (uint32_t i = 0; i < program->count; i++)
        each_entry(program, i, put_listed);
    return 0;
}

/* ---- Programs ---- */

int rv_program_compile(const struct rv_policy_set *set, struct rv_program **ret_program,
                       struct rv_text *reterr)
{
    RV_AUTO(rv_program_free) struct rv_program *program = calloc(1, sizeof(*program));
    struct compiler compiler = { .program = program, .arena = program ? &program->arena : NULL };
    int r;

    if (!program)
        return -ENOMEM;
    program->policies = calloc(set->count + 1, sizeof(*program->policies));
    if (!program->policies)
        return -ENOMEM;
    for (size_t i = 0; i < set->count; i++) {
        if (rv_policy_is_template(set->items[i]))
            continue;
        compile_policy(&compiler, set->items[i], &program->policies[program->count++]);
        if (compiler.error) {
            if (reterr)
                *reterr = set->items[i]->id;
            return compiler.error;
        }
    }
    r = build_index(program);
    if (r < 0)
        return r;
    *ret_program = RV_TAKE(program);
    return 0;
}

void rv_program_free(struct rv_program **program)
{
    if (!*program)
        return;
    free((*program)->policies);
    free((*program)->listed);
    free((*program)->entries);
    rv_arena_done(&(*program)->arena);
    free(*program);
    *program = NULL;
}

size_t rv_program_count(const struct rv_program *program)
{
    return program->count;
}

const struct rv_program_policy *rv_program_policy(const struct rv_program *program, uint32_t index)
{
    return &program->policies[index].says;
}

struct rv_text rv_program_annotation(const struct rv_program *program, uint32_t index,
                                     const char *name)
{
    const struct rv_program_policy *policy = &program->policies[index].says;

    for (uint32_t i = 0; i < policy->annotation_count; i++) {
        if (rv_text_is(policy->annotations[i].name, name))
            return policy->annotations[i].value;
    }
    return rv_text_str("");
}
