/* SPDX-License-Identifier: Apache-2.0 */
/* reeve policy authorize: decide one request and say why. */
#include "load.h"

struct question {
    const char *schema_path, *entities_path, *request_path;
    const char *principal, *action, *resource, *context_path;
    bool json;
    struct rv_schema *schema;
    struct rv_policy_set set;
    struct rv_entities *entities;
    struct rv_program *program;
    struct rv_evaluator *evaluator;
    struct policy_request request;
    struct rv_diags diags;
};

static void question_done(struct question *question)
{
    rv_evaluator_free(&question->evaluator);
    rv_program_free(&question->program);
    rv_entities_free(&question->entities);
    rv_policy_set_done(&question->set);
    rv_schema_free(&question->schema);
    policy_request_done(&question->request);
    rv_diags_done(&question->diags);
}

/** The request as JSON, from its file or put together from options. @return a reference or NULL. */
static json_t *request_json(struct question *question)
{
    RV_AUTO(rv_json_freep) json_t *value = NULL;
    json_t *context = NULL;

    if (question->request_path) {
        if (policy_read_json_file(question->request_path, &value, &question->diags) < 0)
            return NULL;
        return RV_TAKE(value);
    }
    if (question->context_path &&
        policy_read_json_file(question->context_path, &context, &question->diags) < 0)
        return NULL;
    return json_pack("{s:s*, s:s*, s:s*, s:o*}", "principal", question->principal, "action",
                     question->action, "resource", question->resource, "context", context);
}

static int load(struct question *question, int count, char **paths)
{
    RV_AUTO(rv_json_freep) json_t *value = NULL, *none = json_array();
    RV_AUTO(rv_freep) char *found = NULL;
    struct rv_diags *diags = &question->diags;
    int r = 0;

    if (!question->schema_path && count == 1)
        found = policy_find_schema(paths[0]);
    if (question->schema_path || found)
        r = policy_load_schema(found ? found : question->schema_path, &question->schema, diags);
    for (int i = 0; r == 0 && i < count; i++)
        r = policy_load_policies(paths[i], &question->set, diags);
    if (r == 0 && question->entities_path)
        r = policy_load_entities(question->entities_path, question->schema, &question->entities,
                                 diags);
    else if (r == 0)
        r = policy_make_entities("", none, question->schema, &question->entities, diags);
    if (r < 0)
        return r;
    value = request_json(question);
    r = value ? policy_read_request(&question->request, value, question->schema, diags) : -EINVAL;
    if (r == 0)
        r = rv_program_compile(&question->set, &question->program, NULL);
    return r < 0 ? r : rv_evaluator_new(&question->evaluator, question->program);
}

/** With a schema a request that it does not know is no question at all. */
static int validate(struct question *question)
{
    enum rv_validity validity = RV_VALID;
    int r = 0;

    if (question->schema)
        r = rv_validate_request(question->schema, &question->request.request, &question->diags,
                                &validity);
    return r < 0 ? r : validity == RV_VALID ? 0 : -EINVAL;
}

static void show_json(const struct question *question, const struct rv_policy_decision *decision)
{
    RV_AUTO(rv_json_freep) json_t *value = json_object();
    json_t *reasons = json_array(), *errors = json_array();

    for (uint32_t i = 0; i < decision->reason_count; i++) {
        struct rv_text id = rv_program_policy(question->program, decision->reasons[i])->id;

        (void)json_array_append_new(reasons, json_stringn(id.data, id.len));
    }
    for (uint32_t i = 0; i < decision->error_count; i++) {
        struct rv_text id = rv_program_policy(question->program, decision->errors[i].policy)->id;
        RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };

        rv_eval_error_print(&buf, &decision->errors[i]);
        (void)json_array_append_new(errors,
                                    json_pack("{s:s%, s:s}", "policy", id.data, (size_t)id.len,
                                              "error", buf.data ? buf.data : ""));
    }
    (void)json_object_set_new(value, "decision",
                              json_string(decision->effect == RV_EFFECT_ALLOW ? "allow" : "deny"));
    (void)json_object_set_new(value, "reasons", reasons);
    (void)json_object_set_new(value, "errors", errors);
    (void)json_dumpf(value, stdout, JSON_PRESERVE_ORDER);
    putchar('\n');
}

static void show(const struct question *question, const struct rv_policy_decision *decision)
{
    printf("%s\n", decision->effect == RV_EFFECT_ALLOW ? "ALLOW" : "DENY");
    for (uint32_t i = 0; i < decision->reason_count; i++)
        printf("  because of %.*s\n",
               RV_TEXT_ARGS(rv_program_policy(question->program, decision->reasons[i])->id));
    if (decision->reason_count == 0)
        printf("  because no policy permits it\n");
    for (uint32_t i = 0; i < decision->error_count; i++) {
        RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };

        rv_eval_error_print(&buf, &decision->errors[i]);
        printf("  %.*s could not be evaluated: %s\n",
               RV_TEXT_ARGS(rv_program_policy(question->program, decision->errors[i].policy)->id),
               buf.data ? buf.data : "");
    }
}

int cmd_policy_authorize(int argc, char **argv)
{
    RV_AUTO(question_done) struct question question = { 0 };
    struct rv_policy_decision decision;
    bool help = false;
    const struct rv_option options[] = {
        { RV_OPTION_STRING, 's', "schema", "FILE", "refuse requests that this schema does not know",
          &question.schema_path, 0, 0 },
        { RV_OPTION_STRING, 'e', "entities", "FILE", "the entities, as JSON",
          &question.entities_path, 0, 0 },
        { RV_OPTION_STRING, 'r', "request", "FILE", "principal, action, resource, context as JSON",
          &question.request_path, 0, 0 },
        { RV_OPTION_STRING, 'p', "principal", "ENTITY", "such as User::\"alice\"",
          &question.principal, 0, 0 },
        { RV_OPTION_STRING, 'a', "action", "ENTITY", "such as Action::\"view\"", &question.action,
          0, 0 },
        { RV_OPTION_STRING, 'o', "resource", "ENTITY", "such as File::\"a\"", &question.resource, 0,
          0 },
        { RV_OPTION_STRING, 'c', "context", "FILE", "the context, as JSON", &question.context_path,
          0, 0 },
        { RV_OPTION_FLAG, 0, "json", NULL, "print the decision as JSON", &question.json, 0, 0 },
        { RV_OPTION_FLAG, 'h', "help", NULL, "say this", &help, 0, 0 },
        { 0 },
    };
    int operands, r;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help) {
        policy_help("authorize", "FILE|DIR... --request FILE",
                    "Decide a request: exit status 0 allows, 1 denies", options);
        return RV_EXIT_YES;
    }
    if (operands < 1) {
        fprintf(stderr, "reeve: name the policies to decide by, files or folders\n");
        return RV_EXIT_ERROR;
    }
    r = load(&question, operands, argv + 1);
    if (r == 0)
        r = validate(&question);
    policy_show(&question.diags);
    if (r < 0) {
        fprintf(stderr, "reeve: nothing was decided%s%s\n", r == -EINVAL ? "" : ": ",
                r == -EINVAL ? "" : strerror(-r));
        return RV_EXIT_ERROR;
    }
    rv_evaluate(question.evaluator, question.entities, &question.request.request, &decision);
    if (question.json)
        show_json(&question, &decision);
    else
        show(&question, &decision);
    return decision.effect == RV_EFFECT_ALLOW ? RV_EXIT_YES : RV_EXIT_NO;
}
