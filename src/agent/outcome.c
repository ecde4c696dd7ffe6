/* SPDX-License-Identifier: Apache-2.0 */
/* Outcomes in words, as a line of JSON, and as the receipt that the log keeps. */
#include "pipeline.h"

#include "base/json.h"
#include "features/table.h"
#include "models/words.h"

#include <inttypes.h>
#include <stdio.h>

enum { REASONS_TOLD = 3 };

static bool denied(const struct rv_outcome *outcome)
{
    return outcome->action && outcome->decision.effect == RV_EFFECT_DENY;
}

/* ---- What the determining policies say ---- */

/** Rank of a @severity; the first policy of the highest rank speaks for the decision. */
static unsigned severity_rank(struct rv_text severity)
{
    static const char *const ranks[] = { "low", "medium", "high", "critical" };

    for (unsigned i = 0; i < RV_COUNT(ranks); i++) {
        if (rv_text_is(severity, ranks[i]))
            return i + 1;
    }
    return 0;
}

struct rv_text rv_outcome_annotation(const struct rv_pipeline *pipeline,
                                     const struct rv_outcome *outcome, const char *name)
{
    const struct rv_program *program = pipeline->program;
    unsigned best_rank = 0;
    uint32_t best = 0;

    if (!denied(outcome) || outcome->decision.reason_count == 0)
        return rv_text_str("");
    best = outcome->decision.reasons[0];
    for (uint32_t i = 0; i < outcome->decision.reason_count; i++) {
        uint32_t policy = outcome->decision.reasons[i];
        unsigned rank = severity_rank(rv_program_annotation(program, policy, "severity"));

        if (rank > best_rank) {
            best_rank = rank;
            best = policy;
        }
    }
    return rv_program_annotation(program, best, name);
}

/** The name a policy gives itself, else the one that the reader gave it. */
static struct rv_text policy_id(const struct rv_pipeline *pipeline, uint32_t policy)
{
    struct rv_text id = rv_program_annotation(pipeline->program, policy, "id");

    return id.len > 0 ? id : rv_program_policy(pipeline->program, policy)->id;
}

static void add_text(struct rv_buf *buf, const char *key, struct rv_text text)
{
    rv_buf_addf(buf, ",\"%s\":", key);
    rv_json_add_string(buf, rv_text_span(text));
}

static void add_policies(struct rv_buf *buf, const struct rv_pipeline *pipeline,
                         const struct rv_outcome *outcome)
{
    static const char *const annotations[] = { "severity", "technique", "respond" };

    rv_buf_add_str(buf, ",\"policies\":[");
    for (uint32_t i = 0; denied(outcome) && i < outcome->decision.reason_count; i++) {
        uint32_t policy = outcome->decision.reasons[i];

        rv_buf_addf(buf, "%s{\"id\":", i ? "," : "");
        rv_json_add_string(buf, rv_text_span(policy_id(pipeline, policy)));
        for (size_t k = 0; k < RV_COUNT(annotations); k++) {
            struct rv_text value = rv_program_annotation(pipeline->program, policy, annotations[k]);

            if (value.len > 0)
                add_text(buf, annotations[k], value);
        }
        rv_buf_add_char(buf, '}');
    }
    rv_buf_add_char(buf, ']');
}

/* ---- What the model says ---- */

/** The features with the largest attributions, largest first. @return how many are above zero. */
static size_t strongest(const struct rv_verdict *verdict, size_t features[REASONS_TOLD])
{
    size_t count = 0;

    for (size_t i = 0; i < RV_FEATURE_COUNT; i++) {
        size_t at = count;

        if (verdict->attribution_q16[i] <= 0)
            continue;
        while (at > 0 && verdict->attribution_q16[features[at - 1]] < verdict->attribution_q16[i])
            at--;
        if (at == REASONS_TOLD)
            continue;
        if (count < REASONS_TOLD)
            count++;
        memmove(&features[at + 1], &features[at], (count - at - 1) * sizeof(features[0]));
        features[at] = i;
    }
    return count;
}

static void add_reasons(struct rv_buf *buf, const struct rv_outcome *outcome)
{
    size_t features[REASONS_TOLD];
    size_t count = outcome->vector ? strongest(&outcome->verdict, features) : 0;

    rv_buf_add_str(buf, ",\"reasons\":[");
    for (size_t i = 0; i < count; i++)
        rv_buf_addf(buf, "%s{\"feature\":\"%s\",\"value\":%d,\"points_q16\":%" PRId64 "}",
                    i ? "," : "", rv_feature_info(features[i])->name,
                    outcome->vector->value[features[i]],
                    outcome->verdict.attribution_q16[features[i]]);
    rv_buf_add_char(buf, ']');
}

void rv_outcome_words(struct rv_buf *buf, const struct rv_pipeline *pipeline,
                      const struct rv_outcome *outcome)
{
    struct rv_vector usual;
    size_t features[REASONS_TOLD];
    struct rv_words_input input = {
        .process = outcome->process,
        .vector = outcome->vector,
        .usual = &usual,
        .attribution_q16 = outcome->verdict.attribution_q16,
    };

    if (outcome->session.speaks) {
        rv_buf_add_str(buf, "its session ");
        rv_session_words(buf, &outcome->session.score, REASONS_TOLD);
    }
    if (!outcome->process || !outcome->vector || strongest(&outcome->verdict, features) == 0)
        return;
    if (outcome->session.speaks)
        rv_buf_add_str(buf, "; ");
    rv_features_usual(pipeline->features, outcome->process, &usual);
    rv_words_reasons(buf, &input, REASONS_TOLD);
}

/* ---- One line ---- */

static void add_uid(struct rv_buf *buf, const char *key, const struct rv_uid *uid)
{
    struct rv_buf text = { 0 };

    rv_uid_print(&text, uid);
    rv_buf_addf(buf, ",\"%s\":", key);
    rv_json_add_string(buf, rv_buf_span(&text));
    rv_buf_done(&text);
}

static void add_decision(struct rv_buf *buf, const struct rv_pipeline *pipeline,
                         const struct rv_outcome *outcome)
{
    rv_buf_addf(buf, ",\"action\":\"%s\"", outcome->action);
    add_uid(buf, "principal", outcome->principal);
    add_uid(buf, "resource", outcome->resource);
    rv_buf_addf(buf, ",\"decision\":\"%s\"", denied(outcome) ? "deny" : "allow");
    add_policies(buf, pipeline, outcome);
    if (outcome->decision.error_count > 0)
        rv_buf_addf(buf, ",\"policy_errors\":%" PRIu32, outcome->decision.error_count);
}

void rv_outcome_json(struct rv_buf *buf, const struct rv_pipeline *pipeline,
                     const struct rv_outcome *outcome, uint64_t latency_ns)
{
    struct rv_buf words = { 0 };

    rv_buf_add_str(buf, "{\"event\":");
    rv_event_json(buf, outcome->event);
    add_text(buf, "program", outcome->program);
    rv_buf_addf(buf, ",\"risk\":%" PRIu32 ",\"raw_q16\":%" PRId64 ",\"novel\":%s",
                outcome->verdict.risk, outcome->verdict.raw_q16, outcome->novel ? "true" : "false");
    if (outcome->action)
        add_decision(buf, pipeline, outcome);
    rv_buf_addf(buf, ",\"mode\":\"%s\",\"matters\":%s", pipeline->mode,
                outcome->matters ? "true" : "false");
    if (outcome->repeated > 0)
        rv_buf_addf(buf, ",\"repeated\":%" PRIu32, outcome->repeated);
    if (outcome->matters) {
        add_reasons(buf, outcome);
        rv_outcome_words(&words, pipeline, outcome);
        rv_buf_add_str(buf, ",\"words\":");
        rv_json_add_string(buf, rv_buf_span(&words));
    }
    if (latency_ns > 0)
        rv_buf_addf(buf, ",\"latency_us\":%" PRIu64, latency_ns / 1000);
    rv_buf_add_char(buf, '}');
    buf->failed |= words.failed;
    rv_buf_done(&words);
}

/* ---- The receipt ---- */

static json_t *vector_json(const struct rv_vector *vector)
{
    json_t *array = json_array();

    for (size_t i = 0; vector && i < RV_FEATURE_COUNT; i++)
        json_array_append_new(array, json_integer(vector->value[i]));
    return array;
}

/** Attributions that are not zero, by feature name. */
static json_t *attribution_json(const struct rv_verdict *verdict)
{
    json_t *object = json_object();

    for (size_t i = 0; i < RV_FEATURE_COUNT; i++) {
        if (verdict->attribution_q16[i] != 0)
            json_object_set_new(object, rv_feature_info(i)->name,
                                json_integer(verdict->attribution_q16[i]));
    }
    return object;
}

static json_t *said_json(const struct rv_session_score *score)
{
    json_t *said = json_array();

    for (unsigned i = 0; i < score->count; i++) {
        RV_AUTO(rv_buf_done) struct rv_buf words = { 0 };

        rv_symbol_words(&words, score->said[i].symbol);
        json_array_append_new(said,
                              json_pack("{si ss ss sI sb}", "symbol", (int)score->said[i].symbol,
                                        "words", words.data ? words.data : "", "kind",
                                        rv_program_kind_name(score->said[i].kind), "evidence_q16",
                                        (json_int_t)score->said[i].evidence_q16, "unseen",
                                        score->said[i].unseen));
    }
    return said;
}

static json_t *session_json(const struct rv_models_session *session)
{
    return json_pack("{sI sI sb s{sI sI} so}", "raw_q16", (json_int_t)session->score.raw_q16,
                     "share_ppm", (json_int_t)session->share_ppm, "speaks", session->speaks, "p",
                     "above", (json_int_t)session->p.above, "of", (json_int_t)session->p.of, "said",
                     said_json(&session->score));
}

static json_t *verdict_json(const struct rv_outcome *outcome, const char *model_hex)
{
    const struct rv_verdict *verdict = &outcome->verdict;
    json_t *object;

    object = json_pack("{sI sI sI ss sI sb so so s{sI sI sb}}", "risk", (json_int_t)verdict->risk,
                       "raw_q16", (json_int_t)verdict->raw_q16, "base_q16",
                       (json_int_t)verdict->base_q16, "model", model_hex, "class",
                       (json_int_t)rv_process_class(outcome->process), "held", outcome->held,
                       "vector", vector_json(outcome->vector), "attribution_q16",
                       attribution_json(verdict), "p", "above", (json_int_t)outcome->p.above, "of",
                       (json_int_t)outcome->p.of, "inherited", outcome->p.inherited);
    if (object && outcome->session.share_ppm > 0)
        json_object_set_new(object, "session", session_json(&outcome->session));
    return object;
}

/** The line of rv_outcome_json() as an object: one description of an outcome, not two. */
static json_t *line_json(const struct rv_pipeline *pipeline, const struct rv_outcome *outcome)
{
    struct rv_buf line = { 0 };
    json_t *object = NULL;

    rv_outcome_json(&line, pipeline, outcome, 0);
    if (line.failed || rv_json_parse(rv_buf_span(&line), &object, NULL) < 0)
        object = NULL;
    rv_buf_done(&line);
    return object;
}

/** Integers that not every reader of JSON keeps exact become text (docs/PROTOCOL.md). */
static json_t *exact_everywhere(json_t *value)
{
    json_t *item, *changed;
    const char *key;
    size_t i;
    void *next;

    if (json_is_integer(value) && llabs(json_integer_value(value)) > (1LL << 53) - 1) {
        char text[24];

        (void)snprintf(text, sizeof(text), "%" PRIu64, (uint64_t)json_integer_value(value));
        return json_string(text);
    }
    json_array_foreach(value, i, item)
    {
        changed = exact_everywhere(item);
        if (changed && json_array_set_new(value, i, changed) < 0)
            return NULL;
    }
    json_object_foreach_safe(value, next, key, item)
    {
        changed = exact_everywhere(item);
        if (changed && json_object_set_new(value, key, changed) < 0)
            return NULL;
    }
    return NULL;
}

json_t *rv_outcome_receipt(const struct rv_pipeline *pipeline, const struct rv_outcome *outcome)
{
    RV_AUTO(rv_json_freep) json_t *receipt = line_json(pipeline, outcome);
    char policy_hex[RV_SHA256_HEX_LEN + 1], table_hex[RV_SHA256_HEX_LEN + 1];

    if (!receipt)
        return NULL;
    rv_sha256_hex(&pipeline->policy_digest, policy_hex);
    rv_sha256_hex(&rv_models_live(pipeline->models)->feature_table, table_hex);
    if (json_object_set_new(receipt, "policy", json_string(policy_hex)) < 0 ||
        json_object_set_new(receipt, "feature_table", json_string(table_hex)) < 0)
        return NULL;
    if (outcome->vector &&
        json_object_set_new(receipt, "verdict",
                            verdict_json(outcome, rv_models_live_hex(pipeline->models))) < 0)
        return NULL;
    (void)exact_everywhere(receipt);
    return RV_TAKE(receipt);
}
