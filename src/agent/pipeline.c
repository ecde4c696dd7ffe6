/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline.h"

#include "features/table.h"

/* A process that does the same forbidden thing again and again is reported so often in a while. */
enum { REPEAT_SLOTS = 1024, REPEAT_REPORTED = 5 };
#define REPEAT_WINDOW_NS (10 * RV_NS_PER_S)

struct repeat {
    uint64_t key; /* process, action and determining policies; 0: free */
    uint64_t since_boot_ns;
    uint32_t seen, unreported;
};

static int open_policy(struct rv_pipeline *pipeline, const struct rv_program *program,
                       const struct rv_entities *entities, const struct rv_sha256 *digest)
{
    struct rv_evaluator *evaluator = NULL;
    int r = rv_evaluator_new(&evaluator, program);

    if (r < 0)
        return r;
    rv_evaluator_free(&pipeline->evaluator);
    pipeline->evaluator = evaluator;
    pipeline->program = program;
    pipeline->entities = entities;
    pipeline->policy_digest = *digest;
    return 0;
}

int rv_pipeline_new(struct rv_pipeline **ret_pipeline, const struct rv_pipeline_options *options)
{
    RV_AUTO(rv_pipeline_free) struct rv_pipeline *pipeline = calloc(1, sizeof(*pipeline));
    struct rv_features_options features = {
        .process_max = options->processes_max,
        .unix_offset_ns = options->unix_offset_ns,
    };
    struct rv_models_options models = {
        .live = options->model,
        .shadow = options->shadow,
        .drift_window_ns = options->drift_window_ns,
        .risk_min = options->risk_min,
    };
    int r;

    if (!pipeline)
        return -ENOMEM;
    pipeline->mode = options->mode;
    pipeline->risk_min = options->risk_min;
    pipeline->learning = options->learning;
    pipeline->repeats = calloc(REPEAT_SLOTS, sizeof(*pipeline->repeats));
    if (!pipeline->repeats)
        return -ENOMEM;
    r = rv_features_new(&pipeline->features, &features);
    if (r == 0)
        r = rv_models_new(&pipeline->models, &models, NULL);
    if (r == 0)
        r = rv_host_names_new(&pipeline->names);
    if (r == 0)
        r = open_policy(pipeline, options->program, options->entities, &options->policy_digest);
    if (r < 0)
        return r;
    *ret_pipeline = RV_TAKE(pipeline);
    return 0;
}

void rv_pipeline_free(struct rv_pipeline **pipeline)
{
    if (!*pipeline)
        return;
    rv_evaluator_free(&(*pipeline)->evaluator);
    rv_host_names_free(&(*pipeline)->names);
    rv_models_free(&(*pipeline)->models);
    rv_features_free(&(*pipeline)->features);
    free((*pipeline)->repeats);
    free(*pipeline);
    *pipeline = NULL;
}

int rv_pipeline_set_policy(struct rv_pipeline *pipeline, const struct rv_program *program,
                           const struct rv_entities *entities, const struct rv_sha256 *digest)
{
    return open_policy(pipeline, program, entities, digest);
}

void rv_pipeline_set_clock(struct rv_pipeline *pipeline, int64_t unix_offset_ns)
{
    rv_features_set_clock(pipeline->features, unix_offset_ns);
}

/** Score the acting process. Leaves the outcome unscored when it is not known. */
static void score(struct rv_pipeline *pipeline, const struct rv_process *process,
                  struct rv_outcome *outcome)
{
    struct rv_models_asked asked = { &pipeline->vector, rv_process_class(process), process,
                                     outcome->event->tid };

    rv_features_vector(pipeline->features, process, &pipeline->vector);
    rv_models_score(pipeline->models, &asked, &outcome->verdict, &outcome->p, &outcome->session);
    outcome->vector = &pipeline->vector;
    outcome->novel = pipeline->vector.value[RV_FEATURE_EXE_RUNS] < 16; /* log2/16: under two runs */
}

static void decide(struct rv_pipeline *pipeline, const struct rv_event *event,
                   struct rv_outcome *outcome)
{
    struct rv_host_context known = {
        .names = pipeline->names,
        .features = pipeline->features,
        .vector = outcome->vector,
        .risk = rv_models_risk_to_decide_on(pipeline->models, outcome->verdict.risk),
        .novel = outcome->novel,
        .mode = pipeline->mode,
        .model = { rv_models_live_hex(pipeline->models), RV_SHA256_HEX_LEN, 0 },
    };

    rv_host_build(&pipeline->host, event, &known);
    rv_evaluate(pipeline->evaluator, pipeline->entities, &pipeline->host.request,
                &outcome->decision);
    outcome->principal = pipeline->host.request.principal;
    outcome->resource = pipeline->host.request.resource;
    pipeline->counts.decided++;
    pipeline->counts.denied += outcome->decision.effect == RV_EFFECT_DENY;
}

static uint64_t repeat_key(const struct rv_outcome *outcome)
{
    uint64_t key = rv_mix64(outcome->event->start_boot_ns ^ outcome->event->tgid);

    key = rv_mix64(key ^ outcome->event->type);
    for (uint32_t i = 0; outcome->action && i < outcome->decision.reason_count; i++)
        key = rv_mix64(key ^ outcome->decision.reasons[i]);
    return key | 1;
}

/** Whether this one is reported; counts it if not. Old slots are taken over: losing a count. */
static bool worth_reporting(struct rv_pipeline *pipeline, struct rv_outcome *outcome)
{
    uint64_t key = repeat_key(outcome), now = outcome->event->time_boot_ns;
    struct repeat *repeat = &pipeline->repeats[key % REPEAT_SLOTS];

    if (repeat->key != key || now - repeat->since_boot_ns > REPEAT_WINDOW_NS) {
        outcome->repeated = repeat->key == key ? repeat->unreported : 0;
        *repeat = (struct repeat){ .key = key, .since_boot_ns = now };
    }
    if (++repeat->seen <= REPEAT_REPORTED)
        return true;
    repeat->unreported++;
    pipeline->counts.repeated++;
    return false;
}

/**
 * What is reported is held apart until a person judges it: one receipt, one held score. What is
 * like it and only counted says nothing new, and the rest is what normal looks like.
 */
static enum rv_fate fate_of(const struct rv_process *process, const struct rv_outcome *outcome,
                            bool alerted)
{
    if (outcome->matters)
        return RV_FATE_HOLD;
    return alerted || process->tainted ? RV_FATE_FORGET : RV_FATE_NORMAL;
}

static void teach(struct rv_pipeline *pipeline, const struct rv_process *process,
                  struct rv_outcome *outcome, bool alerted)
{
    struct rv_models_seen seen = {
        .vector = outcome->vector,
        .verdict = &outcome->verdict,
        .process = process,
        .tid = outcome->event->tid,
        .class = rv_process_class(process),
        .weight = outcome->event->weight,
        .time_ns = outcome->event->time_boot_ns,
        .random = rv_mix64(pipeline->counts.events ^ outcome->event->start_boot_ns),
        .fate = fate_of(process, outcome, alerted),
        .tainted = process->tainted,
        .alarmed = alerted,
        .learn = pipeline->learning == RV_LEARN_ON,
    };

    outcome->held = seen.learn && seen.fate == RV_FATE_HOLD;
    rv_models_take(pipeline->models, &seen);
}

void rv_pipeline_put(struct rv_pipeline *pipeline, const struct rv_event *event,
                     struct rv_outcome *ret_outcome)
{
    struct rv_features_change change;
    const struct rv_process *before = NULL;
    bool alerted, denied;

    *ret_outcome = (struct rv_outcome){
        .event = event,
        .action = rv_host_action(event),
        .decision.effect = RV_EFFECT_ALLOW,
    };
    pipeline->counts.events++;
    pipeline->counts.by_type[event->type]++;

    if (event->type == RV_EVENT_PROCESS_EXEC && ret_outcome->action) {
        before = rv_features_process(pipeline->features, rv_event_process(event));
        rv_host_principal(&pipeline->host, pipeline->names, before, event);
    }
    rv_features_update(pipeline->features, event, &change);
    ret_outcome->process = change.process;
    if (change.process)
        ret_outcome->program =
            rv_text(change.process->program->path, change.process->program->path_len);
    if (change.process)
        rv_models_hear(pipeline->models, event, change.process);
    if (change.process && (ret_outcome->action || change.due == RV_SCORE_DUE))
        score(pipeline, change.process, ret_outcome);

    if (ret_outcome->action) {
        if (event->type != RV_EVENT_PROCESS_EXEC)
            rv_host_principal(&pipeline->host, pipeline->names, change.process, event);
        decide(pipeline, event, ret_outcome);
    }
    denied = ret_outcome->action && ret_outcome->decision.effect == RV_EFFECT_DENY;
    alerted =
        denied || (change.due == RV_SCORE_DUE && ret_outcome->verdict.risk >= pipeline->risk_min);
    ret_outcome->matters = alerted && worth_reporting(pipeline, ret_outcome);
    if (change.process && change.due == RV_SCORE_DUE) {
        rv_features_note_risk(pipeline->features, change.process, ret_outcome->verdict.risk);
        teach(pipeline, change.process, ret_outcome, alerted);
    }
    if (alerted && change.process)
        rv_features_taint(pipeline->features, change.process);
    if (ret_outcome->matters) {
        pipeline->counts.mattered++;
        rv_pipeline_explain(pipeline, ret_outcome);
    }
}

void rv_pipeline_ask(struct rv_pipeline *pipeline, const struct rv_event *event,
                     struct rv_outcome *ret_outcome)
{
    const struct rv_process *process =
        rv_features_process(pipeline->features, rv_event_process(event));
    struct rv_pipeline_counts before = pipeline->counts;

    *ret_outcome = (struct rv_outcome){
        .event = event,
        .process = process,
        .action = rv_host_action(event),
        .decision.effect = RV_EFFECT_ALLOW,
    };
    if (process) {
        ret_outcome->program = rv_text(process->program->path, process->program->path_len);
        score(pipeline, process, ret_outcome);
    }
    if (ret_outcome->action) {
        rv_host_principal(&pipeline->host, pipeline->names, process, event);
        decide(pipeline, event, ret_outcome);
    }
    pipeline->counts = before;
}

void rv_pipeline_explain(const struct rv_pipeline *pipeline, struct rv_outcome *outcome)
{
    uint32_t risk = outcome->verdict.risk;

    if (!outcome->vector)
        return;
    rv_model_judge(rv_models_live(pipeline->models), outcome->vector, RV_EXPLAIN,
                   &outcome->verdict);
    outcome->verdict.risk = risk;
}

struct rv_models *rv_pipeline_models(struct rv_pipeline *pipeline)
{
    return pipeline->models;
}

void rv_pipeline_save(const struct rv_pipeline *pipeline, struct rv_buf *buf)
{
    struct rv_buf part = { 0 };

    rv_features_save(pipeline->features, &part);
    rv_buf_add_le64(buf, part.len);
    rv_buf_add(buf, part.data, part.len);
    rv_buf_clear(&part);
    rv_models_save(pipeline->models, &part);
    rv_buf_add_le64(buf, part.len);
    rv_buf_add(buf, part.data, part.len);
    rv_buf_done(&part);
}

int rv_pipeline_load(struct rv_pipeline *pipeline, struct rv_span bytes, const char **reterr)
{
    struct rv_reader reader = rv_reader(bytes);
    struct rv_span features = rv_read_bytes(&reader, rv_read_le64(&reader));
    struct rv_span models = rv_read_bytes(&reader, rv_read_le64(&reader));
    int r;

    if (reader.failed || reader.rest.len > 0) {
        *reterr = "the file is cut short or too long";
        return -EBADMSG;
    }
    r = rv_features_load(pipeline->features, features, reterr);
    return r < 0 ? r : rv_models_load(pipeline->models, models, reterr);
}

const struct rv_features *rv_pipeline_features(const struct rv_pipeline *pipeline)
{
    return pipeline->features;
}

void rv_pipeline_counts(const struct rv_pipeline *pipeline, struct rv_pipeline_counts *ret_counts)
{
    struct rv_features_counters features = rv_features_counters(pipeline->features);

    *ret_counts = pipeline->counts;
    ret_counts->live_processes = features.live;
    ret_counts->programs = features.programs;
    ret_counts->memory_bytes = rv_features_memory(pipeline->features);
    ret_counts->light = rv_models_light(pipeline->models);
}
