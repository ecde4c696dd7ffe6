/* SPDX-License-Identifier: Apache-2.0 */
/* reeve policy test: cases that are kept beside policies, in `*.tests.json`:
 *
 *   [{"name": "staff may read", "principal": "User::\"ann\"", "action": "Action::\"read\"",
 *     "resource": "File::\"a\"", "context": {}, "entities": [...],
 *     "decision": "allow", "reasons": ["policy0"]}]
 *
 * `context`, `entities` (which stand in for the folder's entities.json) and `reasons` may be left
 * out. A case that the schema refuses fails, unless it expects "decision": "invalid". */
#include "load.h"

#include <dirent.h>
#include <sys/stat.h>

struct suite {
    struct rv_schema *schema;
    struct rv_policy_set set;
    struct rv_entities *entities;
    struct rv_program *program;
    struct rv_evaluator *evaluator;
    struct rv_diags diags;
    size_t passed, failed;
    bool quiet;
};

static void suite_done(struct suite *suite)
{
    rv_evaluator_free(&suite->evaluator);
    rv_program_free(&suite->program);
    rv_entities_free(&suite->entities);
    rv_policy_set_done(&suite->set);
    rv_schema_free(&suite->schema);
    rv_diags_done(&suite->diags);
}

/* ---- One case ---- */
static bool has_text(const json_t *list, struct rv_text text)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);

        if (json_is_string(item) &&
            rv_text_eq(rv_text(json_string_value(item), json_string_length(item)), text))
            return true;
    }
    return false;
}

static void add_reasons(const struct suite *suite, const struct rv_policy_decision *decision,
                        struct rv_buf *why)
{
    for (uint32_t i = 0; i < decision->reason_count; i++)
        rv_buf_addf(why, "%s%.*s", i > 0 ? ", " : " because of ",
                    RV_TEXT_ARGS(rv_program_policy(suite->program, decision->reasons[i])->id));
    for (uint32_t i = 0; i < decision->error_count; i++) {
        rv_buf_addf(
            why, "; %.*s could not be evaluated: ",
            RV_TEXT_ARGS(rv_program_policy(suite->program, decision->errors[i].policy)->id));
        rv_eval_error_print(why, &decision->errors[i]);
    }
}

static bool reasons_fit(const struct suite *suite, const struct rv_policy_decision *decision,
                        const json_t *wanted)
{
    if (!wanted)
        return true;
    if (json_array_size(wanted) != decision->reason_count)
        return false;
    for (uint32_t i = 0; i < decision->reason_count; i++) {
        if (!has_text(wanted, rv_program_policy(suite->program, decision->reasons[i])->id))
            return false;
    }
    return true;
}

static void last_message(const struct rv_diags *diags, struct rv_buf *why)
{
    if (diags->count > 0)
        rv_buf_addf(why, ": %s", diags->items[diags->count - 1].message);
}

/** @return what the case came to: "allow", "deny" or "invalid"; NULL when it cannot be run. */
static const char *decide(struct suite *suite, const json_t *value, bool *ret_fit,
                          struct rv_buf *why)
{
    RV_AUTO(policy_request_done) struct policy_request request = { 0 };
    RV_AUTO(rv_entities_free) struct rv_entities *own = NULL;
    RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
    const json_t *entities = json_object_get(value, "entities");
    enum rv_validity validity = RV_VALID;
    struct rv_policy_decision decision;

    *ret_fit = true;
    if (entities &&
        policy_make_entities("entities of the case", entities, suite->schema, &own, &diags) < 0) {
        last_message(&diags, why);
        return NULL;
    }
    if (policy_read_request(&request, value, suite->schema, &diags) < 0 ||
        (suite->schema &&
         rv_validate_request(suite->schema, &request.request, &diags, &validity) < 0) ||
        validity != RV_VALID) {
        last_message(&diags, why);
        return "invalid";
    }
    rv_evaluate(suite->evaluator, own ? own : suite->entities, &request.request, &decision);
    *ret_fit = reasons_fit(suite, &decision, json_object_get(value, "reasons"));
    add_reasons(suite, &decision, why);
    return decision.effect == RV_EFFECT_ALLOW ? "allow" : "deny";
}

static void run_case(struct suite *suite, const char *path, size_t at, const json_t *value)
{
    const char *name = json_string_value(json_object_get(value, "name"));
    const char *wanted = json_string_value(json_object_get(value, "decision")), *got;
    RV_AUTO(rv_buf_done) struct rv_buf why = { 0 };
    bool fit;

    got = decide(suite, value, &fit, &why);
    if (wanted && got && rv_streq(wanted, got) && fit) {
        suite->passed++;
        if (!suite->quiet)
            printf("ok      %s\n", name ? name : "(a case without a name)");
        return;
    }
    suite->failed++;
    printf("FAILED  %s (%s, case %zu): wanted %s, got %s%s%s\n",
           name ? name : "a case without a name", path, at + 1, wanted ? wanted : "no decision",
           got ? got : "nothing", why.data ? why.data : "", fit ? "" : ": not these reasons");
}

/* ---- Folders ---- */
static bool ends_in(const char *path, const char *end)
{
    size_t len = strlen(path), end_len = strlen(end);

    return len >= end_len && rv_streq(path + len - end_len, end);
}

static int is_tests_file(const struct dirent *entry)
{
    return ends_in(entry->d_name, ".tests.json") || rv_streq(entry->d_name, "tests.json");
}

static int run_file(struct suite *suite, const char *path)
{
    RV_AUTO(rv_json_freep) json_t *cases = NULL;
    int r = policy_read_json_file(path, &cases, &suite->diags);

    if (r < 0)
        return r;
    if (!json_is_array(cases)) {
        fprintf(stderr, "reeve: %s must be an array of cases\n", path);
        return -EINVAL;
    }
    for (size_t i = 0; i < json_array_size(cases); i++)
        run_case(suite, path, i, json_array_get(cases, i));
    return 0;
}

static int load(struct suite *suite, const char *folder)
{
    RV_AUTO(rv_freep) char *schema = policy_find_schema(folder);
    RV_AUTO(rv_buf_done) struct rv_buf entities = { 0 };
    RV_AUTO(rv_json_freep) json_t *none = json_array();
    struct stat status;
    int r = 0;

    rv_buf_addf(&entities, "%s/entities.json", folder);
    if (entities.failed)
        return -ENOMEM;
    if (schema)
        r = policy_load_schema(schema, &suite->schema, &suite->diags);
    if (r == 0)
        r = policy_load_policies(folder, &suite->set, &suite->diags);
    if (r == 0 && stat(entities.data, &status) == 0)
        r = policy_load_entities(entities.data, suite->schema, &suite->entities, &suite->diags);
    else if (r == 0)
        r = policy_make_entities(folder, none, suite->schema, &suite->entities, &suite->diags);
    if (r == 0)
        r = rv_program_compile(&suite->set, &suite->program, NULL);
    return r < 0 ? r : rv_evaluator_new(&suite->evaluator, suite->program);
}

static int run_folder(struct suite *suite, const char *folder)
{
    struct dirent **names = NULL;
    int r = load(suite, folder), count;

    if (r < 0)
        return r;
    count = scandir(folder, &names, is_tests_file, alphasort);
    if (count < 0)
        return -errno;
    for (int i = 0; i < count; i++) {
        RV_AUTO(rv_buf_done) struct rv_buf path = { 0 };

        rv_buf_addf(&path, "%s/%s", folder, names[i]->d_name);
        if (r == 0)
            r = path.failed ? -ENOMEM : run_file(suite, path.data);
        free(names[i]);
    }
    free(names);
    return r;
}

int cmd_policy_test(int argc, char **argv)
{
    size_t passed = 0, failed = 0;
    bool help = false, quiet = false;
    const struct rv_option options[] = {
        { RV_OPTION_FLAG, 'q', "quiet", NULL, "name failures only", &quiet, 0, 0 },
        { RV_OPTION_FLAG, 'h', "help", NULL, "say this", &help, 0, 0 },
        { 0 },
    };
    int operands;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help) {
        policy_help("test", "DIR...", "Decide the cases in a folder's *.tests.json by its policies",
                    options);
        return RV_EXIT_YES;
    }
    if (operands < 1) {
        fprintf(stderr, "reeve: name the folders to test\n");
        return RV_EXIT_ERROR;
    }
    for (int i = 1; i <= operands; i++) {
        RV_AUTO(suite_done) struct suite suite = { .quiet = quiet };
        int r = run_folder(&suite, argv[i]);

        policy_show(&suite.diags);
        if (r < 0) {
            fprintf(stderr, "reeve: %s cannot be tested: %s\n", argv[i], strerror(-r));
            return RV_EXIT_ERROR;
        }
        passed += suite.passed;
        failed += suite.failed;
    }
    printf("%zu passed, %zu failed\n", passed, failed);
    return failed == 0 ? RV_EXIT_YES : RV_EXIT_NO;
}
