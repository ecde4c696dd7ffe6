/* SPDX-License-Identifier: Apache-2.0 */
#include "behaviour_explain.h"

#include "behaviour_eval.h"
#include "package.h"

#include "features/table.h"

#include <stdio.h>

/** The verdict to be explained: the highest so far. */
struct found {
    char id[128];
    uint32_t risk;
    bool session_speaks;
    struct rv_session_score session;
    struct rv_vector vector;
};

struct search {
    const struct rv_model *model;
    const struct rv_calibration *calibration;
    const struct rv_language *language;
    struct rv_sessions *sessions; /* NULL: the package has no language model */
    const char *wanted;           /* NULL: any */
    struct found found;
    bool any;
};

/** `wanted` is an id as `score` prints it, or its part before the colon. */
static bool is_wanted(const char *wanted, const char *id)
{
    size_t len = wanted ? strlen(wanted) : 0;

    return !wanted || (strncmp(id, wanted, len) == 0 && (id[len] == '\0' || id[len] == ':'));
}

static int look(void *context, const struct behaviour_seen *seen)
{
    struct search *search = context;
    const struct rv_process *process = seen->process;
    struct found now = { 0 };
    struct rv_p_value p;

    if (search->sessions)
        rv_sessions_hear(search->sessions, seen->event, process);
    if (!seen->vector)
        return 0;
    p = rv_calibration_p(search->calibration, rv_process_class(process),
                         rv_model_score_q16(search->model, seen->vector));
    if (search->sessions) {
        struct rv_session_asked asked = { process, seen->event->tid, rv_session_evidence_q16(p) };

        rv_sessions_score(search->sessions, &asked, &now.session);
        rv_sessions_spoke(search->sessions, &asked);
        p = rv_language_combine(
            p, rv_calibration_p(rv_language_calibration(search->language), 0, now.session.raw_q16),
            rv_language_share_ppm(search->language), &now.session_speaks);
    }
    now.risk = rv_risk_of_p(p);
    now.vector = *seen->vector;
    (void)snprintf(now.id, sizeof(now.id), "%u.%llu:%s", process->key.tgid,
                   (unsigned long long)process->key.start_boot_ns, process->program->path);
    if (is_wanted(search->wanted, now.id) && (!search->any || now.risk > search->found.risk)) {
        search->found = now;
        search->any = true;
    }
    return 0;
}

/* ---- In words ---- */

static void print_said(const struct rv_said *said)
{
    RV_AUTO(rv_buf_done) struct rv_buf words = { 0 };

    rv_symbol_words(&words, said->symbol);
    printf("  %+7.2f nats  at %u: a program of kind %s %s%s\n",
           ((double)said->evidence_q16 + said->vector_q16) / 65536, said->at,
           rv_program_kind_name(said->kind), words.data ? words.data : "",
           said->unseen ? "; after what came before, never seen" : "");
}

static json_t *json_of_said(const struct rv_said *said)
{
    RV_AUTO(rv_buf_done) struct rv_buf words = { 0 };

    rv_symbol_words(&words, said->symbol);
    return json_pack("{s:i, s:i, s:s, s:s, s:i, s:i, s:b}", "at", (int)said->at, "symbol",
                     (int)said->symbol, "words", words.data ? words.data : "", "kind",
                     rv_program_kind_name(said->kind), "evidence_q16", (int)said->evidence_q16,
                     "vector_q16", (int)said->vector_q16, "unseen", said->unseen);
}

/** Features by attribution, largest first. */
static size_t strongest(const struct rv_verdict *verdict, size_t most, size_t *features)
{
    size_t count = 0;

    for (size_t f = 0; f < RV_FEATURE_COUNT; f++) {
        size_t at = count;

        if (verdict->attribution_q16[f] == 0)
            continue;
        while (at > 0 && llabs(verdict->attribution_q16[features[at - 1]]) <
                             llabs(verdict->attribution_q16[f])) {
            features[at] = features[at - 1];
            at--;
        }
        features[at] = f;
        count++;
    }
    return count < most ? count : most;
}

static void print_as_text(const struct found *found, const struct rv_verdict *verdict, size_t most)
{
    size_t features[RV_FEATURE_COUNT], count = strongest(verdict, most, features);

    printf("%s: risk %u, by %s\n", found->id, found->risk,
           found->session_speaks ? "what its session did" : "its vector");
    if (found->session.count > 0)
        printf("\nIts session, %.2f nats; the last %u of its doings, the oldest first:\n",
               model_decimal(found->session.raw_q16), found->session.count);
    for (unsigned i = 0; i < found->session.count; i++)
        print_said(&found->session.said[i]);
    printf("\nIts vector, %.4f = %.4f (what is usual) + the reasons below:\n",
           model_decimal(verdict->raw_q16), model_decimal(verdict->base_q16));
    for (size_t i = 0; i < count; i++)
        printf("  %+9.4f  %s = %d\n", model_decimal(verdict->attribution_q16[features[i]]),
               rv_feature_info(features[i])->name, found->vector.value[features[i]]);
}

static void print_as_json(const struct found *found, const struct rv_verdict *verdict, size_t most)
{
    size_t features[RV_FEATURE_COUNT], count = strongest(verdict, most, features);
    json_t *said = json_array(), *reasons = json_array();

    for (unsigned i = 0; i < found->session.count; i++)
        (void)json_array_append_new(said, json_of_said(&found->session.said[i]));
    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(
            reasons, json_pack("{s:s, s:i, s:I}", "feature", rv_feature_info(features[i])->name,
                               "value", (int)found->vector.value[features[i]], "attribution_q16",
                               (json_int_t)verdict->attribution_q16[features[i]]));
    model_print_json(json_pack("{s:s, s:i, s:b, s:{s:I, s:o}, s:{s:I, s:I, s:o}}", "id", found->id,
                               "risk", (int)found->risk, "session_speaks", found->session_speaks,
                               "session", "raw_q16", (json_int_t)found->session.raw_q16, "said",
                               said, "vector", "raw_q16", (json_int_t)verdict->raw_q16, "base_q16",
                               (json_int_t)verdict->base_q16, "reasons", reasons));
}

int behaviour_explain(const struct rv_package *package, const char *input,
                      const struct task_question *question)
{
    RV_AUTO(rv_model_free) struct rv_model *model = NULL;
    RV_AUTO(rv_calibration_free) struct rv_calibration *calibration = NULL;
    RV_AUTO(rv_language_free) struct rv_language *language = NULL;
    RV_AUTO(rv_sessions_free) struct rv_sessions *sessions = NULL;
    struct task_files files = { .normal = { .items = &input, .count = 1 } };
    struct search search = { .wanted = question->id };
    struct rv_verdict verdict;
    int r = behaviour_open(package, &model, &calibration);

    if (r == 0)
        r = behaviour_language(package, &language);
    if (r == 0 && language)
        r = rv_sessions_new(&sessions, language);
    if (r < 0)
        return r;
    search.model = model;
    search.calibration = calibration;
    search.language = language;
    search.sessions = sessions;
    r = behaviour_walk(&files, look, &search, NULL);
    if (r < 0)
        return r;
    if (!search.any) {
        fprintf(stderr,
                question->id ? "no process with a verdict has the id '%s'\n"
                             : "there is no verdict in it\n",
                question->id);
        return -ENOENT;
    }
    rv_model_judge(model, &search.found.vector, RV_EXPLAIN, &verdict);
    if (question->json)
        print_as_json(&search.found, &verdict, question->top);
    else
        print_as_text(&search.found, &verdict, question->top);
    return 0;
}
