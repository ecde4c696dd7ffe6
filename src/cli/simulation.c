/* SPDX-License-Identifier: Apache-2.0 */
#include "simulation.h"

#include "agent/folder.h"
#include "agent/pipeline.h"
#include "agent/rules.h"
#include "base/fd.h"
#include "event/segment.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#define HURT_MAX       1000 /* different victims kept a policy; all are counted */
#define PROGRESS_EVERY 200000U
#define PROCESSES_MAX  32768

struct run {
    const struct rv_simulation *with;
    struct rv_bundle *bundle;
    struct rv_rules *rules;
    struct rv_pipeline *pipeline;
    uint32_t *policy_of; /* by index in the program: place in `rules->policies` */
    json_t **hurt;       /* by policy: object of victims by key; NULL: none yet */
    uint64_t *stops;
    uint64_t events, segments, from_unix_ns, to_unix_ns;
};

static void run_done(struct run *run)
{
    for (uint32_t i = 0; run->hurt && i < run->rules->policy_count; i++)
        json_decref(run->hurt[i]);
    free(run->hurt);
    free(run->stops);
    free(run->policy_of);
    rv_pipeline_free(&run->pipeline);
    rv_rules_free(&run->rules);
    rv_bundle_free(&run->bundle);
}

/* ---- Who would have been hurt ---- */

static json_t *bytes_json(struct rv_text text)
{
    json_t *string = json_stringn(text.data, text.len);

    return string ? string : json_string("(not UTF-8)");
}

/** One victim is a program by a user in a workload, doing one kind of action. */
static void count_victim(struct run *run, uint32_t policy, const struct rv_outcome *outcome)
{
    const char *workload = outcome->process ? outcome->process->workload->name : "";
    char key[256];
    json_t *victim;

    if (!run->hurt[policy])
        run->hurt[policy] = json_object();
    (void)snprintf(key, sizeof(key), "%.*s|%" PRIu32 "|%s|%s", RV_TEXT_ARGS(outcome->program),
                   outcome->event->uid, workload, outcome->action);
    victim = json_object_get(run->hurt[policy], key);
    if (!victim && json_object_size(run->hurt[policy]) < HURT_MAX) {
        victim = json_pack("{so sI ss ss so sI}", "program", bytes_json(outcome->program), "uid",
                           (json_int_t)outcome->event->uid, "workload", workload, "action",
                           outcome->action, "resource", bytes_json(outcome->resource->id), "count",
                           (json_int_t)0);
        if (json_object_set_new(run->hurt[policy], key, victim) < 0)
            return;
    }
    if (victim)
        (void)json_object_set_new(
            victim, "count",
            json_integer(json_integer_value(json_object_get(victim, "count")) + 1));
}

static void take(struct run *run, const struct rv_outcome *outcome)
{
    const uint32_t *reasons = outcome->decision.reasons;

    if (!outcome->action || outcome->decision.effect != RV_EFFECT_DENY)
        return;
    for (uint32_t i = 0; i < outcome->decision.reason_count; i++) {
        uint32_t policy = run->policy_of[reasons[i]];

        if (policy >= run->rules->policy_count ||
            run->rules->policies[policy].response == RV_RESPOND_ALERT ||
            (run->with->only && !rv_streq(run->with->only, run->rules->policies[policy].name)))
            continue;
        run->stops[policy]++;
        count_victim(run, policy, outcome);
    }
}

/* ---- The recording ---- */

static int run_segment(struct run *run, int dir_fd, const char *name)
{
    RV_AUTO(rv_segment_reader_free) struct rv_segment_reader *reader = NULL;
    enum rv_segment_end end = RV_SEGMENT_TORN;
    const struct rv_event *event;
    struct rv_segment_head head;
    struct rv_outcome outcome;
    int r = rv_segment_open(&reader, dir_fd, name, &head);

    if (r == 0)
        rv_pipeline_set_clock(run->pipeline, (int64_t)head.unix_offset_ns);
    while (r == 0 && (r = rv_segment_next(reader, &event, &end)) == 0 && event) {
        uint64_t unix_ns = event->time_boot_ns + head.unix_offset_ns;

        rv_pipeline_put(run->pipeline, event, &outcome);
        if (unix_ns < run->with->since_unix_ns)
            continue;
        if (run->from_unix_ns == 0)
            run->from_unix_ns = unix_ns;
        run->to_unix_ns = unix_ns;
        take(run, &outcome);
        if (++run->events % PROGRESS_EVERY == 0 && run->with->progress)
            run->with->progress(run->events);
    }
    if (r < 0) /* the rest of a damaged segment is lost, not the whole answer */
        fprintf(stderr, "%s: %s; its events from there on are left out\n", name,
                reader ? rv_segment_error(reader) : strerror(-r));
    run->segments++;
    return 0;
}

static int is_segment(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return len > 4 && rv_streq(entry->d_name + len - 4, ".seg");
}

static int run_folder(struct run *run)
{
    RV_AUTO(rv_closep)
    int dir_fd = open(run->with->recordings, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct dirent **names = NULL;
    int count = dir_fd < 0 ? -1 : scandir(run->with->recordings, &names, is_segment, alphasort);
    int r = 0;

    if (count < 0) {
        fprintf(stderr, "%s: %s\n", run->with->recordings, strerror(errno));
        return -errno;
    }
    for (int i = 0; i < count; i++) {
        if (r == 0)
            r = run_segment(run, dir_fd, names[i]->d_name);
        free(names[i]);
    }
    free(names);
    if (r == 0 && run->events == 0) {
        fprintf(stderr,
                "nothing was recorded in that time in %s; the agent records when "
                "record.segments is yes\n",
                run->with->recordings);
        return -ENODATA;
    }
    return r;
}

/* ---- The run ---- */

static int map_policies(struct run *run)
{
    size_t count = rv_program_count(run->bundle->program);
    uint32_t at = 0;

    run->policy_of = calloc(count + 1, sizeof(*run->policy_of));
    run->hurt = calloc(run->rules->policy_count + 1, sizeof(json_t *));
    run->stops = calloc(run->rules->policy_count + 1, sizeof(*run->stops));
    if (!run->policy_of || !run->hurt || !run->stops)
        return -ENOMEM;
    for (uint32_t i = 0; i < count; i++) {
        struct rv_text id = rv_program_policy(run->bundle->program, i)->id;

        while (at < run->rules->policy_count &&
               (!run->rules->policies[at].policy ||
                !rv_text_eq(run->rules->policies[at].policy->id, id)))
            at++;
        run->policy_of[i] = at;
    }
    return 0;
}

static int prepare(struct run *run)
{
    RV_AUTO(rv_buf_done) struct rv_buf why = { 0 };
    struct rv_rules_options rules = {
        .offered = 1U << RV_BY_LSM | 1U << RV_BY_CGROUP | 1U << RV_BY_FANOTIFY,
    };
    struct rv_pipeline_options options = {
        .processes_max = PROCESSES_MAX,
        .risk_min = 1000,
        .mode = "enforce",
        .learning = RV_LEARN_ON,
    };
    int r = rv_bundle_open_folder(&run->bundle, run->with->policy_dir, &why);

    if (r < 0) {
        fprintf(stderr, "%s\n", why.data ? why.data : strerror(-r));
        return r;
    }
    options.program = run->bundle->program;
    options.entities = run->bundle->entities;
    options.policy_digest = run->bundle->digest;
    r = rv_rules_compile(&run->rules, &run->bundle->set, run->bundle->entities, &rules);
    if (r == 0)
        r = map_policies(run);
    return r == 0 ? rv_pipeline_new(&run->pipeline, &options) : r;
}

static int by_count(const void *a, const void *b)
{
    const json_t *const *left = a, *const *right = b;
    json_int_t x = json_integer_value(json_object_get(*left, "count"));
    json_int_t y = json_integer_value(json_object_get(*right, "count"));

    return x < y ? 1 : x > y ? -1 : 0;
}

/** The victims, the most often hurt first. */
static json_t *victims_json(json_t *victims)
{
    size_t count = json_object_size(victims), at = 0;
    RV_AUTO(rv_freep) json_t **sorted = calloc(count + 1, sizeof(json_t *));
    json_t *list = json_array();
    const char *key;
    json_t *victim;

    if (!sorted)
        return list;
    json_object_foreach(victims, key, victim) sorted[at++] = victim;
    qsort(sorted, count, sizeof(json_t *), by_count);
    for (size_t i = 0; i < count; i++)
        json_array_append(list, sorted[i]);
    return list;
}

static json_t *report_json(const struct run *run)
{
    json_t *policies = json_array();
    uint64_t stops = 0;

    for (uint32_t i = 0; i < run->rules->policy_count; i++) {
        const struct rv_rules_policy *policy = &run->rules->policies[i];

        if (run->stops[i] == 0)
            continue;
        stops += run->stops[i];
        json_array_append_new(policies, json_pack("{ss ss ss sI so}", "policy", policy->name,
                                                  "respond", rv_response_name(policy->response),
                                                  "place", rv_place_name(policy->place), "stops",
                                                  (json_int_t)run->stops[i], "hurt",
                                                  victims_json(run->hurt[i])));
    }
    return json_pack("{sI sI sI sI sI so}", "events", (json_int_t)run->events, "segments",
                     (json_int_t)run->segments, "from",
                     (json_int_t)(run->from_unix_ns / 1000000000), "to",
                     (json_int_t)(run->to_unix_ns / 1000000000), "false_stops", (json_int_t)stops,
                     "policies", policies);
}

int rv_simulate(const struct rv_simulation *simulation, json_t **ret_report)
{
    RV_AUTO(run_done) struct run run = { .with = simulation };
    int r = prepare(&run);

    if (r == 0)
        r = run_folder(&run);
    if (r < 0)
        return r;
    *ret_report = report_json(&run);
    return *ret_report ? 0 : -ENOMEM;
}

/* ---- For people ---- */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static int64_t number_of(const json_t *object, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(object, key));
}

void rv_simulation_print(const json_t *report)
{
    const json_t *policies = json_object_get(report, "policies"), *policy, *victim;
    int64_t span = number_of(report, "to") - number_of(report, "from");
    size_t i, k;

    printf("%" PRId64 " events of %" PRId64 " h %" PRId64 " min in %" PRId64 " segments\n",
           number_of(report, "events"), span / 3600, span % 3600 / 60,
           number_of(report, "segments"));
    if (json_array_size(policies) == 0)
        printf("nothing would have been stopped\n");
    json_array_foreach(policies, i, policy)
    {
        const json_t *hurt = json_object_get(policy, "hurt");

        printf("\n%s would have stopped %" PRId64 " times (%s, %s)\n", text_of(policy, "policy"),
               number_of(policy, "stops"), text_of(policy, "respond"), text_of(policy, "place"));
        json_array_foreach(hurt, k, victim)
        {
            if (k == 10) {
                printf("  and %zu more; --json has all\n", json_array_size(hurt) - k);
                break;
            }
            printf("  %6" PRId64 "  %s by user %" PRId64 " in %s: %s %s\n",
                   number_of(victim, "count"), text_of(victim, "program"), number_of(victim, "uid"),
                   text_of(victim, "workload")[0] ? text_of(victim, "workload") : "no workload",
                   text_of(victim, "action"), text_of(victim, "resource"));
        }
    }
}

uint64_t rv_simulation_span(const char *text)
{
    static const struct {
        char unit;
        uint64_t seconds;
    } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
    char *end = NULL;
    unsigned long long n = strtoull(text, &end, 10);

    if (end == text || n == 0 || n > 1000000 || end[0] == '\0' || end[1] != '\0')
        return 0;
    for (size_t i = 0; i < RV_COUNT(units); i++) {
        if (units[i].unit == end[0])
            return n * units[i].seconds;
    }
    return 0;
}
