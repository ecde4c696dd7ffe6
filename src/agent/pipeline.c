/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline.h"

#include "features/table.h"
#include "models/baseline.h"

/* A process that does the same forbidden thing again and again is reported so often in a while. */
enum { REPEAT_SLOTS = 1024, REPEAT_REPORTED = 5 };
#define REPEAT_WINDOW_NS (10 * RV_NS_PER_S)

/* One verdict in so many is bet on: those of one process are alike, which is no news. */
#define BET_ON_ONE_IN 64

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
    int r;

    if (!pipeline)
        return -ENOMEM;
    pipeline->mode = options->mode;
    pipeline->risk_min = options->risk_min;
    pipeline->learning = options->learning;
    pipeline->repeats = calloc(REPEAT_SLOTS, sizeof(*pipeline->repeats));
    if (!pipeline->repeats)
        return -ENOMEM;
    rv_promise_init(&pipeline->promise, &(struct rv_promise_options){ 0 });
    r = rv_features_new(&pipeline->features, &features);
    if (r == 0)
        r = rv_baseline_new(&pipeline->model);
    if (r == 0)
        r = rv_calibration_new_baseline(&pipeline->calibration);
    if (r == 0)
        r = rv_host_names_new(&pipeline->names);
    if (r == 0)
        r = open_policy(pipeline, options->program, options->entities, &options->policy_digest);
    if (r < 0)
        return r;
    rv_sha256_hex(&pipeline->model->digest, pipeline->model_hex);
    *ret_pipeline = RV_TAKE(pipeline);
    return 0;
}

void rv_pipeline_free(struct rv_pipeline **pipeline)
{
    if (!*pipeline)
        return;
    rv_evaluator_free(&(*pipeline)->evaluator);
    rv_host_names_free(&(*pipeline)->names);
    rv_calibration_free(&(*pipeline)->calibration);
    rv_model_free(&(*pipeline)->model);
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

/** Score the acting process. Leaves the outcome unscored when it is not known. */
static void score(struct rv_pipeline *pipeline, const struct rv_process *process,
                  struct rv_outcome *outcome)
{
    struct rv_verdict *verdict = &outcome->verdict;

    rv_features_vector(pipeline->features, process, &pipeline->vector);
    rv_model_judge(pipeline->model, &pipeline->vector, RV_SCORE_ONLY, verdict);
    outcome->p =
        rv_calibration_p(pipeline->calibration, rv_process_class(process), verdict->raw_q16);
    verdict->risk = rv_risk_of_p(outcome->p);
    outcome->vector = &pipeline->vector;
    outcome->novel = pipeline->vector.value[RV_FEATURE_EXE_RUNS] < 16; /* log2/16: under two runs */
}

/** When the promise is broken the model steps down: its risk alone decides nothing any more. */
static uint32_t risk_to_decide_on(const struct rv_pipeline *pipeline, uint32_t risk)
{
    uint32_t quiet = pipeline->risk_min > 0 ? pipeline->risk_min - 1 : 0;

    return rv_promise_kept(&pipeline->promise) ? risk : (uint32_t)rv_min_u64(risk, quiet);
}

static void decide(struct rv_pipeline *pipeline, const struct rv_event *event,
                   struct rv_outcome *outcome)
{
    struct rv_host_context known = {
        .names = pipeline->names,
        .features = pipeline->features,
        .vector = outcome->vector,
        .risk = risk_to_decide_on(pipeline, outcome->verdict.risk),
        .novel = outcome->novel,
        .mode = pipeline->mode,
        .model = { pipeline->model_hex, RV_SHA256_HEX_LEN, 0 },
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

/** What is alerted on is held apart until a person judges it; the rest is what normal looks like.
 */
static void learn(struct rv_pipeline *pipeline, const struct rv_process *process,
                  const struct rv_outcome *outcome, bool alerted)
{
    uint32_t class = rv_process_class(process);

    if (pipeline->learning == RV_LEARN_OFF)
        return;
    if (alerted)
        rv_calibration_hold(pipeline->calibration, class, outcome->verdict.raw_q16);
    else if (!process->tainted)
        rv_calibration_add(pipeline->calibration, class, outcome->verdict.raw_q16,
                           outcome->event->weight);
}

/** Tell the promise's monitor. Before the score is learnt: a bet must not know the answer. */
static void watch_promise(struct rv_pipeline *pipeline, const struct rv_process *process,
                          const struct rv_outcome *outcome, bool alerted)
{
    uint64_t random = rv_mix64(pipeline->counts.events ^ outcome->event->start_boot_ns);
    uint64_t p_q32 = 0;

    if (!process->tainted && !outcome->p.inherited && (random >> 32) % BET_ON_ONE_IN == 0)
        p_q32 = rv_calibration_p_q32(pipeline->calibration, rv_process_class(process),
                                     outcome->verdict.raw_q16, random);
    (void)rv_promise_verdict(&pipeline->promise, outcome->event->time_boot_ns, p_q32, alerted);
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
    if (change.process && change.due == RV_SCORE_DUE) {
        rv_features_note_risk(pipeline->features, change.process, ret_outcome->verdict.risk);
        watch_promise(pipeline, change.process, ret_outcome, alerted);
        learn(pipeline, change.process, ret_outcome, alerted);
    }
    if (!alerted)
        return;
    if (change.process)
        rv_features_taint(pipeline->features, change.process);
    ret_outcome->matters = worth_reporting(pipeline, ret_outcome);
    if (ret_outcome->matters) {
        pipeline->counts.mattered++;
        rv_pipeline_explain(pipeline, ret_outcome);
    }
}

void rv_pipeline_explain(const struct rv_pipeline *pipeline, struct rv_outcome *outcome)
{
    uint32_t risk = outcome->verdict.risk;

    if (!outcome->vector)
        return;
    rv_model_judge(pipeline->model, outcome->vector, RV_EXPLAIN, &outcome->verdict);
    outcome->verdict.risk = risk;
}

void rv_pipeline_save(const struct rv_pipeline *pipeline, struct rv_buf *buf)
{
    struct rv_buf part = { 0 };

    rv_features_save(pipeline->features, &part);
    rv_buf_add_le64(buf, part.len);
    rv_buf_add(buf, part.data, part.len);
    rv_buf_clear(&part);
    rv_calibration_save(pipeline->calibration, &part);
    rv_buf_add_le64(buf, part.len);
    rv_buf_add(buf, part.data, part.len);
    rv_buf_done(&part);
}

int rv_pipeline_load(struct rv_pipeline *pipeline, struct rv_span bytes, const char **reterr)
{
    struct rv_calibration *calibration = NULL;
    struct rv_reader reader = rv_reader(bytes);
    struct rv_span features = rv_read_bytes(&reader, rv_read_le64(&reader));
    struct rv_span tables = rv_read_bytes(&reader, rv_read_le64(&reader));
    int r;

    if (reader.failed || reader.rest.len > 0) {
        *reterr = "the file is cut short or too long";
        return -EBADMSG;
    }
    r = rv_calibration_load(&calibration, tables, reterr);
    if (r < 0)
        return r;
    r = rv_features_load(pipeline->features, features, reterr);
    if (r < 0) {
        rv_calibration_free(&calibration);
        return r;
    }
    rv_calibration_free(&pipeline->calibration);
    pipeline->calibration = calibration;
    return 0;
}

void rv_pipeline_counts(const struct rv_pipeline *pipeline, struct rv_pipeline_counts *ret_counts)
{
    struct rv_features_counters features = rv_features_counters(pipeline->features);

    *ret_counts = pipeline->counts;
    ret_counts->live_processes = features.live;
    ret_counts->programs = features.programs;
    ret_counts->memory_bytes = rv_features_memory(pipeline->features);
    ret_counts->light = pipeline->promise.light;
}
