/* SPDX-License-Identifier: Apache-2.0 */
/* reeve policy diff: what two bundles decide differently, of the requests in their *.tests.json
 * and of recorded events. */
#include "load.h"

#include "agent/folder.h"
#include "agent/pipeline.h"
#include "event/segment.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>

struct side {
    const char *folder;
    struct rv_bundle *bundle;
    struct rv_evaluator *evaluator;
    struct rv_pipeline *pipeline; /* with a recording */
};

struct diff {
    struct side sides[2];
    json_t *seen;        /* requests that were compared: both bundles often keep the same */
    json_t *differences; /* see add_difference() */
    uint64_t requests, events;
};

static void diff_done(struct diff *diff)
{
    for (size_t i = 0; i < RV_COUNT(diff->sides); i++) {
        rv_pipeline_free(&diff->sides[i].pipeline);
        rv_evaluator_free(&diff->sides[i].evaluator);
        rv_bundle_free(&diff->sides[i].bundle);
    }
    json_decref(diff->seen);
    json_decref(diff->differences);
}

/* ---- Decisions ---- */

/** @return {"decision", "reasons"}, or NULL without memory. */
static json_t *decision_json(const struct rv_program *program,
                             const struct rv_policy_decision *decision)
{
    json_t *reasons = json_array();

    for (uint32_t i = 0; i < decision->reason_count; i++) {
        struct rv_text id = rv_program_policy(program, decision->reasons[i])->id;

        if (json_array_append_new(reasons, json_stringn(id.data, id.len)) < 0) {
            json_decref(reasons);
            return NULL;
        }
    }
    return json_pack("{s:s, s:o}", "decision",
                     decision->effect == RV_EFFECT_ALLOW ? "allow" : "deny", "reasons", reasons);
}

static const char *word(const json_t *decision)
{
    return json_string_value(json_object_get(decision, "decision"));
}

/** Takes over `a` and `b`; keeps them with where they are from when they differ. */
static int add_difference(struct diff *diff, const char *file, uint64_t number, const char *what,
                          json_t *a, json_t *b)
{
    json_t *item;

    if (!a || !b || rv_streq(word(a), word(b))) {
        bool failed = !a || !b;

        json_decref(a);
        json_decref(b);
        return failed ? -ENOMEM : 0;
    }
    item = json_pack("{s:s, s:I, s:s, s:o, s:o}", "file", file, "number", (json_int_t)number,
                     "what", what, "a", a, "b", b);
    return item && json_array_append_new(diff->differences, item) == 0 ? 0 : -ENOMEM;
}

/* ---- Requests of tests ---- */

/** What one bundle makes of a case; what its schema refuses is "invalid". */
static json_t *decide(const struct side *side, const json_t *value)
{
    RV_AUTO(policy_request_done) struct policy_request request = { 0 };
    RV_AUTO(rv_entities_free) struct rv_entities *own = NULL;
    const struct rv_schema *schema = side->bundle->schema;
    const json_t *entities = json_object_get(value, "entities");
    enum rv_validity validity = RV_VALID;
    struct rv_policy_decision decision;
    int r = 0;

    if (entities)
        r = policy_make_entities("entities of the case", entities, schema, &own, NULL);
    if (r == 0)
        r = policy_read_request(&request, value, schema, NULL);
    if (r == 0 && schema)
        r = rv_validate_request(schema, &request.request, NULL, &validity);
    if (r == -ENOMEM)
        return NULL;
    if (r < 0 || validity != RV_VALID)
        return json_pack("{s:s, s:[]}", "decision", "invalid", "reasons");
    rv_evaluate(side->evaluator, own ? own : side->bundle->entities, &request.request, &decision);
    return decision_json(side->bundle->program, &decision);
}

/** Remember what a case asks. @return 1 when it was asked before; 0; -ENOMEM. */
static int see(struct diff *diff, const json_t *value)
{
    static const char *const members[] = { "principal", "action", "resource", "context",
                                           "entities" };
    RV_AUTO(rv_json_freep) json_t *asked = json_object();
    RV_AUTO(rv_buf_done) struct rv_buf key = { 0 };
    int r = asked ? 0 : -ENOMEM;

    for (size_t i = 0; r == 0 && i < RV_COUNT(members); i++) {
        json_t *member = json_object_get(value, members[i]);

        if (member && json_object_set(asked, members[i], member) < 0)
            r = -ENOMEM;
    }
    if (r == 0)
        r = rv_json_canonical(&key, asked);
    rv_buf_add_char(&key, '\0');
    if (r < 0 || key.failed)
        return r < 0 ? r : -ENOMEM;
    if (json_object_get(diff->seen, key.data))
        return 1;
    return json_object_set_new(diff->seen, key.data, json_true()) < 0 ? -ENOMEM : 0;
}

static int compare_file(struct diff *diff, const char *path)
{
    RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
    RV_AUTO(rv_json_freep) json_t *cases = NULL;
    int r = policy_read_json_file(path, &cases, &diags);

    policy_show(&diags);
    if (r == 0 && !json_is_array(cases)) {
        fprintf(stderr, "reeve: %s must be an array of cases\n", path);
        r = -EINVAL;
    }
    for (size_t i = 0; r >= 0 && i < json_array_size(cases); i++) {
        const json_t *value = json_array_get(cases, i);
        const char *name = json_string_value(json_object_get(value, "name"));

        r = see(diff, value);
        if (r != 0)
            continue;
        diff->requests++;
        r = add_difference(diff, path, i + 1, name ? name : "a case without a name",
                           decide(&diff->sides[0], value), decide(&diff->sides[1], value));
    }
    return r < 0 ? r : 0;
}

static int is_tests_file(const struct dirent *entry)
{
    const char *end = strstr(entry->d_name, "tests.json");

    return end && rv_streq(end, "tests.json") && (end == entry->d_name || end[-1] == '.');
}

static int compare_tests(struct diff *diff, const char *folder)
{
    struct dirent **names = NULL;
    int count = scandir(folder, &names, is_tests_file, alphasort), r = 0;

    if (count < 0)
        return -errno;
    for (int i = 0; i < count; i++) {
        RV_AUTO(rv_buf_done) struct rv_buf path = { 0 };

        rv_buf_addf(&path, "%s/%s", folder, names[i]->d_name);
        if (r == 0)
            r = path.failed ? -ENOMEM : compare_file(diff, path.data);
        free(names[i]);
    }
    free(names);
    return r;
}

/* ---- Recorded events ---- */
static int compare_event(struct diff *diff, const char *path, uint64_t number,
                         const struct rv_event *event)
{
    struct rv_outcome a, b;
    RV_AUTO(rv_buf_done) struct rv_buf what = { 0 };

    rv_pipeline_put(diff->sides[0].pipeline, event, &a);
    rv_pipeline_put(diff->sides[1].pipeline, event, &b);
    if (!a.action || !b.action || a.decision.effect == b.decision.effect)
        return 0;
    rv_buf_addf(&what, "%.*s: %s %.*s", RV_TEXT_ARGS(a.program), a.action,
                RV_TEXT_ARGS(a.resource->id));
    if (what.failed)
        return -ENOMEM;
    return add_difference(diff, path, number, what.data,
                          decision_json(diff->sides[0].bundle->program, &a.decision),
                          decision_json(diff->sides[1].bundle->program, &b.decision));
}

static int start_pipeline(struct side *side, const struct rv_segment_head *head)
{
    struct rv_pipeline_options options = {
        .program = side->bundle->program,
        .entities = side->bundle->entities,
        .policy_digest = side->bundle->digest,
        .risk_min = 400,
        .mode = "observe",
        .learning = RV_LEARN_ON,
        .unix_offset_ns = (int64_t)head->unix_offset_ns,
    };

    return rv_pipeline_new(&side->pipeline, &options);
}

static int compare_recording(struct diff *diff, const char *path)
{
    RV_AUTO(rv_segment_reader_free) struct rv_segment_reader *reader = NULL;
    enum rv_segment_end end = RV_SEGMENT_TORN;
    const struct rv_event *event = NULL;
    struct rv_segment_head head;
    int r = rv_segment_open(&reader, AT_FDCWD, path, &head);

    if (r < 0) {
        fprintf(stderr, "reeve: %s cannot be read as a recording of reeve: %s\n", path,
                strerror(-r));
        return r;
    }
    for (size_t i = 0; r == 0 && i < RV_COUNT(diff->sides); i++)
        r = start_pipeline(&diff->sides[i], &head);
    while (r == 0) {
        r = rv_segment_next(reader, &event, &end);
        if (r < 0)
            fprintf(stderr, "reeve: %s: %s\n", path, rv_segment_error(reader));
        if (r < 0 || !event)
            break;
        r = compare_event(diff, path, ++diff->events, event);
    }
    if (r == 0 && end == RV_SEGMENT_TORN)
        fprintf(stderr, "reeve: %s: the last event is cut off; all before it were compared\n",
                path);
    return r < 0 ? r : 0;
}

/* ---- The command ---- */
static int open_side(struct side *side, const char *folder)
{
    RV_AUTO(rv_buf_done) struct rv_buf why = { 0 };
    int r = rv_bundle_open_folder(&side->bundle, folder, &why);

    side->folder = folder;
    if (r < 0) {
        fprintf(stderr, "%s\n", why.data ? why.data : strerror(-r));
        return r;
    }
    return rv_evaluator_new(&side->evaluator, side->bundle->program);
}

static int compare(struct diff *diff, char **folders, const char *recording)
{
    int r = 0;

    diff->seen = json_object();
    diff->differences = json_array();
    if (!diff->seen || !diff->differences)
        return -ENOMEM;
    for (size_t i = 0; r == 0 && i < RV_COUNT(diff->sides); i++)
        r = open_side(&diff->sides[i], folders[i]);
    for (size_t i = 0; r == 0 && i < RV_COUNT(diff->sides); i++)
        r = compare_tests(diff, folders[i]);
    if (r == 0 && recording)
        r = compare_recording(diff, recording);
    return r;
}

static void print_side(const struct side *side, const json_t *decision)
{
    const json_t *reasons = json_object_get(decision, "reasons");

    printf("  %s: %s", side->folder, word(decision));
    for (size_t i = 0; i < json_array_size(reasons); i++)
        printf("%s%s", i > 0 ? ", " : " because of ",
               json_string_value(json_array_get(reasons, i)));
    printf("\n");
}

static void print_text(const struct diff *diff)
{
    for (size_t i = 0; i < json_array_size(diff->differences); i++) {
        const json_t *item = json_array_get(diff->differences, i);

        printf("%s (%s, number %" JSON_INTEGER_FORMAT ")\n",
               json_string_value(json_object_get(item, "what")),
               json_string_value(json_object_get(item, "file")),
               json_integer_value(json_object_get(item, "number")));
        print_side(&diff->sides[0], json_object_get(item, "a"));
        print_side(&diff->sides[1], json_object_get(item, "b"));
    }
    printf("%" PRIu64 " requests and %" PRIu64 " events compared, %zu decided differently\n",
           diff->requests, diff->events, json_array_size(diff->differences));
}

static int print_json(const struct diff *diff)
{
    RV_AUTO(rv_json_freep)
    json_t *all = json_pack("{s:I, s:I, s:O}", "requests", (json_int_t)diff->requests, "events",
                            (json_int_t)diff->events, "differences", diff->differences);

    if (!all || json_dumpf(all, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER) < 0)
        return -ENOMEM;
    printf("\n");
    return 0;
}

int cmd_policy_diff(int argc, char **argv)
{
    RV_AUTO(diff_done) struct diff diff = { 0 };
    const char *recording = NULL;
    bool help = false, json = false;
    const struct rv_option options[] = {
        { RV_OPTION_STRING, 'r', "recording", "FILE", "compare the events of a recording too",
          &recording, 0, 0 },
        { RV_OPTION_FLAG, 'j', "json", NULL, "print JSON", &json, 0, 0 },
        { RV_OPTION_FLAG, 'h', "help", NULL, "say this", &help, 0, 0 },
        { 0 },
    };
    int operands, r;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help) {
        policy_help("diff", "A B",
                    "Say what bundle B decides differently from bundle A, of the requests in the "
                    "*.tests.json of both",
                    options);
        return RV_EXIT_YES;
    }
    if (operands != 2) {
        fprintf(stderr, "reeve: name the folders of two bundles\n");
        return RV_EXIT_ERROR;
    }
    r = compare(&diff, argv + 1, recording);
    if (r == 0 && json)
        r = print_json(&diff);
    else if (r == 0)
        print_text(&diff);
    if (r < 0) {
        fprintf(stderr, "reeve: %s and %s cannot be compared: %s\n", argv[1], argv[2],
                strerror(-r));
        return RV_EXIT_ERROR;
    }
    return json_array_size(diff.differences) > 0 ? RV_EXIT_NO : RV_EXIT_YES;
}
