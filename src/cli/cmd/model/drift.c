/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reeve model drift: has what a host does moved away from what a model was made for? Both sides are
 * recordings of events, or profiles that an earlier run saved; recordings are read from a fresh
 * start each, so that the two sides know equally little. With --agent: what the agent itself
 * watches.
 */
#include "package.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/options.h"
#include "client.h"
#include "command.h"
#include "event/segment.h"
#include "features/features.h"
#include "features/table.h"
#include "models/baseline.h"
#include "models/drift.h"

#include <fcntl.h>

#define PROFILE_FILE_MAX ((size_t)4 * 1024 * 1024)
#define FEATURES_TOLD    5

static int refuse(const char *path, const char *why)
{
    fprintf(stderr, "reeve: %s: %s\n", path, why);
    return -EINVAL;
}

static int add_recording(struct rv_profile *profile, const struct rv_model *model,
                         struct rv_segment_reader *reader, const struct rv_segment_head *head)
{
    RV_AUTO(rv_features_free) struct rv_features *features = NULL;
    struct rv_features_options options = { .unix_offset_ns = (int64_t)head->unix_offset_ns };
    const struct rv_event *event = NULL;
    enum rv_segment_end end;
    int r = rv_features_new(&features, &options);

    while (r == 0) {
        struct rv_features_change change;
        struct rv_vector vector;

        r = rv_segment_next(reader, &event, &end);
        if (r < 0 || !event)
            return r;
        rv_features_update(features, event, &change);
        if (!change.process || change.due != RV_SCORE_DUE)
            continue;
        rv_features_vector(features, change.process, &vector);
        rv_profile_add(profile, &vector, rv_model_score_q16(model, &vector));
    }
    return r;
}

static int add_profile(struct rv_profile *profile, const char *path)
{
    RV_AUTO(rv_freep) char *bytes = NULL;
    RV_AUTO(rv_freep) struct rv_profile *more = calloc(1, sizeof(*more));
    const char *why = "cannot be read";
    size_t len = 0;
    int r = more ? rv_read_file(AT_FDCWD, path, PROFILE_FILE_MAX, &bytes, &len) : -ENOMEM;

    if (r == 0)
        r = rv_profile_load(more, rv_span(bytes, len), &why);
    if (r < 0)
        return refuse(path, why);
    rv_profile_merge(profile, more);
    return 0;
}

static int add_file(struct rv_profile *profile, const struct rv_model *model, const char *path)
{
    struct rv_segment_reader *reader = NULL;
    struct rv_segment_head head;
    int r = rv_segment_open(&reader, AT_FDCWD, path, &head);

    if (r == -EBADMSG)
        return add_profile(profile, path);
    if (r < 0)
        return refuse(path, strerror(-r));
    r = add_recording(profile, model, reader, &head);
    if (r < 0)
        refuse(path, r == -EBADMSG ? rv_segment_error(reader) : strerror(-r));
    rv_segment_reader_free(&reader);
    return r;
}

static int add_files(struct rv_profile *profile, const struct rv_model *model,
                     const struct rv_option_list *files)
{
    for (size_t i = 0; i < files->count; i++) {
        int r = add_file(profile, model, files->items[i]);

        if (r < 0)
            return r;
    }
    return 0;
}

static struct rv_model *open_model(const char *path)
{
    struct rv_model *model = NULL;
    struct rv_package *package;
    const char *why = "out of memory";

    if (!path) {
        if (rv_baseline_new(&model) < 0)
            fprintf(stderr, "reeve: out of memory\n");
        return model;
    }
    package = model_open_package(path);
    if (package && rv_forest_model_open(package, &model, &why) < 0)
        refuse(path, why);
    rv_package_free(&package);
    return model;
}

static json_t *distance_json(const struct rv_distance *distance)
{
    return json_pack("{s:f, s:f, s:f}", "psi", distance->psi, "ks", distance->ks, "js",
                     distance->js);
}

static void print_report(const struct rv_drift_report *report, bool json)
{
    RV_AUTO(rv_buf_done) struct rv_buf words = { 0 };
    json_t *features, *object;

    rv_drift_words(report, FEATURES_TOLD, &words);
    if (!json) {
        printf("%s\n", words.data ? words.data : "");
        return;
    }
    features = json_object();
    for (size_t i = 0; i < RV_FEATURE_COUNT; i++)
        json_object_set_new(features, rv_feature_info(i)->name,
                            distance_json(&report->distance[i]));
    object = json_pack(
        "{s:s, s:b, s:o, s:I, s:I, s:o, s:s}", "light", rv_light_name(report->light), "enough",
        report->enough, "score", distance_json(&report->distance[RV_DRIFT_SCORE]), "red_features",
        (json_int_t)report->red_features, "amber_features", (json_int_t)report->amber_features,
        "features", features, "words", words.data ? words.data : "");
    model_print_json(object);
}

static int save(const struct rv_profile *profile, const char *path)
{
    RV_AUTO(rv_buf_done) struct rv_buf bytes = { 0 };
    int r;

    rv_profile_save(profile, &bytes);
    r = bytes.failed ? -ENOMEM : rv_write_file_atomic(AT_FDCWD, path, bytes.data, bytes.len, 0640);
    return r < 0 ? refuse(path, strerror(-r)) : 0;
}

struct sides {
    struct rv_profile reference, now;
};

static int run(const char *model_path, const struct rv_option_list *reference,
               const struct rv_option_list *now, const char *save_path, bool json)
{
    RV_AUTO(rv_model_free) struct rv_model *model = open_model(model_path);
    RV_AUTO(rv_freep) struct sides *sides = calloc(1, sizeof(*sides));
    struct rv_drift drift = { .light = RV_LIGHT_GREEN };
    struct rv_drift_report report;

    if (!model || !sides || add_files(&sides->reference, model, reference) < 0 ||
        add_files(&sides->now, model, now) < 0)
        return RV_EXIT_ERROR;
    if (save_path && save(&sides->now, save_path) < 0)
        return RV_EXIT_ERROR;
    if (reference->count == 0) {
        if (!json)
            printf("%llu rows profiled\n", (unsigned long long)sides->now.rows);
        return RV_EXIT_YES;
    }
    rv_drift_evaluate(&drift, &sides->reference, &sides->now, &report);
    print_report(&report, json);
    if (!report.enough)
        return RV_EXIT_ERROR;
    return report.light == RV_LIGHT_RED ? RV_EXIT_NO : RV_EXIT_YES;
}

/* ---- What the agent says of its own models ---- */

static void print_standing(const char *role, const json_t *model)
{
    const json_t *drift = json_object_get(model, "drift");
    const json_t *promise = json_object_get(model, "promise");
    const char *name = json_string_value(json_object_get(model, "name"));
    const char *light = json_string_value(json_object_get(drift, "light"));
    const char *words = json_string_value(json_object_get(drift, "words"));
    const char *sentence = json_string_value(json_object_get(promise, "sentence"));

    if (!model)
        return;
    printf("%s %s: %s. %s\n", role, name ? name : "", light ? light : "", words ? words : "");
    printf("  %s\n", sentence ? sentence : "");
}

static int ask_agent(const char *socket_path, bool json)
{
    RV_AUTO(rv_client_free) struct rv_client *client = NULL;
    RV_AUTO(rv_json_freep) json_t *request = json_pack("{ss}", "request", "model");
    RV_AUTO(rv_json_freep) json_t *answer = NULL;
    const json_t *live;
    const char *text = NULL, *light;

    if (!request || rv_client_open(&client, socket_path, request) < 0)
        return RV_EXIT_ERROR;
    if (rv_client_next(client, &answer, &text) < 0) {
        fprintf(stderr, "reeve: the agent ended before it answered\n");
        return RV_EXIT_ERROR;
    }
    live = json_object_get(answer, "live");
    if (json) {
        puts(text);
    } else {
        print_standing("model", live);
        print_standing("shadow", json_object_get(answer, "shadow"));
    }
    light = json_string_value(json_object_get(json_object_get(live, "drift"), "light"));
    return light && rv_streq(light, "red") ? RV_EXIT_NO : RV_EXIT_YES;
}

int cmd_model_drift(int argc, char **argv)
{
    bool json = false, help = false, agent = false;
    const char *model = NULL, *save_path = NULL, *socket_path = NULL;
    struct rv_option_list reference = { 0 }, now = { 0 };
    const struct rv_option options[] = {
        { RV_OPTION_STRING, 'm', "model", "MODEL",
          "whose score to watch (default: the built-in one)", &model, 0, 0 },
        { RV_OPTION_LIST, 'r', "reference", "FILE", "recording or profile of how it was",
          &reference, 0, 0 },
        { RV_OPTION_LIST, 'n', "now", "FILE", "recording or profile of how it is", &now, 0, 0 },
        { RV_OPTION_STRING, 'o', "save", "FILE", "save the profile of how it is", &save_path, 0,
          0 },
        { RV_OPTION_FLAG, 'a', "agent", NULL, "ask the agent how its models stand", &agent, 0, 0 },
        { RV_OPTION_STRING, 's', "socket", "PATH", "the agent's control socket", &socket_path, 0,
          0 },
        { RV_OPTION_FLAG, 0, "json", NULL, "print one JSON object", &json, 0, 0 },
        { RV_OPTION_FLAG, 'h', "help", NULL, "print this help", &help, 0, 0 },
        { RV_OPTION_END, 0, NULL, NULL, NULL, NULL, 0, 0 },
    };
    int operands = 0, status = RV_EXIT_ERROR;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) == 0) {
        bool wrong =
            operands != 0 || (!agent && (now.count == 0 || (reference.count == 0 && !save_path)));

        if (help || wrong) {
            fprintf(help ? stdout : stderr,
                    "usage: reeve model drift --reference FILE... --now FILE... [--model MODEL]\n"
                    "       reeve model drift --now FILE... --save PROFILE\n"
                    "       reeve model drift --agent [--socket PATH]\n");
            rv_options_help(options, help ? stdout : stderr);
            status = help ? RV_EXIT_YES : RV_EXIT_ERROR;
        } else {
            status = agent ? ask_agent(socket_path, json)
                           : run(model, &reference, &now, save_path, json);
        }
    }
    free(reference.items);
    free(now.items);
    return status;
}
