/* SPDX-License-Identifier: Apache-2.0 */
#include "behaviour_eval.h"

#include "agent/models.h"
#include "base/hash.h"
#include "figures.h"
#include "models/drift.h"
#include "models/forest_model.h"
#include "models/robust.h"

#include <stdio.h>

#define ALARM    300U     /* one in a thousand of what is normal */
#define EVASION  200U     /* as every evasion table says */
#define HOST_DAY 100000.0 /* verdicts; streams are dense, so time in them says nothing */

/** Ways to come to a risk; what one detector alone says is calibrated on the host. */
enum view { VIEW_SHIPPED = 0, VIEW_HOST, VIEW_VECTORS, VIEW_SESSIONS, VIEW_BUILT_IN, VIEW_COUNT_ };
static const char *const view_names[VIEW_COUNT_] = {
    [VIEW_SHIPPED] = "as shipped",      [VIEW_HOST] = "calibrated on the host",
    [VIEW_VECTORS] = "vectors alone",   [VIEW_SESSIONS] = "sessions alone",
    [VIEW_BUILT_IN] = "built-in model",
};

/** Highest risks of one process of a normal stream, or of one attack stream. */
struct top {
    uint64_t id; /* of the process; 0: a stream */
    uint32_t risk[VIEW_COUNT_];
    bool stands[2]; /* an alarm that no dilution, no dilution or raising can lift */
};

struct tops {
    struct top *items;
    size_t count, room;
};

struct evaluation {
    const struct rv_package *package;
    struct rv_model *model;
    struct rv_calibration *calibration;
    struct rv_language *language;      /* NULL: the package has none */
    struct rv_models *host, *built_in; /* of the host at hand */
    unsigned host_number;
    struct figures_scores normal, attack; /* vectors, as shipped */
    struct tops processes;                /* of normal streams, by id once sorted */
    struct top *streams;                  /* one a stream, by number */
    uint32_t histogram[2][RV_DRIFT_BINS]; /* of normal scores, of attack scores */
};

static void evaluation_done(struct evaluation *evaluation)
{
    rv_models_free(&evaluation->host);
    rv_models_free(&evaluation->built_in);
    rv_model_free(&evaluation->model);
    rv_language_free(&evaluation->language);
    rv_calibration_free(&evaluation->calibration);
    figures_done(&evaluation->normal);
    figures_done(&evaluation->attack);
    free(evaluation->processes.items);
    free(evaluation->streams);
}

/* ---- One vector ---- */

/** Another host: both models start on it with what was shipped. */
static int begin_host(struct evaluation *evaluation, unsigned host)
{
    struct rv_models_options options = { .live = evaluation->package, .risk_min = ALARM };
    int r;

    if (host == evaluation->host_number)
        return 0;
    evaluation->host_number = host;
    rv_models_free(&evaluation->host);
    rv_models_free(&evaluation->built_in);
    r = rv_models_new(&evaluation->host, &options, NULL);
    options.live = NULL;
    return r < 0 ? r : rv_models_new(&evaluation->built_in, &options, NULL);
}

/**
 * As the judge does: score, then learn what is not alarmed. Nothing is learnt from attacks: each is
 * judged as the first one on its host. @return the risk.
 */
static uint32_t judge(struct rv_models *models, const struct behaviour_seen *seen,
                      struct rv_models_session *session)
{
    struct rv_models_asked asked = { seen->vector, rv_process_class(seen->process), seen->process,
                                     seen->event->tid };
    struct rv_verdict verdict;
    struct rv_p_value p;
    struct rv_models_seen taught = {
        .vector = seen->vector,
        .verdict = &verdict,
        .process = seen->process,
        .tid = seen->event->tid,
        .class = asked.class,
        .weight = seen->event->weight,
        .time_ns = seen->event->time_boot_ns,
        .random = rv_mix64(seen->event->time_boot_ns ^ seen->event->tgid),
        .tainted = seen->process->tainted,
        .learn = !seen->stream->attack,
    };

    rv_models_score(models, &asked, &verdict, &p, session);
    taught.alarmed = verdict.risk >= ALARM;
    taught.fate = taught.alarmed ? RV_FATE_HOLD : taught.tainted ? RV_FATE_FORGET : RV_FATE_NORMAL;
    rv_models_take(models, &taught);
    return verdict.risk;
}

/** The least risk that an attacker can bring this row to by changing features of `classes`. */
static uint32_t least_risk(const struct evaluation *evaluation, const struct behaviour_seen *seen,
                           unsigned classes)
{
    struct rv_kernel_model heads = rv_forest_model_heads(evaluation->model);
    enum rv_reach_right rights[RV_FEATURE_COUNT];
    int64_t least = INT64_MIN;
    struct rv_p_value p;
    bool speaks;

    rv_robust_rights(classes, rights);
    for (size_t i = 0; i < RV_KERNEL_HEADS; i++) {
        int64_t low, high;

        if (!heads.heads[i])
            continue;
        rv_forest_reach(heads.heads[i], seen->vector->value, rights, &low, &high);
        least = low > least ? low : least;
    }
    p = rv_calibration_p(evaluation->calibration, rv_process_class(seen->process), least);
    if (evaluation->language) /* nothing is known of what padding does to a session */
        p = rv_language_combine(p, (struct rv_p_value){ 1, 1, false },
                                rv_language_share_ppm(evaluation->language), &speaks);
    return rv_risk_of_p(p);
}

static void raise_top(struct top *top, const uint32_t risk[VIEW_COUNT_])
{
    for (size_t i = 0; i < VIEW_COUNT_; i++)
        top->risk[i] = risk[i] > top->risk[i] ? risk[i] : top->risk[i];
}

static int add_process(struct evaluation *evaluation, const struct behaviour_seen *seen,
                       const uint32_t risk[VIEW_COUNT_])
{
    struct tops *tops = &evaluation->processes;
    struct top top = { .id = rv_mix64(seen->process->key.start_boot_ns ^
                                      rv_mix64(seen->process->key.tgid + seen->host)) |
                             1 };

    raise_top(&top, risk);
    for (size_t i = tops->count; i > 0 && i + 8 > tops->count; i--) {
        if (tops->items[i - 1].id == top.id) { /* the same one again, most of the time */
            raise_top(&tops->items[i - 1], risk);
            return 0;
        }
    }
    if (tops->count == tops->room) {
        size_t room = tops->room ? tops->room * 2 : 1024;
        struct top *items = reallocarray(tops->items, room, sizeof(*items));

        if (!items)
            return -ENOMEM;
        tops->items = items;
        tops->room = room;
    }
    tops->items[tops->count++] = top;
    return 0;
}

static void add_attack(struct evaluation *evaluation, const struct behaviour_seen *seen,
                       const uint32_t risk[VIEW_COUNT_])
{
    struct top *stream = &evaluation->streams[seen->stream->number];

    raise_top(stream, risk);
    if (risk[VIEW_SHIPPED] < EVASION)
        return;
    if (!stream->stands[0])
        stream->stands[0] = least_risk(evaluation, seen, RV_CLASS_DILUTE) >= EVASION;
    if (!stream->stands[1])
        stream->stands[1] =
            least_risk(evaluation, seen, RV_CLASS_DILUTE | RV_CLASS_RAISE) >= EVASION;
}

/** What was shipped says: nothing is learnt here. */
static uint32_t shipped_risk(const struct evaluation *evaluation, const struct behaviour_seen *seen,
                             int64_t raw, int64_t session_raw)
{
    struct rv_p_value p =
        rv_calibration_p(evaluation->calibration, rv_process_class(seen->process), raw);
    bool speaks;

    if (evaluation->language)
        p = rv_language_combine(
            p, rv_calibration_p(rv_language_calibration(evaluation->language), 0, session_raw),
            rv_language_share_ppm(evaluation->language), &speaks);
    return rv_risk_of_p(p);
}

static int take(void *context, const struct behaviour_seen *seen)
{
    struct evaluation *evaluation = context;
    struct rv_models_session session, none;
    bool attack = seen->stream->attack;
    uint32_t risk[VIEW_COUNT_];
    int r = begin_host(evaluation, seen->host);
    int64_t raw;

    if (r < 0)
        return r;
    rv_models_hear(evaluation->host, seen->event, seen->process);
    if (!seen->vector)
        return 0;
    raw = rv_model_score_q16(evaluation->model, seen->vector);
    risk[VIEW_HOST] = judge(evaluation->host, seen, &session);
    risk[VIEW_SHIPPED] = shipped_risk(evaluation, seen, raw, session.score.raw_q16);
    risk[VIEW_VECTORS] = rv_risk_of_p(session.vector_p);
    risk[VIEW_SESSIONS] = session.share_ppm ? rv_risk_of_p(session.p) : 0;
    risk[VIEW_BUILT_IN] = judge(evaluation->built_in, seen, &none);
    rv_features_note_risk(seen->features, seen->process, risk[VIEW_HOST]);
    if (risk[VIEW_HOST] >= ALARM || attack)
        rv_features_taint(seen->features, seen->process);
    evaluation->histogram[attack][rv_drift_score_bin(raw)]++;
    r = figures_add(attack ? &evaluation->attack : &evaluation->normal,
                    (struct rv_score){ risk[VIEW_SHIPPED], (double)raw / 65536 });
    if (r == 0 && attack)
        add_attack(evaluation, seen, risk);
    return r < 0 || attack ? r : add_process(evaluation, seen, risk);
}

/* ---- Figures ---- */

static int by_id(const void *a, const void *b)
{
    const struct top *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

/** One entry a process. */
static void merge_processes(struct tops *tops)
{
    size_t kept = 0;

    if (tops->count == 0)
        return;
    qsort(tops->items, tops->count, sizeof(*tops->items), by_id);
    for (size_t i = 1; i < tops->count; i++) {
        if (tops->items[i].id == tops->items[kept].id)
            raise_top(&tops->items[kept], tops->items[i].risk);
        else
            tops->items[++kept] = tops->items[i];
    }
    tops->count = kept + 1;
}

static size_t alarmed(const struct tops *tops, enum view view, uint32_t risk)
{
    size_t count = 0;

    for (size_t i = 0; i < tops->count; i++)
        count += tops->items[i].risk[view] >= risk;
    return count;
}

/** The name of a file up to its first dot. */
static void family_of(const char *path, char *name, size_t room)
{
    const char *slash = strrchr(path, '/');
    const char *start = slash ? slash + 1 : path;

    (void)snprintf(name, room, "%.*s", (int)strcspn(start, "."), start);
}

/** How many attack streams of a family (NULL: of all) there are, and how many are found. */
static size_t found(const struct evaluation *evaluation, const struct behaviour_streams *streams,
                    const char *family, enum view view, uint32_t risk, size_t *ret_all)
{
    size_t count = 0;

    *ret_all = 0;
    for (size_t i = 0; i < streams->count; i++) {
        char name[64];

        family_of(streams->items[i].path, name, sizeof(name));
        if (!streams->items[i].attack || (family && !rv_streq(family, name)))
            continue;
        (*ret_all)++;
        count += evaluation->streams[i].risk[view] >= risk;
    }
    return count;
}

/** So many a host-day, as the promise counts one. */
static double a_host_day(const struct evaluation *evaluation, size_t alarms)
{
    size_t verdicts = evaluation->normal.count;

    return verdicts > 0 ? (double)alarms * HOST_DAY / (double)verdicts : 0;
}

static int64_t ppm_of(size_t part, size_t whole)
{
    return whole ? (int64_t)((part * 2000000 + whole) / (2 * whole)) : 0;
}

/** Alarms a day against what is found, by the risk that alarms. */
static int add_operating(const struct evaluation *evaluation,
                         const struct behaviour_streams *streams, json_t *report)
{
    json_t *points = json_array();

    for (size_t view = 0; view < VIEW_COUNT_; view++) {
        for (uint32_t risk = 100; risk <= 500; risk += 20) {
            size_t all, hit = found(evaluation, streams, NULL, (enum view)view, risk, &all);
            size_t wrong = alarmed(&evaluation->processes, (enum view)view, risk);

            json_array_append_new(
                points,
                json_pack("{s:s, s:i, s:I, s:I, s:I, s:I}", "view", view_names[view], "risk", risk,
                          "alarms", (json_int_t)wrong, "alarms_per_host_day_milli",
                          (json_int_t)(a_host_day(evaluation, wrong) * 1000 + 0.5),
                          "false_positives_ppm",
                          (json_int_t)ppm_of(wrong, evaluation->processes.count), "detection_ppm",
                          (json_int_t)ppm_of(hit, all)));
        }
    }
    return json_object_set_new(report, "operating", points) < 0 ? -ENOMEM : 0;
}

static int add_families(const struct evaluation *evaluation,
                        const struct behaviour_streams *streams, json_t *report)
{
    json_t *families = json_object();
    int r = 0;

    for (size_t i = 0; i < streams->count && r == 0; i++) {
        char name[64], metric[128];
        size_t all, hit;

        family_of(streams->items[i].path, name, sizeof(name));
        if (!streams->items[i].attack || json_object_get(families, name))
            continue;
        hit = found(evaluation, streams, name, VIEW_HOST, ALARM, &all);
        (void)snprintf(metric, sizeof(metric), "found at risk %u: %s", ALARM, name);
        r = figures_share(report, metric, hit, all);
        if (json_object_set_new(families, name,
                                json_pack("{s:i, s:i}", "streams", (int)all, "found", (int)hit)) <
            0)
            r = -ENOMEM;
    }
    return json_object_set_new(report, "families", families) < 0 ? -ENOMEM : r;
}

static int add_evasion(const struct evaluation *evaluation, const struct behaviour_streams *streams,
                       json_t *report)
{
    static const char *const names[] = {
        "dilute whatever can be diluted (bound)",
        "dilute and raise whatever can be (bound)",
    };
    json_t *evasion = json_object_get(report, "evasion");
    size_t all;

    (void)found(evaluation, streams, NULL, VIEW_SHIPPED, ALARM, &all);
    for (size_t way = 0; way < RV_COUNT(names); way++) {
        size_t stand = 0;

        for (size_t i = 0; i < streams->count; i++)
            stand += streams->items[i].attack && evaluation->streams[i].stands[way];
        if (json_array_append_new(evasion,
                                  json_pack("{s:s, s:I}", "attack", names[way], "detection_ppm",
                                            (json_int_t)ppm_of(stand, all))) < 0)
            return -ENOMEM;
    }
    return 0;
}

static int add_histogram(const struct evaluation *evaluation, json_t *report)
{
    json_t *sides[2] = { json_array(), json_array() };

    for (size_t side = 0; side < 2; side++) {
        for (size_t i = 0; i < RV_DRIFT_BINS; i++)
            json_array_append_new(sides[side],
                                  json_integer((json_int_t)evaluation->histogram[side][i]));
    }
    return json_object_set_new(report, "score_histogram",
                               json_pack("{s:o, s:o}", "normal", sides[0], "attack", sides[1])) < 0
               ? -ENOMEM
               : 0;
}

static int add_counts(const struct evaluation *evaluation, json_t *report)
{
    int r = figures_count(report, "normal vectors", evaluation->normal.count);

    if (r == 0)
        r = figures_count(report, "attack vectors", evaluation->attack.count);
    if (r == 0)
        r = figures_count(report, "normal processes", evaluation->processes.count);
    for (size_t view = 0; view < VIEW_COUNT_ && r == 0; view++) {
        size_t wrong = alarmed(&evaluation->processes, (enum view)view, ALARM);
        char name[96];

        (void)snprintf(name, sizeof(name), "false alarms, %s", view_names[view]);
        r = figures_count(report, name, wrong);
        (void)snprintf(name, sizeof(name), "in 100,000 verdicts, %s", view_names[view]);
        if (r == 0)
            r = figures_count(report, name, (size_t)(a_host_day(evaluation, wrong) + 0.5));
    }
    return r;
}

static int add_streams(const struct evaluation *evaluation, const struct behaviour_streams *streams,
                       json_t *report)
{
    int r = 0;

    for (size_t view = 0; view < VIEW_COUNT_ && r == 0; view++) {
        size_t all, hit = found(evaluation, streams, NULL, (enum view)view, ALARM, &all);
        char name[96];

        (void)snprintf(name, sizeof(name), "attacks found, %s", view_names[view]);
        r = figures_share(report, name, hit, all);
        (void)snprintf(name, sizeof(name), "processes wrongly alarmed, %s", view_names[view]);
        if (r == 0)
            r = figures_share(report, name, alarmed(&evaluation->processes, (enum view)view, ALARM),
                              evaluation->processes.count);
    }
    return r;
}

int behaviour_eval(const struct rv_package *package, const struct task_files *files, uint64_t seed,
                   json_t *report)
{
    RV_AUTO(evaluation_done) struct evaluation evaluation = { .package = package };
    RV_AUTO(behaviour_streams_done) struct behaviour_streams streams = { 0 };
    int r = behaviour_open(package, &evaluation.model, &evaluation.calibration);

    (void)seed; /* nothing here is left to chance */
    if (r == 0)
        r = behaviour_language(package, &evaluation.language);
    if (r < 0)
        return r;
    evaluation.streams =
        calloc(files->normal.count + files->attack.count + 1, sizeof(*evaluation.streams));
    if (!evaluation.streams)
        return -ENOMEM;
    r = behaviour_walk(files, take, &evaluation, &streams);
    if (r < 0)
        return r;
    merge_processes(&evaluation.processes);
    r = figures_detection(report, &evaluation.normal, &evaluation.attack);
    if (r == 0)
        r = add_streams(&evaluation, &streams, report);
    if (r == 0)
        r = add_families(&evaluation, &streams, report);
    if (r == 0)
        r = add_evasion(&evaluation, &streams, report);
    if (r == 0)
        r = add_operating(&evaluation, &streams, report);
    if (r == 0)
        r = add_histogram(&evaluation, report);
    return r < 0 ? r : add_counts(&evaluation, report);
}
