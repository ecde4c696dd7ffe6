/* SPDX-License-Identifier: Apache-2.0 */
/** @file policy_test.h  Reading schemas and policies out of string literals, and looking at messages. */
#pragma once

#include "test.h"

#include "base/json.h"
#include "policy/policy.h"
#include "policy/read.h"
#include "policy/schema.h"

/** Read a schema that must be good. */
static inline struct rv_schema *test_schema(const char *text)
{
    RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
    struct rv_schema *schema = NULL;

    if (rv_schema_read("test", rv_span_str(text), &schema, &diags) < 0)
        fail_msg("schema: %s\n%s", diags.count > 0 ? diags.items[diags.count - 1].message : "?",
                 text);
    return schema;
}

/** The code of every error, each once, in order, with a blank after each. */
static inline void test_codes(const struct rv_diags *diags, char *codes, size_t room)
{
    codes[0] = '\0';
    for (size_t i = 0; i < diags->count; i++) {
        if (diags->items[i].level == RV_DIAG_ERROR && !strstr(codes, diags->items[i].code)) {
            strncat(codes, diags->items[i].code, room - strlen(codes) - 1);
            strncat(codes, " ", room - strlen(codes) - 1);
        }
    }
}

/* ---- Deciding one expression ---- */

/** A condition that must be true (RV_EVAL_OK), or what goes wrong when it is worked out. */
struct test_case {
    const char *text;
    enum rv_eval_code code;
    enum rv_value_kind expected, got; /* RV_EVAL_TYPE; NONE: not looked at */
};

/** A program of a text that must be good. */
static inline struct rv_program *test_program(const char *text)
{
    RV_AUTO(rv_policy_set_done) struct rv_policy_set set = { 0 };
    RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
    struct rv_program *program = NULL;

    if (rv_policy_read(&set, "test", rv_span_str(text), &diags) < 0)
        fail_msg("policy: %s\n%s", diags.count > 0 ? diags.items[0].message : "?", text);
    rv_assert_ok(rv_program_compile(&set, &program, NULL));
    return program;
}

/** A store of entities in JSON that must be good. */
static inline struct rv_entities *test_entities(const char *text)
{
    RV_AUTO(rv_entities_builder_free) struct rv_entities_builder *builder = NULL;
    RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
    RV_AUTO(rv_json_freep) json_t *value = NULL;
    struct rv_entities *entities = NULL;

    rv_assert_ok(rv_json_parse(rv_span_str(text), &value, NULL));
    rv_assert_ok(rv_entities_builder_new(&builder));
    if (rv_entities_read_json(builder, value, NULL, &diags) < 0)
        fail_msg("entities: %s\n%s", diags.count > 0 ? diags.items[0].message : "?", text);
    rv_assert_ok(rv_entities_builder_finish(builder, &entities, NULL));
    return entities;
}

/**
 * Each condition with principal User::"a", action Action::"read", resource User::"gone" (which no
 * store here holds) and the context {max: 2^63-1, min: -2^63, text: "text"}.
 */
static inline void test_cases(const struct rv_entities *entities, const struct test_case *rows,
                              size_t count)
{
    struct rv_uid principal = rv_uid(rv_text_str("User"), rv_text_str("a"));
    struct rv_uid action = rv_uid(rv_text_str("Action"), rv_text_str("read"));
    struct rv_uid resource = rv_uid(rv_text_str("User"), rv_text_str("gone"));
    struct rv_field context[] = {
        { rv_text_str("max"), rv_value_long(INT64_MAX) },
        { rv_text_str("min"), rv_value_long(INT64_MIN) },
        { rv_text_str("text"), rv_value_string("text", 4) },
    };
    struct rv_policy_request request = {
        .principal = &principal, .action = &action, .resource = &resource
    };

    assert_true(rv_fields_sort(context, RV_COUNT(context)));
    request.context = (struct rv_fields){ context, RV_COUNT(context) };
    for (size_t i = 0; i < count; i++) {
        RV_AUTO(rv_program_free) struct rv_program *program = NULL;
        RV_AUTO(rv_evaluator_free) struct rv_evaluator *evaluator = NULL;
        RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };
        struct rv_policy_decision decision;
        struct rv_eval_error error = { 0 };

        rv_buf_addf(&text, "permit(principal, action, resource) when { %s };", rows[i].text);
        program = test_program(text.data);
        rv_assert_ok(rv_evaluator_new(&evaluator, program));
        rv_evaluate(evaluator, entities, &request, &decision);
        if (decision.error_count > 0)
            error = decision.errors[0];
        if (error.code != rows[i].code ||
            (decision.effect == RV_EFFECT_ALLOW) != (rows[i].code == RV_EVAL_OK) ||
            (rows[i].expected && error.expected != rows[i].expected) ||
            (rows[i].got && error.got != rows[i].got))
            fail_msg("%s: code %d, expected kind %d, got %d, effect %d", rows[i].text, error.code,
                     error.expected, error.got, decision.effect);
    }
}
