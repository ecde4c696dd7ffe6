/* SPDX-License-Identifier: Apache-2.0 */
#include "simulation.h"

#include "agent/folder.h"
#include "agent/pipeline.h"
#include "agent/rules.h"
#include "base/clock.h"
#include "base/fd.h"
#include "event/segment.h"
#include "judgements.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#define HURT_MAX       1000 /* different victims kept a policy; all are counted */
#define PROGRESS_EVERY 200000U
#define PROCESSES_MAX  32768

/** What a policy would have stopped. */
struct tally {
    uint64_t stops[RV_STOPS_];
    json_t *hurt, *caught; /* victims by key, those of true stops apart; NULL: none yet */
};

struct run {
    const struct rv_simulation *with;
    struct rv_judgements judgements;
    struct rv_bundle *bundle;
    struct rv_rules *rules;
    struct rv_pipeline *pipeline;
    uint32_t *policy_of;   /* by index in the program: place in `rules->policies` */
    struct tally *tallies; /* by policy */
    uint64_t events, segments, from_unix_ns, to_unix_ns;
};

static void run_done(struct run *run)
{
    for (uint32_t i = 0; run->tallies && i < run->rules->policy_count; i++) {
        json_decref(run->tallies[i].hurt);
        json_decref(run->tallies[i].caught);
    }
    free(run->tallies);
    rv_judgements_done(&run->judgements);
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

static const char *workload_of(const struct rv_outcome *outcome)
{
    return outcome->process ? outcome->process->workload->name : "";
}

/** One victim is a program by a user in a workload, doing one kind of action. */
static void count_victim(json_t **victims, const struct rv_outcome *outcome)
{
    const char *workload = workload_of(outcome);
    char key[256];
    json_t *victim;

    if (!*victims)
        *victims = json_object();
    (void)snprintf(key, sizeof(key), "%.*s|%" PRIu32 "|%s|%s", RV_TEXT_ARGS(outcome->program),
                   outcome->event->uid, workload, outcome->action);
    victim = json_object_get(*victims, key);
    if (!victim && json_object_size(*victims) < HURT_MAX) {
        victim = json_pack("{so sI ss ss so sI}", "program", bytes_json(outcome->program), "uid",
                           (json_int_t)outcome->event->uid, "workload", workload, "action",
                           outcome->action, "resource", bytes_json(outcome->resource->id), "count",
                           (json_int_t)0);
        if (json_object_set_new(*victims, key, victim) < 0)
            return;
    }
    if (victim)
        (void)json_object_set_new(
            victim, "count",
            json_integer(json_integer_value(json_object_get(victim, "count")) + 1));
}

static enum rv_stop judge(const struct run *run, const struct rv_outcome *outcome)
{
    RV_AUTO(rv_buf_done) struct rv_buf resource = { 0 };

    rv_uid_print(&resource, outcome->resource);
    return rv_judgements_of(&run->judgements, rv_event_process(outcome->event), outcome->action,
                            rv_buf_span(&resource));
}

static void take(struct run *run, const struct rv_outcome *outcome)
{
    const uint32_t *reasons = outcome->decision.reasons;
    enum rv_stop stop;

    if (!outcome->action || outcome->decision.effect != RV_EFFECT_DENY ||
        (run->with->workload && !rv_streq(run->with->workload, workload_of(outcome))))
        return;
    stop = judge(run, outcome);
    for (uint32_t i = 0; i < outcome->decision.reason_count; i++) {
        uint32_t policy = run->policy_of[reasons[i]];

        if (policy >= run->rules->policy_count ||
            run->rules->policies[policy].response == RV_RESPOND_ALERT ||
            (run->with->only && !rv_streq(run->with->only, run->rules->policies[policy].name)))
            continue;
        run->tallies[policy].stops[stop]++;
        count_victim(stop == RV_STOP_TRUE ? &run->tallies[policy].caught
                                          : &run->tallies[policy].hurt,
                     outcome);
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
    run->tallies = calloc(run->rules->policy_count + 1, sizeof(*run->tallies));
    if (!run->policy_of || !run->tallies)
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
    if (r == 0 && run->with->log)
        r = rv_judgements_read(&run->judgements, run->with->log, run->with->since_unix_ns);
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

/** A row's members for each kind of stop; the false ones are all that nobody calls malicious. */
static json_t *stops_json(const uint64_t stops[RV_STOPS_])
{
    static const char *const names[RV_STOPS_] = {
        [RV_STOP_UNLABELLED] = "unlabelled",
        [RV_STOP_DISPUTED] = "disputed",
        [RV_STOP_FALSE] = "labelled_false",
        [RV_STOP_TRUE] = "labelled_true",
    };
    json_t *object = json_object();
    uint64_t all = 0;

    for (unsigned i = 0; i < RV_STOPS_; i++) {
        all += stops[i];
        json_object_set_new(object, names[i], json_integer((json_int_t)stops[i]));
    }
    json_object_set_new(object, "stops", json_integer((json_int_t)all));
    json_object_set_new(object, "false_stops",
                        json_integer((json_int_t)(all - stops[RV_STOP_TRUE])));
    return object;
}

static json_t *policy_json(const struct rv_rules_policy *policy, const struct tally *tally)
{
    json_t *row = stops_json(tally->stops);

    json_object_set_new(row, "policy", json_string(policy->name));
    json_object_set_new(row, "respond", json_string(rv_response_name(policy->response)));
    json_object_set_new(row, "place", json_string(rv_place_name(policy->place)));
    json_object_set_new(row, "hurt", victims_json(tally->hurt));
    json_object_set_new(row, "caught", victims_json(tally->caught));
    return row;
}

static json_t *labels_json(const struct run *run)
{
    return json_pack("{ss? sI sI sI}", "log", run->with->log, "read",
                     (json_int_t)run->judgements.labels, "own", (json_int_t)run->judgements.own,
                     "beyond", (json_int_t)run->judgements.beyond);
}

static json_t *report_json(const struct run *run)
{
    json_t *policies = json_array(), *report;
    uint64_t sums[RV_STOPS_] = { 0 };

    for (uint32_t i = 0; i < run->rules->policy_count; i++) {
        const struct tally *tally = &run->tallies[i];

        if (!tally->hurt && !tally->caught)
            continue;
        for (unsigned k = 0; k < RV_STOPS_; k++)
            sums[k] += tally->stops[k];
        json_array_append_new(policies, policy_json(&run->rules->policies[i], tally));
    }
    report = stops_json(sums);
    json_object_set_new(report, "events", json_integer((json_int_t)run->events));
    json_object_set_new(report, "segments", json_integer((json_int_t)run->segments));
    json_object_set_new(report, "from",
                        json_integer((json_int_t)(run->from_unix_ns / RV_NS_PER_S)));
    json_object_set_new(report, "to", json_integer((json_int_t)(run->to_unix_ns / RV_NS_PER_S)));
    json_object_set_new(report, "labels", labels_json(run));
    json_object_set_new(report, "policies", policies);
    return report;
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

static void print_victims(const char *title, const json_t *victims)
{
    const json_t *victim;
    size_t i;

    if (json_array_size(victims) > 0)
        printf("  %s:\n", title);
    json_array_foreach(victims, i, victim)
    {
        if (i == 10) {
            printf("  and %zu more; --json has all\n", json_array_size(victims) - i);
            break;
        }
        printf("  %6" PRId64 "  %s by user %" PRId64 " in %s: %s %s\n", number_of(victim, "count"),
               text_of(victim, "program"), number_of(victim, "uid"),
               text_of(victim, "workload")[0] ? text_of(victim, "workload") : "no workload",
               text_of(victim, "action"), text_of(victim, "resource"));
    }
}

static void print_labels(const json_t *labels)
{
    if (!text_of(labels, "log")[0]) {
        printf("no log was found, so nobody's labels are known: every stop counts as false\n");
        return;
    }
    printf("%" PRId64 " labels of decisions since then in %s\n", number_of(labels, "read"),
           text_of(labels, "log"));
    if (number_of(labels, "own") > 0)
        printf("  %" PRId64 " by the user whose action it was: left out\n",
               number_of(labels, "own"));
    if (number_of(labels, "beyond") > 0)
        printf("  %" PRId64 " beyond the %u decisions that one person may call malicious: left "
               "out\n",
               number_of(labels, "beyond"), RV_JUDGEMENTS_TRUE_MAX);
}

void rv_simulation_print(const json_t *report)
{
    const json_t *policies = json_object_get(report, "policies"), *policy;
    int64_t span = number_of(report, "to") - number_of(report, "from");
    size_t i;

    printf("%" PRId64 " events of %" PRId64 " h %" PRId64 " min in %" PRId64 " segments\n",
           number_of(report, "events"), span / 3600, span % 3600 / 60,
           number_of(report, "segments"));
    print_labels(json_object_get(report, "labels"));
    if (json_array_size(policies) == 0)
        printf("nothing would have been stopped\n");
    json_array_foreach(policies, i, policy)
    {
        printf("\n%s would have stopped %" PRId64 " times (%s, %s): %" PRId64
               " labelled malicious, %" PRId64 " benign, %" PRId64 " both, %" PRId64
               " unlabelled\n",
               text_of(policy, "policy"), number_of(policy, "stops"), text_of(policy, "respond"),
               text_of(policy, "place"), number_of(policy, "labelled_true"),
               number_of(policy, "labelled_false"), number_of(policy, "disputed"),
               number_of(policy, "unlabelled"));
        print_victims("hurt, unless somebody knows better", json_object_get(policy, "hurt"));
        print_victims("rightly stopped", json_object_get(policy, "caught"));
    }
    if (json_array_size(policies) > 0)
        printf("\n%" PRId64 " of %" PRId64 " stops count as false: all that were not labelled "
               "malicious, or labelled both\n",
               number_of(report, "false_stops"), number_of(report, "stops"));
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
