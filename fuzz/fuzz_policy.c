/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hostile policies: the reader of human syntax, of JSON, the printer, the
 * normal form, the compiler and
 * the evaluator. What can be read must print to what can be read again, and mean the same JSON.
 */
#include "base/json.h"
#include "policy/normal.h"
#include "policy/read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** Printed text reads back as the same tree. */
static void check_print(const struct rv_policy *policy)
{
    RV_AUTO(rv_policy_set_done) struct rv_policy_set again = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };
    RV_AUTO(rv_json_freep) json_t *before = rv_policy_to_json(policy);
    RV_AUTO(rv_json_freep) json_t *after = NULL;

    rv_policy_print(&text, policy);
    if (!before || text.failed || text.len > 65536)
        return;
    if (rv_policy_read(&again, "again", rv_buf_span(&text), NULL) < 0) {
        if (policy->principal.slot == RV_SLOT_NONE && policy->resource.slot == RV_SLOT_NONE &&
            policy->source)
            abort(); /* what was read from text prints as text */
        return;
    }
    after = rv_policy_to_json(again.items[0]);
    if (again.count != 1 || !after || !json_equal(before, after))
        abort();
}

static void decide(const struct rv_policy_set *set)
{
    RV_AUTO(rv_program_free) struct rv_program *program = NULL;
    RV_AUTO(rv_evaluator_free) struct rv_evaluator *evaluator = NULL;
    struct rv_uid principal = rv_uid(rv_text_str("User"), rv_text_str("a"));
    struct rv_uid action = rv_uid(rv_text_str("Action"), rv_text_str("view"));
    struct rv_field field = { rv_text_str("n"), rv_value_long(INT64_MAX) };
    struct rv_entity entity = { .uid = principal, .attrs = { &field, 1 }, .tags = { &field, 1 } };
    const struct rv_entity *overlay[] = { &entity };
    struct rv_policy_request request = {
        &principal, &action, &principal, { &field, 1 }, overlay, 1
    };
    struct rv_policy_decision decision;

    if (rv_program_compile(set, &program, NULL) < 0 || rv_evaluator_new(&evaluator, program) < 0)
        return;
    rv_evaluate(evaluator, NULL, &request, &decision);
    for (uint32_t i = 0; i < decision.error_count; i++) {
        RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };

        rv_eval_error_print(&buf, &decision.errors[i]);
    }
}

static enum rv_fold fold(void *context, const struct rv_atom *atom)
{
    (void)context;
    return (enum rv_fold)((atom->depth + atom->op) % 5);
}

/** The form stays within its bounds, and so does its complement. */
static void check_normal(const struct rv_policy *policy)
{
    RV_AUTO(rv_normal_done) struct rv_normal normal = { 0 };
    struct rv_normal_limit limit = { 0 };

    if (rv_normal_add(&normal, policy, fold, NULL, &limit) < 0)
        return;
    for (int round = 0; round < 2; round++) {
        if (normal.conjunct_count > RV_NORMAL_CONJUNCTS_MAX)
            abort();
        for (uint32_t i = 0; i < normal.conjunct_count; i++) {
            const struct rv_conjunct *conjunct = &normal.conjuncts[i];

            if (conjunct->count > RV_NORMAL_LITERALS_MAX)
                abort();
            for (uint32_t k = 0; k < conjunct->count; k++) {
                if (conjunct->literals[k] >> 2 >= normal.atom_count ||
                    (k > 0 && conjunct->literals[k - 1] >= conjunct->literals[k]))
                    abort();
            }
        }
        if (rv_normal_complement(&normal, &limit) < 0)
            return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    RV_AUTO(rv_policy_set_done) struct rv_policy_set set = { 0 };
    RV_AUTO(rv_json_freep) json_t *json = NULL;
    RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
    int r;

    if (size > 65536)
        return 0;
    if (size > 0 && data[0] == '{' && rv_json_parse(rv_span(data, size), &json, NULL) == 0)
        r = rv_policy_read_json(&set, NULL, json, &diags);
    else
        r = rv_policy_read(&set, "fuzz", rv_span(data, size), &diags);
    for (size_t i = 0; i < diags.count; i++) {
        RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };

        rv_diag_render(&buf, &diags.items[i]);
    }
    if (r < 0)
        return 0;
    for (size_t i = 0; i < set.count; i++) {
        check_normal(set.items[i]);
        check_print(set.items[i]);
    }
    decide(&set);
    return 0;
}
