/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reeve replay: recorded events through the same judge. Its clock is the events' own, so the output
 * is the same on every run, machine and build type.
 */
#include "command.h"
#include "view.h"

#include "agent/filter.h"
#include "agent/folder.h"
#include "agent/pipeline.h"
#include "base/options.h"
#include "event/segment.h"

#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

static bool help, json, denied, all, ocsf, quiet;
static const char *policy_path, *program, *model_path, *shadow_path;
static uint64_t risk_min, risk_report;
static struct rv_option_list actions;

static const struct rv_option options[] = {
    { RV_OPTION_STRING, 'P', "policy", "DIR", "policy bundle; without it the shipped baseline",
      &policy_path, 0, 0 },
    { RV_OPTION_STRING, 'm', "model", "FILE", "package that scores (default: the built-in model)",
      &model_path, 0, 0 },
    { RV_OPTION_STRING, 0, "shadow", "FILE", "package to score beside it, and count disagreement",
      &shadow_path, 0, 0 },
    { RV_OPTION_FLAG, 0, "all", NULL, "every event, not only what matters", &all, 0, 0 },
    { RV_OPTION_LIST, 'a', "action", "NAME", "only this action or group", &actions, 0, 0 },
    { RV_OPTION_STRING, 'p', "program", "PATH",
      "only this program; a * at the end: paths that begin so", &program, 0, 0 },
    { RV_OPTION_U64, 'r', "min-risk", "N", "only verdicts of at least this risk", &risk_min, 0,
      1000 },
    { RV_OPTION_FLAG, 'd', "denied", NULL, "only what a policy forbids", &denied, 0, 0 },
    { RV_OPTION_U64, 0, "risk-report", "N", "risk that matters without a policy (400)",
      &risk_report, 1, 1000 },
    { RV_OPTION_FLAG, 'j', "json", NULL, "one outcome a line, as JSON, every event", &json, 0, 0 },
    { RV_OPTION_FLAG, 0, "ocsf", NULL, "one event a line, as OCSF", &ocsf, 0, 0 },
    { RV_OPTION_FLAG, 'q', "quiet", NULL, "only the counts at the end", &quiet, 0, 0 },
    { RV_OPTION_FLAG, 'h', "help", NULL, "this text", &help, 0, 0 },
    { 0 },
};

struct replay {
    struct rv_pipeline *pipeline;
    struct rv_filter *filter;
    struct rv_view view;
    struct rv_buf line;
    int64_t unix_offset_ns;
    uint64_t events, mattered;
};

static int write_line(struct replay *replay)
{
    rv_buf_add_char(&replay->line, '\n');
    if (replay->line.failed)
        return -ENOMEM;
    return fwrite(replay->line.data, 1, replay->line.len, stdout) == replay->line.len ? 0 : -EPIPE;
}

static int show_for_people(struct replay *replay, const struct rv_outcome *outcome)
{
    RV_AUTO(rv_json_freep) json_t *object = NULL;

    rv_outcome_json(&replay->line, replay->pipeline, outcome, 0);
    if (rv_json_parse(rv_buf_span(&replay->line), &object, NULL) < 0)
        return -ENOMEM;
    rv_view_outcome(&replay->view, object, 0);
    return 0;
}

static int show(struct replay *replay, const struct rv_outcome *outcome)
{
    if (quiet || !rv_filter_passes(replay->filter, outcome))
        return 0;
    rv_buf_clear(&replay->line);
    if (ocsf) {
        rv_event_ocsf(&replay->line, outcome->event, replay->unix_offset_ns);
        return write_line(replay);
    }
    if (json) {
        rv_outcome_json(&replay->line, replay->pipeline, outcome, 0);
        return write_line(replay);
    }
    return all || outcome->matters ? show_for_people(replay, outcome) : 0;
}

static int replay_file(struct replay *replay, const char *path)
{
    RV_AUTO(rv_segment_reader_free) struct rv_segment_reader *reader = NULL;
    enum rv_segment_end end = RV_SEGMENT_TORN;
    const struct rv_event *event;
    struct rv_segment_head head;
    struct rv_outcome outcome;
    int r = rv_segment_open(&reader, AT_FDCWD, path, &head);

    if (r < 0) {
        fprintf(stderr, "%s: %s\n", path,
                r == -EBADMSG           ? "not a recording of reeve, or its head is damaged"
                : r == -EPROTONOSUPPORT ? "recorded by another version of reeve"
                                        : strerror(-r));
        return r;
    }
    replay->unix_offset_ns = (int64_t)head.unix_offset_ns;
    rv_pipeline_set_clock(replay->pipeline, replay->unix_offset_ns);
    for (;;) {
        r = rv_segment_next(reader, &event, &end);
        if (r < 0) {
            fprintf(stderr, "%s: %s\n", path, rv_segment_error(reader));
            return r;
        }
        if (!event)
            break;
        rv_pipeline_put(replay->pipeline, event, &outcome);
        replay->events++;
        replay->mattered += outcome.matters;
        r = show(replay, &outcome);
        if (r < 0)
            return r;
    }
    if (end == RV_SEGMENT_TORN)
        fprintf(stderr, "%s: the last event is cut off; everything before it was read\n", path);
    return 0;
}

/** @return 0, also for no path; -errno, said. */
static int open_package(const char *path, struct rv_package **ret_package)
{
    const char *why = NULL;
    int r = path ? rv_package_open_file(AT_FDCWD, path, ret_package, &why) : 0;

    if (r == 0 && path)
        r = rv_models_check(*ret_package, &why);
    if (r < 0)
        fprintf(stderr, "%s: %s\n", path, why ? why : strerror(-r));
    return r;
}

/** How often the shadow disagreed, and whether the model would have stepped down. */
static void report_models(struct replay *replay)
{
    RV_AUTO(rv_json_freep)
    json_t *models = rv_models_json(rv_pipeline_models(replay->pipeline), RV_MODELS_BRIEF);
    RV_AUTO(rv_json_freep)
    json_t *change = rv_models_take_change(rv_pipeline_models(replay->pipeline));
    const json_t *agreement = json_object_get(models, "agreement");

    if (agreement)
        fprintf(stderr,
                "alarms: both %" JSON_INTEGER_FORMAT ", only the live model %" JSON_INTEGER_FORMAT
                ", only the shadow %" JSON_INTEGER_FORMAT ", neither %" JSON_INTEGER_FORMAT "\n",
                json_integer_value(json_object_get(agreement, "both")),
                json_integer_value(json_object_get(agreement, "live_only")),
                json_integer_value(json_object_get(agreement, "shadow_only")),
                json_integer_value(json_object_get(agreement, "neither")));
    if (change)
        fprintf(stderr, "the model stepped down: its promise is broken or it drifted\n");
}

static int replay_files(struct replay *replay, char **paths, int count,
                        const struct rv_bundle *policy)
{
    RV_AUTO(rv_package_free) struct rv_package *model = NULL;
    RV_AUTO(rv_package_free) struct rv_package *shadow = NULL;
    struct rv_pipeline_options pipeline = {
        .program = policy->program,
        .entities = policy->entities,
        .policy_digest = policy->digest,
        .risk_min = risk_report ? (uint32_t)risk_report : 400,
        .mode = "observe",
        .learning = RV_LEARN_ON,
    };
    struct rv_filter_options filter = {
        .actions = actions.items,
        .action_count = actions.count,
        .program = program,
        .risk_min = risk_min,
        .decisions = denied ? RV_FILTER_DENIED_ONLY : RV_FILTER_ALL,
    };
    int r = open_package(model_path, &model);

    if (r == 0)
        r = open_package(shadow_path, &shadow);
    pipeline.model = model;
    pipeline.shadow = shadow;
    if (r == 0)
        r = rv_pipeline_new(&replay->pipeline, &pipeline);
    if (r == 0)
        r = rv_filter_new(&replay->filter, &filter);
    for (int i = 0; r == 0 && i < count; i++)
        r = replay_file(replay, paths[i]);
    if (r == 0 && !json && !ocsf)
        fprintf(stderr, "%" PRIu64 " events, %" PRIu64 " that matter\n", replay->events,
                replay->mattered);
    if (r == 0 && !json && !ocsf)
        report_models(replay);
    return r;
}

int cmd_replay(int argc, char **argv)
{
    struct replay replay = { .view = rv_view_stdout() };
    RV_AUTO(rv_bundle_free) struct rv_bundle *policy = NULL;
    RV_AUTO(rv_buf_done) struct rv_buf why = { 0 };
    int operands, r;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help || operands == 0) {
        fprintf(help ? stdout : stderr,
                "usage: reeve replay FILE... [OPTION...]\n\n"
                "Runs recorded events through the judge and says what it would have said.\n\n");
        rv_options_help(options, help ? stdout : stderr);
        return help ? RV_EXIT_YES : RV_EXIT_ERROR;
    }
    r = rv_bundle_open_folder(&policy, policy_path, &why);
    if (r < 0)
        fprintf(stderr, "%s\n", why.data);
    else
        r = replay_files(&replay, argv + 1, operands, policy);
    rv_pipeline_free(&replay.pipeline);
    rv_filter_free(&replay.filter);
    rv_buf_done(&replay.line);
    free(actions.items);
    return r < 0 && r != -EPIPE ? RV_EXIT_ERROR : RV_EXIT_YES;
}
