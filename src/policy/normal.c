/* SPDX-License-Identifier: Apache-2.0 */
/* The normal form of whole policies, and what none of them allows. */
#include "dnf.h"

#include <stdio.h>

static struct dnf scope(struct builder *builder, enum rv_var var, const struct rv_scope *scope)
{
    struct rv_atom atom = { .op = RV_LITERAL_IN, .var = (uint8_t)var, .loc = scope->loc };
    struct dnf result = rv_dnf_always(builder), one;

    if (scope->kind == RV_SCOPE_IS || scope->kind == RV_SCOPE_IS_IN) {
        struct rv_atom typed = atom;

        typed.op = RV_LITERAL_IS;
        typed.type = scope->type;
        result = rv_dnf_ask(builder, typed, true);
    }
    if (scope->kind == RV_SCOPE_EQ)
        atom.op = RV_LITERAL_EQ;
    if (scope->uid) {
        atom.value = rv_value_entity(scope->uid);
        one = rv_dnf_ask(builder, atom, true);
        return rv_dnf_cross(builder, &result, &one);
    }
    if (scope->kind != RV_SCOPE_IN_SET)
        return result;
    result = rv_dnf_never(true);
    for (uint32_t i = 0; i < scope->uid_count; i++) {
        atom.value = rv_value_entity(scope->uids[i]);
        one = rv_dnf_ask(builder, atom, true);
        result = rv_dnf_unite(builder, &result, &one);
    }
    return result;
}

static struct dnf whole(struct builder *builder)
{
    const struct rv_policy *policy = builder->policy;
    struct dnf all = scope(builder, RV_VAR_ACTION, &policy->action), one;

    one = scope(builder, RV_VAR_PRINCIPAL, &policy->principal);
    all = rv_dnf_cross(builder, &all, &one);
    one = scope(builder, RV_VAR_RESOURCE, &policy->resource);
    all = rv_dnf_cross(builder, &all, &one);
    for (uint32_t i = 0; i < policy->condition_count && all.count > 0; i++) {
        one = rv_dnf_part(builder, policy->conditions[i].body, !policy->conditions[i].unless);
        all = rv_dnf_cross(builder, &all, &one);
    }
    return all;
}

static int finish(struct builder *builder, struct dnf dnf, struct rv_normal_limit *ret_limit)
{
    if (builder->error == -E2BIG)
        *ret_limit = builder->limit;
    if (builder->error)
        return builder->error;
    builder->normal->conjuncts = dnf.items;
    builder->normal->conjunct_count = dnf.count;
    return 0;
}

static struct dnf alternatives(const struct rv_normal *normal)
{
    return (struct dnf){ (struct rv_conjunct *)(uintptr_t)normal->conjuncts, normal->conjunct_count,
                         true };
}

int rv_normal_add(struct rv_normal *normal, const struct rv_policy *policy, rv_normal_fold *fold,
                  void *context, struct rv_normal_limit *ret_limit)
{
    struct builder builder = { normal, policy, fold, context, .loc = policy->loc };
    struct dnf before = alternatives(normal), one;

    if (rv_policy_is_template(policy))
        return -EINVAL;
    one = whole(&builder);
    return finish(&builder, rv_dnf_unite(&builder, &before, &one), ret_limit);
}

static uint16_t opposite(const struct rv_normal *normal, uint16_t literal)
{
    static const uint8_t others[] = {
        [RV_LITERAL_TRUE] = RV_LITERAL_NOT_TRUE,
        [RV_LITERAL_FALSE] = RV_LITERAL_NOT_FALSE,
        [RV_LITERAL_NOT_TRUE] = RV_LITERAL_TRUE,
        [RV_LITERAL_NOT_FALSE] = RV_LITERAL_FALSE,
    };
    static const uint8_t totals[] = {
        [RV_LITERAL_TRUE] = RV_LITERAL_FALSE,
        [RV_LITERAL_FALSE] = RV_LITERAL_TRUE,
    };
    enum rv_literal_mode mode = rv_literal_mode(literal);
    bool partial = rv_literal_atom(normal, literal)->partial;

    return (uint16_t)((literal & ~3U) | (partial ? others[mode] : totals[mode]));
}

int rv_normal_complement(struct rv_normal *normal, struct rv_normal_limit *ret_limit)
{
    struct builder builder = { .normal = normal };
    struct dnf result = rv_dnf_always(&builder);

    for (uint32_t i = 0; i < normal->conjunct_count && !builder.error; i++) {
        const struct rv_conjunct *conjunct = &normal->conjuncts[i];
        struct dnf none = rv_dnf_never(true);

        for (uint32_t k = 0; k < conjunct->count; k++) {
            uint16_t literal = opposite(normal, conjunct->literals[k]);
            struct dnf one = rv_dnf_single(&builder, &literal, true);

            none = rv_dnf_unite(&builder, &none, &one);
        }
        result = rv_dnf_cross(&builder, &result, &none);
    }
    return finish(&builder, result, ret_limit);
}

void rv_normal_done(struct rv_normal *normal)
{
    rv_arena_done(&normal->arena);
    *normal = (struct rv_normal){ 0 };
}

bool rv_atom_path(const struct rv_atom *atom, char *path, size_t size)
{
    static const char *const variables[] = { "principal", "action", "resource", "context" };
    size_t used = 0;
    int len = snprintf(path, size, "%s", variables[atom->var]);

    for (uint8_t i = 0; i < atom->depth; i++) {
        if (len < 0 || (used += (size_t)len) >= size)
            return false;
        len = snprintf(path + used, size - used, ".%.*s", RV_TEXT_ARGS(atom->path[i]));
    }
    return len >= 0 && used + (size_t)len < size;
}
